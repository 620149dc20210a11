//! A journal (jbd2): transactions that may not have reached their home blocks yet. What is
//! committed is laid over the volume; nothing is written.
//! <https://docs.kernel.org/filesystems/ext4/journal.html>

mod block;
mod checksum;
mod scan;
#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "tests trust their own data"
)]
mod tests;

use super::device::{Device, Patch};
use super::mapping::Piece;
use crate::bytes::{take, u32_be};
use crate::error::{Error, Result};
use block::{DESCRIPTOR_TAIL_BYTES, Header, TagFormat};

const VERSION_1: u32 = 3;
const VERSION_2: u32 = 4;
const COMPAT_CHECKSUM: u32 = 1;
const INCOMPAT_64BIT: u32 = 2;
const INCOMPAT_CHECKSUM_V2: u32 = 8;
const INCOMPAT_CHECKSUM_V3: u32 = 0x10;
const INCOMPAT_FAST_COMMIT: u32 = 0x20;
/// Revocations, asynchronous commits, and all of the above.
const INCOMPAT_KNOWN: u32 = 0x3f;
/// Fast-commit blocks when the journal does not say how many.
const FAST_COMMIT_BLOCKS: u32 = 256;

/// What a journal holds that its filesystem does not yet.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// The newest copy of each block, sorted by home block.
    pub(super) patches: Vec<Patch>,
    /// What was wrong on the way.
    pub(super) troubles: Vec<Error>,
}

/// Read the journal in the blocks `pieces` of the bare volume.
pub(super) fn replay(device: &Device, pieces: &[Piece], blocks: u64) -> Replay {
    let mut replay = Replay::default();
    match Log::open(device, pieces, blocks) {
        Ok(Some(log)) => log.replay(&mut replay),
        Ok(None) => {}
        Err(error) => replay.troubles.push(error),
    }
    replay
}

/// A journal whose superblock makes sense and which is not empty.
struct Log<'a> {
    device: &'a Device,
    pieces: &'a [Piece],
    /// Blocks of the filesystem the journal belongs to.
    home_blocks: u64,
    /// First block of the circle, inside the journal.
    first: u32,
    /// One past its last block.
    end: u32,
    /// Where the oldest transaction begins.
    start: u32,
    /// The number of the oldest transaction.
    sequence: u32,
    features: Features,
}

#[derive(Clone, Copy)]
struct Features {
    format: TagFormat,
    /// Commit blocks carry a checksum over their transaction's blocks, by an older method.
    sums_transactions: bool,
    /// Seed of every checksum, when journal blocks carry one each.
    seed: Option<u32>,
    fast_commit_from: Option<u32>,
}

