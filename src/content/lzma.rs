//! LZMA alone: the old `.lzma` files, and the payload of old packages and initramfs
//! ([the format](https://github.com/tukaani-project/xz/blob/master/doc/lzma-file-format.txt)).

use super::stream::{Codec, Front, Step, Stepped, Streams};
use super::{Given, Head, Open, Out, Unpacker};
use crate::bytes::{u32_le, u64_le};
use crate::error::Result;
use crate::limits;
use lzma_rust2::{Action, Lzma2Stream, LzmaStream, Status, XzStream};
use std::io::{self, Read};

pub(super) const UNPACKER: Unpacker = Unpacker { name: "lzma", applies, open: Open::Stream(open) };

/// There is no magic: the properties that everybody uses, a dictionary as encoders make it, a
/// length that is told at the end or fits a disk, and the zero that all data begins with. By name,
/// other properties will do.
fn applies(head: &Head<'_>) -> bool {
    let Some(properties) = head.bytes.first() else { return false };
    let (Ok(dictionary), Ok(size)) = (u32_le(head.bytes, 1), u64_le(head.bytes, 5)) else {
        return false;
    };
    let begins = head.bytes.get(13) == Some(&0);
    let rounded = dictionary.is_power_of_two()
        || (dictionary.count_ones() == 2 && dictionary & (dictionary << 1) != 0);
    let fits = size == u64::MAX || size < 1 << 38;
    let named = head.name.to_ascii_lowercase().ends_with(b".lzma");
    begins && fits && (named && *properties < 225 || *properties == 0x5d && rounded && size > 0)
}

fn open(bytes: &mut dyn Read, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let codec = Codec {
        magic: b"",
        begins: |_| false,
        new: |front| {
            let stream = LzmaStream::new_mem_limit(limits::DICTIONARY_KIB, None);
            Stepped::new(front, Lzma(stream))
        },
        end: Stepped::into_front,
    };
    Streams::new(Front::new(bytes), codec).hand_out(given, out)
}

/// One stream of LZMA, with or without a header.
pub(super) struct Lzma(pub(super) LzmaStream);

/// One stream of LZMA2.
pub(super) struct Lzma2(pub(super) Lzma2Stream);

/// One stream of xz.
pub(super) struct Xz(pub(super) XzStream);

/// The decoders have the same shape and no trait in common. What one made before it failed is told
/// by its counters alone.
macro_rules! step {
    ($name:ident) => {
        impl Step for $name {
            fn step(
                &mut self,
                input: &[u8],
                output: &mut [u8],
            ) -> (usize, usize, io::Result<bool>) {
                let (taken, made) = (self.0.total_in(), self.0.total_out());
                let action = if input.is_empty() { Action::Finish } else { Action::Run };
                match self.0.process(input, output, action) {
                    Ok(did) => {
                        let ended = did.status == Status::StreamEnd;
                        (did.bytes_consumed, did.bytes_produced, Ok(ended))
                    }
                    Err(error) => {
                        let taken = since(self.0.total_in(), taken).min(input.len());
                        let made = since(self.0.total_out(), made).min(output.len());
                        (taken, made, Err(error))
                    }
                }
            }
        }
    };
}

step!(Lzma);
step!(Lzma2);
step!(Xz);

fn since(now: u64, then: u64) -> usize {
    usize::try_from(now.saturating_sub(then)).unwrap_or(0)
}
