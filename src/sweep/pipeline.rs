//! The whole pipeline on one page.

use super::cursor::Cursor;
use super::join::Findings;
use super::plan::{self, Item, Plan};
use super::worker::Worker;
use super::{Options, Target, cross_check, prefetch};
use crate::coverage::Coverage;
use crate::image::Image;
use crate::outcome::Outcome;
use std::sync::PoisonError;

/// Sweep `target`: plan, sort, sweep, join. Nothing an image holds makes this fail; what could not
/// be read is in the outcome's coverage.
pub fn sweep(target: Target, options: &Options<'_>) -> Outcome {
    let mut coverage = Coverage::default();
    let mut plan = plan::make(target, &mut coverage);
    options.progress.begin(coverage.written);

    for (image, later) in plan.images.iter().zip(std::mem::take(&mut plan.later)) {
        if let Some(cache) = &image.ahead {
            cache.sweep_begins(later);
        }
    }
    let mut findings = Findings::new(options.key);
    run(&plan, options, false, (&mut findings, &mut coverage));

    let undelivered =
        std::mem::take(&mut *plan.undelivered.lock().unwrap_or_else(PoisonError::into_inner));
    if !undelivered.is_empty() {
        plan.items = undelivered;
        plan.items.sort_unstable_by_key(Item::order);
        run(&plan, options, true, (&mut findings, &mut coverage));
    }

    let findings = findings.finish(&mut coverage);
    let cross_checks = if options.cross_check {
        cross_check::run(&plan, &findings, &mut coverage)
    } else {
        Vec::new()
    };
    coverage.seal();
    Outcome { findings, coverage, volumes: plan.volumes, cross_checks }
}

/// Sweep the plan's items once, in their order, on all workers; `again` when they failed before.
fn run(
    plan: &Plan,
    options: &Options<'_>,
    again: bool,
    (findings, coverage): (&mut Findings<'_>, &mut Coverage),
) {
    let cursor = Cursor::new(plan, options.jobs);
    std::thread::scope(|scope| {
        let ahead = scope.spawn(|| prefetch::run(plan));
        let shares = rayon_broadcast(options.jobs, |number| {
            let mut worker = Worker::new(plan, options, again);
            while let Some(unit) = cursor.next(number) {
                worker.sweep(unit);
            }
            worker.finish()
        });
        plan.images.iter().filter_map(|image: &Image| image.ahead.as_ref()).for_each(|c| c.stop());
        for (share, swept) in shares {
            findings.merge(share);
            coverage.merge(swept);
        }
        drop(ahead.join());
    });
}

/// Run `work` once on each of `jobs` threads and collect what they return, in thread order.
fn rayon_broadcast<T: Send>(jobs: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    match rayon::ThreadPoolBuilder::new().num_threads(jobs.max(1)).build() {
        Ok(pool) => pool.broadcast(|context| work(context.index())),
        // Without threads of its own the sweep still runs, on the caller's.
        Err(_) => vec![work(0)],
    }
}
