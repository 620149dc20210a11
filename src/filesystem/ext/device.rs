//! A device: the volume with what its journal still holds laid over it.

use crate::bytes::{ReadAt, past_end};
use crate::error::Result;
use crate::filesystem::At;
use crate::run::{ImageNo, Run};
use std::sync::Arc;

/// What a journal block loses when its first four bytes are the journal's own magic.
const MAGIC: [u8; 4] = [0xc0, 0x3b, 0x39, 0x98];

/// A block whose newest copy lies in the journal. Addresses are bytes of the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    /// Where it belongs.
    pub(super) home: u64,
    /// Where it lies.
    pub(super) journal: u64,
    /// Whether its first four bytes were taken out.
    pub(super) escaped: bool,
}

/// The volume with what its journal still holds laid over it.
pub(super) struct Device {
    volume: Arc<dyn ReadAt>,
    block_bytes: u64,
    patches: Vec<Patch>,
}

impl Device {
    /// The volume alone, in blocks of `block_bytes`.
    pub(super) fn new(volume: Arc<dyn ReadAt>, block_bytes: u64) -> Device {
        Device { volume, block_bytes: block_bytes.max(1), patches: Vec::new() }
    }

    /// Lay `patches` over it, sorted by home block and at most one for each.
    pub(super) fn set_patches(&mut self, mut patches: Vec<Patch>) {
        patches.shrink_to_fit();
        self.patches = patches;
    }

    /// What lies over it.
    pub(super) fn patches(&self) -> &[Patch] {
        &self.patches
    }

    /// The volume underneath.
    pub(super) fn volume(&self) -> &Arc<dyn ReadAt> {
        &self.volume
    }

    /// Bytes of one block.
    pub(super) fn block_bytes(&self) -> u64 {
        self.block_bytes
    }

    /// One block.
    pub(super) fn block(&self, number: u64) -> Result<Vec<u8>> {
        let len = usize::try_from(self.block_bytes).unwrap_or(0);
        self.read_vec(number.saturating_mul(self.block_bytes), len)
    }

    /// `len` bytes from `offset`. The caller has bounded `len`.
    pub(super) fn read_vec(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut buf = vec![0; len];
        self.read_at(offset, &mut buf)?;
        Ok(buf)
    }

    /// Where the bytes of `run` really lie, in order: [`At::Disk`], or [`At::Packed`] in a journal
    /// block whose first bytes were taken out.
    pub(super) fn places(&self, run: Run, mut each: impl FnMut(Run, At)) {
        let mut at = run.start;
        let first = self.patches.partition_point(|p| p.home.saturating_add(self.block_bytes) <= at);
        for patch in self.patches.get(first..).unwrap_or_default() {
            if run.end() <= patch.home {
                break;
            }
            if at < patch.home {
                each(Run::between(at, patch.home), At::Disk(at));
            }
            let part = Run::new(patch.home, self.block_bytes).intersect(run);
            let start = patch.journal.saturating_add(part.start.saturating_sub(patch.home));
            let place =
                if patch.escaped { At::Packed(Run::new(start, part.len)) } else { At::Disk(start) };
            each(part, place);
            at = part.end();
        }
        if at < run.end() {
            each(Run::between(at, run.end()), At::Disk(at));
        }
    }

    /// Where a piece inside one block lies.
    pub(super) fn place(&self, run: Run) -> At {
        let mut found = At::Hole;
        self.places(run, |_, at| found = at);
        found
    }
}

impl ReadAt for Device {
    fn len(&self) -> u64 {
        self.volume.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        let wanted = Run::new(offset, len);
        if wanted.len != len || self.volume.len() < wanted.end() {
            return Err(past_end(offset, buf.len(), self.volume.len()));
        }
        if self.patches.is_empty() {
            return self.volume.read_at(offset, buf);
        }
        let mut rest = buf;
        let mut result = Ok(());
        self.places(wanted, |piece, at| {
            let len = usize::try_from(piece.len).unwrap_or(0).min(rest.len());
            let (part, tail) = std::mem::take(&mut rest).split_at_mut(len);
            rest = tail;
            let read = match at {
                At::Disk(start) => self.volume.read_at(start, part),
                At::Packed(run) => {
                    let read = self.volume.read_at(run.start, part);
                    restore(run.start.checked_rem(self.block_bytes).unwrap_or(0), part);
                    read
                }
                At::Hole | At::Unwritten(_) | At::Inline(_) => Ok(()),
            };
            if result.is_ok() {
                result = read;
            }
        });
        result
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        let mut found = Vec::new();
        self.places(run, |piece, at| {
            if let At::Disk(start) = at {
                found.extend(self.volume.locate(Run::new(start, piece.len)));
            }
        });
        found
    }
}

