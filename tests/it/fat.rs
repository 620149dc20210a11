//! FAT: images made by `testdata/images/make-fat.sh` and listed by mtools, then damaged.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may panic")]
#![allow(clippy::format_collect, reason = "a test need not be quick")]

use amisweep::bytes::{ReadAt, past_end, read_vec, u16_le, u32_le};
use amisweep::coverage::Kind;
use amisweep::error::{Error, ErrorKind, Result};
use amisweep::filesystem::{At, DRIVERS, Driver, FileEntry, FileKind, FileState, Filesystem};
use amisweep::run::{ImageNo, Run};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

fn image(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/images").join(name);
    let file = std::fs::File::open(path.with_extension("img.zst")).unwrap();
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn list(name: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/images").join(name);
    let text = std::fs::read_to_string(path.with_extension("list")).unwrap();
    let pair = |line: &str| line.split_once("  ").map(|(sum, path)| (path.into(), sum.into()));
    text.lines().map(|line| pair(line).unwrap()).collect()
}

fn driver() -> &'static Driver {
    DRIVERS.iter().find(|d| d.name == "FAT").unwrap()
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn content(filesystem: &dyn Filesystem, entry: &FileEntry) -> Result<Vec<u8>> {
    let bytes = filesystem.open(entry, 0)?;
    read_vec(&*bytes, 0, usize::try_from(bytes.len()).unwrap())
}

struct Walked {
    filesystem: Box<dyn Filesystem>,
    entries: BTreeMap<String, FileEntry>,
    errors: Vec<String>,
}

impl Walked {
    fn sums(&self) -> BTreeMap<String, String> {
        let live = self
            .entries
            .iter()
            .filter(|(_, e)| e.kind == FileKind::File && e.state == FileState::Live);
        live.map(|(p, e)| (p.clone(), sum(&content(&*self.filesystem, e).unwrap()))).collect()
    }
}

fn walk(volume: Arc<dyn ReadAt>) -> Walked {
    assert!((driver().probe)(&*volume).unwrap());
    let filesystem = (driver().open)(volume).unwrap();
    let (mut entries, mut errors) = (BTreeMap::new(), Vec::new());
    filesystem.walk(&mut |found| match found {
        Ok(entry) => {
            let path = String::from_utf8(entry.path.to_vec()).unwrap();
            assert!(entries.insert(path, entry).is_none(), "a path twice");
        }
        Err(error) => errors.push(error.message()),
    });
    Walked { filesystem, entries, errors }
}

const IMAGES: [&str; 3] = ["fat12", "fat16", "fat32"];

#[test]
fn reads_what_mtools_reads() {
    for name in IMAGES {
        let walked = walk(Arc::new(image(name)));
        assert_eq!(walked.sums(), list(name), "{name}");
        assert_eq!(walked.errors, [""; 0]);
        let pieces = &walked.entries["/pieces.log"];
        assert!(pieces.streams[0].extents.len() > 2, "{name} has no fragmented file");
        assert_eq!(pieces.times.modified, 1_709_251_198);
        let directory = &walked.entries["/EFI/a directory with a long name"];
        assert_eq!((directory.kind, directory.streams.len()), (FileKind::Directory, 0));
    }
}

#[test]
fn agrees_with_an_independent_reader() {
    for name in IMAGES {
        let volume: Arc<dyn ReadAt> = Arc::new(image(name));
        let walked = walk(Arc::clone(&volume));
        let second_opinion = driver().second_opinion.unwrap();
        for (path, expected) in walked.sums() {
            let mut bytes = Vec::new();
            let mut take = |part: &[u8]| bytes.extend_from_slice(part);
            second_opinion(&volume, path.as_bytes(), &mut take).unwrap();
            assert_eq!(sum(&bytes), expected, "{name} {path}");
        }
        let missing = second_opinion(&volume, b"/EFI/none", &mut |_| {}).err().unwrap();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }
}

#[test]
fn recovers_what_was_deleted() {
    let text: String = (1..=500).map(|n| format!("deleted {n}\n")).collect();
    for name in IMAGES {
        let walked = walk(Arc::new(image(name)));
        let deleted = walked.entries.iter().filter(|(_, e)| e.state != FileState::Live);
        let deleted: BTreeMap<_, _> = deleted.map(|(p, e)| (p.as_str(), e)).collect();
        let long = deleted["/?one/a deleted file with a long name.txt"];
        assert_eq!(long.state, FileState::Deleted { intact: true }, "{name}");
        assert_eq!(content(&*walked.filesystem, long).unwrap(), text.as_bytes());
        assert_eq!(deleted["/?one"].kind, FileKind::Directory);
        let short = deleted["/?ONE.TXT"];
        assert_eq!(content(&*walked.filesystem, short).unwrap(), text.as_bytes());
        let overwritten = deleted["/?iller5"];
        assert_eq!(overwritten.state, FileState::Deleted { intact: false });
        assert_eq!(overwritten.streams[0].extents.len(), 0);
    }
}

/// Every byte has a label, no file lies in free space or metadata, and what is free agrees with
/// the table's zeros.
#[test]
fn labels_every_byte() {
    for name in IMAGES {
        let bytes = image(name);
        let whole = Run::new(0, bytes.len() as u64);
        let free = free_bytes(&bytes);
        let walked = walk(Arc::new(bytes));
        let labels = walked.filesystem.label(whole);
        let mut end = 0;
        for (run, _) in &labels {
            assert_eq!(run.start, end);
            end = run.end();
        }
        assert_eq!(end, whole.end());
        let total =
            |kind| -> u64 { labels.iter().filter(|(_, k)| *k == kind).map(|(r, _)| r.len).sum() };
        assert_eq!(free, total(Kind::Free), "{name}");
        for (path, entry) in &walked.entries {
            let expected = match entry.state {
                FileState::Live => Kind::Slack,
                FileState::Deleted { .. } => Kind::Free,
            };
            for extent in entry.streams.iter().flat_map(|s| &s.extents) {
                let At::Disk(start) = extent.at else { panic!("{path}") };
                let run = Run::new(start, extent.len);
                assert_eq!(walked.filesystem.label(run), [(run, expected)], "{path}");
            }
        }
        let part = Run::new(1000, 70_001);
        let again = (driver().open)(Arc::new(image(name))).unwrap().label(part);
        let cut = labels.iter().map(|(r, k)| (r.intersect(part), *k));
        assert_eq!(again, cut.filter(|(r, _)| !r.is_empty()).collect::<Vec<_>>());
    }
}

/// Free clusters, counted here from the table alone.
fn free_bytes(image: &[u8]) -> u64 {
    let field = |at| usize::from(u16_le(image, at).unwrap());
    let (table, cluster) = (field(14) * 512, usize::from(image[13]) * 512);
    let wide = field(22) == 0;
    let per_fat = if wide { u32_le(image, 36).unwrap() as usize } else { field(22) };
    let start = table + 2 * per_fat * 512 + field(17) * 32;
    let total = if field(19) > 0 { field(19) } else { u32_le(image, 32).unwrap() as usize };
    let count = (total * 512 - start) / cluster;
    let value = |n: usize| match count {
        _ if wide => u32_le(image, table + n * 4).unwrap() & 0x0fff_ffff,
        0..4085 => {
            let pair = u16_le(image, table + n + n / 2).unwrap();
            u32::from(if n.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 })
        }
        _ => u32::from(u16_le(image, table + n * 2).unwrap()),
    };
    ((2..count + 2).filter(|&n| value(n) == 0).count() * cluster) as u64
}

