//! A directory on the host, swept like a filesystem: its files only, links never followed.

mod mounts;

use self::mounts::Mounts;
use super::{At, Extent, FileEntry, FileKind, FileState, Filesystem, Stream, StreamName, Times};
use crate::bytes::{ReadAt, data_runs, past_end};
use crate::coverage::Kind;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::locator::Escaped;
use crate::run::{ImageNo, Run, RunSet};
use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The attribute that holds a program's capabilities.
const CAPABILITY: &[u8] = b"security.capability";

/// What a walk left out of a tree although nothing in it was to be read. It does not make a result
/// incomplete, and is known when the walk is over.
#[derive(Clone, Default)]
pub struct LeftOut(Arc<Mutex<Vec<String>>>);

impl LeftOut {
    /// The remarks, in path order.
    pub fn remarks(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, remark: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(remark);
    }
}

/// A directory tree. Its files are given addresses one after another, in path order, so that the
/// sweep can treat them as a disk.
pub struct Directory {
    root: PathBuf,
    /// The filesystem the root is on. What is mounted below is another: the kernel's own (`/proc`)
    /// has no end.
    device: u64,
    mounts: Mounts,
    left_out: LeftOut,
}

impl Directory {
    /// The tree below `root`.
    pub fn open(root: &Path) -> Result<Directory> {
        let meta = std::fs::metadata(root).map_err(|cause| refuse(root, cause))?;
        if !meta.is_dir() {
            return Err(Error::new(ErrorKind::Usage, "not a directory").detail(root.display()));
        }
        Ok(Directory {
            root: root.to_owned(),
            device: meta.dev(),
            mounts: Mounts::of_this_process(),
            left_out: LeftOut::default(),
        })
    }

    /// What walks of this tree leave out.
    pub fn left_out(&self) -> LeftOut {
        self.left_out.clone()
    }

    /// A directory on which another filesystem is mounted. One that the kernel makes up is left
    /// out; any other is not read either, but should have been.
    fn foreign(&self, path: &[u8], device: u64, visit: &mut dyn FnMut(Result<FileEntry>)) {
        let mut missed = |path: &[u8]| {
            let what = "another filesystem is mounted here; scan it by itself";
            visit(Err(Error::unsupported(what).detail(Escaped(path))));
        };
        let Some(kind) = self.mounts.made_up(device) else { return missed(path) };
        let what = "a filesystem that the kernel makes up was left out";
        self.left_out.add(format!("{what} ({}, {kind})", Escaped(path)));
        // The kernel lists mounts by their real paths.
        let Ok(root) = self.root.canonicalize() else { return missed(path) };
        let mount = root.join(std::ffi::OsStr::from_bytes(path));
        for point in self.mounts.real_below(&mount) {
            let below = point.strip_prefix(&root).unwrap_or(point);
            missed(below.as_os_str().as_bytes());
        }
    }

    fn host_path(&self, path: &[u8]) -> PathBuf {
        self.root.join(std::ffi::OsStr::from_bytes(path))
    }

    /// The addresses of a file's bytes. Only a file with holes is opened to ask where they are.
    fn extents(&self, path: &[u8], meta: &Metadata, address: u64) -> Box<[Extent]> {
        let whole = Run::new(0, meta.len());
        let sparse = meta.is_file() && meta.blocks().saturating_mul(512) < meta.len();
        let opened = if sparse { self.file(path).ok() } else { None };
        let runs = opened
            .map_or_else(|| RunSet::from_runs(vec![whole]), |file| data_runs(&file, whole.len));
        let extent = |run: &Run| Extent {
            file_offset: run.start,
            len: run.len,
            at: At::Disk(address.saturating_add(run.start)),
        };
        runs.runs().iter().map(extent).collect()
    }

