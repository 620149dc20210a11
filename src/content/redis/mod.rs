//! Redis: its snapshots (RDB, [format](https://github.com/sripathikrishnan/redis-rdb-tools/wiki/Redis-RDB-Dump-File-Format))
//! and its logs of commands (AOF, in the [protocol](https://redis.io/docs/latest/develop/reference/protocol-spec/)
//! of its clients).
//!
//! Snapshots pack long strings, and in both a value stands apart from its name. Keys and fields are
//! handed out with what they hold, as `name=value`.

mod lists;
mod log;

use super::notes::Notes;
use super::stream::Front;
use super::{Given, Head, Open, Out, Unpacker, failed};
use crate::bytes::{take, u32_be, u64_be};
use crate::error::{Error, Result};
use crate::limits;
use std::io::Read;

pub(super) const SNAPSHOT: Unpacker =
    Unpacker { name: "rdb", applies: is_snapshot, open: Open::Stream(snapshot) };

pub(super) const LOG: Unpacker =
    Unpacker { name: "aof", applies: log::applies, open: Open::Stream(log::open) };

fn is_snapshot(head: &Head<'_>) -> bool {
    let version = head.bytes.get(5..9).unwrap_or_default();
    head.bytes.starts_with(b"REDIS")
        && version.len() == 4
        && version.iter().all(u8::is_ascii_digit)
        && head.bytes.get(9).is_none_or(|kind| *kind >= 0xf3 || *kind <= 30)
}

fn snapshot(bytes: &mut dyn Read, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let mut reader =
        Reader { front: Front::new(bytes), notes: Notes::default(), held: 0, key: Vec::new() };
    reader.front.skip(9).map_err(failed)?;
    let read = reader.entries(out);
    reader.notes.flush(out)?;
    read?;
    // A log that begins with a snapshot goes on with commands.
    if log::begins(reader.front.peek(16).map_err(failed)?) {
        return log::read(&mut reader.front, out);
    }
    reader.front.rest(out)
}

/// A length, or a number in its place, or a string that is packed.
enum Length {
    Of(u64),
    Number(i64),
    Packed,
}

struct Reader<'a> {
    front: Front<'a>,
    notes: Notes,
    /// Bytes of strings that are held for one key.
    held: usize,
    key: Vec<u8>,
}

