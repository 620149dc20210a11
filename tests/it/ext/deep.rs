//! Differential tests against the kernel. They need root, `mkfs.ext4` and loop devices, and run
//! with `AMISWEEP_DEEP=1`.

use super::populate::{Size, be_busy, populate};
use super::seen::{account, assert_same, kernels, ours, walk};
use amisweep::bytes::ReadAt;
use amisweep::error::ErrorKind;
use amisweep::filesystem::{At, FileEntry};
use amisweep::run::ImageNo;
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
        let _ = Command::new("umount").arg(&self.0).status();
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
