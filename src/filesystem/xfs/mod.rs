//! An XFS filesystem, versions 4 and 5.
//!
//! Written from *XFS Algorithms & Data Structures*, the format's public description:
//! <https://mirrors.edge.kernel.org/pub/linux/utils/fs/xfs/docs/xfs_filesystem_structure.pdf>.
//!
//! ```text
//! superblock ── allocation groups ── inode tree ── chunks of 64 inodes ── extent maps, attributes
//!                     └── free space trees                └── directories ── names ── paths
//! ```
//!
//! The inodes are found through the inode trees, never through directories, so that a broken
//! directory costs names and no bytes. Deleted inodes lie among the live ones.

mod ag;
mod attribute;
mod bmbt;
mod btree;
mod dead;
mod directory;
mod inode;
mod label;
mod log;
mod names;
mod superblock;
mod symlink;
mod trouble;
mod walk;

use super::extent::ExtentReader;
use super::{At, Driver, Extent, FileEntry, Filesystem};
use crate::bytes::{ReadAt, read_vec};
use crate::coverage::Kind;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::run::{Run, RunSet};
use ag::{CHUNK_INODES, Chunk};
use label::Labels;
use std::sync::{Arc, OnceLock};
use superblock::Geometry;
use trouble::Troubles;

/// XFS, versions 4 and 5.
pub(super) const DRIVER: Driver =
    Driver { name: "xfs", probe: superblock::probe, open, second_opinion: None };

/// An opened filesystem. What it keeps is small: free space, metadata runs, inode chunks.
struct Xfs {
    volume: Arc<dyn ReadAt>,
    geometry: Geometry,
    /// What was found damaged while opening.
    troubles: Troubles,
    chunks: Vec<Chunk>,
    free: RunSet,
    /// Group headers, btree blocks and inode chunks.
    metadata: RunSet,
    journal: RunSet,
    /// Complete after the first walk, which finds the metadata that belongs to files.
    labels: OnceLock<Labels>,
}

fn open(volume: Arc<dyn ReadAt>) -> Result<Box<dyn Filesystem>> {
    let mut troubles = Troubles::default();
    let (geometry, damage) = superblock::read(&*volume)?;
    if let Some(damage) = damage {
        troubles.note(damage);
    }
    for flaw in &geometry.flaws {
        troubles.note(flaw.clone());
    }
    let journal = journal(&*volume, &geometry, &mut troubles);
    let groups = ag::Groups::read(&*volume, &geometry, &mut troubles);
    let mut metadata = groups.metadata;
    for chunk in &groups.chunks {
        metadata.extend(chunk.runs(&geometry));
    }
    Ok(Box::new(Xfs {
        volume,
        geometry,
        troubles,
        chunks: groups.chunks,
        free: RunSet::from_runs(groups.free),
        metadata: RunSet::from_runs(metadata),
        journal,
        labels: OnceLock::new(),
    }))
}

/// Where the log lies. One that holds changes makes the result incomplete.
fn journal(volume: &dyn ReadAt, geometry: &Geometry, troubles: &mut Troubles) -> RunSet {
    let Some(start) = geometry.log_start else {
        troubles.note(Error::unsupported("the XFS log lies on another device"));
        return RunSet::default();
    };
    let Some(log) = geometry.run(start, geometry.log_blocks) else {
        troubles.note(Error::corrupt("XFS log lies outside its group"));
        return RunSet::default();
    };
    if troubles.keep(log::is_dirty(volume, log)) == Some(true) {
        let what = "the XFS log holds changes that were not replayed";
        troubles.note(Error::unsupported(what).detail("files may be older than they were"));
    }
    RunSet::from_runs(vec![log])
}

