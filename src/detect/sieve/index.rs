//! The index: which windows may stand at a place, by hash and then by the bytes themselves.

use super::window::{FOLD, WINDOW, folded};
use crate::detect::class::ByteSet;

/// 32 bits of the golden ratio: neighbouring keys land far from each other.
pub(super) const SPREAD: u32 = 0x9e37_79b1;

/// Another odd number without a pattern, 32 bits of the square root of three.
const SPREAD_TOO: u32 = 0xbb67_ae85;

/// Four folded bytes.
pub(super) const FOLDS: u32 = u32::from_le_bytes([FOLD; WINDOW]);

/// The hash of the four bytes at a place, case folded. Its first bits are its best.
#[inline]
pub(super) const fn hash(four: u32) -> u32 {
    (four | FOLDS).wrapping_mul(SPREAD)
}

/// Two bits of one word for each hash: both are set where any window has it. Small enough for the
/// first cache, in `WORDS` words, a power of two.
pub(super) type Bitmap<const WORDS: usize> = [u32; WORDS];

/// Bits of the hash behind which those begin that choose a bit.
pub(super) const FIRST_BIT: u32 = 15;
pub(super) const SECOND_BIT: u32 = 10;

/// How far a hash is shifted to leave the number of its word.
pub(super) const fn word_shift(words: usize) -> u32 {
    u32::BITS - words.trailing_zeros()
}

/// The word of a hash.
#[inline]
const fn word<const WORDS: usize>(hash: u32) -> usize {
    (hash >> word_shift(WORDS)) as usize & (WORDS - 1)
}

/// Whether any window has this hash.
#[inline]
pub(super) const fn is_set<const WORDS: usize>(bitmap: &Bitmap<WORDS>, hash: u32) -> bool {
    let word = bitmap[word::<WORDS>(hash)];
    // A bit is told by how far it stands from the last.
    let (first, second) = (hash >> FIRST_BIT & 31, hash >> SECOND_BIT & 31);
    (word << first & word << second) >> 31 != 0
}

/// Windows by their four bytes, case folded.
pub(super) struct Index<const WORDS: usize> {
    bitmap: Box<Bitmap<WORDS>>,
    /// A table of twice as many slots as there are keys, or more: a key stands where its hash says
    /// or in the first free slot behind that.
    slots: Vec<Slot>,
    /// The windows of one key after those of the other, by the numbers they came with.
    members: Vec<u32>,
}

/// Four bytes, and where their windows stand in `members`; nowhere in a free slot.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: u32,
    from: u32,
    to: u32,
    /// What any of the windows has beside it.
    beside: Beside,
}

/// A window, and the number it is known by.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) number: u32,
    pub(super) window: [ByteSet; WINDOW],
    pub(super) beside: Beside,
}

/// What stands before four bytes and behind them, as a bit for the last five bits of each byte: a
/// look at two words spares that at all windows of common words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Beside {
    before: u32,
    behind: u32,
}

impl Beside {
    /// What the classes before a window and behind it have; where the pattern has none, anything.
    pub(super) fn of_classes(before: Option<ByteSet>, behind: Option<ByteSet>) -> Beside {
        let bits = |set: ByteSet| set.bytes().fold(0, |bits, byte| bits | bit(byte));
        Beside { before: before.map_or(u32::MAX, bits), behind: behind.map_or(u32::MAX, bits) }
    }

    /// Whether it has these bytes. No branches: they would be guessed wrong too often.
    #[inline]
    fn has(self, before: u8, behind: u8) -> bool {
        (self.before & bit(before) != 0) & (self.behind & bit(behind) != 0)
    }

    fn with(self, other: Beside) -> Beside {
        Beside { before: self.before | other.before, behind: self.behind | other.behind }
    }
}

#[inline]
fn bit(byte: u8) -> u32 {
    1 << (byte & 31)
}

impl<const WORDS: usize> Index<WORDS> {
    /// The index of windows given with their numbers.
    pub(super) fn new(windows: &[Member]) -> Index<WORDS> {
        let mut entries = expanded(windows);
        entries.sort_unstable();
        entries.dedup();
        let mut bitmap = Box::new([0; WORDS]);
        let keys = || entries.chunk_by(|a, b| a.0 == b.0);
        let mut slots = vec![Slot::default(); (2 * keys().count()).next_power_of_two().max(2)];
        let mut from = 0;
        for members in keys() {
            let Some((key, ..)) = members.first() else { continue };
            let beside = members.iter().fold(Beside::default(), |all, (.., one)| all.with(*one));
            let hash = hash(*key);
            let bit = |from: u32| (1 << 31) >> (hash >> from & 31);
            bitmap[word::<WORDS>(hash)] |= bit(FIRST_BIT) | bit(SECOND_BIT);
            let to = from + u32::try_from(members.len()).unwrap_or(0);
            let first = slot_of(*key, slots.len());
            let (before, behind) = slots.split_at_mut(first);
            let mut all = behind.iter_mut().chain(before);
            if let Some(free) = all.find(|slot| slot.from == slot.to) {
                *free = Slot { key: *key, from, to, beside };
            }
            from = to;
        }
        let members = entries.iter().map(|(_, number, _)| *number).collect();
        Index { bitmap, slots, members }
    }

