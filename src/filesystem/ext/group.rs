//! A block group's descriptor: where its bitmaps and its inode table lie.
//! <https://docs.kernel.org/filesystems/ext4/group_descr.html>

use super::device::Device;
use super::superblock::Superblock;
use crate::bytes::{u16_le, u32_le};
use crate::error::{Error, Result};
use crate::run::Run;

const INODE_UNINIT: u16 = 1;
const BLOCK_UNINIT: u16 = 2;

/// A block group. Its blocks are within the filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) block_bitmap: u64,
    pub(super) inode_bitmap: u64,
    pub(super) inode_table: u64,
    /// Inodes at the end of the table that were never used.
    pub(super) inodes_unused: u32,
    /// Whether the block bitmap was never written: all is free but the group's own structures.
    pub(super) blocks_unused: bool,
}

/// Every group, and what was wrong with those that are missing.
pub(super) fn read_all(device: &Device, sb: &Superblock) -> (Vec<Option<Group>>, Vec<Error>) {
    let mut groups = Vec::new();
    let mut troubles = Vec::new();
    let per_block = descriptors_per_block(sb);
    let mut group = 0u64;
    while group < sb.groups {
        let wanted = sb.groups.saturating_sub(group).min(per_block);
        match descriptor_block(device, sb, group, wanted) {
            Ok(found) => groups.extend(found),
            Err(error) => {
                troubles.push(error.detail(format_args!("descriptors of group {group} on")));
                groups.extend((0..wanted).map(|_| None));
            }
        }
        group = group.saturating_add(per_block);
    }
    let missing = groups.iter().filter(|group| group.is_none()).count();
    if missing > 0 {
        troubles.push(Error::corrupt("groups have no usable descriptor").detail(missing));
    }
    (groups, troubles)
}

/// The descriptors of `wanted` groups from `first` on: each from the first copy in which it is sane.
fn descriptor_block(
    device: &Device,
    sb: &Superblock,
    first: u64,
    wanted: u64,
) -> Result<Vec<Option<Group>>> {
    let wanted = usize::try_from(wanted).unwrap_or(0);
    let mut groups = vec![None; wanted];
    let mut result = Err(Error::corrupt("no copy of group descriptors"));
    for (index, block) in copies(sb, first).into_iter().enumerate() {
        let data = match device.block(block) {
            Ok(data) => data,
            Err(error) => {
                result = result.or(Err(error));
                continue;
            }
        };
        result = Ok(());
        for (group, data) in groups.iter_mut().zip(data.chunks_exact(sb.descriptor_bytes)) {
            let found = || parse(data, sb).ok();
            // Only the primary copy is kept up to date while the filesystem is in use.
            let is_current = index == 0 && sb.copy_of_group == 0;
            *group = group.or_else(|| if is_current { found() } else { found().map(in_doubt) });
        }
        if groups.iter().all(Option::is_some) {
            break;
        }
    }
    result.map(|()| groups)
}

/// A group of which only an old copy is known: all of it may have come into use since.
fn in_doubt(group: Group) -> Group {
    Group { inodes_unused: 0, blocks_unused: false, ..group }
}

fn descriptors_per_block(sb: &Superblock) -> u64 {
    let bytes = u64::try_from(sb.descriptor_bytes).unwrap_or(u64::MAX);
    sb.block_bytes.checked_div(bytes).unwrap_or(1).max(1)
}

/// Where the descriptors of `group` and its neighbours lie: the copy that belongs to the superblock
/// in use first, then others.
fn copies(sb: &Superblock, group: u64) -> Vec<u64> {
    let per_block = descriptors_per_block(sb);
    let index = group.checked_div(per_block).unwrap_or(0);
    let after_copy = |group: u64| {
        let start = sb.group_start(group);
        // With blocks of 1 KiB the primary superblock is in block 1 even where groups begin at 0.
        let moved = group == 0 && sb.block_bytes == 1024 && sb.first_data_block == 0;
        start.saturating_add(u64::from(sb.has_copy(group))).saturating_add(u64::from(moved))
    };
    if sb.has_meta_groups() && sb.first_meta_group <= index {
        let first = index.saturating_mul(per_block);
        let last = first.saturating_add(per_block).saturating_sub(1);
        let groups = [first, first.saturating_add(1), last];
        return groups.into_iter().filter(|&g| g < sb.groups).map(after_copy).collect();
    }
    let backups = [sb.copy_of_group, 0, 1, 3, 5, 7, 9].into_iter();
    let mut seen = Vec::new();
    for group in backups.filter(|&g| g < sb.groups && sb.has_copy(g)) {
        let block = after_copy(group).saturating_add(index);
        if !seen.contains(&block) {
            seen.push(block);
        }
    }
    seen
}

