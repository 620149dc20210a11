//! A piece of a blob: bytes that know where they stand, so that every match has its span.

use crate::limits;
use crate::run::Run;

/// Bytes and their offset in the blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Piece<'a> {
    /// All of a blob.
    pub(super) fn whole(bytes: &'a [u8]) -> Piece<'a> {
        Piece { bytes, at: 0 }
    }

    /// Where it stands.
    pub(super) fn run(self) -> Run {
        Run::new(self.at as u64, self.bytes.len() as u64)
    }

    /// One past its last byte.
    pub(super) fn end(self) -> usize {
        self.at.saturating_add(self.bytes.len())
    }

    pub(super) fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes from `start` to `end`, cut at its own end.
    pub(super) fn sub(self, start: usize, end: usize) -> Piece<'a> {
        let end = end.min(self.bytes.len());
        let start = start.min(end);
        Piece { bytes: self.bytes.get(start..end).unwrap_or_default(), at: self.at + start }
    }

    /// The bytes from `start`.
    pub(super) fn from(self, start: usize) -> Piece<'a> {
        self.sub(start, usize::MAX)
    }

    /// Without white space at either end.
    pub(super) fn trim(self) -> Piece<'a> {
        let start = self.bytes.len() - self.bytes.trim_ascii_start().len();
        self.sub(start, start + self.bytes.trim_ascii().len())
    }

    /// Without one pair of quotes around it.
    pub(super) fn unquote(self) -> Piece<'a> {
        match self.bytes {
            [b'"', .., b'"'] | [b'\'', .., b'\''] => self.sub(1, self.bytes.len() - 1),
            _ => self,
        }
    }

    /// What stands before and after the first `byte`.
    pub(super) fn split_once(self, byte: u8) -> Option<(Piece<'a>, Piece<'a>)> {
        let at = self.bytes.iter().position(|&b| b == byte)?;
        Some((self.sub(0, at), self.from(at + 1)))
    }

    /// What follows `prefix`.
    pub(super) fn strip_prefix(self, prefix: &[u8]) -> Option<Piece<'a>> {
        self.bytes.starts_with(prefix).then(|| self.from(prefix.len()))
    }

    /// The pieces between every `byte`; one more than there are such bytes.
    pub(super) fn split(self, byte: u8) -> impl Iterator<Item = Piece<'a>> {
        let mut at = self.at;
        self.bytes.split(move |&b| b == byte).map(move |bytes| {
            let piece = Piece { bytes, at };
            at = at.saturating_add(bytes.len()).saturating_add(1);
            piece
        })
    }

    /// Its lines, without their ends.
    pub(super) fn lines(self) -> impl Iterator<Item = Piece<'a>> {
        self.split(b'\n').map(|line| match line.bytes.split_last() {
            Some((b'\r', rest)) => Piece { bytes: rest, at: line.at },
            _ => line,
        })
    }

    /// Its words, between white space.
    pub(super) fn words(self) -> impl Iterator<Item = Piece<'a>> {
        let mut rest = self;
        std::iter::from_fn(move || {
            rest = rest.trim();
            let end = rest.bytes.iter().position(u8::is_ascii_whitespace);
            let word = rest.sub(0, end.unwrap_or(usize::MAX));
            rest = rest.from(word.bytes.len());
            (!word.is_empty()).then_some(word)
        })
    }

    /// As text for a fact.
    pub(super) fn text(self) -> String {
        text(self.bytes)
    }
}

/// Bytes as text for a fact: bounded, and without controls.
pub(super) fn text(bytes: &[u8]) -> String {
    let cut = bytes.get(..limits::FACT_BYTES).unwrap_or(bytes);
    String::from_utf8_lossy(cut)
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// Days since 1970 as a date; `None` where there is no such day.
pub(super) fn date(days: i64) -> Option<String> {
    // Years count from March, so that the leap day ends one.
    let days = days.checked_add(719_468)?;
    if !(0..=3_652_059).contains(&days) {
        return None;
    }
    let era = days / 146_097;
    let day = days % 146_097;
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    Some(format!("{:04}-{month:02}-{day:02}", year + era * 400 + carry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_know_where_they_stand() {
        let text = Piece::whole(b"ab: c \r\nde\n");
        let found: Vec<_> = text.lines().map(|l| (l.bytes, l.at)).collect();
        assert_eq!(found, [(&b"ab: c "[..], 0), (b"de", 8), (b"", 11)]);
        let (name, value) = text.sub(0, 6).split_once(b':').unwrap();
        assert_eq!((name.bytes, value.trim().bytes, value.trim().at), (&b"ab"[..], &b"c"[..], 4));
        assert_eq!(text.words().map(|w| w.at).collect::<Vec<_>>(), [0, 4, 8]);
        assert_eq!(Piece::whole(b"   ").trim().bytes, b"");
        assert_eq!(Piece::whole(b"\"").unquote().bytes, b"\"");
        assert_eq!(Piece::whole(b"'x'").unquote().at, 1);
    }

    #[test]
    fn dates() {
        for (days, expected) in [
            (0, Some("1970-01-01")),
            (19_782, Some("2024-02-29")),
            (20_000, Some("2024-10-04")),
            (-1, Some("1969-12-31")),
            (11_016, Some("2000-02-29")),
            (i64::MAX, None),
            (99_999_999, None),
        ] {
            assert_eq!(date(days).as_deref(), expected, "{days}");
        }
    }
}
