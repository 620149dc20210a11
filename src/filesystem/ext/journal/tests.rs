//! Journals of a few blocks, written by hand.

use super::*;
use std::sync::Arc;

const BLOCK: usize = 1024;
/// Blocks of the journal; it begins at block 10 of the volume, and its circle at its block 1.
const BLOCKS: u32 = 8;
const AT: u64 = 10;

enum Content<'a> {
    /// Home blocks with flags; the last gets the flag that says so.
    Descriptor(u32, &'a [(u32, u16)]),
    Data(u8),
    Revocation(u32, &'a [u32]),
    Commit(u32),
}
use Content::{Commit, Data, Descriptor, Revocation};

fn header(kind: u32, sequence: u32) -> Vec<u8> {
    [0xc03b_3998, kind, sequence].iter().flat_map(|word: &u32| word.to_be_bytes()).collect()
}

fn block(content: &Content<'_>) -> Vec<u8> {
    let mut data = match content {
        Descriptor(sequence, tags) => {
            let mut data = header(1, *sequence);
            for (index, (home, flags)) in tags.iter().enumerate() {
                let last = if index + 1 == tags.len() { 8 } else { 0 };
                data.extend(home.to_be_bytes());
                data.extend([0, 0]);
                data.extend((flags | last | 2).to_be_bytes());
            }
            data
        }
        Data(byte) => vec![*byte; BLOCK],
        Revocation(sequence, homes) => {
            let mut data = header(5, *sequence);
            data.extend((16 + 4 * homes.len() as u32).to_be_bytes());
            data.extend(homes.iter().flat_map(|home| home.to_be_bytes()));
            data
        }
        Commit(sequence) => header(2, *sequence),
    };
    data.resize(BLOCK, 0);
    data
}

fn volume(start: u32, sequence: u32, blocks: &[(u32, Content<'_>)]) -> Vec<u8> {
    let mut superblock = header(4, 0);
    for word in [BLOCK as u32, BLOCKS, 1, sequence, start] {
        superblock.extend(word.to_be_bytes());
    }
    let mut volume = vec![0; BLOCK * 40];
    let at = AT as usize * BLOCK;
    volume[at..at + superblock.len()].copy_from_slice(&superblock);
    for (number, content) in blocks {
        let at = (AT as usize + *number as usize) * BLOCK;
        volume[at..at + BLOCK].copy_from_slice(&block(content));
    }
    volume
}

/// What is replayed: (home block, block of the journal, escaped), and what went wrong.
fn replayed(volume: Vec<u8>) -> (Vec<(u64, u64, bool)>, Vec<&'static str>) {
    let device = Device::new(Arc::new(volume), BLOCK as u64);
    let pieces = [Piece { logical: 0, len: BLOCKS.into(), physical: AT, written: true }];
    let replay = replay(&device, &pieces, 40);
    let block = |byte: u64| byte / BLOCK as u64;
    let patches = replay.patches.iter();
    (
        patches.map(|p| (block(p.home), block(p.journal) - AT, p.escaped)).collect(),
        replay.troubles.iter().map(Error::what).collect(),
    )
}

#[test]
fn an_empty_journal_changes_nothing() {
    let blocks = [(1, Descriptor(5, &[(30, 0)])), (2, Data(1)), (3, Commit(5))];
    assert_eq!(replayed(volume(0, 5, &blocks)), (vec![], vec![]));
}

#[test]
fn transactions_go_round_and_the_newest_copy_wins() {
    let blocks = [
        (5, Descriptor(5, &[(30, 0), (31, 1)])),
        (6, Data(1)),
        (7, Data(2)),
        (1, Commit(5)),
        (2, Descriptor(6, &[(30, 0)])),
        (3, Data(3)),
        (4, Commit(6)),
    ];
    assert_eq!(replayed(volume(5, 5, &blocks)), (vec![(30, 3, false), (31, 7, true)], vec![]));
}

#[test]
fn data_blocks_go_round_too() {
    let blocks = [
        (6, Descriptor(u32::MAX, &[(30, 0), (31, 0)])),
        (7, Data(1)),
        (1, Data(2)),
        (2, Commit(u32::MAX)),
        (3, Descriptor(0, &[(32, 0)])),
        (4, Data(3)),
        (5, Commit(0)),
    ];
    let expected = vec![(30, 7, false), (31, 1, false), (32, 4, false)];
    assert_eq!(replayed(volume(6, u32::MAX, &blocks)), (expected, vec![]));
}

#[test]
fn what_was_not_committed_never_happened() {
    let blocks = [
        (1, Descriptor(5, &[(30, 0)])),
        (2, Data(1)),
        (3, Commit(5)),
        (4, Revocation(6, &[30])),
        (5, Descriptor(6, &[(31, 0)])),
        (6, Data(1)),
        (7, Commit(4)),
    ];
    assert_eq!(replayed(volume(1, 5, &blocks)), (vec![(30, 2, false)], vec![]));
}

#[test]
fn a_revocation_hides_its_own_and_earlier_transactions() {
    let earlier = [
        (1, Descriptor(5, &[(30, 0), (31, 0)])),
        (2, Data(1)),
        (3, Data(2)),
        (4, Commit(5)),
        (5, Revocation(6, &[31, 7])),
        (6, Commit(6)),
    ];
    assert_eq!(replayed(volume(1, 5, &earlier)), (vec![(30, 2, false)], vec![]));
    let later = [
        (1, Revocation(5, &[30])),
        (2, Commit(5)),
        (3, Descriptor(6, &[(30, 0)])),
        (4, Data(1)),
        (5, Commit(6)),
    ];
    assert_eq!(replayed(volume(1, 5, &later)), (vec![(30, 4, false)], vec![]));
}

#[test]
fn nonsense_is_said_and_left_out() {
    let outside = [(1, Descriptor(5, &[(99, 0)])), (2, Data(1)), (3, Commit(5))];
    let said = vec!["journal holds a block outside"];
    assert_eq!(replayed(volume(1, 5, &outside)), (vec![], said));
    let said = vec!["journal begins outside itself"];
    assert_eq!(replayed(volume(8, 5, &[])), (vec![], said));
    let mut broken = volume(1, 5, &[]);
    broken[AT as usize * BLOCK] = 0;
    assert_eq!(replayed(broken), (vec![], vec!["journal superblock has no magic"]));
    // A transaction of nothing but descriptors would go round for ever.
    let endless: Vec<_> = (1..8).map(|block| (block, Descriptor(5, &[]))).collect();
    assert_eq!(replayed(volume(1, 5, &endless)), (vec![], vec![]));
}

#[test]
fn replay_ends_at_a_bad_checksum() {
    let blocks = |first: u32| {
        [
            (1, Descriptor(5, &[(30, 0)])),
            (2, Data(1)),
            (3, Commit(5)),
            (4, Descriptor(6, &[(31, 0)])),
            (5, Data(2)),
            (6, Commit(first)),
        ]
    };
    // The older checksum: a commit block says which, and the sum over its transaction.
    let sum = |volume: &[u8], from: u32| {
        let at = |block: u32| (AT as usize + block as usize) * BLOCK;
        checksum::crc32_be(u32::MAX, &volume[at(from)..at(from + 2)])
    };
    let mut volume = volume(1, 5, &blocks(6));
    volume[AT as usize * BLOCK + 0x27] = 1;
    for (commit, from) in [(3usize, 1), (6, 4)] {
        let crc = sum(&volume, from).to_be_bytes();
        let at = (AT as usize + commit) * BLOCK;
        volume[at + 12..at + 14].copy_from_slice(&[1, 4]);
        volume[at + 16..at + 20].copy_from_slice(&crc);
    }
    assert_eq!(replayed(volume.clone()), (vec![(30, 2, false), (31, 5, false)], vec![]));
    volume[(AT as usize + 5) * BLOCK] ^= 1;
    let said = "journal transaction fails its checksum; replay ends before it";
    assert_eq!(replayed(volume), (vec![(30, 2, false)], vec![said]));
}
