//! The whole pipeline on one page.

use super::clues::{Joined, join};
use super::cursor::Cursor;
use super::plan::{self, Item, Plan, What};
use super::provenance::{self, Asked, Judged, judge};
use super::worker::{Share, Worker};
use super::{Options, Target, cross_check, hygiene, prefetch};
use crate::coverage::Coverage;
use crate::error::Error;
use crate::image::Image;
use crate::image::cache::Failure;
use crate::limits::BLOCK_BYTES;
use crate::locator::{Area, Locator};
use crate::outcome::Outcome;
use crate::provenance::manifest::File;
use crate::run::Run;
use std::sync::PoisonError;

/// Sweep `target`: plan, sort, sweep, join. Nothing an image holds makes this fail; what could not
/// be read is in the outcome's coverage.
pub fn sweep(target: Target, options: &Options<'_>) -> Outcome {
    sweep_with(target, options, &Asked::default())
}

/// The same, with what else is asked for.
pub fn sweep_with(target: Target, options: &Options<'_>, asked: &Asked<'_>) -> Outcome {
    Planned::new(target, asked).sweep(options, asked)
}

/// A target whose volumes and filesystems have been read, and nothing else yet: for that no
/// signatures are needed, which may be made ready meanwhile.
pub struct Planned {
    plan: Plan,
    coverage: Coverage,
}

impl Planned {
    /// Read what the sweep of `target` goes by.
    pub fn new(target: Target, asked: &Asked<'_>) -> Planned {
        let mut coverage = Coverage::default();
        let mut plan = plan::make(target, asked.base.is_some(), &mut coverage);
        plan.closed = asked.closed;
        Planned { plan, coverage }
    }

    /// Sweep it, with what was asked for when it was planned.
    pub fn sweep(self, options: &Options<'_>, asked: &Asked<'_>) -> Outcome {
        let Planned { mut plan, coverage } = self;
        options.progress.begin(coverage.written);

        for (image, later) in plan.images.iter().zip(std::mem::take(&mut plan.later)) {
            if let Some(cache) = &image.ahead {
                cache.sweep_begins(later);
            }
        }
        let mut all = Share::new(options.key, coverage);
        all.clues = std::mem::take(&mut plan.clues);
        run(&plan, options, false, &mut all);

        let undelivered =
            std::mem::take(&mut *plan.undelivered.lock().unwrap_or_else(PoisonError::into_inner));
        if !undelivered.is_empty() {
            plan.items = undelivered;
            plan.items.sort_unstable_by_key(Item::order);
            run(&plan, options, true, &mut all);
        }

        let Share { mut findings, mut coverage, clues, mut inventory } = all;
        tell_lost(&plan, &mut coverage);
        let clues = clues.finish(&mut coverage);
        join(
            &clues,
            &mut Joined {
                engine: options.engine,
                findings: &mut findings,
                inventory: &mut inventory,
                coverage: &mut coverage,
            },
        );
        let mut findings = findings.finish(&mut coverage);
        let Judged { packages, base } =
            judge(&plan, (options, asked), &mut findings, &mut coverage);
        hygiene::check(&plan, (options, asked.hygiene), &mut findings, &mut coverage);
        let cross_checks = if options.cross_check {
            cross_check::run(&plan, &findings, &mut coverage)
        } else {
            Vec::new()
        };
        coverage.seal();
        Outcome {
            findings,
            coverage,
            volumes: plan.volumes,
            cross_checks,
            inventory,
            packages,
            base,
        }
    }
}

/// List every live file of `target` with its digest, in the order of names. Nothing is searched;
/// the coverage says whether all could be read.
pub fn manifest(target: Target, options: &Options<'_>) -> (Vec<File>, Coverage) {
    let mut coverage = Coverage::default();
    let mut plan = plan::make(target, true, &mut coverage);
    plan.digests_only = true;
    plan.items.retain(|item| matches!(item.what, What::File { .. }));
    options.progress.begin(plan.claims.iter().map(|claim| claim.run.len).sum());
    let mut all = Share::new(options.key, coverage);
    run(&plan, options, false, &mut all);
    let mut coverage = all.coverage;
    let files = provenance::manifest(&plan, &mut coverage);
    coverage.written = coverage.swept();
    coverage.seal();
    (files, coverage)
}

