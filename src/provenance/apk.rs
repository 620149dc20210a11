//! apk: `installed`, one text for all packages
//! ([the format](https://wiki.alpinelinux.org/wiki/Apk_spec)).

use super::digest::Algorithm;
use super::{Database, Form, Out, Owned, Record, lines};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

pub(super) const DATABASE: Database =
    Database { name: "apk", algorithm: Algorithm::Sha1, applies, form: Form::Text(read) };

fn applies(path: &[u8]) -> bool {
    matches!(path, b"lib/apk/db/installed" | b"usr/lib/apk/db/installed")
}

/// A package's name, then its directories with their files, a letter before each line.
fn read(_: &[u8], text: &[u8], out: Out<'_>) {
    let (mut package, mut folder): (&[u8], &[u8]) = (b"", b"");
    let mut file: Option<(Vec<u8>, Option<u16>)> = None;
    let mut digest = None;
    for line in lines(text).chain([b"".as_slice()]) {
        let (letter, value) = match line {
            [letter, b':', value @ ..] => (*letter, value),
            _ => (0, line),
        };
        match letter {
            b'a' => {
                let mode = value.rsplit(|&byte| byte == b':').next().unwrap_or_default();
                let mode = std::str::from_utf8(mode).ok();
                let mode = mode.and_then(|mode| u16::from_str_radix(mode, 8).ok());
                if let Some(file) = &mut file {
                    file.1 = mode;
                }
            }
            b'Z' => digest = sha1(value),
            _ => {
                if let Some((path, mode)) = file.take() {
                    // What stands in /etc is kept through upgrades, as configuration is.
                    let config = path.starts_with(b"etc/");
                    let digest = digest.take();
                    out(Record::File(Owned { package, path: &path, digest, mode, config }));
                }
                digest = None;
            }
        }
        match letter {
            b'P' => {
                (package, folder) = (value, b"");
                out(Record::Package(package));
            }
            b'F' => folder = value,
            b'R' => {
                let separator: &[u8] = if folder.is_empty() { b"" } else { b"/" };
                file = Some(([folder, separator, value].concat(), None));
            }
            _ => {}
        }
    }
}

/// `Q1` and the SHA-1 in base64.
fn sha1(text: &[u8]) -> Option<(Algorithm, super::Digest)> {
    let bytes = BASE64_STANDARD.decode(text.strip_prefix(b"Q1")?).ok()?;
    let digest = bytes.first_chunk().filter(|_| bytes.len() == 20)?;
    Some((Algorithm::Sha1, *digest))
}

#[cfg(test)]
mod tests {
    use super::super::listing;
    use super::*;

    #[test]
    fn reads_what_apk_writes() {
        let text = "C:Q1x\nP:busybox\nV:1.36\nF:bin\nM:0:0:1777\nR:busybox\na:0:0:755\n\
                    Z:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\nR:sh\nF:etc\nR:securetty\n\
                    Z:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\n\nP:musl\nF:\nR:x\nZ:Q1AA==\n";
        let found = listing(|out| read(b"lib/apk/db/installed", text.as_bytes(), out));
        let expected = [
            "package busybox",
            "busybox: bin/busybox Sha1 da39a3ee 755",
            "busybox: bin/sh",
            "busybox: etc/securetty Sha1 da39a3ee config",
            "package musl",
            "musl: x",
        ];
        assert_eq!(found, expected);
    }
}
