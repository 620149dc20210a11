//! Git's stores: `.git-credentials` ([format](https://git-scm.com/docs/git-credential-store)) and
//! logins in its configuration.

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::uri::{self, Login};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "git credentials", applies, run };

static CREDENTIALS: Rule = Rule {
    id: "git.credentials",
    title: "Login for a git host",
    severity: Severity::High,
    rotate: "Revoke the token (or change the password) at the git host and use a credential helper that keeps it off the disk.",
};

const STORES: [&str; 2] = [".git-credentials", "git/credentials"];

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &STORES)
        || paths::ends_with_any(
            &blob.name,
            &[".git/config", ".gitconfig", "git/config", "*.git/config"],
        )
        || (paths::under(&blob.name, ".git/modules") && paths::file_name(&blob.name) == b"config")
        || paths::ends_with(&blob.name, "etc/gitconfig")
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    for found in uri::logins(text).filter_map(token_or_password) {
        out(Out::Match(found));
    }
    for entry in ini::entries(text) {
        if !entry.name.bytes.eq_ignore_ascii_case(b"extraheader") {
            continue;
        }
        let Some((name, value)) = entry.value.split_once(b':') else { continue };
        if name.bytes.trim_ascii().eq_ignore_ascii_case(b"authorization") {
            let host = entry.section.bytes.split(|&b| b == b'"').nth(1).unwrap_or_default();
            let found = uri::authorization(&CREDENTIALS, value);
            if let Some(found) = found.map(|f| f.fact("host", super::piece::text(host))) {
                out(Out::Match(found));
            }
        }
    }
    Ok(())
}

/// Users under which a token stands in the place of the password.
const TOKEN_USERS: [&[u8]; 5] = [
    b"x-access-token",
    b"oauth2",
    b"x-token-auth",
    b"gitlab-ci-token",
    b"x-bitbucket-api-token-auth",
];

/// The match of a login; some hosts take a token as the user, with nothing of worth behind it.
fn token_or_password(login: Login<'_>) -> Option<Match> {
    let empty_word = [&b""[..], b"x-oauth-basic", b"x"].contains(&login.password.bytes);
    let kind = match empty_word {
        true if login.user.bytes.len() < 20 => return None,
        true => {
            let found = judge::found(&CREDENTIALS, Grade::Strong, Kind::Token, login.user);
            return Some(found.fact("host", login.host.text()));
        }
        false if TOKEN_USERS.contains(&login.user.bytes) => Kind::Token,
        false => Kind::Password,
    };
    let plain = uri::unescape(login.password.bytes);
    let found = judge::decoded(&CREDENTIALS, Grade::Strong, (kind, &plain), login.password);
    Some(found.fact("user", login.user.text()).fact("host", login.host.text()))
}
