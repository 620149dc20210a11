//! Ciphers of stores whose key everybody has: such a store counts as written in clear.

use aes::cipher::{BlockCipherDecrypt, KeyInit};
use aes::{Aes128, Aes256};
use des::Des;

/// AES-128 in ECB over whole blocks; `None` for anything else.
pub(super) fn aes128_ecb(key: [u8; 16], bytes: &[u8]) -> Option<Vec<u8>> {
    let cipher = Aes128::new(&key.into());
    let mut out = Vec::with_capacity(bytes.len());
    for block in whole_blocks(bytes)? {
        let mut block = (*block).into();
        cipher.decrypt_block(&mut block);
        out.extend_from_slice(&block);
    }
    Some(out)
}

/// AES-256 in CBC with an initialisation vector of zeros.
pub(super) fn aes256_cbc(key: [u8; 32], bytes: &[u8]) -> Option<Vec<u8>> {
    let cipher = Aes256::new(&key.into());
    let mut out = Vec::with_capacity(bytes.len());
    let mut before = [0u8; 16];
    for block in whole_blocks(bytes)? {
        let mut plain = (*block).into();
        cipher.decrypt_block(&mut plain);
        out.extend(plain.iter().zip(before).map(|(a, b)| a ^ b));
        before = *block;
    }
    Some(out)
}

/// DES in ECB over whole blocks.
pub(super) fn des_ecb(key: [u8; 8], bytes: &[u8]) -> Option<Vec<u8>> {
    let cipher = Des::new(&key.into());
    let (blocks, rest) = bytes.as_chunks::<8>();
    let mut out = Vec::with_capacity(bytes.len());
    for block in blocks {
        let mut block = (*block).into();
        cipher.decrypt_block(&mut block);
        out.extend_from_slice(&block);
    }
    rest.is_empty().then_some(out)
}

fn whole_blocks(bytes: &[u8]) -> Option<&[[u8; 16]]> {
    let (blocks, rest) = bytes.as_chunks::<16>();
    (rest.is_empty() && !blocks.is_empty()).then_some(blocks)
}

/// Without the padding of PKCS#7.
pub(super) fn unpad(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let count = usize::from(*bytes.last()?);
    let start = bytes.len().checked_sub(count)?;
    let padding = bytes.get(start..)?;
    let holds = (1..=16).contains(&count) && padding.iter().all(|&b| usize::from(b) == count);
    bytes.truncate(start);
    holds.then_some(bytes)
}

/// UTF-16LE as UTF-8; `None` for what is not text.
pub(super) fn utf16(bytes: &[u8]) -> Option<String> {
    let (units, rest) = bytes.as_chunks::<2>();
    let text = char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)));
    let text: Option<String> = text.map(Result::ok).collect();
    text.filter(|text| rest.is_empty() && !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 197, appendix C.1, and FIPS 81's first block.
    #[test]
    fn known_answers() {
        let key: [u8; 16] = std::array::from_fn(|n| u8::try_from(n).unwrap());
        let cipher = [
            0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4,
            0xc5, 0x5a,
        ];
        let plain: Vec<u8> = (0..16u8).map(|n| n * 0x11).collect();
        assert_eq!(aes128_ecb(key, &cipher).unwrap(), plain);
        let key = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let cipher = [0x3f, 0xa4, 0x0e, 0x8a, 0x98, 0x4d, 0x48, 0x15];
        assert_eq!(des_ecb(key, &cipher).unwrap(), b"Now is t");
        assert_eq!(aes128_ecb([0; 16], &[0; 15]), None);
        assert_eq!(unpad(vec![7, 2, 2]), Some(vec![7]));
        assert_eq!(unpad(vec![7, 1, 2]), None);
        assert_eq!(unpad(vec![]), None);
    }
}
