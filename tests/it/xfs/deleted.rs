//! States a filesystem is left in: files deleted, a log not replayed, blocks shared, version 4.

use super::deep::{Image, kernel_tree, noise, populate, put, run, wanted};
use super::{
    Walked, check, covered, digest, lamxfs_tree, no_errors, open, plain, sha256, tree, walk,
};
use amisweep::error::ErrorKind;
use amisweep::filesystem::{FileEntry, FileState, Filesystem};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

const SMALL: u64 = 320 << 20;

/// Files in directories of every form, to be deleted later; the path and the bytes of each.
fn doomed(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let dirs = [("short", 3), ("block", 30), ("leaf", 300), ("gone", 3), ("gone/below", 40)];
    for (dir, count) in dirs {
        std::fs::create_dir(root.join(dir)).unwrap();
        for number in 0..count {
            let len = if number == 0 { 3_000_000 } else { 400 + number * 61 % 9000 };
            let path = format!("{dir}/secret-{number}");
            let bytes = noise((number * 31 + dir.len()) as u64, len);
            put(&root.join(&path), &bytes);
            files.insert(format!("/{path}"), bytes);
        }
    }
    for number in 0..40 {
        put(&root.join(format!("block/kept-{number}")), b"kept");
    }
    files
}

fn remove(root: &Path) {
    for dir in ["short", "block", "leaf"] {
        for entry in std::fs::read_dir(root.join(dir)).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_string_lossy().contains("kept") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    std::fs::remove_dir_all(root.join("gone")).unwrap();
}

/// The bytes of a deleted file, up to the length it had.
fn recovered(fs: &dyn Filesystem, entry: &FileEntry, len: usize) -> Vec<u8> {
    let reader = fs.open(entry, 0).unwrap();
    let mut bytes = vec![0; len];
    reader.read_at(0, &mut bytes).unwrap();
    bytes
}

fn find_the_deleted(mkfs: &[&str]) {
    let image = Image::new(SMALL, mkfs);
    let files = image.mounted("noatime", doomed);
    image.mounted("noatime", remove);
    let bytes = image.bytes();
    let fs = open(&bytes).unwrap();
    let Walked { live, deleted, errors } = walk(&*fs);
    no_errors(&errors);
    let by_path: BTreeMap<&[u8], &FileEntry> =
        deleted.iter().map(|entry| (&*entry.path, entry)).collect();
    let mut lost = Vec::new();
    for (path, content) in &files {
        let found = by_path.get(path.as_bytes());
        let whole = found.is_some_and(|entry| recovered(&*fs, entry, content.len()) == *content);
        let intact = found.is_some_and(|entry| entry.state == FileState::Deleted { intact: true });
        if !whole || !intact {
            lost.push((path, found.is_some(), whole, intact));
        }
    }
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), files.len());
    covered(&*fs, &live, bytes.len());
}

#[test]
fn deep_deleted_files_come_back_with_their_names() {
    if wanted() {
        find_the_deleted(&[]);
        find_the_deleted(&["-m", "reflink=1,rmapbt=1", "-i", "nrext64=1"]);
        find_the_deleted(&["-b", "size=1024", "-n", "size=4096"]);
    }
}

#[test]
fn deep_a_deleted_file_with_an_extent_tree_comes_back() {
    if !wanted() {
        return;
    }
    let image = Image::new(SMALL, &[]);
    let content = noise(5, 4096 * 1200);
    image.mounted("noatime", |root| {
        let path = root.join("scattered");
        put(&path, b"");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        for (step, part) in content.chunks(4096).enumerate() {
            file.write_all_at(part, step as u64 * 8192).unwrap();
        }
    });
    image.mounted("noatime", |root| std::fs::remove_file(root.join("scattered")).unwrap());
    let bytes = image.bytes();
    let fs = open(&bytes).unwrap();
    let walked = walk(&*fs);
    let found = walked.deleted.iter().find(|entry| &*entry.path == b"/scattered").unwrap();
    let back = recovered(&*fs, found, 8192 * 1200 - 4096);
    for (step, part) in content.chunks(4096).enumerate() {
        assert!(back[step * 8192..][..4096] == *part, "block {step}");
    }
}

