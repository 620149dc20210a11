//! The prefilter: one pass over the bytes that gives the places where a signature may match.

use super::signature::Signature;
use crate::error::{Error, ErrorKind, Result};
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use std::ops::Range;

/// The anchors of all signatures as one automaton. A candidate is a signature and the place of one
/// of its anchors; every anchor is reported at every place, so that no signature hides another.
pub(super) struct Prefilter {
    automaton: AhoCorasick,
    /// For each literal of the automaton: who waits for it.
    waiting: Vec<Vec<Waiting>>,
    longest_bytes: usize,
}

struct Waiting {
    signature: usize,
    /// The exact literal, when case matters.
    exact: Option<Box<[u8]>>,
}

impl Prefilter {
    pub(super) fn new(signatures: &[Signature]) -> Result<Prefilter> {
        let mut literals: Vec<Vec<u8>> = Vec::new();
        let mut waiting: Vec<Vec<Waiting>> = Vec::new();
        for (number, signature) in signatures.iter().enumerate() {
            for anchor in &signature.anchors {
                let folded = anchor.text.to_ascii_lowercase();
                let exact = (!anchor.ignore_case).then(|| anchor.text.clone());
                let waits = Waiting { signature: number, exact };
                let known = literals.iter().position(|literal| *literal == folded);
                if let Some(others) = known.and_then(|at| waiting.get_mut(at)) {
                    others.push(waits);
                } else {
                    literals.push(folded);
                    waiting.push(vec![waits]);
                }
            }
        }
        // Left to itself the crate falls back to an automaton of half the speed without a word.
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(&literals)
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "the anchors make no automaton").caused_by(error)
            })?;
        let longest_bytes = literals.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Prefilter { automaton, waiting, longest_bytes })
    }

    /// Every signature and place in `owned` where one of its anchors begins.
    pub(super) fn candidates(
        &self,
        bytes: &[u8],
        owned: Range<usize>,
        visit: &mut dyn FnMut(usize, usize),
    ) {
        let end = owned.end.saturating_add(self.longest_bytes).min(bytes.len());
        let input = Input::new(bytes).range(owned.start.min(end)..end);
        let Ok(hits) = self.automaton.try_find_overlapping_iter(input) else { return };
        for hit in hits.filter(|hit| hit.start() < owned.end) {
            let text = bytes.get(hit.range()).unwrap_or_default();
            for waits in self.waiting.get(hit.pattern().as_usize()).into_iter().flatten() {
                if waits.exact.as_deref().is_none_or(|exact| exact == text) {
                    visit(waits.signature, hit.start());
                }
            }
        }
    }
}
