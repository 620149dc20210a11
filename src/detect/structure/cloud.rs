//! Credentials of the cloud providers: account, scope, expiry.

use super::decoded::decode_lenient;
use super::{Outcome, Parts, key, text};
use crate::credential::aws_id;
use crate::finding::{Grade, Harmless, Severity};
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
    if id.secret.starts_with(b"ASIA") {
        // Session keys end by themselves.
        outcome.severity = Some(Severity::Medium);
    }
    Some(outcome)
}

/// `X-Amz-Credential` is key id, date, region, service and a fixed word, split by slashes.
pub(super) fn aws_presigned(parts: &Parts<'_>) -> Option<Outcome> {
    let credential = text(parts.group("credential")?)?.replace("%2F", "/").replace("%2f", "/");
    let mut fields = credential.split('/').map(str::to_owned);
    let id = fields.next()?;
    let account = aws_id::account_id(id.as_bytes());
    let mut outcome = Outcome::default();
    if id.contains("EXAMPLE") {
        outcome.harmless = Some(Harmless::DocumentationExample);
    }
    let outcome = outcome.with("account_id", account).with("access_key_id", Some(id));
    let outcome = outcome.with("signed", fields.next()).with("region", fields.next());
    let date = parts.group("date").and_then(text);
    let end = date.and_then(|date| end_of(&date, &text(parts.group("expires_seconds")?)?));
    Some(outcome.with("service", fields.next()).with("expires", end))
}

/// `20260131T235959Z` and a number of seconds: when that has passed, in the same form as a SAS
/// has it.
pub(super) fn end_of(date: &str, seconds: &str) -> Option<String> {
    let number = |range: std::ops::Range<usize>| date.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
    let seconds: i64 = seconds.parse().ok().filter(|seconds| (0..=31_536_000).contains(seconds))?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1970..=9999).contains(&year) {
        return None;
    }
    let total = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second + seconds;
    let (mut year, mut month) = (year, month);
    let day_number = total.div_euclid(86_400);
    // At most twelve months ahead, one step each.
    while days(year, month + 1, 1) <= day_number {
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    let day = day_number - days(year, month, 1) + 1;
    let rest = total.rem_euclid(86_400);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// Days since 1970 of a day in the Gregorian calendar; a thirteenth month is the next January.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 12 { (year + 1, month - 12) } else { (year, month) };
    // Years that begin in March end in the leap day.
    let shifted = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let leaps = shifted / 4 - shifted / 100 + shifted / 400;
    shifted * 365 + leaps + (month * 153 + 2) / 5 + day - 1 - 719_468
}

pub(super) fn azure_key64(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = BASE64_STANDARD.decode(parts.secret).ok()?;
    let mut outcome = Outcome::graded(Grade::Strong);
    // The keys of the emulators for storage and Cosmos DB are printed in their manuals.
    let is_emulator = [b"Eby8vdM02xNOcqFl", b"C2y6yDjf5/R+ob0N"]
        .into_iter()
        .any(|start| parts.secret.starts_with(start));
    if is_emulator || parts.group("account") == Some(b"devstoreaccount1") {
        outcome.harmless = Some(Harmless::KnownPublic);
    }
    (bytes.len() == 64).then_some(outcome)
}

/// The query says what it grants.
pub(super) fn azure_sas(parts: &Parts<'_>) -> Option<Outcome> {
    const FIELDS: [(&str, &str); 6] = [
        ("sp", "permissions"),
        ("se", "expires"),
        ("sr", "scope"),
        ("ss", "services"),
        ("srt", "resource_types"),
        ("sip", "addresses"),
    ];
    let query = text(parts.whole)?.replace("&amp;", "&");
    let field =
        |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    let mut outcome = Outcome::default();
    // Reading one blob or listing is not what writing is.
    if field("sp").is_some_and(|may| may.bytes().all(|may| matches!(may, b'r' | b'l' | b't'))) {
        outcome.severity = Some(Severity::Medium);
    }
    for (key, name) in FIELDS {
        let value = field(key).map(|value| value.replace("%3A", ":").replace("%3a", ":"));
        outcome = outcome.with(name, value);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_request_ends_when_its_seconds_have_passed() {
        let end = |date, seconds| end_of(date, seconds);
        assert_eq!(end("20260101T000000Z", "3600").as_deref(), Some("2026-01-01T01:00:00Z"));
        assert_eq!(end("20241231T235959Z", "1").as_deref(), Some("2025-01-01T00:00:00Z"));
        assert_eq!(end("20240228T120000Z", "86400").as_deref(), Some("2024-02-29T12:00:00Z"));
        assert_eq!(end("20230228T120000Z", "86400").as_deref(), Some("2023-03-01T12:00:00Z"));
        assert_eq!(end("20260115T000000Z", "604800").as_deref(), Some("2026-01-22T00:00:00Z"));
        assert_eq!(end("20261301T000000Z", "1"), None, "no such month");
        assert_eq!(end("20260101", "1"), None);
        assert_eq!(end("20260101T000000Z", "99999999999999999999"), None);
        assert_eq!(end("20260101T000000Z", "-1"), None);
    }
}
