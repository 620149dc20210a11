//! squashfs files that mksquashfs made (`testdata/squashfs`), whole and damaged.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use crate::content::probe::listing;
use std::fmt::Write as _;

const GZIP: &[u8] = include_bytes!("../../../testdata/squashfs/gzip.squashfs");
const XZ: &[u8] = include_bytes!("../../../testdata/squashfs/xz.squashfs");
const LZ4: &[u8] = include_bytes!("../../../testdata/squashfs/lz4.squashfs");
const ZSTD: &[u8] = include_bytes!("../../../testdata/squashfs/zstd.squashfs");
const LZO: &[u8] = include_bytes!("../../../testdata/squashfs/lzo.squashfs");
const STORED: &[u8] = include_bytes!("../../../testdata/squashfs/stored.squashfs");

/// What is in each of them, in the order of its bytes.
fn expected() -> Vec<String> {
    let mut numbers = String::new();
    (1..=3000).for_each(|n| writeln!(numbers, "{n}").unwrap());
    let mut hole = "%00".repeat(20_000);
    hole += "end";
    let mut lines = vec![
        format!("squashfs:etc/app.env = GITHUB_TOKEN={}%0A", "X".repeat(40)),
        format!("squashfs:opt/again = {}", numbers.replace('\n', "%0A")),
        format!("squashfs:var/hole = {hole}"),
        "squashfs = an attribute%0A../etc/app.env%0A".to_owned(),
    ];
    lines.sort();
    lines
}

/// The beginnings of some lines, for a message.
fn short(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.get(..60).unwrap_or(line)).collect()
}

fn sorted(bytes: &[u8]) -> Vec<String> {
    let mut lines = listing("core.snap", bytes);
    lines.sort();
    lines
}

#[test]
fn every_packing_holds_the_same() {
    for bytes in [GZIP, XZ, LZ4, ZSTD, STORED] {
        let lines = sorted(bytes);
        let expected = expected();
        assert_eq!(lines.len(), expected.len(), "{:?}", short(&lines));
        for (line, expected) in lines.iter().zip(&expected) {
            // The order of the two notes is that of the files.
            let same = line == expected || line == "squashfs = ../etc/app.env%0Aan attribute%0A";
            assert!(same, "{line:.300} is not {expected:.300}");
        }
    }
    assert_eq!(listing("x", LZO), ["squashfs: Unsupported"]);
}

/// A table of directories that is gone: its files are named by their inodes.
#[test]
fn files_outlive_their_directories() {
    let mut bytes = STORED.to_vec();
    let table = u64::from_le_bytes(*bytes[72..].first_chunk().unwrap());
    let at = usize::try_from(table).unwrap();
    bytes[at..at + 2].fill(0xff);
    let lines = listing("x", &bytes);
    let found = lines.iter().filter(|line| line.starts_with("squashfs:inode ")).count();
    assert_eq!(found, 3, "{:?}", short(&lines));
    assert_eq!(lines.last().unwrap(), "squashfs: Corrupt");
}

/// A block that is damaged costs its own bytes.
#[test]
fn a_damaged_block_reads_as_zeros() {
    let mut bytes = GZIP.to_vec();
    bytes[200..300].fill(0xee);
    let lines = sorted(&bytes);
    let numbers = lines.iter().find(|line| line.starts_with("squashfs:opt/again =")).unwrap();
    assert!(numbers.contains("%00%00") && numbers.ends_with("%0A3000%0A"), "{:?}", short(&lines));
    assert!(lines.contains(&"squashfs:opt/again: Corrupt".to_owned()), "{:?}", short(&lines));
}

#[test]
fn cut_or_flipped_bytes_end_in_an_error_at_worst() {
    for whole in [GZIP, XZ, ZSTD] {
        for len in (0..whole.len()).step_by(7) {
            drop(listing("x.snap", &whole[..len]));
        }
    }
    for whole in [GZIP, LZ4, STORED] {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        for _ in 0..250 {
            let mut bytes = whole.to_vec();
            for _ in 0..3 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                // Half of them in the tables at the end and the superblock.
                let len = bytes.len() as u64;
                let at = match random >> 62 {
                    0 => random % 96,
                    1 => len - 1 - random % 800,
                    _ => random % len,
                };
                bytes[usize::try_from(at).unwrap()] ^= 1 << (random >> 40 & 7);
            }
            drop(listing("x.snap", &bytes));
        }
    }
}

/// Sizes of 2^40, and a directory that is its own child.
#[test]
fn sizes_and_loops_are_bounded() {
    let mut bytes = STORED.to_vec();
    let inodes = usize::try_from(u64::from_le_bytes(*bytes[64..].first_chunk().unwrap())).unwrap();
    // The first inode of etc/app.env is a large one, for it has an attribute: its size.
    let end = bytes.len();
    for at in inodes..end - 8 {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].fill(0x7f);
        if at % 11 == 0 {
            let lines = listing("x", &bytes[..end]);
            assert!(lines.len() < 20_000);
        }
    }
    let root = bytes[32..40].to_vec();
    let directories = u64::from_le_bytes(*bytes[72..].first_chunk().unwrap());
    let at = usize::try_from(directories).unwrap() + 2;
    // Every name of the first list leads to the root.
    let offset = [root[0], root[1]];
    bytes[at + 12..at + 14].copy_from_slice(&offset);
    drop(listing("x", &bytes));
}
