//! Deltas: an object as pieces of another and bytes of its own
//! ([format](https://git-scm.com/docs/pack-format#_deltified_representation)).

use crate::error::{Error, ErrorKind, Result};

/// A size of seven bits a byte, the lowest first.
fn size(delta: &mut &[u8]) -> Option<usize> {
    let mut value = 0usize;
    for shift in (0..57).step_by(7) {
        let (byte, rest) = delta.split_first()?;
        *delta = rest;
        value |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// One step of a delta.
enum Step<'a> {
    Copy(usize, usize),
    Insert(&'a [u8]),
}

fn step<'a>(delta: &mut &'a [u8]) -> Option<Step<'a>> {
    let (&code, mut rest) = delta.split_first()?;
    let step = if code & 0x80 == 0 {
        let (bytes, behind) = rest.split_at_checked(usize::from(code))?;
        rest = behind;
        Step::Insert(bytes)
    } else {
        let mut fields = [0usize; 2];
        for bit in 0..7u32 {
            if code & 1u8.wrapping_shl(bit) == 0 {
                continue;
            }
            let (&byte, behind) = rest.split_first()?;
            rest = behind;
            let (field, place) = if bit < 4 { (0, bit) } else { (1, bit.saturating_sub(4)) };
            *fields.get_mut(field)? |= usize::from(byte).wrapping_shl(place.saturating_mul(8));
        }
        let [offset, len] = fields;
        Step::Copy(offset, if len == 0 { 0x10000 } else { len })
    };
    *delta = rest;
    Some(step)
}

/// The object that a delta makes of `base`, of `most` bytes at most.
pub(super) fn apply(base: &[u8], mut delta: &[u8], most: usize) -> Result<Vec<u8>> {
    let wrong = || Error::corrupt("a delta contradicts its base");
    let from = size(&mut delta).ok_or_else(wrong)?;
    let to = size(&mut delta).ok_or_else(wrong)?;
    if to > most {
        return Err(Error::new(ErrorKind::Limit, "an object made of deltas is too long").detail(to));
    }
    if from != base.len() {
        return Err(wrong());
    }
    let mut made = Vec::with_capacity(to);
    while !delta.is_empty() {
        let bytes = match step(&mut delta).ok_or_else(wrong)? {
            Step::Insert([]) => return Err(wrong()),
            Step::Insert(bytes) => bytes,
            Step::Copy(at, len) => {
                at.checked_add(len).and_then(|end| base.get(at..end)).ok_or_else(wrong)?
            }
        };
        if made.len().saturating_add(bytes.len()) > to {
            return Err(wrong());
        }
        made.extend_from_slice(bytes);
    }
    if made.len() == to { Ok(made) } else { Err(wrong()) }
}

/// The bytes of its own, for a delta whose base is missing.
pub(super) fn own(mut delta: &[u8]) -> Vec<u8> {
    let mut own = Vec::new();
    let _ = (size(&mut delta), size(&mut delta));
    while let Some(step) = step(&mut delta) {
        match step {
            Step::Insert([]) => break,
            Step::Insert(bytes) => own.extend_from_slice(bytes),
            Step::Copy(..) => own.push(b'\n'),
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deltas_are_applied_and_bounded() {
        let base = b"hello world";
        let delta = [11, 9, 0x91, 6, 5, 4, b' ', b'y', b'o', b'u'];
        assert_eq!(apply(base, &delta, 99).unwrap(), b"world you");
        assert_eq!(own(&delta), b"\n you");
        assert_eq!(apply(base, &delta, 8).unwrap_err().kind(), ErrorKind::Limit);
        for cut in 0..delta.len() {
            assert!(apply(base, delta.get(..cut).unwrap(), 99).is_err());
        }
        assert!(apply(b"hello", &delta, 99).is_err());
        assert!(apply(base, &[11, 5, 0x91, 9, 5], 99).is_err());
        assert!(apply(base, &[0xff; 40], 99).is_err());
    }
}
