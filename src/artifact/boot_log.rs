//! Logs of what ran at boot: cloud-init's, those of user data and of `cfn-init`. Scripts print
//! there what they were given, and `set -x` prints every command.

use super::Artifact;
use super::history;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::uri;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Harmless, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "boot log", applies, run };

static LOG: Rule = Rule {
    id: "boot.log",
    title: "Secret in a log of the first boot",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens, and clean the image (cloud-init clean --logs; delete /var/log/cfn-*).",
};

static RANDOM: Rule = Rule {
    id: "boot.log.password",
    title: "Account password that was made up at boot",
    severity: Severity::Critical,
    rotate: "Change the account's password on every instance and clean the image (cloud-init clean --logs).",
};

fn applies(blob: &Blob<'_>) -> bool {
    let named =
        ["log/cloud-init*", "log/user-data*", "log/userdata*", "log/cfn-*", "log/bootstrap*"];
    paths::ends_with_any(&blob.name, &named) && !blob.bytes.starts_with(super::mime::GZIP)
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let mut result = Ok(());
    let mut made_up = false;
    for line in Piece::whole(&blob.bytes).lines() {
        if memchr::memmem::find(line.bytes, b"following 'random' passwords").is_some() {
            made_up = true;
            continue;
        }
        if let Some(found) = account(line).filter(|_| made_up) {
            out(Out::Match(found));
            continue;
        }
        made_up = false;
        result = result.and(secrets(&LOG, line, &mut |found| out(Out::Match(found))));
    }
    result
}

/// `user:password`, as cloud-init lists what it made up.
fn account(line: Piece<'_>) -> Option<Match> {
    let (user, password) = line.trim().split_once(b':')?;
    let formed = !user.is_empty() && !password.is_empty() && password.words().count() == 1;
    let plain = user.bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b));
    (formed && plain && password.trim() == password).then(|| {
        let found = judge::found(&RANDOM, Grade::Strong, Kind::Password, password);
        found.fact("user", user.text())
    })
}

/// The secrets of one line of a log.
pub(super) fn secrets(
    rule: &'static Rule,
    line: Piece<'_>,
    found: &mut dyn FnMut(Match),
) -> Result<()> {
    let traced = line.trim();
    if traced.bytes.starts_with(b"+") {
        let marks = traced.bytes.iter().take_while(|&&b| b == b'+').count();
        let command = traced.from(marks);
        if command.bytes.starts_with(b" ") {
            return history::secrets(rule, command, found);
        }
    }
    let line = line.sub(0, crate::limits::COMMAND_BYTES);
    for one in uri::logins(line).filter_map(|login| login.found(rule)) {
        found(one);
    }
    let mut before = [Piece::default(); 2];
    let mut words = line.words().peekable();
    while let Some(word) = words.next() {
        let last = words.peek().is_none();
        if let Some((kind, value)) = assigned(word) {
            keep(rule, (kind, value), found);
        } else if let Some(kind) = announced(before).filter(|_| last) {
            keep(rule, (kind, word.unquote()), found);
        }
        before = [before[1], word];
    }
    // MySQL's own way to say it.
    if memchr::memmem::find(line.bytes, b"password is generated for").is_some()
        && let Some(value) = line.words().last().filter(|word| !word.bytes.ends_with(b":"))
    {
        let one = judge::found(rule, Grade::Strong, Kind::Password, value);
        found(one.fact("user", before[0].text().trim_end_matches(':')));
    }
    Ok(())
}

/// `NAME=value` in one word, when the name says that it is secret.
fn assigned(word: Piece<'_>) -> Option<(Kind, Piece<'_>)> {
    let (name, value) = word.split_once(b'=')?;
    let value = value.unquote();
    let named = name.bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b));
    let kind = judge::secretive(name.bytes).filter(|_| named)?;
    (!judge::is_setting(value.bytes)).then_some((kind, value))
}

/// Whether the words before the last one of a line announce a secret: `password:`, `password is`.
fn announced([first, second]: [Piece<'_>; 2]) -> Option<Kind> {
    let name = match second.bytes {
        b"is" | b"is:" | b"=" | b":" => first,
        [.., b':' | b'='] => second.sub(0, second.bytes.len() - 1),
        _ => return None,
    };
    judge::secretive(name.bytes)
}

fn keep(rule: &'static Rule, (kind, value): (Kind, Piece<'_>), found: &mut dyn FnMut(Match)) {
    // A word of small letters is a word: `password: changed`.
    let word = value.bytes.iter().all(u8::is_ascii_lowercase);
    if value.bytes.len() < 6 || word || judge::is_setting(value.bytes) {
        return;
    }
    let mut one = judge::found(rule, Grade::Plausible, kind, value);
    if judge::is_expansion(value.bytes) {
        one.harmless = Some(Harmless::Placeholder);
    }
    found(one);
}
