//! A manifest: the files of an image with their digests, one JSON object a line, and such a list
//! as the base that another image is compared with.

use super::digest::{self, Whole};
use super::plain;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Descent;
use crate::limits;
use crate::locator::Printable;
use serde::{Deserialize, Serialize};
use std::io::BufRead;

/// The version of the outline, which the first line names.
pub const SCHEMA: &str = "amisweep.manifest/1";

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    /// The version of the outline.
    pub schema: String,
    /// What the list was made of, as the user named it.
    pub target: String,
    /// How many files follow.
    pub files: u64,
    /// Whether all files could be read.
    pub complete: bool,
}

/// A file: one line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct File {
    /// The volume it is on, as locators name it; none for a directory or a whole disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// Its path. One that is not UTF-8 has its other bytes escaped as `%XX`.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Permission bits and type, in octal.
    pub mode: String,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// SHA-256 of its bytes, in hex; none when they could not be read.
    pub sha256: Option<String>,
}

impl File {
    /// The path as it stands in a manifest.
    pub fn path(path: &[u8]) -> String {
        std::str::from_utf8(path).map_or_else(|_| Printable(path).to_string(), str::to_owned)
    }
}

/// A manifest that an image is compared with: digests of paths and of what stands there.
#[derive(Clone, Debug, Default)]
pub struct Base {
    files: Vec<(digest::Digest, Option<Whole>)>,
}

impl Base {
    /// Read a manifest.
    pub fn read(from: &mut dyn BufRead) -> Result<Base> {
        let wrong = |what| Error::new(ErrorKind::Usage, what);
        let mut line = String::new();
        read_line(from, &mut line)?;
        let head: Option<Head> = serde_json::from_str(&line).ok();
        let head = head.filter(|head| head.schema == SCHEMA);
        head.ok_or_else(|| wrong("this is no manifest; `amisweep manifest IMAGE` makes one"))?;
        let mut files = Vec::new();
        while read_line(from, &mut line)? {
            let file: File = serde_json::from_str(&line)
                .map_err(|cause| wrong("a line of the manifest is damaged").caused_by(cause))?;
            if files.len() >= limits::FILES_PER_FILESYSTEM {
                return Err(wrong("the manifest has too many files"));
            }
            let sha256 = file.sha256.and_then(|hex| digest::from_hex(hex.as_bytes()));
            files.push((key(&file.path), sha256));
        }
        files.sort_unstable();
        files.dedup();
        files.shrink_to_fit();
        Ok(Base { files })
    }

    /// What a file is to the base, and which of the base's paths it has.
    pub fn descent(&self, path: &[u8], sha256: Option<&Whole>) -> Descent {
        let known = self.range(path);
        if known.is_empty() {
            return Descent::Added;
        }
        let files = self.files.get(known).unwrap_or_default();
        let same = files.iter().any(|(_, known)| known.is_some() && known.as_ref() == sha256);
        if same { Descent::Inherited } else { Descent::Changed }
    }

    /// The entries of a path, by their numbers.
    pub fn range(&self, path: &[u8]) -> std::ops::Range<usize> {
        let key = key(&File::path(path));
        let first = self.files.partition_point(|(known, _)| *known < key);
        let after = self.files.partition_point(|(known, _)| *known <= key);
        first..after
    }

    /// How many files it has.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// What a path is found by: a directory's paths have no slash before them.
fn key(path: &str) -> digest::Digest {
    digest::short(&digest::of(digest::Algorithm::Sha256, plain(path.as_bytes())))
}

/// The next line; whether there is one.
fn read_line(from: &mut dyn BufRead, line: &mut String) -> Result<bool> {
    let failed = |cause: std::io::Error| {
        Error::new(ErrorKind::Usage, "the manifest cannot be read").caused_by(cause)
    };
    line.clear();
    let most = u64::try_from(limits::MANIFEST_LINE_BYTES).unwrap_or(u64::MAX);
    let read = std::io::Read::take(&mut *from, most).read_line(line).map_err(failed)?;
    if read == limits::MANIFEST_LINE_BYTES {
        return Err(Error::new(ErrorKind::Usage, "a line of the manifest is too long"));
    }
    Ok(read > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, bytes: &[u8]) -> File {
        let sha256 = digest::hex(&digest::of(digest::Algorithm::Sha256, bytes));
        let (mode, sha256) = ("100644".to_owned(), Some(sha256));
        let size = bytes.len() as u64;
        File { volume: None, path: path.to_owned(), size, mode, uid: 0, gid: 0, sha256 }
    }

    #[test]
    fn a_manifest_tells_inherited_from_added() {
        let files = [file("/bin/ls", b"ls"), file("/etc/x", b"x")];
        let head =
            Head { schema: SCHEMA.to_owned(), target: "base".to_owned(), files: 2, complete: true };
        let mut text = serde_json::to_string(&head).unwrap() + "\n";
        for file in &files {
            text += &(serde_json::to_string(file).unwrap() + "\n");
        }
        let text = text.into_bytes();
        let base = Base::read(&mut text.as_slice()).unwrap();
        let sum = |bytes: &[u8]| digest::of(digest::Algorithm::Sha256, bytes);
        assert_eq!(base.len(), 2);
        assert_eq!(base.descent(b"bin/ls", Some(&sum(b"ls"))), Descent::Inherited);
        assert_eq!(base.descent(b"/bin/ls", Some(&sum(b"la"))), Descent::Changed);
        assert_eq!(base.descent(b"/bin/ls", None), Descent::Changed);
        assert_eq!(base.descent(b"/bin/new", Some(&sum(b"ls"))), Descent::Added);
        for wrong in ["", "{}", "{\"schema\":\"amisweep.manifest/2\"}", "x\n"] {
            assert!(Base::read(&mut wrong.as_bytes()).is_err(), "{wrong}");
        }
        for len in 1..text.len() {
            let _ = Base::read(&mut &text[..len]);
        }
    }
}
