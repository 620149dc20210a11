//! Carving: what was compressed and then deleted is opened where it lies, in free space, slack,
//! swap, journals and whatever else is swept raw.
//!
//! Filesystems begin files at whole sectors. Of every sector that begins as a compressed file does,
//! the bytes up to the end of its item are read as one; that it is one is a guess. What is looked at
//! depends on the bytes alone and not on who came first, so that a report is always the same.

use super::level::Level;
use super::opening::{Budget, Outermost};
use super::worker::{Source, Worker};
use crate::bytes::{ReadAt, past_end, u16_le, u32_le};
use crate::content::{Head, Siblings, Unpacker, opener};
use crate::coverage::Kind;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::run::{ImageNo, Run};
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Where files may begin.
const SECTOR: usize = 512;

/// How compressed files begin. What archives hold as it is, is found without being opened.
const MAGICS: &[&[u8]] = &[
    b"\x1f\x8b\x08",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"BZh",
    b"PK\x03\x04",
    b"\x04\x22\x4d\x18",
    b"7z\xbc\xaf\x27\x1c",
    b"hsqs",
];

/// What carving may still cost, all workers together.
#[derive(Debug)]
pub(super) struct Left {
    packed: AtomicU64,
    unpacked: AtomicU64,
    told: AtomicBool,
}

impl Left {
    /// For a target of which so many bytes were written.
    pub(super) fn of(written: u64) -> Left {
        let factor = |factor: u64| {
            AtomicU64::new(written.saturating_mul(factor).saturating_add(limits::CARVED_BYTES))
        };
        Left {
            packed: factor(limits::CARVED_RUN_FACTOR),
            unpacked: factor(limits::UNPACKED_RUN_FACTOR),
            told: AtomicBool::new(false),
        }
    }
}

impl Worker<'_> {
    /// Open what begins in the `window` of a source of `len` bytes, which has just been searched
    /// and of which the buffer holds what was `seen`.
    pub(super) fn carve(&mut self, source: &Source<'_>, kind: Kind, window: Run, len: u64) {
        // No file's bytes were ever metadata, and what is encrypted begins as nothing.
        if self.plan.closed || matches!(kind, Kind::Metadata | Kind::Opaque) {
            return;
        }
        let begun = begun(&self.buf, source.origin, window);
        for (at, unpacker) in begun {
            let rest = Run::between(at, len);
            self.carved(source, rest, unpacker);
        }
    }

    /// Open what begins at a byte of a source and goes on at most to its end.
    fn carved(&mut self, source: &Source<'_>, rest: Run, unpacker: &'static Unpacker) {
        let left = &self.plan.carving;
        if left.packed.load(Ordering::Relaxed) == 0 {
            return;
        }
        let start = source.origin.saturating_add(rest.start);
        let mut bytes = Stretch {
            bytes: source.bytes,
            run: Run::new(start, rest.len.min(limits::CARVED_BYTES)),
            left: &left.packed,
            cut: limits::CARVED_BYTES < rest.len,
            reached: AtomicBool::new(false),
        };
        if unpacker.name == "zip" {
            // Without its end it would go on with whatever follows.
            let known = zip_len(&bytes);
            bytes.run.len = known.unwrap_or(bytes.run.len.min(limits::CARVED_ZIP_BYTES));
            bytes.cut = false;
        }
        let shown = bytes.run.len;
        let name = source.base.saturating_add(rest.start).to_string();
        let level = Level {
            at: source.at.clone().with_member(unpacker.name, Some(name.as_bytes())),
            name: Cow::Borrowed(b""),
            facts: Cow::Borrowed(&[]),
            depth: 0,
            origin: Some(0),
            packed: Run::new(0, shown),
        };
        let outermost = Outermost {
            source: &bytes,
            state: source.state,
            siblings: Siblings(None),
            passed: &|_| {},
            budget: Budget::of(shown, &left.unpacked),
            guess: true,
        };
        self.open(&level, unpacker, outermost);
        if bytes.reached.load(Ordering::Relaxed) {
            let what = "compressed data that no file shows is too long to be opened whole";
            self.share.coverage.error_at(&level.at, &Error::new(ErrorKind::Limit, what));
        }
        if left.packed.load(Ordering::Relaxed) == 0 && !left.told.swap(true, Ordering::Relaxed) {
            let what = "there is more compressed data that no file shows than is opened";
            self.share.coverage.error(&Error::new(ErrorKind::Limit, what));
        }
    }
}

/// Where in a window, of which `buf` holds the bytes and some before and behind, something begins
/// that can be opened.
fn begun(buf: &[u8], origin: u64, window: Run) -> Vec<(u64, &'static Unpacker)> {
    let before = window.start.min(limits::OVERLAP_BYTES);
    let sector = SECTOR as u64;
    let first = origin.saturating_add(window.start).next_multiple_of(sector) - origin;
    let mut found = Vec::new();
    let mut at = first;
    while at < window.end() {
        let index = usize::try_from(at - window.start + before).unwrap_or(usize::MAX);
        let Some(bytes) = buf.get(index..) else { break };
        if MAGICS.iter().any(|magic| bytes.starts_with(magic)) {
            let bytes = bytes.get(..limits::HEAD_BYTES).unwrap_or(bytes);
            let opener = opener(&Head { name: b"", bytes, size: None });
            found.extend(opener.map(|unpacker| (at, unpacker)));
        }
        at += sector;
    }
    found
}

