//! Shell histories: what was typed, read with the grammar of the programs that were called.

use super::Artifact;
use super::command;
use super::paths;
use super::piece::Piece;
use super::shell;
use crate::blob::{Blob, Budget, Out};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Rule, Severity};
use crate::limits;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "shell history", applies, run };

static HISTORY: Rule = Rule {
    id: "history.shell",
    title: "Secret on a command line in a shell history",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens, and delete histories before making an image.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            ".bash_history*",
            ".zsh_history*",
            ".zhistory",
            ".sh_history*",
            ".ash_history*",
            ".ksh_history*",
            ".history",
            ".histfile",
            "fish_history",
            ".local/share/fish/*_history",
            ".bash_sessions/*.history*",
            ".zsh_sessions/*.history*",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let fish = paths::file_name(&blob.name).ends_with(b"fish_history");
    let user = paths::user(&blob.name).unwrap_or_default();
    let mut result = Ok(());
    for line in Piece::whole(&blob.bytes).lines() {
        let line = if fish { line.strip_prefix(b"- cmd: ") } else { Some(typed(line)) };
        let Some(line) = line else { continue };
        let of_line = secrets(&HISTORY, line, &mut |found| {
            out(Out::Match(found.fact("home", user.as_str())));
        });
        result = result.and(of_line);
    }
    result
}

/// The secrets of one line of shell.
pub(super) fn secrets(
    rule: &'static Rule,
    line: Piece<'_>,
    found: &mut dyn FnMut(crate::finding::Match),
) -> Result<()> {
    if line.bytes.len() > limits::COMMAND_BYTES {
        return Err(Error::new(ErrorKind::Limit, "a command line is too long"));
    }
    // Nothing secret is written without one of these signs.
    if line.bytes.iter().any(|b| b"=:-|<%/ ".contains(b)) {
        command::secrets(rule, &shell::commands(line), line, found);
    }
    Ok(())
}

/// The line without zsh's time stamp, `: 1700000000:0;`.
fn typed(line: Piece<'_>) -> Piece<'_> {
    let stamped = line.strip_prefix(b": ").and_then(|rest| rest.split_once(b';'));
    match stamped {
        Some((stamp, rest)) if stamp.bytes.iter().all(|b| b.is_ascii_digit() || *b == b':') => rest,
        _ => line,
    }
}
