//! Keys of wallets and key stores.

use super::{Outcome, Parts, text};
use crate::credential::{base58, bip39};
use crate::finding::{Grade, Harmless, Severity};
use serde_json::Value;

/// A private key in the wallet import format, or an extended one.
pub(super) fn base58check(parts: &Parts<'_>) -> Option<Outcome> {
    let Some(body) = base58::decode_check(parts.secret)? else {
        return Some(Outcome::of_checksum(false));
    };
    let (kind, network) = match (body.as_slice(), body.len()) {
        ([0x80, ..], 33 | 34) => ("private", "main"),
        ([0xef, ..], 33 | 34) => ("private", "test"),
        ([0x04, 0x88, 0xad, 0xe4, ..], 78) => ("extended", "main"),
        ([0x04, 0x35, 0x83, 0x94, ..], 78) => ("extended", "test"),
        ([0x02 | 0x04, ..], 78) => ("extended", "other"),
        _ => return None,
    };
    let mut outcome = Outcome::graded(Grade::Proven);
    if network == "test" {
        outcome.severity = Some(Severity::Low);
    }
    Some(outcome.with("kind", Some(kind.to_owned())).with("network", Some(network.to_owned())))
}

/// A recovery phrase, perhaps with words of the sentence behind it. Those that every manual and
/// test chain uses hold nothing.
pub(super) fn recovery_phrase(parts: &Parts<'_>) -> Option<Outcome> {
    let words: Vec<&[u8]> =
        parts.secret.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    let phrase = |count: usize| words.get(..count).map(|words| words.join(&b' '));
    let proven = [24, 21, 18, 15, 12]
        .into_iter()
        .find(|count| phrase(*count).and_then(|phrase| bip39::holds(&phrase)) == Some(true));
    let mut outcome = match proven {
        Some(_) => Outcome::of_checksum(true),
        None => Outcome::of_checksum(bip39::holds(&phrase(words.len())?)?),
    };
    let repeated = words.windows(2).filter(|pair| matches!(pair, [a, b] if a == b)).count();
    if repeated >= 8 {
        outcome.harmless = Some(Harmless::KnownPublic);
    }
    Some(outcome.with("words", Some(proven.unwrap_or(words.len()).to_string())))
}

/// A key in JSON ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)) that holds its private half.
pub(super) fn jwk(parts: &Parts<'_>) -> Option<Outcome> {
    let value: Value = serde_json::from_slice(parts.secret).ok()?;
    let field = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    let kind = field("kty")?;
    let needed: &[&str] = match kind.as_str() {
        "RSA" => &["n", "e", "d"],
        "EC" => &["crv", "x", "y", "d"],
        "OKP" => &["crv", "x", "d"],
        "oct" => &["k"],
        _ => return None,
    };
    if needed.iter().any(|name| field(name).is_none_or(|value| value.is_empty())) {
        return None;
    }
    // The keys that the standards print.
    let standard = ["n", "x", "k"].iter().filter_map(|name| field(name)).any(|public| {
        ["0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAt", "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "GawgguFyGrWKav7AX4VKUg", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"]
            .iter()
            .any(|known| public.starts_with(known))
    });
    let mut outcome = Outcome::graded(Grade::Proven);
    outcome.harmless = standard.then_some(Harmless::DocumentationExample);
    Some(
        outcome
            .with("kty", Some(kind))
            .with("crv", field("crv"))
            .with("alg", field("alg"))
            .with("kid", field("kid")),
    )
}

/// A key tab in base64: records of a principal, a time and a key
/// ([format](https://web.mit.edu/kerberos/krb5-latest/doc/formats/keytab_file_format.html)).
pub(super) fn keytab(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = super::decoded::decode_lenient(parts.secret)?;
    let rest = bytes.strip_prefix(&[5, 2])?;
    let (size, record) = rest.split_first_chunk::<4>()?;
    let size = usize::try_from(i32::from_be_bytes(*size)).ok()?;
    let record = record.get(..size)?;
    let (count, mut rest) = record.split_first_chunk::<2>()?;
    let count = usize::from(u16::from_be_bytes(*count));
    if !(1..=8).contains(&count) {
        return None;
    }
    let mut names = Vec::new();
    for _ in 0..=count {
        let (len, tail) = rest.split_first_chunk::<2>()?;
        let (name, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        names.push(text(name).filter(|name| name.bytes().all(|b| b.is_ascii_graphic()))?);
        rest = tail;
    }
    let (realm, parts) = names.split_first()?;
    let principal = format!("{}@{realm}", parts.join("/"));
    Some(Outcome::graded(Grade::Proven).with("principal", Some(principal)))
}

/// A key of Ceph: its kind, when it was made, its length and sixteen bytes.
pub(super) fn cephx(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = super::decoded::decode_lenient(parts.secret)?;
    let well_made =
        matches!(bytes.as_slice(), [1, 0, _, _, _, _, _, _, _, _, 16, 0, ..]) && bytes.len() == 28;
    well_made.then(|| Outcome::graded(Grade::Proven))
}
