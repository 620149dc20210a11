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
}

impl<const WORDS: usize> Index<WORDS> {
    /// The index of windows given with their numbers.
    pub(super) fn new(windows: &[(u32, [ByteSet; WINDOW])]) -> Index<WORDS> {
        let mut entries = expanded(windows);
        entries.sort_unstable();
        entries.dedup();
        let mut bitmap = Box::new([0; WORDS]);
        let keys = || entries.chunk_by(|a, b| a.0 == b.0);
        let mut slots = vec![Slot::default(); (2 * keys().count()).next_power_of_two().max(2)];
        let mut from = 0;
        for members in keys() {
            let Some((key, _)) = members.first() else { continue };
            let hash = hash(*key);
            let bit = |from: u32| (1 << 31) >> (hash >> from & 31);
            bitmap[word::<WORDS>(hash)] |= bit(FIRST_BIT) | bit(SECOND_BIT);
            let to = from + u32::try_from(members.len()).unwrap_or(0);
            let first = slot_of(*key, slots.len());
            let (before, behind) = slots.split_at_mut(first);
            let mut all = behind.iter_mut().chain(before);
            if let Some(free) = all.find(|slot| slot.from == slot.to) {
                *free = Slot { key: *key, from, to };
            }
            from = to;
        }
        let members = entries.iter().map(|(_, number)| *number).collect();
        Index { bitmap, slots, members }
    }

    pub(super) fn bitmap(&self) -> &Bitmap<WORDS> {
        &self.bitmap
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

/// Where a key stands among `slots`, a power of two.
#[inline]
fn slot_of(key: u32, slots: usize) -> usize {
    // Other bits than those that the bit map has looked at.
    (key.wrapping_mul(SPREAD_TOO) >> 8) as usize & (slots - 1)
}

/// Every four bytes that a window may be, case folded, with its number.
fn expanded(windows: &[(u32, [ByteSet; WINDOW])]) -> Vec<(u32, u32)> {
    let mut entries = Vec::new();
    let mut heads: Vec<u32> = Vec::new();
    let mut longer: Vec<u32> = Vec::new();
    for (number, window) in windows {
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
        entries.extend(heads.iter().map(|four| (*four, *number)));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_is_found_by_its_bytes() {
        let digits = ByteSet::range(b'0', b'9');
        let windows = [
            (7, [ByteSet::of(b'g'), ByteSet::of(b'h'), ByteSet::of(b'p'), ByteSet::of(b'_')]),
            (9, [ByteSet::either_case(b'k'), digits, digits, ByteSet::of(0)]),
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
        assert!(Index::<2>::new(&[]).chain(0).is_empty());
    }
}
