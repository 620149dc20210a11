//! The join: matches of one secret become one finding with all its places.

use super::clues::Told;
use crate::coverage::Coverage;
use crate::credential::pem::past_escape;
use crate::detect::encoding;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, Fingerprint, Harmless, Match, Place, Subject};
use crate::limits;
use crate::locator::Locator;
use crate::run::{ImageNo, Run};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use zeroize::Zeroizing;

/// Values kept of one fact.
const FACT_VALUES: usize = 8;

/// The key under which fingerprints are made.
pub struct FingerprintKey {
    key: Zeroizing<[u8; 32]>,
    /// Whether it lives only for this run, so that fingerprints compare with no other run's.
    pub ephemeral: bool,
}

impl FingerprintKey {
    /// A key that is kept, so that fingerprints of several runs compare.
    pub fn kept(key: [u8; 32]) -> FingerprintKey {
        FingerprintKey { key: Zeroizing::new(key), ephemeral: false }
    }

    /// A key for this run alone.
    pub fn ephemeral(key: [u8; 32]) -> FingerprintKey {
        FingerprintKey { key: Zeroizing::new(key), ephemeral: true }
    }

    /// The fingerprint of what a match is about. White space around a secret is not part of it.
    fn fingerprint(&self, found: &Match) -> Fingerprint {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.key) else {
            return Fingerprint([0; 16]);
        };
        match &found.subject {
            Subject::Secret(secret) | Subject::Password(secret) => {
                mac.update(b"secret\0");
                mac.update(&normal(secret.expose()));
            }
            Subject::Fact(bytes) => {
                mac.update(b"fact\0");
                mac.update(found.rule.id.as_bytes());
                mac.update(b"\0");
                mac.update(bytes);
            }
        }
        let mut short = [0; 16];
        short.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        Fingerprint(short)
    }
}

/// A secret without what differs between its copies: white space around it and, for a key in PEM,
/// how its lines are broken, be it by escapes in JSON.
fn normal(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let secret = secret.trim_ascii();
    if !secret.starts_with(b"-----BEGIN") {
        return Zeroizing::new(secret.to_vec());
    }
    let mut kept = Zeroizing::new(Vec::with_capacity(secret.len()));
    let mut rest = secret;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'\\' {
            rest = past_escape(behind).unwrap_or(behind);
        } else if !byte.is_ascii_whitespace() {
            kept.push(byte);
        }
    }
    kept
}

/// The findings of one worker, or of all.
pub(super) struct Findings<'k> {
    key: &'k FingerprintKey,
    found: HashMap<Fingerprint, Finding>,
    dropped: u64,
}

impl<'k> Findings<'k> {
    pub(super) fn new(key: &'k FingerprintKey) -> Findings<'k> {
        Findings { key, found: HashMap::new(), dropped: 0 }
    }

    /// Add one match at one place; `parsed` when a parser that knows the file found it.
    pub(super) fn add(&mut self, found: Match, parsed: bool, place: Place) {
        let fingerprint = self.key.fingerprint(&found);
        let facts = found.facts.into_iter().map(|(name, value)| (name, vec![value])).collect();
        self.put(Finding {
            rule: found.rule,
            also: Vec::new(),
            severity: found.severity,
            grade: found.grade,
            parsed,
            harmless: found.harmless,
            fingerprint,
            subject: found.subject,
            facts,
            places: vec![place],
            place_count: 1,
        });
    }

    /// Add another worker's findings.
    pub(super) fn merge(&mut self, other: Findings<'_>) {
        self.dropped += other.dropped;
        other.found.into_values().for_each(|finding| self.put(finding));
    }

    fn put(&mut self, finding: Finding) {
        let full = self.found.len() >= limits::FINDINGS;
        match self.found.entry(finding.fingerprint) {
            Entry::Occupied(mut entry) => join(entry.get_mut(), finding),
            Entry::Vacant(_) if full => self.dropped += 1,
            Entry::Vacant(entry) => {
                entry.insert(finding);
            }
        }
    }

    /// Every place where something was found, without the span.
    pub(super) fn places(&self) -> BTreeSet<Locator> {
        let places = self.found.values().flat_map(|finding| &finding.places);
        places.map(|place| Locator { span: None, ..place.locator.clone() }).collect()
    }

    /// Add facts to what was found at their places, or below.
    #[allow(clippy::iter_over_hash_type, reason = "each finding is told by itself")]
    pub(super) fn tell(&mut self, told: &Told) {
        if told.is_empty() {
            return;
        }
        #[expect(clippy::iter_over_hash_type, reason = "each finding is told by itself")]
        for finding in self.found.values_mut() {
            for (name, value) in finding.places.iter().flat_map(|place| told_of(place, told)) {
                let known = finding.facts.entry(name).or_default();
                known.push(value.clone());
                known.sort();
                known.dedup();
                known.truncate(FACT_VALUES);
            }
        }
    }

    /// All findings, sorted by their first locator.
    pub(super) fn finish(self, coverage: &mut Coverage) -> Vec<Finding> {
        if self.dropped > 0 {
            let error = Error::new(ErrorKind::Limit, "more findings than are kept")
                .detail(format_args!("{} were dropped", self.dropped));
            coverage.error(&error);
        }
        let mut findings: Vec<Finding> = self.found.into_values().collect();
        for finding in &mut findings {
            settle(finding);
        }
        sorted(&mut findings);
        findings
    }
}

/// The facts of a place and of what it is in.
fn told_of<'t>(
    place: &Place,
    told: &'t Told,
) -> impl Iterator<Item = &'t (&'static str, String)> + use<'t> {
    let mut at = Some(Locator { span: None, ..place.locator.clone() });
    let facts = std::iter::from_fn(move || {
        let mut here = at.take()?;
        let facts = told.get(&here);
        if here.members.pop().is_some() {
            at = Some(here);
        }
        Some(facts.into_iter().flatten())
    });
    facts.flatten()
}

