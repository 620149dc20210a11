//! Tokens of a line in a language with quoted texts: what SQL, JavaScript, Python and PowerShell
//! have in common.

use super::piece::{self, Piece};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// A word, a name, a number.
    Word,
    /// What stands between quotes.
    Text,
    /// Any other sign.
    Sign,
}

/// A line, its escapes undone, each byte with the place it stands at.
pub(super) struct Line<'a> {
    raw: Piece<'a>,
    bytes: Vec<u8>,
    /// Where each byte stands in the blob, and where the last one ends.
    at: Vec<usize>,
}

/// A token of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'l> {
    pub(super) sort: Sort,
    pub(super) bytes: &'l [u8],
    start: usize,
}

impl Token<'_> {
    /// Whether it is this word, in letters of any case.
    pub(super) fn is(&self, word: &str) -> bool {
        self.sort == Sort::Word && self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }

    /// As text for a fact.
    pub(super) fn text(&self) -> String {
        piece::text(self.bytes)
    }
}

impl<'a> Line<'a> {
    /// A line as it stands.
    pub(super) fn plain(raw: Piece<'a>) -> Line<'a> {
        let at = (raw.at..=raw.end()).collect();
        Line { raw, bytes: raw.bytes.to_vec(), at }
    }

    /// A line of libedit, which writes `\040` for a space
    /// ([vis(3)](https://man.openbsd.org/vis.3)).
    pub(super) fn of_libedit(raw: Piece<'a>) -> Line<'a> {
        let mut line = Line { raw, bytes: Vec::new(), at: Vec::new() };
        let mut rest = raw;
        while let Some((&byte, _)) = rest.bytes.split_first() {
            let digits = rest.bytes.get(1..4).filter(|_| byte == b'\\');
            let value = digits
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| u8::from_str_radix(digits, 8).ok());
            let doubled = value.is_none() && rest.bytes.starts_with(b"\\\\");
            line.bytes.push(value.unwrap_or(byte));
            line.at.push(rest.at);
            rest = rest.from(if value.is_some() { 4 } else { 1 + usize::from(doubled) });
        }
        line.at.push(raw.end());
        line
    }

    /// The whole line without its escapes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the bytes of a token, or of a part of one, are written.
    pub(super) fn written(&self, start: usize, len: usize) -> Piece<'a> {
        let place = |index: usize| {
            let at = self.at.get(index).or(self.at.last()).copied().unwrap_or(self.raw.at);
            at.saturating_sub(self.raw.at)
        };
        self.raw.sub(place(start), place(start.saturating_add(len)))
    }

    /// Where a token is written, without its quotes.
    pub(super) fn piece(&self, token: Token<'_>) -> Piece<'a> {
        self.written(token.start, token.bytes.len())
    }

    /// Where a part of a token's bytes is written.
    pub(super) fn part(&self, token: Token<'_>, from: usize, len: usize) -> Piece<'a> {
        self.written(token.start.saturating_add(from), len)
    }

    /// Its tokens; `word` says which bytes make words.
    pub(super) fn tokens(&self, word: fn(u8) -> bool) -> Vec<Token<'_>> {
        let mut tokens = Vec::new();
        let mut at = 0usize;
        while let Some(&byte) = self.bytes.get(at) {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let (sort, skip, len) = match byte {
                b'\'' | b'"' | b'`' => {
                    let len = quoted(rest.get(1..).unwrap_or_default(), byte);
                    (Sort::Text, 1, len)
                }
                _ if byte.is_ascii_whitespace() || byte.is_ascii_control() => {
                    at = at.saturating_add(1);
                    continue;
                }
                _ if word(byte) => {
                    let len = rest.iter().position(|&b| !word(b)).unwrap_or(rest.len());
                    (Sort::Word, 0, len)
                }
                _ => (Sort::Sign, 0, 1),
            };
            let start = at.saturating_add(skip);
            let end = start.saturating_add(len);
            tokens.push(Token {
                sort,
                bytes: self.bytes.get(start..end).unwrap_or_default(),
                start,
            });
            at = end.saturating_add(skip);
        }
        tokens
    }
}

/// How long the text is that ends with `quote`; a backslash or a second quote keeps it going.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 0usize;
    while let Some(&byte) = rest.get(at) {
        let next = rest.get(at.saturating_add(1));
        match byte {
            b'\\' => at = at.saturating_add(1),
            _ if byte == quote && next == Some(&quote) && at > 0 => at = at.saturating_add(1),
            _ if byte == quote => return at,
            _ => {}
        }
        at = at.saturating_add(1);
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(byte: u8) -> bool {
        byte.is_ascii_alphanumeric()
    }

    #[test]
    fn splits_lines() {
        let line = Line::plain(Piece { bytes: b"a 'b c'=(\"d\\\"e\" '' 'f''g' 'h", at: 100 });
        let found: Vec<_> =
            line.tokens(word).iter().map(|t| (t.sort, t.text(), line.piece(*t).at)).collect();
        let expected = [
            (Sort::Word, "a", 100),
            (Sort::Text, "b c", 103),
            (Sort::Sign, "=", 107),
            (Sort::Sign, "(", 108),
            (Sort::Text, "d\\\"e", 110),
            (Sort::Text, "", 117),
            (Sort::Text, "f''g", 120),
            (Sort::Text, "h", 127),
        ];
        assert_eq!(found, expected.map(|(sort, text, at)| (sort, text.to_owned(), at)));
    }

    #[test]
    fn undoes_libedit() {
        let line = Line::of_libedit(Piece { bytes: b"a\\040'b\\040\\\\c'\\9", at: 10 });
        assert_eq!(line.bytes(), b"a 'b \\c'\\9");
        let tokens = line.tokens(word);
        let piece = line.piece(tokens[1]);
        assert_eq!((piece.bytes, piece.at), (&b"b\\040\\\\c"[..], 16));
    }
}
