//! Retries: how often one block or page is asked for, and how long between.

use super::Options;
use super::refusal::{Class, Refusal};
use std::time::Duration;

/// What to do after a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask again after this long.
    After(Duration),
    /// List again for fresh tokens, then ask again at once.
    Relist,
    /// Nothing more is tried.
    GiveUp,
}

/// The attempts at one block or page so far.
#[derive(Default)]
pub(super) struct Attempts {
    throttled: u32,
    failed: u32,
    untrusted: u32,
    relisted: u32,
}

impl Attempts {
    /// What to do after `refusal`; `jitter` is a random part of the whole.
    pub(super) fn after(&mut self, refusal: &Refusal, options: &Options, jitter: u16) -> Next {
        let (count, most) = match refusal.class {
            Class::Throttled => (&mut self.throttled, options.attempts_throttled),
            Class::Slow | Class::Broken => (&mut self.failed, options.attempts_failed),
            Class::Untrusted => (&mut self.untrusted, options.attempts_untrusted),
            Class::BlockToken | Class::PageToken => {
                self.relisted = self.relisted.saturating_add(1);
                let again = self.relisted <= options.relists;
                return if again { Next::Relist } else { Next::GiveUp };
            }
            Class::Denied | Class::NotFound | Class::Invalid => return Next::GiveUp,
        };
        *count = count.saturating_add(1);
        if most <= *count {
            return Next::GiveUp;
        }
        let wait = backoff(*count, options, jitter);
        Next::After(wait.max(refusal.retry_after.unwrap_or_default().min(options.backoff_most)))
    }
}

/// Full jitter: anything from nothing to the doubled wait, so that what failed together does not
/// come back together.
fn backoff(count: u32, options: &Options, jitter: u16) -> Duration {
    let doubled = 2_u32.checked_pow(count.saturating_sub(1)).unwrap_or(u32::MAX);
    let most = options.backoff_first.saturating_mul(doubled).min(options.backoff_most);
    most.checked_div(u32::from(u16::MAX)).unwrap_or_default().saturating_mul(u32::from(jitter))
}

/// A random part, `u16::MAX` being the whole.
pub(super) fn jitter() -> u16 {
    let mut bytes = [0; 2];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u16::from_le_bytes(bytes),
        Err(_) => u16::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(class: Class, jitter: u16) -> Vec<u128> {
        let options = Options::default();
        let mut attempts = Attempts::default();
        let mut waits = Vec::new();
        while let Next::After(wait) = attempts.after(&Refusal::new(class, ""), &options, jitter) {
            waits.push(wait.as_millis());
        }
        waits
    }

    #[test]
    fn waits_longer_each_time_and_ends() {
        let steps = [99, 199, 399, 799, 1599, 3199, 6399, 12799, 19999];
        let near = |found: Vec<u128>, expected: &[u128]| {
            assert_eq!(found.len(), expected.len());
            assert!(found.iter().zip(expected).all(|(f, e)| f.abs_diff(*e) <= 2), "{found:?}");
        };
        near(waits(Class::Throttled, u16::MAX), &steps);
        near(waits(Class::Slow, u16::MAX), &steps[..5]);
        near(waits(Class::Untrusted, u16::MAX), &steps[..3]);
        assert_eq!(waits(Class::Broken, 0), [0; 5]);
        for class in [Class::Denied, Class::NotFound, Class::Invalid] {
            assert!(waits(class, 9).is_empty());
        }
    }

    #[test]
    fn honours_what_the_service_asks() {
        let mut refusal = Refusal::new(Class::Throttled, "");
        refusal.retry_after = Some(Duration::from_secs(3));
        let next = Attempts::default().after(&refusal, &Options::default(), 0);
        assert_eq!(next, Next::After(Duration::from_secs(3)));
        refusal.retry_after = Some(Duration::from_hours(24));
        let next = Attempts::default().after(&refusal, &Options::default(), 0);
        assert_eq!(next, Next::After(Options::default().backoff_most));
    }

    #[test]
    fn lists_again_a_few_times_only() {
        let mut attempts = Attempts::default();
        let stale = Refusal::new(Class::BlockToken, "");
        let options = Options::default();
        let again = |_| attempts.after(&stale, &options, 0) == Next::Relist;
        assert_eq!((0..10).map(again).filter(|again| *again).count(), 3);
    }
}
