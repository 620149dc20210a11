//! What is around a match: its line, its section, its braces, and so many lines more.

use crate::detect::signature::Scope;
use crate::limits::PAIR_BYTES;
use std::ops::Range;

/// Braces that are looked at from the inside out; deeper nesting is no provider's block.
const LEVELS: usize = 8;

/// How near two things stand, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nearness {
    /// On one line.
    Line,
    /// In one section of an INI file.
    Section,
    /// In the same braces, so many levels out.
    Braces(usize),
    /// A few lines apart.
    Lines,
    /// In the same stretch of the file.
    File,
}

impl Nearness {
    /// Its name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Nearness::Line => "line",
            Nearness::Section => "section",
            Nearness::Braces(_) => "braces",
            Nearness::Lines => "lines",
            Nearness::File => "file",
        }
    }
}

/// The ranges around one match, none longer than the reach on either side.
pub(super) struct Around {
    line: Range<usize>,
    /// Between the header before and the header behind; all of it where there is none.
    section: Range<usize>,
    /// Whether a header stands before.
    sectioned: bool,
    braces: Vec<Range<usize>>,
    lines: Range<usize>,
    near: Range<usize>,
}

impl Around {
    /// What is around `here`, with so many lines on either side.
    pub(super) fn new(bytes: &[u8], here: &Range<usize>, lines: usize) -> Around {
        let from = here.start.saturating_sub(PAIR_BYTES).min(bytes.len());
        let to = here.end.saturating_add(PAIR_BYTES).min(bytes.len());
        let before = bytes.get(from..here.start).unwrap_or_default();
        let after = bytes.get(here.end..to).unwrap_or_default();
        let line = |count: usize| {
            let start =
                memchr::memrchr_iter(b'\n', before).nth(count).map_or(from, |at| from + at + 1);
            let end = memchr::memchr_iter(b'\n', after).nth(count).map_or(to, |at| here.end + at);
            start..end
        };
        let own = line(0);
        let header = last_header(bytes.get(from..own.start).unwrap_or_default());
        let next = first_header(bytes.get(own.end..to).unwrap_or_default());
        Around {
            section: header.map_or(from, |at| from + at)..next.map_or(to, |at| own.end + at),
            sectioned: header.is_some(),
            braces: braces(before, after, here, from),
            lines: line(lines),
            line: own,
            near: from..to,
        }
    }

    /// How near `there` is, when it is; of the wider places, those in `scopes` count.
    pub(super) fn nearness(&self, there: &Range<usize>, scopes: &[Scope]) -> Option<Nearness> {
        let holds = |range: &Range<usize>| range.start <= there.start && there.end <= range.end;
        if holds(&self.line) {
            return Some(Nearness::Line);
        }
        // What stands under another header belongs to another.
        if !holds(&self.section) {
            return None;
        }
        if self.sectioned && scopes.contains(&Scope::IniSection) {
            return Some(Nearness::Section);
        }
        let level = self.braces.iter().position(holds);
        if let Some(level) = level.filter(|_| scopes.contains(&Scope::Braces)) {
            return Some(Nearness::Braces(level));
        }
        if holds(&self.lines) {
            return Some(Nearness::Lines);
        }
        (scopes.contains(&Scope::File) && holds(&self.near)).then_some(Nearness::File)
    }

    /// The stretch in which what describes the match is looked for: its section, its innermost
    /// braces or its lines, whichever ends first.
    pub(super) fn block(&self) -> Range<usize> {
        let inner = self.braces.first().unwrap_or(&self.near);
        let start = self.section.start.max(inner.start).max(self.lines.start);
        start..self.section.end.min(inner.end).min(self.lines.end).max(start)
    }

