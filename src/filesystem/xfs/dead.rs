//! A dead inode: deletion empties its core, and leaves the extent records of a file that was on
//! the disk before where they were. Anything here is garbage until it has proved plausible.

use super::ag::CHUNK_INODES;
use super::bmbt::Record;
use super::directory::{self, ShortForm};
use super::inode::{Form, Inode, literal_area};
use super::names::Names;
use super::superblock::crc_matches;
use super::{Walk, Xfs};
use crate::bytes::{read_vec, u8_at, u16_be, u32_be, u64_be};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{At, Extent, FileEntry, FileKind, FileState, Stream, StreamName, Times};
use crate::limits;
use crate::run::Run;
use std::collections::HashSet;

const RECORD_BYTES: usize = 16;
const LINK_HEADER_BYTES: u64 = 56;
/// No inode has room for a longer target.
const INLINE_LINK_BYTES: u64 = 2048;

/// What is left of a deleted inode.
#[derive(Debug)]
pub(super) struct Dead {
    pub(super) inode: u64,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) times: Times,
    pub(super) kind: FileKind,
    /// The length it had, where its core survives; elsewhere its blocks tell how long it may be.
    pub(super) size: Option<u64>,
    pub(super) extents: Box<[Extent]>,
    /// The names a directory in its inode left there.
    pub(super) names: Box<[u8]>,
}

/// What a free inode still tells, if anything.
pub(super) fn parse(walk: &mut Walk<'_>, number: u64, at: u64, raw: &[u8]) -> Option<Dead> {
    let fs = walk.fs;
    let inode = Inode::parse(raw, number, at).ok()?;
    if inode.mode != 0 || (fs.geometry.v5 && !crc_matches(raw, 100)) {
        return None;
    }
    let (area, _) = literal_area(raw).ok()?;
    let extents = match records(fs, area) {
        extents if extents.is_empty() => tree(walk, area),
        extents => extents,
    };
    let names = if extents.is_empty() { short_form(fs, area)? } else { &[] };
    let kind = if extents.is_empty() { FileKind::Directory } else { kind(fs, number, &extents) };
    Some(Dead {
        inode: number,
        mode: 0,
        uid: inode.uid,
        gid: inode.gid,
        times: Times { deleted: inode.times.changed, ..inode.times },
        kind,
        size: None,
        extents: extents.into(),
        names: names.into(),
    })
}

/// The inode of a chunk that was given back whole. Such a chunk is not written again, so the
/// inode stands as it was before the deletion.
pub(super) fn parse_freed(walk: &mut Walk<'_>, number: u64, at: u64, raw: &[u8]) -> Option<Dead> {
    let inode = Inode::parse(raw, number, at).ok()?;
    if inode.mode == 0 {
        return parse(walk, number, at, raw);
    }
    let kind = inode.kind().filter(|_| crc_matches(raw, 100))?;
    let mut names: &[u8] = &[];
    let extents = match inode.data.form {
        Form::Device => Vec::new(),
        Form::Local if kind == FileKind::Directory => {
            names = inode.data.bytes;
            Vec::new()
        }
        Form::Local => {
            let room = u64::try_from(inode.data.bytes.len()).unwrap_or(0);
            let len = inode.size.min(room);
            vec![Extent { file_offset: 0, len, at: At::Disk(inode.data.at) }]
        }
        Form::Extents => {
            let count = usize::try_from(inode.data.extent_count).unwrap_or(usize::MAX);
            let len = count.saturating_mul(RECORD_BYTES).min(inode.data.bytes.len());
            records(walk.fs, inode.data.bytes.get(..len).unwrap_or_default())
        }
        Form::Tree => tree(walk, inode.data.bytes),
    };
    Some(Dead {
        inode: number,
        mode: inode.mode,
        uid: inode.uid,
        gid: inode.gid,
        times: inode.times,
        kind,
        size: Some(inode.size),
        extents: extents.into(),
        names: names.into(),
    })
}

/// The records at the start of `area`, as far as they can be those of one file: inside their
/// groups, in ascending order, and not absurdly far apart.
pub(super) fn records(fs: &Xfs, area: &[u8]) -> Vec<Extent> {
    records_after(fs, area, None)
}

fn records_after(fs: &Xfs, area: &[u8], last: Option<Extent>) -> Vec<Extent> {
    let mut extents = Vec::new();
    let mut end = last.map_or(0, |last| last.file_offset.saturating_add(last.len));
    for bytes in area.chunks_exact(RECORD_BYTES) {
        let Some(extent) = Record::parse(bytes).ok().and_then(|r| plausible(fs, r, end)) else {
            break;
        };
        end = extent.file_offset.saturating_add(extent.len);
        extents.push(extent);
    }
    extents
}

