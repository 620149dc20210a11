//! A store: a document of names and values, and a table of those that are secret.

use super::history;
use super::judge::{self, Kind};
use super::piece::{self, Piece};
use super::uri;
use super::yaml::{self, Leaf, Step};
use crate::credential::jwt::Jwt;
use crate::error::Result;
use crate::finding::{Grade, Harmless, Match, Rule};
use crate::limits;
use crate::run::Run;

/// A place in a document whose value is secret.
pub(super) struct Slot {
    pub(super) rule: &'static Rule,
    /// The path, as [`Leaf::is`] has it; behind a first `**` only its end counts.
    pub(super) path: &'static [&'static str],
    pub(super) kind: Kind,
    /// What is told about it.
    pub(super) facts: &'static [(&'static str, From)],
}

/// Where a fact about a value stands.
pub(super) enum From {
    /// In the first of these members of the same object that is there.
    Beside(&'static [&'static str]),
    /// In the key so many levels above the value's own.
    Up(usize),
    /// In this member of the document itself.
    Root(&'static str),
    /// In the value's own key.
    Key,
}

/// The secrets that `slots` name in the document `text`.
pub(super) fn secrets(text: Piece<'_>, slots: &[Slot], found: &mut dyn FnMut(Match)) -> Result<()> {
    let (leaves, result) = yaml::leaves(text);
    let roots: Vec<&Leaf<'_>> = leaves.iter().filter(|leaf| leaf.path.len() == 1).collect();
    let roots = roots.get(..limits::STORE_NEIGHBOURS).unwrap_or(&roots);
    for (number, leaf) in leaves.iter().enumerate() {
        let Some(slot) = slots.iter().find(|slot| fits(leaf, slot.path)) else { continue };
        if is_nothing(&leaf.value) {
            continue;
        }
        let mut one = judge::decoded(slot.rule, Grade::Strong, (slot.kind, &leaf.value), leaf.raw);
        for (name, from) in slot.facts {
            let value = match from {
                From::Beside(names) => beside(&leaves, number, names),
                From::Up(levels) => up(leaf, *levels),
                From::Key => up(leaf, 0),
                From::Root(name) => {
                    let root = roots.iter().find(|root| root.key() == name.as_bytes());
                    root.map(|root| piece::text(&root.value)).unwrap_or_default()
                }
            };
            one = one.fact(name, if *name == "expires" { instant(&value) } else { value });
        }
        found(claims(one, &leaf.value));
    }
    result
}

/// Whether the path of `leaf` is `pattern`.
pub(super) fn fits(leaf: &Leaf<'_>, pattern: &[&str]) -> bool {
    match pattern.split_first() {
        Some((&"**", tail)) => {
            leaf.path.len() >= tail.len()
                && leaf.path.iter().rev().zip(tail.iter().rev()).all(|(step, want)| match step {
                    Step::Item(_) => *want == "[]",
                    Step::Key(key) => *want == "*" || want.as_bytes() == *key,
                })
        }
        _ => leaf.is(pattern),
    }
}

/// Whether a value says that there is none.
pub(super) fn is_nothing(value: &[u8]) -> bool {
    matches!(value, b"" | b"null" | b"~" | b"{}" | b"[]")
}

