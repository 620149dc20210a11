//! XFS: what the reader sees against what independent witnesses saw.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests make files, speak and panic"
)]

mod deep;
mod deleted;
mod hostile;
mod small;

use amisweep::bytes::ReadAt;
use amisweep::coverage::Kind;
use amisweep::error::{Error, Result};
use amisweep::filesystem::{
    At, DRIVERS, FileEntry, FileKind, FileState, Filesystem, Stream, StreamName,
};
use amisweep::run::{Run, RunSet};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// What a witness tells of one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// `st_mode`, owner, group, links; nothing where a witness cannot tell.
    stat: Option<(u32, u32, u32, u64, i64)>,
    kind: char,
    size: u64,
    /// Of the data, or of the link target.
    digest: String,
    xattrs: BTreeMap<String, String>,
}

type Tree = BTreeMap<Vec<u8>, Seen>;

fn open(volume: &Arc<dyn ReadAt>) -> Result<Box<dyn Filesystem>> {
    let driver = DRIVERS.iter().find(|driver| driver.name == "xfs").unwrap();
    assert!((driver.probe)(&**volume)?, "the probe says it is no XFS");
    (driver.open)(Arc::clone(volume))
}

/// Everything a walk visits.
struct Walked {
    live: Vec<FileEntry>,
    deleted: Vec<FileEntry>,
    errors: Vec<Error>,
}

fn walk(fs: &dyn Filesystem) -> Walked {
    let mut walked = Walked { live: Vec::new(), deleted: Vec::new(), errors: Vec::new() };
    fs.walk(&mut |visited| match visited {
        Ok(entry) if entry.state == FileState::Live => walked.live.push(entry),
        Ok(entry) => walked.deleted.push(entry),
        Err(error) => walked.errors.push(error),
    });
    walked
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The digest of a stream, read in uneven steps.
fn digest(fs: &dyn Filesystem, entry: &FileEntry, stream: usize) -> Result<String> {
    let reader = fs.open(entry, stream)?;
    let mut sum = Sha256::new();
    let mut buf = vec![0; 1_000_003];
    let mut at = 0;
    while at < reader.len() {
        let len = usize::try_from(reader.len() - at).unwrap_or(usize::MAX).min(buf.len());
        reader.read_at(at, &mut buf[..len])?;
        sum.update(&buf[..len]);
        at += len as u64;
    }
    Ok(hex(&sum.finalize()))
}

fn kind(entry: &FileEntry) -> char {
    match entry.kind {
        FileKind::File => 'f',
        FileKind::Directory => 'd',
        FileKind::Link => 'l',
        FileKind::Special => 's',
    }
}

fn seen(fs: &dyn Filesystem, entry: &FileEntry) -> Seen {
    let mut seen = Seen {
        stat: Some((
            entry.mode.into(),
            entry.uid,
            entry.gid,
            entry.links.into(),
            entry.times.modified,
        )),
        kind: kind(entry),
        ..Seen::default()
    };
    for (index, stream) in entry.streams.iter().enumerate() {
        let digest = digest(fs, entry, index).unwrap();
        match &stream.name {
            StreamName::Data | StreamName::LinkTarget => {
                seen.size = stream.size;
                seen.digest = digest;
            }
            StreamName::Xattr(name) => {
                let name = String::from_utf8_lossy(name).into_owned();
                seen.xattrs.insert(name, format!("{} {digest}", stream.size));
            }
        }
    }
    seen
}

/// The live files as the reader sees them, one for each path.
fn tree(fs: &dyn Filesystem, live: &[FileEntry]) -> Tree {
    let mut tree = Tree::new();
    for entry in live {
        let seen = seen(fs, entry);
        for path in std::iter::once(&entry.path).chain(&entry.more_paths) {
            let twice = tree.insert(path.to_vec(), seen.clone());
            assert!(twice.is_none(), "{} came twice", String::from_utf8_lossy(path));
        }
    }
    tree
}

/// Compare, and name the first few that differ.
fn check(reader: &Tree, witness: &Tree) {
    let mut wrong = String::new();
    let paths: std::collections::BTreeSet<_> = reader.keys().chain(witness.keys()).collect();
    for path in paths {
        let (ours, theirs) = (reader.get(path), witness.get(path));
        if ours != theirs {
            let path = String::from_utf8_lossy(path);
            let _ = writeln!(wrong, "{path}\n  reader  {ours:?}\n  witness {theirs:?}");
        }
    }
    let shown: String = wrong.chars().take(4000).collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{shown}", wrong.lines().count(), witness.len());
}

fn no_errors(errors: &[Error]) {
    assert!(errors.is_empty(), "{} errors: {:#?}", errors.len(), &errors[..errors.len().min(5)]);
}

fn disk_runs(stream: &Stream) -> impl Iterator<Item = Run> + '_ {
    stream.extents.iter().filter_map(|extent| match extent.at {
        At::Disk(start) | At::Unwritten(start) => Some(Run::new(start, extent.len)),
        _ => None,
    })
}

