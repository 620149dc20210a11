//! An extent tree: how ext4 says where a file's blocks lie.
//! <https://docs.kernel.org/filesystems/ext4/ifork.html#extent-tree>

use super::mapping::{Mapper, Piece};
use crate::bytes::{take, u16_le, u32_le};
use crate::error::{Error, Result};

const MAGIC: u16 = 0xf30a;
const ENTRY_BYTES: usize = 12;
/// Deeper than any tree of 2^32 blocks.
const DEPTH_MAX: u16 = 5;
/// Longest written extent; one with a greater length is unwritten.
const WRITTEN_MAX: u16 = 32768;

struct Node {
    data: Vec<u8>,
    depth: u16,
    entries: u16,
    next: u16,
}

impl Node {
    fn parse(data: Vec<u8>) -> Result<Node> {
        if u16_le(&data, 0)? != MAGIC {
            return Err(Error::corrupt("extent tree node has no magic"));
        }
        let (entries, depth) = (u16_le(&data, 2)?, u16_le(&data, 6)?);
        if depth > DEPTH_MAX {
            return Err(Error::corrupt("extent tree is too deep").detail(depth));
        }
        let held = usize::from(entries).saturating_add(1).saturating_mul(ENTRY_BYTES);
        if data.len() < held {
            return Err(Error::corrupt("extent tree node has too many entries").detail(entries));
        }
        Ok(Node { data, depth, entries, next: 0 })
    }

    fn next_entry(&mut self) -> Option<[u8; ENTRY_BYTES]> {
        if self.entries <= self.next {
            return None;
        }
        self.next = self.next.saturating_add(1);
        let offset = usize::from(self.next).saturating_mul(ENTRY_BYTES);
        take(&self.data, offset, ENTRY_BYTES).ok()?.first_chunk().copied()
    }
}

/// Map what the tree with this root, the 60 bytes in an inode, leads to.
pub(super) fn read(root: &[u8], mapper: &mut Mapper<'_>) {
    let mut path = match Node::parse(root.to_vec()) {
        Ok(node) => vec![node],
        Err(error) => return mapper.note(error),
    };
    // A child is one level nearer to the leaves than its parent, so the path is short and ends.
    while let Some(node) = path.last_mut() {
        let depth = node.depth;
        let Some(entry) = node.next_entry() else {
            path.pop();
            continue;
        };
        if depth == 0 {
            match leaf(&entry) {
                Ok(piece) if piece.len == 0 => {}
                Ok(piece) if mapper.add(piece) => {}
                Ok(_) => return,
                Err(error) => mapper.note(error),
            }
            continue;
        }
        match child(&entry, depth, mapper) {
            Ok(node) => path.push(node),
            Err(error) => mapper.note(error),
        }
    }
}

fn child(entry: &[u8], depth: u16, mapper: &mut Mapper<'_>) -> Result<Node> {
    let block = u64::from(u16_le(entry, 8)?) << 32 | u64::from(u32_le(entry, 4)?);
    let node = Node::parse(mapper.tree_block(block)?)?;
    if node.depth.checked_add(1) != Some(depth) {
        return Err(Error::corrupt("extent tree node stands at the wrong depth").detail(block));
    }
    Ok(node)
}

fn leaf(entry: &[u8]) -> Result<Piece> {
    let len = u16_le(entry, 4)?;
    let written = len <= WRITTEN_MAX;
    Ok(Piece {
        logical: u32_le(entry, 0)?.into(),
        len: if written { len } else { len.saturating_sub(WRITTEN_MAX) }.into(),
        physical: u64::from(u16_le(entry, 6)?) << 32 | u64::from(u32_le(entry, 8)?),
        written,
    })
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tests trust their own data"
)]
mod tests {
    use super::super::mapping::tests::mapped;
    use super::*;

    const LEAF_ROOT: [u8; 36] = [
        0x0a, 0xf3, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, // two extents
        0, 0, 0, 0, 3, 0, 0, 0, 20, 0, 0, 0, // blocks 0..3 at 20
        8, 0, 0, 0, 2, 0x80, 0, 0, 40, 0, 0, 0, // blocks 8..10 at 40, unwritten
    ];
    const INDEX_ROOT: [u8; 24] = [
        0x0a, 0xf3, 1, 0, 4, 0, 1, 0, 0, 0, 0, 0, // one index, depth 1
        0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, // to block 1
    ];

    #[test]
    fn reads_leaves_in_the_root_and_below() {
        let expected = [
            Piece { logical: 0, len: 3, physical: 20, written: true },
            Piece { logical: 8, len: 2, physical: 40, written: false },
        ];
        let flat = mapped(Vec::new(), |mapper| read(&LEAF_ROOT, mapper));
        assert_eq!((&flat.pieces[..], flat.tree.len()), (&expected[..], 0));
        let deep = mapped(vec![vec![], LEAF_ROOT.to_vec()], |mapper| read(&INDEX_ROOT, mapper));
        assert_eq!((&deep.pieces[..], &deep.tree[..]), (&expected[..], &[1][..]));
        assert!(deep.trouble.is_none());
    }

    #[test]
    fn a_node_that_points_at_itself_ends() {
        let looped = mapped(vec![vec![], INDEX_ROOT.to_vec()], |m| read(&INDEX_ROOT, m));
        assert_eq!(looped.trouble.unwrap().what(), "extent tree node stands at the wrong depth");
        let cut = mapped(Vec::new(), |m| read(&LEAF_ROOT[..24], m));
        assert_eq!(cut.trouble.unwrap().what(), "extent tree node has too many entries");
    }
}
