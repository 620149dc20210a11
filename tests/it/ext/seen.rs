//! What a reader sees of a filesystem, ours or the kernel's.

use amisweep::bytes::ReadAt;
use amisweep::coverage::Kind;
use amisweep::error::Error;
use amisweep::filesystem::{At, FileEntry, FileKind, FileState, Filesystem, StreamName};
use amisweep::run::{Run, RunSet};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One path, as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) size: u64,
    pub(super) mode: u16,
    pub(super) owner: (u32, u32),
    pub(super) modified: i64,
    /// SHA-256 of the data, in hex.
    pub(super) sha256: String,
    pub(super) target: Vec<u8>,
    pub(super) attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

pub(super) type Listing = BTreeMap<Vec<u8>, Seen>;

pub(super) fn walk(fs: &dyn Filesystem) -> (Vec<FileEntry>, Vec<Error>) {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    fs.walk(&mut |visited| match visited {
        Ok(file) => files.push(file),
        Err(error) => errors.push(error),
    });
    (files, errors)
}

/// Every live path with what our reader says of it; orphans left out.
pub(super) fn ours(fs: &dyn Filesystem, files: &[FileEntry]) -> Listing {
    let mut listing = Listing::new();
    for file in files.iter().filter(|f| f.state == FileState::Live) {
        if file.path.starts_with(b"/$Orphan/") {
            continue;
        }
        let seen = read(fs, file);
        for path in file.more_paths.iter().chain([&file.path]) {
            assert!(listing.insert(path.to_vec(), seen.clone()).is_none(), "path twice");
        }
    }
    listing
}

pub(super) fn read(fs: &dyn Filesystem, file: &FileEntry) -> Seen {
    let mut seen = Seen {
        size: 0,
        mode: file.mode,
        owner: (file.uid, file.gid),
        modified: file.times.modified,
        sha256: String::new(),
        target: Vec::new(),
        attributes: BTreeMap::new(),
    };
    for (index, stream) in file.streams.iter().enumerate() {
        let bytes = fs.open(file, index).unwrap();
        assert_eq!(bytes.len(), stream.size);
        let whole = || amisweep::bytes::read_vec(&*bytes, 0, stream.size as usize).unwrap();
        match &stream.name {
            StreamName::Data => {
                seen.size = stream.size;
                seen.sha256 = hash(&*bytes);
            }
            StreamName::LinkTarget => seen.target = whole(),
            StreamName::Xattr(name) => {
                seen.attributes.insert(name.to_vec(), whole());
            }
        }
    }
    seen
}

fn hash(bytes: &dyn ReadAt) -> String {
    let mut sha = Sha256::new();
    let mut buf = vec![0; 1 << 20];
    let mut at = 0;
    while at < bytes.len() {
        let len = (bytes.len() - at).min(buf.len() as u64);
        bytes.read_at(at, &mut buf[..len as usize]).unwrap();
        sha.update(&buf[..len as usize]);
        at += len;
    }
    hex(&sha.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Every path under a mount, as the kernel tells it.
pub(super) fn kernels(mount: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut left = vec![mount.to_path_buf()];
    while let Some(path) = left.pop() {
        let meta = path.symlink_metadata().unwrap();
        let mut seen = Seen {
            size: 0,
            mode: meta.mode() as u16,
            owner: (meta.uid(), meta.gid()),
            modified: meta.mtime(),
            sha256: String::new(),
            target: Vec::new(),
            attributes: attributes(&path),
        };
        if meta.is_dir() {
            left.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        } else if meta.is_symlink() {
            seen.target = path.read_link().unwrap().as_os_str().as_bytes().to_vec();
        } else if meta.is_file() {
            seen.size = meta.size();
            seen.sha256 = hash_file(&path);
        }
        let name = path.strip_prefix(mount).unwrap().as_os_str().as_bytes();
        listing.insert([b"/", name].concat(), seen);
    }
    listing
}

fn hash_file(path: &Path) -> String {
    let mut file = File::open(path).unwrap();
    let mut sha = Sha256::new();
    let mut buf = vec![0; 1 << 20];
    loop {
        match file.read(&mut buf).unwrap() {
            0 => return hex(&sha.finalize()),
            len => sha.update(&buf[..len]),
        }
    }
}

fn attributes(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0u8; 65536];
    let len = rustix::fs::llistxattr(path, &mut names[..]).unwrap_or(0);
    let names = names[..len].split(|&byte| byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0u8; 65536];
            let len = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            value.truncate(len);
            (name.to_vec(), value)
        })
        .collect()
}

