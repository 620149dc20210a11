//! The bytes of a file in a squashfs, block by block.

use super::super::From;
use super::super::packed::unpack;
use super::Image;
use super::inode::Data;
use crate::bytes::{read_vec, u32_le, u64_le};
use crate::error::{Error, Result};
use crate::run::Run;
use std::io;
use std::rc::Rc;

/// The bit of a length that says that the bytes stand there as they are.
const AS_IS: u32 = 1 << 24;

/// Where a block or a fragment stands, and whether it is packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) run: Run,
    packed: bool,
}

impl Block {
    fn new(start: u64, length: u32) -> Block {
        Block { run: Run::new(start, u64::from(length & !AS_IS)), packed: length & AS_IS == 0 }
    }
}

impl Image<'_> {
    /// Where a fragment stands.
    pub(super) fn fragment(&mut self, number: u32) -> Result<Block> {
        let entry = self.tables.entry(self.fragments, number, 16)?;
        Ok(Block::new(u64_le(&entry, 0)?, u32_le(&entry, 8)?))
    }

    /// What a block holds.
    fn held(&self, block: Block) -> Result<Vec<u8>> {
        let len = usize::try_from(block.run.len).unwrap_or(usize::MAX);
        if len > self.block_bytes {
            return Err(Error::corrupt("a block of a squashfs is too long").detail(len));
        }
        let bytes = read_vec(self.tables.bytes, block.run.start, len)?;
        if block.packed { unpack(self.tables.method, &bytes, self.block_bytes) } else { Ok(bytes) }
    }

    /// What a fragment holds; the last one is kept, for its files follow one another.
    fn shared(&mut self, number: u32) -> Result<Rc<[u8]>> {
        if let Some((known, held)) = &self.last_fragment
            && *known == number
        {
            return Ok(Rc::clone(held));
        }
        let block = self.fragment(number)?;
        let held: Rc<[u8]> = self.held(block)?.into();
        self.last_fragment = Some((number, Rc::clone(&held)));
        Ok(held)
    }
}

/// A file, read from front to back. A block that is damaged reads as zeros, and the error comes
/// behind the last.
pub(super) struct Reader<'i, 'a> {
    image: &'i mut Image<'a>,
    data: Data,
    /// Blocks before the fragment.
    blocks: u64,
    /// Where the next block stands.
    next: u64,
    left: u64,
    held: Vec<u8>,
    taken: usize,
    damage: Option<Error>,
}

impl<'i, 'a> Reader<'i, 'a> {
    pub(super) fn new(image: &'i mut Image<'a>, data: Data) -> Reader<'i, 'a> {
        let unit = u64::try_from(image.block_bytes).unwrap_or(u64::MAX).max(1);
        let whole = data.size.checked_div(unit).unwrap_or(0);
        let blocks = if data.fragment.is_some() { whole } else { data.size.div_ceil(unit) };
        let (next, left) = (data.start, data.size);
        Reader { image, data, blocks, next, left, held: Vec::new(), taken: 0, damage: None }
    }

    /// Where the file's bytes stand, as far as that can be told in a word.
    pub(super) fn from(&mut self) -> From {
        let mut lengths = self.data.lengths;
        if self.blocks == 0 {
            return match self.data.fragment.map(|(number, at)| (self.image.fragment(number), at)) {
                Some((Ok(block), at)) if !block.packed => {
                    From::Verbatim(block.run.start.saturating_add(u64::from(at)))
                }
                Some((Ok(block), _)) => From::Packed(block.run),
                _ => From::Somewhere,
            };
        }
        let (mut len, mut as_is) = (0, self.data.fragment.is_none());
        for _ in 0..self.blocks {
            let Ok(length) = self.image.tables.number(&mut lengths) else { return From::Somewhere };
            let block = Block::new(self.data.start, length);
            len = block.run.len.saturating_add(len);
            as_is &= !block.packed && block.run.len > 0;
            if len > self.image.tables.bytes.len() {
                return From::Somewhere;
            }
        }
        if as_is {
            From::Verbatim(self.data.start)
        } else {
            From::Packed(Run::new(self.data.start, len))
        }
    }

    /// Fill what is held with the next block.
    fn advance(&mut self) -> Result<()> {
        let unit = u64::try_from(self.image.block_bytes).unwrap_or(u64::MAX);
        let wanted = usize::try_from(self.left.min(unit)).unwrap_or(usize::MAX);
        self.taken = 0;
        self.left = self.left.saturating_sub(unit);
        self.held.clear();
        if self.blocks > 0 {
            self.blocks = self.blocks.saturating_sub(1);
            let length = self.image.tables.number(&mut self.data.lengths)?;
            let block = Block::new(self.next, length);
            self.next = block.run.end();
            match self.image.held(block) {
                // A block of zeros is not written at all.
                _ if block.run.is_empty() => {}
                Ok(held) => self.held = held,
                Err(error) => self.damage = self.damage.take().or(Some(error)),
            }
        } else if let Some((number, at)) = self.data.fragment {
            let held = self.image.shared(number)?;
            let start = usize::try_from(at).unwrap_or(usize::MAX);
            self.held = held.get(start..).unwrap_or_default().to_vec();
        }
        if self.held.len() < wanted && !self.held.is_empty() && self.damage.is_none() {
            self.damage = Some(Error::corrupt("a block of a squashfs is too short"));
        }
        // What is missing, because it was never written or is damaged, reads as zeros.
        self.held.resize(wanted, 0);
        Ok(())
    }
}

impl io::Read for Reader<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.taken >= self.held.len() {
            if self.left == 0 {
                return self.damage.take().map_or(Ok(0), |error| Err(io::Error::other(error)));
            }
            if let Err(error) = self.advance() {
                self.left = 0;
                return Err(io::Error::other(error));
            }
        }
        let ready = self.held.get(self.taken..).unwrap_or_default();
        let len = ready.len().min(buf.len());
        buf.iter_mut().zip(ready).for_each(|(to, from)| *to = *from);
        self.taken = self.taken.saturating_add(len);
        Ok(len)
    }
}
