//! Planted secrets: every disk in `testdata/images` is scanned by the program itself, and what it
//! reports is compared with the list beside the image.

#![allow(clippy::unwrap_used, reason = "a test says where it stopped by stopping there")]

mod list;

use list::{Expected, Find, Image};
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

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// A place's runs of the image, those that touch joined.
fn image_runs(place: &Value) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for run in items(place, "image_runs") {
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
    let locator = place["locator"].as_str().unwrap();
    find.member.as_ref().is_none_or(|member| leads(locator, member))
        && find.paths.as_ref().is_none_or(|paths| paths.iter().any(|p| path == Some(p)))
        && find.states.iter().any(|s| s == state)
        && offset_fits
        && image_fits
}

/// Whether a locator leads the way that the pattern tells.
fn leads(locator: &str, pattern: &str) -> bool {
    let chain = locator.find('!').map_or("", |start| &locator[start..]);
    let mut rest = chain.rfind('@').map_or(chain, |end| &chain[..end]);
    let mut parts = pattern.split('*');
    let Some(behind) = rest.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    rest = behind;
    let mut parts = parts.peekable();
    let open = parts.peek().is_some();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    open || rest.is_empty()
}

/// What is wrong with one planted secret, if anything is.
fn missing(find: &Find, findings: &BTreeMap<String, &Value>) -> Option<String> {
    let found: Vec<&Value> =
        find.hashes.iter().filter_map(|hash| findings.get(hash).copied()).collect();
    if found.is_empty() {
        return Some(format!("{}: not found", find.id));
    }
    let mut places = found.iter().flat_map(|finding| items(finding, "places"));
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
    for finding in items(report, "findings").iter().chain(items(report, "noted")) {
        let Some(secret) = secret(finding) else { continue };
        for place in items(finding, "places").iter().filter(|place| verbatim(place)) {
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

fn expected(name: &str) -> Expected {
    list::read(&image_path(&format!("{name}.expect")))
}

fn check(name: &str) {
    let disk = unpack(name);
    let (wrong, _) = compare(disk.path(), &expected(name));
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

/// What is wrong with the report of a disk, and how many of its plants are found, as a table by
/// the kind of place.
fn compare(disk: &Path, expected: &Expected) -> (Vec<String>, String) {
    let report = scan(disk);
    let findings: BTreeMap<String, &Value> = items(&report, "findings")
        .iter()
        .filter_map(|finding| Some((sha256(secret(finding)?.trim_ascii()), finding)))
        .collect();
    let packed = expected.finds.iter().filter(|find| find.image == Image::Packed);
    let packed = packed.flat_map(|find| find.paths.iter().flatten().map(String::as_str)).collect();

    let mut wrong = Vec::new();
    let mut kinds = BTreeMap::new();
    for find in &expected.finds {
        let missing = missing(find, &findings);
        let (found, planted): &mut (usize, usize) = kinds.entry(&*find.kind).or_default();
        *found += usize::from(missing.is_none());
        *planted += 1;
        wrong.extend(missing);
    }
    for (id, path) in &expected.seen {
        let reported = items(&report, "findings").iter().chain(items(&report, "noted"));
        let mut places = reported.flat_map(|finding| items(finding, "places"));
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
    let file = File::open(disk).unwrap();
    wrong.extend(misplaced(&report, &file, &packed));
    wrong.extend(miscounted(&report));
    (wrong, table(&kinds))
}

fn table(kinds: &BTreeMap<&str, (usize, usize)>) -> String {
    let sum = kinds.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let rows = kinds.iter().map(|(kind, counts)| (*kind, *counts)).chain([("all", sum)]);
    rows.fold(String::new(), |mut text, (kind, (found, planted))| {
        writeln!(text, "{kind:<16} {found:>4} of {planted}").unwrap();
        text
    })
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

/// A secret in every kind of place that testers of scanners hide one in, each in a state of its own.
#[test]
fn finds_a_secret_in_every_kind_of_place() {
    check("places");
    assert!(expected("places").finds.len() >= 144);
}

#[test]
fn a_way_may_be_open() {
    assert!(
        leads("d:/a!gzip!tar:b@1+2", "!gzip!tar:b") && leads("d:/a!gzip:7!tar:b", "!gzip*!tar:b")
    );
    assert!(leads("d:/a!sqlite:$free/3@1+2", "!sqlite:$free/*") && leads("d!a!b!c@1+2", "!a*b*"));
    assert!(!leads("d:/a!gzip!tar:bc@1+2", "!gzip!tar:b") && !leads("d:/a@1+2", "!gzip*"));
}

#[test]
fn images_unpack_to_what_was_planted() {
    for name in ["demo", "ext4-inline", "ext4-dirty", "xfs-planted", "places"] {
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

/// The same places made anew by the tools of this machine, with other tokens, a log of 48 MiB and on
/// both filesystems; each disk is scanned once. Needs root and what make-places.sh names.
#[test]
fn deep_all_places_are_found_in_one_pass() {
    if std::env::var_os("AMISWEEP_DEEP").is_none_or(|v| v != "1") {
        eprintln!("skipped: needs root and the tools of make-places.sh; set AMISWEEP_DEEP=1");
        return;
    }
    let seed = std::env::var("AMISWEEP_SEED").unwrap_or_else(|_| "deep".to_owned());
    for filesystem in ["ext4", "xfs"] {
        let folder = tempfile::tempdir().unwrap();
        let mut maker = Command::new("sh");
        maker.arg(image_path("make-places.sh")).arg(filesystem).arg(folder.path());
        maker.env("PLANT_SEED", &seed).env("PLACES_LOG_MIB", "48");
        assert!(maker.status().unwrap().success(), "{filesystem}");
        let expected = list::read(&folder.path().join("places.expect"));
        let (wrong, table) = compare(&folder.path().join("places.img"), &expected);
        eprintln!("{filesystem}, seed {seed}:\n{table}");
        assert!(wrong.is_empty(), "{filesystem}:\n{}", wrong.join("\n"));
        assert!(expected.finds.len() >= 144);
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
