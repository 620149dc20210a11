//! Memory: bounded, whatever lies on the disk.

use super::made::{Disk, tool};
use super::{BLOCK, ID, deep, program, serve};
use amisweep::emulator::{Emulator, Snapshot};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The most a scan with default flags may take, in KiB.
const MOST_KIB: u64 = 256 * 1024;

const FILES: u64 = 100_000;

/// The most memory a scan ever held, in KiB, as the kernel counted it.
fn peak_kib(emulator: Option<&Emulator>, target: &OsStr, options: &[&str]) -> u64 {
    let home = tempfile::tempdir().unwrap();
    let told = home.path().join("told");
    let scan = program(emulator, home.path());
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M", "-o"]).arg(&told).arg(scan.get_program()).env_clear();
    timed.envs(scan.get_envs().filter_map(|(name, value)| Some((name, value?))));
    timed.args(["scan", "-q", "-f", "ndjson", "-o", "/dev/null"]).args(options).arg(target);
    let status = timed.status().unwrap();
    assert!([0, 10].contains(&status.code().unwrap()), "{status}");
    let text = fs::read_to_string(&told).unwrap();
    text.lines().last().unwrap().trim().parse().unwrap()
}

/// A sparse disk of 8 GiB with so many small files.
fn full(files: u64) -> Disk {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..files {
        let path = folder.path().join(format!("some/folder-{}/of-files", number / 250));
        if number % 250 == 0 {
            fs::create_dir_all(&path).unwrap();
        }
        put(&path.join(format!("file-{number}.conf")), number);
    }
    let root = folder.path().to_str().unwrap();
    Disk::make(8192, &["mkfs.ext4", "-q", "-F", "-d", root])
}

#[expect(clippy::disallowed_methods, reason = "a test makes files")]
fn put(path: &Path, number: u64) {
    let text = format!("setting {number} = {}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    fs::write(path, text.repeat(1 + usize::try_from(number % 40).unwrap())).unwrap();
}

#[test]
fn deep_a_hundred_thousand_files_fit() {
    if !deep() {
        return;
    }
    tool("true", &[]);
    let (empty, full) = (full(0), full(FILES));
    let peaks = [&empty, &full].map(|disk| peak_kib(None, disk.image().as_os_str(), &["-j", "1"]));
    let each = peaks[1].saturating_sub(peaks[0]) * 1024 / FILES;
    eprintln!("{} KiB without files, {} KiB with: {each} bytes a file", peaks[0], peaks[1]);
    assert!(each <= 512, "{each} bytes a file");

    let file = peak_kib(None, full.image().as_os_str(), &[]);
    let emulator = serve(vec![Snapshot::from_file(ID, &full.image()).unwrap()]);
    let cloud = peak_kib(Some(&emulator), OsStr::new(ID), &[]);
    let blocks = emulator.block_fetches();
    let again = blocks.values().filter(|times| **times > 1).count();
    eprintln!(
        "{file} KiB over a file, {cloud} KiB over AWS, blocks of {BLOCK}: {again} bought again"
    );
    assert!(file <= MOST_KIB && cloud <= MOST_KIB, "{file} KiB, {cloud} KiB");
}
