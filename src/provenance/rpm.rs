//! rpm: the header of a package, and the three stores that headers are kept in
//! ([header format](https://rpm-software-management.github.io/rpm/manual/format_header.html),
//! [tags](https://rpm-software-management.github.io/rpm/manual/tags.html)).

use super::digest::{self, Algorithm};
use super::{Database, Form, Out, Owned, Record, bdb, ndb, plain};
use crate::bytes::{take, u16_be, u32_be};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;

/// Since rpm 4.16: a database of `SQLite`.
pub(super) const TABLE: Database = Database {
    name: "rpm",
    algorithm: Algorithm::Sha256,
    applies: is_table,
    form: Form::Table { name: "Packages", read: header },
};

/// Before: a hash of Berkeley DB.
pub(super) const HASH: Database = Database {
    name: "rpm",
    algorithm: Algorithm::Sha256,
    applies: is_hash,
    form: Form::Store(|bytes, out| bdb::values(bytes, &mut |value| lenient(header(value, out)))),
};

/// On SUSE: rpm's own store.
pub(super) const NDB: Database = Database {
    name: "rpm",
    algorithm: Algorithm::Sha256,
    applies: is_ndb,
    form: Form::Store(|bytes, out| ndb::values(bytes, &mut |value| lenient(header(value, out)))),
};

/// A header that is damaged costs its package; an error that is none of it ends the reading.
pub(super) fn lenient(read: Result<()>) -> Result<()> {
    read.or_else(|error| if error.kind() == ErrorKind::Corrupt { Ok(()) } else { Err(error) })
}

fn name(path: &[u8]) -> Option<&[u8]> {
    let folders: [&[u8]; 2] = [b"var/lib/rpm/", b"usr/lib/sysimage/rpm/"];
    folders.iter().find_map(|folder| path.strip_prefix(*folder))
}

fn is_table(path: &[u8]) -> bool {
    name(path) == Some(b"rpmdb.sqlite")
}

fn is_hash(path: &[u8]) -> bool {
    name(path) == Some(b"Packages")
}

fn is_ndb(path: &[u8]) -> bool {
    name(path) == Some(b"Packages.db")
}

const NAME: u32 = 1000;
const FILE_MODES: u32 = 1030;
const FILE_DIGESTS: u32 = 1035;
const FILE_FLAGS: u32 = 1037;
const FOLDER_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const FOLDERS: u32 = 1118;
const DIGEST_ALGORITHM: u32 = 5011;

const CONFIG: u32 = 1;
const GHOST: u32 = 1 << 6;

/// A header: entries of tag, type, place and count, and the data behind them.
struct Header<'a> {
    entries: &'a [u8],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    fn new(blob: &'a [u8]) -> Result<Header<'a>> {
        let number = |at| u32_be(blob, at).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let (il, dl) = (number(0)?, number(4)?);
        let behind = il.checked_mul(16).and_then(|bytes| bytes.checked_add(8));
        let behind = behind.ok_or_else(|| Error::corrupt("an rpm header is cut short"))?;
        let entries = take(blob, 8, behind.saturating_sub(8))?;
        Ok(Header { entries, data: take(blob, behind, dl)? })
    }

    /// How many values a tag has, and the data that begins with them.
    fn find(&self, tag: u32) -> Option<(usize, &'a [u8])> {
        let mut entries = self.entries.chunks_exact(16);
        let entry = entries.find(|entry| u32_be(entry, 0).is_ok_and(|found| found == tag))?;
        let number = |at| usize::try_from(u32_be(entry, at).ok()?).ok();
        Some((number(12)?, self.data.get(number(8)?..)?))
    }

    /// The texts of a tag.
    fn texts(&self, tag: u32) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (count, data) = self.find(tag).unwrap_or_default();
        data.split(|&byte| byte == 0).take(count)
    }

    fn u32s(&self, tag: u32) -> Vec<u32> {
        let (count, data) = self.find(tag).unwrap_or_default();
        let values = data.chunks_exact(4).take(count).map(|bytes| u32_be(bytes, 0));
        values.filter_map(Result::ok).collect()
    }

    fn u16s(&self, tag: u32) -> Vec<u16> {
        let (count, data) = self.find(tag).unwrap_or_default();
        let values = data.chunks_exact(2).take(count).map(|bytes| u16_be(bytes, 0));
        values.filter_map(Result::ok).collect()
    }
}

