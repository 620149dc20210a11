//! The small images that are kept beside the tests, and the lists of what witnesses saw in them.

use super::{FileState, Seen, Tree};
use super::{check, covered, digest, lamxfs_tree, no_errors, open, plain, tree, walk};
use amisweep::bytes::ReadAt;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/images").join(name)
}

pub(super) fn image(name: &str) -> Vec<u8> {
    let file = std::fs::File::open(data(&format!("{name}.img.zst"))).unwrap();
    let mut bytes = Vec::new();
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(file).unwrap();
    decoder.read_to_end(&mut bytes).unwrap();
    bytes
}

/// What the list beside an image says: the live tree, and the digests of deleted files by path.
fn list(name: &str) -> (Tree, BTreeMap<String, (u64, String)>) {
    let text = std::fs::read_to_string(data(&format!("{name}.list"))).unwrap();
    let mut tree = Tree::new();
    tree.insert(b"/".to_vec(), Seen { kind: 'd', ..Seen::default() });
    let mut deleted = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap();
        let (kind, size, sum, path) = (word(), word().parse().unwrap(), word(), word());
        let digest = if sum == "-" { String::new() } else { sum.to_owned() };
        match kind {
            "deleted" => {
                deleted.insert(path.to_owned(), (size, digest));
            }
            "x" => {
                let (path, key) = path.rsplit_once(' ').unwrap();
                let file = tree.get_mut(path.as_bytes()).unwrap();
                file.xattrs.insert(key.to_owned(), format!("{size} {digest}"));
            }
            kind => {
                let kind = kind.chars().next().unwrap();
                let seen = Seen { kind, size, digest, ..Seen::default() };
                tree.insert(path.as_bytes().to_vec(), seen);
            }
        }
    }
    (tree, deleted)
}

fn compare(name: &str) {
    let volume: Arc<dyn ReadAt> = Arc::new(image(name));
    let (expected, deleted) = list(name);
    let fs = open(&volume).unwrap();
    let walked = walk(&*fs);
    no_errors(&walked.errors);
    let mut reader = tree(&*fs, &walked.live);
    check(&plain(&reader), &lamxfs_tree(&volume));
    for seen in reader.values_mut() {
        seen.stat = None;
    }
    check(&reader, &expected);
    for (path, (size, sum)) in deleted {
        let found = walked.deleted.iter().find(|entry| *entry.path == *path.as_bytes()).unwrap();
        assert_eq!(found.state, FileState::Deleted { intact: true }, "{path}");
        let mut cut = found.clone();
        cut.streams[0].size = size;
        assert_eq!(digest(&*fs, &cut, 0).unwrap(), sum, "{path}");
    }
    assert_eq!(covered(&*fs, &walked.live, volume.len()), 0);
}

#[test]
fn version_5_is_what_the_kernel_showed() {
    compare("xfs-v5");
}

#[test]
fn version_4_is_what_was_copied_in() {
    compare("xfs-v4");
}

#[test]
fn another_superblock_stands_in_for_a_lost_one() {
    for name in ["xfs-v5", "xfs-v4"] {
        let mut bytes = image(name);
        bytes[..512].fill(0);
        let volume: Arc<dyn ReadAt> = Arc::new(bytes);
        let fs = open(&volume).unwrap();
        let walked = walk(&*fs);
        let (expected, _) = list(name);
        assert_eq!(walked.errors.len(), 1, "{:?}", walked.errors);
        assert_eq!(plain(&tree(&*fs, &walked.live)), plain(&expected));
    }
}

#[test]
fn a_volume_cut_short_still_gives_what_is_left() {
    let mut bytes = image("xfs-v5");
    bytes.truncate(bytes.len() / 4 + 100_000);
    let volume: Arc<dyn ReadAt> = Arc::new(bytes);
    let fs = open(&volume).unwrap();
    let walked = walk(&*fs);
    assert!(!walked.errors.is_empty());
    assert!(walked.live.iter().any(|entry| &*entry.path == b"/etc/size-4096"));
}

#[test]
fn other_bytes_are_no_xfs() {
    let driver = amisweep::filesystem::DRIVERS.iter().find(|driver| driver.name == "xfs").unwrap();
    for len in [0, 511, 100_000] {
        assert!(!(driver.probe)(&vec![0u8; len]).unwrap());
    }
}
