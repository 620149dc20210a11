//! Troubles: what was found damaged, kept few enough to be told.

use crate::error::Error;
use crate::limits;
use std::collections::BTreeMap;

/// Errors on their way to the visitor. Of each phrase only so many pass; the rest are counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Troubles {
    counts: BTreeMap<&'static str, u64>,
    fresh: Vec<Error>,
}

impl Troubles {
    /// Take note of one.
    pub(super) fn note(&mut self, error: Error) {
        let count = self.counts.entry(error.what()).or_default();
        *count = count.saturating_add(1);
        if *count <= limits::XFS_ERRORS_PER_PHRASE {
            self.fresh.push(error);
        }
    }

    /// Take note of the error in `result`, if it is one.
    pub(super) fn keep<T>(&mut self, result: crate::error::Result<T>) -> Option<T> {
        result.map_err(|error| self.note(error)).ok()
    }

    /// Those noted since the last call.
    pub(super) fn drain(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.fresh)
    }

    /// At the end: one error for each phrase of which some did not pass.
    pub(super) fn rest(&self) -> Vec<Error> {
        let limit = limits::XFS_ERRORS_PER_PHRASE;
        let more = self.counts.iter().filter(|&(_, &count)| count > limit);
        more.map(|(what, &count)| {
            let detail = format!("{} more", count.saturating_sub(limit));
            Error::corrupt(what).detail(detail)
        })
        .collect()
    }
}
