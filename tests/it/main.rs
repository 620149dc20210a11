//! The integration tests: data in, expected listing out.

mod artifacts;
#[cfg(feature = "aws")]
mod ebs;
#[cfg(feature = "aws")]
mod emulator;
mod ext;
mod fat;
mod mutation;
mod planted;
mod signatures;
mod tidy;
mod volumes;
mod xfs;
