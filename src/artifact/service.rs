//! Configuration of services: databases, mail, directories, monitoring agents, proxies and network
//! equipment. Each file is read in the grammar of its program and judged by the names in it.

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::service_files::{FILES, File, Form};
use super::settings::{self, Judge, Name, Setting};
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "service configuration", applies, run };

static SECRET: Rule = Rule {
    id: "svc.conf",
    title: "Secret in the configuration of a service",
    severity: Severity::High,
    rotate: "Change the secret at the service and at its clients, and write the file at boot, from a secrets manager.",
};

fn file(path: &[u8]) -> Option<&'static File> {
    FILES.iter().find(|file| paths::ends_with_any(path, file.tails))
}

fn applies(blob: &Blob<'_>) -> bool {
    file(&blob.name).is_some()
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let Some(file) = file(&blob.name) else { return Ok(()) };
    let text = Piece::whole(&blob.bytes);
    let judge = Judge { rule: &SECRET, grade: Grade::Strong, path: &blob.name };
    let mut report = |mut settings: Vec<Setting<'_>>| {
        for setting in &mut settings {
            name_it(file, setting);
        }
        settings::report(judge, &settings, &mut |setting, found| {
            let mut found = found.fact("service", file.service);
            if file.is_network() || setting.name.key().ends_with(b"community") {
                found = judge::at_most(found, Severity::Medium);
            }
            if let Some(opener) = decrypts_with(setting.name.key(), setting.value) {
                found = found.fact("protection", "plaintext-equivalent");
                found = found.fact("decrypts_with", opener);
            }
            out(Out::Match(found));
        });
    };
    match file.form {
        Form::Ini => {
            let mut settings = settings::of_entries(ini::entries(text));
            settings.iter_mut().for_each(unquote);
            report(settings);
            Ok(())
        }
        Form::Tree => {
            let (leaves, result) = yaml::leaves(text);
            report(settings::of_leaves(&leaves));
            result
        }
        Form::Words => {
            report(directives(text, file));
            Ok(())
        }
        Form::Blocks => {
            report(blocks(text));
            Ok(())
        }
    }
}

/// Give names that mean a secret to this program alone their meaning.
fn name_it(file: &File, setting: &mut Setting<'_>) {
    let key = setting.name.key();
    let known = file.names.iter().find(|(name, _)| is_named(key, name));
    if let Some((_, kind)) = known.filter(|_| !judge::is_setting(setting.value)) {
        setting.kind = Some(*kind);
    }
}

fn is_named(name: &[u8], known: &str) -> bool {
    name.eq_ignore_ascii_case(known.as_bytes())
}

/// Directives that sound like secrets and are none.
const NO_SECRETS: [&str; 4] = ["ServerTokens", "server_tokens", "pam_password", "pam_passwd"];

/// The two quotes that are left of three, as Grafana and TOML write them.
fn unquote(setting: &mut Setting<'_>) {
    let raw = setting.raw;
    if raw.bytes.len() > 4 && raw.bytes.starts_with(b"\"\"") && raw.bytes.ends_with(b"\"\"") {
        setting.raw = raw.sub(2, raw.bytes.len() - 2);
        setting.value = setting.raw.bytes;
    }
}

/// What opens a value that its program keeps encrypted.
fn decrypts_with(name: &[u8], value: &[u8]) -> Option<&'static str> {
    if value.starts_with(b"$7$") || value.starts_with(b"$1$") && name.ends_with(b"assword") {
        return Some("splunk.secret");
    }
    name.eq_ignore_ascii_case(b"obfuscated_password").then_some("a key in the value itself")
}