/// The package and the files of one header.
pub fn header(blob: &[u8], out: Out<'_>) -> Result<()> {
    if blob.len() > limits::RPM_HEADER_BYTES {
        return Err(Error::new(ErrorKind::Limit, "an rpm header is too long"));
    }
    let header = Header::new(blob)?;
    let package = header.texts(NAME).next().unwrap_or_default();
    if package.is_empty() {
        return Err(Error::corrupt("an rpm header names no package"));
    }
    out(Record::Package(package));
    let folders: Vec<&[u8]> = header.texts(FOLDERS).take(limits::RPM_FOLDERS).collect();
    let (indexes, flags) = (header.u32s(FOLDER_INDEXES), header.u32s(FILE_FLAGS));
    let modes = header.u16s(FILE_MODES);
    let algorithm = match header.u32s(DIGEST_ALGORITHM).first() {
        None | Some(1) => Some(Algorithm::Md5),
        Some(2) => Some(Algorithm::Sha1),
        Some(8) => Some(Algorithm::Sha256),
        Some(_) => None,
    };
    let mut digests = header.texts(FILE_DIGESTS);
    // A package of many files in one long folder could make paths without end.
    let mut left = blob.len().saturating_mul(16).saturating_add(limits::PATH_BYTES);
    for (at, name) in header.texts(BASE_NAMES).enumerate() {
        let digest = digests.next().unwrap_or_default();
        let index = indexes.get(at).and_then(|index| usize::try_from(*index).ok());
        let Some(folder) = index.and_then(|index| folders.get(index)) else { continue };
        left = left.checked_sub(folder.len().saturating_add(name.len())).ok_or_else(|| {
            Error::new(ErrorKind::Limit, "the paths of an rpm package are too long")
        })?;
        let path = [*folder, name].concat();
        let flags = flags.get(at).copied().unwrap_or(0);
        let algorithm = algorithm.filter(|_| flags & GHOST == 0);
        let digest = algorithm.and_then(|algorithm| digest::parse(algorithm, digest));
        let mode = modes.get(at).copied();
        let config = flags & (CONFIG | GHOST) != 0;
        out(Record::File(Owned { package, path: plain(&path), digest, mode, config }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::listing;
    use super::*;

    /// A header as rpm lays it out.
    fn packed(tags: &[(u32, u32, u32, Vec<u8>)]) -> Vec<u8> {
        let (mut entries, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, count, bytes) in tags {
            let at = u32::try_from(data.len()).unwrap();
            for number in [*tag, *kind, at, *count] {
                entries.extend(number.to_be_bytes());
            }
            data.extend(bytes);
        }
        let len = u32::try_from(data.len()).unwrap();
        let head = [u32::try_from(tags.len()).unwrap().to_be_bytes(), len.to_be_bytes()].concat();
        [head, entries, data].concat()
    }

    fn sample() -> Vec<u8> {
        let u32s = |values: &[u32]| values.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<_>>();
        let u16s = |values: &[u16]| values.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<_>>();
        let sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        packed(&[
            (NAME, 6, 1, b"sudo\0".to_vec()),
            (FILE_MODES, 3, 3, u16s(&[0o104_755, 0o100_440, 0o40755])),
            (FILE_DIGESTS, 8, 3, format!("{sum}\0{sum}\0\0").into_bytes()),
            (FILE_FLAGS, 4, 3, u32s(&[0, 1, 0])),
            (FOLDER_INDEXES, 4, 3, u32s(&[0, 1, 1])),
            (BASE_NAMES, 8, 3, b"sudo\0sudoers\0sudoers.d\0".to_vec()),
            (FOLDERS, 8, 2, b"/usr/bin/\0/etc/\0".to_vec()),
            (DIGEST_ALGORITHM, 4, 1, u32s(&[8])),
        ])
    }

    #[test]
    fn reads_a_header() {
        let found = listing(|out| header(&sample(), out).unwrap());
        let expected = [
            "package sudo",
            "sudo: usr/bin/sudo Sha256 e3b0c442 104755",
            "sudo: etc/sudoers Sha256 e3b0c442 100440 config",
            "sudo: etc/sudoers.d 40755",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn damaged_headers_end() {
        let sample = sample();
        for len in 0..sample.len() {
            let _ = header(&sample[..len], &mut |_| {});
        }
        for at in 0..sample.len() * 8 {
            let mut bent = sample.clone();
            bent[at / 8] ^= 1 << (at % 8);
            let mut count = 0;
            let _ = header(&bent, &mut |_| count += 1);
            assert!(count <= 5, "{at}: {count}");
        }
    }
}