/// Sort findings by their first locator.
pub(super) fn sorted(findings: &mut [Finding]) {
    let first = |f: &Finding| f.places.first().map(|p| p.locator.clone());
    findings.sort_by_cached_key(|f| (first(f), f.rule.id, f.fingerprint));
}

/// Two findings of the same secret become one: the better evidence names it.
fn join(kept: &mut Finding, mut other: Finding) {
    // Equally sure, the parser that knows the file knows more: a key is a host's key.
    // Of the same key with other line breaks the lesser bytes stay, whoever came first.
    let rank = |f: &Finding| (f.grade, f.parsed, f.severity, Reverse(f.rule.id));
    let better = (rank(&other), Reverse(other.subject.bytes()))
        > (rank(kept), Reverse(kept.subject.bytes()));
    let harmless = joined_harmless(kept.harmless, other.harmless);
    kept.also.append(&mut other.also);
    if better {
        kept.also.push(kept.rule.id);
        kept.rule = other.rule;
        kept.severity = other.severity;
        kept.grade = other.grade;
        kept.parsed = other.parsed;
        kept.subject = other.subject;
    } else {
        kept.also.push(other.rule.id);
    }
    kept.also.sort_unstable();
    kept.also.dedup();
    let rule = kept.rule.id;
    kept.also.retain(|id| *id != rule);
    kept.harmless = harmless;
    for (name, values) in other.facts {
        let known = kept.facts.entry(name).or_default();
        known.extend(values);
        known.sort();
        known.dedup();
        known.truncate(FACT_VALUES);
    }
    kept.places.extend(other.places);
    kept.place_count += other.place_count;
    if kept.places.len() > 2 * limits::PLACES_PER_FINDING {
        one_place_each(&mut kept.places);
        kept.places.truncate(limits::PLACES_PER_FINDING);
    }
}

/// A failed checksum or a published example is a property of the bytes: one rule that knows it is
/// enough. A locked account is a property of the place: it is harmless only where all places are.
/// Of two reasons the first of all stays, for workers bring them in any order.
fn joined_harmless(a: Option<Harmless>, b: Option<Harmless>) -> Option<Harmless> {
    let of_the_bytes = |h: &Harmless| *h != Harmless::Disabled;
    a.into_iter().chain(b).filter(of_the_bytes).min().or(a.and(b))
}

fn settle(finding: &mut Finding) {
    let all_kept = finding.place_count == finding.places.len() as u64;
    one_place_each(&mut finding.places);
    if all_kept {
        finding.place_count = finding.places.len() as u64;
    }
    finding.places.truncate(limits::PLACES_PER_FINDING);
}

