//! Records: the payload of a cell with its overflow pages, and the values in it
//! ([format](https://www.sqlite.org/fileformat2.html#record_format)).

use super::page::{Cell, Encoding, Page, Pages, Seen, varint};
use crate::bytes::u32_be;
use crate::error::{Error, Result};
use crate::limits;
use std::borrow::Cow;
use std::io::{self, Read};

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// A whole number.
    Int(i64),
    /// A number.
    Real(f64),
    /// Text, as UTF-8.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The bytes of a payload, page by page.
pub(super) struct Chain<'a, 'b> {
    pages: &'a Pages<'b>,
    seen: &'a mut Seen,
    now: Cow<'a, [u8]>,
    /// Where the bytes at hand stand in the file.
    at: Option<u64>,
    used: usize,
    /// Bytes behind those at hand.
    left: u64,
    next: u32,
}

impl<'a, 'b> Chain<'a, 'b> {
    pub(super) fn new(
        pages: &'a Pages<'b>,
        seen: &'a mut Seen,
        page: &'a Page,
        cell: &Cell,
    ) -> Chain<'a, 'b> {
        let here = page.bytes.get(cell.local.clone()).unwrap_or_default();
        let offset = u64::try_from(cell.local.start).unwrap_or(0);
        Chain {
            pages,
            seen,
            now: Cow::Borrowed(here),
            at: page.at.map(|at| at.saturating_add(offset)),
            used: 0,
            left: cell.payload.saturating_sub(u64::try_from(here.len()).unwrap_or(0)),
            next: cell.overflow,
        }
    }

    /// What is left of the piece at hand, or of the next one; empty at the end.
    fn piece(&mut self) -> Result<(&[u8], Option<u64>)> {
        if self.used >= self.now.len() && self.left > 0 {
            let loops = || Error::corrupt("an overflow chain ends early or meets itself");
            let number = Some(self.next).filter(|next| self.seen.first(*next)).ok_or_else(loops)?;
            let mut page = self.pages.read(number)?;
            self.next = u32_be(&page.bytes, 0)?;
            page.bytes.truncate(self.pages.header.usable);
            page.bytes.drain(..4.min(page.bytes.len()));
            page.bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            let len = u64::try_from(page.bytes.len()).unwrap_or(0);
            self.left = self.left.saturating_sub(len);
            self.at = page.at.map(|at| at.saturating_add(4));
            self.used = 0;
            self.now = Cow::Owned(page.bytes);
        }
        let used = u64::try_from(self.used).unwrap_or(0);
        let at = self.at.map(|at| at.saturating_add(used));
        Ok((self.now.get(self.used..).unwrap_or_default(), at))
    }

    /// Hand the next `len` bytes to `each`, piece by piece.
    pub(super) fn take(
        &mut self,
        len: u64,
        each: &mut dyn FnMut(&[u8], Option<u64>),
    ) -> Result<()> {
        let mut left = len;
        while left > 0 {
            let (piece, at) = self.piece()?;
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let piece = piece.get(..most).unwrap_or(piece);
            if piece.is_empty() {
                return Err(Error::corrupt("a record is cut short"));
            }
            each(piece, at);
            let len = piece.len();
            self.used = self.used.saturating_add(len);
            left = left.saturating_sub(u64::try_from(len).unwrap_or(left));
        }
        Ok(())
    }

    /// The types of the values that follow.
    pub(super) fn types(&mut self) -> Result<Vec<u64>> {
        let wrong = || Error::corrupt("the header of a record contradicts itself");
        let mut bytes = Vec::new();
        // The length is a number of one byte, or more when there are many columns.
        self.take(1, &mut |piece, _| bytes.extend_from_slice(piece))?;
        while bytes.last().is_some_and(|byte| byte & 0x80 != 0) && bytes.len() < 9 {
            self.take(1, &mut |piece, _| bytes.extend_from_slice(piece))?;
        }
        let mut at = 0;
        let len = varint(&bytes, &mut at).and_then(|len| usize::try_from(len).ok());
        let len = len.filter(|len| *len <= limits::SQLITE_RECORD_HEADER_BYTES);
        let rest = len.and_then(|len| len.checked_sub(bytes.len())).ok_or_else(wrong)?;
        let rest = u64::try_from(rest).map_err(|_| wrong())?;
        self.take(rest, &mut |piece, _| bytes.extend_from_slice(piece))?;
        let mut types = Vec::new();
        while at < bytes.len() {
            let kind = varint(&bytes, &mut at).ok_or_else(wrong)?;
            types.push(u64::try_from(kind).map_err(|_| wrong())?);
        }
        Ok(types)
    }
}

impl Read for Chain<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (piece, _) = self.piece().map_err(io::Error::other)?;
        let len = piece.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..len), piece.get(..len)) {
            to.copy_from_slice(from);
        }
        self.used = self.used.saturating_add(len);
        Ok(len)
    }
}

/// Bytes of a value of that type.
pub(super) fn width(kind: u64) -> u64 {
    match kind {
        0 | 8..=11 => 0,
        1..=4 => kind,
        5 => 6,
        6 | 7 => 8,
        _ => kind.saturating_sub(12) / 2,
    }
}

pub(super) fn is_text(kind: u64) -> bool {
    kind >= 13 && kind % 2 == 1
}

/// Whether it is text or bytes.
pub(super) fn is_string(kind: u64) -> bool {
    kind >= 12
}

/// A value from its bytes.
pub(super) fn value(kind: u64, bytes: Vec<u8>, encoding: Encoding) -> Value {
    match kind {
        0 | 10 | 11 => Value::Null,
        7 => Value::Real(f64::from_be_bytes(bytes.first_chunk().copied().unwrap_or_default())),
        8 => Value::Int(0),
        9 => Value::Int(1),
        1..=6 => {
            let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
            let start: i64 = if negative { -1 } else { 0 };
            Value::Int(bytes.iter().fold(start, |n, b| n.wrapping_shl(8) | i64::from(*b)))
        }
        _ if is_text(kind) => Value::Text(utf8(bytes, encoding)),
        _ => Value::Blob(bytes),
    }
}

/// Text as UTF-8.
pub(super) fn utf8(bytes: Vec<u8>, encoding: Encoding) -> Vec<u8> {
    let unit = match encoding {
        Encoding::Utf8 => return bytes,
        Encoding::Utf16Le => u16::from_le_bytes,
        Encoding::Utf16Be => u16::from_be_bytes,
    };
    let units =
        bytes.chunks_exact(2).map(|pair| unit(pair.first_chunk().copied().unwrap_or_default()));
    char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect::<String>().into_bytes()
}
