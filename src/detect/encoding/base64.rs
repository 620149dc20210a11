//! Base64 in both alphabets, at every alignment, wrapped or not
//! ([RFC 4648](https://www.rfc-editor.org/rfc/rfc4648#section-4),
//! [RFC 2045](https://www.rfc-editor.org/rfc/rfc2045#section-6.8)).
//!
//! Whether a run of letters is base64 cannot be told, and where its groups begin only guessed. But
//! three bits of each group say whether it decodes to three characters of ASCII, and no secret
//! stands in fewer than five such groups in a row. Those stretches are decoded, and what begins
//! like packed data.

use super::view::View;
use super::{joined, packed};
use crate::limits::PACKED_PER_TEXT;
use std::ops::Range;

/// Groups in a row that must be ASCII: 15 bytes. Letters that are no base64 have them once in
/// thirty thousand times.
const GROUPS_MIN: usize = 5;

/// `1F 8B 08`, the beginning of gzip.
const GZIP: &[u8] = &[7, 56, 44, 8];

/// What stands for no value.
const NONE: u8 = 0xff;

/// The value of each character.
pub(super) const VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NONE; 256];
    let mut value: u8 = 0;
    while value < 64 {
        values[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
}

/// Letters that are looked at to tell packed data from chance.
const PACKED_LETTERS: usize = 1024;

/// Whether packed data may begin with the letters of `text`.
pub(super) fn may_be_packed(text: &[u8]) -> bool {
    let letters = joined::characters(text, 0..text.len()).take(PACKED_LETTERS);
    let values: Vec<u8> =
        letters.filter_map(|(byte, _)| VALUES.get(usize::from(byte)).copied()).collect();
    let bytes: Vec<u8> = values.chunks(4).flat_map(bytes_of).collect();
    packed::may_give(&bytes)
}

/// The bytes of a group.
fn bytes_of(group: &[u8]) -> impl Iterator<Item = u8> {
    group.windows(2).enumerate().map(|(pair, values)| match (pair, values) {
        (0, [high, low]) => high << 2 | low >> 4,
        (1, [high, low]) => high << 4 | low >> 2,
        (_, [high, low]) => high << 6 | low,
        _ => 0,
    })
}

pub(super) fn decode(bytes: &[u8], text: Range<usize>, view: &mut View) {
    let mut values: Vec<u8> = Vec::with_capacity(text.len());
    let mut places: Vec<usize> = Vec::with_capacity(text.len());
    for (byte, at) in joined::characters(bytes, text) {
        values.extend(VALUES.get(usize::from(byte)));
        places.push(at);
    }
    let text = Text { values: &values, places: &places };
    text.packed(view);
    text.stretches(view);
}

/// The values of characters, and where they stand.
#[derive(Clone, Copy)]
struct Text<'a> {
    values: &'a [u8],
    places: &'a [usize],
}

impl Text<'_> {
    /// What begins like gzip anywhere, or like zlib at the text's own beginning.
    fn packed(self, view: &mut View) {
        for start in memchr::memmem::find_iter(self.values, GZIP)
            .filter(|at| self.values.get(at + 4).is_none_or(|flags| *flags < 8))
            .take(PACKED_PER_TEXT)
        {
            self.decode(start..self.values.len(), view);
        }
        // 78 01, 78 5E, 78 9C and 78 DA.
        if let [30, second, third, _, ..] = self.values
            && matches!((second, third), (0, 4..=7) | (5, 56..=59) | (9, 48..=51) | (13, 40..=43))
        {
            self.decode(0..self.values.len(), view);
        }
    }

    /// What decodes to ASCII, at each of the four places where groups may begin.
    fn stretches(self, view: &mut View) {
        let mut lengths = [0_usize; 4];
        let groups = self.values.windows(4).enumerate();
        for (at, group) in groups {
            let [a, b, c, _] = group else { continue };
            let Some(length) = lengths.get_mut(at % 4) else { continue };
            if *a < 32 && b & 8 == 0 && c & 2 == 0 {
                *length += 1;
                continue;
            }
            let found = std::mem::take(length);
            if found >= GROUPS_MIN {
                self.stretch(at - 4 * found..at, view);
            }
        }
        let end = self.values.len().saturating_sub(3);
        for (lane, found) in lengths.into_iter().enumerate() {
            // The first place of this lane whose group was not looked at.
            let at = end + (lane + 4 - end % 4) % 4;
            if found >= GROUPS_MIN {
                self.stretch(at - 4 * found..at, view);
            }
        }
    }

    /// A stretch of ASCII, and the groups beside it that are so in part.
    fn stretch(self, range: Range<usize>, view: &mut View) {
        let zero = self.values.get(range.clone()).unwrap_or_default().iter().all(|v| *v == 0);
        if !zero {
            let start = range.start.checked_sub(4).unwrap_or(range.start);
            self.decode(start..(range.end + 4).min(self.values.len()), view);
        }
    }

    fn decode(self, range: Range<usize>, view: &mut View) {
        let values = self.values.get(range.clone()).unwrap_or_default();
        let places = self.places.get(range).unwrap_or_default();
        let Some(first) = places.first() else { return };
        view.begin(*first);
        for (values, places) in values.chunks(4).zip(places.chunks(4)) {
            for (byte, places) in bytes_of(values).zip(places.windows(2)) {
                if let [first, last] = places {
                    view.push(byte, *first..*last + 1);
                }
            }
        }
    }
}
