//! Whole filesystems made at run time, filled through the kernel and compared with its own view.
//! They need root and the xfs tools, so they run only with `AMISWEEP_DEEP=1`.

use super::{Seen, Tree, check, covered, no_errors, open, sha256, tree, walk};
use amisweep::bytes::ReadAt;
use amisweep::run::ImageNo;
use rustix::fs::{FallocateFlags, XattrFlags};
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

pub(super) fn wanted() -> bool {
    let wanted = std::env::var_os("AMISWEEP_DEEP").is_some_and(|value| value == "1");
    if !wanted {
        eprintln!("skipped: set AMISWEEP_DEEP=1 (needs root and xfsprogs)");
    }
    wanted
}

pub(super) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}

/// An image in a directory of its own.
pub(super) struct Image {
    dir: tempfile::TempDir,
}

impl Image {
    pub(super) fn new(bytes: u64, mkfs: &[&str]) -> Image {
        let image = Image { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(image.mount_point()).unwrap();
        image.file().set_len(bytes).unwrap();
        run(Command::new("mkfs.xfs")
            // It refuses filesystems below 300 MB unless it believes a test suite calls it.
            .envs(["TEST_DIR", "TEST_DEV", "QA_CHECK_FS"].map(|name| (name, "x")))
            .arg("-q")
            .args(mkfs)
            .arg(image.path()));
        image
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("xfs.img")
    }

    pub(super) fn mount_point(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }

    fn file(&self) -> File {
        OpenOptions::new().create(true).truncate(false).write(true).open(self.path()).unwrap()
    }

    /// Do something with it mounted.
    pub(super) fn mounted<T>(&self, options: &str, work: impl FnOnce(&Path) -> T) -> T {
        let mount = Mount(self.mount_point());
        let option = format!("loop,{options}");
        run(Command::new("mount").args(["-o", &option]).arg(self.path()).arg(&mount.0));
        work(&mount.0)
    }

    pub(super) fn bytes(&self) -> Arc<dyn ReadAt> {
        amisweep::image::raw::open(&self.path(), ImageNo(0), "xfs.img".into()).unwrap().bytes
    }
}

struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        run(Command::new("umount").arg(&self.0));
    }
}

/// Bytes that differ everywhere and are the same every time.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend(state.to_le_bytes());
    }
    out.truncate(len);
    out
}

