//! The fuzz targets of amisweep in one binary; [`fuzz/run`](../run) drives it.
//!
//! `AMISWEEP_FUZZ_TARGET` names the target. Without it the program lists the targets; with
//! `AMISWEEP_FUZZ_SEEDS` it writes the target's seeds into that directory. The targets come from
//! amisweep's own tables, and their disks and files from `testdata`: a new driver, volume system,
//! artifact or unpacker is fuzzed without a line here.

#![no_main]

mod container;
mod disk;
mod output;
mod package;
mod text;

use amisweep::artifact::ARTIFACTS;
use amisweep::content::UNPACKERS;
use amisweep::filesystem::DRIVERS;
use amisweep::volume::VOLUME_SYSTEMS;
use libfuzzer_sys::fuzz_target;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// What is fuzzed.
pub trait Target {
    /// One input. It panics where a promise is broken.
    fn run(&self, input: &[u8]);

    /// Inputs to begin with.
    fn seeds(&self) -> Vec<Vec<u8>>;
}

/// A target's name and how it is made; making one may take seconds.
type Entry = (String, Box<dyn Fn() -> Box<dyn Target>>);

fn targets() -> Vec<Entry> {
    let mut targets: Vec<Entry> = Vec::new();
    for driver in DRIVERS {
        let make = move || Box::new(disk::DiskTarget::driver(driver)) as Box<dyn Target>;
        targets.push((format!("filesystem-{}", driver.name), Box::new(make)));
    }
    for system in VOLUME_SYSTEMS {
        let make = move || Box::new(disk::DiskTarget::volume_system(system)) as Box<dyn Target>;
        targets.push((format!("volume-{}", system.name), Box::new(make)));
    }
    for artifact in ARTIFACTS {
        let make = move || Box::new(text::ArtifactTarget::new(artifact)) as Box<dyn Target>;
        targets.push((format!("artifact-{}", artifact.name), Box::new(make)));
    }
    for unpacker in UNPACKERS {
        let make = move || Box::new(container::ContainerTarget(unpacker)) as Box<dyn Target>;
        targets.push((format!("content-{}", unpacker.name), Box::new(make)));
    }
    targets.push(("recognise".into(), Box::new(|| Box::new(disk::DiskTarget::recognise()))));
    targets.push(("sweep".into(), Box::new(|| Box::new(disk::DiskTarget::sweep()))));
    targets.push(("detect".into(), Box::new(|| Box::new(text::DetectTarget::new()))));
    targets.push(("kernels".into(), Box::new(|| Box::new(text::KernelTarget::new()))));
    targets.push(("encoding".into(), Box::new(|| Box::new(text::EncodingTarget::new()))));
    targets.push(("credential".into(), Box::new(|| Box::new(text::CredentialTarget))));
    targets.push(("package-database".into(), Box::new(|| Box::new(package::PackageTarget))));
    targets.push(("manifest".into(), Box::new(|| Box::new(package::ManifestTarget))));
    targets.push(("locator".into(), Box::new(|| Box::new(output::LocatorTarget))));
    targets.push(("report".into(), Box::new(|| Box::new(output::ReportTarget))));
    tell_apart(&mut targets);
    targets
}

/// Give every target a plain name of its own: of two that shared one, the second was never run.
fn tell_apart(targets: &mut [Entry]) {
    let mut known = std::collections::BTreeMap::<String, usize>::new();
    for (name, _) in targets {
        *name = name.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let count = known.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            *name += &format!("-{count}");
        }
    }
}

/// The files below `testdata/folder` that end with `extension`, sorted.
pub fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root).expect("testdata").map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

thread_local! {
    static CHOSEN: OnceCell<Box<dyn Target>> = const { OnceCell::new() };
}

fn choose() -> Box<dyn Target> {
    let targets = targets();
    let Ok(wanted) = std::env::var("AMISWEEP_FUZZ_TARGET") else {
        targets.iter().for_each(|(name, _)| println!("{name}"));
        std::process::exit(0);
    };
    let Some((_, make)) = targets.iter().find(|(name, _)| *name == wanted) else {
        eprintln!("no target is called {wanted}");
        std::process::exit(2);
    };
    let target = make();
    if let Ok(folder) = std::env::var("AMISWEEP_FUZZ_SEEDS") {
        for (number, seed) in target.seeds().iter().enumerate() {
            std::fs::write(Path::new(&folder).join(format!("seed-{number:04}")), seed).unwrap();
        }
        std::process::exit(0);
    }
    target
}

fuzz_target!(
    init: CHOSEN.with(|chosen| drop(chosen.set(choose()))),
    |input: &[u8]| {
        CHOSEN.with(|chosen| chosen.get().expect("chosen at the beginning").run(input));
    }
);
