//! Packed blocks: short pieces that a format compresses one by one.

use crate::error::{Error, Result};
use crate::limits;
use flate2::bufread::ZlibDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;
use std::io::Read;

/// How a block is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Zlib,
    Xz,
    Lz4,
    Zstd,
}

/// What a block holds, which is at most `most` bytes; the caller has bounded that.
pub(super) fn unpack(method: Method, packed: &[u8], most: usize) -> Result<Vec<u8>> {
    match method {
        Method::Zlib => read(ZlibDecoder::new(packed), most),
        Method::Xz => {
            read(XzReader::new_mem_limit(packed, false, limits::PACKED_XZ_KILOBYTES), most)
        }
        Method::Zstd => {
            let decoder = StreamingDecoder::new(packed);
            read(decoder.map_err(|error| damaged().detail(error))?, most)
        }
        Method::Lz4 => {
            let mut bytes = vec![0; most];
            let len = lz4_flex::block::decompress_into(packed, &mut bytes);
            bytes.truncate(len.map_err(|error| damaged().caused_by(error))?);
            Ok(bytes)
        }
    }
}

fn read(decoder: impl Read, most: usize) -> Result<Vec<u8>> {
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    decoder.take(bound).read_to_end(&mut bytes).map_err(|error| damaged().caused_by(error))?;
    if bytes.len() > most {
        return Err(Error::corrupt("a packed block is longer than it may be"));
    }
    Ok(bytes)
}

fn damaged() -> Error {
    Error::corrupt("a packed block is damaged")
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "a test may panic"
    )]

    use super::*;
    use std::io::Write as _;

    #[test]
    fn blocks_hold_no_more_than_they_may() {
        let text = b"the same and the same and the same".repeat(9);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        zlib.write_all(&text).unwrap();
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let packed = [
            (Method::Zlib, zlib.finish().unwrap()),
            (Method::Lz4, lz4_flex::block::compress(&text)),
            (Method::Zstd, ruzstd::encoding::compress_to_vec(&*text, level)),
        ];
        for (method, packed) in packed {
            assert_eq!(unpack(method, &packed, text.len()).unwrap(), text, "{method:?}");
            assert!(unpack(method, &packed, text.len() - 1).is_err(), "{method:?}");
            for len in 0..packed.len() {
                drop(unpack(method, &packed[..len], text.len()));
            }
        }
    }
}
