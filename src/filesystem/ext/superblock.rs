//! The superblock: the geometry of a filesystem and what it was made with.
//! <https://docs.kernel.org/filesystems/ext4/super.html>

use crate::bytes::{ReadAt, read_vec, take, u16_le, u32_le, u64_le};
use crate::error::{Error, Result};

/// Byte of the volume at which the primary copy stands, whatever the block size.
pub(super) const PRIMARY: u64 = 1024;
const BYTES: usize = 1024;
const MAGIC: u16 = 0xef53;

/// Fewer blocks in a group than any mkfs makes; what holds the number of groups down.
const BLOCKS_PER_GROUP_MIN: u64 = 256;

const COMPAT_JOURNAL: u32 = 0x4;
const COMPAT_SPARSE_SUPER2: u32 = 0x200;
const INCOMPAT_COMPRESSION: u32 = 0x1;
const INCOMPAT_FILE_TYPE: u32 = 0x2;
const INCOMPAT_RECOVER: u32 = 0x4;
const INCOMPAT_JOURNAL_DEVICE: u32 = 0x8;
const INCOMPAT_META_GROUPS: u32 = 0x10;
const INCOMPAT_64BIT: u32 = 0x80;
const INCOMPAT_MULTIPLE_MOUNT: u32 = 0x100;
const INCOMPAT_LARGE_DIRECTORY: u32 = 0x4000;
/// What is read here, or does not change how to read: the above and compression (files that use it
/// are refused one by one), extents, multiple mount protection, flexible groups, attribute inodes,
/// directory data, a checksum seed, inline data, encryption, case folding.
const INCOMPAT_KNOWN: u32 = 0x3_f7df;
const RO_SPARSE_SUPER: u32 = 0x1;
const RO_GROUP_CHECKSUM: u32 = 0x10;
const RO_BIGALLOC: u32 = 0x200;
const RO_METADATA_CHECKSUM: u32 = 0x400;

/// The geometry of a filesystem. Checked: block size, inode size, group sizes and counts make
/// sense together and fit the volume.
#[derive(Clone, Debug)]
pub(super) struct Superblock {
    pub(super) block_bytes: u64,
    /// Blocks of the filesystem, cut at the end of the volume.
    pub(super) blocks: u64,
    pub(super) first_data_block: u64,
    pub(super) blocks_per_group: u64,
    /// Blocks one bit of a block bitmap stands for; one without bigalloc.
    pub(super) cluster_blocks: u64,
    pub(super) groups: u64,
    pub(super) inodes: u32,
    pub(super) inodes_per_group: u32,
    pub(super) inode_bytes: usize,
    pub(super) descriptor_bytes: usize,
    pub(super) first_meta_group: u64,
    pub(super) reserved_descriptor_blocks: u64,
    pub(super) journal_inode: u32,
    /// A copy of the journal inode's block map and size.
    pub(super) journal_backup: [u8; 68],
    /// Inodes of quotas and of the orphan file, which no directory names.
    pub(super) hidden_inodes: [u32; 4],
    /// The block that guards against mounting twice, or zero.
    pub(super) mount_guard_block: u64,
    /// The group whose copy this is.
    pub(super) copy_of_group: u64,
    /// Whether the checksum, where there is one, is right.
    pub(super) intact: bool,
    /// Whether the volume ends before the filesystem does.
    pub(super) truncated: bool,
    pub(super) uuid: [u8; 16],
    backup_groups: [u32; 2],
    compat: u32,
    incompat: u32,
    ro_compat: u32,
}

impl Superblock {
    /// The copy at `offset` of the volume, read through `bytes`.
    pub(super) fn read(bytes: &dyn ReadAt, offset: u64) -> Result<Superblock> {
        Superblock::parse(&read_vec(bytes, offset, BYTES)?, bytes.len())
    }