/// Fail with the first differences in words.
pub(super) fn assert_same(ours: &Listing, theirs: &Listing) {
    let mut wrong = Vec::new();
    for (path, seen) in theirs {
        let name = String::from_utf8_lossy(path);
        match ours.get(path) {
            None => wrong.push(format!("missing {name}")),
            Some(found) if found != seen => {
                wrong.push(format!(
                    "differs {name}\n   ours {}\n theirs {}",
                    brief(found),
                    brief(seen)
                ));
            }
            Some(_) => {}
        }
    }
    let extra = ours.keys().filter(|path| !theirs.contains_key(*path));
    wrong.extend(extra.map(|path| format!("extra {}", String::from_utf8_lossy(path))));
    let shown: Vec<_> = wrong.iter().take(12).cloned().collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), shown.join("\n"));
}

fn brief(seen: &Seen) -> String {
    let values: Vec<_> =
        seen.attributes.iter().map(|(k, v)| (String::from_utf8_lossy(k), v.len())).collect();
    let Seen { size, mode, owner, modified, sha256, target, .. } = seen;
    let target = String::from_utf8_lossy(target);
    format!("{size} {mode:o} {owner:?} {modified} {sha256} {target:.60} {values:?}")
}

/// What was counted of the bytes of a volume.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) free: u64,
    /// Labelled slack, and in no extent of a file.
    pub(super) unexplained: u64,
}

/// Check that files do not overlap, that labels cover the rest exactly once, and that no label
/// claims what a file shows.
pub(super) fn account(fs: &dyn Filesystem, files: &[FileEntry], volume: u64) -> Account {
    let (mut shown, mut owned) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|f| f.state == FileState::Live) {
        for stream in file.streams.iter().filter(|s| !matches!(s.name, StreamName::Xattr(_))) {
            for extent in &stream.extents {
                match extent.at {
                    At::Disk(start) => shown.push(Run::new(start, extent.len)),
                    At::Unwritten(start) => owned.push(Run::new(start, extent.len)),
                    At::Packed(_) | At::Inline(_) | At::Hole => {}
                }
            }
            let sorted = stream.extents.is_sorted_by_key(|e| e.file_offset);
            assert!(sorted, "extents out of order");
        }
        // Values of attributes may be shared between files.
        for stream in file.streams.iter().filter(|s| matches!(s.name, StreamName::Xattr(_))) {
            owned.extend(stream.extents.iter().filter_map(|extent| match extent.at {
                At::Disk(start) => Some(Run::new(start, extent.len)),
                _ => None,
            }));
        }
        assert!(
            file.kind != FileKind::Directory
                || file.streams.iter().all(|s| s.name != StreamName::Data)
        );
    }
    let claimed: u64 = shown.iter().map(|run| run.len).sum();
    let shown = RunSet::from_runs(shown);
    assert_eq!(shown.total(), claimed, "files overlap");
    for &run in shown.runs() {
        let labels = fs.label(run);
        assert!(labels.iter().all(|(_, k)| matches!(k, Kind::Slack | Kind::Journal)), "{labels:?}");
    }
    owned.extend(shown.runs());
    let owned = RunSet::from_runs(owned);
    let whole = RunSet::from_runs(vec![Run::new(0, volume)]);
    let mut account = Account::default();
    for &gap in whole.minus(&shown).runs() {
        let mut at = gap.start;
        for (run, kind) in fs.label(gap) {
            assert!(run.start == at && !run.is_empty());
            at = run.end();
            match kind {
                Kind::Free => account.free += run.len,
                Kind::Slack => {
                    let left = RunSet::from_runs(vec![run]).minus(&owned);
                    account.unexplained += left.total();
                }
                Kind::Journal | Kind::Metadata => {}
                _ => panic!("label {kind:?}"),
            }
        }
        assert_eq!(at, gap.end());
    }
    account
}
