//! YAML ([1.2](https://yaml.org/spec/1.2.2/)), as much of it as configuration files use, and with
//! it JSON: a document as the list of its scalars, each with its path and its place in the file.
//!
//! Aliases are not followed, so nothing in a document can make it grow.

use super::piece::Piece;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use std::borrow::Cow;

/// One step of a scalar's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step<'a> {
    /// The value of a key, which is taken as written.
    Key(&'a [u8]),
    /// An item of a list.
    Item(usize),
}

/// A scalar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf<'a> {
    /// How it is reached.
    pub(super) path: Vec<Step<'a>>,
    /// What it says.
    pub(super) value: Cow<'a, [u8]>,
    /// Where that is written: without quotes, but with its escapes and its indentation.
    pub(super) raw: Piece<'a>,
    /// Whether it is tagged as base64.
    pub(super) binary: bool,
}

impl<'a> Leaf<'a> {
    /// Whether its path is `pattern`: keys, `*` for any key, `[]` for any item.
    pub(super) fn is(&self, pattern: &[&str]) -> bool {
        self.path.len() == pattern.len() && self.starts(pattern)
    }

    /// Whether its path begins with `pattern`.
    pub(super) fn starts(&self, pattern: &[&str]) -> bool {
        self.path.len() >= pattern.len()
            && self.path.iter().zip(pattern).all(|(step, want)| match step {
                Step::Item(_) => *want == "[]",
                Step::Key(key) => *want == "*" || want.as_bytes() == *key,
            })
    }

    /// The key it is the value of; empty for an item of a list.
    pub(super) fn key(&self) -> &'a [u8] {
        match self.path.last() {
            Some(Step::Key(key)) => key,
            _ => b"",
        }
    }

    /// The item number or key at `depth` of its path.
    pub(super) fn step(&self, depth: usize) -> Option<Step<'a>> {
        self.path.get(depth).copied()
    }
}

/// Every scalar of `text`, and what kept the rest from being read.
pub(super) fn leaves(text: Piece<'_>) -> (Vec<Leaf<'_>>, Result<()>) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = Reader { text, at: 0, frames: Vec::new(), leaves: Vec::new(), binary: false };
    let result = reader.document();
    (reader.leaves, result)
}