    /// A copy from its 1,024 bytes, on a volume of `volume_bytes`.
    pub(super) fn parse(data: &[u8], volume_bytes: u64) -> Result<Superblock> {
        if u16_le(data, 0x38)? != MAGIC {
            return Err(Error::corrupt("ext superblock has no magic"));
        }
        let dynamic = u32_le(data, 0x4c)? > 0;
        let feature = |offset| if dynamic { u32_le(data, offset) } else { Ok(0) };
        let mut sb = Superblock {
            block_bytes: block_bytes(u32_le(data, 0x18)?)?,
            blocks: u32_le(data, 4)?.into(),
            first_data_block: u32_le(data, 0x14)?.into(),
            blocks_per_group: u32_le(data, 0x20)?.into(),
            cluster_blocks: 1,
            groups: 0,
            inodes: u32_le(data, 0)?,
            inodes_per_group: u32_le(data, 0x28)?,
            inode_bytes: if dynamic { u16_le(data, 0x58)?.into() } else { 128 },
            descriptor_bytes: 32,
            first_meta_group: u32_le(data, 0x104)?.into(),
            reserved_descriptor_blocks: u16_le(data, 0xce)?.into(),
            journal_inode: u32_le(data, 0xe0)?,
            journal_backup: array(data, 0x10c)?,
            hidden_inodes: [
                u32_le(data, 0x240)?,
                u32_le(data, 0x244)?,
                u32_le(data, 0x26c)?,
                u32_le(data, 0x280)?,
            ],
            mount_guard_block: u64_le(data, 0x168)?,
            copy_of_group: u16_le(data, 0x5a)?.into(),
            intact: true,
            truncated: false,
            uuid: array(data, 0x68)?,
            backup_groups: [u32_le(data, 0x24c)?, u32_le(data, 0x250)?],
            compat: feature(0x5c)?,
            incompat: feature(0x60)?,
            ro_compat: feature(0x64)?,
        };
        sb.refuse()?;
        if sb.incompat & INCOMPAT_MULTIPLE_MOUNT == 0 {
            sb.mount_guard_block = 0;
        }
        sb.set_sizes(data, volume_bytes)?;
        sb.set_groups()?;
        sb.intact = sb.ro_compat & RO_METADATA_CHECKSUM == 0
            || u32_le(data, 0x3fc)? == !crc32c::crc32c(take(data, 0, 0x3fc)?);
        Ok(sb)
    }

    fn refuse(&self) -> Result<()> {
        if self.incompat & INCOMPAT_JOURNAL_DEVICE != 0 {
            return Err(Error::unsupported("an external ext journal, not a filesystem"));
        }
        match self.incompat & !INCOMPAT_KNOWN {
            0 => Ok(()),
            unknown => Err(Error::unsupported("ext feature is not known")
                .detail(format_args!("incompatible features {unknown:#x}"))),
        }
    }

    fn set_sizes(&mut self, data: &[u8], volume_bytes: u64) -> Result<()> {
        if self.ro_compat & RO_BIGALLOC != 0 {
            let shift = u32_le(data, 0x1c)?.checked_sub(u32_le(data, 0x18)?);
            self.cluster_blocks = shift
                .filter(|&shift| shift <= 24)
                .and_then(|shift| 1u64.checked_shl(shift))
                .ok_or_else(|| Error::corrupt("cluster size is out of range"))?;
        }
        if self.incompat & INCOMPAT_64BIT != 0 {
            self.descriptor_bytes = u16_le(data, 0xfe)?.into();
            self.blocks |= u64::from(u32_le(data, 0x150)?) << 32;
        }
        let held = volume_bytes.checked_div(self.block_bytes).unwrap_or(0);
        self.truncated = held < self.blocks;
        self.blocks = self.blocks.min(held);
        let block = usize::try_from(self.block_bytes).unwrap_or(0);
        let fits = |bytes: usize, least: usize| {
            least <= bytes && bytes <= block && bytes.is_power_of_two()
        };
        if !fits(self.descriptor_bytes, 32) {
            return Err(Error::corrupt("descriptor size is out of range"));
        }
        if !fits(self.inode_bytes, 128) {
            return Err(Error::corrupt("inode size is out of range"));
        }
        Ok(())
    }

    fn set_groups(&mut self) -> Result<()> {
        let bits = self.block_bytes.saturating_mul(8);
        let per_group = self.blocks_per_group;
        if per_group < BLOCKS_PER_GROUP_MIN || bits.saturating_mul(self.cluster_blocks) < per_group
        {
            return Err(Error::corrupt("blocks per group are out of range"));
        }
        if self.inodes_per_group == 0 || bits < u64::from(self.inodes_per_group) {
            return Err(Error::corrupt("inodes per group are out of range"));
        }
        let data_blocks = self
            .blocks
            .checked_sub(self.first_data_block)
            .filter(|&blocks| blocks > 0 && self.first_data_block <= 1)
            .ok_or_else(|| Error::corrupt("first data block is out of range"))?;
        self.groups = data_blocks.div_ceil(per_group);
        let inodes = self.groups.saturating_mul(self.inodes_per_group.into());
        self.inodes = self.inodes.min(u32::try_from(inodes).unwrap_or(u32::MAX));
        Ok(())
    }

    /// Whether it has a journal.
    pub(super) fn has_journal(&self) -> bool {
        self.compat & COMPAT_JOURNAL != 0
    }

    /// Whether the journal must be replayed before anything is read.
    pub(super) fn needs_recovery(&self) -> bool {
        self.incompat & INCOMPAT_RECOVER != 0
    }

    /// Whether files may be compressed, as a patch of long ago did it.
    pub(super) fn has_compression(&self) -> bool {
        self.incompat & INCOMPAT_COMPRESSION != 0
    }

    /// Whether directory entries carry a file type beside a name length of one byte.
    pub(super) fn has_file_type(&self) -> bool {
        self.incompat & INCOMPAT_FILE_TYPE != 0
    }

    /// Whether the size of a directory has a high half.
    pub(super) fn has_large_directories(&self) -> bool {
        self.incompat & INCOMPAT_LARGE_DIRECTORY != 0
    }

