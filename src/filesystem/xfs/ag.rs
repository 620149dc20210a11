//! An allocation group: its headers, its free space, and the chunks of inodes in it.

use super::btree::{self, Root, Shape};
use super::superblock::{Geometry, crc_matches};
use super::trouble::Troubles;
use crate::bytes::{ReadAt, read_vec, take, u8_at, u16_be, u32_be, u64_be};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::run::Run;

/// Inodes of one chunk.
pub(super) const CHUNK_INODES: u64 = 64;
/// Inodes one bit of a sparse chunk's hole mask stands for.
const HOLE_INODES: u32 = 4;

/// 64 inodes that lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chunk {
    pub(super) ag: u32,
    /// Number inside the group of the first.
    pub(super) first: u32,
    /// One bit for each inode that is free.
    pub(super) free: u64,
    /// One bit for each inode that is not on the disk at all.
    pub(super) absent: u64,
}

/// What the allocation groups say.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) free: Vec<Run>,
    pub(super) metadata: Vec<Run>,
    pub(super) chunks: Vec<Chunk>,
}

impl Groups {
    /// Read the headers and trees of every group.
    pub(super) fn read(
        volume: &dyn ReadAt,
        geometry: &Geometry,
        troubles: &mut Troubles,
    ) -> Groups {
        let mut groups = Groups::default();
        for ag in 0..geometry.ag_count {
            if geometry.ag_start(ag) >= volume.len() {
                let what = "XFS filesystem is larger than its volume";
                troubles.note(Error::corrupt(what).detail(geometry.bytes()));
                break;
            }
            let mut reader = Reader { volume, geometry, ag, groups: &mut groups };
            reader.headers(troubles);
        }
        groups.drop_overlaps(troubles);
        groups
    }

    /// Chunks that overlap are a lie, and would name an inode twice.
    fn drop_overlaps(&mut self, troubles: &mut Troubles) {
        self.chunks.sort_unstable();
        let mut end = (0, 0);
        self.chunks.retain(|chunk| {
            let first = (chunk.ag, u64::from(chunk.first));
            let fresh = first >= end;
            if fresh {
                end = (chunk.ag, first.1.saturating_add(CHUNK_INODES));
            } else {
                troubles.note(Error::corrupt("XFS inode chunks overlap"));
            }
            fresh
        });
        self.chunks.shrink_to_fit();
    }
}

struct Reader<'a> {
    volume: &'a dyn ReadAt,
    geometry: &'a Geometry,
    ag: u64,
    groups: &'a mut Groups,
}

impl Reader<'_> {
    fn headers(&mut self, troubles: &mut Troubles) {
        let header_bytes = self.geometry.sector_bytes.saturating_mul(4);
        let headers = Run::new(self.geometry.ag_start(self.ag), header_bytes);
        self.groups.metadata.push(headers.align_out(self.geometry.block_bytes));
        let trees = self.free_space(troubles);
        troubles.keep(trees);
        let trees = self.inodes(troubles);
        troubles.keep(trees);
    }

    fn sector(&self, number: u64, magic: [u8; 4], crc_offset: usize) -> Result<Sector> {
        let bytes = self.geometry.sector_bytes;
        let start = self.geometry.ag_start(self.ag).saturating_add(bytes.saturating_mul(number));
        let sector = read_vec(self.volume, start, usize::try_from(bytes).unwrap_or(512))?;
        if take(&sector, 0, 4)? != magic {
            return Err(Error::corrupt("XFS group header has the wrong magic").detail(start));
        }
        let intact = !self.geometry.v5 || crc_matches(&sector, crc_offset);
        Ok(Sector { bytes: sector, intact })
    }

    fn tree(
        &mut self,
        (shape, block, levels): (Shape, u32, u32),
        troubles: &mut Troubles,
        record: &mut dyn FnMut(&[u8], &mut Troubles),
    ) {
        let root = Root { ag: self.ag, block, levels };
        let blocks = btree::walk((self.volume, self.geometry), shape, root, troubles, record);
        self.groups.metadata.extend(blocks);
    }

    /// A tree of which only the place matters.
    fn tree_place(&mut self, shape: Shape, at: (u32, u32), troubles: &mut Troubles) {
        if at.0 != 0 && at.1 != 0 {
            self.tree((shape, at.0, at.1), troubles, &mut |_, _| ());
        }
    }

    fn free_space(&mut self, troubles: &mut Troubles) -> Result<()> {
        let agf = self.sector(1, *b"XAGF", 216)?;
        agf.complain("XFS free space header fails its checksum", troubles);
        let agf = agf.bytes;
        let (geometry, ag) = (self.geometry, self.ag);
        let mut free = std::mem::take(&mut self.groups.free);
        let root = (btree::FREE_BY_BLOCK, u32_be(&agf, 16)?, u32_be(&agf, 28)?);
        self.tree(root, troubles, &mut |record, troubles| {
            let run = u32_be(record, 0).and_then(|start| Ok((start, u32_be(record, 4)?)));
            let run = run.ok().and_then(|(at, len)| geometry.ag_run(ag, at.into(), len.into()));
            match run {
                Some(_) if free.len() >= limits::XFS_FREE_RUNS => {
                    troubles.note(Error::new(ErrorKind::Limit, "XFS free space in too many runs"));
                }
                Some(run) => free.push(run),
                None => troubles.note(Error::corrupt("XFS free space lies outside its group")),
            }
        });
        self.groups.free = free;
        self.tree_place(btree::FREE_BY_COUNT, (u32_be(&agf, 20)?, u32_be(&agf, 32)?), troubles);
        if self.geometry.v5 {
            self.tree_place(btree::REVERSE, (u32_be(&agf, 24)?, u32_be(&agf, 36)?), troubles);
            self.tree_place(btree::REFERENCES, (u32_be(&agf, 88)?, u32_be(&agf, 92)?), troubles);
        }
        self.free_list(&agf, troubles)
    }

    /// The few blocks kept back so that the free space trees can always grow.
    fn free_list(&mut self, agf: &[u8], troubles: &mut Troubles) -> Result<()> {
        let first = u32_be(agf, 40)?;
        let count = u32_be(agf, 48)?;
        let header_bytes = if self.geometry.v5 { 36u32 } else { 0 };
        let sector_bytes = u32::try_from(self.geometry.sector_bytes).unwrap_or(512);
        let slots = sector_bytes.saturating_sub(header_bytes) / 4;
        if count > slots || first >= slots {
            return Err(Error::corrupt("XFS free list is too long"));
        }
        let list = if self.geometry.v5 {
            let list = self.sector(3, *b"XAFL", 32)?;
            list.complain("XFS free list fails its checksum", troubles);
            list.bytes
        } else {
            let bytes = self.geometry.sector_bytes;
            let start = self.geometry.ag_start(self.ag).saturating_add(bytes.saturating_mul(3));
            read_vec(self.volume, start, usize::try_from(bytes).unwrap_or(512))?
        };
        for index in 0..count {
            let slot = first.saturating_add(index).checked_rem(slots).unwrap_or(0);
            let offset = header_bytes.saturating_add(slot.saturating_mul(4));
            let block = u32_be(&list, usize::try_from(offset).unwrap_or(usize::MAX))?;
            match self.geometry.ag_run(self.ag, block.into(), 1) {
                Some(run) => self.groups.metadata.push(run),
                None => troubles.note(Error::corrupt("XFS free list points outside its group")),
            }
        }
        Ok(())
    }

    fn inodes(&mut self, troubles: &mut Troubles) -> Result<()> {
        let agi = self.sector(2, *b"XAGI", 312)?;
        agi.complain("XFS inode header fails its checksum", troubles);
        let agi = agi.bytes;
        let (geometry, ag) = (self.geometry, self.ag);
        let mut chunks = std::mem::take(&mut self.groups.chunks);
        let root = (btree::INODES, u32_be(&agi, 20)?, u32_be(&agi, 24)?);
        self.tree(
            root,
            troubles,
            &mut |record, troubles| match parse_chunk(record, ag, geometry) {
                Ok(_) if chunks.len() >= limits::XFS_INODE_CHUNKS => {
                    troubles.note(Error::new(ErrorKind::Limit, "too many XFS inodes"));
                }
                Ok(chunk) => chunks.push(chunk),
                Err(error) => troubles.note(error),
            },
        );
        self.groups.chunks = chunks;
        if self.geometry.v5 {
            let at = (u32_be(&agi, 328)?, u32_be(&agi, 332)?);
            self.tree_place(btree::FREE_INODES, at, troubles);
        }
        Ok(())
    }
}

