//! Kernels: the inner loop of the sieve.

use super::index::{Bitmap, hash, is_set};
use super::window::WINDOW;

/// Positions the portable kernel tests between two branches.
const STEP: u32 = 8;

/// The places of `block` where a window's hash stands. The last three bytes are there to be read
/// only.
pub(super) fn portable(bitmap: &Bitmap, block: &[u8], marks: &mut Vec<u32>) {
    let mut at = 0_u32;
    let mut rest = block;
    while let Some(bytes) = rest.first_chunk::<{ STEP as usize + WINDOW - 1 }>() {
        let mut mask = 0_u32;
        for (bit, four) in bytes.windows(WINDOW).enumerate() {
            let four = four.first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
            mask |= u32::from(is_set(bitmap, hash(four))) << bit;
        }
        while mask != 0 {
            marks.push(at + mask.trailing_zeros());
            mask &= mask - 1;
        }
        at += STEP;
        rest = rest.get(STEP as usize..).unwrap_or_default();
    }
    for (place, four) in (at..).zip(rest.windows(WINDOW)) {
        let four = four.first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
        if is_set(bitmap, hash(four)) {
            marks.push(place);
        }
    }
}
