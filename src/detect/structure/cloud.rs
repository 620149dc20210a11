//! Credentials of the cloud providers: account, scope, expiry.

use super::decoded::decode_lenient;
use super::{Outcome, Parts, key, text};
use crate::credential::aws_id;
use crate::finding::{Grade, Harmless};
use base64::prelude::{BASE64_STANDARD, Engine as _};

pub(super) fn aws_key_id(parts: &Parts<'_>) -> Outcome {
    let mut outcome = Outcome::default().with("account_id", aws_id::account_id(parts.secret));
    if aws_id::is_canary(parts.secret) {
        outcome = outcome.with("canary", Some("yes".to_owned()));
    }
    outcome
}

/// Forty hexadecimal digits are a git commit, not a key, and so is a path.
pub(super) fn aws_secret(parts: &Parts<'_>) -> Option<Outcome> {
    let is_hash = parts.secret.iter().all(u8::is_ascii_hexdigit);
    (!is_hash).then(Outcome::default)
}

pub(super) fn aws_pair(parts: &Parts<'_>) -> Option<Outcome> {
    let mut outcome = aws_secret(parts)?;
    let id = Parts { secret: parts.group("access_key_id")?, whole: parts.whole, groups: &[] };
    outcome.facts = aws_key_id(&id).facts;
    Some(outcome)
}

/// `X-Amz-Credential` is key id, date, region, service and a fixed word, split by slashes.
pub(super) fn aws_presigned(parts: &Parts<'_>) -> Option<Outcome> {
    let credential = text(parts.group("credential")?)?.replace("%2F", "/").replace("%2f", "/");
    let mut fields = credential.split('/').map(str::to_owned);
    let id = fields.next()?;
    let account = aws_id::account_id(id.as_bytes());
    let outcome = Outcome::default().with("account_id", account).with("access_key_id", Some(id));
    let outcome = outcome.with("signed", fields.next()).with("region", fields.next());
    Some(outcome.with("service", fields.next()))
}

pub(super) fn azure_key64(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = BASE64_STANDARD.decode(parts.secret).ok()?;
    let mut outcome = Outcome::graded(Grade::Strong);
    if parts.group("account") == Some(b"devstoreaccount1") {
        // The storage emulator's key is printed in its manual.
        outcome.harmless = Some(Harmless::KnownPublic);
    }
    (bytes.len() == 64).then_some(outcome)
}

/// The query says what it grants.
pub(super) fn azure_sas(parts: &Parts<'_>) -> Option<Outcome> {
    let query = text(parts.whole)?.replace("&amp;", "&");
    let mut outcome = Outcome::default();
    for (key, name) in
        [("sp", "permissions"), ("se", "expires"), ("sr", "scope"), ("ss", "services")]
    {
        let value = query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        outcome = outcome.with(name, value.map(|value| value.replace("%3A", ":")));
    }
    Some(outcome)
}

pub(super) fn bedrock(parts: &Parts<'_>) -> Option<Outcome> {
    let decoded = decode_lenient(parts.secret.get(4..)?)?;
    let name = decoded.split(|byte| *byte == b':').next()?;
    if !name.starts_with(b"BedrockAPIKey-") {
        return Some(Outcome::default());
    }
    // The user's name ends in `-at-` and the account.
    let account = text(name)?.rsplit_once("-at-").map(|(_, account)| account.to_owned());
    Some(Outcome::graded(Grade::Proven).with("user", text(name)).with("account_id", account))
}

pub(super) fn gcp_sa_json(parts: &Parts<'_>) -> Outcome {
    let mut outcome = key::private_key_outcome(parts.secret);
    let Some(email) = parts.group("email").and_then(text) else { return outcome };
    outcome.grade = outcome.grade.or(Some(Grade::Strong));
    let host = email.split_once('@').map(|(_, host)| host);
    let project = host.and_then(|host| host.strip_suffix(".iam.gserviceaccount.com"));
    outcome.with("project", project.map(str::to_owned))
}
