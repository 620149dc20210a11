//! INI: sections of `name = value` lines, as many programs write it.

use super::piece::Piece;

/// One `name = value` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// The section's name as it stands between the brackets; empty before the first.
    pub(super) section: Piece<'a>,
    /// The name.
    pub(super) name: Piece<'a>,
    /// The value, without quotes around it.
    pub(super) value: Piece<'a>,
}

/// The entries of `text`, in order.
pub(super) fn entries(text: Piece<'_>) -> impl Iterator<Item = Entry<'_>> {
    let mut section = Piece::default();
    text.lines().filter_map(move |line| {
        let line = line.trim();
        match line.bytes {
            [b'#' | b';', ..] | [] => None,
            [b'[', ..] => {
                section =
                    line.from(1).split_once(b']').map_or(line.from(1), |(name, _)| name).trim();
                None
            }
            _ => {
                let (name, value) = line.split_once(b'=')?;
                Some(Entry { section, name: name.trim(), value: value.trim().unquote() })
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sections() {
        let text = b"a=1\n[ x \"y\" ]\n# c\n b = \"2 = 3\" \r\n[cut\nd=\n=\n";
        let found: Vec<_> = entries(Piece::whole(text))
            .map(|e| (e.section.text(), e.name.text(), e.value.text()))
            .collect();
        let expected =
            [("", "a", "1"), ("x \"y\"", "b", "2 = 3"), ("cut", "d", ""), ("cut", "", "")];
        assert_eq!(found, expected.map(|(s, n, v)| (s.to_owned(), n.to_owned(), v.to_owned())));
    }
}
