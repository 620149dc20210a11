//! A short-form btree: free space, inodes, reverse mappings and reference counts, one of each in
//! every allocation group.

use super::superblock::{Geometry, crc_matches};
use super::trouble::Troubles;
use crate::bytes::{ReadAt, read_vec, take, u16_be, u32_be};
use crate::error::{Error, Result};
use crate::limits;
use crate::run::Run;
use std::collections::HashSet;

/// What distinguishes one kind of short-form tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) magic_v4: &'static [u8; 4],
    pub(super) magic_v5: &'static [u8; 4],
    pub(super) record_bytes: usize,
    pub(super) key_bytes: usize,
}

pub(super) const FREE_BY_BLOCK: Shape =
    Shape { magic_v4: b"ABTB", magic_v5: b"AB3B", record_bytes: 8, key_bytes: 8 };
pub(super) const FREE_BY_COUNT: Shape =
    Shape { magic_v4: b"ABTC", magic_v5: b"AB3C", record_bytes: 8, key_bytes: 8 };
pub(super) const INODES: Shape =
    Shape { magic_v4: b"IABT", magic_v5: b"IAB3", record_bytes: 16, key_bytes: 4 };
pub(super) const FREE_INODES: Shape =
    Shape { magic_v4: b"FIBT", magic_v5: b"FIB3", record_bytes: 16, key_bytes: 4 };
/// Keys come in pairs, the lowest and the highest.
pub(super) const REVERSE: Shape =
    Shape { magic_v4: b"RMB3", magic_v5: b"RMB3", record_bytes: 24, key_bytes: 40 };
pub(super) const REFERENCES: Shape =
    Shape { magic_v4: b"R3FC", magic_v5: b"R3FC", record_bytes: 12, key_bytes: 4 };

const POINTER_BYTES: usize = 4;

/// Where one tree is rooted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    pub(super) ag: u64,
    pub(super) block: u32,
    pub(super) levels: u32,
}

/// Walk a tree from its root. `record` is given each record of each leaf; the blocks the tree
/// itself takes come back. No block is visited twice, so that a loop ends.
pub(super) fn walk(
    (volume, geometry): (&dyn ReadAt, &Geometry),
    shape: Shape,
    root: Root,
    troubles: &mut Troubles,
    record: &mut dyn FnMut(&[u8], &mut Troubles),
) -> Vec<Run> {
    let mut blocks = Vec::new();
    if root.levels == 0 || root.levels > limits::XFS_BTREE_LEVELS {
        troubles.note(Error::corrupt("XFS btree has an impossible height").detail(root.levels));
        return blocks;
    }
    let mut seen = HashSet::new();
    let mut stack = vec![(root.block, root.levels.saturating_sub(1))];
    while let Some((number, level)) = stack.pop() {
        if !seen.insert(number) {
            troubles.note(Error::corrupt("XFS btree block is linked twice").detail(number));
            continue;
        }
        if seen.len() > limits::XFS_BTREE_BLOCKS {
            troubles.note(Error::new(crate::error::ErrorKind::Limit, "XFS btree is too large"));
            break;
        }
        let Some(run) = geometry.ag_run(root.ag, number.into(), 1) else {
            troubles.note(Error::corrupt("XFS btree points outside its group").detail(number));
            continue;
        };
        let parsed = read_vec(volume, run.start, usize::try_from(run.len).unwrap_or(0))
            .and_then(|block| Node::parse(block, geometry.v5, shape, level));
        match parsed {
            Ok(node) => {
                if !node.intact {
                    let what = "XFS btree block fails its checksum";
                    troubles.note(Error::corrupt(what).detail(run.start));
                }
                blocks.push(run);
                node.children(&mut stack, level);
                node.records(record, troubles);
            }
            Err(error) => troubles.note(error),
        }
    }
    blocks
}

struct Node {
    block: Vec<u8>,
    shape: Shape,
    header_bytes: usize,
    leaf: bool,
    count: usize,
    intact: bool,
}

impl Node {
    fn parse(block: Vec<u8>, v5: bool, shape: Shape, level: u32) -> Result<Node> {
        let (magic, header_bytes) =
            if v5 { (shape.magic_v5, 56) } else { (shape.magic_v4, 16usize) };
        if take(&block, 0, 4)? != magic {
            return Err(Error::corrupt("XFS btree block has the wrong magic"));
        }
        if u32::from(u16_be(&block, 4)?) != level {
            return Err(Error::corrupt("XFS btree block is on the wrong level"));
        }
        let count = usize::from(u16_be(&block, 6)?);
        let unit = if level == 0 {
            shape.record_bytes
        } else {
            shape.key_bytes.saturating_add(POINTER_BYTES)
        };
        if count > block.len().saturating_sub(header_bytes).checked_div(unit).unwrap_or(0) {
            return Err(Error::corrupt("XFS btree block holds too many records"));
        }
        let intact = !v5 || crc_matches(&block, 52);
        Ok(Node { block, shape, header_bytes, leaf: level == 0, count, intact })
    }

    fn children(&self, stack: &mut Vec<(u32, u32)>, level: u32) {
        if self.leaf {
            return;
        }
        let room = self.block.len().saturating_sub(self.header_bytes);
        let unit = self.shape.key_bytes.saturating_add(POINTER_BYTES);
        let most = room.checked_div(unit).unwrap_or(0);
        let first = self.header_bytes.saturating_add(most.saturating_mul(self.shape.key_bytes));
        for index in (0..self.count).rev() {
            let offset = first.saturating_add(index.saturating_mul(POINTER_BYTES));
            if let Ok(child) = u32_be(&self.block, offset) {
                stack.push((child, level.saturating_sub(1)));
            }
        }
    }

    fn records(&self, record: &mut dyn FnMut(&[u8], &mut Troubles), troubles: &mut Troubles) {
        if self.leaf {
            let body = self.block.get(self.header_bytes..).unwrap_or_default();
            for bytes in body.chunks_exact(self.shape.record_bytes).take(self.count) {
                record(bytes, troubles);
            }
        }
    }
}
