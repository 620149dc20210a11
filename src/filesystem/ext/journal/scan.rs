//! A scan of a journal: from its oldest transaction to the last that was committed whole.

use super::block::{self, COMMIT, DESCRIPTOR, Header, REVOCATION};
use super::{Log, checksum};
use crate::bytes::u64_be;
use crate::error::Error;
use crate::filesystem::ext::device::Patch;
use crate::limits;

/// Where in a commit block its time stands.
const COMMIT_TIME: usize = 0x30;

/// A copy of a block in the journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    home: u64,
    /// The block of the journal that holds it.
    block: u32,
    sequence: u32,
    checksum: u32,
    escaped: bool,
    revoked: bool,
}

/// What committed transactions hold.
#[derive(Default)]
pub(super) struct Found {
    /// In the order they were written.
    pub(super) writes: Vec<Write>,
    /// Revocation blocks: block of the journal, transaction.
    pub(super) revocations: Vec<(u32, u32)>,
    /// The transaction that would come next.
    pub(super) next_sequence: u32,
}

/// The transaction being read.
struct Open {
    writes_before: usize,
    revocations_before: usize,
    crc: u32,
    doubtful: bool,
}

impl Open {
    fn after(found: &Found) -> Open {
        Open {
            writes_before: found.writes.len(),
            revocations_before: found.revocations.len(),
            crc: u32::MAX,
            doubtful: false,
        }
    }
}

/// Read every committed transaction. What follows the first gap, or the first transaction that
/// fails its checksum, was never committed, as the kernel sees it.
pub(super) fn scan(log: &Log<'_>, troubles: &mut Vec<Error>) -> Found {
    let mut found = Found { next_sequence: log.sequence, ..Found::default() };
    let mut open = Open::after(&found);
    let mut at = log.start;
    let mut last_time = 0;
    // Whatever it says, a journal holds no more blocks than it has.
    let mut left = log.len();
    while left > 0 {
        let Some((data, header)) = read(log, at, found.next_sequence, troubles) else { break };
        let mut used = 1;
        match header.kind {
            DESCRIPTOR => {
                open.doubtful |= !tail_holds(log, &data);
                used = descriptor(log, &data, at, &mut found).saturating_add(1);
                if log.features.sums_transactions {
                    open.crc = sum(log, &data, at, used, open.crc);
                }
            }
            REVOCATION => {
                open.doubtful |= !tail_holds(log, &data);
                found.revocations.push((at, header.sequence));
            }
            COMMIT => {
                let time = u64_be(&data, COMMIT_TIME).unwrap_or(0);
                if !is_committed(log, &data, &open) {
                    // An older time means leftovers of an earlier life of these blocks.
                    if last_time <= time {
                        troubles.push(bad_transaction(header.sequence));
                    }
                    break;
                }
                last_time = time;
                found.next_sequence = found.next_sequence.wrapping_add(1);
                open = Open::after(&found);
            }
            _ => break,
        }
        left = left.saturating_sub(used);
        at = log.after(at, used);
    }
    found.writes.truncate(open.writes_before);
    found.revocations.truncate(open.revocations_before);
    found
}

fn bad_transaction(sequence: u32) -> Error {
    Error::corrupt("journal transaction fails its checksum; replay ends before it").detail(sequence)
}

fn read(
    log: &Log<'_>,
    at: u32,
    sequence: u32,
    troubles: &mut Vec<Error>,
) -> Option<(Vec<u8>, Header)> {
    match log.read(at) {
        Ok(data) => {
            let header = Header::parse(&data).filter(|header| header.sequence == sequence)?;
            Some((data, header))
        }
        Err(error) => {
            troubles.push(error);
            None
        }
    }
}

fn tail_holds(log: &Log<'_>, data: &[u8]) -> bool {
    log.features.seed.is_none_or(|seed| checksum::tail_holds(seed, data))
}

fn is_committed(log: &Log<'_>, data: &[u8], open: &Open) -> bool {
    let holds = match log.features.seed {
        Some(seed) => checksum::commit_holds(seed, data),
        None if log.features.sums_transactions => checksum::transaction_holds(open.crc, data),
        None => true,
    };
    holds && !open.doubtful
}

/// Note the writes of a descriptor block at `at`. Returns how many data blocks follow it.
fn descriptor(log: &Log<'_>, data: &[u8], at: u32, found: &mut Found) -> u32 {
    let mut count = 0u32;
    for tag in block::tags(log.useful(data), log.features.format) {
        count = count.saturating_add(1);
        found.writes.push(Write {
            home: tag.home,
            block: log.after(at, count),
            sequence: found.next_sequence,
            checksum: tag.checksum,
            escaped: tag.escaped,
            revoked: false,
        });
    }
    count
}

/// The older checksum, over a descriptor block and its data blocks.
fn sum(log: &Log<'_>, data: &[u8], at: u32, blocks: u32, crc: u32) -> u32 {
    (1..blocks).fold(checksum::crc32_be(crc, data), |crc, step| {
        log.read(log.after(at, step)).map_or(crc, |data| checksum::crc32_be(crc, &data))
    })
}

/// The newest copy of each block that was not revoked later and is sound.
pub(super) fn newest(
    log: &Log<'_>,
    mut writes: Vec<Write>,
    revocations: &[(u32, u32)],
    troubles: &mut Vec<Error>,
) -> Vec<Patch> {
    // Stable: the copies of one block stay in the order they were written.
    writes.sort_by_key(|write| write.home);
    for &(at, sequence) in revocations {
        revoke(log, at, sequence, &mut writes);
    }
    let mut patches = Vec::new();
    for copies in writes.chunk_by(|a, b| a.home == b.home) {
        let mut sound = copies.iter().rev().filter(|write| !write.revoked);
        let newest = sound.find_map(|write| match patch(log, *write) {
            Ok(patch) => Some(patch),
            Err(error) => {
                if troubles.len() <= limits::EXT_ERRORS {
                    troubles.push(error);
                }
                None
            }
        });
        patches.extend(newest);
    }
    patches
}

/// A revocation hides the copies of its own and of earlier transactions. Transaction numbers wrap.
fn revoke(log: &Log<'_>, at: u32, sequence: u32, writes: &mut [Write]) {
    let Ok(data) = log.read(at) else { return };
    for home in block::revoked(log.useful(&data), log.features.format.wide) {
        let first = writes.partition_point(|write| write.home < home);
        let copies = writes.get_mut(first..).unwrap_or_default();
        for write in copies.iter_mut().take_while(|write| write.home == home) {
            let later = write.sequence.wrapping_sub(sequence).cast_signed() > 0;
            write.revoked |= !later;
        }
    }
}

fn patch(log: &Log<'_>, write: Write) -> Result<Patch, Error> {
    if log.home_blocks <= write.home {
        return Err(Error::corrupt("journal holds a block outside").detail(write.home));
    }
    if let Some(seed) = log.features.seed {
        let found = checksum::data_block(seed, write.sequence, &log.read(write.block)?);
        let found = if log.features.format.checksum == 3 { found } else { found & 0xffff };
        if found != write.checksum {
            return Err(
                Error::corrupt("journal's copy of a block fails its checksum").detail(write.home)
            );
        }
    }
    let bytes = log.device.block_bytes();
    Ok(Patch {
        home: write.home.saturating_mul(bytes),
        journal: log.locate(write.block)?.saturating_mul(bytes),
        escaped: write.escaped,
    })
}
