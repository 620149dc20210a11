//! Mutation: bundled disks with a few hostile bytes in them. Whatever they say, a sweep ends,
//! accounts for every written byte, and does not drown in output.
//!
//! `AMISWEEP_DEEP=1` runs a thousand instead of fifty, `AMISWEEP_SEED=n` the one that failed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test says where it stopped by stopping there"
)]

use crate::planted::unpack;
use amisweep::bytes::{ReadAt, read_vec};
use amisweep::detect::Engine;
use amisweep::error::Result;
use amisweep::image::{Image, raw};
use amisweep::limits;
use amisweep::run::{ImageNo, Run, RunSet};
use amisweep::sweep::{FingerprintKey, Options, Outcome, Progress, Target, sweep};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CELL: usize = 64;
const SECTOR: usize = 512;

/// A disk with changed bytes: 64-byte cells laid over it.
struct Overlay {
    base: Arc<dyn ReadAt>,
    cells: BTreeMap<u64, [u8; CELL]>,
}

impl Overlay {
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (at, &byte) in (offset..).zip(bytes) {
            let start = at - at % CELL as u64;
            let base = &self.base;
            let cell = self.cells.entry(start).or_insert_with(|| {
                let mut cell = [0; CELL];
                let len = CELL.min(usize::try_from(base.len() - start).unwrap());
                base.read_at(start, &mut cell[..len]).unwrap();
                cell
            });
            cell[usize::try_from(at - start).unwrap()] = byte;
        }
    }
}

