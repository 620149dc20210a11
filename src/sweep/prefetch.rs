//! The prefetcher: it walks the plan ahead of the workers and asks for what they will need.

use super::cursor::Walk;
use super::plan::{Item, Plan, What};
use crate::run::{ImageNo, Run};

/// Ask for the bytes of every item, in order. Each request waits until there is room, so this
/// stays a bounded distance ahead; it returns soon after the caches are told to stop.
pub(super) fn run(plan: &Plan) {
    if plan.images.iter().all(|image| image.ahead.is_none()) {
        return;
    }
    let want = |image: ImageNo, run: Run| {
        let image = plan.images.get(usize::from(image.0));
        image.and_then(|image| image.ahead.as_ref()).into_iter().for_each(|c| c.want(run));
    };
    let mut walk = Walk::default();
    while let Some(unit) = walk.next(plan) {
        let Item { image, at: start, .. } = unit.item;
        match unit.item.what {
            What::Raw { .. } => {
                want(image, Run::new(start + unit.window.start, unit.window.len));
            }
            What::File { claims, .. } => {
                for claim in plan.claims_in(claims, unit.window) {
                    claim.within(unit.window).into_iter().for_each(|run| want(claim.image, run));
                }
            }
        }
    }
}
