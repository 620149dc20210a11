//! A pattern of another scanner, rewritten as ours: one group, named `secret`, classes spelled
//! out, and known bounds.

use super::anchors::Choice;
use super::dialect;
use crate::detect::signature::Anchor;
use crate::limits;
use regex_syntax::ParserBuilder;
use regex_syntax::ast::ErrorKind as Syntax;
use regex_syntax::hir::{Capture, Class, Hir, HirKind, Repetition};

/// How deep a pattern may nest; people's stay below ten.
const DEPTH: u32 = 64;

/// Which part of a match is the secret.
#[derive(Clone, Copy, Debug)]
pub(super) enum SecretAt<'a> {
    /// All of it.
    Whole,
    /// The group of that number.
    Number(u32),
    /// The group of that name.
    Name(&'a str),
    /// The first group, or all when there is none.
    First,
}

/// A pattern as signatures have it.
pub(super) struct Prepared {
    pub(super) text: String,
    pub(super) anchors: Vec<Anchor>,
    pub(super) back: usize,
    pub(super) max_len: usize,
    pub(super) multiline: bool,
    /// What of the pattern is not kept.
    pub(super) lost: Vec<&'static str>,
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) what: &'static str,
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn new(what: &'static str, detail: impl Into<String>) -> Refusal {
        Refusal { what, detail: detail.into() }
    }
}

/// Rewrite `pattern`.
pub(super) fn prepare(pattern: &str, secret: SecretAt<'_>) -> Result<Prepared, Refusal> {
    if pattern.len() > limits::IMPORT_PATTERN_BYTES {
        return Err(Refusal::new("the pattern is too long", format!("{} bytes", pattern.len())));
    }
    let parsed = parse(&dialect::from_go(pattern))?;
    let mut lost = Vec::new();
    let group = group(&parsed, secret, &mut lost)?;
    let hir = match group {
        Some(number) => only_secret(&parsed, number),
        None => named(only_secret(&parsed, 0)),
    };
    let text = hir.to_string();
    // What is printed must mean what was read.
    if parse(&text)? != hir {
        return Err(Refusal::new("the pattern cannot be rewritten", ""));
    }
    let what = "no literal of three bytes or more stands in every match";
    let choice = Choice::of(&hir).ok_or_else(|| Refusal::new(what, ""))?;
    let back = back(&hir, &choice, &mut lost);
    let max_len = max_len(&hir, &mut lost);
    let multiline = can_break(&hir);
    Ok(Prepared { text, anchors: choice.anchors(), back, max_len, multiline, lost })
}

/// `pattern` as the regex crate reads it over bytes.
fn parse(pattern: &str) -> Result<Hir, Refusal> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).nest_limit(DEPTH).build();
    parser.parse(pattern).map_err(|error| {
        let what = match &error {
            regex_syntax::Error::Parse(error) => match error.kind() {
                Syntax::UnsupportedLookAround => "look-around is not supported",
                Syntax::UnsupportedBackreference => "backreferences are not supported",
                Syntax::NestLimitExceeded(_) => "the pattern nests too deep",
                _ => "the pattern cannot be read",
            },
            regex_syntax::Error::Translate(_) => "a class of characters beyond ASCII",
            _ => "the pattern cannot be read",
        };
        let detail = match &error {
            regex_syntax::Error::Parse(error) => error.kind().to_string(),
            regex_syntax::Error::Translate(error) => error.kind().to_string(),
            error => error.to_string(),
        };
        Refusal::new(what, detail)
    })
}

/// The number of the secret's group; `None` for the whole match.
fn group(
    hir: &Hir,
    secret: SecretAt<'_>,
    lost: &mut Vec<&'static str>,
) -> Result<Option<u32>, Refusal> {
    let mut groups = Vec::new();
    list_groups(hir, true, &mut groups);
    match secret {
        SecretAt::Whole => Ok(None),
        SecretAt::Number(number) => match groups.iter().find(|group| group.number == number) {
            Some(_) => Ok(Some(number)),
            None => Err(Refusal::new("the pattern has no such group", number.to_string())),
        },
        SecretAt::Name(name) => {
            match groups.iter().find(|group| group.name.as_deref() == Some(name)) {
                Some(group) => Ok(Some(group.number)),
                None => Err(Refusal::new("the pattern has no such group", name)),
            }
        }
        SecretAt::First => match groups.iter().find(|group| group.number == 1) {
            None => Ok(None),
            Some(group) if group.always || groups.len() == 1 => Ok(Some(1)),
            Some(_) => {
                lost.push("the secret is one of several groups, and all of the match is taken");
                Ok(None)
            }
        },
    }
}

struct Group {
    number: u32,
    name: Option<String>,
    /// Whether it is part of every match.
    always: bool,
}

fn list_groups(hir: &Hir, always: bool, groups: &mut Vec<Group>) {
    match hir.kind() {
        HirKind::Capture(capture) => {
            let name = capture.name.as_deref().map(str::to_owned);
            groups.push(Group { number: capture.index, name, always });
            list_groups(&capture.sub, always, groups);
        }
        HirKind::Repetition(repetition) => {
            list_groups(&repetition.sub, always && repetition.min > 0, groups);
        }
        HirKind::Concat(parts) => parts.iter().for_each(|part| list_groups(part, always, groups)),
        HirKind::Alternation(branches) => {
            for branch in branches {
                list_groups(branch, false, groups);
            }
        }
        _ => {}
    }
}

