//! Numbers in headers that are text: padded by spaces, ended by the field, a space or a NUL.

/// A number of base ten.
pub(super) fn decimal(field: &[u8]) -> Option<u64> {
    number(field, 10)
}

/// A number of base eight.
pub(super) fn octal(field: &[u8]) -> Option<u64> {
    number(field, 8)
}

/// A number of base sixteen.
pub(super) fn hex(field: &[u8]) -> Option<u64> {
    number(field, 16)
}

fn number(field: &[u8], base: u32) -> Option<u64> {
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    let digits = digits.get(..end).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0u64, |sum, byte| {
        let digit = char::from(*byte).to_digit(base)?;
        sum.checked_mul(u64::from(base))?.checked_add(u64::from(digit))
    })
}
