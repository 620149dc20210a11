//! A superblock: the geometry every address is computed from. Each allocation group holds a copy.

use crate::bytes::{ReadAt, read_vec, take, u8_at, u16_be, u32_be, u64_be};
use crate::error::{Error, Result};
use crate::limits;
use crate::run::Run;

const MAGIC: &[u8] = b"XFSB";
const SUPERBLOCK_BYTES: usize = 512;
const CRC_OFFSET: usize = 224;
const NULL_INODE: u64 = u64::MAX;

const INCOMPAT_FTYPE: u32 = 1;
const INCOMPAT_SPARSE: u32 = 2;
const INCOMPAT_NEEDS_REPAIR: u32 = 0x10;
/// File types, sparse inodes, metadata uuid, bigtime, needs repair, large extent counters,
/// exchange range, parent pointers. What is above changes where things lie.
const INCOMPAT_KNOWN: u32 = 0xff;
const FEATURES2_FTYPE: u32 = 0x200;
const VERSION_MOREBITS: u16 = 0x8000;

/// What the superblock says, checked.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) block_bytes: u64,
    pub(super) sector_bytes: u64,
    pub(super) inode_bytes: u64,
    inode_block_log: u32,
    ag_blocks: u64,
    ag_block_log: u32,
    pub(super) ag_count: u64,
    blocks: u64,
    pub(super) dir_block_bytes: u64,
    pub(super) root: u64,
    /// First block of the log; none when it is on another device.
    pub(super) log_start: Option<u64>,
    pub(super) log_blocks: u64,
    pub(super) v5: bool,
    pub(super) ftype: bool,
    pub(super) sparse_inodes: bool,
    /// What the superblock itself gives away as wrong or out of reach.
    pub(super) flaws: Vec<Error>,
    /// Inodes of the realtime bitmaps and the quotas, which no directory names.
    pub(super) system_inodes: Vec<u64>,
}

impl Geometry {
    /// Parse one superblock sector.
    pub(super) fn parse(sector: &[u8]) -> Result<Geometry> {
        if take(sector, 0, 4)? != MAGIC {
            return Err(Error::corrupt("no XFS superblock"));
        }
        let version = u16_be(sector, 100)?;
        let v5 = match version & 0xf {
            4 => false,
            5 => true,
            other => return Err(Error::unsupported("XFS version").detail(other)),
        };
        let incompat = if v5 { u32_be(sector, 216)? } else { 0 };
        if incompat & !INCOMPAT_KNOWN != 0 {
            let detail = format!("incompat {incompat:#x}");
            return Err(Error::unsupported("XFS feature that is not read").detail(detail));
        }
        let features2 = if version & VERSION_MOREBITS != 0 { u32_be(sector, 200)? } else { 0 };
        let block_bytes = power(u32_be(sector, 4)?, 512, 65536, "XFS block size")?;
        let inode_bytes = power(u16_be(sector, 104)?.into(), 256, 2048, "XFS inode size")?;
        let sector_bytes = power(u16_be(sector, 102)?.into(), 512, 32768, "XFS sector size")?;
        if inode_bytes > block_bytes || sector_bytes > block_bytes || (v5 && inode_bytes < 512) {
            return Err(Error::corrupt("XFS inode or sector size"));
        }
        let log_start = u64_be(sector, 48)?;
        let geometry = Geometry {
            block_bytes,
            sector_bytes,
            inode_bytes,
            inode_block_log: log2(block_bytes).saturating_sub(log2(inode_bytes)),
            ag_blocks: u32_be(sector, 84)?.into(),
            ag_block_log: u8_at(sector, 124)?.into(),
            ag_count: u32_be(sector, 88)?.into(),
            blocks: u64_be(sector, 8)?,
            dir_block_bytes: dir_block_bytes(block_bytes, u8_at(sector, 192)?)?,
            root: u64_be(sector, 56)?,
            log_start: (log_start != 0).then_some(log_start),
            log_blocks: u32_be(sector, 96)?.into(),
            v5,
            ftype: incompat & INCOMPAT_FTYPE != 0 || (!v5 && features2 & FEATURES2_FTYPE != 0),
            sparse_inodes: incompat & INCOMPAT_SPARSE != 0,
            flaws: flaws(incompat, u64_be(sector, 16)?),
            system_inodes: system_inodes(sector, v5)?,
        };
        geometry.check()?;
        Ok(geometry)
    }

