//! Verification: whether a signature matches at an anchor, and what the match is worth.

use super::check::{self, Placeholders};
use super::program::{self, Memo, Program, SLOTS};
use super::signature::{Boundary, Measured, Signature};
use super::structure::{self, Outcome, Parts};
use crate::credential::known;
use crate::finding::{Harmless, Match, Secret, Subject};
use crate::limits;
use crate::run::Run;
use std::ops::Range;

/// Characters of a fact that are kept; longer text is an accident of the pattern.
const FACT_BYTES: usize = 256;

/// How far before a match the name may begin of which it took the latter part, when several parts
/// of a name are anchors: `google_ads` and `developer_token`.
const NAME_BYTES: usize = 64;

/// Where a signature matched, in the window.
pub(super) struct Place {
    pub(super) whole: Range<usize>,
    pub(super) secret: Range<usize>,
    pub(super) groups: Vec<(&'static str, Range<usize>)>,
}

/// What verification of one signature in one window keeps between candidates.
#[derive(Clone, Debug, Default)]
pub(super) struct Effort {
    /// Bytes looked at.
    pub(super) steps: usize,
    memo: Memo,
    tail_memo: Memo,
    /// Bytes at which debug builds have compared the two verifiers.
    #[cfg(debug_assertions)]
    compared: usize,
}

/// What a look at the boundary, a filter, what is behind an anchor, a program, an expression, the groups of an expression and a
/// judgement cost besides the bytes they look at, in steps; and how many steps a byte is for the
/// latter two. Chosen so that the benchmark's hostile texts cost about the same for each step.
const BOUNDARY_STEPS: usize = 48;
const FILTER_STEPS: usize = 16;
const TAIL_STEPS: usize = 48;
const PROGRAM_STEPS: usize = 96;
const REGEX_STEPS: usize = 1024;
const GROUPS_STEPS: usize = 4096;
const GROUPS_STEPS_PER_BYTE: usize = 16;
const JUDGE_STEPS: usize = 2048;
const JUDGE_STEPS_PER_BYTE: usize = 4;

impl Effort {
    /// Whether nothing more may be spent on the signature in this window.
    pub(super) fn is_spent(&self) -> bool {
        self.steps >= limits::VERIFY_STEPS_PER_RULE
    }

    /// Forget what is known of the bytes seen before: the next candidates stand in others.
    pub(super) fn forget(&mut self) {
        self.memo = Memo::default();
        self.tail_memo = Memo::default();
    }

