//! Databases in a volume: what is planted in them is found by table, row and column, and once.

use crate::contents_git::{Plant, plants};
use amisweep::filesystem::dir::Directory;
use amisweep::image::raw;
use amisweep::run::ImageNo;
use amisweep::sweep::Target;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sqlite")
}

const NAMES: [&str; 8] = [
    "deleted.db",
    "kept.db",
    "kept.db-journal",
    "rows.db",
    "utf16be.db",
    "utf16le.db",
    "wal.db",
    "wal.db-wal",
];

/// A FAT volume with all the databases in it.
fn volume() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(4 << 20).unwrap();
    let mut disk = std::fs::OpenOptions::new().read(true).write(true).open(file.path()).unwrap();
    fatfs::format_volume(&mut disk, fatfs::FormatVolumeOptions::new()).unwrap();
    let volume = fatfs::FileSystem::new(disk, fatfs::FsOptions::new()).unwrap();
    for name in NAMES {
        let bytes = std::fs::read(folder().join(name)).unwrap();
        volume.root_dir().create_file(name).unwrap().write_all(&bytes).unwrap();
    }
    volume.unmount().unwrap();
    file
}

/// What each plant must be found as: file and member, and the state of the row.
const EXPECTED: [(&str, &str, &str); 15] = [
    ("live", "rows.db!sqlite:users/7/token", "live"),
    ("json", "rows.db!sqlite:settings/2/value.json", "live"),
    ("overflow", "rows.db!sqlite:settings/3/value", "live"),
    ("huge", "rows.db!sqlite:settings/5/value", "live"),
    ("keyed", "rows.db!sqlite:keyed/p", "live"),
    ("live", "rows.db!sqlite:by_token/p", "live"),
    ("deleted", "deleted.db!sqlite:$free/", "deleted"),
    ("dropped", "deleted.db!sqlite:$free/", "deleted"),
    ("utf", "utf16le.db!sqlite:t/1/token", "live"),
    ("utf", "utf16be.db!sqlite:t/1/token", "live"),
    ("main", "wal.db!sqlite:t/21/token", "superseded"),
    ("committed", "wal.db-wal!sqlite-wal:t/1/token", "wal"),
    ("leftover", "wal.db-wal!sqlite-wal:$frame/", "wal"),
    ("before", "kept.db-journal!sqlite-journal:t/", "journal"),
    ("before", "kept.db!sqlite:$free/", "deleted"),
];

fn check(found: &[Plant]) {
    let mut missing = Vec::new();
    for (name, place, row) in EXPECTED {
        let there = found.iter().any(|plant| {
            plant.name == name
                && plant.places.iter().any(|at| at.contains(place))
                && plant.fact("row").contains(&row.to_owned())
        });
        if !there {
            missing.push((name, place, row));
        }
    }
    assert!(missing.is_empty(), "{missing:#?} in {found:#?}");
}

#[test]
fn everything_planted_in_databases_is_found() {
    let files = Box::new(Directory::open(&folder()).unwrap());
    let outcome = plants(Target::Tree { name: "t".into(), files });
    check(&outcome);
    let live = outcome.iter().find(|plant| plant.name == "live").unwrap();
    let first = "t:rows.db!sqlite:users/7/token@0+27".to_owned();
    assert!(live.places.contains(&first), "{live:#?}");
}

/// The raw bytes of a row are the row: they are told once, by the better name.
#[test]
fn a_row_is_one_place() {
    let disk = volume();
    let image = raw::open(disk.path(), ImageNo(0), "d".into()).unwrap();
    let found = plants(Target::Images(vec![image]));
    check(&found);
    // A value of many pages is a file of its own, which stands nowhere in one piece.
    for plant in found.iter().filter(|plant| plant.name != "huge") {
        let raw: Vec<_> = plant.places.iter().filter(|at| !at.contains('!')).collect();
        assert!(raw.is_empty(), "{plant:#?}");
        // What was found by its looks is the same, too.
        let looks = plant.places.iter().any(|at| at.contains("!utf16"));
        assert!(!looks, "{plant:#?}");
    }
    let live = found.iter().find(|plant| plant.name == "live").unwrap();
    let disk = std::fs::read(disk.path()).unwrap();
    for (start, len) in &live.runs {
        assert_eq!(&disk[*start..start + len], b"plant-live-0123456789abcdef");
    }
    assert!(live.runs.len() >= 2, "{live:#?}");
}
