//! A stretch: windows of a stream that are swept one after the other, and where on the disk.
//!
//! What lies in one piece is swept from its first byte on. A window whose bytes lie in several
//! places waits for the last of them, so that no block is fetched long before the sweep comes by;
//! of the blocks with its earlier bytes, the cache keeps just those
//! ([`crate::image::cache::Later`]).

use super::plan::Part;
use crate::filesystem::{At, Extent, Stream};
use crate::limits::{HOLE_SPLIT_BYTES, OVERLAP_BYTES, SOLID_BYTES, WINDOW_BYTES};
use crate::run::{ImageNo, Run};

/// Windows of a stream, and where they are swept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The place on the target at which the first window is swept.
    pub(super) at: (ImageNo, u64),
    /// The windows that begin in these bytes of the stream are its own.
    pub(super) run: Run,
    /// What is read of places before `at`.
    pub(super) before: Vec<(ImageNo, Run)>,
}

/// The stretches of a stream, in its order.
pub(super) fn stretches(part: &Part, stream: &Stream, visit: &mut dyn FnMut(Stretch)) {
    let mut onward: Option<Stretch> = None;
    let mut from = 0;
    while let Some(window) = next_data(stream, from) {
        from = window.end();
        let mut pieces = places(part, stream, window);
        match (pieces.as_slice(), &mut onward) {
            ([_], Some(stretch)) if stretch.run.end() == window.start => {
                stretch.run = Run::between(stretch.run.start, window.end());
            }
            (&[(image, piece)], _) => {
                let next = Stretch { at: (image, piece.start), run: window, before: Vec::new() };
                onward.replace(next).into_iter().for_each(&mut *visit);
            }
            _ => {
                onward.take().into_iter().for_each(&mut *visit);
                let Some(last) = pieces.iter().map(|(image, run)| (*image, run.start)).max() else {
                    continue;
                };
                pieces.retain(|(image, run)| (*image, run.start) != last);
                visit(Stretch { at: last, run: window, before: pieces });
            }
        }
    }
    onward.into_iter().for_each(visit);
}

/// Where the last of the pieces begins that a window is read from.
pub(super) fn last_place(part: &Part, stream: &Stream, window: Run) -> Option<(ImageNo, u64)> {
    places(part, stream, window).iter().map(|(image, run)| (*image, run.start)).max()
}

/// Where the bytes of a window and what surrounds it lie on the target, neighbours joined.
fn places(part: &Part, stream: &Stream, window: Run) -> Vec<(ImageNo, Run)> {
    let seen = Run::between(
        window.start.saturating_sub(OVERLAP_BYTES),
        window.end().saturating_add(OVERLAP_BYTES).min(stream.size),
    );
    let mut found: Vec<(ImageNo, Run)> = Vec::new();
    let first =
        stream.extents.partition_point(|e| e.file_offset.saturating_add(e.len) <= seen.start);
    let near = stream.extents.get(first..).unwrap_or_default().iter();
    for extent in near.take_while(|extent| extent.file_offset < seen.end()) {
        let run = match extent.at {
            At::Disk(start) | At::Inline(start) => {
                let both = Run::new(extent.file_offset, extent.len).intersect(seen);
                let skip = both.start.saturating_sub(extent.file_offset);
                Run::new(start.saturating_add(skip), both.len)
            }
            At::Packed(run) => run,
            At::Hole | At::Unwritten(_) => continue,
        };
        for (image, run) in part.locate(run) {
            match found.last_mut() {
                Some((same, last)) if *same == image && last.end() == run.start => {
                    last.len = last.len.saturating_add(run.len);
                }
                _ => found.push((image, run)),
            }
        }
    }
    found
}

/// The next window of a stream: a stretch of it that has bytes somewhere. Long holes are stepped
/// over, short ones are read as the zeros they are. Of a long file, what lies in one large piece
/// and what crosses from one piece to the next are windows of their own, so that only the little
/// around a seam has to wait for a place far away.
pub(super) fn next_data(stream: &Stream, from: u64) -> Option<Run> {
    let mut data = Solids::new(stream, from).peekable();
    let first = data.next()?;
    let start = first.start.max(from);
    let limit = start.saturating_add(WINDOW_BYTES).min(stream.size);
    let is_apart = |piece: &Run| WINDOW_BYTES < stream.size && SOLID_BYTES <= piece.len;
    let joins = |end: u64, next: &Run| next.start <= end.saturating_add(HOLE_SPLIT_BYTES);
    let mut end = first.end();
    if is_apart(&first) && data.peek().is_some_and(|next| joins(end, next)) {
        let inner = end.saturating_sub(OVERLAP_BYTES);
        if start < inner {
            return Some(Run::between(start, inner.min(limit)));
        }
    }
    for next in data {
        if limit <= end || !joins(end, &next) {
            break;
        }
        if is_apart(&next) {
            end = end.max(next.start.saturating_add(OVERLAP_BYTES));
            break;
        }
        end = end.max(next.end());
    }
    let window = Run::between(start, end.min(limit));
    (!window.is_empty()).then_some(window)
}

