//! Hexadecimal, in either case ([RFC 4648](https://www.rfc-editor.org/rfc/rfc4648#section-8)).

use super::joined;
use super::view::View;
use std::ops::Range;

/// Bytes in a row that must be ASCII for digits to be text: a hash of 32 bytes has them once in
/// some thousand times.
pub(super) const ASCII_MIN: u32 = 14;

/// The beginning of gzip in digits.
const GZIP: &[u8] = &[1, 0xf, 8, 0xb, 0, 8];

/// The same as text.
const GZIP_TEXTS: [&[u8]; 4] = [b"1f8b08", b"1F8B08", b"1F8b08", b"1f8B08"];

/// Whether packed data may begin in the text.
pub(super) fn shows_packed(text: &[u8]) -> bool {
    GZIP_TEXTS.iter().any(|begin| memchr::memmem::find(text, begin).is_some())
}

/// The byte of two digits.
pub(super) fn pair(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

pub(super) fn decode(bytes: &[u8], text: Range<usize>, view: &mut View) {
    let mut digits: Vec<u8> = Vec::new();
    let mut places: Vec<usize> = Vec::new();
    for (byte, at) in joined::characters(bytes, text) {
        if let Some(value) = digit(byte) {
            digits.push(value);
            places.push(at);
            continue;
        }
        run(&digits, &places, view);
        digits.clear();
        places.clear();
    }
    run(&digits, &places, view);
}

/// A run of digits: its stretches of ASCII at either alignment, or all of it when it is packed.
fn run(digits: &[u8], places: &[usize], view: &mut View) {
    if digits.len() < joined::TEXT_MIN {
        return;
    }
    if digits.starts_with(GZIP) {
        return stretch(digits, places, view);
    }
    for odd in 0..2 {
        let (digits, places) =
            (digits.get(odd..).unwrap_or_default(), places.get(odd..).unwrap_or_default());
        let mut start = 0;
        let pairs = digits.len() / 2;
        for pair in 0..=pairs {
            if pair < pairs && digits.get(2 * pair).is_some_and(|high| *high < 8) {
                continue;
            }
            if pair - start >= ASCII_MIN as usize {
                let range = 2 * start..2 * pair;
                let shown = digits.get(range.clone()).unwrap_or_default();
                // Zeros are no text.
                if shown.iter().any(|digit| *digit != 0) {
                    stretch(shown, places.get(range).unwrap_or_default(), view);
                }
            }
            start = pair + 1;
        }
    }
}

fn stretch(digits: &[u8], places: &[usize], view: &mut View) {
    let Some(first) = places.first() else { return };
    view.begin(*first);
    for (digits, places) in digits.chunks_exact(2).zip(places.chunks_exact(2)) {
        if let ([high, low], [first, last]) = (digits, places) {
            view.push(high << 4 | low, *first..*last + 1);
        }
    }
}
