//! A directory: entries of 32 bytes, the long names spread over several of them. Sections 6 and 7
//! of Microsoft's "FAT: General Overview of On-Disk Format".

use crate::bytes::{take, u8_at, u16_le, u32_le};
use crate::error::Result;
use crate::filesystem::Times;

/// Bytes of an entry.
pub(super) const ENTRY_BYTES: usize = 32;

const ATTR_VOLUME: u8 = 0x08;
const ATTR_DIRECTORY: u8 = 0x10;
const ATTR_LONG_NAME: u8 = 0x0f;
const DELETED: u8 = 0xe5;

/// Where the thirteen characters of a long-name entry stand.
const NAME_PARTS: [(usize, usize); 3] = [(1, 10), (14, 12), (28, 4)];

/// A long name takes at most twenty entries.
const NAME_SLOTS_MAX: usize = 20;

/// One file or directory, as its parent tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where in the directory its own entry stands, in bytes.
    pub(super) offset: usize,
    /// Its name in UTF-8; `?NAME` when it was deleted and its first character is lost.
    pub(super) name: Box<str>,
    pub(super) directory: bool,
    pub(super) read_only: bool,
    pub(super) deleted: bool,
    pub(super) first_cluster: u32,
    pub(super) size: u32,
    pub(super) times: Times,
}

/// The entries of a directory, without the links to itself and its parent.
pub(super) fn parse(bytes: &[u8], wide_clusters: bool) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut long = LongName::default();
    for (entry, index) in bytes.chunks_exact(ENTRY_BYTES).zip(0usize..) {
        let (Some(&first), Some(&attributes)) = (entry.first(), entry.get(11)) else { break };
        if first == 0 {
            break;
        }
        if attributes & 0x3f == ATTR_LONG_NAME {
            long.add(entry);
            continue;
        }
        let long = std::mem::take(&mut long);
        let dots = entry.starts_with(b".          ") || entry.starts_with(b"..         ");
        if attributes & ATTR_VOLUME != 0 || dots {
            continue;
        }
        let offset = index.saturating_mul(ENTRY_BYTES);
        entries.extend(short(entry, &long, wide_clusters).map(|e| Entry { offset, ..e }));
    }
    entries
}

/// Whether these are the first bytes of a directory that lies in `cluster`: its link to itself.
pub(super) fn begins(bytes: &[u8], cluster: u32, wide_clusters: bool) -> bool {
    bytes.starts_with(b".          ")
        && bytes.get(11).is_some_and(|a| a & ATTR_DIRECTORY != 0)
        && first_cluster(bytes, wide_clusters).ok() == Some(cluster)
}

fn first_cluster(entry: &[u8], wide: bool) -> Result<u32> {
    let high = if wide { u16_le(entry, 20)? } else { 0 };
    Ok(u32::from(high).rotate_left(16) | u32::from(u16_le(entry, 26)?))
}

fn short(entry: &[u8], long: &LongName, wide_clusters: bool) -> Result<Entry> {
    let raw = take(entry, 0, 11)?;
    let attributes = u8_at(entry, 11)?;
    let deleted = raw.first() == Some(&DELETED);
    Ok(Entry {
        offset: 0,
        name: long.name_of(raw).unwrap_or_else(|| short_name(raw, u8_at(entry, 12).unwrap_or(0))),
        directory: attributes & ATTR_DIRECTORY != 0,
        read_only: attributes & 1 != 0,
        deleted,
        first_cluster: first_cluster(entry, wide_clusters)?,
        size: u32_le(entry, 28)?,
        times: Times {
            modified: seconds(u16_le(entry, 24)?, u16_le(entry, 22)?, 0),
            created: seconds(u16_le(entry, 16)?, u16_le(entry, 14)?, u8_at(entry, 13)?),
            ..Times::default()
        },
    })
}

/// The long name that stands before a short one: its pieces in disk order, the last piece first.
#[derive(Default)]
struct LongName {
    pieces: Vec<[u16; 13]>,
    checksum: u8,
    /// The number the next piece must have; zero when the name is whole.
    next: u8,
    deleted: bool,
}

