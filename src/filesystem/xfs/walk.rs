//! The walk: first every directory for the names, then every inode, last the deleted ones.

use super::ag::Chunk;
use super::dead::{self, Dead};
use super::inode::{Form, Inode};
use super::label::Labels;
use super::names::Names;
use super::superblock::{Geometry, crc_matches};
use super::{Walk, Xfs, attribute, bmbt, directory, symlink};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{At, Extent, FileEntry, FileKind, FileState, Stream, StreamName};
use crate::limits;
use crate::run::{Run, RunSet};

const INODE_CRC_OFFSET: usize = 100;

/// Visit every file of `fs`, and learn the labels on the way.
pub(super) fn walk(fs: &Xfs, visit: &mut dyn FnMut(Result<FileEntry>)) {
    let mut walk = Walk::new(fs);
    let mut names = Names::new(fs.geometry.root);
    let mut dead = Vec::new();
    for chunk in &fs.chunks {
        inodes(&mut walk, *chunk, Pass::First, &mut |walk, slot| match slot {
            Slot::Live(inode) if inode.kind() == Some(FileKind::Directory) => {
                if let Err(error) = directory::read(walk, &inode, &mut names) {
                    walk.trouble(error);
                }
            }
            Slot::Live(_) => {}
            Slot::Free(number, at, raw) => {
                if let Some(found) = dead::parse(walk, number, at, raw) {
                    if dead.len() < limits::XFS_DEAD_INODES {
                        dead.push(found);
                    } else {
                        let what = "too many deleted XFS inodes";
                        walk.troubles.note(Error::new(ErrorKind::Limit, what));
                    }
                }
            }
        });
        tell(&mut walk, visit);
    }
    dead::follow(&mut walk, &mut dead, &mut names);
    names.sort();
    if names.truncated {
        walk.troubles.note(Error::new(ErrorKind::Limit, "too many XFS directory entries"));
    }
    for chunk in &fs.chunks {
        inodes(&mut walk, *chunk, Pass::Second, &mut |walk, slot| {
            if let Slot::Live(inode) = slot
                && let Some(entry) = live(walk, &inode, &names)
            {
                visit(Ok(walk.affordable(entry)));
            }
        });
        tell(&mut walk, visit);
        walk.compact();
    }
    finish(walk, &dead, &names, visit);
}

fn finish(
    mut walk: Walk<'_>,
    dead: &[Dead],
    names: &Names,
    visit: &mut dyn FnMut(Result<FileEntry>),
) {
    let fs = walk.fs;
    for found in dead {
        if let Some(entry) = dead::entry(fs, found, names) {
            visit(Ok(walk.affordable(entry)));
        }
    }
    tell(&mut walk, visit);
    for error in walk.troubles.rest() {
        visit(Err(error));
    }
    let mut metadata = walk.metadata;
    metadata.extend_from_slice(fs.metadata.runs());
    let beyond = Run::between(fs.geometry.bytes(), fs.volume.len());
    let mut free = fs.free.runs().to_vec();
    free.push(beyond);
    fs.labels.get_or_init(|| {
        let metadata = RunSet::from_runs(metadata);
        Labels::new(fs.journal.clone(), &metadata, &RunSet::from_runs(free))
    });
}

fn tell(walk: &mut Walk<'_>, visit: &mut dyn FnMut(Result<FileEntry>)) {
    for error in walk.troubles.drain() {
        visit(Err(error));
    }
}

impl Walk<'_> {
    /// The file, with its paths as long as there is memory for paths: hard links and deep
    /// directories could make them out of proportion to the image.
    fn affordable(&mut self, mut file: FileEntry) -> FileEntry {
        let paths = std::iter::once(&file.path).chain(&file.more_paths);
        let bytes = paths.fold(0u64, |sum, path| {
            sum.saturating_add(u64::try_from(path.len()).unwrap_or(u64::MAX))
        });
        if let Some(left) = self.path_bytes_left.checked_sub(bytes) {
            self.path_bytes_left = left;
            return file;
        }
        self.troubles.note(Error::new(ErrorKind::Limit, "XFS paths take too much memory"));
        let orphan = format!("/$Orphan/{}", file.inode);
        file.path = if file.is_live() { orphan.into_bytes().into() } else { Box::default() };
        file.more_paths = Box::default();
        file
    }

    /// Keep the list of metadata short: neighbours become one run.
    fn compact(&mut self) {
        if self.metadata.len() >= self.compact_at {
            let set = RunSet::from_runs(std::mem::take(&mut self.metadata));
            self.metadata = set.runs().to_vec();
            self.compact_at = self.metadata.len().saturating_mul(2).max(self.compact_at);
        }
    }
}