#[test]
fn deep_a_file_deleted_while_open_is_an_orphan() {
    if !wanted() {
        return;
    }
    let image = Image::new(SMALL, &[]);
    image.mounted("noatime", |root| {
        let path = root.join("held");
        put(&path, b"still here");
        let file = std::fs::File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        put(&root.join("other"), b"other");
        run(Command::new("xfs_io").args(["-x", "-c", "syncfs"]).arg(root));
        run(Command::new("xfs_freeze").arg("-f").arg(root));
        let copy =
            Command::new("cp").arg(image.path()).arg(image.path().with_extension("copy")).status();
        run(Command::new("xfs_freeze").arg("-u").arg(root));
        assert!(copy.unwrap().success());
        drop(file);
    });
    std::fs::rename(image.path().with_extension("copy"), image.path()).unwrap();
    let bytes = image.bytes();
    let fs = open(&bytes).unwrap();
    let walked = walk(&*fs);
    let orphan = walked.live.iter().find(|entry| entry.path.starts_with(b"/$Orphan/")).unwrap();
    assert_eq!((orphan.links, digest(&*fs, orphan, 0).unwrap()), (0, sha256(b"still here")));
}

#[test]
fn deep_a_dirty_log_is_told() {
    if !wanted() {
        return;
    }
    let image = Image::new(SMALL, &[]);
    image.mounted("noatime", |root| {
        for number in 0..200 {
            put(&root.join(format!("f{number}")), b"logged");
        }
        run(Command::new("xfs_io").args(["-x", "-c", "shutdown -f"]).arg(root));
    });
    let bytes = image.bytes();
    let walked = walk(&*open(&bytes).unwrap());
    let told = walked.errors.iter().filter(|e| e.kind() == ErrorKind::Unsupported).count();
    assert_eq!(told, 1, "{:?}", walked.errors);
    image.mounted("noatime", |_| ());
    no_errors(&walk(&*open(&image.bytes()).unwrap()).errors);
}

#[test]
fn deep_a_log_that_went_around_is_clean() {
    if !wanted() {
        return;
    }
    let image = Image::new(64 << 20, &["-l", "size=8m"]);
    for round in 0..8 {
        image.mounted("noatime", |root| {
            for number in 0..2000 + round * 333 {
                put(&root.join(format!("f{number}")), b"x");
                if number % 2 == 0 {
                    std::fs::remove_file(root.join(format!("f{number}"))).unwrap();
                }
            }
            run(Command::new("sync").arg("-f").arg(root));
        });
        no_errors(&walk(&*open(&image.bytes()).unwrap()).errors);
    }
}

#[test]
fn deep_shared_blocks_and_sparse_chunks() {
    if !wanted() {
        return;
    }
    let image = Image::new(SMALL, &["-m", "reflink=1", "-i", "sparse=1"]);
    image.mounted("noatime", |root| {
        put(&root.join("a"), &noise(1, 2_000_000));
        let copy = Command::new("cp")
            .args(["--reflink=always"])
            .args([root.join("a"), root.join("b")])
            .status();
        assert!(copy.unwrap().success());
        let b = OpenOptions::new().write(true).open(root.join("b")).unwrap();
        b.write_all_at(&noise(2, 10_000), 500_000).unwrap();
        b.sync_all().unwrap();
        // Leave free space in pieces too short for a whole chunk of inodes.
        let filler = std::fs::File::create(root.join("filler")).unwrap();
        let free = rustix::fs::statvfs(root).unwrap();
        let len = (free.f_bavail - 2000) * free.f_bsize;
        rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, len).unwrap();
        for at in (0..len - 65536).step_by(65536) {
            let flags =
                rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(&filler, flags, at, 7 * 4096).unwrap();
        }
        std::fs::create_dir(root.join("many")).unwrap();
        for number in 0..60_000 {
            if std::fs::File::create(root.join(format!("many/{number}"))).is_err() {
                break;
            }
        }
    });
    let kernel = image.mounted("ro,noatime", kernel_tree);
    let bytes = image.bytes();
    let fs = open(&bytes).unwrap();
    let walked = walk(&*fs);
    no_errors(&walked.errors);
    check(&tree(&*fs, &walked.live), &kernel);
    assert_eq!(covered(&*fs, &walked.live, bytes.len()), 0);
}

