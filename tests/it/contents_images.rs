//! What is inside of images of containers, of packed filesystems and of free space: planted secrets
//! are found at their locators.

#![allow(clippy::unwrap_used, reason = "a test says where it stopped by stopping there")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod carving;
mod layers;
mod packed;

use amisweep::bytes::{ReadAt, past_end};
use amisweep::detect::Engine;
use amisweep::detect::example::render;
use amisweep::error::Result;
use amisweep::filesystem::dir::Directory;
use amisweep::image::Image;
use amisweep::outcome::Outcome;
use amisweep::run::{ImageNo, Run, RunSet};
use amisweep::sweep::{FingerprintKey, Options, Progress, Target, sweep};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A token that proves itself.
fn token(seed: u64) -> String {
    render("ghp_{base62:30}{crc32_base62}", seed).unwrap()
}

fn swept(target: Target) -> Outcome {
    let key = FingerprintKey::kept([7; 32]);
    let engine = Engine::builtin().unwrap();
    let progress = Progress::default();
    sweep(
        target,
        &Options { engine: &engine, jobs: 2, key: &key, cross_check: false, progress: &progress },
    )
}

/// Sweep a disk in memory.
fn disk(bytes: Vec<u8>) -> Outcome {
    let written = RunSet::from_runs(vec![Run::new(0, bytes.len() as u64)]);
    let bytes: Arc<dyn ReadAt> = Arc::new(Disk(bytes));
    let (number, name) = (ImageNo(0), "disk".into());
    swept(Target::Images(vec![Image { number, name, bytes, written, ahead: None }]))
}

/// Sweep a directory under the name `tree`.
fn tree(root: &Path) -> Outcome {
    let files = Box::new(Directory::open(root).unwrap());
    swept(Target::Tree { name: "tree".into(), files })
}

/// Where the secret is, each place without its span and with what is told of the finding:
/// `locator` or `locator image=a, layer=b`.
fn places(outcome: &Outcome, secret: &str, told: &[&str]) -> Vec<String> {
    let of = outcome.findings.iter().filter(|f| f.subject.bytes() == secret.as_bytes());
    let mut found = Vec::new();
    for finding in of {
        let facts = finding.facts.iter().filter(|(name, _)| told.contains(name));
        let facts = facts.map(|(name, values)| format!("{name}={}", values.join(" | ")));
        let facts: Vec<String> = facts.collect();
        for place in &finding.places {
            let mut at = place.locator.clone();
            at.span = None;
            found.push(format!("{at} {}", facts.join(", ")).trim_end().to_owned());
        }
    }
    found
}

/// The places behind a container's own, in which the bytes may stand as they are.
fn members(outcome: &Outcome, secret: &str, told: &[&str]) -> Vec<String> {
    let mut found = places(outcome, secret, told);
    found.retain(|at| at.contains('!'));
    found
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// An archive of these files.
fn tar(files: &[(&str, &(impl AsRef<[u8]> + ?Sized))]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in files {
        let bytes = bytes.as_ref();
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        archive.extend(header);
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn is_deep() -> bool {
    let deep = std::env::var_os("AMISWEEP_DEEP").is_some_and(|value| value == "1");
    if !deep {
        eprintln!("skipped: set AMISWEEP_DEEP=1, as root, to use the real tools");
    }
    deep
}

/// Run a script, with what it needs in its environment.
fn shell(at: &Path, script: &str, variables: &[(&str, &str)]) {
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", script]).current_dir(at);
    let output = shell.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

struct Disk(Vec<u8>);

impl ReadAt for Disk {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap();
        let end = start.checked_add(buf.len());
        let found = end.and_then(|end| self.0.get(start..end));
        buf.copy_from_slice(found.ok_or_else(|| past_end(offset, buf.len(), self.len()))?);
        Ok(())
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        vec![(ImageNo(0), run)]
    }
}
