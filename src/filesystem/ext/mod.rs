//! An ext2, ext3 or ext4 filesystem, as it would look once its journal is replayed.
//! <https://docs.kernel.org/filesystems/ext4/>
//!
//! Files are found by scanning the inode tables, so that those no directory names are found too.
//! What the journal holds is laid over the volume and everything is read through that: a block's
//! newest copy may lie in the journal, and then that is where a file's extent points.

mod bitmap;
mod block_map;
mod collect;
mod device;
mod directory;
mod extent_tree;
mod group;
mod inode;
mod journal;
mod labels;
mod mapping;
mod names;
mod second_opinion;
mod superblock;
mod walk;
mod xattr;

use super::extent::ExtentReader;
use super::{At, Driver, Extent, FileEntry, Filesystem};
use crate::bytes::{ReadAt, read_vec};
use crate::coverage::Kind;
use crate::error::{Error, ErrorKind, Result};
use crate::run::{Run, RunSet};
use collect::Troubles;
use device::{Device, Restored};
use group::Group;
use inode::{Inode, ROOT_BYTES};
use labels::Labels;
use mapping::{Mapping, Meter};
use std::sync::{Arc, OnceLock};
use superblock::Superblock;

/// The driver.
pub(super) const DRIVER: Driver =
    Driver { name: "ext4", probe, open, second_opinion: Some(second_opinion::read) };

/// Where btrfs keeps its superblock; it leaves everything before it zero.
const BTRFS_MAGIC: (u64, &[u8; 8]) = (0x1_0040, b"_BHRfS_M");

/// An open filesystem.
struct Ext {
    device: Device,
    sb: Superblock,
    groups: Vec<Option<Group>>,
    journal: RunSet,
    /// What went wrong so far.
    troubles: Vec<Error>,
    labels: OnceLock<Labels>,
}

/// Whether the primary superblock has its magic, or was overwritten in a way that leaves no other
/// filesystem in its place while a backup stands.
fn probe(volume: &dyn ReadAt) -> Result<bool> {
    if volume.len() < 2048 {
        return Ok(false);
    }
    if read_vec(volume, superblock::PRIMARY.saturating_add(0x38), 2)? == [0x53, 0xef] {
        return Ok(true);
    }
    Ok(backup(volume)?.is_some())
}

/// A backup superblock that may be believed: what stands in the primary's place is zeros, or has
/// the backup's own UUID.
fn backup(volume: &dyn ReadAt) -> Result<Option<Superblock>> {
    let head = read_vec(volume, 0, 2048)?;
    let uuid = head.get(1024 + 0x68..1024 + 0x78).unwrap_or_default();
    let is_wiped = head.iter().all(|&byte| byte == 0);
    if is_wiped {
        let mut magic = [0; 8];
        let fits = volume.len() >= BTRFS_MAGIC.0.saturating_add(8);
        if fits {
            volume.read_at(BTRFS_MAGIC.0, &mut magic)?;
        }
        if &magic == BTRFS_MAGIC.1 {
            return Ok(None);
        }
    } else if uuid.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    Ok(superblock::backup_places()
        .filter_map(|(group, at)| {
            let sb = Superblock::read(volume, at).ok()?;
            let is_there = sb.group_start(group).checked_mul(sb.block_bytes) == Some(at);
            (sb.copy_of_group == group && is_there && sb.intact).then_some(sb)
        })
        .find(|sb| is_wiped || sb.uuid == uuid))
}

fn open(volume: Arc<dyn ReadAt>) -> Result<Box<dyn Filesystem>> {
    Ok(Box::new(Ext::open(volume)?))
}

