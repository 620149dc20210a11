//! Planted secrets: every disk in `testdata/images` is scanned by the program itself, and what it
//! reports is compared with the list beside the image.

#![allow(clippy::unwrap_used, reason = "a test says where it stopped by stopping there")]

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::NamedTempFile;

/// The path of a file in `testdata/images`.
pub(crate) fn image_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/images").join(name)
}

/// Decompress an image into a file in which zeros stay holes, so that it counts as written where
/// the disk it was made of was.
pub(crate) fn unpack(name: &str) -> NamedTempFile {
    const CELL: usize = 4096;
    let packed = File::open(image_path(&format!("{name}.img.zst"))).unwrap();
    let mut bytes = ruzstd::decoding::StreamingDecoder::new(packed).unwrap();
    let disk = NamedTempFile::new().unwrap();
    let mut cell = [0; CELL];
    let mut at = 0u64;
    loop {
        let mut filled = 0;
        while filled < CELL {
            match bytes.read(&mut cell[filled..]).unwrap() {
                0 => break,
                read => filled += read,
            }
        }
        if cell[..filled].iter().any(|&byte| byte != 0) {
            disk.as_file().write_all_at(&cell[..filled], at).unwrap();
        }
        at += filled as u64;
        if filled < CELL {
            disk.as_file().set_len(at).unwrap();
            return disk;
        }
    }
}

/// The list beside an image; its header comment explains the lines.
#[derive(Default)]
struct Expected {
    finds: Vec<Find>,
    seen: Vec<(String, String)>,
    decoys: Vec<(String, String)>,
    /// Known faults: id, hash, and whether it is reported today.
    later: Vec<(String, String, bool)>,
}

/// A planted secret; `None` is what the list leaves open.
struct Find {
    id: String,
    paths: Option<Vec<String>>,
    states: Vec<String>,
    hashes: Vec<String>,
    offset: Option<u64>,
    image: Image,
}

/// Where the secret's bytes stand in the image.
#[derive(PartialEq)]
enum Image {
    Open,
    /// Only as something they are made from.
    Packed,
    Runs(Vec<(u64, u64)>),
}

fn expected(name: &str) -> Expected {
    let text = std::fs::read_to_string(image_path(&format!("{name}.expect"))).unwrap();
    let mut list = Expected::default();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (verb, id) = (words.next().unwrap(), words.next().unwrap().to_owned());
        let fields: BTreeMap<&str, &str> =
            words.map(|word| word.split_once('=').unwrap()).collect();
        match verb {
            "find" => list.finds.push(find(id, &fields)),
            "seen" => list.seen.push((id, fields["path"].to_owned())),
            "decoy" => list.decoys.push((id, fields["sha256"].to_owned())),
            "later" => {
                let reported = fields["is"] == "reported";
                list.later.push((id, fields["sha256"].to_owned(), reported));
            }
            _ => panic!("{name}.expect: no such line: {line}"),
        }
    }
    assert!(!list.finds.is_empty());
    list
}

fn find(id: String, fields: &BTreeMap<&str, &str>) -> Find {
    let many = |field: &str| fields[field].split('|').map(str::to_owned).collect::<Vec<_>>();
    let image = match fields["image"] {
        "-" => Image::Open,
        "packed" => Image::Packed,
        runs => Image::Runs(
            runs.split(',')
                .map(|run| run.split_once('+').unwrap())
                .map(|(start, len)| (start.parse().unwrap(), len.parse().unwrap()))
                .collect(),
        ),
    };
    Find {
        id,
        paths: (fields["path"] != "-").then(|| many("path")),
        states: many("state"),
        hashes: many("sha256"),
        offset: fields["offset"].parse().ok(),
        image,
    }
}

/// Scan an image with the program and parse its JSON report.
fn scan(image: &Path) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let done = Command::new(env!("CARGO_BIN_EXE_amisweep"))
        .arg("scan")
        .arg(image)
        .args(["-f", "json", "--reveal=force", "-o"])
        .arg(&report)
        .output()
        .unwrap();
    let text = std::fs::read(&report).unwrap_or_else(|error| {
        panic!("no report ({error}), {}: {}", done.status, String::from_utf8_lossy(&done.stderr))
    });
    serde_json::from_slice(&text).unwrap()
}

