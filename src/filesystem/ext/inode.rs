//! An inode: what a file is, when it changed, and the root of where its bytes lie.
//! <https://docs.kernel.org/filesystems/ext4/inodes.html>

use crate::bytes::{take, u16_le, u32_le};
use crate::error::{Error, Result};
use crate::filesystem::{FileKind, Times};

/// The root directory.
pub(super) const ROOT: u32 = 2;
/// The inode that holds the descriptor blocks kept for growing.
pub(super) const RESIZE: u32 = 7;

const ENCRYPTED: u32 = 0x800;
const COMPRESSED_BLOCKS: u32 = 0x200;
const EXTENTS: u32 = 0x8_0000;
const ATTRIBUTE_VALUE: u32 = 0x20_0000;
const INLINE_DATA: u32 = 0x1000_0000;

/// Where the 60 bytes begin that hold block pointers, an extent tree's root or small contents.
pub(super) const ROOT_OFFSET: usize = 0x28;
/// How many they are.
pub(super) const ROOT_BYTES: usize = 60;

/// An inode in use, or once in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inode<'a> {
    pub(super) number: u32,
    /// Its first byte on the device.
    pub(super) at: u64,
    /// Its record in the table.
    pub(super) record: &'a [u8],
    pub(super) kind: FileKind,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) links: u16,
    pub(super) times: Times,
    flags: u32,
}

impl<'a> Inode<'a> {
    /// The inode in `record`, which begins at byte `at` of the device; nothing when it was never
    /// used.
    pub(super) fn parse(
        number: u32,
        at: u64,
        record: &'a [u8],
        large_directories: bool,
    ) -> Result<Option<Inode<'a>>> {
        let mode = u16_le(record, 0)?;
        if mode == 0 {
            return Ok(None);
        }
        let kind = match mode >> 12 {
            0x8 => FileKind::File,
            0x4 => FileKind::Directory,
            0xa => FileKind::Link,
            0x1 | 0x2 | 0x6 | 0xc => FileKind::Special,
            _ => return Err(Error::corrupt("inode has no known type").detail(number)),
        };
        let two_halves = kind == FileKind::File || large_directories && kind == FileKind::Directory;
        let size_high = if two_halves { u32_le(record, 0x6c)? } else { 0 };
        let half = |low, high| -> Result<u32> {
            Ok(u32::from(u16_le(record, high)?) << 16 | u32::from(u16_le(record, low)?))
        };
        Ok(Some(Inode {
            number,
            at,
            record,
            kind,
            mode,
            uid: half(0x02, 0x78)?,
            gid: half(0x18, 0x7a)?,
            size: u64::from(size_high) << 32 | u64::from(u32_le(record, 4)?),
            links: u16_le(record, 0x1a)?,
            times: times(record)?,
            flags: u32_le(record, 0x20)?,
        }))
    }

    /// The 60 bytes that hold block pointers, an extent tree's root or small contents.
    pub(super) fn root(&self) -> Result<&'a [u8]> {
        take(self.record, ROOT_OFFSET, ROOT_BYTES)
    }

    /// The block that holds more attributes, or zero.
    pub(super) fn attribute_block(&self) -> Result<u64> {
        let high = u64::from(u16_le(self.record, 0x76)?) << 32;
        Ok(high | u64::from(u32_le(self.record, 0x68)?))
    }

    /// Where in the record attributes begin.
    pub(super) fn attributes_offset(&self) -> Option<usize> {
        let extra = usize::from(u16_le(self.record, 0x80).ok()?);
        let offset = extra.checked_add(128)?;
        (extra >= 4 && offset.checked_add(4)? <= self.record.len()).then_some(offset)
    }

    /// Whether its bytes are found by an extent tree.
    pub(super) fn has_extents(&self) -> bool {
        self.flags & EXTENTS != 0
    }

    /// Whether its bytes lie in the inode itself.
    pub(super) fn is_inline(&self) -> bool {
        self.flags & INLINE_DATA != 0
    }

    /// Whether its bytes, and the names in it, are encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0
    }

    /// Whether its bytes are compressed, as a patch of the last century did it.
    pub(super) fn is_compressed(&self) -> bool {
        self.flags & COMPRESSED_BLOCKS != 0
    }

    /// Whether it holds the value of an attribute of other inodes.
    pub(super) fn is_attribute_value(&self) -> bool {
        self.flags & ATTRIBUTE_VALUE != 0
    }

    /// Whether it is a link whose target lies in the inode.
    pub(super) fn is_fast_link(&self) -> bool {
        let fits = usize::try_from(self.size).is_ok_and(|size| size < ROOT_BYTES);
        self.kind == FileKind::Link && fits && !self.has_extents() && !self.is_inline()
    }
}

/// Seconds since 1970: a signed half, and two bits of an epoch where the inode has room for them.
fn times(record: &[u8]) -> Result<Times> {
    let extra_bytes = u16_le(record, 0x80).unwrap_or(0);
    let time = |offset: usize, extra: usize| -> Result<i64> {
        let low = i64::from(u32_le(record, offset)?.cast_signed());
        let held = usize::from(extra_bytes).saturating_add(128) >= extra.saturating_add(4);
        let epoch = if held { u32_le(record, extra).unwrap_or(0) & 3 } else { 0 };
        Ok(low.saturating_add(i64::from(epoch) << 32))
    };
    let has_created = extra_bytes >= 0x14 && record.len() >= 0x94;
    Ok(Times {
        modified: time(0x10, 0x88)?,
        changed: time(0x0c, 0x84)?,
        created: if has_created { time(0x90, 0x94)? } else { 0 },
        deleted: u32_le(record, 0x14)?.into(),
    })
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
    fn reads_both_halves_and_the_epoch() {
        let mut record = vec![0; 256];
        let fields: [(usize, &[u8]); 9] = [
            (0, &[0xa4, 0x81, 0xe8, 3]),
            (4, &[1, 0, 0, 0]),
            (0x10, &[0, 0, 0, 0x80]),
            (0x18, &[7, 0, 2, 0]),
            (0x20, &[0, 0, 8, 0]),
            (0x6c, &[2, 0, 0, 0]),
            (0x78, &[1, 0, 2, 0]),
            (0x80, &[32, 0]),
            (0x88, &[1, 0, 0, 0]),
        ];
        for (offset, bytes) in fields {
            record[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        let inode = Inode::parse(12, 0, &record, false).unwrap().unwrap();
        assert_eq!((inode.kind, inode.mode, inode.links), (FileKind::File, 0o100_644, 2));
        assert_eq!((inode.uid, inode.gid, inode.size), (0x103e8, 0x20007, 0x2_0000_0001));
        assert_eq!(inode.times.modified, 0x1_0000_0000 - 0x8000_0000);
        assert!(inode.has_extents() && inode.attributes_offset() == Some(160));
        assert!(Inode::parse(12, 0, &[0; 128], false).unwrap().is_none());
        assert!(Inode::parse(12, 0, &[0xff; 128], false).is_err());
    }
}
