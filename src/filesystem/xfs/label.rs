//! Labels: what the bytes are that no file shows.

use crate::coverage::Kind;
use crate::run::{Run, RunSet};

/// Disjoint sets of labelled bytes; what is in none of them is slack.
#[derive(Debug, Default)]
pub(super) struct Labels {
    journal: RunSet,
    metadata: RunSet,
    free: RunSet,
}

impl Labels {
    /// Where claims contradict, the journal wins, then metadata.
    pub(super) fn new(journal: RunSet, metadata: &RunSet, free: &RunSet) -> Labels {
        let metadata = metadata.minus(&journal);
        let free = free.minus(&journal).minus(&metadata);
        Labels { journal, metadata, free }
    }

    /// The labels of `run`, in order and without a gap.
    pub(super) fn of(&self, run: Run) -> Vec<(Run, Kind)> {
        let mut known: Vec<(Run, Kind)> = Vec::new();
        let sets = [
            (&self.journal, Kind::Journal),
            (&self.metadata, Kind::Metadata),
            (&self.free, Kind::Free),
        ];
        for (set, kind) in sets {
            known.extend(set.within(run).map(|part| (part, kind)));
        }
        known.sort_unstable();
        let mut parts = Vec::with_capacity(known.len());
        let mut at = run.start;
        for (part, kind) in known {
            if at < part.start {
                parts.push((Run::between(at, part.start), Kind::Slack));
            }
            parts.push((part, kind));
            at = part.end();
        }
        if at < run.end() {
            parts.push((Run::between(at, run.end()), Kind::Slack));
        }
        parts
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "the bytes are the test's own"
)]
mod tests {
    use super::*;

    #[test]
    fn covers_a_run_exactly_once() {
        let set = |start, len| RunSet::from_runs(vec![Run::new(start, len)]);
        let labels = Labels::new(set(10, 10), &set(15, 10), &set(0, 30));
        let parts = labels.of(Run::new(5, 30));
        let expected = [
            (Run::new(5, 5), Kind::Free),
            (Run::new(10, 10), Kind::Journal),
            (Run::new(20, 5), Kind::Metadata),
            (Run::new(25, 5), Kind::Free),
            (Run::new(30, 5), Kind::Slack),
        ];
        assert_eq!(parts, expected);
    }
}
