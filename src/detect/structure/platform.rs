//! Tokens of clouds, forges and secret managers that say in their own text what they are.

use super::decoded::{decode_lenient, json_field};
use super::{Outcome, Parts, text};
use crate::credential::{aws_id, jwt};
use crate::detect::check;
use crate::finding::{Grade, Severity};
use serde_json::Value;

/// Ids of roles and users are one character longer than those of keys; the account stands in the
/// same place.
pub(super) fn aws_unique_id(parts: &Parts<'_>) -> Option<Outcome> {
    let account = aws_id::account_id(parts.secret.get(..20)?);
    let grade = account.is_some().then_some(Grade::Strong);
    Some(Outcome { grade, ..Outcome::default() }.with("account_id", account))
}

/// A version byte and an HMAC-SHA-256
/// ([SES](https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html)).
pub(super) fn ses_smtp(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = decode_lenient(parts.secret)?;
    let is_password = bytes.len() == 33 && bytes.first() == Some(&4);
    let account = parts.group("access_key_id").and_then(aws_id::account_id);
    is_password.then(|| Outcome::graded(Grade::Strong).with("account_id", account))
}

/// The password of a registry login is a JSON object, and so is what Docker stores of it after
/// the user's name.
pub(super) fn ecr_password(parts: &Parts<'_>) -> Option<Outcome> {
    let mut bytes = decode_lenient(parts.secret)?;
    if let Some(inner) = bytes.strip_prefix(b"AWS:") {
        bytes = decode_lenient(inner)?;
    }
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    let is_key = json_field(&value, "/type").is_some_and(|kind| kind.ends_with("DATA_KEY"));
    is_key
        .then(|| Outcome::graded(Grade::Proven).with("expires", json_field(&value, "/expiration")))
}

pub(super) fn aws_signed_v2(parts: &Parts<'_>) -> Outcome {
    let account = parts.group("access_key_id").and_then(aws_id::account_id);
    Outcome::default().with("account_id", account)
}

/// The body is the URL of a signed request without its scheme.
pub(super) fn bedrock_short(parts: &Parts<'_>) -> Option<Outcome> {
    let body = parts.secret.strip_prefix(b"bedrock-api-key-")?;
    let url = text(&decode_lenient(body)?)?;
    let host = url.split(['/', '?']).next().map(str::to_owned);
    let field = |name: &str| {
        url.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    let credential = field("X-Amz-Credential").map(|text| text.replace("%2F", "/"));
    let mut scope = credential.as_deref().unwrap_or_default().split('/').map(str::to_owned);
    let id = scope.next().filter(|id| !id.is_empty());
    let account = id.as_deref().and_then(|id| aws_id::account_id(id.as_bytes()));
    let outcome = Outcome::graded(Grade::Strong).with("host", host).with("account_id", account);
    let seconds = field("X-Amz-Expires");
    let date = field("X-Amz-Date");
    let end = date.and_then(|date| super::cloud::end_of(date, seconds?));
    let outcome = outcome.with("expires_seconds", seconds.map(str::to_owned));
    Some(outcome.with("access_key_id", id).with("region", scope.nth(1)).with("expires", end))
}

/// The routing part of a GitLab token is lines of a letter, a colon and a number in base 36,
/// before random bytes ([routable tokens](https://docs.gitlab.com/security/tokens/)).
pub(super) fn gitlab_routing(secret: &[u8], outcome: Outcome) -> Outcome {
    let body = secret.split(|byte| *byte == b'.').next().unwrap_or_default();
    let start = body.iter().position(|byte| *byte == b'-').map_or(0, |at| at.saturating_add(1));
    let Some(bytes) = body.get(start..).and_then(jwt::decode_url) else { return outcome };
    let mut outcome = outcome;
    for line in bytes.split(|byte| *byte == b'\n').take(6) {
        let Some((letter, [b':', number @ ..])) = line.split_first() else { break };
        let end = number.iter().position(|byte| !byte.is_ascii_alphanumeric());
        let number = number.get(..end.unwrap_or(number.len()).min(12)).and_then(text);
        let name = match letter {
            b'c' => "cell",
            b'o' => "organization_id",
            b'u' => "user_id",
            b'g' => "group_id",
            b'p' => "project_id",
            b't' => "runner_type",
            _ => break,
        };
        outcome = outcome.with(name, number.filter(|number| !number.is_empty()));
    }
    outcome
}

/// Forty-four characters of base64: a number, a colon and random bytes. Behind a prefix of the
/// issuer's the form is a bonus, without one it is what makes the match.
pub(super) fn numbered_base64(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, is_prefixed) = match parts.secret.strip_prefix(b"BBDC-") {
        Some(body) => (body, true),
        None => (parts.secret, false),
    };
    let number = decode_lenient(body).and_then(|bytes| {
        let number = bytes.split(|byte| *byte == b':').next()?;
        let is_number = (6..=16).contains(&number.len()) && number.iter().all(u8::is_ascii_digit);
        if is_number { text(number) } else { None }
    });
    match number {
        Some(number) => Some(Outcome::graded(Grade::Strong).with("token_id", Some(number))),
        None => is_prefixed.then(Outcome::default),
    }
}

