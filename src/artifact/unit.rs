//! systemd units and their drop-ins
//! ([systemd.exec(5)](https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html)):
//! environment, commands, and credentials set in clear; supervisor programs.

use super::Artifact;
use super::aws;
use super::dotenv;
use super::history;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};
use crate::limits;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "service unit", applies, run };

static COMMAND: Rule = Rule {
    id: "unit.command.secret",
    title: "Secret in the command line of a service",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and hand it to the program as a credential (LoadCredential=) or from a secrets manager.",
};

static CREDENTIAL: Rule = Rule {
    id: "unit.credential",
    title: "Credential set in clear in a service unit",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and load it at run time (LoadCredentialEncrypted= bound to the machine's TPM).",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "*.service",
            "*.service.d/*.conf",
            "*.socket",
            "*.mount",
            "containers/systemd/*.container",
            "system.conf.d/*.conf",
            "systemd/system.conf",
            "systemd/user.conf",
            "supervisord.conf",
            "supervisor/conf.d/*.conf",
            "supervisord.d/*.ini",
            "supervisord.d/*.conf",
            "etc/init/*.conf",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let mut profile = aws::Profile::default();
    let mut result = Ok(());
    for line in joined(Piece::whole(&blob.bytes)) {
        let line = line.trim();
        // Upstart writes `env NAME=value` and `exec command`.
        if let Some(variable) = line.strip_prefix(b"env ") {
            dotenv::variable(variable.trim(), &mut profile, out);
            continue;
        }
        let (name, value) = match line.strip_prefix(b"exec ") {
            Some(command) => (Piece { bytes: b"Exec", at: line.at }, command),
            None => match line.split_once(b'=') {
                Some((name, value)) => (name.trim(), value.trim()),
                None => continue,
            },
        };
        match name.bytes {
            b"Environment" | b"DefaultEnvironment" | b"ManagerEnvironment" => {
                for word in words(value) {
                    dotenv::variable(word, &mut profile, out);
                }
            }
            // Supervisor separates with commas.
            b"environment" => {
                for pair in words(value).flat_map(|word| word.split(b',')) {
                    dotenv::variable(pair.trim(), &mut profile, out);
                }
            }
            b"SetCredential" => credential(value, out),
            b"command" => result = result.and(command(value, out)),
            name if name.starts_with(b"Exec") => result = result.and(command(value, out)),
            b"password" => {
                let found = judge::found(&CREDENTIAL, Grade::Strong, Kind::Password, value);
                if !value.is_empty() {
                    out(Out::Match(found.fact("name", name.text())));
                }
            }
            _ => {}
        }
    }
    profile.report(out);
    result
}

/// The lines, those that end in a backslash together with the next.
pub(super) fn joined(text: Piece<'_>) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0usize;
        loop {
            let more = rest.from(end);
            let line = memchr::memchr(b'\n', more.bytes).unwrap_or(more.bytes.len());
            end = end.saturating_add(line).saturating_add(1);
            let whole = rest.sub(0, end.saturating_sub(1));
            let goes_on = whole.bytes.ends_with(b"\\") || whole.bytes.ends_with(b"\\\r");
            if !goes_on || end >= rest.bytes.len().min(limits::JOINED_BYTES) {
                rest = rest.from(end);
                return Some(whole);
            }
        }
    })
}

fn command(line: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    // What stands before the path says how it is run.
    let marks = line.bytes.iter().take_while(|b| b"-+!@:".contains(b)).count();
    let line = line.from(marks);
    // What joins lines is white space, of the same length, so that every word keeps its place.
    let mut bytes = line.bytes.to_vec();
    for at in memchr::memchr_iter(b'\n', line.bytes) {
        for before in (at.saturating_sub(2)..=at).rev() {
            let joins = bytes.get_mut(before).filter(|b| matches!(b, b'\n' | b'\r' | b'\\'));
            let Some(byte) = joins else { break };
            *byte = b' ';
        }
    }
    let line = Piece { bytes: &bytes, at: line.at };
    history::secrets(&COMMAND, line, &mut |found| out(Out::Match(found)))
}

fn credential(value: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let Some((name, secret)) = value.split_once(b':') else { return };
    if !secret.is_empty() {
        let found = judge::found(&CREDENTIAL, Grade::Strong, Kind::Token, secret);
        out(Out::Match(found.fact("name", name.text())));
    }
}

/// The words of an `Environment=`: each whole in quotes, or without white space; quotes inside
/// belong to the word.
fn words(text: Piece<'_>) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim();
        while let [b'\\', b'\r' | b'\n', ..] = rest.bytes {
            rest = rest.from(1).trim();
        }
        let quote = rest.bytes.first().copied().filter(|b| matches!(b, b'"' | b'\''));
        let start = usize::from(quote.is_some());
        let inside = rest.from(start);
        let mut open = quote;
        let end = inside.bytes.iter().position(|&b| match (quote, open) {
            (Some(quote), _) => b == quote,
            (None, Some(inner)) => {
                if b == inner {
                    open = None;
                }
                false
            }
            (None, None) => {
                open = Some(b).filter(|b| matches!(b, b'"' | b'\''));
                b.is_ascii_whitespace()
            }
        });
        let word = inside.sub(0, end.unwrap_or(usize::MAX));
        rest = inside.from(word.bytes.len() + start);
        (!word.is_empty()).then_some(word)
    })
}
