//! Packs: many objects in one file, some as deltas of others, and the index beside it
//! ([format](https://git-scm.com/docs/pack-format)).

use super::object::{Id, Kind};
use crate::bytes::{ReadAt, read_vec, take, u32_be, u64_be};
use crate::error::{Error, Result};
use crate::limits;
use flate2::{Decompress, FlushDecompress, Status};
use sha1::{Digest, Sha1};
use std::io::{self, Read};

/// Bytes of a pack that are read at once.
const WINDOW: usize = 64 * 1024;

/// The bytes of a pack, read window by window.
pub(super) struct Source<'a> {
    bytes: &'a dyn ReadAt,
    /// Where the pack begins in its file.
    base: u64,
    /// Its length without the checksum behind it.
    pub(super) end: u64,
    window: Vec<u8>,
    start: u64,
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a dyn ReadAt, base: u64) -> Source<'a> {
        let end = bytes.len().saturating_sub(base);
        Source { bytes, base, end, window: Vec::new(), start: 0 }
    }

    /// Where an offset of the pack stands in its file.
    pub(super) fn place(&self, offset: u64) -> u64 {
        self.base.saturating_add(offset)
    }

    /// The bytes from an offset on: at least `least` of them, or all there are.
    pub(super) fn from(&mut self, at: u64, least: usize) -> Result<&[u8]> {
        let have = |source: &Source<'_>| {
            let skip = usize::try_from(at.checked_sub(source.start)?).ok()?;
            let left = source.window.len().checked_sub(skip)?;
            let all = source.start.saturating_add(u64::try_from(source.window.len()).ok()?);
            (left > 0 && (left >= least || all >= source.end)).then_some(skip)
        };
        if have(self).is_none() {
            let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
            self.window.clear();
            self.window = read_vec(self.bytes, self.place(at), left.min(WINDOW))?;
            self.start = at;
        }
        let skip = have(self).unwrap_or(self.window.len());
        Ok(self.window.get(skip..).unwrap_or_default())
    }
}

/// How an object is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packed {
    Whole(Kind),
    /// As a delta of the object at that offset.
    Offset(u64),
    /// As a delta of the object of that id.
    Named(Id),
}

/// What stands before an object's compressed bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryHead {
    pub(super) packed: Packed,
    /// Bytes of the object, or of the delta.
    pub(super) size: u64,
    /// Where the compressed bytes begin.
    pub(super) data: u64,
}

/// Read what stands before the object at `at`.
pub(super) fn head(source: &mut Source<'_>, at: u64) -> Result<EntryHead> {
    let wrong = || Error::corrupt("an object of a pack begins with what none begins with");
    let bytes = source.from(at, 40)?;
    let mut used = 0usize;
    let mut next = || {
        let byte = bytes.get(used).copied().ok_or_else(wrong);
        used = used.saturating_add(1);
        byte
    };
    let first = next()?;
    let mut size = u64::from(first & 15);
    let (mut more, mut shift) = (first & 0x80 != 0, 4u32);
    while more {
        let byte = next()?;
        size |= u64::from(byte & 0x7f).checked_shl(shift).ok_or_else(wrong)?;
        shift = shift.saturating_add(7);
        more = byte & 0x80 != 0;
    }
    let packed = match first >> 4 & 7 {
        1 => Packed::Whole(Kind::Commit),
        2 => Packed::Whole(Kind::Tree),
        3 => Packed::Whole(Kind::Blob),
        4 => Packed::Whole(Kind::Tag),
        6 => {
            let mut byte = next()?;
            let mut back = u64::from(byte & 0x7f);
            while byte & 0x80 != 0 {
                byte = next()?;
                back =
                    back.checked_add(1).and_then(|back| back.checked_mul(128)).ok_or_else(wrong)?;
                back |= u64::from(byte & 0x7f);
            }
            let base = at.checked_sub(back).filter(|base| *base < at).ok_or_else(wrong)?;
            Packed::Offset(base)
        }
        7 => {
            let id = bytes.get(used..).and_then(|rest| rest.first_chunk()).ok_or_else(wrong)?;
            used = used.saturating_add(20);
            Packed::Named(*id)
        }
        _ => return Err(wrong()),
    };
    let data = at.saturating_add(u64::try_from(used).unwrap_or(0));
    Ok(EntryHead { packed, size, data })
}

