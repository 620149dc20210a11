//! A journal checksum: CRC-32C over single blocks, or the older CRC-32 over a transaction.

use crate::bytes::{take, u8_at, u32_be};
use crate::error::{Error, Result};

const SUPERBLOCK_BYTES: usize = 1024;
const SUPERBLOCK_CHECKSUM: usize = 0xfc;
const COMMIT_CHECKSUM: usize = 0x10;

/// CRC-32C that goes on from `crc`, without inversion at either end, as the kernel uses it.
pub(super) fn crc32c(crc: u32, data: &[u8]) -> u32 {
    !crc32c::crc32c_append(!crc, data)
}

/// CRC-32 (polynomial 0x04c11db7), most significant bit first, that goes on from `crc`.
pub(super) fn crc32_be(mut crc: u32, data: &[u8]) -> u32 {
    for &byte in data {
        crc ^= u32::from(byte) << 24;
        for _ in 0..8 {
            let carry = if crc & 0x8000_0000 != 0 { 0x04c1_1db7 } else { 0 };
            crc = crc << 1 ^ carry;
        }
    }
    crc
}

fn without(seed: u32, data: &[u8], hole: usize) -> Option<u32> {
    let crc = crc32c(seed, data.get(..hole)?);
    Some(crc32c(crc32c(crc, &[0; 4]), data.get(hole.checked_add(4)?..)?))
}

/// Check the journal superblock's own checksum.
pub(super) fn expect_superblock(data: &[u8]) -> Result<()> {
    let data = take(data, 0, SUPERBLOCK_BYTES)?;
    if without(u32::MAX, data, SUPERBLOCK_CHECKSUM) != Some(u32_be(data, SUPERBLOCK_CHECKSUM)?) {
        return Err(Error::corrupt("journal superblock fails its checksum"));
    }
    Ok(())
}

/// Whether a descriptor or revocation block matches the checksum at its end.
pub(super) fn tail_holds(seed: u32, data: &[u8]) -> bool {
    let hole = data.len().saturating_sub(4);
    without(seed, data, hole).is_some_and(|crc| u32_be(data, hole).is_ok_and(|found| found == crc))
}

/// Whether a commit block matches its own checksum.
pub(super) fn commit_holds(seed: u32, data: &[u8]) -> bool {
    let found = u32_be(data, COMMIT_CHECKSUM);
    without(seed, data, COMMIT_CHECKSUM).is_some_and(|crc| found.is_ok_and(|found| found == crc))
}

/// Whether a commit block, by the older method, carries `crc` or no checksum at all.
pub(super) fn transaction_holds(crc: u32, data: &[u8]) -> bool {
    let kind = (u8_at(data, 12).unwrap_or(0), u8_at(data, 13).unwrap_or(0));
    let found = u32_be(data, COMMIT_CHECKSUM).unwrap_or(0);
    kind == (1, 4) && found == crc || kind == (0, 0) && found == 0
}

/// The checksum of a data block in the transaction `sequence`.
pub(super) fn data_block(seed: u32, sequence: u32, data: &[u8]) -> u32 {
    crc32c(crc32c(seed, &sequence.to_be_bytes()), data)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tests trust their own data"
)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        assert_eq!(!crc32c(u32::MAX, b"123456789"), 0xe306_9283);
        // CRC-32/MPEG-2.
        assert_eq!(crc32_be(u32::MAX, b"123456789"), 0x0376_e6e7);
    }

    #[test]
    fn a_checksum_leaves_itself_out() {
        let mut data = vec![7; 64];
        data[60..].fill(0);
        let crc = crc32c(5, &data);
        data[60..].copy_from_slice(&crc.to_be_bytes());
        assert!(tail_holds(5, &data));
        data[0] ^= 1;
        assert!(!tail_holds(5, &data) && !tail_holds(5, &[]));
    }
}
