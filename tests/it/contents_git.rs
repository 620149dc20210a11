//! Repositories: what is planted in their history is found by path and commit, and it is told
//! whether the commit that is checked out still has it.

use amisweep::detect::Engine;
use amisweep::filesystem::dir::Directory;
use amisweep::sweep::{FingerprintKey, Options, Progress, Target, sweep};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Only the plants of the testdata are looked for, which look like no secret there is.
const SIGNATURE: &str = r#"schema = 1
[[signature]]
id = "test.plant"
title = "A plant"
description = "A plant of the tests."
references = ["https://acme.example/plants"]
provider = "test"
severity = "high"
confidence = "strong"
anchors = ["plant-"]
pattern = '(?P<secret>plant-[a-z]{2,12}-0123456789abcdef)'
max_len = 40
boundary = "none"
encodings = ["utf16le", "utf16be"]
blast = { opens = "o", rotate = "r" }
example = []
"#;

/// A plant that was found.
#[derive(Debug)]
pub(crate) struct Plant {
    pub(crate) name: String,
    pub(crate) places: Vec<String>,
    pub(crate) facts: BTreeMap<&'static str, Vec<String>>,
    /// Start and length of its bytes in the image, for places that hold them as they are.
    pub(crate) runs: Vec<(usize, usize)>,
}

impl Plant {
    pub(crate) fn fact(&self, name: &str) -> &[String] {
        self.facts.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Every plant in a target.
pub(crate) fn plants(target: Target) -> Vec<Plant> {
    let options = Options {
        engine: &Engine::load(&[("test.toml", SIGNATURE)]).unwrap(),
        jobs: 2,
        key: &FingerprintKey::ephemeral([1; 32]),
        cross_check: false,
        progress: &Progress::default(),
    };
    let outcome = sweep(target, &options);
    let found = outcome.findings.into_iter().filter(|finding| finding.rule.id == "test.plant");
    let plant = |finding: amisweep::finding::Finding| {
        let text = String::from_utf8_lossy(finding.subject.bytes()).into_owned();
        let packed = |at: &&amisweep::finding::Place| {
            let bytes: u64 = at.image_runs.iter().map(|(_, run)| run.len).sum();
            at.locator.span.is_some_and(|span| span.len == bytes) && at.image_runs.len() == 1
        };
        let run = |at: &amisweep::finding::Place| {
            let run = at.image_runs[0].1;
            (usize::try_from(run.start).unwrap(), usize::try_from(run.len).unwrap())
        };
        Plant {
            name: text.split('-').nth(1).unwrap_or_default().to_owned(),
            places: finding.places.iter().map(|place| place.locator.to_string()).collect(),
            facts: finding.facts,
            runs: finding.places.iter().filter(packed).map(run).collect(),
        }
    };
    found.map(plant).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/git")
}

fn tree(path: &Path) -> Vec<Plant> {
    let files = Box::new(Directory::open(path).unwrap());
    plants(Target::Tree { name: "t".into(), files })
}

/// What each plant of a repository is told by: its path, whether it is in the commit that is
/// checked out, and one more fact.
const TOLD: [(&str, &str, &str, (&str, &str)); 6] = [
    ("removed", "app/config/.env", "no", ("commit", "b615bf1189eeb20484bc49dc0b33c7f48f8b2482")),
    ("delta", "app/long.txt", "no", ("object", "509b0c154247d0e81b5092cc9acc8f10ff506452")),
    ("head", "app/live.txt", "yes", ("commit", "416538ef9c97fabefec9af8568c9a4c0ca1ee9f0")),
    ("amended", "app/amended.txt", "no", ("kept_by", "reflog")),
    ("stash", "app/live.txt", "no", ("kept_by", "stash")),
    ("dangling", "", "no", ("dangling", "yes")),
];

fn check(found: &[Plant], place: &str) {
    for (name, path, in_head, (fact, value)) in TOLD {
        let plant = found.iter().find(|plant| plant.name == name);
        let Some(plant) = plant else { panic!("no {name} in {found:#?}") };
        assert!(plant.places.iter().any(|at| at.contains(place)), "{plant:#?}");
        assert!(path.is_empty() || plant.fact("path").contains(&path.to_owned()), "{plant:#?}");
        assert!(plant.fact("in_head").contains(&in_head.to_owned()), "{plant:#?}");
        assert!(plant.fact(fact).contains(&value.to_owned()), "{plant:#?}");
    }
    for name in ["message", "tag"] {
        assert!(found.iter().any(|plant| plant.name == name), "no {name} in {found:#?}");
    }
}

#[test]
fn a_packed_repository_tells_all_of_its_history() {
    let found = tree(&folder().join("packed"));
    check(&found, "!git:");
    let removed = found.iter().find(|plant| plant.name == "removed").unwrap();
    assert!(removed.places[0].ends_with(".pack!git:app/config/.env@4+30"), "{removed:#?}");
}

#[test]
fn objects_kept_one_by_one_are_joined() {
    let found = tree(&folder().join("loose"));
    check(&found, "t:objects/");
    let removed = found.iter().find(|plant| plant.name == "removed").unwrap();
    let place = "t:objects/66/b2aaff75f9976810ae92967fcce474e2bf5d1c!git@4+30";
    assert_eq!(removed.places, [place], "{removed:#?}");
}

/// The same of a repository that git makes now, with what it makes of it over time.
#[test]
fn deep_a_repository_of_today_is_read_in_every_state() {
    if std::env::var_os("AMISWEEP_DEEP").is_none_or(|deep| deep != "1") {
        eprintln!("skipped: set AMISWEEP_DEEP=1");
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let work = temp.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(&work);
        command.env("HOME", temp.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        let run = command.output().unwrap();
        assert!(run.status.success(), "git {arguments:?}: {run:?}");
    };
    #[allow(clippy::disallowed_methods, reason = "the test's own folder")]
    let write = |name: &str, text: &str| std::fs::write(work.join(name), text).unwrap();
    let plant = |name: &str| format!("plant-{name}-0123456789abcdef\n");
    git(&["init", "-q", "-b", "trunk"]);
    git(&["config", "user.email", "a@example.com"]);
    git(&["config", "user.name", "A"]);
    let filler = "one line\n".repeat(400);
    write("a.txt", &(filler.clone() + &plant("removed")));
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    write("a.txt", &filler);
    write("b.txt", &plant("head"));
    git(&["add", "."]);
    git(&["commit", "-qm", "two"]);
    write("c.txt", &plant("stash"));
    git(&["add", "."]);
    git(&["stash", "-q"]);
    let check = |state: &str| {
        let found = tree(&work.join(".git"));
        for (name, path, in_head) in
            [("removed", "a.txt", "no"), ("head", "b.txt", "yes"), ("stash", "c.txt", "no")]
        {
            let plant = found.iter().find(|plant| plant.name == name);
            let Some(plant) = plant else { panic!("{state}: no {name} in {found:#?}") };
            assert!(plant.fact("path").contains(&path.to_owned()), "{state}: {plant:#?}");
            assert_eq!(plant.fact("in_head"), [in_head], "{state}: {plant:#?}");
        }
    };
    check("loose");
    git(&["gc", "-q"]);
    check("gc");
    for entry in std::fs::read_dir(work.join(".git/objects/pack")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "idx" || extension == "rev") {
            std::fs::remove_file(path).unwrap();
        }
    }
    check("no index");
}
