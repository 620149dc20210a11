//! The header of a 7z archive: properties, each behind its number. Nothing in it is believed about
//! how much there is: things are counted as they are read.

use crate::bytes::{u16_le, u32_le};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use std::ops::Range;

const END: u64 = 0;
const HEADER: u64 = 1;
const ARCHIVE: u64 = 2;
const STREAMS: u64 = 4;
const FILES: u64 = 5;
const PACKED: u64 = 6;
const FOLDERS: u64 = 7;
const FILE_SIZES: u64 = 8;
const SIZE: u64 = 9;
const CHECKSUMS: u64 = 10;
const FOLDER: u64 = 11;
const FOLDER_SIZES: u64 = 12;
const FILES_OF_FOLDER: u64 = 13;
const EMPTY: u64 = 14;
const NAMES: u64 = 17;
const PACKED_HEADER: u64 = 23;

/// What a header turns out to be.
pub(super) enum Parsed {
    Archive(Archive),
    /// A header that is packed itself.
    Packed(Streams),
}

#[derive(Default)]
pub(super) struct Archive {
    pub(super) streams: Streams,
    names: Vec<u8>,
    /// A bit for each file, whether it has no data.
    empty: Vec<u8>,
}

impl Archive {
    pub(super) fn names(&self) -> Names<'_> {
        Names(&self.names)
    }

    /// Whether a file has no data.
    pub(super) fn is_empty(&self, file: usize) -> bool {
        bit(&self.empty, file)
    }
}

/// The names of files, in UTF-16, each ended by a zero.
pub(super) struct Names<'a>(&'a [u8]);

impl Iterator for Names<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut units = Vec::new();
        while let Ok(unit) = u16_le(self.0, 0) {
            self.0 = self.0.get(2..).unwrap_or_default();
            if unit == 0 {
                let mut name = String::from_utf16_lossy(&units).into_bytes();
                name.truncate(limits::MEMBER_NAME_BYTES);
                return Some(name);
            }
            if units.len() < limits::MEMBER_NAME_BYTES {
                units.push(unit);
            }
        }
        None
    }
}

#[derive(Default)]
pub(super) struct Streams {
    pub(super) pack_at: u64,
    /// Lengths of the packed streams.
    pub(super) packed: Vec<u64>,
    pub(super) folders: Vec<Folder>,
    /// Lengths and checksums of the files, folder by folder.
    pub(super) sizes: Vec<(u64, Option<u32>)>,
}

/// Streams that unpack to one.
#[derive(Default)]
pub(super) struct Folder {
    pub(super) coders: Vec<Coder>,
    /// Which input reads which coder's output.
    pub(super) bound: Vec<(usize, usize)>,
    /// Which inputs read the packed streams.
    pub(super) packed: Vec<usize>,
    /// What each coder's output is long.
    pub(super) sizes: Vec<u64>,
    /// How many files it holds.
    pub(super) files: usize,
    crc: Option<u32>,
}

pub(super) struct Coder {
    pub(super) id: Vec<u8>,
    pub(super) inputs: usize,
    pub(super) properties: Vec<u8>,
}

impl Folder {
    pub(super) fn inputs(&self) -> usize {
        self.coders.iter().fold(0, |sum, coder| sum.saturating_add(coder.inputs))
    }

    pub(super) fn inputs_of(&self, coder: usize) -> Range<usize> {
        let before = self.coders.iter().take(coder);
        let start = before.fold(0usize, |sum, coder| sum.saturating_add(coder.inputs));
        let len = self.coders.get(coder).map_or(0, |coder| coder.inputs);
        start..start.saturating_add(len)
    }

    /// What it is long when unpacked: the output that nobody reads.
    pub(super) fn size(&self) -> u64 {
        let mut free = (0..self.sizes.len()).filter(|o| !self.bound.iter().any(|(_, b)| b == o));
        free.next().and_then(|output| self.sizes.get(output)).copied().unwrap_or(0)
    }
}

fn damaged() -> Error {
    Error::corrupt("the header of a 7z archive is damaged")
}

/// The header that was read.
pub(super) fn parse(header: &[u8]) -> Result<Parsed> {
    let mut rest = Rest(header);
    match rest.number()? {
        PACKED_HEADER => Ok(Parsed::Packed(streams(&mut rest)?)),
        HEADER => archive(&mut rest).map(Parsed::Archive),
        _ => Err(damaged()),
    }
}

