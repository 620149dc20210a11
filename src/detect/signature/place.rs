//! Where a signature looks besides plain bytes, and what it is joined with.

/// A way in which bytes are written down as other bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Two bytes a character, the low one first.
    Utf16Le,
    /// Two bytes a character, the high one first.
    Utf16Be,
    /// Base64 and base64url, at any phase, in one line or many.
    Base64,
    /// Hexadecimal digits of either case.
    Hex,
    /// `%41`.
    Percent,
    /// `\u0041`, `\x41` and the other escapes of JSON and programs.
    Escape,
    /// `=41`, and lines broken by `=`.
    QuotedPrintable,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Encoding; 7] = [
        Encoding::Utf16Le,
        Encoding::Utf16Be,
        Encoding::Base64,
        Encoding::Hex,
        Encoding::Percent,
        Encoding::Escape,
        Encoding::QuotedPrintable,
    ];

    /// Its name in signature files.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf16Le => "utf16le",
            Encoding::Utf16Be => "utf16be",
            Encoding::Base64 => "base64",
            Encoding::Hex => "hex",
            Encoding::Percent => "percent",
            Encoding::Escape => "escape",
            Encoding::QuotedPrintable => "quoted-printable",
        }
    }

    /// The encoding that locators call so.
    pub(in crate::detect) fn of_format(format: &str) -> Option<Encoding> {
        let letters = |text: &str| text.replace('-', "");
        Encoding::ALL.into_iter().find(|encoding| letters(encoding.name()) == letters(format))
    }

    fn bit(self) -> u8 {
        match self {
            Encoding::Utf16Le => 1,
            Encoding::Utf16Be => 2,
            Encoding::Base64 => 4,
            Encoding::Hex => 8,
            Encoding::Percent => 16,
            Encoding::Escape => 32,
            Encoding::QuotedPrintable => 64,
        }
    }
}

/// A set of encodings. Plain bytes are always looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encodings(u8);

impl Encodings {
    /// Only plain bytes.
    pub const NONE: Encodings = Encodings(0);

    /// Every encoding.
    pub const ALL: Encodings = Encodings(127);

    /// Whether `encoding` is looked at.
    pub fn has(self, encoding: Encoding) -> bool {
        self.0 & encoding.bit() != 0
    }

    /// With the encoding of that name; `plain` names what is there anyway.
    pub(super) fn and(self, name: &str) -> Option<Encodings> {
        if name == "plain" {
            return Some(self);
        }
        let encoding = Encoding::ALL.into_iter().find(|encoding| encoding.name() == name)?;
        Some(Encodings(self.0 | encoding.bit()))
    }
}

/// What a match is joined with when it stands near.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The signatures of the other half, by id.
    pub with: Vec<&'static str>,
    /// How many lines the halves may be apart.
    pub lines: usize,
    /// Wider places that join them; none when lines alone count.
    pub scopes: Vec<Scope>,
}

/// A place that joins two matches, however far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One section of an INI file.
    IniSection,
    /// One pair of braces.
    Braces,
    /// One file.
    File,
}

impl Scope {
    const ALL: [Scope; 3] = [Scope::IniSection, Scope::Braces, Scope::File];

    /// Its name in signature files.
    pub fn name(self) -> &'static str {
        match self {
            Scope::IniSection => "ini-section",
            Scope::Braces => "braces",
            Scope::File => "file",
        }
    }

    pub(super) fn named(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_encodings_are_all() {
        for encoding in Encoding::ALL {
            let one = Encodings::NONE.and(encoding.name()).unwrap();
            assert!(one.has(encoding) && Encodings::ALL.has(encoding));
            assert_eq!(Encoding::ALL.into_iter().filter(|other| one.has(*other)).count(), 1);
        }
        assert_eq!(Encodings::NONE.and("plain"), Some(Encodings::NONE));
        assert_eq!(Encodings::NONE.and("rot13"), None);
    }
}
