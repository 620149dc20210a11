//! The sieve: one pass over the bytes that gives every place where a pattern stands.
//!
//! A pattern is a sequence of byte classes. Its rarest four neighbouring classes are its window
//! ([`window`]). A kernel ([`kernel`]) looks for windows, all at once and without branches; a bit
//! map by hash ([`index`]) throws out most of what it takes for one; what is left is compared class
//! by class. The kernels differ in speed and never in what they find.

mod bucket;
mod index;
mod kernel;
mod oracle;
pub(super) mod pattern;
mod window;

use super::class::ByteSet;
use crate::error::{Error, ErrorKind, Result};
use index::Index;
pub use kernel::Kernel;
use kernel::Tables;
use oracle::Oracle;
use std::collections::BTreeMap;
use std::ops::Range;
use window::{Frequency, WINDOW};

/// Positions a kernel goes through before its candidates are looked at: what it reads and what it
/// writes stay in the first cache.
const BLOCK: usize = 16 * 1024;

/// What the sieve looks for.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// A class for each byte.
    pub(super) classes: Vec<ByteSet>,
    /// How many of them stand before the place that is told.
    pub(super) before: usize,
    /// Who wants to know of it.
    pub(super) owner: u32,
}

/// The patterns, ready to search; shared by all workers.
pub(super) struct Sieve {
    oracle: Option<Oracle>,
    tables: Tables,
    index: Index,
    entries: Vec<Entry>,
    /// The classes of all patterns, one pattern after the other, as numbers into `classes`.
    flat: Vec<u16>,
    classes: Vec<ByteSet>,
    /// The patterns that have no window. They are compared everywhere, which is slow; no built-in
    /// signature is among them.
    strays: Vec<u16>,
    /// How far behind the place that is told a window may stand.
    reach: usize,
    /// How far before it.
    lead: usize,
}

/// A pattern's classes in `flat`, and the place of its window among them.
struct Entry {
    start: u32,
    len: u16,
    window: u16,
    before: u16,
    owner: u32,
}

impl Sieve {
    /// The sieve of `patterns`; one without classes stands nowhere.
    pub(super) fn new(patterns: &[Pattern], kernel: Kernel) -> Result<Sieve> {
        let too_many = || Error::new(ErrorKind::Usage, "there are too many anchors");
        let frequency = Frequency::new();
        let mut numbers: BTreeMap<ByteSet, u16> = BTreeMap::new();
        let mut sieve = Sieve {
            oracle: None,
            tables: Tables::new(Kernel::Portable, &[]),
            index: Index::new(&[]),
            entries: Vec::with_capacity(patterns.len()),
            flat: Vec::new(),
            classes: Vec::new(),
            strays: Vec::new(),
            reach: 0,
            lead: 0,
        };
        let mut windows = Vec::with_capacity(patterns.len());
        for pattern in patterns.iter().filter(|pattern| !pattern.classes.is_empty()) {
            let number = u16::try_from(sieve.entries.len()).map_err(|_| too_many())?;
            let start = u32::try_from(sieve.flat.len()).map_err(|_| too_many())?;
            let len = u16::try_from(pattern.classes.len()).map_err(|_| too_many())?;
            for class in &pattern.classes {
                let next = u16::try_from(numbers.len()).map_err(|_| too_many())?;
                let known = *numbers.entry(*class).or_insert_with(|| {
                    sieve.classes.push(*class);
                    next
                });
                sieve.flat.push(known);
            }
            let window = window::choose(pattern, &frequency);
            match window.and_then(|at| pattern.classes.get(usize::from(at)..)?.first_chunk()) {
                Some(classes) => windows.push((number, *classes)),
                None => sieve.strays.push(number),
            }
            let window = window.unwrap_or(0);
            let before = u16::try_from(pattern.before).map_err(|_| too_many())?;
            sieve.reach = sieve.reach.max(usize::from(window.saturating_sub(before)));
            sieve.lead = sieve.lead.max(usize::from(before.saturating_sub(window)));
            sieve.entries.push(Entry { start, len, window, before, owner: pattern.owner });
        }
        if kernel == Kernel::Oracle {
            let patterns = patterns.iter().filter(|pattern| !pattern.classes.is_empty());
            sieve.oracle = Some(Oracle::new((0..).zip(patterns))?);
            return Ok(sieve);
        }
        sieve.index = Index::new(&windows);
        let windows: Vec<_> = windows.into_iter().map(|(_, window)| window).collect();
        sieve.tables = Tables::new(kernel, &windows);
        Ok(sieve)
    }

