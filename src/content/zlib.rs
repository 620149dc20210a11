//! zlib: one stream of DEFLATE behind two bytes
//! ([RFC 1950](https://www.rfc-editor.org/rfc/rfc1950)). The two bytes say little, so a beginning
//! counts that can be undone.

use super::deflate::Inflate;
use super::stream::{Codec, Front, Step, Stepped, Streams};
use super::{Given, Head, Open, Out, Unpacker};
use crate::error::Result;
use std::io::Read;

pub(super) const UNPACKER: Unpacker = Unpacker { name: "zlib", applies, open: Open::Stream(open) };

/// Bytes that a beginning has to unpack to, if the stream goes on behind it.
const ENOUGH: usize = 64;

fn applies(head: &Head<'_>) -> bool {
    let [0x78, second, ..] = *head.bytes else { return false };
    // The method and window that everybody uses; a multiple of 31; no dictionary.
    let header = u16::from_be_bytes([0x78, second]);
    if !header.is_multiple_of(31) || second & 0x20 != 0 {
        return false;
    }
    let mut unpacked = [0; 1024];
    let (_, made, result) = Inflate::zlib().step(head.bytes, &mut unpacked);
    matches!(result, Ok(ended) if ended || made >= ENOUGH)
}

fn open(bytes: &mut dyn Read, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let codec = Codec {
        magic: b"",
        begins: |_| false,
        new: |front| Stepped::new(front, Inflate::zlib()),
        end: Stepped::into_front,
    };
    Streams::new(Front::new(bytes), codec).hand_out(given, out)
}

#[cfg(test)]
mod tests {
    use crate::content::probe::listing;
    use std::io::Write as _;

    #[test]
    fn a_stream_is_known_by_what_it_unpacks_to() {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        zlib.write_all(b"some words").unwrap();
        let packed = zlib.finish().unwrap();
        assert_eq!(listing("x", &packed), ["zlib = some words"]);
        assert!(listing("x", b"x\x9c is how a text may begin, for all we know").is_empty());
        assert!(listing("x", b"x\x9c").is_empty());
    }
}
