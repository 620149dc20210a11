//! An image: the bytes of one disk, from a file or a snapshot.

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

pub mod cache;
#[cfg(feature = "aws")]
pub mod ebs;
pub mod raw;

use crate::bytes::ReadAt;
use crate::run::{ImageNo, RunSet};
use std::sync::Arc;

/// One disk of the target.
pub struct Image {
    /// Its number within the target.
    pub number: ImageNo,
    /// Its name in locators: a snapshot id or a file name.
    pub name: Arc<str>,
    /// Its bytes.
    pub bytes: Arc<dyn ReadAt>,
    /// The bytes its source says were written, in units of [`crate::limits::BLOCK_BYTES`].
    pub written: RunSet,
    /// Fetching ahead and forgetting, for sources where that pays.
    pub ahead: Option<Arc<cache::Cache>>,
}