fn archive(rest: &mut Rest<'_>) -> Result<Archive> {
    let mut archive = Archive::default();
    loop {
        match rest.number()? {
            END => return Ok(archive),
            ARCHIVE => {
                while rest.number()? != END {
                    let len = rest.number()?;
                    rest.take(len)?;
                }
            }
            STREAMS => archive.streams = streams(rest)?,
            FILES => files(rest, &mut archive)?,
            _ => return Err(damaged()),
        }
    }
}

fn streams(rest: &mut Rest<'_>) -> Result<Streams> {
    let mut streams = Streams::default();
    loop {
        match rest.number()? {
            END => break,
            PACKED => packed(rest, &mut streams)?,
            FOLDERS => folders(rest, &mut streams)?,
            FILE_SIZES => {
                sizes(rest, &mut streams)?;
                return if rest.number()? == END { Ok(streams) } else { Err(damaged()) };
            }
            _ => return Err(damaged()),
        }
    }
    // Without more, every folder is a file.
    streams.sizes = streams.folders.iter().map(|folder| (folder.size(), folder.crc)).collect();
    Ok(streams)
}

fn packed(rest: &mut Rest<'_>, streams: &mut Streams) -> Result<()> {
    streams.pack_at = rest.number()?;
    let count = rest.count()?;
    loop {
        match rest.number()? {
            END => return Ok(()),
            SIZE => {
                for _ in 0..count {
                    streams.packed.push(rest.number()?);
                }
            }
            CHECKSUMS => {
                rest.checksums(count)?;
            }
            _ => return Err(damaged()),
        }
    }
}

fn folders(rest: &mut Rest<'_>, streams: &mut Streams) -> Result<()> {
    if rest.number()? != FOLDER {
        return Err(damaged());
    }
    let count = rest.count()?;
    rest.inside()?;
    for _ in 0..count {
        streams.folders.push(folder(rest)?);
    }
    loop {
        match rest.number()? {
            END => return Ok(()),
            FOLDER_SIZES => {
                for folder in &mut streams.folders {
                    for _ in 0..folder.coders.len() {
                        folder.sizes.push(rest.number()?);
                    }
                }
            }
            CHECKSUMS => {
                let sums = rest.checksums(count)?;
                for (folder, crc) in streams.folders.iter_mut().zip(sums) {
                    folder.crc = crc;
                }
            }
            _ => return Err(damaged()),
        }
    }
}

fn folder(rest: &mut Rest<'_>) -> Result<Folder> {
    let mut folder = Folder { files: 1, ..Folder::default() };
    let count = rest.number()?;
    if count == 0 || count > limits::SEVENZIP_CODERS {
        return Err(damaged());
    }
    for _ in 0..count {
        let flags = rest.byte()?;
        let id = rest.take(u64::from(flags & 15))?.to_vec();
        let (inputs, outputs) =
            if flags & 0x10 != 0 { (rest.number()?, rest.number()?) } else { (1, 1) };
        if inputs > limits::SEVENZIP_CODERS || outputs != 1 {
            return Err(Error::unsupported("a step of a 7z archive that has several outputs"));
        }
        let len = if flags & 0x20 != 0 { rest.number()? } else { 0 };
        let properties = rest.take(len)?.to_vec();
        let inputs = usize::try_from(inputs).unwrap_or(0);
        folder.coders.push(Coder { id, inputs, properties });
    }
    let index = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    for _ in 1..count {
        folder.bound.push((index(rest.number()?), index(rest.number()?)));
    }
    let packed = folder.inputs().checked_sub(folder.bound.len()).ok_or_else(damaged)?;
    if packed == 1 {
        let free = (0..folder.inputs()).find(|input| !folder.bound.iter().any(|(i, _)| i == input));
        folder.packed.push(free.ok_or_else(damaged)?);
    } else {
        for _ in 0..packed {
            folder.packed.push(index(rest.number()?));
        }
    }
    Ok(folder)
}

