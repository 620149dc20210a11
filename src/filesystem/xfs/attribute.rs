//! An extended attribute: in the inode, in leaf blocks, or with its value in blocks of its own.

use super::Walk;
use super::bmbt;
use super::inode::{Form, Inode};
use super::superblock::crc_matches;
use super::symlink::{ATTRIBUTE, Value, pieces};
use crate::bytes::{take, u8_at, u16_be, u32_be, u64_be};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{At, Extent, Stream, StreamName};
use crate::limits;
use crate::run::Run;
use std::collections::HashSet;

const LOCAL: u8 = 1;
const ROOT: u8 = 2;
const SECURE: u8 = 4;
const PARENT: u8 = 8;
const INCOMPLETE: u8 = 0x80;

/// The streams of all attributes of an inode.
pub(super) fn streams(walk: &mut Walk<'_>, inode: &Inode<'_>) -> Vec<Stream> {
    let mut found = Vec::new();
    let Some(fork) = &inode.attributes else { return found };
    let read = match fork.form {
        Form::Local => short(fork.bytes, fork.at, &mut found),
        Form::Device => Ok(()),
        Form::Extents | Form::Tree => bmbt::extents(walk, fork).and_then(|extents| {
            walk.metadata_extents(&extents);
            // Room for attributes may be set aside before there are any.
            if extents.is_empty() {
                Ok(())
            } else {
                Tree { extents: &extents }.read(walk, &mut found)
            }
        }),
    };
    if let Err(error) = read {
        walk.trouble(error);
    }
    found
}

/// The full name, unless the attribute is none a user could see.
fn full_name(flags: u8, name: &[u8]) -> Option<StreamName> {
    if flags & (PARENT | INCOMPLETE) != 0 {
        return None;
    }
    let space: &[u8] = match flags & (ROOT | SECURE) {
        0 => b"user.",
        ROOT => b"trusted.",
        _ => b"security.",
    };
    Some(StreamName::Xattr([space, name].concat().into()))
}

fn inline(name: StreamName, at: u64, len: usize) -> Stream {
    let len = u64::try_from(len).unwrap_or(0);
    let extents =
        if len == 0 { vec![] } else { vec![Extent { file_offset: 0, len, at: At::Inline(at) }] };
    Stream { name, size: len, extents: extents.into() }
}

fn place(base: u64, offset: usize) -> u64 {
    base.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX))
}

/// Attributes in the inode.
fn short(area: &[u8], base: u64, found: &mut Vec<Stream>) -> Result<()> {
    let count = u8_at(area, 2)?;
    let mut at = 4usize;
    for _ in 0..count {
        let name_len = usize::from(u8_at(area, at)?);
        let value_len = usize::from(u8_at(area, at.saturating_add(1))?);
        let flags = u8_at(area, at.saturating_add(2))?;
        let name_at = at.saturating_add(3);
        let value_at = name_at.saturating_add(name_len);
        let name = take(area, name_at, name_len)?;
        take(area, value_at, value_len)?;
        if let Some(name) = full_name(flags, name) {
            found.push(inline(name, place(base, value_at), value_len));
        }
        at = value_at.saturating_add(value_len);
    }
    Ok(())
}

/// Attributes in blocks: leaves below a tree of nodes.
struct Tree<'a> {
    extents: &'a [Extent],
}

