//! cpio: members behind headers of hexadecimal (newc, crc), octal (odc) or binary numbers
//! ([cpio(5)](https://man.freebsd.org/cgi/man.cgi?query=cpio&sektion=5)). An
//! [initramfs](https://docs.kernel.org/driver-api/early-userspace/buffer-format.html) is several of
//! them one behind the other, often with a compressed one at the end.

use super::header_text::{hex, octal};
use super::notes::Notes;
use super::stream::{About, Front};
use super::{Given, Head, Open, Out, Unpacker, failed};
use crate::bytes::{u16_be, u16_le};
use crate::error::{Error, Result};
use crate::limits;
use std::io::Read;

pub(super) const UNPACKER: Unpacker = Unpacker { name: "cpio", applies, open: Open::Stream(open) };

const TRAILER: &[u8] = b"TRAILER!!!";
const TYPE: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// What a header says.
struct Header {
    len: u64,
    name_len: u64,
    size: u64,
    mode: u32,
    uid: u32,
    modified: i64,
    /// What name and data are padded to.
    align: u64,
}

fn applies(head: &Head<'_>) -> bool {
    header(head.bytes).is_some_and(|header| header.name_len > 1)
}

fn header(bytes: &[u8]) -> Option<Header> {
    match bytes.get(..6)? {
        b"070701" | b"070702" => {
            let field = |at: usize| hex(bytes.get(at..at.checked_add(8)?)?);
            Some(Header {
                len: 110,
                name_len: field(94)?,
                size: field(54)?,
                mode: field(14)?.try_into().ok()?,
                uid: field(22)?.try_into().ok()?,
                modified: field(46)?.try_into().ok()?,
                align: 4,
            })
        }
        b"070707" => {
            let field = |at: usize, len: usize| octal(bytes.get(at..at.checked_add(len)?)?);
            Some(Header {
                len: 76,
                name_len: field(59, 6)?,
                size: field(65, 11)?,
                mode: field(18, 6)?.try_into().ok()?,
                uid: field(24, 6)?.try_into().ok()?,
                modified: field(48, 11)?.try_into().ok()?,
                align: 1,
            })
        }
        [0xc7, 0x71, ..] => binary(bytes, u16_le),
        [0x71, 0xc7, ..] => binary(bytes, u16_be),
        _ => None,
    }
}

/// A header of 13 words; numbers of two have the higher first, whatever the order of bytes.
fn binary(bytes: &[u8], word: fn(&[u8], usize) -> Result<u16>) -> Option<Header> {
    let word = |at: usize| word(bytes, at).ok().map(u32::from);
    let long = |at: usize| Some((word(at)? << 16) | word(at.checked_add(2)?)?);
    let (mode, name_len, size) = (word(6)?, word(20)?, long(22)?);
    // Two bytes of magic are few: the type must be one, and the device no more than it can be.
    let kinds = [0o040_000, 0o100_000, LINK, 0o020_000, 0o060_000, 0o010_000, 0o140_000, 0];
    let header = Header {
        len: 26,
        name_len: name_len.into(),
        size: size.into(),
        mode,
        uid: word(8)?,
        modified: long(16)?.into(),
        align: 2,
    };
    let name = bytes.get(26..)?.get(..usize::try_from(name_len).ok()?.min(64))?;
    let (last, name) = name.split_last()?;
    let text = name.iter().all(|byte| *byte != 0) && (name_len > 64 || *last == 0);
    (kinds.contains(&(mode & TYPE)) && text).then_some(header)
}

fn open(bytes: &mut dyn Read, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let mut front = Front::new(bytes);
    let mut notes = Notes::default();
    let mut damage = None;
    // Where the archive begins: padding is counted from there.
    let mut base = 0;
    loop {
        let ahead = front.peek(256).map_err(failed)?;
        if let Some(header) = header(ahead) {
            match entry(&mut front, &header, base, &mut notes, out)? {
                Next::Entry => {}
                Next::Trailer => {
                    notes.flush(out)?;
                    front.skip_zeros().map_err(failed)?;
                    base = front.at();
                    let ahead = front.peek(256).map_err(failed)?;
                    if self::header(ahead).is_none() {
                        front.rest(out)?;
                        break;
                    }
                }
                Next::Damage(what) => {
                    damage.get_or_insert(Error::corrupt(what));
                }
            }
            continue;
        }
        if ahead.iter().all(|byte| *byte == 0) {
            let more = front.skip_zeros().map_err(failed)?;
            // An archive without its trailer ends somewhere.
            damage.get_or_insert(Error::corrupt("a cpio archive is cut short"));
            if !more {
                break;
            }
        }
        damage.get_or_insert(Error::corrupt("a header of a cpio archive is damaged"));
        front.skip(1).map_err(failed)?;
        if !front.skip_to(b"07070").map_err(failed)? {
            break;
        }
    }
    notes.flush(out)?;
    damage.map_or(Ok(()), Err)
}

