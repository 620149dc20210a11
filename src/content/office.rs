//! The text of office documents: of what
//! [Office Open XML](https://ecma-international.org/publications-and-standards/standards/ecma-376/)
//! and [OpenDocument](https://docs.oasis-open.org/office/OpenDocument/v1.3/) keep as XML, what a
//! reader sees. A word that its program has split over several runs is whole again.

use super::{Found, From, Given, Head, Member, Open, Out, Unpacker};
use crate::error::Result;
use crate::limits;
use crate::run::Run;
use std::io::{self, Read};

pub(super) const UNPACKER: Unpacker = Unpacker { name: "text", applies, open: Open::Stream(open) };

/// Folders in which text is kept.
const FOLDERS: [&[u8]; 3] = [b"word", b"xl", b"ppt"];

/// Bytes of an element's name or an entity that mean something.
const NAME_BYTES: usize = 24;

/// Elements behind which a line ends, and those that are the end of one.
const LINES: [&[u8]; 14] = [
    b"/p",
    b"/h",
    b"/si",
    b"/is",
    b"/v",
    b"/f",
    b"/tr",
    b"/comment",
    b"br",
    b"br/",
    b"cr",
    b"cr/",
    b"line-break",
    b"line-break/",
];

fn applies(head: &Head<'_>) -> bool {
    let Some(stem) = head.name.strip_suffix(b".xml") else { return false };
    let text = head.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head.bytes);
    if !text.trim_ascii_start().starts_with(b"<") {
        return false;
    }
    let mut parts = stem.rsplit(|byte| *byte == b'/');
    if parts.next() == Some(b"content") {
        // A name that many have.
        return memchr::memmem::find(head.bytes, b"oasis:names:tc:opendocument").is_some();
    }
    parts.take(2).any(|folder| FOLDERS.contains(&folder))
}

fn open(bytes: &mut dyn Read, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let from = given.size.map_or(From::Somewhere, |size| From::Packed(Run::new(0, size)));
    let mut text = Text::new(bytes);
    out(Found::Member(Member { from, ..Member::new(None, &mut text) }))
}

/// What the next byte is part of.
enum Inside {
    Text,
    /// An element, its name as far as it is known, and the quotation mark that has to come.
    Tag(Option<u8>),
    /// An entity.
    Entity,
}

/// XML without its elements.
struct Text<'a> {
    bytes: &'a mut dyn Read,
    packed: Vec<u8>,
    /// Text that waits to be read, and how much of it was.
    ready: Vec<u8>,
    used: usize,
    inside: Inside,
    name: Vec<u8>,
    /// Whether the name has ended.
    named: bool,
}

impl<'a> Text<'a> {
    fn new(bytes: &'a mut dyn Read) -> Text<'a> {
        let packed = vec![0; limits::UNPACKED_READ_BYTES];
        let (ready, used, inside, name) = (Vec::new(), 0, Inside::Text, Vec::new());
        Text { bytes, packed, ready, used, inside, name, named: false }
    }

    fn byte(&mut self, byte: u8) {
        match (&mut self.inside, byte) {
            (Inside::Text, b'<') => self.begin(Inside::Tag(None)),
            (Inside::Text, b'&') => self.begin(Inside::Entity),
            (Inside::Text, _) => self.ready.push(byte),
            (Inside::Tag(None), b'>') => {
                self.inside = Inside::Text;
                self.ready.extend(between(&self.name));
            }
            (Inside::Tag(quote @ None), b'"' | b'\'') => *quote = Some(byte),
            (Inside::Tag(quote), _) if *quote == Some(byte) => *quote = None,
            (Inside::Tag(Some(_)), _) => {}
            (Inside::Tag(None), _) => {
                self.named |= byte.is_ascii_whitespace();
                self.spell(byte);
            }
            (Inside::Entity, b';') => {
                self.inside = Inside::Text;
                let meant = meant(&self.name);
                let mut buf = [0; 4];
                self.ready
                    .extend(meant.map_or(b"?".as_slice(), |c| c.encode_utf8(&mut buf).as_bytes()));
            }
            // What is none stands for itself.
            (Inside::Entity, _) if byte == b'<' || self.name.len() >= NAME_BYTES => {
                self.ready.push(b'&');
                self.ready.extend_from_slice(&self.name);
                self.inside = Inside::Text;
                self.byte_of_text(byte);
            }
            (Inside::Entity, _) => self.spell(byte),
        }
    }

    fn byte_of_text(&mut self, byte: u8) {
        match byte {
            b'<' => self.begin(Inside::Tag(None)),
            b'&' => self.begin(Inside::Entity),
            _ => self.ready.push(byte),
        }
    }

    fn begin(&mut self, inside: Inside) {
        self.inside = inside;
        self.name.clear();
        self.named = false;
    }

    fn spell(&mut self, byte: u8) {
        if !self.named && self.name.len() < NAME_BYTES {
            self.name.push(byte);
        }
    }
}

impl Read for Text<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.used == self.ready.len() {
            self.ready.clear();
            self.used = 0;
            let mut packed = std::mem::take(&mut self.packed);
            let read = self.bytes.read(&mut packed);
            let len = *read.as_ref().unwrap_or(&0);
            packed.get(..len).unwrap_or_default().iter().for_each(|byte| self.byte(*byte));
            self.packed = packed;
            if read? == 0 {
                return Ok(0);
            }
        }
        let ready = self.ready.get(self.used..).unwrap_or_default();
        let len = ready.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..len), ready.get(..len)) {
            to.copy_from_slice(from);
        }
        self.used = self.used.saturating_add(len);
        Ok(len)
    }
}