    /// Open a file for reading. One that was replaced since it was listed, by a link or a pipe, is
    /// not followed and not waited for.
    fn file(&self, path: &[u8]) -> std::io::Result<File> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        OpenOptions::new().read(true).custom_flags(flags).open(self.host_path(path))
    }

    /// A file's streams and the capabilities that it has, if any: they make it what no other
    /// attribute does.
    fn with_capabilities(&self, file: &FileEntry) -> Box<[Stream]> {
        let mut streams = file.streams.to_vec();
        let value = (file.kind == FileKind::File).then(|| self.capabilities(&file.path)).flatten();
        if let Some(value) = value {
            let name = StreamName::Xattr((*CAPABILITY).into());
            streams.push(Stream {
                name,
                size: u64::try_from(value.len()).unwrap_or(0),
                extents: Box::default(),
            });
        }
        streams.into()
    }

    fn capabilities(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut value = [0u8; 64];
        let name = std::ffi::OsStr::from_bytes(CAPABILITY);
        let len = rustix::fs::lgetxattr(self.host_path(path), name, &mut value).ok()?;
        value.get(..len).map(<[u8]>::to_vec)
    }

    /// The entries of one directory, sorted by name.
    fn list(&self, path: &[u8]) -> Result<Vec<Box<[u8]>>> {
        let host = self.host_path(path);
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&host).map_err(|cause| unread(path, cause))? {
            let name = entry.map_err(|cause| unread(path, cause))?.file_name().into_vec();
            let separator: &[u8] = if path.is_empty() { b"" } else { b"/" };
            paths.push([path, separator, &name].concat().into());
        }
        paths.sort_unstable();
        Ok(paths)
    }
}

fn refuse(root: &Path, cause: std::io::Error) -> Error {
    unread(root.as_os_str().as_bytes(), cause)
}

/// The error of a file below the root, which it names as the report does: the same tree elsewhere
/// gives the same report.
fn unread(path: &[u8], cause: std::io::Error) -> Error {
    let kind = match cause.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Io,
    };
    Error::new(kind, "cannot read").detail(Escaped(path)).caused_by(cause)
}

impl Filesystem for Directory {
    fn walk(&self, visit: &mut dyn FnMut(Result<FileEntry>)) {
        let mut pending: Vec<Box<[u8]>> = vec![Box::default()];
        let mut address: u64 = 0;
        while let Some(path) = pending.pop() {
            let host = self.host_path(&path);
            let meta = match std::fs::symlink_metadata(&host) {
                Ok(meta) => meta,
                Err(cause) => {
                    visit(Err(unread(&path, cause)));
                    continue;
                }
            };
            if path.len() > limits::PATH_BYTES {
                visit(Err(Error::new(ErrorKind::Limit, "a path is too long")));
            } else if meta.is_dir() && meta.dev() != self.device {
                self.foreign(&path, meta.dev(), visit);
            } else if meta.is_dir() {
                match self.list(&path) {
                    Ok(paths) => pending.extend(paths.into_iter().rev()),
                    Err(error) => visit(Err(error)),
                }
            } else {
                let extents = self.extents(&path, &meta, address);
                let mut file = describe(path, &meta, extents);
                file.streams = self.with_capabilities(&file);
                let taken = file.streams.iter().map(|stream| stream.size).sum();
                address = address.saturating_add(taken);
                visit(Ok(file));
            }
        }
    }

    fn label(&self, _run: Run) -> Vec<(Run, Kind)> {
        Vec::new()
    }

    fn open<'a>(&'a self, file: &FileEntry, stream: usize) -> Result<Box<dyn ReadAt + 'a>> {
        let host = self.host_path(&file.path);
        if file.streams.get(stream).is_some_and(|s| s.name == StreamName::LinkTarget) {
            let target = std::fs::read_link(&host).map_err(|cause| unread(&file.path, cause))?;
            return Ok(Box::new(target.into_os_string().into_vec()));
        }
        if file.streams.get(stream).is_some_and(|s| matches!(s.name, StreamName::Xattr(_))) {
            return Ok(Box::new(self.capabilities(&file.path).unwrap_or_default()));
        }
        let opened = self.file(&file.path).map_err(|cause| unread(&file.path, cause))?;
        let len = opened.metadata().map_err(|cause| unread(&file.path, cause))?.len();
        Ok(Box::new(HostFile { file: opened, len }))
    }
}

fn describe(path: Box<[u8]>, meta: &Metadata, extents: Box<[Extent]>) -> FileEntry {
    let kind = match meta.file_type() {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_symlink() => FileKind::Link,
        _ => FileKind::Special,
    };
    let name = match kind {
        FileKind::File => Some(StreamName::Data),
        FileKind::Link => Some(StreamName::LinkTarget),
        FileKind::Directory | FileKind::Special => None,
    };
    FileEntry {
        path,
        more_paths: Box::default(),
        inode: meta.ino(),
        kind,
        mode: u16::try_from(meta.mode() & 0xffff).unwrap_or(0),
        uid: meta.uid(),
        gid: meta.gid(),
        links: u32::try_from(meta.nlink()).unwrap_or(u32::MAX),
        times: Times { modified: meta.mtime(), changed: meta.ctime(), ..Times::default() },
        state: FileState::Live,
        streams: name.map(|name| Stream { name, size: meta.len(), extents }).into_iter().collect(),
    }
}

