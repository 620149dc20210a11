//! UTF-16 without a mark, in either byte order and at any byte: what Windows and Java keep in
//! binaries ([RFC 2781](https://www.rfc-editor.org/rfc/rfc2781)). Only characters of ASCII are
//! read; secrets have no others.

use super::view::View;
use std::ops::Range;

/// Units of a text. Shorter ones hold no secret, and tables of small numbers look like them.
pub(super) const UNITS_MIN: usize = 8;

/// Low byte first.
pub(super) fn little(bytes: &[u8], text: Range<usize>, view: &mut View) {
    decode(bytes, text, 0, view);
}

/// High byte first.
pub(super) fn big(bytes: &[u8], text: Range<usize>, view: &mut View) {
    decode(bytes, text, 1, view);
}

fn decode(bytes: &[u8], text: Range<usize>, low: usize, view: &mut View) {
    view.begin(text.start);
    for (unit, at) in bytes.get(text.clone()).unwrap_or_default().chunks_exact(2).zip(0..) {
        let at: usize = text.start + 2 * at;
        if let Some(byte) = unit.get(low) {
            view.push(*byte, at..at + 2);
        }
    }
}

/// A text of alternating characters and zeros. Which byte order it has cannot always be told: the
/// other order looks the same from one byte later, but for its first and last character.
pub(super) struct Wide {
    /// The likely reading.
    pub(super) first: Reading,
    /// The other one, where it is not ruled out.
    pub(super) second: Option<Reading>,
    /// Where the units that were looked at end.
    pub(super) end: usize,
}

/// A text in one byte order.
pub(super) struct Reading {
    pub(super) text: Range<usize>,
    pub(super) big: bool,
}

/// The text around the unit at `at`, no part of which is before `from`.
pub(super) fn around(bytes: &[u8], at: usize, from: usize) -> Option<Wide> {
    let stands = |at: usize| matches!(bytes.get(at..), Some([c, 0, ..]) if is_text(*c));
    let mut start = at;
    while start >= from + 2 && stands(start - 2) {
        start -= 2;
    }
    let mut end = at;
    while stands(end) {
        end += 2;
    }
    if end - start < 2 * UNITS_MIN {
        return None;
    }
    let zero_before = start > from && bytes.get(start - 1) == Some(&0);
    let one_more = bytes.get(end).is_some_and(|c| is_text(*c));
    let big_end = if one_more { end + 1 } else { end - 1 };
    let little = || Reading { text: start..end, big: false };
    let big = |start| Reading { text: start..big_end, big: true };
    let (first, second) = match (zero_before, one_more) {
        // Zeros on both sides: even addresses are usual.
        (true, false) if start % 2 == 1 => (big(start - 1), None),
        (true, false) => (little(), None),
        // Text with the low byte first mostly ends with a zero.
        (true, true) => (big(start - 1), Some(little())),
        // What seems the first character may be a length, or another format's last byte.
        (false, true) => (big(start + 1), Some(little())),
        (false, false) => (little(), Some(Reading { text: start + 2..end, big: false })),
    };
    Some(Wide { first, second, end })
}

pub(super) fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}
