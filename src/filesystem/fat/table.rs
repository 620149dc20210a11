//! The file allocation table: for every cluster the next one of its file, or that it is free.
//! Section 4 of Microsoft's "FAT: General Overview of On-Disk Format".

use super::boot::{FIRST_CLUSTER, Geometry, Width, table_bytes};
use crate::bytes::{ReadAt, u16_le, u32_le};
use crate::error::{Error, Result};

/// What the table says of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Free,
    Next(u32),
    Bad,
    End,
}

/// The table, in memory.
pub(super) struct Table {
    width: Width,
    cluster_count: u32,
    bytes: Vec<u8>,
}

impl Table {
    /// The copy in use; another one where it cannot be read.
    pub(super) fn read(volume: &dyn ReadAt, geometry: &Geometry) -> Result<Table> {
        let len = usize::try_from(table_bytes(geometry)?)
            .map_err(|_| Error::unsupported("file allocation table is too large"))?;
        let mut failure = Error::corrupt("no file allocation table");
        let mut bytes = vec![0; len];
        for copy in &geometry.tables {
            match volume.read_at(copy.start, &mut bytes) {
                Ok(()) => {
                    let (width, cluster_count) = (geometry.width, geometry.cluster_count);
                    return Ok(Table { width, cluster_count, bytes });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// What the table says of `cluster`; of one that does not exist, that it is bad.
    pub(super) fn link(&self, cluster: u32) -> Link {
        self.value(cluster).unwrap_or(Link::Bad)
    }

    fn value(&self, cluster: u32) -> Option<Link> {
        if !self.holds(cluster) {
            return None;
        }
        let index = usize::try_from(cluster).ok()?;
        let (value, top) = match self.width {
            Width::Fat12 => {
                let pair = u16_le(&self.bytes, index.checked_add(index / 2)?).ok()?;
                let value = if index.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 };
                (u32::from(value), 0xff0)
            }
            Width::Fat16 => (u16_le(&self.bytes, index.checked_mul(2)?).ok()?.into(), 0xfff0),
            Width::Fat32 => {
                (u32_le(&self.bytes, index.checked_mul(4)?).ok()? & 0x0fff_ffff, 0x0fff_fff0)
            }
        };
        Some(match value {
            0 => Link::Free,
            _ if value >= top | 8 => Link::End,
            _ if value == top | 7 => Link::Bad,
            _ => Link::Next(value),
        })
    }

    /// Whether there is such a cluster.
    pub(super) fn holds(&self, cluster: u32) -> bool {
        cluster.checked_sub(FIRST_CLUSTER).is_some_and(|index| index < self.cluster_count)
    }

    pub(super) fn is_free(&self, cluster: u32) -> bool {
        self.link(cluster) == Link::Free
    }
}

/// A set of clusters.
pub(super) struct Clusters(Vec<u64>);

impl Clusters {
    pub(super) fn new(cluster_count: u32) -> Clusters {
        let bits = u64::from(cluster_count).saturating_add(FIRST_CLUSTER.into());
        Clusters(vec![0; usize::try_from(bits.div_ceil(64)).unwrap_or(0)])
    }

    /// Add a cluster; false when it was there, or when there can be no such one.
    pub(super) fn insert(&mut self, cluster: u32) -> bool {
        let (index, bit) = place(cluster);
        match self.0.get_mut(index) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }

    pub(super) fn contains(&self, cluster: u32) -> bool {
        let (index, bit) = place(cluster);
        self.0.get(index).is_some_and(|word| word & bit != 0)
    }
}

fn place(cluster: u32) -> (usize, u64) {
    let index = usize::try_from(cluster / 64).unwrap_or(usize::MAX);
    (index, 1u64.checked_shl(cluster % 64).unwrap_or(0))
}
