//! `MySQL` login paths, `.mylogin.cnf`
//! ([program](https://dev.mysql.com/doc/refman/8.4/en/mysql-config-editor.html)): 4 unused bytes, 20 bytes
//! that fold into the key, then lines in AES-128-ECB, each behind its length. With its key inside,
//! the file counts as written in clear.

use super::Artifact;
use super::cipher;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::bytes;
use crate::error::{Error, Result};
use crate::finding::{Grade, Rule, Severity};
use crate::run::Run;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "mysql login paths", applies, run };

static PASSWORD: Rule = Rule {
    id: "mylogin.password",
    title: "MySQL password in a login path",
    severity: Severity::High,
    rotate: "Change the account's password (ALTER USER … IDENTIFIED BY) and keep .mylogin.cnf out of images: its key is inside.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &[".mylogin.cnf", "mylogin.cnf"])
}

const KEY_AT: usize = 4;
const KEY_BYTES: usize = 20;

/// A decrypted line and where its ciphertext stands.
struct Line {
    text: Vec<u8>,
    at: Run,
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (lines, result) = lines(&blob.bytes);
    let mut section = String::new();
    let mut of_section: Vec<&Line> = Vec::new();
    for line in &lines {
        if let Some(name) = line.text.trim_ascii().strip_prefix(b"[") {
            report(&section, &of_section, out);
            of_section.clear();
            section = Piece::whole(name.strip_suffix(b"]").unwrap_or(name)).text();
        } else {
            of_section.push(line);
        }
    }
    report(&section, &of_section, out);
    result
}

fn lines(file: &[u8]) -> (Vec<Line>, Result<()>) {
    let mut lines = Vec::new();
    let Ok(folded) = bytes::take(file, KEY_AT, KEY_BYTES) else {
        return (lines, Err(Error::corrupt("login path file is cut short")));
    };
    let mut key = [0u8; 16];
    for (at, byte) in folded.iter().enumerate() {
        if let Some(part) = key.get_mut(at % 16) {
            *part ^= byte;
        }
    }
    let mut at = KEY_AT + KEY_BYTES;
    while at < file.len() {
        let chunk = bytes::u32_le(file, at)
            .ok()
            .and_then(|len| usize::try_from(len).ok())
            .and_then(|len| bytes::take(file, at.checked_add(4)?, len).ok());
        let text = chunk.and_then(|chunk| cipher::aes128_ecb(key, chunk));
        let (Some(chunk), Some(text)) = (chunk, text.and_then(cipher::unpad)) else {
            return (lines, Err(Error::corrupt("login path does not decrypt")));
        };
        let start = at.saturating_add(4);
        lines.push(Line { text, at: Run::new(start as u64, chunk.len() as u64) });
        at = start.saturating_add(chunk.len());
    }
    (lines, Ok(()))
}

/// `name = "value"`.
fn pair(line: &Line) -> Option<(Piece<'_>, Piece<'_>)> {
    let (name, value) = Piece::whole(&line.text).split_once(b'=')?;
    Some((name.trim(), value.trim().unquote()))
}

fn report(section: &str, lines: &[&Line], out: &mut dyn FnMut(Out<'_>)) {
    let value = |name: &[u8]| {
        let mut pairs = lines.iter().filter_map(|line| pair(line));
        pairs.find(|(have, _)| have.bytes == name).map(|(_, v)| v.text()).unwrap_or_default()
    };
    let (user, host, port) = (value(b"user"), value(b"host"), value(b"port"));
    for line in lines {
        let Some((name, password)) = pair(line) else { continue };
        if name.bytes != b"password" || password.is_empty() {
            continue;
        }
        let mut found = judge::found(&PASSWORD, Grade::Proven, Kind::Password, password);
        found = found.decoded_by("aes", password.run());
        found.span = line.at;
        let found = found
            .fact("section", section)
            .fact("user", user.as_str())
            .fact("host", host.as_str())
            .fact("port", port.as_str())
            .fact("protection", "plaintext-equivalent")
            .fact("decrypts_with", "the key inside the file");
        out(Out::Match(found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file made with a key of zeros and the padding of a block: what AES makes of it is tested
    /// with the cipher, so that only the frame is looked at here.
    #[test]
    fn damage_is_told() {
        assert!(lines(b"").1.is_err());
        assert!(lines(&[0; 24]).1.is_ok());
        assert!(lines(&[&[0; 24][..], &[16, 0, 0, 0], &[7; 16]].concat()).1.is_err());
        assert!(lines(&[&[0; 24][..], &[0xff; 4]].concat()).1.is_err());
    }
}
