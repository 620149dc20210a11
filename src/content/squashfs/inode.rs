//! Inodes and directories of a squashfs.

use super::table::{Cursor, Tables};
use crate::bytes::{take, u16_le, u32_le, u64_le};
use crate::error::{Error, Result};
use crate::limits;

/// No fragment, no attributes.
const NONE: u32 = u32::MAX;

/// What a squashfs keeps of a file.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) number: u32,
    pub(super) mode: u16,
    /// The owner's place in the list of ids.
    pub(super) owner: u16,
    pub(super) modified: u32,
    pub(super) xattr: Option<u32>,
    pub(super) kind: Kind,
}

/// What a file is.
#[derive(Debug)]
pub(super) enum Kind {
    /// A directory, of whose list `size` bytes stand at a place of the table of directories.
    Directory {
        block: u32,
        offset: u16,
        size: u32,
    },
    File(Data),
    /// A symbolic link, with its target.
    Link(Vec<u8>),
    Other,
}

/// Where a file's bytes are.
#[derive(Clone, Debug)]
pub(super) struct Data {
    /// Its first block.
    pub(super) start: u64,
    pub(super) size: u64,
    /// The fragment that its end is in, and where.
    pub(super) fragment: Option<(u32, u32)>,
    /// Where the lengths of its blocks stand.
    pub(super) lengths: Cursor,
}

/// Read an inode, and leave the cursor behind it, but for the lengths of a file's blocks.
pub(super) fn inode(tables: &mut Tables<'_>, at: &mut Cursor) -> Result<Inode> {
    let head = tables.read(at, 16)?;
    let format = u16_le(&head, 0)?;
    let (kind, xattr) = match format {
        1 | 8 => directory(tables, at, format)?,
        2 | 9 => file(tables, at, format)?,
        3 | 10 => link(tables, at, format)?,
        4 | 5 => skip(tables, at, 8)?,
        6 | 7 => skip(tables, at, 4)?,
        11 | 12 => skip(tables, at, 12)?,
        13 | 14 => skip(tables, at, 8)?,
        _ => return Err(Error::corrupt("a squashfs inode is of no known kind").detail(format)),
    };
    let form = match format {
        1 | 8 => 0o040_000,
        2 | 9 => 0o100_000,
        3 | 10 => 0o120_000,
        _ => 0,
    };
    Ok(Inode {
        number: u32_le(&head, 12)?,
        mode: form | u16_le(&head, 2)? & 0o7777,
        owner: u16_le(&head, 4)?,
        modified: u32_le(&head, 8)?,
        xattr: xattr.filter(|number| *number != NONE),
        kind,
    })
}

type Read = (Kind, Option<u32>);

fn skip(tables: &mut Tables<'_>, at: &mut Cursor, len: usize) -> Result<Read> {
    tables.read(at, len)?;
    Ok((Kind::Other, None))
}

fn directory(tables: &mut Tables<'_>, at: &mut Cursor, format: u16) -> Result<Read> {
    if format == 1 {
        let body = tables.read(at, 16)?;
        let size = u32::from(u16_le(&body, 8)?);
        let (block, offset) = (u32_le(&body, 0)?, u16_le(&body, 10)?);
        return Ok((Kind::Directory { block, offset, size }, None));
    }
    let body = tables.read(at, 24)?;
    let (block, offset) = (u32_le(&body, 8)?, u16_le(&body, 18)?);
    // The index, which is only there to find names faster.
    for _ in 0..u16_le(&body, 16)? {
        let entry = tables.read(at, 12)?;
        let len = usize::try_from(u32_le(&entry, 8)?).unwrap_or(usize::MAX).saturating_add(1);
        if len > 256 {
            return Err(Error::corrupt("a name in a squashfs index is too long"));
        }
        tables.read(at, len)?;
    }
    let size = u32_le(&body, 4)?;
    Ok((Kind::Directory { block, offset, size }, Some(u32_le(&body, 20)?)))
}