struct Reader<'a> {
    text: Piece<'a>,
    /// Where the next line starts.
    at: usize,
    /// The open levels, each with the column it stands at.
    frames: Vec<(usize, Step<'a>)>,
    leaves: Vec<Leaf<'a>>,
    /// Whether the scalar that is read next carries the tag of base64.
    binary: bool,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<()> {
        while let Some(line) = self.next_line() {
            let column = indent(line.bytes);
            let content = line.from(column).trim();
            match content.bytes {
                [] | [b'#', ..] => {}
                [b'%', ..] if column == 0 => {}
                b"---" | b"..." => self.frames.clear(),
                _ => self.content(column, content)?,
            }
        }
        Ok(())
    }

    /// The next line, without its end.
    fn next_line(&mut self) -> Option<Piece<'a>> {
        let rest = self.text.from(self.at);
        if rest.is_empty() {
            return None;
        }
        let line = rest.split_once(b'\n').map_or(rest, |(line, _)| line);
        self.at = self.at.saturating_add(line.bytes.len()).saturating_add(1);
        Some(line)
    }

    /// A line's items and key, and the value behind them.
    fn content(&mut self, column: usize, content: Piece<'a>) -> Result<()> {
        let (mut column, mut content) = (column, content);
        while content.bytes == b"-" || content.bytes.starts_with(b"- ") {
            self.item(column)?;
            let rest = content.from(1);
            let skipped = indent(rest.bytes);
            column = column.saturating_add(1).saturating_add(skipped);
            content = rest.from(skipped);
            if content.is_empty() {
                return Ok(());
            }
        }
        let Some((key, value)) = key(content) else {
            let parent = self.frames.last().map(|frame| frame.0);
            return self.value(parent, content);
        };
        while self.frames.last().is_some_and(|frame| frame.0 >= column) {
            self.frames.pop();
        }
        self.push(column, Step::Key(key))?;
        self.value(Some(column), value)
    }

    /// Step to the next item of the list at `column`. A list may stand at the column of the key
    /// that it is the value of.
    fn item(&mut self, column: usize) -> Result<()> {
        while self.frames.last().is_some_and(|frame| frame.0 > column) {
            self.frames.pop();
        }
        match self.frames.last_mut() {
            Some((at, Step::Item(number))) if *at == column => {
                *number = number.saturating_add(1);
                Ok(())
            }
            _ => self.push(column, Step::Item(0)),
        }
    }

    fn push(&mut self, column: usize, step: Step<'a>) -> Result<()> {
        if self.frames.len() >= limits::YAML_DEPTH {
            return Err(Error::new(ErrorKind::Limit, "document is nested too deeply"));
        }
        self.frames.push((column, step));
        Ok(())
    }

    fn leaf(&mut self, value: Cow<'a, [u8]>, raw: Piece<'a>) -> Result<()> {
        if self.leaves.len() >= limits::YAML_SCALARS {
            return Err(Error::new(ErrorKind::Limit, "document has too many values"));
        }
        let path = self.frames.iter().map(|frame| frame.1).collect();
        self.leaves.push(Leaf { path, value, raw, binary: self.binary });
        Ok(())
    }

    /// The value that starts in `rest` of a line, below something at column `parent`.
    fn value(&mut self, parent: Option<usize>, rest: Piece<'a>) -> Result<()> {
        let mut rest = rest.trim();
        self.binary = false;
        while let [b'!' | b'&', ..] = rest.bytes {
            let word = rest.words().next().unwrap_or_default();
            self.binary |= word.bytes == b"!!binary";
            rest = rest.from(word.bytes.len()).trim();
        }
        match rest.bytes.first() {
            None | Some(b'#' | b'*') => Ok(()),
            Some(b'|' | b'>') => self.block(parent, rest),
            Some(b'"' | b'\'') => {
                let (value, raw) = quoted(self.text, self.offset(rest))?;
                self.leaf(value, raw)?;
                self.skip_to(self.offset(raw) + raw.bytes.len() + 1);
                Ok(())
            }
            Some(b'{' | b'[') => {
                let depth = self.frames.len();
                let end = self.flow(self.offset(rest))?;
                self.frames.truncate(depth);
                self.skip_to(end);
                Ok(())
            }
            Some(_) => self.plain(parent, rest),
        }
    }

    /// Where a piece of the text starts in it.
    fn offset(&self, piece: Piece<'a>) -> usize {
        piece.at.saturating_sub(self.text.at)
    }

    /// Go on with the line after the one that holds `end`.
    fn skip_to(&mut self, end: usize) {
        if end > self.at {
            self.at = end;
            self.next_line();
        }
    }

    /// A scalar without quotes, which goes on over deeper lines.
    fn plain(&mut self, parent: Option<usize>, rest: Piece<'a>) -> Result<()> {
        let first = comment_cut(rest);
        let mut end = first.end();
        let mut value = Cow::Borrowed(first.bytes);
        loop {
            let before = self.at;
            let Some(line) = self.next_line() else { break };
            let column = indent(line.bytes);
            let content = comment_cut(line.from(column));
            let deeper = parent.is_some_and(|parent| column > parent);
            let item = content.bytes == b"-" || content.bytes.starts_with(b"- ");
            if !deeper || content.is_empty() || item || key(content).is_some() {
                self.at = before;
                break;
            }
            value.to_mut().push(b' ');
            value.to_mut().extend_from_slice(content.bytes);
            end = content.end();
        }
        let start = self.offset(first);
        let raw = self.text.sub(start, end.saturating_sub(self.text.at));
        self.leaf(value, raw)
    }

    /// A block scalar: the deeper lines, as they are (`|`) or joined (`>`).
    fn block(&mut self, parent: Option<usize>, header: Piece<'a>) -> Result<()> {
        let folded = header.bytes.starts_with(b">");
        let strip = header.bytes.get(1..3).unwrap_or(header.bytes).contains(&b'-');
        let floor = parent.map_or(0, |parent| parent.saturating_add(1));
        let digit = header.bytes.iter().skip(1).take(2).find(|b| b.is_ascii_digit());
        let mut column = digit.map(|d| parent.unwrap_or(0).saturating_add(usize::from(d - b'0')));
        let start = self.at;
        let mut end = start;
        let mut value = Vec::new();
        let mut blank_lines = 0usize;
        loop {
            let before = self.at;
            let Some(line) = self.next_line() else { break };
            let line = line.bytes.strip_suffix(b"\r").unwrap_or(line.bytes);
            if line.trim_ascii().is_empty() {
                blank_lines += 1;
                continue;
            }
            let found = indent(line);
            let column = *column.get_or_insert(found);
            if found < column.max(floor) {
                self.at = before;
                break;
            }
            if !value.is_empty() {
                let newlines = if folded { blank_lines } else { blank_lines + 1 };
                value.extend(std::iter::repeat_n(b'\n', newlines));
                value.extend((folded && blank_lines == 0).then_some(b' '));
            }
            blank_lines = 0;
            value.extend_from_slice(line.get(column..).unwrap_or_default());
            end = before.saturating_add(line.len());
        }
        if !strip && !value.is_empty() {
            value.push(b'\n');
        }
        let raw = self.text.sub(start, end);
        self.leaf(Cow::Owned(value), raw)
    }

    /// A flow collection from its bracket at `start`; returns where it ended.
    fn flow(&mut self, start: usize) -> Result<usize> {
        let bottom = self.frames.len();
        let mut at = start;
        let mut wants_key = false;
        while let Some(&byte) = self.text.bytes.get(at) {
            match byte {
                b'{' => {
                    self.push(0, Step::Key(b""))?;
                    wants_key = true;
                }
                b'[' => {
                    self.push(0, Step::Item(0))?;
                    wants_key = false;
                }
                b'}' | b']' => {
                    self.frames.pop();
                    wants_key = false;
                    if self.frames.len() <= bottom {
                        return Ok(at + 1);
                    }
                }
                b',' => wants_key = self.next_in_flow(),
                b'#' => {
                    let rest = self.text.from(at);
                    at += rest.split_once(b'\n').map_or(rest, |(line, _)| line).bytes.len();
                    continue;
                }
                b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => {
                    at = self.flow_scalar(at, wants_key)?;
                    wants_key = false;
                    continue;
                }
            }
            at += 1;
        }
        Err(Error::corrupt("brackets are not closed"))
    }

    /// After a comma: whether a key comes next.
    fn next_in_flow(&mut self) -> bool {
        match self.frames.last_mut() {
            Some((_, Step::Item(number))) => {
                *number = number.saturating_add(1);
                false
            }
            _ => true,
        }
    }

    /// A scalar inside brackets, which is a key or a value; returns where it ended.
    fn flow_scalar(&mut self, at: usize, is_key: bool) -> Result<usize> {
        let is_quoted = matches!(self.text.bytes.get(at), Some(b'"' | b'\''));
        let (value, raw) = if is_quoted {
            quoted(self.text, at)?
        } else {
            let raw = flow_plain(self.text.from(at));
            (Cow::Borrowed(raw.bytes), raw)
        };
        let end = self.offset(raw) + raw.bytes.len() + usize::from(is_quoted);
        if is_key {
            if let Some(frame) = self.frames.last_mut() {
                frame.1 = Step::Key(raw.bytes);
            }
        } else {
            self.leaf(value, raw)?;
        }
        Ok(end.max(at + 1))
    }
}