fn plausible(fs: &Xfs, record: Record, after: u64) -> Option<Extent> {
    let run = fs.geometry.run(record.start, record.count).filter(|run| !run.is_empty())?;
    let file_offset = record.offset.checked_mul(fs.geometry.block_bytes)?;
    let span = fs.geometry.bytes().saturating_mul(limits::XFS_DEAD_SPAN);
    let end = file_offset.checked_add(run.len)?;
    let at = if record.unwritten { At::Unwritten(run.start) } else { At::Disk(run.start) };
    let sane = after <= file_offset && end <= span && fs.metadata.within(run).next().is_none();
    sane.then_some(Extent { file_offset, len: run.len, at })
}

/// The records of a tree that was rooted in `area`. Only v5 says in each block whose it is.
fn tree(walk: &mut Walk<'_>, area: &[u8]) -> Vec<Extent> {
    if !walk.fs.geometry.v5 {
        return Vec::new();
    }
    leaves(walk, area).unwrap_or_default()
}

fn leaves(walk: &mut Walk<'_>, area: &[u8]) -> Result<Vec<Extent>> {
    let mut extents = Vec::new();
    let count = usize::from(u16_be(area, 2)?);
    // An attribute fork may have stood behind the tree, so where its pointers begin is not known:
    // every place is tried, and the blocks decide.
    let most = area.len().saturating_sub(4) / RECORD_BYTES;
    if u16_be(area, 0)? != 1 || count == 0 || count > most {
        return Ok(extents);
    }
    for room in count..=most {
        let first = room.saturating_mul(8).saturating_add(4);
        let mut found: Vec<Extent> = Vec::new();
        for index in 0..count {
            let Ok(pointer) = u64_be(area, first.saturating_add(index.saturating_mul(8))) else {
                break;
            };
            let Some(block) = leaf(walk, pointer)? else { break };
            found.extend(records_after(walk.fs, &block, found.last().copied()));
        }
        if found.len() > extents.len() {
            extents = found;
        }
    }
    Ok(extents)
}

/// The records of a freed leaf that says it belongs to the inode at hand.
fn leaf(walk: &mut Walk<'_>, number: u64) -> Result<Option<Vec<u8>>> {
    let Some(run) = walk.fs.geometry.run(number, 1) else { return Ok(None) };
    if walk.fs.free.within(run).next() != Some(run) {
        return Ok(None);
    }
    let mut block = walk.read(run)?;
    let ours = block.starts_with(b"BMA3\0\0") && u64_be(&block, 56)? == walk.inode;
    if !ours || !crc_matches(&block, 64) {
        return Ok(None);
    }
    let len = usize::from(u16_be(&block, 6)?).saturating_mul(RECORD_BYTES);
    block.truncate(len.saturating_add(72));
    Ok(Some(block.split_off(72.min(block.len()))))
}

/// What the first block looks like.
fn kind(fs: &Xfs, number: u64, extents: &[Extent]) -> FileKind {
    let Some(Extent { at: At::Disk(start), .. }) = extents.first() else { return FileKind::File };
    let run = Run::new(*start, 64);
    let Ok(head) = read_vec(&*fs.volume, run.start, 64) else { return FileKind::File };
    let owner = |offset| !fs.geometry.v5 || u64_be(&head, offset).ok() == Some(number);
    if directory::is_data_block(&head, fs.geometry.v5) && owner(40) {
        return FileKind::Directory;
    }
    if fs.geometry.v5 && head.starts_with(b"XSLM") && owner(32) {
        return FileKind::Link;
    }
    FileKind::File
}

/// A directory that lay in its inode: its header must count entries and name a parent, and be
/// followed by what can be one.
fn short_form<'a>(fs: &Xfs, area: &'a [u8]) -> Option<&'a [u8]> {
    let header = area.first_chunk::<6>()?;
    let [count, wide, ..] = *header;
    let parent = u64::from(u32_be(header, 2).ok()?);
    if wide != 0 || parent == 0 || fs.geometry.split_inode(parent).is_none() || count == 0 {
        return None;
    }
    let name_len = u8_at(area, 6).ok()?;
    (name_len != 0).then_some(area)
}

/// Read the names in deleted directories, and look where they lead: to inodes of chunks that were
/// given back, which only a name still points to, and which may be directories again.
pub(super) fn follow(walk: &mut Walk<'_>, dead: &mut Vec<Dead>, names: &mut Names) {
    let mut seen = HashSet::new();
    let mut next = 0usize;
    loop {
        while let Some(found) = dead.get_mut(next) {
            next = next.saturating_add(1);
            if found.kind == FileKind::Directory {
                directory(walk, found, names);
            }
        }
        let Some(inode) = names.next_gone() else { return };
        let first = inode.saturating_sub(inode % CHUNK_INODES);
        if !seen.insert(first) {
            continue;
        }
        if seen.len() > limits::XFS_FREED_CHUNKS || dead.len() >= limits::XFS_DEAD_INODES {
            walk.troubles.note(Error::new(ErrorKind::Limit, "too many deleted XFS inodes"));
            return;
        }
        freed_chunk(walk, first, dead);
    }
}