/// The same pattern without any group but the one of that number. What other groups hold may be
/// secret too, so that it must not become a fact.
fn only_secret(hir: &Hir, number: u32) -> Hir {
    match hir.kind() {
        HirKind::Capture(capture) => {
            let sub = only_secret(&capture.sub, number);
            if capture.index == number { named(sub) } else { sub }
        }
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(only_secret(&repetition.sub, number)),
            ..repetition.clone()
        }),
        HirKind::Concat(parts) => {
            Hir::concat(parts.iter().map(|part| only_secret(part, number)).collect())
        }
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.iter().map(|part| only_secret(part, number)).collect())
        }
        // `a|b` is read as a class of characters, and printed as one of bytes.
        HirKind::Class(Class::Unicode(class)) => class
            .to_byte_class()
            .map_or_else(|| hir.clone(), |bytes| Hir::class(Class::Bytes(bytes))),
        _ => hir.clone(),
    }
}

fn named(sub: Hir) -> Hir {
    Hir::capture(Capture { index: 1, name: Some("secret".into()), sub: Box::new(sub) })
}

fn back(hir: &Hir, choice: &Choice, lost: &mut Vec<&'static str>) -> usize {
    // What looks at the byte before a match must be shown it.
    let looks = usize::from(!hir.properties().look_set().is_empty());
    let before = choice.before.and_then(|before| before.checked_add(looks));
    if let Some(before) = before.filter(|before| *before <= limits::SIGNATURE_BACK_BYTES) {
        return before;
    }
    lost.push("a match may begin 512 bytes before its anchor at most");
    limits::SIGNATURE_BACK_BYTES
}

fn max_len(hir: &Hir, lost: &mut Vec<&'static str>) -> usize {
    if let Some(len) = hir.properties().maximum_len().filter(|l| *l <= limits::SIGNATURE_BYTES) {
        return len.max(1);
    }
    lost.push("a match may have 15360 bytes at most");
    limits::SIGNATURE_BYTES
}

/// Whether a match may hold what is no text of one line.
fn can_break(hir: &Hir) -> bool {
    let is_text = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => !literal.0.iter().all(|byte| is_text(*byte)),
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().any(|r| !(r.start()..=r.end()).all(is_text))
        }
        HirKind::Class(Class::Unicode(_)) => true,
        HirKind::Repetition(repetition) => can_break(&repetition.sub),
        HirKind::Capture(capture) => can_break(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(can_break),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pattern: &str, secret: SecretAt<'_>) -> Result<String, &'static str> {
        prepare(pattern, secret).map(|made| made.text).map_err(|refusal| refusal.what)
    }

    #[test]
    fn the_secret_gets_its_name() {
        for (pattern, secret, expected) in [
            ("acme_[0-9]{4}", SecretAt::First, "(?P<secret>acme_[0-9]{4})"),
            ("acme_([0-9]{4})", SecretAt::First, "acme_(?P<secret>[0-9]{4})"),
            ("(acme)_([0-9]{4})", SecretAt::Number(2), "acme_(?P<secret>[0-9]{4})"),
            ("(?P<a>acme)_(?P<b>[0-9]{4})", SecretAt::Name("b"), "acme_(?P<secret>[0-9]{4})"),
            ("(acme)_([0-9]{4})", SecretAt::Whole, "(?P<secret>acme_[0-9]{4})"),
            (
                r"(?x) acme _ # c
               ( \d{4} ) # d",
                SecretAt::First,
                "acme_(?P<secret>[0-9]{4})",
            ),
            ("(acme)_(=|:)([0-9]{4})", SecretAt::Number(3), "acme_[=:](?P<secret>[0-9]{4})"),
            ("acme_(?:a([0-9])|b([0-9]))", SecretAt::First, "(?P<secret>acme_(?:a[0-9]|b[0-9]))"),
        ] {
            let made = text(pattern, secret).unwrap();
            assert_eq!(parse(&made).ok(), parse(expected).ok(), "{pattern}: {made}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for (pattern, secret, why) in [
            ("(?=acme)acme_[0-9]", SecretAt::First, "look-around is not supported"),
            (r"(acme)_\1", SecretAt::First, "backreferences are not supported"),
            ("acme_(", SecretAt::First, "the pattern cannot be read"),
            ("acme_[é]", SecretAt::First, "a class of characters beyond ASCII"),
            ("acme_", SecretAt::Number(3), "the pattern has no such group"),
            (
                "[0-9]{32}",
                SecretAt::First,
                "no literal of three bytes or more stands in every match",
            ),
        ] {
            assert_eq!(text(pattern, secret), Err(why), "{pattern}");
        }
    }

    #[test]
    fn bounds_are_read_from_the_pattern() {
        let made = prepare(r"\b[a-z]{2,5}acme_([0-9]{4,})\b", SecretAt::First).ok().unwrap();
        assert_eq!((made.back, made.max_len, made.multiline), (6, limits::SIGNATURE_BYTES, false));
        assert_eq!(made.lost, ["a match may have 15360 bytes at most"]);
        let made = prepare(r".*acme_[0-9]{4}\s", SecretAt::First).ok().unwrap();
        assert_eq!((made.back, made.multiline), (512, true));
    }
}
