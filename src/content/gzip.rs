//! gzip: streams of DEFLATE, one behind the other, each with its checksum
//! ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)).

use super::stream::{Codec, Front, Streams};
use super::{Given, Head, Open, Out, Unpacker};
use crate::error::Result;
use flate2::bufread::GzDecoder;
use std::io::Read;

pub(super) const UNPACKER: Unpacker = Unpacker { name: "gzip", applies, open: Open::Stream(open) };

/// The magic, the one method there is, and flags without the reserved ones.
fn applies(head: &Head<'_>) -> bool {
    is_gzip(head.bytes)
}

fn is_gzip(bytes: &[u8]) -> bool {
    matches!(bytes, [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0)
}

fn open(bytes: &mut dyn Read, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let codec = Codec {
        magic: &[0x1f, 0x8b, 8],
        begins: is_gzip,
        new: GzDecoder::new,
        end: GzDecoder::into_inner,
    };
    Streams::new(Front::new(bytes), codec).hand_out(out)
}

#[cfg(test)]
mod tests {
    use crate::content::probe;
    use std::io::Write as _;

    #[test]
    fn all_streams_of_a_file_are_one() {
        let mut packed = Vec::new();
        for part in [b"one ".as_slice(), b"two"] {
            let mut gzip = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
            gzip.write_all(part).unwrap();
            gzip.finish().unwrap();
        }
        assert_eq!(probe::listing("x.gz", &packed), ["gzip = one two"]);
        let cut = packed.get(..packed.len() - 9).unwrap();
        assert_eq!(probe::listing("x.gz", cut), ["gzip = one two", "gzip: Corrupt"]);
        packed.extend([0; 700]);
        assert_eq!(probe::listing("x.gz", &packed), ["gzip = one two"]);
    }
}
