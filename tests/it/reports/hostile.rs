//! Hostile names and contents: nothing an image holds steers a terminal, forges a line of a log
//! or comes out as a secret.

use super::{formats, github_token, json, made, put, scan, stderr};
use crate::planted::unpack;
use serde_json::Value;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Names that try to be something else.
const NAMES: [&[u8]; 8] = [
    b"a\x1b[31m\x1b]0;owned\x07.env",
    b"b\nVERDICT    PASS\n.env",
    b"c\r.env",
    "d\u{202e}vne.\u{2066}\u{200b}.env".as_bytes(),
    b"e\xff\xfe\x80.env",
    b"::set-output name=x::y.env",
    b"##vso[task.complete result=Succeeded;]##[stop-commands].env",
    "f\u{9b}2J\u{2028}\u{feff}.env".as_bytes(),
];

/// A tree of hostile names and, in facts, hostile contents. Returns its secrets.
fn hostile(root: &Path) -> Vec<String> {
    let mut secrets = Vec::new();
    let mut secret = |template: &str| {
        secrets.push(made(template, 100 + secrets.len() as u64));
        secrets.last().unwrap().clone()
    };
    for name in NAMES {
        let line = format!("\u{202e}X=\x1b[2J\nDB_PASSWORD={}\n", secret("{base62:20}"));
        put(root, name, line.as_bytes());
        put(root, &[b"dir ", name, b"/.env"].concat(), line.as_bytes());
    }
    let profile = "[pro\x1b[2Jfile\u{202e}##vso[x]##[y]::set-output]";
    let keys = format!(
        "{profile}\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        made("AKIA{base32:16}", 99),
        secret("{b64:40}"),
    );
    put(root, b"root/.aws/credentials", keys.as_bytes());
    let login = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";
    let login = format!("{login} evil\x1b[31m\u{9b}1m\u{202e}::set-output ##vso[x]##[y]\n");
    put(root, b"root/.ssh/authorized_keys", login.as_bytes());
    let netrc =
        format!("machine h\x1b[2J.io login u\u{202e}##[x] password {}\n", secret("{base62:18}"));
    put(root, b"root/.netrc", netrc.as_bytes());
    let url = format!("postgres://app:{}@db.internal/x\n", secret("{base62:18}"));
    put(root, b"srv/url.txt", url.as_bytes());
    put(root, b"srv/key.pem", secret("{ed25519}").as_bytes());
    let git = format!("https://dev:{}@github.com\n", secret("ghp_{base62:30}{crc32_base62}"));
    put(root, b"root/.git-credentials", git.as_bytes());
    // A token is one in the place of a user's name too, as GitHub has it, and in a file's name, where
    // locators escape it.
    let (first, second) =
        (secret("ghp_{base62:30}{crc32_base62}"), secret("ghp_{base62:30}{crc32_base62}"));
    let login = format!("https://{first}:x-oauth-basic@github.com\n");
    put(root, b"home/a/.git-credentials", login.as_bytes());
    let login = format!("machine github.com login {second} password x-oauth-basic\n");
    put(root, b"home/a/.netrc", login.as_bytes());
    let bot = secret("4936821859:AA{b64u:33}");
    put(root, format!("srv/{bot}.txt").as_bytes(), format!("bot {bot}\n").as_bytes());
    put(root, b"root/.pgpass", format!("db:5432:*:app:{}\n", secret("{base62:18}")).as_bytes());
    let history = format!("mysql -u root -p{} \x1b[2J\n", secret("{base62:18}"));
    put(root, b"root/.bash_history", history.as_bytes());
    let hash = secret("$6${base62:16}${base62:86}");
    put(root, b"etc/shadow", format!("ro\x1b[2Jot:{hash}:19000:0:99999:7:::\n").as_bytes());
    // What is told of a file that its parser gives up may not quote it.
    let docker =
        format!("{{\"auths\":{{\"r.io\":{{\"auth\":\"{}\"}}}}, oops", secret("{base62:30}"));
    put(root, b"root/.docker/config.json", docker.as_bytes());
    put(
        root,
        b"root/.kube/config",
        format!("users:\n- token: {}\n\t[\x1b", secret("{base62:40}")).as_bytes(),
    );
    secrets
}

fn tree() -> (tempfile::TempDir, PathBuf, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("t\u{202e}\x1b[1m##[x]");
    let secrets = hostile(&root);
    (folder, root, secrets)
}

/// What stands raw in `text` and may not.
fn risky(text: &str) -> Vec<char> {
    let hidden = ['\u{200b}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{feff}'];
    text.chars().filter(|c| c.is_control() && *c != '\n' || hidden.contains(c)).collect()
}

