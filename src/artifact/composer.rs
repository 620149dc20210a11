//! Logins of Composer: `auth.json`
//! ([format](https://getcomposer.org/doc/articles/authentication-for-private-packages.md)).

use super::Artifact;
use super::judge::Kind;
use super::paths;
use super::piece::Piece;
use super::store::{self, From, Slot};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Rule, Severity};
use memchr::memmem;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "composer auth", applies, run };

static LOGIN: Rule = Rule {
    id: "composer.login",
    title: "Login for a PHP package repository or its git host",
    severity: Severity::High,
    rotate: "Revoke the token (or change the password) at the named host and give it to builds in COMPOSER_AUTH.",
};

const HOST: (&str, From) = ("host", From::Up(0));
const SLOTS: [Slot; 11] = [
    slot(
        &["http-basic", "*", "password"],
        Kind::Password,
        &[("host", From::Up(1)), ("user", From::Beside(&["username"]))],
    ),
    slot(&["bearer", "*"], Kind::Token, &[HOST]),
    slot(&["github-oauth", "*"], Kind::Token, &[HOST]),
    slot(&["gitlab-oauth", "*"], Kind::Token, &[HOST]),
    slot(&["gitlab-oauth", "*", "token"], Kind::Token, &[("host", From::Up(1))]),
    slot(&["gitlab-token", "*"], Kind::Token, &[HOST]),
    slot(
        &["gitlab-token", "*", "token"],
        Kind::Token,
        &[("host", From::Up(1)), ("user", From::Beside(&["username"]))],
    ),
    slot(
        &["bitbucket-oauth", "*", "consumer-secret"],
        Kind::Token,
        &[("host", From::Up(1)), ("user", From::Beside(&["consumer-key"]))],
    ),
    slot(
        &["bitbucket-oauth", "*", "access-token"],
        Kind::Token,
        &[("host", From::Up(1)), ("expires", From::Beside(&["access-token-expiration"]))],
    ),
    slot(&["forgejo-token", "*", "token"], Kind::Token, &[("host", From::Up(1))]),
    slot(&["custom-headers", "*", "[]"], Kind::Token, &[("host", From::Up(1))]),
];

const fn slot(
    path: &'static [&'static str],
    kind: Kind,
    facts: &'static [(&'static str, From)],
) -> Slot {
    Slot { rule: &LOGIN, path, kind, facts }
}

/// Others name their files so too; the names inside tell.
fn applies(blob: &Blob<'_>) -> bool {
    let keys = ["\"http-basic\"", "-oauth\"", "-token\"", "\"bearer\"", "\"custom-headers\""];
    paths::ends_with(&blob.name, "auth.json")
        && keys.iter().any(|key| memmem::find(&blob.bytes, key.as_bytes()).is_some())
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    store::secrets(Piece::whole(&blob.bytes), &SLOTS, &mut |found| out(Out::Match(found)))
}