/// How many files each folder holds, and how long they are.
fn sizes(rest: &mut Rest<'_>, streams: &mut Streams) -> Result<()> {
    let mut property = rest.number()?;
    if property == FILES_OF_FOLDER {
        let mut all = 0usize;
        for folder in &mut streams.folders {
            folder.files = rest.count()?;
            all = all.saturating_add(folder.files);
        }
        if all > limits::SEVENZIP_ITEMS {
            return Err(many());
        }
        property = rest.number()?;
    }
    let told = property == SIZE;
    for folder in &streams.folders {
        let mut left = folder.size();
        for _ in 1..folder.files {
            let size = if told { rest.number()? } else { 0 };
            left = left.checked_sub(size).ok_or_else(damaged)?;
            streams.sizes.push((size, None));
        }
        if folder.files > 0 {
            // What is left is the last one's.
            let crc = folder.crc.filter(|_| folder.files == 1);
            streams.sizes.push((left, crc));
        }
    }
    if told {
        property = rest.number()?;
    }
    while property != END {
        if property != CHECKSUMS {
            return Err(damaged());
        }
        // A folder's own checksum is that of its one file.
        let known: Vec<bool> = streams
            .folders
            .iter()
            .flat_map(|folder| {
                let known = folder.files == 1 && folder.crc.is_some();
                std::iter::repeat_n(known, folder.files)
            })
            .collect();
        let unknown = known.iter().filter(|known| !**known).count();
        let mut sums = rest.checksums(unknown)?.into_iter();
        for (size, known) in streams.sizes.iter_mut().zip(known) {
            if !known {
                size.1 = sums.next().flatten();
            }
        }
        property = rest.number()?;
    }
    Ok(())
}

fn files(rest: &mut Rest<'_>, archive: &mut Archive) -> Result<()> {
    let count = rest.count()?;
    loop {
        let property = rest.number()?;
        if property == END {
            return Ok(());
        }
        let len = rest.number()?;
        let mut value = Rest(rest.take(len)?);
        match property {
            EMPTY => {
                archive.empty = value.take(count.div_ceil(8).try_into().unwrap_or(0))?.to_vec();
            }
            NAMES => {
                value.inside()?;
                archive.names = value.0.to_vec();
            }
            _ => {}
        }
    }
}

fn many() -> Error {
    Error::new(ErrorKind::Limit, "a 7z archive holds too many files")
}

/// A bit, counted from the highest of the first byte.
fn bit(bits: &[u8], at: usize) -> bool {
    bits.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0)
}

/// What is left of a header.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.0.split_first().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8]> {
        let len = usize::try_from(len).map_err(|_| damaged())?;
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number: the ones that the first byte begins with are the bytes that follow it.
    fn number(&mut self) -> Result<u64> {
        let first = self.byte()?;
        let more = first.leading_ones();
        let bytes = self.take(more.into())?;
        let low = bytes.iter().rev().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let mask = 0x7fu8.checked_shr(more).unwrap_or(0);
        let high = u64::from(first & mask).checked_shl(more.saturating_mul(8)).unwrap_or(0);
        Ok(high | low)
    }

    /// A number of things.
    fn count(&mut self) -> Result<usize> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if count > limits::SEVENZIP_ITEMS { Err(many()) } else { Ok(count) }
    }

    /// What follows stands here, and not in another stream.
    fn inside(&mut self) -> Result<()> {
        match self.byte()? {
            0 => Ok(()),
            _ => Err(Error::unsupported("a 7z archive with a header in parts")),
        }
    }

    /// Checksums, of those that have one.
    fn checksums(&mut self, count: usize) -> Result<Vec<Option<u32>>> {
        let all = self.byte()? != 0;
        let len = if all { 0 } else { count.div_ceil(8) };
        let defined = self.take(len.try_into().unwrap_or(u64::MAX))?;
        let mut sums = Vec::new();
        for number in 0..count {
            let has = all || bit(defined, number);
            sums.push(if has { Some(u32_le(self.take(4)?, 0)?) } else { None });
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_with_their_first_byte() {
        for (bytes, expected) in [
            (b"\x7f".as_slice(), 0x7f),
            (b"\x81\x02", 0x102),
            (b"\xc1\x02\x03", 0x1_0302),
            (b"\xff\x01\x02\x03\x04\x05\x06\x07\x08", 0x0807_0605_0403_0201),
            (b"\xfe\x01\x02\x03\x04\x05\x06\x07", 0x07_0605_0403_0201),
        ] {
            assert_eq!(Rest(bytes).number().unwrap(), expected, "{bytes:x?}");
        }
        assert!(Rest(b"\xff\x01").number().is_err());
    }
}
