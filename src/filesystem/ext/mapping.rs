//! A mapping: which blocks of the volume hold which blocks of a file.

use super::device::Device;
use super::inode::Inode;
use super::{block_map, extent_tree};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{At, Extent};
use crate::limits;
use crate::run::Run;

/// A run of a file's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// First block of the file.
    pub(super) logical: u64,
    /// Blocks.
    pub(super) len: u64,
    /// First block of the volume.
    pub(super) physical: u64,
    /// Whether the file shows what the blocks hold; otherwise it shows zeros.
    pub(super) written: bool,
}

/// What all the files of one filesystem may still claim. A block belongs to one file, so a
/// filesystem has no more extents, and no more blocks that describe them, than blocks.
#[derive(Debug)]
pub(super) struct Meter {
    extents: u64,
    tree_blocks: u64,
}

impl Meter {
    /// For a filesystem of `blocks` blocks.
    pub(super) fn new(blocks: u64) -> Meter {
        Meter { extents: blocks.min(limits::EXT_EXTENTS), tree_blocks: blocks }
    }
}

/// Which blocks of the volume hold which blocks of a file; as much as could be read.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    /// Sorted by block of the file.
    pub(super) pieces: Vec<Piece>,
    /// Blocks that describe the mapping.
    pub(super) tree: Vec<u64>,
    /// The first thing that was wrong with it.
    pub(super) trouble: Option<Error>,
}

impl Mapping {
    /// Read the mapping of `inode`, whose bytes lie in blocks.
    pub(super) fn read(
        device: &Device,
        blocks: u64,
        meter: &mut Meter,
        inode: &Inode<'_>,
    ) -> Mapping {
        let mut mapper = Mapper { device, blocks, meter, mapping: Mapping::default() };
        match inode.root() {
            Ok(root) if inode.has_extents() => extent_tree::read(root, &mut mapper),
            Ok(root) => block_map::read(root, &mut mapper),
            Err(error) => mapper.note(error),
        }
        mapper.mapping.pieces.shrink_to_fit();
        mapper.mapping
    }

    /// The blocks that hold the file's bytes, as bytes of the volume.
    pub(super) fn data_runs(&self, block_bytes: u64) -> impl Iterator<Item = Run> + '_ {
        self.pieces.iter().map(move |piece| {
            let start = piece.physical.saturating_mul(block_bytes);
            Run::new(start, piece.len.saturating_mul(block_bytes))
        })
    }

    /// The blocks that describe the mapping, as bytes of the volume.
    pub(super) fn tree_runs(&self, block_bytes: u64) -> impl Iterator<Item = Run> + '_ {
        self.tree.iter().map(move |block| Run::new(block.saturating_mul(block_bytes), block_bytes))
    }

    /// The extents, with what the journal still holds taken from there.
    pub(super) fn extents(&self, device: &Device) -> Vec<Extent> {
        let bytes = device.block_bytes();
        let mut extents = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let file_start = piece.logical.saturating_mul(bytes);
            let run =
                Run::new(piece.physical.saturating_mul(bytes), piece.len.saturating_mul(bytes));
            if !piece.written {
                extents.push(Extent {
                    file_offset: file_start,
                    len: run.len,
                    at: At::Unwritten(run.start),
                });
                continue;
            }
            device.places(run, |part, at| {
                let skipped = part.start.saturating_sub(run.start);
                let file_offset = file_start.saturating_add(skipped);
                extents.push(Extent { file_offset, len: part.len, at });
            });
        }
        extents
    }
}

/// A mapping in the making.
pub(super) struct Mapper<'a> {
    device: &'a Device,
    blocks: u64,
    meter: &'a mut Meter,
    mapping: Mapping,
}

impl Mapper<'_> {
    /// Remember what went wrong, if nothing did before.
    pub(super) fn note(&mut self, error: Error) {
        self.mapping.trouble.get_or_insert(error);
    }

    /// Add a run of blocks. One that makes no sense is noted and left out.
    /// Returns false when no more may be added.
    pub(super) fn add(&mut self, piece: Piece) -> bool {
        let run = Run::new(piece.physical, piece.len);
        if piece.physical == 0 || run.len != piece.len || self.blocks < run.end() {
            self.note(
                Error::corrupt("file claims blocks outside")
                    .detail(format_args!("{} blocks from {}", piece.len, piece.physical)),
            );
            return true;
        }
        if let Some(last) = self.mapping.pieces.last_mut() {
            let end = last.logical.saturating_add(last.len);
            if piece.logical < end {
                self.note(Error::corrupt("file's blocks are out of order").detail(piece.logical));
                return true;
            }
            let follows = last.physical.saturating_add(last.len) == piece.physical;
            if end == piece.logical && follows && last.written == piece.written {
                last.len = last.len.saturating_add(piece.len);
                return true;
            }
        }
        let left = self.meter.extents.checked_sub(1);
        if left.is_none() || self.mapping.pieces.len() >= limits::EXTENTS_PER_FILE {
            self.note(Error::new(ErrorKind::Limit, "file has too many extents"));
            return false;
        }
        self.meter.extents = left.unwrap_or(0);
        self.mapping.pieces.push(piece);
        true
    }

    /// A block that describes the mapping.
    pub(super) fn tree_block(&mut self, block: u64) -> Result<Vec<u8>> {
        if block == 0 || self.blocks <= block {
            return Err(Error::corrupt("file's block tree points outside").detail(block));
        }
        let left = self.meter.tree_blocks.checked_sub(1);
        if left.is_none() || self.mapping.tree.len() >= limits::EXT_TREE_BLOCKS {
            return Err(Error::new(ErrorKind::Limit, "file's block tree is too large"));
        }
        self.meter.tree_blocks = left.unwrap_or(0);
        self.mapping.tree.push(block);
        self.device.block(block)
    }

    /// Block pointers in one block of the tree.
    pub(super) fn pointers_per_block(&self) -> u64 {
        self.device.block_bytes() / 4
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tests trust their own data"
)]
pub(super) mod tests {
    use super::*;
    use std::sync::Arc;

    /// What `read` maps on a volume made of these 1-KiB blocks.
    pub(in crate::filesystem::ext) fn mapped(
        blocks: Vec<Vec<u8>>,
        read: impl FnOnce(&mut Mapper<'_>),
    ) -> Mapping {
        let mut volume = Vec::new();
        for mut block in blocks {
            block.resize(1024, 0);
            volume.extend(block);
        }
        let device = Device::new(Arc::new(volume), 1024);
        let mut meter = Meter::new(1000);
        let mut mapper = Mapper {
            device: &device,
            blocks: 1000,
            meter: &mut meter,
            mapping: Mapping::default(),
        };
        read(&mut mapper);
        mapper.mapping
    }

    #[test]
    fn joins_what_follows_and_leaves_out_nonsense() {
        let piece = |logical, len, physical| Piece { logical, len, physical, written: true };
        let mapping = mapped(Vec::new(), |mapper| {
            for p in [piece(0, 2, 10), piece(2, 3, 12), piece(1, 1, 50), piece(7, 9, 995)] {
                assert!(mapper.add(p));
            }
        });
        assert_eq!(mapping.pieces, [piece(0, 5, 10)]);
        assert_eq!(mapping.trouble.unwrap().what(), "file's blocks are out of order");
    }
}
