//! `.netrc`: machines, logins and passwords
//! ([format](https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "netrc", applies, run };

static PASSWORD: Rule = Rule {
    id: "netrc.password",
    title: "Password in .netrc",
    severity: Severity::High,
    rotate: "Change the password (or revoke the token) at the named host and keep .netrc out of images.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &[".netrc", "_netrc", ".netrc.*"])
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let mut machine = Piece::default();
    let mut login = Piece::default();
    let mut keyword = Vec::new();
    let mut macro_body = false;
    for line in Piece::whole(&blob.bytes).lines() {
        // A macro ends with an empty line.
        if macro_body {
            macro_body = !line.trim().is_empty();
            continue;
        }
        for word in line.words() {
            match keyword.as_slice() {
                b"machine" => machine = word,
                b"login" => login = word.unquote(),
                b"password" => {
                    let found =
                        judge::found(&PASSWORD, Grade::Strong, Kind::Password, word.unquote());
                    let found = found.fact("host", machine.text()).fact("user", login.text());
                    out(Out::Match(found));
                }
                b"account" => {}
                _ => {
                    if word.bytes.starts_with(b"#") {
                        break;
                    }
                    if word.bytes == b"machine" || word.bytes == b"default" {
                        (machine, login) = (Piece::default(), Piece::default());
                    }
                    macro_body |= word.bytes == b"macdef";
                    keyword = word.bytes.to_vec();
                    continue;
                }
            }
            keyword.clear();
        }
        if macro_body {
            keyword.clear();
        }
    }
    Ok(())
}
