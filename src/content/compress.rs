//! compress: LZW with codes of 9 to 16 bits, the `.Z` files
//! ([ncompress](https://github.com/vapier/ncompress)).

use super::stream::{Codec, Front, Streams};
use super::{Given, Head, Open, Out, Unpacker};
use crate::error::Result;
use std::io::{self, BufRead, Read};

pub(super) const UNPACKER: Unpacker =
    Unpacker { name: "compress", applies, open: Open::Stream(open) };

const CLEAR: u16 = 256;

/// The magic, and flags without the unused ones.
fn applies(head: &Head<'_>) -> bool {
    matches!(head.bytes, [0x1f, 0x9d, flags, ..] if flags & 0x60 == 0 && matches!(flags & 0x1f, 9..=16))
}

fn open(bytes: &mut dyn Read, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let codec = Codec { magic: b"", begins: |_| false, new: Lzw::new, end: |lzw| lzw.front };
    Streams::new(Front::new(bytes), codec).hand_out(given, out)
}

struct Lzw<'a> {
    front: Front<'a>,
    /// Of each code from 256 on: the one it continues, and by which byte.
    table: Vec<(u16, u8)>,
    /// Bits of the longest code, and whether a code clears the table. None before the header.
    header: Option<(u32, bool)>,
    bits: u32,
    /// Bits that were read and not yet taken, and codes taken since the width changed.
    held: u32,
    held_bits: u32,
    codes: u32,
    last: Option<u16>,
    /// The first byte of what the last code stands for.
    first: u8,
    /// What a code stands for, backwards, as far as it was not handed out.
    text: Vec<u8>,
    ended: bool,
    error: Option<io::Error>,
}

impl<'a> Lzw<'a> {
    fn new(front: Front<'a>) -> Lzw<'a> {
        Lzw {
            front,
            table: Vec::new(),
            header: None,
            bits: 9,
            held: 0,
            held_bits: 0,
            codes: 0,
            last: None,
            first: 0,
            text: Vec::new(),
            ended: false,
            error: None,
        }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.front.fill_buf()?.first().copied();
        self.front.consume(usize::from(byte.is_some()));
        Ok(byte)
    }

    /// The next code; none at the end.
    fn code(&mut self) -> io::Result<Option<u16>> {
        while self.held_bits < self.bits {
            let Some(byte) = self.byte()? else { return Ok(None) };
            self.held |= u32::from(byte) << self.held_bits;
            self.held_bits = self.held_bits.saturating_add(8);
        }
        let mask = (1u32 << self.bits).wrapping_sub(1);
        let code = self.held & mask;
        self.held >>= self.bits;
        self.held_bits = self.held_bits.saturating_sub(self.bits);
        self.codes = self.codes.wrapping_add(1);
        Ok(u16::try_from(code).ok())
    }

    /// Codes are written eight at a time: when their width changes, the rest of the eight is
    /// padding.
    fn widen(&mut self, bits: u32) -> io::Result<()> {
        let left = self.codes.wrapping_neg() & 7;
        let padding = left.saturating_mul(self.bits).saturating_sub(self.held_bits);
        self.front.skip(u64::from(padding.div_ceil(8)))?;
        (self.held, self.held_bits, self.codes) = (0, 0, 0);
        self.bits = bits;
        Ok(())
    }

    /// Undo one more code; whether there was one.
    fn step(&mut self, longest: u32, clears: bool) -> io::Result<bool> {
        let used = self.table.len().saturating_add(256);
        if self.bits < longest && used > (1usize << self.bits).saturating_sub(1) {
            self.widen(self.bits.saturating_add(1))?;
        }
        let Some(code) = self.code()? else { return Ok(false) };
        if clears && code == CLEAR {
            self.table.clear();
            self.table.push((0, 0));
            self.last = None;
            self.widen(9)?;
            return Ok(true);
        }
        let known = usize::from(code) < used;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a code is not known yet");
        let mut at = code;
        if !known {
            // The code that is being made: the last text and its own first byte.
            at = self.last.filter(|_| usize::from(code) == used).ok_or_else(damaged)?;
            self.text.push(self.first);
        }
        while let Some(entry) = at.checked_sub(256) {
            let (before, byte) = self.table.get(usize::from(entry)).copied().ok_or_else(damaged)?;
            // An entry continues an older one.
            if before >= at || self.text.len() > usize::from(u16::MAX) {
                return Err(damaged());
            }
            self.text.push(byte);
            at = before;
        }
        self.first = u8::try_from(at).unwrap_or(0);
        self.text.push(self.first);
        if let Some(last) = self.last
            && used < 1usize << longest
        {
            self.table.push((last, self.first));
        }
        self.last = Some(code);
        Ok(true)
    }
}

impl Read for Lzw<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (longest, clears) = if let Some(header) = self.header {
            header
        } else {
            let header = self.front.take_vec(3)?;
            let flags = header.get(2).copied().ok_or(io::ErrorKind::UnexpectedEof)?;
            let clears = flags & 0x80 != 0;
            if clears {
                self.table.push((0, 0));
            }
            *self.header.insert((u32::from(flags & 0x1f), clears))
        };
        let mut filled = 0usize;
        for to in &mut *buf {
            while self.text.is_empty() && !self.ended {
                match self.step(longest, clears) {
                    Ok(more) => self.ended = !more,
                    Err(error) => {
                        self.ended = true;
                        self.text.clear();
                        self.error = Some(error);
                    }
                }
            }
            let Some(byte) = self.text.pop() else { break };
            *to = byte;
            filled = filled.saturating_add(1);
        }
        // What was undone before the damage goes first.
        match self.error.take_if(|_| filled == 0) {
            Some(error) => Err(error),
            None => Ok(filled),
        }
    }
}