fn file(tables: &mut Tables<'_>, at: &mut Cursor, format: u16) -> Result<Read> {
    let (start, size, ends, xattr) = if format == 2 {
        let body = tables.read(at, 16)?;
        let ends = (u32_le(&body, 4)?, u32_le(&body, 8)?);
        (u64::from(u32_le(&body, 0)?), u64::from(u32_le(&body, 12)?), ends, None)
    } else {
        let body = tables.read(at, 40)?;
        let ends = (u32_le(&body, 28)?, u32_le(&body, 32)?);
        (u64_le(&body, 0)?, u64_le(&body, 8)?, ends, Some(u32_le(&body, 36)?))
    };
    let fragment = Some(ends).filter(|(number, _)| *number != NONE);
    Ok((Kind::File(Data { start, size, fragment, lengths: *at }), xattr))
}

fn link(tables: &mut Tables<'_>, at: &mut Cursor, format: u16) -> Result<Read> {
    let body = tables.read(at, 8)?;
    let len = usize::try_from(u32_le(&body, 4)?).unwrap_or(usize::MAX);
    if len > limits::PATH_BYTES {
        return Err(Error::corrupt("a link target in a squashfs is too long").detail(len));
    }
    let target = tables.read(at, len)?;
    let xattr = if format == 10 { Some(tables.number(at)?) } else { None };
    Ok((Kind::Link(target), xattr))
}

/// Visit the names in a directory's list, which ends at `size`, each with the reference to its
/// inode.
pub(super) fn names(
    tables: &mut Tables<'_>,
    at: &mut Cursor,
    size: u32,
    visit: &mut dyn FnMut(&[u8], u64) -> Result<()>,
) -> Result<()> {
    // Three bytes stand for `.` and `..`, which are not in the list.
    let mut left = usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(3);
    while left >= 12 {
        let header = tables.read(at, 12)?;
        left = left.saturating_sub(12);
        let (count, block) = (u32_le(&header, 0)?, u64::from(u32_le(&header, 4)?));
        if count >= 256 {
            return Err(Error::corrupt("a squashfs directory has too many names in a row"));
        }
        for _ in 0..=count {
            let entry = tables.read(at, 8)?;
            let len = usize::from(u16_le(&entry, 6)?).saturating_add(1);
            left = left.checked_sub(len.saturating_add(8)).filter(|_| len <= 256).ok_or_else(
                || Error::corrupt("a name in a squashfs directory is longer than its list"),
            )?;
            let name = tables.read(at, len)?;
            visit(&name, block << 16 | u64::from(u16_le(&entry, 0)?))?;
        }
    }
    Ok(())
}

/// An extended attribute.
pub(super) struct Xattr {
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// The attributes that stand under a number in the table at `table`.
pub(super) fn xattrs(tables: &mut Tables<'_>, table: u64, number: u32) -> Result<Vec<Xattr>> {
    let head = crate::bytes::read_vec(tables.bytes, table, 16)?;
    let kept = u64_le(&head, 0)?;
    let list = table.checked_add(16).ok_or_else(|| Error::corrupt("no room for attributes"))?;
    let entry = tables.entry(list, number, 16)?;
    let count = usize::try_from(u32_le(&entry, 8)?).unwrap_or(usize::MAX);
    let mut at = Cursor::of(kept, u64_le(&entry, 0)?)?;
    let mut found = Vec::new();
    for _ in 0..count.min(limits::SQUASHFS_XATTRS) {
        let key = tables.read(&mut at, 4)?;
        let (prefix, len) = (u16_le(&key, 0)?, usize::from(u16_le(&key, 2)?));
        let name = tables.read(&mut at, len.min(256))?;
        let space: &[u8] = match prefix & 0xff {
            0 => b"user.",
            1 => b"trusted.",
            _ => b"security.",
        };
        let mut value = value(tables, &mut at)?;
        if prefix & 0x100 != 0 {
            // The value is a reference to where it is kept once for all who have it.
            let mut there = Cursor::of(kept, u64_le(take(&value, 0, 8)?, 0)?)?;
            value = self::value(tables, &mut there)?;
        }
        found.push(Xattr { name: [space, &name].concat(), value });
    }
    Ok(found)
}

fn value(tables: &mut Tables<'_>, at: &mut Cursor) -> Result<Vec<u8>> {
    let len = tables.number(at)?;
    if u64::from(len) > limits::XATTR_BYTES {
        return Err(Error::corrupt("an attribute in a squashfs is too long").detail(len));
    }
    tables.read(at, usize::try_from(len).unwrap_or(usize::MAX))
}
