//! Remedies and acquisitions: printed as they were read, and harmless when run with a false `aws`.

use crate::whatif::{account_facts, data, golden};
use amisweep::exposure::acquire;
use amisweep::exposure::remediate::{Options, checked, guardrails, script, terraform};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

const KEY: &str = "arn:aws:kms:us-east-1:444455556666:key/00000002-12ab-34cd-56ef-1234567890ab";

#[test]
fn the_script_is_told_as_written() {
    let facts = account_facts();
    golden("remediate/all.sh", &script(&facts, &Options::default()));
    let one = Options {
        images: vec!["ami-0aaaaaaaaaaaaaa01".to_owned()],
        account: Some("444455556666".to_owned()),
        keep: vec!["999900001111".to_owned()],
        key: Some(KEY.to_owned()),
        gate_role: None,
    };
    checked(&facts, &one).unwrap();
    golden("remediate/one.sh", &script(&facts, &one));
}

#[test]
fn policies_and_terraform_are_told_as_written() {
    let facts = account_facts();
    let role = Some("arn:aws:iam::444455556666:role/gate");
    let policy = serde_json::to_string_pretty(&guardrails(role)).unwrap();
    assert!(policy.len() < 5_120, "the limit of an SCP");
    golden("remediate/guardrails.json", &policy);
    golden(
        "remediate/guardrails-no-gate.json",
        &serde_json::to_string_pretty(&guardrails(None)).unwrap(),
    );
    let chosen = Options { account: Some("444455556666".to_owned()), ..Options::default() };
    golden("remediate/main.tf", &terraform(&facts, &chosen).unwrap());
    assert!(terraform(&facts, &Options::default()).is_err(), "two accounts, one provider");
}

#[test]
fn only_images_of_ones_own_are_remedied() {
    let facts = account_facts();
    let of = |image: &str| Options { images: vec![image.to_owned()], ..Options::default() };
    assert!(checked(&facts, &of("ami-0aaaaaaaaaaaaaa30")).is_err(), "somebody else's");
    assert!(checked(&facts, &of("ami-0123456789abcdef0")).is_err(), "in no facts");
    let odd = Options { key: Some("$(id)".to_owned()), ..Options::default() };
    assert!(checked(&facts, &odd).is_err());
    let odd = Options { gate_role: Some("arn:aws:iam::1:role/x".to_owned()), ..Options::default() };
    assert!(checked(&facts, &odd).is_err());
}

#[test]
fn the_acquisition_is_told_as_written() {
    let options = acquire::Options {
        image: "ami-0aaaaaaaaaaaaaa30",
        region: "us-east-1",
        instance_type: None,
    };
    golden("remediate/acquire.sh", &acquire::script(&options).unwrap());
    for (image, region, kind) in [
        ("ami-0;id", "us-east-1", None),
        ("ami-0aaaaaaaaaaaaaa30", "$(id)", None),
        ("ami-0aaaaaaaaaaaaaa30", "us-east-1", Some("t3;id")),
    ] {
        let options = acquire::Options { image, region, instance_type: kind };
        assert!(acquire::script(&options).is_err(), "{image} {region} {kind:?}");
    }
}

/// A false `aws` that writes down each of its words, and answers with what scripts wait for.
const FALSE_AWS: &str = r#"#!/bin/sh
{ for word in "$@"; do printf '%s\037' "$word"; done; printf '\036'; } >> "$LOG"
case "$*" in
  *get-caller-identity*) echo 444455556666 ;;
  *copy-image*) echo ami-0fffffffffffffff0 ;;
  *describe-images*) echo x86_64 ;;
  *create-vpc*) echo vpc-1 ;;
  *create-subnet*) echo subnet-1 ;;
  *create-security-group*) echo sg-1 ;;
  *run-instances*) [ -z "${FAIL_LAUNCH-}" ] || exit 1; echo i-1 ;;
  *create-snapshots*) echo 'snap-1 snap-2' ;;
esac
"#;

