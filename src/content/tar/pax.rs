//! What extension headers say of the member behind them: the records of
//! [pax](https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_02), and
//! GNU's long names.

use super::sparse::Map;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use std::borrow::Cow;

/// What is known of the next member besides its header.
#[derive(Default)]
pub(super) struct Ahead {
    pub(super) name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) modified: Option<i64>,
    /// Attributes and comments, by the name that they are shown under.
    pub(super) notes: Vec<(Vec<u8>, Vec<u8>)>,
    /// The map of a sparse file, once there is one.
    pub(super) map: Option<Map>,
    /// Whether the map stands before the data.
    pub(super) map_inside: bool,
    /// The name and length of a sparse file.
    sparse_name: Option<Vec<u8>>,
    sparse_size: Option<u64>,
    /// The offset that a length is still missing for.
    offset: Option<u64>,
}

impl Ahead {
    /// The name of a sparse file wins over the made-up one.
    pub(super) fn name(&mut self) -> Option<Vec<u8>> {
        self.sparse_name.take().or_else(|| self.name.take())
    }

    /// The map with its length set.
    pub(super) fn map(&mut self) -> Option<Map> {
        let mut map = self.map.take()?;
        map.size = self.sparse_size.unwrap_or(map.size);
        Some(map)
    }

    /// Take what the records of a header say.
    pub(super) fn records(&mut self, records: &[u8]) -> Result<()> {
        let mut rest = records;
        while !rest.is_empty() && rest.first() != Some(&0) {
            let (record, behind) = split(rest).ok_or_else(wrong)?;
            rest = behind;
            let equals = memchr::memchr(b'=', record).ok_or_else(wrong)?;
            let (key, value) = record.split_at_checked(equals).ok_or_else(wrong)?;
            self.record(key, value.get(1..).unwrap_or_default())?;
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match key {
            b"path" => self.name = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(decimal(value)?),
            b"uid" => self.uid = u32::try_from(decimal(value)?).ok(),
            b"mtime" => self.modified = seconds(value),
            b"GNU.sparse.name" => self.sparse_name = Some(value.to_vec()),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.sparse_size = Some(decimal(value)?);
                self.map.get_or_insert_default();
            }
            b"GNU.sparse.major" => self.map_inside = value == b"1",
            b"GNU.sparse.offset" => self.offset = Some(decimal(value)?),
            b"GNU.sparse.numbytes" => {
                let start = self.offset.take().ok_or_else(wrong)?;
                self.map.get_or_insert_default().add(start, decimal(value)?)?;
            }
            b"GNU.sparse.map" => {
                let map = self.map.get_or_insert_default();
                let mut numbers = value.split(|byte| *byte == b',');
                while let (Some(start), Some(len)) = (numbers.next(), numbers.next()) {
                    map.add(decimal(start)?, decimal(len)?)?;
                }
            }
            b"gid"
            | b"uname"
            | b"gname"
            | b"atime"
            | b"ctime"
            | b"charset"
            | b"hdrcharset"
            | b"GNU.sparse.minor"
            | b"GNU.sparse.numblocks"
            | b"LIBARCHIVE.creationtime" => {}
            _ => self.note(key, value),
        }
        Ok(())
    }

    fn note(&mut self, key: &[u8], value: &[u8]) {
        let mut value = Cow::Borrowed(value);
        let name = if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            [b"$Xattr/", name].concat()
        } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
            let bare = value.trim_ascii_end();
            let decoded = BASE64_STANDARD.decode(bare).or(BASE64_STANDARD_NO_PAD.decode(bare));
            value = decoded.map_or(value, Cow::Owned);
            [b"$Xattr/".as_slice(), &unescaped(name)].concat()
        } else {
            [b"$Pax/", key].concat()
        };
        self.notes.push((name, value.into_owned()));
    }
}

/// The first record and what follows it.
fn split(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr::memchr(b' ', records.get(..records.len().min(20))?)?;
    let len = usize::try_from(decimal(records.get(..space)?).ok()?).ok()?;
    let (record, rest) = records.split_at_checked(len)?;
    let record = record.get(space.checked_add(1)?..)?;
    Some((record.strip_suffix(b"\n").unwrap_or(record), rest))
}

/// Undo the percent signs in the name of an attribute.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let hex = hex.filter(|_| byte == b'%');
        out.push(hex.unwrap_or(byte));
        rest = behind.get(if hex.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    out
}

pub(super) fn decimal(text: &[u8]) -> Result<u64> {
    let number = text.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    });
    number.filter(|_| !text.is_empty()).ok_or_else(wrong)
}

/// The whole seconds of a time.
fn seconds(text: &[u8]) -> Option<i64> {
    let whole = text.split(|byte| *byte == b'.').next()?;
    std::str::from_utf8(whole).ok()?.parse().ok()
}

fn wrong() -> Error {
    Error::corrupt("an extended header of a tar archive is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_say_what_the_header_cannot() {
        let mut ahead = Ahead::default();
        ahead.records(b"17 path=a b\nc/d\n\n21 mtime=-12.3456789\n11 size=77\n").unwrap();
        assert_eq!(ahead.name().unwrap(), b"a b\nc/d\n");
        assert_eq!((ahead.size, ahead.modified), (Some(77), Some(-12)));
        ahead.records(b"34 LIBARCHIVE.xattr.user%2Ek=aGk=\n16 comment=hey\n\n").unwrap();
        let expected = [("$Xattr/user.k", "hi"), ("$Pax/comment", "hey\n")];
        for ((name, text), (its_name, its_text)) in expected.iter().zip(&ahead.notes) {
            assert_eq!((name.as_bytes(), text.as_bytes()), (&**its_name, &**its_text));
        }
        for wrong in ["x", "99 path=x\n", "3 a\n", "0 path=x\n", "9 size=x\n"] {
            assert!(Ahead::default().records(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