impl LongName {
    fn add(&mut self, entry: &[u8]) {
        let (Some(&order), Some(&checksum)) = (entry.first(), entry.get(13)) else { return };
        let mut units = NAME_PARTS
            .iter()
            .filter_map(|&(at, len)| take(entry, at, len).ok())
            .flat_map(|part| part.as_chunks::<2>().0)
            .map(|&unit| u16::from_le_bytes(unit));
        let piece = std::array::from_fn(|_| units.next().unwrap_or(0));
        let number = order & 0x3f;
        if order == DELETED {
            // The number is lost: a run of deleted pieces with one checksum is one name.
            if !self.deleted || self.checksum != checksum || self.pieces.len() >= NAME_SLOTS_MAX {
                *self = LongName { checksum, deleted: true, ..LongName::default() };
            }
        } else if order & 0x40 != 0 {
            *self = LongName { checksum, next: number, ..LongName::default() };
        }
        let expected = order == DELETED
            || (self.checksum == checksum && self.next == number && number > 0 && !self.deleted);
        if !expected || self.pieces.len() >= NAME_SLOTS_MAX {
            *self = LongName::default();
            return;
        }
        self.next = self.next.saturating_sub(1);
        self.pieces.push(piece);
    }

    /// The long name, when it is whole and belongs to this short one.
    fn name_of(&self, raw: &[u8]) -> Option<Box<str>> {
        let deleted = raw.first() == Some(&DELETED);
        if self.pieces.is_empty() || self.next != 0 || self.deleted != deleted {
            return None;
        }
        if deleted {
            // The checksum gives the lost first character back; it must be one a name can have.
            let fits = |first: u8| checksum(first, raw) == self.checksum;
            (0x21..=0x7e).filter(|c: &u8| !c.is_ascii_lowercase()).find(|&c| fits(c))?;
        } else if checksum(*raw.first()?, raw) != self.checksum {
            return None;
        }
        let units = self.pieces.iter().rev().flatten().copied();
        let name: String = char::decode_utf16(units.take_while(|&unit| unit != 0))
            .map(|c| c.map_or(char::REPLACEMENT_CHARACTER, safe))
            .collect();
        (!name.is_empty()).then(|| name.into())
    }
}

/// The checksum of a short name whose first byte is `first`.
fn checksum(first: u8, raw: &[u8]) -> u8 {
    raw.iter().skip(1).fold(first, |sum, &byte| sum.rotate_right(1).wrapping_add(byte))
}

/// A path is split at slashes; no name holds one, nor a zero.
fn safe(c: char) -> char {
    if matches!(c, '/' | '\0') { char::REPLACEMENT_CHARACTER } else { c }
}

/// The name in eight and three characters. Windows NT marks each part that was all lower case.
fn short_name(raw: &[u8], case: u8) -> Box<str> {
    let (base, extension) = raw.split_at_checked(8).unwrap_or((raw, &[]));
    let part = |bytes: &[u8], lower: bool| -> String {
        let text: String = bytes.trim_ascii_end().iter().map(|&b| safe(oem(b))).collect();
        if lower { text.to_ascii_lowercase() } else { text }
    };
    let mut name = match base.split_first() {
        Some((&DELETED, rest)) => format!("?{}", part(rest, case & 0x08 != 0)),
        Some((0x05, rest)) => format!("{}{}", oem(DELETED), part(rest, case & 0x08 != 0)),
        _ => part(base, case & 0x08 != 0),
    };
    let extension = part(extension, case & 0x10 != 0);
    if !extension.is_empty() {
        name.push('.');
        name.push_str(&extension);
    }
    name.into()
}