struct Sector {
    bytes: Vec<u8>,
    intact: bool,
}

impl Sector {
    fn complain(&self, what: &'static str, troubles: &mut Troubles) {
        if !self.intact {
            troubles.note(Error::corrupt(what));
        }
    }
}

/// One record of the inode tree.
fn parse_chunk(record: &[u8], ag: u64, geometry: &Geometry) -> Result<Chunk> {
    let holes = if geometry.sparse_inodes { u16_be(record, 4)? } else { 0 };
    let mut absent = 0u64;
    for bit in (0..u16::BITS).filter(|bit| holes & (1u16.checked_shl(*bit).unwrap_or(0)) != 0) {
        absent |= 0xfu64.checked_shl(bit.saturating_mul(HOLE_INODES)).unwrap_or(0);
    }
    let count = if geometry.sparse_inodes { u8_at(record, 6)? } else { 64 };
    if u32::from(count) != absent.count_zeros() {
        return Err(Error::corrupt("XFS inode chunk contradicts its holes"));
    }
    let chunk = Chunk {
        ag: u32::try_from(ag).unwrap_or(u32::MAX),
        first: u32_be(record, 0)?,
        free: u64_be(record, 8)?,
        absent,
    };
    let present = absent.trailing_ones()..u64::BITS.saturating_sub(absent.leading_ones());
    let first = u64::from(chunk.first).saturating_add(present.start.into());
    let count = u64::from(present.end.saturating_sub(present.start));
    match geometry.inode_run(ag, first, count) {
        Some(_) => Ok(chunk),
        None => Err(Error::corrupt("XFS inode chunk lies outside its group")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::xfs::superblock::tests::sector;

    #[test]
    fn a_sparse_chunk_leaves_its_holes_out() {
        let geometry = Geometry::parse(&sector()).unwrap();
        let record = [0, 0, 1, 0, 0xf0, 0x0f, 32, 5, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff];
        let chunk = parse_chunk(&record, 0, &geometry).unwrap();
        assert_eq!(chunk.absent, 0xffff_0000_0000_ffff);
        let runs: Vec<Run> = chunk.runs(&geometry).collect();
        assert_eq!(runs, [Run::new((256 + 16) * 512, 32 * 512)]);
        let other = Chunk { absent: 0x00f0_0000_0000_0000, ..chunk };
        let runs: Vec<Run> = other.runs(&geometry).collect();
        assert_eq!(runs, [Run::new(256 * 512, 52 * 512), Run::new((256 + 56) * 512, 8 * 512)]);
    }

    #[test]
    fn a_chunk_outside_its_group_is_refused() {
        let geometry = Geometry::parse(&sector()).unwrap();
        let record = [0, 0, 0x80, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(parse_chunk(&record, 0, &geometry).is_err());
        let lie = [0, 0, 1, 0, 0, 1, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(parse_chunk(&lie, 0, &geometry).is_err());
    }
}
