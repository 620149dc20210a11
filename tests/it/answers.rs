//! The commands that answer from facts: exit codes, formats and where they write.

use crate::whatif::data;
use std::process::Command;

/// Run the program; its exit code, standard output and standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    let facts = data("whatif/facts.json");
    let criteria = data("whatif/criteria.json");
    let args = args.iter().map(|arg| match *arg {
        "FACTS" => facts.clone().into_os_string(),
        "CRITERIA" => criteria.clone().into_os_string(),
        other => other.into(),
    });
    let out = Command::new(env!("CARGO_BIN_EXE_amisweep")).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
}

const WEB: &str = "ami-0aaaaaaaaaaaaaa01";
const SEALED: &str = "ami-0aaaaaaaaaaaaaa02";
const TARGET: &str = "111122223333";

#[test]
fn exit_codes_tell_what_fails_and_what_is_not_known() {
    for (code, args) in [
        (0, &["whatif", "launch", "--facts", "FACTS", "--image", WEB][..]),
        (
            10,
            &["whatif", "launch", "--facts", "FACTS", "--image", WEB, "--kms-key", "alias/golden"],
        ),
        (11, &["whatif", "launch", "--facts", "FACTS", "--image", WEB, "--encrypted", "false"]),
        (12, &["whatif", "launch", "--facts", "FACTS", "--image", WEB, "--as", TARGET]),
        (0, &["whatif", "copy", "--facts", "FACTS", "--image", WEB, "--to-region", "eu-west-1"]),
        (0, &["whatif", "copy", "--snapshot-encrypted", "true", "--by-default", "off"]),
        (11, &["whatif", "launch", "--snapshot-encrypted", "false"]),
        (0, &["whatif", "copy", "--table"]),
        (2, &["whatif", "copy"]),
        (2, &["whatif", "copy", "--image", WEB]),
        (2, &["whatif", "launch", "--facts", "FACTS", "--image", WEB, "--as", "me"]),
        (1, &["whatif", "launch", "--facts", "FACTS", "--image", "ami-0123456789abcdef0"]),
        (12, &["whatif", "allowed-amis", "--criteria", "CRITERIA", "--facts", "FACTS"]),
        (2, &["whatif", "allowed-amis", "--criteria", "FACTS", "--facts", "FACTS"]),
        (0, &["preshare", SEALED, "--to", TARGET, "--facts", "FACTS"]),
        (10, &["preshare", WEB, "--to", TARGET, "--facts", "FACTS"]),
        (11, &["preshare", "ami-0aaaaaaaaaaaaaa05", "--to", TARGET, "--facts", "FACTS"]),
        (2, &["preshare", WEB, "--to", "everybody", "--facts", "FACTS"]),
        (0, &["remediate", "--facts", "FACTS", "--emit", "cli"]),
        (0, &["remediate", "--facts", "FACTS", "--emit", "scp"]),
        (0, &["remediate", "--facts", "FACTS", "--emit", "iam"]),
        (2, &["remediate", "--facts", "FACTS", "--emit", "terraform"]),
        (0, &["remediate", "--facts", "FACTS", "--emit", "terraform", "--account", TARGET]),
        (1, &["remediate", "--facts", "FACTS", "--emit", "cli", "--account", "123456789012"]),
        (
            2,
            &["remediate", "--facts", "FACTS", "--emit", "cli", "--image", "ami-0aaaaaaaaaaaaaa30"],
        ),
        (0, &["acquire", WEB, "--region", "us-east-1"]),
        (2, &["acquire", WEB, "--region", "somewhere"]),
    ] {
        let (found, out, error) = run(args);
        assert_eq!(found, code, "{args:?}\n{out}{error}");
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}'), "{args:?}");
    }
}

#[test]
fn json_is_json_and_the_same_each_time() {
    for args in [
        &["whatif", "copy", "--facts", "FACTS", "--image", WEB, "-f", "json"][..],
        &["whatif", "allowed-amis", "--criteria", "CRITERIA", "--facts", "FACTS", "-f", "json"],
        &["preshare", WEB, "--to", TARGET, "--facts", "FACTS", "-f", "json"],
        &["remediate", "--facts", "FACTS", "--emit", "scp"],
    ] {
        let (_, out, _) = run(args);
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(value.is_object(), "{args:?}");
        assert_eq!(run(args).1, out, "{args:?}");
    }
    let (_, _, notes) = run(&["remediate", "--facts", "FACTS", "--emit", "scp"]);
    assert!(notes.contains("note: "), "what JSON cannot carry goes to standard error");
}

#[test]
fn an_answer_can_go_to_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("remedy.sh");
    let path = file.to_str().unwrap();
    let (code, out, _) = run(&["remediate", "--facts", "FACTS", "--emit", "cli", "-o", path]);
    assert_eq!((code, out.as_str()), (0, ""));
    let expected = std::fs::read_to_string(data("remediate/all.sh")).unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), expected);
}
