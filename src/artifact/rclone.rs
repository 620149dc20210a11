//! rclone's remotes: `rclone.conf` ([format](https://rclone.org/docs/#config-file)). Its passwords
//! are obscured with a key that is part of the program, and so they are opened here; the keys of
//! S3 are read with the other files of AWS.

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::store;
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::credential::obscured;
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};
use crate::run::Run;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "rclone config", applies, run };

static REMOTE: Rule = Rule {
    id: "rclone.remote",
    title: "Login for a remote of rclone",
    severity: Severity::High,
    rotate: "Change the password (or revoke the token) at the remote and keep rclone.conf out of images.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &["rclone/rclone.conf", ".rclone.conf", "rclone.conf"])
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let entries: Vec<_> = ini::entries(Piece::whole(&blob.bytes)).collect();
    for remote in entries.chunk_by(|a, b| a.section.at == b.section.at) {
        let value = |names: [&[u8]; 3]| {
            let entry = remote.iter().find(|entry| names.contains(&entry.name.bytes));
            entry.map(|entry| entry.value.text()).unwrap_or_default()
        };
        let user = value([b"user", b"username", b"account"]);
        let (kind, host) = (value([b"type"; 3]), value([b"host", b"url", b"remote"]));
        for entry in remote.iter().filter(|entry| !entry.value.is_empty()) {
            let mut keep = |found: Match| {
                let found = found
                    .fact("remote", entry.section.text())
                    .fact("type", kind.as_str())
                    .fact("user", user.as_str())
                    .fact("host", host.as_str());
                out(Out::Match(found));
            };
            match entry.name.bytes {
                b"pass" | b"password" | b"password2" | b"key_file_pass" | b"file_password"
                | b"crypt_password" => keep(obscured(entry.value)),
                b"token" => token(entry.value, &mut keep),
                // These are the business of AWS's parser.
                b"secret_access_key" | b"session_token" => {}
                b"key" | b"sas_url" | b"service_account_credentials" | b"bearer_token" => {
                    keep(judge::found(&REMOTE, Grade::Strong, Kind::Token, entry.value));
                }
                name => {
                    let secret = judge::secretive(name);
                    let secret = secret.filter(|_| !judge::is_setting(entry.value.bytes));
                    if let Some(kind) = secret {
                        keep(judge::found(&REMOTE, Grade::Plausible, kind, entry.value));
                    }
                }
            }
        }
    }
    Ok(())
}

fn obscured(value: Piece<'_>) -> Match {
    match obscured::rclone(value.bytes) {
        Some(plain) => judge::decoded(&REMOTE, Grade::Strong, (Kind::Password, &plain), value)
            .decoded_by("rclone", Run::new(0, plain.len() as u64))
            .fact("decrypts_with", "the key that is part of rclone"),
        None => judge::found(&REMOTE, Grade::Plausible, Kind::Password, value),
    }
}

/// The OAuth token of a remote, which is an object of JSON. One that is damaged is taken whole.
fn token(value: Piece<'_>, keep: &mut dyn FnMut(Match)) {
    let (leaves, _) = yaml::leaves(value);
    let mut any = false;
    for (number, leaf) in leaves.iter().enumerate() {
        if !matches!(leaf.key(), b"access_token" | b"refresh_token") || leaf.value.is_empty() {
            continue;
        }
        any = true;
        let found = judge::decoded(&REMOTE, Grade::Strong, (Kind::Token, &leaf.value), leaf.raw);
        let expiry = store::beside(&leaves, number, &["expiry"]);
        keep(found.fact("kind", store::up(leaf, 0)).fact("expires", expiry));
    }
    if !any {
        keep(judge::found(&REMOTE, Grade::Plausible, Kind::Token, value));
    }
}
