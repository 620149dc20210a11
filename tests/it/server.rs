//! A server full of what servers hold, swept as one tree: the 65 plants that scanners are compared
//! by, and the first 60 checks of the catalogue. What must be found is in
//! `testdata/artifacts/server/table`.

use crate::artifacts::{cases, expand};
use crate::planted::unpack;
use amisweep::detect::Engine;
use amisweep::filesystem::dir::Directory;
use amisweep::finding::{Finding, Harmless, State};
use amisweep::image::raw;
use amisweep::outcome::Outcome;
use amisweep::run::ImageNo;
use amisweep::sweep::{Asked, FingerprintKey, Options, PROFILES, Progress, Target, sweep_with};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The checks that are of Windows alone and wait for its other half: DPAPI, and what `EC2Launch`
/// keeps.
const LATER: [&str; 2] = ["c54", "c56"];

/// One line of the table.
struct Row {
    items: Vec<String>,
    path: String,
    rule: String,
    severity: String,
    subject: Option<Vec<u8>>,
    facts: Vec<(String, String)>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/artifacts/server")
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(folder().join("table")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(row).collect()
}

fn row(line: &str) -> Row {
    let fields: Vec<&str> = line.splitn(6, '|').map(str::trim).collect();
    let [items, path, rule, severity, subject, facts] = fields[..] else { panic!("{line}") };
    let known = |text: &str| String::from_utf8(expand(text)).unwrap();
    let facts = facts.split(';').filter_map(|fact| fact.trim().split_once('='));
    Row {
        items: items.split(' ').map(str::to_owned).collect(),
        path: path.to_owned(),
        rule: rule.to_owned(),
        severity: severity.to_owned(),
        subject: (!subject.is_empty()).then(|| expand(subject)),
        facts: facts.map(|(name, value)| (name.to_owned(), known(value))).collect(),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test makes files")]
fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path.trim_start_matches('/'));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
}

/// The files that programs made, the templates, and for what is left the cases of the parsers.
fn plant(root: &Path, rows: &[Row]) {
    let packed = std::fs::read(folder().join("made.tar.zst")).unwrap();
    let mut made = Vec::new();
    let mut stream = ruzstd::decoding::StreamingDecoder::new(&*packed).unwrap();
    stream.read_to_end(&mut made).unwrap();
    let mut tar = Command::new("tar");
    let mut tar = tar.args(["-xf", "-"]).current_dir(root).stdin(Stdio::piped()).spawn().unwrap();
    tar.stdin.take().unwrap().write_all(&made).unwrap();
    assert!(tar.wait().unwrap().success());
    let text = std::fs::read_to_string(folder().join("tree")).unwrap();
    for file in format!("\n{text}").split("\n== path ").skip(1) {
        let (path, content) = file.split_once('\n').unwrap();
        put(root, path, &expand(content));
    }
    let mut known: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for case in cases() {
        known.entry(case.path.trim_start_matches('/').to_owned()).or_insert(case.content);
    }
    let paths: BTreeSet<&str> = rows.iter().map(|row| row.path.as_str()).collect();
    for path in paths.into_iter().filter(|path| !path.starts_with("image:")) {
        if !root.join(path).exists() {
            put(root, path, known.get(path).unwrap_or_else(|| panic!("nothing makes {path}")));
        }
    }
}

fn swept(target: Target) -> Outcome {
    let options = Options {
        engine: &Engine::builtin().unwrap(),
        jobs: 2,
        key: &FingerprintKey::ephemeral([1; 32]),
        cross_check: false,
        progress: &Progress::default(),
    };
    sweep_with(target, &options, &Asked { hygiene: &PROFILES, ..Asked::default() })
}

/// Whether a finding is what a row asks for.
fn fits(row: &Row, finding: &Finding) -> bool {
    let rules = std::iter::once(finding.rule.id).chain(finding.also.iter().copied());
    // A rule of the engine may be named by its beginning.
    let start = format!("{}.", row.rule);
    let named = rules.into_iter().any(|id| id == row.rule || id.starts_with(&start));
    let here = finding.places.iter().any(|place| {
        let path = place.locator.path().unwrap_or_default();
        let path = std::str::from_utf8(path).unwrap_or_default();
        path == row.path || path.starts_with(&format!("{}/", row.path))
    });
    let subject = row
        .subject
        .as_ref()
        .is_none_or(|subject| finding.subject.bytes().trim_ascii() == subject.trim_ascii());
    let told = |(name, value): &(String, String)| {
        finding.facts.get(name.as_str()).is_some_and(|values| values.contains(value))
    };
    named
        && here
        && subject
        && finding.harmless.is_none()
        && finding.severity.name() == row.severity
        && row.facts.iter().all(told)
}

/// Deleted files cannot be planted in a directory: a disk has them.
fn deleted(name: &str) -> bool {
    let disk = unpack(name);
    let image = raw::open(disk.path(), ImageNo(0), "d".into()).unwrap();
    let outcome = swept(Target::Images(vec![image]));
    let mut places = outcome.findings.iter().flat_map(|finding| &finding.places);
    places.any(|place| place.state == State::Deleted && place.locator.path().is_some())
}

/// What was found in a file, for the message of a row that is not met.
fn seen(outcome: &Outcome, path: &str) -> String {
    let mut text = String::new();
    for finding in &outcome.findings {
        let here = |place: &&amisweep::finding::Place| {
            place.locator.path().is_some_and(|at| at.starts_with(path.as_bytes()))
        };
        let Some(place) = finding.places.iter().find(here) else { continue };
        let (severity, harmless) = (finding.severity.name(), finding.harmless.map(Harmless::name));
        let shown = String::from_utf8_lossy(finding.subject.bytes()).replace('\n', "⏎");
        let shown: String = shown.chars().take(80).collect();
        let _ = writeln!(
            text,
            "    {} {:?} {severity} {} {harmless:?} {shown} {:?} at {}",
            finding.rule.id,
            finding.also,
            finding.grade.name(),
            finding.facts,
            place.locator
        );
    }
    text
}

#[test]
fn everything_on_a_server_is_found() {
    let rows = rows();
    let tree = tempfile::tempdir().unwrap();
    plant(tree.path(), &rows);
    let files = Box::new(Directory::open(tree.path()).unwrap());
    let outcome = swept(Target::Tree { name: "server".into(), files });
    let mut items: BTreeMap<&str, bool> = BTreeMap::new();
    let mut wrong = String::new();
    for row in &rows {
        let met = match row.path.strip_prefix("image:") {
            Some(name) => deleted(name),
            None => outcome.findings.iter().any(|finding| fits(row, finding)),
        };
        for item in &row.items {
            *items.entry(item).or_insert(true) &= met;
        }
        if !met {
            let _ = writeln!(wrong, "{} {} {}", row.items.join(" "), row.path, row.rule);
            wrong.push_str(&seen(&outcome, &row.path));
        }
    }
    let count = |start: &str| {
        let of = items.iter().filter(|(item, _)| item.starts_with(start));
        (of.clone().filter(|(_, met)| **met).count(), of.count())
    };
    let (plants, checks) = (count("p"), count("c"));
    eprintln!("{} of 65 plants, {} of 60 checks ({} later)", plants.0, checks.0, LATER.len());
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(plants, (65, 65));
    assert_eq!(checks, (60 - LATER.len(), 60 - LATER.len()));
}
