//! Private keys in their armours.

use super::decoded::decode_lenient;
use super::{Outcome, Parts};
use crate::credential::{known, private_key};
use crate::finding::{Grade, Harmless, Severity};

/// A key block in any armour: whether it can be read decides how sure it is, and whether a
/// passphrase protects it how bad.
pub(super) fn pem(parts: &Parts<'_>) -> Outcome {
    private_key_outcome(&unquoted(parts.secret))
}

pub(super) fn pem_base64(parts: &Parts<'_>) -> Option<Outcome> {
    let block = decode_lenient(parts.secret)?;
    let is_key = block.windows(11).take(64).any(|at| at == b"PRIVATE KEY");
    is_key.then(|| private_key_outcome(&block))
}

/// A block as a string literal of several lines has it: without the quotes and comment marks.
fn unquoted(block: &[u8]) -> Vec<u8> {
    block.iter().copied().filter(|byte| !matches!(byte, b'"' | b'|' | b'>')).collect()
}

pub(super) fn private_key_outcome(block: &[u8]) -> Outcome {
    let key = private_key::inspect(block);
    let mut outcome = Outcome::default();
    if let Some(place) = private_key::known_public(block, key.as_ref()) {
        outcome.harmless = Some(Harmless::KnownPublic);
        outcome = outcome.with("known", Some(place.to_owned()));
    } else if key.as_ref().is_none_or(|key| key.fingerprint.is_none()) {
        outcome = outcome.with("body_print", known::body_print(block));
    }
    let Some(key) = key else {
        // Too short for any key: two dashed lines with dots between them.
        if block.starts_with(b"-----BEGIN") && known::body_print(block).is_none() {
            outcome.harmless = Some(Harmless::Placeholder);
        }
        return outcome;
    };
    outcome.grade = Some(Grade::Proven);
    if key.encrypted {
        outcome.severity = Some(Severity::Medium);
    }
    let encrypted = if key.encrypted { "yes" } else { "no" };
    let outcome = outcome
        .with("form", Some(key.form.to_owned()))
        .with("algorithm", Some(key.algorithm))
        .with("encrypted", Some(encrypted.to_owned()))
        .with("bits", key.bits.map(|bits| bits.to_string()));
    outcome.with("fingerprint", key.fingerprint).with("comment", key.comment)
}
