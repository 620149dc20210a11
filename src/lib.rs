//! amisweep reads the disk inside an Amazon Machine Image and answers one question: if this image
//! is public, shared or unencrypted, what does an attacker get, and what do we rotate first?
//!
//! ```text
//! image ──▶ volume ──▶ filesystem ──▶ sweep ──▶ outcome ──▶ policy ──▶ report
//! raw file   GPT, MBR    ext, XFS,      │  ▲
//! or EBS                 FAT            ▼  │
//!                                 detect, artifact
//! ```
//!
//! The library is the program's inside; its interface is not stable yet.
//!
//! ```no_run
//! use amisweep::detect::Engine;
//! use amisweep::image::raw;
//! use amisweep::run::ImageNo;
//! use amisweep::sweep::{FingerprintKey, Options, Progress, Target, sweep};
//!
//! let image = raw::open("disk.img".as_ref(), ImageNo(0), "disk.img".into())?;
//! let options = Options {
//!     engine: &Engine::builtin()?,
//!     jobs: 2,
//!     key: &FingerprintKey::ephemeral([7; 32]),
//!     cross_check: false,
//!     progress: &Progress::default(),
//! };
//! let outcome = sweep(Target::Images(vec![image]), &options);
//! for finding in outcome.findings.iter().filter(|finding| finding.harmless.is_none()) {
//!     println!("{}: {}", finding.places[0].locator, finding.rule.title);
//! }
//! assert_eq!(outcome.coverage.swept(), outcome.coverage.written);
//! # Ok::<(), amisweep::error::Error>(())
//! ```

// The floor, in this order: each imports what stands before it. (The blank lines keep rustfmt from
// sorting the modules by name.)
pub mod run;

pub mod limits;

pub mod locator;

pub mod error;

pub mod bytes;

pub mod finding;

pub mod blob;

pub mod coverage;

pub mod inventory;

pub mod outcome;

pub mod credential;

// The parts: they import the floor and never each other.
pub mod image;

pub mod volume;

pub mod filesystem;

pub mod content;

pub mod artifact;

pub mod detect;

pub mod provenance;

// Where the parts meet.
pub mod sweep;

// What it means, and how it is told.
pub mod exposure;

pub mod policy;

pub mod report;

// The face.
#[cfg(feature = "aws")]
pub mod emulator;

pub mod cli;