#[test]
fn fat32_of_any_size() {
    let mut bytes = image("fat32");
    bytes[32..36].copy_from_slice(&20_000u32.to_le_bytes());
    bytes.truncate(20_000 * 512);
    let walked = walk(Arc::new(bytes));
    assert_eq!((walked.sums(), walked.errors), (list("fat32"), vec![]));
}

#[test]
fn a_volume_that_was_cut_off() {
    let mut bytes = image("fat16");
    bytes.truncate(bytes.len() / 2);
    let walked = walk(Arc::new(bytes));
    assert_eq!(walked.sums(), list("fat16"));
    assert_eq!(walked.errors, ["FAT filesystem is longer than its volume or its table"]);
}

/// A volume with bytes that cannot be read.
struct Bad {
    bytes: Vec<u8>,
    bad: Run,
}

impl ReadAt for Bad {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if !self.bad.intersect(Run::new(offset, buf.len() as u64)).is_empty() {
            return Err(Error::new(ErrorKind::Unreadable, "bad block"));
        }
        let start = usize::try_from(offset).unwrap();
        let found = start.checked_add(buf.len()).and_then(|end| self.bytes.get(start..end));
        buf.copy_from_slice(found.ok_or_else(|| past_end(offset, buf.len(), self.len()))?);
        Ok(())
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        vec![(ImageNo(0), run)]
    }
}

