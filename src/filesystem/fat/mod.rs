//! The FAT filesystem in its three widths, as EFI system partitions carry it:
//! Microsoft's "FAT: General Overview of On-Disk Format", version 1.03.

mod boot;
mod directory;
mod table;
mod tree;
mod witness;

use super::extent::ExtentReader;
use super::{Driver, FileEntry, Filesystem};
use crate::bytes::ReadAt;
use crate::coverage::Kind;
use crate::error::{Error, Result};
use crate::run::Run;
use boot::{FIRST_CLUSTER, Geometry, Width};
use std::sync::{Arc, OnceLock};
use table::{Clusters, Table};

/// FAT12, FAT16 and FAT32.
pub(super) const DRIVER: Driver = Driver {
    name: "FAT",
    probe: |volume| Ok(boot::read(volume)?.is_some()),
    open: |volume| Ok(Box::new(Fat::open(volume)?)),
    second_opinion: Some(witness::read),
};

/// A FAT volume.
struct Fat {
    volume: Arc<dyn ReadAt>,
    geometry: Geometry,
    table: Table,
    /// The clusters of all directories, once somebody walked the tree.
    directories: OnceLock<Clusters>,
}

impl Fat {
    fn open(volume: Arc<dyn ReadAt>) -> Result<Fat> {
        let geometry = boot::read(&*volume)?.ok_or_else(|| Error::corrupt("no FAT boot sector"))?;
        let table = Table::read(&*volume, &geometry)?;
        Ok(Fat { volume, geometry, table, directories: OnceLock::new() })
    }

    /// What the bytes of one cluster are, when no file shows them.
    fn kind(&self, cluster: u32, directories: &Clusters) -> Kind {
        if directories.contains(cluster) {
            Kind::Metadata
        } else if self.table.is_free(cluster) {
            Kind::Free
        } else {
            Kind::Slack
        }
    }

    /// The clusters that hold bytes of `run`.
    fn clusters(&self, run: Run) -> impl Iterator<Item = u32> + use<> {
        let index = |byte: u64| {
            let from = byte.saturating_sub(self.geometry.data_start);
            let index = from.checked_div(self.geometry.cluster_bytes).unwrap_or(0);
            u32::try_from(index).unwrap_or(u32::MAX).saturating_add(FIRST_CLUSTER)
        };
        let data = Run::between(self.geometry.data_start, self.geometry.data_end());
        let run = run.intersect(data);
        let end =
            if run.is_empty() { 0 } else { index(run.end().saturating_sub(1)).saturating_add(1) };
        index(run.start)..end
    }
}

impl Filesystem for Fat {
    fn walk(&self, visit: &mut dyn FnMut(Result<FileEntry>)) {
        let directories = tree::walk(self, visit);
        // Whoever came first found the same.
        let _ = self.directories.set(directories);
    }

    fn label(&self, run: Run) -> Vec<(Run, Kind)> {
        let directories = self.directories.get_or_init(|| tree::walk(self, &mut |_| {}));
        let mut parts: Vec<(Run, Kind)> = Vec::new();
        let mut add = |part: Run, kind: Kind| {
            let part = part.intersect(run);
            match parts.last_mut() {
                _ if part.is_empty() => {}
                Some((last, k)) if *k == kind => *last = Run::between(last.start, part.end()),
                _ => parts.push((part, kind)),
            }
        };
        add(Run::between(0, self.geometry.data_start), Kind::Metadata);
        for cluster in self.clusters(run) {
            if let Some(bytes) = self.geometry.cluster(cluster) {
                add(bytes, self.kind(cluster, directories));
            }
        }
        add(Run::between(self.geometry.data_end(), u64::MAX), Kind::Slack);
        parts
    }

    fn open<'a>(&'a self, file: &FileEntry, stream: usize) -> Result<Box<dyn ReadAt + 'a>> {
        let stream = file.streams.get(stream).ok_or_else(|| Error::corrupt("no such stream"))?;
        Ok(Box::new(ExtentReader::new(Arc::clone(&self.volume), &stream.extents, stream.size)))
    }
}
