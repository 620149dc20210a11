//! The survey: one pass over bytes that tells where encoded text may stand.
//!
//! Blocks of 64 bytes are judged as a whole, without a branch for each byte: whether two words of
//! eight letters stand side by side, whether four letters alternate with zeros, and whether an
//! escape can begin. What is judged likely is looked at byte by byte, once.

use super::{escape, joined, percent, quoted_printable, utf16};
use crate::limits::{ESCAPED_BACK_BYTES, ESCAPED_BYTES};
use joined::Letters;
use std::ops::Range;
use utf16::Reading;

/// Bytes judged at once.
const BLOCK: usize = 64;

/// Bytes behind a block that are seen with it.
const AHEAD: usize = 8;

/// Bytes that are skipped at once when they are zero.
const PAGE: usize = 4096;

/// Where encoded text may stand. The texts of one kind are in order; cut ones overlap.
#[derive(Default)]
pub(super) struct Survey {
    /// Letters that may be base64.
    pub(super) base64: Vec<Range<usize>>,
    /// Letters that may be hexadecimal.
    pub(super) hex: Vec<Range<usize>>,
    /// UTF-16, low byte first.
    pub(super) little: Vec<Range<usize>>,
    /// UTF-16, high byte first.
    pub(super) big: Vec<Range<usize>>,
    /// The same, in the less likely order.
    pub(super) little_too: Vec<Range<usize>>,
    /// The same, in the less likely order.
    pub(super) big_too: Vec<Range<usize>>,
    /// Text with percent-encoding.
    pub(super) percent: Vec<Range<usize>>,
    /// Text with backslash escapes.
    pub(super) escape: Vec<Range<usize>>,
    /// Quoted-printable text.
    pub(super) quoted: Vec<Range<usize>>,
    /// How far letters were looked at.
    letters_done: usize,
    /// How far UTF-16 was looked at.
    wide_done: usize,
}

/// What one block may hold.
#[derive(Clone, Copy, Default)]
struct Judged {
    /// One bit for each word of eight bytes: whether all of it are letters.
    words: u8,
    wide: bool,
    escapes: bool,
}

impl Survey {
    fn clear(&mut self) {
        let wide = [&mut self.little, &mut self.big, &mut self.little_too, &mut self.big_too];
        wide.into_iter().for_each(Vec::clear);
        let text = [&mut self.base64, &mut self.hex];
        text.into_iter().for_each(Vec::clear);
        let escaped = [&mut self.percent, &mut self.escape, &mut self.quoted];
        escaped.into_iter().for_each(Vec::clear);
        (self.letters_done, self.wide_done) = (0, 0);
    }

    /// Survey `bytes`.
    pub(super) fn of(bytes: &[u8], into: &mut Survey) {
        into.clear();
        let mut last_word = false;
        for page in (0..bytes.len()).step_by(PAGE) {
            let end = (page + PAGE).min(bytes.len());
            if bytes.get(page..end).is_some_and(|page| *page == [0; PAGE]) {
                last_word = false;
                continue;
            }
            for start in (page..end).step_by(BLOCK) {
                let judged = match bytes.get(start..).and_then(<[u8]>::first_chunk) {
                    Some(block) => judge(block),
                    None => judge(&padded(bytes, start)),
                };
                into.look(bytes, start, judged, last_word);
                last_word = judged.words & 0x80 != 0;
            }
        }
    }

    /// Look closer at the block at `start`.
    fn look(&mut self, bytes: &[u8], start: usize, judged: Judged, last_word: bool) {
        let words = u16::from(judged.words) << 1 | u16::from(last_word);
        let mut pairs = words & words >> 1;
        while pairs != 0 {
            // The second word of the pair: bit 0 stands for the last word of the block before.
            let at = start + 8 * usize::try_from(pairs.trailing_zeros()).unwrap_or(0);
            pairs &= pairs - 1;
            self.letters(bytes, at);
        }
        if judged.wide {
            self.wide(bytes, start);
        }
        if judged.escapes {
            let block = bytes.get(start..(start + BLOCK).min(bytes.len())).unwrap_or_default();
            for at in memchr::memchr3_iter(b'%', b'\\', b'=', block) {
                // Assignments are many, and mostly of something else.
                let next = bytes.get(start + at + 1).copied().unwrap_or(0);
                let third = bytes.get(start + at + 3).copied().unwrap_or(0);
                let assigns = block.get(at) == Some(&b'=')
                    && !matches!(next, b'3' | b'\r' | b'\n')
                    && third != b'=';
                if !assigns {
                    self.escape(bytes, start + at);
                }
            }
        }
    }

