//! Pairs: matches that belong together, such as a key's id and its secret, and what else stands
//! beside a secret: user, host, client, tenant.
//!
//! A pair enriches and never gates: both halves stay findings, a lone one too. Nearness is asked in
//! order: the same line, the same section of an INI file, the same braces, a few lines, a few
//! kilobytes. Every step is bounded by [`limits::PAIR_BYTES`] and the matches of one window, which
//! are themselves bounded.

mod around;
mod beside;

use self::around::{Around, Nearness};
use super::check;
use super::signature::{Pair, Signature};
use crate::finding::{Grade, Match, Secret, Severity, Subject};
use crate::limits;
use crate::run::Run;
use std::collections::BTreeSet;
use std::ops::Range;

/// A signature and one of those it is paired with.
struct Pairing<'s> {
    /// The half that is secret.
    secret: &'static str,
    /// The half that names it.
    with: &'static str,
    /// How far apart they may be.
    pair: &'s Pair,
}

/// Secrets that need no name beside the other half, and how many characters of base64 they have.
const BARE: [(&str, usize); 1] = [("aws.secret_access_key", 40)];

/// Lines around an id in which a secret without a name is looked for.
const BARE_LINES: usize = 5;

/// Entropy in bits per character of a secret that only its neighbour speaks for.
const BARE_ENTROPY: f64 = 4.0;

/// The rules that take part in pairs.
pub(super) fn partners(signatures: &[Signature]) -> BTreeSet<&'static str> {
    pairings(signatures).flat_map(|pairing| [pairing.secret, pairing.with]).collect()
}

fn pairings(signatures: &[Signature]) -> impl Iterator<Item = Pairing<'_>> {
    signatures.iter().flat_map(|signature| {
        let pair = signature.pair.iter();
        pair.flat_map(|pair| pair.with.iter().map(move |with| (pair, *with)))
            .map(|(pair, with)| Pairing { secret: signature.rule.id, with, pair })
    })
}

/// Relate the matches of one window; `bytes` is what their spans count in. Those of `beyond` belong
/// to another window, which finds what stands beside them.
pub(super) fn relate(
    signatures: &[Signature],
    bytes: &[u8],
    matches: &mut Vec<Match>,
    beyond: &Range<usize>,
) {
    for pairing in pairings(signatures) {
        if matches.iter().any(|found| found.rule.id == pairing.with) {
            join(&pairing, bytes, matches);
            if let Some((_, length)) = BARE.iter().find(|(rule, _)| *rule == pairing.secret) {
                find_bare((&pairing, *length), signatures, (bytes, beyond), matches);
            }
        }
    }
    for found in matches.iter_mut().filter(|found| found.decoded.is_none()) {
        let signature = signatures.binary_search_by_key(&found.rule.id, |s| s.rule.id);
        let signature = signature.ok().and_then(|at| signatures.get(at));
        if signature.is_some_and(|s| s.about.tags.iter().any(|tag| tag == "context")) {
            beside::describe(bytes, found);
        }
    }
}

/// The bytes of a match.
pub(super) fn span(found: &Match) -> Range<usize> {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    index(found.span.start)..index(found.span.end())
}

/// A secret and a name that may belong to it, the best first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    nearness: Nearness,
    distance: usize,
    secret: usize,
    with: usize,
}