fn indent(line: &[u8]) -> usize {
    line.iter().take_while(|&&b| b == b' ').count()
}

/// Key and value of a `key: value`, when `content` is one.
fn key(content: Piece<'_>) -> Option<(&[u8], Piece<'_>)> {
    match content.bytes.first()? {
        &quote @ (b'"' | b'\'') => {
            let end = quote_end(content.bytes, 1, quote)?;
            let rest = content.from(end + 1).trim();
            let value = rest.strip_prefix(b":")?;
            let apart = value.bytes.first().is_none_or(u8::is_ascii_whitespace);
            apart.then(|| (content.sub(1, end).bytes, value))
        }
        b'{' | b'[' | b'|' | b'>' | b'#' | b'%' | b'@' | b'`' => None,
        _ => {
            let mut after = content.bytes.iter().skip(1);
            let colon = content.bytes.iter().position(|&b| {
                let apart = after.next().is_none_or(u8::is_ascii_whitespace);
                b == b':' && apart
            })?;
            let key = content.sub(0, colon);
            let commented = key.bytes.windows(2).any(|w| w == b" #");
            (!commented && !key.is_empty()).then(|| (key.trim().bytes, content.from(colon + 1)))
        }
    }
}

/// The plain text without the comment behind it.
fn comment_cut(text: Piece<'_>) -> Piece<'_> {
    if text.bytes.starts_with(b"#") {
        return text.sub(0, 0);
    }
    let end = text.bytes.windows(2).position(|w| w == b" #");
    text.sub(0, end.unwrap_or(usize::MAX)).trim()
}

/// The plain text at the start of `text`, inside brackets.
fn flow_plain(text: Piece<'_>) -> Piece<'_> {
    let mut after = text.bytes.iter().skip(1);
    let end = text.bytes.iter().position(|&b| {
        let next = after.next();
        let apart = next.is_none_or(|n| n.is_ascii_whitespace() || b",[]{}".contains(n));
        b",[]{}\n".contains(&b) || (b == b':' && apart) || (b == b' ' && next == Some(&b'#'))
    });
    let text = text.sub(0, end.unwrap_or(usize::MAX));
    text.sub(0, text.bytes.trim_ascii_end().len())
}

/// Where the quote closes that was opened before `from`.
fn quote_end(bytes: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    loop {
        let &byte = bytes.get(at)?;
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 1,
            _ if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// The scalar in quotes at `at`: what it says, and what stands between the quotes.
fn quoted(text: Piece<'_>, at: usize) -> Result<(Cow<'_, [u8]>, Piece<'_>)> {
    let quote = text.bytes.get(at).copied().unwrap_or_default();
    let end = quote_end(text.bytes, at + 1, quote)
        .ok_or_else(|| Error::corrupt("a quoted value does not end"))?;
    let raw = text.sub(at + 1, end);
    let plain = !raw.bytes.iter().any(|b| matches!(b, b'\\' | b'\'' | b'\n'));
    if plain {
        return Ok((Cow::Borrowed(raw.bytes), raw));
    }
    let value = if quote == b'"' { unescape(raw.bytes) } else { unfold(raw.bytes, quote) };
    Ok((Cow::Owned(value), raw))
}

/// A single-quoted text: two quotes are one, a line's end is a space.
fn unfold(raw: &[u8], quote: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte == quote {
            rest.next_if_eq(&quote);
        }
        if byte == b'\n' {
            while rest.next_if(u8::is_ascii_whitespace).is_some() {}
        }
        out.push(if byte == b'\n' { b' ' } else { byte });
    }
    out
}

/// A double-quoted text, with the escapes of YAML and JSON.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'\n' {
            out.push(b' ');
            rest = rest.trim_ascii_start();
            continue;
        }
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some((&escape, after)) = rest.split_first() else { break };
        rest = after;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'0' => out.push(0),
            b'\n' => rest = rest.trim_ascii_start(),
            b'x' | b'u' | b'U' => rest = code_point(escape, rest, &mut out),
            other => out.push(other),
        }
    }
    out
}

