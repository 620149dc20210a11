//! What user data is wrapped in: gzip ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)),
//! base64, and MIME multipart ([RFC 2046](https://www.rfc-editor.org/rfc/rfc2046#section-5.1)).

use super::piece::Piece;
use crate::blob::Budget;
use crate::credential::base64;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use flate2::read::MultiGzDecoder;
use std::borrow::Cow;
use std::io::Read as _;

/// The first bytes of gzip.
pub(super) const GZIP: &[u8] = b"\x1f\x8b";

/// What gzip holds, as far as it can be read and the budget lasts.
pub(super) fn gunzip(bytes: &[u8], budget: &mut Budget) -> (Vec<u8>, Result<()>) {
    let mut out = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(budget.bytes).read_to_end(&mut out);
    let whole = match read {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::corrupt("gzip is damaged").caused_by(error)),
    };
    let full = out.len() as u64 >= budget.bytes;
    let spent = budget.spend(out.len() as u64);
    let result = if full {
        Err(Error::new(ErrorKind::Limit, "decoded views of one file are too large"))
    } else {
        spent.and(whole)
    };
    (out, result)
}

/// One part of a multipart message.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    /// Its file name, when it has one.
    pub(super) name: Option<Piece<'a>>,
    /// What it holds, its transfer encoding undone; a nested multipart whole, with its headers.
    pub(super) content: Cow<'a, [u8]>,
    /// Where that stands.
    pub(super) raw: Piece<'a>,
}

/// Whether the text begins with the headers of a MIME message.
pub(super) fn is_message(text: &[u8]) -> bool {
    let head = text.get(..16).unwrap_or(text).to_ascii_lowercase();
    [&b"content-type:"[..], b"mime-version:", b"from nobody ", b"content-disposit"]
        .iter()
        .any(|start| head.starts_with(start))
}

/// The headers that matter of a message or part.
#[derive(Clone, Copy, Debug, Default)]
struct Headers<'a> {
    kind: Piece<'a>,
    boundary: Piece<'a>,
    encoding: Piece<'a>,
    name: Option<Piece<'a>>,
}

/// The parts of a multipart message; a message that is none is one part.
pub(super) fn parts(text: Piece<'_>) -> (Vec<Part<'_>>, Result<()>) {
    let (headers, body) = split(text);
    if headers.boundary.is_empty() {
        return (part(text).into_iter().collect(), Ok(()));
    }
    let mut parts = Vec::new();
    // `start` is where the part that is read now begins; before the first there is none.
    let mut start: Option<usize> = None;
    for line in body.lines() {
        let Some(rest) = line.bytes.strip_prefix(b"--") else { continue };
        let Some(rest) = rest.strip_prefix(headers.boundary.bytes) else { continue };
        let last = rest.starts_with(b"--");
        if !last && !rest.trim_ascii().is_empty() {
            continue;
        }
        let here = line.at.saturating_sub(body.at);
        parts.extend(start.and_then(|start| part(body.sub(start, here))));
        if parts.len() >= limits::MIME_PARTS {
            return (parts, Err(Error::new(ErrorKind::Limit, "message has too many parts")));
        }
        let after = line.end().saturating_sub(body.at);
        let newline = body.from(after).split_once(b'\n').map_or(0, |(end, _)| end.bytes.len() + 1);
        start = Some(after.saturating_add(newline));
        if last {
            return (parts, Ok(()));
        }
    }
    parts.extend(start.and_then(|start| part(body.from(start))));
    (parts, Err(Error::corrupt("message does not end")))
}