    fn letters(&mut self, bytes: &[u8], at: usize) {
        if at < self.letters_done {
            return;
        }
        let Letters { text, base64, hex } = joined::around(bytes, at, self.letters_done);
        self.letters_done = text.end;
        if text.len() < joined::TEXT_MIN {
            return;
        }
        self.base64.extend(base64);
        if hex {
            self.hex.push(text);
        }
    }

    fn wide(&mut self, bytes: &[u8], start: usize) {
        let unit = |at: usize| {
            bytes.get(at + 1) == Some(&0) && bytes.get(at).is_some_and(|c| utf16::is_text(*c))
        };
        let mut at = start.max(self.wide_done);
        while at < start + BLOCK {
            // What begins with the last byte of a word is seen from there.
            if !(unit(at) && unit(at + 2) && unit(at + 4)) {
                at += 1;
                continue;
            }
            let Some(found) = utf16::around(bytes, at, self.wide_done) else {
                at += 8;
                continue;
            };
            at = found.end;
            self.wide_done = found.end;
            match found.first {
                Reading { text, big: false } => self.little.push(text),
                Reading { text, big: true } => self.big.push(text),
            }
            match found.second {
                Some(Reading { text, big: false }) => self.little_too.push(text),
                Some(Reading { text, big: true }) => self.big_too.push(text),
                None => {}
            }
        }
    }

    fn escape(&mut self, bytes: &[u8], at: usize) {
        let (begins, may_stand, texts): (fn(&[u8], usize) -> bool, fn(u8) -> bool, _) =
            match bytes.get(at) {
                Some(b'%') => (percent::begins, percent::may_stand, &mut self.percent),
                Some(b'\\') => (escape::begins, escape::may_stand, &mut self.escape),
                _ => (quoted_printable::begins, quoted_printable::may_stand, &mut self.quoted),
            };
        let done = texts.last().map_or(0, |text| text.end);
        if at < done || !begins(bytes, at) {
            return;
        }
        // Back into the text before where that was cut: a secret may go across.
        let from = at.saturating_sub(ESCAPED_BACK_BYTES);
        let before = bytes.get(from..at).unwrap_or_default();
        let start =
            before.iter().rposition(|byte| !may_stand(*byte)).map_or(from, |n| from + n + 1);
        let after = bytes.get(at..at.saturating_add(ESCAPED_BYTES).min(bytes.len()));
        let after = after.unwrap_or_default();
        let end = at + after.iter().position(|byte| !may_stand(*byte)).unwrap_or(after.len());
        texts.push(start..end);
    }
}

/// The last bytes, with bytes behind them that mean nothing.
fn padded(bytes: &[u8], start: usize) -> [u8; BLOCK + AHEAD] {
    let mut block = [1; BLOCK + AHEAD];
    block.iter_mut().zip(bytes.iter().skip(start)).for_each(|(to, from)| *to = *from);
    block
}

fn judge(block: &[u8; BLOCK + AHEAD]) -> Judged {
    let mut letters = [0_u8; BLOCK];
    let (mut zeros, mut escapes) = (0, 0);
    for (letter, byte) in letters.iter_mut().zip(block) {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let is_digit = byte.wrapping_sub(b'0') < 10;
        let is = |c: u8| u8::from(*byte == c);
        let is_sign = is(b'+') | is(b'/') | is(b'-') | is(b'_');
        *letter = u8::from(is_letter) | u8::from(is_digit) | is_sign;
        zeros |= is(0);
        escapes |= is(b'%') | is(b'\\') | is(b'=');
    }
    let mut words = 0;
    for (bit, word) in letters.chunks_exact(8).enumerate() {
        words |= u8::from(*word == [1; 8]) << bit;
    }
    let wide = zeros != 0 && has_wide(block);
    Judged { words, wide, escapes: escapes != 0 }
}

/// Whether a word of eight bytes has four letters that alternate with zeros, in either order: eight
/// such units in a row fill at least one word.
fn has_wide(block: &[u8; BLOCK + AHEAD]) -> bool {
    const ODD: u64 = 0xff00_ff00_ff00_ff00;
    /// One of the two bits that letters have, and none of the one they have not.
    const LETTERS: u64 = 0x0040_0040_0040_0040;
    const NO_LETTERS: u64 = 0x0080_0080_0080_0080;
    // Without a branch: most words of programs are nearly such.
    let wrong =
        |word: u64| (((word | (word << 1)) & LETTERS) ^ LETTERS) | (word & (ODD | NO_LETTERS));
    let words = block.chunks_exact(8).filter_map(<[u8]>::first_chunk);
    let found = words.map(|word| u64::from_le_bytes(*word)).fold(0, |found, word| {
        let second = wrong(word >> 8) | (word & 0xff);
        found | u8::from(wrong(word) == 0) | u8::from(second == 0)
    });
    found != 0
}
