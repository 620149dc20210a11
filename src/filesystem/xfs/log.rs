//! The log: whether it holds changes that never reached their place. It is a ring of 512-byte
//! blocks; the first word of each is the number of the round it was written in.

use crate::bytes::{ReadAt, read_vec, take, u8_at, u32_be};
use crate::error::{Error, Result};
use crate::limits;
use crate::run::Run;

const BLOCK_BYTES: u64 = 512;
const MAGIC: u32 = 0xfeed_babe;
/// Bytes of a record whose first words one header block can hold.
const BYTES_PER_HEADER: u32 = 32 * 1024;
const UNMOUNT: u8 = 0x20;

/// Whether the last record of the log says anything but that the filesystem was unmounted.
pub(super) fn is_dirty(volume: &dyn ReadAt, log: Run) -> Result<bool> {
    let ring = Ring { volume, start: log.start, blocks: log.len / BLOCK_BYTES };
    if ring.blocks == 0 {
        return Err(Error::corrupt("XFS log is empty"));
    }
    let round = ring.round(0)?;
    if round == 0 {
        return Ok(false);
    }
    let head = ring.head(round)?;
    ring.unmounted_at(head).map(|clean| !clean)
}

struct Ring<'a> {
    volume: &'a dyn ReadAt,
    start: u64,
    blocks: u64,
}

impl Ring<'_> {
    fn block(&self, number: u64) -> Result<Vec<u8>> {
        let number = number.checked_rem(self.blocks).unwrap_or(0);
        let at = self.start.saturating_add(number.saturating_mul(BLOCK_BYTES));
        read_vec(self.volume, at, 512)
    }

    /// The round a block was written in; a header keeps it behind its magic.
    fn round(&self, number: u64) -> Result<u32> {
        let block = self.block(number)?;
        match u32_be(&block, 0)? {
            MAGIC => u32_be(&block, 4),
            round => Ok(round),
        }
    }

    /// The first block that is not of the newest round, which block 0 belongs to.
    fn head(&self, round: u32) -> Result<u64> {
        let (mut low, mut high) = (0, self.blocks);
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            if self.round(middle)? == round {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(high)
    }

    /// Whether the record that ends at `head` is an unmount record.
    fn unmounted_at(&self, head: u64) -> Result<bool> {
        let most = limits::XFS_LOG_RECORD_BLOCKS.min(self.blocks);
        for back in 1..=most {
            let at = head.saturating_add(self.blocks).saturating_sub(back);
            let header = self.block(at)?;
            if u32_be(&header, 0)? == MAGIC {
                return self.is_unmount(&header, at, back);
            }
        }
        Ok(false)
    }

    fn is_unmount(&self, header: &[u8], at: u64, blocks_to_head: u64) -> Result<bool> {
        let version = u32_be(header, 8)?;
        let len = u32_be(header, 12)?;
        let record_bytes = if version & 2 != 0 { u32_be(header, 320)? } else { 0 };
        let headers = u64::from(record_bytes.div_ceil(BYTES_PER_HEADER).max(1));
        let data_blocks = u64::from(len).div_ceil(BLOCK_BYTES);
        if u32_be(header, 40)? != 1 || headers.saturating_add(data_blocks) != blocks_to_head {
            return Ok(false);
        }
        let first = self.block(at.saturating_add(headers))?;
        take(&first, 0, 12)?;
        Ok(u8_at(&first, 9)? & UNMOUNT != 0)
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "the bytes are the test's own"
)]
mod tests {
    use super::*;

    fn record(round: u32, flags: u8) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        let words =
            [(0, MAGIC), (4, round), (8, 2), (12, 512), (40, 1), (320, 32768), (512, round)];
        for (at, word) in words {
            bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
        }
        bytes[521] = flags;
        bytes
    }

    fn dirty(log: &Vec<u8>) -> bool {
        let run = Run::new(0, log.as_slice().len() as u64);
        is_dirty(log, run).unwrap()
    }

    #[test]
    fn tells_an_unmounted_log_from_a_torn_one() {
        let zeros = vec![0; 4096];
        assert!(!dirty(&zeros));
        assert!(!dirty(&[record(1, UNMOUNT), zeros.clone()].concat()));
        assert!(dirty(&[record(1, UNMOUNT), record(1, 0), zeros.clone()].concat()));
        assert!(!dirty(&[record(1, 0), record(1, UNMOUNT), zeros].concat()));
    }

    #[test]
    fn follows_the_ring_around_its_end() {
        let old = record(3, 0);
        assert!(!dirty(&[record(4, UNMOUNT), old.clone(), old.clone()].concat()));
        assert!(dirty(&[record(4, 0), old.clone(), old.clone()].concat()));
        assert!(!dirty(&[old.clone(), old, record(3, UNMOUNT)].concat()));
        let split = [record(4, UNMOUNT)[512..].to_vec(), record(3, 0), record(3, UNMOUNT)].concat();
        assert!(!dirty(&split[..2048].to_vec()));
    }
}
