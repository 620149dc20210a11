//! Base58 with a checksum, as Bitcoin writes keys
//! ([Base58Check](https://en.bitcoin.it/wiki/Base58Check_encoding)).

use sha2::{Digest as _, Sha256};

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Longest text that is decoded; the work grows with its square.
const TEXT_BYTES: usize = 128;

/// The bytes before the checksum: `Some(Some(…))` when it holds, `Some(None)` when it does not,
/// `None` when `text` is not base58.
pub fn decode_check(text: &[u8]) -> Option<Option<Vec<u8>>> {
    let bytes = decode(text)?;
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    let holds = checksum(body) == sum;
    Some(holds.then(|| body.to_vec()))
}

/// `body` with its checksum, in base58.
pub fn encode_check(body: &[u8]) -> String {
    let mut bytes = body.to_vec();
    bytes.extend(checksum(body));
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut digits: Vec<u32> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let leading = std::iter::repeat_n(0, zeros);
    let digits = leading.chain(digits.into_iter().rev());
    digits
        .filter_map(|digit| ALPHABET.get(usize::try_from(digit).ok()?))
        .map(|byte| char::from(*byte))
        .collect()
}

fn checksum(body: &[u8]) -> Vec<u8> {
    let once = Sha256::digest(body);
    Sha256::digest(once).iter().copied().take(4).collect()
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > TEXT_BYTES {
        return None;
    }
    let zeros = text.iter().take_while(|byte| **byte == b'1').count();
    // Little-endian while the number grows.
    let mut number: Vec<u8> = Vec::new();
    for byte in text {
        let digit = ALPHABET.iter().position(|known| known == byte)?;
        let mut carry = u32::try_from(digit).ok()?;
        for place in &mut number {
            carry += u32::from(*place) * 58;
            *place = u8::try_from(carry & 0xff).ok()?;
            carry >>= 8;
        }
        while carry > 0 {
            number.push(u8::try_from(carry & 0xff).ok()?);
            carry >>= 8;
        }
    }
    number.extend(std::iter::repeat_n(0, zeros));
    number.reverse();
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes() {
        for body in [b"".as_slice(), b"\0", b"\0\0ab", b"\x80", &[0xff; 60]] {
            let text = encode_check(body);
            assert_eq!(decode_check(text.as_bytes()), Some(Some(body.to_vec())), "{text}");
        }
        // The address of all zeros, known to everyone.
        assert_eq!(encode_check(&[0; 21]), "1111111111111111111114oLvT2");
        assert_eq!(decode_check(b"1111111111111111111114oLvT3"), Some(None));
        assert_eq!(decode_check(b"0OIl"), None);
    }
}
