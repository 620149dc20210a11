//! Package indexes of Python: `.pypirc`
//! ([format](https://packaging.python.org/en/latest/specifications/pypirc/)), pip's and conda's
//! configuration, Poetry's and uv's logins.

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::uri;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "python index", applies, run };

static LOGIN: Rule = Rule {
    id: "pypi.login",
    title: "Login for a Python package index",
    severity: Severity::High,
    rotate: "Revoke the token (or change the password) at the index, look for versions that were published with it, and log in at build time.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            ".pypirc",
            "pip.conf",
            "pip.ini",
            ".pip/pip.conf",
            ".pydistutils.cfg",
            "pypoetry/auth.toml",
            "uv/uv.toml",
            "uv/credentials/credentials.toml",
            ".condarc",
            "conda/condarc",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    for found in uri::logins(text).filter_map(|login| login.found(&LOGIN)) {
        out(Out::Match(found));
    }
    conda_tokens(text, out);
    let entries: Vec<_> = ini::entries(text).collect();
    for section in entries.chunk_by(|a, b| a.section.at == b.section.at) {
        let value = |names: [&[u8]; 2]| {
            let entry = section.iter().find(|entry| names.contains(&entry.name.bytes));
            entry.map(|entry| entry.value).unwrap_or_default()
        };
        let user = value([b"username", b"user"]);
        let index = value([b"repository", b"service"]);
        for entry in section.iter().filter(|entry| !entry.value.is_empty()) {
            let token = user.bytes == b"__token__" || entry.name.bytes == b"token";
            // Poetry's tokens stand under the name of the index.
            let named = entry.section.bytes == b"pypi-token";
            let kind = match entry.name.bytes {
                _ if named => Kind::Token,
                b"password" | b"token" if token => Kind::Token,
                b"password" => Kind::Password,
                _ => continue,
            };
            let section = if named { entry.name } else { entry.section };
            let found = judge::found(&LOGIN, Grade::Strong, kind, entry.value)
                .fact("index", section.text())
                .fact("user", user.text())
                .fact("host", index.text());
            out(Out::Match(found));
        }
    }
    Ok(())
}

/// Anaconda's channels: `https://conda.anaconda.org/t/<token>/channel`.
fn conda_tokens(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    for word in text.words() {
        let Some(at) = word.bytes.windows(3).position(|w| w == b"://") else { continue };
        let mut parts = word.from(at + 3).unquote().split(b'/');
        let (Some(host), Some(mark), Some(token)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if mark.bytes == b"t" && token.bytes.len() >= 8 {
            let found = judge::found(&LOGIN, Grade::Strong, Kind::Token, token);
            out(Out::Match(found.fact("host", host.text())));
        }
    }
}