impl Ext {
    fn open(volume: Arc<dyn ReadAt>) -> Result<Ext> {
        let (sb, mut troubles) = read_superblock(&*volume)?;
        let device = Device::new(volume, sb.block_bytes);
        let (groups, missing) = group::read_all(&device, &sb);
        let mut ext = Ext {
            device,
            sb,
            groups,
            journal: RunSet::default(),
            troubles: Vec::new(),
            labels: OnceLock::new(),
        };
        if ext.sb.has_journal() && ext.replay(&mut troubles) {
            ext.reread(&mut troubles);
        } else {
            troubles.extend(missing);
        }
        if ext.sb.needs_recovery() && !ext.sb.has_journal() {
            troubles.push(Error::corrupt("journal is due, and the superblock says there is none"));
        }
        if !ext.sb.intact {
            troubles.push(Error::corrupt("superblock fails its checksum"));
        }
        if ext.sb.truncated {
            troubles.push(Error::corrupt("filesystem is larger than its volume"));
        }
        ext.troubles = troubles;
        Ok(ext)
    }

    /// Find the journal, and lay what it holds over the volume. Returns whether there was anything.
    fn replay(&mut self, troubles: &mut Vec<Error>) -> bool {
        let is_primary = self.sb.copy_of_group == 0;
        let is_due = self.sb.needs_recovery();
        if self.sb.journal_inode == 0 {
            if is_due {
                troubles.push(Error::unsupported(
                    "journal is on another device and not replayed; some files are shown older",
                ));
            }
            return false;
        }
        let mapping = match self.journal_mapping() {
            Ok(mapping) => mapping,
            Err(error) => {
                troubles.push(error);
                return false;
            }
        };
        self.journal = RunSet::from_runs(mapping.data_runs(self.sb.block_bytes).collect());
        // A backup superblock does not say whether replay is due; the journal itself does.
        if is_due || !is_primary {
            let found = journal::replay(&self.device, &mapping.pieces, self.sb.blocks);
            troubles.extend(found.troubles);
            self.device.set_patches(found.patches);
        }
        !self.device.patches().is_empty()
    }

    /// Where the journal lies, from its inode or from the copy of it in the superblock.
    fn journal_mapping(&self) -> Result<Mapping> {
        let number = self.sb.journal_inode;
        let from_inode = self.inode_record(number).and_then(|(at, record)| {
            let inode = Inode::parse(number, at, &record, false)?;
            inode.map(|inode| self.sound_mapping(&inode)).transpose()
        });
        match from_inode {
            Ok(Some(mapping)) => Ok(mapping),
            Ok(None) => self.journal_backup(Error::corrupt("journal inode is not in use")),
            Err(error) => self.journal_backup(error),
        }
    }

    fn journal_backup(&self, error: Error) -> Result<Mapping> {
        let mut record = vec![0; 128];
        let backup = self.sb.journal_backup;
        let (root, size) = backup.split_at_checked(ROOT_BYTES).unwrap_or_default();
        let is_tree = root.starts_with(&[0x0a, 0xf3]);
        let fields: [(usize, &[u8]); 5] = [
            (0, &[0, 0x80]),
            (4, size.get(4..8).unwrap_or_default()),
            (0x20, &[0, 0, u8::from(is_tree) << 3, 0]),
            (inode::ROOT_OFFSET, root),
            (0x6c, size.get(..4).unwrap_or_default()),
        ];
        for (offset, bytes) in fields {
            if let Some(to) = record.get_mut(offset..offset.saturating_add(bytes.len())) {
                to.copy_from_slice(bytes);
            }
        }
        let backup = Inode::parse(self.sb.journal_inode, 0, &record, false)?;
        match backup.map(|inode| self.sound_mapping(&inode)) {
            Some(Ok(mapping)) if !mapping.pieces.is_empty() => Ok(mapping),
            _ => Err(Error::corrupt("journal cannot be found").caused_by(error)),
        }
    }

    fn sound_mapping(&self, inode: &Inode<'_>) -> Result<Mapping> {
        let mut meter = Meter::new(self.sb.blocks);
        let mut mapping = Mapping::read(&self.device, self.sb.blocks, &mut meter, inode);
        match mapping.trouble.take() {
            Some(error) => Err(error),
            None => Ok(mapping),
        }
    }

