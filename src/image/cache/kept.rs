//! Kept bytes: what of a block stays in memory after the block has gone, because the sweep is known
//! to come back for just that.
//!
//! A file in pieces is swept where its last piece lies; of the blocks with its earlier pieces only
//! those bytes wait for it, not the whole block.

use crate::limits::BLOCK_BYTES;
use crate::run::Run;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Bytes that are read once more when the sweep is at a later block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Later {
    /// The first of the bytes, which lie inside one block.
    start: u64,
    len: u32,
    /// The block the sweep is at when it reads them.
    due: u32,
}

impl Later {
    /// The parts of `run`, one for each block, that are read again when the sweep is at the block
    /// of the byte `at`.
    pub fn parts(run: Run, at: u64) -> impl Iterator<Item = Later> {
        let due = u32::try_from(block_of(at)).unwrap_or(u32::MAX);
        super::blocks_of(run).take_while(move |block| *block < u64::from(due)).map(move |block| {
            let part = super::block_run(block).intersect(run);
            Later { start: part.start, len: u32::try_from(part.len).unwrap_or(u32::MAX), due }
        })
    }

    fn run(self) -> Run {
        Run::new(self.start, u64::from(self.len))
    }
}

fn block_of(offset: u64) -> u64 {
    offset.checked_div(BLOCK_BYTES).unwrap_or(0)
}

/// The part of a block that is kept.
struct Piece {
    bytes: Arc<[u8]>,
    due: u64,
}

/// What is to be kept, and what is.
#[derive(Default)]
pub(super) struct Kept {
    /// What will be read again, sorted by place.
    later: Vec<Later>,
    /// By the first byte on the image.
    pieces: BTreeMap<u64, Piece>,
    /// Due and place of each piece: what nobody waits for any more goes.
    dues: BTreeSet<(u64, u64)>,
    bytes: u64,
}

impl Kept {
    /// These bytes will be read again.
    pub(super) fn plan(&mut self, mut later: Vec<Later>) {
        later.sort_unstable();
        later.shrink_to_fit();
        self.later = later;
    }

    /// Block `number` goes while the sweep is at block `now`: keep what is still waited for, as
    /// far as `room_bytes` reach.
    pub(super) fn save(&mut self, number: u64, block: &[u8], now: u64, room_bytes: u64) {
        let whole = super::block_run(number);
        for (run, due) in self.wanted(whole, now) {
            let skip = usize::try_from(run.start.saturating_sub(whole.start)).unwrap_or(usize::MAX);
            let len = usize::try_from(run.len).unwrap_or(usize::MAX);
            let Some(bytes) = block.get(skip..skip.saturating_add(len)) else { continue };
            if room_bytes < self.bytes.saturating_add(run.len) {
                return;
            }
            self.drop_piece(run.start);
            self.bytes = self.bytes.saturating_add(run.len);
            self.dues.insert((due, run.start));
            self.pieces.insert(run.start, Piece { bytes: bytes.into(), due });
        }
    }

    /// What of `block` is read again when the sweep is at block `now` or later, neighbours joined,
    /// and until when.
    fn wanted(&self, block: Run, now: u64) -> Vec<(Run, u64)> {
        let from = self.later.partition_point(|later| later.start < block.start);
        let to = self.later.partition_point(|later| later.start < block.end());
        let mut found: Vec<(Run, u64)> = Vec::new();
        for later in self.later.get(from..to).into_iter().flatten() {
            let (run, due) = (later.run(), u64::from(later.due));
            match found.last_mut() {
                _ if due < now => {}
                Some((last, until)) if run.start <= last.end() => {
                    *last = Run::between(last.start, last.end().max(run.end()));
                    *until = due.max(*until);
                }
                _ => found.push((run, due)),
            }
        }
        found
    }

    /// The bytes of `run`, when they are kept, as what holds them and where they begin in it.
    pub(super) fn get(&self, run: Run) -> Option<(Arc<[u8]>, u64)> {
        let (start, piece) = self.pieces.range(..=run.start).next_back()?;
        let skip = run.start.checked_sub(*start)?;
        let len = u64::try_from(piece.bytes.len()).ok()?;
        (skip.checked_add(run.len)? <= len).then(|| (Arc::clone(&piece.bytes), skip))
    }

    /// The sweep is at block `now`: what was due before goes.
    pub(super) fn passed(&mut self, now: u64) {
        while let Some(&(due, start)) = self.dues.first()
            && due < now
        {
            self.drop_piece(start);
        }
    }

    /// Bytes kept.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn drop_piece(&mut self, start: u64) {
        if let Some(piece) = self.pieces.remove(&start) {
            self.dues.remove(&(piece.due, start));
            let len = u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX);
            self.bytes = self.bytes.saturating_sub(len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(start: u64, len: u32, due: u32) -> Later {
        Later { start, len, due }
    }

    #[test]
    fn only_what_is_still_waited_for_stays() {
        let mut kept = Kept::default();
        kept.plan(vec![later(100, 10, 3), later(105, 20, 9), later(500, 5, 2), later(600, 1, 7)]);
        let block: Vec<u8> = (0..=255).cycle().take(512 * 1024).collect();
        kept.save(0, &block, 3, 1 << 20);
        assert_eq!(kept.bytes(), 26, "neighbours are one, what was due before is left");
        let (bytes, skip) = kept.get(Run::new(104, 21)).unwrap();
        assert_eq!((bytes.get(4), bytes.len(), skip), (Some(&104), 25, 4));
        assert!(kept.get(Run::new(104, 22)).is_none() && kept.get(Run::new(99, 2)).is_none());
        kept.passed(8);
        assert!(kept.get(Run::new(600, 1)).is_none() && kept.get(Run::new(100, 25)).is_some());
        kept.passed(10);
        assert_eq!(kept.bytes(), 0);
    }

    #[test]
    fn a_run_is_due_in_parts_and_never_where_the_sweep_is() {
        let run = Run::new(BLOCK_BYTES - 5, 2 * BLOCK_BYTES);
        let parts: Vec<Later> = Later::parts(run, 2 * BLOCK_BYTES + 7).collect();
        let whole = u32::try_from(BLOCK_BYTES).unwrap();
        assert_eq!(parts, [later(BLOCK_BYTES - 5, 5, 2), later(BLOCK_BYTES, whole, 2)]);
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mut kept = Kept::default();
        kept.plan(vec![later(0, 10, 3), later(20, 10, 3)]);
        kept.save(0, &vec![7; 512 * 1024], 0, 15);
        assert_eq!(kept.bytes(), 10);
    }
}