pub(super) fn put(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

fn xattr(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

/// About 10,700 files of every shape the format knows.
pub(super) fn populate(root: &Path) {
    sizes(root);
    names(root);
    maps(root);
    links(root);
    attributes(root);
}

fn sizes(root: &Path) {
    let dir = root.join("sizes");
    std::fs::create_dir(&dir).unwrap();
    for size in [
        0, 1, 511, 512, 513, 1023, 1025, 4095, 4096, 4097, 8191, 65535, 65536, 65537, 1_048_575,
        1_048_577, 3_000_000,
    ] {
        put(&dir.join(size.to_string()), &noise(size as u64, size));
    }
    for number in 0..500u32 {
        let len = usize::try_from(number * 37 % 9000).unwrap();
        put(&dir.join(format!("n{number}")), &noise(number.into(), len));
    }
}

fn names(root: &Path) {
    let many = root.join("many");
    std::fs::create_dir(&many).unwrap();
    for number in 0..10_000u32 {
        let name = format!("file-{number:05}-{}", "x".repeat((number % 40) as usize));
        put(&many.join(name), format!("{number}\n").as_bytes());
    }
    for number in (0..10_000u32).step_by(7) {
        let name = format!("file-{number:05}-{}", "x".repeat((number % 40) as usize));
        std::fs::remove_file(many.join(name)).unwrap();
    }
    for count in [1u32, 5, 30, 60, 150, 400] {
        let dir = root.join(format!("dir{count}"));
        std::fs::create_dir(&dir).unwrap();
        for number in 0..count {
            put(&dir.join(format!("entry-{number}")), b"x");
        }
    }
    let mut deep = root.join("deep");
    for level in 0..60 {
        std::fs::create_dir(&deep).unwrap();
        put(&deep.join("here"), format!("level {level}").as_bytes());
        deep = deep.join(format!("d{level}"));
    }
    for name in ["Ünïcödé", "日本語.txt", "😀", "sp ace\ttab\nline", &"n".repeat(255)] {
        put(&root.join(name), name.as_bytes());
    }
    let raw = std::ffi::OsString::from_vec(b"not-utf8-\xff\xfe".to_vec());
    put(&root.join(raw), b"raw");
}

fn maps(root: &Path) {
    let dir = root.join("maps");
    std::fs::create_dir(&dir).unwrap();
    let a = File::create(dir.join("fragmented-a")).unwrap();
    let b = File::create(dir.join("fragmented-b")).unwrap();
    for step in 0..300u64 {
        a.write_all_at(&noise(step, 4096), step * 8192).unwrap();
        b.write_all_at(&noise(step + 1000, 4096), step * 4096).unwrap();
        if step % 3 == 0 {
            a.sync_data().unwrap();
            b.sync_data().unwrap();
        }
    }
    let sparse = File::create(dir.join("sparse")).unwrap();
    for step in 0..2000u64 {
        sparse.write_all_at(&noise(step, 100), step * 131_072 + 5000).unwrap();
    }
    sparse.set_len(1 << 30).unwrap();
    let unwritten = File::create(dir.join("unwritten")).unwrap();
    rustix::fs::fallocate(&unwritten, FallocateFlags::empty(), 0, 2_000_000).unwrap();
    unwritten.write_all_at(&noise(7, 50_000), 300_000).unwrap();
    let beyond = File::create(dir.join("beyond-the-end")).unwrap();
    rustix::fs::fallocate(&beyond, FallocateFlags::KEEP_SIZE, 0, 1_000_000).unwrap();
    beyond.write_all_at(&noise(8, 10_000), 0).unwrap();
    let hole = File::create(dir.join("only-a-hole")).unwrap();
    hole.set_len(123_456_789).unwrap();
    let punched = File::create(dir.join("punched")).unwrap();
    punched.write_all_at(&noise(9, 4_000_000), 0).unwrap();
    for step in 0..100u64 {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&punched, flags, step * 40_000, 16_384).unwrap();
    }
}

fn links(root: &Path) {
    let dir = root.join("links");
    std::fs::create_dir(&dir).unwrap();
    put(&dir.join("one"), b"three names");
    for name in ["two", "../three-up"] {
        std::fs::hard_link(dir.join("one"), dir.join(name)).unwrap();
    }
    for len in [1usize, 20, 300, 400, 1000, 1023] {
        let target = "t".repeat(len);
        std::os::unix::fs::symlink(target, dir.join(format!("to-{len}"))).unwrap();
    }
    for (name, kind) in [("fifo", "p"), ("null", "c"), ("disk", "b")] {
        let path = dir.join(name);
        let mut command = Command::new("mknod");
        command.arg(path).arg(kind);
        run(if kind == "p" { &mut command } else { command.args(["1", "3"]) });
    }
    std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
    std::fs::set_permissions(dir.join("one"), Permissions::from_mode(0o4751)).unwrap();
    std::os::unix::fs::lchown(dir.join("to-300"), Some(70_000), Some(80_000)).unwrap();
}

fn attributes(root: &Path) {
    let dir = root.join("attributes");
    std::fs::create_dir(&dir).unwrap();
    xattr(&dir, "user.on-a-directory", b"yes");
    let file = |name: &str| {
        let path = dir.join(name);
        put(&path, name.as_bytes());
        path
    };
    let short = file("short");
    xattr(&short, "user.k", b"v");
    xattr(&short, "user.empty", b"");
    xattr(&short, "trusted.t", b"root only");
    xattr(&short, "security.s", b"label");
    let leaf = file("leaf");
    for number in 0..8u64 {
        xattr(&leaf, &format!("user.attribute-{number}"), &noise(number, 200));
    }
    let node = file("node");
    for number in 0..600u64 {
        xattr(&node, &format!("user.attribute-{number}"), &noise(number, 90));
    }
    for size in [3000usize, 10_000, 60_000, 65_536] {
        let remote = file(&format!("remote-{size}"));
        xattr(&remote, "user.big", &noise(size as u64, size));
        xattr(&remote, "trusted.small", b"beside it");
    }
    let both = file("both");
    for number in 0..40u64 {
        xattr(&both, &format!("user.value-{number}"), &noise(number, 5000));
    }
}

/// The mounted tree as the kernel shows it.
pub(super) fn kernel_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut stack = vec![root.to_path_buf()];
    while let Some(path) = stack.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let kind = meta.file_type();
        let stat = (meta.mode(), meta.uid(), meta.gid(), meta.nlink(), meta.mtime());
        let mut seen = Seen { stat: Some(stat), kind: 's', ..Seen::default() };
        if kind.is_dir() {
            seen.kind = 'd';
            stack.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if kind.is_file() {
            (seen.kind, seen.size) = ('f', meta.len());
            seen.digest = file_digest(&path);
        } else if kind.is_symlink() {
            (seen.kind, seen.size) = ('l', meta.len());
            seen.digest = sha256(std::fs::read_link(&path).unwrap().as_os_str().as_bytes());
        } else {
            assert!(
                kind.is_fifo()
                    || kind.is_socket()
                    || kind.is_char_device()
                    || kind.is_block_device()
            );
        }
        kernel_xattrs(&path, &mut seen);
        let inside = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
        tree.insert([b"/", inside].concat(), seen);
    }
    tree
}

