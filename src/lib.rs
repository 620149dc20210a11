//! amisweep reads the disk inside an Amazon Machine Image and answers one question: if this image
//! is public, shared or unencrypted, what does an attacker get, and what do we rotate first?

// The floor, in this order: each imports what stands before it.
pub mod run;
// rustfmt keeps groups apart, and their order is the reading order.

pub mod limits;

pub mod locator;

pub mod error;

pub mod bytes;

pub mod finding;

pub mod blob;

pub mod coverage;

pub mod outcome;

pub mod credential;

// The parts: they import the floor and never each other.
pub mod image;

pub mod volume;

pub mod filesystem;

pub mod artifact;

pub mod detect;

// Where the parts meet.
pub mod sweep;

// What it means, and how it is told.
#[cfg(feature = "aws")]
pub mod exposure;

pub mod policy;

pub mod report;

// The face.
#[cfg(feature = "aws")]
pub mod emulator;

pub mod cli;
