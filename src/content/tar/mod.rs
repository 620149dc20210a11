//! tar: members behind one another, each behind a block that says what it is. v7, ustar, pax, GNU
//! and star, with sparse files in all four forms
//! ([tar(5)](https://man.freebsd.org/cgi/man.cgi?query=tar&sektion=5),
//! [GNU tar](https://www.gnu.org/software/tar/manual/html_node/Tar-Internals.html)).
//!
//! Behind damage, the next block whose checksum holds is read on from. An archive that was
//! appended to another is read as well, and what stands behind the end is handed out as it is.

mod header;
mod pax;
mod sparse;

use super::notes::Notes;
use super::stream::{About, Front};
use super::{Found, From, Given, Head, Member, Open, Out, Part, Unpacker, failed};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::run::Run;
use header::{BLOCK, Header, text};
use pax::Ahead;
use sparse::{Map, Sparse};
use std::io::Read;

const BLOCK_BYTES: u64 = 512;

pub(super) const UNPACKER: Unpacker = Unpacker { name: "tar", applies, open: Open::Stream(open) };

/// By the magic, or by a checksum and the name: v7 has no magic.
fn applies(head: &Head<'_>) -> bool {
    let Some(block) = head.bytes.get(..BLOCK) else { return false };
    let header = Header::new(block);
    if block.get(257..262) == Some(b"ustar") {
        // The first header may be damaged.
        return header.is_some() || named(head.name);
    }
    let empty = block.first() == Some(&0);
    header.is_some() && !empty && (head.name.is_empty() || named(head.name))
}

fn named(name: &[u8]) -> bool {
    let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name).to_ascii_lowercase();
    [".tar", ".tgz", ".tbz", ".txz", ".tzst", ".taz", ".tlz", ".gem", ".ova", ".crate", "layer"]
        .iter()
        .any(|part| memchr::memmem::find(&name, part.as_bytes()).is_some())
}

fn open(bytes: &mut dyn Read, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let archive = Archive { front: Front::new(bytes), notes: Notes::default(), damage: None };
    archive.read(out)
}

struct Archive<'a> {
    front: Front<'a>,
    notes: Notes,
    /// The first damage that was read past.
    damage: Option<Error>,
}

