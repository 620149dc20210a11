//! The sieve: one pass over the bytes that gives every place where a pattern stands.
//!
//! A pattern is a sequence of byte classes. Its rarest four neighbouring classes are its window
//! ([`window`]). A kernel ([`kernel`]) looks for windows, all at once and without branches; a bit
//! map by hash, the bytes themselves and those beside them ([`index`]) throw out most of what it
//! takes for one; what is left is compared class by class. The kernels differ in speed and never in what they find.

mod bucket;
mod index;
mod kernel;
mod oracle;
pub(super) mod pattern;
mod window;

use super::class::ByteSet;
use crate::error::{Error, ErrorKind, Result};
use index::{Beside, Index, Member};
pub use kernel::Kernel;
use kernel::Tables;
pub(super) use kernel::{SORTED, Sorted, Sorter};
use oracle::Oracle;
use std::collections::BTreeMap;
use std::ops::Range;
use window::{FOLD, Frequency, Gauge, STRIDE, WINDOW};

/// Positions a kernel goes through before its candidates are looked at: what it reads and what it
/// writes stay in the first cache.
const BLOCK: usize = 16 * 1024;

/// Words of the bit maps: of the strided search, which has thousands of windows, and of the kernels,
/// which ask theirs only now and then. Both stay in the first cache.
const STRIDED_WORDS: usize = 4096;
const EVERYWHERE_WORDS: usize = 2048;

/// Letters and digits.
const WORD: ByteSet =
    ByteSet::range(b'0', b'9').union(ByteSet::range(b'A', b'Z')).union(ByteSet::range(b'a', b'z'));

/// What stands before no token: characters of a word that do not end an escape.
const INSIDE: ByteSet = ByteSet::any_of(b"GHIJKLMNOPQRSTUVWXYZ_ghijklmopqsvwxyz");

/// What the sieve looks for.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// A class for each byte.
    pub(super) classes: Vec<ByteSet>,
    /// How many of them stand before the place that is told.
    pub(super) before: usize,
    /// Whether it only counts where no character of a word stands before it.
    pub(super) edge: bool,
    /// Who wants to know of it.
    pub(super) owner: u32,
}

/// The patterns, ready to search; shared by all workers.
pub(super) struct Sieve {
    oracle: Option<Oracle>,
    /// The patterns that are long enough to be looked for at every fourth place.
    strided: Index<STRIDED_WORDS>,
    /// The others, which the kernel looks for everywhere.
    tables: Tables,
    everywhere: Index<EVERYWHERE_WORDS>,
    /// Bytes of which a long run has nothing inside it that counts.
    dull: ByteSet,
    /// The least byte of the strided windows.
    least: u8,
    /// What the indices' members are.
    placements: Vec<Placement>,
    entries: Vec<Entry>,
    /// The classes of all patterns, one pattern after the other, as numbers into `classes`.
    flat: Vec<u16>,
    classes: Vec<ByteSet>,
    /// The patterns that have no window. They are compared everywhere, which is slow; no built-in
    /// signature is among them.
    strays: Vec<u16>,
    /// One more than the largest number of an owner.
    owners: usize,
    /// How far behind the place that is told a window may stand.
    reach: usize,
    /// How far before it.
    lead: usize,
}

/// A pattern's classes in `flat`, and which of them the place that is told stands at.
struct Entry {
    start: u32,
    len: u16,
    before: u16,
    /// Where the first of its windows begins.
    window: u16,
    /// Whether it only counts where no character of a word stands before it.
    edge: bool,
    owner: u32,
}

/// A window: whose it is, and where in the pattern it begins.
struct Placement {
    entry: u16,
    window: u16,
    /// Four more bytes of the pattern, as far as they are known, and where in it they begin: they
    /// tell most chance hits of common words without a look at any class.
    beside: u16,
    known: u32,
    wanted: u32,
}

impl Placement {
    fn new(entry: u16, window: u16, gauges: &[Gauge]) -> Placement {
        let inside = usize::from(window)..usize::from(window) + WINDOW;
        let told = |at: usize, four: &[Gauge]| {
            let news = four.iter().zip(at..).filter(|(_, at)| !inside.contains(at));
            news.filter(|(gauge, _)| gauge.single.is_some()).count()
        };
        let places = gauges.windows(WINDOW).enumerate();
        let best = places.max_by_key(|(at, four)| told(*at, four));
        let (at, four) = best.unwrap_or((0, &[]));
        let (mut known, mut wanted) = ([0; WINDOW], [0; WINDOW]);
        for ((gauge, known), wanted) in four.iter().zip(&mut known).zip(&mut wanted) {
            if let Some(bits) = gauge.single {
                (*known, *wanted) = bits;
            }
        }
        Placement {
            entry,
            window,
            beside: u16::try_from(at).unwrap_or(0),
            known: u32::from_le_bytes(known),
            wanted: u32::from_le_bytes(wanted),
        }
    }

