//! Account databases: `shadow`, `gshadow`, `opasswd`, `passwd` and their backups
//! ([shadow(5)](https://man7.org/linux/man-pages/man5/shadow.5.html)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Harmless, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "shadow", applies, run };

static HASH: Rule = Rule {
    id: "linux.shadow.hash",
    title: "Password hash of a Linux account",
    severity: Severity::High,
    rotate: "Lock or reset the account's password, remove backup copies of the file, and rebuild the image without it.",
};

static EMPTY: Rule = Rule {
    id: "linux.shadow.empty",
    title: "Linux account without a password",
    severity: Severity::Critical,
    rotate: "Lock the account (passwd -l) and rebuild the image.",
};

const TAILS: [&str; 19] = [
    "etc/shadow",
    "etc/shadow-",
    "etc/gshadow",
    "etc/gshadow-",
    "etc/shadow.*",
    "etc/gshadow.*",
    "etc/passwd",
    "etc/passwd-",
    "etc/opasswd",
    "security/opasswd",
    "security/opasswd.*",
    "backups/shadow*",
    "backups/gshadow*",
    "backups/passwd*",
    "etc/master.passwd",
    "shadow.bak",
    "shadow.orig",
    "shadow.old",
    "etc/shadow~",
];

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &TAILS)
}

/// Which file it is: the fields differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Shadow,
    Group,
    Old,
    Passwd,
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let name = paths::file_name(&blob.name);
    let table = match name {
        _ if name.starts_with(b"gshadow") => Table::Group,
        _ if name.starts_with(b"opasswd") => Table::Old,
        _ if name.starts_with(b"passwd") => Table::Passwd,
        _ => Table::Shadow,
    };
    for line in Piece::whole(&blob.bytes).lines() {
        account(line, table, out);
    }
    Ok(())
}

fn account(line: Piece<'_>, table: Table, out: &mut dyn FnMut(Out<'_>)) {
    let Some((user, rest)) = line.split_once(b':') else { return };
    let named = !user.is_empty() && !user.bytes.iter().any(u8::is_ascii_whitespace);
    // `+` and `-` lines are of NIS, not accounts.
    if !named || matches!(user.bytes, [b'#' | b'+' | b'-', ..]) {
        return;
    }
    let mut fields = rest.split(b':');
    if table == Table::Old {
        // user:uid:count:hash,hash
        for hash in fields.nth(2).into_iter().flat_map(|hashes| hashes.split(b',')) {
            if let Some(found) = hashed(hash) {
                out(Out::Match(found.fact("user", user.text()).fact("state", "previous password")));
            }
        }
        return;
    }
    let Some(field) = fields.next() else { return };
    let changed = fields.next().filter(|_| table == Table::Shadow);
    // A group without a password admits its members alone, and a bare line is not an account.
    if field.is_empty() && table != Table::Group && changed_or_uid(rest) {
        let span = line.sub(0, user.bytes.len() + 2);
        out(Out::Match(judge::fact(&EMPTY, Grade::Strong, span).fact("user", user.text())));
    }
    if let Some(found) = hashed(field) {
        let name = if table == Table::Group { "group" } else { "user" };
        let changed = changed.and_then(|days| std::str::from_utf8(days.bytes).ok()?.parse().ok());
        let changed = changed.filter(|&days| days > 0).and_then(piece::date).unwrap_or_default();
        out(Out::Match(found.fact(name, user.text()).fact("last_change", changed)));
    }
}

/// Whether the line has the number that follows the password in every table.
fn changed_or_uid(rest: Piece<'_>) -> bool {
    let mut fields = rest.split(b':').skip(1);
    fields.next().is_some_and(|f| f.bytes.iter().all(u8::is_ascii_digit)) && fields.next().is_some()
}

/// The match of a password field that holds a hash; behind a `!` it is locked away.
fn hashed(field: Piece<'_>) -> Option<Match> {
    let marks = field.bytes.iter().take_while(|&&b| b == b'!' || b == b'*').count();
    let locked = field.bytes.strip_prefix(b"*LK*").or(field.bytes.strip_prefix(b"*LOCKED*"));
    let marks = locked.map_or(marks, |rest| field.bytes.len() - rest.len());
    let hash = field.from(marks);
    let (name, weak) = algorithm(hash.bytes)?;
    let mut found = judge::found(&HASH, Grade::Strong, Kind::Token, hash).fact("algorithm", name);
    if weak {
        found.severity = Severity::Critical;
    }
    if marks > 0 {
        found.harmless = Some(Harmless::Disabled);
    }
    Some(found)
}

/// Name of the hash's algorithm ([crypt(5)](https://man.archlinux.org/man/crypt.5)), and whether
/// it is cracked in no time.
pub(super) fn algorithm(hash: &[u8]) -> Option<(&'static str, bool)> {
    let known: [(&[u8], &str, bool); 13] = [
        (b"$6$", "sha512crypt", false),
        (b"$y$", "yescrypt", false),
        (b"$5$", "sha256crypt", false),
        (b"$1$", "md5crypt", true),
        (b"$2a$", "bcrypt", false),
        (b"$2b$", "bcrypt", false),
        (b"$2y$", "bcrypt", false),
        (b"$7$", "scrypt", false),
        (b"$gy$", "gost-yescrypt", false),
        (b"$sha1$", "sha1crypt", true),
        (b"$3$", "nt", true),
        (b"$md5", "sunmd5", true),
        (b"$argon2", "argon2", false),
    ];
    if let Some((_, name, weak)) = known.iter().find(|(prefix, ..)| hash.starts_with(prefix)) {
        return (hash.len() >= 20).then_some((name, *weak));
    }
    let crypt = |bytes: &[u8]| bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"./".contains(b));
    match hash {
        [b'_', rest @ ..] if rest.len() == 19 && crypt(rest) => Some(("bsdicrypt", true)),
        _ if hash.len() == 13 && crypt(hash) => Some(("descrypt", true)),
        _ => None,
    }
}
