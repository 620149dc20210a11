//! Packed blocks: what planning read and the sweep has still to read, made smaller.
//!
//! Planning reads a few kilobytes each of very many blocks (directories lie everywhere). Each of
//! those is wanted whole again once the sweep gets there, and would otherwise be bought twice.

use super::store::Bits;
use lz4_flex::block;
use std::collections::BTreeMap;

/// The packed blocks of one image.
#[derive(Default)]
pub(super) struct Packed {
    blocks: BTreeMap<u64, Box<[u8]>>,
    bytes: u64,
    /// Blocks of which packing saves too little.
    noise: Bits,
    /// Where blocks are packed, so that each is then copied into no more than it needs: cut down
    /// from the most it might have needed, it would leave a hole no block fits into.
    desk: Vec<u8>,
}

impl Packed {
    /// Keep `block`, unless packing saves too little or `room_bytes` are full. Returns whether it
    /// is kept.
    pub(super) fn keep(&mut self, number: u64, block: &[u8], room_bytes: u64) -> bool {
        if room_bytes <= self.bytes || self.noise.get(number) {
            return false;
        }
        self.desk.resize(block::get_maximum_output_size(block.len()), 0);
        let Ok(used) = block::compress_into(block, &mut self.desk) else { return false };
        let packed = self.desk.get(..used).unwrap_or_default();
        let len = size(packed);
        let worth = len.saturating_mul(4) <= size(block).saturating_mul(3);
        let fits = self.bytes.saturating_add(len) <= room_bytes;
        if worth && fits {
            self.bytes = self.bytes.saturating_add(len);
            self.blocks.insert(number, packed.into());
        }
        if !worth {
            self.noise.set(number);
        }
        worth && fits
    }

    /// Whether packing the block was tried, and saved too little.
    pub(super) fn is_noise(&self, number: u64) -> bool {
        self.noise.get(number)
    }

    /// The block, whole again; it is not kept here any longer.
    pub(super) fn take(&mut self, number: u64, block_bytes: usize) -> Option<Vec<u8>> {
        let packed = self.blocks.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(size(&packed));
        block::decompress(&packed, block_bytes).ok()
    }

    /// Whether the block is here.
    pub(super) fn has(&self, number: u64) -> bool {
        self.blocks.contains_key(&number)
    }

    /// The sweep is at block `now`: those before go.
    pub(super) fn passed(&mut self, now: u64) {
        while let Some(first) = self.blocks.first_entry()
            && *first.key() < now
        {
            self.bytes = self.bytes.saturating_sub(size(&first.remove()));
        }
    }

    /// Bytes they take.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_whole_and_once() {
        let block: Vec<u8> = (0..1000_u32).flat_map(|n| (n / 50).to_le_bytes()).collect();
        let mut packed = Packed::default();
        assert!(packed.keep(7, &block, 4000) && packed.has(7));
        assert!(packed.bytes() < 3000);
        assert_eq!(packed.take(7, block.len()), Some(block));
        assert_eq!((packed.take(7, 4000), packed.bytes()), (None, 0));
    }

    #[test]
    fn there_is_an_end_to_what_is_packed_and_noise_is_not() {
        let mut packed = Packed::default();
        let noise: Vec<u8> = (0..4096_u32)
            .map(|n| {
                u8::try_from(n.wrapping_mul(0x9e37_79b1).rotate_left(n % 31) >> 24).unwrap_or(0)
            })
            .collect();
        assert!(!packed.keep(1, &noise, 9999) && packed.is_noise(1));
        assert!(packed.keep(2, &[5; 4096], 9999));
        assert!(!packed.keep(3, &[6; 4096], packed.bytes()) && !packed.is_noise(3));
        packed.passed(2);
        assert!(packed.has(2));
        packed.passed(3);
        assert_eq!((packed.has(2), packed.bytes()), (false, 0));
    }
}
