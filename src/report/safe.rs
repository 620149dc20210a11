//! Text from an image, made safe for a terminal and a log.

use super::output::failed;
use crate::error::Result;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// Shows text with every character that could steer a terminal, forge a line or reorder what is
/// read written as an escape. The second of two `#` is one of them: `##[` and `##vso[` command
/// the runners of GitHub and Azure from anywhere in a line.
#[derive(Clone, Copy, Debug)]
pub struct Safe<'a>(pub &'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = ' ';
        self.0.chars().try_for_each(|c| {
            let risky = is_risky(c, std::mem::replace(&mut before, c));
            match c {
                '\n' | '\r' | '\t' => write!(f, "{}", c.escape_default()),
                c if risky => write!(f, "\\u{{{:x}}}", u32::from(c)),
                c => f.write_char(c),
            }
        })
    }
}

/// Whether `c` may not reach a terminal or a log as it is, with `before` standing before it.
fn is_risky(c: char, before: char) -> bool {
    c.is_control()
        || (c == '#' && before == '#')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{61c}' | '\u{e0000}'..='\u{e007f}')
}

/// Write `value` as JSON in which the same characters are escaped: parsed, it is the same value.
pub(crate) fn to_json(
    value: &impl Serialize,
    layout: impl Formatter,
    out: &mut dyn Write,
) -> Result<()> {
    let mut writer = Serializer::with_formatter(out, Escaping(layout));
    value.serialize(&mut writer).map_err(failed)
}

/// A layout of JSON, and its strings made safe.
struct Escaping<F>(F);

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut before = ' ';
        let mut units = [0; 2];
        let mut written = 0;
        for (at, c) in text.char_indices() {
            if !is_risky(c, std::mem::replace(&mut before, c)) {
                continue;
            }
            out.write_all(&text.as_bytes()[written..at])?;
            for unit in c.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}")?;
            }
            written = at + c.len_utf8();
        }
        out.write_all(&text.as_bytes()[written..])
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

/// Like [`Safe`], for text of our own that has line breaks.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a>(pub &'a str);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.0.lines().enumerate() {
            if number > 0 {
                f.write_char('\n')?;
            }
            Safe(line).fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let text = "a\x1b[2J\r\nno findings\u{202e}\u{9b}31m ##vso[x]";
        let shown = Safe(text).to_string();
        assert_eq!(shown, "a\\u{1b}[2J\\r\\nno findings\\u{202e}\\u{9b}31m #\\u{23}vso[x]");
    }

    #[test]
    fn json_steers_no_terminal_and_keeps_the_value() {
        let text = "\"a\x1b\n\u{7f}\u{9b}é\u{202e}\u{e0041}###[x]\\";
        let mut out = Vec::new();
        to_json(&text, serde_json::ser::CompactFormatter, &mut out).unwrap();
        let expected =
            "\"\\\"a\\u001b\\n\\u007f\\u009bé\\u202e\\udb40\\udc41#\\u0023\\u0023[x]\\\\\"";
        assert_eq!(String::from_utf8(out.clone()).unwrap(), expected);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}
