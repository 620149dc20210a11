//! Zstandard: frames, one behind the other, and others to be skipped
//! ([RFC 8878](https://www.rfc-editor.org/rfc/rfc8878)).

use super::stream::{Codec, Front, Streams};
use super::{Given, Head, Open, Out, Unpacker};
use crate::bytes::{take, u8_at, u32_le};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, Read};

pub(super) const UNPACKER: Unpacker = Unpacker { name: "zstd", applies, open: Open::Stream(open) };

const MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";

/// An empty block that is the last, and bytes for a checksum, which is not looked at: what ends a
/// frame that is cut, so that the decoder hands out what it holds back.
const END: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

/// A frame, also behind one to be skipped.
fn applies(head: &Head<'_>) -> bool {
    let behind = u32_le(head.bytes, 4).ok().and_then(|len| usize::try_from(len).ok());
    let behind = behind.and_then(|len| len.checked_add(8));
    let next = behind.and_then(|at| head.bytes.get(at..));
    let is_zstd = |bytes: &[u8]| bytes.starts_with(MAGIC);
    is_zstd(head.bytes) || is_skipped(head.bytes) && next.is_some_and(is_zstd)
}

/// A frame of a user's own, which LZ4 has too.
pub(super) fn is_skipped(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn open(bytes: &mut dyn Read, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let codec = Codec {
        magic: MAGIC,
        begins: |bytes| bytes.starts_with(MAGIC) || is_skipped(bytes),
        new: Zstd::new,
        end: |zstd| zstd.front,
    };
    Streams::new(Front::new(bytes), codec).hand_out(given, out)
}

/// One frame.
pub(super) struct Zstd<'a> {
    front: Front<'a>,
    frame: Option<FrameDecoder>,
    begun: bool,
    error: Option<io::Error>,
}

impl<'a> Zstd<'a> {
    pub(super) fn new(front: Front<'a>) -> Zstd<'a> {
        Zstd { front, frame: None, begun: false, error: None }
    }

    /// Read the frame's header.
    fn begin(&mut self) -> io::Result<()> {
        self.begun = true;
        let header = self.front.peek(18)?;
        if is_skipped(header) {
            let len = u32_le(header, 4).map_err(io::Error::other)?;
            let whole = self.front.skip(u64::from(len).saturating_add(8))?;
            return if whole { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        // The decoder keeps as many bytes as the header asks for.
        if window(header).map_err(|_| io::ErrorKind::UnexpectedEof)? > limits::ZSTD_WINDOW_BYTES {
            return Err(io::Error::other(Error::new(
                ErrorKind::Limit,
                "a compressed stream needs a larger window than is held",
            )));
        }
        let mut frame = FrameDecoder::new();
        match frame.init(&mut self.front) {
            Ok(()) => self.frame = Some(frame),
            Err(ruzstd::decoding::errors::FrameDecoderError::DictNotProvided { .. }) => {
                let what = "a compressed stream needs a dictionary that is elsewhere";
                return Err(io::Error::other(Error::unsupported(what)));
            }
            Err(error) => {
                let below = self.front.failure();
                return Err(below.unwrap_or_else(|| io::Error::other(error.to_string())));
            }
        }
        Ok(())
    }
}

impl Read for Zstd<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.begun {
            self.begin()?;
        }
        let Some(frame) = &mut self.frame else { return Ok(0) };
        while frame.can_collect() == 0 && !frame.is_finished() {
            let one = || BlockDecodingStrategy::UptoBlocks(1);
            if let Err(error) = frame.decode_blocks(&mut self.front, one()) {
                let below = self.front.failure();
                self.error = below.or_else(|| Some(io::Error::other(error.to_string())));
                let ended = frame.decode_blocks(END, one());
                if ended.is_err() {
                    break;
                }
            }
        }
        let len = frame.read(buf)?;
        if len > 0 || buf.is_empty() {
            return Ok(len);
        }
        self.frame = None;
        self.error.take().map_or(Ok(0), Err)
    }
}

/// The window that a frame's header asks for.
fn window(header: &[u8]) -> Result<u64> {
    let descriptor = u8_at(header, 4)?;
    let dictionary = [0usize, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
    if descriptor & 0x20 == 0 {
        let byte = u8_at(header, 5)?;
        let base = 1u64.checked_shl(u32::from(byte >> 3).saturating_add(10)).unwrap_or(u64::MAX);
        return Ok(base.saturating_add((base >> 3).saturating_mul(u64::from(byte & 7))));
    }
    // All of it is one segment, as long as the content.
    let at = dictionary.saturating_add(5);
    let (len, more) = match descriptor >> 6 {
        0 => (1, 0),
        1 => (2, 256),
        2 => (4, 0),
        _ => (8, 0),
    };
    let bytes = take(header, at, len)?.iter().rev();
    let size = bytes.fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Ok(size.saturating_add(more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_it_asks_for() {
        for (header, expected) in [
            (b"\x28\xb5\x2f\xfd\x00\x00".as_slice(), 1024),
            (b"\x28\xb5\x2f\xfd\x00\x89", (1 << 27) + (1 << 24)),
            (b"\x28\xb5\x2f\xfd\x20\x07", 7),
            (b"\x28\xb5\x2f\xfd\x61\xaa\x00\x01", 512),
            (b"\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\x01\0\0", 1 << 40),
        ] {
            assert_eq!(window(header).unwrap(), expected, "{header:?}");
        }
    }

    /// It was begun again and again where it failed.
    #[test]
    fn a_header_that_is_damaged_is_left_behind() {
        let bytes = b"\x28\xb5\x2f\xfd\x08\x20\x00\x01\x00\x00";
        for len in 4..=bytes.len() {
            let lines = crate::content::probe::listing("x", &bytes[..len]);
            assert!(lines.len() <= 2 && lines[0] == "zstd = ", "{lines:?}");
        }
    }
}
