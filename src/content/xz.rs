//! xz: streams of LZMA2, with checksums and filters
//! ([the format](https://tukaani.org/xz/xz-file-format.txt)).

use super::lzma::Xz;
use super::stream::{Codec, Front, Stepped, Streams};
use super::{Given, Head, Open, Out, Unpacker};
use crate::error::Result;
use crate::limits;
use lzma_rust2::XzStream;
use std::io::Read;

pub(super) const UNPACKER: Unpacker = Unpacker { name: "xz", applies, open: Open::Stream(open) };

const MAGIC: &[u8] = b"\xfd7zXZ\0";

fn applies(head: &Head<'_>) -> bool {
    is_xz(head.bytes)
}

fn is_xz(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

fn open(bytes: &mut dyn Read, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let codec = Codec { magic: MAGIC, begins: is_xz, new: xz, end: Stepped::into_front };
    Streams::new(Front::new(bytes), codec).hand_out(given, out)
}

/// One stream.
pub(super) fn xz(front: Front<'_>) -> Stepped<'_, Xz> {
    Stepped::new(front, Xz(XzStream::new_mem_limit(false, limits::DICTIONARY_KIB)))
}
