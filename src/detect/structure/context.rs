//! Values that only their surroundings make a secret: URLs, hash lines, assignments.

use super::{Outcome, Parts, text};
use crate::finding::{Harmless, Severity};

/// What `crypt` the hash was made with; a hash is as strong as that.
pub(super) fn crypt_hash(parts: &Parts<'_>) -> Option<Outcome> {
    let method = match parts.secret.get(1..)?.split(|byte| *byte == b'$').next()? {
        b"1" => "md5crypt",
        b"apr1" => "apr1",
        b"5" => "sha256crypt",
        b"6" => "sha512crypt",
        b"y" => "yescrypt",
        b"gy" => "gost-yescrypt",
        b"7" => "scrypt",
        _ => "bcrypt",
    };
    Some(Outcome::default().with("method", Some(method.to_owned())))
}

/// Hosts that the naming rules keep for documentation
/// ([RFC 2606](https://www.rfc-editor.org/rfc/rfc2606)).
pub(in crate::detect) fn reserved_host(parts: &Parts<'_>) -> Option<Harmless> {
    const RESERVED: [&str; 5] = ["example.com", "example.org", "example.net", "example", "invalid"];
    let host = text(parts.group("host")?)?.to_ascii_lowercase();
    let reserved = RESERVED.iter().any(|name| {
        host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    reserved.then_some(Harmless::DocumentationExample)
}

/// A password in a URL opens little when the service listens on this machine only.
pub(super) fn url(parts: &Parts<'_>) -> Option<Outcome> {
    let host = parts.group("host")?;
    let is_local = matches!(host, b"localhost" | b"127.0.0.1" | b"[::1]" | b"0.0.0.0");
    let severity = is_local.then_some(Severity::Medium);
    Some(Outcome { severity, ..Outcome::default() })
}

/// A value that a person or a generator chose: no code, no reference, no path, no plain word.
pub(super) fn value(parts: &Parts<'_>) -> Option<Outcome> {
    let value = parts.secret;
    let is_path = matches!(value, [b'/' | b'~', ..] | [b'.', b'/' | b'.', ..])
        || value.windows(3).any(|at| at == b"://")
        || value.windows(2).any(|at| at == b":\\" || at == b"::" || at == b"->");
    let is_name = value.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.'));
    let is_dotted = value.split(|byte| *byte == b'.').count() > 1
        && value.split(|byte| *byte == b'.').all(is_identifier);
    let is_constant = value
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        && value.contains(&b'_');
    // Without a digit it takes a character that no name or option would have.
    let is_plain = !value.iter().any(u8::is_ascii_digit)
        && (value.contains(&b':')
            || !value.iter().skip(1).any(|byte| b"!#$%^*+?~@".contains(byte)));
    let is_number = value.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':'));
    let is_code = is_path || is_name || is_dotted || is_constant || is_plain || is_number;
    (!is_code).then(Outcome::default)
}

fn is_identifier(part: &[u8]) -> bool {
    part.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}
