//! bzip2: streams of blocks, one behind the other
//! ([the tool](https://sourceware.org/bzip2/)).

use super::stream::{Codec, Front, Step, Stepped, Streams};
use super::{Given, Head, Open, Out, Unpacker};
use crate::error::Result;
use bzip2::{Decompress, Status};
use std::io::{self, Read};

pub(super) const UNPACKER: Unpacker = Unpacker { name: "bzip2", applies, open: Open::Stream(open) };

fn applies(head: &Head<'_>) -> bool {
    is_bzip2(head.bytes)
}

/// The magic, the size of blocks, and the number that the first block or the end begins with.
fn is_bzip2(bytes: &[u8]) -> bool {
    bytes.get(4..10).is_some_and(|block| block == b"1AY&SY" || block == b"\x17\x72\x45\x38\x50\x90")
        && matches!(bytes, [b'B', b'Z', b'h', b'1'..=b'9', ..])
}

fn open(bytes: &mut dyn Read, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let codec = Codec { magic: b"BZh", begins: is_bzip2, new: bzip2, end: Stepped::into_front };
    Streams::new(Front::new(bytes), codec).hand_out(given, out)
}

/// One stream.
pub(super) fn bzip2(front: Front<'_>) -> Stepped<'_, Bzip2> {
    Stepped::new(front, Bzip2(Decompress::new(false)))
}

pub(super) struct Bzip2(Decompress);

impl Step for Bzip2 {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> (usize, usize, io::Result<bool>) {
        let (taken, made) = (self.0.total_in(), self.0.total_out());
        let result = self.0.decompress(input, output);
        let since = |now: u64, then: u64| usize::try_from(now.saturating_sub(then)).unwrap_or(0);
        let taken = since(self.0.total_in(), taken);
        let made = since(self.0.total_out(), made);
        let ended = result.map(|status| status == Status::StreamEnd).map_err(io::Error::other);
        (taken.min(input.len()), made.min(output.len()), ended)
    }
}