    fn check(&self) -> Result<()> {
        let ag_bytes_log = self.ag_block_log.saturating_add(self.inode_block_log);
        let whole = self.ag_blocks.checked_mul(self.ag_count);
        let before = self.ag_blocks.checked_mul(self.ag_count.saturating_sub(1));
        let ag_bytes = self.ag_blocks.saturating_mul(self.block_bytes);
        let sane = ag_bytes >= limits::XFS_AG_BYTES_MIN
            && self.ag_block_log < 32
            && ag_bytes_log < 40
            && self.ag_blocks <= 1u64.checked_shl(self.ag_block_log).unwrap_or(0)
            && whole.is_some_and(|whole| self.blocks <= whole)
            && before.is_some_and(|before| self.blocks > before)
            && self.blocks.checked_mul(self.block_bytes).is_some();
        if sane { Ok(()) } else { Err(Error::corrupt("XFS superblock contradicts itself")) }
    }

    /// Bytes of the whole filesystem.
    pub(super) fn bytes(&self) -> u64 {
        self.blocks.saturating_mul(self.block_bytes)
    }

    /// Blocks of one allocation group; the last may be short.
    pub(super) fn blocks_of_ag(&self, ag: u64) -> u64 {
        let before = ag.saturating_mul(self.ag_blocks);
        if ag < self.ag_count { self.blocks.saturating_sub(before).min(self.ag_blocks) } else { 0 }
    }

    /// Where an allocation group begins.
    pub(super) fn ag_start(&self, ag: u64) -> u64 {
        ag.saturating_mul(self.ag_blocks).saturating_mul(self.block_bytes)
    }

    /// Where `count` blocks of one group lie, when they lie inside it.
    pub(super) fn ag_run(&self, ag: u64, block: u64, count: u64) -> Option<Run> {
        let end = block.checked_add(count)?;
        (end <= self.blocks_of_ag(ag)).then(|| {
            let start = block.saturating_mul(self.block_bytes);
            Run::new(
                self.ag_start(ag).saturating_add(start),
                count.saturating_mul(self.block_bytes),
            )
        })
    }

    /// Where `count` blocks from a filesystem block number lie, when they lie in one group.
    pub(super) fn run(&self, block: u64, count: u64) -> Option<Run> {
        let ag = block.checked_shr(self.ag_block_log)?;
        let mask = 1u64.checked_shl(self.ag_block_log)?.wrapping_sub(1);
        self.ag_run(ag, block & mask, count)
    }

    /// The group of an inode, and its number inside.
    pub(super) fn split_inode(&self, inode: u64) -> Option<(u32, u32)> {
        let shift = self.ag_block_log.saturating_add(self.inode_block_log);
        let ag = inode.checked_shr(shift).filter(|&ag| ag < self.ag_count)?;
        let inside = inode & 1u64.checked_shl(shift)?.wrapping_sub(1);
        Some((u32::try_from(ag).ok()?, u32::try_from(inside).ok()?))
    }

    /// The full number of an inode from its group and its number inside.
    pub(super) fn inode_number(&self, ag: u64, inode: u64) -> u64 {
        let shift = self.ag_block_log.saturating_add(self.inode_block_log);
        ag.checked_shl(shift).unwrap_or(0) | inode
    }

    /// Where `count` inodes of a group lie, when they lie inside it.
    pub(super) fn inode_run(&self, ag: u64, inode: u64, count: u64) -> Option<Run> {
        let bytes = self.blocks_of_ag(ag).saturating_mul(self.block_bytes);
        let run =
            Run::new(inode.checked_mul(self.inode_bytes)?, count.checked_mul(self.inode_bytes)?);
        let inside = Run::new(0, bytes).contains(run);
        inside.then(|| Run::new(self.ag_start(ag).saturating_add(run.start), run.len))
    }
}

/// A size that must be a power of two between two bounds.
fn power(value: u32, min: u32, max: u32, what: &'static str) -> Result<u64> {
    if value.is_power_of_two() && min <= value && value <= max {
        Ok(value.into())
    } else {
        Err(Error::corrupt(what).detail(value))
    }
}