/// Join each secret with the nearest name that no nearer secret has.
fn join(pairing: &Pairing<'_>, bytes: &[u8], matches: &mut [Match]) {
    let numbers = |rule: &str| {
        let of_rule = matches.iter().enumerate().filter(|(_, found)| found.rule.id == rule);
        let mut numbers: Vec<(usize, usize)> =
            of_rule.map(|(number, found)| (span(found).start, number)).collect();
        numbers.sort_unstable();
        numbers
    };
    let names = numbers(pairing.with);
    let mut candidates = Vec::new();
    for (start, secret) in numbers(pairing.secret) {
        candidates.extend(candidates_of((start, secret), &names, pairing, (bytes, matches)));
    }
    candidates.sort_unstable();
    let (mut joined, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for candidate in candidates {
        if !joined.contains(&candidate.secret) && taken.insert(candidate.with) {
            joined.insert(candidate.secret);
            if let Ok([secret, name]) = matches.get_disjoint_mut([candidate.secret, candidate.with])
            {
                marry(secret, name, candidate.nearness);
            }
        }
    }
}

/// The names near one secret: a few on either side, so that a flood of them costs nothing.
fn candidates_of(
    (start, secret): (usize, usize),
    names: &[(usize, usize)],
    pairing: &Pairing<'_>,
    (bytes, matches): (&[u8], &[Match]),
) -> Vec<Candidate> {
    const EITHER_SIDE: usize = 4;
    let middle = names.partition_point(|(at, _)| *at < start);
    let near = names.get(middle.saturating_sub(EITHER_SIDE)..).unwrap_or_default();
    let near = near.iter().take(2 * EITHER_SIDE);
    let Some(half) = matches.get(secret) else { return Vec::new() };
    let here = span(half);
    let around = Around::new(bytes, &here, pairing.pair.lines);
    let mut found = Vec::new();
    for (_, with) in near {
        let Some(name) = matches.get(*with) else { continue };
        // An example's id beside a real secret says nothing of it, nor the other way round.
        if name.harmless.is_some() != half.harmless.is_some() {
            continue;
        }
        let there = span(name);
        if let Some(nearness) = around.nearness(&there, &pairing.pair.scopes) {
            let distance =
                there.start.saturating_sub(here.end) + here.start.saturating_sub(there.end);
            found.push(Candidate { nearness, distance, secret, with: *with });
        }
    }
    found
}

/// The secret learns what its name says, and both learn of each other.
fn marry(secret: &mut Match, name: &mut Match, nearness: Nearness) {
    for (key, value) in &name.facts {
        if !matches!(*key, "paired_with" | "paired_by") {
            secret.facts.entry(key).or_insert_with(|| value.clone());
        }
    }
    if let (Some(fact), Subject::Secret(id)) = (name_of_id(name.rule.id), &name.subject) {
        let id = String::from_utf8_lossy(id.expose()).into_owned();
        secret.facts.entry(fact).or_insert(id);
    }
    secret.facts.insert("paired_by", nearness.name().to_owned());
    list(secret, name.rule.id);
    list(name, secret.rule.id);
    if name.facts.get("kind").is_some_and(|kind| kind == "temporary") {
        // Session keys end by themselves.
        secret.severity = secret.severity.min(Severity::Medium);
    }
    if nearness < Nearness::File {
        secret.grade = secret.grade.max(Grade::Strong);
        name.grade = name.grade.max(Grade::Strong);
    }
}

/// The fact that an identifier becomes: the last part of its rule, when that says that it is one.
fn name_of_id(rule: &'static str) -> Option<&'static str> {
    let last = rule.rsplit('.').next()?;
    let names = ["_id", "user", "username", "host", "account", "endpoint"];
    names.iter().any(|name| last.ends_with(name)).then_some(last)
}

/// Note the rule of the other half.
fn list(found: &mut Match, rule: &str) {
    let known = found.facts.entry("paired_with").or_default();
    if !known.split(' ').any(|other| other == rule) {
        let gap = if known.is_empty() { "" } else { " " };
        *known = format!("{known}{gap}{rule}");
    }
}

/// Look for a secret without a name beside every id that has none: forty characters of base64 are
/// anything in plain text, and a key beside an id.
fn find_bare(
    (pairing, length): (&Pairing<'_>, usize),
    signatures: &[Signature],
    (bytes, beyond): (&[u8], &Range<usize>),
    matches: &mut Vec<Match>,
) {
    let Some(signature) = signatures.iter().find(|s| s.rule.id == pairing.secret) else { return };
    // What another rule of the issuer knows needs no second name; a generic one's guess does.
    let issuer = pairing.secret.split('.').next().unwrap_or_default();
    let known = matches.iter().filter(|found| found.rule.id.split('.').next() == Some(issuer));
    let mut spans: Vec<Range<usize>> = known.map(span).collect();
    spans.sort_unstable_by_key(|span| span.start);
    let mut found = Vec::new();
    for (number, name) in matches.iter_mut().enumerate() {
        if name.rule.id != pairing.with || beyond.contains(&number) {
            continue;
        }
        let alone =
            !name.facts.get("paired_with").is_some_and(|with| with.contains(pairing.secret));
        let here = span(name);
        if !alone || bytes.get(here.clone()).is_none() {
            continue;
        }
        let around = Around::new(bytes, &here, BARE_LINES);
        let token = around
            .tokens(bytes, length, &|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
            .filter(|token| is_free(&spans, token))
            .filter(|token| bytes.get(token.clone()).is_some_and(is_bare_secret))
            .filter_map(|token| Some((around.nearness(&token, &pairing.pair.scopes)?, token)))
            .min_by_key(|(nearness, token)| (*nearness, token.start.abs_diff(here.start)));
        let Some((nearness, token)) = token else { continue };
        let Some(secret) = bytes.get(token.clone()) else { continue };
        let run = Run::new(token.start as u64, token.len() as u64);
        let subject = Subject::Secret(Secret::new(secret));
        let mut half = Match::new(signature.rule, Grade::Plausible, subject, run);
        half.harmless = check::harmless(secret, secret, false);
        if half.harmless.is_some() == name.harmless.is_some() {
            marry(&mut half, name, nearness);
            half.grade = Grade::Plausible;
            found.push(half);
        }
    }
    matches.append(&mut found);
}

/// Whether no match covers the token.
fn is_free(sorted: &[Range<usize>], token: &Range<usize>) -> bool {
    let after = sorted.partition_point(|span| span.start < token.end);
    let near = sorted.get(after.saturating_sub(4)..after).unwrap_or_default();
    near.iter().all(|span| span.end <= token.start)
}

/// Whether the characters are those of a key and not of a path, a hash or a word.
fn is_bare_secret(token: &[u8]) -> bool {
    let has = |test: fn(&u8) -> bool| token.iter().any(test);
    memchr::memchr_iter(b'/', token).count() <= 4
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
        && check::entropy(token) >= BARE_ENTROPY
}

/// How far beyond what a window owns the other half is looked for.
pub(super) const REACH_BYTES: usize = limits::PAIR_BYTES;
