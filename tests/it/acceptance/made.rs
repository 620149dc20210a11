//! Disks made on the spot by the system's own tools, for the tests that need root.

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub(super) fn tool(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

/// A disk image in a folder that goes away.
pub(super) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// An empty filesystem of so many MiB.
    pub(super) fn make(mebibytes: u64, mkfs: &[&str]) -> Disk {
        let disk = Disk { folder: tempfile::tempdir().unwrap() };
        let image = disk.image();
        let image = image.to_str().unwrap();
        tool("truncate", &["-s", &format!("{mebibytes}M"), image]);
        tool(mkfs[0], &[&mkfs[1..], &[image]].concat());
        disk
    }

    pub(super) fn image(&self) -> PathBuf {
        self.folder.path().join("disk.img")
    }

    /// Change what is on it while it is mounted.
    pub(super) fn change(&self, work: impl FnOnce(&Path)) {
        let root = self.folder.path().join("mounted");
        fs::create_dir_all(&root).unwrap();
        let root_text = root.to_str().unwrap();
        tool("mount", &["-o", "loop", self.image().to_str().unwrap(), root_text]);
        work(&root);
        tool("umount", &[root_text]);
    }
}

/// Bytes that never repeat.
fn noise(seed: u64, len: usize) -> Vec<u8> {
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

#[expect(clippy::disallowed_methods, reason = "a test makes files")]
fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

/// Let a disk grow old: several rounds of files made, deleted, appended to in turns and rewritten
/// in the middle, until about ten thousand small and some large ones lie about in pieces.
pub(super) fn age(root: &Path) {
    const ROUNDS: u64 = 6;
    for round in 0..ROUNDS {
        for folder in 0..20u64 {
            let folder_path = root.join(format!("d{folder}/r{round}"));
            fs::create_dir_all(&folder_path).unwrap();
            for file in 0..140u64 {
                let seed = (round * 20 + folder) * 1000 + file + 1;
                let len = usize::try_from(seed.wrapping_mul(2_654_435_761) % 24_000 + 1).unwrap();
                put(&folder_path.join(format!("f{file}")), &noise(seed, len));
            }
        }
        large(root, round);
        // A third of what the round before made goes away, so that the next fills its holes.
        for folder in 0..20u64 {
            for file in (round % 3..140).step_by(3) {
                let gone = root.join(format!("d{folder}/r{}/f{file}", round.saturating_sub(1)));
                let _ = fs::remove_file(gone);
            }
        }
        tool("sync", &[]);
    }
}

/// Files that grow in turns, which scatters them, and are written over in their middles.
fn large(root: &Path, round: u64) {
    let paths: Vec<PathBuf> =
        (0..6).map(|number| root.join(format!("large-{round}-{number}"))).collect();
    for turn in 0..40u64 {
        for (path, number) in paths.iter().zip(0..) {
            let mut options = fs::OpenOptions::new();
            let mut file = options.append(true).create(true).open(path).unwrap();
            file.write_all(&noise(round * 1000 + turn * 10 + number, 300_000)).unwrap();
            if turn % 8 == 0 {
                file.sync_all().unwrap();
            }
        }
    }
    for path in &paths {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(&noise(round + 77, 5000), 1_000_000).unwrap();
    }
    if let Some(path) = paths.get(usize::try_from(round).unwrap() % paths.len()) {
        fs::remove_file(path).unwrap();
    }
}

/// Compressed files, one of them larger than what a scan holds of its disk.
pub(super) fn archives(root: &Path) {
    let packed = |seed, len| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&noise(seed, len)).unwrap();
        gzip.finish().unwrap()
    };
    for number in 0..60 {
        put(&root.join(format!("log-{number}.gz")), &packed(number + 1, 3_000_000));
        if number == 30 {
            put(&root.join("large.gz"), &packed(77, 160_000_000));
        }
    }
}
