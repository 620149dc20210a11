//! From an account to what follows from it: `collect`, then `audit`, `preshare`, `exposure` and
//! `owner`, against moto, which is not ours. `testdata/moto/serve.py` seeds it; what moto lacks must
//! become unknown.
//!
//! ```text
//! python3 -m venv target/moto
//! target/moto/bin/pip install -r testdata/moto/requirements.txt
//! AMISWEEP_DEEP=1 AMISWEEP_PYTHON=target/moto/bin/python cargo test --test it moto::
//! ```

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server with a seeded account; it ends with its standard input.
struct Moto {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Moto {
    fn start(more: &[&str]) -> Moto {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/moto/serve.py");
        let python = std::env::var("AMISWEEP_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let errors = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(folder.path().join("stderr"))
            .unwrap();
        let mut child = Command::new(python)
            .arg(script)
            .arg(folder.path())
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut url = String::new();
        output.read_line(&mut url).unwrap();
        let said = std::fs::read_to_string(folder.path().join("stderr")).unwrap();
        let said: String =
            said.chars().rev().take(600).collect::<Vec<_>>().into_iter().rev().collect();
        assert!(url.starts_with("http://"), "no moto (testdata/moto/requirements.txt): {said}");
        // What it prints besides is read, for a full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Moto { child, url: url.trim().to_owned(), folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn json(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The exit code and what the program printed.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_amisweep"))
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_ACCESS_KEY_ID", "auditor")
            .env("AWS_SECRET_ACCESS_KEY", "auditor")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .args(args)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    fn collect(&self) -> (i32, String) {
        let (facts, report) = (self.path("facts.json"), self.path("report.json"));
        let mut args = vec!["collect", "--region", "us-east-1", "--regions", "us-east-1", "-o"];
        args.extend([facts.as_str(), "--report", &report, "--endpoint-url", &self.url]);
        let (code, _, said) = self.run(&args);
        (code, said)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn deep() -> bool {
    let deep = std::env::var_os("AMISWEEP_DEEP").is_some_and(|value| value == "1");
    if !deep {
        eprintln!("skipped: needs AMISWEEP_DEEP=1 and moto");
    }
    deep
}

#[test]
fn deep_an_account_is_collected_dated_and_asked_about_its_keys() {
    if !deep() {
        return;
    }
    let moto = Moto::start(&[]);
    let (code, said) = moto.collect();
    assert_eq!(code, 11, "{said}");
    let facts = moto.json("facts.json");
    let expected = moto.json("expected.json");
    states(&facts, &expected);
    windows(&moto, &expected);
    owners(&moto, &expected);
    // No leaked key signed anything, and its secret is nowhere.
    let keys: BTreeSet<&str> = expected["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["id"].as_str().unwrap())
        .collect();
    let signers = std::fs::read_to_string(moto.folder.path().join("signers.txt")).unwrap();
    assert!(signers.lines().any(|signer| signer == "auditor"), "{signers}");
    assert!(signers.lines().all(|signer| !keys.contains(signer)), "{signers}");
    let text = facts.to_string();
    let secrets = std::fs::read_to_string(moto.folder.path().join("secrets.txt")).unwrap();
    assert!(secrets.lines().count() == 20 && secrets.lines().all(|secret| !text.contains(secret)));
    // Whoever happens to be configured with a leaked key is stopped.
    let key = expected["keys"][0]["id"].as_str().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_amisweep"))
        .env_clear()
        .env("HOME", moto.folder.path())
        .env("AWS_ACCESS_KEY_ID", key)
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .args(["collect", "--region", "us-east-1", "-o", &moto.path("other.json")])
        .args(["--report", &moto.path("report.json"), "--endpoint-url", &moto.url])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let signers = std::fs::read_to_string(moto.folder.path().join("signers.txt")).unwrap();
    assert!(!signers.contains(key));
}

/// The ten images stand in the facts as they were seeded, and what moto lacks is missing.
fn states(facts: &Value, expected: &Value) {
    let region = &facts["accounts"][0]["Regions"][0];
    let images = region["Images"].as_array().unwrap();
    assert_eq!(images.len(), 10);
    let image = |name: &str| {
        let id = &expected["images"][name];
        images.iter().find(|image| image["ImageId"] == *id).unwrap()
    };
    assert_eq!(image("public")["Public"], true);
    assert_eq!(image("public")["LaunchPermissions"][0]["Group"], "all");
    assert_eq!(image("shared-account")["LaunchPermissions"][0]["UserId"], "210987654321");
    assert!(image("shared-org")["LaunchPermissions"][0]["OrganizationArn"].is_string());
    assert_eq!(image("referenced")["LaunchPermissions"].as_array().unwrap().len(), 0);
    assert_eq!(image("disabled")["State"], "disabled");
    let snapshot = &expected["snapshots"]["private-encrypted"];
    let snapshots = region["Snapshots"].as_array().unwrap();
    let encrypted = snapshots.iter().find(|it| it["SnapshotId"] == *snapshot).unwrap();
    assert_eq!(encrypted["Encrypted"], true);
    assert_eq!(region["Instances"][0]["ImageId"], expected["images"]["referenced"]);
    assert!(region["Instances"][0]["UserData"].is_string());
    assert_eq!(region["AutoScalingGroups"][0]["AutoScalingGroupName"], "web");
    let golden = region["Parameters"].as_array().unwrap();
    assert!(golden.iter().any(|it| it["Value"] == expected["images"]["referenced"]));
    assert_eq!(region["SnapshotBlockPublicAccess"]["State"], "unblocked");
    for (member, action) in [
        ("AllowedImagesSettings", "ec2:GetAllowedImagesSettings"),
        ("ImageReferences", "ec2:DescribeImageReferences"),
        ("RecycleBinImages", "ec2:ListImagesInRecycleBin"),
        ("ImageRecipes", "imagebuilder:ListImageRecipes"),
    ] {
        assert_eq!(region[member]["Missing"], action);
    }
}

/// Windows and consumers are the same from lookups, from log files, and from both.
fn windows(moto: &Moto, expected: &Value) {
    let (facts, trail) = (moto.path("facts.json"), moto.path("trail"));
    let exposure = |name: &str, trail: Option<&str>| {
        let image = expected["images"][name].as_str().unwrap();
        let mut args = vec!["exposure", image, "--facts", &facts, "-f", "json"];
        args.extend(trail.iter().flat_map(|trail| ["--trail", *trail]));
        let (code, out, said) = moto.run(&args);
        let told: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{said}"));
        (code, told)
    };
    for trail in [None, Some(trail.as_str())] {
        let (code, told) = exposure("public", trail);
        assert_eq!(code, 10);
        let windows = told["windows"].as_array().unwrap();
        assert_eq!(windows.len(), 2);
        for window in windows {
            assert_eq!((&window["audience"], &window["state"]), (&"public".into(), &"open".into()));
            assert_eq!(window["from"]["actor"], "arn:aws:iam::123456789012:user/ci");
        }
        assert_eq!(told["consumers"][0]["account"], "555566667777");
        let (code, told) = exposure("superseded", trail);
        assert_eq!(code, 0, "{told}");
        assert_eq!(told["windows"][0]["state"], "closed");
        // Shared, and no event says since when.
        let (code, told) = exposure("shared-account", trail);
        assert_eq!((code, &told["windows"][0]["from"]), (10, &Value::Null));
        assert_eq!(told["windows"][0]["audience"], "account 210987654321");
    }
}

/// User, state, administrator, quarantine, last use and calls: right for twenty of twenty.
fn owners(moto: &Moto, expected: &Value) {
    let public = expected["images"]["public"].as_str().unwrap();
    let (facts, report) = (moto.path("facts.json"), moto.path("report.json"));
    let args = ["owner", "--report", &report, "--facts", &facts, "--image", public, "-f", "json"];
    let (code, out, said) = moto.run(&args);
    assert_eq!(code, 10, "{said}");
    let told: Value = serde_json::from_str(&out).unwrap();
    let told = told.as_array().unwrap();
    let mut right = 0;
    for key in expected["keys"].as_array().unwrap() {
        let known = told.iter().find(|it| it["subject"] == key["id"]).unwrap();
        let user = format!("user {}", key["user"].as_str().unwrap());
        assert_eq!(known["owner"], user, "{key}");
        assert_eq!(known["state"], key["state"], "{key} {known}");
        assert_eq!(known["administrator"]["answer"], key["administrator"], "{key} {known}");
        assert_eq!(known["quarantine"].is_string(), key["quarantined"], "{key}");
        assert_eq!(known["last_used"], key["last_used"], "{key}");
        assert_eq!(known["calls"].as_array().unwrap().len(), key["calls"], "{key}");
        assert_eq!(known["calls_outside"], 1);
        right += 1;
    }
    assert_eq!(right, 20);
    let pair = told.iter().find(|it| it["kind"] == "key-pair").unwrap();
    assert_eq!((&pair["state"], &pair["owner"]), (&"active".into(), &"deploy in us-east-1".into()));
}

/// The findings of an audit as rule and name of the image, for the rules that are asked about.
fn found(told: &Value, expected: &Value, rules: &[&str]) -> BTreeSet<String> {
    let images = expected["images"].as_object().unwrap().iter();
    let snapshots = expected["snapshots"].as_object().unwrap().iter();
    let findings = told["findings"].as_array().unwrap().iter();
    let asked = findings.filter(|it| rules.contains(&it["id"].as_str().unwrap()));
    asked
        .map(|it| {
            let mut all = images.clone().chain(snapshots.clone());
            let name = all.find(|(_, id)| **id == it["resource"]).map_or("?", |(name, _)| name);
            format!("{} {name}", it["id"].as_str().unwrap())
        })
        .collect()
}

/// Ten images in the states of an account's life, each judged as it is.
#[test]
fn deep_facts_of_moto_are_judged() {
    if !deep() {
        return;
    }
    let moto = Moto::start(&[]);
    let (code, said) = moto.collect();
    assert_eq!(code, 11, "{said}");
    let expected = moto.json("expected.json");
    let facts = moto.path("facts.json");
    let (code, out, said) = moto.run(&["audit", "--facts", &facts, "-f", "json"]);
    assert_eq!(code, 12, "{said}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["images"].as_array().unwrap().len(), 10);
    let shown = [
        "AMI-ENC-001 deprecated",
        "AMI-ENC-001 disabled",
        "AMI-ENC-001 public",
        "AMI-ENC-001 referenced",
        "AMI-ENC-001 shared-account",
        "AMI-ENC-001 shared-org",
        "AMI-ENC-001 superseded",
        "AMI-ENC-002 partly-encrypted",
        "AMI-LIFE-001 superseded",
        "AMI-PUB-001 public",
        "AMI-PUB-002 superseded",
        "AMI-SHARE-001 encrypted-shared",
        "AMI-SHARE-001 shared-account",
        "AMI-SHARE-002 shared-org",
        "REF-EXT-002 deprecated",
        "SHARE-KMS-001 encrypted-shared",
        "SNAP-PUB-001 public",
    ];
    let rules: Vec<&str> = shown.iter().map(|line| line.split_once(' ').unwrap().0).collect();
    let shown: BTreeSet<String> = shown.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(found(&told, &expected, &rules), shown, "{out}");
    let needs: BTreeSet<&str> = told["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["needs"].as_str().unwrap())
        .collect();
    for action in ["ec2:GetAllowedImagesSettings", "ec2:ListImagesInRecycleBin"] {
        assert!(needs.contains(action), "{needs:?}");
    }
    assert_eq!(told["kpi"]["approved_instances_pct"], Value::Null);
    preshares(&moto, &expected, &facts);
}

/// What is fit to be shared, with a launch that is tried from the target.
fn preshares(moto: &Moto, expected: &Value, facts: &str) {
    let check = |name: &str, to: &str, more: &[&str]| {
        let image = expected["images"][name].as_str().unwrap();
        let mut args = vec!["preshare", image, "--to", to, "--facts", facts, "-f", "json"];
        args.extend(more);
        let (code, out, said) = moto.run(&args);
        let told = serde_json::from_str::<Value>(&out).unwrap_or_default();
        let checks = told["checks"].as_array().cloned().unwrap_or_default();
        let left = checks.iter().filter(|check| check["status"] != "pass");
        let left: BTreeSet<String> =
            left.map(|check| check["id"].as_str().unwrap().to_owned()).collect();
        (code, left, checks, said)
    };
    let (code, left, _, _) = check("public", "210987654321", &[]);
    assert_eq!(code, 10, "{left:?}");
    assert!(left.contains("image.audience") && left.contains("disk.encrypted"), "{left:?}");
    let (code, left, _, _) = check("encrypted-shared", "210987654321", &["--no-autoscaling"]);
    assert_eq!((code, left), (10, ["key.policy".to_owned()].into()));
    // Nothing was launched, and nobody but the target asked.
    let trial = ["--no-autoscaling", "--target-profile", "target", "--endpoint-url", &moto.url];
    let (code, left, checks, said) = check("encrypted-shared", "210987654321", &trial);
    assert_eq!((code, left), (10, ["key.policy".to_owned()].into()), "{said}");
    let tried = checks.iter().find(|check| check["id"] == "target.launch").unwrap();
    assert_eq!(tried["subject"], "210987654321");
    let trials = std::fs::read_to_string(moto.folder.path().join("trials.txt")).unwrap();
    assert_eq!(trials, "RunInstances DryRun=True\n");
    let signers = std::fs::read_to_string(moto.folder.path().join("signers.txt")).unwrap();
    assert!(signers.lines().any(|signer| *signer == expected["target"]), "{signers}");
    let (code, _, _, said) = check("encrypted-shared", "222233334444", &trial);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("not of the target"), "{said}");
}

/// Without the patches even the settings are missing; still nothing crashes or is taken for fine.
#[test]
fn deep_what_moto_lacks_is_unknown() {
    if !deep() {
        return;
    }
    let moto = Moto::start(&["--stock"]);
    let (code, said) = moto.collect();
    assert_eq!(code, 11, "{said}");
    let region = &moto.json("facts.json")["accounts"][0]["Regions"][0];
    for member in ["ImageBlockPublicAccess", "SnapshotBlockPublicAccess", "Events"] {
        assert!(region[member]["Missing"].is_string(), "{member}: {}", region[member]);
    }
    let expected = moto.json("expected.json");
    let image = expected["images"]["referenced"].as_str().unwrap();
    let (code, out, said) = moto.run(&["exposure", image, "--facts", &moto.path("facts.json")]);
    assert_eq!(code, 11, "{said}");
    assert!(out.contains("unknown: needs cloudtrail:LookupEvents"), "{out}");
    let (facts, report) = (moto.path("facts.json"), moto.path("report.json"));
    let (_, out, _) = moto.run(&["owner", "--report", &report, "--facts", &facts]);
    assert!(out.contains("its calls: unknown: needs cloudtrail:LookupEvents"), "{out}");
    let (code, out, said) = moto.run(&["audit", "--facts", &facts, "-f", "json"]);
    assert_eq!(code, 12, "{said}");
    let told: Value = serde_json::from_str(&out).unwrap();
    let needs: BTreeSet<&str> = told["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["needs"].as_str().unwrap())
        .collect();
    for action in [
        "cloudtrail:LookupEvents",
        "ec2:GetAllowedImagesSettings",
        "ec2:GetEbsDefaultKmsKeyId",
        "ec2:GetImageBlockPublicAccessState",
        "ec2:GetSnapshotBlockPublicAccessState",
        "ec2:ListImagesInRecycleBin",
    ] {
        assert!(needs.contains(action), "{action}: {needs:?}");
    }
    for figure in ["blocked_creations", "violations_7d", "approved_instances_pct"] {
        assert_eq!(told["kpi"][figure], Value::Null, "{figure}");
    }
    // What is known is told all the same.
    let public = ["AMI-PUB-001 public".to_owned(), "SNAP-PUB-001 public".to_owned()];
    assert_eq!(found(&told, &expected, &["AMI-PUB-001", "SNAP-PUB-001"]), public.into());
    let (code, out, _) = moto.run(&["preshare", image, "--to", "222233334444", "--facts", &facts]);
    assert_eq!(code, 10, "{out}");
}
