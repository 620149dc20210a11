//! Quoted-printable: mail's way to write text
//! ([RFC 2045](https://www.rfc-editor.org/rfc/rfc2045#section-6.7)).

use super::hex;
use super::view::View;
use std::ops::Range;

/// A soft break ends a line that is nearly full; a `=` at the end of a short line is an empty value.
const SOFT_COLUMN_MIN: usize = 70;

/// The longest line the format has, with room for those who count differently.
const SOFT_COLUMN_MAX: usize = 128;

/// Whether the `=` at `at` tells this encoding: an escaped `=`, two escapes in a row, or a soft
/// break.
pub(super) fn begins(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at + 1..).unwrap_or_default() {
        // In lower case it is a number more often.
        [b'3', b'D', ..] => true,
        [a, b, b'=', c, d, ..] if c.is_ascii_hexdigit() && d.is_ascii_hexdigit() => {
            hex::pair(*a, *b).is_some_and(|byte| matches!(byte, b' '..=b'~'))
        }
        [b'\n', ..] | [b'\r', b'\n', ..] => {
            let line = bytes.get(at.saturating_sub(SOFT_COLUMN_MAX)..at).unwrap_or_default();
            let column = memchr::memrchr(b'\n', line).map(|end| line.len() - end - 1);
            let column = column.or((line.len() == at).then_some(at));
            column.is_some_and(|column| column >= SOFT_COLUMN_MIN)
        }
        _ => false,
    }
}

/// Characters that text may have.
pub(super) fn may_stand(byte: u8) -> bool {
    byte >= b' ' || matches!(byte, b'\t' | b'\r' | b'\n')
}

pub(super) fn decode(bytes: &[u8], text: Range<usize>, view: &mut View) {
    view.begin(text.start);
    let mut at = text.start;
    while at < text.end {
        let rest = bytes.get(at..text.end).unwrap_or_default();
        let plain = memchr::memchr(b'=', rest).unwrap_or(rest.len());
        view.copy(bytes, at..at + plain);
        at += plain;
        let escape = rest.get(plain + 1..).unwrap_or_default();
        let byte = escape.first_chunk().and_then(|[high, low]| hex::pair(*high, *low));
        at += match (escape, byte) {
            ([b'\n', ..], _) => 2,
            ([b'\r', b'\n', ..], _) => 3,
            (_, Some(byte)) => {
                view.push(byte, at..at + 3);
                3
            }
            _ => {
                view.copy(bytes, at..(at + 1).min(text.end));
                1
            }
        };
    }
}
