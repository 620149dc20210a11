//! Accounts with the rights of root: other names for user 0 in `passwd`
//! ([passwd(5)](https://man7.org/linux/man-pages/man5/passwd.5.html)), and rules of `sudoers`
//! ([sudoers(5)](https://www.sudo.ws/docs/man/sudoers.man/)) that ask for no password.

use super::Artifact;
use super::judge;
use super::paths;
use super::piece::{self, Piece};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Harmless, Rule, Severity};

/// The parser of `passwd`.
pub(super) const PASSWD: Artifact = Artifact { name: "passwd", applies: is_passwd, run: passwd };

/// The parser of `sudoers`.
pub(super) const SUDOERS: Artifact =
    Artifact { name: "sudoers", applies: is_sudoers, run: sudoers };

static UID0: Rule = Rule {
    id: "linux.uid0",
    title: "Second account with the rights of root",
    severity: Severity::Critical,
    rotate: "Remove the account unless you know who made it; if nobody does, take the image for compromised.",
};

static NOPASSWD: Rule = Rule {
    id: "linux.sudo.nopasswd",
    title: "Account that becomes root without a password",
    severity: Severity::Medium,
    rotate: "Remove the rule from the image (sudoers.d/90-cloud-init-users is written anew at first boot where it is wanted).",
};

fn is_passwd(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &["etc/passwd", "etc/passwd-", "backups/passwd*"])
}

fn passwd(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    for line in Piece::whole(&blob.bytes).lines() {
        let fields: Vec<_> = line.split(b':').take(8).collect();
        let [name, password, uid, _, _, home, shell] = *fields.as_slice() else { continue };
        // `0x0` and `+0` are no numbers here; `00` is one.
        let zero = !uid.is_empty() && uid.bytes.iter().all(|&b| b == b'0');
        if !zero || name.is_empty() || matches!(name.bytes, b"root" | [b'#' | b'+' | b'-', ..]) {
            continue;
        }
        let mut found = judge::fact(&UID0, Grade::Strong, line)
            .fact("user", name.text())
            .fact("home", home.text())
            .fact("shell", shell.text());
        let shut = matches!(paths::file_name(shell.bytes), b"nologin" | b"false");
        if shut || password.bytes.starts_with(b"*") || password.bytes.starts_with(b"!") {
            found.harmless = Some(Harmless::Disabled);
        }
        out(Out::Match(found));
    }
    Ok(())
}

fn is_sudoers(blob: &Blob<'_>) -> bool {
    // sudo itself passes over names with a dot or a tilde at the end.
    let name = paths::file_name(&blob.name);
    let read = !name.contains(&b'.') && !name.ends_with(b"~");
    paths::ends_with(&blob.name, "etc/sudoers")
        || (paths::ends_with(&blob.name, "sudoers.d/*") && read)
}

fn sudoers(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let mut start = None;
    for line in text.lines() {
        // A line that ends with a backslash goes on.
        let first = *start.get_or_insert(line.at);
        if line.bytes.ends_with(b"\\") {
            continue;
        }
        start = None;
        let rule = text.sub(first, line.end()).trim();
        if let Some(user) = without_password(rule) {
            let found = judge::fact(&NOPASSWD, Grade::Strong, rule);
            out(Out::Match(found.fact("user", user)));
        }
    }
    Ok(())
}

/// Who may run everything without a password by this rule.
fn without_password(rule: Piece<'_>) -> Option<String> {
    if rule.bytes.starts_with(b"#") {
        return None;
    }
    let rule = comment_cut(rule);
    if let Some(defaults) = rule.strip_prefix(b"Defaults") {
        let free = defaults
            .split(b',')
            .any(|part| part.words().last().is_some_and(|word| word.bytes == b"!authenticate"));
        let scope = defaults.words().next().filter(|_| !defaults.bytes.starts_with(b" "));
        let scope = scope.map(Piece::text).unwrap_or_default();
        return free.then(|| scope.trim_start_matches([':', '@', '!', '>']).to_owned());
    }
    let (who, what) = rule.split_once(b'=')?;
    if who.bytes.windows(6).any(|w| w == b"_Alias") {
        return None;
    }
    let tag = memchr::memmem::rfind(what.bytes, b"NOPASSWD:")?;
    // The tag holds for the commands behind it, until another takes it back.
    let commands = what.from(tag + b"NOPASSWD:".len());
    let cut = memchr::memmem::find(commands.bytes, b"PASSWD:");
    let commands = commands.sub(0, cut.unwrap_or(usize::MAX));
    let all = commands.split(b',').any(|command| {
        let last = command.bytes.rsplit(|&b| b == b':').next().unwrap_or_default();
        let last = last.trim_ascii();
        last.strip_prefix(b"\\").unwrap_or(last).trim_ascii() == b"ALL"
    });
    let user = who.words().next()?;
    all.then(|| piece::text(user.bytes))
}

fn comment_cut(rule: Piece<'_>) -> Piece<'_> {
    let end = rule.bytes.windows(2).position(|w| w == b" #" || w == b"\t#");
    rule.sub(0, end.unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_ask_for_nothing() {
        for (rule, expected) in [
            ("ubuntu ALL=(ALL) NOPASSWD:ALL", Some("ubuntu")),
            ("%wheel\tALL=(ALL:ALL)\tNOPASSWD: SETENV: ALL", Some("%wheel")),
            ("eve ALL=(ALL) NOPASSWD: /bin/ls, ALL # all", Some("eve")),
            ("eve ALL=(ALL) NOPASSWD: /bin/ls, PASSWD: ALL", None),
            ("eve ALL=(ALL) NOPASSWD: /bin/ls", None),
            ("eve ALL=(ALL) ALL", None),
            ("# eve ALL=(ALL) NOPASSWD: ALL", None),
            ("Defaults:eve !authenticate", Some("eve")),
            ("Defaults env_reset, !authenticate", Some("")),
            ("Defaults !lecture", None),
            ("Cmnd_Alias X = NOPASSWD: ALL", None),
            ("NOPASSWD:", None),
            ("=", None),
            ("", None),
        ] {
            let found = without_password(Piece::whole(rule.as_bytes()));
            assert_eq!(found.as_deref(), expected, "{rule}");
        }
    }
}