#[test]
fn bad_blocks_cost_no_more_than_themselves() {
    let bytes = image("fat16");
    let table = u64::from(u16_le(&bytes, 14).unwrap()) * 512;
    let bad = |run| Arc::new(Bad { bytes: bytes.clone(), bad: run });
    let walked = walk(bad(Run::new(table, 512)));
    assert_eq!((walked.sums(), walked.errors), (list("fat16"), vec![]), "the second table");
    let error = (driver().probe)(&*bad(Run::new(0, 1))).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    let efi = walk(bad(Run::default())).entries["/EFI/BOOT/grub.cfg"].inode * 32;
    let walked = walk(bad(Run::new(efi, 1)));
    assert_eq!(walked.errors, ["directory could not be read (/EFI/BOOT): bad block"]);
    let lost = list("fat16").into_iter().filter(|(p, _)| !p.starts_with("/EFI/BOOT"));
    assert_eq!(walked.sums(), lost.collect());
}

/// A FAT16 image, its entries patched.
struct Patched(Vec<u8>);

impl Patched {
    fn entry(&self, path: &str) -> (usize, u16) {
        let inode = walk(Arc::new(self.0.clone())).entries[path].inode;
        let at = usize::try_from(inode).unwrap() * 32;
        (at, u16_le(&self.0, at + 26).unwrap())
    }

    fn link(&mut self, from: u16, to: u16) {
        let table = usize::from(u16_le(&self.0, 14).unwrap()) * 512 + usize::from(from) * 2;
        self.0[table..table + 2].copy_from_slice(&to.to_le_bytes());
    }

    fn walk(self) -> Walked {
        walk(Arc::new(self.0))
    }
}

#[test]
fn chains_that_lie() {
    let sample = Patched(image("fat16"));
    let (entry, first) = sample.entry("/EFI/BOOT/BOOTX64.EFI");
    let (other, other_first) = sample.entry("/filler7");
    let (_, directory) = sample.entry("/EFI");
    let patch = |patch: &dyn Fn(&mut Patched)| {
        let mut patched = Patched(sample.0.clone());
        patch(&mut patched);
        patched.walk()
    };
    let size = |walked: &Walked, path: &str| walked.entries[path].streams[0].size;

    let looped = patch(&|p| p.link(first, first));
    assert_eq!(looped.errors, ["file loops or shares clusters (/EFI/BOOT/BOOTX64.EFI)"]);
    assert_eq!(size(&looped, "/EFI/BOOT/BOOTX64.EFI"), 49_893);

    let short = patch(&|p| p.link(first, 0xffff));
    assert_eq!(short.errors, ["file is shorter than its size (/EFI/BOOT/BOOTX64.EFI)"]);
    assert_eq!(size(&short, "/EFI/BOOT/BOOTX64.EFI"), 1024);

    let outside = patch(&|p| p.0[entry + 26..entry + 28].fill(0xf0));
    assert_eq!(outside.errors, ["file leaves the volume (/EFI/BOOT/BOOTX64.EFI)"]);
    assert_eq!(size(&outside, "/EFI/BOOT/BOOTX64.EFI"), 0);

    let huge = patch(&|p| p.0[entry + 28..entry + 32].fill(0xff));
    assert_eq!(huge.errors, ["file is shorter than its size (/EFI/BOOT/BOOTX64.EFI)"]);
    assert_eq!(size(&huge, "/EFI/BOOT/BOOTX64.EFI"), 50_176);

    let shared = patch(&|p| p.0[other + 26..other + 28].copy_from_slice(&first.to_le_bytes()));
    assert_eq!(shared.errors.len(), 1, "{:?}", shared.errors);

    let long = patch(&|p| p.0[other + 28..other + 32].fill(0));
    let stream = &long.entries["/filler7"].streams[0];
    assert_eq!((stream.size, stream.extents[0].len), (0, 4096), "bytes it does not show");
    assert_eq!(long.errors, [""; 0]);

    let ring = patch(&|p| p.link(directory, directory));
    assert_eq!(ring.errors, ["directory loops or is shared (/EFI)"]);
    let inside = patch(&|p| {
        p.0[other + 11] = 0x10;
        p.0[other + 26..other + 28].copy_from_slice(&directory.to_le_bytes());
    });
    assert_eq!(inside.errors.len(), 1, "{:?}", inside.errors);
    assert_ne!(other_first, directory);
}

