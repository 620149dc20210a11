//! The boot sector with its BIOS parameter block, and the geometry it tells: section 3 of
//! Microsoft's "FAT: General Overview of On-Disk Format".

use crate::bytes::{ReadAt, read_vec, u8_at, u16_le, u32_le};
use crate::error::{Error, Result};
use crate::limits;
use crate::run::Run;

/// Entries of the table that name no cluster; the first cluster is number 2.
pub(super) const FIRST_CLUSTER: u32 = 2;

/// How wide the entries of the table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Fat12,
    Fat16,
    Fat32,
}

/// Where the root directory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// In an area of its own (FAT12, FAT16).
    Fixed(Run),
    /// In a chain of clusters (FAT32).
    Chain(u32),
}

/// Where everything lies, in bytes of the volume.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) width: Width,
    /// The copies of the table, the one in use first.
    pub(super) tables: Vec<Run>,
    pub(super) root: Root,
    pub(super) cluster_bytes: u64,
    /// Where cluster 2 begins.
    pub(super) data_start: u64,
    /// How many clusters lie within the volume.
    pub(super) cluster_count: u32,
    /// Whether the filesystem claims more than the volume or the table holds.
    pub(super) cut: bool,
    media: u8,
}

impl Geometry {
    /// The bytes of one cluster.
    pub(super) fn cluster(&self, number: u32) -> Option<Run> {
        let index = number.checked_sub(FIRST_CLUSTER).filter(|&i| i < self.cluster_count)?;
        let offset = u64::from(index).checked_mul(self.cluster_bytes)?;
        Some(Run::new(self.data_start.checked_add(offset)?, self.cluster_bytes))
    }

    /// One past the last cluster, in bytes.
    pub(super) fn data_end(&self) -> u64 {
        let data = u64::from(self.cluster_count).saturating_mul(self.cluster_bytes);
        self.data_start.saturating_add(data)
    }
}

/// The fields of the BIOS parameter block, by the specification's names.
struct Bpb {
    bytes_per_sector: u64,
    sectors_per_cluster: u64,
    reserved_sectors: u64,
    fats: u64,
    root_entries: u64,
    total_sectors: u64,
    media: u8,
    sectors_per_fat_16: u64,
    sectors_per_fat_32: u64,
    extended_flags: u16,
    root_cluster: u32,
}

fn bpb(sector: &[u8]) -> Result<Bpb> {
    let total_sectors_16 = u16_le(sector, 19)?;
    let total_sectors_32 = u32_le(sector, 32)?;
    let bpb = Bpb {
        bytes_per_sector: u16_le(sector, 11)?.into(),
        sectors_per_cluster: u8_at(sector, 13)?.into(),
        reserved_sectors: u16_le(sector, 14)?.into(),
        fats: u8_at(sector, 16)?.into(),
        root_entries: u16_le(sector, 17)?.into(),
        total_sectors: if total_sectors_16 != 0 {
            total_sectors_16.into()
        } else {
            total_sectors_32.into()
        },
        media: u8_at(sector, 21)?,
        sectors_per_fat_16: u16_le(sector, 22)?.into(),
        sectors_per_fat_32: u32_le(sector, 36)?.into(),
        extended_flags: u16_le(sector, 40)?,
        root_cluster: u32_le(sector, 44)?,
    };
    let sane = matches!(bpb.bytes_per_sector, 512 | 1024 | 2048 | 4096)
        && bpb.sectors_per_cluster.is_power_of_two()
        && bpb.reserved_sectors > 0
        && (1..=4).contains(&bpb.fats)
        && matches!(bpb.media, 0xf0 | 0xf8..)
        && bpb.total_sectors > 0
        && (bpb.sectors_per_fat_16 > 0 || bpb.sectors_per_fat_32 > 0)
        // What has the wide table has its root in a chain.
        && (bpb.root_entries > 0) == (bpb.sectors_per_fat_16 > 0);
    if sane { Ok(bpb) } else { Err(Error::corrupt("FAT boot sector makes no sense")) }
}