fn flaws(incompat: u32, realtime_blocks: u64) -> Vec<Error> {
    let mut flaws = Vec::new();
    if incompat & INCOMPAT_NEEDS_REPAIR != 0 {
        flaws.push(Error::corrupt("XFS filesystem is marked as needing repair"));
    }
    if realtime_blocks != 0 {
        flaws.push(Error::unsupported("XFS realtime files lie on another device"));
    }
    flaws
}

fn log2(value: u64) -> u32 {
    value.checked_ilog2().unwrap_or(0)
}

fn dir_block_bytes(block_bytes: u64, log: u8) -> Result<u64> {
    block_bytes
        .checked_shl(log.into())
        .filter(|&bytes| block_bytes <= bytes && bytes <= 65536 && log < 8)
        .ok_or_else(|| Error::corrupt("XFS directory block size"))
}

/// Inodes that no directory names. The copies of the superblock do not know the two realtime
/// bitmaps, which mkfs makes right after the root.
fn system_inodes(sector: &[u8], v5: bool) -> Result<Vec<u64>> {
    let mut inodes = Vec::new();
    let root = u64_be(sector, 56)?;
    for (offset, after_root) in [(64, 1), (72, 2)] {
        let inode = u64_be(sector, offset)?;
        let known = inode != 0 && inode != NULL_INODE;
        inodes.push(if known { inode } else { root.saturating_add(after_root) });
    }
    let quota: &[usize] = if v5 { &[160, 168, 232] } else { &[160, 168] };
    for &offset in quota {
        let inode = u64_be(sector, offset)?;
        if inode != 0 && inode != NULL_INODE {
            inodes.push(inode);
        }
    }
    Ok(inodes)
}

/// Whether the sector at the start of a volume is a superblock, or its neighbour an AGF.
pub(super) fn probe(volume: &dyn ReadAt) -> Result<bool> {
    if volume.len() < 65536 {
        return Ok(false);
    }
    let head = read_vec(volume, 0, SUPERBLOCK_BYTES)?;
    Ok(take(&head, 0, 4)? == MAGIC || !first_ag_lengths(volume).is_empty())
}

/// The length the first group's AGF gives, for every sector size it may lie at.
fn first_ag_lengths(volume: &dyn ReadAt) -> Vec<u64> {
    let length = |offset| {
        let agf = read_vec(volume, offset, 512).ok()?;
        let ours = take(&agf, 0, 8).ok()? == b"XAGF\0\0\0\x01" && u32_be(&agf, 8).ok()? == 0;
        ours.then(|| u32_be(&agf, 12).ok().map(u64::from)).flatten()
    };
    [512, 1024, 2048, 4096].into_iter().filter_map(length).collect()
}

/// Read the superblock; where it is damaged, a copy in another group, and then also why.
pub(super) fn read(volume: &dyn ReadAt) -> Result<(Geometry, Option<Error>)> {
    let primary = read_vec(volume, 0, SUPERBLOCK_BYTES)?;
    let parsed = Geometry::parse(&primary);
    let damage = match &parsed {
        Ok(geometry) if !geometry.v5 || sector_intact(volume, 0, geometry) => None,
        Ok(_) => Some(Error::corrupt("XFS superblock fails its checksum")),
        Err(error) => Some(error.clone()),
    };
    let Some(damage) = damage else { return Ok((parsed?, None)) };
    match copy(volume) {
        Some(geometry) => Ok((geometry, Some(damage))),
        None => Ok((parsed?, Some(damage))),
    }
}

/// A copy of the superblock. mkfs writes some before the root directory exists; those of the
/// middle and the last group it writes again at the end.
fn copy(volume: &dyn ReadAt) -> Option<Geometry> {
    let intact = |offset| {
        let sector = read_vec(volume, offset, SUPERBLOCK_BYTES).ok()?;
        let geometry = Geometry::parse(&sector).ok()?;
        (!geometry.v5 || sector_intact(volume, offset, &geometry)).then_some(geometry)
    };
    for blocks in first_ag_lengths(volume) {
        for block_log in 9..=16u32 {
            let offset = blocks.checked_shl(block_log).unwrap_or(u64::MAX);
            let Some(first) = intact(offset) else { continue };
            let last = first.ag_count.saturating_sub(1);
            let better = [last, first.ag_count / 2]
                .into_iter()
                .find_map(|ag| intact(first.ag_start(ag)).filter(|copy| copy.root != NULL_INODE));
            return Some(better.unwrap_or(first));
        }
    }
    None
}

