//! A boot sector: the first sector of a FAT, NTFS or exFAT volume. It ends with the same two bytes
//! as a master boot record, and must not be taken for one.

use crate::bytes::{u8_at, u16_le, u32_le};

/// The filesystem whose boot sector this is.
pub(super) fn filesystem(sector: &[u8]) -> Option<&'static str> {
    match sector.get(3..11)? {
        b"NTFS    " => Some("NTFS"),
        b"EXFAT   " => Some("exFAT"),
        b"ReFS\0\0\0\0" => Some("ReFS"),
        b"-FVE-FS-" => Some("BitLocker"),
        _ if is_fat(sector) == Some(true) => Some("FAT"),
        _ => None,
    }
}

/// A jump and a BIOS parameter block whose every field is one that a formatter writes.
fn is_fat(sector: &[u8]) -> Option<bool> {
    let jump = matches!(sector.first_chunk()?, [0xeb, _, 0x90] | [0xe9, _, _]);
    let bytes_per_sector = u16_le(sector, 11).ok()?;
    let sectors_per_cluster = u8_at(sector, 13).ok()?;
    let reserved_sectors = u16_le(sector, 14).ok()?;
    let fats = u8_at(sector, 16).ok()?;
    let total_sectors = u32::from(u16_le(sector, 19).ok()?).max(u32_le(sector, 32).ok()?);
    let media = u8_at(sector, 21).ok()?;
    Some(
        jump && matches!(bytes_per_sector, 512 | 1024 | 2048 | 4096)
            && sectors_per_cluster.is_power_of_two()
            && reserved_sectors > 0
            && matches!(fats, 1 | 2)
            && total_sectors > 0
            && matches!(media, 0xf0 | 0xf8..),
    )
}
