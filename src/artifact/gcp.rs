//! Google Cloud's credentials: application default credentials, keys of service accounts and the
//! older stores of gcloud and gsutil
//! ([formats](https://cloud.google.com/docs/authentication/application-default-credentials)).

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::store::{self, From, Slot};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};
use memchr::memmem;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "google cloud", applies, run };

static SERVICE: Rule = Rule {
    id: "gcp.credentials.service_account",
    title: "Key of a Google Cloud service account",
    severity: Severity::Critical,
    rotate: "Delete the key under IAM, Service accounts, Keys; look for its use in the audit logs, and let machines use their own account.",
};

static USER: Rule = Rule {
    id: "gcp.credentials.user",
    title: "Google Cloud login of a person",
    severity: Severity::Critical,
    rotate: "Revoke it (gcloud auth revoke, or the account's third-party access page) and delete ~/.config/gcloud before making an image.",
};

static CLIENT: Rule = Rule {
    id: "gcp.credentials.client_secret",
    title: "Secret of a Google OAuth client",
    severity: Severity::Low,
    rotate: "Reset the secret under Credentials, OAuth clients; gcloud's own is published and opens nothing.",
};

static HMAC: Rule = Rule {
    id: "gcp.credentials.hmac",
    title: "Google Cloud Storage HMAC secret",
    severity: Severity::High,
    rotate: "Deactivate and delete the HMAC key under Cloud Storage, Settings, Interoperability.",
};

const LOGIN: &[(&str, From)] = &[
    ("client_id", From::Beside(&["client_id"])),
    ("account", From::Beside(&["account"])),
    ("project", From::Beside(&["quota_project_id"])),
];

const SLOTS: [Slot; 5] = [
    Slot {
        rule: &SERVICE,
        path: &["**", "private_key"],
        kind: Kind::Token,
        facts: &[
            ("account", From::Beside(&["client_email"])),
            ("project", From::Beside(&["project_id"])),
            ("key_id", From::Beside(&["private_key_id"])),
        ],
    },
    Slot { rule: &USER, path: &["**", "refresh_token"], kind: Kind::Token, facts: LOGIN },
    Slot { rule: &USER, path: &["**", "access_token"], kind: Kind::Token, facts: LOGIN },
    Slot { rule: &CLIENT, path: &["**", "client_secret"], kind: Kind::Token, facts: LOGIN },
    Slot { rule: &USER, path: &["**", "id_token"], kind: Kind::Token, facts: LOGIN },
];

fn applies(blob: &Blob<'_>) -> bool {
    let store = paths::ends_with_any(
        &blob.name,
        &[
            "gcloud/application_default_credentials.json",
            "gcloud/legacy_credentials/*/adc.json",
            "gcloud/legacy_credentials/*/.boto",
            "etc/google/auth/*.json",
            ".boto",
        ],
    );
    let kinds = ["\"service_account\"", "\"authorized_user\""];
    let head = blob.bytes.get(..4096).unwrap_or(&blob.bytes);
    let formed = head.trim_ascii_start().starts_with(b"{")
        && kinds.iter().any(|kind| memmem::find(head, kind.as_bytes()).is_some());
    store || (blob.name.ends_with(b".json") && formed)
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if blob.name.ends_with(b".boto") {
        boto(text, out);
        return Ok(());
    }
    store::secrets(text, &SLOTS, &mut |found| out(Out::Match(found)))
}

/// gsutil's part of a `.boto`; that of AWS is read with the other files of AWS.
fn boto(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let mut id = Piece::default();
    for entry in ini::entries(text) {
        let rule = match entry.name.bytes {
            b"gs_access_key_id" => {
                id = entry.value;
                continue;
            }
            b"gs_secret_access_key" => &HMAC,
            b"gs_oauth2_refresh_token" => &USER,
            b"client_secret" => &CLIENT,
            _ => continue,
        };
        if !entry.value.is_empty() {
            let id =
                if entry.name.bytes == b"gs_secret_access_key" { id } else { Piece::default() };
            let found = judge::found(rule, Grade::Strong, Kind::Token, entry.value);
            out(Out::Match(found.fact("access_key_id", id.text())));
        }
    }
}
