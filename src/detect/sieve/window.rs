//! Windows: the four neighbouring classes of a pattern that the sieve looks for.

use crate::detect::class::ByteSet;

/// Positions of a window.
pub(super) const WINDOW: usize = 4;

/// The most entries one window may have in the hash index.
const EXPANSIONS: usize = 1 << 12;

/// The most where no window has fewer: one of these is a quarter of the index's bits.
const EXPANSIONS_AT_WORST: usize = 1 << 14;

/// Positions from one look of the strided search to the next. A pattern that has a window for each
/// of them is found with a quarter of the looks.
pub(super) const STRIDE: usize = 4;

/// The most entries a window of the strided search may have: enough for one class of letters and
/// digits.
const EXPANSIONS_OF_STRIDE: usize = 64;

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
        Frequency::mixed(1.0, 1.0, 1.0)
    }

    /// The same for text alone, or nearly: it is what kernels are slow on, for the other kinds have
    /// bytes that no window has.
    pub(super) fn of_text() -> Frequency {
        Frequency::mixed(8.0, 0.0, 1.0)
    }

    fn mixed(of_text: f32, of_programs: f32, of_packed: f32) -> Frequency {
        let total = of_text + of_programs + of_packed;
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
            *share = (of_text * text + of_programs * program + of_packed / 256.0) / total;
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

/// What is asked of a class before it may stand in a window.
#[derive(Clone, Copy)]
pub(super) struct Gauge {
    /// How many entries of the index it asks for.
    width: usize,
    /// How likely a byte of it is.
    share: f32,
    zero: bool,
    /// If it has but one byte, case aside: the bits that are known, and what they are.
    pub(super) single: Option<(u8, u8)>,
}

impl Gauge {
    pub(super) fn of(class: ByteSet, frequency: &Frequency) -> Gauge {
        let folded = folded(class);
        let fits = !class.is_empty() && class.is_subset(ByteSet::ASCII);
        let width = if fits { usize::try_from(folded.len()).ok() } else { None };
        Gauge {
            width: width.unwrap_or(usize::MAX),
            share: frequency.share(class),
            zero: class.has(0),
            single: (folded.len() == 1).then(|| {
                // The bits in which its bytes agree.
                let all = class.bytes().fold(u8::MAX, |all, byte| all & byte);
                let any = class.bytes().fold(0, |any, byte| any | byte);
                (all | !any, all)
            }),
        }
    }
}

/// Where in the pattern its rarest window begins. `None` when it has none that the tables hold:
/// four classes of ASCII that are not too wide.
pub(super) fn choose(gauges: &[Gauge]) -> Option<u16> {
    let cheapest = |limit: usize| {
        let fitting = windows(gauges, limit);
        fitting.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at)
    };
    let at = cheapest(EXPANSIONS).or_else(|| cheapest(EXPANSIONS_AT_WORST))?;
    u16::try_from(at).ok()
}

/// For each place that the pattern may have in a stride, where its rarest narrow window begins that
/// then stands at the stride's beginning. `None` when it is too short to have all of them.
pub(super) fn choose_strided(gauges: &[Gauge]) -> Option<[u16; STRIDE]> {
    let mut chosen: [Option<(usize, f32)>; STRIDE] = [None; STRIDE];
    for (at, share) in windows(gauges, EXPANSIONS_OF_STRIDE) {
        // One letter over and over stands in many runs of it, in either case.
        let four = gauges.get(at..at + WINDOW).unwrap_or_default();
        if four.windows(2).all(|two| matches!(two, [a, b] if a.single == b.single)) {
            continue;
        }
        let place = chosen.get_mut(at % STRIDE)?;
        if place.is_none_or(|(_, known)| share < known) {
            *place = Some((at, share));
        }
    }
    let mut places = [0; STRIDE];
    for (place, chosen) in places.iter_mut().zip(chosen) {
        *place = u16::try_from(chosen?.0).ok()?;
    }
    Some(places)
}

/// The windows that have no more than `limit` entries, with their share.
fn windows(gauges: &[Gauge], limit: usize) -> impl Iterator<Item = (usize, f32)> {
    let fitting = gauges.windows(WINDOW).enumerate().filter(move |(_, window)| {
        let product = window.iter().try_fold(1_usize, |all, gauge| all.checked_mul(gauge.width));
        // Whole blocks of zeros are passed over.
        product.is_some_and(|product| product <= limit) && !window.iter().all(|gauge| gauge.zero)
    });
    fitting.map(|(at, window)| (at, window.iter().map(|gauge| gauge.share).product()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauges(text: &[u8], frequency: &Frequency) -> Vec<Gauge> {
        text.iter().map(|byte| Gauge::of(ByteSet::of(*byte), frequency)).collect()
    }

    #[test]
    fn the_rarest_window_is_chosen() {
        let frequency = Frequency::new();
        let total: f32 = (0..=u8::MAX).map(|byte| frequency.of(byte)).sum();
        assert!((0.85..1.15).contains(&total), "{total}");
        let chosen = |text: &[u8]| choose(&gauges(text, &frequency));
        assert_eq!(chosen(b"the_QXZK"), Some(4));
        assert_eq!(chosen(b"abcd\xc3\xa4"), Some(0));
        assert_eq!(chosen(b"abc"), None);
        assert_eq!(chosen(b"ab\xc3\xa4cd"), None);
        let mut wide = gauges(b"abc", &frequency);
        wide.push(Gauge::of(ByteSet::ALL, &frequency));
        assert_eq!(choose(&wide), None);
    }

    #[test]
    fn a_stride_has_a_window_for_each_place() {
        let frequency = Frequency::new();
        let chosen = |text: &[u8]| choose_strided(&gauges(text, &frequency));
        assert_eq!(chosen(b"abcdef"), None);
        assert_eq!(chosen(b"abcdefg"), Some([0, 1, 2, 3]));
        assert_eq!(chosen(b"the QXZK"), Some([4, 1, 2, 3]), "of two the rarer");
        assert_eq!(chosen(b"abcd\xc3\xa4efgh"), None);
    }
}