/// What a Docker configuration in base64 logs in to.
pub(super) fn docker_auths(parts: &Parts<'_>) -> Option<Outcome> {
    let value: Value = serde_json::from_slice(&decode_lenient(parts.secret)?).ok()?;
    let (host, login) = value.get("auths")?.as_object()?.iter().next()?;
    let pair = login.get("auth").and_then(Value::as_str).and_then(|auth| {
        let (user, password) = text(&decode_lenient(auth.as_bytes())?)?
            .split_once(':')
            .map(|(user, password)| (user.to_owned(), password.to_owned()))?;
        Some((user, password))
    });
    let named = json_field(login, "/username").zip(json_field(login, "/password"));
    let (user, password) = pair.or(named)?;
    let mut outcome = Outcome::graded(Grade::Strong);
    outcome.harmless = check::harmless(password.as_bytes(), password.as_bytes(), true);
    Some(outcome.with("host", Some(host.clone())).with("user", Some(user)))
}

/// The last part is the token's UUID in base64.
pub(super) fn teamcity(parts: &Parts<'_>) -> Outcome {
    let last = parts.secret.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let id = decode_lenient(last).and_then(|bytes| text(&bytes)).filter(|id| {
        id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    });
    let grade = id.is_some().then_some(Grade::Proven);
    Outcome { grade, ..Outcome::default() }.with("token_id", id)
}

/// A tunnel's token is JSON: account, tunnel and secret.
pub(super) fn cloudflare_tunnel(parts: &Parts<'_>) -> Option<Outcome> {
    let value: Value = serde_json::from_slice(&decode_lenient(parts.secret)?).ok()?;
    let account = json_field(&value, "/a").filter(|account| account.len() == 32)?;
    let outcome = Outcome::graded(Grade::Proven).with("account_id", Some(account));
    json_field(&value, "/s")?;
    Some(outcome.with("tunnel_id", json_field(&value, "/t")))
}

/// Keys of Azure's common form name their service in four characters near the end; those of
/// Azure DevOps have a signature of their own.
pub(super) fn azure_annotated(parts: &Parts<'_>) -> Option<Outcome> {
    (parts.group("service")? != b"AZDO").then(|| Outcome::graded(Grade::Strong))
}

/// A character of the secret's alphabet beside it, where a word's edge does not show it, makes it
/// part of something longer.
pub(super) fn unglued(parts: &Parts<'_>) -> Option<Outcome> {
    parts.group("glued").is_none().then(Outcome::default)
}

/// The policy that a namespace is born with may do everything in it.
pub(super) fn azure_bus(parts: &Parts<'_>) -> Outcome {
    let is_root = parts.group("policy") == Some(b"RootManageSharedAccessKey");
    let severity = is_root.then_some(Severity::Critical);
    Outcome { severity, ..Outcome::graded(Grade::Strong) }
}

/// A gossip key is sixteen, twenty-four or thirty-two bytes.
pub(super) fn gossip_key(parts: &Parts<'_>) -> Option<Outcome> {
    let len = decode_lenient(parts.secret)?.len();
    matches!(len, 16 | 24 | 32)
        .then(|| Outcome::default().with("bits", Some(len.saturating_mul(8).to_string())))
}

/// A share of a Vault key is thirty-three bytes: the secret's share and its number.
pub(super) fn vault_share(parts: &Parts<'_>) -> Option<Outcome> {
    let is_hex = parts.secret.len() == 66 && parts.secret.iter().all(u8::is_ascii_hexdigit);
    let is_share = is_hex || decode_lenient(parts.secret)?.len() == 33;
    is_share.then(|| Outcome::graded(Grade::Strong))
}