/// The character whose number stands in hex at the start of `rest`; returns what follows it.
fn code_point<'a>(escape: u8, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let hex = |digits: Option<&[u8]>| {
        digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
    };
    let len = match escape {
        b'x' => 2,
        b'u' => 4,
        _ => 8,
    };
    let Some(mut code) = hex(rest.get(..len)) else { return rest };
    let mut rest = rest.get(len..).unwrap_or_default();
    // JSON writes what lies beyond 16 bits as a pair.
    if (0xd800..0xdc00).contains(&code) {
        let low = rest.strip_prefix(b"\\u").and_then(|pair| hex(pair.get(..4)));
        if let Some(low) = low.filter(|low| (0xdc00..0xe000).contains(low)) {
            code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            rest = rest.get(6..).unwrap_or_default();
        }
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn listing(text: &str) -> String {
        let (leaves, result) = leaves(Piece::whole(text.as_bytes()));
        let mut out = String::new();
        for leaf in leaves {
            for step in &leaf.path {
                match step {
                    Step::Key(key) => write!(out, "/{}", String::from_utf8_lossy(key)).unwrap(),
                    Step::Item(number) => write!(out, "/{number}").unwrap(),
                }
            }
            let value = String::from_utf8_lossy(&leaf.value).replace('\n', "⏎");
            let raw = leaf.raw.at..leaf.raw.end();
            assert_eq!(&text.as_bytes()[raw], leaf.raw.bytes);
            write!(out, "={value};").unwrap();
        }
        if let Err(error) = result {
            write!(out, "!{}", error.what()).unwrap();
        }
        out
    }

    #[test]
    fn reads_documents() {
        for (text, expected) in [
            ("a: 1\nb:\n  c: x y # note\n  d: 'it''s'\n", "/a=1;/b/c=x y;/b/d=it's;"),
            ("a:\n- x\n- y: 1\n  z: 2\nb: 3", "/a/0=x;/a/1/y=1;/a/1/z=2;/b=3;"),
            ("a:\n  - - p\n    - q\n  -\n    r: s\n", "/a/0/0=p;/a/0/1=q;/a/1/r=s;"),
            ("a: |\n  x\n\n   y\nb: >-\n  p\n  q\n\nc: z", "/a=x⏎⏎ y⏎;/b=p q;/c=z;"),
            ("- a: |\n    k: v\n  b: 2\n", "/0/a=k: v⏎;/0/b=2;"),
            (
                "a: {b: c, d: [1, 'x, y', {e: f}]}\ng: h",
                "/a/b=c;/a/d/0=1;/a/d/1=x, y;/a/d/2/e=f;/g=h;",
            ),
            (
                "{\"a\":{\"b\":\"c\\u00e9\\/\\n\",\n \"d\":[1,{}]},\"e\":2}",
                "/a/b=cé/⏎;/a/d/0=1;/e=2;",
            ),
            ("{\"k\": \"\\ud83d\\ude00\"}", "/k=😀;"),
            ("a: &x !t v\nb: *x\n", "/a=v;"),
            ("a: one\n  two\n three\nb: c:d\n", "/a=one two three;/b=c:d;"),
            ("---\na: 1\n...\n---\nb: \"x: y\"\n", "/a=1;/b=x: y;"),
            (
                "\"q k\": v
'w': |-
  no
",
                "/q k=v;/w=no;",
            ),
            ("a: \"open\nb: 1", "!a quoted value does not end"),
            ("a: [1, 2", "/a/0=1;/a/1=2;!brackets are not closed"),
            ("url: http://u:p@h:80/x#y\n", "/url=http://u:p@h:80/x#y;"),
        ] {
            assert_eq!(listing(text), expected, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        for text in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(10_000)] {
            assert!(listing(&text).contains("nested too deeply"));
        }
    }
}
