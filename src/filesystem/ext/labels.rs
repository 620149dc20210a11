//! The labels of a filesystem's bytes: free, journal, metadata, and slack for the rest.

use super::bitmap;
use super::group::{self, Group};
use super::{Ext, collect::Troubles};
use crate::coverage::Kind;
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::run::{Run, RunSet};

/// What every byte is that no file shows.
#[derive(Default)]
pub(super) struct Labels {
    /// Where a label begins that goes on to the next entry; sorted, and slack before the first.
    changes: Vec<(u64, Kind)>,
}

/// The sets labels are made of. A byte in several is labelled by the first that has it.
pub(super) struct Sets {
    pub(super) journal: RunSet,
    /// Home blocks with a newer copy in the journal.
    pub(super) shadowed: RunSet,
    pub(super) metadata: RunSet,
    pub(super) free: RunSet,
}

impl Sets {
    /// Free bytes that are nothing else.
    pub(super) fn free(&self) -> RunSet {
        self.free.minus(&self.metadata).minus(&self.journal)
    }

    /// The labels they make.
    pub(super) fn labels(&self) -> Labels {
        let free = self.free();
        let metadata = self.metadata.minus(&self.journal).minus(&self.shadowed);
        let sets =
            [(&self.journal, Kind::Journal), (&metadata, Kind::Metadata), (&free, Kind::Free)];
        let mut runs: Vec<(Run, Kind)> = sets
            .iter()
            .flat_map(|(set, kind)| set.runs().iter().map(move |&run| (run, *kind)))
            .collect();
        runs.sort_unstable_by_key(|(run, _)| run.start);
        let mut changes: Vec<(u64, Kind)> = Vec::new();
        let mut at = 0;
        for (run, kind) in runs {
            if at < run.start {
                changes.push((at, Kind::Slack));
            }
            changes.push((run.start, kind));
            at = run.end();
        }
        changes.push((at, Kind::Slack));
        changes.dedup_by_key(|(_, kind)| *kind);
        changes.shrink_to_fit();
        Labels { changes }
    }
}

impl Labels {
    /// The labels of the bytes of `run`, in order.
    pub(super) fn of(&self, run: Run) -> Vec<(Run, Kind)> {
        let mut parts = Vec::new();
        let mut next = self.changes.partition_point(|(start, _)| *start <= run.start);
        let mut at = run.start;
        while at < run.end() {
            let kind = next.checked_sub(1).and_then(|index| self.changes.get(index));
            let end = self.changes.get(next).map_or(u64::MAX, |(start, _)| *start);
            let part = Run::between(at, end.min(run.end()));
            parts.push((part, kind.map_or(Kind::Slack, |(_, kind)| *kind)));
            at = part.end();
            next = next.saturating_add(1);
        }
        parts
    }
}

/// The blocks of all groups' own fixed structures, and the boot area before the first group.
pub(super) fn fixed_metadata(ext: &Ext) -> Vec<Run> {
    let bytes = ext.sb.block_bytes;
    let mut runs = vec![Run::new(0, ext.sb.first_data_block.saturating_mul(bytes))];
    if 0 < ext.sb.mount_guard_block && ext.sb.mount_guard_block < ext.sb.blocks {
        runs.push(Run::new(ext.sb.mount_guard_block.saturating_mul(bytes), bytes));
    }
    for (number, found) in (0..ext.sb.groups).zip(&ext.groups) {
        for run in group::own_blocks(&ext.sb, number, found.as_ref()) {
            let run = run.intersect(Run::new(0, ext.sb.blocks));
            runs.push(Run::new(run.start.saturating_mul(bytes), run.len.saturating_mul(bytes)));
        }
    }
    runs
}

/// What the block bitmaps call free, the filesystem's own structures of unused groups included.
pub(super) fn free(ext: &Ext, troubles: &mut Troubles<'_>) -> RunSet {
    let mut runs = Vec::new();
    for (number, group) in (0..ext.sb.groups).zip(&ext.groups) {
        if runs.len() > limits::EXT_FREE_RUNS {
            troubles.visit(Error::new(ErrorKind::Limit, "free space is in too many pieces"));
            break;
        }
        if let Some(group) = group
            && let Err(error) = free_in(ext, number, group, &mut runs)
        {
            troubles.visit(error.detail(format_args!("block bitmap of group {number}")));
        }
    }
    RunSet::from_runs(runs)
}

fn free_in(ext: &Ext, number: u64, group: &Group, runs: &mut Vec<Run>) -> Result<(), Error> {
    let bytes = ext.sb.block_bytes;
    let start = ext.sb.group_start(number);
    let blocks = ext.sb.blocks.saturating_sub(start).min(ext.sb.blocks_per_group);
    if group.blocks_unused {
        runs.push(Run::new(start.saturating_mul(bytes), blocks.saturating_mul(bytes)));
        return Ok(());
    }
    let data = ext.device.block(group.block_bitmap)?;
    let cluster = ext.sb.cluster_blocks;
    bitmap::clear_runs(&data, blocks.div_ceil(cluster.max(1)), |run| {
        let first = run.start.saturating_mul(cluster);
        let end = run.end().saturating_mul(cluster).min(blocks);
        let first_byte = start.saturating_add(first).saturating_mul(bytes);
        runs.push(Run::new(first_byte, end.saturating_sub(first).saturating_mul(bytes)));
    });
    Ok(())
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tests trust their own data"
)]
mod tests {
    use super::*;

    fn set(runs: &[(u64, u64)]) -> RunSet {
        RunSet::from_runs(runs.iter().map(|&(start, len)| Run::new(start, len)).collect())
    }

    #[test]
    fn labels_cover_a_run_once_and_in_order() {
        let sets = Sets {
            journal: set(&[(40, 10)]),
            shadowed: set(&[(12, 2), (60, 2)]),
            metadata: set(&[(0, 20), (45, 2)]),
            free: set(&[(15, 10), (60, 40)]),
        };
        let found: Vec<_> =
            sets.labels().of(Run::new(5, 100)).iter().map(|(r, k)| (r.start, r.len, *k)).collect();
        let expected = [
            (5, 7, Kind::Metadata),
            (12, 2, Kind::Slack),
            (14, 6, Kind::Metadata),
            (20, 5, Kind::Free),
            (25, 15, Kind::Slack),
            (40, 10, Kind::Journal),
            (50, 10, Kind::Slack),
            (60, 40, Kind::Free),
            (100, 5, Kind::Slack),
        ];
        assert_eq!(found, expected);
        assert_eq!(Labels::default().of(Run::new(3, 4)), [(Run::new(3, 4), Kind::Slack)]);
    }
}
