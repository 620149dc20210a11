//! LZ4: frames, one behind the other, and the frames of the first version
//! ([the format](https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md)). A block that is
//! damaged is left out; the next is read on.

use super::stream::{Codec, Front, Streams};
use super::zstd::is_skipped;
use super::{Given, Head, Open, Out, Unpacker};
use crate::bytes::u32_le;
use crate::error::{Error, Result};
use lz4_flex::block::decompress_into_with_dict;
use std::io::{self, Read};

pub(super) const UNPACKER: Unpacker = Unpacker { name: "lz4", applies, open: Open::Stream(open) };

const MAGIC: &[u8] = b"\x04\x22\x4d\x18";
const LEGACY: &[u8] = b"\x02\x21\x4c\x18";

/// Bytes that a block of the first version unpacks to.
const LEGACY_BLOCK: usize = 8 << 20;

/// And what that may take when it cannot be packed.
const LEGACY_PACKED: usize = LEGACY_BLOCK + LEGACY_BLOCK / 255 + 16;

/// How far a block reaches back into those before it.
const REACH: usize = 64 << 10;

fn applies(head: &Head<'_>) -> bool {
    head.bytes.starts_with(MAGIC) && head.bytes.get(4).is_some_and(|flags| flags >> 6 == 1)
        || head.bytes.starts_with(LEGACY)
}

fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(LEGACY) || is_skipped(bytes)
}

fn open(bytes: &mut dyn Read, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let codec = Codec { magic: MAGIC, begins, new: Lz4::new, end: |lz4| lz4.front };
    Streams::new(Front::new(bytes), codec).hand_out(given, out)
}

/// One frame.
pub(super) struct Lz4<'a> {
    front: Front<'a>,
    frame: Option<Frame>,
    begun: bool,
    /// Bytes that were unpacked, and how many of them were handed out.
    unpacked: Vec<u8>,
    at: usize,
    /// The end of what was unpacked before.
    before: Vec<u8>,
    error: Option<io::Error>,
}

#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "they are the format's")]
struct Frame {
    legacy: bool,
    /// The most that a block unpacks to.
    most: usize,
    linked: bool,
    checked_blocks: bool,
    checked: bool,
}

impl<'a> Lz4<'a> {
    pub(super) fn new(front: Front<'a>) -> Lz4<'a> {
        let (unpacked, before) = (Vec::new(), Vec::new());
        Lz4 { front, frame: None, begun: false, unpacked, at: 0, before, error: None }
    }

    fn begin(&mut self) -> io::Result<()> {
        self.begun = true;
        let header = self.front.peek(15)?.to_vec();
        if header.starts_with(LEGACY) {
            self.front.skip(4)?;
            let (linked, checked_blocks, checked) = (false, false, false);
            self.frame =
                Some(Frame { legacy: true, most: LEGACY_BLOCK, linked, checked_blocks, checked });
            return Ok(());
        }
        if is_skipped(&header) {
            let len = u32_le(&header, 4).map_err(|_| io::ErrorKind::UnexpectedEof)?;
            let whole = self.front.skip(u64::from(len).saturating_add(8))?;
            return if whole { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        let [_, _, _, _, flags, sizes, ..] = *header else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if flags >> 6 != 1 || flags & 1 != 0 {
            let what = "an LZ4 stream is of another version, or needs a dictionary";
            return Err(io::Error::other(Error::unsupported(what)));
        }
        let most = match sizes >> 4 & 7 {
            4 => 64 << 10,
            5 => 256 << 10,
            6 => 1 << 20,
            7 => 4 << 20,
            _ => return Err(io::Error::other("no such size of blocks")),
        };
        self.front.skip(if flags & 8 != 0 { 15 } else { 7 })?;
        self.frame = Some(Frame {
            legacy: false,
            most,
            linked: flags & 0x20 == 0,
            checked_blocks: flags & 0x10 != 0,
            checked: flags & 4 != 0,
        });
        Ok(())
    }

    /// Unpack the next block; whether there was one.
    fn block(&mut self, frame: Frame) -> io::Result<bool> {
        let header = self.front.peek(4)?;
        let Ok(word) = u32_le(header, 0) else {
            let ended = frame.legacy && header.is_empty();
            return if ended { Ok(false) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        };
        // Nothing tells the end of a legacy frame but that what follows is no length.
        let most = if frame.legacy { LEGACY_PACKED } else { frame.most };
        let len = usize::try_from(word & 0x7fff_ffff).unwrap_or(usize::MAX);
        if frame.legacy && (len > most || word >> 31 != 0) {
            return Ok(false);
        }
        self.front.skip(4)?;
        if word == 0 {
            self.front.skip(if frame.checked { 4 } else { 0 })?;
            return Ok(false);
        }
        if len > most {
            return Err(io::Error::other("a block is too long"));
        }
        let block = self.front.take_vec(len)?;
        self.front.skip(if frame.checked_blocks { 4 } else { 0 })?;
        self.at = 0;
        let cut = block.len() < len;
        if word >> 31 != 0 {
            self.unpacked = block;
        } else {
            self.unpacked.resize(frame.most, 0);
            let made = decompress_into_with_dict(&block, &mut self.unpacked, &self.before);
            self.unpacked.truncate(*made.as_ref().unwrap_or(&0));
            if let Err(error) = made {
                self.error.get_or_insert(io::Error::other(error));
            }
        }
        if frame.linked {
            self.before.extend_from_slice(&self.unpacked);
            self.before.drain(..self.before.len().saturating_sub(REACH));
        }
        if cut {
            self.error.get_or_insert(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(!cut || !self.unpacked.is_empty())
    }
}

impl Read for Lz4<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.begun {
            self.begin()?;
        }
        while self.at >= self.unpacked.len() {
            let Some(frame) = self.frame else { return self.error.take().map_or(Ok(0), Err) };
            match self.block(frame) {
                Ok(true) => {}
                Ok(false) => self.frame = None,
                Err(error) => {
                    self.error.get_or_insert(error);
                    self.frame = None;
                }
            }
        }
        let ready = self.unpacked.get(self.at..).unwrap_or_default();
        let len = ready.len().min(buf.len());
        buf.iter_mut().zip(ready).for_each(|(to, from)| *to = *from);
        self.at = self.at.saturating_add(len);
        Ok(len)
    }
}