    /// Whether the bytes beside the window do not speak against a pattern that begins at `start`.
    #[inline]
    fn may_stand(&self, bytes: &[u8], start: usize) -> bool {
        let four = bytes.get(start..).and_then(|rest| rest.get(usize::from(self.beside)..));
        four.and_then(<[u8]>::first_chunk)
            .is_some_and(|four| u32::from_le_bytes(*four) & self.known == self.wanted)
    }
}

impl Sieve {
    /// The sieve of `patterns`; one without classes stands nowhere.
    pub(super) fn new(patterns: &[Pattern], kernel: Kernel) -> Result<Sieve> {
        let mut sieve = Sieve {
            oracle: None,
            strided: Index::new(&[]),
            tables: Tables::new(Kernel::Portable, &[]),
            everywhere: Index::new(&[]),
            dull: ByteSet::EMPTY,
            least: 0,
            placements: Vec::new(),
            entries: Vec::with_capacity(patterns.len()),
            flat: Vec::new(),
            classes: Vec::new(),
            strays: Vec::new(),
            owners: 0,
            reach: 0,
            lead: 0,
        };
        let patterns = || patterns.iter().filter(|pattern| !pattern.classes.is_empty());
        sieve.add_all(patterns())?;
        if kernel == Kernel::Oracle {
            sieve.oracle = Some(Oracle::new((0..).zip(patterns()))?);
            return Ok(sieve);
        }
        let (strided, everywhere) = sieve.place(patterns());
        sieve.strided = Index::new(&strided);
        sieve.everywhere = Index::new(&everywhere);
        let all = strided.iter().flat_map(|member| member.window).flat_map(ByteSet::bytes);
        sieve.least = all.min().unwrap_or(0);
        sieve.dull = sieve.dull(&everywhere, patterns());
        let windows: Vec<_> = everywhere.into_iter().map(|member| member.window).collect();
        sieve.tables = Tables::new(kernel, &windows);
        Ok(sieve)
    }

