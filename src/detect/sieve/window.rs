//! Windows: the four neighbouring classes of a pattern that the sieve looks for.

use super::Pattern;
use crate::detect::class::ByteSet;

/// Positions of a window.
pub(super) const WINDOW: usize = 4;

/// The most entries one window may have in the hash index.
const EXPANSIONS: usize = 1 << 12;

/// The most where no window has fewer: one of these is a quarter of the index's bits.
const EXPANSIONS_AT_WORST: usize = 1 << 14;

/// Letters of English by frequency, in ten-thousandths
/// (<https://en.wikipedia.org/wiki/Letter_frequency>, texts).
const ENGLISH: [u16; 26] = [
    817, 149, 278, 425, 1270, 223, 202, 609, 697, 15, 77, 403, 241, 675, 751, 193, 10, 599, 633,
    906, 276, 98, 236, 15, 197, 7,
];

/// How likely each byte is on a disk, as a share of all. It belongs to no corpus: a third of what
/// fills disks is taken for text and source code (letters as in English, capitals an eighth of
/// them, digits and signs by rule of thumb), a third for programs (half of it zeros and small
/// numbers, the rest even) and a third for packed data (even). Only the order of magnitude
/// matters, for it chooses between windows of one pattern and between buckets.
pub(super) struct Frequency([f32; 256]);

impl Frequency {
    pub(super) fn new() -> Frequency {
        let mut shares = [0.0_f32; 256];
        for (byte, share) in (0..=u8::MAX).zip(&mut shares) {
            let letter = |first: u8| ENGLISH.get(usize::from(byte - first)).copied().unwrap_or(0);
            let text = match byte {
                b'a'..=b'z' => f32::from(letter(b'a')) * 65e-6,
                b'A'..=b'Z' => f32::from(letter(b'A')) * 8e-6,
                b' ' => 0.13,
                b'\n' => 0.025,
                b'0' | b'1' => 0.008,
                b'2'..=b'9' => 0.004,
                b'_' | b'.' | b'-' | b'/' | b'"' | b',' | b'(' | b')' | b'=' | b':' => 0.01,
                b'!'..=b'~' | b'\t' => 0.002,
                _ => 0.0,
            };
            let program = match byte {
                0 => 0.3,
                1..=15 | 255 => 0.015,
                _ => 0.0019,
            };
            *share = (text + program + 1.0 / 256.0) / 3.0;
        }
        Frequency(shares)
    }

    /// How likely a byte is.
    pub(super) fn of(&self, byte: u8) -> f32 {
        self.0[usize::from(byte)]
    }

    /// How likely a byte of the class is.
    pub(super) fn share(&self, class: ByteSet) -> f32 {
        class.bytes().map(|byte| self.of(byte)).sum()
    }
}

/// The index folds case, and folds some signs and control characters together with it; the compare
/// of whole classes tells them apart again.
pub(super) const FOLD: u8 = 0x20;

/// The different bytes of a class after folding.
pub(super) fn folded(class: ByteSet) -> ByteSet {
    class.bytes().fold(ByteSet::EMPTY, |set, byte| set.with(byte | FOLD))
}

/// Where in the pattern its rarest window begins. `None` when it has none that the tables hold:
/// four classes of ASCII that are not too wide.
pub(super) fn choose(pattern: &Pattern, frequency: &Frequency) -> Option<u16> {
    let widths: Vec<usize> = pattern.classes.iter().map(|class| width(*class)).collect();
    let shares: Vec<f32> = pattern.classes.iter().map(|class| frequency.share(*class)).collect();
    let cheapest = |limit: usize| {
        let windows = pattern.classes.windows(WINDOW).zip(widths.windows(WINDOW)).enumerate();
        let fitting = windows.filter(|(_, (classes, widths))| {
            let product = widths.iter().try_fold(1_usize, |all, width| all.checked_mul(*width));
            // Whole blocks of zeros are passed over.
            product.is_some_and(|product| product <= limit)
                && !classes.iter().all(|class| class.has(0))
        });
        let priced = fitting
            .filter_map(|(at, _)| Some((at, shares.get(at..at + WINDOW)?.iter().product::<f32>())));
        priced.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at)
    };
    let at = cheapest(EXPANSIONS).or_else(|| cheapest(EXPANSIONS_AT_WORST))?;
    u16::try_from(at).ok()
}

/// How many entries of the index a class asks for.
fn width(class: ByteSet) -> usize {
    if class.is_empty() || !class.is_subset(ByteSet::ASCII) {
        return usize::MAX;
    }
    usize::try_from(folded(class).len()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &[u8]) -> Pattern {
        Pattern {
            classes: text.iter().map(|byte| ByteSet::of(*byte)).collect(),
            before: 0,
            owner: 0,
        }
    }

    #[test]
    fn the_rarest_window_is_chosen() {
        let frequency = Frequency::new();
        let total: f32 = (0..=u8::MAX).map(|byte| frequency.of(byte)).sum();
        assert!((0.85..1.15).contains(&total), "{total}");
        assert_eq!(choose(&pattern(b"the_QXZK"), &frequency), Some(4));
        assert_eq!(choose(&pattern(b"abcd\xc3\xa4"), &frequency), Some(0));
        assert_eq!(choose(&pattern(b"abc"), &frequency), None);
        assert_eq!(choose(&pattern(b"ab\xc3\xa4cd"), &frequency), None);
        let mut wide = pattern(b"abc");
        wide.classes.push(ByteSet::ALL);
        assert_eq!(choose(&wide, &frequency), None);
    }
}
