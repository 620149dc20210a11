//! A number written in base 62 or base 36, as the checksum at the end of a token.

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// `value` in base 62 (digits, upper case, lower case), padded with `0` to six characters, which
/// hold any 32-bit number.
pub fn base62(value: u32) -> String {
    encode(value, BASE62, 6)
}

/// `value` in base 36 (digits, lower case), padded with `0` to seven characters.
pub fn base36(value: u32) -> String {
    encode(value, BASE36, 7)
}

fn encode(value: u32, alphabet: &'static [u8], width: usize) -> String {
    let base = u64::try_from(alphabet.len()).unwrap_or(36);
    let mut rest = u64::from(value);
    let mut text = Vec::with_capacity(width);
    for _ in 0..width {
        let digit = usize::try_from(rest % base).ok().and_then(|at| alphabet.get(at));
        text.push(char::from(*digit.unwrap_or(&b'0')));
        rest /= base;
    }
    text.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (value, in_62, in_36) in [
            (0xcbf4_3926, "3jZRME", "1kl8mjq"),
            (0x77e5_db82, "2C8GjS", "0x9mjya"),
            (0x6bc1_d3c1, "1yLcDB", "0twctdt"),
            (0xa0f2_92d0, "2wjyrI", "18nnro0"),
            (0x963f_bb8e, "2kaqcA", "15osm8e"),
            (0x1991_ee3d, "0T20xp", "073etz1"),
            (0, "000000", "0000000"),
            (u32::MAX, "4gfFC3", "1z141z3"),
        ] {
            assert_eq!((base62(value).as_str(), base36(value).as_str()), (in_62, in_36));
        }
    }
}
