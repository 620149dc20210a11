//! The directory at the end of a zip archive.

use super::{END, ENTRY, Entry};
use crate::bytes::{ReadAt, read_vec, u16_le, u32_le, u64_le};
use crate::content::notes::Notes;
use crate::content::stream::{Front, Span};
use crate::content::{Out, failed};
use crate::error::Result;
use crate::limits;
use crate::run::Run;

const END_BYTES: usize = 22;
const ENTRY_BYTES: usize = 46;

/// Where the directory is.
pub(super) struct Directory {
    pub(super) run: Run,
    /// The end of the archive.
    pub(super) end: u64,
    /// What stands before the archive, and is not counted in its offsets.
    before: u64,
    comment: Vec<u8>,
}

impl Directory {
    /// Find it from the end. None if it is not there, or not what it should be.
    pub(super) fn find(bytes: &dyn ReadAt) -> Result<Option<Directory>> {
        // A comment may stand behind the last record.
        let len = bytes.len().min(u64::from(u16::MAX).saturating_add(22));
        let start = bytes.len().saturating_sub(len);
        let tail = read_vec(bytes, start, usize::try_from(len).unwrap_or(0))?;
        for at in memchr::memmem::rfind_iter(&tail, END) {
            let record = tail.get(at..).unwrap_or_default();
            let comment = u16_le(record, 20).map_or(0, usize::from);
            let Some(comment) = record.get(END_BYTES..).and_then(|rest| rest.get(..comment)) else {
                continue;
            };
            let here = start.saturating_add(u64::try_from(at).unwrap_or(0));
            let size = u32_le(record, 12)?.into();
            let offset = u32_le(record, 16)?.into();
            let (here, size, offset) = wide(bytes, here)?.unwrap_or((here, size, offset));
            // What stands before the archive moves it.
            for begin in [here.checked_sub(size), Some(offset)].into_iter().flatten() {
                let mark = Span::new(bytes, begin, 4);
                if begin <= here && (begin == here || is_entry(mark)?) {
                    return Ok(Some(Directory {
                        run: Run::between(begin, here),
                        end: start.saturating_add(
                            u64::try_from(
                                at.saturating_add(END_BYTES).saturating_add(comment.len()),
                            )
                            .unwrap_or(0),
                        ),
                        before: begin.saturating_sub(offset),
                        comment: comment.to_vec(),
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Hand out the entries, as many at once as may be held.
    pub(super) fn batches(
        &self,
        bytes: &dyn ReadAt,
        notes: &mut Notes,
        out: Out<'_>,
        take: &mut dyn FnMut(&mut Vec<Entry>, Out<'_>) -> Result<()>,
    ) -> Result<()> {
        notes.add(b"", b"$Comment", &self.comment, out)?;
        let mut front = Front::new(Span::new(bytes, self.run.start, self.run.len));
        let mut batch = Vec::new();
        let mut held = 0usize;
        loop {
            let header = front.take_vec(ENTRY_BYTES).map_err(failed)?;
            if header.len() < ENTRY_BYTES || !header.starts_with(ENTRY) {
                break;
            }
            let (mut entry, comment) = read(&header, &mut front)?;
            entry.at = entry.at.saturating_add(self.before);
            notes.add(&entry.name, b"$Comment", &comment, out)?;
            held = held.saturating_add(entry.name.len()).saturating_add(size_of::<Entry>());
            batch.push(entry);
            if held > limits::ZIP_BATCH_BYTES {
                take(&mut batch, out)?;
                held = 0;
            }
        }
        take(&mut batch, out)
    }
}

/// An entry and its comment.
pub(super) fn read(header: &[u8], front: &mut Front<'_>) -> Result<(Entry, Vec<u8>)> {
    let mut field = |at: usize| {
        let len = u16_le(header, at)?;
        front.take_vec(len.into()).map_err(failed)
    };
    let (name, extra, comment) = (field(28)?, field(30)?, field(32)?);
    let attributes = u32_le(header, 38)?;
    let unix = header.get(5) == Some(&3);
    let mut entry = Entry {
        name,
        flags: u16_le(header, 8)?,
        method: u16_le(header, 10)?,
        crc: u32_le(header, 16)?,
        packed: u32_le(header, 20)?.into(),
        size: u32_le(header, 24)?.into(),
        mode: if unix { attributes >> 16 } else { 0 },
        at: u32_le(header, 42)?.into(),
    };
    entry.widen(&extra);
    entry.name.truncate(limits::MEMBER_NAME_BYTES);
    Ok((entry, comment))
}

fn is_entry(mark: Span<'_>) -> Result<bool> {
    let mut front = Front::new(mark);
    Ok(front.peek(4).map_err(failed)? == ENTRY)
}

/// The record of a large archive, which stands before the last one: where it is, and where and how
/// long the directory is.
fn wide(bytes: &dyn ReadAt, end: u64) -> Result<Option<(u64, u64, u64)>> {
    let Some(at) = end.checked_sub(20) else { return Ok(None) };
    let locator = read_vec(bytes, at, 20)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let told = u64_le(&locator, 8)?;
    // Where it usually is, if what stands before the archive has moved it.
    for at in [Some(told), at.checked_sub(56)].into_iter().flatten() {
        if at.checked_add(56).is_none_or(|end| end > bytes.len()) {
            continue;
        }
        let record = read_vec(bytes, at, 56)?;
        if record.starts_with(b"PK\x06\x06") {
            return Ok(Some((at, u64_le(&record, 40)?, u64_le(&record, 48)?)));
        }
    }
    Ok(None)
}
