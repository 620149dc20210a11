//! A command line of a POSIX shell
//! ([grammar](https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html)): its
//! commands and their words without quotes, each byte with the place it stands at.

use super::piece::Piece;

/// Part of a word: its bytes and where each of them stands in the blob.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Value<'w> {
    pub(super) bytes: &'w [u8],
    at: &'w [usize],
}

impl<'w> Value<'w> {
    /// From byte `start` on.
    pub(super) fn from(self, start: usize) -> Value<'w> {
        let start = start.min(self.bytes.len());
        Value {
            bytes: self.bytes.get(start..).unwrap_or_default(),
            at: self.at.get(start..).unwrap_or_default(),
        }
    }

    /// Up to byte `end`.
    pub(super) fn to(self, end: usize) -> Value<'w> {
        let end = end.min(self.bytes.len());
        Value {
            bytes: self.bytes.get(..end).unwrap_or_default(),
            at: self.at.get(..end).unwrap_or_default(),
        }
    }

    /// What stands before and after the first `byte`.
    pub(super) fn split_once(self, byte: u8) -> Option<(Value<'w>, Value<'w>)> {
        let at = self.bytes.iter().position(|&b| b == byte)?;
        Some((self.to(at), self.from(at + 1)))
    }

    /// What follows `prefix`.
    pub(super) fn strip_prefix(self, prefix: &[u8]) -> Option<Value<'w>> {
        self.bytes.starts_with(prefix).then(|| self.from(prefix.len()))
    }

    /// Where it stands, as a piece of its own bytes.
    pub(super) fn piece(self) -> Piece<'w> {
        Piece { bytes: self.bytes, at: self.at.first().copied().unwrap_or_default() }
    }

    /// The bytes of the blob it was written with, from the first to the last.
    pub(super) fn written(self, blob: Piece<'_>) -> Piece<'_> {
        match (self.at.first(), self.at.last()) {
            (Some(&first), Some(&last)) => blob
                .sub(first.saturating_sub(blob.at), last.saturating_add(1).saturating_sub(blob.at)),
            _ => blob.sub(0, 0),
        }
    }
}

/// A word without its quotes.
#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    bytes: Vec<u8>,
    at: Vec<usize>,
}

impl Word {
    /// The word a decoded value makes that was written as `raw`.
    pub(super) fn of(value: &[u8], raw: Piece<'_>) -> Word {
        let last = raw.end().saturating_sub(1).max(raw.at);
        let at = (0..value.len()).map(|n| raw.at.saturating_add(n).min(last)).collect();
        Word { bytes: value.to_vec(), at }
    }

    pub(super) fn value(&self) -> Value<'_> {
        Value { bytes: &self.bytes, at: &self.at }
    }

    fn push(&mut self, byte: u8, at: usize) {
        self.bytes.push(byte);
        self.at.push(at);
    }
}

/// A simple command.
#[derive(Clone, Debug, Default)]
pub(super) struct Command {
    /// Its words, redirections left out.
    pub(super) words: Vec<Word>,
    /// The text of a `<<<`.
    pub(super) here: Option<Word>,
    /// Whether it reads what the command before it writes.
    pub(super) piped: bool,
}

/// Where the next word goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Word,
    Nowhere,
    Here,
}

/// The commands of `line`, in order.
pub(super) fn commands(line: Piece<'_>) -> Vec<Command> {
    let mut splitter = Splitter {
        line,
        at: 0,
        word: None,
        target: Target::Word,
        command: Command::default(),
        commands: Vec::new(),
    };
    while let Some(&byte) = line.bytes.get(splitter.at) {
        if !splitter.step(byte) {
            break;
        }
    }
    splitter.end_command(false);
    splitter.commands
}

struct Splitter<'a> {
    line: Piece<'a>,
    at: usize,
    word: Option<Word>,
    target: Target,
    command: Command,
    commands: Vec<Command>,
}