impl Tree<'_> {
    fn read(&self, walk: &mut Walk<'_>, found: &mut Vec<Stream>) -> Result<()> {
        let mut stack = vec![0u32];
        let mut seen = HashSet::new();
        while let Some(number) = stack.pop() {
            if !seen.insert(number) {
                walk.trouble(Error::corrupt("XFS attribute block is linked twice"));
                continue;
            }
            if let Err(error) = self.block(walk, number, &mut stack, found) {
                if error.kind() == ErrorKind::Limit {
                    return Err(error);
                }
                walk.trouble(error);
            }
        }
        Ok(())
    }

    fn block(
        &self,
        walk: &mut Walk<'_>,
        number: u32,
        stack: &mut Vec<u32>,
        found: &mut Vec<Stream>,
    ) -> Result<()> {
        let run = self.run(walk, number)?;
        let block = walk.read(run)?;
        let v5 = walk.fs.geometry.v5;
        let magic = u16_be(&block, 8)?;
        let leaf = match (magic, v5) {
            (0xfbee, false) | (0x3bee, true) => true,
            (0xfebe, false) | (0x3ebe, true) => false,
            _ => return Err(Error::corrupt("XFS attribute block has the wrong magic")),
        };
        if v5 && u64_be(&block, 48)? != walk.inode {
            return Err(Error::corrupt("XFS attribute block belongs to another file"));
        }
        if v5 && !crc_matches(&block, 12) {
            walk.trouble(Error::corrupt("XFS attribute block fails its checksum"));
        }
        let count_at = if v5 { 56 } else { 12 };
        let count = usize::from(u16_be(&block, count_at)?);
        if !leaf {
            let entries_at = if v5 { 64 } else { 16usize };
            let entries = take(&block, entries_at, count.saturating_mul(8))?;
            for entry in entries.chunks_exact(8).rev() {
                stack.push(u32_be(entry, 4)?);
            }
            return Ok(());
        }
        let entries_at = if v5 { 80 } else { 32usize };
        let entries = take(&block, entries_at, count.saturating_mul(8))?;
        for entry in entries.chunks_exact(8) {
            if found.len() >= limits::XFS_ATTRIBUTES_PER_FILE {
                return Err(Error::new(ErrorKind::Limit, "file has too many attributes"));
            }
            match self.entry(walk, &block, run, entry) {
                Ok(stream) => found.extend(stream),
                Err(error) => walk.trouble(error),
            }
        }
        Ok(())
    }

    /// One attribute of a leaf block.
    fn entry(
        &self,
        walk: &mut Walk<'_>,
        block: &[u8],
        run: Run,
        entry: &[u8],
    ) -> Result<Option<Stream>> {
        let at = usize::from(u16_be(entry, 4)?);
        let flags = u8_at(entry, 6)?;
        if flags & LOCAL != 0 {
            let value_len = usize::from(u16_be(block, at)?);
            let name_len = usize::from(u8_at(block, at.saturating_add(2))?);
            let name_at = at.saturating_add(3);
            let value_at = name_at.saturating_add(name_len);
            take(block, value_at, value_len)?;
            let name = full_name(flags, take(block, name_at, name_len)?);
            return Ok(name.map(|name| inline(name, place(run.start, value_at), value_len)));
        }
        let first = u32_be(block, at)?;
        let size = u64::from(u32_be(block, at.saturating_add(4))?);
        let name_len = usize::from(u8_at(block, at.saturating_add(8))?);
        let name = take(block, at.saturating_add(9), name_len)?;
        let Some(name) = full_name(flags, name) else { return Ok(None) };
        if size > limits::XATTR_BYTES {
            return Err(Error::corrupt("XFS attribute value is too long"));
        }
        let extents = self.value_extents(walk, first);
        let extents = pieces(walk, &extents, Value { size, header: ATTRIBUTE })?;
        Ok(Some(Stream { name, size, extents: extents.into() }))
    }

    /// The part of the fork from a block on, long enough for the longest value.
    fn value_extents(&self, walk: &Walk<'_>, first: u32) -> Vec<Extent> {
        let from = u64::from(first).saturating_mul(walk.fs.geometry.block_bytes);
        let window = Run::new(from, limits::XATTR_BYTES.saturating_mul(2));
        let start = self.extents.partition_point(|e| e.file_offset.saturating_add(e.len) <= from);
        let rest = self.extents.get(start..).unwrap_or_default();
        let near = rest.iter().take_while(|extent| extent.file_offset < window.end());
        let parts = near.filter_map(|extent| {
            let part = Run::new(extent.file_offset, extent.len).intersect(window);
            let skip = part.start.saturating_sub(extent.file_offset);
            let at = match extent.at {
                At::Disk(start) => At::Disk(start.saturating_add(skip)),
                other => other,
            };
            (!part.is_empty()).then_some(Extent { file_offset: part.start, len: part.len, at })
        });
        parts.collect()
    }

    fn run(&self, walk: &Walk<'_>, number: u32) -> Result<Run> {
        let block_bytes = walk.fs.geometry.block_bytes;
        let offset = u64::from(number).saturating_mul(block_bytes);
        let index = self.extents.partition_point(|e| e.file_offset <= offset);
        let extent = index.checked_sub(1).and_then(|index| self.extents.get(index));
        let place = extent.and_then(|extent| {
            let skip = offset.checked_sub(extent.file_offset)?;
            let At::Disk(start) = extent.at else { return None };
            (skip < extent.len).then(|| Run::new(start.saturating_add(skip), block_bytes))
        });
        place.ok_or_else(|| Error::corrupt("XFS attribute block lies nowhere"))
    }
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

    #[test]
    fn reads_attributes_in_the_inode() {
        let area = b"\0\x1b\x03\0\x01\x02\0kvv\x01\x01\x04sx\x01\x00\x08p";
        let mut found = Vec::new();
        short(area, 1000, &mut found).unwrap();
        let user = StreamName::Xattr(b"user.k".to_vec().into());
        let security = StreamName::Xattr(b"security.s".to_vec().into());
        assert_eq!(found, [inline(user, 1008, 2), inline(security, 1014, 1)]);
        assert!(short(&area[..12], 0, &mut Vec::new()).is_err());
    }
}
