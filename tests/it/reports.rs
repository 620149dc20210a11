//! Reports and exit codes: what the program says, byte for byte, and what it never says.

mod golden;
mod hostile;
mod schema;
mod usage;

use amisweep::detect::example::render;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The formats that `--help` names.
fn formats() -> Vec<String> {
    let help = run(&["scan", "--help"]);
    let text = String::from_utf8(help.stdout).unwrap();
    let (_, after) = text.split_once("--format").unwrap();
    let (_, values) = after.split_once("[possible values: ").unwrap();
    let names = values.split_once(']').unwrap().0.split(',');
    let names: Vec<_> = names.map(|name| name.trim().to_owned()).collect();
    assert!(names.len() >= 3, "{names:?}");
    names
}

/// The program with nothing of this machine's configuration.
fn amisweep() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amisweep"));
    for name in ["AMISWEEP_FP_KEY", "AMISWEEP_FP_KEY_FILE", "XDG_CONFIG_HOME"] {
        command.env_remove(name);
    }
    command.env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

fn run<S: AsRef<OsStr>>(words: &[S]) -> Output {
    amisweep().args(words).output().unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Scan `target` with `options` under a key that is always the same.
fn scan(target: &Path, options: &[&str]) -> Output {
    let key = "0f".repeat(32);
    amisweep().arg("scan").arg(target).args(options).env("AMISWEEP_FP_KEY", key).output().unwrap()
}

fn json(target: &Path) -> Value {
    serde_json::from_slice(&scan(target, &["-f", "json"]).stdout).unwrap()
}

/// Put a file into `root`, and the directories before it. Names are bytes.
fn put(root: &Path, name: &[u8], bytes: &[u8]) {
    let path = root.join(OsStr::from_bytes(name));
    DirBuilder::new().recursive(true).create(path.parent().unwrap()).unwrap();
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// A secret that is made up when the test runs.
fn made(template: &str, seed: u64) -> String {
    render(template, seed).unwrap()
}

/// A GitHub token whose checksum holds.
fn github_token(seed: u64) -> String {
    made("ghp_{base62:30}{crc32_base62}", seed)
}