fn file_digest(path: &Path) -> String {
    use sha2::{Digest, Sha256};
    let mut sum = Sha256::new();
    let mut file = File::open(path).unwrap();
    let mut buf = vec![0; 1 << 20];
    loop {
        let len = std::io::Read::read(&mut file, &mut buf).unwrap();
        if len == 0 {
            return super::hex(&sum.finalize());
        }
        sum.update(&buf[..len]);
    }
}

fn kernel_xattrs(path: &Path, seen: &mut Seen) {
    let mut list = vec![0; 65536];
    let len = rustix::fs::llistxattr(path, &mut list[..]).unwrap();
    for name in list[..len].split(|&b| b == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 65536];
        let name = std::str::from_utf8(name).unwrap();
        let len = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        seen.xattrs.insert(name.to_owned(), format!("{len} {}", sha256(&value[..len])));
    }
}

/// Make, fill, compare with the kernel and with lamxfs, and account for every byte.
fn against_the_kernel(mkfs: &[&str]) {
    if wanted() {
        sized_against_the_kernel(600 << 20, mkfs);
    }
}

fn sized_against_the_kernel(bytes: u64, mkfs: &[&str]) {
    let image = Image::new(bytes, mkfs);
    image.mounted("noatime", populate);
    let kernel = image.mounted("ro,noatime", kernel_tree);
    assert!(kernel.len() > 9000);
    let bytes = image.bytes();
    let fs = open(&bytes).unwrap();
    let walked = walk(&*fs);
    no_errors(&walked.errors);
    let reader = tree(&*fs, &walked.live);
    check(&reader, &kernel);
    let unowned = covered(&*fs, &walked.live, bytes.len());
    assert_eq!(unowned, 0, "bytes that no file owns are called slack");
}

#[test]
fn deep_default() {
    against_the_kernel(&[]);
}

#[test]
fn deep_every_feature() {
    let options = ["-m", "reflink=1,rmapbt=1,bigtime=1", "-i", "nrext64=1,sparse=1"];
    against_the_kernel(&options);
}

#[test]
fn deep_few_features() {
    against_the_kernel(&["-m", "reflink=0,finobt=0,bigtime=0,inobtcount=0", "-i", "sparse=0"]);
}

#[test]
fn deep_small_blocks() {
    against_the_kernel(&["-b", "size=1024"]);
}

#[test]
fn deep_large_directory_blocks() {
    against_the_kernel(&["-n", "size=8192", "-i", "size=1024", "-l", "su=65536"]);
}

#[test]
fn deep_largest_directory_blocks() {
    against_the_kernel(&["-n", "size=65536", "-s", "size=4096"]);
}

#[test]
fn deep_many_groups() {
    against_the_kernel(&["-d", "agcount=7", "-b", "size=2048"]);
}

#[test]
fn deep_largest_blocks() {
    if wanted() {
        sized_against_the_kernel(2 << 30, &["-b", "size=65536"]);
    }
}

#[test]
fn deep_inode_numbers_of_eight_bytes() {
    if wanted() {
        sized_against_the_kernel(5 << 40, &["-l", "size=64m"]);
    }
}
