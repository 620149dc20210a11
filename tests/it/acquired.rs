//! An image that was acquired by launching it: what its first boot wrote is told apart.

#![allow(clippy::disallowed_methods, reason = "tests write the files they are about")]

use amisweep::detect::example::render;
use serde_json::Value;
use std::fs::File;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

/// 2026-11-21T20:00:00Z.
const BOOT: u64 = 1_795_291_200;

#[test]
fn what_the_first_boot_wrote_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, seeds: &[u64], seconds: u64| {
        let path = folder.path().join(name);
        let tokens = seeds.iter().map(|seed| render("glpat-{b64u:20}", *seed).unwrap());
        std::fs::write(&path, tokens.collect::<Vec<_>>().join("\n")).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    put("shipped.env", &[1, 2], BOOT - 1);
    put("cloud-init.log", &[2, 3], BOOT);
    let scan = |time: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amisweep"));
        command.arg("scan").arg(folder.path()).args(["-q", "-f", "json", "--acquired-boot", time]);
        command.output().unwrap()
    };
    let report: Value = serde_json::from_slice(&scan("2026-11-21T20:00:00Z").stdout).unwrap();
    let (before, after) = ("from before the first boot", "written to by the first boot");
    let findings = report["findings"].as_array().unwrap();
    let mut told: Vec<String> =
        findings.iter().map(|finding| finding["facts"]["first_boot"].to_string()).collect();
    told.sort();
    let one = |text: &str| Value::from(text).to_string();
    let both = Value::from(vec![before, after]).to_string();
    assert_eq!(told, [one(before), one(after), both], "{report:#}");
    let remarks = report["coverage"].to_string();
    let summary = "the first boot created 0 files and wrote to 1: cloud-init.log";
    assert!(remarks.contains(summary), "{remarks}");
    assert_eq!(scan("yesterday").status.code(), Some(2));
}
