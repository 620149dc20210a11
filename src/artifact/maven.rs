//! Maven's settings ([format](https://maven.apache.org/settings.html)) and the master password
//! ([format](https://maven.apache.org/guides/mini/guide-encryption.html)), which is itself kept
//! under a key that everybody has.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::store;
use super::unlock;
use super::xml::{self, Part};
use crate::blob::{Blob, Budget, Out};
use crate::credential::obscured;
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "maven settings", applies, run };

pub(super) static SERVER: Rule = Rule {
    id: "maven.server",
    title: "Login for a Maven repository",
    severity: Severity::High,
    rotate: "Change the password (or revoke the token) at the repository server and give it to builds at run time.",
};

static MASTER: Rule = Rule {
    id: "maven.master",
    title: "Maven master password, which opens every password of settings.xml",
    severity: Severity::High,
    rotate: "Change every password that settings.xml holds at its server, then make a new master password outside the image.",
};

fn applies(blob: &Blob<'_>) -> bool {
    let settings = paths::ends_with_any(
        &blob.name,
        &[".m2/settings*.xml", "conf/settings.xml", "maven/settings.xml", "settings-security*.xml"],
    );
    settings || paths::ends_with(&blob.name, "maven*/settings*.xml")
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (values, result) = xml::values(Piece::whole(&blob.bytes));
    // The members of one server or proxy stand together.
    for block in values.chunk_by(|a, b| a.parent == b.parent) {
        for value in block.iter().filter(|value| !value.value.is_empty()) {
            let Some(found) = secret(value, block) else { continue };
            if found.rule.id == MASTER.id && found.grade == Grade::Proven {
                let master = unlock::key(unlock::MAVEN_MASTER, &blob.at, found.subject.bytes());
                out(Out::Clue(master));
            } else if is_encrypted(&value.value) {
                let kind = unlock::MAVEN_VALUE;
                out(Out::Clue(unlock::locked(kind, &blob.at, &value.value, &found)));
            }
            out(Out::Match(found));
        }
    }
    result
}

fn secret(value: &Part<'_>, block: &[Part<'_>]) -> Option<Match> {
    if value.is_text(&["settingsSecurity", "master"]) {
        return Some(master(value));
    }
    let password = value.is_text(&["password"]) || value.is_text(&["passphrase"]);
    let member = value.under(&["server", "*"]) || value.under(&["proxy", "*"]);
    let found = if password && member {
        judge::decoded(&SERVER, Grade::Strong, (Kind::Password, &value.value), value.raw)
    } else {
        let name = value.path.last().filter(|_| value.is_text(&["properties", "*"]))?;
        let kind = judge::secretive(name).filter(|_| !judge::is_setting(&value.value))?;
        let found = judge::decoded(&SERVER, Grade::Plausible, (kind, &value.value), value.raw);
        found.fact("name", piece::text(name))
    };
    let child = |name| xml::child(block, value.parent, name);
    let found = found
        .fact("server", child("id"))
        .fact("user", child("username"))
        .fact("host", child("host"));
    Some(if is_encrypted(&value.value) {
        found.fact("form", "encrypted").fact("decrypts_with", "settings-security.xml")
    } else {
        found
    })
}

/// The master password, opened; as it stands when it does not open.
fn master(value: &Part<'_>) -> Match {
    let inside = brackets(&value.value).unwrap_or(&value.value);
    match obscured::maven_master(inside) {
        Some(plain) => store::revealed(&MASTER, (Kind::Password, &plain), value.raw, "maven")
            .fact("decrypts_with", "the key that is part of Maven"),
        None => judge::decoded(&MASTER, Grade::Strong, (Kind::Token, &value.value), value.raw),
    }
    .fact("decrypts", "settings.xml")
}

fn is_encrypted(value: &[u8]) -> bool {
    brackets(value).is_some_and(|inside| inside.len() >= 32)
}

/// What stands between `{` and `}`, whatever remark is around them.
pub(super) fn brackets(value: &[u8]) -> Option<&[u8]> {
    let start = value.iter().position(|&b| b == b'{')?;
    let rest = value.get(start + 1..)?;
    let inside = rest.get(..rest.iter().position(|&b| b == b'}')?)?;
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    (!inside.is_empty() && inside.iter().all(base64)).then_some(inside)
}
