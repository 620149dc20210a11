//! Private keys in their armours.

use super::decoded::decode_lenient;
use super::{Outcome, Parts};
use crate::credential::private_key;
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
    let Some(key) = private_key::inspect(block) else { return Outcome::default() };
    let mut outcome = Outcome::graded(Grade::Proven);
    if key.encrypted {
        outcome.severity = Some(Severity::Medium);
    }
    let known = key.fingerprint.as_deref().and_then(private_key::known_public);
    if known.is_some() {
        outcome.harmless = Some(Harmless::KnownPublic);
    }
    let encrypted = if key.encrypted { "yes" } else { "no" };
    let outcome = outcome
        .with("known", known.map(str::to_owned))
        .with("form", Some(key.form.to_owned()))
        .with("algorithm", Some(key.algorithm))
        .with("encrypted", Some(encrypted.to_owned()))
        .with("bits", key.bits.map(|bits| bits.to_string()));
    outcome.with("fingerprint", key.fingerprint).with("comment", key.comment)
}
