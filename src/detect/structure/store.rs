//! Passwords that programs keep in a form of their own: encoded, hashed, or under a known key.

use super::decoded::decode_lenient;
use super::{Outcome, Parts, text};
use crate::credential::jwt::Jwt;
use crate::finding::{Grade, Harmless};

/// Text of Windows in UTF-16, as far as it is ASCII.
fn utf16_text(bytes: &[u8]) -> Option<String> {
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| match pair {
            [low, high] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        })
        .collect();
    String::from_utf16(&units).ok().filter(|text| !text.chars().any(char::is_control))
}

/// The password of an answer file: in the clear, or in base64 behind the name of its field.
pub(super) fn unattend(parts: &Parts<'_>) -> Outcome {
    let decoded = decode_lenient(parts.secret).and_then(|bytes| utf16_text(&bytes));
    let proven = decoded.is_some_and(|text| {
        ["AdministratorPassword", "Password"]
            .iter()
            .any(|name| text.strip_suffix(name).is_some_and(|password| !password.is_empty()))
    });
    let is_marked = matches!(parts.secret, [b'*', rest @ ..] if rest.ends_with(b"*"));
    let mut outcome = if proven { Outcome::graded(Grade::Proven) } else { Outcome::default() };
    // The setup program overwrites what it has read.
    outcome.harmless = is_marked.then_some(Harmless::Placeholder);
    outcome
}

/// Blocks of a cipher whose key Microsoft has published: always a multiple of sixteen bytes.
pub(super) fn cipher_blocks(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = decode_lenient(parts.secret)?;
    (!bytes.is_empty() && bytes.len().is_multiple_of(16)).then(|| Outcome::graded(Grade::Strong))
}

/// Base64 of text that can be typed.
pub(super) fn base64_text(parts: &Parts<'_>) -> Option<Outcome> {
    let decoded = text(&decode_lenient(parts.secret)?)?;
    let typed = !decoded.is_empty() && !decoded.chars().any(char::is_control);
    typed.then(|| Outcome::graded(Grade::Strong))
}

/// Base64 of a key of sixteen bytes or more, in whole bytes.
pub(super) fn base64_key(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = decode_lenient(parts.secret)?;
    (bytes.len() >= 16).then(Outcome::default)
}

/// The hash of an empty password, or of none, opens nothing.
pub(super) fn nt_hash(parts: &Parts<'_>) -> Outcome {
    const EMPTY: [&[u8]; 2] =
        [b"31d6cfe0d16ae931b73c59d7e0c089c0", b"aad3b435b51404eeaad3b435b51404ee"];
    let mut outcome = Outcome::default();
    if EMPTY.iter().any(|empty| parts.secret.eq_ignore_ascii_case(empty)) {
        outcome.harmless = Some(Harmless::Placeholder);
    }
    outcome
}

/// What a hash was made with, read from how it begins.
pub(super) fn password_hash(parts: &Parts<'_>) -> Outcome {
    const METHODS: [(&str, &str); 30] = [
        ("$1$", "md5crypt"),
        ("$apr1$", "apr1"),
        ("$5$", "sha256crypt"),
        ("$6$", "sha512crypt"),
        ("$y$", "yescrypt"),
        ("$gy$", "gost-yescrypt"),
        ("$7$", "scrypt"),
        ("$2", "bcrypt"),
        ("$argon2id$", "argon2id"),
        ("$argon2i$", "argon2i"),
        ("$argon2d$", "argon2d"),
        ("$scrypt$", "scrypt"),
        ("scrypt:", "scrypt"),
        ("$pbkdf2", "pbkdf2"),
        ("pbkdf2", "pbkdf2"),
        ("$P$", "phpass"),
        ("$H$", "phpass"),
        ("$S$", "drupal7"),
        ("$sha1$", "sha1crypt"),
        ("$md5", "sunmd5"),
        ("{SSHA512}", "ssha512"),
        ("{SSHA384}", "ssha384"),
        ("{SSHA256}", "ssha256"),
        ("{SSHA}", "ssha"),
        ("{SHA}", "sha1"),
        ("{SMD5}", "smd5"),
        ("{MD5}", "md5"),
        ("{PBKDF2", "pbkdf2"),
        ("argon2$", "argon2"),
        ("bcrypt", "bcrypt"),
    ];
    let found = METHODS.iter().find(|(prefix, _)| parts.secret.starts_with(prefix.as_bytes()));
    let mut outcome = Outcome::default();
    // `somesalt` in base64 and `saltstring`: the salts of the reference implementations' tests.
    let vectors: [&[u8]; 2] = [b"$c29tZXNhbHQ$", b"$saltstring"];
    let is_vector =
        |vector: &[u8]| parts.secret.windows(vector.len()).any(|window| window == vector);
    if vectors.into_iter().any(is_vector) {
        outcome.harmless = Some(Harmless::DocumentationExample);
    }
    outcome.with("method", found.map(|(_, method)| (*method).to_owned()))
}

/// A directory's hash: base64 of a digest and its salt, which must be long enough to hold it.
pub(super) fn ldap_hash(parts: &Parts<'_>) -> Option<Outcome> {
    let secret = text(parts.secret)?;
    let (scheme, body) = secret.strip_prefix('{')?.split_once('}')?;
    let (digest, salted) = match scheme.to_ascii_uppercase().as_str() {
        "SSHA" => (20, true),
        "SHA" => (20, false),
        "SSHA256" => (32, true),
        "SHA256" => (32, false),
        "SSHA384" => (48, true),
        "SSHA512" => (64, true),
        "SHA512" => (64, false),
        "SMD5" => (16, true),
        "MD5" => (16, false),
        _ => return None,
    };
    let len = decode_lenient(body.as_bytes())?.len();
    let fits = if salted { (digest + 4..=digest + 64).contains(&len) } else { len == digest };
    let method = Some(scheme.to_ascii_lowercase());
    fits.then(|| Outcome::graded(Grade::Strong).with("method", method))
}

/// Values that a manual or a configuration comes with, and everybody knows.
pub(super) fn stock_value(parts: &Parts<'_>) -> Outcome {
    const STOCK: [&str; 20] = [
        "public",
        "private",
        "default",
        "community",
        "string",
        "secret",
        "password",
        "foobared",
        "testing123",
        "testing",
        "changeit",
        "letmein",
        "mysecret",
        "sharedsecret",
        "whatever",
        "cisco",
        "tiger",
        "masterkey",
        "sysdba",
        "guest",
    ];
    let mut outcome = Outcome::default();
    if STOCK.iter().any(|word| parts.secret.eq_ignore_ascii_case(word.as_bytes())) {
        outcome.harmless = Some(Harmless::Placeholder);
    }
    outcome
}

/// A token of a service account of Kubernetes: its claims name it.
pub(super) fn service_account(parts: &Parts<'_>) -> Option<Outcome> {
    let token = Jwt::read(parts.secret)?;
    let subject = token.text("sub")?;
    let account = subject.strip_prefix("system:serviceaccount:")?;
    let (namespace, name) = account.split_once(':')?;
    let outcome = Outcome::graded(Grade::Strong).with("namespace", Some(namespace.to_owned()));
    let outcome = outcome.with("account", Some(name.to_owned()));
    Some(outcome.with("iss", token.text("iss")).with("exp", token.text("exp")))
}
