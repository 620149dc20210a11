//! Repositories that git itself made, whole and broken.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::indexing_slicing,
    reason = "a test may stop there"
)]

use crate::bytes::ReadAt;
use crate::content::{Siblings, probe};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/git")
}

/// All files below a folder.
fn files(below: &str) -> Vec<PathBuf> {
    let mut pending = vec![folder().join(below)];
    let mut found = Vec::new();
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { pending.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn pack() -> PathBuf {
    files("packed").into_iter().find(|path| path.extension() == Some("pack".as_ref())).unwrap()
}

/// The listing of a file with those beside it, as far as `beside` lets them be seen.
fn listed(path: &Path, bytes: &[u8], beside: fn(&str) -> bool) -> Vec<String> {
    let open = |path: &[u8], read: &mut dyn FnMut(&dyn ReadAt)| {
        let path = std::str::from_utf8(path).unwrap();
        let found = Some(path).filter(|path| beside(path)).and_then(|p| std::fs::read(p).ok());
        found.map(|bytes| read(&bytes)).is_some()
    };
    let mut lines = probe::beside(path.to_str().unwrap(), bytes, Siblings(Some(&open)));
    lines.sort();
    lines
}

/// The lines with a plant, shortened to its name and what stands before and behind the text.
fn plants(lines: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for line in lines {
        let (name, rest) = line.split_once(" = ").unwrap_or((line, ""));
        for part in rest.split("plant-").skip(1) {
            let plant = part.split('-').next().unwrap();
            let facts = rest.rsplit_once("%0A").map_or("", |(_, facts)| facts);
            let facts = facts.rsplit_once("  ").map_or(facts, |(_, facts)| facts);
            let facts: Vec<&str> = facts.split(' ').filter(|f| f.contains('=')).collect();
            let id = |fact: &&&str| fact.starts_with("object=") || fact.starts_with("commit=");
            let short: Vec<String> = facts
                .iter()
                .map(|fact| {
                    if id(&fact) { fact.get(..14).unwrap().to_owned() } else { (*fact).to_owned() }
                })
                .collect();
            let name = if name.contains('$') { name.get(..12).unwrap_or(name) } else { name };
            found.push(format!("{plant}: {name} {}", short.join(" ")));
        }
    }
    found.sort();
    found
}

/// What the plants of the repository are told by.
const TOLD: [&str; 9] = [
    "amended: git:app/amended.txt object=6d5086f path=app/amended.txt commit=83ac4fa in_head=no kept_by=reflog",
    "dangling: git:$object/ object=f62a15e in_head=no dangling=yes",
    "delta: git:app/long.txt object=509b0c1 path=app/long.txt commit=416538e in_head=no",
    "head: git:app/live.txt object=95d211b path=app/live.txt commit=261dd6e in_head=no kept_by=stash",
    "head: git:app/live.txt object=98644b9 path=app/live.txt commit=416538e in_head=yes",
    "message: git:$commit/ commit=416538e",
    "removed: git:app/config/.env object=66b2aaf path=app/config/.env commit=b615bf1 in_head=no",
    "stash: git:app/live.txt object=95d211b path=app/live.txt commit=261dd6e in_head=no kept_by=stash",
    "tag: git:$tag/6f2 object=6f2c0fc",
];

#[test]
fn a_pack_tells_path_commit_and_what_keeps_a_file() {
    let bytes = std::fs::read(pack()).unwrap();
    assert_eq!(plants(&listed(&pack(), &bytes, |_| true)), TOLD);
    assert_eq!(plants(&listed(&pack(), &bytes, |path| !path.ends_with(".idx"))), TOLD);
    // Alone it knows nothing of refs.
    let alone = plants(&listed(&pack(), &bytes, |_| false));
    let expected = TOLD.map(|line| {
        let line = line.replace(" kept_by=reflog", "").replace(" kept_by=stash", "");
        let line = line.replace(" dangling=yes", "").replace("in_head=yes", "in_head=unknown");
        line.replace("in_head=no", "in_head=unknown").replace("unknownknown", "unknown")
    });
    assert_eq!(alone, expected);
}

#[test]
fn a_stale_or_broken_index_is_not_believed() {
    let (path, bytes) = (pack(), std::fs::read(pack()).unwrap());
    let idx = std::fs::read(path.with_extension("idx")).unwrap();
    for change in 0..40 {
        let mut broken = idx.clone();
        let at = change * broken.len() / 40;
        broken[at] ^= 0x41;
        let cut = broken[..broken.len() - change].to_vec();
        for idx in [broken, cut] {
            let open = |path: &[u8], read: &mut dyn FnMut(&dyn ReadAt)| {
                let path = std::str::from_utf8(path).unwrap();
                let is_idx = path.ends_with(".idx");
                let other = std::fs::read(path).ok().filter(|_| !is_idx);
                let found = if is_idx { Some(idx.clone()) } else { other };
                found.map(|bytes| read(&bytes)).is_some()
            };
            let siblings = Siblings(Some(&open));
            let mut lines = probe::beside(path.to_str().unwrap(), &bytes, siblings);
            lines.sort();
            assert_eq!(plants(&lines), TOLD, "{change}");
        }
    }
}

#[test]
fn a_bundle_is_refs_and_a_pack() {
    let path = folder().join("history.bundle");
    let bytes = std::fs::read(&path).unwrap();
    let found = plants(&listed(&path, &bytes, |_| false));
    let names: Vec<_> = found.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["delta:", "head:", "message:", "removed:", "tag:"]);
    assert!(found[1].ends_with("path=app/live.txt commit=416538e in_head=yes"), "{found:?}");
    assert!(found[3].ends_with("path=app/config/.env commit=b615bf1 in_head=no"), "{found:?}");
    let cut = listed(&path, &bytes[..60], |_| false);
    assert_eq!(cut, ["git-bundle: Corrupt"]);
}

#[test]
fn loose_objects_are_opened_and_leave_clues() {
    let mut kinds = std::collections::BTreeMap::new();
    let mut all = Vec::new();
    for path in files("loose/objects") {
        for line in listed(&path, &std::fs::read(&path).unwrap(), |_| false) {
            if let Some(clue) = line.strip_prefix("clue ") {
                *kinds.entry(clue.split(' ').next().unwrap().to_owned()).or_insert(0) += 1;
            }
            all.push(line);
        }
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    assert_eq!(kinds, ["git-blob 10", "git-commit 7", "git-tag 1", "git-tree 14"]);
    let found = plants(&all);
    for line in [
        "removed: git object=66b2aaf",
        "dangling: git object=f62a15e",
        "message: git commit=416538e",
    ] {
        assert!(found.iter().any(|found| found == line), "{line} {found:?}");
    }
    // A file that only begins as compressed bytes do is none.
    let other = probe::listing("objects/aa/bb", b"x\x9cnothing of that kind");
    assert!(other.iter().all(|line| !line.starts_with("git")), "{other:?}");
}

/// A pack whose first object is damaged gives all that are not made from it.
#[test]
fn a_damaged_pack_is_read_on() {
    let (path, mut bytes) = (pack(), std::fs::read(pack()).unwrap());
    bytes[24..40].fill(0xff);
    for beside in [(|_| true) as fn(&str) -> bool, |path| !path.ends_with(".idx")] {
        let lines = listed(&path, &bytes, beside);
        let found = plants(&lines);
        assert!(found.len() >= 8, "{found:?}");
        assert!(lines.iter().any(|line| line == "git: Corrupt"), "{lines:?}");
    }
    // Deltas of what is gone give what they add.
    let mut orphan = b"PACK\0\0\0\x02\0\0\0\x01".to_vec();
    orphan.push(0x7a);
    orphan.extend([9; 20]);
    let delta = [&[40, 7, 7][..], b"my-word"].concat();
    let mut packed = flate2::write::ZlibEncoder::new(&mut orphan, flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &delta).unwrap();
    packed.finish().unwrap();
    orphan.extend([0; 20]);
    let lines = probe::listing("x.pack", &orphan);
    assert!(lines.iter().any(|line| line.contains("= my-word base=missing")), "{lines:?}");
}

#[test]
fn damage_is_survived() {
    let check = |path: &Path, bytes: &[u8]| {
        let len: usize =
            listed(path, bytes, |p| !p.ends_with(".idx")).iter().map(String::len).sum();
        assert!(len < 400_000, "{len} of {}", bytes.len());
    };
    let mut state = 11u64;
    let loose = files("loose/objects").into_iter().take(4);
    for path in [pack(), folder().join("history.bundle")].into_iter().chain(loose) {
        let bytes = std::fs::read(&path).unwrap();
        for len in (0..bytes.len()).step_by(bytes.len().div_ceil(300)) {
            check(&path, &bytes[..len]);
        }
        for _ in 0..100 {
            let mut broken = bytes.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = usize::try_from(state >> 33).unwrap() % broken.len();
                broken[at] ^= 1 << (state >> 8 & 7);
            }
            check(&path, &broken);
        }
    }
    // Counts and sizes that are not there.
    let head = b"PACK\0\0\0\x02\xff\xff\xff\xff";
    check(Path::new("x.pack"), head);
    let huge = [&head[..], &[0xbf, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x78, 0x9c], &[0; 40]].concat();
    check(Path::new("x.pack"), &huge);
}
