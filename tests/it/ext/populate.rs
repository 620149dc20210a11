//! A filesystem full of everything a reader could get wrong.

use rustix::fs::{FallocateFlags, XattrFlags};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Bytes that look like nothing and never repeat: xorshift from a seed.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// How much to make.
pub(super) struct Size {
    /// Entries of the large directory.
    pub(super) entries: usize,
    /// Bytes of the largest plain file.
    pub(super) largest: usize,
    /// Holes of the file with many.
    pub(super) holes: u64,
    /// Directories inside each other.
    pub(super) depth: usize,
    /// Longest attribute value.
    pub(super) attribute: usize,
}

#[expect(clippy::disallowed_methods, reason = "a test makes files")]
fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a test makes files")]
fn create(path: &Path) -> File {
    File::create(path).unwrap()
}

/// Fill the directory `root`.
pub(super) fn populate(root: &Path, size: &Size) {
    sizes(root, size);
    directories(root, size);
    fragments(root, size);
    links(root);
    attributes(root, size);
}

fn sizes(root: &Path, size: &Size) {
    let dir = root.join("sizes");
    fs::create_dir(&dir).unwrap();
    let edges = [0, 1, 59, 60, 61, 100, 128, 150, 160, 200, 511, 512, 1023, 1024, 1025, 4095, 4096];
    let more = [4097, 12 * 1024, 12 * 1024 + 1, 48 * 1024, 48 * 1024 + 1, 65535, 65536, 280_000];
    for len in edges.into_iter().chain(more).chain([size.largest]) {
        put(&dir.join(format!("{len}.bin")), &noise(len as u64, len));
    }
}

fn directories(root: &Path, size: &Size) {
    let mut deep = root.join("deep");
    for level in 0..size.depth {
        fs::create_dir(&deep).unwrap();
        put(&deep.join("here.txt"), format!("level {level}\n").as_bytes());
        deep = deep.join(format!("directory-{level}"));
    }
    let large = root.join("large");
    fs::create_dir(&large).unwrap();
    for index in 0..size.entries {
        let name = format!("entry-{index:05}-{}", "x".repeat(index % 40));
        put(&large.join(name), &noise(index as u64, index % 300));
    }
    for index in (0..size.entries).step_by(7) {
        let name = format!("entry-{index:05}-{}", "x".repeat(index % 40));
        fs::remove_file(large.join(name)).unwrap();
    }
    let names = root.join("names");
    fs::create_dir(&names).unwrap();
    for name in ["größe", "日本語", "with space", "new\nline", "-dash", "#:!@%+", "..."] {
        put(&names.join(name), name.as_bytes());
    }
    put(&names.join(std::ffi::OsStr::from_bytes(b"not\xffutf8\x80")), b"bytes");
    put(&names.join("n".repeat(255)), b"longest");
    fs::create_dir(names.join("empty directory")).unwrap();
    let few = root.join("few");
    fs::create_dir(&few).unwrap();
    for name in
        ["a", "b", "c", "a-somewhat-longer-name-that-needs-room", "another-rather-long-name"]
    {
        put(&few.join(name), name.as_bytes());
    }
}

