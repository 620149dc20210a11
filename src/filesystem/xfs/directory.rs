//! A directory: in its inode, or in data blocks. Names are read from the data blocks in order, so
//! the hash blocks, which only index them, are left alone.

use super::Walk;
use super::bmbt;
use super::dead;
use super::inode::{Form, Inode};
use super::names::{DirectorySink, Names};
use super::superblock::crc_matches;
use crate::bytes::{ReadAt, take, u8_at, u16_be, u32_be, u64_be};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::extent::ExtentReader;
use crate::filesystem::{At, Extent};
use crate::run::Run;
use std::sync::Arc;

/// Where in a directory its hash blocks begin; names lie before.
const LEAF_OFFSET: u64 = 32 << 30;
const HEADER_V4_BYTES: usize = 16;
const HEADER_V5_BYTES: usize = 64;
/// A count, a flag and a parent in four bytes.
const NARROW_HEADER_BYTES: usize = 6;
const FREE_TAG: u16 = 0xffff;
/// An inode number, a name's length, and the tag at the end.
const ENTRY_FIXED_BYTES: usize = 8 + 1 + 2;
const ENTRY_ALIGN: usize = 8;

/// One name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) inode: u64,
    pub(super) name: &'a [u8],
}

/// Where entries go: live ones, and those that were freed, of which only the low 32 bits of the
/// inode number are sure.
pub(super) trait Sink {
    fn live(&mut self, entry: Entry<'_>);
    fn freed(&mut self, entry: Entry<'_>);
}

/// Read every name of a live directory.
pub(super) fn read(walk: &mut Walk<'_>, inode: &Inode<'_>, names: &mut Names) -> Result<()> {
    match inode.data.form {
        Form::Local => {
            let used = usize::try_from(inode.size).unwrap_or(usize::MAX);
            let form = ShortForm { wide: false, ftype: walk.fs.geometry.ftype };
            let mut sink = names.sink(walk.fs, inode.number);
            let read = form.read(inode.data.bytes, used, &mut sink);
            emptied(walk, inode.data.bytes, names);
            read
        }
        Form::Extents | Form::Tree => {
            let extents = bmbt::extents(walk, &inode.data)?;
            walk.metadata_extents(&extents);
            blocks(walk, &extents, names);
            Ok(())
        }
        Form::Device => Err(Error::corrupt("XFS directory without data")),
    }
}

/// A directory that shrank into its inode overwrote six bytes of the record of its blocks. They
/// held the offset, zero, so that the blocks it gave back can still be found.
fn emptied(walk: &mut Walk<'_>, area: &[u8], names: &mut Names) {
    if !walk.fs.geometry.v5 {
        return;
    }
    let mut area = area.to_vec();
    if let Some(header) = area.get_mut(..NARROW_HEADER_BYTES) {
        header.fill(0);
    }
    let (parts, _) = dead::still_free(walk.fs, &dead::records(walk.fs, &area));
    blocks_of_dead(walk, &parts, names);
}

/// Read the names in every data block of `extents`.
pub(super) fn blocks(walk: &mut Walk<'_>, extents: &[Extent], names: &mut Names) {
    let unit = walk.fs.geometry.dir_block_bytes;
    let reader = ExtentReader::new(Arc::clone(&walk.fs.volume), extents, LEAF_OFFSET);
    let mut next = 0u64;
    for extent in extents {
        let end = extent.file_offset.saturating_add(extent.len).min(LEAF_OFFSET);
        let inside = extent.file_offset.checked_rem(unit).unwrap_or(0);
        next = next.max(extent.file_offset.saturating_sub(inside));
        while next < end {
            let mut block = vec![0; usize::try_from(unit).unwrap_or(0)];
            let read = walk
                .spend(unit)
                .and_then(|()| reader.read_at(next, &mut block))
                .and_then(|()| data_block(walk, &block, names));
            if let Err(error) = read {
                let spent = error.kind() == ErrorKind::Limit;
                walk.trouble(error);
                if spent {
                    return;
                }
            }
            next = next.saturating_add(unit);
        }
    }
}

/// Read the names in those blocks of a deleted directory that are still its own.
pub(super) fn blocks_of_dead(walk: &mut Walk<'_>, extents: &[Extent], names: &mut Names) {
    let geometry = &walk.fs.geometry;
    let form = DataBlock { v5: geometry.v5, ftype: geometry.ftype };
    let unit = geometry.dir_block_bytes;
    for extent in extents.iter().filter(|extent| extent.file_offset < LEAF_OFFSET) {
        let At::Disk(start) = extent.at else { continue };
        let mut at = 0u64;
        while at.saturating_add(unit) <= extent.len {
            let run = Run::new(start.saturating_add(at), unit);
            at = at.saturating_add(unit);
            let Ok(block) = walk.read(run) else { continue };
            let ours = !form.v5 || u64_be(&block, 40).ok() == Some(walk.inode);
            if ours {
                let mut sink = AllFreed(names.sink(walk.fs, walk.inode));
                // Damage in a deleted directory loses nothing that was there.
                let _ = form.read(&block, &mut sink);
            }
        }
    }
}

/// What a deleted directory still lists is as deleted as what it had freed.
struct AllFreed<'a>(DirectorySink<'a>);

impl Sink for AllFreed<'_> {
    fn live(&mut self, entry: Entry<'_>) {
        self.0.freed(entry);
    }