fn directory(walk: &mut Walk<'_>, found: &mut Dead, names: &mut Names) {
    walk.inode = found.inode;
    let area = std::mem::take(&mut found.names);
    if !area.is_empty() {
        let form = ShortForm { wide: false, ftype: walk.fs.geometry.ftype };
        form.left_behind(&area, 6, &mut names.sink(walk.fs, found.inode));
    }
    let (parts, _) = still_free(walk.fs, &found.extents);
    directory::blocks_of_dead(walk, &parts, names);
}

/// The inodes around `first` that lie in free space.
fn freed_chunk(walk: &mut Walk<'_>, first: u64, dead: &mut Vec<Dead>) {
    let fs = walk.fs;
    let inode_bytes = usize::try_from(fs.geometry.inode_bytes).unwrap_or(512);
    for number in first..first.saturating_add(CHUNK_INODES) {
        let Some(run) = fs.place_of_gone(number) else { continue };
        if walk.spend(run.len).is_err() {
            return;
        }
        walk.inode = number;
        let Ok(raw) = read_vec(&*fs.volume, run.start, inode_bytes) else { continue };
        dead.extend(parse_freed(walk, number, run.start, &raw));
    }
}

/// A deleted inode as a file: what of its blocks is still free. None of a file whose blocks are
/// all in use again.
pub(super) fn entry(fs: &Xfs, found: &Dead, names: &Names) -> Option<FileEntry> {
    let (extents, intact) = still_free(fs, &found.extents);
    let mut paths = names.former_paths(found.inode).into_iter();
    let path = paths.next().unwrap_or_default();
    let blocks = found.extents.last().map(|e| e.file_offset.saturating_add(e.len));
    let size = found.size.or(blocks).unwrap_or(0);
    if extents.is_empty() && (path.is_empty() || !found.extents.is_empty()) {
        return None;
    }
    let stream = match found.kind {
        FileKind::Directory | FileKind::Special => None,
        FileKind::Link if found.mode == 0 || size > INLINE_LINK_BYTES => link(fs, &extents),
        FileKind::Link => {
            Some(Stream { name: StreamName::LinkTarget, size, extents: extents.into() })
        }
        FileKind::File => Some(Stream { name: StreamName::Data, size, extents: extents.into() }),
    };
    if stream.is_none() && path.is_empty() {
        return None;
    }
    Some(FileEntry {
        path,
        more_paths: paths.collect(),
        inode: found.inode,
        kind: found.kind,
        mode: found.mode,
        uid: found.uid,
        gid: found.gid,
        links: 0,
        times: found.times,
        state: FileState::Deleted { intact },
        streams: stream.into_iter().collect(),
    })
}

/// The target in the first block of a deleted link.
fn link(fs: &Xfs, extents: &[Extent]) -> Option<Stream> {
    let Extent { file_offset: 0, len, at: At::Disk(start) } = *extents.first()? else {
        return None;
    };
    if !fs.geometry.v5 {
        return None;
    }
    let head = read_vec(&*fs.volume, start, 64).ok()?;
    let room = len.saturating_sub(LINK_HEADER_BYTES);
    let size = u64::from(u32_be(&head, 8).ok()?).min(room).min(limits::XFS_LINK_BYTES);
    let at = At::Disk(start.saturating_add(LINK_HEADER_BYTES));
    let extents = Box::new([Extent { file_offset: 0, len: size, at }]);
    Some(Stream { name: StreamName::LinkTarget, size, extents })
}

/// The parts of `extents` that lie in free space, and whether that is all of them. The rest
/// belongs to other files now and would be shown under the wrong name.
pub(super) fn still_free(fs: &Xfs, extents: &[Extent]) -> (Vec<Extent>, bool) {
    let mut parts = Vec::new();
    let mut intact = true;
    for extent in extents {
        let (At::Disk(start) | At::Unwritten(start)) = extent.at else { continue };
        let run = Run::new(start, extent.len);
        let mut free = 0u64;
        for part in fs.free.within(run) {
            let skip = part.start.saturating_sub(start);
            let at = match extent.at {
                At::Unwritten(_) => At::Unwritten(part.start),
                _ => At::Disk(part.start),
            };
            let file_offset = extent.file_offset.saturating_add(skip);
            parts.push(Extent { file_offset, len: part.len, at });
            free = free.saturating_add(part.len);
        }
        intact &= free == run.len;
    }
    (parts, intact)
}
