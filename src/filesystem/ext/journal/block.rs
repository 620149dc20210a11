//! A journal block: its header, the tags of a descriptor, the records of a revocation.

use crate::bytes::{u16_be, u32_be, u64_be};

const MAGIC: u32 = 0xc03b_3998;
const HEADER_BYTES: usize = 12;
const UUID_BYTES: usize = 16;
/// Bytes at the end of a descriptor or revocation block that hold its checksum.
pub(super) const DESCRIPTOR_TAIL_BYTES: usize = 4;

pub(super) const DESCRIPTOR: u32 = 1;
pub(super) const COMMIT: u32 = 2;
pub(super) const REVOCATION: u32 = 5;

const ESCAPED: u32 = 1;
const SAME_UUID: u32 = 2;
const LAST: u32 = 8;

/// The header every block of a journal's own begins with.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: u32,
    pub(super) sequence: u32,
}

impl Header {
    /// The header of `data`, if it has one.
    pub(super) fn parse(data: &[u8]) -> Option<Header> {
        if u32_be(data, 0).ok()? != MAGIC {
            return None;
        }
        Some(Header { kind: u32_be(data, 4).ok()?, sequence: u32_be(data, 8).ok()? })
    }
}

/// How a tag is laid out, by the journal's features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TagFormat {
    /// The version of block checksums; zero without.
    pub(super) checksum: u8,
    /// Whether block numbers have a high half.
    pub(super) wide: bool,
}

impl TagFormat {
    fn bytes(self) -> usize {
        match (self.checksum, self.wide) {
            (3, _) => 16,
            (2, true) => 14,
            (2, false) => 10,
            (_, true) => 12,
            (_, false) => 8,
        }
    }
}

/// A tag: what the next data block of a transaction is a copy of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) home: u64,
    pub(super) escaped: bool,
    /// The checksum, or its low half, where the format has one.
    pub(super) checksum: u32,
}

/// The tags of a descriptor block, whose checksum was cut off.
pub(super) fn tags(data: &[u8], format: TagFormat) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut at = HEADER_BYTES;
    while let Some((tag, flags)) = tag(data, at, format) {
        tags.push(tag);
        let uuid = if flags & SAME_UUID == 0 { UUID_BYTES } else { 0 };
        at = at.saturating_add(format.bytes()).saturating_add(uuid);
        if flags & LAST != 0 {
            break;
        }
    }
    tags
}

fn tag(data: &[u8], at: usize, format: TagFormat) -> Option<(Tag, u32)> {
    let end = at.checked_add(format.bytes())?;
    let data = data.get(at..end)?;
    let low = u64::from(u32_be(data, 0).ok()?);
    let (flags, checksum) = match format.checksum {
        3 => (u32_be(data, 4).ok()?, u32_be(data, 12).ok()?),
        _ => (u16_be(data, 6).ok()?.into(), u16_be(data, 4).ok()?.into()),
    };
    let high = if format.wide { u64::from(u32_be(data, 8).ok()?) } else { 0 };
    Some((Tag { home: high << 32 | low, escaped: flags & ESCAPED != 0, checksum }, flags))
}

/// The blocks a revocation block names.
pub(super) fn revoked(data: &[u8], wide: bool) -> impl Iterator<Item = u64> + '_ {
    let used = u32_be(data, HEADER_BYTES).ok().and_then(|used| usize::try_from(used).ok());
    let records = data.get(16..used.unwrap_or(0).min(data.len())).unwrap_or_default();
    records.chunks_exact(if wide { 8 } else { 4 }).filter_map(move |record| {
        if wide { u64_be(record, 0).ok() } else { u32_be(record, 0).ok().map(u64::from) }
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
    fn reads_the_tags_of_each_format() {
        let header = [0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 1, 0, 0, 0, 7];
        let narrow = [
            &header[..],
            &[0, 0, 0, 5, 0, 0, 0, 0], // no flags: a UUID follows
            &[9; 16],
            &[0, 0, 0, 6, 0, 0, 0, 0xb], // escaped, same UUID, last
            &[0, 0, 0, 7, 0, 0, 0, 2],
        ]
        .concat();
        let format = |checksum, wide| TagFormat { checksum, wide };
        let tag = |home, escaped, checksum| Tag { home, escaped, checksum };
        assert_eq!(tags(&narrow, format(0, false)), [tag(5, false, 0), tag(6, true, 0)]);
        let v3 = [&header[..], &[0, 0, 0, 5, 0, 0, 0, 0xa, 0, 0, 0, 1, 1, 2, 3, 4]].concat();
        assert_eq!(tags(&v3, format(3, true)), [tag(0x1_0000_0005, false, 0x0102_0304)]);
        let v2 = [&header[..], &[0, 0, 0, 5, 0xab, 0xcd, 0, 0xa, 0, 0]].concat();
        assert_eq!(tags(&v2, format(2, false)), [tag(5, false, 0xabcd)]);
        assert!(tags(&header, format(0, true)).is_empty());
    }

    #[test]
    fn reads_revocations_up_to_their_end() {
        let mut data = vec![0; 40];
        data[15] = 24;
        data[19] = 3;
        data[23] = 4;
        data[27] = 5;
        assert_eq!(revoked(&data, false).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(revoked(&data, true).collect::<Vec<_>>(), [0x3_0000_0004]);
        data[12..16].fill(0xff);
        assert_eq!(revoked(&data, false).count(), 6);
    }
}
