//! A run: a half-open range of bytes, and sorted sets of them.

use std::fmt;

/// The number of an image within a target, in the order its devices are mapped. An address on the
/// target is an image number and a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageNo(pub u16);

impl fmt::Display for ImageNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A half-open range of bytes: `[start, start + len)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// First byte.
    pub start: u64,
    /// Number of bytes.
    pub len: u64,
}

impl Run {
    /// The run of `len` bytes from `start`, cut where its end would pass `u64::MAX`.
    pub fn new(start: u64, len: u64) -> Run {
        Run { start, len: len.min(u64::MAX - start) }
    }

    /// The run `[start, end)`; empty when `end` is not after `start`.
    pub fn between(start: u64, end: u64) -> Run {
        Run { start, len: end.saturating_sub(start) }
    }

    /// One past the last byte.
    pub fn end(self) -> u64 {
        self.start.saturating_add(self.len)
    }

    /// Whether it holds no byte.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The bytes both runs hold.
    #[must_use]
    pub fn intersect(self, other: Run) -> Run {
        Run::between(self.start.max(other.start), self.end().min(other.end()))
    }

    /// Whether `other` lies wholly inside.
    pub fn contains(self, other: Run) -> bool {
        self.start <= other.start && other.end() <= self.end()
    }

    /// The run grown to whole units of `unit` bytes on both sides.
    #[must_use]
    pub fn align_out(self, unit: u64) -> Run {
        let unit = unit.max(1);
        let start = self.start - self.start % unit;
        Run::between(start, self.end().checked_next_multiple_of(unit).unwrap_or(u64::MAX))
    }
}

/// A sorted set of bytes, kept as disjoint runs that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSet {
    runs: Vec<Run>,
}

impl RunSet {
    /// The set of the bytes in `runs`, which may overlap and stand in any order.
    pub fn from_runs(mut runs: Vec<Run>) -> RunSet {
        runs.retain(|r| !r.is_empty());
        runs.sort_unstable();
        let mut merged: Vec<Run> = Vec::with_capacity(runs.len());
        for run in runs {
            match merged.last_mut() {
                Some(last) if run.start <= last.end() => {
                    *last = Run::between(last.start, last.end().max(run.end()));
                }
                _ => merged.push(run),
            }
        }
        merged.shrink_to_fit();
        RunSet { runs: merged }
    }

    /// The runs, sorted.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// How many bytes it holds.
    pub fn total(&self) -> u64 {
        self.runs.iter().map(|r| r.len).sum()
    }

    /// The parts of `run` that are in the set, sorted.
    pub fn within(&self, run: Run) -> impl Iterator<Item = Run> + '_ {
        let first = self.runs.partition_point(|r| r.end() <= run.start);
        self.runs[first..]
            .iter()
            .take_while(move |r| r.start < run.end())
            .map(move |r| r.intersect(run))
            .filter(|r| !r.is_empty())
    }

    /// The bytes of `self` that are not in `other`.
    #[must_use]
    pub fn minus(&self, other: &RunSet) -> RunSet {
        let mut left = Vec::new();
        for &run in &self.runs {
            let mut at = run.start;
            for taken in other.within(run) {
                left.push(Run::between(at, taken.start));
                at = taken.end();
            }
            left.push(Run::between(at, run.end()));
        }
        left.retain(|r| !r.is_empty());
        RunSet { runs: left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(runs: &[(u64, u64)]) -> RunSet {
        RunSet::from_runs(runs.iter().map(|&(s, l)| Run::new(s, l)).collect())
    }

    #[test]
    fn merges_what_overlaps_or_touches() {
        assert_eq!(set(&[(10, 5), (0, 4), (4, 2), (12, 9)]), set(&[(0, 6), (10, 11)]));
        assert_eq!(set(&[(3, 0)]).total(), 0);
    }

    #[test]
    fn subtracts() {
        let left = set(&[(0, 100), (200, 10)]).minus(&set(&[(0, 10), (50, 10), (90, 115)]));
        assert_eq!(left, set(&[(10, 40), (60, 30), (205, 5)]));
    }

    #[test]
    fn survives_the_end_of_the_address_space() {
        assert_eq!(Run::new(u64::MAX, 10).len, 0);
        assert_eq!(Run::new(u64::MAX - 4, 10).align_out(512).end(), u64::MAX);
    }
}
