//! The methods by which members of zip archives are packed.

use super::Entry;
use crate::bytes::{u16_le, u32_le};
use crate::content::bzip2::bzip2;
use crate::content::deflate::Inflate;
use crate::content::failed;
use crate::content::lzma::Lzma;
use crate::content::stream::{Front, Stepped};
use crate::content::xz::xz;
use crate::content::zstd::Zstd;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use lzma_rust2::LzmaStream;
use std::io::Read;

pub(super) const STORED: u16 = 0;
pub(super) const DEFLATE: u16 = 8;
const DEFLATE64: u16 = 9;
pub(super) const BZIP2: u16 = 12;
const LZMA: u16 = 14;
const ZSTD: [u16; 2] = [20, 93];
const XZ: u16 = 95;

/// The bytes of a member, unpacked.
pub(super) fn unpacked<'a>(entry: &Entry, packed: Front<'a>) -> Result<Box<dyn Read + 'a>> {
    Ok(match entry.method {
        STORED => Box::new(packed),
        DEFLATE => Box::new(Stepped::new(packed, Inflate::raw())),
        DEFLATE64 => Box::new(deflate64::Deflate64Decoder::with_buffer(packed)),
        BZIP2 => Box::new(bzip2(packed)),
        LZMA => Box::new(lzma(entry, packed)?),
        XZ => Box::new(xz(packed)),
        method if ZSTD.contains(&method) => Box::new(Zstd::new(packed)),
        method => {
            let what = "a member of a zip archive is packed by a method that is not read";
            return Err(Error::unsupported(what).detail(method));
        }
    })
}

/// LZMA behind its own little header: a version, and the properties with their length.
fn lzma<'a>(entry: &Entry, mut packed: Front<'a>) -> Result<Stepped<'a, Lzma>> {
    let header = packed.take_vec(9).map_err(failed)?;
    let dictionary = u32_le(&header, 5)?;
    let properties = header.get(4).copied().unwrap_or(0);
    if u16_le(&header, 2)? != 5 {
        return Err(Error::unsupported("LZMA with other properties"));
    }
    if dictionary / 1024 > limits::DICTIONARY_KIB {
        let what = "a compressed stream needs a larger dictionary than is held";
        return Err(Error::new(ErrorKind::Limit, what));
    }
    let size = if entry.flags & 2 != 0 { u64::MAX } else { entry.size };
    let stream = LzmaStream::new_with_props(size, properties, dictionary, None);
    Ok(Stepped::new(packed, Lzma(stream.map_err(failed)?)))
}
