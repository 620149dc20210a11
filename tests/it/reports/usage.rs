//! The command line's promises: exit codes, usage errors, and where reports may go.

use super::{amisweep, code, github_token, json, put, run, scan, stderr};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A disk of one mebibyte that begins with `head` and holds `text` in its second half.
fn disk(root: &Path, head: &[u8], text: &[u8]) -> PathBuf {
    let mut bytes = vec![0; 1 << 20];
    bytes[..head.len()].copy_from_slice(head);
    bytes[600_000..600_000 + text.len()].copy_from_slice(text);
    put(root, b"disk.img", &bytes);
    root.join("disk.img")
}

/// The first page of swap space: a disk of it is of a known format, and complete.
fn swap() -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[4086..].copy_from_slice(b"SWAPSPACE2");
    page
}

fn token_line() -> Vec<u8> {
    format!("\ntoken = {}\n", github_token(21)).into_bytes()
}

#[test]
fn exit_codes_tell_the_verdict() {
    const LUKS: &[u8] = b"LUKS\xba\xbe\0\x02";
    const NTFS: &[u8] = b"\xeb\x52\x90NTFS    ";
    let (swap, token) = (swap(), token_line());
    for (head, text, exit, result) in [
        (&b""[..], &b""[..], 0, "pass"),
        (&swap, b"", 0, "pass"),
        (&swap, &token, 10, "fail"),
        // Of no known format.
        (b"", b"x", 11, "incomplete"),
        (b"", &token, 12, "fail-incomplete"),
        (LUKS, b"", 11, "incomplete"),
        (NTFS, b"", 11, "incomplete"),
        (LUKS, &token, 12, "fail-incomplete"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(folder.path(), head, text);
        let done = scan(&disk, &[]);
        let said = String::from_utf8(done.stdout.clone()).unwrap();
        assert_eq!(code(&done), Some(exit), "{said}");
        assert!(said.contains(&format!("exit {exit}")), "{said}");
        let report = json(&disk);
        assert_eq!(report["verdict"]["result"], result);
        assert_eq!(report["verdict"]["exit"], exit);
        assert_eq!(report["coverage"]["complete"], exit == 0 || exit == 10);
    }
}

#[test]
fn the_threshold_is_the_users() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), b"t/srv/app.js", b"// postgres://app:s3cr3t-pa55@localhost:5432/x\n");
    let target = folder.path().join("t");
    assert_eq!(code(&scan(&target, &[])), Some(0), "of medium severity");
    assert_eq!(code(&scan(&target, &["--fail-on", "medium"])), Some(10));
}

#[test]
fn wrong_usage_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().to_str().unwrap();
    for (words, says) in [
        (&["scan"][..], "TARGET"),
        (&["scan", target, target], "unexpected argument"),
        (&["scan", target, "-f", "pdf"], "possible values"),
        (&["scan", target, "--fail-on", "most"], "possible values"),
        (&["scan", target, "--memory", "1M"], "no room to work"),
        (&["scan", target, "--jobs", "0"], "--jobs"),
        (&["scan", target, "--reveal"], "--reveal would put secrets into a pipe"),
        (&["scan", target, "--reveal=much"], "possible values"),
        (&["scan", "/dev/null"], "not a disk image"),
        (&["sweep", target], "unrecognized subcommand"),
        (&[], "Usage"),
    ] {
        let done = run(words);
        assert_eq!(code(&done), Some(2), "{words:?}: {}", stderr(&done));
        assert!(stderr(&done).contains(says), "{words:?}: {}", stderr(&done));
        assert!(done.stdout.is_empty(), "{words:?}");
    }
    for words in [&["--help"][..], &["--version"], &["scan", "--help"]] {
        assert_eq!(code(&run(words)), Some(0), "{words:?}");
    }
}

#[test]
fn what_cannot_be_had_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.img");
    let done = scan(&missing, &[]);
    assert_eq!(code(&done), Some(1));
    assert!(stderr(&done).contains("missing.img"), "{}", stderr(&done));
    put(folder.path(), b"short.key", b"0f0f\n");
    let key = folder.path().join("short.key");
    let done = scan(folder.path(), &["--key-file", key.to_str().unwrap()]);
    assert_eq!(code(&done), Some(2), "{}", stderr(&done));
    assert!(stderr(&done).contains("64 hex digits"), "{}", stderr(&done));
}

/// A file nobody may read makes a directory's result incomplete. Root may read all, so that for
/// it there is nothing to see.
#[test]
fn a_file_that_cannot_be_read_is_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), b"t/secret", b"x");
    let path = folder.path().join("t/secret");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(&path).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    let target = folder.path().join("t");
    assert_eq!(code(&scan(&target, &[])), Some(11));
    assert_eq!(json(&target)["coverage"]["errors"][0]["incomplete"], true);
    assert_eq!(code(&scan(&path, &[])), Some(1), "as an image it is an error");
}

