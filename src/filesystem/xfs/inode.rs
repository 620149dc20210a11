//! An inode: the owner, times and forks of one file.

use crate::bytes::{take, u8_at, u16_be, u32_be, u64_be};
use crate::error::{Error, Result};
use crate::filesystem::{FileKind, Times};

const MAGIC: &[u8] = b"IN";
const CORE_V2_BYTES: usize = 100;
const CORE_V3_BYTES: usize = 176;
const FLAG_REALTIME: u16 = 1;
const FLAG2_BIGTIME: u64 = 8;
const FLAG2_LARGE_COUNTS: u64 = 0x10;
const FLAG2_METADATA: u64 = 0x20;
/// Where a big time's nanoseconds begin to count.
const BIGTIME_EPOCH: i64 = 1 << 31;

/// How the bytes of a fork are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A device number, or nothing.
    Device,
    /// In the inode.
    Local,
    /// Extent records in the inode.
    Extents,
    /// Extent records in a tree rooted in the inode.
    Tree,
}

/// One fork and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fork<'a> {
    pub(super) form: Form,
    /// The part of the inode that belongs to it.
    pub(super) bytes: &'a [u8],
    /// Where that part begins on the volume.
    pub(super) at: u64,
    pub(super) extent_count: u64,
}

/// An inode, parsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inode<'a> {
    pub(super) number: u64,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) links: u32,
    pub(super) size: u64,
    pub(super) times: Times,
    pub(super) realtime: bool,
    pub(super) metadata: bool,
    pub(super) data: Fork<'a>,
    pub(super) attributes: Option<Fork<'a>>,
}

impl<'a> Inode<'a> {
    /// Parse the inode `number` that lies at byte `at` of the volume.
    pub(super) fn parse(raw: &'a [u8], number: u64, at: u64) -> Result<Inode<'a>> {
        if take(raw, 0, 2)? != MAGIC {
            return Err(Error::corrupt("XFS inode has the wrong magic").detail(number));
        }
        let version = u8_at(raw, 4)?;
        if !matches!(version, 1..=3) {
            return Err(Error::corrupt("XFS inode has an unknown version").detail(number));
        }
        let v3 = version == 3;
        if v3 && u64_be(raw, 152)? != number {
            return Err(Error::corrupt("XFS inode is in another's place").detail(number));
        }
        let flags2 = if v3 { u64_be(raw, 120)? } else { 0 };
        let size = u64_be(raw, 56)?;
        if i64::try_from(size).is_err() {
            return Err(Error::corrupt("XFS file has a negative size").detail(number));
        }
        let (data, attributes) = forks(raw, at, flags2 & FLAG2_LARGE_COUNTS != 0)?;
        Ok(Inode {
            number,
            mode: u16_be(raw, 2)?,
            uid: u32_be(raw, 8)?,
            gid: u32_be(raw, 12)?,
            links: if version == 1 { u16_be(raw, 6)?.into() } else { u32_be(raw, 16)? },
            size,
            times: times(raw, v3, flags2)?,
            realtime: u16_be(raw, 90)? & FLAG_REALTIME != 0,
            metadata: flags2 & FLAG2_METADATA != 0,
            data,
            attributes,
        })
    }

    /// What the mode says it is.
    pub(super) fn kind(&self) -> Option<FileKind> {
        match self.mode & 0o170_000 {
            0o100_000 => Some(FileKind::File),
            0o040_000 => Some(FileKind::Directory),
            0o120_000 => Some(FileKind::Link),
            0o010_000 | 0o020_000 | 0o060_000 | 0o140_000 => Some(FileKind::Special),
            _ => None,
        }
    }
}

/// The part of an inode behind its core, and where that begins in the inode.
pub(super) fn literal_area(raw: &[u8]) -> Result<(&[u8], usize)> {
    let core = if u8_at(raw, 4)? == 3 { CORE_V3_BYTES } else { CORE_V2_BYTES };
    let rest = raw.get(core..).ok_or_else(|| Error::corrupt("XFS inode is cut short"))?;
    Ok((rest, core))
}

fn forks(raw: &[u8], at: u64, large: bool) -> Result<(Fork<'_>, Option<Fork<'_>>)> {
    let (area, core) = literal_area(raw)?;
    let split = usize::from(u8_at(raw, 82)?).saturating_mul(8);
    let data_len = if split == 0 { area.len() } else { split };
    let (data, attributes) = area
        .split_at_checked(data_len)
        .ok_or_else(|| Error::corrupt("XFS attribute fork lies outside its inode"))?;
    let (extents, attribute_extents) = if large {
        (u64_be(raw, 24)?, u64::from(u32_be(raw, 76)?))
    } else {
        (u64::from(u32_be(raw, 76)?), u64::from(u16_be(raw, 80)?))
    };
    let place = |offset: usize| {
        at.saturating_add(u64::try_from(core.saturating_add(offset)).unwrap_or(u64::MAX))
    };
    let data =
        Fork { form: form(u8_at(raw, 5)?)?, bytes: data, at: place(0), extent_count: extents };
    if split == 0 {
        return Ok((data, None));
    }
    let attributes = Fork {
        form: form(u8_at(raw, 83)?)?,
        bytes: attributes,
        at: place(data_len),
        extent_count: attribute_extents,
    };
    Ok((data, Some(attributes)))
}

fn form(byte: u8) -> Result<Form> {
    match byte {
        0 => Ok(Form::Device),
        1 => Ok(Form::Local),
        2 => Ok(Form::Extents),
        3 => Ok(Form::Tree),
        other => Err(Error::unsupported("XFS fork in an unknown form").detail(other)),
    }
}

fn times(raw: &[u8], v3: bool, flags2: u64) -> Result<Times> {
    let big = flags2 & FLAG2_BIGTIME != 0;
    let time = |offset| -> Result<i64> {
        if big {
            let seconds = i64::try_from(u64_be(raw, offset)? / 1_000_000_000).unwrap_or(i64::MAX);
            return Ok(seconds.saturating_sub(BIGTIME_EPOCH));
        }
        Ok(i64::from(u32_be(raw, offset)?.cast_signed()))
    };
    Ok(Times {
        modified: time(40)?,
        changed: time(48)?,
        created: if v3 { time(144)? } else { 0 },
        deleted: 0,
    })
}