/// A character of code page 437, which is what Linux takes by default.
fn oem(byte: u8) -> char {
    const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
        └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
    match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(index) => UPPER.chars().nth(index.into()).unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

/// Seconds since 1970. A volume knows no time zone, so its times are taken for UTC; zero where
/// there is none.
#[allow(clippy::arithmetic_side_effects, reason = "fields of 16 bits, sums of 64")]
fn seconds(date: u16, time: u16, hundredths: u8) -> i64 {
    let (year, month, day) =
        (i64::from(date >> 9), i64::from(date >> 5 & 15), i64::from(date & 31));
    if !(1..=12).contains(&month) || day == 0 {
        return 0;
    }
    // Days before the month in a year that begins with March, so that a leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = (1980 + year) / 4 - (1980 + year) / 100 + (1980 + year) / 400;
    let days = (1980 + year) * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468;
    let clock = i64::from(time >> 11) * 3600 + i64::from(time >> 5 & 63) * 60;
    days * 86_400 + clock + i64::from(time & 31) * 2 + i64::from(hundredths) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8; 11], attributes: u8) -> [u8; 32] {
        let mut entry = [0; 32];
        entry.first_chunk_mut().map(|n| *n = *name).unwrap();
        for (at, byte) in [(11, attributes), (20, 1), (26, 2), (28, 9)] {
            *entry.get_mut(at).unwrap() = byte;
        }
        entry
    }

    /// The pieces of a long name as they stand on the disk.
    fn pieces(name: &str, checksum: u8) -> Vec<[u8; 32]> {
        let mut units: Vec<u16> = name.encode_utf16().collect();
        if !units.len().is_multiple_of(13) {
            units.push(0);
        }
        let count = units.len().div_ceil(13);
        let piece = |(number, units): (usize, &[u16])| {
            let mut entry = [0xff; 32];
            let slots =
                NAME_PARTS.iter().flat_map(|&(at, len)| (at..at.strict_add(len)).step_by(2));
            for (at, unit) in slots.zip(units) {
                for (place, byte) in (at..).zip(unit.to_le_bytes()) {
                    *entry.get_mut(place).unwrap() = byte;
                }
            }
            let last = if number == count { 0x40 } else { 0 };
            let order = u8::try_from(number).unwrap() | last;
            for (at, byte) in [(0, order), (11, ATTR_LONG_NAME), (12, 0), (13, checksum)] {
                *entry.get_mut(at).unwrap() = byte;
            }
            entry
        };
        let mut pieces: Vec<_> = (1..).zip(units.chunks(13)).map(piece).collect();
        pieces.reverse();
        pieces
    }

    fn names(entries: &[[u8; 32]]) -> Vec<String> {
        parse(entries.as_flattened(), true).into_iter().map(|e| e.name.into()).collect()
    }

    #[test]
    fn reads_short_names() {
        let found = parse(&entry(b"BOOTX64 EFI", 0x21), true);
        let [file] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((&*file.name, file.first_cluster, file.size), ("BOOTX64.EFI", 0x1_0002, 9));
        assert!(file.read_only && !file.directory && !file.deleted);
        let mut lower = entry(b"GRUB    CFG", 0x20);
        *lower.get_mut(12).unwrap() = 0x18;
        assert_eq!(names(&[lower]), ["grub.cfg"]);
        assert_eq!(names(&[entry(b"\x05\x81A     X  ", 0)]), ["σüA.X"]);
        assert_eq!(names(&[entry(b"\xe5ONE    TXT", 0)]), ["?ONE.TXT"]);
        assert_eq!(names(&[entry(b"A/B\0    T/T", 0)]), ["A\u{fffd}B\u{fffd}.T\u{fffd}T"]);
        assert_eq!(names(&[entry(b"LABEL      ", 8), entry(b".          ", 0x10)]), [""; 0]);
        assert_eq!(names(&[entry(b"A          ", 0), [0; 32], entry(b"B          ", 0)]), ["A"]);
    }

    #[test]
    fn joins_long_names() {
        let raw = b"AVERYL~1TXT";
        for name in ["a very long name.txt", "exactly thirt", "über/😀", &"x".repeat(255)] {
            let mut entries = pieces(name, checksum(b'A', raw));
            entries.push(entry(raw, 0x20));
            assert_eq!(names(&entries), [name.replace('/', "\u{fffd}")]);
            for deleted in &mut entries {
                *deleted.first_mut().unwrap() = DELETED;
            }
            assert_eq!(names(&entries), [name.replace('/', "\u{fffd}")], "deleted");
        }
    }

    #[test]
    fn drops_long_names_that_do_not_belong() {
        let raw = b"AVERYL~1TXT";
        let short = entry(raw, 0x20);
        let sum = checksum(b'A', raw);
        let good = pieces("a very long name.txt", sum);
        let [last, first] = good.as_slice() else { panic!("two pieces") };
        let foreign = pieces("some other name", sum ^ 1);
        for wrong in [&[*first][..], &[*last], &[*first, *last], &[*last, *last], &foreign] {
            assert_eq!(names(&[wrong, &[short]].concat()), ["AVERYL~1.TXT"]);
        }
    }

    #[test]
    fn reads_times() {
        assert_eq!(seconds(0x0021, 0, 0), 315_532_800);
        assert_eq!(seconds(0x505d, 0xbf7d, 199), 1_583_020_799);
        assert_eq!(seconds(0, 0xffff, 0), 0);
        assert_eq!(seconds(0xff9f, 0, 0), 4_354_732_800);
    }
}
