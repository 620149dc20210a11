//! zip: members, each behind a header of its own, and a directory of them at the end
//! ([APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT)). jar, war, apk, whl,
//! docx and many others are zip.
//!
//! With its directory, an archive is read in the order of its bytes, and so is what stands between
//! the members that the directory knows: what was deleted, what a program carries before them.
//! Without, be it damaged, cut or out of reach in a stream, it is read header by header.

mod directory;
mod method;
mod scan;

use super::notes::Notes;
use super::stream::{About, Checked, Front, Span};
use super::{Found, From, Given, Head, Open, Out, Unpacker};
use crate::bytes::{ReadAt, read_vec, u16_le, u32_le, u64_le};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::run::Run;
use directory::Directory;
use std::io::Read;

pub(super) const UNPACKER: Unpacker =
    Unpacker { name: "zip", applies, open: Open::Either(open, scan_all) };

const LOCAL: &[u8] = b"PK\x03\x04";
const ENTRY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

/// Bytes of a member's header without its name.
const LOCAL_BYTES: usize = 30;

const ENCRYPTED: u16 = 1;
const SIZES_BEHIND: u16 = 8;

/// Names of archives that may begin with something else, such as a program.
const NAMES: [&[u8]; 12] = [
    b".zip", b".jar", b".war", b".ear", b".pyz", b".pex", b".whl", b".apk", b".crx", b".xpi",
    b".jmod", b".docx",
];

fn applies(head: &Head<'_>) -> bool {
    let marks = [LOCAL, END, DESCRIPTOR, b"PK00PK\x03\x04"];
    let name = head.name.to_ascii_lowercase();
    let named = NAMES.iter().any(|suffix| name.ends_with(suffix));
    // A header of a member says which version can read it, and that is one below ten.
    let plausible = || !head.bytes.starts_with(LOCAL) || head.bytes.get(5).is_none_or(|b| *b < 8);
    marks.iter().any(|mark| head.bytes.starts_with(mark)) && plausible() || named && has_mark(head)
}

fn has_mark(head: &Head<'_>) -> bool {
    head.bytes.len() >= limits::HEAD_BYTES || memchr::memmem::find(head.bytes, b"PK").is_some()
}

/// A member, as its header or the directory tells of it.
struct Entry {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    mode: u32,
    /// Where its header is.
    at: u64,
}

impl Entry {
    /// What the header of a member says, without its name; the sizes may stand behind it.
    fn local(header: &[u8]) -> Result<Entry> {
        Ok(Entry {
            name: Vec::new(),
            flags: u16_le(header, 6)?,
            method: u16_le(header, 8)?,
            crc: u32_le(header, 14)?,
            packed: u32_le(header, 18)?.into(),
            size: u32_le(header, 22)?.into(),
            mode: 0,
            at: 0,
        })
    }

    /// Take the numbers that are too large for the header from where they stand instead.
    fn widen(&mut self, extra: &[u8]) {
        let mut rest = extra;
        while let (Ok(id), Ok(len)) = (u16_le(rest, 0), u16_le(rest, 2)) {
            let Some(field) = rest.get(4..) else { return };
            let len = usize::from(len).min(field.len());
            let (field, behind) = field.split_at_checked(len).unwrap_or_default();
            rest = behind;
            let mut at = 0usize;
            for number in [&mut self.size, &mut self.packed, &mut self.at] {
                if id == 1 && *number == u64::from(u32::MAX) {
                    *number = u64_le(field, at).unwrap_or(*number);
                    at = at.saturating_add(8);
                }
            }
        }
    }

    fn is_folder(&self) -> bool {
        self.packed == 0 && self.size == 0 && self.name.ends_with(b"/")
    }

    /// Hand out the member, whose packed bytes are all that `bytes` reads.
    fn hand_out(&self, bytes: impl Read, from: From, out: Out<'_>) -> Result<()> {
        let name = Some(self.name.get(..limits::MEMBER_NAME_BYTES).unwrap_or(&self.name));
        if self.flags & ENCRYPTED != 0 {
            let error = Error::new(ErrorKind::Encrypted, "a member is encrypted");
            return out(Found::Closed { name, error });
        }
        let about = About { name, mode: self.mode, size: Some(self.size), ..About::default() };
        match method::unpacked(self, Front::new(bytes)) {
            Ok(bytes) => {
                let mut bytes = Checked::new(bytes, self.size, Some(self.crc));
                out(Found::Member(about.member(from, &mut bytes)))
            }
            Err(error) => out(Found::Closed { name, error }),
        }
    }