fn sector_intact(volume: &dyn ReadAt, offset: u64, geometry: &Geometry) -> bool {
    let len = usize::try_from(geometry.sector_bytes).unwrap_or(SUPERBLOCK_BYTES);
    read_vec(volume, offset, len).is_ok_and(|sector| crc_matches(&sector, CRC_OFFSET))
}

/// Whether the CRC-32C at `offset` is that of the rest of `block`.
pub(super) fn crc_matches(block: &[u8], offset: usize) -> bool {
    let after = offset.saturating_add(4);
    let (Some(head), Some(tail)) = (block.get(..offset), block.get(after..)) else { return false };
    let crc = crc32c::crc32c(head);
    let crc = crc32c::crc32c_append(crc32c::crc32c_append(crc, &[0; 4]), tail);
    crate::bytes::u32_le(block, offset).is_ok_and(|stored| stored == crc)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A version 5 superblock: 4 KiB blocks, 512-byte inodes, two groups of 4,096 blocks, the last
    /// 96 blocks short.
    pub(in super::super) fn sector() -> Vec<u8> {
        let mut sector = vec![0; 512];
        let fields: [(usize, &[u8]); 12] = [
            (0, b"XFSB"),
            (4, &[0, 0, 0x10, 0]),
            (8, &[0, 0, 0, 0, 0, 0, 0x1f, 0xa0]),
            (48, &[0, 0, 0, 0, 0, 0, 0x10, 0x05]),
            (56, &[0, 0, 0, 0, 0, 0, 0, 0x80]),
            (84, &[0, 0, 0x10, 0]),
            (88, &[0, 0, 0, 2]),
            (96, &[0, 0, 4, 0]),
            (100, &[0xb4, 0xa5]),
            (102, &[2, 0, 2, 0]),
            (124, &[12]),
            (216, &[0, 0, 0, 3]),
        ];
        for (at, bytes) in fields {
            for (index, byte) in bytes.iter().enumerate() {
                if let Some(slot) = sector.get_mut(at.saturating_add(index)) {
                    *slot = *byte;
                }
            }
        }
        sector
    }

    #[test]
    fn computes_addresses_and_refuses_those_outside() {
        let geometry = Geometry::parse(&sector()).unwrap();
        assert_eq!(geometry.bytes(), 8096 * 4096);
        assert_eq!(geometry.run(0x1005, 2), Some(Run::new(4101 * 4096, 8192)));
        assert_eq!(geometry.run(0x1f9f, 1), Some(Run::new(8095 * 4096, 4096)));
        assert_eq!(geometry.run(0x1f9f, 2), None);
        assert_eq!(geometry.run(0x2000, 1), None);
        assert_eq!(geometry.run(u64::MAX, 1), None);
        assert_eq!(geometry.inode_number(1, 128), 0x8080);
        assert_eq!(geometry.split_inode(0x8080), Some((1, 128)));
        assert_eq!(geometry.inode_run(0, 128, 64), Some(Run::new(65536, 32768)));
        assert!(geometry.ftype && geometry.sparse_inodes && geometry.flaws.is_empty());
    }

    #[test]
    fn refuses_what_contradicts_itself() {
        let change = |at: usize, byte: u8| {
            let mut sector = sector();
            if let Some(slot) = sector.get_mut(at) {
                *slot = byte;
            }
            Geometry::parse(&sector).map(|_| ())
        };
        for (at, byte) in
            [(0, 0), (6, 3), (91, 3), (124, 11), (124, 64), (101, 6), (104, 3), (192, 9)]
        {
            assert!(change(at, byte).is_err(), "byte {at} = {byte}");
        }
        let metadir = change(218, 1).unwrap_err();
        assert_eq!(metadir.kind(), crate::error::ErrorKind::Unsupported);
    }
}
