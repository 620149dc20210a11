//! Containers: every unpacker over the archives that the real tools made. An input's first byte
//! chooses whether its members are opened in turn, the rest is the container.

use crate::Target;
use amisweep::content::{Found, Given, Head, Open, Out, Siblings, Unpacker, opener};
use amisweep::error::{Error, ErrorKind, Result};
use amisweep::limits::HEAD_BYTES;
use amisweep::locator::{Area, Locator};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes that are read of all members of one input.
const MOST: u64 = 4 << 20;
/// How deep members are opened.
const DEPTH: usize = 3;
/// Members of one input.
const MEMBERS: usize = 4096;

/// One unpacker, whether it says that the input is its own or not.
pub struct ContainerTarget(pub &'static Unpacker);

impl Target for ContainerTarget {
    fn run(&self, input: &[u8]) {
        let [mode, bytes @ ..] = input else { return };
        let mut left = Left { bytes: MOST, members: MEMBERS };
        let head = bytes.get(..bytes.len().min(HEAD_BYTES)).unwrap_or_default();
        let _ = (self.0.applies)(&Head { name: b"x", bytes: head, size: None });
        unpack(self.0, bytes, mode & 1 == 0, &mut left, DEPTH * usize::from(mode >> 7));
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds = vec![vec![0], vec![0x80]];
        for path in samples() {
            let bytes = std::fs::read(&path).unwrap();
            let name = path.file_name().unwrap().as_encoded_bytes();
            let head = bytes.get(..bytes.len().min(HEAD_BYTES)).unwrap_or_default();
            let size = Some(bytes.len() as u64);
            if (self.0.applies)(&Head { name, bytes: head, size }) {
                seeds.push([&[0x80], &*bytes].concat());
                seeds.push([&[1], &*bytes].concat());
            }
        }
        seeds
    }
}

/// Everything that the real tools made.
fn samples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let mut pending: Vec<PathBuf> =
        ["archives", "git", "sqlite", "squashfs"].map(|folder| root.join(folder)).into();
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => pending.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => found.push(path),
        }
    }
    found.sort();
    found
}

/// What may still be read.
struct Left {
    bytes: u64,
    members: usize,
}

/// Open a container, at random or from front to back.
fn unpack(unpacker: &Unpacker, bytes: &[u8], random: bool, left: &mut Left, depth: usize) {
    let at = Locator::new(&"x".into(), None, Area::Whole);
    let size = Some(bytes.len() as u64);
    let given = Given { name: b"x", at: &at, size, alone: false, siblings: Siblings(None) };
    let mut out = |found: Found<'_>| take(found, left, depth);
    let held = bytes.to_vec();
    let out: Out<'_> = &mut out;
    // Damage is an answer.
    drop(match unpacker.open {
        Open::Stream(open) => open(&mut &*bytes, &given, out),
        Open::Random(open) => open(&held, &given, out),
        Open::Either(open, _) if random => open(&held, &given, out),
        Open::Either(_, open) => open(&mut &*bytes, &given, out),
    });
}

fn take(found: Found<'_>, left: &mut Left, depth: usize) -> Result<()> {
    let Found::Member(member) = found else { return Ok(()) };
    let over = || Error::new(ErrorKind::Limit, "enough");
    left.members = left.members.checked_sub(1).ok_or_else(over)?;
    let mut text = Vec::new();
    drop(member.bytes.take(left.bytes).read_to_end(&mut text));
    left.bytes =
        left.bytes.checked_sub(text.len() as u64).filter(|left| *left > 0).ok_or_else(over)?;
    let head = text.get(..text.len().min(HEAD_BYTES)).unwrap_or_default();
    let name = member.name.unwrap_or_default();
    let inner = opener(&Head { name, bytes: head, size: None }).filter(|_| depth > 0);
    if let Some(inner) = inner {
        unpack(inner, &text, true, left, depth - 1);
    }
    Ok(())
}
