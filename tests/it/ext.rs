//! ext2, ext3 and ext4: images in, the listing the kernel gives of them out.

#![allow(
    clippy::cast_possible_truncation,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests may fail loudly"
)]

mod deep;
mod populate;
mod seen;
mod small;

use amisweep::bytes::ReadAt;
use amisweep::filesystem::{DRIVERS, Driver, Filesystem};
use std::sync::Arc;

fn driver() -> &'static Driver {
    DRIVERS.iter().find(|driver| driver.name == "ext4").unwrap()
}

fn open(volume: &Arc<dyn ReadAt>) -> Box<dyn Filesystem> {
    assert!((driver().probe)(&**volume).unwrap());
    (driver().open)(Arc::clone(volume)).unwrap()
}
