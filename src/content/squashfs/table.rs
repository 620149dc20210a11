//! The tables of a squashfs: metadata in packed blocks of 8 KiB, and where things stand in them.

use super::super::packed::{Method, unpack};
use crate::bytes::{ReadAt, read_vec, u16_le, u32_le, u64_le};
use crate::error::{Error, Result};
use crate::limits;
use std::collections::HashMap;
use std::rc::Rc;

/// Bytes of a block of metadata before it is packed.
const BLOCK: usize = 8192;

/// A place in the metadata: a block, and a byte of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) block: u64,
    pub(super) offset: usize,
}

impl Cursor {
    /// The place that a reference means in the table that begins at `table`.
    pub(super) fn of(table: u64, reference: u64) -> Result<Cursor> {
        let block = table.checked_add(reference >> 16).ok_or_else(outside)?;
        let offset = usize::try_from(reference & 0xffff).map_err(|_| outside())?;
        Ok(Cursor { block, offset })
    }
}

/// A block of metadata, and where the next one begins.
type Block = (Rc<[u8]>, u64);

/// The metadata, of which the blocks that were read last are kept.
pub(super) struct Tables<'a> {
    pub(super) bytes: &'a dyn ReadAt,
    pub(super) method: Method,
    kept: HashMap<u64, Block>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(bytes: &'a dyn ReadAt, method: Method) -> Tables<'a> {
        Tables { bytes, method, kept: HashMap::new() }
    }

    fn block(&mut self, at: u64) -> Result<Block> {
        if let Some(known) = self.kept.get(&at) {
            return Ok(known.clone());
        }
        let header = u16_le(&read_vec(self.bytes, at, 2)?, 0)?;
        let len = usize::from(header & 0x7fff);
        if len == 0 || len > BLOCK {
            return Err(Error::corrupt("a block of squashfs metadata is too long").detail(len));
        }
        let start = at.checked_add(2).ok_or_else(outside)?;
        let packed = read_vec(self.bytes, start, len)?;
        let is_packed = header & 0x8000 == 0;
        let held = if is_packed { unpack(self.method, &packed, BLOCK)? } else { packed };
        if held.is_empty() {
            return Err(Error::corrupt("a block of squashfs metadata is empty"));
        }
        if self.kept.len() >= limits::SQUASHFS_BLOCKS {
            self.kept.clear();
        }
        let next = start.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        let block = (Rc::from(held), next);
        self.kept.insert(at, block.clone());
        Ok(block)
    }

    /// The next `len` bytes, which the caller has bounded.
    pub(super) fn read(&mut self, at: &mut Cursor, len: usize) -> Result<Vec<u8>> {
        let mut read = Vec::new();
        while read.len() < len {
            let (block, next) = self.block(at.block)?;
            if at.offset >= block.len() {
                // Only a whole block is followed by another.
                if at.offset > block.len() || block.len() < BLOCK {
                    return Err(outside());
                }
                *at = Cursor { block: next, offset: 0 };
                continue;
            }
            let missing = len.saturating_sub(read.len());
            let end = at.offset.saturating_add(missing).min(block.len());
            read.extend_from_slice(block.get(at.offset..end).ok_or_else(outside)?);
            at.offset = end;
        }
        Ok(read)
    }

    /// An entry of a table that is found through a list of its blocks, of which each holds
    /// `len` bytes for each entry.
    pub(super) fn entry(&mut self, list: u64, number: u32, len: usize) -> Result<Vec<u8>> {
        let number = usize::try_from(number).map_err(|_| outside())?;
        let each = BLOCK.checked_div(len).filter(|each| *each > 0).ok_or_else(outside)?;
        let block = number.checked_div(each).ok_or_else(outside)?;
        let index = number.checked_rem(each).ok_or_else(outside)?;
        let place = u64::try_from(block.saturating_mul(8)).map_err(|_| outside())?;
        let place = list.checked_add(place).ok_or_else(outside)?;
        let block = u64_le(&read_vec(self.bytes, place, 8)?, 0)?;
        self.read(&mut Cursor { block, offset: index.saturating_mul(len) }, len)
    }

    /// A number of 32 bits.
    pub(super) fn number(&mut self, at: &mut Cursor) -> Result<u32> {
        u32_le(&self.read(at, 4)?, 0)
    }
}

fn outside() -> Error {
    Error::corrupt("a place in squashfs metadata is outside of it")
}
