//! A dead inode: deletion empties its core, and leaves the extent records of a file that was on
//! the disk before where they were. Anything here is garbage until it has proved plausible.

use super::bmbt::Record;
use super::directory::{self, ShortForm};
use super::inode::{Inode, literal_area};
use super::names::Names;
use super::superblock::crc_matches;
use super::{Walk, Xfs};
use crate::bytes::{read_vec, u8_at, u16_be, u32_be, u64_be};
use crate::error::Result;
use crate::filesystem::{At, Extent, FileEntry, FileKind, FileState, Stream, StreamName, Times};
use crate::limits;
use crate::run::Run;

const RECORD_BYTES: usize = 16;
const LINK_HEADER_BYTES: u64 = 56;

/// What is left of a deleted inode.
#[derive(Debug)]
pub(super) struct Dead {
    inode: u64,
    uid: u32,
    gid: u32,
    times: Times,
    kind: FileKind,
    extents: Box<[Extent]>,
    /// The names a directory in its inode left there.
    names: Box<[u8]>,
}

/// What a free inode still tells, if anything.
pub(super) fn parse(walk: &mut Walk<'_>, number: u64, at: u64, raw: &[u8]) -> Option<Dead> {
    let fs = walk.fs;
    let inode = Inode::parse(raw, number, at).ok()?;
    if inode.mode != 0 || inode.size != 0 || (fs.geometry.v5 && !crc_matches(raw, 100)) {
        return None;
    }
    let (area, _) = literal_area(raw).ok()?;
    let extents = match records(fs, area) {
        extents if extents.is_empty() => tree(walk, area),
        extents => extents,
    };
    let names = if extents.is_empty() { short_form(fs, area)? } else { &[] };
    let kind = if extents.is_empty() { FileKind::Directory } else { kind(fs, number, &extents) };
    let times = Times { deleted: inode.times.changed, ..inode.times };
    Some(Dead {
        inode: number,
        uid: inode.uid,
        gid: inode.gid,
        times,
        kind,
        extents: extents.into(),
        names: names.into(),
    })
}

/// The records at the start of `area`, as far as they can be those of one file: inside their
/// groups, in ascending order, and not absurdly far apart.
fn records(fs: &Xfs, area: &[u8]) -> Vec<Extent> {
    let mut extents = Vec::new();
    let mut end = 0;
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
    // half the room with one and all of it without are tried, and the blocks decide.
    let most = area.len().saturating_sub(4) / RECORD_BYTES;
    if u16_be(area, 0)? != 1 || count == 0 || count > most {
        return Ok(extents);
    }
    for room in (count..=most).rev() {
        let first = room.saturating_mul(8).saturating_add(4);
        let mut end = 0;
        for index in 0..count {
            let pointer = u64_be(area, first.saturating_add(index.saturating_mul(8)))?;
            let Some(block) = leaf(walk, pointer)? else { break };
            for bytes in block.chunks_exact(RECORD_BYTES) {
                let record = Record::parse(bytes).ok();
                let Some(extent) = record.and_then(|r| plausible(walk.fs, r, end)) else { break };
                end = extent.file_offset.saturating_add(extent.len);
                extents.push(extent);
            }
        }
        if !extents.is_empty() || extents.len() >= limits::EXTENTS_PER_FILE {
            break;
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

/// Read the names in deleted directories: those of the files deleted with them.
pub(super) fn directories(walk: &mut Walk<'_>, dead: &mut [Dead], names: &mut Names) {
    for found in dead.iter_mut().filter(|found| found.kind == FileKind::Directory) {
        walk.inode = found.inode;
        let area = std::mem::take(&mut found.names);
        if !area.is_empty() {
            let form = ShortForm { wide: false, ftype: walk.fs.geometry.ftype };
            form.left_behind(&area, 6, &mut names.sink(walk.fs, found.inode));
        }
        let (parts, _) = still_free(walk.fs, &found.extents);
        directory::blocks_of_dead(walk, &parts, names);
    }
}

/// A deleted inode as a file: what of its blocks is still free. None of a file whose blocks are
/// all in use again.
pub(super) fn entry(fs: &Xfs, found: &Dead, names: &Names) -> Option<FileEntry> {
    let (extents, intact) = still_free(fs, &found.extents);
    let mut paths = names.former_paths(found.inode).into_iter();
    let path = paths.next().unwrap_or_default();
    let mut streams = Vec::new();
    if found.kind == FileKind::Directory {
        if extents.is_empty() && path.is_empty() {
            return None;
        }
    } else {
        let last = extents.last()?;
        let size = found.extents.last().unwrap_or(last);
        let size = size.file_offset.saturating_add(size.len);
        streams.push(match found.kind {
            FileKind::Link => link(fs, &extents)?,
            _ => Stream { name: StreamName::Data, size, extents: extents.into() },
        });
    }
    Some(FileEntry {
        path,
        more_paths: paths.collect(),
        inode: found.inode,
        kind: found.kind,
        mode: 0,
        uid: found.uid,
        gid: found.gid,
        links: 0,
        times: found.times,
        state: FileState::Deleted { intact },
        streams: streams.into(),
    })
}

/// The target in the first block of a deleted link.
fn link(fs: &Xfs, extents: &[Extent]) -> Option<Stream> {
    let Extent { file_offset: 0, len, at: At::Disk(start) } = *extents.first()? else {
        return None;
    };
    let head = read_vec(&*fs.volume, start, 64).ok()?;
    let room = len.saturating_sub(LINK_HEADER_BYTES);
    let size = u64::from(u32_be(&head, 8).ok()?).min(room).min(limits::XFS_LINK_BYTES);
    let at = At::Disk(start.saturating_add(LINK_HEADER_BYTES));
    let extents = Box::new([Extent { file_offset: 0, len: size, at }]);
    Some(Stream { name: StreamName::LinkTarget, size, extents })
}

/// The parts of `extents` that lie in free space, and whether that is all of them. The rest
/// belongs to other files now and would be shown under the wrong name.
fn still_free(fs: &Xfs, extents: &[Extent]) -> (Vec<Extent>, bool) {
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
