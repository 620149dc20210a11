//! Audit: how long it takes to judge a large organization.
//!
//! ```text
//! cargo bench --no-default-features --bench audit
//! ```
//!
//! 200 images in each of 20 accounts must be judged in less than a second, once their facts are
//! read; how long reading takes is told beside it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints what it measured"
)]

#[path = "../tests/it/fleet.rs"]
mod fleet;

use amisweep::exposure::audit::{AuditOptions, audit};
use amisweep::exposure::facts::Facts;
use std::time::Instant;

fn main() {
    for (accounts, images) in [(1, 200), (20, 200), (20, 1_000)] {
        let text = serde_json::to_vec(&fleet::fleet(accounts, images)).unwrap();
        let clock = Instant::now();
        let facts = Facts::parse(&text).unwrap();
        let read = clock.elapsed();
        let clock = Instant::now();
        let done = audit(&facts, &AuditOptions::default());
        let judged = clock.elapsed();
        let (of, findings) = (done.images.len(), done.findings.len());
        println!(
            "{of:>6} images  {:>7} KiB read in {:>5} ms  {findings:>6} findings in {:>5} ms",
            text.len() / 1024,
            read.as_millis(),
            judged.as_millis()
        );
    }
}