impl<'a> Log<'a> {
    fn open(device: &'a Device, pieces: &'a [Piece], blocks: u64) -> Result<Option<Log<'a>>> {
        let mut log = Log {
            device,
            pieces,
            home_blocks: blocks,
            first: 0,
            end: 1,
            start: 0,
            sequence: 0,
            features: Features {
                format: TagFormat { checksum: 0, wide: false },
                sums_transactions: false,
                seed: None,
                fast_commit_from: None,
            },
        };
        let data = log.read(0)?;
        let header = Header::parse(&data)
            .ok_or_else(|| Error::corrupt("journal superblock has no magic"))?;
        if header.kind != VERSION_1 && header.kind != VERSION_2 {
            return Err(Error::corrupt("journal has no superblock"));
        }
        if u64::from(u32_be(&data, 0x0c)?) != device.block_bytes() {
            return Err(Error::corrupt("journal has another block size"));
        }
        log.set_features(&data, header.kind)?;
        log.set_circle(&data)?;
        let (sequence, start) = (u32_be(&data, 0x18)?, u32_be(&data, 0x1c)?);
        if start == 0 {
            return Ok(None);
        }
        if start < log.first || log.end <= start {
            return Err(Error::corrupt("journal begins outside itself").detail(start));
        }
        (log.start, log.sequence) = (start, sequence);
        Ok(Some(log))
    }

    fn set_features(&mut self, data: &[u8], version: u32) -> Result<()> {
        if version == VERSION_1 {
            return Ok(());
        }
        let (compat, incompat) = (u32_be(data, 0x24)?, u32_be(data, 0x28)?);
        if incompat & !INCOMPAT_KNOWN != 0 {
            let unknown = incompat & !INCOMPAT_KNOWN;
            return Err(Error::unsupported("journal feature is not known")
                .detail(format_args!("incompatible features {unknown:#x}")));
        }
        let wide = incompat & INCOMPAT_64BIT != 0;
        let v2 = incompat & INCOMPAT_CHECKSUM_V2 != 0;
        let v3 = incompat & INCOMPAT_CHECKSUM_V3 != 0;
        let checksum = match (v3, v2) {
            (true, _) => 3,
            (_, true) => 2,
            _ => 0,
        };
        self.features.format = TagFormat { checksum, wide };
        if v2 || v3 {
            self.features.seed = Some(checksum::crc32c(u32::MAX, take(data, 0x30, 16)?));
            checksum::expect_superblock(data)?;
        }
        self.features.sums_transactions = compat & COMPAT_CHECKSUM != 0;
        if incompat & INCOMPAT_FAST_COMMIT != 0 {
            let blocks = match u32_be(data, 0x54)? {
                0 => FAST_COMMIT_BLOCKS,
                blocks => blocks,
            };
            let from = u32_be(data, 0x10)?.checked_sub(blocks);
            self.features.fast_commit_from =
                Some(from.ok_or_else(|| Error::corrupt("journal has no room"))?);
        }
        Ok(())
    }

    /// The blocks transactions go round in.
    fn set_circle(&mut self, data: &[u8]) -> Result<()> {
        let (len, first) = (u32_be(data, 0x10)?, u32_be(data, 0x14)?);
        let mapped = self.pieces.last().map_or(0, |p| p.logical.saturating_add(p.len));
        if mapped < u64::from(len) {
            return Err(Error::corrupt("journal is shorter than it says").detail(mapped));
        }
        let end = self.features.fast_commit_from.unwrap_or(len);
        if first == 0 || end <= first {
            return Err(Error::corrupt("journal has no room"));
        }
        (self.first, self.end) = (first, end);
        Ok(())
    }

    /// The block `steps` after block `at` of the circle.
    fn after(&self, at: u32, steps: u32) -> u32 {
        let len = u64::from(self.len().max(1));
        let from = u64::from(at.saturating_sub(self.first)).saturating_add(steps.into());
        let round = u32::try_from(from.checked_rem(len).unwrap_or(0)).unwrap_or(0);
        self.first.saturating_add(round)
    }

    /// Blocks in the circle.
    fn len(&self) -> u32 {
        self.end.saturating_sub(self.first)
    }

    /// The block of the volume that holds a block of the journal.
    fn locate(&self, block: u32) -> Result<u64> {
        let block = u64::from(block);
        let next = self.pieces.partition_point(|p| p.logical.saturating_add(p.len) <= block);
        self.pieces
            .get(next)
            .and_then(|p| Some(p.physical.saturating_add(block.checked_sub(p.logical)?)))
            .ok_or_else(|| Error::corrupt("journal has a hole").detail(block))
    }

    fn read(&self, block: u32) -> Result<Vec<u8>> {
        self.device.block(self.locate(block)?)
    }

    /// Bytes of a descriptor or revocation block before its checksum.
    fn useful<'b>(&self, data: &'b [u8]) -> &'b [u8] {
        let tail = if self.features.seed.is_some() { DESCRIPTOR_TAIL_BYTES } else { 0 };
        data.get(..data.len().saturating_sub(tail)).unwrap_or_default()
    }

    fn replay(&self, replay: &mut Replay) {
        let found = scan::scan(self, &mut replay.troubles);
        replay.patches = scan::newest(self, found.writes, &found.revocations, &mut replay.troubles);
        if self.has_fast_commits(found.next_sequence) {
            replay.troubles.push(Error::unsupported(
                "journal holds fast commits, which are not replayed; some files are shown older",
            ));
        }
    }

    /// Whether fast commits follow the last full one: their first block begins with a head record
    /// that names the transaction that would come next.
    fn has_fast_commits(&self, next_sequence: u32) -> bool {
        // One block between the two areas is used by neither.
        let first = self.features.fast_commit_from.and_then(|end| end.checked_add(1));
        let head = first.and_then(|block| self.read(block).ok());
        head.is_some_and(|data| {
            data.starts_with(&[9, 0])
                && take(&data, 8, 4).ok() == Some(&next_sequence.to_le_bytes())
        })
    }
}