/// Headers and body.
fn split(text: Piece<'_>) -> (Headers<'_>, Piece<'_>) {
    let mut headers = Headers::default();
    let mut end = text.bytes.len();
    let mut folded = Piece::default();
    for line in text.lines() {
        if line.is_empty() {
            let after = line.at.saturating_sub(text.at);
            let newline = text.from(after).split_once(b'\n').map_or(0, |(e, _)| e.bytes.len() + 1);
            end = after.saturating_add(newline);
            break;
        }
        // A line that begins with white space goes on with the header before.
        if line.bytes.first().is_some_and(u8::is_ascii_whitespace) {
            parameters(folded, line, &mut headers);
            continue;
        }
        let Some((name, value)) = line.split_once(b':') else { continue };
        folded = name;
        let value = value.trim();
        if name.bytes.eq_ignore_ascii_case(b"content-type") {
            headers.kind = value.split(b';').next().unwrap_or_default().trim();
        } else if name.bytes.eq_ignore_ascii_case(b"content-transfer-encoding") {
            headers.encoding = value;
        }
        parameters(name, value, &mut headers);
    }
    (headers, text.from(end))
}

fn parameters<'a>(header: Piece<'a>, value: Piece<'a>, headers: &mut Headers<'a>) {
    let kind = header.bytes.eq_ignore_ascii_case(b"content-type");
    if !kind && !header.bytes.eq_ignore_ascii_case(b"content-disposition") {
        return;
    }
    for parameter in value.split(b';') {
        let Some((name, value)) = parameter.split_once(b'=') else { continue };
        let value = value.trim().unquote();
        match name.bytes.trim_ascii().to_ascii_lowercase().as_slice() {
            b"boundary" if kind => headers.boundary = value,
            b"name" => headers.name = headers.name.or(Some(value)),
            b"filename" => headers.name = Some(value),
            _ => {}
        }
    }
}

fn part(text: Piece<'_>) -> Option<Part<'_>> {
    let (headers, body) = split(text);
    let name = headers.name.filter(|name| !name.is_empty());
    if headers.kind.bytes.to_ascii_lowercase().starts_with(b"multipart/") {
        return Some(Part { name, content: Cow::Borrowed(text.bytes), raw: text });
    }
    let content = match headers.encoding.bytes.to_ascii_lowercase().as_slice() {
        b"base64" => base64::decode(body.bytes).map_or(Cow::Borrowed(body.bytes), Cow::Owned),
        b"quoted-printable" => Cow::Owned(quoted_printable(body.bytes)),
        _ => Cow::Borrowed(body.bytes),
    };
    (!content.is_empty()).then_some(Part { name, content, raw: body })
}

/// Undo quoted-printable; a `=` without two hex digits stands for itself.
fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'=' {
            out.push(byte);
            continue;
        }
        if let Some(next) = after.strip_prefix(b"\r\n").or(after.strip_prefix(b"\n")) {
            rest = next;
            continue;
        }
        let digits = after.first_chunk::<2>().and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(value) => {
                out.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => out.push(b'='),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_messages_apart() {
        let text = b"Content-Type: multipart/mixed;\r\n boundary=\"=x\"\r\nMIME-Version: 1.0\r\n\r\n\
            preamble\r\n--=x\r\nContent-Type: text/x-shellscript\r\n\
            Content-Disposition: attachment; filename=\"a.sh\"\r\n\r\n#!/bin/sh\r\n\r\n--=xy\r\n--=x\r\n\
            Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=\r\n--=x\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc=\r\n--=x--\r\nrest";
        let (parts, result) = parts(Piece::whole(text));
        assert!(result.is_ok());
        let contents: Vec<&[u8]> = parts.iter().map(|p| p.content.as_ref()).collect();
        assert_eq!(contents, [&b"#!/bin/sh\r\n\r\n--=xy\r\n"[..], b"hello", b"a=bc"]);
        assert_eq!(parts[0].name.unwrap().bytes, b"a.sh");
    }

    #[test]
    fn gzip_is_bounded() {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&vec![0; 100_000]).unwrap();
        let packed = encoder.finish().unwrap();
        let mut budget = Budget { bytes: 1000, depth: 3 };
        let (out, result) = gunzip(&packed, &mut budget);
        assert_eq!((out.len(), result.unwrap_err().kind()), (1000, ErrorKind::Limit));
        let cut = &packed[..packed.len() - 9];
        let (_, result) = gunzip(cut, &mut Budget::default());
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
