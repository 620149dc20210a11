//! Unlocking: what is encrypted in one file with a key that lies in another of the same image is
//! as good as written in clear. Parsers leave the keys and the ciphertexts as clues; when
//! everything has been swept, each key is tried on each ciphertext of its kind.

mod ansible;
mod firefox;
mod jenkins;
mod maven;
mod password;
mod rails;

pub(super) use ansible::{JOIN as ANSIBLE, PASSWORD as ANSIBLE_PASSWORD, VALUE as ANSIBLE_VALUE};
pub(super) use firefox::keys as firefox_keys;
pub(super) use firefox::{JOIN as FIREFOX, KEY as FIREFOX_KEY, LOGIN as FIREFOX_LOGIN};
pub(super) use jenkins::{JOIN as JENKINS, MASTER as JENKINS_MASTER};
pub(super) use jenkins::{SECRET as JENKINS_SECRET, VALUE as JENKINS_VALUE};
pub(super) use maven::{JOIN as MAVEN, MASTER as MAVEN_MASTER, VALUE as MAVEN_VALUE};
pub(super) use password::{of_java, of_pkcs12};
pub(super) use rails::{FILE as RAILS_FILE, JOIN as RAILS, KEY as RAILS_KEY};

use super::judge::{self, Kind};
use super::piece::{self, Piece};
use crate::blob::{Change, Clue};
use crate::finding::{Facts, Grade, Match, Rule};
use crate::limits;
use crate::locator::Locator;
use crate::run::Run;

/// Facts that a ciphertext hands on to what is in it.
const HANDED: [&str; 10] = [
    "access_key_id",
    "class",
    "description",
    "host",
    "id",
    "name",
    "origin",
    "server",
    "user",
    "vault_id",
];

/// The clue of a key.
pub(super) fn key(kind: &'static str, at: &Locator, key: &[u8]) -> Clue {
    Clue { kind, at: at.clone(), key: key.into(), value: Box::default() }
}

/// The clue of a ciphertext that was found, with what is known of it.
pub(super) fn locked(kind: &'static str, at: &Locator, cipher: &[u8], found: &Match) -> Clue {
    let mut value = Vec::new();
    value.extend(found.span.start.to_le_bytes());
    value.extend(found.span.len.to_le_bytes());
    for (number, name) in (0u8..).zip(HANDED) {
        let Some(text) = found.facts.get(name) else { continue };
        let text = text.as_bytes().get(..limits::FACT_BYTES).unwrap_or(text.as_bytes());
        value.push(number);
        value.extend(u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
        value.extend_from_slice(text);
    }
    Clue { kind, at: at.clone(), key: cipher.into(), value: value.into() }
}

/// What a clue of a ciphertext says: where it stands, and its facts.
fn told(clue: &Clue) -> Option<(Run, Facts)> {
    let (start, rest) = clue.value.split_first_chunk::<8>()?;
    let (len, mut rest) = rest.split_first_chunk::<8>()?;
    let span = Run::new(u64::from_le_bytes(*start), u64::from_le_bytes(*len));
    let mut facts = Facts::new();
    while let Some((number, more)) = rest.split_first() {
        let (len, more) = more.split_first_chunk::<2>()?;
        let (text, more) = more.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
        facts.insert(HANDED.get(usize::from(*number))?, piece::text(text));
        rest = more;
    }
    Some((span, facts))
}

/// How a ciphertext was opened.
struct Opened<'a> {
    rule: &'static Rule,
    /// The step that stands in the locator.
    format: &'static str,
    kind: Kind,
    plain: &'a [u8],
    /// The files of the keys.
    keys: &'a [&'a Locator],
}

/// The change that tells of a plaintext.
fn opened(clue: &Clue, what: &Opened<'_>) -> Option<Change> {
    let (span, facts) = told(clue)?;
    let piece = Piece { bytes: &clue.key, at: usize::try_from(span.start).ok()? };
    let mut found = judge::decoded(what.rule, Grade::Proven, (what.kind, what.plain), piece)
        .decoded_by(what.format, Run::new(0, what.plain.len() as u64));
    found.span = span;
    found.facts = facts;
    let found =
        found.fact("protection", "plaintext-equivalent").fact("decrypts_with", files(what.keys));
    Some(Change::Match { at: clue.at.clone(), found })
}

