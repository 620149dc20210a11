//! The small images in `testdata/images`, made by `make-ext.sh`, and what may happen to them.

use super::populate::noise;
use super::seen::{account, hex, read, walk};
use super::{driver, open};
use amisweep::bytes::{ReadAt, read_vec};
use amisweep::error::ErrorKind;
use amisweep::filesystem::{At, FileEntry, FileKind, FileState, Filesystem, StreamName};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

const NAMES: [&str; 4] = ["ext4-small", "ext2-1k", "ext4-inline-data", "ext4-pending"];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/images").join(name)
}

fn image(name: &str) -> Vec<u8> {
    let file = std::fs::File::open(path(&format!("{name}.img.zst"))).unwrap();
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn volume(bytes: Vec<u8>) -> Arc<dyn ReadAt> {
    Arc::new(bytes)
}

/// What we see, in the form of the lists beside the images.
fn listing(fs: &dyn Filesystem, files: &[FileEntry]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for file in files.iter().filter(|f| f.state == FileState::Live) {
        let seen = read(fs, file);
        let sum = |bytes: &[u8]| hex(&Sha256::digest(bytes));
        for path in file.more_paths.iter().chain([&file.path]) {
            let path = String::from_utf8_lossy(path);
            if path.starts_with("/$Orphan/") {
                continue;
            }
            let line = match file.kind {
                FileKind::File => format!("f {} {} {path}", seen.size, seen.sha256),
                FileKind::Link => format!("l {} {} {path}", seen.target.len(), sum(&seen.target)),
                FileKind::Directory => format!("d 0 - {path}"),
                FileKind::Special => format!("s 0 - {path}"),
            };
            lines.insert(line);
            for (name, value) in &seen.attributes {
                let name = String::from_utf8_lossy(name);
                lines.insert(format!("x {} {} {path}\t{name}", value.len(), sum(value)));
            }
        }
    }
    lines.remove("d 0 - /");
    lines
}

fn expected(name: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path(&format!("{name}.list"))).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn check(name: &str, volume: &Arc<dyn ReadAt>, errors_expected: &[&str]) {
    let fs = open(volume);
    let (files, errors) = walk(&*fs);
    let said: Vec<&str> = errors.iter().map(amisweep::error::Error::what).collect();
    assert_eq!(said, errors_expected, "{name}: {errors:?}");
    let (ours, theirs) = (listing(&*fs, &files), expected(name));
    let missing: Vec<_> = theirs.difference(&ours).take(5).collect();
    let extra: Vec<_> = ours.difference(&theirs).take(5).collect();
    assert!(missing.is_empty() && extra.is_empty(), "{name}: missing {missing:?}, extra {extra:?}");
    account(&*fs, &files, volume.len());
}

#[test]
fn small_images_read_as_the_kernel_reads_them() {
    for name in NAMES {
        check(name, &volume(image(name)), &[]);
    }
}

#[test]
fn labels_need_no_walk_before() {
    let bytes = volume(image("ext4-small"));
    let (walked, fresh) = (open(&bytes), open(&bytes));
    walk(&*walked);
    let whole = amisweep::run::Run::new(0, bytes.len());
    assert_eq!(walked.label(whole), fresh.label(whole));
}

#[test]
fn a_deleted_file_that_kept_its_blocks_is_read() {
    let bytes = volume(image("ext2-1k"));
    let fs = open(&bytes);
    let (files, _) = walk(&*fs);
    let deleted: Vec<_> = files.iter().filter(|f| f.state != FileState::Live).collect();
    let text = (5000..=6000).fold(String::new(), |text, number| format!("{text}{number}\n"));
    let gone = deleted.iter().find(|f| read(&*fs, f).size == text.len() as u64).unwrap();
    assert_eq!(gone.state, FileState::Deleted { intact: true });
    assert_eq!(read(&*fs, gone).sha256, hex(&Sha256::digest(&text)));
    assert!(gone.path.is_empty() && gone.times.deleted != 0);
}

#[test]
fn a_pending_journal_holds_the_newest_copies() {
    let bytes = volume(image("ext4-pending"));
    let fs = open(&bytes);
    let (files, _) = walk(&*fs);
    let late = files.iter().find(|f| &*f.path == b"/dir/late-60").unwrap();
    let packed = late.streams[0].extents.iter().any(|e| matches!(e.at, At::Packed(_)));
    assert!(packed, "{late:?}");
    let data = fs.open(late, 0).unwrap();
    let expected = b"\xc0\x3b\x39\x98 begins like a journal block 60";
    assert_eq!(read_vec(&*data, 0, expected.len()).unwrap(), expected);
    assert_eq!(read_vec(&*data, 2, 5).unwrap(), expected[2..7]);
    assert!(data.locate(amisweep::run::Run::new(0, data.len())).is_empty());
}

#[test]
fn a_file_that_was_unlinked_while_open_is_an_orphan() {
    let bytes = volume(image("ext4-pending"));
    let fs = open(&bytes);
    let (files, _) = walk(&*fs);
    let orphans: Vec<_> = files.iter().filter(|f| f.path.starts_with(b"/$Orphan/")).collect();
    let [orphan] = orphans[..] else { panic!("{orphans:?}") };
    assert_eq!(orphan.path, format!("/$Orphan/{}", orphan.inode).into_bytes().into());
    assert_eq!((orphan.links, orphan.state), (0, FileState::Live));
    let data = fs.open(orphan, 0).unwrap();
    assert_eq!(read_vec(&*data, 0, 11).unwrap(), b"still open\n");
}

#[test]
fn an_encrypted_file_is_said_to_be() {
    let mut bytes = image("ext4-inline-data");
    let find = |files: &[FileEntry]| files.iter().find(|f| &*f.path == b"/dir/60").unwrap().clone();
    let (files, _) = walk(&*open(&volume(bytes.clone())));
    let At::Inline(root) = find(&files).streams[0].extents[0].at else { panic!("not inline") };
    // The flags stand eight bytes before the contents; 0x800 is the one.
    bytes[root as usize - 7] |= 8;
    let (files, errors) = walk(&*open(&volume(bytes)));
    assert_eq!(
        errors.iter().map(amisweep::error::Error::kind).collect::<Vec<_>>(),
        [ErrorKind::Encrypted]
    );
    assert!(errors[0].message().contains("/dir/60"));
    assert_eq!(find(&files).streams[0].size, 60);
}

#[test]
fn a_backup_superblock_stands_in_for_a_broken_one() {
    // Group 1 begins behind the first 8 MiB of 1-KiB blocks.
    for damage in [0x38..0x3a, 0x18..0x1c] {
        let mut bytes = image("ext2-1k");
        for at in damage {
            bytes[1024 + at] = 0xff;
        }
        check("ext2-1k", &volume(bytes), &["superblock is broken; a backup is used"]);
    }
}

#[test]
fn other_filesystems_are_not_claimed() {
    let probe = |bytes: Vec<u8>| (driver().probe)(&bytes).unwrap();
    assert!(!probe(Vec::new()));
    assert!(!probe(vec![0; 4 << 20]));
    assert!(!probe(noise(3, 4 << 20)));
}

#[test]
fn a_second_reader_agrees() {
    let second = driver().second_opinion.unwrap();
    let bytes = volume(image("ext4-small"));
    let fs = open(&bytes);
    let (files, _) = walk(&*fs);
    let mut compared = 0;
    for file in &files {
        let Some(index) = file
            .streams
            .iter()
            .position(|s| matches!(s.name, StreamName::Data | StreamName::LinkTarget))
        else {
            continue;
        };
        let ours = fs.open(file, index).unwrap();
        let ours = read_vec(&*ours, 0, ours.len() as usize).unwrap();
        let mut theirs = Vec::new();
        second(&bytes, &file.path, &mut |part| theirs.extend_from_slice(part)).unwrap();
        assert!(ours == theirs, "{}", String::from_utf8_lossy(&file.path));
        compared += 1;
    }
    assert!(compared > 100);
    let missing = second(&bytes, b"/not/there", &mut |_| ()).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

/// Where a mutation hurts: superblock, descriptors, bitmaps, inode tables, directories, journal.
fn places(volume: &Arc<dyn ReadAt>) -> Vec<u64> {
    let fs = open(volume);
    let whole = amisweep::run::Run::new(0, volume.len());
    let kinds = [amisweep::coverage::Kind::Metadata, amisweep::coverage::Kind::Journal];
    let labels = fs.label(whole).into_iter().filter(|(_, kind)| kinds.contains(kind));
    let mut places = Vec::new();
    for (run, _) in labels {
        let bytes = read_vec(&**volume, run.start, run.len as usize).unwrap();
        let used = bytes.chunks(16).zip((run.start..).step_by(16));
        places.extend(used.filter(|(c, _)| c.iter().any(|&b| b != 0)).map(|(_, at)| at));
    }
    places
}

#[test]
fn damage_never_ends_a_walk() {
    let mut noticed = 0;
    for name in NAMES {
        let whole = image(name);
        let places = places(&volume(whole.clone()));
        for seed in 0..60u64 {
            let mut bytes = whole.clone();
            let random = noise(seed + 1, 16 * 6);
            for part in random.chunks(16).take(1 + seed as usize % 6) {
                let pick = u32::from_le_bytes([part[0], part[1], part[2], part[3]]) as usize;
                let at = places[pick % places.len()] as usize + usize::from(part[4] % 16);
                match part[5] % 3 {
                    0 => bytes[at] ^= 1 << (part[6] % 8),
                    1 => bytes[at] = part[6],
                    _ => bytes[at..at + 4].fill(part[6] | 0x80),
                }
            }
            noticed += usize::from(read_everything(&volume(bytes)));
        }
    }
    assert!(noticed > 60, "{noticed}");
}

/// Read what can be read of a damaged image. Returns whether the damage was noticed.
fn read_everything(volume: &Arc<dyn ReadAt>) -> bool {
    if !(driver().probe)(&**volume).unwrap() {
        return true;
    }
    let Ok(fs) = (driver().open)(Arc::clone(volume)) else { return true };
    let (files, errors) = walk(&*fs);
    let mut buf = vec![0; 1 << 16];
    for file in &files {
        for index in 0..file.streams.len() {
            let bytes = fs.open(file, index).unwrap();
            let mut at = 0;
            // A damaged size may promise terabytes of zeros.
            while at < bytes.len().min(8 << 20) {
                let len = (bytes.len() - at).min(buf.len() as u64);
                let _ = bytes.read_at(at, &mut buf[..len as usize]);
                at += len;
            }
        }
    }
    let whole = amisweep::run::Run::new(0, volume.len());
    let labels = fs.label(whole);
    assert_eq!(labels.iter().map(|(run, _)| run.len).sum::<u64>(), whole.len);
    !errors.is_empty()
}
