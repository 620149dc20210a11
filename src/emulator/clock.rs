//! A clock that tests can advance, and the rate buckets that run on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Time since the emulator started, real or frozen, plus what it was advanced by.
pub(super) struct Clock {
    started: Instant,
    base: Duration,
    frozen: bool,
    advanced_ms: AtomicU64,
}

impl Clock {
    pub(super) fn new(frozen: bool) -> Clock {
        let base = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Clock { started: Instant::now(), base, frozen, advanced_ms: AtomicU64::new(0) }
    }

    pub(super) fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let _ = self
            .advanced_ms
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |ms| Some(ms.saturating_add(by)));
    }

    /// Real time since the start, which log entries carry.
    pub(super) fn real(&self) -> Duration {
        self.started.elapsed()
    }

    /// Time since the start on this clock.
    pub(super) fn elapsed(&self) -> Duration {
        let real = if self.frozen { Duration::ZERO } else { self.started.elapsed() };
        real.saturating_add(Duration::from_millis(self.advanced_ms.load(Ordering::SeqCst)))
    }

    /// Milliseconds since 1970 on this clock.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.base.saturating_add(self.elapsed()).as_millis()).unwrap_or(u64::MAX)
    }
}

/// How many requests are let through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests a second.
    pub per_second: f64,
    /// Requests that may come at once.
    pub burst: f64,
}

/// A token bucket.
pub(super) struct Bucket {
    rate: Rate,
    level: Mutex<(f64, Duration)>,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Bucket {
        Bucket { rate, level: Mutex::new((rate.burst, Duration::ZERO)) }
    }

    /// Whether one more request may pass at `now`.
    pub(super) fn admit(&self, now: Duration) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_sub(level.1).as_secs_f64();
        level.0 = (level.0 + passed * self.rate.per_second).min(self.rate.burst);
        level.1 = level.1.max(now);
        let admitted = level.0 >= 1.0;
        if admitted {
            level.0 -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refills_with_time() {
        let bucket = Bucket::new(Rate { per_second: 2.0, burst: 2.0 });
        let at = Duration::from_millis;
        let passed =
            [0, 0, 0, 499, 500, 501, 10_000, 10_000, 10_000].map(|ms| bucket.admit(at(ms)));
        assert_eq!(passed, [true, true, false, false, true, false, true, true, false]);
    }

    #[test]
    fn a_frozen_clock_moves_only_when_told() {
        let clock = Clock::new(true);
        let before = clock.now_ms();
        assert_eq!(clock.now_ms(), before);
        clock.advance(Duration::from_mins(1));
        assert_eq!(clock.now_ms(), before + 60_000);
        assert_eq!(clock.elapsed(), Duration::from_mins(1));
    }
}