/// The pieces of a stream that have bytes somewhere, from an offset on and up to its end; what goes
/// on where it left off is one piece.
struct Solids<'a> {
    rest: std::slice::Iter<'a, Extent>,
    /// What is asked for. No piece lies outside of it, though the first may begin before.
    shown: Run,
    next: Option<Extent>,
}

impl<'a> Solids<'a> {
    fn new(stream: &'a Stream, from: u64) -> Solids<'a> {
        let extents = &stream.extents;
        let first = extents.partition_point(|e| e.file_offset.saturating_add(e.len) <= from);
        let rest = extents.get(first..).unwrap_or_default().iter();
        let mut solids = Solids { rest, shown: Run::between(from, stream.size), next: None };
        solids.next = solids.next_held();
        solids
    }

    /// The next extent with bytes that are asked for. A file may own more than it shows.
    fn next_held(&mut self) -> Option<Extent> {
        let Solids { rest, shown, .. } = self;
        let held = |e: &&Extent| {
            matches!(e.at, At::Disk(_) | At::Inline(_) | At::Packed(_))
                && !Run::new(e.file_offset, e.len).intersect(*shown).is_empty()
        };
        rest.find(held).copied()
    }
}

impl Iterator for Solids<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let mut last = self.next?;
        let start = last.file_offset;
        loop {
            self.next = self.next_held();
            let Some(next) = self.next else { break };
            if !follows(&last, &next) {
                break;
            }
            last = next;
        }
        let end = last.file_offset.saturating_add(last.len);
        Some(Run::between(start, end.min(self.shown.end())))
    }
}

