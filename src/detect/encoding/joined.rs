//! The characters of an alphabet in a text that may be wrapped into lines.

use std::ops::Range;

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

/// What a character is.
const LETTER: u8 = 1;
const HEX: u8 = 2;
/// As the first, second and third of a group of base64, whether it leaves the byte that begins
/// there ASCII.
const FIRST: u8 = 4;
const SECOND: u8 = 8;
const THIRD: u8 = 16;

/// What each character is.
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        let value = super::base64::VALUES[byte as usize];
        if value < 64 {
            let first = if value < 32 { FIRST } else { 0 };
            let second = if value & 8 == 0 { SECOND } else { 0 };
            let third = if value & 2 == 0 { THIRD } else { 0 };
            let hex = if byte.is_ascii_hexdigit() { HEX } else { 0 };
            classes[byte as usize] = LETTER | first | second | third | hex;
        }
        byte += 1;
    }
    classes
}

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Whether base64, in either alphabet, or hexadecimal may have the character.
pub(super) fn may_stand(byte: u8) -> bool {
    class(byte) != 0
}

/// Letters, and what they may be.
pub(super) struct Letters {
    pub(super) text: Range<usize>,
    /// The parts in which five groups in a row decode to ASCII, wherever groups begin; all of the
    /// text where packed data may begin.
    pub(super) base64: Vec<Range<usize>>,
    pub(super) hex: bool,
}

/// What is known of the characters so far.
#[derive(Default)]
struct Seen {
    /// One bit for each group that ended here or before and decodes to ASCII.
    groups: u32,
    before: [u8; 2],
    /// Where such groups end, those that are near one another taken together.
    base64: Vec<Range<usize>>,
    hex_run: usize,
    hex_longest: usize,
}

impl Seen {
    fn step(&mut self, class: u8, at: usize) {
        let [first, second] = self.before;
        let ascii = (first / FIRST) & (second / SECOND) & (class / THIRD) & 1;
        let groups = self.groups << 1 | u32::from(ascii);
        if groups & groups >> 4 & groups >> 8 & groups >> 12 & groups >> 16 & 1 != 0 {
            match self.base64.last_mut() {
                Some(last) if at - last.end <= 2 * BESIDE => last.end = at,
                _ => self.base64.push(at..at),
            }
        }
        self.groups = groups;
        self.before = [second, class];
        self.hex_run = (self.hex_run + 1) * usize::from(class & HEX != 0);
        self.hex_longest = self.hex_longest.max(self.hex_run);
    }

    /// Go through the letters at `at`; where they end.
    fn line(&mut self, bytes: &[u8], at: usize) -> usize {
        let rest = bytes.get(at..).unwrap_or_default();
        for (len, byte) in rest.iter().enumerate() {
            let class = class(*byte);
            if class == 0 {
                return at + len;
            }
            self.step(class, at + len);
        }
        bytes.len()
    }
}

/// The text around `at`, no part of which is before `from`.
pub(super) fn around(bytes: &[u8], at: usize, from: usize) -> Letters {
    let before = bytes.get(from..at).unwrap_or_default();
    let start = before.iter().rposition(|byte| !may_stand(*byte)).map_or(from, |n| from + n + 1);
    let mut seen = Seen::default();
    let mut line = start;
    let mut end = seen.line(bytes, start);
    while end - line >= LINE_MIN {
        let Some(next) = next_line(bytes, end) else { break };
        let next_end = seen.line(bytes, next);
        if next_end == next {
            break;
        }
        (line, end) = (next, next_end);
    }
    let text = start..end;
    let shown = bytes.get(text.clone()).unwrap_or_default();
    let packed = matches!(shown, [b'e', b'A' | b'F' | b'J' | b'N', ..])
        || memchr::memmem::find(shown, b"H4sI").is_some();
    let near = |part: Range<usize>| {
        part.start.saturating_sub(BESIDE).max(text.start)..(part.end + BESIDE).min(text.end)
    };
    let parts = || seen.base64.into_iter().map(near).collect();
    let base64 = if packed { vec![text.clone()] } else { parts() };
    Letters { text, base64, hex: seen.hex_longest >= TEXT_MIN }
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