/// Run a script with the false `aws` in an empty directory; the words of every call, or nothing
/// where there is no bash.
fn run(script: &str, set: &[(&str, &str)]) -> Option<(bool, Vec<Vec<String>>, Vec<String>)> {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        #[allow(clippy::disallowed_methods, reason = "a test makes its own tools")]
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    put("aws", FALSE_AWS);
    put(
        "amisweep",
        "#!/bin/sh\n{ printf 'amisweep\\037'; printf '%s\\037' \"$@\"; printf '\\036'; } >> \"$LOG\"\nexit 10\n",
    );
    let file = put("script", script);
    let work = dir.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let log = dir.path().join("log");
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("bash");
    command.arg(&file).current_dir(&work).env("PATH", path).env("LOG", &log);
    command.envs(set.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().ok()?;
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let split = |call: &str| call.split_terminator('\u{1f}').map(str::to_owned).collect();
    let mut files: Vec<String> = std::fs::read_dir(&work)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    Some((status.success(), text.split_terminator('\u{1e}').map(split).collect(), files))
}

/// Names that are commands, quotes, new lines or escapes are words and nothing else.
#[test]
fn hostile_names_stay_words() {
    let options = Options { key: Some("alias/golden".to_owned()), ..Options::default() };
    let Some((ok, calls, files)) = run(&script(&account_facts(), &options), &[]) else { return };
    assert!(ok);
    assert!(!Path::new("/tmp/amisweep-was-here").exists());
    let hostile = calls.iter().find(|call| call.iter().any(|word| word.contains("touch")));
    let name = hostile.and_then(|call| call.iter().find(|word| word.contains("touch"))).unwrap();
    assert_eq!(name, "a'- -(touch /tmp/amisweep-was-here) -id--- -[31mred----x--encrypted");
    // Every list is saved before the first share goes.
    let verb = |call: &Vec<String>| call.get(3).cloned().unwrap_or_default();
    let verbs: Vec<String> = calls.iter().map(verb).collect();
    let saved = verbs.iter().rposition(|verb| verb.starts_with("describe-")).unwrap();
    let taken = verbs.iter().position(|verb| verb.starts_with("modify-")).unwrap();
    assert!(saved < taken, "{verbs:?}");
    assert!(!verbs.iter().any(|verb| verb == "disable-image"), "offered, never run");
    let expected = files.iter().filter(|file| file.ends_with("-permission.json")).count();
    assert_eq!((expected, files.len()), (8, 8), "{files:?}");
}

/// What was saved is never written over, and a script for one account does nothing in another.
#[test]
fn a_script_stops_where_it_must() {
    let options = Options { key: Some(KEY.to_owned()), ..Options::default() };
    let text = script(&account_facts(), &options);
    let twice = format!("{text}\n{text}");
    let Some((ok, ..)) = run(&twice, &[]) else { return };
    assert!(!ok, "the second run would lose who had it");
    let other = text.replace("444455556666", "123456789012");
    let (ok, calls, _) = run(&other, &[]).unwrap();
    assert!(ok && calls.iter().all(|call| call.iter().any(|word| word == "get-caller-identity")));
}

/// Whatever fails, nothing that was made stays but the snapshots.
#[test]
fn an_acquisition_cleans_up() {
    let options = acquire::Options {
        image: "ami-0aaaaaaaaaaaaaa30",
        region: "us-east-1",
        instance_type: None,
    };
    let text = acquire::script(&options).unwrap();
    let has = |calls: &[Vec<String>], verb: &str| calls.iter().any(|c| c.iter().any(|w| w == verb));
    let Some((ok, calls, _)) = run(&text, &[]) else { return };
    assert!(!ok, "the exit code of the scan is the script's");
    for verb in ["terminate-instances", "delete-security-group", "delete-subnet", "delete-vpc"] {
        assert!(has(&calls, verb), "{verb}");
    }
    assert_eq!(calls.iter().filter(|call| call[0] == "amisweep").count(), 2);
    assert!(!has(&calls, "delete-snapshot"), "evidence is deleted by hand");
    let (ok, calls, _) = run(&text, &[("FAIL_LAUNCH", "1")]).unwrap();
    assert!(!ok && has(&calls, "delete-vpc") && !has(&calls, "terminate-instances"));
    assert!(data("remediate").exists());
}