impl Chunk {
    /// Where its inodes lie; in several runs when it is sparse.
    pub(super) fn runs(self, geometry: &Geometry) -> impl Iterator<Item = Run> + '_ {
        let mut next = 0u32;
        std::iter::from_fn(move || {
            let rest = self.absent.checked_shr(next)?;
            let start = next.saturating_add(rest.trailing_ones());
            let len = self.absent.checked_shr(start)?.trailing_zeros();
            let len = len.min(u64::BITS.saturating_sub(start));
            next = start.saturating_add(len);
            let first = u64::from(self.first).saturating_add(start.into());
            (len > 0).then(|| geometry.inode_run(self.ag.into(), first, len.into())).flatten()
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// Damage is told, and free inodes are looked at.
    First,
    Second,
}

enum Slot<'a> {
    Live(Inode<'a>),
    /// Number, place on the volume, bytes.
    Free(u64, u64, &'a [u8]),
}

/// Hand over the inodes of a chunk.
fn inodes(
    walk: &mut Walk<'_>,
    chunk: Chunk,
    pass: Pass,
    take: &mut dyn FnMut(&mut Walk<'_>, Slot<'_>),
) {
    let fs = walk.fs;
    let inode_bytes = usize::try_from(fs.geometry.inode_bytes).unwrap_or(512);
    let base = u64::from(chunk.first).saturating_mul(fs.geometry.inode_bytes);
    let base = fs.geometry.ag_start(chunk.ag.into()).saturating_add(base);
    for run in chunk.runs(&fs.geometry) {
        let mut bytes = vec![0; usize::try_from(run.len).unwrap_or(0)];
        if let Err(error) = fs.volume.read_at(run.start, &mut bytes) {
            if pass == Pass::First {
                walk.troubles.note(error);
            }
            continue;
        }
        let skipped = run.start.saturating_sub(base).checked_div(fs.geometry.inode_bytes);
        let first = u32::try_from(skipped.unwrap_or(0)).unwrap_or(0);
        for (index, raw) in (first..).zip(bytes.chunks_exact(inode_bytes)) {
            let number = u64::from(chunk.first).saturating_add(index.into());
            let number = fs.geometry.inode_number(chunk.ag.into(), number);
            let at = base.saturating_add(fs.geometry.inode_bytes.saturating_mul(index.into()));
            walk.inode = number;
            if chunk.free & 1u64.checked_shl(index).unwrap_or(0) != 0 {
                if pass == Pass::First {
                    take(walk, Slot::Free(number, at, raw));
                }
                continue;
            }
            let intact = !fs.geometry.v5 || crc_matches(raw, INODE_CRC_OFFSET);
            if pass == Pass::First && !intact {
                walk.trouble(Error::corrupt("XFS inode fails its checksum"));
            }
            match Inode::parse(raw, number, at) {
                Ok(inode) => take(walk, Slot::Live(inode)),
                Err(error) if pass == Pass::First => walk.trouble(error),
                Err(_) => {}
            }
        }
    }
}

/// A live inode as a file. The filesystem's own files are metadata.
fn live(walk: &mut Walk<'_>, inode: &Inode<'_>, names: &Names) -> Option<FileEntry> {
    if inode.metadata || walk.fs.geometry.system_inodes.contains(&inode.number) {
        if inode.data.form != Form::Local && !inode.realtime {
            let extents = bmbt::extents(walk, &inode.data);
            let extents = walk.troubles.keep(extents).unwrap_or_default();
            walk.metadata_extents(&extents);
        }
        return None;
    }
    let Some(kind) = inode.kind() else {
        walk.trouble(Error::corrupt("XFS inode is of no known type"));
        return None;
    };
    let mut streams = Vec::new();
    let data = match kind {
        FileKind::File => data(walk, inode).map(Some),
        FileKind::Link => symlink::target(walk, inode).map(Some),
        FileKind::Directory | FileKind::Special => Ok(None),
    };
    match data {
        Ok(stream) => streams.extend(stream),
        Err(error) => walk.trouble(error),
    }
    streams.extend(attribute::streams(walk, inode));
    if usize::try_from(inode.links).is_ok_and(|links| links > limits::XFS_NAMES_PER_FILE) {
        walk.trouble(Error::new(ErrorKind::Limit, "XFS file has too many names"));
    }
    let mut paths = names.paths(inode.number).into_iter();
    Some(FileEntry {
        path: paths.next().unwrap_or_default(),
        more_paths: paths.collect(),
        inode: inode.number,
        kind,
        mode: inode.mode,
        uid: inode.uid,
        gid: inode.gid,
        links: inode.links,
        times: inode.times,
        state: FileState::Live,
        streams: streams.into(),
    })
}

fn data(walk: &mut Walk<'_>, inode: &Inode<'_>) -> Result<Stream> {
    if inode.realtime {
        return Err(Error::unsupported("XFS realtime file"));
    }
    let extents = if inode.data.form == Form::Local {
        let inside = u64::try_from(inode.data.bytes.len()).unwrap_or(0);
        if inode.size > inside {
            return Err(Error::corrupt("XFS file leaves its inode"));
        }
        vec![Extent { file_offset: 0, len: inode.size, at: At::Inline(inode.data.at) }]
    } else {
        bmbt::extents(walk, &inode.data)?
    };
    Ok(Stream { name: StreamName::Data, size: inode.size, extents: extents.into() })
}
