//! The limiter: how many requests are under way, and how many a second, over all snapshots.
//!
//! Both follow what AWS can take: they grow a little with every success and halve when it
//! throttles, the number under way also when it does not answer in time. Until that happens first,
//! the number under way doubles with every round. One throttle seldom comes alone, so nothing
//! halves twice within a moment.

use super::Options;
use super::refusal::Class;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Requests that were under way when AWS throttled are still to be answered; their refusals tell
/// nothing new.
const MOMENT: Duration = Duration::from_millis(500);

/// Requests a second below which the rate is not halved.
const RATE_LEAST: u32 = 8;

pub(super) struct Limiter {
    state: Mutex<State>,
    freed: Notify,
}

/// The right to send one request.
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
}

struct State {
    width: u32,
    width_most: u32,
    under_way: u32,
    /// Successes since the width last grew.
    successes: u32,
    /// Thousandths of requests a second.
    rate: u64,
    rate_most: u64,
    next: Option<Instant>,
    halved: Option<Instant>,
}

impl Limiter {
    pub(super) fn new(options: &Options) -> Limiter {
        Limiter { state: Mutex::new(State::new(options)), freed: Notify::new() }
    }

    /// Wait for room, and for the rate.
    pub(super) async fn acquire(&self) -> Permit<'_> {
        loop {
            let freed = self.freed.notified();
            if self.state().enter() {
                break;
            }
            freed.await;
        }
        let permit = Permit { limiter: self };
        let wait = self.state().pace(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        permit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The request was answered: well, or refused so.
    pub(super) fn answered(self, refused: Option<(Class, Option<Duration>)>) {
        let mut state = self.limiter.state();
        match refused {
            None => state.succeeded(),
            Some((class, retry_after)) => state.refused(class, retry_after, Instant::now()),
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let room = {
            let mut state = self.limiter.state();
            state.under_way = state.under_way.saturating_sub(1);
            state.width.saturating_sub(state.under_way)
        };
        // Growth frees two at a time.
        for _ in 0..room.min(2) {
            self.limiter.freed.notify_one();
        }
    }
}

impl State {
    fn new(options: &Options) -> State {
        let width_most = options.in_flight_most.max(1);
        let rate_most = u64::from(options.requests_per_second.max(1)).saturating_mul(1000);
        State {
            width: options.in_flight_first.clamp(1, width_most),
            width_most,
            under_way: 0,
            successes: 0,
            rate: rate_most,
            rate_most,
            next: None,
            halved: None,
        }
    }

    fn enter(&mut self) -> bool {
        let room = self.under_way < self.width;
        if room {
            self.under_way = self.under_way.saturating_add(1);
        }
        room
    }

    /// How long the next request waits for its turn.
    fn pace(&mut self, now: Instant) -> Duration {
        let gap = Duration::from_nanos(1_000_000_000_000_u64.checked_div(self.rate).unwrap_or(0));
        // A pause may be made up for a little, not much: a burst is what the quota punishes.
        let slack = gap.saturating_mul(32).min(Duration::from_millis(50));
        let floor = now.checked_sub(slack).unwrap_or(now);
        let turn = self.next.map_or(now, |next| next.max(floor));
        self.next = turn.checked_add(gap);
        turn.saturating_duration_since(now)
    }

    fn succeeded(&mut self) {
        self.successes = self.successes.saturating_add(1);
        if self.halved.is_none() || self.width <= self.successes {
            self.successes = 0;
            self.width = self.width.saturating_add(1).min(self.width_most);
        }
        let step = self.rate_most.checked_div(5000).unwrap_or(0).max(1);
        self.rate = self.rate.saturating_add(step).min(self.rate_most);
    }

    fn refused(&mut self, class: Class, retry_after: Option<Duration>, now: Instant) {
        let fresh = self.halved.is_none_or(|at| MOMENT <= now.saturating_duration_since(at));
        match class {
            Class::Throttled => {
                if let Some(until) = now.checked_add(retry_after.unwrap_or_default().min(MOMENT)) {
                    self.next = Some(self.next.map_or(until, |next| next.max(until)));
                }
                if fresh {
                    let least = u64::from(RATE_LEAST).saturating_mul(1000).min(self.rate_most);
                    self.rate = self.rate.checked_div(2).unwrap_or(0).max(least);
                    self.halve(now);
                }
            }
            Class::Slow if fresh => self.halve(now),
            _ => {}
        }
    }

    fn halve(&mut self, now: Instant) {
        self.halved = Some(now);
        self.successes = 0;
        self.width = self.width.div_ceil(2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State::new(&Options::default())
    }

    #[test]
    fn doubles_a_round_until_it_halves_and_grows_by_one_after() {
        let mut s = state();
        assert_eq!(s.width, 32);
        (0..32).for_each(|_| s.succeeded());
        assert_eq!(s.width, 64);
        (0..20_000).for_each(|_| s.succeeded());
        assert_eq!(s.width, 128);

        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for ms in 0..100 {
            s.refused(Class::Throttled, None, at(ms));
        }
        assert_eq!((s.width, s.rate), (64, 500_000));
        s.refused(Class::Slow, None, at(600));
        assert_eq!((s.width, s.rate), (32, 500_000));
        (0..32).for_each(|_| s.succeeded());
        assert_eq!((s.width, s.rate), (33, 506_400));
        (0..100).for_each(|n| s.refused(Class::Throttled, None, at(2000 + n * 1000)));
        assert_eq!((s.width, s.rate), (1, 8000));
        s.refused(Class::Denied, None, at(999_000));
        (0..100_000).for_each(|_| s.succeeded());
        assert_eq!((s.width, s.rate), (128, 1_000_000));
    }

    #[test]
    fn keeps_the_rate() {
        let mut s = state();
        let now = Instant::now();
        let waits: Vec<Duration> = (0..1000).map(|_| s.pace(now)).collect();
        assert_eq!(waits.first(), Some(&Duration::ZERO));
        assert_eq!(waits.last(), Some(&Duration::from_millis(999)));
        // After a pause, what can be made up for is small.
        let later = now + Duration::from_mins(1);
        let at_once = (0..1000).filter(|_| s.pace(later).is_zero()).count();
        assert_eq!(at_once, 33);
    }

    #[test]
    fn leaves_the_service_alone_when_asked() {
        let mut s = state();
        let now = Instant::now();
        s.refused(Class::Throttled, Some(Duration::from_millis(300)), now);
        assert_eq!(s.pace(now), Duration::from_millis(300));
        s.refused(Class::Throttled, Some(Duration::from_hours(1)), now);
        assert!(s.pace(now) <= Duration::from_millis(501));
    }

    #[test]
    fn lets_in_no_more_than_fit() {
        let mut s = state();
        assert_eq!((0..100).filter(|_| s.enter()).count(), 32);
    }
}
