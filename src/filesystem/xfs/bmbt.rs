//! An extent map: the records that say where a fork lies, in the inode or in a tree below it.

use super::Walk;
use super::inode::{Fork, Form};
use super::superblock::crc_matches;
use crate::bytes::{take, u16_be, u64_be};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{At, Extent};
use crate::limits;
use std::collections::HashSet;

const RECORD_BYTES: usize = 16;
const HEADER_V4_BYTES: usize = 24;
const HEADER_V5_BYTES: usize = 72;

/// One packed record, in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) offset: u64,
    pub(super) start: u64,
    pub(super) count: u64,
    pub(super) unwritten: bool,
}

impl Record {
    /// Unpack 1 + 54 + 52 + 21 bits.
    pub(super) fn parse(bytes: &[u8]) -> Result<Record> {
        let high = u64_be(bytes, 0)?;
        let low = u64_be(bytes, 8)?;
        Ok(Record {
            unwritten: high >> 63 != 0,
            offset: (high & (u64::MAX >> 1)) >> 9,
            start: ((high & 0x1ff) << 43) | (low >> 21),
            count: low & 0x1f_ffff,
        })
    }
}

/// The extents of a fork as they are gathered, in bytes.
#[derive(Debug, Default)]
struct Map {
    extents: Vec<Extent>,
}

impl Map {
    fn push(&mut self, record: Record, walk: &mut Walk<'_>) -> Result<()> {
        let geometry = &walk.fs.geometry;
        let run = geometry
            .run(record.start, record.count)
            .filter(|run| !run.is_empty())
            .ok_or_else(|| Error::corrupt("XFS extent lies outside its group"))?;
        let file_offset = record
            .offset
            .checked_mul(geometry.block_bytes)
            .filter(|at| at.checked_add(run.len).is_some_and(|end| i64::try_from(end).is_ok()))
            .ok_or_else(|| Error::corrupt("XFS extent lies beyond the largest file"))?;
        let at = if record.unwritten { At::Unwritten(run.start) } else { At::Disk(run.start) };
        if let Some(last) = self.extents.last_mut() {
            let end = last.file_offset.saturating_add(last.len);
            if file_offset < end {
                return Err(Error::corrupt("XFS extents overlap"));
            }
            if file_offset == end && follows(last, at) {
                last.len = last.len.saturating_add(run.len);
                return Ok(());
            }
        }
        if self.extents.len() >= limits::EXTENTS_PER_FILE {
            return Err(Error::new(ErrorKind::Limit, "file has too many extents"));
        }
        self.extents.push(Extent { file_offset, len: run.len, at });
        Ok(())
    }

    /// Take in a row of records; one that makes no sense is noted and left out.
    fn push_all(&mut self, records: &[u8], walk: &mut Walk<'_>) {
        for bytes in records.chunks_exact(RECORD_BYTES) {
            let pushed = Record::parse(bytes).and_then(|record| self.push(record, walk));
            if let Err(error) = pushed {
                let limit = error.kind() == ErrorKind::Limit;
                walk.troubles.note(error.detail(walk.inode));
                if limit {
                    return;
                }
            }
        }
    }
}

fn follows(last: &Extent, at: At) -> bool {
    match (last.at, at) {
        (At::Disk(a), At::Disk(b)) | (At::Unwritten(a), At::Unwritten(b)) => {
            a.checked_add(last.len) == Some(b)
        }
        _ => false,
    }
}

/// The extents of a fork that is not local. The blocks of its tree are noted as metadata.
pub(super) fn extents(walk: &mut Walk<'_>, fork: &Fork<'_>) -> Result<Vec<Extent>> {
    let mut map = Map::default();
    match fork.form {
        Form::Device | Form::Local => {}
        Form::Extents => {
            let count = usize::try_from(fork.extent_count).unwrap_or(usize::MAX);
            let bytes = count
                .checked_mul(RECORD_BYTES)
                .and_then(|len| fork.bytes.get(..len))
                .ok_or_else(|| Error::corrupt("XFS inode counts too many extents"))?;
            map.push_all(bytes, walk);
        }
        Form::Tree => tree(walk, fork.bytes, &mut map)?,
    }
    map.extents.shrink_to_fit();
    Ok(map.extents)
}

