//! What stands beside a secret and says whose it is: user, host, database, client, tenant.

use super::around::Around;
use super::span;
use crate::detect::place::name_before;
use crate::finding::{Grade, Harmless, Match};
use std::ops::Range;

/// Lines on either side in which a secret is described.
const LINES: usize = 8;

/// The longest value that is taken for a fact.
const VALUE_BYTES: usize = 120;

/// Operators on either side that are looked at, so that a run of them costs nothing.
const OPERATORS: usize = 48;

/// Endings of names, without signs and in lower case, and the fact that their value is.
const FACTS: [(&str, &[&str]); 5] = [
    ("user", &["username", "userid", "user", "login", "usr", "uid"]),
    ("host", &["hostname", "host", "server", "datasource", "endpoint"]),
    ("database", &["dbname", "database", "databasename", "initialcatalog"]),
    ("client_id", &["clientid", "appid", "applicationid", "consumerkey"]),
    ("tenant_id", &["tenantid", "tenant", "directoryid"]),
];

/// Give `found` the facts of the assignments beside it.
pub(super) fn describe(bytes: &[u8], found: &mut Match) {
    let here = span(found);
    let Some(own) = name_before(bytes, here.start) else { return };
    let own_prefix = prefix(&plain(bytes.get(own).unwrap_or_default()), OWN_ENDINGS);
    let block = Around::new(bytes, &here, LINES).block();
    let mut best: [Option<(usize, usize, Range<usize>)>; FACTS.len()] = Default::default();
    for (name, value) in assignments(bytes, block, here.start) {
        if value.start < here.end && here.start < value.end {
            continue;
        }
        let name = plain(bytes.get(name).unwrap_or_default());
        let Some((number, other)) = fact_of(&name) else { continue };
        // `DB_USER` belongs to `DB_PASSWORD` and not to `MAIL_PASSWORD`.
        let rank = match (own_prefix.as_str(), other.as_str()) {
            (own, other) if own == other => 0,
            (_, "") => 1,
            ("", _) => 2,
            _ => continue,
        };
        let distance = value.start.abs_diff(here.start);
        if let Some(slot) = best.get_mut(number)
            && slot.as_ref().is_none_or(|(r, d, _)| (rank, distance) < (*r, *d))
        {
            *slot = Some((rank, distance, value));
        }
    }
    for ((fact, _), value) in FACTS.iter().zip(best) {
        let text = value.and_then(|(_, _, value)| bytes.get(value)).and_then(usable);
        if let Some(text) = text.filter(|text| !holds(text, bytes.get(here.clone()))) {
            found.facts.entry(fact).or_insert(text);
        }
    }
    // A manual's own names say that the rest is made up as well.
    let made_up = ["host", "client_id", "tenant_id"].iter().any(|fact| {
        found.facts.get(fact).is_some_and(|text| text.to_ascii_lowercase().contains("example"))
    });
    if made_up && found.grade == Grade::Weak {
        found.harmless = found.harmless.or(Some(Harmless::DocumentationExample));
    }
    let whole = [["user", "host"], ["client_id", "tenant_id"]];
    if whole.iter().any(|facts| facts.iter().all(|fact| found.facts.contains_key(fact))) {
        found.grade = found.grade.max(Grade::Plausible);
    }
}

/// Endings of the names of secrets themselves.
const OWN_ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "clientsecret",
    "appsecret",
    "secretkey",
    "secret",
    "token",
    "apikey",
];

/// Whether a fact would show the secret.
fn holds(text: &str, secret: Option<&[u8]>) -> bool {
    secret.is_none_or(|secret| text.contains(&*String::from_utf8_lossy(secret)))
}

/// A name without signs, in lower case.
fn plain(name: &[u8]) -> String {
    let kept = name.iter().filter(|byte| byte.is_ascii_alphanumeric());
    kept.map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// What stands before the ending that a name has.
fn prefix(name: &str, endings: &[&str]) -> String {
    let found = endings.iter().find_map(|ending| name.strip_suffix(ending));
    found.unwrap_or(name).to_owned()
}

/// The fact that a name's value is, and what stands before its ending.
fn fact_of(name: &str) -> Option<(usize, String)> {
    FACTS.iter().enumerate().find_map(|(number, (_, endings))| {
        let found = endings.iter().find_map(|ending| name.strip_suffix(ending));
        found.map(|prefix| (number, prefix.to_owned()))
    })
}

/// A value that names something: no reference, no code, no stand-in.
fn usable(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let named = |c: char| c.is_ascii_alphanumeric() || "._@:/\\+-%~,*".contains(c);
    let word = ["true", "false", "null", "none", "string", "undefined"].contains(&text);
    (text.chars().all(named) && text.chars().any(char::is_alphanumeric) && !word)
        .then(|| text.to_owned())
}

/// Names and values in `block`, the nearest to `middle`: `name = value`, `"name": "value"`,
/// `<name>value</name>`.
fn assignments(
    bytes: &[u8],
    block: Range<usize>,
    middle: usize,
) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
    let middle = middle.clamp(block.start, block.end);
    let before = bytes.get(block.start..middle).unwrap_or_default();
    let after = bytes.get(middle..block.end).unwrap_or_default();
    let back = memchr::memrchr3_iter(b'=', b':', b'>', before).map(move |at| block.start + at);
    let on = memchr::memchr3_iter(b'=', b':', b'>', after).map(move |at| middle + at);
    back.take(OPERATORS).chain(on.take(OPERATORS)).filter_map(move |operator| {
        let joint = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'>' | b'=');
        let rest = bytes.get(operator + 1..block.end)?;
        let start = operator + 1 + rest.iter().take(8).take_while(joint).count();
        let value = bytes.get(start..block.end)?;
        let ends = |byte: &&u8| {
            !matches!(
                byte,
                b'"' | b'\''
                    | b' '
                    | b'\t'
                    | b'\n'
                    | b'\r'
                    | b';'
                    | b','
                    | b'<'
                    | b'&'
                    | b'}'
                    | b')'
            )
        };
        let length = value.iter().take(VALUE_BYTES).take_while(ends).count();
        let name = name_before(bytes, start)?;
        // `User Id=sa` has a space in its name.
        let spaced = bytes.get(..name.start)?.ends_with(b"User ");
        let name = if spaced { name.start - 5..name.end } else { name };
        (length > 0 && length < VALUE_BYTES).then_some((name, start..start + length))
    })
}