    fn spend(&mut self, steps: usize) {
        self.steps = self.steps.saturating_add(steps);
    }
}

/// The match of `signature` that holds the anchor at `at`.
pub(super) fn verify(
    signature: &Signature,
    bytes: &[u8],
    at: usize,
    effort: &mut Effort,
) -> Option<Place> {
    if signature.starts_at_edge() && !left_is_free(signature, bytes, at) {
        effort.spend(BOUNDARY_STEPS);
        return None;
    }
    let place = search(signature, bytes, at, effort)?;
    // An earlier anchor inside the same match has reported it, perhaps from another window.
    let several = signature.back == 0 && signature.anchors.len() > 1;
    let name_bytes = if several { NAME_BYTES } else { 0 };
    for earlier in place.whole.start.saturating_sub(name_bytes)..at {
        let begins = bytes.get(earlier).is_some_and(|byte| signature.anchor_heads.has(*byte));
        if !begins || !signature.anchors.iter().any(|anchor| anchor.stands_at(bytes, earlier)) {
            continue;
        }
        // Told twice is better than lost.
        if effort.is_spent() {
            break;
        }
        let first = search(signature, bytes, earlier, effort);
        if first.is_some_and(|first| first.secret == place.secret) {
            return None;
        }
    }
    Some(place)
}

fn search(signature: &Signature, bytes: &[u8], at: usize, effort: &mut Effort) -> Option<Place> {
    if let Some(filter) = signature.filter() {
        effort.spend(FILTER_STEPS);
        if !filter.lets_pass(bytes, at, &mut effort.steps) {
            #[cfg(debug_assertions)]
            assert_none(signature, bytes, at, effort);
            return None;
        }
    }
    // Before the anchor a match may begin at many places; behind it there is but one way to go on.
    if 0 < signature.back && !goes_on(signature, bytes, at, effort) {
        return None;
    }
    let Some(program) = signature.program() else {
        return search_regex(signature, bytes, at, effort);
    };
    let found = search_program(signature, program, bytes, at, effort);
    #[cfg(debug_assertions)]
    if effort.compared < COMPARED_BYTES {
        let mut other = Effort::default();
        let expected = search_regex(signature, bytes, at, &mut other);
        effort.compared += other.steps;
        let parts =
            |place: &Place| (place.whole.clone(), place.secret.clone(), place.groups.clone());
        let (found, expected) = (found.as_ref().map(parts), expected.as_ref().map(parts));
        assert_eq!(found, expected, "program and expression of {} differ", signature.rule.id);
    }
    found
}

/// Where a filter says no, the expression must find nothing.
#[cfg(debug_assertions)]
fn assert_none(signature: &Signature, bytes: &[u8], at: usize, effort: &mut Effort) {
    if effort.compared < COMPARED_BYTES {
        let mut other = Effort::default();
        let found = search_regex(signature, bytes, at, &mut other);
        effort.compared += other.steps;
        assert!(found.is_none(), "the filter of {} is too strict", signature.rule.id);
    }
}

/// Whether what stands behind the anchor at `at` is what every match has there.
fn goes_on(signature: &Signature, bytes: &[u8], at: usize, effort: &mut Effort) -> bool {
    let Some(tail) = signature.tail() else { return true };
    let len = signature.anchors.first().map_or(0, |anchor| anchor.text.len());
    let end = at.saturating_add(signature.max_len).saturating_add(1).min(bytes.len());
    effort.spend(TAIL_STEPS);
    let (mut slots, place) = ([usize::MAX; SLOTS], program::Place { bytes, start: at + len, end });
    tail.run(&place, &mut slots, &mut effort.tail_memo, &mut effort.steps).is_some()
}

/// How much of each window a debug build verifies both ways.
#[cfg(debug_assertions)]
const COMPARED_BYTES: usize = 256 * 1024;

fn search_program(
    signature: &Signature,
    program: &Program,
    bytes: &[u8],
    at: usize,
    effort: &mut Effort,
) -> Option<Place> {
    let end = at.saturating_add(signature.max_len).saturating_add(1).min(bytes.len());
    effort.spend(PROGRAM_STEPS);
    let mut slots = [usize::MAX; SLOTS];
    let mut start = at.saturating_sub(signature.back);
    while start <= at {
        if !bytes.get(start).is_some_and(|byte| program.begins_with(*byte)) {
            start += 1;
            continue;
        }
        let place = program::Place { bytes, start, end };
        match program.run(&place, &mut slots, &mut effort.memo, &mut effort.steps) {
            None => start += 1,
            Some(end) if at < end => {
                let groups = signature.groups.iter().enumerate();
                let groups =
                    groups.filter_map(|(n, name)| Some((*name, program.group(&slots, n)?)));
                let secret = program.secret(&slots)?;
                return accept(signature, bytes, start..end, secret, groups.collect());
            }
            Some(end) => start = end,
        }
    }
    None
}

fn search_regex(
    signature: &Signature,
    bytes: &[u8],
    at: usize,
    effort: &mut Effort,
) -> Option<Place> {
    effort.spend(REGEX_STEPS);
    let Range { start: from, end: to } = around(signature, bytes, at);
    let to =
        if signature.armoured { to.min(armour_end(bytes.get(at..to)?, effort)? + at) } else { to };
    let shown = bytes.get(from..to)?;
    effort.spend(shown.len());
    let regex = signature.regex().ok()?;
    let mut start = 0;
    loop {
        // Most candidates are none, and to see that costs far less than to have the groups.
        let whole = regex.find_at(shown, start)?.range();
        let place = absolute(from, &whole);
        if place.contains(&at) {
            effort.spend(GROUPS_STEPS + GROUPS_STEPS_PER_BYTE * whole.len());
            let captures = regex.captures_at(shown, start)?;
            let group = |name| Some(absolute(from, &captures.name(name)?.range()));
            let groups = signature.groups.iter().filter_map(|name| Some((*name, group(name)?)));
            return accept(signature, bytes, place, group("secret")?, groups.collect());
        }
        // Only signatures with room before the anchor come here a second time.
        if place.start > at || signature.back == 0 {
            return None;
        }
        start = whole.end.max(start + 1);
        effort.spend(whole.len());
    }
}

/// Where the armour of a key that begins with `text` may end at the latest. Between its first line
/// and its last there are no five dashes, and to see that costs one look at each byte, however
/// often a key begins.
fn armour_end(text: &[u8], effort: &mut Effort) -> Option<usize> {
    const DASHES: &[u8] = b"-----";
    const LAST_LINE: usize = 80;
    let mut from = 0;
    for _ in 0..2 {
        from += DASHES.len();
        from += memchr::memmem::find(text.get(from..)?, DASHES)?;
    }
    effort.spend(from / 16);
    text.get(from + DASHES.len()..)?.starts_with(b"END").then_some(from + LAST_LINE)
}

/// The bytes a match at `at` can lie in.
fn around(signature: &Signature, bytes: &[u8], at: usize) -> Range<usize> {
    let from = at.saturating_sub(signature.back);
    // One byte more than allowed, so that a match that is too long is seen to be.
    let to = at.saturating_add(signature.max_len).saturating_add(1).min(bytes.len());
    if signature.multiline {
        return from..to;
    }
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    let before = bytes.get(from..at).unwrap_or_default();
    let after = bytes.get(at..to).unwrap_or_default();
    let from = before.iter().rposition(|byte| !is_text(byte)).map_or(from, |end| from + end + 1);
    from..after.iter().position(|byte| !is_text(byte)).map_or(to, |len| at + len)
}

fn accept(
    signature: &Signature,
    bytes: &[u8],
    whole: Range<usize>,
    secret: Range<usize>,
    mut groups: Vec<(&'static str, Range<usize>)>,
) -> Option<Place> {
    let fits = whole.len() <= signature.max_len
        && (signature.boundary != Boundary::Token || left_is_free(signature, bytes, secret.start))
        && right_is_free(signature, bytes, secret.end);
    if !fits {
        return None;
    }
    // A fact may be a part of the secret that is none, such as a bot's number, never all of it.
    groups.retain(|(_, range)| !(range.start <= secret.start && secret.end <= range.end));
    Some(Place { whole, secret, groups })
}

fn absolute(from: usize, range: &Range<usize>) -> Range<usize> {
    from + range.start..from + range.end
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether nothing that would be part of the same token stands before `at`. The last letter of an
/// escape (`\n`, `%3D`, `\u003d`) is not part of a token.
fn left_is_free(signature: &Signature, bytes: &[u8], at: usize) -> bool {
    if signature.boundary != Boundary::Token {
        return true;
    }
    let before = bytes.get(at.saturating_sub(6)..at).unwrap_or_default();
    match before {
        [.., last] if !is_word(*last) => true,
        [.., b'\\', b'n' | b'r' | b't' | b'0'] => true,
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        [b'\\', b'u', rest @ ..] if rest.iter().all(u8::is_ascii_hexdigit) => true,
        before => before.is_empty(),
    }
}

fn right_is_free(signature: &Signature, bytes: &[u8], at: usize) -> bool {
    let Some(next) = bytes.get(at) else { return true };
    signature.boundary == Boundary::None
        || !(is_word(*next) || signature.check.alphabet.is_some_and(|a| a.continues(*next)))
}

/// The match at `place`, judged by its own bytes; `None` when it is not what the signature means.
pub(super) fn judge(
    signature: &Signature,
    bytes: &[u8],
    place: &Place,
    effort: &mut Effort,
) -> Option<Match> {
    effort.spend(JUDGE_STEPS + JUDGE_STEPS_PER_BYTE * place.whole.len());
    let secret = bytes.get(place.secret.clone())?;
    let whole = bytes.get(place.whole.clone())?;
    let body = signature.anchors.iter().find_map(|anchor| anchor.strip_from(secret));
    let body = body.filter(|_| signature.measured == Measured::Body).unwrap_or(secret);
    if !check::passes(&signature.check, body) {
        return None;
    }
    let groups: Vec<(&'static str, &[u8])> = place
        .groups
        .iter()
        .filter_map(|(name, range)| Some((*name, bytes.get(range.clone())?)))
        .collect();
    let parts = Parts { secret, whole, groups: &groups };
    let outcome = match signature.check.structure {
        Some(read) => read(&parts)?,
        None => Outcome::default(),
    };
    let kept = Secret::new(secret);
    let subject = if signature.password { Subject::Password(kept) } else { Subject::Secret(kept) };
    let start = u64::try_from(place.secret.start).ok()?;
    let span = Run::new(start, u64::try_from(place.secret.len()).ok()?);
    let grade = outcome.grade.unwrap_or(signature.grade);
    let mut matched = Match::new(signature.rule, grade, subject, span);
    matched.severity = outcome.severity.unwrap_or(matched.severity);
    matched.harmless = outcome.harmless.or_else(|| placeholder(signature, &parts, body));
    if signature.allow.iter().any(|allow| allow.holds(bytes, &place.whole, &place.secret)) {
        matched.harmless.get_or_insert(Harmless::Allowed);
    }
    for (name, value) in &groups {
        matched = matched.fact(name, fact_text(value));
    }
    for (prefix, kind) in &signature.kinds {
        if secret.starts_with(prefix) {
            matched = matched.fact("kind", *kind);
        }
    }
    for (name, value) in outcome.facts {
        matched = matched.fact(name, fact_text(value.as_bytes()));
    }
    Some(matched)
}

fn placeholder(signature: &Signature, parts: &Parts<'_>, body: &[u8]) -> Option<Harmless> {
    match signature.check.placeholders {
        // What is printed word for word is known of any kind.
        Placeholders::None => known::example(parts.secret).map(|_| Harmless::DocumentationExample),
        Placeholders::Examples => check::example(parts.secret, body),
        Placeholders::All => check::harmless(parts.secret, body, signature.password)
            .or_else(|| structure::reserved_host(parts)),
    }
}

/// Bytes as text that cannot steer a terminal.
fn fact_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(bytes.get(..FACT_BYTES).unwrap_or(bytes)).chars() {
        match c {
            ' '..='~' => text.push(c),
            _ => text.extend(c.escape_unicode()),
        }
    }
    text
}