    /// Whether group flags mean something.
    pub(super) fn has_group_flags(&self) -> bool {
        self.ro_compat & (RO_GROUP_CHECKSUM | RO_METADATA_CHECKSUM) != 0
    }

    /// Whether descriptors lie in the groups they describe, from `first_meta_group` on.
    pub(super) fn has_meta_groups(&self) -> bool {
        self.incompat & INCOMPAT_META_GROUPS != 0
    }

    /// The first block of a group.
    pub(super) fn group_start(&self, group: u64) -> u64 {
        group.saturating_mul(self.blocks_per_group).saturating_add(self.first_data_block)
    }

    /// Whether a group holds a copy of the superblock.
    pub(super) fn has_copy(&self, group: u64) -> bool {
        if group == 0 {
            return true;
        }
        if self.compat & COMPAT_SPARSE_SUPER2 != 0 {
            return self.backup_groups.iter().any(|&backup| u64::from(backup) == group);
        }
        self.ro_compat & RO_SPARSE_SUPER == 0
            || group == 1
            || [3, 5, 7].iter().any(|&base| is_power(group, base))
    }
}

/// Whether `number` is `base` to some power of one or more.
fn is_power(number: u64, base: u64) -> bool {
    std::iter::successors(Some(base), |power| power.checked_mul(base))
        .take_while(|&power| power <= number)
        .any(|power| power == number)
}

fn block_bytes(log: u32) -> Result<u64> {
    match log {
        0..=6 => Ok(1024 << log),
        _ => Err(Error::corrupt("block size is out of range").detail(log)),
    }
}

fn array<const N: usize>(data: &[u8], offset: usize) -> Result<[u8; N]> {
    let bytes = take(data, offset, N)?.first_chunk();
    bytes.copied().ok_or_else(|| Error::corrupt("superblock is cut short"))
}

/// Where the backups of group 1 and 3 stand, for every block size, when groups have the size mkfs
/// gives them: (group, byte of the volume).
pub(super) fn backup_places() -> impl Iterator<Item = (u64, u64)> {
    [4096u64, 1024, 2048, 8192, 16384, 32768, 65536].into_iter().flat_map(|block: u64| {
        let first = u64::from(block == 1024);
        [1u64, 3].map(|group| {
            let blocks = block.saturating_mul(8).saturating_mul(group).saturating_add(first);
            (group, blocks.saturating_mul(block))
        })
    })
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tests trust their own data"
)]
pub(super) mod tests {
    use super::*;

    /// A superblock with these little-endian fields: (offset, bytes).
    pub(in crate::filesystem::ext) fn superblock(fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut data = vec![0; 1024];
        let usual: [(usize, &[u8]); 7] = [
            (0, &[0x40, 0, 0, 0]),
            (4, &[0, 4, 0, 0]),
            (0x14, &[1, 0, 0, 0]),
            (0x20, &[0, 0x20, 0, 0]),
            (0x28, &[0x40, 0, 0, 0]),
            (0x38, &[0x53, 0xef, 1, 0]),
            (0x4c, &[1, 0, 0, 0]),
        ];
        for (offset, bytes) in usual.iter().chain([&(0x58, &[0, 1][..])]).chain(fields) {
            data[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        data
    }

    #[test]
    fn reads_a_small_filesystem() {
        let sb = Superblock::parse(&superblock(&[]), 1 << 20).unwrap();
        assert_eq!((sb.block_bytes, sb.blocks, sb.groups, sb.inodes), (1024, 1024, 1, 64));
        assert_eq!((sb.inode_bytes, sb.descriptor_bytes, sb.truncated), (256, 32, false));
    }

    #[test]
    fn refuses_what_cannot_be() {
        let what = |fields: &[(usize, &[u8])]| match Superblock::parse(&superblock(fields), 1 << 20)
        {
            Ok(_) => "fine",
            Err(error) => error.what(),
        };
        assert_eq!(what(&[(0x18, &[7])]), "block size is out of range");
        assert_eq!(what(&[(0x58, &[96])]), "inode size is out of range");
        assert_eq!(what(&[(0x20, &[0, 0, 1, 0])]), "blocks per group are out of range");
        assert_eq!(what(&[(0x28, &[0, 0x21])]), "inodes per group are out of range");
        assert_eq!(what(&[(0x60, &[8])]), "an external ext journal, not a filesystem");
        assert_eq!(what(&[(0x63, &[0x80])]), "ext feature is not known");
    }

    #[test]
    fn ends_with_its_volume() {
        let sb = Superblock::parse(&superblock(&[]), 500 * 1024).unwrap();
        assert!(sb.truncated);
        assert_eq!(sb.blocks, 500);
    }

    #[test]
    fn copies_stand_in_powers_of_three_five_and_seven() {
        let sb = Superblock::parse(&superblock(&[(0x64, &[1])]), 1 << 20).unwrap();
        let copies: Vec<u64> = (0..130).filter(|&group| sb.has_copy(group)).collect();
        assert_eq!(copies, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }
}
