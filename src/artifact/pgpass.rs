//! `.pgpass`: `PostgreSQL` passwords
//! ([format](https://www.postgresql.org/docs/current/libpq-pgpass.html)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "pgpass", applies, run };

static PASSWORD: Rule = Rule {
    id: "pgpass.password",
    title: "PostgreSQL password in .pgpass",
    severity: Severity::High,
    rotate: "Change the role's password (ALTER ROLE … PASSWORD) and keep .pgpass out of images.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &[".pgpass", "pgpass.conf", ".pgpass.*"])
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    for line in Piece::whole(&blob.bytes).lines() {
        if line.bytes.starts_with(b"#") {
            continue;
        }
        let Some((host, rest)) = field(line) else { continue };
        let Some((port, rest)) = field(rest) else { continue };
        let Some((database, rest)) = field(rest) else { continue };
        let Some((user, rest)) = field(rest) else { continue };
        let password = field(rest).map_or(rest, |(password, _)| password);
        if password.is_empty() {
            continue;
        }
        let plain = unescape(password.bytes);
        let found = judge::decoded(&PASSWORD, Grade::Strong, (Kind::Password, &plain), password)
            .fact("host", host.text())
            .fact("port", port.text())
            .fact("database", database.text())
            .fact("user", user.text());
        out(Out::Match(found));
    }
    Ok(())
}

/// What stands before and after the first colon without a backslash before it.
fn field(text: Piece<'_>) -> Option<(Piece<'_>, Piece<'_>)> {
    let mut escaped = false;
    let end = text.bytes.iter().position(|&b| {
        let ends = b == b':' && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    })?;
    Some((text.sub(0, end), text.from(end + 1)))
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut escaped = false;
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        escaped = byte == b'\\' && !escaped;
        if !escaped {
            out.push(byte);
        }
    }
    out
}
