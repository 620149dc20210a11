//! One header block of a tar archive: where its fields stand and how numbers are written in them.

/// Bytes of a block.
pub(super) const BLOCK: usize = 512;

/// A header block whose checksum holds.
pub(super) struct Header<'a>(&'a [u8; BLOCK]);

impl<'a> Header<'a> {
    /// The header in a block, if its checksum says that there is one.
    pub(super) fn new(block: &'a [u8]) -> Option<Header<'a>> {
        let block: &[u8; BLOCK] = block.try_into().ok()?;
        let wanted = number(block.get(148..156)?)?;
        let (mut unsigned, mut signed) = (0i64, 0i64);
        for (at, byte) in block.iter().enumerate() {
            let byte = if (148..156).contains(&at) { b' ' } else { *byte };
            unsigned = unsigned.saturating_add(i64::from(byte));
            // Old archivers summed signed characters.
            signed = signed.saturating_add(i64::from(byte.cast_signed()));
        }
        (wanted == unsigned || wanted == signed).then_some(Header(block))
    }

    /// The bytes of a field.
    pub(super) fn field(&self, start: usize, len: usize) -> &'a [u8] {
        self.0.get(start..start.saturating_add(len)).unwrap_or_default()
    }

    /// A number, if one is written there.
    pub(super) fn number(&self, start: usize, len: usize) -> Option<u64> {
        size(self.field(start, len))
    }

    /// The kind of the entry.
    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }

    /// The name, joined from its two parts.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = text(self.field(0, 100));
        // GNU keeps other things where POSIX has the first part; star keeps times behind it.
        let len = if self.field(508, 4) == b"tar\0" { 131 } else { 155 };
        let prefix = match self.field(257, 6) {
            b"ustar\0" => text(self.field(345, len)),
            _ => b"",
        };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// The target of a link.
    pub(super) fn link(&self) -> &'a [u8] {
        text(self.field(157, 100))
    }

    /// Seconds since 1970.
    pub(super) fn modified(&self) -> i64 {
        number(self.field(136, 12)).unwrap_or(0)
    }
}

/// What stands before the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    memchr::memchr(0, field).and_then(|end| field.get(..end)).unwrap_or(field)
}

/// A number that is not negative, if one is written there.
pub(super) fn size(field: &[u8]) -> Option<u64> {
    number(field).and_then(|number| u64::try_from(number).ok())
}

/// A number in octal, or base 256 when the first bit is set.
fn number(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let begin = if first & 0x40 != 0 { -1 } else { i64::from(first & 0x3f) };
        return rest
            .iter()
            .try_fold(begin, |sum, byte| sum.checked_mul(256)?.checked_add(i64::from(*byte)));
    }
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    digits.get(..end)?.iter().try_fold(0i64, |sum, byte| {
        let digit = i64::from(byte.checked_sub(b'0').filter(|digit| *digit < 8)?);
        sum.checked_mul(8)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(b"12345670"), Some(0o12_345_670));
        assert_eq!(number(b"00009\0"), None);
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x01\0\0\0\0"), Some(1 << 32));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
        assert_eq!(number(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }
}
