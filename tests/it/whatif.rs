//! What-if: every cell of the state tables, against tables written from the documents.

use amisweep::exposure::whatif::{Cell, asks, copy, launch};
use std::path::Path;

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/whatif").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// A row: the outcome in quotes where it has a comma.
fn row(ask: &str, Cell { outcome, basis }: Cell) -> String {
    let outcome = outcome.to_string();
    let quote = if outcome.contains(',') { "\"" } else { "" };
    format!("{ask},{quote}{outcome}{quote},{basis}")
}

#[test]
fn every_cell_of_the_launch_table() {
    let text = golden("launch.csv");
    let expected: Vec<_> = text.lines().skip(1).collect();
    let found: Vec<_> = asks().map(|ask| row(&ask.to_string(), launch(&ask))).collect();
    assert_eq!(found.len(), 48);
    assert_eq!(found, expected);
}

#[test]
fn every_cell_of_the_copy_table() {
    let text = golden("copy.csv");
    let expected: Vec<_> = text.lines().skip(1).collect();
    let found: Vec<_> = asks()
        .flat_map(|ask| {
            [("same", false), ("cross", true)]
                .map(|(name, cross)| row(&format!("{ask},{name}"), copy(&ask, cross)))
        })
        .collect();
    assert_eq!(found.len(), 96);
    assert_eq!(found, expected);
}
