//! A walk: one pass over the inode tables, with names from the directories met on the way.

use super::collect::{Collector, Troubles};
use super::group::Group;
use super::inode::{Inode, RESIZE, ROOT};
use super::labels::{self, Sets};
use super::names::Names;
use super::{Ext, bitmap};
use crate::error::{Error, ErrorKind};
use crate::filesystem::{At, FileEntry, FileKind, FileState};
use crate::limits;
use crate::locator::Escaped;
use crate::run::{Run, RunSet};
use std::collections::BTreeSet;

/// Inodes below this one are the filesystem's own, but the root.
const FIRST_ORDINARY: u32 = 11;

/// What one walk gathers.
pub(super) struct Walk<'a> {
    ext: &'a Ext,
    troubles: Troubles<'a>,
    collector: Collector<'a>,
    names: Names,
    /// Files in use, by inode.
    live: Vec<FileEntry>,
    /// Files that were deleted and left something to read.
    deleted: Vec<FileEntry>,
    /// Inodes whose contents and names are encrypted, sorted.
    encrypted: BTreeSet<u32>,
    /// Inodes that were looked at because a directory names them.
    named: BTreeSet<u32>,
}

/// Visit every file of `ext`, and return what its bytes are made of.
pub(super) fn walk<'a>(ext: &'a Ext, troubles: Troubles<'a>) -> Sets {
    let mut walk = Walk {
        ext,
        troubles,
        collector: Collector::new(ext),
        names: Names::of(ext.sb.inodes),
        live: Vec::new(),
        deleted: Vec::new(),
        encrypted: BTreeSet::new(),
        named: BTreeSet::new(),
    };
    for error in &ext.troubles {
        walk.troubles.visit(error.clone());
    }
    walk.scan_tables();
    walk.follow_names();
    walk.flush();
    let sets = walk.sets();
    walk.emit(&sets.free());
    sets
}

