//! The hash index: which patterns may have their window at a place.

use super::window::{FOLD, WINDOW, folded};
use crate::detect::class::ByteSet;

/// Bits of the hash.
const HASHES: usize = 1 << 16;

/// 32 bits of the golden ratio: neighbouring keys land far from each other.
const SPREAD: u32 = 0x9e37_79b1;

/// The hash of the four bytes at a place, case folded.
#[inline]
pub(super) const fn hash(four: u32) -> u16 {
    let fold = u32::from_le_bytes([FOLD; WINDOW]);
    ((four | fold).wrapping_mul(SPREAD) >> 16) as u16
}

/// One bit for each hash: whether any window has it. Small enough for the first cache.
pub(super) type Bitmap = [u64; HASHES / 64];

/// Whether any window has this hash.
#[inline]
pub(super) const fn is_set(bitmap: &Bitmap, hash: u16) -> bool {
    bitmap[(hash >> 6) as usize] >> (hash & 63) & 1 != 0
}

/// The windows of all patterns by hash.
pub(super) struct Index {
    bitmap: Box<Bitmap>,
    /// Where each hash's patterns begin in `members`; its successor's begin where they end.
    starts: Vec<u32>,
    members: Vec<u16>,
}

impl Index {
    /// The index of windows given with their pattern's number.
    pub(super) fn new(windows: &[(u16, [ByteSet; WINDOW])]) -> Index {
        let mut entries: Vec<u32> = Vec::new();
        let mut prefixes: Vec<u32> = Vec::new();
        let mut longer: Vec<u32> = Vec::new();
        for (number, window) in windows {
            prefixes.clear();
            prefixes.push(0);
            for (place, class) in window.iter().enumerate() {
                let bytes = || folded(*class).bytes().map(|byte| u32::from(byte) << (8 * place));
                longer.clear();
                longer.extend(prefixes.iter().flat_map(|head| bytes().map(move |b| head | b)));
                std::mem::swap(&mut prefixes, &mut longer);
            }
            let entry = |four: &u32| u32::from(hash(*four)) << 16 | u32::from(*number);
            entries.extend(prefixes.iter().map(entry));
        }
        entries.sort_unstable();
        entries.dedup();
        let mut bitmap = Box::new([0; HASHES / 64]);
        let mut starts = vec![0_u32; HASHES + 1];
        for entry in &entries {
            let hash = entry >> 16;
            bitmap[(hash >> 6) as usize] |= 1 << (hash & 63);
            starts[hash as usize + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let members = entries.iter().map(|entry| (entry & 0xffff) as u16).collect();
        Index { bitmap, starts, members }
    }

    pub(super) fn bitmap(&self) -> &Bitmap {
        &self.bitmap
    }

    /// The patterns whose window may stand where these four bytes are.
    #[inline]
    pub(super) fn chain(&self, four: u32) -> &[u16] {
        let hash = usize::from(hash(four));
        let Some([from, to]) = self.starts.get(hash..hash + 2) else { return &[] };
        self.members.get(*from as usize..*to as usize).unwrap_or_default()
    }

    /// The share of hashes that any window has.
    #[cfg(test)]
    fn fill(&self) -> f64 {
        let set: u32 = self.bitmap.iter().map(|word| word.count_ones()).sum();
        f64::from(set) / 65536.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_is_found_by_its_hash() {
        let digits = ByteSet::range(b'0', b'9');
        let windows = [
            (7, [ByteSet::of(b'g'), ByteSet::of(b'h'), ByteSet::of(b'p'), ByteSet::of(b'_')]),
            (9, [ByteSet::either_case(b'k'), digits, digits, ByteSet::of(0)]),
        ];
        let index = Index::new(&windows);
        let at = |bytes: &[u8; 4]| index.chain(u32::from_le_bytes(*bytes)).to_vec();
        assert_eq!(at(b"ghp_"), [7]);
        assert_eq!(at(b"GHP_"), [7], "folded");
        assert_eq!((at(b"k47\0"), at(b"K00\0")), (vec![9], vec![9]));
        assert!(index.fill() < 0.002 && index.fill() > 0.0015, "{}", index.fill());
        assert!(is_set(index.bitmap(), hash(u32::from_le_bytes(*b"ghp_"))));
    }
}
