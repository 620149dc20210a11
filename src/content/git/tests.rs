//! Repositories that git itself made, whole and broken.

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
    files("packed").into_iter().find(|path| path.extension().is_some_and(|e| e == "pack")).unwrap()
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
            let facts: Vec<&str> = facts.split(' ').filter(|f| f.contains('=')).collect();
            let id = |fact: &&&str| fact.starts_with("object=") || fact.starts_with("commit=");
            let short: Vec<String> = facts
                .iter()
                .map(|fact| if id(&fact) { fact[..14].to_owned() } else { (*fact).to_owned() })
                .collect();
            let name = if name.contains('$') { &name[..name.len().min(12)] } else { name };
            found.push(format!("{plant}: {name} {}", short.join(" ")));
        }
    }
    found.sort();
    found
}

#[test]
fn show() {
    let bytes = std::fs::read(pack()).unwrap();
    for (what, beside) in [
        ("all", (|_| true) as fn(&str) -> bool),
        ("no idx", |path| !path.ends_with(".idx")),
        ("none", |_| false),
    ] {
        eprintln!("== {what}");
        for line in plants(&listed(&pack(), &bytes, beside)) {
            eprintln!("{line}");
        }
    }
    let bundle = folder().join("history.bundle");
    eprintln!("== bundle");
    for line in plants(&listed(&bundle, &std::fs::read(&bundle).unwrap(), |_| true)) {
        eprintln!("{line}");
    }
    eprintln!("== loose");
    for path in files("loose") {
        for line in listed(&path, &std::fs::read(&path).unwrap(), |_| true) {
            eprintln!("{line}");
        }
    }
}