/// `fatfs` subtracts two from the cluster of the root directory, and panics where it can.
#[test]
fn a_root_directory_that_is_nowhere() {
    let mut bytes = image("fat32");
    bytes[44..48].fill(0);
    let volume: Arc<dyn ReadAt> = Arc::new(bytes);
    let walked = walk(Arc::clone(&volume));
    assert_eq!(
        (walked.entries.len(), walked.errors),
        (0, vec!["directory leaves the volume (/)".into()])
    );
    assert!((driver().second_opinion.unwrap())(&volume, b"/empty.txt", &mut |_| {}).is_err());
}

#[test]
fn what_is_no_fat() {
    let sound = image("fat12");
    let probe = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sound.clone();
        change(&mut bytes);
        (driver().probe)(&bytes).unwrap()
    };
    assert!(probe(&|_| {}));
    assert!(probe(&|b| b[0] = 0), "no jump");
    assert!(probe(&|b| b[510] = 0), "no signature");
    assert!(!probe(&|b| (b[0], b[510]) = (0, 0)));
    assert!(!probe(&|b| (b[0], b[512]) = (0, 0)), "neither jump nor media byte");
    for (at, value) in [(11, 1), (13, 3), (14, 0), (16, 0), (16, 9), (17, 0), (21, 1), (22, 0)] {
        assert!(!probe(&|b| b[at] = value), "{at}");
    }
    assert!(!probe(&|b| b[3..11].copy_from_slice(b"NTFS    ")));
    assert!(!probe(&|b| b.truncate(511)));
    assert!(!probe(&|b| b.truncate(4096)), "no room for the root directory");
    assert!(!probe(&|b| b.fill(0)));
    // A master boot record whose code begins with a jump.
    assert!(!probe(&|b| b[3..446].fill(0x90)));
}

/// A generator whose every run is the same.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

#[test]
fn mutated_volumes_end_in_an_answer() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for name in IMAGES {
        let mut sound = image(name);
        // Where nothing lies there is nothing to damage.
        sound.truncate(8 << 20);
        let field = |at| usize::from(u16_le(&sound, at).unwrap());
        let (table, wide) = (field(14) * 512, field(22) == 0);
        let per_fat = if wide { u32_le(&sound, 36).unwrap() as usize } else { field(22) };
        let directories = table + 2 * per_fat * 512;
        let mut volume = Arc::new(sound.clone());
        for round in 0..200 {
            let damaged = Arc::get_mut(&mut volume).unwrap();
            let mut undo = Vec::new();
            for _ in 0..=random.below(8) {
                let at = match random.below(3) {
                    0 if round % 5 == 0 => random.below(90),
                    0 | 1 => table + random.below(1200),
                    _ => directories + random.below(16 * 1024),
                };
                let value = [0, 0xff, 0xe5, 0x0f, random.below(256) as u8][random.below(5)];
                undo.push((at, damaged[at]));
                damaged[at] = value;
            }
            exercise(&(Arc::clone(&volume) as Arc<dyn ReadAt>), random.below(8) == 0);
            let damaged = Arc::get_mut(&mut volume).unwrap();
            for (at, value) in undo.into_iter().rev() {
                damaged[at] = value;
            }
        }
    }
}

