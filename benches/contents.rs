//! Contents: what it costs to open containers, against sweeping what they hold as it lies.
//!
//! ```text
//! cargo bench --no-default-features --bench contents      as many files plain and packed
//! AMISWEEP_BENCH_QUICK=1 cargo bench …                    a quarter of the bytes
//! ```
//!
//! Each row is the processor's time for a sweep of one directory with the packed file, as a multiple
//! of that for a directory with the unpacked ones. Beyond the decoder's own time it must stay below
//! three.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints what it measured"
)]

use amisweep::detect::Engine;
use amisweep::filesystem::dir::Directory;
use amisweep::sweep::{FingerprintKey, Options, Progress, Target, sweep};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const MIB: usize = 1024 * 1024;

/// How the plain archive is packed: what it is called then, and the command. The tool may be
/// missing.
const WAYS: [(&str, &str); 7] = [
    ("x.tar", "cat"),
    ("x.tar.gz", "gzip -c"),
    ("x.tar.zst", "zstd -qc"),
    ("x.tar.lz4", "lz4 -qc"),
    ("x.tar.xz", "xz -c1"),
    ("x.tar.bz2", "bzip2 -c"),
    ("x.zip", "cat >tree.tar && tar -xf tree.tar && zip -qr - files"),
];

fn main() {
    let quick = std::env::var_os("AMISWEEP_BENCH_QUICK").is_some();
    let bytes = if quick { 8 * MIB } else { 32 * MIB };
    let engine = Engine::builtin().unwrap();
    let tree = TempDir::new().unwrap();
    fill(&tree.path().join("files"), bytes);
    let plain = time(&engine, tree.path());
    println!("{:<12} {:>8} ms   1.00", "files", plain.as_millis());
    let archive = TempDir::new().unwrap();
    let tar = archive.path().join("x.tar");
    run(&format!("tar -cf {} files", tar.display()), tree.path());
    for (name, command) in WAYS {
        let packed = TempDir::new().unwrap();
        let work = TempDir::new().unwrap();
        let target = packed.path().join(name);
        let script = format!("set -o pipefail; {command} >{}", target.display());
        let input = Stdio::from(File::open(&tar).unwrap());
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).current_dir(work.path()).stdin(input).stderr(Stdio::null());
        if !shell.status().unwrap().success() {
            println!("{name:<12} the tool is not there");
            continue;
        }
        let took = time(&engine, packed.path());
        let ratio = took.as_secs_f64() / plain.as_secs_f64();
        println!("{name:<12} {:>8} ms   {ratio:.2}", took.as_millis());
    }
}

/// What this process has taken of the processor.
fn used() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

fn run(script: &str, folder: &Path) {
    assert!(
        Command::new("bash").args(["-c", script]).current_dir(folder).status().unwrap().success()
    );
}

/// The best of five sweeps on one thread. It is the processor's time, since other programs' share of
/// a machine is not ours.
fn time(engine: &Engine, root: &Path) -> Duration {
    let once = || {
        let key = FingerprintKey::ephemeral([7; 32]);
        let progress = Progress::default();
        let options =
            Options { engine, jobs: 1, key: &key, cross_check: false, progress: &progress };
        let files = Box::new(Directory::open(root).unwrap());
        let begun = used();
        let outcome = sweep(Target::Tree { name: "dir".into(), files }, &options);
        assert!(outcome.coverage.complete());
        used().checked_sub(begun).unwrap()
    };
    (0..5).map(|_| once()).min().unwrap()
}

/// Files as they lie on servers: settings, logs and programs' tables.
fn fill(root: &Path, bytes: usize) {
    std::fs::create_dir(root).unwrap();
    let mut state = 1u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let size = 256 * 1024;
    for number in 0..bytes / size {
        let mut text = Vec::with_capacity(size);
        while text.len() < size {
            let (a, b) = (next(), next());
            match number % 3 {
                0 => writeln!(text, "option_{} = value-{b:x} # of {a}", a % 900).unwrap(),
                1 => writeln!(
                    text,
                    "2026-01-02T03:04:{:02}Z host app[{}]: request={b:08x} took={}ms",
                    a % 60,
                    a % 32_768,
                    b % 5000
                )
                .unwrap(),
                _ => text.extend([
                    0x48,
                    0x89,
                    (a % 8).to_le_bytes()[0],
                    0,
                    0xe8,
                    b.to_le_bytes()[0],
                    b.to_le_bytes()[1],
                    0,
                ]),
            }
        }
        text.truncate(size);
        File::create_new(root.join(format!("{number}.txt"))).unwrap().write_all(&text).unwrap();
    }
}
