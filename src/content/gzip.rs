//! gzip: streams of DEFLATE, one behind the other, each with its checksum
//! ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)).

use super::deflate::Inflate;
use super::stream::{Codec, Front, Stepped, Streams};
use super::{Given, Head, Open, Out, Unpacker};
use crate::bytes::{u16_le, u32_le};
use crate::error::Result;
use std::io::{self, BufRead, Read};

pub(super) const UNPACKER: Unpacker = Unpacker { name: "gzip", applies, open: Open::Stream(open) };

const CHECKED_HEADER: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// The magic, the one method there is, and flags without the reserved ones.
fn applies(head: &Head<'_>) -> bool {
    is_gzip(head.bytes)
}

fn is_gzip(bytes: &[u8]) -> bool {
    matches!(bytes, [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0)
}

fn open(bytes: &mut dyn Read, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let codec = Codec {
        magic: &[0x1f, 0x8b, 8],
        begins: is_gzip,
        new: |front| Gzip {
            header: true,
            trailer: false,
            crc: crc32fast::Hasher::new(),
            len: 0,
            data: Stepped::new(front, Inflate::raw()),
        },
        end: |gzip| gzip.data.into_front(),
    };
    Streams::new(Front::new(bytes), codec).hand_out(given, out)
}

/// One stream.
struct Gzip<'a> {
    /// Whether the header has yet to be read.
    header: bool,
    /// Whether the checksum was.
    trailer: bool,
    crc: crc32fast::Hasher,
    len: u32,
    data: Stepped<'a, Inflate>,
}

impl Read for Gzip<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.header) {
            skip_header(&mut self.data.front)?;
        }
        let len = self.data.read(buf)?;
        self.crc.update(buf.get(..len).unwrap_or_default());
        self.len = self.len.wrapping_add(u32::try_from(len).unwrap_or(0));
        if len == 0 && !buf.is_empty() && !std::mem::replace(&mut self.trailer, true) {
            let trailer = self.data.front.take_vec(8)?;
            let fields = (u32_le(&trailer, 0), u32_le(&trailer, 4));
            let (Ok(crc), Ok(len)) = fields else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            if crc != std::mem::take(&mut self.crc).finalize() || len != self.len {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum is another"));
            }
        }
        Ok(len)
    }
}

fn skip_header(front: &mut Front<'_>) -> io::Result<()> {
    let fixed = front.take_vec(10)?;
    let flags = fixed.get(3).copied().ok_or(io::ErrorKind::UnexpectedEof)?;
    if flags & EXTRA != 0 {
        let len = front.take_vec(2)?;
        front.skip(u64::from(u16_le(&len, 0).unwrap_or(0)))?;
    }
    for _ in [NAME, COMMENT].iter().filter(|text| flags & **text != 0) {
        loop {
            let ready = front.fill_buf()?;
            let end = memchr::memchr(0, ready);
            let len = end.map_or(ready.len(), |end| end.saturating_add(1));
            front.consume(len);
            if end.is_some() || len == 0 {
                break;
            }
        }
    }
    if flags & CHECKED_HEADER != 0 {
        front.skip(2)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::content::probe::listing;
    use std::io::Write as _;

    fn pack(text: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::GzBuilder::new()
            .filename("x")
            .comment("why")
            .extra("more")
            .write(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn all_streams_of_a_file_are_one() {
        let mut packed = [pack(b"one "), pack(b"two")].concat();
        assert_eq!(listing("x.gz", &packed), ["gzip = one two"]);
        let cut = &packed[..packed.len() - 9];
        assert_eq!(listing("x.gz", cut), ["gzip = one two", "gzip: Corrupt"]);
        packed.extend([0; 700]);
        assert_eq!(listing("x.gz", &packed), ["gzip = one two"]);
        packed.extend(b"behind");
        assert_eq!(listing("x.gz", &packed), ["gzip = one two", "gzip = behind"]);
    }

    #[test]
    fn a_damaged_stream_costs_no_other() {
        let mut first = pack(b"one ");
        let last = first.len() - 8;
        first[last] ^= 1;
        let packed = [first, pack(b"two")].concat();
        assert_eq!(listing("x.gz", &packed), ["gzip = one two", "gzip: Corrupt"]);
        // Headers alone, as many as there is room for: it is given up before it takes long.
        let heads = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 7].repeat(20_000);
        assert_eq!(listing("x.gz", &heads), ["gzip = ", "gzip: Corrupt"]);
    }
}