    /// Every place in `owned` that a pattern tells, with the pattern's owner. `marks` is room to
    /// work in.
    pub(super) fn search(
        &self,
        bytes: &[u8],
        owned: Range<usize>,
        marks: &mut Vec<u32>,
        visit: &mut dyn FnMut(u32, usize),
    ) {
        let owned = owned.start..owned.end.min(bytes.len());
        if let Some(oracle) = &self.oracle {
            return oracle.search(bytes, &owned, &mut |number, start| {
                if let Some(entry) = self.entries.get(usize::from(number)) {
                    self.try_entry(entry, bytes, start, &owned, visit);
                }
            });
        }
        self.search_strays(bytes, owned.clone(), visit);
        marks.resize(BLOCK + 1, 0);
        let last = bytes.len().saturating_sub(WINDOW - 1);
        let end = owned.end.saturating_add(self.reach).min(last);
        let mut from = owned.start.saturating_sub(self.lead);
        while from < end {
            let to = from.saturating_add(BLOCK).min(end);
            let block = bytes.get(from..to + WINDOW - 1).unwrap_or_default();
            if !is_zero(block) {
                let count = self.tables.scan(self.index.bitmap(), block, marks);
                for mark in marks.iter().take(count) {
                    self.compare(bytes, from + *mark as usize, &owned, visit);
                }
            }
            from = to;
        }
    }

    /// The patterns whose window stands at `at`.
    #[inline]
    fn compare(
        &self,
        bytes: &[u8],
        at: usize,
        owned: &Range<usize>,
        visit: &mut dyn FnMut(u32, usize),
    ) {
        let Some(four) = bytes.get(at..).and_then(|rest| rest.first_chunk::<WINDOW>()) else {
            return;
        };
        for number in self.index.chain(u32::from_le_bytes(*four)) {
            let Some(entry) = self.entries.get(usize::from(*number)) else { continue };
            let Some(start) = at.checked_sub(usize::from(entry.window)) else { continue };
            self.try_entry(entry, bytes, start, owned, visit);
        }
    }

    #[inline]
    fn try_entry(
        &self,
        entry: &Entry,
        bytes: &[u8],
        start: usize,
        owned: &Range<usize>,
        visit: &mut dyn FnMut(u32, usize),
    ) {
        let place = start + usize::from(entry.before);
        if owned.contains(&place) && self.stands(entry, bytes, start) {
            visit(entry.owner, place);
        }
    }

    #[inline]
    fn stands(&self, entry: &Entry, bytes: &[u8], start: usize) -> bool {
        let (first, len) = (entry.start as usize, usize::from(entry.len));
        let classes = self.flat.get(first..first + len).unwrap_or_default();
        let there = bytes.get(start..).and_then(|rest| rest.get(..len));
        there.is_some_and(|there| {
            let mut pairs = classes.iter().zip(there);
            pairs.all(|(class, byte)| {
                self.classes.get(usize::from(*class)).is_some_and(|class| class.has(*byte))
            })
        })
    }

    fn search_strays(&self, bytes: &[u8], owned: Range<usize>, visit: &mut dyn FnMut(u32, usize)) {
        if self.strays.is_empty() {
            return;
        }
        for number in &self.strays {
            let Some(entry) = self.entries.get(usize::from(*number)) else { continue };
            let from = owned.start.saturating_sub(usize::from(entry.before));
            for start in from..owned.end {
                self.try_entry(entry, bytes, start, &owned, visit);
            }
        }
    }
}

/// Whether there is nothing but zeros, where no window stands.
fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<64>();
    rest.iter().all(|byte| *byte == 0)
        && chunks.iter().all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}
