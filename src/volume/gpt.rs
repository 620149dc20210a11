//! The GUID partition table, as the UEFI specification lays it out in its chapter "GUID Partition
//! Table (GPT) Disk Layout" (<https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html>).

use super::mbr::{self, Front};
use super::partition::{self, Partition};
use super::{Layout, VolumeSystem, gpt_type, recognise};
use crate::bytes::{ReadAt, read_vec, take, u32_le, u64_le};
use crate::error::{Error, Result};
use crate::limits;
use crate::locator::Escaped;
use crate::run::Run;
use std::fmt::Write as _;
use std::sync::Arc;

/// The GUID partition table.
pub(super) const SYSTEM: VolumeSystem = VolumeSystem {
    name: "GPT",
    probe: |disk| Ok(find(disk)?.is_some()),
    open: |disk| match find(&**disk)? {
        Some(table) => Ok(open(disk, table)),
        None => Err(Error::corrupt("no GUID partition table")),
    },
};

/// The sector sizes a disk is tried with: neither an image nor its header tells.
const SECTOR_BYTES: [u64; 2] = [512, 4096];

/// The part of the header that is defined; its size field may say more.
const HEADER_BYTES: usize = 92;

/// The smallest entry; larger ones are multiples of eight.
const ENTRY_BYTES: usize = 128;

/// The entries to go by, and what is wrong with the table.
pub(super) struct Table {
    sector_bytes: u64,
    entries: Entries,
    troubles: Vec<Error>,
}

/// One header and its entries; a disk has two.
struct Header {
    sound: bool,
    alternate_lba: u64,
    entries: Result<Entries>,
}

struct Entries {
    sound: bool,
    entry_bytes: usize,
    bytes: Vec<u8>,
    /// Whether there are more than are read.
    cut: bool,
}

impl Header {
    fn sound(&self) -> bool {
        self.sound && self.entries.as_ref().is_ok_and(|e| e.sound)
    }
}

/// The table to go by: a sound primary, else a sound backup, else a damaged one that still has
/// entries. What is left of an old table on a disk that carries something else now is none, and
/// neither is a table, however sound, behind an MBR that has partitions and no entry to protect it:
/// no system goes by it.
pub(super) fn find(disk: &dyn ReadAt) -> Result<Option<Table>> {
    if matches!(mbr::front(disk), Ok(Front::Partitions)) {
        return Ok(None);
    }
    let Headers { mut primaries, mut backups, failure } = headers(disk);
    if let Some(at) = primaries.iter().position(|(_, h)| h.sound()) {
        let (sector_bytes, header) = primaries.swap_remove(at);
        return header.entries.map(|e| Some(table(sector_bytes, e, Vec::new())));
    }
    let nothing = primaries.is_empty() && backups.is_empty() && failure.is_none();
    if nothing || !is_expected(disk)? {
        return Ok(None);
    }
    if let Some(at) = backups.iter().position(|(_, h)| h.sound()) {
        let (sector_bytes, header) = backups.swap_remove(at);
        let trouble = Error::corrupt("primary GPT is damaged, the backup was used");
        let trouble = failure.into_iter().fold(trouble, Error::caused_by);
        return header.entries.map(|e| Some(table(sector_bytes, e, vec![trouble])));
    }
    let damaged =
        primaries.into_iter().chain(backups).find_map(|(s, h)| h.entries.ok().map(|e| (s, e)));
    match (damaged, failure) {
        (Some((sector_bytes, entries)), _) => {
            let trouble = Error::corrupt("both copies of the GPT are damaged");
            Ok(Some(table(sector_bytes, entries, vec![trouble])))
        }
        (None, Some(failure)) => Err(failure),
        (None, None) => Ok(None),
    }
}

/// Whether a sound table is on the disk, in force or not.
pub(super) fn is_left(disk: &dyn ReadAt) -> bool {
    let Headers { primaries, backups, .. } = headers(disk);
    primaries.iter().chain(&backups).any(|(_, header)| header.sound())
}

/// Every header of a disk, with the sector size it counts in.
#[derive(Default)]
struct Headers {
    primaries: Vec<(u64, Header)>,
    backups: Vec<(u64, Header)>,
    /// Why one could not be read.
    failure: Option<Error>,
}

fn headers(disk: &dyn ReadAt) -> Headers {
    let Headers { mut primaries, mut backups, mut failure } = Headers::default();
    for sector_bytes in SECTOR_BYTES {
        let mut keep = |kept: &mut Vec<_>, lba| match header_at(disk, sector_bytes, lba) {
            Ok(header) => kept.extend(header.map(|h| (sector_bytes, h))),
            Err(error) => failure = Some(error),
        };
        keep(&mut primaries, 1);
        if let Some((_, primary)) = primaries.iter().find(|(s, _)| *s == sector_bytes) {
            // A disk that grew has its backup where it ended before.
            keep(&mut backups, primary.alternate_lba);
        }
        if let Some(last) = disk.len().checked_div(sector_bytes).and_then(|n| n.checked_sub(1)) {
            keep(&mut backups, last);
        }
    }
    Headers { primaries, backups, failure }
}

/// Whether a damaged table may still be in force: the protective MBR says so, or there is nothing
/// else on the disk. A filesystem made over the whole disk leaves the backup table where it was.
fn is_expected(disk: &dyn ReadAt) -> Result<bool> {
    match mbr::front(disk) {
        Ok(Front::Protective) | Err(_) => Ok(true),
        Ok(Front::Blank) => Ok(recognise(disk)?.is_none()),
        Ok(Front::Partitions | Front::Other) => Ok(false),
    }
}

