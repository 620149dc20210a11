//! Journals of systemd: log entries field by field, of which long ones are packed
//! ([format](https://systemd.io/JOURNAL_FILE_FORMAT/)).
//!
//! Every field is handed out under its name and the place of its object. Behind damage, the next
//! object that looks like a field is read on from.

use super::notes::Notes;
use super::packed::{Method, unpack};
use super::stream::Front;
use super::{Given, Head, Open, Out, Unpacker, failed};
use crate::bytes::{u32_le, u64_le};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use std::io::Read;

pub(super) const UNPACKER: Unpacker =
    Unpacker { name: "journald", applies, open: Open::Stream(open) };

/// Bytes before what an object of any kind holds, and of a field's own.
const HEADER: usize = 16;
const DATA_HEADER: u64 = 64;
const COMPACT_DATA_HEADER: u64 = 72;

/// The kind of an object that is a field with its value.
const DATA: u8 = 1;
/// The highest kind there is.
const LAST_KIND: u8 = 7;
/// A flag of the file: offsets of half the width, in entries and behind the header of a field.
const COMPACT: u32 = 1 << 4;

fn applies(head: &Head<'_>) -> bool {
    head.bytes.starts_with(b"LPKSHHRH")
}

fn open(bytes: &mut dyn Read, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let mut front = Front::new(bytes);
    let header = front.peek(136).map_err(failed)?;
    let (flags, start) = (u32_le(header, 12)?, u64_le(header, 88)?);
    if !(136..=4096).contains(&start) {
        return Err(Error::corrupt("the header of a journal has a length it cannot have"));
    }
    front.skip(start).map_err(failed)?;
    let header = if flags & COMPACT == 0 { DATA_HEADER } else { COMPACT_DATA_HEADER };
    let mut journal = Journal { front, header, notes: Notes::default(), damage: None };
    journal.objects(out)?;
    journal.notes.flush(out)?;
    journal.damage.map_or(Ok(()), Err)
}

struct Journal<'a> {
    front: Front<'a>,
    /// Bytes of an object before a field's value.
    header: u64,
    notes: Notes,
    /// The first damage, or that something was too long.
    damage: Option<Error>,
}

/// What an object's first bytes say.
struct Object {
    kind: u8,
    flags: u8,
    size: u64,
}

impl Object {
    /// None where there is none: unused space is zeros.
    fn read(bytes: &[u8]) -> Option<Object> {
        let (kind, flags) = (*bytes.first()?, *bytes.get(1)?);
        let size = u64_le(bytes, 8).ok()?;
        let sound = (1..=LAST_KIND).contains(&kind)
            && flags <= 7
            && bytes.get(2..8)? == [0; 6]
            && size >= u64::try_from(HEADER).ok()?
            && size < 1 << 40;
        sound.then_some(Object { kind, flags, size })
    }
}

impl Journal<'_> {
    fn objects(&mut self, out: Out<'_>) -> Result<()> {
        loop {
            let ready = self.front.peek(HEADER).map_err(failed)?;
            if ready.len() < HEADER {
                return Ok(());
            }
            let Some(object) = Object::read(ready) else {
                // The space behind the last object is allocated in advance.
                if ready.iter().any(|byte| *byte != 0) {
                    let what = "an object of a journal is damaged";
                    self.damage.get_or_insert(Error::corrupt(what));
                }
                self.front.skip(8).map_err(failed)?;
                continue;
            };
            let (at, padded) = (self.front.at(), object.size.next_multiple_of(8));
            if object.kind == DATA && object.size > self.header {
                self.field(&object, at, out)?;
            }
            let taken = self.front.at().saturating_sub(at);
            if !self.front.skip(padded.saturating_sub(taken)).map_err(failed)? {
                let what = "a journal is cut short";
                self.damage.get_or_insert(Error::corrupt(what));
                return Ok(());
            }
        }
    }

    /// Hand out a field. What does not unpack may be damaged in its length as well: only its
    /// header is passed over.
    fn field(&mut self, object: &Object, at: u64, out: Out<'_>) -> Result<()> {
        let len = object.size.saturating_sub(self.header);
        let Some(held) =
            usize::try_from(len).ok().filter(|len| *len <= limits::JOURNAL_FIELD_BYTES)
        else {
            if object.flags != 0 {
                let what = "a packed field of a journal is too long to be held";
                self.damage.get_or_insert(Error::new(ErrorKind::Limit, what));
                return Ok(());
            }
            self.front.skip(self.header).map_err(failed)?;
            let name = format!("{at}");
            let about = super::stream::About { name: Some(name.as_bytes()), ..Default::default() };
            self.front.member(about, len, out)?;
            return Ok(());
        };
        let before = usize::try_from(self.header).unwrap_or(HEADER);
        let whole = self.front.peek(before.saturating_add(held)).map_err(failed)?;
        let packed = whole.get(before..).unwrap_or_default();
        let most = limits::JOURNAL_FIELD_BYTES;
        let text = match object.flags {
            0 => Ok(packed.to_vec()),
            1 => unpack(Method::Xz, packed, most),
            2 => lz4(packed, most),
            4 => unpack(Method::Zstd, packed, most),
            _ => Err(Error::corrupt("a field of a journal is packed in two ways")),
        };
        match text {
            Ok(text) => {
                let len = memchr::memchr(b'=', text.get(..64).unwrap_or(&text)).unwrap_or(0);
                let field = text.get(..len).unwrap_or_default();
                let name = [field, format!("/{at}").as_bytes()].concat();
                self.notes.add(b"", &name, &text, out)
            }
            Err(error) => {
                self.damage.get_or_insert(error);
                Ok(())
            }
        }
    }
}

