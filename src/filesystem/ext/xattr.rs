//! An extended attribute: a name and a value, in the inode, in a block of its own, or with the
//! value in an inode of its own.
//! <https://docs.kernel.org/filesystems/ext4/attributes.html>

use crate::bytes::{take, u8_at, u16_le, u32_le};
use crate::error::{Error, Result};
use crate::limits;

const MAGIC: u32 = 0xea02_0000;
const ENTRY_BYTES: usize = 16;
const BLOCK_HEADER_BYTES: usize = 32;
const MAGIC_BYTES: usize = 4;
/// Index of the prefix of `system.data`, the rest of a small file kept in its inode.
const SYSTEM: u8 = 7;

/// An attribute as it stands in an inode or a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    /// Its full name.
    pub(super) name: Box<[u8]>,
    pub(super) value: Value,
    /// Bytes of the value.
    pub(super) size: u32,
}

/// Where the value of an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// From this byte of the inode or block.
    Here(usize),
    /// The contents of this inode.
    Inode(u32),
}

impl Attribute {
    /// Whether it is not an attribute but the rest of a small file.
    pub(super) fn is_inline_data(&self) -> bool {
        &*self.name == b"system.data"
    }
}

/// The attributes in the record of an inode, from `offset` on; as many as make sense.
pub(super) fn in_inode(record: &[u8], offset: usize) -> (Vec<Attribute>, Result<()>) {
    if u32_le(record, offset).ok() != Some(MAGIC) {
        return (Vec::new(), Ok(()));
    }
    let first = offset.saturating_add(MAGIC_BYTES);
    list(record, first, first)
}

/// The attributes in a block of its own; as many as make sense.
pub(super) fn in_block(block: &[u8]) -> (Vec<Attribute>, Result<()>) {
    match u32_le(block, 0) {
        Ok(MAGIC) => list(block, BLOCK_HEADER_BYTES, 0),
        _ => (Vec::new(), Err(Error::corrupt("attribute block has no magic"))),
    }
}

/// Entries from `at` on; offsets of values count from `base`.
fn list(data: &[u8], mut at: usize, base: usize) -> (Vec<Attribute>, Result<()>) {
    let mut found = Vec::new();
    // Every entry is at least 16 bytes long, so the data bound their number.
    while u32_le(data, at).is_ok_and(|first| first != 0) {
        match entry(data, at, base) {
            Ok((attribute, next)) => {
                found.push(attribute);
                at = next;
            }
            Err(error) => return (found, Err(error)),
        }
    }
    (found, Ok(()))
}

fn entry(data: &[u8], at: usize, base: usize) -> Result<(Attribute, usize)> {
    let header = take(data, at, ENTRY_BYTES)?;
    let name_len = usize::from(u8_at(header, 0)?);
    let name = take(data, at.saturating_add(ENTRY_BYTES), name_len)?;
    let (inode, size) = (u32_le(header, 4)?, u32_le(header, 8)?);
    if u64::from(size) > limits::XATTR_BYTES {
        return Err(Error::corrupt("attribute is too large").detail(size));
    }
    let start = base.saturating_add(u16_le(header, 2)?.into());
    if inode == 0 {
        take(data, start, usize::try_from(size).unwrap_or(usize::MAX))?;
    }
    let attribute = Attribute {
        name: full_name(u8_at(header, 1)?, name),
        value: if inode == 0 { Value::Here(start) } else { Value::Inode(inode) },
        size,
    };
    let len = ENTRY_BYTES.saturating_add(name_len).next_multiple_of(4);
    Ok((attribute, at.saturating_add(len)))
}

fn full_name(index: u8, name: &[u8]) -> Box<[u8]> {
    let prefix: &[u8] = match index {
        0 => b"",
        1 => b"user.",
        2 => b"system.posix_acl_access",
        3 => b"system.posix_acl_default",
        4 => b"trusted.",
        6 => b"security.",
        SYSTEM => b"system.",
        8 => b"system.richacl",
        9 => b"encryption.",
        10 => b"gnu.",
        _ => b"unknown.",
    };
    [prefix, name].concat().into()
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tests trust their own data"
)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_with_their_prefix_and_places() {
        let record = [
            &[0; 4][..],
            &[0, 0, 2, 0xea],
            &[1, 1, 44, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0],
            b"k\0\0\0",
            &[4, 7, 0, 0, 9, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0],
            b"data",
            &[0; 4],
            b"val\0",
        ]
        .concat();
        let (found, result) = in_inode(&record, 4);
        assert!(result.is_ok());
        let expected = [
            Attribute { name: b"user.k"[..].into(), value: Value::Here(52), size: 3 },
            Attribute { name: b"system.data"[..].into(), value: Value::Inode(9), size: 200 },
        ];
        assert_eq!(found, expected);
        assert_eq!(&record[52..55], b"val");
        assert!(found[1].is_inline_data());
    }

    #[test]
    fn refuses_values_outside() {
        let mut record = vec![0, 0, 2, 0xea, 1, 1, 44, 0, 0, 0, 0, 0, 3, 0, 0, 0];
        record.resize(40, 1);
        assert!(in_inode(&record, 0).1.is_err());
        assert!(in_block(&record).0.is_empty());
        assert!(in_block(&[]).1.is_err());
    }
}
