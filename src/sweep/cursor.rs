//! The cursor: windows of the plan's items, in order, to whoever asks next.

use super::plan::{Item, Plan, What};
use super::stretch::next_data;
use crate::limits::{OVERLAP_BYTES, WINDOW_BYTES};
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

/// The first byte on the target that a unit may still read from whole blocks. What goes on where
/// it left off looks back a little; what a file in pieces reads further back is kept for it.
fn place_of(unit: Unit) -> (ImageNo, u64) {
    let Item { image, at: start, .. } = unit.item;
    let into = match unit.item.what {
        What::Raw { .. } => unit.window.start,
        What::File { run, .. } => unit.window.start.saturating_sub(run.start),
    };
    (image, start.max(start.saturating_add(into).saturating_sub(OVERLAP_BYTES)))
}

fn next_window(plan: &Plan, item: &Item, from: u64) -> Option<Run> {
    match item.what {
        What::Raw { len, .. } => {
            let window = Run::between(from, from.saturating_add(WINDOW_BYTES).min(len));
            (!window.is_empty()).then_some(window)
        }
        What::File { file, stream, run, .. } => {
            let part = plan.parts.get(usize::from(item.part))?;
            let file = part.files.get(usize::try_from(file).ok()?)?;
            let stream = file.streams.get(usize::from(stream))?;
            next_data(stream, from.max(run.start)).filter(|window| window.start < run.end())
        }
    }
}
