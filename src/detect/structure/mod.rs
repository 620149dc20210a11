//! Structure checks: what a credential's own bytes prove, by name, for signatures to point at.

mod checksum;
mod cloud;
mod context;
mod decoded;
mod key;
mod platform;
mod store;
mod wallet;

pub(super) use context::reserved_host;

use crate::credential::bech32;
use crate::finding::{Grade, Harmless, Severity};

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
    ("atlassian_crc32", checksum::atlassian_crc32),
    ("aws_key_id", |parts| Some(cloud::aws_key_id(parts))),
    ("aws_pair", cloud::aws_pair),
    ("aws_presigned", cloud::aws_presigned),
    ("aws_secret", cloud::aws_secret),
    ("aws_signed_v2", |parts| Some(platform::aws_signed_v2(parts))),
    ("aws_unique_id", platform::aws_unique_id),
    ("azure_annotated", platform::azure_annotated),
    ("azure_bus", |parts| Some(platform::azure_bus(parts))),
    ("azure_key64", cloud::azure_key64),
    ("azure_sas", cloud::azure_sas),
    ("base58check", wallet::base58check),
    ("base64_32", decoded::base64_32),
    ("base64_key", store::base64_key),
    ("base64_text", store::base64_text),
    ("basic_auth", decoded::basic_auth),
    ("bech32", |parts| Some(Outcome::of_checksum(bech32::holds(parts.secret)))),
    ("bedrock", cloud::bedrock),
    ("bedrock_short", platform::bedrock_short),
    ("bitbucket_crc32", checksum::bitbucket_crc32),
    ("cephx", wallet::cephx),
    ("cf_crc32", checksum::cf_crc32),
    ("cipher_blocks", store::cipher_blocks),
    ("cloudflare_tunnel", platform::cloudflare_tunnel),
    ("confluent_crc32", checksum::confluent_crc32),
    ("confluent_legacy", checksum::confluent_legacy),
    ("crypt_hash", context::crypt_hash),
    ("discord", decoded::discord),
    ("docker_auths", platform::docker_auths),
    ("ecr_password", platform::ecr_password),
    ("elastic_key", decoded::elastic_key),
    ("gcp_sa_json", |parts| Some(cloud::gcp_sa_json(parts))),
    ("github_crc32", checksum::crc32_base62_tail),
    ("gitlab_crc32_b36", checksum::gitlab_crc32_b36),
    ("gossip_key", platform::gossip_key),
    ("grafana_api_key", decoded::grafana_api_key),
    ("grafana_cloud", decoded::grafana_cloud),
    ("grafana_crc32_le", checksum::grafana_crc32_le),
    ("intercom", decoded::intercom),
    ("jfrog_reference", decoded::jfrog_reference),
    ("jwk", wallet::jwk),
    ("jwt", decoded::jwt_claims),
    ("keeper", platform::keeper),
    ("keytab", wallet::keytab),
    ("ldap_hash", store::ldap_hash),
    ("mapbox", decoded::mapbox),
    ("nkey_crc16", checksum::nkey_crc16),
    ("npm_crc32", checksum::crc32_base62_tail),
    ("nt_hash", |parts| Some(store::nt_hash(parts))),
    ("numbered_base64", platform::numbered_base64),
    ("onepassword", decoded::onepassword),
    ("password_hash", |parts| Some(store::password_hash(parts))),
    ("pem", |parts| Some(key::pem(parts))),
    ("pem_base64", key::pem_base64),
    ("pypi_macaroon", decoded::pypi_macaroon),
    ("recovery_phrase", wallet::recovery_phrase),
    ("sentry", decoded::sentry),
    ("service_account", store::service_account),
    ("ses_smtp", platform::ses_smtp),
    ("stock_value", |parts| Some(store::stock_value(parts))),
    ("supabase", decoded::supabase),
    ("teamcity", |parts| Some(platform::teamcity(parts))),
    ("tink", platform::tink),
    ("unattend", |parts| Some(store::unattend(parts))),
    ("unglued", platform::unglued),
    ("url", context::url),
    ("value", context::value),
    ("vault_share", platform::vault_share),
    ("zuplo_crc32", checksum::zuplo_crc32),
];

/// The structure of that name.
pub(super) fn named(name: &str) -> Option<Structure> {
    STRUCTURES.iter().find(|(known, _)| *known == name).map(|(_, structure)| *structure)
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}
