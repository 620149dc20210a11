//! A directory: the names in it, found by a linear scan of its blocks. Hash-tree nodes look like
//! unused entries, so they need no care.
//! <https://docs.kernel.org/filesystems/ext4/directory.html>

use crate::bytes::{take, u8_at, u16_le, u32_le};
use crate::error::{Error, Result};

const HEADER_BYTES: usize = 8;

/// One name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DirEntry<'a> {
    pub(super) inode: u32,
    pub(super) name: &'a [u8],
}

/// Visit the entries of one block, or of a part of an inode, but `.` and `..`. Ends at the first
/// entry that makes no sense.
pub(super) fn entries<'a>(
    data: &'a [u8],
    has_file_type: bool,
    mut each: impl FnMut(DirEntry<'a>),
) -> Result<()> {
    let mut at = 0usize;
    while at.checked_add(HEADER_BYTES).is_some_and(|end| end <= data.len()) {
        let inode = u32_le(data, at)?;
        let len = entry_len(u16_le(data, at.saturating_add(4))?, data.len());
        let end = at.saturating_add(len);
        if len < HEADER_BYTES || data.len() < end || len & 3 != 0 {
            return Err(Error::corrupt("directory entry has an impossible length").detail(len));
        }
        let name_len = if has_file_type {
            u8_at(data, at.saturating_add(6))?.into()
        } else {
            usize::from(u16_le(data, at.saturating_add(6))?)
        };
        if inode != 0 {
            if len < HEADER_BYTES.saturating_add(name_len) {
                return Err(Error::corrupt("name is longer than its directory entry"));
            }
            let name = take(data, at.saturating_add(HEADER_BYTES), name_len)?;
            if !matches!(name, b"" | b"." | b"..") {
                each(DirEntry { inode, name });
            }
        }
        at = end;
    }
    Ok(())
}

/// The length of an entry. In blocks of 64 KiB it does not fit its field, and borrows its two
/// lowest bits, which are always zero.
fn entry_len(raw: u16, block_len: usize) -> usize {
    match (raw, block_len) {
        (0 | 0xffff, 65536..) => block_len,
        (_, 65536..) => usize::from(raw & 0xfffc) | usize::from(raw & 3) << 16,
        _ => raw.into(),
    }
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

    fn names(data: &[u8], has_file_type: bool) -> (Vec<(u32, String)>, bool) {
        let mut found = Vec::new();
        let fine = entries(data, has_file_type, |e| {
            found.push((e.inode, String::from_utf8_lossy(e.name).into_owned()));
        });
        (found, fine.is_ok())
    }

    #[test]
    fn skips_dots_and_unused_entries() {
        let block = [
            &[2, 0, 0, 0, 12, 0, 1, 2][..],
            b".\0\0\0",
            &[2, 0, 0, 0, 12, 0, 2, 2],
            b"..\0\0",
            &[12, 0, 0, 0, 12, 0, 3, 1],
            b"abc\0",
            &[0, 0, 0, 0, 12, 0, 3, 1],
            b"old\0",
            &[13, 0, 0, 0, 16, 0, 2, 1],
            b"yzDELETE",
        ]
        .concat();
        let expected = vec![(12, "abc".to_owned()), (13, "yz".to_owned())];
        assert_eq!(names(&block, true), (expected, true));
    }

    #[test]
    fn ends_at_nonsense() {
        assert_eq!(names(&[1, 0, 0, 0, 0, 0, 1, 0], true), (vec![], false));
        assert_eq!(names(&[1, 0, 0, 0, 12, 0, 1, 0], true), (vec![], false));
        assert_eq!(names(&[1, 0, 0, 0, 8, 0, 1, 0], true), (vec![], false));
        assert_eq!(names(&[1, 0, 0], true), (vec![], true));
        let old = [&[9, 0, 0, 0, 12, 0, 1, 0][..], b"k\0\0\0"].concat();
        assert_eq!(names(&old, false), (vec![(9, "k".to_owned())], true));
    }

    #[test]
    fn lengths_in_large_blocks() {
        assert_eq!(entry_len(0, 65536), 65536);
        assert_eq!(entry_len(0xffff, 65536), 65536);
        assert_eq!(entry_len(12, 65536), 12);
        assert_eq!(entry_len(0xffff, 4096), 0xffff);
    }
}
