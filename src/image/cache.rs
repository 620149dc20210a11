//! The block cache: single flight per block, a bound on memory, and fetching ahead.

use crate::run::Run;

/// The blocks of one image that are in memory or on their way.
pub struct Cache {}

impl Cache {
    /// These bytes will be read soon. Returns when the request is under way, which may wait until
    /// there is room; returns at once after [`Cache::stop`].
    pub fn want(&self, run: Run) {
        let _ = run;
    }

    /// Planning is over. Blocks read while planning have been kept so that the sweep need not
    /// fetch them again; from now on they go once the sweep has passed them.
    pub fn sweep_begins(&self) {}

    /// Everything before `offset` has been swept.
    pub fn passed(&self, offset: u64) {
        let _ = offset;
    }

    /// Nothing more is wanted; whoever waits in [`Cache::want`] returns.
    pub fn stop(&self) {}
}