/// A block of LZ4 behind its unpacked length.
fn lz4(packed: &[u8], most: usize) -> Result<Vec<u8>> {
    let len = usize::try_from(u64_le(packed, 0)?).unwrap_or(usize::MAX);
    if len > most {
        return Err(Error::new(ErrorKind::Limit, "a packed field of a journal is too long"));
    }
    unpack(Method::Lz4, packed.get(8..).unwrap_or_default(), len)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "a test may panic"
    )]

    use crate::content::probe::listing;

    const START: usize = 256;

    /// A journal of these objects: kind, flags, and what stands behind the header of a field.
    fn journal(compact: bool, objects: &[(u8, u8, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; START];
        bytes[..8].copy_from_slice(b"LPKSHHRH");
        bytes[12] = if compact { 16 } else { 0 };
        bytes[88..96].copy_from_slice(&(START as u64).to_le_bytes());
        let header = if compact { 72 } else { 64 };
        for (kind, flags, payload) in objects {
            let mut object = vec![0; header];
            (object[0], object[1]) = (*kind, *flags);
            object[8..16].copy_from_slice(&((header + payload.len()) as u64).to_le_bytes());
            object.extend_from_slice(payload);
            object.resize(object.len().next_multiple_of(8), 0);
            bytes.extend(object);
        }
        bytes
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        ruzstd::encoding::compress_to_vec(text, level)
    }

    #[test]
    fn fields_come_with_their_names_however_they_are_packed() {
        let long = [b"MESSAGE=".as_slice(), &b"again and ".repeat(20)].concat();
        let lz4 =
            [&(long.len() as u64).to_le_bytes()[..], &lz4_flex::block::compress(&long)].concat();
        let zstd = packed(&long);
        for compact in [false, true] {
            let objects: [(u8, u8, &[u8]); 5] =
                [(1, 0, b"_PID=7"), (2, 0, b"_PID"), (1, 2, &lz4), (3, 0, b""), (1, 4, &zstd)];
            let mut bytes = journal(compact, &objects);
            bytes.extend([0; 512]);
            let long = String::from_utf8(long.clone()).unwrap();
            let expected = format!("journald = _PID=7%0A{long}%0A{long}%0A");
            assert_eq!(listing("system.journal", &bytes), [expected]);
        }
    }

    #[test]
    fn what_follows_damage_is_read() {
        let mut bytes = journal(false, &[(1, 0, b"A=1"), (1, 4, b"no frame"), (1, 0, b"B=2")]);
        assert_eq!(listing("x", &bytes), ["journald = A=1%0AB=2%0A", "journald: Corrupt"]);
        // The length of the first object, and a kind that is none.
        bytes[START + 8] = 3;
        assert_eq!(listing("x", &bytes), ["journald = B=2%0A", "journald: Corrupt"]);
        let mut huge = journal(false, &[(1, 0, b"A=1")]);
        huge[START + 13] = 1;
        let lines = listing("x", &huge);
        assert_eq!(lines.last().unwrap(), "journald: Corrupt");
    }

    #[test]
    fn cut_or_flipped_bytes_end_in_an_error_at_worst() {
        let text = b"MESSAGE=one and one and one and one";
        let zstd = packed(text);
        let whole = journal(false, &[(1, 0, text), (1, 4, &zstd), (1, 0, b"_UID=0")]);
        (0..whole.len()).for_each(|len| drop(listing("x", &whole[..len])));
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            drop(listing("x", &bytes));
        }
    }
}
