//! `MySQL` option files: `.my.cnf` and its kin
//! ([format](https://dev.mysql.com/doc/refman/8.4/en/option-files.html)).

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "mysql options", applies, run };

static PASSWORD: Rule = Rule {
    id: "mycnf.password",
    title: "MySQL password in an option file",
    severity: Severity::High,
    rotate: "Change the account's password (ALTER USER … IDENTIFIED BY) and keep the option file out of images.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[".my.cnf", "etc/my.cnf", "my.cnf.d/*.cnf", "mysql/*.cnf", "conf.d/*.cnf", "*.my.cnf"],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let entries: Vec<_> = ini::entries(Piece::whole(&blob.bytes)).collect();
    for of_section in entries.chunk_by(|a, b| a.section.at == b.section.at) {
        let value = |name: &[u8]| {
            let entry = of_section.iter().find(|e| e.name.bytes == name);
            entry.map(|e| value_of(e.value).text()).unwrap_or_default()
        };
        let (user, host, port) = (value(b"user"), value(b"host"), value(b"port"));
        for entry in of_section {
            let named = matches!(entry.name.bytes, b"password" | b"loose-password" | b"pass");
            let password = value_of(entry.value);
            if named && !password.is_empty() {
                let found = judge::found(&PASSWORD, Grade::Strong, Kind::Password, password)
                    .fact("section", entry.section.text())
                    .fact("user", user.as_str())
                    .fact("host", host.as_str())
                    .fact("port", port.as_str());
                out(Out::Match(found));
            }
        }
    }
    Ok(())
}

/// The value without the comment behind it.
fn value_of(value: Piece<'_>) -> Piece<'_> {
    let comment = value.bytes.windows(2).position(|w| w == b" #");
    value.sub(0, comment.unwrap_or(usize::MAX)).trim().unquote()
}