/// What a reader sees in the place of an element.
fn between(name: &[u8]) -> Option<u8> {
    let slash: &[u8] = if name.starts_with(b"/") { b"/" } else { b"" };
    let local = name.rsplit(|byte| matches!(byte, b':')).next().unwrap_or(name);
    let local = local.strip_prefix(b"/").unwrap_or(local);
    let whole = [slash, local].concat();
    match whole.as_slice() {
        b"tab" | b"tab/" => Some(b'\t'),
        b"s" | b"s/" => Some(b' '),
        line if LINES.contains(&line) => Some(b'\n'),
        _ => None,
    }
}

/// The character that an entity means.
fn meant(name: &[u8]) -> Option<char> {
    Some(match name {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        _ => return None,
    })
}

fn number(digits: &[u8], base: u32) -> Option<char> {
    let text = std::str::from_utf8(digits).ok()?;
    char::from_u32(u32::from_str_radix(text, base).ok()?)
}

#[cfg(test)]
mod tests {
    use crate::content::probe::listing;

    #[test]
    fn a_word_is_whole_however_its_program_split_it() {
        let word = br#"<?xml version="1.0"?><w:document xmlns:w="a>b"><w:body>
<w:p><w:r><w:t>Pass</w:t></w:r><w:proofErr w:type="x"/><w:r><w:t xml:space="preserve">word: a&amp;b</w:t></w:r></w:p>
<w:p><w:r><w:t>x</w:t><w:br/><w:t>y</w:t><w:tab/><w:t>&#65;&#x42;&none;&</w:t></w:r></w:p></w:body></w:document>"#;
        assert_eq!(
            listing("word/document.xml", word),
            ["text = %0APassword: a&b%0A%0Ax%0Ay%09AB?&%0A"]
        );
        let sheet = b"<sst><si><r><t>to</t></r><r><t>ken</t></r></si><si><t>v</t></si></sst>";
        assert_eq!(listing("x.xlsx/xl/sharedStrings.xml", sheet), ["text = token%0Av%0A"]);
        assert_eq!(listing("xl/worksheets/sheet1.xml", b"<c><v>1</v></c>"), ["text = 1%0A"]);
        let odf = b"<office:document xmlns:o='urn:oasis:names:tc:opendocument:xmlns:office:1.0'>\
            <text:p>a<text:span>b</text:span><text:s/>c</text:p></office:document>";
        assert_eq!(listing("content.xml", odf), ["text = ab c%0A"]);
    }

    #[test]
    fn other_xml_is_left_alone() {
        for (name, bytes) in [
            ("content.xml", b"<a/>".as_slice()),
            ("etc/document.xml", b"<a/>"),
            ("word/document.xml", b"\0<a/>"),
            ("word/image.png", b"<a/>"),
        ] {
            assert!(listing(name, bytes).is_empty(), "{name}");
        }
        // Cut anywhere, and without an end.
        let cut = b"<p>one &am<p a='>'>two</p";
        for len in 1..=cut.len() {
            assert_eq!(listing("word/a.xml", &cut[..len]).len(), 1);
        }
        let long = [b"<p>&".as_slice(), &[b'a'; 100]].concat();
        assert_eq!(listing("word/a.xml", &long), [format!("text = &{}", "a".repeat(100))]);
    }
}
