//! rpm: a lead, two headers and an archive that is compressed
//! ([the format](https://rpm-software-management.github.io/rpm/manual/format_v4.html)). The
//! headers hold the scripts that run at installation; the archive is handed out under a name that
//! tells how it is compressed.

use super::stream::{About, Front};
use super::{Found, From, Given, Head, Open, Out, Unpacker, failed};
use crate::bytes::{take, u32_be};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use std::io::Read;

pub(super) const UNPACKER: Unpacker = Unpacker { name: "rpm", applies, open: Open::Stream(open) };

const LEAD: u64 = 96;
const HEADER_MAGIC: &[u8] = b"\x8e\xad\xe8\x01";
const PAYLOAD_FORMAT: u32 = 1124;
const PAYLOAD_COMPRESSOR: u32 = 1125;

fn applies(head: &Head<'_>) -> bool {
    head.bytes.starts_with(b"\xed\xab\xee\xdb")
}

fn open(bytes: &mut dyn Read, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let mut front = Front::new(bytes);
    front.skip(LEAD).map_err(failed)?;
    header(&mut front, b"signature", out)?;
    let padding = front.at().wrapping_neg() & 7;
    front.skip(padding).map_err(failed)?;
    let payload = header(&mut front, b"header", out)?;
    let about = About { name: Some(&payload), ..About::default() };
    let from = From::Verbatim(front.at());
    out(Found::Member(about.member(from, &mut front)))
}

/// Hand out a header's strings, and return the name of the payload that it tells.
fn header(front: &mut Front<'_>, name: &[u8], out: Out<'_>) -> Result<Vec<u8>> {
    let head = front.take_vec(16).map_err(failed)?;
    if !head.starts_with(HEADER_MAGIC) {
        return Err(Error::corrupt("a header of an rpm package is damaged"));
    }
    let entries = u64::from(u32_be(&head, 8)?).saturating_mul(16);
    let size = u64::from(u32_be(&head, 12)?);
    if entries.max(size) > limits::ARCHIVE_TABLE_BYTES {
        return Err(Error::new(ErrorKind::Limit, "a header of an rpm package is too long"));
    }
    let index = front.take_vec(usize::try_from(entries).unwrap_or(0)).map_err(failed)?;
    let at = front.at();
    let store = front.take_vec(usize::try_from(size).unwrap_or(0)).map_err(failed)?;
    let about = About { name: Some(name), size: Some(size), ..About::default() };
    let from = From::Verbatim(at);
    out(Found::Member(about.member(from, &mut store.as_slice())))?;
    let mut payload = b"payload.cpio".to_vec();
    for entry in index.chunks_exact(16) {
        let tag = u32_be(entry, 0)?;
        if !matches!(tag, PAYLOAD_FORMAT | PAYLOAD_COMPRESSOR) {
            continue;
        }
        let at = usize::try_from(u32_be(entry, 8)?).unwrap_or(usize::MAX);
        let text = store.get(at..).unwrap_or_default();
        let end = memchr::memchr(0, text).unwrap_or(text.len()).min(16);
        payload = match (tag, take(text, 0, end)?) {
            (PAYLOAD_FORMAT, format) => [b"payload.", format].concat(),
            (_, b"lzma") => [&payload, b".lzma".as_slice()].concat(),
            _ => payload,
        };
    }
    let whole = u64::try_from(store.len()) == Ok(size);
    if !whole {
        return Err(Error::corrupt("an rpm package is cut short"));
    }
    Ok(payload)
}
