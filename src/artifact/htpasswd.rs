//! Password files of web servers
//! ([format](https://httpd.apache.org/docs/current/misc/password_encryptions.html)) and of Dovecot.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::shadow;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "web passwords", applies, run };

static HASH: Rule = Rule {
    id: "svc.htpasswd",
    title: "Password hash of a web account",
    severity: Severity::Medium,
    rotate: "Change the passwords (htpasswd -B), wherever else they are used too, and keep the file out of images.",
};

static PLAIN: Rule = Rule {
    id: "svc.htpasswd.plain",
    title: "Password of a web or mail account in clear",
    severity: Severity::High,
    rotate: "Change the password, wherever else it is used too, and store a hash (htpasswd -B).",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            ".htpasswd*",
            "htpasswd*",
            "*.htpasswd",
            ".htdigest*",
            "htdigest*",
            "*.htdigest",
            "htpasswd.users",
            "dovecot/users",
            "dovecot/passwd*",
            "dovecot.passwd",
            "vsftpd/virtual_users.txt",
            "ftpd.passwd",
            "lighttpd/*.user",
            "mosquitto/passwd*",
            "mosquitto/pwfile*",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    for line in Piece::whole(&blob.bytes).lines() {
        let line = line.trim();
        if line.bytes.starts_with(b"#") {
            continue;
        }
        let Some((user, rest)) = line.split_once(b':') else { continue };
        if let Some(found) = account(rest).filter(|_| !user.is_empty()) {
            out(Out::Match(found.fact("user", user.text())));
        }
    }
    Ok(())
}

fn account(rest: Piece<'_>) -> Option<Match> {
    let (first, more) = rest.split_once(b':').unwrap_or((rest, Piece::default()));
    let digest = more.sub(0, 32);
    let is_digest = digest.bytes.len() == 32 && digest.bytes.iter().all(u8::is_ascii_hexdigit);
    if is_digest && more.bytes.get(32).is_none_or(|&b| b == b':') {
        let found = judge::found(&HASH, Grade::Strong, Kind::Token, digest);
        return Some(found.fact("algorithm", "digest-md5").fact("realm", first.text()));
    }
    let (algorithm, secret) = scheme(first)?;
    let Some(algorithm) = algorithm else {
        return Some(judge::found(&PLAIN, Grade::Strong, Kind::Password, secret));
    };
    Some(judge::found(&HASH, Grade::Strong, Kind::Token, secret).fact("algorithm", algorithm))
}

/// The algorithm of a field, `None` for a password in clear, and the part of it that is kept.
fn scheme(field: Piece<'_>) -> Option<(Option<&'static str>, Piece<'_>)> {
    let schemes: [(&[u8], Option<&'static str>); 11] = [
        (b"$apr1$", Some("apr1")),
        (b"{SHA}", Some("sha1")),
        (b"{SSHA}", Some("ssha1")),
        (b"{SSHA512}", Some("ssha512")),
        (b"{SHA512}", Some("sha512")),
        (b"{MD5}", Some("md5")),
        (b"{PBKDF2}", Some("pbkdf2")),
        (b"{ARGON2I", Some("argon2")),
        (b"$7$", Some("pbkdf2-sha512")),
        (b"{PLAIN}", None),
        (b"{plain}", None),
    ];
    if let Some((head, name)) = schemes.iter().find(|(head, _)| field.bytes.starts_with(head)) {
        let secret = if name.is_none() { field.from(head.len()) } else { field };
        return (!secret.is_empty() && field.bytes.len() > head.len()).then_some((*name, secret));
    }
    // `{SHA512-CRYPT}$6$…`, `{BLF-CRYPT}$2y$…`.
    let bare = match field.split_once(b'}') {
        Some((head, rest)) if head.bytes.starts_with(b"{") => rest,
        _ => field,
    };
    let (name, _) = shadow::algorithm(bare.bytes)?;
    Some((Some(name), bare))
}
