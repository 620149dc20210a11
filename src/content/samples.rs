//! Archives made by the real tools, read to the bottom, and then damaged in every way.
//!
//! `testdata/archives/make` makes them.

use super::{Found, Given, Head, Open, Siblings, UNPACKERS, failed, opener};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::HEAD_BYTES;
use crate::locator::{Area, Locator, Printable};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Bytes that all members of one damaged sample may add up to.
const MOST: usize = 4 << 20;

/// What a container holds, to the bottom: one line for each member that is none itself, and for
/// what was not read.
fn tree(name: &[u8], bytes: &[u8], lines: &mut Vec<String>, at: &str, depth: usize) -> Result<()> {
    let head = bytes.get(..bytes.len().min(HEAD_BYTES)).unwrap_or_default();
    let unpacker = opener(&Head { name, bytes: head, size: Some(bytes.len() as u64) });
    let Some(unpacker) = unpacker.filter(|_| depth < 6) else {
        lines.push(format!("{at} = {}", short(bytes)));
        return Ok(());
    };
    let mut used = 0;
    let mut out = |found: Found<'_>| match found {
        Found::Member(member) => {
            let mut text = Vec::new();
            let room = (MOST - used) as u64;
            let read = member.bytes.take(room).read_to_end(&mut text);
            used += text.len();
            if used >= MOST {
                return Err(Error::new(ErrorKind::Limit, "too much"));
            }
            let inner = match member.name {
                Some(name) => format!("{at}!{}:{}", unpacker.name, Printable(name)),
                None => format!("{at}!{}", unpacker.name),
            };
            let own = member.name.unwrap_or(b"");
            match member.parts {
                Some(_) => lines.push(format!("{inner} ~ {}", Printable(&text))),
                None => tree(own, &text, lines, &inner, depth + 1)?,
            }
            if let Err(error) = read {
                lines.push(format!("{inner}: {:?}", failed(error).kind()));
            }
            Ok(())
        }
        Found::Closed { name, error } => {
            let name = name.map(|name| Printable(name).to_string()).unwrap_or_default();
            lines.push(format!("{at}!{}:{name}: {:?}", unpacker.name, error.kind()));
            Ok(())
        }
        Found::Match(_) | Found::Clue(_) => Ok(()),
    };
    let place = Locator::new(&"x".into(), None, Area::Whole);
    let siblings = Siblings(None);
    let given = Given { name, at: &place, size: Some(bytes.len() as u64), alone: false, siblings };
    let run = |out: &mut dyn FnMut(Found<'_>) -> Result<()>| match unpacker.open {
        Open::Stream(open) => open(&mut &*bytes, &given, out),
        Open::Random(open) | Open::Either(open, _) => open(&bytes.to_vec(), &given, out),
    };
    if let Err(error) = run(&mut out) {
        lines.push(format!("{at}!{}: {:?}", unpacker.name, error.kind()));
    }
    Ok(())
}

/// A long text by its ends, and the zeros around it counted.
fn short(bytes: &[u8]) -> String {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = &bytes[start..end.max(start)];
    if start > 8 {
        return format!("({start} zeros) {} ({} zeros)", short(text), bytes.len() - end);
    }
    if bytes.len() < 50 {
        return Printable(bytes).to_string();
    }
    let ends = (Printable(&bytes[..10]), Printable(&bytes[bytes.len() - 10..]));
    format!("{}...{} ({})", ends.0, ends.1, bytes.len())
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/archives");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some());
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

#[test]
fn what_the_real_tools_made_is_read() {
    let mut text = String::new();
    for (name, bytes) in samples() {
        let mut lines = Vec::new();
        tree(name.as_bytes(), &bytes, &mut lines, &name, 0).unwrap();
        text += &lines.join("\n");
        text += "\n";
    }
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/archives/expected");
    let expected = std::fs::read_to_string(expected).unwrap();
    assert!(expected == text, "{text}");
}

/// Formats whose samples are made and damaged in their own tests.
const MADE: [&str; 5] = ["aof", "journald", "pyc", "rdb", "text"];

/// A sample for every format is damaged, here or in the format's own tests.
#[test]
fn every_format_has_a_sample() {
    let mut known: BTreeSet<&str> = MADE.into();
    for (name, bytes) in samples().into_iter().chain(other_samples()) {
        let head = bytes.get(..bytes.len().min(HEAD_BYTES)).unwrap_or_default();
        let size = Some(bytes.len() as u64);
        known.extend(opener(&Head { name: name.as_bytes(), bytes: head, size }).map(|u| u.name));
    }
    let all: BTreeSet<&str> = UNPACKERS.iter().map(|unpacker| unpacker.name).collect();
    assert_eq!(known, all);
}

/// What other tests have of the real tools.
fn other_samples() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut pending: Vec<PathBuf> =
        ["git", "sqlite", "squashfs"].map(|folder| root.join(folder)).into();
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => pending.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => found.push(path),
        }
    }
    found.iter().map(|p| (p.to_str().unwrap().to_owned(), std::fs::read(p).unwrap())).collect()
}

/// Cut anywhere, and with bits turned over: it ends, soon, and without a panic.
#[test]
fn damaged_archives_are_bounded() {
    for (name, bytes) in samples() {
        let mut broken: Vec<Vec<u8>> = Vec::new();
        let step = (bytes.len() / 80).max(1);
        broken.extend((0..bytes.len()).step_by(step).map(|len| bytes[..len].to_vec()));
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..250 {
            let mut copy = bytes.clone();
            for _ in 0..3 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = usize::try_from(random >> 33).unwrap() % copy.len();
                copy[at] ^= 1 << (random & 7);
            }
            broken.push(copy);
        }
        for bytes in &broken {
            let mut lines = Vec::new();
            // Too much is an end as well.
            drop(tree(name.as_bytes(), bytes, &mut lines, "x", 0));
        }
    }
}

/// Whatever an unpacker is given, it ends.
#[test]
fn nothing_is_any_format_and_noise_is_none() {
    let noise: Vec<u8> =
        (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    for bytes in [b"".as_slice(), b"\0", &[0; 5000], &[0xff; 5000], &noise] {
        assert!(opener(&Head { name: b"x", bytes, size: None }).is_none());
        let place = Locator::new(&"x".into(), None, Area::Whole);
        let given =
            Given { name: b"x", at: &place, size: None, alone: false, siblings: Siblings(None) };
        for unpacker in UNPACKERS {
            let mut out = |found: Found<'_>| {
                if let Found::Member(member) = found {
                    drop(std::io::copy(member.bytes, &mut std::io::sink()));
                }
                Ok(())
            };
            drop(match unpacker.open {
                Open::Stream(open) => open(&mut &*bytes, &given, &mut out),
                Open::Random(open) => open(&bytes.to_vec(), &given, &mut out),
                Open::Either(open, other) => {
                    drop(other(&mut &*bytes, &given, &mut out));
                    open(&bytes.to_vec(), &given, &mut out)
                }
            });
        }
    }
}