fn table(sector_bytes: u64, entries: Entries, mut troubles: Vec<Error>) -> Table {
    if entries.cut {
        troubles
            .push(Error::corrupt("GPT has more entries than are read").detail(limits::PARTITIONS));
    }
    Table { sector_bytes, entries, troubles }
}

/// The header in sector `lba`, if one is there.
fn header_at(disk: &dyn ReadAt, sector_bytes: u64, lba: u64) -> Result<Option<Header>> {
    let Some(sector) = sector_run(disk, sector_bytes, lba) else { return Ok(None) };
    let header = read_vec(disk, sector.start, usize::try_from(sector.len).unwrap_or(HEADER_BYTES))?;
    if !header.starts_with(b"EFI PART") {
        return Ok(None);
    }
    let header_size = usize::try_from(u32_le(&header, 12)?).unwrap_or(usize::MAX);
    let crc = u32_le(&header, 16)?;
    let my_lba = u64_le(&header, 24)?;
    let covered = header.get(20..header_size).filter(|_| header_size >= HEADER_BYTES);
    let sound = covered.is_some_and(|rest| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(take(&header, 0, 16).unwrap_or_default());
        hasher.update(&[0; 4]);
        hasher.update(rest);
        hasher.finalize() == crc
    });
    Ok(Some(Header {
        sound: sound && my_lba == lba,
        alternate_lba: u64_le(&header, 32)?,
        entries: entries(disk, sector_bytes, &header),
    }))
}

fn sector_run(disk: &dyn ReadAt, sector_bytes: u64, lba: u64) -> Option<Run> {
    let sector = Run::new(lba.checked_mul(sector_bytes)?, sector_bytes);
    Run::new(0, disk.len()).contains(sector).then_some(sector).filter(|s| !s.is_empty())
}

/// The entries a header tells of.
fn entries(disk: &dyn ReadAt, sector_bytes: u64, header: &[u8]) -> Result<Entries> {
    let partition_entry_lba = u64_le(header, 72)?;
    let number_of_entries = usize::try_from(u32_le(header, 80)?).unwrap_or(usize::MAX);
    let entry_bytes = usize::try_from(u32_le(header, 84)?).unwrap_or(usize::MAX);
    let crc = u32_le(header, 88)?;
    if !(ENTRY_BYTES..=limits::GPT_ENTRY_BYTES).contains(&entry_bytes)
        || !entry_bytes.is_multiple_of(8)
    {
        return Err(Error::corrupt("GPT entry size is impossible").detail(entry_bytes));
    }
    let read_count = number_of_entries.min(limits::PARTITIONS);
    let kept = read_count.saturating_mul(entry_bytes);
    let all = number_of_entries.saturating_mul(entry_bytes);
    let verifiable = all <= limits::GPT_ARRAY_BYTES;
    let offset = partition_entry_lba
        .checked_mul(sector_bytes)
        .ok_or_else(|| Error::corrupt("GPT entries lie outside the disk"))?;
    let len = if verifiable { all } else { kept };
    if Run::new(0, disk.len()).intersect(Run::new(offset, u64::try_from(len).unwrap_or(u64::MAX)))
        != Run::new(offset, u64::try_from(len).unwrap_or(u64::MAX))
    {
        return Err(Error::corrupt("GPT entries lie outside the disk").detail(offset));
    }
    let mut bytes = read_vec(disk, offset, len)?;
    let sound = verifiable && crc32fast::hash(&bytes) == crc;
    let cut = !verifiable || bytes.get(kept..).is_some_and(|rest| rest.iter().any(|&b| b != 0));
    bytes.truncate(kept);
    Ok(Entries { sound, entry_bytes, bytes, cut: cut && read_count < number_of_entries })
}

fn open(disk: &Arc<dyn ReadAt>, table: Table) -> Layout {
    let Table { sector_bytes, entries, mut troubles } = table;
    let mut partitions = Vec::new();
    for (entry, number) in entries.bytes.chunks_exact(entries.entry_bytes).zip(1..) {
        match partition(entry, sector_bytes, number) {
            Ok(found) => partitions.extend(found),
            Err(error) => troubles.push(error.detail(format_args!("p{number}"))),
        }
    }
    partition::layout(disk, partitions, troubles)
}

fn partition(entry: &[u8], sector_bytes: u64, number: u32) -> Result<Option<Partition>> {
    let type_guid = take(entry, 0, 16)?;
    if type_guid.iter().all(|&b| b == 0) {
        return Ok(None);
    }
    let starting_lba = u64_le(entry, 32)?;
    let ending_lba = u64_le(entry, 40)?;
    let run = (|| {
        let sectors = ending_lba.checked_add(1)?.checked_sub(starting_lba)?;
        let start = starting_lba.checked_mul(sector_bytes)?;
        Some(Run::new(start, sectors.checked_mul(sector_bytes)?)).filter(|r| !r.is_empty())
    })()
    .ok_or_else(|| Error::corrupt("partition ends before it begins"))?;
    let type_guid = guid(type_guid);
    let promise = gpt_type::promise(&type_guid);
    let mut label = gpt_type::name(&type_guid).to_owned();
    let name = name(take(entry, 56, 72)?);
    if !name.is_empty() {
        let _ = write!(label, ", {}", Escaped(name.as_bytes()));
    }
    Ok(Some(Partition { number, label, promise, run }))
}

/// UTF-16 up to the first zero; what is not UTF-16 becomes a replacement character.
fn name(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit));
    char::decode_utf16(units.take_while(|&unit| unit != 0))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// A GUID as it is written: its first three fields are little-endian.
fn guid(bytes: &[u8]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::with_capacity(36);
    for (at, &from) in ORDER.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{:02x}", bytes.get(from).copied().unwrap_or(0));
    }
    text
}
