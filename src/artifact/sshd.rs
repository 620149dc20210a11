//! The SSH server's configuration
//! ([sshd_config(5)](https://man.openbsd.org/sshd_config)): settings that let passwords in.

use super::Artifact;
use super::judge;
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "sshd config", applies, run };

const ROTATE: &str =
    "Set it to no (root: prohibit-password) in the image; the first file that names it wins.";

static ROOT: Rule = Rule {
    id: "ssh.sshd.root_login",
    title: "SSH server lets root log in with a password",
    severity: Severity::Medium,
    rotate: ROTATE,
};

static PASSWORDS: Rule = Rule {
    id: "ssh.sshd.passwords",
    title: "SSH server lets passwords in",
    severity: Severity::Medium,
    rotate: ROTATE,
};

static EMPTY: Rule = Rule {
    id: "ssh.sshd.empty_passwords",
    title: "SSH server lets empty passwords in",
    severity: Severity::High,
    rotate: ROTATE,
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &["ssh/sshd_config", "ssh/sshd_config.d/*.conf"])
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    // Of several settings of one name the first counts, in each `Match` block anew.
    let mut seen = Vec::new();
    let mut condition = String::new();
    for line in Piece::whole(&blob.bytes).lines() {
        let line = line.trim();
        let split = line.bytes.iter().position(|b| b.is_ascii_whitespace() || *b == b'=');
        let Some(split) = split.filter(|_| !line.bytes.starts_with(b"#")) else { continue };
        let name = line.sub(0, split).bytes.to_ascii_lowercase();
        let value = line.from(split).trim();
        let value = value.strip_prefix(b"=").unwrap_or(value).trim();
        if name == b"match" {
            condition =
                if value.bytes.eq_ignore_ascii_case(b"all") { String::new() } else { value.text() };
            seen.clear();
            continue;
        }
        let rule = match name.as_slice() {
            b"permitrootlogin" => &ROOT,
            b"passwordauthentication" => &PASSWORDS,
            b"permitemptypasswords" => &EMPTY,
            _ => continue,
        };
        if seen.contains(&rule.id) {
            continue;
        }
        seen.push(rule.id);
        let word = value.words().next().unwrap_or_default().unquote();
        if word.bytes.eq_ignore_ascii_case(b"yes") {
            let found = judge::fact(rule, Grade::Strong, line);
            out(Out::Match(found.fact("match", condition.as_str())));
        }
    }
    Ok(())
}