impl Archive<'_> {
    fn read(mut self, out: Out<'_>) -> Result<()> {
        let mut ahead = Ahead::default();
        let mut ended = false;
        let mut block = [0; BLOCK];
        loop {
            let read = self.front.peek(BLOCK).map_err(failed)?;
            let len = read.len();
            block.iter_mut().zip(read).for_each(|(to, from)| *to = *from);
            let zero = read.iter().all(|byte| *byte == 0);
            let header = Header::new(&block).filter(|_| len == BLOCK && !zero);
            let cut = match header {
                _ if len == 0 => break,
                // What follows the end is another archive, or none.
                None if ended && !zero => break,
                None => {
                    self.front.skip(BLOCK_BYTES).map_err(failed)?;
                    if !zero {
                        self.damaged("a header of a tar archive is damaged");
                    }
                    ahead = Ahead::default();
                    ended = zero;
                    false
                }
                Some(header) => {
                    self.front.skip(BLOCK_BYTES).map_err(failed)?;
                    ended = false;
                    !self.entry(&header, &mut ahead, out)?
                }
            };
            if cut {
                self.damaged("a tar archive is cut short");
                break;
            }
        }
        self.notes.flush(out)?;
        if ended {
            self.front.rest(out)?;
        }
        self.damage.map_or(Ok(()), Err)
    }

    fn damaged(&mut self, what: &'static str) {
        let at = self.front.at();
        self.damage.get_or_insert_with(|| Error::corrupt(what).detail(format_args!("near {at}")));
    }

    /// Read what a header is about; whether all of it was there.
    fn entry(&mut self, header: &Header<'_>, ahead: &mut Ahead, out: Out<'_>) -> Result<bool> {
        let size = header.number(124, 12).unwrap_or_else(|| {
            self.damaged("a size in a tar archive is no number");
            0
        });
        let kind = header.kind();
        if !matches!(kind, b'L' | b'K' | b'x' | b'X' | b'g') {
            let ahead = std::mem::take(ahead);
            return self.member(header, ahead, size, out);
        }
        if size > limits::TAR_EXTENSION_BYTES {
            let what = "an extended header of a tar archive is too long";
            out(Found::Closed { name: None, error: Error::new(ErrorKind::Limit, what) })?;
            return self.front.skip(padded(size)).map_err(failed);
        }
        let len = usize::try_from(size).unwrap_or(0);
        let data = self.front.take_vec(len).map_err(failed)?;
        match kind {
            b'L' => ahead.name = Some(text(&data).to_vec()),
            b'K' => ahead.link = Some(text(&data).to_vec()),
            _ => {
                let mut global = Ahead::default();
                let records = if kind == b'g' { &mut global } else { &mut *ahead };
                if let Err(error) = records.records(&data) {
                    self.damage.get_or_insert(error);
                }
                for (name, text) in &global.notes {
                    self.notes.add(b"", name, text, out)?;
                }
            }
        }
        let padding = padded(size).saturating_sub(size);
        Ok(data.len() == len && self.front.skip(padding).map_err(failed)?)
    }

    /// Hand out a member; whether all of it was there.
    fn member(
        &mut self,
        header: &Header<'_>,
        mut ahead: Ahead,
        size: u64,
        out: Out<'_>,
    ) -> Result<bool> {
        let name = ahead.name().unwrap_or_else(|| header.name());
        let mut size = ahead.size.unwrap_or(size);
        for (kind, text) in std::mem::take(&mut ahead.notes) {
            self.notes.add(&name, &kind, &text, out)?;
        }
        let kind = header.kind();
        if matches!(kind, b'1' | b'2') {
            let link = ahead.link.take().unwrap_or_else(|| header.link().to_vec());
            self.notes.add(&name, b"$Link", &link, out)?;
        }
        if matches!(kind, b'1'..=b'6') {
            // Some archivers give such an entry a size and no data, some both.
            let next = self.front.peek(BLOCK).map_err(failed)?;
            if Header::new(next).is_some() || next.iter().all(|byte| *byte == 0) {
                size = 0;
            }
            if size == 0 {
                return Ok(true);
            }
        }
        let about = About {
            name: Some(&name),
            mode: 0o100_000
                | u32::try_from(header.number(100, 8).unwrap_or(0) & 0o7777).unwrap_or(0),
            uid: ahead.uid.or_else(|| header.number(108, 8)?.try_into().ok()).unwrap_or(0),
            modified: ahead.modified.unwrap_or_else(|| header.modified()),
            size: None,
        };
        let mut left = size;
        let map = self.map(header, &mut ahead, &mut left);
        let map = map.unwrap_or_else(|error| {
            self.damage.get_or_insert(error);
            None
        });
        let whole = match map.filter(|map| map.holds() && map.data() <= left) {
            Some(mut map) => self.sparse(about, &mut map, left, out)?,
            None => self.front.member(about, left, out)?,
        };
        Ok(whole && self.front.skip(padded(size).saturating_sub(size)).map_err(failed)?)
    }

    /// Hand out a sparse file whose data takes `left` bytes; whether all of it was there.
    fn sparse(
        &mut self,
        mut about: About<'_>,
        map: &mut Map,
        left: u64,
        out: Out<'_>,
    ) -> Result<bool> {
        let from = From::Packed(Run::new(self.front.at(), left));
        let name = about.name.unwrap_or_default();
        let shortened = map.shorten();
        let parts = |run: Run| {
            let run = shortened.as_ref()?.original(run)?;
            Some(Part { name: name.to_vec(), run, from: From::Somewhere })
        };
        let mut data = self.front.by_ref().take(left);
        let mut bytes = Sparse::new(&mut data, map);
        about.size = Some(map.size);
        let mut member: Member<'_> = about.member(from, &mut bytes);
        if shortened.is_some() {
            member.parts = Some(&parts);
        }
        out(Found::Member(member))?;
        let left = data.limit();
        self.front.skip(left).map_err(failed)
    }

    /// The map of a member that is sparse, read from where it stands.
    fn map(
        &mut self,
        header: &Header<'_>,
        ahead: &mut Ahead,
        left: &mut u64,
    ) -> Result<Option<Map>> {
        if header.kind() == b'S' {
            return self.map_of_headers(header).map(Some);
        }
        let Some(mut map) = ahead.map() else { return Ok(None) };
        if ahead.map_inside {
            self.map_before_data(&mut map, left)?;
        }
        Ok(Some(map))
    }

    /// The map in GNU's own headers: four pieces in the first, 21 in each that follows.
    fn map_of_headers(&mut self, header: &Header<'_>) -> Result<Map> {
        let size = header.number(483, 12).unwrap_or(0);
        let mut map = Map { pieces: Vec::new(), size };
        let mut pieces = header.field(386, 96).to_vec();
        let mut more = header.field(482, 1) != [0];
        loop {
            for piece in pieces.chunks_exact(24) {
                let (start, len) = piece.split_at_checked(12).unwrap_or_default();
                // A field that is not used is empty.
                if len.first().is_some_and(|first| *first != 0)
                    && let (Some(start), Some(len)) = (header::size(start), header::size(len))
                {
                    map.add(start, len)?;
                }
            }
            if !more {
                return Ok(map);
            }
            let block = self.front.take_vec(BLOCK).map_err(failed)?;
            more = block.get(504).is_some_and(|more| *more != 0);
            pieces = block.get(..504).unwrap_or_default().to_vec();
        }
    }

    /// The map that stands before the data: how many pieces, then offset and length of each, every
    /// number on a line of its own, in whole blocks.
    fn map_before_data(&mut self, map: &mut Map, left: &mut u64) -> Result<()> {
        let (mut count, mut start, mut line) = (None, None, Vec::new());
        while count != Some(0) {
            let block = self.front.take_vec(BLOCK).map_err(failed)?;
            *left = left.saturating_sub(BLOCK_BYTES);
            if block.is_empty() || *left == 0 {
                return Err(Error::corrupt("the map of a sparse file is damaged"));
            }
            for byte in block {
                if count == Some(0) {
                    break;
                }
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                let number = pax::decimal(&line)?;
                line.clear();
                match (count, start.take()) {
                    (None, _) => count = Some(number),
                    (Some(_), None) => start = Some(number),
                    (Some(left), Some(start)) => {
                        map.add(start, number)?;
                        count = left.checked_sub(1);
                    }
                }
            }
        }
        Ok(())
    }
}

/// `size` in whole blocks.
fn padded(size: u64) -> u64 {
    size.checked_next_multiple_of(BLOCK_BYTES).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