#[test]
fn nothing_raw_reaches_a_terminal_or_a_log() {
    let (_folder, root, _) = tree();
    for format in formats() {
        for options in [&["-f", &format][..], &["-f", &format, "--reveal=force"]] {
            let done = scan(&root, options);
            for text in
                [String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap()]
            {
                assert!(risky(&text).is_empty(), "{options:?}: {:?}", risky(&text));
                for line in text.lines() {
                    assert!(!line.trim_start().starts_with("::"), "{options:?}: {line}");
                    assert!(!line.contains("##"), "{options:?}: {line}");
                    assert!(!line.starts_with("VERDICT"), "{options:?}: {line}");
                }
            }
        }
    }
}

#[test]
fn json_keeps_hostile_names_exact() {
    let (_folder, root, _) = tree();
    let report = json(&root);
    let findings = report["findings"].as_array().unwrap();
    let places = findings.iter().flat_map(|f| f["places"].as_array().unwrap());
    let locators: Vec<_> = places.map(|place| place["locator"].as_str().unwrap()).collect();
    for name in NAMES {
        let found = locators.iter().any(|text| {
            let locator: amisweep::locator::Locator = text.parse().unwrap();
            locator.path() == Some(name)
        });
        assert!(found, "{:?} in {locators:#?}", std::ffi::OsStr::from_bytes(name));
    }
    let facts: Vec<&Value> = findings.iter().map(|finding| &finding["facts"]).collect();
    assert!(facts.iter().any(|facts| facts["profile"].is_string()), "{facts:#?}");
}

#[test]
fn no_secret_is_told_without_reveal() {
    let (_folder, root, secrets) = tree();
    let file = root.parent().unwrap().join("report");
    let output = file.to_str().unwrap();
    for format in formats() {
        let done = scan(&root, &["-f", &format]);
        scan(&root, &["-f", &format, "-o", output]);
        let text = [done.stdout, done.stderr, std::fs::read(&file).unwrap()].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(text.len() > 1000, "{format}: {text}");
        for secret in &secrets {
            // A key in PEM is told by its body.
            let body = secret.lines().nth(1).unwrap_or(secret);
            assert!(!text.contains(body), "{format} tells {secret}");
            assert!(!text.contains(&body.replace(':', "%3A")), "{format} tells {secret} escaped");
        }
    }
}

/// The test above would hold of a scanner that finds nothing.
#[test]
fn reveal_tells_them() {
    let (_folder, root, secrets) = tree();
    let done = scan(&root, &["-f", "json", "--reveal=force"]);
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let told = |finding: &Value| finding["secret"].as_str().map(str::to_owned);
    let told: Vec<_> = report["findings"].as_array().unwrap().iter().filter_map(told).collect();
    let missing: Vec<_> =
        secrets.iter().filter(|secret| !told.iter().any(|t| t.contains(secret.trim()))).collect();
    // The two files that break their own format are read by no parser.
    assert!(missing.len() <= 2, "{missing:#?}");
}

#[test]
fn an_image_tells_no_secret_either() {
    let disk = unpack("demo");
    let done = scan(disk.path(), &["-f", "json", "--reveal=force", "--fail-on=critical"]);
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    // The id of an access key is no secret: it is what its owner looks it up by.
    let is_id = |finding: &Value| finding["rule"].as_str().unwrap().ends_with("key_id");
    let told = |finding: &Value| finding["secret"].as_str().map(str::to_owned);
    let found = ["findings", "noted"].map(|list| report[list].as_array().unwrap());
    let secrets: Vec<_> =
        found.into_iter().flatten().filter(|f| !is_id(f)).filter_map(told).collect();
    assert!(secrets.len() > 20, "{} secrets", secrets.len());
    for format in formats() {
        let done = scan(disk.path(), &["-f", &format]);
        let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        // A short password may be part of another word; what has eight bytes is told by accident
        // of nobody.
        for secret in secrets.iter().filter(|secret| secret.len() >= 8) {
            let body = secret.lines().nth(1).unwrap_or(secret);
            assert!(!text.contains(body), "{format} tells {secret}");
            assert!(!text.contains(&body.replace(':', "%3A")), "{format} tells {secret} escaped");
        }
        assert!(risky(&text).is_empty(), "{:?}", risky(&text));
    }
}

#[test]
fn errors_escape_what_they_quote() {
    let folder = tempfile::tempdir().unwrap();
    let done = scan(&folder.path().join("no\x1b[31m##[x]\nsuch"), &[]);
    assert_eq!(done.status.code(), Some(1));
    let text = stderr(&done);
    assert!(text.contains("cannot open the image") && !text.contains("##"), "{text}");
    assert!(risky(&text).is_empty(), "{text}");
    let token = github_token(3);
    let done = scan(folder.path(), &["--key-file", &token]);
    assert_eq!(done.status.code(), Some(1), "{}", stderr(&done));
}
