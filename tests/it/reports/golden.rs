//! Golden reports: `testdata/reports` holds what each format says of two targets.
//! `AMISWEEP_BLESS=1 cargo test golden` writes them anew.

use super::{github_token, made, put, scan};
use crate::planted::unpack;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The formats with golden reports.
const FORMATS: [(&str, &str); 3] = [("text", "txt"), ("json", "json"), ("ndjson", "ndjson")];

/// What differs between two runs: the text before it, and where it ends.
const RUN_METADATA: [(&str, &str); 5] = [
    ("\"started\":", ",\n}"),
    ("\"seconds\":", ",\n}"),
    ("\"version\":", ",\n}"),
    ("swept in ", " "),
    ("   amisweep ", "\n"),
];

/// A directory with something for every part of a report: a proven token in two places, one whose
/// checksum fails, a password, a key, a fact.
fn server(folder: &TempDir) -> PathBuf {
    let root = folder.path().join("server");
    let token = github_token(7);
    let password = made("{base62:16}", 8);
    put(&root, b"etc/motd", b"welcome\n");
    put(
        &root,
        b"home/dev/.git-credentials",
        format!("https://dev:{token}@github.com\n").as_bytes(),
    );
    put(
        &root,
        b"srv/app/.env",
        format!("# app\nDB_PASSWORD={password}\nTOKEN={token}\n").as_bytes(),
    );
    put(&root, b"srv/app/notes.txt", made("old ghp_{base62:36}\n", 9).as_bytes());
    put(&root, b"srv/app/tls.key", made("{ed25519}", 10).as_bytes());
    let login =
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE dev\n";
    put(&root, b"home/dev/.ssh/authorized_keys", login);
    root
}

/// The same text without what two runs do not share.
fn settled(mut text: String) -> String {
    for (before, ends) in RUN_METADATA {
        let mut from = 0;
        while let Some(at) = text[from..].find(before) {
            let start = from + at + before.len();
            let len = text[start..].find(|c| ends.contains(c)).unwrap_or(text.len() - start);
            // A value of JSON has a blank before it in the document and none in a line.
            let skip = usize::from(before.ends_with(':') && text[start..].starts_with(' '));
            text.replace_range(start + skip..start + len, "0");
            from = start;
        }
    }
    text
}

fn check(target: &Path, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/reports");
    let bless = std::env::var_os("AMISWEEP_BLESS").is_some();
    for (format, extension) in FORMATS {
        let said = String::from_utf8(scan(target, &["-f", format]).stdout).unwrap();
        let said = settled(said);
        let path = folder.join(format!("{name}.{extension}"));
        if bless {
            let _ = std::fs::remove_file(&path);
            put(&folder, format!("{name}.{extension}").as_bytes(), said.as_bytes());
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        let line = golden.lines().zip(said.lines()).find(|(a, b)| a != b);
        assert!(
            said == golden,
            "{} is not what is said now; first line that differs: {line:#?}\nAMISWEEP_BLESS=1 \
             writes it anew",
            path.display()
        );
    }
}

#[test]
fn golden_reports_of_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    check(&server(&folder), "server");
}

#[test]
fn golden_reports_of_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ext4-inline.img");
    unpack("ext4-inline").persist(&path).unwrap();
    check(&path, "ext4-inline");
}

#[test]
fn the_same_bytes_give_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    let disk = unpack("ext4-dirty");
    for target in [server(&folder).as_path(), disk.path()] {
        for (format, _) in FORMATS {
            let said = |jobs| {
                let done = scan(target, &["-f", format, "--jobs", jobs, "--cross-check"]);
                settled(String::from_utf8(done.stdout).unwrap())
            };
            let first = said("1");
            assert!(first.len() > 200, "{first}");
            for jobs in ["1", "4"] {
                assert_eq!(first, said(jobs), "{format} with --jobs {jobs}");
            }
        }
    }
}

#[test]
fn run_metadata_is_settled() {
    let text = "{\"seconds\": 0.25,\n\"version\":\"0.1.0\"}\nt   swept in 0.1 s   amisweep 0.1.0\n";
    let expected = "{\"seconds\": 0,\n\"version\":0}\nt   swept in 0 s   amisweep 0\n";
    assert_eq!(settled(text.to_owned()), expected);
}
