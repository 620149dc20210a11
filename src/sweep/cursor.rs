//! The cursor: windows of the plan's items, in order, to whoever asks next.

use super::plan::{Item, Part, Plan, What};
use super::stretch::{last_place, next_data};
use crate::filesystem::Stream;
use crate::limits::{OVERLAP_BYTES, WINDOW_BYTES};
use crate::run::{ImageNo, Run};
use std::cmp::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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
    /// Somebody moved on.
    moved: Condvar,
}

struct State {
    walk: Walk,
    /// Where each worker is, so that blocks all have passed can go.
    places: Vec<Option<(ImageNo, u64)>>,
}

impl State {
    fn hindmost(&self) -> Option<(ImageNo, u64)> {
        self.places.iter().flatten().min().copied()
    }
}

impl<'p> Cursor<'p> {
    pub(super) fn new(plan: &'p Plan, jobs: usize) -> Cursor<'p> {
        let places = vec![Some((ImageNo(0), 0)); jobs.max(1)];
        let state = Mutex::new(State { walk: Walk::default(), places });
        Cursor { plan, state, moved: Condvar::new() }
    }

    /// A worker's seat at the cursor.
    pub(super) fn seat(&self, worker: usize) -> Seat<'_, 'p> {
        Seat { cursor: self, worker }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker is at `place` now.
    fn moves(&self, state: &mut State, worker: usize, place: Option<(ImageNo, u64)>) {
        let before = state.hindmost();
        if let Some(old) = state.places.get_mut(worker) {
            *old = place;
        }
        let now = state.hindmost();
        if now != before {
            if let (Some(now), Some(before)) = (now, before) {
                self.passed(before.0, now);
            }
            self.moved.notify_all();
        }
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

    /// Whether what lies between two places of one image may not fit in its cache.
    fn is_far(&self, from: (ImageNo, u64), to: (ImageNo, u64)) -> bool {
        let image = self.plan.images.get(usize::from(to.0.0));
        let cache = image.and_then(|image| image.ahead.as_ref());
        from.0 == to.0
            && cache.is_some_and(|cache| cache.reach_bytes() < to.1.saturating_sub(from.1))
    }
}

/// A worker's seat at the cursor. Whoever leaves it holds nobody up.
pub(super) struct Seat<'c, 'p> {
    cursor: &'c Cursor<'p>,
    worker: usize,
}

impl Seat<'_, '_> {
    /// The next window for this worker. Of those who sweep a container and who opens it, the one
    /// far ahead waits for the other, lest blocks go that the other still needs.
    pub(super) fn next(&self) -> Option<Unit> {
        let Seat { cursor, worker } = *self;
        let mut state = cursor.state();
        let unit = state.walk.next(cursor.plan);
        let place = unit.map(|unit| place_of(cursor.plan, unit));
        cursor.moves(&mut state, worker, place);
        self.wait(state, place);
        unit
    }

    /// Wait for those far behind. The hindmost of all waits for nobody.
    fn wait(&self, state: MutexGuard<'_, State>, place: Option<(ImageNo, u64)>) {
        let far = |state: &mut State| {
            place.zip(state.hindmost()).is_some_and(|(place, last)| self.cursor.is_far(last, place))
        };
        drop(self.cursor.moved.wait_while(state, far).unwrap_or_else(PoisonError::into_inner));
    }

    /// What this worker is busy with is read no more before this place of its image.
    pub(super) fn passes(&self, image: ImageNo, at: u64) {
        let mut state = self.cursor.state();
        let now = state.places.get(self.worker).copied().flatten();
        if now.is_some_and(|now| now < (image, at)) {
            self.cursor.moves(&mut state, self.worker, Some((image, at)));
            self.wait(state, Some((image, at)));
        }
    }
}

impl Drop for Seat<'_, '_> {
    fn drop(&mut self) {
        let mut state = self.cursor.state();
        self.cursor.moves(&mut state, self.worker, None);
    }
}

/// The first byte on the target that a unit may still read from whole blocks. What goes on where
/// it left off looks back a little; what a file in pieces reads further back is kept for it.
fn place_of(plan: &Plan, unit: Unit) -> (ImageNo, u64) {
    let Item { image, at: start, .. } = unit.item;
    match unit.item.what {
        What::Raw { .. } => {
            let at = start.saturating_add(unit.window.start).saturating_sub(OVERLAP_BYTES);
            (image, start.max(at))
        }
        // The holes of a file take no room on the disk.
        What::File { .. } => {
            let found = stream_of(plan, &unit.item);
            let last = found.and_then(|(part, stream)| last_place(part, stream, unit.window));
            last.map_or((image, start), |place| place.max((image, start)))
        }
    }
}

/// The part and the stream that an item of a file is about.
fn stream_of<'p>(plan: &'p Plan, item: &Item) -> Option<(&'p Part, &'p Stream)> {
    let What::File { file, stream, .. } = item.what else { return None };
    let part = plan.parts.get(usize::from(item.part))?;
    let file = part.files.get(usize::try_from(file).ok()?)?;
    Some((part, file.streams.get(usize::from(stream))?))
}

fn next_window(plan: &Plan, item: &Item, from: u64) -> Option<Run> {
    match item.what {
        What::Raw { len, .. } => {
            let window = Run::between(from, from.saturating_add(WINDOW_BYTES).min(len));
            (!window.is_empty()).then_some(window)
        }
        What::File { run, .. } => {
            let (_, stream) = stream_of(plan, item)?;
            next_data(stream, from.max(run.start)).filter(|window| window.start < run.end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::{At, Extent, StreamName};
    use crate::sweep::stretch::stretches;

    /// The sweep said that it was beyond blocks it had still to read, as many as there were holes.
    #[test]
    fn holes_do_not_move_the_sweep_on() {
        const PIECE: u64 = 4096;
        let extent = |n| Extent { file_offset: n * 8 * PIECE, len: PIECE, at: At::Disk(n * PIECE) };
        let extents: Box<[Extent]> = (0..4096).map(extent).collect();
        let stream = Stream { name: StreamName::Data, size: 4096 * 8 * PIECE, extents };
        let (plan, mut items) = (Plan::of(stream), Vec::new());
        let (part, stream) = (&plan.parts[0], &plan.parts[0].files[0].streams[0]);
        stretches(part, stream, &mut |stretch| {
            let claims = (0, 0);
            let first = items.is_empty();
            let what = What::File { file: 0, stream: 0, claims, run: stretch.run, first };
            items.push(Item { at: stretch.at.1, image: stretch.at.0, part: 0, what });
        });
        let plan = Plan { items, ..Plan::of(stream.clone()) };
        let mut walk = Walk::default();
        let mut last = 0;
        while let Some(unit) = walk.next(&plan) {
            let at = place_of(&plan, unit).1;
            let read = unit.window.start / (8 * PIECE) * PIECE;
            assert!(last <= at && at <= read && read <= at + 64 * 1024, "{unit:?} at {at}");
            last = at;
        }
        assert!(last > 4000 * PIECE / 2, "{last}");
    }
}
