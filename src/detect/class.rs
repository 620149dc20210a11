//! Byte classes: sets of byte values.

/// A set of byte values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// No byte.
    pub const EMPTY: ByteSet = ByteSet([0; 4]);
    /// Every byte.
    pub const ALL: ByteSet = ByteSet([u64::MAX; 4]);
    /// The bytes below 0x80.
    pub const ASCII: ByteSet = ByteSet([u64::MAX, u64::MAX, 0, 0]);

    /// One byte.
    pub const fn of(byte: u8) -> ByteSet {
        ByteSet::EMPTY.with(byte)
    }

    /// A letter in both cases, or any other byte alone.
    pub const fn either_case(byte: u8) -> ByteSet {
        ByteSet::of(byte.to_ascii_lowercase()).with(byte.to_ascii_uppercase())
    }

    /// The bytes from `first` to `last`, both included.
    pub const fn range(first: u8, last: u8) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        let mut byte = first;
        while byte < last {
            set = set.with(byte);
            byte += 1;
        }
        if first <= last { set.with(last) } else { set }
    }

    /// The bytes of a text.
    pub const fn any_of(bytes: &[u8]) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        let mut rest = bytes;
        while let [byte, tail @ ..] = rest {
            set = set.with(*byte);
            rest = tail;
        }
        set
    }

    /// This and one byte more.
    #[must_use]
    pub const fn with(mut self, byte: u8) -> ByteSet {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: ByteSet) -> ByteSet {
        let (a, b) = (self.0, other.0);
        ByteSet([a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]])
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: ByteSet) -> ByteSet {
        let (a, b) = (self.0, other.0);
        ByteSet([a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]])
    }

    /// Whether `byte` is in it.
    #[inline]
    pub const fn has(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 != 0
    }

    /// Whether no byte is in both.
    pub fn is_disjoint(self, other: ByteSet) -> bool {
        self.intersection(other).is_empty()
    }

    /// Whether all of it is in `other`.
    pub fn is_subset(self, other: ByteSet) -> bool {
        self.union(other) == other
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self == ByteSet::EMPTY
    }

    /// How many bytes are in it.
    pub fn len(self) -> u32 {
        self.0.into_iter().map(u64::count_ones).sum()
    }

    /// The bytes in it, in order.
    pub fn bytes(self) -> impl Iterator<Item = u8> {
        let words = self.0.into_iter().zip((0..=u8::MAX).step_by(64));
        words.flat_map(|(word, first)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = u8::try_from(left.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
                left &= left - 1;
                Some(first | bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_they_were_made_of() {
        let hex = ByteSet::range(b'0', b'9').union(ByteSet::range(b'a', b'f'));
        assert_eq!(hex.bytes().collect::<Vec<_>>(), b"0123456789abcdef");
        assert_eq!(hex.len(), 16);
        assert_eq!(ByteSet::range(0, 255), ByteSet::ALL);
        assert_eq!(ByteSet::range(2, 1), ByteSet::EMPTY);
        assert_eq!(ByteSet::range(0, 127), ByteSet::ASCII);
        assert_eq!(ByteSet::either_case(b'k'), ByteSet::any_of(b"kK"));
        assert_eq!(ByteSet::either_case(b'-'), ByteSet::of(b'-'));
        assert!(hex.is_disjoint(ByteSet::of(b'g')) && !hex.is_disjoint(ByteSet::of(b'0')));
        assert!(ByteSet::of(b'a').is_subset(hex) && !ByteSet::of(b'A').is_subset(hex));
    }
}