fn fragments(root: &Path, size: &Size) {
    let dir = root.join("fragments");
    fs::create_dir(&dir).unwrap();
    let mut pair = [create(&dir.join("odd")), create(&dir.join("even"))];
    for round in 0..60u64 {
        for (index, file) in pair.iter_mut().enumerate() {
            file.write_all(&noise(round * 2 + index as u64, 5000)).unwrap();
            file.sync_data().unwrap();
        }
    }
    let mut sparse = create(&dir.join("sparse"));
    sparse.write_all(b"beginning").unwrap();
    sparse.seek(SeekFrom::Start(33 << 20)).unwrap();
    sparse.write_all(b"end").unwrap();
    create(&dir.join("only a hole")).set_len(5 << 20).unwrap();
    let mut holes = create(&dir.join("holes"));
    for index in 0..size.holes {
        holes.seek(SeekFrom::Start(index * 12_288 + index % 100)).unwrap();
        holes.write_all(&noise(index, 700)).unwrap();
    }
    holes.set_len(size.holes * 12_288 + 77).unwrap();
    let mut far = create(&dir.join("far"));
    far.seek(SeekFrom::Start((12 + 1024 + 1024 * 1024 + 5) * 1024)).unwrap();
    far.write_all(b"behind the third level of a small block map").unwrap();
    let mut reserved = create(&dir.join("reserved"));
    reserved.write_all(b"written").unwrap();
    // Not every filesystem can reserve; ext2 and ext3 cannot.
    let _ = rustix::fs::fallocate(&reserved, FallocateFlags::empty(), 0, 300_000);
    let beyond = create(&dir.join("reserved beyond its end"));
    let _ = rustix::fs::fallocate(&beyond, FallocateFlags::KEEP_SIZE, 0, 100_000);
    reserved.sync_all().unwrap();
    reserved.seek(SeekFrom::Start(100_000)).unwrap();
    reserved.write_all(b"in the middle").unwrap();
}

fn links(root: &Path) {
    let dir = root.join("links");
    fs::create_dir(&dir).unwrap();
    put(&dir.join("one"), b"has three names");
    fs::hard_link(dir.join("one"), dir.join("two")).unwrap();
    fs::hard_link(dir.join("one"), root.join("three")).unwrap();
    for len in [1, 58, 59, 60, 61, 100, 150, 500, 1000] {
        symlink("t".repeat(len), dir.join(format!("link-{len}"))).unwrap();
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.join("pipe"),
        rustix::fs::FileType::Fifo,
        0o640.into(),
        0,
    )
    .unwrap();
}

fn attributes(root: &Path, size: &Size) {
    let dir = root.join("attributes");
    fs::create_dir(&dir).unwrap();
    let set = |path: &Path, name: &str, value: &[u8]| {
        rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
    };
    for (index, len) in [0, 1, 20, 60, 200, 700, size.attribute].into_iter().enumerate() {
        let path = dir.join(format!("file-{len}"));
        put(&path, &noise(7, index * 50));
        set(&path, "user.value", &noise(index as u64 + 1, len));
        set(&path, "user.same", b"the same everywhere");
        set(&path, "trusted.t", b"trust");
        set(&path, "security.s", b"system_u:object_r:etc_t:s0\0");
    }
    set(&dir, "user.of.directory", b"d");
    symlink("target", dir.join("link")).unwrap();
    set(&dir.join("link"), "trusted.of.link", b"l");
}

/// Write, delete and sync for a while: what a busy machine does before its disk is copied.
pub(super) fn be_busy(root: &Path, rounds: u64) {
    let dir = root.join("busy");
    fs::create_dir(&dir).unwrap();
    for round in 0..rounds {
        let path = dir.join(format!("file-{round}"));
        let mut file = create(&path);
        // Blocks that begin with the journal's magic are escaped when they are journalled.
        let mut bytes = noise(round, 3000 + (round as usize * 37) % 9000);
        if round % 3 == 0 {
            bytes[..4].copy_from_slice(&[0xc0, 0x3b, 0x39, 0x98]);
            bytes.resize(9000, 1);
            bytes[4096..4100].copy_from_slice(&[0xc0, 0x3b, 0x39, 0x98]);
        }
        file.write_all(&bytes).unwrap();
        file.sync_all().unwrap();
        if round % 5 == 4 {
            fs::remove_file(dir.join(format!("file-{}", round - 2))).unwrap();
        }
        if round % 50 == 10 {
            // A directory's block comes free, which is revoked, and holds data next.
            let gone = root.join(format!("gone-{round}"));
            fs::create_dir(&gone).unwrap();
            for index in 0..20 {
                put(&gone.join(format!("{index}-{}", "y".repeat(200))), b"soon gone");
            }
            file.sync_all().unwrap();
            fs::remove_dir_all(&gone).unwrap();
            let mut log =
                OpenOptions::new().append(true).create(true).open(dir.join("log")).unwrap();
            log.write_all(&noise(round, 20_000)).unwrap();
            log.sync_all().unwrap();
        }
    }
}