/// The bytes of a finding's secret; none for a fact.
fn secret(finding: &Value) -> Option<Vec<u8>> {
    use base64::Engine as _;
    match &finding["secret"] {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Object(coded) => {
            let text = coded["base64"].as_str().unwrap();
            Some(base64::engine::general_purpose::STANDARD.decode(text).unwrap())
        }
        _ => None,
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// A place's runs of the image, those that touch joined.
fn image_runs(place: &Value) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for run in list(place, "image_runs") {
        let (start, len) = (run[0].as_u64().unwrap(), run[1].as_u64().unwrap());
        assert_eq!(run[2].as_u64(), Some(0), "there is only one image");
        match runs.last_mut() {
            Some(last) if last.0 + last.1 == start => last.1 += len,
            _ => runs.push((start, len)),
        }
    }
    runs
}

/// Whether the bytes at a place are the secret's own, not those of something decoded.
fn verbatim(place: &Value) -> bool {
    !place["locator"].as_str().unwrap().contains('!')
}

fn fits(place: &Value, find: &Find) -> bool {
    let path = place["path"].as_str();
    let state = place["state"].as_str().unwrap();
    let offset_fits = match find.offset {
        Some(offset) if verbatim(place) => place["offset"].as_u64() == Some(offset),
        _ => true,
    };
    let image_fits = match &find.image {
        Image::Runs(runs) if verbatim(place) => image_runs(place) == *runs,
        _ => true,
    };
    find.paths.as_ref().is_none_or(|paths| paths.iter().any(|p| path == Some(p)))
        && find.states.iter().any(|s| s == state)
        && offset_fits
        && image_fits
}

/// What is wrong with one planted secret, if anything is.
fn missing(find: &Find, findings: &BTreeMap<String, &Value>) -> Option<String> {
    let found: Vec<&Value> =
        find.hashes.iter().filter_map(|hash| findings.get(hash).copied()).collect();
    if found.is_empty() {
        return Some(format!("{}: not found", find.id));
    }
    let mut places = found.iter().flat_map(|finding| list(finding, "places"));
    if places.clone().any(|place| fits(place, find)) {
        return None;
    }
    let elsewhere = places.try_fold(String::new(), |mut text, place| {
        write!(text, "\n    {} {} {}", place["locator"], place["state"], place["image_runs"])
            .map(|()| text)
    });
    Some(format!("{}: not where it was planted, but at{}", find.id, elsewhere.unwrap()))
}

/// Places whose bytes, read back from the image, are not the secret they were reported for.
fn misplaced(report: &Value, disk: &File, packed: &BTreeSet<&str>) -> Vec<String> {
    let mut wrong = Vec::new();
    for finding in list(report, "findings").iter().chain(list(report, "noted")) {
        let Some(secret) = secret(finding) else { continue };
        for place in list(finding, "places").iter().filter(|place| verbatim(place)) {
            if place["path"].as_str().is_some_and(|path| packed.contains(path)) {
                continue;
            }
            let mut bytes = Vec::new();
            for (start, len) in image_runs(place) {
                let mut run = vec![0; usize::try_from(len).unwrap()];
                disk.read_exact_at(&mut run, start).unwrap();
                bytes.extend(run);
            }
            // White space around a secret is not part of it.
            if bytes.trim_ascii() != secret.trim_ascii() {
                wrong.push(format!(
                    "{} ({}): the image holds other bytes at {}",
                    place["locator"], finding["rule"], place["image_runs"]
                ));
            }
        }
    }
    wrong
}

/// What is wrong with the account of bytes.
fn miscounted(report: &Value) -> Vec<String> {
    let coverage = &report["coverage"];
    let kinds = coverage["kinds"].as_object().unwrap();
    let sum: u64 = kinds.values().map(|bytes| bytes.as_u64().unwrap()).sum();
    let mut wrong = Vec::new();
    if coverage["written_bytes"].as_u64() != Some(sum) || sum == 0 {
        wrong.push(format!("coverage does not add up: {coverage}"));
    }
    for kind in ["unparsed", "opaque", "unreadable"] {
        if kinds.get(kind).is_some_and(|bytes| bytes.as_u64() != Some(0)) {
            wrong.push(format!("{kind} bytes: {coverage}"));
        }
    }
    wrong
}

fn check(name: &str) {
    let expected = expected(name);
    let disk = unpack(name);
    let report = scan(disk.path());
    let findings: BTreeMap<String, &Value> = list(&report, "findings")
        .iter()
        .filter_map(|finding| Some((sha256(secret(finding)?.trim_ascii()), finding)))
        .collect();
    let packed = expected.finds.iter().filter(|find| find.image == Image::Packed);
    let packed = packed.flat_map(|find| find.paths.iter().flatten().map(String::as_str)).collect();

    let mut wrong: Vec<String> =
        expected.finds.iter().filter_map(|find| missing(find, &findings)).collect();
    for (id, path) in &expected.seen {
        let reported = list(&report, "findings").iter().chain(list(&report, "noted"));
        let mut places = reported.flat_map(|finding| list(finding, "places"));
        if !places.any(|place| place["path"].as_str() == Some(path)) {
            wrong.push(format!("{id}: nothing is reported at {path}"));
        }
    }
    for (id, hash) in &expected.decoys {
        if let Some(finding) = findings.get(hash) {
            wrong.push(format!("{id}: a decoy is reported by {}", finding["rule"]));
        }
    }
    for (id, hash, reported) in &expected.later {
        if findings.contains_key(hash) != *reported {
            wrong.push(format!("{id}: mended; make its line a find or a decoy"));
        }
    }
    wrong.extend(misplaced(&report, disk.as_file(), &packed));
    wrong.extend(miscounted(&report));
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

#[test]
fn finds_all_of_the_demo_disk() {
    check("demo");
}

#[test]
fn finds_what_small_files_keep_in_their_inodes() {
    check("ext4-inline");
}

#[test]
fn finds_what_only_a_journal_holds() {
    check("ext4-dirty");
}

#[test]
fn finds_all_of_an_xfs_disk() {
    check("xfs-planted");
}

#[test]
fn images_unpack_to_what_was_planted() {
    for name in ["demo", "ext4-inline", "ext4-dirty", "xfs-planted"] {
        let disk = unpack(name);
        let mut compared = 0;
        for find in expected(name).finds {
            let Image::Runs(runs) = find.image else { continue };
            let mut bytes = Vec::new();
            for (start, len) in runs {
                let mut run = vec![0; usize::try_from(len).unwrap()];
                disk.as_file().read_exact_at(&mut run, start).unwrap();
                bytes.extend(run);
            }
            assert!(find.hashes.contains(&sha256(&bytes)), "{name}: {}", find.id);
            compared += 1;
        }
        assert!(compared >= 3, "{name}");
    }
}

/// What the list says of a disk is what the kernel shows of it.
#[test]
fn deep_the_kernel_agrees() {
    if std::env::var_os("AMISWEEP_DEEP").is_none_or(|v| v != "1") {
        eprintln!("skipped: needs root and loop mounts; set AMISWEEP_DEEP=1");
        return;
    }
    // Writable, so that the kernel can replay the dirty disk's journal.
    for (name, offset) in
        [("demo", 79872 * 512), ("ext4-inline", 0), ("ext4-dirty", 0), ("xfs-planted", 0)]
    {
        let disk = unpack(name);
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-o", &format!("loop,noatime,offset={offset}")])
            .args([disk.path(), folder.path()])
            .status();
        assert!(mount.unwrap().success(), "{name}");
        let checked = expected(name).finds.iter().filter(|f| readable(f, folder.path())).count();
        assert!(Command::new("umount").arg(folder.path()).status().unwrap().success());
        assert!(checked >= 3, "{name}: {checked}");
    }
}

/// Whether a live file of the list can be read where the disk is mounted; if so it must hold the
/// secret.
fn readable(find: &Find, root: &Path) -> bool {
    let (Some(paths), Some(offset)) = (&find.paths, find.offset) else { return false };
    if find.states != ["live"] || paths[0].starts_with("/EFI/") {
        return false;
    }
    let bytes = std::fs::read(root.join(&paths[0][1..])).unwrap();
    let rest = &bytes[usize::try_from(offset).unwrap()..];
    let lengths = 1..=rest.len().min(4096);
    let held = lengths.rev().any(|len| find.hashes.contains(&sha256(&rest[..len])));
    assert!(held, "{}: not in {}", find.id, paths[0]);
    true
}
