//! Registry logins of npm and Yarn: `.npmrc`
//! ([format](https://docs.npmjs.com/cli/v11/configuring-npm/npmrc)), `.yarnrc` and `.yarnrc.yml`
//! ([format](https://yarnpkg.com/configuration/yarnrc)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::store::{self, From, Slot};
use super::uri;
use crate::blob::{Blob, Budget, Out};
use crate::credential::base64;
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};
use crate::run::Run;
use std::collections::BTreeMap;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "npm config", applies, run };

static LOGIN: Rule = Rule {
    id: "npm.login",
    title: "Login for an npm registry",
    severity: Severity::High,
    rotate: "Revoke the token at the registry (npm token revoke), look for versions that were published with it, and log in at build time.",
};

const YARN: [Slot; 4] = [
    yarn(&["npmAuthToken"], &[("registry", From::Root("npmRegistryServer"))]),
    yarn(&["npmRegistries", "*", "npmAuthToken"], &[("registry", From::Up(1))]),
    yarn(
        &["npmScopes", "*", "npmAuthToken"],
        &[("scope", From::Up(1)), ("registry", From::Beside(&["npmRegistryServer"]))],
    ),
    yarn(&["npmRegistries", "*", "npmAlwaysAuthToken"], &[("registry", From::Up(1))]),
];

const fn yarn(path: &'static [&'static str], facts: &'static [(&'static str, From)]) -> Slot {
    Slot { rule: &LOGIN, path, kind: Kind::Token, facts }
}

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[".npmrc", "etc/npmrc", "npm/npmrc", ".npmrc.*", ".yarnrc", ".yarnrc.yml"],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    // A proxy with its password, in either format.
    for found in uri::logins(text).filter_map(|login| login.found(&LOGIN)) {
        out(Out::Match(found));
    }
    if blob.name.ends_with(b".yml") {
        identities(text, out);
        return store::secrets(text, &YARN, &mut |found| out(Out::Match(found)));
    }
    let entries: Vec<_> = text.lines().filter_map(entry).collect();
    let mut users: BTreeMap<&[u8], Piece<'_>> = BTreeMap::new();
    let mut default = Piece::default();
    for entry in &entries {
        match entry.name.bytes {
            b"username" => drop(users.insert(entry.registry.bytes, entry.value)),
            b"registry" if entry.registry.is_empty() => default = entry.value,
            _ => {}
        }
    }
    for entry in entries.iter().filter(|entry| !entry.value.is_empty()) {
        let registry = if entry.registry.is_empty() { default } else { entry.registry };
        let user = users.get(entry.registry.bytes).copied().unwrap_or_default();
        if let Some(found) = login(entry.name.bytes, entry.value) {
            let found = found.fact("registry", registry.text()).fact("user", user.text());
            out(Out::Match(found));
        }
    }
    Ok(())
}

/// One setting, with the registry it is for.
struct Entry<'a> {
    registry: Piece<'a>,
    name: Piece<'a>,
    value: Piece<'a>,
}

/// `//host/path/:name=value`, or with a space for the sign.
fn entry(line: Piece<'_>) -> Option<Entry<'_>> {
    let line = line.trim();
    if matches!(line.bytes, [] | [b'#' | b';', ..]) {
        return None;
    }
    let sign = line.bytes.iter().position(|b| b"= \t".contains(b))?;
    let name = line.sub(0, sign).unquote();
    let value = line.from(sign).trim();
    let value = value.strip_prefix(b"=").unwrap_or(value).trim().unquote();
    let colon = name.bytes.iter().rposition(|&b| b == b':');
    let scoped = colon.filter(|_| name.bytes.starts_with(b"//"));
    Some(match scoped {
        Some(colon) => Entry { registry: name.sub(2, colon), name: name.from(colon + 1), value },
        None => Entry { registry: Piece::default(), name, value },
    })
}

fn login(name: &[u8], value: Piece<'_>) -> Option<Match> {
    match name {
        b"_authToken" => Some(judge::found(&LOGIN, Grade::Strong, Kind::Token, value)),
        b"_auth" => Some(
            uri::basic(&LOGIN, value)
                .unwrap_or_else(|| judge::found(&LOGIN, Grade::Plausible, Kind::Token, value)),
        ),
        b"_password" => {
            let plain = base64::decode(value.bytes)
                .filter(|plain| !plain.is_empty() && std::str::from_utf8(plain).is_ok());
            Some(match plain {
                Some(plain) => {
                    let kind = (Kind::Password, plain.as_slice());
                    judge::decoded(&LOGIN, Grade::Strong, kind, value)
                        .decoded_by("base64", Run::new(0, plain.len() as u64))
                }
                None => judge::found(&LOGIN, Grade::Plausible, Kind::Password, value),
            })
        }
        _ => None,
    }
}

/// Yarn's `npmAuthIdent`: `user:password`, in clear or as base64.
fn identities(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let (leaves, _) = super::yaml::leaves(text);
    for leaf in leaves.iter().filter(|leaf| leaf.key() == b"npmAuthIdent") {
        let found = match leaf.raw.split_once(b':') {
            Some((user, password)) if !password.is_empty() => {
                let found = judge::found(&LOGIN, Grade::Strong, Kind::Password, password);
                Some(found.fact("user", user.text()))
            }
            _ => uri::basic(&LOGIN, leaf.raw),
        };
        if let Some(found) = found {
            out(Out::Match(found.fact("registry", store::up(leaf, 1))));
        }
    }
}
