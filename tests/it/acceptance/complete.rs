//! Completeness: every format says how complete the search was, and a second reader that cannot
//! speak is heard not speaking.

use super::{list, run, scan};
use crate::planted::unpack;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

/// A disk that is encrypted as a whole.
fn encrypted() -> tempfile::NamedTempFile {
    let mut disk = tempfile::NamedTempFile::new().unwrap();
    let mut bytes = vec![7; 1 << 20];
    bytes[..8].copy_from_slice(b"LUKS\xba\xbe\0\x01");
    disk.write_all(&bytes).unwrap();
    disk
}

#[test]
fn every_format_says_how_complete_it_is() {
    let (whole, part) = (unpack("ext4-inline"), encrypted());
    let told = |format: &str, disk: &Path| {
        let args = ["scan", "-q", "-f", format].map(AsRef::as_ref);
        let done = run(None, &[&args[..], &[disk.as_os_str()]].concat());
        (done.code, String::from_utf8(done.stdout).unwrap())
    };
    let formats = amisweep::report::FORMATS.iter().map(|format| format.name);
    for format in formats {
        let (code, complete) = told(format, whole.path());
        assert_eq!(code, 10, "{complete}");
        let (code, incomplete) = told(format, part.path());
        assert_eq!(code, 11, "{incomplete}");
        match format {
            "text" => {
                assert!(complete.contains("100 %") && !complete.contains("INCOMPLETE"));
                assert!(incomplete.contains("0.0 %") && incomplete.contains("INCOMPLETE"));
            }
            "json" => {
                for (text, whole) in [(complete, true), (incomplete, false)] {
                    let report: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(report["coverage"]["complete"], whole);
                    assert_eq!(report["verdict"]["complete"], whole);
                }
            }
            "ndjson" => {
                for (text, whole) in [(complete, true), (incomplete, false)] {
                    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
                    assert_eq!(
                        (&last["type"], &last["complete"]),
                        (&"verdict".into(), &whole.into())
                    );
                }
            }
            other => panic!("say here how {other} tells that a result is incomplete"),
        }
    }
}

/// The files a cross-check is due for: live, found in, and on a volume of these formats.
fn due(report: &Value, formats: &[&str]) -> BTreeSet<String> {
    let on = |volume: &&Value| formats.contains(&volume["format"].as_str().unwrap());
    let volumes: Vec<&str> = list(report, "volumes")
        .iter()
        .filter(on)
        .map(|volume| volume["locator"].as_str().unwrap())
        .collect();
    let mut files = BTreeSet::new();
    for finding in list(report, "findings").iter().chain(list(report, "noted")) {
        for place in list(finding, "places").iter().filter(|place| place["state"] == "live") {
            let locator = place["locator"].as_str().unwrap();
            let file = locator.split(['@', '!']).next().unwrap();
            if volumes.iter().any(|volume| file.starts_with(*volume)) && !file.contains('$') {
                files.insert(file.to_owned());
            }
        }
    }
    files
}

fn checked(image: &str) -> (Value, BTreeMap<String, String>) {
    let disk = unpack(image);
    let report = scan(None, disk.path(), &["--cross-check"]).report();
    let checks = list(&report, "cross_check").iter().map(|check| {
        assert!(check["result"] != "refused" || check["reason"].is_string(), "{check}");
        (
            check["locator"].as_str().unwrap().to_owned(),
            check["result"].as_str().unwrap().to_owned(),
        )
    });
    let checks = checks.collect();
    (report, checks)
}

#[test]
fn a_second_reader_agrees_on_every_ext_file_with_findings() {
    let (report, checks) = checked("demo");
    let files = due(&report, &["ext4", "ext3", "ext2"]);
    assert!(files.len() > 10, "{files:?}");
    for file in &files {
        assert_eq!(checks.get(file).map(String::as_str), Some("agrees"), "{file}");
    }
    assert_eq!(report["coverage"]["complete"], true);
}

#[test]
fn a_second_reader_that_does_not_speak_is_recorded() {
    for image in ["demo", "ext4-dirty", "xfs-planted", "ext4-inline"] {
        let (report, checks) = checked(image);
        let files = due(&report, &["ext4", "ext3", "ext2", "xfs", "FAT"]);
        assert!(!files.is_empty(), "{image}");
        for file in &files {
            let said = checks.get(file).unwrap_or_else(|| panic!("{image}: {file} is not told of"));
            assert!(["agrees", "refused"].contains(&said.as_str()), "{image}: {file} {said}");
        }
    }
}