    /// Read superblock and descriptors again, now that the journal lies over them.
    fn reread(&mut self, troubles: &mut Vec<Error>) {
        let start = self.sb.group_start(self.sb.copy_of_group);
        let at = match self.sb.copy_of_group {
            0 => superblock::PRIMARY,
            _ => start.saturating_mul(self.sb.block_bytes),
        };
        match Superblock::read(&self.device, at) {
            Ok(sb) if sb.block_bytes == self.sb.block_bytes => self.sb = sb,
            Ok(_) => troubles.push(Error::corrupt("journal holds another superblock")),
            Err(error) => troubles.push(error),
        }
        let (groups, missing) = group::read_all(&self.device, &self.sb);
        self.groups = groups;
        troubles.extend(missing);
    }

    /// An inode's record, and its first byte on the device.
    fn inode_record(&self, number: u32) -> Result<(u64, Vec<u8>)> {
        let outside = || Error::corrupt("inode number is out of range").detail(number);
        let index =
            number.checked_sub(1).filter(|_| number <= self.sb.inodes).ok_or_else(outside)?;
        let group = index.checked_div(self.sb.inodes_per_group).ok_or_else(outside)?;
        let slot = index.checked_rem(self.sb.inodes_per_group).ok_or_else(outside)?;
        let group = usize::try_from(group).ok().and_then(|group| self.groups.get(group));
        let group = group
            .copied()
            .flatten()
            .ok_or_else(|| Error::corrupt("inode's group has no descriptor").detail(number))?;
        let bytes = u64::try_from(self.sb.inode_bytes).unwrap_or(0);
        let table = group.inode_table.saturating_mul(self.sb.block_bytes);
        let at = table.saturating_add(bytes.saturating_mul(slot.into()));
        Ok((at, self.device.read_vec(at, self.sb.inode_bytes)?))
    }
}

/// The primary superblock, or a backup where the primary makes no sense, and what was wrong.
fn read_superblock(volume: &dyn ReadAt) -> Result<(Superblock, Vec<Error>)> {
    match Superblock::read(volume, superblock::PRIMARY) {
        Ok(sb) => Ok((sb, Vec::new())),
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(error),
        Err(error) => match backup(volume)? {
            Some(sb) => {
                let said =
                    Error::corrupt("superblock is broken; a backup is used").caused_by(error);
                Ok((sb, vec![said]))
            }
            None => Err(error),
        },
    }
}

impl Filesystem for Ext {
    fn walk(&self, visit: &mut dyn FnMut(Result<FileEntry>)) {
        let sets = walk::walk(self, Troubles::new(visit));
        self.labels.get_or_init(|| sets.labels());
    }

    fn label(&self, run: Run) -> Vec<(Run, Kind)> {
        let labels =
            self.labels.get_or_init(|| walk::walk(self, Troubles::new(&mut |_| ())).labels());
        labels.of(run)
    }

    fn open<'a>(&'a self, file: &FileEntry, stream: usize) -> Result<Box<dyn ReadAt + 'a>> {
        let stream = file
            .streams
            .get(stream)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "file has no such stream"))?;
        let packed: Vec<Run> = stream.extents.iter().filter_map(packed_run).collect();
        let volume = self.device.volume();
        if packed.is_empty() {
            let reader = ExtentReader::new(Arc::clone(volume), &stream.extents, stream.size);
            return Ok(Box::new(reader));
        }
        let bytes = self.device.block_bytes();
        let restored = Arc::new(Restored::new(Arc::clone(volume), bytes, &packed));
        let extents: Vec<Extent> = stream.extents.iter().map(unpacked).collect();
        Ok(Box::new(ExtentReader::new(restored, &extents, stream.size)))
    }
}

fn packed_run(extent: &Extent) -> Option<Run> {
    match extent.at {
        At::Packed(run) => Some(run),
        At::Disk(_) | At::Hole | At::Unwritten(_) | At::Inline(_) => None,
    }
}

/// The extent, read where it lies by a reader that restores what is packed.
fn unpacked(extent: &Extent) -> Extent {
    match extent.at {
        At::Packed(run) => Extent { at: At::Disk(run.start), ..*extent },
        At::Disk(_) | At::Hole | At::Unwritten(_) | At::Inline(_) => *extent,
    }
}
