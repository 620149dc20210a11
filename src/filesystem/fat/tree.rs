//! The tree of directories, walked without recursion, and the chains of clusters it names. What
//! was deleted has lost its chain: it is looked for in the clusters that follow its first.

use super::boot::Root;
use super::directory::{self, Entry};
use super::table::{Clusters, Link};
use super::{Fat, Width};
use crate::bytes::read_vec;
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{At, Extent, FileEntry, FileKind, FileState, Stream, StreamName};
use crate::limits;
use crate::locator::Escaped;
use crate::run::Run;
use std::sync::Arc;

/// A byte whose repetition is an entry that is skipped: it stands for what cannot be read.
const SKIPPED: u8 = 0x08;

/// Visit everything; the clusters of all live directories come back.
pub(super) fn walk(fat: &Fat, visit: &mut dyn FnMut(Result<FileEntry>)) -> Clusters {
    let clusters = || Clusters::new(fat.geometry.cluster_count);
    let mut walk = Walk {
        fat,
        visit,
        taken: clusters(),
        directories: clusters(),
        recovered: clusters(),
        buried: clusters(),
        spare: limits::FAT_SHARED_CLUSTERS,
        visited: 0,
        path_bytes: 0,
        pending: Vec::new(),
    };
    if fat.geometry.cut {
        (walk.visit)(Err(Error::corrupt("FAT filesystem is longer than its volume or its table")));
    }
    let place = match fat.geometry.root {
        Root::Fixed(run) => Place::Fixed(run),
        Root::Chain(cluster) => Place::Chain(cluster),
    };
    walk.pending.push(Pending { parent: Arc::from([]), name: "".into(), place });
    while let Some(next) = walk.pending.pop() {
        if walk.visited > limits::FILES_PER_FILESYSTEM {
            (walk.visit)(Err(Error::new(ErrorKind::Limit, "too many files")));
            break;
        }
        walk.directory(&next);
    }
    walk.directories
}

struct Walk<'a> {
    fat: &'a Fat,
    visit: &'a mut dyn FnMut(Result<FileEntry>),
    /// Clusters of live files and directories.
    taken: Clusters,
    /// Clusters of live directories.
    directories: Clusters,
    /// Free clusters that deleted files were given.
    recovered: Clusters,
    /// First clusters of deleted directories.
    buried: Clusters,
    /// How many more clusters may be followed that somebody has already.
    spare: u64,
    visited: usize,
    /// Bytes of paths handed out.
    path_bytes: u64,
    pending: Vec<Pending>,
}

/// A directory that is still to be read.
struct Pending {
    parent: Arc<[u8]>,
    name: Box<str>,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    Fixed(Run),
    Chain(u32),
    /// One cluster of a deleted directory; where the others were is lost.
    Deleted(u32),
}

/// The clusters of a chain, joined to runs, and what is wrong with it.
#[derive(Default)]
struct Chain {
    runs: Vec<Run>,
    clusters: u64,
    fault: Option<&'static str>,
}

impl Chain {
    fn push(&mut self, cluster: Run) {
        self.clusters = self.clusters.saturating_add(1);
        match self.runs.last_mut() {
            Some(last) if last.end() == cluster.start => {
                *last = Run::between(last.start, cluster.end());
            }
            _ => self.runs.push(cluster),
        }
    }
}

