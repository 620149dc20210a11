//! Structure checks: what a credential's own bytes prove, by name, for signatures to point at.

use crate::credential::jwt::{self, Jwt};
use crate::credential::{aws_id, base32, base62, bech32, crc};
use crate::finding::{Grade, Harmless, Severity};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine as _};
use serde_json::Value;

/// Reads a match; `None` when it is not what the signature means after all.
pub type Structure = fn(&Parts<'_>) -> Option<Outcome>;

/// A match, cut into its parts.
pub struct Parts<'a> {
    /// The secret.
    pub secret: &'a [u8],
    /// All that the pattern matched.
    pub whole: &'a [u8],
    /// The other named groups.
    pub groups: &'a [(&'static str, &'a [u8])],
}

impl<'a> Parts<'a> {
    fn group(&self, name: &str) -> Option<&'a [u8]> {
        self.groups.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
    }
}

/// What reading a match brought. The default leaves the signature's word standing.
#[derive(Default)]
pub struct Outcome {
    /// A better or worse grade.
    pub grade: Option<Grade>,
    /// A higher or lower severity.
    pub severity: Option<Severity>,
    /// Why it is harmless.
    pub harmless: Option<Harmless>,
    /// What was read; never the secret.
    pub facts: Vec<(&'static str, String)>,
}

impl Outcome {
    fn graded(grade: Grade) -> Outcome {
        Outcome { grade: Some(grade), ..Outcome::default() }
    }

    /// Of a checksum whose formula is confirmed: it proves or it condemns.
    fn of_checksum(holds: bool) -> Outcome {
        if holds {
            return Outcome::graded(Grade::Proven);
        }
        Outcome { harmless: Some(Harmless::FailedChecksum), ..Outcome::default() }
    }

    /// Of a checksum whose formula one sample confirms: it proves, and a failure says nothing.
    fn of_likely_checksum(holds: bool) -> Outcome {
        if holds { Outcome::graded(Grade::Proven) } else { Outcome::default() }
    }

    fn with(mut self, name: &'static str, value: Option<String>) -> Outcome {
        self.facts.extend(value.map(|value| (name, value)));
        self
    }
}

/// Every structure a signature may name.
const STRUCTURES: &[(&str, Structure)] = &[
    ("atlassian_crc32", atlassian_crc32),
    ("aws_key_id", |parts| Some(aws_key_id(parts))),
    ("aws_presigned", aws_presigned),
    ("aws_secret", aws_secret),
    ("azure_key64", azure_key64),
    ("azure_sas", azure_sas),
    ("base64_32", base64_32),
    ("basic_auth", basic_auth),
    ("bech32", |parts| Some(Outcome::of_checksum(bech32::holds(parts.secret)))),
    ("bedrock", bedrock),
    ("bitbucket_crc32", bitbucket_crc32),
    ("cf_crc32", cf_crc32),
    ("crypt_hash", crypt_hash),
    ("discord", discord),
    ("gcp_sa_json", |parts| Some(gcp_sa_json(parts))),
    ("github_crc32", crc32_base62_tail),
    ("gitlab_crc32_b36", gitlab_crc32_b36),
    ("grafana_cloud", grafana_cloud),
    ("grafana_crc32_le", grafana_crc32_le),
    ("jfrog_reference", jfrog_reference),
    ("jwt", jwt_claims),
    ("nkey_crc16", nkey_crc16),
    ("npm_crc32", crc32_base62_tail),
    ("onepassword", onepassword),
    ("pypi_macaroon", pypi_macaroon),
    ("sentry", sentry),
    ("url", url),
    ("value", value),
    ("zuplo_crc32", zuplo_crc32),
];

/// The structure of that name.
pub(super) fn named(name: &str) -> Option<Structure> {
    STRUCTURES.iter().find(|(known, _)| *known == name).map(|(_, structure)| *structure)
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn split_tail(bytes: &[u8], tail: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.len().checked_sub(tail)?)
}

/// Prefix up to `_`, body, and the body's CRC-32 in six characters of base 62.
fn crc32_base62_tail(parts: &Parts<'_>) -> Option<Outcome> {
    let start = parts.secret.iter().position(|byte| *byte == b'_')? + 1;
    let (body, sum) = split_tail(parts.secret.get(start..)?, 6)?;
    Some(Outcome::of_checksum(base62::base62(crc::crc32(body)).as_bytes() == sum))
}

fn gitlab_crc32_b36(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret, 7)?;
    Some(Outcome::of_likely_checksum(base62::base36(crc::crc32(body)).as_bytes() == sum))
}

fn atlassian_crc32(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret, 8)?;
    Some(Outcome::of_likely_checksum(format!("{:08X}", crc::crc32(body)).as_bytes() == sum))
}

fn bitbucket_crc32(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret, 8)?;
    let expected = format!("{:08x}", crc::crc32(body));
    Some(Outcome::of_likely_checksum(expected.as_bytes().eq_ignore_ascii_case(sum)))
}

