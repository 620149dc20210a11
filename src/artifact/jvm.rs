//! Properties of build tools on the JVM: `gradle.properties`
//! ([format](https://docs.gradle.org/current/userguide/build_environment.html)), and the
//! credentials of sbt and Ivy.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::store;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "jvm build", applies, run };

static PROPERTY: Rule = Rule {
    id: "gradle.property",
    title: "Secret in a build's properties",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and give it to the build at run time (ORG_GRADLE_PROJECT_…).",
};

static LOGIN: Rule = Rule {
    id: "sbt.login",
    title: "Login for an artifact repository",
    severity: Severity::High,
    rotate: "Change the password (or revoke the token) at the repository server and give it to builds at run time.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "gradle.properties",
            ".sbt/*credentials",
            ".sbt/*/*credentials",
            ".ivy2/*credentials",
            "coursier/credentials.properties",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let entries: Vec<_> = Piece::whole(&blob.bytes).lines().filter_map(property).collect();
    if !paths::ends_with(&blob.name, "gradle.properties") {
        logins(&entries, out);
        return Ok(());
    }
    for (name, value) in &entries {
        // The user of `nexusPassword` is `nexusUsername`.
        let stem = |name: &[u8]| {
            let lower = name.to_ascii_lowercase();
            let ends = [&b"username"[..], b"user", b"password", b"passwd", b"token", b"secret"];
            let end = ends.iter().find(|end| lower.ends_with(end)).map_or(0, |end| end.len());
            lower.get(..lower.len() - end).map(<[u8]>::to_vec)
        };
        let is_user = |name: &[u8]| name.to_ascii_lowercase().windows(4).any(|w| w == b"user");
        store::variable(&PROPERTY, name.bytes, (value.bytes, *value), &mut |found| {
            let near = entries.iter().take(crate::limits::STORE_NEIGHBOURS);
            let user =
                near.clone().find(|e| is_user(e.0.bytes) && stem(e.0.bytes) == stem(name.bytes));
            let user = user.map(|e| e.1.text()).unwrap_or_default();
            out(Out::Match(found.fact("user", user)));
        });
    }
    Ok(())
}

/// `name=value`, `name: value` or `name value`.
fn property(line: Piece<'_>) -> Option<(Piece<'_>, Piece<'_>)> {
    let line = line.trim();
    if matches!(line.bytes, [] | [b'#' | b'!', ..]) {
        return None;
    }
    let mut escaped = false;
    let sign = line.bytes.iter().position(|&b| {
        let ends = b"=: \t".contains(&b) && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    })?;
    let value = line.from(sign).trim();
    let value = value.strip_prefix(b"=").or(value.strip_prefix(b":")).unwrap_or(value);
    Some((line.sub(0, sign), value.trim()))
}

/// `realm`, `host`, `user`, `password`; coursier writes `name.password`.
fn logins(entries: &[(Piece<'_>, Piece<'_>)], out: &mut dyn FnMut(Out<'_>)) {
    let last =
        |name: Piece<'_>| name.bytes.rsplit(|&b| b == b'.').next().unwrap_or_default().to_vec();
    let before = |name: Piece<'_>| {
        let end = name.bytes.iter().rposition(|&b| b == b'.').unwrap_or(0);
        name.sub(0, end).bytes.to_vec()
    };
    let near = entries.get(..crate::limits::STORE_NEIGHBOURS).unwrap_or(entries);
    for (name, value) in entries.iter().filter(|(_, value)| !value.is_empty()) {
        if !matches!(last(*name).as_slice(), b"password" | b"pass") {
            continue;
        }
        let value_of = |wanted: [&[u8]; 2]| {
            let entry = near.iter().find(|(other, _)| {
                wanted.contains(&last(*other).as_slice()) && before(*other) == before(*name)
            });
            entry.map(|(_, value)| value.text()).unwrap_or_default()
        };
        let found = judge::found(&LOGIN, Grade::Strong, Kind::Password, *value)
            .fact("host", value_of([b"host", b"hosts"]))
            .fact("user", value_of([b"user", b"username"]))
            .fact("realm", value_of([b"realm", b"realm"]));
        out(Out::Match(found));
    }
}
