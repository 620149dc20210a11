//! Tokens whose text decodes to something that names its owner.

use super::{Outcome, Parts, text};
use crate::credential::jwt::{self, Jwt};
use crate::detect::check;
use crate::finding::{Grade, Harmless, Severity};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine as _};
use serde_json::Value;

pub(super) fn base64_32(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = BASE64_STANDARD.decode(parts.secret).ok()?;
    (bytes.len() == 32).then(|| Outcome::graded(Grade::Strong))
}

/// base64 with or without padding, spare bits ignored.
pub(super) fn decode_lenient(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().rposition(|byte| *byte != b'=')? + 1;
    let body = bytes.get(..end)?;
    BASE64_STANDARD_NO_PAD.decode(body).ok().or_else(|| jwt::decode_url(body))
}

pub(super) fn basic_auth(parts: &Parts<'_>) -> Option<Outcome> {
    let decoded = decode_lenient(parts.secret)?;
    let split = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = decoded.split_at(split);
    let is_text = decoded.iter().all(|byte| matches!(byte, b' '..=b'~' | 0x80..));
    if !is_text || user.is_empty() || password.len() < 2 {
        return None;
    }
    let password = password.get(1..)?;
    let mut outcome = Outcome::graded(Grade::Strong).with("user", text(user));
    outcome.harmless = check::harmless(password, password, true);
    Some(outcome)
}

/// The first part is the bot's number in base64; its top bits are when it was made.
pub(super) fn discord(parts: &Parts<'_>) -> Option<Outcome> {
    let first = parts.secret.split(|byte| *byte == b'.').next()?;
    let id = text(&jwt::decode_url(first)?)?;
    let number: u64 = id.parse().ok()?;
    (number >> 22 > 0).then(|| Outcome::graded(Grade::Strong).with("id", Some(id)))
}

pub(super) fn json_field(value: &Value, path: &str) -> Option<String> {
    let found = value.pointer(path)?;
    found.as_str().map(str::to_owned).or_else(|| found.as_u64().map(|number| number.to_string()))
}

fn decoded_json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(&decode_lenient(bytes)?).ok()
}

pub(super) fn grafana_cloud(parts: &Parts<'_>) -> Option<Outcome> {
    let value = decoded_json(parts.secret.strip_prefix(b"glc_")?)?;
    let outcome = Outcome::graded(Grade::Proven).with("org", json_field(&value, "/o"));
    Some(outcome.with("name", json_field(&value, "/n")).with("region", json_field(&value, "/m/r")))
}

pub(super) fn sentry(parts: &Parts<'_>) -> Option<Outcome> {
    let body = parts.secret.strip_prefix(b"sntrys_")?;
    let end = body.iter().rposition(|byte| *byte == b'_')?;
    let Some(value) = decoded_json(body.get(..end)?) else { return Some(Outcome::default()) };
    let outcome = Outcome::graded(Grade::Strong).with("org", json_field(&value, "/org"));
    Some(outcome.with("region", json_field(&value, "/region_url")))
}

pub(super) fn onepassword(parts: &Parts<'_>) -> Option<Outcome> {
    let value = decoded_json(parts.secret.strip_prefix(b"ops_")?)?;
    let address = json_field(&value, "/signInAddress")?;
    let outcome = Outcome::graded(Grade::Proven).with("host", Some(address));
    Some(outcome.with("email", json_field(&value, "/email")))
}

pub(super) fn jfrog_reference(parts: &Parts<'_>) -> Option<Outcome> {
    let decoded = text(&decode_lenient(parts.secret)?)?;
    let mut fields = decoded.strip_prefix("reftkn:")?.split(':').skip(1);
    Some(Outcome::graded(Grade::Strong).with("exp", fields.next().map(str::to_owned)))
}

