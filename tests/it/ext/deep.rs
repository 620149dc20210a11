//! Differential tests against the kernel. They need root, `mkfs.ext4` and loop devices, and run
//! with `AMISWEEP_DEEP=1`.

use super::populate::{Size, be_busy, noise, populate};
use super::seen::{account, assert_same, hex, kernels, ours, read, walk};
use amisweep::bytes::ReadAt;
use amisweep::error::{Error, ErrorKind};
use amisweep::filesystem::{At, FileEntry};
use amisweep::run::ImageNo;
use sha2::{Digest, Sha256};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

const SMALL: Size = Size { entries: 600, largest: 3 << 20, holes: 300, depth: 25, attribute: 900 };

fn is_deep() -> bool {
    let deep = std::env::var_os("AMISWEEP_DEEP").is_some_and(|value| value == "1");
    if !deep {
        eprintln!("skipped: set AMISWEEP_DEEP=1, as root, to compare with the kernel");
    }
    deep
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

/// A filesystem image in a directory that goes away, and where it is mounted.
struct Disk {
    dir: TempDir,
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        // A child of another test may still hold a file for a moment; then it goes later.
        let mut umount = Command::new("umount");
        umount.arg(&self.0).stderr(std::process::Stdio::null());
        let mut tries = std::iter::repeat_with(|| umount.status()).take(200);
        if !tries.any(|status| status.is_ok_and(|status| status.success())) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
}

impl Disk {
    fn make(megabytes: u64, options: &[&str]) -> Disk {
        let disk = Disk { dir: TempDir::new().unwrap() };
        let image = disk.image();
        run("truncate", &["-s", &format!("{megabytes}M"), image.to_str().unwrap()]);
        run("mkfs.ext4", &[&["-q", "-F"], options, &[image.to_str().unwrap()]].concat());
        disk
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn mount(&self, image: &Path, options: &str) -> Mounted {
        let at = self.dir.path().join("mount");
        std::fs::create_dir_all(&at).unwrap();
        let options = format!("loop,{options}");
        run("mount", &["-o", &options, image.to_str().unwrap(), at.to_str().unwrap()]);
        Mounted(at)
    }
}

fn volume(image: &Path) -> Arc<dyn ReadAt> {
    amisweep::image::raw::open(image, ImageNo(0), "image".into()).unwrap().bytes
}

/// Populate a new filesystem, and compare what we see with what the kernel sees. Returns the files.
fn check(megabytes: u64, options: &[&str], size: &Size) -> Vec<FileEntry> {
    let disk = Disk::make(megabytes, options);
    {
        let mounted = disk.mount(&disk.image(), "rw");
        populate(&mounted.0, size);
    }
    let mounted = disk.mount(&disk.image(), "ro");
    let theirs = kernels(&mounted.0);
    let stat = rustix::fs::statvfs(&mounted.0).unwrap();
    drop(mounted);
    let bytes = volume(&disk.image());
    let fs = super::open(&bytes);
    let (files, errors) = walk(&*fs);
    assert!(errors.is_empty(), "{errors:?}");
    assert_same(&ours(&*fs, &files), &theirs);
    let account = account(&*fs, &files, bytes.len());
    assert_eq!(account.free, stat.f_bfree * stat.f_frsize, "free space");
    // A cluster may hold more blocks than its file has; nothing else is left over.
    assert!(account.unexplained == 0 || options.contains(&"bigalloc"), "{account:?}");
    eprintln!("{options:?}: {} paths, {account:?}", theirs.len());
    files
}

#[test]
fn deep_default() {
    if is_deep() {
        let size =
            Size { entries: 10_000, largest: 32 << 20, holes: 2000, depth: 60, attribute: 3000 };
        let files = check(512, &[], &size);
        let unwritten = |f: &&FileEntry| {
            f.streams.iter().flat_map(|s| &*s.extents).any(|e| matches!(e.at, At::Unwritten(_)))
        };
        assert_eq!(files.iter().filter(unwritten).count(), 2);
    }
}

/// The options of `mkfs.ext4` that change how things are laid out.
const VARIANTS: &[&[&str]] = &[
    &["-b", "1024"],
    &["-b", "2048", "-I", "128"],
    &["-b", "1024", "-O", "bigalloc", "-C", "16384"],
    &["-b", "4096", "-O", "bigalloc"],
    &["-b", "4096", "-O", "inline_data"],
    &["-O", "inline_data", "-I", "1024"],
    &["-O", "^has_journal"],
    &["-t", "ext3", "-b", "4096"],
    &["-t", "ext3", "-b", "1024"],
    &["-t", "ext2", "-b", "4096"],
    &["-t", "ext2", "-b", "1024"],
    &["-t", "ext2", "-O", "^filetype"],
    &["-t", "ext2", "-r", "0", "-I", "128", "-O", "none"],
    &["-O", "meta_bg,^resize_inode", "-b", "1024"],
    &["-O", "meta_bg,^resize_inode,^flex_bg", "-b", "1024"],
    &["-O", "ea_inode", "-b", "1024"],
    &["-O", "^64bit"],
    &["-O", "^64bit,^metadata_csum,uninit_bg"],
    &["-O", "^metadata_csum"],
    &["-O", "sparse_super2,^resize_inode", "-b", "1024"],
    &["-O", "^sparse_super,^resize_inode", "-b", "1024"],
    &["-O", "mmp,large_dir,encrypt,verity,stable_inodes"],
    &["-O", "fast_commit,orphan_file"],
    &["-g", "1024", "-b", "1024", "-G", "4"],
    &["-N", "3000", "-E", "lazy_itable_init=0", "-J", "size=8"],
];

#[test]
fn deep_variants() {
    if is_deep() {
        for options in VARIANTS {
            eprintln!("{options:?}");
            let attribute = if options.contains(&"ea_inode") { 20_000 } else { SMALL.attribute };
            let attribute = if options.contains(&"none") { 500 } else { attribute };
            check(96, options, &Size { attribute, ..SMALL });
        }
    }
}

/// What we see in the copy of a disk that was in use.
struct Dirty {
    files: Vec<FileEntry>,
    errors: Vec<Error>,
}

/// Copy the image of a busy filesystem, and compare what we see in the copy with what the kernel
/// sees in another copy, which it repairs.
fn check_dirty(options: &[&str], mount: &str, rounds: u64) -> Dirty {
    let disk = Disk::make(64, options);
    let (snapshot, repaired) = (disk.dir.path().join("snapshot"), disk.dir.path().join("repaired"));
    let copy = |from: &Path, to: &Path| {
        run("cp", &["--sparse=always", from.to_str().unwrap(), to.to_str().unwrap()]);
    };
    let orphan = noise(99, 50_000);
    {
        // Commits come from fsync alone, so that nothing moves while the copy is made.
        let mounted = disk.mount(&disk.image(), &format!("rw,commit=3000{mount}"));
        populate(&mounted.0, &Size { entries: 100, largest: 100_000, ..SMALL });
        let path = mounted.0.join("unlinked");
        let mut open = OpenOptions::new().create_new(true).write(true).open(&path).unwrap();
        open.write_all(&orphan).unwrap();
        open.sync_all().unwrap();
        std::fs::remove_file(&path).unwrap();
        be_busy(&mounted.0, rounds);
        copy(&disk.image(), &snapshot);
        drop(open);
    }
    copy(&snapshot, &repaired);
    let theirs = kernels(&disk.mount(&repaired, "rw").0);
    let bytes = volume(&snapshot);
    let fs = super::open(&bytes);
    let (files, errors) = walk(&*fs);
    if errors.is_empty() {
        assert_same(&ours(&*fs, &files), &theirs);
        let found = files.iter().find(|f| f.path.starts_with(b"/$Orphan/") && f.links == 0);
        let seen = read(&*fs, found.expect("the unlinked file is an orphan"));
        assert_eq!(seen.sha256, hex(&Sha256::digest(&orphan)));
    }
    let account = account(&*fs, &files, bytes.len());
    eprintln!("{options:?} {mount}: {} paths, {account:?}, {errors:?}", theirs.len());
    Dirty { files, errors }
}

fn count(files: &[FileEntry], wanted: impl Fn(&At) -> bool) -> usize {
    let extents = files.iter().flat_map(|f| &*f.streams).flat_map(|s| &*s.extents);
    extents.filter(|extent| wanted(&extent.at)).count()
}

#[test]
fn deep_dirty() {
    if is_deep() {
        let small_journal = ["-J", "size=4"];
        let variants: &[(&[&str], &str)] = &[
            (&["-b", "1024"], ""),
            (&["-b", "4096"], ""),
            (&["-O", "^metadata_csum"], ""),
            (&["-O", "^metadata_csum"], ",journal_checksum"),
            (&["-O", "^metadata_csum"], ",journal_async_commit,data=writeback"),
            (&[], ",journal_async_commit,data=writeback"),
            (&["-O", "^64bit,^metadata_csum", "-b", "1024"], ""),
            (&["-O", "inline_data", "-b", "1024"], ""),
            (&["-t", "ext3"], ""),
            (&["-O", "bigalloc"], ""),
        ];
        for (options, mount) in variants {
            let dirty = check_dirty(&[options, &small_journal[..]].concat(), mount, 700);
            assert!(dirty.errors.is_empty(), "{:?}", dirty.errors);
        }
    }
}

#[test]
fn deep_dirty_data_journal() {
    if is_deep() {
        let variants: &[&[&str]] = &[
            &["-b", "1024", "-J", "size=8"],
            &["-b", "4096", "-J", "size=8"],
            &["-O", "^metadata_csum", "-J", "size=8"],
            &["-O", "^metadata_csum,^64bit", "-b", "1024", "-J", "size=8"],
        ];
        for options in variants {
            let dirty = check_dirty(options, ",data=journal", 300);
            assert!(dirty.errors.is_empty(), "{:?}", dirty.errors);
            assert!(count(&dirty.files, |at| matches!(at, At::Packed(_))) > 3);
        }
    }
}

#[test]
fn deep_dirty_fast_commit() {
    if is_deep() {
        let dirty = check_dirty(&["-O", "fast_commit"], "", 100);
        assert!(dirty.errors.iter().any(|e| e.kind() == ErrorKind::Unsupported));
    }
}

/// Features not every kernel mounts, and block sizes none here does: `mkfs -d` fills the image from
/// a directory, which is what we must see in it.
#[test]
fn deep_unmounted() {
    if !is_deep() {
        return;
    }
    let source = TempDir::new().unwrap();
    populate(source.path(), &SMALL);
    let variants: &[&[&str]] = &[
        &["-O", "quota,project"],
        &["-O", "casefold,metadata_csum_seed"],
        &["-O", "inline_data"],
        &["-O", "inline_data", "-b", "1024", "-I", "512"],
        &["-b", "16384"],
        &["-b", "65536"],
        &["-b", "65536", "-t", "ext2"],
    ];
    for options in variants {
        eprintln!("{options:?}");
        let disk =
            Disk::make(256, &[options, &["-d", source.path().to_str().unwrap()][..]].concat());
        let bytes = volume(&disk.image());
        let fs = super::open(&bytes);
        let (files, errors) = walk(&*fs);
        assert!(errors.is_empty(), "{errors:?}");
        // mke2fs cuts trailing holes off with inline_data, so there the kernel is asked.
        let mut wanted = if options.contains(&"inline_data") {
            kernels(&disk.mount(&disk.image(), "ro").0)
        } else {
            kernels(source.path())
        };
        let mut found = ours(&*fs, &files);
        for listing in [&mut found, &mut wanted] {
            listing.remove(&b"/"[..]);
            listing.remove(&b"/lost+found"[..]);
        }
        assert_same(&found, &wanted);
        assert_eq!(account(&*fs, &files, bytes.len()).unexplained, 0);
    }
}

/// Superblock and descriptors at the beginning of the disk are gone.
#[test]
fn deep_wiped_beginning() {
    if !is_deep() {
        return;
    }
    for options in [&["-b", "1024"][..], &[]] {
        let disk = Disk::make(300, options);
        populate(&disk.mount(&disk.image(), "rw").0, &SMALL);
        let theirs = kernels(&disk.mount(&disk.image(), "ro").0);
        let image = OpenOptions::new().write(true).open(disk.image()).unwrap();
        image.write_all_at(&[0; 8192], 0).unwrap();
        let bytes = volume(&disk.image());
        let fs = super::open(&bytes);
        let (files, errors) = walk(&*fs);
        assert_eq!(errors[0].what(), "superblock is broken; a backup is used");
        assert_same(&ours(&*fs, &files), &theirs);
        account(&*fs, &files, bytes.len());
    }
}

/// What the kernel encrypts is ciphertext to us, and said to be.
#[test]
fn deep_encrypted() {
    if !is_deep() {
        return;
    }
    let disk = Disk::make(64, &["-O", "encrypt,stable_inodes"]);
    let theirs = {
        let mounted = disk.mount(&disk.image(), "rw,test_dummy_encryption");
        let dir = mounted.0.join("hidden");
        std::fs::create_dir(&dir).unwrap();
        let mut file =
            OpenOptions::new().create_new(true).write(true).open(dir.join("file")).unwrap();
        file.write_all(&b"plain text ".repeat(1000)).unwrap();
        std::os::unix::fs::symlink("target", dir.join("link")).unwrap();
        kernels(&mounted.0)
    };
    let bytes = volume(&disk.image());
    let fs = super::open(&bytes);
    let (files, errors) = walk(&*fs);
    assert_eq!(files.len(), theirs.len());
    assert!(errors.len() >= 3 && errors.iter().all(|e| e.kind() == ErrorKind::Encrypted));
    let file = files.iter().find(|f| f.streams.iter().any(|s| s.size == 11_000)).unwrap();
    let data = fs.open(file, 0).unwrap();
    let data = amisweep::bytes::read_vec(&*data, 0, 11_000).unwrap();
    assert!(!data.windows(5).any(|window| window == b"plain"));
    assert!(file.path.iter().all(u8::is_ascii_graphic), "{:?}", file.path);
}
