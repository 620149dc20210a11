//! The sweep: list everything first, sort it by place on the disk, read each byte once.
//!
//! ```text
//! Target ──plan──▶ items, sorted by first byte ──▶ shared cursor ──▶ workers ──join──▶ Outcome
//!                                                        └──▶ prefetcher, walking ahead
//! ```
//!
//! 1. The plan opens every volume of every image and walks metadata only.
//! 2. Items are the streams of files, and the remainder: all written bytes that no file's `open()`
//!    returns verbatim.
//! 3. Workers take windows from one cursor in disk order; a prefetcher walks the same list ahead.
//! 4. What a file claimed and could not deliver is swept raw at the end.
//! 5. Matches of one secret become one finding; coverage must add up to the written bytes.

mod carve;
mod claim;
mod clues;
mod contents;
mod cross_check;
mod cursor;
mod examine;
mod hygiene;
mod join;
mod level;
mod listing;
mod member;
mod nested;
mod opening;
mod pipeline;
mod place;
mod plan;
mod prefetch;
mod provenance;
mod read;
mod stretch;
mod survey;
#[cfg(test)]
mod tests;
mod worker;

pub use hygiene::PROFILES;
pub use join::FingerprintKey;
pub use pipeline::{Planned, manifest, sweep, sweep_with};
pub use provenance::Asked;

pub use crate::outcome::Outcome;

use crate::detect::Engine;
use crate::filesystem::Filesystem;
use crate::image::Image;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is swept.
pub enum Target {
    /// The disks of a machine.
    Images(Vec<Image>),
    /// A directory on the host: its name in locators, and its files.
    Tree {
        /// The name in locators.
        name: Arc<str>,
        /// The files.
        files: Box<dyn Filesystem>,
    },
}

/// How it is swept.
pub struct Options<'a> {
    /// The loaded signatures.
    pub engine: &'a Engine,
    /// Worker threads.
    pub jobs: usize,
    /// The key under which fingerprints are made.
    pub key: &'a FingerprintKey,
    /// Re-read every file with a finding through an independent reader.
    pub cross_check: bool,
    /// Where progress is told.
    pub progress: &'a Progress,
}

/// How far the sweep has come; read from another thread while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    total: AtomicU64,
    swept: AtomicU64,
}

impl Progress {
    /// Bytes swept so far, and bytes to sweep; zero until planning is over.
    pub fn now(&self) -> (u64, u64) {
        (self.swept.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    fn begin(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    fn advance(&self, bytes: u64) {
        self.swept.fetch_add(bytes, Ordering::Relaxed);
    }
}
