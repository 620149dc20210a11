//! Registry tokens of Cargo
//! ([format](https://doc.rust-lang.org/cargo/reference/config.html#credentials)).

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "cargo credentials", applies, run };

static TOKEN: Rule = Rule {
    id: "cargo.token",
    title: "Token for a crate registry",
    severity: Severity::High,
    rotate: "Revoke the token at the registry (crates.io: Account Settings, API Tokens), look for versions that were published with it, and log in at build time.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            ".cargo/credentials",
            ".cargo/credentials.toml",
            ".cargo/config",
            ".cargo/config.toml",
            "cargo/credentials.toml",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    for entry in ini::entries(Piece::whole(&blob.bytes)) {
        let named = matches!(entry.name.bytes, b"token" | b"secret-key");
        let registry = entry.section.bytes;
        if !named || entry.value.is_empty() || !registry.starts_with(b"registr") {
            continue;
        }
        let name = registry.strip_prefix(b"registries.").unwrap_or(b"crates.io");
        let found = judge::found(&TOKEN, Grade::Strong, Kind::Token, entry.value);
        let name = super::piece::text(name);
        out(Out::Match(found.fact("registry", name.trim_matches('"'))));
    }
    Ok(())
}
