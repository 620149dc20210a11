//! Provenance: which files of a system are its distributor's and unchanged, as the package
//! database on the same disk has it, and which a list of another image names.
//!
//! A package database is read where it lies. None of them is signed as a whole, and whoever can
//! change a program can change its line there too: what they say catches carelessness and common
//! malware, not someone who expected the question.

#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)
)]

mod apk;
mod bdb;
pub mod digest;
mod dpkg;
pub mod manifest;
mod ndb;
mod pip;
pub mod rpm;

use crate::bytes::{ReadAt, read_vec};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use digest::{Algorithm, Digest};
pub use pip::is_python;

/// One thing that a package database says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A package that is installed.
    Package(&'a [u8]),
    /// A file of a package.
    File(Owned<'a>),
    /// What all packages but one call `from` stands at `to`.
    Diverted {
        /// The path in the packages.
        from: &'a [u8],
        /// Where those files are.
        to: &'a [u8],
        /// The package whose own file has the name; empty when none has.
        by: &'a [u8],
    },
}

/// A file as its package has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned<'a> {
    /// The package.
    pub package: &'a [u8],
    /// The path, without a slash before it.
    pub path: &'a [u8],
    /// The digest of its bytes, where the database has one.
    pub digest: Option<(Algorithm, Digest)>,
    /// Its permission bits and type, where the database has them.
    pub mode: Option<u16>,
    /// Whether it is configuration, which is there to be changed.
    pub config: bool,
}

/// Where records go.
pub type Out<'a> = &'a mut dyn FnMut(Record<'_>);

/// A part of a package database.
pub struct Database {
    /// The package manager.
    pub name: &'static str,
    /// What it takes the digests of files by.
    pub algorithm: Algorithm,
    /// Whether a file, by its path without a slash before it, is part of the database.
    pub applies: fn(&[u8]) -> bool,
    /// Read it.
    pub form: Form,
}

/// How a part of a database is read.
#[derive(Clone, Copy)]
pub enum Form {
    /// Text: its path and its bytes.
    Text(fn(&[u8], &[u8], Out<'_>)),
    /// A store of records.
    Store(fn(&dyn ReadAt, Out<'_>) -> Result<()>),
    /// A table of a database of `SQLite`, whose blobs are records.
    Table {
        /// The table.
        name: &'static str,
        /// Read a blob.
        read: fn(&[u8], Out<'_>) -> Result<()>,
    },
}

/// Every part of every database that is known.
pub static DATABASES: &[Database] =
    &[dpkg::DATABASE, rpm::TABLE, rpm::HASH, rpm::NDB, apk::DATABASE, pip::DATABASE];

/// The database that a file is part of, by its path with or without a slash before it.
pub fn database(path: &[u8]) -> Option<&'static Database> {
    let path = plain(path);
    DATABASES.iter().find(|database| (database.applies)(path))
}

/// All bytes of a text of a database.
pub fn text(bytes: &dyn ReadAt) -> Result<Vec<u8>> {
    let len = usize::try_from(bytes.len()).unwrap_or(usize::MAX);
    if len > limits::PACKAGE_TEXT_BYTES {
        return Err(Error::new(ErrorKind::Limit, "a list of a package database is too long"));
    }
    read_vec(bytes, 0, len)
}

/// A path without the slashes before it.
pub fn plain(path: &[u8]) -> &[u8] {
    let slashes = path.iter().take_while(|&&byte| byte == b'/').count();
    path.get(slashes..).unwrap_or_default()
}

/// Whether packages put files there, by a path without a slash before it: what else a disk holds
/// need not be digested.
pub fn is_for_packages(path: &[u8]) -> bool {
    let first = path.split(|&byte| byte == b'/').next().unwrap_or_default();
    match first {
        b"bin" | b"sbin" | b"boot" | b"etc" | b"opt" => true,
        b"usr" => !path.starts_with(b"usr/local/"),
        _ => first.starts_with(b"lib"),
    }
}

/// The same path in a tree in which `/bin` is `/usr/bin`, or in one in which it is not.
pub fn merged(path: &[u8]) -> Option<Vec<u8>> {
    let inner = path.strip_prefix(b"usr/");
    let first = inner.unwrap_or(path).split(|&byte| byte == b'/').next().unwrap_or_default();
    if !matches!(first, b"bin" | b"sbin" | b"lib" | b"lib32" | b"lib64" | b"libx32") {
        return None;
    }
    Some(inner.map_or_else(|| [b"usr/", path].concat(), <[u8]>::to_vec))
}

/// The lines of a text, without their ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
fn listing(run: impl FnOnce(Out<'_>)) -> Vec<String> {
    use crate::locator::Printable;
    let mut lines = Vec::new();
    run(&mut |record| {
        lines.push(match record {
            Record::Package(name) => format!("package {}", Printable(name)),
            Record::File(file) => {
                let digest = file.digest.map_or_else(String::new, |(algorithm, digest)| {
                    format!(" {algorithm:?} {}", digest::hex(digest.get(..4).unwrap_or_default()))
                });
                let mode = file.mode.map_or_else(String::new, |mode| format!(" {mode:o}"));
                let config = if file.config { " config" } else { "" };
                let (package, path) = (Printable(file.package), Printable(file.path));
                format!("{package}: {path}{digest}{mode}{config}")
            }
            Record::Diverted { from, to, by } => {
                format!("{} to {} by {}", Printable(from), Printable(to), Printable(by))
            }
        });
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_known_by_their_paths() {
        for (path, expected) in [
            ("/var/lib/dpkg/status", Some("dpkg")),
            ("var/lib/dpkg/status.d/base-files", Some("dpkg")),
            ("/var/lib/dpkg/info/libc6:amd64.md5sums", Some("dpkg")),
            ("/var/lib/dpkg/info/libc6:amd64.postinst", None),
            ("/var/lib/rpm/Packages", Some("rpm")),
            ("/usr/lib/sysimage/rpm/rpmdb.sqlite", Some("rpm")),
            ("/lib/apk/db/installed", Some("apk")),
            ("/srv/var/lib/dpkg/status", None),
        ] {
            assert_eq!(database(path.as_bytes()).map(|found| found.name), expected, "{path}");
        }
    }

    #[test]
    fn merged_trees_are_the_same() {
        for (path, expected) in [
            ("bin/ls", Some("usr/bin/ls")),
            ("usr/lib64/x", Some("lib64/x")),
            ("usr/share/x", None),
            ("binary/x", None),
        ] {
            let found = merged(path.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{path}");
        }
    }
}