impl Splitter<'_> {
    /// Take `byte` and what belongs to it; `false` where a comment begins.
    fn step(&mut self, byte: u8) -> bool {
        let next = self.line.bytes.get(self.at + 1).copied();
        match byte {
            b' ' | b'\t' | b'\r' => self.end_word(),
            b'\n' | b';' | b'(' | b')' => self.end_command(false),
            b'&' if next == Some(b'>') => self.end_word(),
            b'&' => {
                self.at += usize::from(next == Some(b'&'));
                self.end_command(false);
            }
            b'|' => {
                let or = next == Some(b'|');
                self.at += usize::from(or || next == Some(b'&'));
                self.end_command(!or);
            }
            b'<' | b'>' => self.redirection(byte),
            b'#' if self.word.is_none() => return false,
            b'\'' => self.single(),
            b'"' => self.double(),
            b'\\' => {
                self.at += 1;
                self.take();
            }
            b'$' if next == Some(b'(') => self.substitution(b'(', b')'),
            b'$' if next == Some(b'{') => self.substitution(b'{', b'}'),
            b'`' => self.backticks(),
            _ => self.take(),
        }
        self.at += 1;
        true
    }

    /// The byte at hand joins the word.
    fn take(&mut self) {
        if let Some(&byte) = self.line.bytes.get(self.at) {
            let at = self.line.at.saturating_add(self.at);
            self.word.get_or_insert_default().push(byte, at);
        }
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match self.target {
            Target::Word => self.command.words.push(word),
            Target::Here => self.command.here = Some(word),
            Target::Nowhere => {}
        }
        self.target = Target::Word;
    }

    fn end_command(&mut self, pipe: bool) {
        self.end_word();
        self.target = Target::Word;
        let next = Command { piped: pipe, ..Command::default() };
        let command = std::mem::replace(&mut self.command, next);
        if !command.words.is_empty() {
            self.commands.push(command);
        }
    }

    /// `>`, `>>`, `2>&1`, `<<<`: the word behind it is no argument.
    fn redirection(&mut self, byte: u8) {
        let number = self.word.as_ref().is_some_and(|w| w.bytes.iter().all(u8::is_ascii_digit));
        if number {
            self.word = None;
        }
        self.end_word();
        let rest = self.line.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().take(3).take_while(|&&b| b == byte).count();
        self.target = if byte == b'<' && len == 3 { Target::Here } else { Target::Nowhere };
        let after = rest.get(len).copied();
        self.at += len.max(1) - 1 + usize::from(after == Some(b'&'));
    }

    fn single(&mut self) {
        self.word.get_or_insert_default();
        self.at += 1;
        while self.line.bytes.get(self.at).is_some_and(|&b| b != b'\'') {
            self.take();
            self.at += 1;
        }
    }

    fn double(&mut self) {
        self.word.get_or_insert_default();
        self.at += 1;
        while let Some(&byte) = self.line.bytes.get(self.at).filter(|&&b| b != b'"') {
            let next = self.line.bytes.get(self.at + 1);
            if byte == b'\\' && next.is_some_and(|b| b"\\\"$`".contains(b)) {
                self.at += 1;
            }
            self.take();
            self.at += 1;
        }
    }

    /// `$(…)` and `${…}` stay as they are: nothing is known of their value.
    fn substitution(&mut self, open: u8, close: u8) {
        let mut depth = 0usize;
        while let Some(&byte) = self.line.bytes.get(self.at) {
            self.take();
            depth += usize::from(byte == open);
            if byte == close {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return;
                }
            }
            self.at += 1;
        }
    }

    fn backticks(&mut self) {
        self.take();
        self.at += 1;
        while let Some(&byte) = self.line.bytes.get(self.at) {
            self.take();
            if byte == b'`' {
                return;
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(line: &str) -> String {
        let text = Piece { bytes: line.as_bytes(), at: 100 };
        let mut out = Vec::new();
        for command in commands(text) {
            let words: Vec<_> = command
                .words
                .iter()
                .map(|w| String::from_utf8_lossy(w.value().bytes).into_owned())
                .collect();
            for word in &command.words {
                for (byte, at) in word.bytes.iter().zip(&word.at) {
                    assert_eq!(line.as_bytes()[at - 100], *byte);
                }
            }
            let here = command.here.map(|w| String::from_utf8(w.bytes).unwrap());
            let here = here.map(|h| format!("<{h}>")).unwrap_or_default();
            out.push(format!("{}{}{here}", if command.piped { "|" } else { "" }, words.join("_")));
        }
        out.join(" ")
    }

    #[test]
    fn splits_lines() {
        for (line, expected) in [
            ("a b  c", "a_b_c"),
            ("a 'b c' \"d \\\" e\" f\\ g", "a_b c_d \" e_f g"),
            ("x=1 y | z || p && q; r & s", "x=1_y |z p q r s"),
            ("a > /dev/null 2>&1 < in b", "a_b"),
            ("a <<< \"x y\" b", "a_b<x y>"),
            ("a # b", "a"),
            ("a#b", "a#b"),
            ("a -p\"$(cat x | y)\" `b c` $(d e)f", "a_-p$(cat x | y)_`b c`_$(d e)f"),
            ("(cd x; y)", "cd_x y"),
            ("a 'open", "a_open"),
            ("a ''", "a_"),
            ("", ""),
            ("a\\", "a"),
            ("a &> b c", "a_c"),
        ] {
            assert_eq!(listing(line), expected, "{line}");
        }
    }
}
