//! The sieve: one pass over the bytes that gives every place where a pattern stands.
//!
//! A pattern is a sequence of byte classes. Its rarest four neighbouring classes are its window
//! ([`window`]). A kernel ([`kernel`]) looks for windows, all at once and without branches; a bit
//! map by hash ([`index`]) throws out most of what it takes for one; what is left is compared class
//! by class. The kernels differ in speed and never in what they find.

mod index;
mod kernel;
pub(super) mod pattern;
mod window;

use super::class::ByteSet;
use crate::error::{Error, ErrorKind, Result};
use index::Index;
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
    /// Who wants to know of it.
    pub(super) owner: u32,
}

/// The patterns, ready to search; shared by all workers.
pub(super) struct Sieve {
    index: Index,
    entries: Vec<Entry>,
    /// The classes of all patterns, one pattern after the other, as numbers into `classes`.
    flat: Vec<u16>,
    classes: Vec<ByteSet>,
    /// The patterns that have no window. They are compared everywhere, which is slow; no built-in
    /// signature is among them.
    strays: Vec<u16>,
    /// How far behind a pattern's start its window may stand.
    reach: usize,
}

/// A pattern's classes in `flat`, and the place of its window among them.
struct Entry {
    start: u32,
    len: u16,
    window: u16,
    owner: u32,
}

impl Sieve {
    /// The sieve of `patterns`; one without classes stands nowhere.
    pub(super) fn new(patterns: &[Pattern]) -> Result<Sieve> {
        let too_many = || Error::new(ErrorKind::Usage, "there are too many anchors");
        let frequency = Frequency::new();
        let mut numbers: BTreeMap<ByteSet, u16> = BTreeMap::new();
        let mut sieve = Sieve {
            index: Index::new(&[]),
            entries: Vec::with_capacity(patterns.len()),
            flat: Vec::new(),
            classes: Vec::new(),
            strays: Vec::new(),
            reach: 0,
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
            sieve.reach = sieve.reach.max(usize::from(window));
            sieve.entries.push(Entry { start, len, window, owner: pattern.owner });
        }
        sieve.index = Index::new(&windows);
        Ok(sieve)
    }

    /// Every place in `owned` where a pattern begins, with the pattern's owner. `marks` is room to
    /// work in.
    pub(super) fn search(
        &self,
        bytes: &[u8],
        owned: Range<usize>,
        marks: &mut Vec<u32>,
        visit: &mut dyn FnMut(u32, usize),
    ) {
        let owned = owned.start..owned.end.min(bytes.len());
        self.search_strays(bytes, owned.clone(), visit);
        let last = bytes.len().saturating_sub(WINDOW - 1);
        let end = owned.end.saturating_add(self.reach).min(last);
        let mut from = owned.start;
        while from < end {
            let to = from.saturating_add(BLOCK).min(end);
            let block = bytes.get(from..to + WINDOW - 1).unwrap_or_default();
            marks.clear();
            if !is_zero(block) {
                kernel::portable(self.index.bitmap(), block, marks);
            }
            for mark in &*marks {
                self.compare(bytes, from + *mark as usize, &owned, visit);
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
            if owned.contains(&start) && self.stands(entry, bytes, start) {
                visit(entry.owner, start);
            }
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
        for start in owned {
            for number in &self.strays {
                let entry = self.entries.get(usize::from(*number));
                if let Some(entry) = entry.filter(|entry| self.stands(entry, bytes, start)) {
                    visit(entry.owner, start);
                }
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
