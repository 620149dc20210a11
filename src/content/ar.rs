//! ar: members behind short headers of text, as in Debian's packages and static libraries
//! ([deb(5)](https://man7.org/linux/man-pages/man5/deb.5.html),
//! [ar(5)](https://man.freebsd.org/cgi/man.cgi?query=ar&sektion=5)), with long names in GNU's way
//! and in that of BSD.

use super::header_text::{decimal, octal};
use super::stream::{About, Front};
use super::{Given, Head, Open, Out, Unpacker, failed};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use std::io::Read;

pub(super) const UNPACKER: Unpacker = Unpacker { name: "ar", applies, open: Open::Stream(open) };

const MAGIC: &[u8] = b"!<arch>\n";
const HEADER: usize = 60;

fn applies(head: &Head<'_>) -> bool {
    head.bytes.starts_with(MAGIC)
}

fn open(bytes: &mut dyn Read, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let mut front = Front::new(bytes);
    front.skip(8).map_err(failed)?;
    let mut names = Vec::new();
    loop {
        // Members begin at even places.
        let odd = front.at() & 1;
        let header = front.peek(HEADER.saturating_add(1)).map_err(failed)?;
        let header = header.get(usize::from(odd != 0)..).unwrap_or_default().to_vec();
        if header.iter().all(|byte| matches!(byte, b'\n' | 0)) {
            front.skip(odd).map_err(failed)?;
            return front.rest(out);
        }
        let Some(header) = header.get(..HEADER).filter(|header| header.ends_with(b"`\n")) else {
            front.rest(out)?;
            return Err(Error::corrupt("a header of an ar archive is damaged"));
        };
        let size = decimal(field(header, 48, 10));
        front.skip(odd.saturating_add(60)).map_err(failed)?;
        let size = size.ok_or_else(|| Error::corrupt("a size in an ar archive is no number"))?;
        if !entry(&mut front, header, size, &mut names, out)? {
            return Err(Error::corrupt("an ar archive is cut short"));
        }
    }
}

/// Hand out a member, or take the table of names; whether all of it was there.
fn entry(
    front: &mut Front<'_>,
    header: &[u8],
    size: u64,
    names: &mut Vec<u8>,
    out: Out<'_>,
) -> Result<bool> {
    let short = field(header, 0, 16).trim_ascii_end();
    if short == b"//" {
        if size > limits::ARCHIVE_TABLE_BYTES {
            return Err(Error::new(ErrorKind::Limit, "the names of an ar archive are too long"));
        }
        let len = usize::try_from(size).unwrap_or(0);
        *names = front.take_vec(len).map_err(failed)?;
        return Ok(names.len() == len);
    }
    let bsd = short.strip_prefix(b"#1/").and_then(decimal).filter(|len| *len <= size);
    let bsd = bsd.filter(|len| *len <= limits::ARCHIVE_NAME_BYTES);
    let len = bsd.unwrap_or(0);
    let inside = front.take_vec(usize::try_from(len).unwrap_or(0)).map_err(failed)?;
    let gnu = short.strip_prefix(b"/").and_then(decimal).and_then(|at| usize::try_from(at).ok());
    let long =
        gnu.and_then(|at| names.get(at..)).and_then(|rest| rest.split(|b| *b == b'\n').next());
    let name = match long {
        _ if bsd.is_some() => inside.split(|byte| *byte == 0).next().unwrap_or(&inside),
        Some(long) => long.get(..limits::MEMBER_NAME_BYTES).unwrap_or(long),
        None => short,
    };
    // A table of symbols is called "/".
    let name = name.strip_suffix(b"/").filter(|name| !name.is_empty()).unwrap_or(name);
    let about = About {
        name: Some(name),
        mode: octal(field(header, 40, 8)).and_then(|mode| mode.try_into().ok()).unwrap_or(0),
        uid: decimal(field(header, 28, 6)).and_then(|uid| uid.try_into().ok()).unwrap_or(0),
        modified: decimal(field(header, 16, 12)).and_then(|at| at.try_into().ok()).unwrap_or(0),
        size: None,
    };
    front.member(about, size.saturating_sub(len), out)
}

fn field(header: &[u8], start: usize, len: usize) -> &[u8] {
    header.get(start..start.saturating_add(len)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::content::probe::listing;

    fn entry(name: &str, size: usize, data: &str) -> String {
        let pad = if data.len() % 2 == 1 { "\n" } else { "" };
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n{data}{pad}", 0, 0, 0, "100644")
    }

    #[test]
    fn names_are_read_in_every_way() {
        let names = "a_name_that_is_long.o/\nanother_long_name.o/\n";
        let entries = [
            entry("/", 4, "\0\0\0\0"),
            entry("//", names.len(), names),
            entry("debian-binary/", 3, "2.0"),
            entry("/23", 2, "ab"),
            entry("#1/12", 17, "bsd long.o\0\0words"),
            entry("plain", 1, "x"),
        ];
        let archive = format!("!<arch>\n{}", entries.concat());
        let expected = [
            "ar:/ = %00%00%00%00",
            "ar:debian-binary = 2.0",
            "ar:another_long_name.o = ab",
            "ar:bsd long.o = words",
            "ar:plain = x",
        ];
        assert_eq!(listing("x.a", archive.as_bytes()), expected);
        let cut = format!("!<arch>\n{}", entry("plain", 900, "x"));
        assert_eq!(listing("x.a", cut.as_bytes()), ["ar:plain = x%0A", "ar: Corrupt"]);
        let wrong = format!("{archive}{}", "what is this?".repeat(9));
        assert_eq!(listing("x.a", wrong.as_bytes()).last().unwrap(), "ar: Corrupt");
    }
}