/// Tell which blocks never came, stretch by stretch: of the files and gaps on them there may be more
/// than errors are listed.
fn tell_lost(plan: &Plan, coverage: &mut Coverage) {
    for image in &plan.images {
        let mut lost: Vec<Failure> = Vec::new();
        for failure in image.ahead.iter().flat_map(|cache| cache.failures()) {
            match lost.last_mut() {
                Some(last)
                    if last.run.end() == failure.run.start
                        && last.reason.message() == failure.reason.message() =>
                {
                    last.run = Run::between(last.run.start, failure.run.end());
                }
                _ => lost.push(failure),
            }
        }
        for Failure { run, reason } in lost {
            let at = Locator::new(&image.name, None, Area::Whole).with_span(run);
            let (first, end) = (run.start / BLOCK_BYTES, run.end().div_ceil(BLOCK_BYTES));
            let error = Error::new(reason.kind(), "blocks of the image could not be read")
                .detail(format_args!("blocks {first} to {}", end.saturating_sub(1)))
                .caused_by((*reason).clone());
            coverage.error_at(&at, &error);
        }
    }
}

/// Sweep the plan's items once, in their order, on all workers; `again` when they failed before.
fn run(plan: &Plan, options: &Options<'_>, again: bool, all: &mut Share<'_>) {
    // Whoever opens a container reads its blocks together with another who sweeps them: a thread
    // by itself would fetch them twice when there are more than the cache can hold.
    let fetches = plan.images.iter().any(|image| image.ahead.is_some());
    let jobs = options.jobs.max(if fetches { 2 } else { 1 });
    let cursor = Cursor::new(plan, jobs);
    std::thread::scope(|scope| {
        let stop = Stop(&plan.images);
        let ahead = scope.spawn(|| prefetch::run(plan));
        let shares = rayon_broadcast(jobs, |number| {
            let (mut worker, seat) = (Worker::new(plan, options, again), cursor.seat(number));
            while let Some(unit) = seat.next() {
                worker.sweep(unit, &seat);
            }
            worker.finish()
        });
        drop(stop);
        for share in shares {
            all.merge(share);
        }
        drop(ahead.join());
    });
}

/// Dropped, it stops what fetches ahead, which would else wait for the workers: for ever, if one of
/// them failed.
struct Stop<'a>(&'a [Image]);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.iter().filter_map(|image| image.ahead.as_ref()).for_each(|cache| cache.stop());
    }
}

/// Run `work` once on each of `jobs` threads and collect what they return, in thread order.
fn rayon_broadcast<T: Send>(jobs: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    match rayon::ThreadPoolBuilder::new().num_threads(jobs.max(1)).build() {
        Ok(pool) => pool.broadcast(|context| work(context.index())),
        // Without threads of its own the sweep still runs, on the caller's.
        Err(_) => vec![work(0)],
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FingerprintKey, Progress};
    use super::*;
    use crate::coverage::Kind;
    use crate::detect::Engine;
    use crate::filesystem::{Stream, StreamName};
    use crate::image::cache::{Cache, Completion};
    use crate::limits::BLOCK_BYTES;
    use crate::run::{ImageNo, Run, RunSet};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::{Arc, Mutex};

    /// The scan waited for ever: nobody told the prefetcher that there was nothing more to come.
    #[test]
    fn a_worker_that_fails_ends_the_sweep() {
        let len = 64 * BLOCK_BYTES;
        let written = RunSet::from_runs(vec![Run::new(0, len)]);
        let waiting: Mutex<Vec<Completion>> = Mutex::default();
        let fetch = Box::new(move |_, completion| waiting.lock().unwrap().push(completion));
        let cache = Arc::new(Cache::new(ImageNo(0), len, written.clone(), 0, fetch));
        let bytes: Arc<dyn crate::bytes::ReadAt> = Arc::<Cache>::clone(&cache);
        let image =
            Image { number: ImageNo(0), name: "x".into(), bytes, written, ahead: Some(cache) };
        let mut plan =
            Plan::of(Stream { name: StreamName::Data, size: 0, extents: Box::default() });
        plan.images.push(image);
        // No plan has items of a part that is not there: a worker fails on it wherever it looks.
        let what = What::Raw { len, offset: 0, kind: Kind::Gap, owner: None };
        plan.items.push(Item { at: 0, image: ImageNo(0), part: 7, what });
        let options = Options {
            engine: &Engine::builtin().unwrap(),
            jobs: 2,
            key: &FingerprintKey::ephemeral([1; 32]),
            cross_check: false,
            progress: &Progress::default(),
        };
        let mut all = Share::new(options.key, Coverage::default());
        let swept = catch_unwind(AssertUnwindSafe(|| {
            run(&plan, &options, false, &mut all);
        }));
        assert!(swept.is_err());
    }
}
