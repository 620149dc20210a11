//! The cursor: windows of the plan's items, in order, to whoever asks next.

use super::plan::{Item, Plan, What};
use crate::filesystem::{At, Stream};
use crate::limits::{HOLE_SPLIT_BYTES, WINDOW_BYTES};
use crate::run::{ImageNo, Run};
use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};

/// A window of an item, in the item's own bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) item: Item,
    pub(super) window: Run,
}

/// A walk over the windows of a plan.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    item: usize,
    offset: u64,
}

impl Walk {
    /// The next window.
    pub(super) fn next(&mut self, plan: &Plan) -> Option<Unit> {
        while let Some(&item) = plan.items.get(self.item) {
            if let Some(window) = next_window(plan, &item, self.offset) {
                self.offset = window.end();
                return Some(Unit { item, window });
            }
            self.item += 1;
            self.offset = 0;
        }
        None
    }
}

/// The shared cursor of all workers.
pub(super) struct Cursor<'p> {
    plan: &'p Plan,
    state: Mutex<State>,
}

struct State {
    walk: Walk,
    /// Where each worker is, so that blocks all have passed can go.
    places: Vec<Option<(ImageNo, u64)>>,
}

impl<'p> Cursor<'p> {
    pub(super) fn new(plan: &'p Plan, jobs: usize) -> Cursor<'p> {
        let places = vec![Some((ImageNo(0), 0)); jobs.max(1)];
        Cursor { plan, state: Mutex::new(State { walk: Walk::default(), places }) }
    }

    /// Every worker is at `now` or beyond; the images before it are done with.
    fn passed(&self, first: ImageNo, now: (ImageNo, u64)) {
        for image in &self.plan.images {
            if let Some(cache) = image.ahead.as_ref().filter(|_| image.number >= first) {
                match image.number.cmp(&now.0) {
                    Ordering::Less => cache.passed(u64::MAX),
                    Ordering::Equal => cache.passed(now.1),
                    Ordering::Greater => {}
                }
            }
        }
    }

    /// The next window for this worker.
    pub(super) fn next(&self, worker: usize) -> Option<Unit> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let unit = state.walk.next(self.plan);
        let before = state.places.iter().flatten().min().copied();
        if let Some(place) = state.places.get_mut(worker) {
            *place = unit.map(place_of);
        }
        let now = state.places.iter().flatten().min().copied();
        drop(state);
        if let (Some(now), Some(before)) = (now, before)
            && now != before
        {
            self.passed(before.0, now);
        }
        unit
    }
}

/// Where a unit begins on the target. A file's later windows may lie anywhere, so its beginning
/// stands for them; a run of the remainder goes on where it left off.
fn place_of(unit: Unit) -> (ImageNo, u64) {
    let (image, start) = unit.item.at;
    match unit.item.what {
        What::Raw { .. } => (image, start.saturating_add(unit.window.start)),
        What::File { .. } => (image, start),
    }
}

fn next_window(plan: &Plan, item: &Item, from: u64) -> Option<Run> {
    match item.what {
        What::Raw { len, .. } => {
            let window = Run::between(from, from.saturating_add(WINDOW_BYTES).min(len));
            (!window.is_empty()).then_some(window)
        }
        What::File { file, stream, .. } => {
            let part = plan.parts.get(usize::from(item.part))?;
            let file = part.files.get(usize::try_from(file).ok()?)?;
            next_data(file.streams.get(usize::from(stream))?, from)
        }
    }
}

/// The next stretch of a stream that has bytes somewhere: long holes are stepped over, short ones
/// are read as the zeros they are.
fn next_data(stream: &Stream, from: u64) -> Option<Run> {
    let holds = |at: At| matches!(at, At::Disk(_) | At::Inline(_) | At::Packed(_));
    let first = stream.extents.partition_point(|e| e.file_offset.saturating_add(e.len) <= from);
    let mut data = stream.extents.iter().skip(first).filter(|e| holds(e.at));
    let extent = data.next()?;
    let start = extent.file_offset.max(from);
    let limit = start.saturating_add(WINDOW_BYTES).min(stream.size);
    let mut end = extent.file_offset.saturating_add(extent.len);
    for next in data {
        if end >= limit || next.file_offset > end.saturating_add(HOLE_SPLIT_BYTES) {
            break;
        }
        end = end.max(next.file_offset.saturating_add(next.len));
    }
    let window = Run::between(start, end.min(limit));
    (!window.is_empty()).then_some(window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::{Extent, StreamName};

    fn windows(size: u64, extents: &[(u64, u64, At)]) -> Vec<Run> {
        let extents =
            extents.iter().map(|&(file_offset, len, at)| Extent { file_offset, len, at }).collect();
        let stream = Stream { name: StreamName::Data, size, extents };
        let mut from = 0;
        std::iter::from_fn(|| {
            let window = next_data(&stream, from)?;
            from = window.end();
            Some(window)
        })
        .collect()
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
        let expected = [Run::new(0, WINDOW_BYTES), Run::new(WINDOW_BYTES, 10)];
        assert_eq!(windows(WINDOW_BYTES + 10, &[(0, 8 * WINDOW_BYTES, At::Disk(0))]), expected);
    }
}