/// A macaroon: version, location and identifier as length-value pairs; the identifier is JSON that
/// lists the permissions.
pub(super) fn pypi_macaroon(parts: &Parts<'_>) -> Option<Outcome> {
    let Some(bytes) = jwt::decode_url(parts.secret.strip_prefix(b"pypi-")?) else {
        return Some(Outcome::default());
    };
    let [2, 1, len, rest @ ..] = bytes.as_slice() else { return Some(Outcome::default()) };
    let location = rest.get(..usize::from(*len)).and_then(text);
    let is_index = location.as_deref().is_some_and(|host| host.ends_with("pypi.org"));
    let readable = String::from_utf8_lossy(rest);
    let scope = if readable.contains("\"user\"") {
        Some("user")
    } else if readable.contains("\"projects\"") {
        Some("project")
    } else {
        None
    };
    let outcome = if is_index { Outcome::graded(Grade::Proven) } else { Outcome::default() };
    let outcome = outcome.with("token_id", macaroon_id(rest, usize::from(*len)));
    Some(outcome.with("host", location).with("scope", scope.map(str::to_owned)))
}

/// The identifier after the location is the token's UUID.
fn macaroon_id(rest: &[u8], location_bytes: usize) -> Option<String> {
    let [2, len, identifier @ ..] = rest.get(location_bytes..)? else { return None };
    let id = identifier.get(..usize::from(*len)).and_then(text)?;
    let is_uuid = id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_uuid.then_some(id)
}

pub(super) fn jwt_claims(parts: &Parts<'_>) -> Option<Outcome> {
    let start = parts.secret.windows(3).position(|at| at == b"eyJ")?;
    let token = Jwt::read(parts.secret.get(start..)?)?;
    let mut outcome = Outcome::graded(Grade::Strong);
    if token.is_tutorial() {
        outcome.harmless = Some(Harmless::DocumentationExample);
    }
    // A token without end, or one that says it stands above the rules, is worse than most.
    if token.text("role").as_deref() == Some("service_role") {
        outcome.severity = Some(Severity::Critical);
    } else if token.text("exp").is_none() {
        outcome.severity = Some(Severity::High);
    }
    for name in ["alg", "kid", "iss", "sub", "aud", "iat", "exp", "role"] {
        outcome = outcome.with(name, token.text(name));
    }
    Some(outcome)
}

/// The token's middle part is JSON that names the user.
pub(super) fn mapbox(parts: &Parts<'_>) -> Option<Outcome> {
    let payload = parts.secret.split(|byte| *byte == b'.').nth(1)?;
    let value = decoded_json(payload)?;
    let user = json_field(&value, "/u")?;
    json_field(&value, "/a")?;
    Some(Outcome::graded(Grade::Proven).with("user", Some(user)))
}

/// base64 of `tok:`, an id and two numbers.
pub(super) fn intercom(parts: &Parts<'_>) -> Option<Outcome> {
    let decoded = text(&decode_lenient(parts.secret)?)?;
    let id = decoded.strip_prefix("tok:")?.split(':').next()?;
    (id.len() >= 30).then(|| Outcome::graded(Grade::Strong))
}

/// base64 of an id and a key of 20 and 22 characters.
pub(super) fn elastic_key(parts: &Parts<'_>) -> Option<Outcome> {
    let decoded = text(&decode_lenient(parts.secret)?)?;
    let (id, key) = decoded.split_once(':')?;
    let is_key = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let fits = id.len() == 20 && key.len() == 22 && is_key(id) && is_key(key);
    fits.then(|| Outcome::graded(Grade::Strong).with("id", Some(id.to_owned())))
}

/// JSON with the key, its name and the number of the organization.
pub(super) fn grafana_api_key(parts: &Parts<'_>) -> Option<Outcome> {
    let value = decoded_json(parts.secret)?;
    json_field(&value, "/k")?;
    let outcome = Outcome::graded(Grade::Proven).with("name", json_field(&value, "/n"));
    Some(outcome.with("org", json_field(&value, "/id")))
}

/// A JWT that one issuer has signed.
pub(super) fn supabase(parts: &Parts<'_>) -> Option<Outcome> {
    let token = Jwt::read(parts.secret)?;
    let role = token.text("role")?;
    let mut outcome = Outcome::graded(Grade::Strong);
    if role != "service_role" {
        // The key of anonymous users stands in every web page.
        outcome.severity = Some(Severity::Low);
    }
    Some(
        outcome
            .with("role", Some(role))
            .with("project", token.text("ref"))
            .with("exp", token.text("exp")),
    )
}