impl Walk<'_> {
    /// Pass on what went wrong in the collector.
    fn flush(&mut self) {
        for error in self.collector.troubles.drain(..) {
            self.troubles.visit(error);
        }
    }

    fn scan_tables(&mut self) {
        let ext = self.ext;
        let mut first = 1u32;
        for group in &ext.groups {
            if let Some(group) = group
                && !self.scan_group(first, group)
            {
                let error = Error::new(ErrorKind::Limit, "filesystem has too many files");
                return self.troubles.visit(error);
            }
            first = first.saturating_add(ext.sb.inodes_per_group);
        }
    }

    /// Look at every inode of a group that was ever used. Returns false when there are too many.
    fn scan_group(&mut self, first: u32, group: &Group) -> bool {
        let bytes = u64::try_from(self.ext.sb.inode_bytes).unwrap_or(u64::MAX);
        let ever_used = self.ext.sb.inodes_per_group.saturating_sub(group.inodes_unused);
        if ever_used == 0 {
            return true;
        }
        let used = self.ext.device.block(group.inode_bitmap);
        let used = used.map_err(|error| self.troubles.visit(error)).ok();
        let start = group.inode_table.saturating_mul(self.ext.sb.block_bytes);
        let table = Run::new(start, bytes.saturating_mul(ever_used.into()));
        let (mut at, mut index) = (table.start, 0u32);
        while at < table.end() {
            let part = Run::new(at, limits::EXT_READ_BYTES).intersect(table);
            let data = self.collector.read_patiently(part);
            for record in data.chunks_exact(self.ext.sb.inode_bytes) {
                let number = first.saturating_add(index);
                let bit = used.as_ref().map(|used| bitmap::is_set(used, index.into()));
                if number <= self.ext.sb.inodes {
                    self.inode(number, at, record, bit);
                }
                at = at.saturating_add(bytes);
                index = index.saturating_add(1);
            }
            self.flush();
            at = part.end();
        }
        self.live.len().saturating_add(self.deleted.len()) <= limits::FILES_PER_FILESYSTEM
    }

    /// Look at the inode in `record`. `used` is what the bitmap says, where it can be read.
    fn inode(&mut self, number: u32, at: u64, record: &[u8], used: Option<bool>) {
        let large = self.ext.sb.has_large_directories();
        let inode = match Inode::parse(number, at, record, large) {
            Ok(Some(inode)) => inode,
            Ok(None) => return,
            Err(error) if used == Some(true) => return self.troubles.visit(error),
            Err(_) => return,
        };
        if self.is_hidden(number) {
            return self.hidden(&inode);
        }
        if used.unwrap_or(inode.links > 0) {
            self.live(&inode);
        } else {
            self.deleted(&inode);
        }
    }

    fn is_hidden(&self, number: u32) -> bool {
        let reserved = number < FIRST_ORDINARY && number != ROOT;
        reserved
            || number != ROOT && self.ext.sb.hidden_inodes.contains(&number)
            || number != ROOT && number == self.ext.sb.journal_inode
    }

    /// An inode of the filesystem's own: what it holds is metadata. The journal's blocks are known.
    fn hidden(&mut self, inode: &Inode<'_>) {
        let holds_blocks = inode.kind == FileKind::File && !inode.is_inline();
        if !holds_blocks || inode.links == 0 && inode.number != RESIZE {
            return;
        }
        let mapping = self.collector.map(inode);
        let bytes = self.ext.sb.block_bytes;
        self.collector.metadata.extend(mapping.data_runs(bytes));
    }

    fn live(&mut self, inode: &Inode<'_>) {
        if inode.is_encrypted() {
            self.encrypted.insert(inode.number);
        }
        if inode.kind == FileKind::Directory {
            self.directory(inode);
        }
        let streams = self.collector.streams(inode);
        self.live.push(entry(inode, FileState::Live, streams));
    }

    fn directory(&mut self, inode: &Inode<'_>) {
        let (names, parent, encrypted) = (&mut self.names, inode.number, inode.is_encrypted());
        let mut trouble = None;
        self.collector.names(inode, &mut |child, name| {
            let odd = !encrypted && name.iter().any(|byte| matches!(byte, b'/' | 0));
            if odd {
                trouble = Some(Error::corrupt("name holds a slash or a zero").detail(parent));
            }
            let added = if encrypted {
                names.add(child, parent, hex(name).as_bytes())
            } else if odd {
                names.add(child, parent, &plain(name))
            } else {
                names.add(child, parent, name)
            };
            if let Err(error) = added {
                trouble = Some(error);
            }
        });
        if let Some(error) = trouble {
            self.troubles.visit(error);
        }
    }

    /// A file the bitmap calls deleted: kept when it left something to read.
    fn deleted(&mut self, inode: &Inode<'_>) {
        if !matches!(inode.kind, FileKind::File | FileKind::Link) || inode.is_attribute_value() {
            return;
        }
        let mut streams = self.collector.deleted_streams(inode).into_vec();
        for stream in &mut streams {
            if stream.size == 0 {
                let end = stream.extents.last().map_or(0, |e| e.file_offset.saturating_add(e.len));
                stream.size = end;
            }
        }
        streams.retain(|s| s.extents.iter().any(|e| !matches!(e.at, At::Hole | At::Unwritten(_))));
        if !streams.is_empty() {
            let state = FileState::Deleted { intact: false };
            self.deleted.push(entry(inode, state, streams.into()));
        }
    }

    /// Look at inodes that directories name but that the tables' scan passed over: the kernel
    /// believes the directory.
    fn follow_names(&mut self) {
        let scanned = self.live.len();
        let mut next = 0;
        while let Some(child) = self.names.child(next) {
            next = next.saturating_add(1);
            let known = self.live.get(..scanned).unwrap_or_default();
            if known.binary_search_by_key(&u64::from(child), |file| file.inode).is_ok()
                || !self.named.insert(child)
            {
                continue;
            }
            self.named_inode(child);
        }
        self.live.sort_unstable_by_key(|file| file.inode);
    }

    fn named_inode(&mut self, number: u32) {
        let found = if number < FIRST_ORDINARY && number != ROOT {
            Err(Error::corrupt("directory names an inode of the filesystem's own"))
        } else {
            self.ext.inode_record(number)
        };
        let (at, record) = match found {
            Ok(found) => found,
            Err(error) => return self.troubles.visit(error.detail(format_args!("inode {number}"))),
        };
        match Inode::parse(number, at, &record, self.ext.sb.has_large_directories()) {
            Ok(Some(inode)) if inode.links > 0 => self.live(&inode),
            Ok(_) => {
                let error = Error::corrupt("directory names an unused inode");
                self.troubles.visit(error.detail(number));
            }
            Err(error) => self.troubles.visit(error),
        }
        self.flush();
    }

    /// What the volume's bytes are made of.
    fn sets(&mut self) -> Sets {
        let ext = self.ext;
        let mut metadata = labels::fixed_metadata(ext);
        metadata.append(&mut self.collector.metadata);
        let shadowed = ext.device.patches().iter();
        let shadowed = shadowed.map(|patch| Run::new(patch.home, ext.sb.block_bytes)).collect();
        Sets {
            journal: ext.journal.clone(),
            shadowed: RunSet::from_runs(shadowed),
            metadata: RunSet::from_runs(metadata),
            free: labels::free(ext, &mut self.troubles),
        }
    }

    fn emit(mut self, free: &RunSet) {
        self.names.sort();
        for mut file in std::mem::take(&mut self.live) {
            let number = u32::try_from(file.inode).unwrap_or(0);
            let is_value = self.collector.values.contains(&number);
            if is_value && !self.names.has(number) {
                continue;
            }
            let (paths, cut) = self.names.paths(number);
            let mut paths = paths.into_iter();
            file.path = paths.next().unwrap_or_default();
            file.more_paths = paths.collect();
            if cut {
                let error = Error::new(ErrorKind::Limit, "file has too many names");
                self.troubles.visit(error.detail(Escaped(&file.path)));
            }
            if self.encrypted.contains(&number) {
                let error = Error::new(ErrorKind::Encrypted, "file or directory is encrypted");
                self.troubles.visit(error.detail(Escaped(&file.path)));
            }
            self.troubles.file(file);
        }
        for mut file in std::mem::take(&mut self.deleted) {
            let number = u32::try_from(file.inode).unwrap_or(0);
            if !self.named.contains(&number) {
                file.state = FileState::Deleted { intact: is_intact(&file, free) };
                self.troubles.file(file);
            }
        }
        self.troubles.finish();
    }
}

fn entry(
    inode: &Inode<'_>,
    state: FileState,
    streams: Box<[crate::filesystem::Stream]>,
) -> FileEntry {
    FileEntry {
        path: Box::default(),
        more_paths: Box::default(),
        inode: inode.number.into(),
        kind: inode.kind,
        mode: inode.mode,
        uid: inode.uid,
        gid: inode.gid,
        links: inode.links.into(),
        times: inode.times,
        state,
        streams,
    }
}

/// Whether all the bytes of a deleted file still lie in free space.
fn is_intact(file: &FileEntry, free: &RunSet) -> bool {
    file.streams.iter().flat_map(|stream| &*stream.extents).all(|extent| match extent.at {
        At::Disk(start) | At::Unwritten(start) => {
            let run = Run::new(start, extent.len);
            free.within(run).map(|part| part.len).sum::<u64>() == run.len
        }
        At::Inline(_) | At::Hole => true,
        At::Packed(_) => false,
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A name that cannot be mistaken for a path.
fn plain(name: &[u8]) -> Vec<u8> {
    name.iter().map(|&byte| if matches!(byte, b'/' | 0) { b'_' } else { byte }).collect()
}
