//! Logins of `NuGet`: `NuGet.Config`
//! ([format](https://learn.microsoft.com/en-us/nuget/reference/nuget-config-file)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::xml::{self, Part};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "nuget config", applies, run };

static LOGIN: Rule = Rule {
    id: "nuget.login",
    title: "Login for a NuGet source",
    severity: Severity::High,
    rotate: "Revoke the token (or change the password) at the package source and give it to builds in NuGetPackageSourceCredentials_….",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::file_name(&blob.name).eq_ignore_ascii_case(b"nuget.config")
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (values, result) = xml::values(Piece::whole(&blob.bytes));
    // The members of one source stand together, and so do the key and the value of each.
    for source in values.chunk_by(|a, b| a.parent == b.parent) {
        let members: Vec<_> =
            source.chunk_by(|a, b| a.element == b.element).filter_map(member).collect();
        let user = members.iter().find(|m| m.key.eq_ignore_ascii_case(b"username"));
        let user = user.map(|m| piece::text(&m.value.value)).unwrap_or_default();
        for member in &members {
            if let Some(found) = login(member) {
                out(Out::Match(found.fact("user", user.as_str())));
            }
        }
    }
    result
}

/// One `<add key="…" value="…"/>`.
struct Member<'v, 'a> {
    key: &'v [u8],
    value: &'v Part<'a>,
}

fn member<'v, 'a>(attributes: &'v [Part<'a>]) -> Option<Member<'v, 'a>> {
    let named = |name: &[u8]| attributes.iter().find(|value| value.attribute == name);
    let value = named(b"value").filter(|value| !value.value.is_empty())?;
    Some(Member { key: named(b"key")?.value.as_ref(), value })
}

fn login(member: &Member<'_, '_>) -> Option<Match> {
    let value = member.value;
    let source = value.path.iter().rev().nth(1).copied().unwrap_or_default();
    let credentials = value.under(&["packageSourceCredentials", "*", "add"]);
    let (kind, encrypted) = match member.key.to_ascii_lowercase().as_slice() {
        b"cleartextpassword" if credentials => (Kind::Password, false),
        b"password" if credentials => (Kind::Token, true),
        _ if value.under(&["apikeys", "add"]) => (Kind::Token, true),
        b"http_proxy.password" => (Kind::Token, true),
        _ => return None,
    };
    let found = judge::decoded(&LOGIN, Grade::Strong, (kind, &value.value), value.raw);
    let source = if credentials {
        piece::text(source).replace("_x0020_", " ")
    } else {
        piece::text(member.key)
    };
    let found = found.fact("source", source);
    // What Windows encrypts, the user's own keys open; elsewhere NuGet does not encrypt at all.
    Some(if encrypted {
        let found = judge::at_most(found, Severity::Medium);
        found.fact("form", "encrypted").fact("decrypts_with", "DPAPI key of the user")
    } else {
        found
    })
}
