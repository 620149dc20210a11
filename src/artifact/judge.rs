//! Judgement that all parsers share: which names mean a secret, and which values are stand-ins.

use super::piece::Piece;
use crate::credential::{known, stand_in};
use crate::finding::{Grade, Harmless, Match, Rule, Secret, Severity, Subject};
use crate::run::Run;

/// What a name says its value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Chosen by a person.
    Password,
    /// A token, a key.
    Token,
}

/// A match of the bytes of `piece`, which stand in the file as they are.
pub(super) fn found(rule: &'static Rule, grade: Grade, kind: Kind, piece: Piece<'_>) -> Match {
    decoded(rule, grade, (kind, piece.bytes), piece)
}

/// A match of a value that was decoded from the bytes of `piece`.
pub(super) fn decoded(
    rule: &'static Rule,
    grade: Grade,
    (kind, value): (Kind, &[u8]),
    piece: Piece<'_>,
) -> Match {
    let secret = Secret::new(value);
    let subject = match kind {
        Kind::Password => Subject::Password(secret),
        Kind::Token => Subject::Secret(secret),
    };
    let mut found = Match::new(rule, grade, subject, piece.run());
    if value != piece.bytes {
        found = found.decoded_by("unescape", Run::new(0, value.len() as u64));
    }
    if is_placeholder(value) {
        found.harmless = Some(Harmless::Placeholder);
    } else if known::example(value).is_some() {
        found.harmless = Some(Harmless::DocumentationExample);
    }
    found
}

/// A match of something that is no secret.
pub(super) fn fact(rule: &'static Rule, grade: Grade, piece: Piece<'_>) -> Match {
    Match::new(rule, grade, Subject::Fact(piece.bytes.to_vec()), piece.run())
}

/// The match with its severity lowered to `severity`.
pub(super) fn at_most(mut found: Match, severity: Severity) -> Match {
    found.severity = found.severity.min(severity);
    found
}

/// The last words of names whose value is a password.
const PASSWORDS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "passw",
    "pw",
    "pword",
    "passcode",
    "userpass",
    "psk",
];
/// The last words of names whose value is a token.
const TOKENS: [&str; 16] = [
    "secret",
    "secrets",
    "token",
    "tokens",
    "apikey",
    "secretkey",
    "accesskey",
    "privatekey",
    "authkey",
    "authtoken",
    "accesstoken",
    "credential",
    "credentials",
    "creds",
    "bearer",
    "salt",
];
/// Before `key`, these make it one that must be kept.
const KEYS: [&str; 19] = [
    "api",
    "access",
    "secret",
    "private",
    "encryption",
    "encrypt",
    "master",
    "signing",
    "auth",
    "account",
    "service",
    "shared",
    "license",
    "licence",
    "session",
    "cookie",
    "jwt",
    "storage",
    "app",
];
/// Endings of run-together names, such as `PGPASSWORD`.
const PASSWORD_ENDS: [&str; 3] = ["password", "passwd", "passphrase"];
const TOKEN_ENDS: [&str; 3] = ["token", "secret", "apikey"];