impl Xfs {
    /// Whether an inode is on the disk and free.
    fn is_free(&self, inode: u64) -> bool {
        let Some((ag, inode)) = self.geometry.split_inode(inode) else { return false };
        let after = self.chunks.partition_point(|chunk| (chunk.ag, chunk.first) <= (ag, inode));
        let chunk = after.checked_sub(1).and_then(|index| self.chunks.get(index));
        chunk.filter(|chunk| chunk.ag == ag).is_some_and(|chunk| {
            let index = inode.saturating_sub(chunk.first);
            let bit = 1u64.checked_shl(index).unwrap_or(0);
            u64::from(index) < CHUNK_INODES && chunk.free & !chunk.absent & bit != 0
        })
    }

    /// Where an inode lies whose chunk was given back: wholly in free space. Only v5 inodes say who
    /// they are, so only those can be believed there.
    fn place_of_gone(&self, inode: u64) -> Option<Run> {
        let (ag, inside) = self.geometry.split_inode(inode)?;
        let run = self.geometry.inode_run(ag.into(), inside.into(), 1)?;
        let free = self.free.within(run).next() == Some(run);
        (self.geometry.v5 && free).then_some(run)
    }
}

impl Filesystem for Xfs {
    fn walk(&self, visit: &mut dyn FnMut(Result<FileEntry>)) {
        walk::walk(self, visit);
    }

    fn label(&self, run: Run) -> Vec<(Run, Kind)> {
        if self.labels.get().is_none() {
            walk::walk(self, &mut |_| ());
        }
        self.labels.get().map(|labels| labels.of(run)).unwrap_or_default()
    }

    fn open<'a>(&'a self, file: &FileEntry, stream: usize) -> Result<Box<dyn ReadAt + 'a>> {
        let stream = file
            .streams
            .get(stream)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "file has no such stream"))?;
        let volume = Arc::clone(&self.volume);
        Ok(Box::new(ExtentReader::new(volume, &stream.extents, stream.size)))
    }
}

/// One walk: what it may still read, and what it has found besides files.
struct Walk<'a> {
    fs: &'a Xfs,
    troubles: Troubles,
    /// The inode at hand.
    inode: u64,
    budget_bytes: u64,
    /// Bytes of paths that may still be handed out.
    path_bytes_left: u64,
    metadata: Vec<Run>,
    /// How long that list may get before neighbours are joined.
    compact_at: usize,
}

impl<'a> Walk<'a> {
    fn new(fs: &'a Xfs) -> Walk<'a> {
        let budget = fs.volume.len().saturating_mul(limits::XFS_METADATA_READS);
        let inodes =
            u64::try_from(fs.chunks.len()).unwrap_or(u64::MAX).saturating_mul(CHUNK_INODES);
        Walk {
            fs,
            troubles: fs.troubles.clone(),
            inode: fs.geometry.root,
            budget_bytes: budget.saturating_add(limits::XFS_METADATA_BYTES),
            path_bytes_left: inodes
                .saturating_mul(limits::XFS_PATH_BYTES_PER_INODE)
                .saturating_add(limits::XFS_PATH_BYTES),
            metadata: Vec::new(),
            compact_at: limits::XFS_METADATA_RUNS,
        }
    }

    /// Take note of an error about the inode at hand.
    fn trouble(&mut self, error: Error) {
        self.troubles.note(error.detail(format_args!("inode {}", self.inode)));
    }

    /// Take `bytes` off what may still be read.
    fn spend(&mut self, bytes: u64) -> Result<()> {
        match self.budget_bytes.checked_sub(bytes) {
            Some(left) => {
                self.budget_bytes = left;
                Ok(())
            }
            None => Err(Error::new(ErrorKind::Limit, "XFS metadata is shared too often")),
        }
    }

    /// Read a block of metadata.
    fn read(&mut self, run: Run) -> Result<Vec<u8>> {
        self.spend(run.len)?;
        read_vec(&*self.fs.volume, run.start, usize::try_from(run.len).unwrap_or(0))
    }

    fn metadata(&mut self, run: Run) {
        self.metadata.push(run);
    }

    fn metadata_extents(&mut self, extents: &[Extent]) {
        for extent in extents {
            if let At::Disk(start) | At::Unwritten(start) = extent.at {
                self.metadata.push(Run::new(start, extent.len));
            }
        }
    }
}
