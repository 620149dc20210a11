//! Acceptance: the program as its users run it, over files and over the emulator, and every promise
//! it makes to them.

#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod complete;
mod economy;
mod faults;
mod made;
mod memory;
mod promises;
mod refused;
mod same;

use amisweep::emulator::{Config, Emulator, Snapshot};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

const BLOCK: u64 = 524_288;
const ID: &str = "snap-0a1b";
const AMI: &str = "ami-0a1b";

/// How a run of the program ended.
struct Done {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Done {
    fn report(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}, exit {}: {}", self.code, self.stderr))
    }
}

/// The program in an environment of its own: no configuration, a fixed fingerprint key, and AWS
/// wherever the emulator is.
fn program(emulator: Option<&Emulator>, home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amisweep"));
    command.env_clear().env("HOME", home).env("AMISWEEP_FP_KEY", "5a".repeat(32));
    for (name, value) in emulator.iter().flat_map(|emulator| emulator.environment()) {
        command.env(name, value);
    }
    command
}

fn run(emulator: Option<&Emulator>, args: &[&OsStr]) -> Done {
    let home = tempfile::tempdir().unwrap();
    let output = program(emulator, home.path()).args(args).output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Scan a file, or what the emulator serves, into a JSON report.
fn scan(emulator: Option<&Emulator>, target: impl AsRef<OsStr>, options: &[&str]) -> Done {
    let head = ["scan", "-f", "json"].map(OsStr::new);
    let options: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    run(emulator, &[&head[..], &[target.as_ref()], &options].concat())
}

fn serve(snapshots: Vec<Snapshot>) -> Emulator {
    Emulator::start(Config { snapshots, ..Config::default() }).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// What a report says that must not depend on how the bytes came: one line for every place of every
/// finding, with images counted from `first_image`.
fn essence(report: &Value, first_image: u64) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for group in ["findings", "noted"] {
        for finding in list(report, group) {
            for place in list(finding, "places") {
                let mut line = group.to_owned();
                for name in ["fingerprint", "rule", "severity", "confidence"] {
                    write!(line, " {}", finding[name]).unwrap();
                }
                for name in ["path", "member", "line", "state", "offset", "length"] {
                    write!(line, " {}", place[name]).unwrap();
                }
                for run in list(place, "image_runs") {
                    let image = run[2].as_u64().unwrap() + first_image;
                    write!(line, " {}+{}@{image}", run[0], run[1]).unwrap();
                }
                lines.insert(line);
            }
        }
    }
    lines
}

/// What went wrong, without the target's name.
fn troubles(report: &Value) -> BTreeSet<String> {
    let shown = |error: &Value| {
        let at = error["locator"].as_str().unwrap_or_default();
        let at = at.split_once('#').map_or("", |(_, rest)| rest);
        format!("{at} {} {}", error["what"], error["incomplete"])
    };
    list(&report["coverage"], "errors").iter().map(shown).collect()
}

fn same(what: &str, expected: &BTreeSet<String>, found: &BTreeSet<String>) {
    let lost: Vec<_> = expected.difference(found).collect();
    let new: Vec<_> = found.difference(expected).collect();
    assert!(lost.is_empty() && new.is_empty(), "{what}\nlost: {lost:#?}\nnew: {new:#?}");
    assert!(!expected.is_empty(), "{what}: nothing to compare");
}

/// Whether the slow tests that need root and tools are wanted.
fn deep() -> bool {
    let deep = std::env::var_os("AMISWEEP_DEEP").is_some_and(|v| v == "1");
    if !deep {
        eprintln!("skipped: needs root, mkfs and strace; set AMISWEEP_DEEP=1");
    }
    deep
}