fn cf_crc32(parts: &Parts<'_>) -> Option<Outcome> {
    let start = parts.secret.iter().position(|byte| *byte == b'_')? + 1;
    let (body, sum) = split_tail(parts.secret.get(start..)?, 8)?;
    Some(Outcome::of_checksum(format!("{:08x}", crc::crc32(body)).as_bytes() == sum))
}

fn zuplo_crc32(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret, 9)?;
    let body = body.get(body.len().checked_sub(32)?..)?;
    Some(Outcome::of_checksum(format!("_{:08x}", crc::crc32(body)).as_bytes() == sum))
}

fn grafana_crc32_le(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret, 9)?;
    let expected = format!("_{:08x}", crc::crc32(body).swap_bytes());
    Some(Outcome::of_checksum(expected.as_bytes() == sum))
}

fn nkey_crc16(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = base32::decode(parts.secret)?;
    let (body, sum) = split_tail(&bytes, 2)?;
    let role = match parts.secret.get(1)? {
        b'U' => "user",
        b'A' => "account",
        b'O' => "operator",
        b'N' => "server",
        b'C' => "cluster",
        _ => "curve",
    };
    let outcome = Outcome::of_checksum(crc::crc16_xmodem(body).to_le_bytes() == sum);
    Some(outcome.with("kind", Some(role.to_owned())))
}

fn aws_key_id(parts: &Parts<'_>) -> Outcome {
    let mut outcome = Outcome::default().with("account_id", aws_id::account_id(parts.secret));
    if aws_id::is_canary(parts.secret) {
        outcome = outcome.with("canary", Some("yes".to_owned()));
    }
    outcome
}

/// Forty hexadecimal digits are a git commit, not a key, and so is a path.
fn aws_secret(parts: &Parts<'_>) -> Option<Outcome> {
    let is_hash = parts.secret.iter().all(u8::is_ascii_hexdigit);
    (!is_hash).then(Outcome::default)
}

/// `X-Amz-Credential` is key id, date, region, service and a fixed word, split by slashes.
fn aws_presigned(parts: &Parts<'_>) -> Option<Outcome> {
    let credential = text(parts.group("credential")?)?.replace("%2F", "/").replace("%2f", "/");
    let mut fields = credential.split('/').map(str::to_owned);
    let id = fields.next()?;
    let account = aws_id::account_id(id.as_bytes());
    let outcome = Outcome::default().with("account", account).with("key_id", Some(id));
    let outcome = outcome.with("signed", fields.next()).with("region", fields.next());
    Some(outcome.with("service", fields.next()))
}

fn azure_key64(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = BASE64_STANDARD.decode(parts.secret).ok()?;
    let mut outcome = Outcome::graded(Grade::Strong);
    if parts.group("account") == Some(b"devstoreaccount1") {
        // The storage emulator's key is printed in its manual.
        outcome.harmless = Some(Harmless::KnownPublic);
    }
    (bytes.len() == 64).then_some(outcome)
}

/// The query says what it grants.
fn azure_sas(parts: &Parts<'_>) -> Option<Outcome> {
    let query = text(parts.whole)?.replace("&amp;", "&");
    let mut outcome = Outcome::default();
    for (key, name) in [("sp", "permissions"), ("se", "exp"), ("sr", "scope"), ("ss", "services")] {
        let value = query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        outcome = outcome.with(name, value.map(|value| value.replace("%3A", ":")));
    }
    Some(outcome)
}

fn base64_32(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = BASE64_STANDARD.decode(parts.secret).ok()?;
    (bytes.len() == 32).then(|| Outcome::graded(Grade::Strong))
}

/// base64 with or without padding, spare bits ignored.
fn decode_lenient(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().rposition(|byte| *byte != b'=')? + 1;
    let body = bytes.get(..end)?;
    BASE64_STANDARD_NO_PAD.decode(body).ok().or_else(|| jwt::decode_url(body))
}

fn basic_auth(parts: &Parts<'_>) -> Option<Outcome> {
    let decoded = decode_lenient(parts.secret)?;
    let split = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = decoded.split_at(split);
    let is_text = decoded.iter().all(|byte| matches!(byte, b' '..=b'~' | 0x80..));
    if !is_text || user.is_empty() || password.len() < 2 {
        return None;
    }
    let password = password.get(1..)?;
    let mut outcome = Outcome::graded(Grade::Strong).with("user", text(user));
    outcome.harmless = super::check::harmless(password, password, true);
    Some(outcome)
}

fn bedrock(parts: &Parts<'_>) -> Option<Outcome> {
    let decoded = decode_lenient(parts.secret.get(4..)?)?;
    let name = decoded.split(|byte| *byte == b':').next()?;
    if !name.starts_with(b"BedrockAPIKey-") {
        return Some(Outcome::default());
    }
    // The user's name ends in `-at-` and the account.
    let account = text(name)?.rsplit_once("-at-").map(|(_, account)| account.to_owned());
    Some(Outcome::graded(Grade::Proven).with("user", text(name)).with("account", account))
}