impl ReadAt for Overlay {
    fn len(&self) -> u64 {
        self.base.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.base.read_at(offset, buf)?;
        let wanted = Run::new(offset, buf.len() as u64);
        let first = offset.saturating_sub(CELL as u64 - 1);
        for (&start, cell) in self.cells.range(first..wanted.end()) {
            let part = Run::new(start, CELL as u64).intersect(wanted);
            let index = |at: u64, from: u64| usize::try_from(at - from).unwrap();
            buf[index(part.start, offset)..index(part.end(), offset)]
                .copy_from_slice(&cell[index(part.start, start)..index(part.end(), start)]);
        }
        Ok(())
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        self.base.locate(run)
    }
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// A structure worth damaging.
#[derive(Clone, Copy)]
struct Structure {
    run: Run,
    sum: Sum,
}

/// How a structure's checksum is made good again, where that is simple.
#[derive(Clone, Copy)]
enum Sum {
    None,
    /// CRC-32 of a GPT header, at 16.
    Gpt,
    /// CRC-32C of an ext4 superblock, in its last four bytes.
    ExtSuper,
    /// CRC-32C of an ext4 inode, begun with the filesystem's identifier and the inode's number.
    ExtInode {
        uuid: [u8; 16],
        number: u32,
    },
    /// CRC-32C of an XFS structure, at this offset.
    Xfs(usize),
}

/// The structures of a disk, known by their magic numbers.
fn structures(disk: &dyn ReadAt, written: &RunSet) -> Vec<Structure> {
    let mut found = vec![Structure { run: Run::new(0, SECTOR as u64), sum: Sum::None }];
    for run in written.runs() {
        let bytes = read_vec(disk, run.start, usize::try_from(run.len).unwrap()).unwrap();
        for (at, sector) in (run.start..).step_by(SECTOR).zip(bytes.chunks_exact(SECTOR)) {
            let whole = |sum| Structure { run: Run::new(at, SECTOR as u64), sum };
            match sector {
                [b'E', b'F', b'I', b' ', b'P', b'A', b'R', b'T', ..] => {
                    found.push(whole(Sum::Gpt));
                    // The partition entries stand behind the first header, before the second.
                    if at == 512 {
                        found.push(Structure { run: Run::new(1024, 1024), sum: Sum::None });
                    }
                }
                [b'X', b'F', b'S', b'B', ..] => found.push(whole(Sum::Xfs(224))),
                [b'X', b'A', b'G', b'F', ..] => found.push(whole(Sum::Xfs(216))),
                [b'X', b'A', b'G', b'I', ..] => found.push(whole(Sum::Xfs(312))),
                [b'I', b'N', _, _, 3, ..] => found.push(whole(Sum::Xfs(100))),
                [b'X', b'D', b'B' | b'D', b'3', ..]
                | [b'A' | b'F' | b'I' | b'R', b'B' | b'I' | b'A', b'3', b'B' | b'C', ..]
                | [0xfe, 0xed, 0xba, 0xbe, ..]
                | [0xc0, 0x3b, 0x39, 0x98, ..] => found.push(whole(Sum::None)),
                // The first entry of a directory is the directory itself.
                [_, _, 0, 0, 12, 0, 1, 2, b'.', ..] => found.push(whole(Sum::None)),
                _ if sector.ends_with(&[0x55, 0xaa]) => found.push(whole(Sum::None)),
                _ if sector.get(0x38..0x3a) == Some(&[0x53, 0xef]) && at % 4096 == 1024 => {
                    found.extend(ext_structures(disk, at));
                }
                _ => {}
            }
        }
    }
    found
}

/// The superblock whose first sector is at `at`, its group descriptors, and the inodes in use of
/// its groups.
fn ext_structures(disk: &dyn ReadAt, at: u64) -> Vec<Structure> {
    let field = |at: u64| {
        let bytes = read_vec(disk, at, 4).unwrap();
        u64::from(u32::from_le_bytes(bytes.try_into().unwrap()))
    };
    // A journal holds copies of superblocks; behind them come no descriptors.
    let root_mode = volume_root_mode(disk, at, field(at + 1024 + 2048 + 8));
    if root_mode & 0xf000 != 0x4000 {
        return vec![Structure { run: Run::new(at, SECTOR as u64), sum: Sum::None }];
    }
    let volume = at - 1024;
    let uuid: [u8; 16] = read_vec(disk, at + 0x68, 16).unwrap().try_into().unwrap();
    let (inodes, per_group) = (field(at), field(at + 0x28));
    let mut found = vec![
        Structure { run: Run::new(at, 1024), sum: Sum::ExtSuper },
        Structure { run: Run::new(volume + 4096, 256), sum: Sum::None },
    ];
    for group in 0..inodes / per_group {
        let table = volume + field(volume + 4096 + 64 * group + 8) * 4096;
        for index in 0..per_group {
            let start = table + 256 * index;
            let number = u32::try_from(group * per_group + index + 1).unwrap();
            if read_vec(disk, start, 2).unwrap() != [0, 0] {
                let sum = Sum::ExtInode { uuid, number };
                found.push(Structure { run: Run::new(start, 256), sum });
            }
        }
    }
    found
}

/// The mode of the root directory, inode 2, in the inode table that begins at block `table`.
fn volume_root_mode(disk: &dyn ReadAt, superblock: u64, table: u64) -> u16 {
    let mut mode = [0; 2];
    match disk.read_at(superblock - 1024 + table * 4096 + 256, &mut mode) {
        Ok(()) => u16::from_le_bytes(mode),
        Err(_) => 0,
    }
}

/// Make the checksum of a damaged structure good again.
fn repair(overlay: &mut Overlay, structure: Structure) {
    let start = structure.run.start;
    let mut bytes = read_vec(overlay, start, usize::try_from(structure.run.len).unwrap()).unwrap();
    match structure.sum {
        Sum::None => {}
        Sum::Gpt => {
            bytes[16..20].fill(0);
            let sum = crc32fast::hash(&bytes[..92]);
            overlay.write(start + 16, &sum.to_le_bytes());
        }
        Sum::ExtSuper => {
            let sum = !crc32c::crc32c(&bytes[..1020]);
            overlay.write(start + 1020, &sum.to_le_bytes());
        }
        Sum::ExtInode { uuid, number } => {
            bytes[124..126].fill(0);
            bytes[130..132].fill(0);
            let mut sum = crc32c::crc32c(&uuid);
            sum = crc32c::crc32c_append(sum, &number.to_le_bytes());
            sum = crc32c::crc32c_append(sum, &bytes[100..104]);
            let [a, b, c, d] = (!crc32c::crc32c_append(sum, &bytes)).to_le_bytes();
            overlay.write(start + 124, &[a, b]);
            overlay.write(start + 130, &[c, d]);
        }
        Sum::Xfs(at) => {
            bytes[at..at + 4].fill(0);
            let sum = crc32c::crc32c(&bytes);
            overlay.write(start + at as u64, &sum.to_le_bytes());
        }
    }
}

/// Damage the disk in up to eight places.
fn damage(overlay: &mut Overlay, known: &[Structure], written: &RunSet, random: &mut Random) {
    let repaired = random.below(2) == 0;
    for _ in 0..=random.below(8) {
        let structure = if random.below(5) == 0 {
            let run = random.pick(written.runs());
            let start = run.start + random.below(run.len / CELL as u64) * CELL as u64;
            Structure { run: Run::new(start, CELL as u64), sum: Sum::None }
        } else {
            *random.pick(known)
        };
        let run = structure.run;
        let at = run.start + random.below(run.len / 4) * 4;
        let word = match random.below(6) {
            0 => 0,
            1 => u32::MAX,
            2 => 0x7fff_ffff,
            3 => 1,
            4 => 1 << random.below(32),
            _ => u32::try_from(random.next() >> 32).unwrap(),
        };
        // Wide enough to hit a whole 64-bit field, narrow enough to leave its neighbours sane.
        let bytes = if random.below(2) == 0 { word.to_le_bytes() } else { word.to_be_bytes() };
        let width = 1 + usize::try_from(random.below(4)).unwrap();
        overlay.write(at, &bytes[..width]);
        if random.below(4) == 0 {
            let other = random.pick(known).run.start;
            let copy = read_vec(overlay, other, CELL.min(usize::try_from(run.len).unwrap()));
            overlay.write(run.start, &copy.unwrap());
        }
        if repaired {
            repair(overlay, structure);
        }
    }
}

/// Sweep a disk as the program would.
fn sweep_overlay(image: Arc<dyn ReadAt>, written: RunSet) -> Outcome {
    let image =
        Image { number: ImageNo(0), name: "disk.img".into(), bytes: image, written, ahead: None };
    let key = FingerprintKey::kept([7; 32]);
    let progress = Progress::default();
    let engine = Engine::builtin().unwrap();
    let options =
        Options { engine: &engine, jobs: 2, key: &key, cross_check: false, progress: &progress };
    sweep(Target::Images(vec![image]), &options)
}

fn places(outcome: &Outcome) -> usize {
    outcome.findings.iter().map(|finding| finding.places.len()).sum()
}

fn check(name: &str, share: u64) {
    let disk = unpack(name);
    let image = raw::open(disk.path(), ImageNo(0), name.into()).unwrap();
    let known = structures(&*image.bytes, &image.written);
    assert!(known.len() >= 10, "{name}: {} structures", known.len());
    let usual = places(&sweep_overlay(Arc::clone(&image.bytes), image.written.clone()));

    let runs = if std::env::var_os("AMISWEEP_DEEP").is_some_and(|v| v == "1") {
        20 * share
    } else {
        share
    };
    let only = std::env::var("AMISWEEP_SEED").ok().map(|seed| seed.parse().unwrap());
    for seed in only.map_or(0..runs, |seed: u64| seed..seed + 1) {
        eprintln!("{name}: AMISWEEP_SEED={seed}");
        let mut random = Random(seed);
        let mut overlay = Overlay { base: Arc::clone(&image.bytes), cells: BTreeMap::new() };
        damage(&mut overlay, &known, &image.written, &mut random);
        let begun = Instant::now();
        let outcome = sweep_overlay(Arc::new(overlay), image.written.clone());
        assert!(begun.elapsed() < Duration::from_mins(2), "{:?}", begun.elapsed());
        let coverage = &outcome.coverage;
        assert_eq!(coverage.written, image.written.total());
        assert_eq!(coverage.swept(), coverage.written, "{:?}", coverage.errors());
        assert!(coverage.errors().len() <= limits::COVERAGE_ERRORS);
        // The sweep survives a parser's panic, but there should be none.
        let panicked = coverage.errors().iter().find(|e| e.what.starts_with("a parser failed"));
        assert!(panicked.is_none(), "{panicked:?}");
        // A damaged disk says the same a few times over at most: shared blocks, lost owners.
        assert!(places(&outcome) <= 4 * usual + 100, "{} places, not {usual}", places(&outcome));
    }
}

#[test]
fn a_damaged_demo_disk_is_swept() {
    check("demo", 14);
}

#[test]
fn damaged_inline_data_is_swept() {
    check("ext4-inline", 12);
}

#[test]
fn a_damaged_journal_is_swept() {
    check("ext4-dirty", 12);
}

#[test]
fn a_damaged_xfs_disk_is_swept() {
    check("xfs-planted", 12);
}

/// The repairs must be right, or the readers never get past the first check.
#[test]
fn repairing_what_is_whole_changes_nothing() {
    for name in ["demo", "ext4-inline", "xfs-planted"] {
        let disk = unpack(name);
        let image = raw::open(disk.path(), ImageNo(0), name.into()).unwrap();
        let mut repaired = 0;
        for structure in structures(&*image.bytes, &image.written) {
            let mut overlay = Overlay { base: Arc::clone(&image.bytes), cells: BTreeMap::new() };
            repair(&mut overlay, structure);
            let len = usize::try_from(structure.run.len).unwrap();
            let before = read_vec(&*image.bytes, structure.run.start, len).unwrap();
            let after = read_vec(&overlay, structure.run.start, len).unwrap();
            assert_eq!(before, after, "{name}: {:?}", structure.run);
            repaired += usize::from(!overlay.cells.is_empty());
        }
        assert!(repaired >= 10, "{name}: {repaired}");
    }
}
