//! A volume: bytes inside an image that a partition table or a volume manager names.

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod boot_sector;
mod gpt;
mod gpt_type;
mod mbr;
mod partition;
mod recognise;

use crate::bytes::ReadAt;
use crate::coverage::Kind;
use crate::error::{Error, Result};
use std::sync::Arc;

pub use recognise::recognise;

/// Every volume system, in the order they are asked.
pub static VOLUME_SYSTEMS: &[VolumeSystem] = &[gpt::SYSTEM, mbr::SYSTEM];

/// One volume.
pub struct Volume {
    /// Its name in locators: `p1`, `vg0/root`.
    pub name: Arc<str>,
    /// What the table calls it, for people: type and label.
    pub label: String,
    /// What its type says of its bytes.
    pub promise: Promise,
    /// Its bytes.
    pub bytes: Arc<dyn ReadAt>,
}

/// What the type of a volume says of its bytes, when they are of no known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Nothing: firmware and boot loaders read such volumes, and they need no format.
    Nothing,
    /// That they are data in some format, which then was not understood. Types that are not known
    /// promise it too.
    Format,
    /// That they are encrypted, without a header that says so.
    Encrypted,
}

/// What a partition table or a volume manager holds.
#[derive(Default)]
pub struct Layout {
    /// The volumes, in disk order.
    pub volumes: Vec<Volume>,
    /// Damage that was stepped over.
    pub troubles: Vec<Error>,
    /// What is worth telling and loses nothing.
    pub remarks: Vec<&'static str>,
}

/// A partition table or a volume manager.
pub struct VolumeSystem {
    /// Its name.
    pub name: &'static str,
    /// Whether these bytes carry it.
    pub probe: fn(&dyn ReadAt) -> Result<bool>,
    /// The volumes in it.
    pub open: fn(&Arc<dyn ReadAt>) -> Result<Layout>,
}

/// A format that is recognised by its signature and read by nobody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// The format's name: `LUKS`, `btrfs`, `swap`.
    pub name: &'static str,
    /// The label its bytes are counted under: swap, unparsed or opaque.
    pub kind: Kind,
}
