//! A zip archive without its directory, header by header.

use super::method::{BZIP2, DEFLATE, STORED};
use super::{
    DESCRIPTOR, ENCRYPTED, END, ENTRY, Entry, LOCAL, LOCAL_BYTES, SIZES_BEHIND, directory,
};
use crate::bytes::{u16_le, u32_le, u64_le};
use crate::content::bzip2::bzip2;
use crate::content::deflate::Inflate;
use crate::content::notes::Notes;
use crate::content::stream::{About, Front, Stepped, is_ours};
use crate::content::{Found, From, Member, Out, failed};
use crate::error::{Error, Result};
use crate::limits;
use crate::run::Run;
use std::io::{self, BufRead, Read};

/// Hand out what stands in `front`, which begins at `base` of the archive.
pub(super) fn scan(mut front: Front<'_>, base: u64, out: Out<'_>) -> Result<()> {
    let mut notes = Notes::default();
    loop {
        let mark = front.peek(4).map_err(failed)?.to_vec();
        if mark.is_empty() {
            break;
        }
        let at = front.at();
        if mark == LOCAL {
            front = member(front, base, out)?;
        } else if mark == ENTRY {
            let header = front.take_vec(46).map_err(failed)?;
            // Cut short, it says nothing.
            if let Ok((entry, comment)) = directory::read(&header, &mut front) {
                notes.add(&entry.name, b"$Comment", &comment, out)?;
            }
        } else if mark == END {
            let header = front.take_vec(22).map_err(failed)?;
            let comment = u16_le(&header, 20).unwrap_or(0);
            let comment = front.take_vec(comment.into()).map_err(failed)?;
            notes.add(b"", b"$Comment", &comment, out)?;
        } else if mark == b"PK\x06\x06" {
            let header = front.take_vec(12).map_err(failed)?;
            let len = u64_le(&header, 4).unwrap_or(0);
            front.skip(len.min(limits::ARCHIVE_NAME_BYTES)).map_err(failed)?;
        } else if mark == b"PK\x06\x07" {
            front.skip(20).map_err(failed)?;
        } else if mark == DESCRIPTOR || mark == b"PK00" {
            // Sizes are looked for where they end a member.
            front.skip(4).map_err(failed)?;
        } else {
            other(&mut front, base, out)?;
        }
        if front.at() == at {
            front.skip(1).map_err(failed)?;
        }
    }
    notes.flush(out)
}

/// Hand out what is no part of an archive, up to the next that is.
fn other(front: &mut Front<'_>, base: u64, out: Out<'_>) -> Result<()> {
    let short = {
        let ahead = front.peek(64).map_err(failed)?;
        let end = memchr::memmem::find(ahead, b"PK").unwrap_or(ahead.len());
        // Zeros, or the sizes of the member before.
        let text = ahead.get(..end).unwrap_or_default();
        (end <= 24 || text.iter().all(|byte| *byte == 0)).then_some(end)
    };
    if let Some(len) = short {
        front.skip(u64::try_from(len).unwrap_or(0)).map_err(failed)?;
        return Ok(());
    }
    let from = From::Verbatim(base.saturating_add(front.at()));
    let mut bytes = Until { front, sized: false, len: 0, ended: false };
    out(Found::Member(Member { from, ..Member::new(None, &mut bytes) }))?;
    bytes.drain().map_err(failed)
}

/// Hand out a member.
fn member<'a>(mut front: Front<'a>, base: u64, out: Out<'_>) -> Result<Front<'a>> {
    let header = front.take_vec(LOCAL_BYTES).map_err(failed)?;
    let cut = || Error::corrupt("a zip archive is cut short");
    let mut entry = Entry::local(&header).map_err(|_| cut())?;
    let lens = (u16_le(&header, 26), u16_le(&header, 28));
    let (Ok(name), Ok(extra)) = lens else { return Err(cut()) };
    entry.name = front.take_vec(name.into()).map_err(failed)?;
    let extra = front.take_vec(extra.into()).map_err(failed)?;
    entry.widen(&extra);
    let at = base.saturating_add(front.at());
    if entry.flags & SIZES_BEHIND != 0 && entry.packed == 0 {
        return unsized_member(front, &entry, at, out);
    }
    if !entry.is_folder() {
        let mut packed = front.by_ref().take(entry.packed);
        entry.hand_out(&mut packed, entry.from(at), out)?;
        let left = packed.limit();
        if !front.skip(left).map_err(failed)? {
            return Err(cut());
        }
    }
    Ok(front)
}