/// The paths of the files that hold keys.
fn files(keys: &[&Locator]) -> String {
    let paths = keys.iter().map(|at| piece::text(path(at)));
    paths.collect::<Vec<_>>().join(" and ")
}

/// The path of a file, or of a member of a container.
fn path(at: &Locator) -> &[u8] {
    let member = at.members.last().and_then(|member| member.name.as_deref());
    member.or_else(|| at.path()).unwrap_or_default()
}

/// How many of the last folders two paths are apart: the nearest key is tried first.
fn distance(a: &Locator, b: &Locator) -> (bool, usize) {
    let strange = a.root != b.root || a.volume != b.volume || a.members.len() != b.members.len();
    let (a, b) = (path(a), path(b));
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).filter(|(a, _)| **a == b'/').count();
    (strange, usize::MAX.saturating_sub(common))
}

/// The clues of a kind, those nearest to `at` first.
fn nearest<'c>(clues: &'c [Clue], kind: &'static str, at: &Locator) -> Vec<&'c Clue> {
    let of_kind = clues.iter().filter(|clue| clue.kind == kind);
    let mut found: Vec<&Clue> = of_kind.take(limits::UNLOCK_KEYS_KEPT).collect();
    found.sort_by_cached_key(|clue| distance(&clue.at, at));
    found.truncate(limits::UNLOCK_KEYS);
    found
}

/// The ciphertexts of a kind.
fn values<'c>(clues: &'c [Clue], kind: &'static str) -> impl Iterator<Item = &'c Clue> {
    clues.iter().filter(move |clue| clue.kind == kind).take(limits::UNLOCK_VALUES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::locator::Area;

    /// What is no key and no ciphertext is told to every join, and comes to nothing.
    #[test]
    fn garbage_opens_nothing() {
        let at = Locator::new(&"d".into(), None, Area::Path((*b"/a/b").into()));
        let texts: [&[u8]; 7] = [
            b"",
            b"{}",
            b"AAAA",
            b"{AQAAABAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==}",
            b"AAAA--AAAAAAAAAAAAAAAA--AAAAAAAAAAAAAAAAAAAAAA==",
            b"00000000000000000000000000000000",
            b"30300a30300a3030",
        ];
        for join in [ANSIBLE, FIREFOX, JENKINS, MAVEN, RAILS] {
            let kinds = join.needs.iter();
            let mut clues: Vec<Clue> = kinds
                .flat_map(|kind| texts.iter().map(|text| key(kind, &at, text)))
                .flat_map(|clue| {
                    let told = Clue { value: vec![0; 16].into(), ..clue.clone() };
                    [clue, told]
                })
                .collect();
            clues.sort();
            (join.run)(&clues, &mut |change| panic!("{}: {change:?}", join.name));
        }
    }

    #[test]
    fn clues_hand_on_what_is_known() {
        static RULE: Rule = Rule { id: "a", title: "", severity: Severity::High, rotate: "" };
        let at = Locator::new(&"d".into(), None, Area::Path((*b"/a/b").into()));
        let piece = Piece { bytes: b"xyz", at: 7 };
        let found = judge::found(&RULE, Grade::Strong, Kind::Token, piece)
            .fact("user", "eve")
            .fact("form", "encrypted")
            .fact("id", "é");
        let clue = locked("k", &at, b"xyz", &found);
        let (span, facts) = told(&clue).unwrap();
        assert_eq!(span, Run::new(7, 3));
        let facts: Vec<_> = facts.iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert_eq!(facts, [("id", "é"), ("user", "eve")]);
        for cut in 0..clue.value.len() {
            let value = clue.value.get(..cut).unwrap_or_default().into();
            let _ = told(&Clue { value, ..clue.clone() });
        }
        let near = Locator::new(&"d".into(), None, Area::Path((*b"/a/c").into()));
        let far = Locator::new(&"d".into(), None, Area::Path((*b"/x").into()));
        assert!(distance(&near, &at) < distance(&far, &at));
    }
}