#[test]
fn an_empty_file_is_no_clean_image() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), b"empty.img", b"");
    let done = scan(&folder.path().join("empty.img"), &[]);
    assert_eq!(code(&done), Some(11));
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.contains("0 B written") && said.contains("no byte written"), "{said}");
    assert!(!said.lines().any(|line| line.ends_with(' ')), "{said}");
}

#[test]
fn standard_input_is_a_file_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk(folder.path(), &swap(), &token_line());
    let said = |stdin: Stdio, options: &[&str]| {
        amisweep().args(["scan", "-"]).args(options).stdin(stdin).output().unwrap()
    };
    let done = said(File::open(&disk).unwrap().into(), &["-f", "json"]);
    assert_eq!(code(&done), Some(10), "{}", stderr(&done));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["target"], json!({ "name": "stdin", "kind": "image", "images": ["stdin"] }));
    let done = said(Stdio::piped(), &[]);
    assert_eq!(code(&done), Some(2));
    assert!(stderr(&done).contains("a pipe cannot be read at random"), "{}", stderr(&done));
    let over = ["-o", disk.to_str().unwrap()];
    assert_eq!(code(&said(File::open(&disk).unwrap().into(), &over)), Some(2));
    assert_eq!(std::fs::metadata(&disk).unwrap().len(), 1 << 20);
}

#[test]
fn reveal_needs_a_terminal_a_file_or_force() {
    let folder = tempfile::tempdir().unwrap();
    let token = github_token(21);
    put(folder.path(), b"t/notes", token.as_bytes());
    let target = folder.path().join("t");
    let refused = scan(&target, &["--reveal"]);
    assert_eq!((code(&refused), refused.stdout.len()), (Some(2), 0));
    let forced = scan(&target, &["--reveal=force"]);
    assert!(String::from_utf8(forced.stdout).unwrap().contains(&token));
    let file = folder.path().join("report");
    let done = scan(&target, &["--reveal", "-o", file.to_str().unwrap()]);
    assert_eq!((code(&done), done.stdout.len()), (Some(10), 0));
    assert!(std::fs::read_to_string(&file).unwrap().contains(&token));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

/// A report with secrets went into a file that everyone could read, because it was there before.
#[test]
fn a_report_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), b"report", "x".repeat(100_000).as_bytes());
    put(folder.path(), b"t/notes", b"nothing");
    let file = folder.path().join("report");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let done = scan(&folder.path().join("t"), &["-o", file.to_str().unwrap()]);
    assert_eq!(code(&done), Some(0), "{}", stderr(&done));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let report = std::fs::read_to_string(&file).unwrap();
    assert!(!report.contains("xxx"), "the old report is gone");
    assert!(report.contains("  t  directory, 1 file\n"), "{report}");
}

/// `-o` with the image's own name emptied the image.
#[test]
fn what_is_scanned_is_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk(folder.path(), b"", &token_line());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&disk, &link).unwrap();
    let before = std::fs::read(&disk).unwrap();
    for output in [&disk, &link] {
        let done = scan(&disk, &["-o", output.to_str().unwrap()]);
        assert_eq!(code(&done), Some(2), "{}", stderr(&done));
        assert!(stderr(&done).contains("give another -o"), "{}", stderr(&done));
    }
    assert_eq!(std::fs::read(&disk).unwrap(), before);
}

/// A report that could not be written was told after the scan, and the scan was lost.
#[test]
fn a_wrong_output_is_told_before_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("big.img");
    let file = OpenOptions::new().write(true).create_new(true).open(&disk).unwrap();
    file.write_all_at(b"x", 1 << 40).unwrap();
    let nowhere = folder.path().join("no/such/report");
    let done = scan(&disk, &["-o", nowhere.to_str().unwrap()]);
    assert_eq!(code(&done), Some(1));
    assert!(stderr(&done).contains("give another -o"), "{}", stderr(&done));
}

#[test]
fn refusals_name_a_next_step() {
    let folder = tempfile::tempdir().unwrap();
    for target in ["/dev/null", "/no/such/disk.img"] {
        let said = stderr(&scan(Path::new(target), &[]));
        assert!(said.contains("give a raw image, a block device or a directory"), "{said}");
    }
    let key = folder.path().join("key");
    for content in [None, Some(b"no key")] {
        if let Some(content) = content {
            put(folder.path(), b"key", content);
        }
        let said = stderr(&scan(folder.path(), &["--key-file", key.to_str().unwrap()]));
        assert!(said.contains("`amisweep init` makes one"), "{said}");
    }
}
