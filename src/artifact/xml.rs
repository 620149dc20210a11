//! XML ([1.0](https://www.w3.org/TR/xml/)), as much of it as settings use: a document as the list
//! of its texts and attributes, each with its path and its place in the file.
//!
//! No entity is looked up and no document type is read, so nothing in a document can make it grow.

use super::piece::{self, Piece};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use memchr::memmem;
use std::borrow::Cow;

/// A text or an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The elements it stands in, outermost first, without their prefixes.
    pub(super) path: Vec<&'a [u8]>,
    /// The number of the innermost of them, in the order of their start tags.
    pub(super) element: usize,
    /// The number of the element around that.
    pub(super) parent: usize,
    /// The attribute's name; empty for a text.
    pub(super) attribute: &'a [u8],
    /// What it says.
    pub(super) value: Cow<'a, [u8]>,
    /// Where that is written.
    pub(super) raw: Piece<'a>,
}

impl Part<'_> {
    /// Whether it is the text of an element whose path ends with `tail`, in which `*` stands for
    /// any name.
    pub(super) fn is_text(&self, tail: &[&str]) -> bool {
        self.attribute.is_empty() && self.under(tail)
    }

    /// Whether the path of its element ends with `tail`.
    pub(super) fn under(&self, tail: &[&str]) -> bool {
        self.path.len() >= tail.len()
            && self
                .path
                .iter()
                .rev()
                .zip(tail.iter().rev())
                .all(|(have, want)| *want == "*" || have.eq_ignore_ascii_case(want.as_bytes()))
    }
}

/// Every text and attribute of `text`, and what kept the rest from being read.
pub(super) fn values(text: Piece<'_>) -> (Vec<Part<'_>>, Result<()>) {
    let mut reader = Reader { text, at: 0, open: Vec::new(), elements: 0, values: Vec::new() };
    let result = reader.document();
    (reader.values, result)
}

/// The text of the child `name` of element `parent`, whose parts `values` begins with.
pub(super) fn child(values: &[Part<'_>], parent: usize, name: &str) -> String {
    let fits = |value: &&Part<'_>| {
        let last = value.path.last().is_some_and(|have| *have == name.as_bytes());
        last && value.parent == parent && value.attribute.is_empty()
    };
    let mut near = values.iter().take(limits::STORE_NEIGHBOURS);
    near.find(fits).map(|value| piece::text(&value.value)).unwrap_or_default()
}

struct Reader<'a> {
    text: Piece<'a>,
    at: usize,
    /// The open elements, each with its number.
    open: Vec<(&'a [u8], usize)>,
    elements: usize,
    values: Vec<Part<'a>>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<()> {
        loop {
            let rest = self.text.from(self.at);
            let end = memchr::memchr(b'<', rest.bytes).unwrap_or(rest.bytes.len());
            let text = rest.sub(0, end).trim();
            if !text.is_empty() && !self.open.is_empty() {
                self.push(b"", unescape(text.bytes), text)?;
            }
            let markup = rest.from(end);
            self.at = self.at.saturating_add(end);
            match markup.bytes {
                [] => break,
                [b'<', b'!', b'-', b'-', ..] => self.skip(4, b"-->")?,
                [b'<', b'?', ..] => self.skip(2, b"?>")?,
                bytes if bytes.starts_with(b"<![CDATA[") => {
                    let start = self.at.saturating_add(9);
                    self.skip(9, b"]]>")?;
                    let raw = self.text.sub(start, self.at.saturating_sub(3));
                    self.push(b"", Cow::Borrowed(raw.bytes), raw)?;
                }
                [b'<', b'!', ..] => self.skip(2, b">")?,
                [b'<', b'/', ..] => self.end_tag()?,
                _ => self.start_tag()?,
            }
        }
        if self.open.is_empty() { Ok(()) } else { Err(Error::corrupt("elements are not closed")) }
    }

    /// Go on behind the next `end`, `from` bytes on at least.
    fn skip(&mut self, from: usize, end: &[u8]) -> Result<()> {
        let rest = self.text.from(self.at.saturating_add(from));
        let found = memmem::find(rest.bytes, end);
        let found = found.ok_or_else(|| Error::corrupt("markup does not end"))?;
        self.at = self.at.saturating_add(from).saturating_add(found).saturating_add(end.len());
        Ok(())
    }

    fn push(&mut self, attribute: &'a [u8], value: Cow<'a, [u8]>, raw: Piece<'a>) -> Result<()> {
        if self.values.len() >= limits::XML_VALUES {
            return Err(Error::new(ErrorKind::Limit, "document has too many values"));
        }
        let mut numbers = self.open.iter().rev().map(|open| open.1);
        let (element, parent) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let path = self.open.iter().map(|open| open.0).collect();
        self.values.push(Part { path, element, parent, attribute, value, raw });
        Ok(())
    }

    fn end_tag(&mut self) -> Result<()> {
        let name = self.name(2);
        self.skip(2, b">")?;
        // What was left open inside ends with it; an end without a start is passed over.
        if let Some(depth) = self.open.iter().rposition(|open| open.0 == local(name.bytes)) {
            self.open.truncate(depth);
        }
        Ok(())
    }

    fn start_tag(&mut self) -> Result<()> {
        let name = self.name(1);
        self.at = self.at.saturating_add(1).saturating_add(name.bytes.len());
        if name.is_empty() {
            return Ok(());
        }
        if self.open.len() >= limits::XML_DEPTH {
            return Err(Error::new(ErrorKind::Limit, "document is nested too deeply"));
        }
        self.elements = self.elements.saturating_add(1);
        self.open.push((local(name.bytes), self.elements));
        loop {
            let rest = self.text.from(self.at);
            let skipped = rest.bytes.len() - rest.bytes.trim_ascii_start().len();
            self.at = self.at.saturating_add(skipped);
            match rest.bytes.get(skipped..).unwrap_or_default() {
                [] => return Err(Error::corrupt("markup does not end")),
                [b'>', ..] => {
                    self.at = self.at.saturating_add(1);
                    return Ok(());
                }
                [b'/', b'>', ..] => {
                    self.at = self.at.saturating_add(2);
                    self.open.pop();
                    return Ok(());
                }
                _ => self.attribute()?,
            }
        }
    }

    fn attribute(&mut self) -> Result<()> {
        let name = self.name(0);
        // At least one byte is taken, whatever it is.
        self.at = self.at.saturating_add(name.bytes.len().max(1));
        let rest = self.text.from(self.at);
        let value = trim_start(rest);
        let Some(value) = value.strip_prefix(b"=").map(trim_start) else { return Ok(()) };
        let Some(&quote @ (b'"' | b'\'')) = value.bytes.first() else {
            return Err(Error::corrupt("an attribute has no quotes"));
        };
        let inside = value.from(1);
        let end = memchr::memchr(quote, inside.bytes);
        let end = end.ok_or_else(|| Error::corrupt("an attribute does not end"))?;
        let raw = inside.sub(0, end);
        self.at = raw.end().saturating_add(1).saturating_sub(self.text.at);
        self.push(local(name.bytes), unescape(raw.bytes), raw)
    }

    /// The name that starts `from` bytes on.
    fn name(&self, from: usize) -> Piece<'a> {
        let rest = self.text.from(self.at.saturating_add(from));
        let ends = |b: &u8| b.is_ascii_whitespace() || b"<>/=\"'".contains(b);
        rest.sub(0, rest.bytes.iter().position(ends).unwrap_or(rest.bytes.len()))
    }
}

