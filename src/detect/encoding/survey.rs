//! The survey: one pass over bytes that tells where encoded text may stand.
//!
//! The kernel sorts 64 bytes at a time into letters, zeros and what begins an escape. Runs of them
//! are found in the masks without a look at the bytes: letters long enough for a text, bytes that
//! alternate with zeros. Only what may be encoded is looked at closer.

use super::{escape, joined, percent, quoted_printable, utf16};
use crate::detect::Kernel;
use crate::detect::class::ByteSet;
use crate::detect::sieve::{SORTED, Sorted, Sorter};
use crate::limits::{ESCAPED_BACK_BYTES, ESCAPED_BYTES};
use joined::{Letters, back};
use std::ops::Range;
use utf16::Reading;

/// What tells encodings apart at first sight: letters, zeros, what begins an escape and what may
/// stand behind that.
static SIGHT: Sorter<4> = Sorter::new([
    joined::LETTERS,
    ByteSet::of(0),
    ByteSet::any_of(b"%\\="),
    ByteSet::any_of(b"0123456789abcdefABCDEFnrtxu\"'/\\\r\n"),
]);

/// What was seen of 64 bytes.
type Sight = Sorted<4>;

/// What is seen of zeros.
const NOTHING: Sight = [0, u64::MAX, 0, 0];

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
    /// What was seen at first sight.
    sight: Vec<Sight>,
    room: joined::Room,
    /// How far letters were looked at.
    letters_done: usize,
    /// How far UTF-16 was looked at.
    wide_done: usize,
}

/// What is known of the blocks before.
#[derive(Default)]
struct Before {
    /// Letters up to here.
    letters: usize,
    /// The last of each step of counting bytes that alternate with zeros.
    wide: [u64; 4],
}

impl Before {
    /// Where eight bytes in a row end that alternate with zeros.
    fn alternating(&mut self, zeros: u64) -> u64 {
        let [zeros_before, one_before, two_before, four_before] = self.wide;
        let one = zeros & !back(zeros, zeros_before, 1);
        let two = one & back(one, one_before, 2);
        let four = two & back(two, two_before, 4);
        self.wide = [zeros, one, two, four];
        four & back(four, four_before, 8)
    }
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
    pub(super) fn of(kernel: Kernel, bytes: &[u8], into: &mut Survey) {
        into.clear();
        let mut sight = std::mem::take(&mut into.sight);
        SIGHT.sort(kernel, bytes, &mut sight);
        let mut before = Before::default();
        let nexts = sight.iter().skip(1).chain([&NOTHING]);
        let mut last = &NOTHING;
        for (number, (block, next)) in sight.iter().zip(nexts).enumerate() {
            if *block == NOTHING && *last == NOTHING {
                continue;
            }
            last = block;
            let start = SORTED * number;
            let [letters, zeros, escapes, followers] = *block;
            into.look_for_letters(kernel, bytes, (&sight, number), before.letters);
            let ones = letters.leading_ones() as usize;
            before.letters = if letters == u64::MAX { before.letters + SORTED } else { ones };
            for at in bits(before.alternating(zeros)) {
                into.wide(bytes, start + at);
            }
            for at in bits(escapes & (followers >> 1 | next[3] << 63)) {
                into.look_for_escape(bytes, start + at);
            }
        }
        into.sight = sight;
    }

    /// Look for the beginnings of letters that may be a text, in one block of those in sight.
    fn look_for_letters(
        &mut self,
        kernel: Kernel,
        bytes: &[u8],
        (sight, number): (&[Sight], usize),
        before: usize,
    ) {
        let Some([letters, ..]) = sight.get(number) else { return };
        let start = SORTED * number;
        if 0 < before && joined::TEXT_MIN <= before + letters.trailing_ones() as usize {
            self.letters(kernel, bytes, start.saturating_sub(before), sight);
        }
        let mut long = *letters;
        for shift in [1, 2, 4, 8] {
            long &= long >> shift;
        }
        const { assert!(joined::TEXT_MIN == 24) };
        long &= long >> 8;
        // Only where letters begin.
        for at in bits(long & !(letters << 1)) {
            if 0 < at || before == 0 {
                self.letters(kernel, bytes, start + at, sight);
            }
        }
    }

    fn letters(&mut self, kernel: Kernel, bytes: &[u8], at: usize, sight: &[Sight]) {
        if at < self.letters_done {
            return;
        }
        let end_of = |at: usize| end_of_letters(sight, at).min(bytes.len());
        let found = joined::at(kernel, bytes, at, end_of, &mut self.room);
        let Letters { text, base64, hex } = found;
        self.letters_done = text.end;
        self.base64.extend(base64);
        if hex {
            self.hex.push(text);
        }
    }

    /// Look at bytes that alternate with zeros, of which the last is the zero at `at`.
    fn wide(&mut self, bytes: &[u8], at: usize) {
        let Some(unit) = at.checked_sub(1).filter(|unit| *unit >= self.wide_done) else { return };
        if !bytes.get(unit).is_some_and(|c| utf16::is_text(*c)) {
            return;
        }
        let Some(found) = utf16::around(bytes, unit, self.wide_done) else { return };
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

    /// Look at what may begin an escape.
    fn look_for_escape(&mut self, bytes: &[u8], at: usize) {
        if let [b'=', next, _, third] = bytes.get(at..at.saturating_add(4)).unwrap_or_default() {
            // Assignments are many, and mostly of something else.
            if !matches!(next, b'3' | b'\r' | b'\n') && *third != b'=' {
                return;
            }
        }
        self.escape(bytes, at);
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

/// Where the letters at `at` end.
fn end_of_letters(sight: &[Sight], at: usize) -> usize {
    let mut from = at % SORTED;
    for (number, [letters, ..]) in sight.iter().enumerate().skip(at / SORTED) {
        let ones = (letters >> from).trailing_ones() as usize;
        if from + ones < SORTED {
            return SORTED * number + from + ones;
        }
        from = 0;
    }
    SORTED * sight.len()
}

/// The numbers of the bits that are set, in order.
fn bits(mask: u64) -> impl Iterator<Item = usize> {
    let mut left = mask;
    std::iter::from_fn(move || {
        let bit = left.trailing_zeros() as usize;
        left &= left.wrapping_sub(1);
        (bit < SORTED).then_some(bit)
    })
}
