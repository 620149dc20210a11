//! A block map: how ext2 and ext3 say where a file's blocks lie, directly and through up to three
//! levels of blocks full of block numbers.
//! <https://docs.kernel.org/filesystems/ext4/ifork.html#direct-indirect-block-addressing>

use super::mapping::{Mapper, Piece};
use crate::bytes::u32_le;

const DIRECT: usize = 12;
const POINTER_BYTES: usize = 4;

/// A block full of pointers, and how far it was followed.
struct Table {
    data: Vec<u8>,
    next: usize,
    /// Levels of tables below it.
    below: u32,
    /// The block of the file its next pointer leads to.
    logical: u64,
}

/// Map what these 60 bytes in an inode lead to: twelve blocks, and three trees.
pub(super) fn read(root: &[u8], mapper: &mut Mapper<'_>) {
    let mut logical = 0u64;
    for index in 0..DIRECT {
        if !add(pointer(root, index), logical, mapper) {
            return;
        }
        logical = logical.saturating_add(1);
    }
    let per_block = mapper.pointers_per_block();
    for below in 0..3u32 {
        let index = DIRECT.saturating_add(usize::try_from(below).unwrap_or(0));
        if !follow(pointer(root, index), below, logical, mapper) {
            return;
        }
        let covered = per_block.saturating_pow(below.saturating_add(1));
        logical = logical.saturating_add(covered);
    }
}

/// Map the tree under `pointer`. Returns false when no more may be added.
fn follow(pointer_to: u64, below: u32, logical: u64, mapper: &mut Mapper<'_>) -> bool {
    let per_block = mapper.pointers_per_block();
    let mut path = Vec::new();
    path.extend(table(pointer_to, below, logical, mapper));
    while let Some(table_here) = path.last_mut() {
        if table_here.data.len() <= table_here.next.saturating_mul(POINTER_BYTES) {
            path.pop();
            continue;
        }
        let (to, at) = (pointer(&table_here.data, table_here.next), table_here.logical);
        let covered = per_block.saturating_pow(table_here.below);
        table_here.next = table_here.next.saturating_add(1);
        table_here.logical = at.saturating_add(covered);
        match table_here.below.checked_sub(1) {
            None if !add(to, at, mapper) => return false,
            None => {}
            Some(below) => path.extend(table(to, below, at, mapper)),
        }
    }
    true
}

fn table(block: u64, below: u32, logical: u64, mapper: &mut Mapper<'_>) -> Option<Table> {
    if block == 0 {
        return None;
    }
    match mapper.tree_block(block) {
        Ok(data) => Some(Table { data, next: 0, below, logical }),
        Err(error) => {
            mapper.note(error);
            None
        }
    }
}

fn add(block: u64, logical: u64, mapper: &mut Mapper<'_>) -> bool {
    block == 0 || mapper.add(Piece { logical, len: 1, physical: block, written: true })
}

/// A block number; zero, which is a hole, where there is none.
fn pointer(data: &[u8], index: usize) -> u64 {
    u32_le(data, index.saturating_mul(POINTER_BYTES)).unwrap_or(0).into()
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

    fn pointers(at: &[(usize, u32)]) -> Vec<u8> {
        let mut data = vec![0; 1024];
        for (index, block) in at {
            data[index * 4..index * 4 + 4].copy_from_slice(&block.to_le_bytes());
        }
        data
    }

    #[test]
    fn follows_all_levels_and_leaves_holes() {
        let root = pointers(&[(0, 100), (1, 101), (11, 111), (12, 1), (13, 2), (14, 3)]);
        let blocks = vec![
            vec![],
            pointers(&[(0, 112), (255, 120)]),
            pointers(&[(1, 4)]),
            pointers(&[(0, 5)]),
            pointers(&[(7, 130)]),
            pointers(&[(0, 6)]),
            pointers(&[(3, 140)]),
        ];
        let mapping = mapped(blocks, |mapper| read(&root[..60], mapper));
        let found: Vec<_> = mapping.pieces.iter().map(|p| (p.logical, p.len, p.physical)).collect();
        let (single, double) = (12 + 256, 12 + 256 + 65536);
        let expected = [
            (0, 2, 100),
            (11, 2, 111),
            (12 + 255, 1, 120),
            (single + 256 + 7, 1, 130),
            (double + 3, 1, 140),
        ];
        assert_eq!(found, expected);
        assert_eq!(mapping.tree, [1, 2, 4, 3, 5, 6]);
        assert!(mapping.trouble.is_none());
    }

    #[test]
    fn a_table_that_holds_itself_ends() {
        let root = pointers(&[(14, 1)]);
        let mapping = mapped(vec![vec![], pointers(&[(0, 1), (1, 1)])], |m| read(&root[..60], m));
        assert!(mapping.pieces.len() <= 1000);
    }
}