/// Without white space before it; what may stand at the document's end is not looked at.
fn trim_start(text: Piece<'_>) -> Piece<'_> {
    text.from(text.bytes.len() - text.bytes.trim_ascii_start().len())
}

/// A name without its prefix.
fn local(name: &[u8]) -> &[u8] {
    name.rsplit(|&b| b == b':').next().unwrap_or(name)
}

/// A text with the characters that its references stand for; an unknown reference stays.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'&') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        // The longest reference is `&#x10FFFF;`.
        let end = after.iter().take(9).position(|&b| b == b';').filter(|_| byte == b'&');
        let name = end.and_then(|end| after.get(..end));
        if let Some(character) = name.and_then(character) {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = end.and_then(|end| after.get(end + 1..)).unwrap_or_default();
        } else {
            out.push(byte);
            rest = after;
        }
    }
    Cow::Owned(out)
}

fn character(name: &[u8]) -> Option<char> {
    Some(match name {
        b"lt" => '<',
        b"gt" => '>',
        b"amp" => '&',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x', hex @ ..] => {
            char::from_u32(u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?)?
        }
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_texts_and_attributes() {
        let text = "<?xml version='1.0'?><!-- <x>no</x> --><!DOCTYPE a>\n<a xmlns:p=\"u\">\r\n \
                    <p:b k = 'v&amp;&#x41;&#66;&nope;'/>t &lt; u<c><![CDATA[<&]]></c></a>\n";
        let (found, result) = values(Piece::whole(text.as_bytes()));
        assert!(result.is_ok());
        let found: Vec<_> = found
            .iter()
            .map(|v| {
                let path: Vec<_> = v.path.iter().map(|p| piece::text(p)).collect();
                let (name, value) = (piece::text(v.attribute), piece::text(&v.value));
                assert_eq!(text.as_bytes().get(v.raw.at..v.raw.end()), Some(v.raw.bytes));
                format!("{} {} {}@{name}={value}", v.parent, v.element, path.join("/"))
            })
            .collect();
        let expected = ["0 1 a@p=u", "1 2 a/b@k=v&AB&nope;", "0 1 a@=t < u", "1 3 a/c@=<&"];
        assert_eq!(found, expected);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("<a>", "elements are not closed"),
            ("<a", "markup does not end"),
            ("<!-- x", "markup does not end"),
            ("<a b=c>", "an attribute has no quotes"),
            ("<a b='c>", "an attribute does not end"),
            ("</b><a></c></a>", ""),
            ("< <<>", ""),
            ("plain", ""),
        ] {
            let (_, result) = values(Piece::whole(text.as_bytes()));
            let said = result.err().map(|e| e.message()).unwrap_or_default();
            assert_eq!(said, expected, "{text}");
        }
        let deep = "<a>".repeat(100);
        assert!(values(Piece::whole(deep.as_bytes())).1.is_err());
    }
}