/// Whether `next` goes on where `last` ended, in the stream and on the disk.
fn follows(last: &Extent, next: &Extent) -> bool {
    match (last.at, next.at) {
        (At::Disk(a), At::Disk(b)) => {
            last.file_offset.checked_add(last.len) == Some(next.file_offset)
                && a.checked_add(last.len) == Some(b)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::StreamName;
    use crate::run::RunSet;

    const W: u64 = WINDOW_BYTES;

    fn stream(size: u64, extents: &[(u64, u64, At)]) -> Stream {
        let extents =
            extents.iter().map(|&(file_offset, len, at)| Extent { file_offset, len, at }).collect();
        Stream { name: StreamName::Data, size, extents }
    }

    fn windows(size: u64, extents: &[(u64, u64, At)]) -> Vec<Run> {
        let stream = stream(size, extents);
        let mut from = 0;
        std::iter::from_fn(|| {
            let window = next_data(&stream, from)?;
            from = window.end();
            Some(window)
        })
        .collect()
    }

    fn part() -> Part {
        Part {
            root: "x".into(),
            volume: None,
            bytes: None,
            filesystem: None,
            driver: None,
            files: Vec::new(),
            by_path: std::sync::OnceLock::new(),
        }
    }

    /// Where each stretch is swept, where its windows begin, and how much it reads elsewhere.
    fn cut(extents: &[(u64, u64, u64)]) -> Vec<(u64, u64, u64)> {
        let size = extents.last().map_or(0, |(start, len, _)| start + len);
        let extents: Vec<_> = extents.iter().map(|&(o, len, at)| (o, len, At::Disk(at))).collect();
        let mut found = Vec::new();
        stretches(&part(), &stream(size, &extents), &mut |s| {
            found.push((s.at.1, s.run.start, s.before.iter().map(|(_, run)| run.len).sum()));
        });
        found
    }

    #[test]
    fn long_holes_are_stepped_over_and_short_ones_read() {
        let far = 1 << 40;
        let extents = [
            (0, 4096, At::Disk(0)),
            (4096, 4096, At::Hole),
            (8192, 4096, At::Inline(9)),
            (far, 4096, At::Unwritten(1)),
            (far + 4096, 8192, At::Disk(2)),
        ];
        let expected = [Run::new(0, 12288), Run::new(far + 4096, 100)];
        assert_eq!(windows(far + 4196, &extents), expected);
    }

    #[test]
    fn large_extents_are_cut_into_windows_and_bytes_beyond_the_end_left_out() {
        let expected = [Run::new(0, W), Run::new(W, 10)];
        assert_eq!(windows(W + 10, &[(0, 8 * W, At::Disk(0))]), expected);
    }

    #[test]
    fn seams_of_a_long_file_are_windows_of_their_own() {
        let o = OVERLAP_BYTES;
        let extents = [(0, W, At::Disk(0)), (W, W, At::Disk(5 * W)), (2 * W, W, At::Disk(6 * W))];
        let expected = [
            Run::new(0, W - o),
            Run::new(W - o, 2 * o),
            Run::new(W + o, W),
            Run::new(2 * W + o, W - o),
        ];
        assert_eq!(windows(3 * W, &extents), expected);
    }

    #[test]
    fn a_stretch_is_swept_where_the_last_of_its_bytes_lies() {
        let o = OVERLAP_BYTES;
        assert_eq!(cut(&[(0, 5 * W, 7)]), [(7, 0, 0)], "one piece");
        assert_eq!(cut(&[(0, 9, 700), (9, 9, 7), (18, 9, 70)]), [(700, 0, 18)], "a short file");
        let two = [(7, 0, 0), (9 * W, W - o, 2 * o), (9 * W, W + o, 0)];
        assert_eq!(cut(&[(0, W, 7), (W, W, 9 * W)]), two, "forwards");
        let two = [(9 * W, 0, 0), (9 * W + W - 2 * o, W - o, 2 * o), (7, W + o, 0)];
        assert_eq!(cut(&[(0, W, 9 * W), (W, W, 7)]), two, "backwards");
        assert!(cut(&[]).is_empty());
    }

    /// Planning once went round for ever on the first of these.
    #[test]
    fn nothing_is_swept_beyond_the_end() {
        let disk = At::Disk(0);
        for (size, extents, expected) in [
            (2 * W, [(0, 4 * W, disk), (4 * W, 9, At::Inline(7))], vec![(0, W), (W, W)]),
            (2 * W, [(0, 2 * W, disk), (2 * W, 9 * W, At::Disk(W))], vec![(0, W), (W, W)]),
            (9, [(0, 0, disk), (9, 9, At::Disk(3))], vec![]),
            (W, [(0, 0, disk), (W - 9, u64::MAX, At::Disk(3))], vec![(W - 9, 9)]),
            (0, [(0, 9, disk), (9, 9, disk)], vec![]),
        ] {
            let expected: Vec<Run> = expected.into_iter().map(|(s, l)| Run::new(s, l)).collect();
            assert_eq!(windows(size, &extents), expected, "{size} {extents:?}");
        }
    }

    /// Numbers that are the same on every machine.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % bound.max(1)
        }

        fn len(&mut self) -> u64 {
            match self.below(6) {
                0 => 0,
                1 => 1 + self.below(4096),
                2 => SOLID_BYTES - 1 + self.below(3),
                3 => OVERLAP_BYTES + self.below(HOLE_SPLIT_BYTES),
                4 => W - 1 + self.below(3),
                _ => self.below(3 * W),
            }
        }

        /// A stream of any sort of extents, in order unless they `overlap`, and perhaps shorter
        /// than they are.
        fn stream(&mut self, overlap: bool) -> Stream {
            let (mut extents, mut at, mut disk) = (Vec::new(), 0, W);
            for _ in 0..self.below(12) {
                let len = self.len();
                let place = match self.below(8) {
                    0 => At::Hole,
                    1 => At::Unwritten(disk),
                    2 => At::Inline(disk),
                    3 => At::Packed(Run::new(disk, len / 2)),
                    4 => At::Disk(self.below(64 * W)),
                    _ => At::Disk(disk),
                };
                extents.push((at, len, place));
                disk += len + self.below(2) * self.len();
                let back = if overlap { self.below(len) } else { 0 };
                at += len - back + self.below(4) / 3 * self.len();
            }
            let size = [at, self.below(at + 1), at / 2, at + self.len()];
            stream(size[usize::try_from(self.below(4)).unwrap()], &extents)
        }
    }

    /// The windows of one walk over a stream; it ends, and none of them touches another.
    fn chain(stream: &Stream) -> Vec<Run> {
        let (mut from, mut found) = (0, Vec::new());
        while let Some(window) = next_data(stream, from) {
            let in_order = from <= window.start && window.end() <= stream.size;
            assert!(in_order && (1..=W).contains(&window.len), "{window:?} {stream:?}");
            from = window.end();
            found.push(window);
        }
        found
    }

    /// The windows as the sweep walks them: stretch by stretch.
    fn replayed(stream: &Stream) -> Vec<Run> {
        let mut found = Vec::new();
        stretches(&part(), stream, &mut |stretch| {
            let mut from = stretch.run.start;
            let next = |from| next_data(stream, from).filter(|w| w.start < stretch.run.end());
            while let Some(window) = next(from) {
                from = window.end();
                found.push(window);
            }
        });
        found
    }

    #[test]
    fn every_byte_that_is_somewhere_is_in_one_window() {
        let mut dice = Dice(7);
        for _ in 0..4000 {
            let stream = dice.stream(false);
            let swept = chain(&stream);
            assert_eq!(replayed(&stream), swept, "{stream:?}");
            let swept = RunSet::from_runs(swept);
            for extent in &stream.extents {
                let here = Run::new(extent.file_offset, extent.len);
                let shown = here.intersect(Run::new(0, stream.size));
                let found: u64 = swept.within(shown).map(|run| run.len).sum();
                let held = !matches!(extent.at, At::Hole | At::Unwritten(_));
                assert!(!held || found == shown.len, "{extent:?} {stream:?}");
            }
        }
    }

    #[test]
    fn a_walk_ends_even_where_extents_overlap() {
        let mut dice = Dice(8);
        for _ in 0..4000 {
            chain(&dice.stream(true));
        }
    }
}