/// A key of Tink's says which primitive it is for; public ones are none of our business.
pub(super) fn tink(parts: &Parts<'_>) -> Option<Outcome> {
    let kind = text(parts.group("primitive")?)?;
    (!kind.ends_with("PublicKey")).then(|| Outcome::graded(Grade::Strong))
}

/// Keeper's client configuration: JSON with the keys of one device.
pub(super) fn keeper(parts: &Parts<'_>) -> Option<Outcome> {
    let value: Value = serde_json::from_slice(&decode_lenient(parts.secret)?).ok()?;
    json_field(&value, "/privateKey")?;
    let outcome = Outcome::graded(Grade::Proven);
    Some(outcome.with("host", json_field(&value, "/hostname")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};

    fn parts<'a>(secret: &'a [u8], groups: &'a [(&'static str, &'a [u8])]) -> Parts<'a> {
        Parts { secret, whole: secret, groups }
    }

    fn fact(outcome: &Outcome, name: &str) -> Option<String> {
        outcome.facts.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn an_id_of_a_role_names_its_account_as_an_id_of_a_key_does() {
        // In two parts, so that no whole id stands in the sources.
        let id = ["AROA", "SP2TPHJSQH3FJRUXQ"].concat();
        let outcome = aws_unique_id(&parts(id.as_bytes(), &[])).unwrap();
        assert_eq!(fact(&outcome, "account_id").as_deref(), Some("171436882533"));
        let old = ["AIDA", "CKCEVSQ6C2EXAMPLE"].concat();
        assert!(aws_unique_id(&parts(old.as_bytes(), &[])).unwrap().facts.is_empty());
        assert!(aws_unique_id(&parts(b"AROA", &[])).is_none());
    }

    #[test]
    fn a_mail_password_begins_with_its_version() {
        let mut bytes = vec![4_u8];
        bytes.extend([7; 32]);
        assert!(ses_smtp(&parts(BASE64_STANDARD.encode(&bytes).as_bytes(), &[])).is_some());
        bytes[0] = 2;
        assert!(ses_smtp(&parts(BASE64_STANDARD.encode(&bytes).as_bytes(), &[])).is_none());
        assert!(ses_smtp(&parts(b"BA", &[])).is_none());
    }

    #[test]
    fn a_routable_token_says_where_it_belongs() {
        let body = BASE64_URL_SAFE_NO_PAD.encode(b"c:1\no:1a\nu:2zk9x\n\x91\x02\xfe\x80noise\x10");
        let token = format!("glpat-{body}.01.0w1abcdef");
        let outcome = gitlab_routing(token.as_bytes(), Outcome::default());
        assert_eq!(fact(&outcome, "cell").as_deref(), Some("1"));
        assert_eq!(fact(&outcome, "organization_id").as_deref(), Some("1a"));
        assert_eq!(fact(&outcome, "user_id").as_deref(), Some("2zk9x"));
        assert!(gitlab_routing(b"glpat-!!", Outcome::default()).facts.is_empty());
        assert!(gitlab_routing(b"", Outcome::default()).facts.is_empty());
    }

    #[test]
    fn keys_of_a_cluster_have_the_lengths_of_a_cipher() {
        let bits = |len: usize| {
            let text = BASE64_STANDARD.encode(vec![9_u8; len]);
            gossip_key(&parts(text.as_bytes(), &[])).and_then(|outcome| fact(&outcome, "bits"))
        };
        assert_eq!(bits(16).as_deref(), Some("128"));
        assert_eq!(bits(32).as_deref(), Some("256"));
        assert_eq!(bits(20), None);
        let share = |len: usize| {
            let text = BASE64_STANDARD.encode(vec![9_u8; len]);
            vault_share(&parts(text.as_bytes(), &[])).is_some()
        };
        assert!(share(33) && !share(32));
    }

    #[test]
    fn the_policy_of_a_namespace_decides_how_bad_its_key_is() {
        let of = |policy: &[u8]| azure_bus(&parts(b"", &[("policy", policy)])).severity;
        assert_eq!(of(b"RootManageSharedAccessKey"), Some(Severity::Critical));
        assert_eq!(of(b"send"), None);
        let service = |name: &[u8]| azure_annotated(&parts(b"", &[("service", name)])).is_some();
        assert!(service(b"ACOG") && !service(b"AZDO"));
    }
}
