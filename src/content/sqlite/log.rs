//! Logs beside a database: the write-ahead log, whose frames are pages newer than the database's
//! ([format](https://www.sqlite.org/walformat.html)), and the rollback journal, whose records are
//! older ones ([format](https://www.sqlite.org/fileformat2.html#the_rollback_journal)).

use super::page::page_size;
use crate::bytes::{ReadAt, read_vec, take, u32_be, u32_le};
use crate::error::{Error, Result};
use crate::limits;
use std::collections::BTreeMap;

const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

pub(super) fn is_wal(bytes: &[u8]) -> bool {
    matches!(bytes, [0x37, 0x7f, 0x06, 0x82 | 0x83, 0, 0x2d, 0xe2, 0x18, ..])
}

pub(super) fn is_journal(bytes: &[u8]) -> bool {
    bytes.starts_with(&JOURNAL_MAGIC)
}

/// A page in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) page: u32,
    /// Where its content stands.
    pub(super) at: u64,
    /// Whether it belongs to what was written last, and not to what the log held before.
    pub(super) valid: bool,
    /// Whether it ends a transaction.
    pub(super) commits: bool,
}

/// The write-ahead log's page size and its frames.
pub(super) fn frames(log: &dyn ReadAt) -> Result<(usize, Vec<Frame>)> {
    let header = read_vec(log, 0, WAL_HEADER)?;
    if !is_wal(&header) {
        return Err(Error::corrupt("a write-ahead log has no header"));
    }
    let little = header.get(3) == Some(&0x82);
    let size = page_size(u32_be(&header, 8)?)
        .ok_or_else(|| Error::corrupt("a write-ahead log has no page size"))?;
    let salts = take(&header, 16, 8)?;
    let mut sum = checksum((0, 0), take(&header, 0, 24)?, little);
    let mut chained = sum == (u32_be(&header, 24)?, u32_be(&header, 28)?);
    let mut frames = Vec::new();
    let step = FRAME_HEADER.saturating_add(size);
    let mut at = u64::try_from(WAL_HEADER).unwrap_or(0);
    let mut frame = vec![0; step];
    while frames.len() < limits::SQLITE_FRAMES && log.read_at(at, &mut frame).is_ok() {
        let (head, page) = frame.split_at_checked(FRAME_HEADER).unwrap_or_default();
        if chained {
            sum = checksum(sum, take(head, 0, 8)?, little);
            sum = checksum(sum, page, little);
            chained = take(head, 8, 8)? == salts && sum == (u32_be(head, 16)?, u32_be(head, 20)?);
        }
        let begin = at.saturating_add(u64::try_from(FRAME_HEADER).unwrap_or(0));
        let commits = u32_be(head, 4)? != 0;
        frames.push(Frame { page: u32_be(head, 0)?, at: begin, valid: chained, commits });
        at = at.saturating_add(u64::try_from(step).unwrap_or(u64::MAX));
    }
    Ok((size, frames))
}

/// Where each page stands last, of all that was committed.
pub(super) fn committed(frames: &[Frame]) -> BTreeMap<u32, u64> {
    let last = frames.iter().rposition(|frame| frame.valid && frame.commits);
    let done = frames.get(..last.map_or(0, |last| last.saturating_add(1))).unwrap_or_default();
    done.iter()
        .filter(|frame| (1..=limits::SQLITE_PAGES).contains(&frame.page))
        .map(|frame| (frame.page, frame.at))
        .collect()
}

fn checksum((mut a, mut b): (u32, u32), bytes: &[u8], little: bool) -> (u32, u32) {
    let word = |at: usize, chunk: &[u8]| {
        let word = if little { u32_le(chunk, at) } else { u32_be(chunk, at) };
        word.unwrap_or(0)
    };
    for pair in bytes.chunks_exact(8) {
        a = a.wrapping_add(word(0, pair)).wrapping_add(b);
        b = b.wrapping_add(word(4, pair)).wrapping_add(a);
    }
    (a, b)
}

/// A rollback journal's page size and the pages it keeps.
pub(super) fn records(journal: &dyn ReadAt) -> Result<(usize, Vec<Frame>)> {
    let wrong = || Error::corrupt("the header of a rollback journal contradicts itself");
    let mut records = Vec::new();
    let mut first = None;
    let mut at = 0u64;
    // Each part begins with a header that fills a sector.
    while let Ok(header) = read_vec(journal, at, 28) {
        let (sector, size) = (u32_be(&header, 20)?.clamp(512, 65536), u32_be(&header, 24)?);
        let size = page_size(size).ok_or_else(wrong);
        // A header that is not safe on the disk yet has no magic.
        let early = header.starts_with(&[0; 12]) && first.is_some() && first == size.clone().ok();
        if !(is_journal(&header) || early) || records.len() >= limits::SQLITE_FRAMES {
            break;
        }
        let size = size?;
        let step = u64::try_from(size).unwrap_or(0).saturating_add(8);
        let begin = at.saturating_add(u64::from(sector));
        let room = journal.len().saturating_sub(begin).checked_div(step).unwrap_or(0);
        let count = match u32_be(&header, 8)? {
            u32::MAX | 0 => room,
            told => u64::from(told).min(room),
        };
        let left = limits::SQLITE_FRAMES.saturating_sub(records.len());
        for number in 0..count.min(u64::try_from(left).unwrap_or(0)) {
            let at = begin.saturating_add(number.saturating_mul(step));
            let page = u32_be(&read_vec(journal, at, 4)?, 0)?;
            let at = at.saturating_add(4);
            records.push(Frame { page, at, valid: true, commits: true });
        }
        first.get_or_insert(size);
        let end = begin.saturating_add(count.saturating_mul(step));
        at = end.checked_next_multiple_of(u64::from(sector)).unwrap_or(u64::MAX);
    }
    Ok((first.ok_or_else(wrong)?, records))
}