fn parse(data: &[u8], sb: &Superblock) -> Result<Group> {
    let wide = data.len() >= 64;
    let block = |low: usize, high: usize| -> Result<u64> {
        let high = if wide { u32_le(data, high)? } else { 0 };
        let block = u64::from(high) << 32 | u64::from(u32_le(data, low)?);
        if block < sb.first_data_block.max(1) || sb.blocks <= block {
            return Err(Error::corrupt("group descriptor points outside").detail(block));
        }
        Ok(block)
    };
    let flags = if sb.has_group_flags() { u16_le(data, 0x12)? } else { 0 };
    let unused_high = if wide { u16_le(data, 0x32)? } else { 0 };
    let unused = u32::from(unused_high) << 16 | u32::from(u16_le(data, 0x1c)?);
    let inodes_unused = match (sb.has_group_flags(), flags & INODE_UNINIT != 0) {
        (false, _) => 0,
        (true, true) => sb.inodes_per_group,
        (true, false) => unused.min(sb.inodes_per_group),
    };
    let group = Group {
        block_bitmap: block(0, 0x20)?,
        inode_bitmap: block(4, 0x24)?,
        inode_table: block(8, 0x28)?,
        inodes_unused,
        blocks_unused: flags & BLOCK_UNINIT != 0,
    };
    if sb.blocks < group.inode_table.saturating_add(table_blocks(sb)) {
        return Err(Error::corrupt("inode table ends outside"));
    }
    Ok(group)
}

fn table_blocks(sb: &Superblock) -> u64 {
    let bytes = u64::from(sb.inodes_per_group)
        .saturating_mul(u64::try_from(sb.inode_bytes).unwrap_or(u64::MAX));
    bytes.div_ceil(sb.block_bytes.max(1))
}

/// The blocks of a group that hold the filesystem's own fixed structures.
pub(super) fn own_blocks(sb: &Superblock, number: u64, group: Option<&Group>) -> Vec<Run> {
    let mut runs = Vec::new();
    let descriptor_blocks = sb.groups.div_ceil(descriptors_per_block(sb));
    let index = number.checked_div(descriptors_per_block(sb)).unwrap_or(0);
    let in_meta_group = sb.has_meta_groups() && sb.first_meta_group <= index;
    if sb.has_copy(number) {
        let shared = if sb.has_meta_groups() {
            descriptor_blocks.min(sb.first_meta_group)
        } else {
            descriptor_blocks.saturating_add(sb.reserved_descriptor_blocks)
        };
        let moved = number == 0 && sb.block_bytes == 1024 && sb.first_data_block == 0;
        let len = shared.saturating_add(1).saturating_add(u64::from(moved));
        runs.push(Run::new(sb.group_start(number), len));
    }
    if in_meta_group {
        let first = index.saturating_mul(descriptors_per_block(sb));
        let held = copies(sb, first);
        let start = sb.group_start(number);
        let near = Run::new(start, 3);
        let in_group = |&&block: &&u64| near.contains(Run::new(block, 1));
        runs.extend(held.iter().filter(in_group).map(|&block| Run::new(block, 1)));
    }
    if let Some(group) = group {
        runs.push(Run::new(group.block_bitmap, 1));
        runs.push(Run::new(group.inode_bitmap, 1));
        runs.push(Run::new(group.inode_table, table_blocks(sb)));
    }
    runs
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tests trust their own data"
)]
mod tests {
    use super::super::superblock::tests::superblock;
    use super::*;
    use std::sync::Arc;

    /// A volume of one group in 1-KiB blocks, with this descriptor.
    fn groups(descriptor: &[u8], flags_mean: bool) -> Vec<Option<Group>> {
        let checksums: &[(usize, &[u8])] = if flags_mean { &[(0x64, &[0x10])] } else { &[] };
        let mut volume = vec![0; 1 << 20];
        volume[1024..2048].copy_from_slice(&superblock(checksums));
        volume[2048..2048 + descriptor.len()].copy_from_slice(descriptor);
        let sb = Superblock::parse(&volume[1024..2048], 1 << 20).unwrap();
        read_all(&Device::new(Arc::new(volume), 1024), &sb).0
    }

    #[test]
    fn reads_a_descriptor() {
        let mut descriptor = [0; 32];
        for (offset, value) in [(0, 5), (4, 6), (8, 7), (0x12, 2), (0x1c, 40)] {
            descriptor[offset] = value;
        }
        let group = Group {
            block_bitmap: 5,
            inode_bitmap: 6,
            inode_table: 7,
            inodes_unused: 40,
            blocks_unused: true,
        };
        assert_eq!(groups(&descriptor, true), [Some(group)]);
        assert_eq!(groups(&descriptor, false), [Some(in_doubt(group))]);
        descriptor[0x12] = 1;
        assert_eq!(groups(&descriptor, true)[0].unwrap().inodes_unused, 64);
        descriptor[3] = 1;
        assert_eq!(groups(&descriptor, true), [None]);
        descriptor[3] = 0;
        descriptor[8..10].copy_from_slice(&[0xf8, 3]);
        assert_eq!(groups(&descriptor, true), [None]);
    }
}