impl Walk<'_> {
    fn error(&mut self, error: Error, path: &[u8]) {
        let path = if path.is_empty() { b"/" } else { path };
        (self.visit)(Err(error.detail(Escaped(path))));
    }

    fn directory(&mut self, directory: &Pending) {
        let mut path = directory.parent.to_vec();
        path.extend(directory.name.bytes());
        let runs = match directory.place {
            Place::Fixed(run) => vec![run],
            Place::Deleted(cluster) => self.fat.geometry.cluster(cluster).into_iter().collect(),
            Place::Chain(cluster) => {
                let chain = self.directory_chain(cluster);
                if let Some(fault) = chain.fault {
                    self.error(Error::corrupt(fault), &path);
                }
                chain.runs
            }
        };
        let (bytes, offsets) = self.read(&runs, &path);
        path.push(b'/');
        let parent: Arc<[u8]> = path.into();
        let buried = matches!(directory.place, Place::Deleted(_));
        let from = self.pending.len();
        for mut entry in directory::parse(&bytes, self.wide()) {
            let piece = entry.offset.checked_div(self.piece_bytes()).unwrap_or(0);
            let within = entry.offset.checked_rem(self.piece_bytes()).unwrap_or(0);
            let at = offsets.get(piece).copied().unwrap_or(0);
            let inode = at.saturating_add(u64::try_from(within).unwrap_or(0)) / 32;
            entry.deleted |= buried;
            self.entry(&parent, &entry, inode);
        }
        if let Some(children) = self.pending.get_mut(from..) {
            children.reverse();
        }
    }

    fn wide(&self) -> bool {
        self.fat.geometry.width == Width::Fat32
    }

    /// Directories are read in pieces of this size, so that one bad block costs no more.
    fn piece_bytes(&self) -> usize {
        usize::try_from(self.fat.geometry.cluster_bytes).unwrap_or(usize::MAX).max(1)
    }

    /// The bytes of a directory, and where each of its pieces lies on the volume.
    fn read(&mut self, runs: &[Run], path: &[u8]) -> (Vec<u8>, Vec<u64>) {
        let mut bytes = Vec::new();
        let mut offsets = Vec::new();
        for run in runs {
            let mut rest = *run;
            while !rest.is_empty() {
                let piece = Run::new(rest.start, rest.len.min(self.fat.geometry.cluster_bytes));
                rest = Run::between(piece.end(), rest.end());
                let len = usize::try_from(piece.len).unwrap_or(0);
                offsets.push(piece.start);
                match read_vec(&*self.fat.volume, piece.start, len) {
                    Ok(read) => bytes.extend(read),
                    Err(cause) => {
                        bytes.resize(bytes.len().saturating_add(len), SKIPPED);
                        let what = Error::new(cause.kind(), "directory could not be read");
                        self.error(what.caused_by(cause), path);
                    }
                }
            }
        }
        (bytes, offsets)
    }

    fn directory_chain(&mut self, first: u32) -> Chain {
        let mut chain = Chain::default();
        let mut cluster = first;
        loop {
            let Some(bytes) = self.fat.geometry.cluster(cluster) else {
                chain.fault = Some("directory leaves the volume");
                return chain;
            };
            if !self.directories.insert(cluster) {
                chain.fault = Some("directory loops or is shared");
                return chain;
            }
            if chain.clusters.saturating_mul(bytes.len) >= limits::FAT_DIRECTORY_BYTES {
                chain.fault = Some("directory is too large");
                return chain;
            }
            self.taken.insert(cluster);
            chain.push(bytes);
            cluster = match self.fat.table.link(cluster) {
                Link::Next(next) => next,
                Link::End => return chain,
                Link::Free | Link::Bad => {
                    chain.fault = Some("directory is cut short");
                    return chain;
                }
            };
        }
    }

    fn entry(&mut self, parent: &Arc<[u8]>, entry: &Entry, inode: u64) {
        self.visited = self.visited.saturating_add(1);
        let path = [parent, entry.name.as_bytes()].concat();
        if path.len() > limits::PATH_BYTES {
            self.error(Error::new(ErrorKind::Limit, "path is too long"), &path);
            return;
        }
        self.path_bytes =
            self.path_bytes.saturating_add(u64::try_from(path.len()).unwrap_or(u64::MAX));
        let most = u64::try_from(self.visited)
            .unwrap_or(u64::MAX)
            .saturating_mul(limits::FAT_PATH_BYTES_PER_ENTRY)
            .saturating_add(limits::FAT_PATH_BYTES);
        if self.path_bytes > most {
            (self.visit)(Err(Error::new(ErrorKind::Limit, "paths take too much memory")));
            return;
        }
        let mut streams = Vec::new();
        let state = if entry.directory {
            self.subdirectory(parent, entry, &path)
        } else if entry.deleted {
            let (state, stream) = self.deleted(entry);
            streams.push(stream);
            state
        } else {
            streams.push(self.live(entry, &path));
            FileState::Live
        };
        // FAT has no owners and no modes: this is what a mount shows by default.
        let mode = if entry.directory { 0o40_755 } else { 0o100_755 };
        (self.visit)(Ok(FileEntry {
            path: path.into(),
            more_paths: Box::new([]),
            inode,
            kind: if entry.directory { FileKind::Directory } else { FileKind::File },
            mode: if entry.read_only { mode & !0o222 } else { mode },
            uid: 0,
            gid: 0,
            links: 1,
            times: entry.times,
            state,
            streams: streams.into(),
        }));
    }

    /// Note where a subdirectory is to be read, if it can be.
    fn subdirectory(&mut self, parent: &Arc<[u8]>, entry: &Entry, path: &[u8]) -> FileState {
        let first = entry.first_cluster;
        let (state, place) = if entry.deleted {
            let intact = match self.is_buried(first) {
                Ok(intact) => intact,
                Err(cause) => {
                    let what = Error::new(cause.kind(), "directory could not be read");
                    self.error(what.caused_by(cause), path);
                    false
                }
            };
            let place = (intact && self.buried.insert(first)).then_some(Place::Deleted(first));
            (FileState::Deleted { intact }, place)
        } else {
            (FileState::Live, Some(Place::Chain(first)))
        };
        let (parent, name) = (Arc::clone(parent), entry.name.clone());
        self.pending.extend(place.map(|place| Pending { parent, name, place }));
        state
    }

    /// Whether this free cluster still holds the beginning of a directory.
    fn is_buried(&self, cluster: u32) -> Result<bool> {
        match self.fat.geometry.cluster(cluster) {
            Some(bytes) if self.fat.table.is_free(cluster) => {
                let head = read_vec(&*self.fat.volume, bytes.start, directory::ENTRY_BYTES)?;
                Ok(directory::begins(&head, cluster, self.wide()))
            }
            _ => Ok(false),
        }
    }

    /// Take `cluster`, from the bounded supply when somebody has it already.
    fn afford(&mut self, new: bool) -> bool {
        if !new {
            let left = self.spare.checked_sub(1);
            self.spare = left.unwrap_or(0);
            return left.is_some();
        }
        true
    }

    fn live(&mut self, entry: &Entry, path: &[u8]) -> Stream {
        let cluster_bytes = self.fat.geometry.cluster_bytes;
        let size = u64::from(entry.size);
        let chain = match entry.first_cluster {
            0 if size == 0 => Chain::default(),
            first => self.file_chain(first, size.div_ceil(cluster_bytes.max(1))),
        };
        if let Some(fault) = chain.fault {
            self.error(Error::corrupt(fault), path);
        }
        let size = size.min(chain.clusters.saturating_mul(cluster_bytes));
        let mut file_offset = 0u64;
        let extents = chain.runs.iter().map(|run| {
            let extent = Extent { file_offset, len: run.len, at: At::Disk(run.start) };
            file_offset = file_offset.saturating_add(run.len);
            extent
        });
        Stream { name: StreamName::Data, size, extents: extents.collect() }
    }

    /// The chain of a file that needs so many clusters. More of them follow as far as nobody else
    /// has them: bytes that the file owns and does not show.
    fn file_chain(&mut self, first: u32, needed: u64) -> Chain {
        let mut chain = Chain::default();
        let mut cluster = first;
        let mut shared = false;
        let fault = loop {
            let enough = chain.clusters >= needed;
            let Some(bytes) = self.fat.geometry.cluster(cluster) else {
                break (!enough).then_some("file leaves the volume");
            };
            let new = self.taken.insert(cluster);
            if enough && !new {
                break None;
            }
            shared |= !new;
            if !self.afford(new) {
                break Some("files share too many clusters");
            }
            if chain.runs.len() >= limits::EXTENTS_PER_FILE {
                break Some("file is in too many pieces");
            }
            chain.push(bytes);
            let enough = chain.clusters >= needed;
            cluster = match self.fat.table.link(cluster) {
                Link::Next(next) => next,
                Link::End | Link::Free | Link::Bad => {
                    break (!enough).then_some("file is shorter than its size");
                }
            };
        };
        chain.fault = fault.or(shared.then_some("file loops or shares clusters"));
        chain
    }

    /// What is left of a deleted file: those of the clusters after its first that are free. The
    /// others belong to somebody else now and read as zeros.
    fn deleted(&mut self, entry: &Entry) -> (FileState, Stream) {
        let cluster_bytes = self.fat.geometry.cluster_bytes;
        let size = u64::from(entry.size);
        let first = entry.first_cluster;
        let count = u32::try_from(size.div_ceil(cluster_bytes.max(1))).unwrap_or(u32::MAX);
        let mut extents: Vec<Extent> = Vec::new();
        let mut found = 0u32;
        for (cluster, file_offset) in (first..first.saturating_add(count))
            .zip((0u64..).step_by(usize::try_from(cluster_bytes).unwrap_or(usize::MAX)))
        {
            let Some(run) = self.fat.geometry.cluster(cluster) else { break };
            let free = self.fat.table.is_free(cluster);
            let new = free && self.recovered.insert(cluster);
            if !self.afford(new) {
                break;
            }
            if !free {
                continue;
            }
            found = found.saturating_add(1);
            let start = run.start;
            let full = extents.len() >= limits::EXTENTS_PER_FILE;
            match extents.last_mut() {
                Some(Extent { file_offset: o, len, at: At::Disk(s) })
                    if s.saturating_add(*len) == start && o.saturating_add(*len) == file_offset =>
                {
                    *len = len.saturating_add(run.len);
                }
                _ if full => break,
                _ => extents.push(Extent { file_offset, len: run.len, at: At::Disk(start) }),
            }
        }
        let intact = found == count;
        let size = if extents.is_empty() { 0 } else { size };
        let stream = Stream { name: StreamName::Data, size, extents: extents.into() };
        (FileState::Deleted { intact }, stream)
    }
}