/// What `crypt` the hash was made with; a hash is as strong as that.
fn crypt_hash(parts: &Parts<'_>) -> Option<Outcome> {
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

/// The first part is the bot's number in base64; its top bits are when it was made.
fn discord(parts: &Parts<'_>) -> Option<Outcome> {
    let first = parts.secret.split(|byte| *byte == b'.').next()?;
    let id = text(&jwt::decode_url(first)?)?;
    let number: u64 = id.parse().ok()?;
    (number >> 22 > 0).then(|| Outcome::graded(Grade::Strong).with("id", Some(id)))
}

fn gcp_sa_json(parts: &Parts<'_>) -> Outcome {
    let Some(email) = parts.group("email").and_then(text) else { return Outcome::default() };
    let host = email.split_once('@').map(|(_, host)| host);
    let project = host.and_then(|host| host.strip_suffix(".iam.gserviceaccount.com"));
    Outcome::graded(Grade::Strong).with("project", project.map(str::to_owned))
}

fn json_field(value: &Value, path: &str) -> Option<String> {
    let found = value.pointer(path)?;
    found.as_str().map(str::to_owned).or_else(|| found.as_u64().map(|number| number.to_string()))
}

fn decoded_json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(&decode_lenient(bytes)?).ok()
}

fn grafana_cloud(parts: &Parts<'_>) -> Option<Outcome> {
    let value = decoded_json(parts.secret.strip_prefix(b"glc_")?)?;
    let outcome = Outcome::graded(Grade::Proven).with("org", json_field(&value, "/o"));
    Some(outcome.with("name", json_field(&value, "/n")).with("region", json_field(&value, "/m/r")))
}

fn sentry(parts: &Parts<'_>) -> Option<Outcome> {
    let body = parts.secret.strip_prefix(b"sntrys_")?;
    let end = body.iter().rposition(|byte| *byte == b'_')?;
    let Some(value) = decoded_json(body.get(..end)?) else { return Some(Outcome::default()) };
    let outcome = Outcome::graded(Grade::Strong).with("org", json_field(&value, "/org"));
    Some(outcome.with("region", json_field(&value, "/region_url")))
}

fn onepassword(parts: &Parts<'_>) -> Option<Outcome> {
    let value = decoded_json(parts.secret.strip_prefix(b"ops_")?)?;
    let address = json_field(&value, "/signInAddress")?;
    let outcome = Outcome::graded(Grade::Proven).with("host", Some(address));
    Some(outcome.with("email", json_field(&value, "/email")))
}

fn jfrog_reference(parts: &Parts<'_>) -> Option<Outcome> {
    let decoded = text(&decode_lenient(parts.secret)?)?;
    let mut fields = decoded.strip_prefix("reftkn:")?.split(':').skip(1);
    Some(Outcome::graded(Grade::Strong).with("exp", fields.next().map(str::to_owned)))
}

/// A macaroon: version, location and identifier as length-value pairs; the identifier is JSON that
/// lists the permissions.
fn pypi_macaroon(parts: &Parts<'_>) -> Option<Outcome> {
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
    Some(outcome.with("host", location).with("scope", scope.map(str::to_owned)))
}

fn jwt_claims(parts: &Parts<'_>) -> Option<Outcome> {
    let start = parts.secret.windows(3).position(|at| at == b"eyJ")?;
    let token = Jwt::read(parts.secret.get(start..)?)?;
    let mut outcome = Outcome::graded(Grade::Strong);
    if token.is_tutorial() {
        outcome.harmless = Some(Harmless::DocumentationExample);
    }
    for name in ["alg", "kid", "iss", "sub", "aud", "iat", "exp"] {
        outcome = outcome.with(name, token.text(name));
    }
    Some(outcome)
}

/// Hosts that the naming rules keep for documentation
/// ([RFC 2606](https://www.rfc-editor.org/rfc/rfc2606)).
pub(super) fn reserved_host(parts: &Parts<'_>) -> Option<Harmless> {
    const RESERVED: [&str; 5] = ["example.com", "example.org", "example.net", "example", "invalid"];
    let host = text(parts.group("host")?)?.to_ascii_lowercase();
    let reserved = RESERVED.iter().any(|name| {
        host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    reserved.then_some(Harmless::DocumentationExample)
}

/// A password in a URL opens little when the service listens on this machine only.
fn url(parts: &Parts<'_>) -> Option<Outcome> {
    let host = parts.group("host")?;
    let is_local = matches!(host, b"localhost" | b"127.0.0.1" | b"[::1]" | b"0.0.0.0");
    let severity = is_local.then_some(Severity::Medium);
    Some(Outcome { severity, ..Outcome::default() })
}

/// A value that a person or a generator chose: no code, no reference, no path, no plain word.
fn value(parts: &Parts<'_>) -> Option<Outcome> {
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
