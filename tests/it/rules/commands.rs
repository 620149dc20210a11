//! `--rules` and `amisweep signatures`: exit codes, messages, and what never reaches a terminal.

use super::CLEAN;
use std::path::Path;

#[expect(clippy::disallowed_methods, reason = "a test makes files")]
fn write(path: &Path, text: &str) -> String {
    std::fs::write(path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Run the program; its exit code, standard output and standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_amisweep"));
    let output =
        command.args(args).current_dir(root).env_remove("AMISWEEP_FP_KEY").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn user_rules_are_scanned_for() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    write(&tree.join("a.conf"), "x = acme_l_k3j9d8w2m5n7p0q4\n");
    let tree = tree.to_str().unwrap();
    let rules = "testdata/rules/gitleaks.toml";
    let (code, out, err) = run(&["scan", tree, "-f", "ndjson", "--rules", rules]);
    assert_eq!(code, 10, "{err}");
    assert!(out.contains("gitleaks.acme-token") && !out.contains("k3j9d8w2"), "{out}");
    assert!(err.contains("4 of 8 rules are not used") && err.contains("8 parts"), "{err}");
    assert!(run(&["scan", tree, "-q", "--rules", rules]).2.contains("4 of 8 rules are not used"));
    let all =
        ["scan", tree, "-q", "-f", "ndjson", "--rules", "testdata/rules", "--no-builtin-rules"];
    let (code, out, _) = run(&all);
    assert!(code == 10 && out.contains("noseyparker.np.acme.1"), "{out}");
    assert_eq!(run(&["scan", tree]).0, 0, "the built-in rules do not know it");
}

#[test]
fn wrong_rule_files_stop_a_scan_with_a_word_of_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| write(&folder.path().join(name), text);
    let clean = file("a.toml", CLEAN);
    let twin = file("b.toml", CLEAN);
    let broken = file("c.toml", &CLEAN.replace("[a-z0-9]{8})", "[a-z0-9]{8}"));
    let wrong = file("d.toml", &CLEAN.replace("acme_\"]", "a\"]"));
    let empty = folder.path().join("none");
    std::fs::create_dir(&empty).unwrap();
    for (rules, words) in [
        (vec!["missing.toml"], ["missing.toml", "cannot read"]),
        (vec![&clean, &twin], ["b.toml", "rename one"]),
        (vec![&broken], ["c.toml", "does not compile"]),
        (vec![&wrong], ["d.toml:3", "three bytes or more"]),
        (vec![empty.to_str().unwrap()], ["none", "no *.toml"]),
        (vec!["README.md"], ["README.md", "rule file"]),
    ] {
        let given = rules.iter().flat_map(|file| ["--rules", file]);
        let args: Vec<&str> = ["scan", "src"].into_iter().chain(given).collect();
        let (code, _, err) = run(&args);
        assert!(code == 2 && words.iter().all(|word| err.contains(word)), "{code} {err}");
    }
    assert_eq!(run(&["scan", "src", "--no-builtin-rules"]).0, 2);
}

#[test]
fn the_commands_about_signatures_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| write(&folder.path().join(name), text);
    let clean = file("clean.toml", CLEAN);
    for command in ["test", "lint"] {
        let (code, out, err) = run(&["signatures", command, &clean]);
        assert_eq!(code, 0, "{out}{err}");
        let (code, out, _) = run(&["signatures", command, "testdata/rules/noseyparker.yml"]);
        assert!(code == 11 && out.contains(":34: rule not used: np.acme.4: "), "{out}");
    }
    let wrong = file("wrong.toml", &CLEAN.replacen("\"hit\"", "\"miss\"", 1));
    assert_eq!(run(&["signatures", "test", &wrong]).0, 10);
    assert_eq!(run(&["signatures", "lint", &wrong]).0, 10);
    assert_eq!(run(&["signatures", "lint", &wrong, "testdata/rules/noseyparker.yml"]).0, 12);

    let (code, out, _) = run(&["signatures", "list", "--provider", "github", "-f", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&out).unwrap();
    let all = listed["signatures"].as_array().unwrap();
    assert!(code == 0 && !all.is_empty());
    assert!(all.iter().all(|signature| signature["provider"] == "github"));
    let (_, out, _) = run(&["signatures", "list", "--tag", "scm"]);
    assert!(out.contains("github.token") && !out.contains("aws.access_key_id"));
    let (code, out, _) = run(&["signatures", "show", "github.token"]);
    assert!(code == 0 && out.contains("ghp_"));
    let (code, _, err) = run(&["signatures", "show", "no.such"]);
    assert!(code == 2 && err.contains("signatures list"), "{err}");
}

#[test]
fn rule_files_cannot_steer_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "evil\\u001b[2J\\r\\u202e##[x]";
    let text = CLEAN
        .replace("Acme key", evil)
        .replace("A key.", evil)
        .replace("\"r\"", &format!("\"{evil}\""))
        .replace("{lower36:8}", evil)
        .replacen("\"hit\"", "\"miss\"", 1);
    let path = write(&folder.path().join("evil.toml"), &text);
    let path = path.as_str();
    let mut lines = Vec::new();
    for args in [
        &["signatures", "list", "--rules", path, "--no-builtin-rules"][..],
        &["signatures", "list", "-f", "json", "--rules", path, "--no-builtin-rules"],
        &["signatures", "show", "acme.key", "--rules", path],
        &["signatures", "show", "acme.key", "-f", "json", "--rules", path],
        &["signatures", "test", path],
        &["signatures", "lint", path],
    ] {
        let (_, out, err) = run(args);
        lines.push(out + &err);
    }
    let all = lines.concat();
    assert!(all.contains("evil"));
    let risky = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!all.contains(risky) && !all.contains("##["), "{all}");
}
