//! Databases that `SQLite` itself made, whole and broken.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may stop there"
)]

use super::{Value, rows};
use crate::bytes::ReadAt;
use crate::content::{Siblings, probe};

macro_rules! made {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/sqlite/", $name)).as_slice()
    };
}

const FILES: [(&str, &[u8]); 8] = [
    ("rows.db", made!("rows.db")),
    ("deleted.db", made!("deleted.db")),
    ("utf16le.db", made!("utf16le.db")),
    ("utf16be.db", made!("utf16be.db")),
    ("wal.db", made!("wal.db")),
    ("wal.db-wal", made!("wal.db-wal")),
    ("kept.db", made!("kept.db")),
    ("kept.db-journal", made!("kept.db-journal")),
];

fn file(name: &str) -> &'static [u8] {
    FILES.iter().find(|(known, _)| *known == name).unwrap().1
}

/// The listing of a file with all others beside it.
fn listed(name: &str, bytes: &[u8]) -> Vec<String> {
    let open = |path: &[u8], read: &mut dyn FnMut(&dyn ReadAt)| {
        let found = FILES.iter().find(|(name, _)| name.as_bytes() == path);
        found.map(|(_, bytes)| read(&bytes.to_vec())).is_some()
    };
    probe::beside(name, bytes, Siblings(Some(&open)))
}

