//! The table of capabilities: every row names a test that exists, and every finding has a row.

use amisweep::exposure::audit::RULES;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const THEMES: [&str; 5] = ["s0", "s1", "s2", "s4", "peers"];

/// The names of all tests of the crate, and of all rows that an audit is tested on.
fn shown() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    let mut open = vec![root.join("src"), root.join("tests")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let tests = text.split("#[test]\n").skip(1);
        let named = tests.filter_map(|rest| rest.split_once("fn ")?.1.split_once('('));
        names.extend(named.map(|(name, _)| name.to_owned()));
    }
    for theme in THEMES {
        let path = root.join("testdata/facts").join(format!("{theme}.json"));
        let cases: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let rows = cases.as_array().unwrap().iter().map(|case| case["row"].as_str().unwrap());
        names.extend(rows.map(str::to_owned));
    }
    names
}

#[test]
fn every_capability_is_shown_by_a_test() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/capabilities.md"))
            .unwrap();
    let shown = shown();
    let mut rows = 0;
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.contains("shown by")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "{line}");
        let names: Vec<&str> = cells[2].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{line}");
        for name in names {
            assert!(shown.contains(name), "{name} is no test and no row");
        }
        rows += 1;
    }
    assert!(rows > 60, "{rows} rows");
    for rule in RULES {
        assert!(text.contains(&format!("`{}`", rule.id)), "{} has no row", rule.id);
    }
}