/// Descend from the root in the inode: depth first, so that records come in file order.
fn tree(walk: &mut Walk<'_>, root: &[u8], map: &mut Map) -> Result<()> {
    let level = u16_be(root, 0)?;
    if level == 0 || u32::from(level) > limits::XFS_BTREE_LEVELS {
        return Err(Error::corrupt("XFS extent tree has an impossible height"));
    }
    let mut stack = Vec::new();
    children(root, 4, usize::from(u16_be(root, 2)?), level, &mut stack)?;
    let mut seen = HashSet::new();
    while let Some((number, level)) = stack.pop() {
        if !seen.insert(number) {
            walk.trouble(Error::corrupt("XFS extent tree block is linked twice"));
            continue;
        }
        if let Err(error) = node(walk, (number, level), map, &mut stack) {
            let spent = error.kind() == ErrorKind::Limit;
            walk.trouble(error);
            if spent {
                break;
            }
        }
    }
    Ok(())
}

fn node(
    walk: &mut Walk<'_>,
    (number, level): (u64, u16),
    map: &mut Map,
    stack: &mut Vec<(u64, u16)>,
) -> Result<()> {
    let run = walk
        .fs
        .geometry
        .run(number, 1)
        .ok_or_else(|| Error::corrupt("XFS extent tree points outside the filesystem"))?;
    let block = walk.read(run)?;
    let v5 = walk.fs.geometry.v5;
    let (magic, header_bytes) =
        if v5 { (b"BMA3", HEADER_V5_BYTES) } else { (b"BMAP", HEADER_V4_BYTES) };
    if take(&block, 0, 4)? != magic || u16_be(&block, 4)? != level {
        return Err(Error::corrupt("XFS extent tree block is none"));
    }
    if v5 && u64_be(&block, 56)? != walk.inode {
        return Err(Error::corrupt("XFS extent tree block belongs to another file"));
    }
    if v5 && !crc_matches(&block, 64) {
        walk.trouble(Error::corrupt("XFS extent tree block fails its checksum"));
    }
    walk.metadata(run);
    let count = usize::from(u16_be(&block, 6)?);
    if level == 0 {
        let records = take(&block, header_bytes, count.saturating_mul(RECORD_BYTES))?;
        map.push_all(records, walk);
        return Ok(());
    }
    children(&block, header_bytes, count, level, stack)
}

/// Push the children of a node behind its header, the first one last.
fn children(
    block: &[u8],
    header_bytes: usize,
    count: usize,
    level: u16,
    stack: &mut Vec<(u64, u16)>,
) -> Result<()> {
    let most = block.len().saturating_sub(header_bytes) / RECORD_BYTES;
    if count > most {
        return Err(Error::corrupt("XFS extent tree block holds too many records"));
    }
    let first = header_bytes.saturating_add(most.saturating_mul(8));
    for index in (0..count).rev() {
        let offset = first.saturating_add(index.saturating_mul(8));
        stack.push((u64_be(block, offset)?, level.saturating_sub(1)));
    }
    Ok(())
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
    fn unpacks_a_record() {
        let bytes = [
            0x80, 0, 0, 0, 0, 0, 0x06, 0x01, // unwritten, offset 3, start's highest bits
            0, 0, 0, 0x02, 0x00, 0x20, 0, 0x07,
        ];
        let record = Record::parse(&bytes).unwrap();
        let start = (1 << 43) | 0x1001;
        assert_eq!(record, Record { offset: 3, start, count: 7, unwritten: true });
    }
}