/// Lines of words, the name first: `requirepass x`, `set name "x"`. A line that knows more than one
/// value gives each pair of neighbours, so that `stats auth u:p` and `login x password y` are found.
///
/// Only the first word of a line is judged by what it says; those behind it must be known.
fn directives<'a>(text: Piece<'a>, file: &File) -> Vec<Setting<'a>> {
    let mut found = Vec::new();
    let mut group = 0;
    for line in text.lines() {
        let line = line.trim();
        // What starts at the margin starts a new block in most of these formats.
        if line.is_empty() {
            group = line.at;
        }
        if matches!(line.bytes, [b'#' | b';' | b'!', ..] | []) {
            continue;
        }
        let words: Vec<Piece<'_>> = quoted_words(line).take(64).collect();
        // The users of Redis are a table of their own.
        if file.service == "redis" && words.first().is_some_and(|word| word.bytes == b"user") {
            continue;
        }
        let block = ["account", "machine", "backend", "frontend", "listen", "userlist", "server"];
        if words.first().is_some_and(|w| block.iter().any(|b| b.as_bytes() == w.bytes)) {
            group = line.at;
        }
        for (number, pair) in words.windows(2).enumerate() {
            let [name, value] = pair else { continue };
            let known = file.names.iter().any(|(known, _)| is_named(name.bytes, known));
            let says = judge::secretive(name.bytes).is_some();
            let no_secret = NO_SECRETS.iter().any(|none| is_named(name.bytes, none));
            if !known && says && (number > 0 || no_secret) {
                continue;
            }
            let setting = Setting {
                group,
                name: Name::Text(*name),
                value: value.bytes,
                raw: *value,
                kind: None,
            };
            found.push(setting);
        }
    }
    found
}

/// The words of a line, those in quotes without them and whole; `=` between them is left out.
pub(super) fn quoted_words(line: Piece<'_>) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        loop {
            let blank = rest.bytes.iter().position(|b| !b.is_ascii_whitespace())?;
            rest = rest.from(blank);
            let word = match rest.bytes.first()? {
                b'=' => {
                    let arrow = rest.bytes.get(1) == Some(&b'>');
                    rest = rest.from(1 + usize::from(arrow));
                    continue;
                }
                &quote @ (b'"' | b'\'') => {
                    let inside = rest.from(1);
                    let end = memchr::memchr(quote, inside.bytes).unwrap_or(inside.bytes.len());
                    rest = inside.from(end + 1);
                    inside.sub(0, end)
                }
                _ => {
                    let end = rest.bytes.iter().position(u8::is_ascii_whitespace);
                    let word = rest.sub(0, end.unwrap_or(usize::MAX));
                    rest = rest.from(word.bytes.len());
                    // What ends a directive of nginx is no part of its value.
                    word.sub(0, word.bytes.len() - usize::from(word.bytes.ends_with(b";")))
                }
            };
            return Some(word);
        }
    })
}

/// `name { key = value }` blocks, one line each, as of `strongSwan`, `FreeRADIUS` and Dovecot.
fn blocks(text: Piece<'_>) -> Vec<Setting<'_>> {
    let mut found = Vec::new();
    let mut group = 0;
    for line in text.lines() {
        let line = line.trim();
        if line.bytes.starts_with(b"#") {
            continue;
        }
        if line.bytes.ends_with(b"{") {
            group = line.at.saturating_add(1);
            // The address of a RADIUS client is its block's name.
            if let Some(label) = line.sub(0, line.bytes.len() - 1).words().nth(1) {
                let name = Name::Text(Piece { bytes: b"host", at: label.at });
                found.push(Setting { group, name, value: label.bytes, raw: label, kind: None });
            }
            continue;
        }
        let Some((name, raw)) = line.split_once(b'=') else { continue };
        let raw = raw.trim();
        let comment = raw.bytes.windows(2).position(|w| w == b" #");
        let raw = raw.sub(0, comment.unwrap_or(usize::MAX)).trim().unquote();
        let name = Name::Text(name.trim());
        found.push(Setting { group, name, value: raw.bytes, raw, kind: None });
    }
    found
}

/// What tells a password from a token in the table of files.
pub(super) const P: Kind = Kind::Password;
pub(super) const T: Kind = Kind::Token;