/// An object's bytes as they are unpacked.
pub(super) struct Inflating<'s, 'a> {
    source: &'s mut Source<'a>,
    state: &'s mut Decompress,
    /// Where the next packed byte stands.
    pub(super) at: u64,
    done: bool,
    /// How many bytes of all may still be made.
    work: &'s mut u64,
}

impl<'s, 'a> Inflating<'s, 'a> {
    pub(super) fn new(
        source: &'s mut Source<'a>,
        state: &'s mut Decompress,
        work: &'s mut u64,
        at: u64,
    ) -> Inflating<'s, 'a> {
        state.reset(true);
        Inflating { source, state, at, done: false, work }
    }
}

impl Read for Inflating<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let damaged = || io::Error::other(Error::corrupt("an object of a pack does not unpack"));
        while !self.done && !buf.is_empty() {
            let input = self.source.from(self.at, 1).map_err(io::Error::other)?;
            let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(input, buf, FlushDecompress::None);
            let status = status.map_err(|_| damaged())?;
            let used = self.state.total_in().saturating_sub(before_in);
            let made = self.state.total_out().saturating_sub(before_out);
            self.at = self.at.saturating_add(used);
            self.done = status == Status::StreamEnd;
            *self.work = self.work.checked_sub(made).ok_or_else(|| io::Error::other(too_much()))?;
            if made > 0 {
                return usize::try_from(made).map_err(io::Error::other);
            }
            if used == 0 && !self.done {
                return Err(damaged());
            }
        }
        Ok(0)
    }
}

/// The error of a pack that unpacks to more than is worth it.
pub(super) fn too_much() -> Error {
    Error::new(crate::error::ErrorKind::Limit, "a pack unpacks to too many bytes")
}

/// How many objects a pack says it has; an error for what is no pack.
pub(super) fn count(source: &mut Source<'_>) -> Result<u64> {
    let head = source.from(0, 12)?;
    match (head.get(..4), u32_be(head, 4)?) {
        (Some(b"PACK"), 2 | 3) => u32_be(head, 8).map(u64::from),
        (Some(b"PACK"), _) => Err(Error::unsupported("a pack of another version")),
        _ => Err(Error::corrupt("a pack has no header")),
    }
}

/// The objects that an index names, by where they begin, if it is of this pack and whole.
pub(super) fn index(idx: &dyn ReadAt, pack: &Source<'_>) -> Option<Vec<(u64, Id)>> {
    let len = usize::try_from(idx.len()).ok().filter(|len| *len <= limits::GIT_INDEX_BYTES)?;
    let bytes = read_vec(idx, 0, len).ok()?;
    let (body, sum) = bytes.split_at_checked(len.checked_sub(20)?)?;
    let sums = read_vec(pack.bytes, pack.place(pack.end.checked_sub(20)?), 20).ok()?;
    let right = Sha1::digest(body).as_slice() == sum && body.ends_with(&sums);
    if !right || !body.starts_with(b"\xfftOc\0\0\0\x02") {
        return None;
    }
    let count = usize::try_from(u32_be(body, 8 + 255 * 4).ok()?).ok()?;
    let ids = take(body, 8 + 1024, count.checked_mul(20)?).ok()?;
    let offsets = count.checked_mul(24)?.checked_add(8 + 1024)?;
    let large = offsets.checked_add(count.checked_mul(4)?)?;
    let mut objects = Vec::with_capacity(count);
    for (number, id) in ids.chunks_exact(20).enumerate() {
        let small = u32_be(body, offsets.checked_add(number.checked_mul(4)?)?).ok()?;
        let offset = match small.checked_sub(0x8000_0000) {
            None => u64::from(small),
            Some(at) => {
                let at = usize::try_from(at).ok()?.checked_mul(8)?;
                u64_be(body, large.checked_add(at)?).ok()?
            }
        };
        objects.push((offset, *id.first_chunk()?));
    }
    objects.sort_unstable();
    objects.dedup_by_key(|(offset, _)| *offset);
    Some(objects)
}