/// What the value of a variable or option of this name is, when the name says that it is secret.
pub(super) fn secretive(name: &[u8]) -> Option<Kind> {
    if name.len() > 128 {
        return None;
    }
    let words = words(name);
    let mut last = words.iter().rev();
    let mut word = last.next()?.as_str();
    // `TOKEN_1`, `PASSWORD_BASE64`: what a numbered or encoded one is, stands before.
    while matches!(word, "base64" | "b64" | "value" | "string")
        || (!word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
    {
        word = last.next()?;
    }
    let before = last.next().map_or("", String::as_str);
    if word == "key" || word == "keys" || word == "base" {
        let secret_base = word == "base" && before == "key";
        return (secret_base || (word != "base" && KEYS.contains(&before))).then_some(Kind::Token);
    }
    if word == "auth" && before == "rediscli" {
        return Some(Kind::Password);
    }
    if PASSWORDS.contains(&word) || PASSWORD_ENDS.iter().any(|end| word.ends_with(end)) {
        return Some(Kind::Password);
    }
    (TOKENS.contains(&word) || TOKEN_ENDS.iter().any(|end| word.ends_with(end)))
        .then_some(Kind::Token)
}

/// The words of a name in lower case: between signs, and where small letters turn to capitals.
pub(super) fn words(name: &[u8]) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for &byte in name {
        let starts = !byte.is_ascii_alphanumeric() || (small && byte.is_ascii_uppercase());
        if starts && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        small = byte.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| byte.is_ascii_alphanumeric()) {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whole values that stand for one to be filled in.
const STAND_INS: [&str; 22] = [
    "changeme",
    "change_me",
    "change-me",
    "changethis",
    "change_this",
    "change-this",
    "replaceme",
    "replace_me",
    "replace-me",
    "example",
    "placeholder",
    "redacted",
    "dummy",
    "todo",
    "fixme",
    "tbd",
    "none",
    "null",
    "undefined",
    "insert_here",
    "fillme",
    "secret_here",
];
/// Parts of a value that no real one has.
const STAND_IN_PARTS: [&str; 11] = [
    "put your ",
    "changeme",
    "your_",
    "your-",
    "placeholder",
    "examplekey",
    "redacted",
    "replace_me",
    "replace-me",
    "_here",
    "-here",
];

/// Whether a value is a stand-in: `changeme`, `<password>`, `${VAR}`, `{{ x }}`, `xxxx`.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let Some((&first, rest)) = value.split_first() else { return true };
    if value.len() > 256 {
        return false;
    }
    let repeats = rest.iter().all(|&b| b == first);
    if repeats && (value.len() >= 3 || !first.is_ascii_alphanumeric()) {
        return true;
    }
    let wrapped =
        [("<", ">"), ("${", "}"), ("$(", ")"), ("{{", "}}"), ("`", "`"), ("%(", ")s")].iter().any(
            |(open, close)| value.starts_with(open.as_bytes()) && value.ends_with(close.as_bytes()),
        );
    let variable = first == b'$'
        && rest.first().is_some_and(|b| b.is_ascii_uppercase() || *b == b'_')
        && rest.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_');
    let demo = value.split(|b| !b.is_ascii_alphanumeric()).any(|part| part == b"foo");
    // `%NAME%`, of Windows.
    let percent = match value {
        [b'%', name @ .., b'%'] => {
            name.first().is_some_and(u8::is_ascii_alphabetic)
                && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        }
        _ => false,
    };
    let double = value.starts_with(b"__") && value.ends_with(b"__");
    let lower = String::from_utf8_lossy(value).to_ascii_lowercase();
    wrapped
        || stand_in::is_masked(value)
        || stand_in::is_to_be_filled_in(value)
        || stand_in::is_kept_elsewhere(value)
        || variable
        || percent
        || double
        || demo
        || STAND_INS.contains(&lower.as_str())
        || STAND_IN_PARTS.iter().any(|part| lower.contains(part))
}

/// Whether a shell puts something else in the place of a value, or of a part of it: `$1`,
/// `$pass`, `x-${VAR}`, `$(cat x)`.
pub(super) fn is_expansion(value: &[u8]) -> bool {
    let name = value.strip_prefix(b"$").unwrap_or_default();
    let variable = !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    variable || value.windows(2).any(|w| w == b"${" || w == b"$(") || value.contains(&b'`')
}

/// Whether a value is a switch, a number or a path rather than a secret; what a key's name alone
/// speaks for must not be that.
pub(super) fn is_setting(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let switch = [
        &b"true"[..],
        b"false",
        b"yes",
        b"no",
        b"on",
        b"off",
        b"none",
        b"null",
        b"auto",
        b"enabled",
        b"disabled",
        b"required",
        b"optional",
        b"prompt",
    ];
    let path = value.starts_with(b"/")
        && value.iter().skip(1).any(|&b| b == b'/')
        && value.iter().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(b));
    value.len() < 3
        || switch.contains(&lower.as_slice())
        || path
        || value.starts_with(b"./")
        || value.starts_with(b"~/")
        || (value.len() < 6 && value.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, expected) in [
            ("DB_PASSWORD", Some(Kind::Password)),
            ("PGPASSWORD", Some(Kind::Password)),
            ("MYSQL_PWD", Some(Kind::Password)),
            ("dbPass", Some(Kind::Password)),
            ("API_KEY", Some(Kind::Token)),
            ("AWS_SECRET_ACCESS_KEY", Some(Kind::Token)),
            ("secret_key_base", Some(Kind::Token)),
            ("GITHUB_TOKEN", Some(Kind::Token)),
            ("REDISCLI_AUTH", Some(Kind::Password)),
            ("TOKEN_2", Some(Kind::Token)),
            ("PASSWORD_FILE", None),
            ("TOKEN_TTL", None),
            ("PUBLIC_KEY", None),
            ("COMPASS", None),
            ("AWS_ACCESS_KEY_ID", None),
            ("KEYMAP", None),
            ("PATH", None),
            ("_", None),
            ("", None),
        ] {
            assert_eq!(secretive(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn stand_ins() {
        for value in [
            "",
            "xxxx",
            "****",
            "*",
            "<your password>",
            "${DB}",
            "$(cat x)",
            "{{ pw }}",
            "$PASS",
            "ChangeMe",
            "your-token",
            "__PW__",
            "%FEED_PAT%",
            "put_token_here",
            "glpat-********************",
            "napi_0000000000000000000000000000",
            "sqp_<token>",
            "change-me-in-production",
            "op://vault/item/password",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "password", "$ecret", "P$A", "aa", "Xx1x", "%a-1%"] {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn expansions() {
        for value in ["$1", "$pass", "a${B}c", "$(x)", "`x`"] {
            assert!(is_expansion(value.as_bytes()), "{value}");
        }
        for value in ["", "$", "a$b", "$6$salt$x", "pa$$"] {
            assert!(!is_expansion(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn settings() {
        for value in ["true", "30", "/run/secrets/db", "off", "~/x"] {
            assert!(is_setting(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "/9j+4AAQ/x", "123456"] {
            assert!(!is_setting(value.as_bytes()), "{value}");
        }
    }
}
