//! amisweep reads the disk inside an Amazon Machine Image and answers one question: if this image
//! is public, shared or unencrypted, what does an attacker get, and what do we rotate first?

pub mod artifact;
pub mod blob;
pub mod bytes;
#[cfg(feature = "aws")]
pub mod cli;
pub mod coverage;
pub mod credential;
pub mod detect;
#[cfg(feature = "aws")]
pub mod emulator;
pub mod error;
#[cfg(feature = "aws")]
pub mod exposure;
pub mod filesystem;
pub mod finding;
pub mod image;
pub mod limits;
pub mod locator;
pub mod outcome;
pub mod policy;
pub mod report;
pub mod run;
pub mod sweep;
pub mod volume;
