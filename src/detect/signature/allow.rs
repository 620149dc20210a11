//! What the author of a rule allows: matches that are seen and not held against anybody.

use crate::limits;
use regex::bytes::{Regex, RegexBuilder};
use std::ops::Range;

/// Bytes of a line that are looked at on either side of a match.
const LINE_BYTES: usize = 4096;

/// Memory of one compiled pattern of an allow list.
const MEMORY_BYTES: usize = 1024 * 1024;

/// What the patterns of an allow list are tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowTarget {
    /// The secret.
    Secret,
    /// All that the pattern matched.
    Match,
    /// The lines the match stands in.
    Line,
}

/// An allow list.
#[derive(Clone, Debug)]
pub struct Allow {
    target: AllowTarget,
    all: bool,
    patterns: Vec<Regex>,
    words: Vec<Vec<u8>>,
}

impl Allow {
    /// An empty list. With `all`, it wants a pattern and a word to fit, where it has both.
    pub(in crate::detect) fn new(target: AllowTarget, all: bool) -> Allow {
        Allow { target, all, patterns: Vec::new(), words: Vec::new() }
    }

    /// Allow what the pattern fits.
    pub(in crate::detect) fn pattern(&mut self, pattern: &str) -> Result<(), regex::Error> {
        let pattern = pattern.get(..limits::IMPORT_PATTERN_BYTES).unwrap_or(pattern);
        let made = RegexBuilder::new(pattern).unicode(false).size_limit(MEMORY_BYTES).build()?;
        self.patterns.push(made);
        Ok(())
    }

    /// Allow a secret that holds the word, in either case.
    pub(in crate::detect) fn word(&mut self, word: &str) {
        if !word.is_empty() {
            self.words.push(word.to_ascii_lowercase().into_bytes());
        }
    }

    /// Whether it allows nothing.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty() && self.words.is_empty()
    }

    /// Whether the match in `bytes` at `whole` with the secret at `secret` is allowed.
    pub(in crate::detect) fn holds(
        &self,
        bytes: &[u8],
        whole: &Range<usize>,
        secret: &Range<usize>,
    ) -> bool {
        let secret_bytes = bytes.get(secret.clone()).unwrap_or_default();
        let target = match self.target {
            AllowTarget::Secret => secret.clone(),
            AllowTarget::Match => whole.clone(),
            AllowTarget::Line => line(bytes, whole),
        };
        let target = bytes.get(target).unwrap_or_default();
        let lower = secret_bytes.to_ascii_lowercase();
        let has = |word: &Vec<u8>| lower.windows(word.len()).any(|there| there == word.as_slice());
        let by_pattern = self.patterns.iter().any(|pattern| pattern.is_match(target));
        let by_word = self.words.iter().any(has);
        if self.all {
            let pattern = self.patterns.is_empty() || by_pattern;
            return !self.is_empty() && pattern && (self.words.is_empty() || by_word);
        }
        by_pattern || by_word
    }
}

fn line(bytes: &[u8], whole: &Range<usize>) -> Range<usize> {
    let least = whole.start.saturating_sub(LINE_BYTES);
    let most = whole.end.saturating_add(LINE_BYTES).min(bytes.len());
    let before = bytes.get(least..whole.start).unwrap_or_default();
    let after = bytes.get(whole.end..most).unwrap_or_default();
    let is_break = |byte: &u8| *byte == b'\n';
    let start = before.iter().rposition(is_break).map_or(least, |at| least + at + 1);
    start..after.iter().position(is_break).map_or(most, |at| whole.end + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_allow_what_they_say() {
        let bytes = b"one\nkey = acme_TESTING; # demo\ntwo";
        let whole = 4..22;
        let secret = 10..22;
        let check = |target, all, pattern: &str, word: &str| {
            let mut list = Allow::new(target, all);
            list.pattern(pattern).unwrap();
            list.word(word);
            list.holds(bytes, &whole, &secret)
        };
        assert!(check(AllowTarget::Secret, false, "^acme_T", "none"));
        assert!(check(AllowTarget::Secret, false, "none", "Testing"));
        assert!(!check(AllowTarget::Secret, true, "none", "testing"));
        assert!(check(AllowTarget::Secret, true, "acme", "testing"));
        assert!(!check(AllowTarget::Secret, false, "key", "none"));
        assert!(check(AllowTarget::Match, false, "^key", "none"));
        assert!(!check(AllowTarget::Match, false, "demo", "none"));
        assert!(check(AllowTarget::Line, false, "demo$", "none"));
        assert!(!Allow::new(AllowTarget::Match, true).holds(bytes, &whole, &secret));
    }
}