    /// Where the packed bytes come from.
    fn from(&self, at: u64) -> From {
        match self.method {
            method::STORED => From::Verbatim(at),
            _ => From::Packed(Run::new(at, self.packed)),
        }
    }
}

/// Without the directory.
fn scan_all(bytes: &mut dyn Read, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    scan::scan(Front::new(bytes), 0, out)
}

fn open(bytes: &dyn ReadAt, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let Some(directory) = Directory::find(bytes)? else {
        scan::scan(Front::new(Span::new(bytes, 0, bytes.len())), 0, out)?;
        return Err(Error::corrupt("a zip archive has no directory at its end"));
    };
    // Members may share bytes, which an archive made to be slow does without end.
    let most = bytes.len().saturating_mul(2).saturating_add(limits::ZIP_SHARED_BYTES);
    let mut archive = Archive { bytes, end: 0, left: most };
    let mut notes = Notes::default();
    directory.batches(bytes, &mut notes, out, &mut |batch, out| archive.members(batch, out))?;
    notes.flush(out)?;
    let Run { start, .. } = directory.run;
    archive.between(start, out)?;
    archive.end = directory.end;
    archive.between(bytes.len(), out)?;
    Ok(())
}

struct Archive<'a> {
    bytes: &'a dyn ReadAt,
    /// How far its bytes were handed out.
    end: u64,
    /// Packed bytes that may still be read.
    left: u64,
}

impl Archive<'_> {
    /// Hand out members in the order of their bytes.
    fn members(&mut self, batch: &mut Vec<Entry>, out: Out<'_>) -> Result<()> {
        batch.sort_by_key(|entry| entry.at);
        let mut before = None;
        for entry in batch.drain(..) {
            // The same member under two names.
            let same = Some((entry.at, entry.packed, entry.method));
            if std::mem::replace(&mut before, same) == same && entry.packed > 0 {
                continue;
            }
            self.between(entry.at, out)?;
            let data = match self.data(&entry) {
                Ok(data) => data,
                Err(error) => {
                    out(Found::Closed { name: Some(&entry.name), error })?;
                    continue;
                }
            };
            let shared = "members of a zip archive share their bytes";
            let shared = || Error::new(ErrorKind::Limit, shared);
            self.left = self.left.checked_sub(entry.packed).ok_or_else(shared)?;
            self.end = self.end.max(data.saturating_add(entry.packed));
            if !entry.is_folder() {
                let packed = Span::new(self.bytes, data, entry.packed);
                entry.hand_out(packed, entry.from(data), out)?;
            }
        }
        Ok(())
    }

    /// Where a member's packed bytes begin.
    fn data(&self, entry: &Entry) -> Result<u64> {
        let wrong = || Error::corrupt("a member of a zip archive is not where it should be");
        let header = read_vec(self.bytes, entry.at, LOCAL_BYTES)
            .map_err(|error| if error.kind() == ErrorKind::Corrupt { wrong() } else { error })?;
        if !header.starts_with(LOCAL) {
            return Err(wrong());
        }
        let (name, extra) = (u16_le(&header, 26)?, u16_le(&header, 28)?);
        let len = u64::from(name).saturating_add(extra.into()).saturating_add(30);
        let data = entry.at.saturating_add(len);
        let end = data.saturating_add(entry.packed);
        if end > self.bytes.len() { Err(wrong()) } else { Ok(data) }
    }

    /// Hand out what stands before `next` and belongs to no member so far.
    fn between(&mut self, next: u64, out: Out<'_>) -> Result<()> {
        let gap = Run::between(self.end, next.min(self.bytes.len()));
        if gap.is_empty() || gap.len <= u16::MAX.into() && !self.is_more(gap)? {
            return Ok(());
        }
        self.end = gap.end();
        let bytes = Span::new(self.bytes, gap.start, gap.len);
        let scanned = scan::scan(Front::new(bytes), gap.start, out);
        // What was deleted need not be whole.
        scanned.or_else(|error| match error.kind() {
            ErrorKind::Corrupt => Ok(()),
            _ => Err(error),
        })
    }

    /// Whether a gap holds more than zeros and the sizes of the member before it.
    fn is_more(&self, gap: Run) -> Result<bool> {
        let bytes = read_vec(self.bytes, gap.start, usize::try_from(gap.len).unwrap_or(0))?;
        let marked = bytes.starts_with(DESCRIPTOR);
        let sizes = marked && bytes.len() <= 24 || matches!(bytes.len(), 12 | 20);
        Ok(!sizes && bytes.iter().any(|byte| *byte != 0))
    }
}

#[cfg(test)]
mod tests;