fn exercise(volume: &Arc<dyn ReadAt>, witness: bool) {
    if !(driver().probe)(&**volume).unwrap() {
        return;
    }
    let Ok(filesystem) = (driver().open)(Arc::clone(volume)) else { return };
    let mut entries = Vec::new();
    filesystem.walk(&mut |found| entries.extend(found));
    let whole = Run::new(0, volume.len());
    let labelled: u64 = filesystem.label(whole).iter().map(|(run, _)| run.len).sum();
    assert_eq!(labelled, whole.len);
    for entry in entries.iter().filter(|e| e.kind == FileKind::File) {
        assert!(entry.streams[0].size <= 4 << 30);
        let owned: u64 = entry.streams[0].extents.iter().map(|e| e.len).sum();
        assert!(entry.state != FileState::Live || owned >= entry.streams[0].size);
        let bytes = filesystem.open(entry, 0).unwrap();
        let end = bytes.len().saturating_sub(1);
        read_vec(&*bytes, end, usize::from(!bytes.is_empty())).unwrap();
        if witness {
            let _ = (driver().second_opinion.unwrap())(volume, &entry.path, &mut |_| {});
        }
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .envs([("LC_ALL", "C.UTF-8"), ("MTOOLS_SKIP_CHECK", "1")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

/// Hundreds of files through mtools and back, in every width.
#[test]
fn deep_fat_against_mtools() {
    if std::env::var_os("AMISWEEP_DEEP").is_none_or(|v| v != "1") {
        eprintln!("skipped: needs mkfs.fat and mtools; set AMISWEEP_DEEP=1");
        return;
    }
    for (width, megabytes, cluster) in [("12", 30, "16"), ("16", 60, "4"), ("32", 80, "1")] {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (image, tree, out) = (at("image"), at("tree"), at("out"));
        deep_tree(Path::new(&tree));
        std::fs::File::options().create(true).append(true).open(&image).unwrap();
        let file = std::fs::File::options().write(true).open(&image).unwrap();
        file.set_len(megabytes << 20).unwrap();
        run("mkfs.fat", &["-F", width, "-s", cluster, &image]);
        run("mcopy", &["-s", "-i", &image, &tree, "::/"]);
        for number in (0..600).step_by(3) {
            run("mdel", &["-i", &image, &format!("::/tree/d{}/File {number}.dat", number % 7)]);
        }
        run("mcopy", &["-s", "-i", &image, &tree, "::/again"]);
        std::fs::create_dir(&out).unwrap();
        run("mcopy", &["-s", "-n", "-i", &image, "::/", &out]);
        let mut expected = BTreeMap::new();
        let mut pending = vec![Path::new(&out).to_path_buf()];
        while let Some(directory) = pending.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    let name = path.to_str().unwrap().strip_prefix(&out).unwrap().to_owned();
                    expected.insert(name, sum(&std::fs::read(path).unwrap()));
                }
            }
        }
        assert_eq!(expected.len(), 1000);
        let walked = walk_live(&image);
        assert_eq!(walked.0, expected, "FAT{width}");
        assert_eq!(walked.1, [""; 0]);
    }
}

/// Live files only: a deleted one may have the path of one that came later.
fn walk_live(image: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let volume: Arc<dyn ReadAt> = Arc::new(std::fs::read(image).unwrap());
    let filesystem = (driver().open)(volume).unwrap();
    let (mut sums, mut errors) = (BTreeMap::new(), Vec::new());
    filesystem.walk(&mut |found| match found {
        Ok(e) if e.kind == FileKind::File && e.state == FileState::Live => {
            let path = String::from_utf8(e.path.to_vec()).unwrap();
            sums.insert(path, sum(&content(&*filesystem, &e).unwrap()));
        }
        Ok(_) => {}
        Err(error) => errors.push(error.message()),
    });
    (sums, errors)
}

/// 600 files of sizes around everything that has an edge, in seven directories.
fn deep_tree(root: &Path) {
    let mut random = Random(0x1234_5678_9abc_def1);
    for number in 0..600 {
        let folder = root.join(format!("d{}", number % 7));
        std::fs::create_dir_all(&folder).unwrap();
        let size = [0, 1, 511, 512, 513, 2047, 2048, 8192, 8193, 30_000][number % 10];
        let bytes: Vec<u8> = (0..size).map(|_| random.below(256) as u8).collect();
        let name = match number % 3 {
            0 => format!("File {number}.dat"),
            1 => format!("F{number}.DAT"),
            _ => format!("ein längerer Name für Datei {number} … mit Punkten.und.Endung"),
        };
        let mut file =
            std::fs::File::options().create_new(true).write(true).open(folder.join(name)).unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
    }
}
