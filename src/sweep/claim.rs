//! A claim: bytes of the target that a file's `open()` returns verbatim, counted where they are
//! delivered.

use crate::filesystem::{At, Extent, FileEntry, FileState, Stream, StreamName};
use crate::run::{ImageNo, Run, RunSet};

/// Bytes a stream delivers, and where they lie on the target. Each byte of the target is in one
/// claim at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Where in the stream.
    pub(super) file_offset: u64,
    /// Where on the image.
    pub(super) run: Run,
    /// Which image.
    pub(super) image: ImageNo,
}

impl Claim {
    /// The part of the claim that lies in `window` of the stream.
    pub(super) fn within(&self, window: Run) -> Option<Run> {
        let both = Run::new(self.file_offset, self.run.len).intersect(window);
        let skip = both.start.saturating_sub(self.file_offset);
        (!both.is_empty()).then(|| Run::new(self.run.start + skip, both.len))
    }
}

/// An extent of a planned file, in volume bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where on the volume.
    pub(super) run: Run,
    /// Which file of the part.
    pub(super) file: u32,
    /// Which stream of the file.
    pub(super) stream: u16,
    /// Where in the stream.
    pub(super) file_offset: u64,
}

/// What a part's files own, in volume bytes.
#[derive(Debug, Default)]
pub(super) struct Owned {
    /// Shown by live files; disjoint once [`Owned::settle`] ran.
    pub(super) live: Vec<Piece>,
    /// Shown by recovered deleted files; disjoint, and disjoint from the live ones.
    pub(super) deleted: Vec<Piece>,
    /// Owned and not shown: preallocated, or beyond the end.
    pub(super) slack: Vec<Piece>,
}

impl Owned {
    /// Note what the streams of `file` own.
    pub(super) fn add(&mut self, file_number: u32, file: &FileEntry) {
        for (stream, number) in file.streams.iter().zip(0u16..) {
            for extent in &stream.extents {
                self.add_extent(file_number, file, (stream, number), extent);
            }
        }
    }

    fn add_extent(
        &mut self,
        file_number: u32,
        file: &FileEntry,
        (stream, stream_number): (&Stream, u16),
        extent: &Extent,
    ) {
        let live = file.state == FileState::Live;
        let shown = stream.size.saturating_sub(extent.file_offset).min(extent.len);
        let piece = |start: u64, skip: u64, len: u64| Piece {
            run: Run::new(start.saturating_add(skip), len),
            file: file_number,
            stream: stream_number,
            file_offset: extent.file_offset.saturating_add(skip),
        };
        match extent.at {
            At::Disk(start) if live => {
                self.live.push(piece(start, 0, shown));
                if stream.name == StreamName::Data {
                    self.slack.push(piece(start, shown, extent.len - shown));
                }
            }
            At::Disk(start) => self.deleted.push(piece(start, 0, shown)),
            At::Unwritten(start) if live => self.slack.push(piece(start, 0, extent.len)),
            At::Unwritten(_) | At::Hole | At::Inline(_) | At::Packed(_) => {}
        }
    }

    /// Give every shared byte to the first claimant in disk order, live files before deleted ones,
    /// what is shown before what is not. Returns all that is owned.
    pub(super) fn settle(&mut self, volume: Run) -> RunSet {
        let mut taken = RunSet::default();
        for pieces in [&mut self.live, &mut self.deleted, &mut self.slack] {
            *pieces = disjoint(std::mem::take(pieces), &taken, volume);
            let runs = pieces.iter().map(|p| p.run).chain(taken.runs().iter().copied());
            taken = RunSet::from_runs(runs.collect());
        }
        taken
    }
}

/// `pieces` without overlaps among themselves, without what is `taken`, inside `volume`.
fn disjoint(mut pieces: Vec<Piece>, taken: &RunSet, volume: Run) -> Vec<Piece> {
    pieces.retain(|p| !p.run.is_empty());
    pieces.sort_unstable_by_key(|p| (p.run, p.file, p.stream, p.file_offset));
    // Nearly every filesystem is like this already, and its list need not stand twice.
    let apart = pieces.is_sorted_by(|a, b| a.run.end() <= b.run.start);
    let inside = pieces.last().is_none_or(|p| p.run.end() <= volume.end());
    if apart && inside && pieces.iter().all(|p| taken.within(p.run).next().is_none()) {
        pieces.shrink_to_fit();
        return pieces;
    }
    let mut kept = Vec::with_capacity(pieces.len());
    let mut covered = 0;
    for piece in pieces {
        let free = piece.run.intersect(volume);
        let free = Run::between(free.start.max(covered), free.end());
        covered = covered.max(free.end());
        let mut at = free.start;
        let mut keep = |run: Run| {
            if !run.is_empty() {
                let skip = run.start - piece.run.start;
                let file_offset = piece.file_offset.saturating_add(skip);
                kept.push(Piece { run, file_offset, ..piece });
            }
        };
        for gone in taken.within(free) {
            keep(Run::between(at, gone.start));
            at = gone.end();
        }
        keep(Run::between(at, free.end()));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(start: u64, len: u64, file: u32, file_offset: u64) -> Piece {
        Piece { run: Run::new(start, len), file, stream: 0, file_offset }
    }

    #[test]
    fn shared_bytes_belong_to_the_first_claimant() {
        let mut owned = Owned {
            live: vec![piece(50, 50, 2, 0), piece(0, 60, 1, 0), piece(10, 5, 3, 0)],
            deleted: vec![piece(90, 30, 4, 0)],
            slack: vec![piece(95, 10, 5, 0), piece(200, 10, 5, 100)],
        };
        let all = owned.settle(Run::new(0, 205));
        assert_eq!(owned.live, [piece(0, 60, 1, 0), piece(60, 40, 2, 10)]);
        assert_eq!(owned.deleted, [piece(100, 20, 4, 10)]);
        assert_eq!(owned.slack, [piece(200, 5, 5, 100)]);
        assert_eq!(all.total(), 125);
    }
}
