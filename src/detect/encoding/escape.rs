//! Backslash escapes of JSON and of programs
//! ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259#section-7)): `\n`, `\"`, `\/`, `\u0041`,
//! `\x41`.

use super::hex;
use super::view::View;
use std::ops::Range;

/// Whether the `\` at `at` begins an escape.
pub(super) fn begins(bytes: &[u8], at: usize) -> bool {
    read(bytes.get(at..).unwrap_or_default()).is_some()
}

/// Characters that stand between escapes: a line of text.
pub(super) fn may_stand(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7f || byte == b'\t'
}

/// The character that `text` begins with, and how many bytes say so.
fn read(text: &[u8]) -> Option<(char, usize)> {
    let short = |c: char| Some((c, 2));
    match text {
        [b'\\', b'n', ..] => short('\n'),
        [b'\\', b'r', ..] => short('\r'),
        [b'\\', b't', ..] => short('\t'),
        [b'\\', c @ (b'"' | b'\'' | b'/' | b'\\'), ..] => short(char::from(*c)),
        [b'\\', b'x', high, low, ..] => Some((char::from(hex::pair(*high, *low)?), 4)),
        [b'\\', b'u', ..] => {
            let unit = unit(text)?;
            if let Some(c) = char::from_u32(unit) {
                return Some((c, 6));
            }
            let low = unit_at(text, 6)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            let high = unit.checked_sub(0xd800).filter(|high| *high < 0x400)?;
            Some((char::from_u32(0x1_0000 + (high << 10 | low))?, 12))
        }
        _ => None,
    }
}

fn unit_at(text: &[u8], at: usize) -> Option<u32> {
    unit(text.get(at..)?)
}

/// The number in `\uXXXX`.
fn unit(text: &[u8]) -> Option<u32> {
    let [b'\\', b'u', a, b, c, d, ..] = text else { return None };
    Some(u32::from(hex::pair(*a, *b)?) << 8 | u32::from(hex::pair(*c, *d)?))
}

pub(super) fn decode(bytes: &[u8], text: Range<usize>, view: &mut View) {
    view.begin(text.start);
    let mut at = text.start;
    while at < text.end {
        let rest = bytes.get(at..text.end).unwrap_or_default();
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        view.copy(bytes, at..at + plain);
        at += plain;
        if let Some((c, len)) = read(rest.get(plain..).unwrap_or_default()) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                view.push(byte, at..at + len);
            }
            at += len;
        } else {
            view.copy(bytes, at..(at + 1).min(text.end));
            at += 1;
        }
    }
}
