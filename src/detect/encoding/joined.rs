//! The characters of an alphabet in a text that may be wrapped into lines.

use super::{base64, hex};
use crate::detect::Kernel;
use crate::detect::class::ByteSet;
use crate::detect::sieve::{SORTED, Sorted, Sorter};
use memchr::memmem::Finder;
use std::ops::Range;
use std::sync::LazyLock;

/// Characters a line needs before the next line is taken for its continuation. The usual widths are
/// 60, 64, 72 and 76.
const LINE_MIN: usize = 32;

/// Spaces before a line's continuation: block scalars are indented.
const INDENT_MAX: usize = 64;

/// The least characters of a text: 18 bytes in base64.
pub(super) const TEXT_MIN: usize = 24;

/// Characters on either side of such groups that are decoded with them: the groups themselves and
/// one more, with room for the breaks of lines.
const BESIDE: usize = 128;

/// The least digits in a row that may be hexadecimal.
const DIGITS_MIN: u32 = 24;

/// Bytes of the letters that base64, in either alphabet, or hexadecimal may have.
pub(super) const LETTERS: ByteSet = values_with(0, 0);

/// What characters are, for a sorter: as the first, second and third of a group of base64, whether
/// they leave the byte that begins there ASCII; a digit of hexadecimal; one below eight, with which
/// ASCII begins.
static CHARACTERS: Sorter<5> = Sorter::new([
    values_with(32, 0),
    values_with(8, 0),
    values_with(2, 0),
    ByteSet::any_of(b"0123456789abcdefABCDEF"),
    ByteSet::range(b'0', b'7'),
]);

/// The characters of base64 whose value has only `bits` of those in `mask`.
const fn values_with(mask: u8, bits: u8) -> ByteSet {
    let mut set = ByteSet::EMPTY;
    let mut byte: u8 = 0;
    while byte < 128 {
        let value = base64::VALUES[byte as usize];
        if value < 64 && value & mask == bits {
            set = set.with(byte);
        }
        byte += 1;
    }
    set
}

/// Whether base64, in either alphabet, or hexadecimal may have the character.
pub(super) fn may_stand(byte: u8) -> bool {
    LETTERS.has(byte)
}

/// Letters, and what they may be.
pub(super) struct Letters {
    pub(super) text: Range<usize>,
    /// The parts in which five groups in a row decode to ASCII, wherever groups begin; all of the
    /// text where packed data may begin.
    pub(super) base64: Vec<Range<usize>>,
    pub(super) hex: bool,
}

/// Room to work in.
#[derive(Default)]
pub(super) struct Room {
    /// The letters of a text without what stands between its lines.
    letters: Vec<u8>,
    /// Where each line begins among the letters, and in the bytes.
    lines: Vec<(usize, usize)>,
    sorted: Vec<Sorted<5>>,
}

impl Room {
    /// Where the letter at `at` stands in the bytes.
    fn place(&self, at: usize) -> usize {
        let line = self.lines.partition_point(|(first, _)| *first <= at).checked_sub(1);
        let line = line.and_then(|line| self.lines.get(line));
        line.map_or(at, |(first, place)| place + (at - first))
    }

    /// Note the lines of the text that begins at `start`, and its letters, if there are several.
    /// `end_of` tells where letters end. Returns where the text does.
    fn take(&mut self, bytes: &[u8], start: usize, end_of: impl Fn(usize) -> usize) -> usize {
        self.lines.clear();
        self.letters.clear();
        self.lines.push((0, start));
        let (mut line, mut end) = (start, end_of(start));
        while end - line >= LINE_MIN {
            let Some(next) = next_line(bytes, end) else { break };
            let next_end = end_of(next);
            if next_end <= next {
                break;
            }
            if self.letters.is_empty() {
                self.letters.extend(bytes.get(line..end).unwrap_or_default());
            }
            self.lines.push((self.letters.len(), next));
            self.letters.extend(bytes.get(next..next_end).unwrap_or_default());
            (line, end) = (next, next_end);
        }
        end
    }
}

