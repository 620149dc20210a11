//! Jenkins: the credentials store and the configuration of jobs, nodes and users
//! ([encryption](https://www.jenkins.io/doc/developer/security/secrets/)). A stored value opens with
//! two other files of the same folder, so that it counts as written in clear.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::ssh;
use super::unlock;
use super::xml::{self, Part};
use crate::blob::{Blob, Budget, Out};
use crate::credential::{base64, pem};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};
use std::collections::BTreeMap;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "jenkins", applies, run };

pub(super) static CREDENTIAL: Rule = Rule {
    id: "ci.jenkins.credential",
    title: "Credential in the store of Jenkins",
    severity: Severity::Critical,
    rotate: "Change the credential at the service it opens, then in Jenkins; when master.key left the machine, rotate every credential.",
};

static ACCOUNT: Rule = Rule {
    id: "ci.jenkins.account",
    title: "Password hash or API token of a Jenkins account",
    severity: Severity::High,
    rotate: "Change the account's password and revoke its API tokens.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "credentials.xml",
            "jenkins/config.xml",
            ".jenkins/config.xml",
            "jobs/*/config.xml",
            "users/*/config.xml",
            "nodes/*/config.xml",
            "hudson.plugins.*.xml",
            "jenkins.plugins.*.xml",
            "org.jenkinsci.plugins.*.xml",
            "com.*.jenkins.*.xml",
            "jenkins.model.*.xml",
            "hudson.tasks.*.xml",
            "identity.key.enc",
        ],
    )
}

/// What stands beside a value: the texts of the elements right inside the same one.
struct Beside<'v> {
    texts: BTreeMap<(usize, &'v [u8]), &'v [u8]>,
    /// The element around an element.
    parents: BTreeMap<usize, usize>,
}

impl Beside<'_> {
    fn text(&self, value: &Part<'_>, name: &str) -> String {
        let name = name.as_bytes();
        // A key stands in a source of its own inside its credential.
        let around = || self.texts.get(&(*self.parents.get(&value.parent)?, name));
        let found = self.texts.get(&(value.parent, name)).or_else(around);
        found.map(|text| piece::text(text)).unwrap_or_default()
    }
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (values, result) = xml::values(Piece::whole(&blob.bytes));
    let mut beside = Beside { texts: BTreeMap::new(), parents: BTreeMap::new() };
    for value in &values {
        beside.parents.insert(value.element, value.parent);
        if let Some(name) = value.path.last().filter(|_| value.attribute.is_empty()) {
            beside.texts.entry((value.parent, name)).or_insert(&value.value);
        }
    }
    let user = account_name(&blob.name);
    for value in values.iter().filter(|value| value.attribute.is_empty()) {
        if let Some(found) = stored(value, &beside) {
            let sealed = unlock::locked(unlock::JENKINS_VALUE, &blob.at, value.raw.bytes, &found);
            out(Out::Clue(sealed));
            out(Out::Match(found));
        } else if let Some(found) = account(value, &user) {
            out(Out::Match(found));
        } else if let Some(older) = older(value, &beside) {
            // Nothing but its key tells it from other text.
            let text = value.raw.bytes;
            out(Out::Clue(unlock::locked(unlock::JENKINS_VALUE, &blob.at, text, &older)));
        } else if pem::position(value.raw.bytes, 0, b"-----BEGIN ").is_some() {
            ssh::private_keys(&blob.name, value.raw, &mut |key| {
                if let Out::Match(key) = key {
                    out(Out::Match(described(key, value, &beside)));
                }
            });
        }
    }
    result
}

/// The user whose configuration it is: the folder `eve_123456789`.
fn account_name(path: &[u8]) -> String {
    let mut parts = path.rsplit(|&b| b == b'/').skip(1);
    let (folder, users) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if users != b"users" {
        return String::new();
    }
    let end = folder.iter().position(|&b| b == b'_').unwrap_or(folder.len());
    piece::text(folder.get(..end).unwrap_or_default())
}

/// A value encrypted under the instance's key: `{AQAA…}`, whose first byte is the version, and
/// which holds the lengths of its parts.
fn stored(value: &Part<'_>, beside: &Beside<'_>) -> Option<Match> {
    let inside = value.raw.strip_prefix(b"{")?;
    let inside = inside.bytes.strip_suffix(b"}")?;
    let body = base64::decode(inside)?;
    let proven = body.first() == Some(&1)
        && body.get(1..5).and_then(|len| <[u8; 4]>::try_from(len).ok()).map(u32::from_be_bytes)
            == Some(16);
    let grade = if proven { Grade::Proven } else { Grade::Plausible };
    if body.len() < 16 {
        return None;
    }
    let found = judge::found(&CREDENTIAL, grade, Kind::Token, value.raw)
        .fact("protection", "plaintext-equivalent")
        .fact("decrypts_with", "secrets/master.key and secrets/hudson.util.Secret");
    Some(described(found, value, beside))
}

/// What may be a value in the form before version 2: blocks in base64.
fn older(value: &Part<'_>, beside: &Beside<'_>) -> Option<Match> {
    let text = value.raw.bytes;
    let digit = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    if !(24..=8192).contains(&text.len()) || !text.iter().all(digit) {
        return None;
    }
    let blocks = base64::decode(text)?.len().is_multiple_of(16);
    let found = judge::found(&CREDENTIAL, Grade::Weak, Kind::Token, value.raw);
    blocks.then(|| described(found, value, beside))
}

fn described(found: Match, value: &Part<'_>, beside: &Beside<'_>) -> Match {
    let name = value.path.last().copied().unwrap_or_default();
    let mut owner = value.path.iter().rev().skip(1);
    let owner = owner.find(|part| !part.ends_with(b"Source") && !part.ends_with(b"properties"));
    let class = owner.copied().unwrap_or_default();
    let class = class.rsplit(|&b| b == b'.').next().unwrap_or_default();
    found
        .fact("name", piece::text(name))
        .fact("class", piece::text(class))
        .fact("id", beside.text(value, "id"))
        .fact("user", beside.text(value, "username"))
        .fact("access_key_id", beside.text(value, "accessKey"))
        .fact("description", beside.text(value, "description"))
}

/// What lets a user of Jenkins in.
fn account(value: &Part<'_>, user: &str) -> Option<Match> {
    let (kind, name) = match *value.path.last()? {
        b"passwordHash" => (Kind::Token, "passwordHash"),
        b"value" | b"apiToken" if value.under(&["*", "apiToken"]) => (Kind::Token, "apiToken"),
        b"hash" if value.under(&["value", "hash"]) => (Kind::Token, "apiTokenHash"),
        _ => return None,
    };
    if value.value.len() < 20 {
        return None;
    }
    let found = judge::found(&ACCOUNT, Grade::Strong, kind, value.raw);
    Some(found.fact("name", name).fact("user", user))
}
