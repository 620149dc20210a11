//! Logins for gem servers: `~/.gem/credentials`
//! ([format](https://guides.rubygems.org/api-key-scopes/)) and Bundler's configuration
//! ([format](https://bundler.io/man/bundle-config.1.html)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::uri;
use super::yaml::{self, Leaf};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "gem credentials", applies, run };

static LOGIN: Rule = Rule {
    id: "gem.login",
    title: "Login for a gem server",
    severity: Severity::High,
    rotate: "Revoke the key at the gem server, look for versions that were pushed with it, and log in at build time.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &[".gem/credentials", "gem/credentials", ".bundle/config"])
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    for found in uri::logins(text).filter_map(|login| login.found(&LOGIN)) {
        out(Out::Match(found));
    }
    let bundler = blob.name.ends_with(b"config");
    let (leaves, result) = yaml::leaves(text);
    for leaf in leaves.iter().filter(|leaf| leaf.path.len() == 1 && !leaf.value.is_empty()) {
        let found = if bundler { of_bundler(leaf) } else { Some(of_gem(leaf)) };
        if let Some(found) = found {
            out(Out::Match(found));
        }
    }
    result
}

/// `:rubygems_api_key: key`, `https://host: key`.
fn of_gem(leaf: &Leaf<'_>) -> Match {
    let found = judge::decoded(&LOGIN, Grade::Strong, (Kind::Token, &leaf.value), leaf.raw);
    found.fact("host", piece::text(leaf.key().strip_prefix(b":").unwrap_or(leaf.key())))
}

/// `BUNDLE_GEMS__EXAMPLE__COM: "user:password"`; other names are settings.
fn of_bundler(leaf: &Leaf<'_>) -> Option<Match> {
    let name = leaf.key().strip_prefix(b"BUNDLE_")?;
    let name = String::from_utf8_lossy(name).replace("___", "-").replace("__", ".");
    let host = name.to_ascii_lowercase();
    let setting = ["build.", "local.", "mirror.", "disable_", "without", "with.", "ssl_"];
    let path = leaf.value.starts_with(b"/") || leaf.value.starts_with(b"-");
    if !host.contains('.') || setting.iter().any(|s| host.starts_with(s)) || path {
        return None;
    }
    let found = match leaf.raw.split_once(b':') {
        Some((user, password)) if !password.is_empty() && !password.bytes.starts_with(b"//") => {
            let found = judge::found(&LOGIN, Grade::Strong, Kind::Password, password);
            found.fact("user", user.text())
        }
        None if leaf.value.len() >= 12 => {
            judge::decoded(&LOGIN, Grade::Strong, (Kind::Token, &leaf.value), leaf.raw)
        }
        _ => return None,
    };
    Some(found.fact("host", piece::text(host.as_bytes())))
}
