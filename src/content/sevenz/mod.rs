//! 7z: files joined to streams, each packed by one or more steps, and a header at the end that
//! tells it all ([7zFormat.txt](https://github.com/ip7z/7zip/blob/main/DOC/7zFormat.txt)).

mod coder;
mod header;

use super::stream::{About, Checked, Span};
use super::{Found, From, Given, Head, Open, Out, Unpacker};
use crate::bytes::{ReadAt, read_vec, u32_le, u64_le};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::run::Run;
use header::{Archive, Folder, Names, Parsed, Streams};
use std::io::{self, Read};

pub(super) const UNPACKER: Unpacker = Unpacker { name: "7z", applies, open: Open::Random(open) };

/// Bytes before the first packed stream.
const BASE: u64 = 32;

fn applies(head: &Head<'_>) -> bool {
    head.bytes.starts_with(b"7z\xbc\xaf\x27\x1c")
}

fn open(bytes: &dyn ReadAt, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let Some(archive) = archive(bytes)? else { return Ok(()) };
    let mut reading = Reading { bytes, archive: &archive, names: archive.names(), file: 0 };
    let mut pack = 0;
    let mut at = BASE.saturating_add(archive.streams.pack_at);
    let mut sizes = archive.streams.sizes.iter();
    for folder in &archive.streams.folders {
        let packed = archive.streams.packed.get(pack..).unwrap_or_default();
        let packed = packed.get(..folder.packed.len()).unwrap_or(packed);
        pack = pack.saturating_add(packed.len());
        let begin = at;
        at = packed.iter().fold(at, |at, size| at.saturating_add(*size));
        let runs = Packed { at: begin, sizes: packed, end: at };
        let files: Vec<_> = sizes.by_ref().take(folder.files).copied().collect();
        reading.folder(folder, &runs, &files, out)?;
    }
    Ok(())
}

/// Read the header; none of an empty archive.
fn archive(bytes: &dyn ReadAt) -> Result<Option<Archive>> {
    let start = read_vec(bytes, 0, 32)?;
    let (offset, size) = (u64_le(&start, 12)?, u64_le(&start, 20)?);
    if size == 0 {
        return Ok(None);
    }
    let mut header = held(Span::new(bytes, BASE.saturating_add(offset), size), size)?;
    if crc32fast::hash(&header) != u32_le(&start, 28)? {
        return Err(Error::corrupt("the header of a 7z archive is damaged"));
    }
    // A header may be packed, and that may be done again; nobody does it more often.
    for _ in 0..4 {
        match header::parse(&header)? {
            Parsed::Archive(archive) => return Ok(Some(archive)),
            Parsed::Packed(streams) => header = unpacked(bytes, &streams)?,
        }
    }
    Err(Error::corrupt("the header of a 7z archive is packed too often"))
}

/// The header that packed streams hold.
fn unpacked(bytes: &dyn ReadAt, streams: &Streams) -> Result<Vec<u8>> {
    let none = || Error::corrupt("the header of a 7z archive is damaged");
    let folder = streams.folders.first().ok_or_else(none)?;
    let at = BASE.saturating_add(streams.pack_at);
    let packed = Packed { at, sizes: &streams.packed, end: at };
    let stream = coder::stream(bytes, folder, &packed)?;
    held(stream, folder.size())
}

fn held(bytes: impl Read, size: u64) -> Result<Vec<u8>> {
    if size > limits::SEVENZIP_HEADER_BYTES {
        return Err(Error::new(ErrorKind::Limit, "the header of a 7z archive is too long"));
    }
    let mut header = Vec::new();
    bytes.take(size).read_to_end(&mut header).map_err(super::failed)?;
    Ok(header)
}

/// The packed streams of a folder.
struct Packed<'a> {
    at: u64,
    sizes: &'a [u64],
    end: u64,
}

struct Reading<'a> {
    bytes: &'a dyn ReadAt,
    archive: &'a Archive,
    names: Names<'a>,
    /// The number of the next file.
    file: usize,
}

impl Reading<'_> {
    /// The name of the next file that has data.
    fn next_name(&mut self) -> Vec<u8> {
        loop {
            let name = self.names.next().unwrap_or_default();
            let empty = self.archive.is_empty(self.file);
            self.file = self.file.saturating_add(1);
            if !empty {
                return name;
            }
        }
    }

    /// Hand out the files of a folder.
    fn folder(
        &mut self,
        folder: &Folder,
        packed: &Packed<'_>,
        files: &[(u64, Option<u32>)],
        out: Out<'_>,
    ) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let mut stream = coder::stream(self.bytes, folder, packed);
        let from = From::Packed(Run::between(packed.at, packed.end));
        for (size, crc) in files {
            let name = self.next_name();
            let about = About { name: Some(&name), size: Some(*size), ..About::default() };
            let bytes = match &mut stream {
                Ok(bytes) => bytes,
                Err(error) => {
                    let error = error.clone();
                    out(Found::Closed { name: Some(&name), error })?;
                    continue;
                }
            };
            let mut member = Checked::new(bytes.by_ref().take(*size), *size, *crc);
            out(Found::Member(about.member(from, &mut member)))?;
            // What was not read stands before the next.
            if let Err(error) = io::copy(&mut member, &mut io::sink()) {
                stream = Err(super::failed(error));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