    fn freed(&mut self, entry: Entry<'_>) {
        self.0.freed(entry);
    }
}

fn data_block(walk: &mut Walk<'_>, block: &[u8], names: &mut Names) -> Result<()> {
    let geometry = &walk.fs.geometry;
    let form = DataBlock { v5: geometry.v5, ftype: geometry.ftype };
    if geometry.v5 && is_data_block(block, true) {
        if u64_be(block, 40)? != walk.inode {
            return Err(Error::corrupt("XFS directory block belongs to another directory"));
        }
        if !crc_matches(block, 4) {
            walk.trouble(Error::corrupt("XFS directory block fails its checksum"));
        }
    }
    let mut sink = names.sink(walk.fs, walk.inode);
    form.read(block, &mut sink)
}

/// Whether a block begins like one that holds names.
pub(super) fn is_data_block(block: &[u8], v5: bool) -> bool {
    match block.first_chunk() {
        Some(b"XDB3" | b"XDD3") => v5,
        Some(b"XD2B" | b"XD2D") => !v5,
        _ => false,
    }
}

fn plausible(name: &[u8]) -> bool {
    !name.is_empty() && !name.iter().any(|&b| b == 0 || b == b'/')
}

fn dots(name: &[u8]) -> bool {
    name == b"." || name == b".."
}

/// Names in the inode.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShortForm {
    /// Whether inode numbers take eight bytes; the header tells.
    pub(super) wide: bool,
    pub(super) ftype: bool,
}

impl ShortForm {
    /// Read the names in the first `used` bytes of `area`, and those left behind them.
    pub(super) fn read(self, area: &[u8], used: usize, sink: &mut dyn Sink) -> Result<()> {
        let used = used.min(area.len());
        let live = take(area, 0, used)?;
        let form = ShortForm { wide: u8_at(live, 1)? != 0, ..self };
        let count = u8_at(live, 0)?;
        let mut at = form.header_bytes();
        for _ in 0..count {
            let (entry, len) = form.entry(live, at)?;
            if plausible(entry.name) {
                sink.live(entry);
            } else {
                return Err(Error::corrupt("XFS directory holds an impossible name"));
            }
            at = at.saturating_add(len);
        }
        form.left_behind(area, at, sink);
        Ok(())
    }

    fn header_bytes(self) -> usize {
        if self.wide { 10 } else { NARROW_HEADER_BYTES }
    }

    fn entry(self, area: &[u8], at: usize) -> Result<(Entry<'_>, usize)> {
        let name_len = usize::from(u8_at(area, at)?);
        let name = take(area, at.saturating_add(3), name_len)?;
        let number_at =
            at.saturating_add(3).saturating_add(name_len).saturating_add(usize::from(self.ftype));
        let (inode, number_bytes) = if self.wide {
            (u64_be(area, number_at)?, 8)
        } else {
            (u64::from(u32_be(area, number_at)?), 4usize)
        };
        let end = number_at.saturating_add(number_bytes);
        Ok((Entry { inode, name }, end.saturating_sub(at)))
    }

    /// Entries that a shrinking directory left behind its end. They are not aligned; an offset
    /// that could not be one in a data block gives chance matches away.
    pub(super) fn left_behind(self, area: &[u8], mut at: usize, sink: &mut dyn Sink) {
        while at < area.len() {
            let other = ShortForm { wide: !self.wide, ..self };
            let found = self.freed_entry(area, at).or_else(|| other.freed_entry(area, at));
            if let Some((entry, _)) = found {
                sink.freed(entry);
            }
            at = at.saturating_add(1);
        }
    }

    fn freed_entry(self, area: &[u8], at: usize) -> Option<(Entry<'_>, usize)> {
        let offset = usize::from(u16_be(area, at.saturating_add(1)).ok()?);
        if offset < HEADER_V4_BYTES || offset % ENTRY_ALIGN != 0 {
            return None;
        }
        let (entry, len) = self.entry(area, at).ok()?;
        let possible = plausible(entry.name) && !dots(entry.name) && entry.inode != 0;
        possible.then_some((entry, len))
    }
}

/// Names in one data block.
#[derive(Clone, Copy, Debug)]
struct DataBlock {
    v5: bool,
    ftype: bool,
}

