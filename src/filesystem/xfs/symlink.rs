//! A symbolic link: its target in the inode, or in blocks of which v5 gives each a header.

use super::Walk;
use super::bmbt;
use super::inode::{Form, Inode};
use super::superblock::crc_matches;
use crate::bytes::{take, u32_be, u64_be};
use crate::error::{Error, Result};
use crate::filesystem::{At, Extent, Stream, StreamName};
use crate::limits;
use crate::run::Run;

/// The stream that holds the target.
pub(super) fn target(walk: &mut Walk<'_>, inode: &Inode<'_>) -> Result<Stream> {
    if inode.size > limits::XFS_LINK_BYTES {
        return Err(Error::corrupt("XFS link target is too long"));
    }
    let extents = if inode.data.form == Form::Local {
        let inside = u64::try_from(inode.data.bytes.len()).unwrap_or(0);
        if inode.size > inside {
            return Err(Error::corrupt("XFS link target leaves its inode"));
        }
        vec![Extent { file_offset: 0, len: inode.size, at: At::Inline(inode.data.at) }]
    } else {
        let extents = bmbt::extents(walk, &inode.data)?;
        walk.metadata_extents(&extents);
        pieces(walk, &extents, Value { size: inode.size, header: LINK })?
    };
    Ok(Stream { name: StreamName::LinkTarget, size: inode.size, extents: extents.into() })
}

/// What v5 puts before each block of a value that lies outside its inode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    magic: &'static [u8; 4],
    /// Whether each block has one, or only each extent.
    each_block: bool,
    bad_checksum: &'static str,
}

const LINK: Header =
    Header { magic: b"XSLM", each_block: false, bad_checksum: "XFS link block fails its checksum" };
/// The header of an attribute value's blocks.
pub(super) const ATTRIBUTE: Header = Header {
    magic: b"XARM",
    each_block: true,
    bad_checksum: "XFS attribute value block fails its checksum",
};
const HEADER_BYTES: u64 = 56;

/// A value that lies outside its inode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) size: u64,
    pub(super) header: Header,
}

/// Where the pieces of a value lie in the blocks of `extents`, headers left out. Both kinds of
/// value are short (64 KiB at most).
pub(super) fn pieces(walk: &mut Walk<'_>, extents: &[Extent], value: Value) -> Result<Vec<Extent>> {
    let mut found: Vec<Extent> = Vec::new();
    let mut done = 0u64;
    for extent in extents {
        let At::Disk(start) = extent.at else {
            return Err(Error::corrupt("XFS value lies in an unwritten extent"));
        };
        let each_block = value.header.each_block || !walk.fs.geometry.v5;
        let unit = if each_block { walk.fs.geometry.block_bytes } else { extent.len };
        if unit > limits::XFS_LINK_EXTENT_BYTES {
            return Err(Error::corrupt("XFS link target has too many blocks"));
        }
        let mut at = 0u64;
        while at < extent.len && done < value.size {
            let block = Run::new(start.saturating_add(at), unit);
            at = at.saturating_add(unit);
            let left = value.size.saturating_sub(done);
            let piece = if walk.fs.geometry.v5 {
                with_header(walk, block, done, value.header)?
            } else {
                block
            };
            let len = piece.len.min(left);
            match found.last_mut() {
                Some(Extent { len: last, at: At::Inline(from), .. })
                    if from.checked_add(*last) == Some(piece.start) =>
                {
                    *last = last.saturating_add(len);
                }
                _ => found.push(Extent { file_offset: done, len, at: At::Inline(piece.start) }),
            }
            done = done.saturating_add(len);
        }
    }
    if done < value.size {
        return Err(Error::corrupt("XFS value is longer than its blocks"));
    }
    Ok(found)
}

fn with_header(walk: &mut Walk<'_>, run: Run, done: u64, header: Header) -> Result<Run> {
    let block = walk.read(run)?;
    let len = u64::from(u32_be(&block, 8)?);
    let ours = take(&block, 0, 4)? == header.magic
        && u64::from(u32_be(&block, 4)?) == done
        && u64_be(&block, 32)? == walk.inode;
    if !ours || len == 0 || len > run.len.saturating_sub(HEADER_BYTES) {
        return Err(Error::corrupt("XFS value block belongs to another"));
    }
    if !crc_matches(&block, 12) {
        walk.trouble(Error::corrupt(header.bad_checksum));
    }
    Ok(Run::new(run.start.saturating_add(HEADER_BYTES), len))
}