/// The value of the first of `names` that stands in the same object as value `number`.
pub(super) fn beside(leaves: &[Leaf<'_>], number: usize, names: &[&str]) -> String {
    let parents = leaves.get(number).and_then(|leaf| leaf.path.split_last());
    let Some((_, parents)) = parents else { return String::new() };
    let first = number.saturating_sub(limits::STORE_NEIGHBOURS);
    let near = leaves.iter().skip(first).take(2 * limits::STORE_NEIGHBOURS);
    let siblings: Vec<&Leaf<'_>> =
        near.filter(|leaf| leaf.path.split_last().is_some_and(|(_, p)| p == parents)).collect();
    let named = |name: &&str| siblings.iter().find(|leaf| leaf.key() == name.as_bytes());
    let value = names.iter().find_map(named).filter(|leaf| !is_nothing(&leaf.value));
    value.map(|leaf| piece::text(&leaf.value)).unwrap_or_default()
}

/// The key so many levels above the last one of a leaf's path.
pub(super) fn up(leaf: &Leaf<'_>, levels: usize) -> String {
    match leaf.path.iter().rev().nth(levels) {
        Some(Step::Key(key)) => piece::text(key),
        _ => String::new(),
    }
}

/// A time as a date: seconds or milliseconds since 1970, or a text, which stays.
pub(super) fn instant(value: &str) -> String {
    let digits = value.split('.').next().unwrap_or_default();
    let number = digits.parse::<i64>().ok().filter(|_| digits.len() >= 9);
    let seconds = number.map(|n| if digits.len() >= 12 { n / 1000 } else { n });
    let date = seconds.and_then(|seconds| piece::date(seconds / 86_400));
    date.unwrap_or_else(|| value.to_owned())
}

/// The match with what a token says of itself, when it is a JSON web token.
pub(super) fn claims(mut found: Match, token: &[u8]) -> Match {
    let Some(jwt) = token.starts_with(b"eyJ").then(|| Jwt::read(token)).flatten() else {
        return found;
    };
    let claim = |name: &str| piece::text(jwt.text(name).unwrap_or_default().as_bytes());
    let named = [("issuer", claim("iss")), ("subject", claim("sub")), ("tenant", claim("tid"))];
    for (name, value) in named.into_iter().chain([("expires", instant(&claim("exp")))]) {
        if !found.facts.contains_key(name) {
            found = found.fact(name, value);
        }
    }
    found
}

/// The secrets of one variable, which was written as `raw` and means `value`: the passwords of the
/// URIs in it, or all of it when its name says so.
pub(super) fn variable(
    rule: &'static Rule,
    name: &[u8],
    (value, raw): (&[u8], Piece<'_>),
    found: &mut dyn FnMut(Match),
) {
    let plain = value == raw.bytes;
    let text = if plain { raw } else { Piece::whole(value) };
    let mut by_uri = false;
    for mut one in uri::logins(text).filter_map(|login| login.found(rule)) {
        by_uri = true;
        if !plain {
            let inside = one.span;
            one = one.decoded_by("unescape", inside);
            one.span = raw.run();
        }
        found(one.fact("name", piece::text(name)));
    }
    let kind = judge::secretive(name).filter(|_| !by_uri && !judge::is_setting(value));
    if let Some(kind) = kind.filter(|_| !value.starts_with(b"-----BEGIN")) {
        let mut one = judge::decoded(rule, Grade::Plausible, (kind, value), raw);
        if judge::is_expansion(value) {
            one.harmless = Some(Harmless::Placeholder);
        }
        found(one.fact("name", piece::text(name)));
    }
}

/// The secrets on the command lines of a script that is the value of `leaf`.
pub(super) fn script(
    rule: &'static Rule,
    leaf: &Leaf<'_>,
    found: &mut dyn FnMut(Match),
) -> Result<()> {
    let plain = leaf.value.as_ref() == leaf.raw.bytes;
    let text = if plain { leaf.raw } else { Piece::whole(&leaf.value) };
    let mut result = Ok(());
    for line in text.lines() {
        let of_line = history::secrets(rule, line, &mut |mut one| {
            if !plain {
                if one.decoded.is_none() {
                    let inside = one.span;
                    one = one.decoded_by("unescape", inside);
                }
                one.span = leaf.raw.run();
            }
            found(one);
        });
        result = result.and(of_line);
    }
    result
}

/// A match of what was decoded by `format` from the bytes of `raw`.
pub(super) fn revealed(
    rule: &'static Rule,
    (kind, value): (Kind, &[u8]),
    raw: Piece<'_>,
    format: &'static str,
) -> Match {
    let found = judge::decoded(rule, Grade::Proven, (kind, value), raw);
    found.decoded_by(format, Run::new(0, value.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_stands_beside() {
        let text = br#"{"a": {"user": "eve", "token": "x", "none": null}, "user": "bob"}"#;
        let (leaves, result) = yaml::leaves(Piece::whole(text));
        assert!(result.is_ok());
        assert_eq!(beside(&leaves, 1, &["name", "user"]), "eve");
        assert_eq!(beside(&leaves, 1, &["none"]), "");
        assert_eq!(beside(&leaves, 3, &["user"]), "bob");
        assert_eq!(beside(&leaves, 9, &["user"]), "");
        assert_eq!((up(&leaves[1], 0), up(&leaves[1], 1)), ("token".to_owned(), "a".to_owned()));
        for (pattern, expected) in [
            (&["a", "token"][..], true),
            (&["**", "token"], true),
            (&["**", "a", "token"], true),
            (&["**", "b", "a", "token"], false),
            (&["token"], false),
        ] {
            assert_eq!(fits(&leaves[1], pattern), expected, "{pattern:?}");
        }
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("1709164800", "2024-02-29"),
            ("1709164800123", "2024-02-29"),
            ("1709164800.5", "2024-02-29"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("3600", "3600"),
            ("99999999999999999999", "99999999999999999999"),
            ("", ""),
        ] {
            assert_eq!(instant(text), expected);
        }
    }
}
