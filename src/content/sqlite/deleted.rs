//! Deleted rows: what is left of records in bytes that belong to no cell.
//!
//! The values of a record stand in them without anything between, so that words are told apart only
//! by its header, which stays too. When a cell is freed by itself its first four bytes become a
//! pointer: the lengths and often the first type are lost.

use super::page::{Encoding, varint};
use super::record::{is_string, is_text, width};
use crate::bytes::u16_be;
use std::ops::Range;

/// The shortest value that is told: less is no secret.
const SHORTEST: usize = 4;

/// Bytes of a text that are looked at to see whether it is one.
const LOOKED_AT: usize = 32;

/// Columns of a table whose torn records are looked for: each byte may begin one.
const MOST_COLUMNS: usize = 128;

/// Bytes of a freed cell that were overwritten.
const LOST: usize = 4;

/// A text or blob of a record that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) column: usize,
    pub(super) text: bool,
    /// Where it stands among the bytes.
    pub(super) span: Range<usize>,
}

/// What is known of the records that may be there.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) encoding: Encoding,
    /// The columns of their table, if that is known, and whether the first stands in no record.
    pub(super) columns: Option<(usize, bool)>,
    /// Whether the bytes begin behind those that a freed cell lost.
    pub(super) cut: bool,
}

/// The texts and blobs of the records in these bytes. None of them overlap.
pub(super) fn values(bytes: &[u8], known: Known) -> Vec<Left> {
    let mut found = Vec::new();
    let mut at = 0;
    // Where a freed cell may begin, and how much of it was overwritten.
    let mut lost = known.cut.then_some(0);
    while at < bytes.len() {
        let fresh = || torn_at(bytes, at.checked_add(lost?)?..bytes.len(), known);
        let record = cell(bytes, at, known).or_else(fresh).or_else(|| freed(bytes, at, known));
        if let Some((values, end)) = record.filter(|(_, end)| *end > at) {
            found.extend(values);
            at = end;
            // What was freed before and joined to it.
            lost = known.cut.then_some(LOST);
        } else {
            at = at.saturating_add(1);
            lost = None;
        }
    }
    found
}

/// The block that was freed there, whose length is told in the bytes that it lost.
fn freed(bytes: &[u8], at: usize, known: Known) -> Option<Record> {
    let len = usize::from(u16_be(bytes, at.checked_add(2)?).ok()?);
    let end = at.checked_add(len).filter(|end| *end <= bytes.len())?;
    let start = at.checked_add(LOST).filter(|start| *start < end)?;
    torn_at(bytes, start..end, known).filter(|(_, ended)| *ended == end)
}

/// The record of which the bytes in that range are left.
fn torn_at(bytes: &[u8], range: Range<usize>, known: Known) -> Option<Record> {
    let columns = known.columns.filter(|(columns, _)| *columns <= MOST_COLUMNS)?;
    let (mut values, end) = torn(bytes.get(range.clone())?, columns, known.encoding)?;
    for Left { span, .. } in &mut values {
        *span = range.start.checked_add(span.start)?..range.start.checked_add(span.end)?;
    }
    Some((values, range.start.checked_add(end)?))
}

/// A record's values, and where it ends.
type Record = (Vec<Left>, usize);

/// The cell that begins there and of which nothing was lost.
fn cell(bytes: &[u8], mut at: usize, known: Known) -> Option<Record> {
    let payload = usize::try_from(varint(bytes, &mut at)?).ok()?;
    varint(bytes, &mut at)?;
    let types = headed(bytes.get(at..)?)?;
    let wanted = types.end.checked_add(sum(&types.all)?)?;
    if wanted != payload || known.columns.is_some_and(|(most, _)| types.all.len() > most) {
        return None;
    }
    split(bytes, &types.all, (0, at.checked_add(types.end)?), known.encoding)
}

/// Types of values in a row, and where they end.
struct Types {
    all: Vec<u64>,
    end: usize,
}

/// The types of a header that begins with its length, of less than 128 bytes.
fn headed(bytes: &[u8]) -> Option<Types> {
    let len = usize::from(*bytes.first()?);
    if !(2..128).contains(&len) {
        return None;
    }
    let all = types(bytes, 1, |next, _| next >= len)?;
    Some(all).filter(|types| types.end == len)
}

/// The record whose cell lost its first bytes: two lengths, most often the header's own, and then
/// most often one type.
fn torn(bytes: &[u8], (columns, unnamed): (usize, bool), encoding: Encoding) -> Option<Record> {
    let all = types(bytes, 0, |_, found| found >= columns).map(|types| (0, types, 0));
    let headed = headed(bytes).filter(|types| types.all.len() <= columns);
    let headed = headed.map(|types| (0, types, 0));
    let rest = columns.checked_sub(1).filter(|rest| *rest > 0);
    let rest = rest.and_then(|rest| types(bytes, 0, |_, found| found >= rest));
    let rest = rest.and_then(|types| {
        // The first value has what the others leave, unless the row's number stands for it.
        let behind = bytes.len().checked_sub(types.end)?.checked_sub(sum(&types.all)?)?;
        Some((1, types, if unnamed { 0 } else { behind }))
    });
    let mut plausible = None;
    for (first, types, width) in [all, headed, rest].into_iter().flatten() {
        let Some(from) = types.end.checked_add(width) else { continue };
        let Some((mut values, end)) = split(bytes, &types.all, (first, from), encoding) else {
            continue;
        };
        if width >= SHORTEST {
            values.push(Left { column: 0, text: true, span: types.end..from });
        }
        if end == bytes.len() {
            return Some((values, end));
        }
        plausible = Some((values, end));
    }
    plausible
}