/// How long the zip is that begins where `bytes` do: up to the end of the first directory that
/// stands where it says that it does.
fn zip_len(bytes: &Stretch<'_>) -> Option<u64> {
    const END: &[u8] = b"PK\x05\x06";
    const END_BYTES: u64 = 22;
    let most = bytes.run.len.min(limits::CARVED_ZIP_BYTES);
    let mut at = 0;
    let mut buf = Vec::new();
    while at < most {
        let unit = u64::try_from(limits::UNPACKED_READ_BYTES).unwrap_or(u64::MAX);
        // A little more, for an end that begins in this piece and goes on in the next.
        let len = unit.saturating_add(END_BYTES).min(bytes.run.len - at);
        buf.resize(usize::try_from(len).unwrap_or(0), 0);
        bytes.read_at(at, &mut buf).ok()?;
        for found in memchr::memmem::find_iter(&buf, END) {
            let Some(end) = buf.get(found..) else { continue };
            let (Ok(len), Ok(start)) = (u32_le(end, 12), u32_le(end, 16)) else { continue };
            let place = at.saturating_add(found as u64);
            if u64::from(len).saturating_add(u64::from(start)) == place {
                let comment = u16_le(end, 20).unwrap_or(0);
                let whole = place.saturating_add(END_BYTES).saturating_add(u64::from(comment));
                return Some(whole.min(bytes.run.len));
            }
        }
        at = at.saturating_add(unit);
    }
    None
}

/// The bytes from a sector on, counted as they are read.
struct Stretch<'a> {
    bytes: &'a dyn ReadAt,
    run: Run,
    left: &'a AtomicU64,
    /// Whether there are more than these.
    cut: bool,
    /// Whether the last of them was read although there are more.
    reached: AtomicBool,
}

impl ReadAt for Stretch<'_> {
    fn len(&self) -> u64 {
        self.run.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let wanted = Run::new(offset, buf.len() as u64);
        if !Run::new(0, self.run.len).contains(wanted) || wanted.len != buf.len() as u64 {
            return Err(past_end(offset, buf.len(), self.run.len));
        }
        let less = |left: u64| Some(left.saturating_sub(wanted.len));
        let before = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        if before.is_ok_and(|before| before < wanted.len) {
            let what = "there is more compressed data that no file shows than is opened";
            return Err(Error::new(ErrorKind::Limit, what));
        }
        if self.cut && wanted.end() == self.run.len {
            self.reached.store(true, Ordering::Relaxed);
        }
        self.bytes.read_at(self.run.start.saturating_add(offset), buf)
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        let run = run.intersect(Run::new(0, self.run.len));
        self.bytes.locate(Run::new(self.run.start.saturating_add(run.start), run.len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_ends_with_its_directory() {
        // A directory of 46 bytes at 100, and before it something that only looks like an end.
        let mut zip = vec![0; 146];
        zip[20..24].copy_from_slice(b"PK\x05\x06");
        zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        zip.extend(46_u32.to_le_bytes());
        zip.extend(100_u32.to_le_bytes());
        zip.extend(b"\x05\0hello");
        let expected = zip.len() as u64;
        let len_of = |bytes: Vec<u8>| {
            let run = Run::new(512, bytes.len() as u64 - 512);
            let reached = AtomicBool::new(false);
            let left = &AtomicU64::new(1 << 40);
            zip_len(&Stretch { bytes: &bytes, run, left, cut: false, reached })
        };
        let padding = vec![0; 200_000];
        assert_eq!(len_of([&padding[..512], &zip, &padding].concat()), Some(expected));
        assert_eq!(len_of([&padding[..512], &zip[..150], &padding].concat()), None);
        // Across two of the pieces it is looked for in.
        let far = limits::UNPACKED_READ_BYTES - 10;
        let mut zip = [vec![0; far], zip[146..].to_vec()].concat();
        zip[far + 16..far + 20].copy_from_slice(&u32::try_from(far - 46).unwrap().to_le_bytes());
        let expected = zip.len() as u64;
        assert_eq!(len_of([&padding[..512], &zip, &padding].concat()), Some(expected));
    }

    #[test]
    fn only_whole_sectors_begin_something() {
        let mut buf = vec![0; 8 * SECTOR];
        for at in [0, 512, 1000, 2048, 3584] {
            buf[at..at + 4].copy_from_slice(b"\x1f\x8b\x08\0");
        }
        let starts = |origin, window| {
            begun(&buf, origin, window).into_iter().map(|(at, _)| at).collect::<Vec<_>>()
        };
        assert_eq!(starts(0, Run::new(0, 4096)), [0, 512, 2048, 3584]);
        assert_eq!(starts(512, Run::new(0, 600)), [0, 512]);
        // The item begins at byte 24 of a sector: its byte 1000 begins one.
        assert_eq!(starts(24, Run::new(0, 4096)), [1000]);
        let far = limits::OVERLAP_BYTES + 512;
        let behind = vec![0; usize::try_from(limits::OVERLAP_BYTES).unwrap()];
        let buf = [&behind[..], b"\x1f\x8b\x08\0"].concat();
        let found = begun(&buf, 0, Run::new(far, 4));
        assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [far]);
    }
}