/// The plants of a listing, each behind the line's name and before its last fact.
fn plants(lines: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for line in lines {
        let (name, text) = line.split_once(" = ").unwrap_or((line, ""));
        let row = line.rsplit_once(" row=").map_or("", |(_, row)| row);
        for (at, _) in text.match_indices("plant-") {
            let before: String =
                text.get(..at).unwrap().chars().rev().take_while(|c| *c != 'A').collect();
            let key: String = before.chars().rev().collect();
            let word = text.get(at..).unwrap().split('-').nth(1).unwrap();
            found.push(format!(
                "{name} {} {word} {row}",
                if key.ends_with('=') { &*key } else { "" }
            ));
        }
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn rows_are_handed_out_by_table_and_column() {
    let lines = listed("rows.db", file("rows.db"));
    let text = lines.join("\n");
    for expected in [
        "sqlite:settings/2/value.json = {\"key\": \"plant-json-0123456789abcdef\"} row=live",
        "plant-huge-0123456789abcdef row=live",
        "aaaplant-overflow-0123456789abcdefbbb",
        "%0Aname=user7%0Atoken=plant-live-0123456789abcdef%0A",
        "%0Akey=mail.password%0Amail.password=x9KdLw72pQ%0A",
        // The key's column comes first.
        "%0Aowner=anna%0Anote=plant-keyed-0123456789abcdef%0A",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
    assert!(!lines.iter().any(|line| line.ends_with(": Corrupt")), "{lines:?}");
    for name in ["utf16le.db", "utf16be.db"] {
        let lines = listed(name, file(name)).join("\n");
        let expected = "%0Aowner=änne%0Atoken=plant-utf-0123456789abcdef%0A%0A row=live";
        assert!(lines.contains(expected), "{lines}");
    }
}

#[test]
fn tables_and_their_rows_are_counted() {
    let mut lines = listed("rows.db", file("rows.db"));
    lines.retain(|line| line.starts_with("clue "));
    let expected = ["clue table keyed 1", "clue table settings 5", "clue table users 39"];
    lines.sort();
    assert_eq!(lines, expected);
}

#[test]
fn deleted_and_logged_rows_are_told_from_live_ones() {
    for (name, expected) in [
        (
            "deleted.db",
            vec![
                "sqlite  deleted deleted",
                "sqlite  dropped deleted",
                "sqlite text= deleted deleted",
            ],
        ),
        ("wal.db", vec!["sqlite token= main superseded"]),
        (
            "wal.db-wal",
            vec![
                "sqlite-wal  leftover wal",
                "sqlite-wal  main wal",
                "sqlite-wal token= committed wal",
            ],
        ),
        // The transaction was not at its end.
        (
            "kept.db",
            vec![
                "sqlite  before deleted",
                "sqlite token= before deleted",
                "sqlite token= before live",
            ],
        ),
        ("kept.db-journal", vec!["sqlite-journal token= before journal"]),
    ] {
        assert_eq!(plants(&listed(name, file(name))), expected, "{name}");
    }
    // A log alone is pages without names.
    let alone = plants(&probe::listing("x-wal", file("wal.db-wal")));
    assert!(alone.iter().any(|line| line == "sqlite-wal  committed wal"), "{alone:?}");
}

#[test]
fn rows_can_be_asked_for() {
    let mut seen = Vec::new();
    let db = file("rows.db").to_vec();
    rows(&db, None, "users", &mut |id, row| {
        seen.push((id, row.to_vec()));
        Ok(())
    })
    .unwrap();
    assert_eq!(seen.len(), 39);
    let text = |text: &str| Value::Text(text.into());
    let token = text("plant-live-0123456789abcdef");
    assert_eq!(seen[6], (7, vec![Value::Int(7), text("user7"), token, Value::Null]));

    let (db, wal) = (file("wal.db").to_vec(), file("wal.db-wal").to_vec());
    let token = |wal: Option<&dyn ReadAt>| {
        let mut first = None;
        let _ = rows(&db, wal, "T", &mut |_, row| {
            first.get_or_insert(row[1].clone());
            Ok(())
        });
        first.unwrap()
    };
    assert_eq!(token(Some(&wal)), text("plant-committed-0123456789abcdef"));
    assert_ne!(token(None), text("plant-committed-0123456789abcdef"));
    assert!(rows(&db, None, "none", &mut |_, _| Ok(())).is_err());
}

/// Whatever is cut or changed, what comes of it is no more than a few times what was there.
#[test]
fn damage_is_survived() {
    let check = |name: &str, bytes: &[u8]| {
        let len: usize = listed(name, bytes).iter().map(String::len).sum();
        assert!(len < 40 * bytes.len() + 40_000, "{len} of {}", bytes.len());
    };
    let mut state = 7u64;
    for (name, bytes) in FILES.iter().filter(|(name, _)| *name != "rows.db") {
        let step = bytes.len().div_ceil(300);
        for len in (0..bytes.len()).step_by(step) {
            check(name, &bytes[..len]);
        }
        for _ in 0..200 {
            let mut broken = bytes.to_vec();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = usize::try_from(state >> 33).unwrap() % broken.len();
                // The first pages matter most.
                let at = if state & 1 == 0 { at % 700.min(broken.len()) } else { at };
                broken[at] =
                    if state & 2 == 0 { 0xff } else { broken[at] ^ (1 << (state >> 8 & 7)) };
            }
            check(name, &broken);
        }
    }
}

/// Pages that point at one another, and cells that lie in one place.
#[test]
fn loops_end() {
    let mut db = file("deleted.db").to_vec();
    // The schema's page becomes the parent of itself.
    db[100] = 5;
    db[108..112].copy_from_slice(&1u32.to_be_bytes());
    // The list of free pages is a ring.
    db[32..36].copy_from_slice(&3u32.to_be_bytes());
    db[1024..1032].copy_from_slice(&[0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff]);
    assert!(listed("deleted.db", &db).len() < 20);
    // Every cell of a page is the same one.
    let mut db = file("deleted.db").to_vec();
    let cell: [u8; 2] = db[108..110].try_into().unwrap();
    db[103..105].copy_from_slice(&100u16.to_be_bytes());
    for number in 0..100 {
        db[108 + 2 * number..110 + 2 * number].copy_from_slice(&cell);
    }
    assert!(listed("deleted.db", &db).iter().map(String::len).sum::<usize>() < 40_000);
}
