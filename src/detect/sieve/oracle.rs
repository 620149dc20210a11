//! The oracle: an automaton of literals in place of windows, tables and hashes, to check those
//! against.

use super::Pattern;
use crate::detect::class::ByteSet;
use crate::error::{Error, ErrorKind, Result};
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use std::ops::Range;

/// The longest literal in each pattern, case aside, as one automaton.
pub(super) struct Oracle {
    automaton: AhoCorasick,
    /// For each literal: the number of its pattern, and where in that it stands.
    literals: Vec<(u16, usize)>,
    /// The patterns without a literal.
    others: Vec<u16>,
    longest: usize,
}

impl Oracle {
    /// The oracle of patterns that are given with their numbers.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = (u16, &'a Pattern)>) -> Result<Oracle> {
        let mut texts: Vec<Vec<u8>> = Vec::new();
        let (mut literals, mut others) = (Vec::new(), Vec::new());
        let mut longest = 0;
        for (number, pattern) in patterns {
            match literal(&pattern.classes) {
                Some((at, text)) => {
                    longest = longest.max(pattern.classes.len());
                    literals.push((number, at));
                    texts.push(text);
                }
                None => others.push(number),
            }
        }
        // Left to itself the crate falls back to an automaton of half the speed without a word.
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(&texts)
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "the anchors make no automaton").caused_by(error)
            })?;
        Ok(Oracle { automaton, literals, others, longest })
    }

    /// Every place where a pattern may begin that tells of a place in `owned`, with its number.
    pub(super) fn search(
        &self,
        bytes: &[u8],
        owned: &Range<usize>,
        visit: &mut dyn FnMut(u16, usize),
    ) {
        let from = owned.start.saturating_sub(self.longest);
        for number in &self.others {
            (from..owned.end).for_each(|at| visit(*number, at));
        }
        let end = owned.end.saturating_add(self.longest).min(bytes.len());
        let input = Input::new(bytes).range(from.min(end)..end);
        let Ok(hits) = self.automaton.try_find_overlapping_iter(input) else { return };
        for hit in hits {
            let Some((number, at)) = self.literals.get(hit.pattern().as_usize()) else { continue };
            if let Some(start) = hit.start().checked_sub(*at) {
                visit(*number, start);
            }
        }
    }
}

/// The longest run of classes that are one byte, case aside: where it begins, and the bytes.
fn literal(classes: &[ByteSet]) -> Option<(usize, Vec<u8>)> {
    let bytes = |class: &ByteSet| {
        let byte = class.bytes().last()?;
        class.is_subset(ByteSet::either_case(byte)).then_some(byte)
    };
    let all: Vec<Option<u8>> = classes.iter().map(bytes).collect();
    let mut at = 0;
    let mut longest: Option<(usize, Vec<u8>)> = None;
    for run in all.chunk_by(|a, b| a.is_some() && b.is_some()) {
        let text: Vec<u8> = run.iter().copied().flatten().collect();
        if text.len() > longest.as_ref().map_or(0, |(_, text)| text.len()) {
            longest = Some((at, text));
        }
        at += run.len();
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_literal_is_found() {
        let wide = ByteSet::range(b'a', b'z');
        let of = |text: &[u8]| text.iter().map(|b| ByteSet::either_case(*b)).collect::<Vec<_>>();
        let classes = [of(b"ab"), vec![wide], of(b"cde"), vec![wide]].concat();
        assert_eq!(literal(&classes), Some((3, b"cde".to_vec())));
        assert_eq!(literal(&[wide, wide]), None);
    }
}