/// The types that begin there, up to where they are `done`: told where the next one begins and how
/// many there are.
fn types(bytes: &[u8], mut at: usize, done: impl Fn(usize, usize) -> bool) -> Option<Types> {
    let mut all = Vec::new();
    loop {
        let kind = u64::try_from(varint(bytes, &mut at)?).ok()?;
        if matches!(kind, 10 | 11) {
            return None;
        }
        all.push(kind);
        if done(at, all.len()) {
            return Some(Types { all, end: at });
        }
    }
}

/// Bytes of values of these types.
fn sum(types: &[u64]) -> Option<usize> {
    let sum = types.iter().try_fold(0u64, |sum, kind| sum.checked_add(width(*kind)))?;
    usize::try_from(sum).ok()
}

/// The values of these types that begin with a column and at a byte, if they look like values.
fn split(
    bytes: &[u8],
    types: &[u64],
    (first, from): (usize, usize),
    encoding: Encoding,
) -> Option<Record> {
    let end = from.checked_add(sum(types)?).filter(|end| *end <= bytes.len())?;
    let mut values = Vec::new();
    let mut at = from;
    for (number, kind) in types.iter().enumerate() {
        let next = at.checked_add(usize::try_from(width(*kind)).ok()?)?;
        let span = at..next;
        at = next;
        if !is_string(*kind) || span.len() < SHORTEST {
            continue;
        }
        let text = is_text(*kind);
        if text && !looks_like_text(bytes.get(span.clone())?, encoding) {
            return None;
        }
        values.push(Left { column: first.checked_add(number)?, text, span });
    }
    (!values.is_empty()).then_some((values, end))
}

/// Whether bytes begin as a text does.
fn looks_like_text(bytes: &[u8], encoding: Encoding) -> bool {
    let head = bytes.get(..LOOKED_AT).unwrap_or(bytes);
    let plain = |text: &str| !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace());
    match encoding {
        Encoding::Utf8 => match std::str::from_utf8(head) {
            Ok(text) => plain(text),
            // The look may end inside of a character.
            Err(error) => {
                let valid = head.get(..error.valid_up_to()).unwrap_or_default();
                error.error_len().is_none() && std::str::from_utf8(valid).is_ok_and(plain)
            }
        },
        _ => bytes.len().is_multiple_of(2),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a test may stop there")]

    use super::*;

    fn found(bytes: &[u8], columns: Option<(usize, bool)>, cut: bool) -> Vec<(usize, String)> {
        let values = values(bytes, Known { encoding: Encoding::Utf8, columns, cut });
        let text =
            |left: Left| (left.column, String::from_utf8_lossy(&bytes[left.span]).into_owned());
        values.into_iter().map(text).collect()
    }

    fn told(values: &[(usize, &str)]) -> Vec<(usize, String)> {
        values.iter().map(|(column, text)| (*column, (*text).to_owned())).collect()
    }

    /// Texts that stood side by side were taken for one, and a token in them for none.
    #[test]
    fn values_are_told_apart_by_the_header_that_is_left() {
        // id INTEGER PRIMARY KEY, name TEXT, token TEXT: the cell of ('gone', 'word-1').
        let cell = b"\x0e\x07\x04\x00\x15\x19goneword-1";
        let expected = told(&[(1, "gone"), (2, "word-1")]);
        assert_eq!(found(cell, Some((3, true)), false), expected);
        assert_eq!(found(&cell[4..], Some((3, true)), true), expected);
        // Neighbours that were freed after it or before have become one block with it.
        let torn = [b"\x0f\x00\x00\x10".as_slice(), &cell[4..]].concat();
        let both = [&cell[4..], cell, &torn].concat();
        assert_eq!(
            found(&both, Some((3, true)), true),
            [&*expected, &expected, &expected].concat()
        );
        // In the gap before all cells the block's length is all that tells of it.
        let gap = [&[0; 9], b"\0\0\0\x10".as_slice(), &cell[4..]].concat();
        assert_eq!(found(&gap, Some((3, true)), false), expected);
        // A row's number of two bytes: all types are left.
        assert_eq!(found(&cell[3..], Some((3, true)), true), expected);
        // Without a table: only where all of the header is left.
        assert_eq!(found(cell, None, false), expected);
        assert_eq!(found(&cell[4..], None, false), told(&[]));
        // name TEXT, token TEXT: the first type is lost, and it has what is left over.
        let cell = b"\x0d\x07\x03\x15\x19goneword-1";
        assert_eq!(found(&cell[4..], Some((2, false)), true), told(&[(1, "word-1"), (0, "gone")]));
    }

    #[test]
    fn garbage_is_no_record() {
        for bytes in [
            b"".as_slice(),
            b"\x02",
            b"\x03\x00",
            &[0xff; 64],
            b"\x03\x15\x19gone\x01\x02\x03\x04\x05\x06",
        ] {
            for cut in [false, true] {
                assert_eq!(found(bytes, Some((2, false)), cut), told(&[]), "{bytes:?}");
                assert_eq!(found(bytes, Some((0, false)), cut), told(&[]));
            }
        }
    }
}
