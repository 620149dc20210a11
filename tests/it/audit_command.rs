//! `amisweep audit` on the command line: exit codes, secrets in texts, code, history, refusals.

#![allow(clippy::disallowed_methods, reason = "tests write the files they are about")]

use amisweep::detect::example::render;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

fn base() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/facts/base.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn audit(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amisweep"));
    command.current_dir(dir).arg("audit").args(args).output().unwrap()
}

fn put(dir: &Path, name: &str, facts: &Value) {
    std::fs::write(dir.join(name), serde_json::to_vec(facts).unwrap()).unwrap();
}

fn report(done: &Output) -> Value {
    serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)))
}

#[test]
fn exit_codes_tell_what_came_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    put(at, "fine.json", &base());
    assert_eq!(audit(at, &["--facts", "fine.json"]).status.code(), Some(0));

    let mut facts = base();
    facts["accounts"][0]["Regions"][0]["Images"][0]["Public"] = json!(true);
    put(at, "public.json", &facts);
    assert_eq!(audit(at, &["--facts", "public.json"]).status.code(), Some(10));
    let region = &mut facts["accounts"][0]["Regions"][0];
    region["Fleets"] = json!({"Missing": "ec2:DescribeFleets", "Error": "no"});
    put(at, "both.json", &facts);
    let done = audit(at, &["--facts", "both.json"]);
    assert_eq!(done.status.code(), Some(12));
    assert!(String::from_utf8(done.stdout).unwrap().contains("unknown: needs ec2:DescribeFleets"));
    facts["accounts"][0]["Regions"][0]["Images"][0]["Public"] = json!(false);
    put(at, "unknown.json", &facts);
    assert_eq!(audit(at, &["--facts", "unknown.json"]).status.code(), Some(11));

    std::fs::write(at.join("bare.json"), "{\"Images\": []}").unwrap();
    std::fs::write(at.join("wrong.toml"), "acounts = []").unwrap();
    for args in [
        &["--facts", "bare.json"][..],
        &["--facts", "fine.json", "fine.json"],
        &["--facts", "fine.json", "--trusted", "wrong.toml"],
        &[],
    ] {
        assert_eq!(audit(at, args).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(audit(at, &["--facts", "none.json"]).status.code(), Some(1));
}

#[test]
fn secrets_in_texts_are_found_and_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let token = render("glpat-{b64u:20}", 7).unwrap();
    let data = STANDARD.encode(format!("#!/bin/sh\nexport TOKEN={token}\n"));
    let mut facts = base();
    let region = &mut facts["accounts"][0]["Regions"][0];
    region["LaunchTemplateVersions"][0]["LaunchTemplateData"]["UserData"] = json!(data);
    region["Images"][0]["Name"] = json!(format!("built with {token}"));
    region["Images"][0]["Public"] = json!(true);
    put(dir.path(), "facts.json", &facts);
    for format in ["text", "json", "csv"] {
        let done = audit(dir.path(), &["--facts", "facts.json", "-f", format]);
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(said.contains("META-SEC-001") && !said.contains(&token), "{said}");
    }
    let said = report(&audit(dir.path(), &["--facts", "facts.json", "-f", "json"]));
    let found = said["findings"].as_array().unwrap().iter().filter(|it| it["id"] == "META-SEC-001");
    let places: Vec<_> = found.map(|it| it["resource"].as_str().unwrap().to_owned()).collect();
    assert_eq!(places, ["ami-0000000000000001a", "lt-0000000000000001a v1"]);
}

#[test]
fn code_and_history_are_read_from_directories() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    put(at, "facts.json", &base());
    std::fs::create_dir_all(at.join("code/.git")).unwrap();
    std::fs::create_dir(at.join("days")).unwrap();
    let image = "ami = \"ami-0000000000000001a\"\n";
    std::fs::write(at.join("code/main.tf"), format!("{image}ami_groups = [\"all\"]\n")).unwrap();
    std::fs::write(at.join("code/.git/x.tf"), image).unwrap();
    std::fs::write(at.join("code/notes.txt"), image).unwrap();
    let mut early = base();
    early["collected_at"] = json!("2026-11-19T20:00:00Z");
    early["accounts"][0]["Regions"][0]["Images"][0]["Public"] = json!(true);
    put(at, "days/1.json", &early);
    let args = ["--facts", "facts.json", "--iac", "code", "--history", "days", "-f", "json"];
    let done = audit(at, &args);
    assert_eq!(done.status.code(), Some(10));
    let said = report(&done);
    assert_eq!(said["findings"][0]["id"], "BUILD-PUB-001");
    assert_eq!(said["findings"][0]["resource"], "main.tf:2");
    let code: Vec<_> = said["images"][0]["refs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["kind"] == "iac")
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(code, ["main.tf:1"]);
    assert_eq!(said["kpi"]["mttr_public_days"], 2.0);
    assert_eq!(audit(at, &args).stdout, done.stdout);

    early.as_object_mut().unwrap().remove("collected_at");
    put(at, "days/1.json", &early);
    assert_eq!(audit(at, &args).status.code(), Some(2));
}
