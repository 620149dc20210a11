//! Passwords of network shares: credential files of
//! [mount.cifs](https://manpages.debian.org/stable/cifs-utils/mount.cifs.8.en.html) and the
//! options in `fstab`.

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "share credentials", applies, run };

static PASSWORD: Rule = Rule {
    id: "cifs.password",
    title: "Password of a network share",
    severity: Severity::High,
    rotate: "Change the account's password at the file server or directory and mount with a keytab or at run time.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "etc/fstab",
            ".smbcredentials*",
            ".cifs*",
            "cifs-credentials*",
            "*.smbcredentials",
            ".smbcreds",
            "samba/*.creds",
            "samba/*credentials",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if paths::file_name(&blob.name) == b"fstab" {
        for line in text.lines().filter(|line| !line.bytes.trim_ascii_start().starts_with(b"#")) {
            let mut words = line.words();
            if let (Some(share), Some(options)) = (words.next(), words.nth(2)) {
                report(options.split(b',').filter_map(|o| o.split_once(b'=')), share, out);
            }
        }
        return Ok(());
    }
    let pairs = ini::entries(text).map(|entry| (entry.name, entry.value));
    report(pairs, Piece::default(), out);
    Ok(())
}

/// The passwords among `pairs` of names and values.
fn report<'a>(
    pairs: impl Iterator<Item = (Piece<'a>, Piece<'a>)>,
    share: Piece<'a>,
    out: &mut dyn FnMut(Out<'_>),
) {
    let (mut user, mut domain) = (Piece::default(), Piece::default());
    let mut passwords = Vec::new();
    for (name, value) in pairs {
        match name.bytes.trim_ascii() {
            b"user" | b"username" => user = value,
            b"domain" | b"dom" | b"workgroup" => domain = value,
            b"password" | b"pass" | b"passwd" | b"password2" if !value.is_empty() => {
                passwords.push(value);
            }
            _ => {}
        }
    }
    for password in passwords {
        let found = judge::found(&PASSWORD, Grade::Strong, Kind::Password, password)
            .fact("user", user.text())
            .fact("domain", domain.text())
            .fact("share", share.text());
        out(Out::Match(found));
    }
}
