//! Environment files: `.env`, `/etc/environment`, `/etc/default/*` and shell start-up files, read as
//! `NAME=value` lines.

use super::Artifact;
use super::aws;
use super::docker;
use super::judge;
use super::paths;
use super::piece::Piece;
use super::uri;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Harmless, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "environment file", applies, run };

static SECRET: Rule = Rule {
    id: "env.secret",
    title: "Secret in an environment file",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and hand it to the program at run time, from a secrets manager.",
};

fn applies(blob: &Blob<'_>) -> bool {
    let name = &blob.name;
    paths::ends_with_any(
        name,
        &[
            ".env",
            ".env.*",
            "*.env",
            ".envrc",
            ".env-*",
            ".env_*",
            "etc/environment",
            "etc/default/*",
            "etc/sysconfig/*",
            "environment.d/*.conf",
            "profile.d/*.sh",
            ".bashrc",
            ".bash_profile",
            ".profile",
            ".zshrc",
            ".zshenv",
            ".zprofile",
            "etc/profile",
            "etc/bash.bashrc",
            "etc/bashrc",
            "ecs/ecs.config",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let mut profile = aws::Profile::default();
    for line in Piece::whole(&blob.bytes).lines() {
        variable(line.trim(), &mut profile, out);
    }
    profile.report(out);
    Ok(())
}

/// One `NAME=value`.
pub(super) fn variable<'a>(
    line: Piece<'a>,
    profile: &mut aws::Profile<'a>,
    out: &mut dyn FnMut(Out<'_>),
) {
    let line = line.strip_prefix(b"export ").map_or(line, Piece::trim);
    let Some((name, value)) = line.split_once(b'=') else { return };
    let name = name.trim();
    let named = !name.is_empty()
        && name.bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b));
    let value = value_of(value);
    if !named || value.is_empty() {
        return;
    }
    match name.bytes {
        b"AWS_ACCESS_KEY_ID" => profile.id = value,
        b"AWS_SECRET_ACCESS_KEY" => profile.secret = value,
        b"AWS_SESSION_TOKEN" => profile.token = value,
        // The ECS agent's registries, as Docker writes them. What is damaged in it is no more
        // than a value that does not parse.
        b"ECS_ENGINE_AUTH_DATA" => drop(docker::logins(value, out)),
        _ => secret(name, value, out),
    }
}

fn secret(name: Piece<'_>, value: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let mut by_uri = false;
    for found in uri::logins(value).filter_map(|login| login.found(&SECRET)) {
        by_uri = true;
        out(Out::Match(found.fact("name", name.text())));
    }
    let Some(kind) = judge::secretive(name.bytes).filter(|_| !by_uri) else { return };
    if judge::is_setting(value.bytes) || value.bytes.starts_with(b"-----BEGIN") {
        return;
    }
    let mut found = judge::found(&SECRET, Grade::Plausible, kind, value);
    if judge::is_expansion(value.bytes) {
        found.harmless = Some(Harmless::Placeholder);
    }
    out(Out::Match(found.fact("name", name.text())));
}

/// The value of an assignment: what the quotes hold, or all before the comment.
fn value_of(value: Piece<'_>) -> Piece<'_> {
    let value = value.trim();
    if let Some(&quote @ (b'"' | b'\'')) = value.bytes.first() {
        let inside = value.from(1);
        let mut escaped = false;
        let end = inside.bytes.iter().position(|&b| {
            let ends = b == quote && !escaped;
            escaped = quote == b'"' && b == b'\\' && !escaped;
            ends
        });
        inside.sub(0, end.unwrap_or(usize::MAX))
    } else {
        let end = value.bytes.windows(2).position(|w| w == b" #" || w == b"\t#");
        value.sub(0, end.unwrap_or(usize::MAX)).trim()
    }
}
