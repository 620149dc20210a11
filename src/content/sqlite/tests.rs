//! Databases that SQLite itself made, whole and broken.

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

/// The lines of a listing that hold a plant: what follows, and the facts.
fn plants(name: &str) -> Vec<String> {
    listed(name, file(name)).into_iter().inspect(|l| eprintln!("{l}")).collect()
}

#[test]
fn show() {
    for (name, _) in FILES {
        eprintln!("== {name}");
        let _ = plants(name);
    }
}