/// Hand out a member of which nobody has told how long it is.
fn unsized_member<'a>(
    mut front: Front<'a>,
    entry: &Entry,
    at: u64,
    out: Out<'_>,
) -> Result<Front<'a>> {
    let name = Some(entry.name.get(..limits::MEMBER_NAME_BYTES).unwrap_or(&entry.name));
    let about = About { name, mode: entry.mode, ..About::default() };
    let from = From::Packed(Run::new(at, u64::MAX));
    if entry.flags & ENCRYPTED != 0 {
        let error = Error::new(crate::error::ErrorKind::Encrypted, "a member is encrypted");
        out(Found::Closed { name, error })?;
        let mut bytes = Until { front: &mut front, sized: true, len: 0, ended: false };
        bytes.drain().map_err(failed)?;
        return Ok(front);
    }
    match entry.method {
        DEFLATE => {
            let mut bytes = Stepped::new(front, Inflate::raw());
            out(Found::Member(about.member(from, &mut bytes)))?;
            drain(&mut bytes)?;
            Ok(bytes.into_front())
        }
        BZIP2 => {
            let mut bytes = bzip2(front);
            out(Found::Member(about.member(from, &mut bytes)))?;
            drain(&mut bytes)?;
            Ok(bytes.into_front())
        }
        STORED => {
            let mut bytes = Until { front: &mut front, sized: true, len: 0, ended: false };
            out(Found::Member(about.member(From::Verbatim(at), &mut bytes)))?;
            bytes.drain().map_err(failed)?;
            Ok(front)
        }
        _ => {
            let what = "a member of a zip archive does not tell where it ends";
            out(Found::Closed { name, error: Error::unsupported(what) })?;
            let mut bytes = Until { front: &mut front, sized: true, len: 0, ended: false };
            bytes.drain().map_err(failed)?;
            Ok(front)
        }
    }
}

/// Read to the end of a member that was not read, to find what follows. Its damage was told to
/// whoever read it.
fn drain(bytes: &mut dyn Read) -> Result<()> {
    match io::copy(bytes, &mut io::sink()) {
        Err(error) if is_ours(&error) => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Reads up to the next header, or to the sizes behind a member.
struct Until<'f, 'a> {
    front: &'f mut Front<'a>,
    /// Whether the sizes behind the member end it, when they are its own.
    sized: bool,
    len: u64,
    ended: bool,
}

impl Until<'_, '_> {
    fn drain(&mut self) -> io::Result<()> {
        io::copy(self, &mut io::sink()).map(drop)
    }

    /// How many of the bytes ahead are part of this, up to `most`.
    fn ready(&mut self, most: usize) -> io::Result<usize> {
        let (len, sized) = (self.len, self.sized);
        let ahead = self.front.peek(limits::STREAM_BYTES)?;
        for at in memchr::memmem::find_iter(ahead, b"PK") {
            let here = ahead.get(at..).unwrap_or_default();
            let own = |len: u64| {
                let narrow = u32_le(here, 8).is_ok_and(|told| u64::from(told) == len);
                narrow || u64_le(here, 8).is_ok_and(|told| told == len)
            };
            let before = len.saturating_add(u64::try_from(at).unwrap_or(0));
            let ends = match here.get(..4) {
                Some(mark) if mark == DESCRIPTOR => sized && own(before),
                Some(mark) => mark == LOCAL || mark == ENTRY || mark == END,
                None => false,
            };
            if ends {
                return Ok(at);
            }
        }
        let last = ahead.len() < limits::STREAM_BYTES;
        // A header may begin in the last bytes.
        Ok(if last { ahead.len() } else { ahead.len().saturating_sub(16) }.min(most))
    }
}

impl Read for Until<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.ended || buf.is_empty() {
            return Ok(0);
        }
        let ready = self.ready(usize::MAX)?;
        let len = ready.min(buf.len());
        self.ended = ready == 0;
        let bytes = self.front.peek(len)?;
        buf.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.front.consume(len);
        self.len = self.len.saturating_add(u64::try_from(len).unwrap_or(0));
        Ok(len)
    }
}