    /// Runs of exactly `length` characters that `has` allows, in the lines around.
    pub(super) fn tokens<'a>(
        &self,
        bytes: &'a [u8],
        length: usize,
        has: &'a dyn Fn(u8) -> bool,
    ) -> impl Iterator<Item = Range<usize>> + 'a {
        let start = self.lines.start;
        let text = bytes.get(self.lines.clone()).unwrap_or_default();
        let mut at = start;
        let runs = text.chunk_by(move |a, b| has(*a) == has(*b)).map(move |run| {
            let range = at..at + run.len();
            at = range.end;
            range
        });
        runs.filter(move |range| {
            let beside = |at: Option<usize>| at.and_then(|at| bytes.get(at));
            let joined = |byte: Option<&u8>| byte.is_some_and(|byte| b"=-_.".contains(byte));
            let assigned = beside(range.start.checked_sub(1)) == Some(&b'=');
            range.len() == length
                && bytes.get(range.start).is_some_and(|byte| has(*byte))
                && (assigned || !joined(beside(range.start.checked_sub(1))))
                && !joined(beside(Some(range.end)))
        })
    }
}

/// Whether a line is a header: `[name]`, `[section "name"]`, and not a list of values.
fn is_header(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let Some(name) = line.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) else {
        return false;
    };
    let name = name.strip_prefix(b"[").and_then(|n| n.strip_suffix(b"]")).unwrap_or(name);
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|b| b.is_ascii_alphanumeric() || b" \"'._:/@*+-".contains(b))
}

/// Where the last header of `text`, which ends with a line, begins.
fn last_header(text: &[u8]) -> Option<usize> {
    let mut end = text.len();
    while end > 0 {
        let start =
            memchr::memrchr(b'\n', text.get(..end.saturating_sub(1))?).map_or(0, |at| at + 1);
        if is_header(text.get(start..end)?) {
            return Some(start);
        }
        end = start;
    }
    None
}

fn first_header(text: &[u8]) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if is_header(line) {
            return Some(start);
        }
        start += line.len();
    }
    None
}

/// The braces that hold the match, from the inside out.
fn braces(before: &[u8], after: &[u8], here: &Range<usize>, from: usize) -> Vec<Range<usize>> {
    let mut opened = Vec::new();
    let mut closed = 0_usize;
    for at in memchr::memrchr2_iter(b'{', b'}', before) {
        if before.get(at) == Some(&b'}') {
            closed += 1;
        } else if closed > 0 {
            closed -= 1;
        } else {
            opened.push(from + at);
            if opened.len() == LEVELS {
                break;
            }
        }
    }
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut open = 0_usize;
    for at in memchr::memchr2_iter(b'{', b'}', after) {
        if ranges.len() == opened.len() {
            break;
        }
        if after.get(at) == Some(&b'{') {
            open += 1;
        } else if open > 0 {
            open -= 1;
        } else if let Some(start) = opened.get(ranges.len()) {
            ranges.push(*start..here.end + at);
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearness(text: &str) -> Option<Nearness> {
        let here = text.find('S').unwrap();
        let there = text.find('I').unwrap();
        let around = Around::new(text.as_bytes(), &(here..here + 1), 3);
        around.nearness(&(there..there + 1), &[Scope::IniSection, Scope::Braces, Scope::File])
    }

    #[test]
    fn nearness_is_asked_in_order() {
        for (text, expected) in [
            ("I,S\n", Some(Nearness::Line)),
            ("[a]\nI\n\n\n\n\n\nS\n", Some(Nearness::Section)),
            ("[a]\nI\n[b]\nS\n", None),
            ("[a]\nS\n[b]\nI\n", None),
            ("{ I\n S }", Some(Nearness::Braces(0))),
            ("{ I\n { S } }", Some(Nearness::Braces(1))),
            ("{ a: { I\n }, b: { S } }", Some(Nearness::Braces(1))),
            ("I\n\n\nS", Some(Nearness::Lines)),
            ("I\n\n\n\n\n\nS", Some(Nearness::File)),
            ("[1, 2]\nI\n[\"x\"]\nS", Some(Nearness::Lines)),
        ] {
            assert_eq!(nearness(text), expected, "{text:?}");
        }
        let far = format!("I{}S", "\n".repeat(PAIR_BYTES + 1));
        assert_eq!(nearness(&far), None);
    }
}