/// An open file of the host. Its bytes lie on no image that was scanned.
struct HostFile {
    file: File,
    len: u64,
}

impl ReadAt for HostFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(buf, offset).map_err(|cause| match cause.kind() {
            std::io::ErrorKind::UnexpectedEof => past_end(offset, buf.len(), self.len),
            _ => Error::new(ErrorKind::Unreadable, "the file could not be read").caused_by(cause),
        })
    }

    fn locate(&self, _run: Run) -> Vec<(ImageNo, Run)> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_hole_is_no_data() {
        let dir = tempfile::tempdir().unwrap();
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).open(dir.path().join("sparse")).unwrap();
        file.set_len(1 << 40).unwrap();
        file.write_all_at(b"data", 1 << 39).unwrap();
        let mut held = Vec::new();
        Directory::open(dir.path()).unwrap().walk(&mut |file| {
            let streams = file.unwrap().streams;
            held.extend(streams.iter().flat_map(|s| &s.extents).map(|e| (e.file_offset, e.len)));
        });
        let short = |(start, len): &(u64, u64)| {
            Run::new(*start, *len).contains(Run::new(1 << 39, 4)) && *len < 1 << 30
        };
        assert!(held.len() == 1 && held.iter().all(short), "{held:?}");
    }

    /// Needs root: mounts in a directory of its own.
    #[test]
    fn deep_only_what_the_kernel_makes_up_is_left_out() {
        if std::env::var_os("AMISWEEP_DEEP").is_none_or(|v| v != "1") {
            eprintln!("skipped: needs mount and root; set AMISWEEP_DEEP=1");
            return;
        }
        let script = "
            set -e
            mkdir -p a/proc a/tmp a/dev
            mount -t proc proc a/proc
            mount -t tmpfs tmpfs a/tmp
            mount -t devtmpfs dev a/dev
            mkdir -p a/dev/amisweep
            mount -t tmpfs tmpfs a/dev/amisweep
        ";
        let dir = tempfile::tempdir().unwrap();
        let run = |script: &str| {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", script]).current_dir(dir.path()).status().unwrap().success()
        };
        let mounted = run(script);
        let tree = Directory::open(&dir.path().join("a")).unwrap();
        let mut errors = Vec::new();
        tree.walk(&mut |file| errors.extend(file.err().map(|error| error.message())));
        let left_out = tree.left_out().remarks();
        run("umount a/dev/amisweep; rmdir a/dev/amisweep; umount a/dev a/tmp a/proc");
        assert!(mounted);
        let what = "another filesystem is mounted here; scan it by itself";
        assert_eq!(errors, ["dev/amisweep", "tmp"].map(|path| format!("{what} ({path})")));
        let what = "a filesystem that the kernel makes up was left out";
        assert_eq!(left_out, ["dev, devtmpfs", "proc, proc"].map(|at| format!("{what} ({at})")));
    }

    #[test]
    fn lists_files_in_order_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b", "a/z", "a/y"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = OpenOptions::new().write(true).create_new(true).open(path).unwrap();
            file.write_all(name.as_bytes()).unwrap();
        }
        std::os::unix::fs::symlink("/", dir.path().join("a/link")).unwrap();
        let tree = Directory::open(dir.path()).unwrap();
        let mut seen = Vec::new();
        tree.walk(&mut |file| {
            let file = file.unwrap();
            let reader = tree.open(&file, 0).unwrap();
            let bytes = crate::bytes::read_vec(&*reader, 0, usize::try_from(reader.len()).unwrap())
                .unwrap();
            seen.push((file.path, bytes));
        });
        let expected: [(&[u8], &[u8]); 4] =
            [(b"a/link", b"/"), (b"a/y", b"a/y"), (b"a/z", b"a/z"), (b"b", b"b")];
        assert_eq!(seen.len(), 4);
        for ((path, bytes), (name, text)) in seen.iter().zip(expected) {
            assert_eq!((&**path, &**bytes), (name, text));
        }
    }
}
