//! The steps that unpack a stream of a 7z archive.

use super::Packed;
use super::header::{Coder, Folder};
use crate::bytes::{ReadAt, u8_at, u32_le};
use crate::content::bzip2::bzip2;
use crate::content::deflate::Inflate;
use crate::content::failed;
use crate::content::lzma::{Lzma, Lzma2};
use crate::content::stream::{Front, Span, Stepped};
use crate::content::zstd::Zstd;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::bcj2::Bcj2Reader;
use lzma_rust2::filter::delta::DeltaReader;
use lzma_rust2::{Lzma2Stream, LzmaStream};
use std::io::Read;

type Stream<'a> = Box<dyn Read + 'a>;

/// The stream that the coders of a folder end in.
pub(super) fn stream<'a>(
    bytes: &'a dyn ReadAt,
    folder: &Folder,
    packed: &Packed<'_>,
) -> Result<Stream<'a>> {
    let wrong = || Error::corrupt("the streams of a 7z archive do not fit together");
    let mut inputs: Vec<Option<Stream<'a>>> = Vec::new();
    inputs.resize_with(folder.inputs(), || None);
    let mut at = packed.at;
    for (input, size) in folder.packed.iter().zip(packed.sizes) {
        *inputs.get_mut(*input).ok_or_else(wrong)? = Some(Box::new(Span::new(bytes, at, *size)));
        at = at.saturating_add(*size);
    }
    // A coder is made once all that it reads from is.
    let mut left: Vec<usize> = (0..folder.coders.len()).collect();
    while !left.is_empty() {
        let ready = left.iter().position(|number| {
            let mut needed = folder.inputs_of(*number);
            needed.all(|input| inputs.get(input).is_some_and(Option::is_some))
        });
        let number = left.remove(ready.ok_or_else(wrong)?);
        let taken = folder.inputs_of(number).filter_map(|input| inputs.get_mut(input)?.take());
        let taken: Vec<Stream<'a>> = taken.collect();
        let coder = folder.coders.get(number).ok_or_else(wrong)?;
        let size = folder.sizes.get(number).copied().ok_or_else(wrong)?;
        let made = make(coder, taken, size)?;
        match folder.bound.iter().find(|(_, output)| *output == number) {
            Some((input, _)) => *inputs.get_mut(*input).ok_or_else(wrong)? = Some(made),
            None if left.is_empty() => return Ok(Box::new(made.take(size))),
            None => return Err(wrong()),
        }
    }
    Err(wrong())
}

fn make<'a>(coder: &Coder, mut inputs: Vec<Stream<'a>>, size: u64) -> Result<Stream<'a>> {
    if coder.id == [3, 3, 1, 0x1b] && inputs.len() == 4 {
        return Ok(Box::new(Bcj2Reader::new(inputs, size)));
    }
    let (Some(input), true) = (inputs.pop(), inputs.is_empty()) else {
        return Err(Error::unsupported("a step of a 7z archive that has several inputs"));
    };
    let properties = &coder.properties;
    Ok(match *coder.id {
        [0] => input,
        [3, 1, 1] => {
            let (first, dictionary) = (u8_at(properties, 0)?, u32_le(properties, 1)?);
            fits(dictionary)?;
            let stream = LzmaStream::new_with_props(size, first, dictionary, None);
            Box::new(Stepped::new(Front::new(input), Lzma(stream.map_err(failed)?)))
        }
        [0x21] => {
            let dictionary = match u8_at(properties, 0)? {
                bits @ 0..40 => (2 | u32::from(bits & 1)) << (bits / 2).saturating_add(11),
                _ => u32::MAX,
            };
            fits(dictionary)?;
            Box::new(Stepped::new(Front::new(input), Lzma2(Lzma2Stream::new(dictionary))))
        }
        [3] => {
            let distance = usize::from(u8_at(properties, 0)?).saturating_add(1);
            Box::new(DeltaReader::new(input, distance))
        }
        [4] | [3, 3, 1, 3] => Box::new(BcjReader::new_x86(input, 0)),
        [5] | [3, 3, 2, 5] => Box::new(BcjReader::new_ppc(input, 0)),
        [6] | [3, 3, 4, 1] => Box::new(BcjReader::new_ia64(input, 0)),
        [7] | [3, 3, 5, 1] => Box::new(BcjReader::new_arm(input, 0)),
        [8] | [3, 3, 7, 1] => Box::new(BcjReader::new_arm_thumb(input, 0)),
        [9] | [3, 3, 8, 5] => Box::new(BcjReader::new_sparc(input, 0)),
        [0x0a] => Box::new(BcjReader::new_arm64(input, 0)),
        [4, 1, 8] => Box::new(Stepped::new(Front::new(input), Inflate::raw())),
        [4, 1, 9] => Box::new(deflate64::Deflate64Decoder::with_buffer(Front::new(input))),
        [4, 2, 2] => Box::new(bzip2(Front::new(input))),
        [4, 0xf7, 0x11, 1] => Box::new(Zstd::new(Front::new(input))),
        [6, 0xf1, 7, 1] => {
            return Err(Error::new(ErrorKind::Encrypted, "a 7z archive is encrypted"));
        }
        _ => {
            let what = "a 7z archive is packed by a method that is not read";
            return Err(Error::unsupported(what).detail(format_args!("{:02x?}", coder.id)));
        }
    })
}

fn fits(dictionary: u32) -> Result<()> {
    if dictionary / 1024 > limits::DICTIONARY_KIB {
        let what = "a compressed stream needs a larger dictionary than is held";
        return Err(Error::new(ErrorKind::Limit, what));
    }
    Ok(())
}
