//! History: what earlier facts said, and how long it took to put things right.

use super::Audit;
use super::encryption::Encrypted;
use crate::exposure::facts::Time;
use std::collections::{BTreeMap, BTreeSet};

/// What an audit of earlier facts found, as far as the figures over time need it. Images are
/// named by account, region and id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// When its facts were collected.
    pub at: Time,
    /// Every own image, with when it was created and whether it is approved.
    pub images: BTreeMap<String, (Option<Time>, Option<bool>)>,
    /// Those not wholly encrypted.
    pub unencrypted: BTreeSet<String>,
    /// Those that are public.
    pub public: BTreeSet<String>,
}

impl Past {
    /// What `audit` leaves for later ones; nothing when its facts have no date.
    pub fn of(audit: &Audit) -> Option<Past> {
        let mut past = Past { at: audit.at?, ..Past::default() };
        for row in &audit.images {
            let name = format!("{} {} {}", row.account, row.region, row.id);
            if matches!(row.encrypted, Encrypted::None | Encrypted::Partial) {
                past.unencrypted.insert(name.clone());
            }
            if row.exposure.effective.public {
                past.public.insert(name.clone());
            }
            past.images.insert(name, (row.created, row.approved));
        }
        Some(past)
    }
}

/// Mean days from when a wrong was first seen to when it was first seen no more; nothing while no
/// wrong was put right between two audits.
pub(super) fn days_to_mend(
    history: &[Past],
    wrong: impl Fn(&Past) -> &BTreeSet<String>,
) -> Option<f64> {
    let mut open: BTreeMap<&str, Time> = BTreeMap::new();
    let mut closed = Vec::new();
    for past in history {
        let now = wrong(past);
        open.retain(|name, since| {
            let still = now.contains(*name);
            if !still {
                closed.push(past.at.0.saturating_sub(since.0));
            }
            still
        });
        for name in now {
            open.entry(name).or_insert(past.at);
        }
    }
    mean_days(&closed)
}

/// Mean days from the creation of an image to when it was first seen approved, of images that were
/// made or seen without approval within the history.
pub(super) fn days_to_approve(history: &[Past]) -> Option<f64> {
    let begin = history.first()?.at;
    let mut waiting: BTreeSet<&str> = BTreeSet::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut took = Vec::new();
    for past in history {
        for (name, (created, approved)) in &past.images {
            match approved {
                Some(false) => drop(waiting.insert(name)),
                Some(true) if done.insert(name) => {
                    let fresh = created.is_some_and(|created| created >= begin);
                    let Some(created) =
                        created.filter(|_| fresh || waiting.contains(name.as_str()))
                    else {
                        continue;
                    };
                    took.push(past.at.0.saturating_sub(created.0));
                }
                _ => {}
            }
        }
    }
    mean_days(&took)
}

fn mean_days(seconds: &[i64]) -> Option<f64> {
    let count = u32::try_from(seconds.len()).ok().filter(|count| *count > 0)?;
    // In tenths of days, which no list of images takes out of range.
    let tenths = seconds.iter().map(|it| it / 8_640).fold(0_i64, i64::saturating_add);
    let mean = i32::try_from(tenths / i64::from(count)).ok()?;
    Some(f64::from(mean) / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(day: i64, public: &[&str], images: &[(&str, i64, bool)]) -> Past {
        Past {
            at: Time(day * 86_400),
            public: public.iter().map(|name| (*name).to_owned()).collect(),
            images: images
                .iter()
                .map(|(name, created, ok)| {
                    ((*name).to_owned(), (Some(Time(created * 86_400)), Some(*ok)))
                })
                .collect(),
            ..Past::default()
        }
    }

    #[test]
    fn times_are_counted_from_first_to_last_seen() {
        let history = [
            past(0, &["a"], &[]),
            past(2, &["a", "b"], &[]),
            past(5, &["b"], &[]),
            past(6, &[], &[]),
        ];
        assert_eq!(days_to_mend(&history, |it| &it.public), Some(4.5));
        assert_eq!(days_to_mend(&history[..1], |it| &it.public), None);
        assert_eq!(days_to_approve(&[]), None);
        let history = [
            past(0, &[], &[("a", -5, false), ("old", -9, true)]),
            past(3, &[], &[("a", -5, true), ("c", 1, true)]),
        ];
        assert_eq!(days_to_approve(&history), Some(5.0));
    }
}