impl Reader<'_> {
    fn entries(&mut self, out: Out<'_>) -> Result<()> {
        loop {
            let kind = self.byte()?;
            match kind {
                // A setting of the server.
                0xfa => {
                    let name = self.string()?;
                    let value = self.string()?;
                    self.pair(&name, &value, out)?;
                }
                0xfe | 0xf8 => self.lengths(1)?,
                0xfb => self.lengths(2)?,
                0xf4 => self.lengths(3)?,
                0xfd => self.pass(4)?,
                0xfc => self.pass(8)?,
                0xf9 => self.pass(1)?,
                // A library of functions, as its source.
                0xf5 => {
                    let text = self.string()?;
                    self.notes.add(b"", b"function", &text, out)?;
                }
                0xf7 => {
                    self.lengths(3)?;
                    self.module(out)?;
                }
                0xff => {
                    // The checksum came with version 5.
                    return self.pass(8).or(Ok(()));
                }
                _ => {
                    self.held = 0;
                    self.key = self.string()?;
                    self.value(kind, out)?;
                }
            }
        }
    }

    fn value(&mut self, kind: u8, out: Out<'_>) -> Result<()> {
        match kind {
            0 => {
                let value = self.string()?;
                let key = std::mem::take(&mut self.key);
                self.pair(&key, &value, out)
            }
            1 | 2 => self.many(out, 0),
            3 => self.scored(out, true),
            5 => self.scored(out, false),
            4 => {
                let count = self.count()?;
                self.fields(count, false, out)
            }
            // Fields that expire: each behind its time, and before them all the least of these.
            24 => {
                self.pass(8)?;
                let count = self.count()?;
                self.fields(count, true, out)
            }
            6 => Err(Error::unsupported("a value of a module of Redis that is not read")),
            7 => {
                self.length()?;
                self.module(out)
            }
            9 => self.packed(lists::zipmap, true, out),
            10 | 12 => self.packed(lists::ziplist, false, out),
            13 => self.packed(lists::ziplist, true, out),
            11 => self.string().map(drop),
            16 => self.packed(lists::listpack, true, out),
            17 | 20 => self.packed(lists::listpack, false, out),
            25 => {
                self.pass(8)?;
                self.packed(lists::triples, true, out)
            }
            14 => {
                for _ in 0..self.count()? {
                    self.packed(lists::ziplist, false, out)?;
                }
                Ok(())
            }
            18 => {
                for _ in 0..self.count()? {
                    let plain = matches!(self.length()?, Length::Of(1));
                    if plain {
                        let text = self.string()?;
                        let key = self.key.clone();
                        self.notes.add(b"", &key, &text, out)?;
                    } else {
                        self.packed(lists::listpack, false, out)?;
                    }
                }
                Ok(())
            }
            15 | 19 | 21 => self.stream(kind, out),
            _ => Err(Error::unsupported("a kind of value of Redis that is not read").detail(kind)),
        }
    }

    /// Strings behind one another, each with something behind it.
    fn many(&mut self, out: Out<'_>, behind: u64) -> Result<()> {
        for _ in 0..self.count()? {
            let text = self.string()?;
            let key = self.key.clone();
            self.notes.add(b"", &key, &text, out)?;
            self.pass(behind)?;
        }
        Ok(())
    }

    /// Strings with numbers: as text in the older form.
    fn scored(&mut self, out: Out<'_>, text: bool) -> Result<()> {
        if !text {
            return self.many(out, 8);
        }
        for _ in 0..self.count()? {
            let name = self.string()?;
            let key = self.key.clone();
            self.notes.add(b"", &key, &name, out)?;
            let len = self.byte()?;
            // The last three stand for what is no number.
            self.pass(if len > 252 { 0 } else { u64::from(len) })?;
        }
        Ok(())
    }

    fn fields(&mut self, count: u64, expiring: bool, out: Out<'_>) -> Result<()> {
        for _ in 0..count {
            if expiring {
                self.length()?;
            }
            let name = self.string()?;
            let value = self.string()?;
            self.pair(&name, &value, out)?;
        }
        Ok(())
    }

    /// A string that is a list of others, in pairs if they are fields.
    fn packed(
        &mut self,
        read: fn(&[u8], &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
        pairs: bool,
        out: Out<'_>,
    ) -> Result<()> {
        let text = self.string()?;
        let key = self.key.clone();
        let mut name: Option<Vec<u8>> = None;
        let notes = &mut self.notes;
        let read = read(&text, &mut |item| match name.take() {
            Some(name) => pair(notes, &key, &name, item, out),
            None if pairs => {
                name = Some(item.to_vec());
                Ok(())
            }
            None => notes.add(b"", &key, item, out),
        });
        match read {
            // The list is damaged, and not what follows it.
            Err(error) if error.what() == lists::DAMAGED => notes.add(b"", &key, &text, out),
            other => other,
        }
    }

    /// A stream: its entries in packed lists, and who reads it how far.
    fn stream(&mut self, kind: u8, out: Out<'_>) -> Result<()> {
        for _ in 0..self.count()? {
            self.string()?;
            self.packed(lists::listpack, false, out)?;
        }
        self.lengths(if kind == 15 { 3 } else { 8 })?;
        for _ in 0..self.count()? {
            self.string()?;
            self.lengths(if kind == 15 { 2 } else { 3 })?;
            for _ in 0..self.count()? {
                self.pass(24)?;
                self.length()?;
            }
            for _ in 0..self.count()? {
                self.string()?;
                self.pass(if kind == 21 { 16 } else { 8 })?;
                for _ in 0..self.count()? {
                    self.pass(16)?;
                }
            }
        }
        Ok(())
    }

    /// What a module keeps, in its own order.
    fn module(&mut self, out: Out<'_>) -> Result<()> {
        loop {
            let Length::Of(kind) = self.length()? else { return Err(damaged()) };
            match kind {
                0 => return Ok(()),
                1 | 2 => self.lengths(1)?,
                3 => self.pass(4)?,
                4 => self.pass(8)?,
                5 => {
                    let text = self.string()?;
                    let key = self.key.clone();
                    self.notes.add(b"", &key, &text, out)?;
                }
                _ => return Err(damaged()),
            }
        }
    }

    fn pair(&mut self, name: &[u8], value: &[u8], out: Out<'_>) -> Result<()> {
        let key = self.key.clone();
        pair(&mut self.notes, &key, name, value, out)
    }

    /// A string. One that is too long to be held is passed over, but for its beginning.
    fn string(&mut self) -> Result<Vec<u8>> {
        match self.length()? {
            Length::Number(number) => Ok(number.to_string().into_bytes()),
            Length::Of(len) => {
                let held = usize::try_from(len).unwrap_or(usize::MAX).min(limits::REDIS_BYTES);
                let text = self.front.take_vec(held).map_err(failed)?;
                if text.len() < held {
                    return Err(cut());
                }
                self.pass(len.saturating_sub(u64::try_from(held).unwrap_or(u64::MAX)))?;
                Ok(text)
            }
            Length::Packed => {
                let (packed, len) = (self.count()?, self.count()?);
                let bounded =
                    |len: u64| usize::try_from(len).ok().filter(|len| *len <= limits::REDIS_BYTES);
                let (Some(packed), Some(len)) = (bounded(packed), bounded(len)) else {
                    self.pass(packed)?;
                    return Ok(Vec::new());
                };
                let packed = self.front.take_vec(packed).map_err(failed)?;
                lists::unpack(&packed, len)
            }
        }
    }

    fn count(&mut self) -> Result<u64> {
        match self.length()? {
            Length::Of(count) => Ok(count),
            Length::Number(_) | Length::Packed => Err(damaged()),
        }
    }

    fn lengths(&mut self, count: usize) -> Result<()> {
        (0..count).try_for_each(|_| self.length().map(drop))
    }

    fn length(&mut self) -> Result<Length> {
        let first = self.byte()?;
        let low = u64::from(first & 0x3f);
        Ok(match (first >> 6, low) {
            (0, low) => Length::Of(low),
            (1, low) => Length::Of(low << 8 | u64::from(self.byte()?)),
            (2, 0) => Length::Of(u64::from(u32_be(&self.bytes(4)?, 0)?)),
            (2, 1) => Length::Of(u64_be(&self.bytes(8)?, 0)?),
            (3, 0) => Length::Number(i64::from(self.byte()?.cast_signed())),
            (3, 1) => Length::Number(little(&self.bytes(2)?)),
            (3, 2) => Length::Number(little(&self.bytes(4)?)),
            (3, 3) => Length::Packed,
            _ => return Err(damaged()),
        })
    }

    fn byte(&mut self) -> Result<u8> {
        self.bytes(1)?.first().copied().ok_or_else(cut)
    }

    fn bytes(&mut self, len: usize) -> Result<Vec<u8>> {
        let bytes = self.front.take_vec(len).map_err(failed)?;
        take(&bytes, 0, len).map_err(|_| cut())?;
        Ok(bytes)
    }

    fn pass(&mut self, len: u64) -> Result<()> {
        if self.front.skip(len).map_err(failed)? { Ok(()) } else { Err(cut()) }
    }
}

/// Hand out a value with its name, as a line of settings, under the key.
fn pair(notes: &mut Notes, key: &[u8], name: &[u8], value: &[u8], out: Out<'_>) -> Result<()> {
    let label = if key.is_empty() { name } else { key };
    let between: &[u8] = if name.is_empty() { b"" } else { b"=" };
    notes.add(b"", label, &[name, between, value].concat(), out)
}

/// A number of two or four bytes, the lowest first.
fn little(bytes: &[u8]) -> i64 {
    match bytes {
        [a, b] => i64::from(i16::from_le_bytes([*a, *b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([*a, *b, *c, *d])),
        _ => 0,
    }
}

fn damaged() -> Error {
    Error::corrupt("a snapshot of Redis is damaged")
}

fn cut() -> Error {
    Error::corrupt("a snapshot of Redis is cut short")
}

#[cfg(test)]
mod tests;