/// Put the journal's magic back into bytes that begin `skip` bytes into their block.
fn restore(skip: u64, part: &mut [u8]) {
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    for (to, from) in part.iter_mut().zip(MAGIC.iter().skip(skip)) {
        *to = *from;
    }
}

/// A volume with the first bytes put back into some of its journal blocks.
pub(super) struct Restored {
    volume: Arc<dyn ReadAt>,
    block_bytes: u64,
    /// First bytes of the blocks, sorted.
    blocks: Box<[u64]>,
}

impl Restored {
    /// `volume`, for reading the blocks that hold `packed`.
    pub(super) fn new(volume: Arc<dyn ReadAt>, block_bytes: u64, packed: &[Run]) -> Restored {
        let mut blocks: Vec<u64> =
            packed.iter().map(|run| run.align_out(block_bytes).start).collect();
        blocks.sort_unstable();
        blocks.dedup();
        Restored { volume, block_bytes, blocks: blocks.into() }
    }

    fn blocks_in(&self, run: Run) -> impl Iterator<Item = Run> + '_ {
        let first =
            self.blocks.partition_point(|b| b.saturating_add(self.block_bytes) <= run.start);
        let rest = self.blocks.get(first..).unwrap_or_default();
        rest.iter()
            .take_while(move |&&block| block < run.end())
            .map(move |&block| Run::new(block, self.block_bytes).intersect(run))
    }
}

impl ReadAt for Restored {
    fn len(&self) -> u64 {
        self.volume.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.volume.read_at(offset, buf)?;
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        for part in self.blocks_in(Run::new(offset, len)) {
            let from = usize::try_from(part.start.saturating_sub(offset)).unwrap_or(usize::MAX);
            let len = usize::try_from(part.len).unwrap_or(0);
            let skip = part.start.checked_rem(self.block_bytes).unwrap_or(0);
            if let Some(bytes) = buf.get_mut(from..from.saturating_add(len)) {
                restore(skip, bytes);
            }
        }
        Ok(())
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        let mut found = Vec::new();
        let mut at = run.start;
        for part in self.blocks_in(run) {
            found.extend(self.volume.locate(Run::between(at, part.start)));
            at = part.end();
        }
        found.extend(self.volume.locate(Run::between(at, run.end())));
        found.retain(|(_, run)| !run.is_empty());
        found
    }
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

    fn device() -> Device {
        let mut device = Device::new(Arc::new((0u8..64).collect::<Vec<_>>()), 8);
        device.set_patches(vec![
            Patch { home: 8, journal: 40, escaped: false },
            Patch { home: 16, journal: 48, escaped: true },
        ]);
        device
    }

    #[test]
    fn reads_the_journal_where_it_is_newer() {
        let found = device().read_vec(6, 20).unwrap();
        let expected =
            [6, 7, 40, 41, 42, 43, 44, 45, 46, 47, 0xc0, 0x3b, 0x39, 0x98, 52, 53, 54, 55, 24, 25];
        assert_eq!(found, expected);
        assert_eq!(device().read_vec(18, 4).unwrap(), [0x39, 0x98, 52, 53]);
        assert!(device().read_vec(60, 5).is_err());
    }

    #[test]
    fn tells_where_bytes_lie() {
        let mut found = Vec::new();
        device().places(Run::new(4, 16), |run, at| found.push((run.start, run.len, at)));
        let packed = At::Packed(Run::new(48, 4));
        assert_eq!(found, [(4, 4, At::Disk(4)), (8, 8, At::Disk(40)), (16, 4, packed)]);
    }

    #[test]
    fn restores_only_the_blocks_it_is_given() {
        let volume: Arc<dyn ReadAt> = Arc::new((0u8..64).collect::<Vec<_>>());
        let restored = Restored::new(volume, 8, &[Run::new(50, 3)]);
        let mut buf = [0; 12];
        restored.read_at(46, &mut buf).unwrap();
        assert_eq!(buf, [46, 47, 0xc0, 0x3b, 0x39, 0x98, 52, 53, 54, 55, 56, 57]);
    }
}
