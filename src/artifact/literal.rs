//! Literals: the strings that scripts and configuration languages assign to names, in PHP, Python,
//! Ruby, JavaScript and HCL. No expression is evaluated: what is computed is not found.

use super::piece::Piece;
use super::settings::{Name, Setting};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use std::borrow::Cow;

/// A string assigned to a name.
#[derive(Clone, Debug)]
pub(super) struct Literal<'a> {
    /// The name, or the key.
    pub(super) name: Piece<'a>,
    /// What the string says.
    pub(super) value: Cow<'a, [u8]>,
    /// What stands between its quotes.
    pub(super) raw: Piece<'a>,
    /// The number of the innermost table around it; zero for none.
    pub(super) group: usize,
    /// The key or word before that table.
    pub(super) label: Piece<'a>,
}

impl Literal<'_> {
    /// As a setting.
    pub(super) fn setting(&self) -> Setting<'_> {
        let name = Name::Text(self.name);
        Setting { group: self.group, name, value: &self.value, raw: self.raw, kind: None }
    }
}

/// How a language writes comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// `//`, `/* */` and `#`.
    Php,
    /// `#`; strings in three quotes.
    Python,
    /// `#`.
    Ruby,
}

/// Every string in `text` that is assigned to a name, and what kept the rest from being read.
pub(super) fn assigned(text: Piece<'_>, language: Language) -> (Vec<Literal<'_>>, Result<()>) {
    let mut reader = Reader {
        text,
        language,
        at: 0,
        name: None,
        assigns: false,
        call: Call::None,
        word: Piece::default(),
        tables: Vec::new(),
        table_count: 0,
        found: Vec::new(),
    };
    let result = reader.run();
    (reader.found, result)
}

/// The call whose arguments are being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    None,
    /// `define('NAME', 'value')`.
    Define,
    /// `env('NAME', 'default')`, before its comma and behind.
    Environment,
    Default,
}

struct Reader<'a> {
    text: Piece<'a>,
    language: Language,
    at: usize,
    name: Option<Piece<'a>>,
    /// Whether the name was followed by what assigns.
    assigns: bool,
    call: Call,
    /// The last word, for what is called.
    word: Piece<'a>,
    /// The open brackets: number and label of the table that each is in.
    tables: Vec<(usize, Piece<'a>)>,
    table_count: usize,
    found: Vec<Literal<'a>>,
}

impl<'a> Reader<'a> {
    fn run(&mut self) -> Result<()> {
        while let Some(&byte) = self.text.bytes.get(self.at) {
            let next = self.text.bytes.get(self.at + 1).copied();
            match (byte, next) {
                (b'#', _) => self.skip_line(),
                (b'/', Some(b'/')) if self.language == Language::Php => self.skip_line(),
                (b'/', Some(b'*')) if self.language == Language::Php => self.skip_block(),
                (b'"' | b'\'', _) => self.string(byte)?,
                _ if is_word(byte) => self.word(),
                _ => {
                    self.sign(byte, next)?;
                    self.at += 1;
                }
            }
        }
        Ok(())
    }