/// What comes behind an entry.
enum Next {
    Entry,
    Trailer,
    Damage(&'static str),
}

fn entry(
    front: &mut Front<'_>,
    header: &Header,
    base: u64,
    notes: &mut Notes,
    out: Out<'_>,
) -> Result<Next> {
    const CUT: Next = Next::Damage("a cpio archive is cut short");
    if header.name_len == 0 || header.name_len > limits::ARCHIVE_NAME_BYTES {
        front.skip(1).map_err(failed)?;
        return Ok(Next::Damage("a name in a cpio archive is too long"));
    }
    front.skip(header.len).map_err(failed)?;
    let len = usize::try_from(header.name_len).unwrap_or(0);
    let name = front.take_vec(len).map_err(failed)?;
    let whole = name.len() == len;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let pad = |front: &mut Front<'_>| {
        let at = front.at().saturating_sub(base);
        let padding = at.checked_next_multiple_of(header.align).unwrap_or(at).saturating_sub(at);
        front.skip(padding).map_err(failed)
    };
    if !whole || !pad(front)? && header.size > 0 {
        return Ok(CUT);
    }
    if name == TRAILER && header.size == 0 {
        return Ok(Next::Trailer);
    }
    if header.mode & TYPE == LINK && header.size <= limits::ARCHIVE_NAME_BYTES {
        let len = usize::try_from(header.size).unwrap_or(0);
        let target = front.take_vec(len).map_err(failed)?;
        notes.add(name, b"$Link", &target, out)?;
        pad(front)?;
        return Ok(if target.len() == len { Next::Entry } else { CUT });
    }
    let about = About {
        name: Some(name),
        mode: header.mode,
        uid: header.uid,
        modified: header.modified,
        size: None,
    };
    // The names of hard links come without data.
    if header.size > 0 && !front.member(about, header.size, out)? {
        return Ok(CUT);
    }
    pad(front)?;
    Ok(Next::Entry)
}

#[cfg(test)]
mod tests {
    use crate::content::probe::listing;

    fn newc(archive: &mut Vec<u8>, name: &str, mode: usize, data: &[u8]) {
        let fields = [1, mode, 0, 0, 1, 0, data.len(), 0, 0, 0, 0, name.len() + 1, 0]
            .map(|field: usize| format!("{field:08X}"));
        archive.extend(format!("070701{}{name}\0", fields.concat()).bytes());
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(data);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }

    fn archive(members: &[(&str, usize, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, mode, data) in members {
            newc(&mut bytes, name, *mode, data.as_bytes());
        }
        newc(&mut bytes, "TRAILER!!!", 0, b"");
        bytes
    }

    #[test]
    fn an_initramfs_is_read_to_its_end() {
        let mut bytes = archive(&[("kernel/microcode.bin", 0o100_644, "early")]);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes.extend(archive(&[("init", 0o100_755, "#!"), ("bin", 0o120_777, "usr/bin")]));
        bytes.extend([0; 40]);
        bytes.extend(b"\x1f\x8bpacked");
        let expected = [
            "cpio:kernel/microcode.bin = early",
            "cpio:init = #!",
            "cpio = usr/bin%0A",
            "cpio = %1F%8Bpacked",
        ];
        assert_eq!(listing("initrd.img", &bytes), expected);
    }

    #[test]
    fn old_headers_are_read() {
        let odc = |name: &str, data: &str| {
            let head = [0, 1, 0o100_600, 0, 0, 1, 0].map(|field| format!("{field:06o}")).concat();
            let (names, len) = (name.len() + 1, data.len());
            format!("070707{head}{:011o}{names:06o}{len:011o}{name}\0{data}", 0)
        };
        let bytes = odc("a", "odd") + &odc("b", "x") + &odc("TRAILER!!!", "");
        assert_eq!(listing("x", bytes.as_bytes()), ["cpio:a = odd", "cpio:b = x"]);
        let old = |words: fn(u16) -> [u8; 2], name: &str, data: &str| {
            let mut fields = [0o070_707, 1, 2, 0o100_600, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            fields[10] = u16::try_from(name.len() + 1).unwrap();
            fields[12] = u16::try_from(data.len()).unwrap();
            let mut bytes: Vec<u8> = fields.iter().flat_map(|field| words(*field)).collect();
            bytes.extend(format!("{name}\0").bytes());
            bytes.resize(bytes.len().next_multiple_of(2), 0);
            bytes.extend(data.bytes());
            bytes.resize(bytes.len().next_multiple_of(2), 0);
            bytes
        };
        for words in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes = [old(words, "ab", "odd"), old(words, "TRAILER!!!", "")].concat();
            assert_eq!(listing("x", &bytes), ["cpio:ab = odd"]);
        }
    }

    #[test]
    fn damage_is_read_past() {
        let mut bytes = archive(&[("a", 0o100_644, "one"), ("b", 0o100_644, "two")]);
        bytes[3] = b'x';
        assert!(listing("x", &bytes).is_empty());
        let mut bytes =
            archive(&[("a", 0o100_644, "1"), ("b", 0o100_644, "2"), ("c", 0o100_644, "3")]);
        let second = bytes.len() / 4;
        bytes[second + 2] = b'x';
        let lines = listing("x", &bytes);
        assert_eq!(lines, ["cpio:a = 1", "cpio:c = 3", "cpio: Corrupt"]);
        let cut = &bytes[..second];
        // Nothing but its trailer tells that an archive is whole.
        assert_eq!(listing("x", cut), ["cpio:a = 1", "cpio: Corrupt"]);
    }
}
