//! ndb: the store that rpm has of its own, slots and blobs
//! ([rpmpkg.c](https://github.com/rpm-software-management/rpm/blob/master/lib/backend/ndb/rpmpkg.c)).

use crate::bytes::{ReadAt, read_vec, u32_le};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;

const MAGIC: &[u8] = b"RpmP";
const SLOT: &[u8] = b"Slot";
const BLOB: &[u8] = b"BlbS";
const PAGE_BYTES: u64 = 4096;
const UNIT: u64 = 16;

/// Every blob of the store, in the order of its slots.
pub(super) fn values(bytes: &dyn ReadAt, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let head = read_vec(bytes, 0, 32)?;
    if !head.starts_with(MAGIC) {
        return Err(Error::unsupported("a store of packages of another kind"));
    }
    if u32_le(&head, 4)? != 0 {
        return Err(Error::unsupported("a store of packages of a newer version"));
    }
    let pages = u64::from(u32_le(&head, 12)?);
    let end = pages.saturating_mul(PAGE_BYTES).min(bytes.len());
    // Slots that share their blobs would cost the square.
    let mut left = bytes.len();
    let mut at = 2 * UNIT;
    let mut damaged = false;
    while at.saturating_add(UNIT) <= end {
        let slot = read_vec(bytes, at, 16)?;
        at = at.saturating_add(UNIT);
        let (package, place) = (u32_le(&slot, 4)?, u64::from(u32_le(&slot, 8)?));
        if !slot.starts_with(SLOT) || place == 0 {
            continue;
        }
        let place = place.saturating_mul(UNIT);
        let Ok(head) = read_vec(bytes, place, 16) else {
            damaged = true;
            continue;
        };
        let len = u32_le(&head, 12)?;
        if !head.starts_with(BLOB) || u32_le(&head, 4)? != package {
            damaged = true;
            continue;
        }
        let many = || Error::new(ErrorKind::Limit, "packages share more bytes than are read");
        left = left.checked_sub(u64::from(len)).ok_or_else(many)?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > limits::RPM_HEADER_BYTES {
            return Err(Error::new(ErrorKind::Limit, "an rpm header is too long"));
        }
        match read_vec(bytes, place.saturating_add(UNIT), len) {
            Ok(blob) => visit(&blob)?,
            Err(_) => damaged = true,
        }
    }
    if damaged { Err(Error::corrupt("a store of packages is damaged")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut file = vec![0; 4096 + 48];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, MAGIC);
        put(12, &1u32.to_le_bytes());
        for slot in 2..256 {
            put(slot * 16, SLOT);
        }
        put(32 + 4, &7u32.to_le_bytes());
        put(32 + 8, &256u32.to_le_bytes());
        put(4096, BLOB);
        put(4096 + 4, &7u32.to_le_bytes());
        put(4096 + 12, &5u32.to_le_bytes());
        put(4096 + 16, b"hello");
        file
    }

    fn read(file: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let _ = values(&file.to_vec(), &mut |value| {
            found.push(value.to_vec());
            Ok(())
        });
        found
    }

    #[test]
    fn blobs_are_found_by_their_slots() {
        assert_eq!(read(&sample()), [b"hello"]);
        for len in (0..sample().len()).step_by(7) {
            read(&sample()[..len]);
        }
        for at in (0..64 * 8).chain(4096 * 8..4144 * 8) {
            let mut bent = sample();
            bent[at / 8] ^= 1 << (at % 8);
            assert!(read(&bent).len() <= 2);
        }
    }
}
