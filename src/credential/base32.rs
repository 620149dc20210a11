//! Base32 without padding, as in [RFC 4648](https://www.rfc-editor.org/rfc/rfc4648#section-6).

/// The alphabet, upper case.
pub const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The bytes that `text` stands for; left-over bits at the end are dropped. `None` when a
/// character is not of the alphabet.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut held: u32 = 0;
    let mut bits = 0_u32;
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        held = (held & 0xff) << 5 | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.extend(u8::try_from((held >> bits) & 0xff));
        }
    }
    Some(bytes)
}

/// `bytes` in base32, without padding.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(5) {
        let held =
            (0..5).fold(0_u64, |held, at| held << 8 | u64::from(*chunk.get(at).unwrap_or(&0)));
        for at in 0..(chunk.len() * 8).div_ceil(5) {
            let index = usize::try_from(held >> (35 - 5 * at) & 31).unwrap_or(0);
            text.extend(ALPHABET.get(index).map(|byte| char::from(*byte)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_the_rfc() {
        for (text, coded) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(encode(text.as_bytes()), coded);
            assert_eq!(decode(coded.as_bytes()).as_deref(), Some(text.as_bytes()));
        }
        assert_eq!(decode(b"M1"), None);
    }
}
