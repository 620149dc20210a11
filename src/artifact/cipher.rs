//! Ciphers of stores whose key everybody has, or that lies beside them: such a store counts as
//! written in clear.

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use des::{Des, TdesEde3};
use hmac::{Hmac, Mac};
use sha2::Sha256;

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

/// AES-256 in CBC.
pub(super) fn aes256_cbc(key: [u8; 32], start: [u8; 16], bytes: &[u8]) -> Option<Vec<u8>> {
    let cipher = Aes256::new(&key.into());
    let open = |block: &[u8; 16]| {
        let mut block = (*block).into();
        cipher.decrypt_block(&mut block);
        block.into()
    };
    Some(cbc(start, whole_blocks(bytes)?, open))
}

/// AES-128 in CBC.
pub(super) fn aes128_cbc(key: [u8; 16], start: [u8; 16], bytes: &[u8]) -> Option<Vec<u8>> {
    let cipher = Aes128::new(&key.into());
    let open = |block: &[u8; 16]| {
        let mut block = (*block).into();
        cipher.decrypt_block(&mut block);
        block.into()
    };
    Some(cbc(start, whole_blocks(bytes)?, open))
}

/// Triple DES in CBC.
pub(super) fn tdes_cbc(key: [u8; 24], start: [u8; 8], bytes: &[u8]) -> Option<Vec<u8>> {
    let cipher = TdesEde3::new(&key.into());
    let (blocks, rest) = bytes.as_chunks::<8>();
    let open = |block: &[u8; 8]| {
        let mut block = (*block).into();
        cipher.decrypt_block(&mut block);
        block.into()
    };
    (rest.is_empty() && !blocks.is_empty()).then(|| cbc(start, blocks, open))
}

/// Cipher block chaining over whole blocks.
fn cbc<const N: usize>(
    start: [u8; N],
    blocks: &[[u8; N]],
    open: impl Fn(&[u8; N]) -> [u8; N],
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut before = start;
    for block in blocks {
        out.extend(open(block).iter().zip(before).map(|(a, b)| a ^ b));
        before = *block;
    }
    out
}

/// AES-256 in counter mode, from the block `start`.
pub(super) fn aes256_ctr(key: [u8; 32], start: [u8; 16], bytes: &[u8]) -> Vec<u8> {
    let cipher = Aes256::new(&key.into());
    let seal = |block: u128| {
        let mut block = block.to_be_bytes().into();
        cipher.encrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    };
    counted(u128::from_be_bytes(start), bytes, seal)
}

fn counted(start: u128, bytes: &[u8], seal: impl Fn(u128) -> u128) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut counter = start;
    for chunk in bytes.chunks(16) {
        out.extend(chunk.iter().zip(seal(counter).to_be_bytes()).map(|(a, b)| a ^ b));
        counter = counter.wrapping_add(1);
    }
    out
}

/// AES-128 in GCM without more data
/// ([SP 800-38D](https://csrc.nist.gov/pubs/sp/800/38/d/final)); none where the tag does not hold.
pub(super) fn aes128_gcm(
    key: [u8; 16],
    nonce: [u8; 12],
    (bytes, tag): (&[u8], [u8; 16]),
) -> Option<Vec<u8>> {
    let cipher = Aes128::new(&key.into());
    let seal = |block: u128| {
        let mut block = block.to_be_bytes().into();
        cipher.encrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    };
    let hash = seal(0);
    let mut sum = 0u128;
    for chunk in bytes.chunks(16) {
        let mut block = [0u8; 16];
        block.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        sum = product(sum ^ u128::from_be_bytes(block), hash);
    }
    sum = product(sum ^ u128::from(bytes.len() as u64).wrapping_mul(8), hash);
    let mut first = [0u8; 16];
    first.iter_mut().zip(nonce.iter().chain(&[0, 0, 0, 1])).for_each(|(to, from)| *to = *from);
    let first = u128::from_be_bytes(first);
    let holds = (sum ^ seal(first)).to_be_bytes() == tag;
    holds.then(|| counted(first.wrapping_add(1), bytes, seal))
}

/// The product of two elements of the field that GCM counts in.
fn product(a: u128, b: u128) -> u128 {
    let (mut sum, mut shifted) = (0u128, b);
    for bit in (0..128).rev() {
        if a >> bit & 1 == 1 {
            sum ^= shifted;
        }
        let carry = if shifted & 1 == 1 { 0xe1 << 120 } else { 0 };
        shifted = (shifted >> 1) ^ carry;
    }
    sum
}

/// The HMAC-SHA-256 of the parts of a message.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// PBKDF2 with HMAC-SHA-256 ([RFC 8018](https://www.rfc-editor.org/rfc/rfc8018)): `len` bytes of
/// key from a password.
pub(super) fn pbkdf2_sha256(password: &[u8], salt: &[u8], rounds: u32, len: usize) -> Vec<u8> {
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(password) else { return Vec::new() };
    let mac = |parts: &[&[u8]]| -> [u8; 32] {
        let mut mac = keyed.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    };
    let mut key = Vec::new();
    let mut number = 0u32;
    while key.len() < len {
        number = number.wrapping_add(1);
        let mut last = mac(&[salt, &number.to_be_bytes()]);
        let mut sum = last;
        for _ in 1..rounds {
            last = mac(&[&last]);
            sum.iter_mut().zip(last).for_each(|(a, b)| *a ^= b);
        }
        key.extend_from_slice(&sum);
    }
    key.truncate(len);
    key
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
    /// RFC 7914, section 11, and two values that openssl gives.
    #[test]
    fn known_answers_of_derived_keys() {
        let key = pbkdf2_sha256(b"passwd", b"salt", 1, 64);
        assert_eq!(key.first_chunk(), Some(&[0x55, 0xac, 0x04, 0x6e]));
        assert_eq!(key.last_chunk(), Some(&[0xd3, 0xa1, 0x97, 0x83]));
        let key = std::array::from_fn(|n| u8::try_from(n).unwrap());
        let nonce = std::array::from_fn(|n| u8::try_from(n).unwrap());
        let sealed = [
            0xe0, 0x05, 0xdf, 0xba, 0x03, 0x7e, 0x99, 0x74, 0x29, 0xab, 0x15, 0xef, 0x45, 0x83,
            0x1f, 0x63, 0x93, 0x47, 0x74, 0x82, 0x73, 0x8b, 0x94, 0x80, 0x83,
        ];
        let mut tag = [
            0xd9, 0x3d, 0x68, 0x0f, 0x42, 0x43, 0x57, 0xc4, 0x20, 0x87, 0xed, 0x5c, 0xb4, 0x56,
            0xe4, 0xff,
        ];
        let plain = aes128_gcm(key, nonce, (&sealed, tag)).unwrap();
        assert_eq!(plain, b"sixteen bytes ok and five");
        tag[0] ^= 1;
        assert_eq!(aes128_gcm(key, nonce, (&sealed, tag)), None);
    }
}
