//! Values that only their surroundings make a secret: URLs, hash lines, assignments.

use super::{Outcome, Parts, text};
use crate::credential::jwt;
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
    const RESERVED: [&str; 6] =
        ["example.com", "example.org", "example.net", "example", "invalid", "test"];
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
    // `config.users.*.key`, at the end of a sentence perhaps
    let path = value.strip_suffix(b".").unwrap_or(value);
    let is_part = |part: &[u8]| part == b"*" || is_identifier(part);
    let is_dotted = path.split(|byte| *byte == b'.').count() > 1
        && path.split(|byte| *byte == b'.').all(is_part);
    let is_constant = value
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        && value.contains(&b'_');
    // Without a digit it takes a character that no name or option would have.
    let is_plain = !value.iter().any(u8::is_ascii_digit)
        && (value.contains(&b':')
            || !value.iter().skip(1).any(|byte| b"!#$%^*+?~@".contains(byte)));
    // `String?` is a type; `$6$…` is a hash, which other signatures know.
    let is_type = matches!(value, [name @ .., b'?'] if name.iter().all(u8::is_ascii_alphabetic));
    let is_hash = matches!(value, [b'$', method @ ..]
        if method.iter().take(10).skip(1).any(|byte| *byte == b'$')
            && method.first().is_some_and(u8::is_ascii_alphanumeric));
    let is_call = matches!(value, [.., b')'])
        && value.split(|byte| *byte == b'(').next().is_some_and(is_identifier)
        && value.contains(&b'(');
    // The first part of a token, which only names its algorithm.
    let is_header = jwt::decode_url(value).is_some_and(|text| text.starts_with(b"{\"alg\":\""));
    // `^7.1.3`, `>=2.0`
    let is_number = value.iter().all(|b| b.is_ascii_digit() || b"^~<>=.-:".contains(b));
    // `passwd_1:4.13+dfsg1-1_amd64.deb`, an epoch being written like a value
    let ends = [&b".deb"[..], b".udeb", b".rpm"].iter().any(|end| value.ends_with(end));
    let is_package = ends && value.first().is_some_and(u8::is_ascii_digit);
    // `!!value`, `A | B`
    let unsigned = value.iter().position(|byte| *byte != b'!').unwrap_or(0);
    let is_negated = unsigned > 0 && value.get(unsigned..).is_some_and(is_identifier);
    let is_option = |part: &[u8]| {
        let letters = part.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        part == b"*"
            || letters >= 4 && part.iter().all(|b| b.is_ascii_alphanumeric() || b"_=*".contains(b))
    };
    let is_union = value.contains(&b'|') && value.split(|byte| *byte == b'|').all(is_option);
    let is_code = is_path
        || is_header
        || is_negated && !value.iter().any(u8::is_ascii_digit)
        || is_union
        || is_call
        || is_name
        || is_dotted
        || is_constant
        || is_plain
        || is_number
        || is_package
        || is_type
        || is_hash;
    (!is_code).then(Outcome::default)
}

fn is_identifier(part: &[u8]) -> bool {
    part.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}