/// The text whose letters begin at `start`; `end_of` tells where letters end that stand at a place.
pub(super) fn at(
    kernel: Kernel,
    bytes: &[u8],
    start: usize,
    end_of: impl Fn(usize) -> usize,
    room: &mut Room,
) -> Letters {
    let end = room.take(bytes, start, end_of);
    let text = start..end;
    let shown = bytes.get(text.clone()).unwrap_or_default();
    if shown.len() < TEXT_MIN {
        return Letters { text, base64: Vec::new(), hex: false };
    }
    let letters = if room.letters.is_empty() { shown } else { &room.letters };
    let mut sorted = std::mem::take(&mut room.sorted);
    CHARACTERS.sort(kernel, letters, &mut sorted);
    let mut seen = Seen::default();
    for (number, block) in sorted.iter().enumerate() {
        let groups = seen.groups(block);
        seen.digits(block);
        if groups != 0 {
            let at = |bit: u32| room.place(SORTED * number + bit as usize);
            seen.note(at(groups.trailing_zeros()), at(groups.ilog2()));
        }
    }
    room.sorted = sorted;
    let begins = matches!(shown, [b'e', b'A' | b'F' | b'J' | b'N', ..]);
    let gives = |at: usize| shown.get(at..).is_some_and(base64::may_be_packed);
    let packed = begins && gives(0) || GZIP.find_iter(shown).any(gives);
    let near = |part: Range<usize>| {
        part.start.saturating_sub(BESIDE).max(text.start)..(part.end + BESIDE).min(text.end)
    };
    let hex = seen.pairs || seen.longest >= DIGITS_MIN && hex::shows_packed(shown);
    let parts = || seen.base64.into_iter().map(near).collect();
    let base64 = if packed { vec![text.clone()] } else { parts() };
    Letters { text, base64, hex }
}

/// How gzip begins in base64.
static GZIP: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"H4sI"));

/// What is known of the characters so far, 64 of them in each word.
#[derive(Default)]
struct Seen {
    /// The last characters: first, second and third of a group.
    before: [u64; 3],
    /// Where groups end that decode to ASCII.
    ascii: u64,
    /// Where five such groups in a row end, those that are near one another taken together.
    base64: Vec<Range<usize>>,
    /// The last of each step of counting pairs of digits.
    steps: [u64; 5],
    /// Whether as many pairs in a row were seen as text has.
    pairs: bool,
    /// Digits in a row, up to here and at most.
    run: u32,
    longest: u32,
}

impl Seen {
    /// Where five groups in a row end that decode to ASCII.
    fn groups(&mut self, [first, second, third, ..]: &Sorted<5>) -> u64 {
        let [before_first, before_second, _] = self.before;
        let ascii = back(*first, before_first, 2) & back(*second, before_second, 1) & third;
        self.before = [*first, *second, *third];
        let at = |groups: u32| back(ascii, self.ascii, 4 * groups);
        let five = ascii & at(1) & at(2) & at(3) & at(4);
        self.ascii = ascii;
        five
    }

    /// Note groups that end from `first` to `last`, which are near one another.
    fn note(&mut self, first: usize, last: usize) {
        match self.base64.last_mut() {
            Some(known) if first - known.end <= 2 * BESIDE => known.end = last,
            _ => self.base64.push(first..last),
        }
    }

    /// Count digits in a row, and pairs of them that are ASCII.
    fn digits(&mut self, [.., digit, low]: &Sorted<5>) {
        let [low_before, pair_before, two_before, four_before, eight_before] = self.steps;
        let pair = back(*low, low_before, 1) & digit;
        let two = pair & back(pair, pair_before, 2);
        let four = two & back(two, two_before, 4);
        let eight = four & back(four, four_before, 8);
        self.pairs |= eight & back(eight, eight_before, 2 * (hex::ASCII_MIN - 8)) != 0;
        self.steps = [*low, pair, two, four, eight];
        if *digit == u64::MAX {
            self.run = self.run.saturating_add(u64::BITS);
            self.longest = self.longest.max(self.run);
            return;
        }
        self.longest = self.longest.max(self.run + digit.trailing_ones());
        let mut inside = *digit;
        for shift in [1, 2, 4, 8] {
            inside &= inside >> shift;
        }
        if inside & inside >> 8 != 0 {
            self.longest = self.longest.max(DIGITS_MIN);
        }
        self.run = digit.leading_ones();
    }
}

/// What stands `by` places before each, where `before` comes before `word`.
pub(super) fn back(word: u64, before: u64, by: u32) -> u64 {
    word << by | before >> (u64::BITS - by)
}

/// Where the line behind the break at `at` begins.
fn next_line(bytes: &[u8], at: usize) -> Option<usize> {
    let next = match bytes.get(at..)? {
        [b'\n', ..] => at + 1,
        [b'\r', b'\n', ..] => at + 2,
        _ => return None,
    };
    let rest = bytes.get(next..)?;
    let indent = rest.iter().take(INDENT_MAX).position(|byte| !matches!(byte, b' ' | b'\t'))?;
    Some(next + indent)
}

/// The characters of a text without its line breaks, and where they stand.
pub(super) fn characters(bytes: &[u8], text: Range<usize>) -> impl Iterator<Item = (u8, usize)> {
    let shown = bytes.get(text.clone()).unwrap_or_default();
    shown.iter().copied().zip(text.start..).filter(|(byte, _)| may_stand(*byte))
}
