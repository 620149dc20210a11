//! Python packages: the `RECORD` of what an installer put into `site-packages`
//! ([format](https://packaging.python.org/en/latest/specifications/recording-installed-packages/)).
//!
//! A package that was not taken from an index but from a folder or a repository
//! ([direct_url.json](https://packaging.python.org/en/latest/specifications/direct-url/)) is the
//! image's own: its files are nobody else's.

use super::digest::{self, Algorithm, Digest};
use super::{Database, Form, Out, Owned, Record, lines, plain};
use crate::credential::jwt;
use std::borrow::Cow;

pub(super) const DATABASE: Database =
    Database { name: "pip", algorithm: Algorithm::Sha256, applies, form: Form::Text(read) };

const RECORD: &[u8] = b".dist-info/RECORD";

fn applies(path: &[u8]) -> bool {
    path.ends_with(RECORD) && is_python(path)
}

/// Whether Python packages are installed there, by a path without a slash before it.
pub fn is_python(path: &[u8]) -> bool {
    let folders = [&b"/site-packages/"[..], b"/dist-packages/"];
    folders.iter().any(|folder| memchr::memmem::find(path, folder).is_some())
}

fn read(path: &[u8], text: &[u8], out: Out<'_>) {
    let Some(folder) = path.strip_suffix(RECORD) else { return };
    let at = memchr::memrchr(b'/', folder).map_or(0, |at| at.saturating_add(1));
    let (folder, name) = folder.split_at(at);
    let own = [name, b".dist-info/direct_url.json"].concat();
    if lines(text).any(|line| line.starts_with(&own)) {
        return;
    }
    let package = name.split(|&byte| byte == b'-').next().unwrap_or_default();
    for line in lines(text) {
        let Some((inner, digest)) = entry(line) else { continue };
        // What stands elsewhere, such as programs, is named by a way up.
        if inner.starts_with(b"/") || inner.split(|&byte| byte == b'/').any(|part| part == b"..") {
            continue;
        }
        let path = [folder, &inner].concat();
        let (path, digest) = (plain(&path), Some(digest));
        out(Record::File(Owned { package, path, digest, mode: None, config: false }));
    }
}

/// `path,sha256=digest,size`, the path in quotes where it has a comma.
fn entry(line: &[u8]) -> Option<(Cow<'_, [u8]>, (Algorithm, Digest))> {
    let (path, rest): (Cow<'_, [u8]>, &[u8]) = if let Some(quoted) = line.strip_prefix(b"\"") {
        let end = memchr::memmem::find(quoted, b"\",")?;
        let path = String::from_utf8_lossy(quoted.get(..end)?).replace("\"\"", "\"");
        (path.into_bytes().into(), quoted.get(end.checked_add(2)?..)?)
    } else {
        let end = memchr::memchr(b',', line)?;
        (line.get(..end)?.into(), line.get(end.checked_add(1)?..)?)
    };
    let rest = rest.strip_prefix(b"sha256=")?;
    let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
    let bytes = jwt::decode_url(rest.get(..end)?)?;
    let whole = <[u8; 32]>::try_from(bytes).ok()?;
    Some((path, (Algorithm::Sha256, digest::short(&whole))))
}

#[cfg(test)]
mod tests {
    use super::super::listing;
    use super::*;

    #[test]
    fn reads_what_pip_writes() {
        let path = b"usr/local/lib/python3.11/dist-packages/flask-3.0.dist-info/RECORD";
        assert!(applies(path) && !applies(b"srv/flask-3.0.dist-info/RECORD"));
        let digest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        let text = format!(
            "flask/a.py,sha256={digest},0\n../../../bin/flask,sha256={digest},0\n\
             flask/__pycache__/a.pyc,,\n\"flask/b,c.py\",sha256={digest},0\nflask/d.py,md5=x,1\n"
        );
        let found = listing(|out| read(path, text.as_bytes(), out));
        let folder = "usr/local/lib/python3.11/dist-packages/flask";
        let expected = [
            format!("flask: {folder}/a.py Sha256 e3b0c442"),
            format!("flask: {folder}/b,c.py Sha256 e3b0c442"),
        ];
        assert_eq!(found, expected);
        let own = format!("{text}flask-3.0.dist-info/direct_url.json,sha256={digest},0\n");
        assert!(listing(|out| read(path, own.as_bytes(), out)).is_empty());
    }
}