impl DataBlock {
    fn read(self, block: &[u8], sink: &mut dyn Sink) -> Result<()> {
        if !is_data_block(block, self.v5) {
            return Err(Error::corrupt("XFS directory block is none"));
        }
        let mut at = if self.v5 { HEADER_V5_BYTES } else { HEADER_V4_BYTES };
        let end = names_end(block)?;
        let mut damage = Ok(());
        while at < end {
            if u16_be(block, at)? == FREE_TAG {
                let len = usize::from(u16_be(block, at.saturating_add(2))?);
                let region = at..at.saturating_add(len);
                if len < ENTRY_ALIGN || len % ENTRY_ALIGN != 0 || region.end > end {
                    return Err(Error::corrupt("XFS directory block has an impossible gap"));
                }
                at = region.end;
                self.gap(block, region, sink);
                continue;
            }
            let (entry, len) = self.entry(block, at)?;
            if entry.name.is_empty() || at.saturating_add(len) > end {
                return Err(Error::corrupt("XFS directory block has an impossible entry"));
            }
            if !plausible(entry.name) {
                damage = Err(Error::corrupt("XFS directory holds an impossible name"));
            } else if !dots(entry.name) {
                sink.live(entry);
            }
            at = at.saturating_add(len);
        }
        damage
    }

    fn entry(self, block: &[u8], at: usize) -> Result<(Entry<'_>, usize)> {
        let name_len = usize::from(u8_at(block, at.saturating_add(8))?);
        let name = take(block, at.saturating_add(9), name_len)?;
        let len = ENTRY_FIXED_BYTES
            .saturating_add(name_len)
            .saturating_add(usize::from(self.ftype))
            .next_multiple_of(ENTRY_ALIGN);
        Ok((Entry { inode: u64_be(block, at)?, name }, len))
    }

    /// Entries in a gap. The free tag overwrote the high half of the first one's inode number
    /// alone. Each ends with its own place, or with where the gap began that it once was the end of.
    fn gap(self, block: &[u8], region: std::ops::Range<usize>, sink: &mut dyn Sink) {
        let mut at = region.start;
        while at < region.end {
            let found = self.entry(block, at).ok().filter(|(entry, len)| {
                let end = at.saturating_add(*len);
                let tag = u16_be(block, end.saturating_sub(2)).ok().map(usize::from);
                let placed = tag
                    .is_some_and(|tag| region.start <= tag && tag <= at && tag % ENTRY_ALIGN == 0);
                end <= region.end && placed && plausible(entry.name) && !dots(entry.name)
            });
            match found {
                Some((entry, len)) => {
                    sink.freed(entry);
                    at = at.saturating_add(len);
                }
                None => at = at.saturating_add(ENTRY_ALIGN),
            }
        }
    }
}

/// Where names end: at the block's end, or before the hash table a lone block carries.
fn names_end(block: &[u8]) -> Result<usize> {
    if !matches!(block.first_chunk(), Some(b"XDB3" | b"XD2B")) {
        return Ok(block.len());
    }
    let tail = block.len().saturating_sub(8);
    let count = usize::try_from(u32_be(block, tail)?).unwrap_or(usize::MAX);
    tail.checked_sub(count.saturating_mul(8))
        .ok_or_else(|| Error::corrupt("XFS directory block has too many hashes"))
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "the bytes are the test's own"
)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Sink for Seen {
        fn live(&mut self, entry: Entry<'_>) {
            let name = String::from_utf8_lossy(entry.name);
            self.0.push(format!("{name} {}", entry.inode));
        }

        fn freed(&mut self, entry: Entry<'_>) {
            let name = String::from_utf8_lossy(entry.name);
            self.0.push(format!("freed {name} {:#x}", entry.inode));
        }
    }

    #[test]
    fn reads_a_short_directory_and_what_it_left_behind() {
        let area = b"\x01\x00\0\0\0\x80\
            \x03\0\x60env\x01\0\0\0\x83\
            \x05\0\x78creds\x01\0\0\0\x84\0\0";
        let mut seen = Seen::default();
        let form = ShortForm { wide: false, ftype: true };
        form.read(area, 17, &mut seen).unwrap();
        assert_eq!(seen.0, ["env 131", "freed creds 0x84"]);
        assert!(form.read(area, 12, &mut Seen::default()).is_err());
    }

    #[test]
    fn reads_a_data_block_and_its_gaps() {
        let mut block = b"XD2D".to_vec();
        block.resize(16, 0);
        block.extend(b"\0\0\0\0\0\0\0\x83\x03env\0\0\0\x10");
        block.truncate(16);
        // 8 + 1 + 3 + 2 rounds up to 16: number, length, name, padding, tag.
        block.extend(b"\0\0\0\0\0\0\0\x83\x03env\0\0\0\x10");
        block.extend(b"\xff\xff\0\x20\0\0\0\x84\x03old\0\0\0\x20");
        block.extend(b"\0\0\0\0\0\0\0\x85\x04gone\0\0\x20");
        let mut seen = Seen::default();
        DataBlock { v5: false, ftype: false }.read(&block, &mut seen).unwrap();
        assert_eq!(seen.0, ["env 131", "freed old 0xffff002000000084", "freed gone 0x85"]);
    }
}