    pub(super) fn bitmap(&self) -> &Bitmap<WORDS> {
        &self.bitmap
    }

    /// Keep those of `marks`, places behind `from`, where a window may stand by its bytes and those
    /// beside it, and say how many. Each is written and kept or not, without a branch.
    pub(super) fn thin(&self, bytes: &[u8], from: usize, marks: &mut [u32]) -> usize {
        let mut kept = 0;
        for number in 0..marks.len() {
            let Some(mark) = marks.get(number).copied() else { break };
            let six = (from + mark as usize).checked_sub(1).and_then(|at| bytes.get(at..));
            let keep = six.and_then(<[u8]>::first_chunk).is_none_or(|six| self.may_stand(*six));
            marks.iter_mut().skip(kept).take(1).for_each(|place| *place = mark);
            kept += usize::from(keep);
        }
        kept
    }

    /// Whether a window may stand at the second of six bytes.
    #[inline]
    fn may_stand(&self, [before, a, b, c, d, behind]: [u8; 6]) -> bool {
        let key = u32::from_le_bytes([a, b, c, d]) | FOLDS;
        let Some(slot) = self.slots.get(slot_of(key, self.slots.len())) else { return true };
        let (same, free) = (slot.key == key, slot.from == slot.to);
        // Of a key that stands behind another one nothing is known yet.
        (!same && !free) | (same & slot.beside.has(before, behind))
    }

    /// The windows that may stand where these four bytes are.
    #[inline]
    pub(super) fn chain(&self, four: u32) -> &[u32] {
        let key = four | FOLDS;
        let mut at = slot_of(key, self.slots.len());
        while let Some(slot) = self.slots.get(at) {
            if slot.key == key || slot.from == slot.to {
                return self.members.get(slot.from as usize..slot.to as usize).unwrap_or_default();
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        &[]
    }
}

/// Where a key stands among `slots`, a power of two and two or more.
#[inline]
fn slot_of(key: u32, slots: usize) -> usize {
    // The first bits, for only they depend on all four bytes.
    key.wrapping_mul(SPREAD_TOO) as usize >> (u32::BITS - slots.trailing_zeros()) & (slots - 1)
}

/// Every four bytes that a window may be, case folded, with its number.
fn expanded(windows: &[Member]) -> Vec<(u32, u32, Beside)> {
    let mut entries = Vec::new();
    let mut heads: Vec<u32> = Vec::new();
    let mut longer: Vec<u32> = Vec::new();
    for Member { number, window, beside } in windows {
        heads.clear();
        heads.push(0);
        for (place, class) in window.iter().enumerate() {
            longer.clear();
            for byte in folded(*class).bytes() {
                let byte = u32::from(byte) << (8 * place);
                longer.extend(heads.iter().map(|head| head | byte));
            }
            std::mem::swap(&mut heads, &mut longer);
        }
        entries.extend(heads.iter().map(|four| (*four, *number, *beside)));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_is_found_by_its_bytes() {
        let digits = ByteSet::range(b'0', b'9');
        let member = |number, window, behind| Member {
            number,
            window,
            beside: Beside::of_classes(None, behind),
        };
        let windows = [
            member(7, b"ghp_".map(ByteSet::of), None),
            member(9, [ByteSet::either_case(b'k'), digits, digits, ByteSet::of(0)], Some(digits)),
        ];
        let index = Index::<1024>::new(&windows);
        let at = |bytes: &[u8; 4]| index.chain(u32::from_le_bytes(*bytes)).to_vec();
        assert_eq!(at(b"ghp_"), [7]);
        assert_eq!(at(b"GHP_"), [7], "folded");
        assert_eq!((at(b"k47\0"), at(b"K00\0")), (vec![9], vec![9]));
        assert_eq!((at(b"ghq_"), at(b"\0\0\0\0")), (vec![], vec![]));
        assert!(is_set(index.bitmap(), hash(u32::from_le_bytes(*b"ghp_"))));
        let set = (0..100_000_u32).filter(|n| is_set(index.bitmap(), hash(n.wrapping_mul(97))));
        assert!(set.count() < 1000);
        let kept = |bytes: &[u8]| index.thin(bytes, 0, &mut [1]);
        assert_eq!((kept(b" K00\x007"), kept(b" K00\0z"), kept(b" K00\0")), (1, 0, 1));
        assert_eq!((kept(b"xghp_x"), kept(b" ghq_ ")), (1, 0));
        assert_eq!(index.thin(b"ghp_x", 0, &mut [0]), 1, "nothing is before it");
        assert!(Index::<2>::new(&[]).chain(0).is_empty());
    }
}
