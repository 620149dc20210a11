//! The master boot record and the chain of extended boot records, as every system since DOS reads
//! them (<https://en.wikipedia.org/wiki/Master_boot_record>,
//! <https://en.wikipedia.org/wiki/Extended_boot_record>). Sectors are of 512 bytes.

use super::partition::{self, Partition};
use super::{Layout, Promise, VolumeSystem, boot_sector, gpt};
use crate::bytes::{ReadAt, read_vec, take, u8_at, u32_le};
use crate::error::{Error, Result};
use crate::limits;
use crate::run::Run;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The master boot record. Of a disk that has a GUID partition table as well, the latter counts if
/// an entry protects it (or nothing else is there), as Linux has it.
pub(super) const SYSTEM: VolumeSystem = VolumeSystem {
    name: "MBR",
    probe: |disk| match front(disk)? {
        Front::Partitions => Ok(true),
        Front::Protective => Ok(gpt::find(disk)?.is_none()),
        Front::Blank | Front::Other => Ok(false),
    },
    open,
};

const SECTOR_BYTES: u64 = 512;
const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// The type of the entry that covers a disk with a GUID partition table.
const PROTECTIVE: u8 = 0xee;

/// What the first sector of a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Zeros, or no sector at all.
    Blank,
    /// A partition table that has an entry for a GUID partition table.
    Protective,
    /// A partition table.
    Partitions,
    /// Anything else.
    Other,
}

/// What the first sector of this disk is.
pub(super) fn front(disk: &dyn ReadAt) -> Result<Front> {
    if disk.len() < SECTOR_BYTES {
        return Ok(Front::Blank);
    }
    let sector = sector(disk, 0)?;
    if sector.iter().all(|&b| b == 0) {
        return Ok(Front::Blank);
    }
    let entries = entries(&sector)?;
    // The first byte of an entry marks the one to boot. Boot code of other kinds, which ends with
    // the same signature, has something else there.
    let marked = (0..4usize).all(|slot| {
        let at = slot.saturating_mul(16).saturating_add(446);
        matches!(u8_at(&sector, at), Ok(0 | 0x80))
    });
    if !sector.ends_with(&SIGNATURE) || !marked || boot_sector::filesystem(&sector).is_some() {
        return Ok(Front::Other);
    }
    Ok(if entries.iter().any(|e| e.used() && e.kind == PROTECTIVE) {
        Front::Protective
    } else if entries.iter().any(|e| e.used() && e.start > 0) {
        Front::Partitions
    } else {
        Front::Other
    })
}

/// One of the four entries of a boot record, in sectors.
#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: u8,
    start: u32,
    sectors: u32,
}

impl Entry {
    fn used(&self) -> bool {
        self.kind != 0 && self.sectors > 0
    }

    fn extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85)
    }

    /// The partition, its start counted from sector `base`.
    fn partition(self, number: u32, base: u64) -> Partition {
        let start = u64::from(self.start).saturating_add(base).saturating_mul(SECTOR_BYTES);
        let run = Run::new(start, u64::from(self.sectors).saturating_mul(SECTOR_BYTES));
        let label = match type_name(self.kind) {
            Some(name) => format!("{name} (0x{:02x})", self.kind),
            None => format!("0x{:02x}", self.kind),
        };
        Partition { number, label, promise: promise(self.kind), run }
    }
}

fn sector(disk: &dyn ReadAt, lba: u64) -> Result<Vec<u8>> {
    read_vec(disk, lba.saturating_mul(SECTOR_BYTES), 512)
}

fn entries(sector: &[u8]) -> Result<[Entry; 4]> {
    let entry = |at| -> Result<Entry> {
        let entry = take(sector, at, 16)?;
        Ok(Entry { kind: u8_at(entry, 4)?, start: u32_le(entry, 8)?, sectors: u32_le(entry, 12)? })
    };
    Ok([entry(446)?, entry(462)?, entry(478)?, entry(494)?])
}

