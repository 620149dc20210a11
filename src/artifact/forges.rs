//! Logins of the command lines of git hosts: gh ([manual](https://cli.github.com/manual/)), hub,
//! glab and tea.

use super::Artifact;
use super::judge::Kind;
use super::paths;
use super::piece::Piece;
use super::store::{self, From, Slot};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "git host login", applies, run };

static TOKEN: Rule = Rule {
    id: "git.host_token",
    title: "Login of a git host's command line",
    severity: Severity::High,
    rotate: "Revoke the token at the git host (GitHub: Settings, Applications), review its use in the audit log, and log in with one that ends.",
};

const SLOTS: [Slot; 5] = [
    slot(&["*", "oauth_token"], &[("host", From::Up(1)), ("user", From::Beside(&["user"]))]),
    slot(&["*", "users", "*", "oauth_token"], &[("host", From::Up(3)), ("user", From::Up(1))]),
    slot(&["*", "[]", "oauth_token"], &[("host", From::Up(2)), ("user", From::Beside(&["user"]))]),
    slot(&["hosts", "*", "token"], &[("host", From::Up(1)), ("user", From::Beside(&["user"]))]),
    slot(
        &["logins", "[]", "token"],
        &[("host", From::Beside(&["url"])), ("user", From::Beside(&["user"]))],
    ),
];

const fn slot(path: &'static [&'static str], facts: &'static [(&'static str, From)]) -> Slot {
    Slot { rule: &TOKEN, path, kind: Kind::Token, facts }
}

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &["gh/hosts.yml", ".config/hub", "glab-cli/config.yml", "tea/config.yml"],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    store::secrets(Piece::whole(&blob.bytes), &SLOTS, &mut |found| out(Out::Match(found)))
}