/// A protofile that makes mkfs copy `root`.
fn protofile(root: &Path) -> Vec<u8> {
    let mut proto = b"/dev/null\n0 0\nd--755 0 0\n".to_vec();
    let list = |dir: &Path| {
        let mut paths: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.reverse();
        paths
    };
    let mut stack: Vec<Option<std::path::PathBuf>> = vec![None];
    stack.extend(list(root).into_iter().map(Some));
    while let Some(next) = stack.pop() {
        let Some(path) = next else {
            proto.extend(b"$\n");
            continue;
        };
        let name = path.file_name().unwrap().as_bytes();
        if name.iter().any(u8::is_ascii_whitespace) {
            continue;
        }
        proto.extend(name);
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            proto.extend(b" d--755 0 0\n");
            stack.push(None);
            stack.extend(list(&path).into_iter().map(Some));
        } else if kind.is_symlink() {
            let target = std::fs::read_link(&path).unwrap();
            proto.extend([b" l--777 0 0 ", target.as_os_str().as_bytes(), b"\n"].concat());
        } else if kind.is_file() {
            proto.extend([b" ---640 7 8 ", path.as_os_str().as_bytes(), b"\n"].concat());
        } else {
            proto.extend(b" p--600 0 0\n");
        }
    }
    proto
}

/// The kernel mounts no version 4, so mkfs copies a tree into it.
fn version_4(options: &[&str]) {
    let source = tempfile::tempdir().unwrap();
    let root = source.path().join("root");
    std::fs::create_dir(&root).unwrap();
    for number in 0..700usize {
        let dir = root.join(format!("d{}/below", number % 5));
        std::fs::create_dir_all(&dir).unwrap();
        put(&dir.join(format!("file-{number}")), &noise(number as u64, number * number % 300_000));
        put(&dir.join(format!("{}-é", "n".repeat(number % 200))), b"x");
    }
    for len in [5, 300, 900] {
        std::os::unix::fs::symlink("t".repeat(len), root.join(format!("to-{len}"))).unwrap();
    }
    let proto = source.path().join("proto");
    put(&proto, &protofile(&root));
    let mut mkfs = vec!["-m", "crc=0", "-p", proto.to_str().unwrap()];
    mkfs.extend(options);
    let image = Image::new(400 << 20, &mkfs);
    let bytes = image.bytes();
    let fs = open(&bytes).unwrap();
    let walked = walk(&*fs);
    no_errors(&walked.errors);
    let reader = plain(&tree(&*fs, &walked.live));
    check(&reader, &plain(&kernel_tree(&root)));
    check(&reader, &lamxfs_tree(&bytes));
    assert_eq!(covered(&*fs, &walked.live, bytes.len()), 0);
}

#[test]
fn deep_version_4() {
    if wanted() {
        version_4(&[]);
        version_4(&["-b", "size=1024", "-n", "size=16384", "-i", "size=256"]);
        version_4(&["-b", "size=512", "-n", "ftype=1"]);
    }
}

#[test]
fn deep_lamxfs_agrees() {
    if !wanted() {
        return;
    }
    let image = Image::new(600 << 20, &[]);
    image.mounted("noatime", populate);
    let bytes = image.bytes();
    let fs = open(&bytes).unwrap();
    let mut reader = plain(&tree(&*fs, &walk(&*fs).live));
    // lamxfs reads a whole file at once and refuses this one's size.
    let mut lam = lamxfs_tree(&bytes);
    reader.remove(b"/maps/sparse".as_slice());
    lam.remove(b"/maps/sparse".as_slice());
    check(&reader, &lam);
}