fn open(disk: &Arc<dyn ReadAt>) -> Result<Layout> {
    let mut partitions = Vec::new();
    let mut troubles = Vec::new();
    let mut next = 5;
    for (entry, number) in entries(&sector(&**disk, 0)?)?.into_iter().zip(1..) {
        if !entry.used() {
            continue;
        }
        if entry.kind == PROTECTIVE {
            let trouble = Error::corrupt("protective MBR without a GPT");
            troubles.push(trouble.detail(format_args!("p{number}")));
        } else if entry.extended() {
            let found = logical(&**disk, entry, &mut next, &mut partitions);
            troubles.extend(found.err().map(|cause| {
                let trouble = Error::corrupt("logical partitions are cut short");
                trouble.detail(format_args!("p{number}")).caused_by(cause)
            }));
        } else {
            partitions.push(entry.partition(number, 0));
        }
    }
    let mut layout = partition::layout(disk, partitions, troubles);
    if front(&**disk)? == Front::Partitions && gpt::is_left(&**disk) {
        let remark = "a GPT is left on the disk, which the MBR does not protect; the MBR counts";
        layout.remarks.push(remark);
    }
    Ok(layout)
}

/// Follow the chain of boot records in an extended partition. A record's data entry counts from
/// the record, its link from the extended partition.
fn logical(
    disk: &dyn ReadAt,
    extended: Entry,
    next: &mut u32,
    partitions: &mut Vec<Partition>,
) -> Result<()> {
    let base = u64::from(extended.start);
    let container = extended.partition(0, 0).run;
    let mut seen = BTreeSet::new();
    let mut link = Some(base);
    while let Some(lba) = link {
        if !seen.insert(lba) {
            return Err(Error::corrupt("extended boot records form a loop"));
        }
        if seen.len() > limits::PARTITIONS {
            return Err(Error::corrupt("too many logical partitions"));
        }
        let record = sector(disk, lba)?;
        if !record.ends_with(&SIGNATURE) {
            // An extended partition that holds nothing needs no record.
            let empty = lba == base && record.iter().all(|&b| b == 0);
            let broken = Error::corrupt("extended boot record has no signature");
            return if empty { Ok(()) } else { Err(broken) };
        }
        let entries = entries(&record)?;
        for (slot, entry) in entries.iter().enumerate() {
            let partition = entry.partition(*next, lba);
            // Only the first two slots are defined; some tools leave rubbish in the others.
            let defined = slot < 2 || container.contains(partition.run);
            if entry.used() && !entry.extended() && defined {
                partitions.push(partition);
                *next = next.saturating_add(1);
            }
        }
        let further = entries.iter().find(|e| e.used() && e.extended());
        link = further.map(|e| base.saturating_add(u64::from(e.start)));
    }
    Ok(())
}

/// What a type says of its bytes. Numbers were given out twice and made up, so that one that is not
/// known may hold anything; only boot loaders' own are exempt from having a format.
fn promise(kind: u8) -> Promise {
    match kind {
        0x41 | 0xab | 0xf0 => Promise::Nothing,
        0xe8 => Promise::Encrypted,
        _ => Promise::Format,
    }
}

fn type_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0x01 | 0x04 | 0x06 | 0x0b | 0x0c | 0x0e => "FAT",
        0x07 => "NTFS or exFAT",
        0x27 => "Windows recovery",
        0x41 => "PReP boot",
        0x42 => "Windows dynamic disk",
        0x82 => "Linux swap",
        0x83 => "Linux",
        0x8e => "Linux LVM",
        0xa5 => "FreeBSD",
        0xab => "Apple boot",
        0xe8 => "LUKS",
        0xef => "EFI system",
        0xf0 => "PA-RISC boot",
        0xfb => "VMFS",
        0xfd => "Linux RAID",
        _ => return None,
    })
}