/// The same bytes of the target are one place, under the best attribution: a live file's, then a
/// deleted file's, then the raw ones.
fn one_place_each(places: &mut Vec<Place>) {
    let mut best: HashMap<Bytes, usize> = HashMap::new();
    places.sort_by(|a, b| {
        let order = |p: &Place| (p.state, Reverse(p.locator.members.len()));
        (order(a), &a.locator).cmp(&(order(b), &b.locator))
    });
    let mut number = 0;
    places.retain(|place| {
        number += 1;
        bytes_of(place).is_none_or(|bytes| *best.entry(bytes).or_insert(number) == number)
    });
    one_view_each(places);
    places.sort_by(|a, b| a.locator.cmp(&b.locator));
    places.dedup_by(|a, b| a.locator == b.locator);
}

/// What makes two places the same bytes.
#[derive(PartialEq, Eq, Hash)]
enum Bytes {
    /// Of the target.
    Image(Vec<(ImageNo, Run)>),
    /// Of a file whose bytes lie nowhere that is told: a directory's.
    File(Box<Locator>, Run),
}

/// The bytes of a place, where they are what was found and not what it was decoded from.
fn bytes_of(place: &Place) -> Option<Bytes> {
    let span = place.locator.span?;
    let len: u64 = place.image_runs.iter().map(|(_, run)| run.len).sum();
    if place.image_runs.is_empty() {
        let run = place.file_run.filter(|run| run.len == span.len)?;
        let file = Locator { members: Vec::new(), span: None, ..place.locator.clone() };
        return Some(Bytes::File(Box::new(file), run));
    }
    (len > 0 && span.len == len).then(|| Bytes::Image(place.image_runs.clone()))
}

/// What a parser that knows the file decoded is not told again for having been found by its looks.
fn one_view_each(places: &mut Vec<Place>) {
    let by_looks =
        |place: &Place| place.locator.members.first().is_some_and(encoding::is_found_by_looks);
    if !places.iter().any(by_looks) {
        return;
    }
    let parsed: Vec<Place> = places
        .iter()
        .filter(|place| !place.locator.members.is_empty() && !by_looks(place))
        .cloned()
        .collect();
    let known = |place: &Place| {
        parsed.iter().filter(|other| other.locator.area == place.locator.area).any(|other| {
            let runs = || other.image_runs.iter();
            place.image_runs.iter().any(|(image, run)| {
                runs().any(|(other, its)| image == other && !run.intersect(*its).is_empty())
            })
        })
    };
    places.retain(|place| !(by_looks(place) && known(place)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which reason was told depended on which worker came first.
    #[test]
    fn reasons_join_in_any_order() {
        let all = [
            None,
            Some(Harmless::FailedChecksum),
            Some(Harmless::Placeholder),
            Some(Harmless::DocumentationExample),
            Some(Harmless::KnownPublic),
            Some(Harmless::Disabled),
        ];
        let triples = all.iter().flat_map(|&a| all.iter().map(move |&b| (a, b)));
        for ((a, b), c) in triples.flat_map(|ab| all.iter().map(move |&c| (ab, c))) {
            let joined = joined_harmless(joined_harmless(a, b), c);
            for (x, y, z) in [(b, a, c), (c, b, a), (b, c, a), (c, a, b), (a, c, b)] {
                assert_eq!(joined_harmless(joined_harmless(x, y), z), joined, "{a:?} {b:?} {c:?}");
            }
        }
        let (disabled, known) = (Some(Harmless::Disabled), Some(Harmless::KnownPublic));
        for (a, b, expected) in
            [(disabled, None, None), (disabled, disabled, disabled), (disabled, known, known)]
        {
            assert_eq!(joined_harmless(a, b), expected);
        }
    }

    #[test]
    fn copies_of_a_key_are_one_however_their_lines_are_broken() {
        let copy =
            |between: &str| ["-----BEGIN X-----", "aGVs", "bG8=", "-----END X-----"].join(between);
        let expected = normal(copy("\n").as_bytes());
        for between in ["\r\n", " ", "\t", "\\n", "\\r\\n", "\\\\n", "\\u000a", "\\u000D\\u000A"] {
            assert_eq!(normal(copy(between).as_bytes()), expected, "{between}");
        }
        assert_eq!(*normal(b" a\\nb \n"), b"a\\nb");
    }
}
