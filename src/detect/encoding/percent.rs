//! Percent-encoding of URLs and forms
//! ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)).

use super::hex;
use super::utf16::is_text;
use super::view::View;
use std::ops::Range;

/// Whether the `%` at `at` begins an escape of a character that text may have.
pub(super) fn begins(bytes: &[u8], at: usize) -> bool {
    value(bytes, at).is_some_and(is_text)
}

fn value(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..at + 3) {
        Some([b'%', high, low]) => hex::pair(*high, *low),
        _ => None,
    }
}

/// Characters a URL may have.
pub(super) fn may_stand(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

pub(super) fn decode(bytes: &[u8], text: Range<usize>, view: &mut View) {
    view.begin(text.start);
    let mut at = text.start;
    while at < text.end {
        let rest = bytes.get(at..text.end).unwrap_or_default();
        let plain = memchr::memchr(b'%', rest).unwrap_or(rest.len());
        view.copy(bytes, at..at + plain);
        at += plain;
        match value(bytes, at) {
            Some(byte) if at + 3 <= text.end => {
                view.push(byte, at..at + 3);
                at += 3;
            }
            _ if at < text.end => {
                view.copy(bytes, at..at + 1);
                at += 1;
            }
            _ => {}
        }
    }
}
