//! A bitmap: which clusters or inodes of a group are in use.
//! <https://docs.kernel.org/filesystems/ext4/bitmaps.html>

use crate::run::Run;

/// Whether bit `index` is set; bits that are not there are.
pub(super) fn is_set(bitmap: &[u8], index: u64) -> bool {
    let byte = usize::try_from(index / 8).ok().and_then(|byte| bitmap.get(byte));
    byte.is_none_or(|byte| byte >> (index % 8) & 1 == 1)
}

/// Visit the runs of clear bits among the first `bits`.
pub(super) fn clear_runs(bitmap: &[u8], bits: u64, mut each: impl FnMut(Run)) {
    let (mut start, mut index) = (None, 0u64);
    while index < bits {
        let whole = usize::try_from(index / 8).ok().and_then(|byte| bitmap.get(byte)).copied();
        let (set, step) = match whole {
            Some(0) if index % 8 == 0 => (false, 8),
            Some(0xff) | None if index % 8 == 0 => (true, 8),
            _ => (is_set(bitmap, index), 1),
        };
        match (set, start) {
            (false, None) => start = Some(index),
            (true, Some(first)) => {
                each(Run::between(first, index));
                start = None;
            }
            _ => {}
        }
        index = index.saturating_add(step);
    }
    if let Some(first) = start {
        each(Run::between(first, bits));
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tests trust their own data"
)]
mod tests {
    use super::*;

    #[test]
    fn finds_clear_bits_across_bytes_and_stops_at_the_end() {
        let runs = |bitmap: &[u8], bits| {
            let mut found = Vec::new();
            clear_runs(bitmap, bits, |run| found.push((run.start, run.len)));
            found
        };
        assert_eq!(runs(&[0x0f, 0x00, 0xfe, 0xff], 32), [(4, 13)]);
        assert_eq!(runs(&[0x0f, 0x00, 0x00], 20), [(4, 16)]);
        assert_eq!(runs(&[0x55], 8), [(1, 1), (3, 1), (5, 1), (7, 1)]);
        assert_eq!(runs(&[0xff], 100), []);
    }
}