/// Labels and file extents must cover the volume exactly once. Bytes that no file owns and no
/// label but slack claims come back.
fn covered(fs: &dyn Filesystem, live: &[FileEntry], volume_bytes: u64) -> u64 {
    let whole = Run::new(0, volume_bytes);
    let labels = fs.label(whole);
    let mut at = 0;
    for (run, _) in &labels {
        assert_eq!(run.start, at, "labels leave a gap or overlap");
        at = run.end();
    }
    assert_eq!(at, volume_bytes);
    let streams = live.iter().flat_map(|entry| entry.streams.iter());
    let files = RunSet::from_runs(streams.flat_map(disk_runs).collect());
    let mut slack = Vec::new();
    for (run, kind) in labels {
        if kind == Kind::Slack {
            slack.push(run);
        } else {
            let taken = files.within(run).next();
            assert_eq!(taken, None, "bytes of a file in {run:?} are labelled {kind:?}");
        }
    }
    RunSet::from_runs(slack).minus(&files).total()
}

/// A volume as lamxfs wants it.
struct Lam(Arc<dyn ReadAt>);

impl lamxfs::BlockRead for Lam {
    type Error = String;

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), String> {
        self.0.read_at(offset, buf).map_err(|error| error.to_string())
    }
}

/// The files lamxfs sees; it knows neither owners nor attributes.
fn lamxfs_tree(volume: &Arc<dyn ReadAt>) -> Tree {
    let mut lam = lamxfs::Xfs::open(Lam(Arc::clone(volume)), volume.len()).unwrap();
    let mut tree = Tree::new();
    let mut stack = vec![b"/".to_vec()];
    while let Some(dir) = stack.pop() {
        tree.insert(dir.clone(), Seen { kind: 'd', ..Seen::default() });
        for entry in lam.read_dir(lamxfs::Path::new(&dir)).unwrap() {
            let name: &[u8] = entry.name.as_ref();
            if name == b"." || name == b".." {
                continue;
            }
            let slash: &[u8] = if dir == b"/" { b"" } else { b"/" };
            let path = [&dir, slash, name].concat();
            let at = lamxfs::Path::new(&path);
            let (kind, data) = match entry.kind {
                lamxfs::EntryKind::Directory => {
                    stack.push(path);
                    continue;
                }
                lamxfs::EntryKind::Regular => ('f', lam.read_file(at).unwrap_or_default()),
                lamxfs::EntryKind::Symlink => ('l', lam.read_link(at).unwrap()),
                lamxfs::EntryKind::Other => ('s', Vec::new()),
            };
            let digest = if kind == 's' { String::new() } else { sha256(&data) };
            let size = data.len() as u64;
            tree.insert(path, Seen { kind, size, digest, ..Seen::default() });
        }
    }
    tree
}

/// What is left of a tree when only names, kinds and bytes count.
fn plain(tree: &Tree) -> Tree {
    let strip = |seen: &Seen| Seen { stat: None, xattrs: BTreeMap::new(), ..seen.clone() };
    tree.iter().map(|(path, seen)| (path.clone(), strip(seen))).collect()
}