    fn skip_line(&mut self) {
        let rest = self.text.from(self.at).bytes;
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    fn skip_block(&mut self) {
        let rest = self.text.from(self.at).bytes;
        self.at += memchr::memmem::find(rest, b"*/").map_or(rest.len(), |end| end + 2);
    }

    fn word(&mut self) {
        let rest = self.text.from(self.at);
        let end = rest.bytes.iter().position(|&b| !is_word(b)).unwrap_or(rest.bytes.len());
        let word = rest.sub(0, end);
        self.at += end;
        // `$this->x` and `self.x` are called `x`.
        let start = word.bytes.iter().rposition(|b| b"$>.@:".contains(b)).map_or(0, |at| at + 1);
        let last = word.from(start);
        self.word = last;
        match last.bytes {
            b"define" => self.call = Call::Define,
            b"env" | b"getenv" | b"get" | b"fetch" | b"config" if self.assigns => {
                self.call = Call::Environment;
            }
            b"array" | b"dict" => {}
            // What a string is marked with.
            b"u" | b"b" | b"r" | b"f" if self.assigns => {}
            // The type behind a name: `KEY: str = 'x'`.
            _ if self.assigns && self.language == Language::Python => self.assigns = false,
            _ if self.assigns => self.forget(),
            _ if last.is_empty() => {}
            _ => self.name = Some(last),
        }
    }

    fn forget(&mut self) {
        self.name = None;
        self.assigns = false;
        self.call = Call::None;
    }

    fn string(&mut self, quote: u8) -> Result<()> {
        let rest = self.text.from(self.at);
        let triple = [quote; 3];
        if self.language == Language::Python && rest.bytes.starts_with(&triple) {
            let inside = rest.from(3).bytes;
            let end = memchr::memmem::find(inside, &triple).unwrap_or(inside.len());
            self.at += end + 6;
            self.forget();
            return Ok(());
        }
        let inside = rest.from(1);
        let Some(end) = string_end(inside.bytes, quote, self.language) else {
            // An apostrophe in a text around the script.
            self.at += 1;
            return Ok(());
        };
        let raw = inside.sub(0, end);
        self.at += end + 2;
        self.take(raw, quote)
    }

    fn take(&mut self, raw: Piece<'a>, quote: u8) -> Result<()> {
        if !self.assigns || self.call == Call::Environment {
            if self.call != Call::Environment {
                self.name = Some(raw);
            }
            return Ok(());
        }
        if let Some(name) = self.name {
            if self.found.len() >= limits::LITERALS {
                return Err(Error::new(ErrorKind::Limit, "script has too many values"));
            }
            let (group, label) = self.tables.last().copied().unwrap_or_default();
            let value = unescape(raw.bytes, quote);
            self.found.push(Literal { name, value, raw, group, label });
        }
        self.forget();
        Ok(())
    }

    fn sign(&mut self, byte: u8, next: Option<u8>) -> Result<()> {
        match byte {
            b'=' if next == Some(b'=') => {
                self.forget();
                self.at += 1;
            }
            b'=' => self.assigns = self.name.is_some(),
            b':' if next == Some(b':') => {
                self.forget();
                self.at += 1;
            }
            b':' if self.language != Language::Php => self.assigns = self.name.is_some(),
            b',' => match self.call {
                Call::Define => self.assigns = self.name.is_some(),
                Call::Environment => self.call = Call::Default,
                _ => self.forget(),
            },
            b'(' | b'[' | b'{' => self.open(byte)?,
            b')' | b']' | b'}' => {
                self.tables.pop();
                if byte != b']' || self.assigns {
                    self.forget();
                }
            }
            b';' => self.forget(),
            b'\n' if self.tables.is_empty() && self.language != Language::Php => self.forget(),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, byte: u8) -> Result<()> {
        if self.tables.len() >= limits::LITERAL_DEPTH {
            return Err(Error::new(ErrorKind::Limit, "script is nested too deeply"));
        }
        let constructor = matches!(self.word.bytes, b"array" | b"dict" | b"Array");
        if byte == b'(' && !constructor {
            let around = self.tables.last().copied().unwrap_or_default();
            self.tables.push(around);
            return Ok(());
        }
        self.table_count = self.table_count.saturating_add(1);
        let label = self.name.unwrap_or_default();
        self.tables.push((self.table_count, label));
        self.word = Piece::default();
        self.forget();
        Ok(())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_$.@".contains(&byte) || byte >= 0x80
}

/// Where the string closes; those of Python and Ruby end with their line at the latest.
fn string_end(bytes: &[u8], quote: u8, language: Language) -> Option<usize> {
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 1,
            b'\n' if language != Language::Php => return None,
            &byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// What a string says. In single quotes only the quote and the backslash are escaped.
fn unescape(raw: &[u8], quote: u8) -> Cow<'_, [u8]> {
    if !raw.contains(&b'\\') {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        match (byte == b'\\').then(|| rest.next()).flatten() {
            None => out.push(byte),
            Some(b'n') if quote == b'"' => out.push(b'\n'),
            Some(b't') if quote == b'"' => out.push(b'\t'),
            Some(b'r') if quote == b'"' => out.push(b'\r'),
            Some(escaped) if escaped == quote || b"\\$".contains(&escaped) => out.push(escaped),
            Some(other) => out.extend([b'\\', other]),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(text: &str, language: Language) -> String {
        let (found, result) = assigned(Piece::whole(text.as_bytes()), language);
        let mut out: Vec<String> = found
            .iter()
            .map(|l| {
                assert_eq!(&text.as_bytes()[l.raw.at..l.raw.end()], l.raw.bytes);
                let value = String::from_utf8_lossy(&l.value).into_owned();
                format!("{}={value}@{}{}", l.name.text(), l.group, l.label.text())
            })
            .collect();
        out.extend(result.err().map(|error| error.what().to_owned()));
        out.join("; ")
    }

    #[test]
    fn reads_php() {
        for (text, expected) in [
            ("<?php define('DB_PASSWORD', 'a\\'b'); // don't", "DB_PASSWORD=a'b@0"),
            ("$a = 'x'; $b['c']['d'] = \"y\";", "a=x@0; d=y@0"),
            (
                "return ['db' => ['password' => 'p', 'h' => env('H', 'd')], 'k' => array('z' => 'w')];",
                "password=p@2db; h=d@2db; z=w@3k",
            ),
            ("public $password = 'p'; if ($x == 'y') { $this->q = 'r'; }", "password=p@0; q=r@1"),
            ("$x = getenv('PW'); $y = 'z' . $x; /* $a = 'b' */", "y=z@0"),
        ] {
            assert_eq!(listing(text, Language::Php), expected, "{text}");
        }
    }

    #[test]
    fn reads_python() {
        for (text, expected) in [
            ("SECRET_KEY = 'k' # it's\nA = B\n'x'\n", "SECRET_KEY=k@0"),
            (
                "DATABASES = {\n 'default': {\n  'USER': 'u',\n  'PASSWORD': 'p',\n }\n}\n",
                "USER=u@2default; PASSWORD=p@2default",
            ),
            ("K = os.environ.get('K', 'd')\nL = env('L')\nM = u'm'\n", "K=d@0; M=m@0"),
            ("\"\"\"doc = 'x'\"\"\"\na: 'b'\n", "a=b@0"),
            ("x = dict(password='p', n=1)", "password=p@1x"),
            ("KEY: str = 'x'\nA::B.c = 'd'\n", "KEY=x@0; c=d@0"),
        ] {
            assert_eq!(listing(text, Language::Python), expected, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert_eq!(listing(&"[".repeat(10_000), Language::Ruby), "script is nested too deeply");
    }
}