/// The geometry that this boot sector tells of a volume of `volume_len` bytes. Like Linux, and
/// unlike the specification, it takes a volume for FAT32 by its table and not by its size: small
/// FAT32 volumes exist (`mkfs.fat -F 32`), and a firmware boots from them.
fn geometry(sector: &[u8], volume_len: u64) -> Result<Geometry> {
    let bpb = bpb(sector)?;
    let no_room = || Error::corrupt("FAT structures do not fit the volume");
    let bytes = |sectors: u64| sectors.checked_mul(bpb.bytes_per_sector).ok_or_else(no_room);
    let fat32 = bpb.sectors_per_fat_16 == 0;
    let sectors_per_fat = if fat32 { bpb.sectors_per_fat_32 } else { bpb.sectors_per_fat_16 };
    let table_bytes = bytes(sectors_per_fat)?;
    let cluster_bytes = bytes(bpb.sectors_per_cluster)?;
    let tables_start = bytes(bpb.reserved_sectors)?;
    let tables = (0..bpb.fats)
        .map(|copy| {
            Some(Run::new(table_bytes.checked_mul(copy)?.checked_add(tables_start)?, table_bytes))
        })
        .collect::<Option<Vec<Run>>>()
        .ok_or_else(no_room)?;
    let root_start = tables.last().ok_or_else(no_room)?.end();
    let root_bytes = bpb.root_entries.saturating_mul(32);
    let root_sectors = root_bytes.div_ceil(bpb.bytes_per_sector);
    let data_start = root_start.checked_add(bytes(root_sectors)?).ok_or_else(no_room)?;
    let total_bytes = bytes(bpb.total_sectors)?;
    if data_start >= total_bytes || data_start >= volume_len {
        return Err(no_room());
    }
    let told = total_bytes.saturating_sub(data_start).checked_div(cluster_bytes).unwrap_or(0);
    let width = match told {
        _ if fat32 => Width::Fat32,
        0..4085 => Width::Fat12,
        _ => Width::Fat16,
    };
    let entries = table_bytes.saturating_mul(8).checked_div(width.bits()).unwrap_or(0);
    let room = volume_len.saturating_sub(data_start).checked_div(cluster_bytes).unwrap_or(0);
    let count = told.min(room).min(entries.saturating_sub(2)).min(width.clusters_max());
    Ok(Geometry {
        width,
        tables: in_use_first(tables, fat32.then_some(bpb.extended_flags)),
        root: if fat32 {
            Root::Chain(bpb.root_cluster)
        } else {
            Root::Fixed(Run::new(root_start, root_bytes))
        },
        cluster_bytes,
        data_start,
        cluster_count: u32::try_from(count).map_err(|_| no_room())?,
        cut: count < told,
        media: bpb.media,
    })
}

impl Width {
    fn bits(self) -> u64 {
        match self {
            Width::Fat12 => 12,
            Width::Fat16 => 16,
            Width::Fat32 => 32,
        }
    }

    /// The values from 0x..f7 up mean something else than a cluster.
    fn clusters_max(self) -> u64 {
        match self {
            Width::Fat12 => 0xff4,
            Width::Fat16 => 0xfff4,
            Width::Fat32 => 0x0fff_fff5,
        }
    }
}

/// FAT32 may keep one copy of the table only, and says which.
fn in_use_first(mut tables: Vec<Run>, extended_flags: Option<u16>) -> Vec<Run> {
    let Some(flags) = extended_flags.filter(|flags| flags & 0x80 != 0) else { return tables };
    let active = usize::from(flags & 0x0f);
    if active < tables.len() {
        tables = vec![tables.swap_remove(active)];
    }
    tables
}

/// The geometry of this volume, when it carries FAT. Beside a boot sector that makes sense it
/// takes two of three: the jump it begins with, the signature it ends with, and the media byte
/// repeated at the beginning of the table.
pub(super) fn read(volume: &dyn ReadAt) -> Result<Option<Geometry>> {
    if volume.len() < 512 {
        return Ok(None);
    }
    let sector = read_vec(volume, 0, 512)?;
    let other = matches!(
        sector.get(3..11),
        Some(b"NTFS    " | b"EXFAT   " | b"-FVE-FS-" | b"ReFS\0\0\0\0")
    );
    let Ok(geometry) = geometry(&sector, volume.len()) else { return Ok(None) };
    let jump = matches!(sector.first_chunk(), Some([0xeb, _, 0x90] | [0xe9, _, _]));
    let signed = sector.ends_with(&[0x55, 0xaa]);
    if other || !(jump || signed) {
        return Ok(None);
    }
    if jump && signed {
        return Ok(Some(geometry));
    }
    let Some(table) = geometry.tables.first() else { return Ok(None) };
    let repeated = read_vec(volume, table.start, 1)?.first() == Some(&geometry.media);
    Ok(repeated.then_some(geometry))
}

/// The bytes of the table that its clusters take.
pub(super) fn table_bytes(geometry: &Geometry) -> Result<u64> {
    let entries = u64::from(geometry.cluster_count).saturating_add(FIRST_CLUSTER.into());
    let bytes = entries.saturating_mul(geometry.width.bits()).div_ceil(8);
    if bytes > limits::FAT_TABLE_BYTES {
        return Err(Error::unsupported("file allocation table is too large").detail(bytes));
    }
    Ok(bytes)
}