    fn add_all<'a>(&mut self, patterns: impl Iterator<Item = &'a Pattern>) -> Result<()> {
        let too_many = || Error::new(ErrorKind::Usage, "there are too many anchors");
        let mut numbers: BTreeMap<ByteSet, u16> = BTreeMap::new();
        for pattern in patterns {
            u16::try_from(self.entries.len()).map_err(|_| too_many())?;
            let start = u32::try_from(self.flat.len()).map_err(|_| too_many())?;
            let len = u16::try_from(pattern.classes.len()).map_err(|_| too_many())?;
            let before = u16::try_from(pattern.before).map_err(|_| too_many())?;
            for class in &pattern.classes {
                let next = u16::try_from(numbers.len()).map_err(|_| too_many())?;
                let known = *numbers.entry(*class).or_insert_with(|| {
                    self.classes.push(*class);
                    next
                });
                self.flat.push(known);
            }
            self.owners = self.owners.max(pattern.owner as usize + 1);
            let edge = pattern.edge && before == 0;
            self.entries.push(Entry { start, len, before, window: 0, edge, owner: pattern.owner });
        }
        Ok(())
    }

    /// Give every pattern its windows: those of the patterns that have enough for the strided
    /// search, and those of the others.
    fn place<'a>(
        &mut self,
        patterns: impl Iterator<Item = &'a Pattern>,
    ) -> (Vec<Member>, Vec<Member>) {
        let frequency = Frequency::new();
        let known: Vec<Gauge> =
            self.classes.iter().map(|class| Gauge::of(*class, &frequency)).collect();
        let (mut strided, mut everywhere) = (Vec::new(), Vec::new());
        for ((number, entry), pattern) in (0..).zip(&mut self.entries).zip(patterns) {
            let from = entry.start as usize;
            let classes = self.flat.get(from..from + usize::from(entry.len)).unwrap_or_default();
            let gauges: Vec<Gauge> = classes
                .iter()
                .filter_map(|class| known.get(usize::from(*class)).copied())
                .collect();
            let many = window::choose_strided(&gauges);
            let one = if many.is_some() { None } else { window::choose(&gauges) };
            let list = if many.is_some() { &mut strided } else { &mut everywhere };
            let windows = many.iter().flatten().chain(&one);
            entry.window = windows.clone().copied().min().unwrap_or(0);
            if many.is_none() && one.is_none() {
                self.strays.push(number);
            }
            for window in windows {
                let at = usize::from(*window);
                let there = pattern.classes.get(at..).and_then(<[ByteSet]>::first_chunk);
                let Some(there) = there else { continue };
                let class = |at: Option<usize>| pattern.classes.get(at?).copied();
                let behind = class(at.checked_add(WINDOW));
                list.push(Member {
                    number: u32::try_from(self.placements.len()).unwrap_or(u32::MAX),
                    window: *there,
                    beside: Beside::of_classes(class(at.checked_sub(1)), behind),
                });
                self.placements.push(Placement::new(number, *window, &gauges));
                self.reach = self.reach.max(usize::from(window.saturating_sub(entry.before)));
                self.lead = self.lead.max(usize::from(entry.before.saturating_sub(*window)));
            }
        }
        (strided, everywhere)
    }

    /// Bytes of which a long run has no window inside it that counts: all patterns that have
    /// four of them begin with them, and count at the run's beginning only.
    fn dull<'a>(
        &self,
        everywhere: &[Member],
        patterns: impl Iterator<Item = &'a Pattern>,
    ) -> ByteSet {
        let edges: Vec<bool> = patterns.map(|pattern| pattern.edge).collect();
        let (mut dull, mut busy) = (ByteSet::EMPTY, ByteSet::EMPTY);
        for member in everywhere {
            let alike = |set: ByteSet| set.bytes().map(alike).fold(ByteSet::EMPTY, ByteSet::union);
            let shared =
                member.window.map(alike).into_iter().fold(ByteSet::ALL, ByteSet::intersection);
            let placement = self.placements.get(member.number as usize);
            let first = placement.filter(|placement| placement.window == 0);
            let edge = first.and_then(|first| edges.get(usize::from(first.entry))).copied();
            // Only a character of a word keeps a token from beginning behind it.
            let counts_once = edge == Some(true) && shared.is_subset(WORD);
            let list = if counts_once { &mut dull } else { &mut busy };
            *list = list.union(shared);
        }
        dull.bytes().filter(|byte| !busy.has(*byte)).fold(ByteSet::EMPTY, ByteSet::with)
    }

    /// Every place in `owned` that a pattern tells, with the pattern's owner. An owner for whom
    /// `visit` gives false hears no more; it is only counted, and returned, how often a window of
    /// such an owner stands.
    pub(super) fn search(
        &self,
        bytes: &[u8],
        owned: Range<usize>,
        room: &mut Room,
        visit: &mut dyn FnMut(u32, usize) -> bool,
    ) -> u64 {
        let Room { marks, silent } = room;
        silent.clear();
        silent.resize(self.owners, false);
        let owned = owned.start..owned.end.min(bytes.len());
        let mut hearing = Hearing { bytes, owned: owned.clone(), silent, unheard: 0, visit };
        if let Some(oracle) = &self.oracle {
            oracle.search(bytes, &owned, &mut |number, start| {
                if let Some(entry) = self.entries.get(usize::from(number)) {
                    self.try_entry(entry, start, &mut hearing);
                }
            });
            return hearing.unheard;
        }
        self.search_strays(&mut hearing);
        let last = bytes.len().saturating_sub(WINDOW - 1);
        let end = owned.end.saturating_add(self.reach).min(last);
        let mut from = owned.start.saturating_sub(self.lead);
        from -= from % STRIDE;
        while from < end {
            let to = from.saturating_add(BLOCK).min(end);
            let block = bytes.get(from..to + WINDOW - 1).unwrap_or_default();
            if !is_zero(block) {
                self.sift(from, block, marks, &mut hearing);
            }
            from = to;
        }
        hearing.unheard
    }

    /// The patterns that have a window in the block at `from`.
    fn sift(&self, from: usize, block: &[u8], marks: &mut Marks, hearing: &mut Hearing<'_>) {
        let [strided, everywhere] = marks;
        strided.resize(BLOCK / STRIDE + 1, 0);
        everywhere.resize(BLOCK + 1, 0);
        let count = self.tables.stride(self.strided.bitmap(), self.least, block, strided);
        let count = self.strided.thin(hearing.bytes, from, first(strided, count));
        for mark in strided.iter().take(count) {
            self.compare(&self.strided, from + *mark as usize, hearing);
        }
        let count = self.tables.scan(self.everywhere.bitmap(), self.dull, block, everywhere);
        let count = self.everywhere.thin(hearing.bytes, from, first(everywhere, count));
        for mark in everywhere.iter().take(count) {
            self.compare(&self.everywhere, from + *mark as usize, hearing);
        }
    }

    /// The patterns that have a window of `index` at `at`.
    #[inline]
    fn compare<const WORDS: usize>(
        &self,
        index: &Index<WORDS>,
        at: usize,
        hearing: &mut Hearing<'_>,
    ) {
        let rest = hearing.bytes.get(at..);
        let Some(four) = rest.and_then(<[u8]>::first_chunk::<WINDOW>) else { return };
        for number in index.chain(u32::from_le_bytes(*four)) {
            let Some(placement) = self.placements.get(*number as usize) else { continue };
            let Some(start) = at.checked_sub(usize::from(placement.window)) else { continue };
            if !placement.may_stand(hearing.bytes, start) {
                continue;
            }
            if let Some(entry) = self.entries.get(usize::from(placement.entry)) {
                self.try_entry(entry, start, hearing);
            }
        }
    }

    #[inline]
    fn try_entry(&self, entry: &Entry, start: usize, hearing: &mut Hearing<'_>) {
        let place = start + usize::from(entry.before);
        let last = start.checked_sub(1).and_then(|last| hearing.bytes.get(last));
        let inside = entry.edge && last.is_some_and(|last| INSIDE.has(*last));
        if inside || !hearing.owned.contains(&place) {
            return;
        }
        let (first, window) = (entry.start as usize, usize::from(entry.window));
        let Some(silent) = hearing.silent.get_mut(entry.owner as usize) else { return };
        if *silent {
            let there = {
                let len = WINDOW.min(usize::from(entry.len));
                self.stands(first + window, len, hearing.bytes, start + window)
            };
            hearing.unheard += u64::from(there);
        } else if self.stands(first, usize::from(entry.len), hearing.bytes, start) {
            *silent = !(hearing.visit)(entry.owner, place);
        }
    }

    /// Whether the `len` classes from `first` on stand at `start`.
    #[inline]
    fn stands(&self, first: usize, len: usize, bytes: &[u8], start: usize) -> bool {
        let classes = self.flat.get(first..first + len).unwrap_or_default();
        let there = bytes.get(start..).and_then(|rest| rest.get(..len));
        there.is_some_and(|there| {
            let mut pairs = classes.iter().zip(there);
            pairs.all(|(class, byte)| {
                self.classes.get(usize::from(*class)).is_some_and(|class| class.has(*byte))
            })
        })
    }

    fn search_strays(&self, hearing: &mut Hearing<'_>) {
        let owned = hearing.owned.clone();
        for number in &self.strays {
            let Some(entry) = self.entries.get(usize::from(*number)) else { continue };
            let from = owned.start.saturating_sub(usize::from(entry.before));
            for start in from..owned.end {
                self.try_entry(entry, start, hearing);
            }
        }
    }
}

/// The first of the marks.
fn first(marks: &mut [u32], count: usize) -> &mut [u32] {
    marks.get_mut(..count).unwrap_or_default()
}

/// The bytes that the index takes for the same.
fn alike(byte: u8) -> ByteSet {
    ByteSet::of(byte | FOLD).with(byte & !FOLD)
}

/// Places of a block where a window may stand: of the strided search, and of the kernel.
type Marks = [Vec<u32>; 2];

/// Room to work in; one worker's own.
#[derive(Default)]
pub(super) struct Room {
    marks: Marks,
    /// The owners who hear no more.
    silent: Vec<bool>,
}

/// The bytes that are searched, and who hears of what is found.
struct Hearing<'a> {
    bytes: &'a [u8],
    owned: Range<usize>,
    silent: &'a mut [bool],
    unheard: u64,
    visit: &'a mut dyn FnMut(u32, usize) -> bool,
}

/// Whether there is nothing but zeros, where no window stands.
fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<64>();
    rest.iter().all(|byte| *byte == 0)
        && chunks.iter().all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}
