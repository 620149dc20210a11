//! Values obscured with a key that everybody has: what rclone and Maven keep is as good as clear
//! text.

use super::{base64, jwt};
use aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use sha2::{Digest, Sha256};

/// The key of `rclone obscure`, a part of
/// [its source](https://github.com/rclone/rclone/blob/master/fs/config/obscure/obscure.go).
const RCLONE: [u8; 32] = [
    0x9c, 0x93, 0x5b, 0x48, 0x73, 0x0a, 0x55, 0x4d, 0x6b, 0xfd, 0x7c, 0x63, 0xc8, 0x86, 0xa9, 0x2b,
    0xd3, 0x90, 0x19, 0x8e, 0xb8, 0x12, 0x8a, 0xfb, 0xf4, 0xde, 0x16, 0x2b, 0x8b, 0x95, 0xf6, 0x38,
];

/// The password under which Maven keeps its master password.
const MAVEN: &[u8] = b"settings.security";

/// Bytes of a value that are opened; no password is longer.
const OBSCURED_BYTES: usize = 4096;

/// The text behind an obscured value of `rclone.conf`: AES-256 in counter mode, the first block
/// being the counter's start. Nothing proves that it is the right one but that it is text.
pub fn rclone(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() > OBSCURED_BYTES {
        return None;
    }
    let bytes = jwt::decode_url(value)?;
    let (start, body) = bytes.split_first_chunk::<16>()?;
    let cipher = Aes256::new(&RCLONE.into());
    let mut counter = u128::from_be_bytes(*start);
    let mut plain = Vec::with_capacity(body.len());
    for chunk in body.chunks(16) {
        let mut block = Block::<Aes256>::from(counter.to_be_bytes());
        cipher.encrypt_block(&mut block);
        plain.extend(chunk.iter().zip(block.iter()).map(|(a, b)| a ^ b));
        counter = counter.wrapping_add(1);
    }
    readable(plain)
}

/// The master password behind the base64 of `settings-security.xml`: eight bytes of salt, the
/// length of what is stuffed in at the end, and AES-128 in CBC mode.
pub fn maven_master(value: &[u8]) -> Option<Vec<u8>> {
    maven(MAVEN, value)
}

/// The same under another password: what `settings.xml` keeps under the master password.
pub fn maven(password: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    if value.len() > OBSCURED_BYTES {
        return None;
    }
    let bytes = base64::decode(value)?;
    let (salt, rest) = bytes.split_first_chunk::<8>()?;
    let (&stuffed, rest) = rest.split_first()?;
    let body = rest.get(..rest.len().checked_sub(usize::from(stuffed))?)?;
    let derived: [u8; 32] =
        Sha256::new().chain_update(password).chain_update(salt).finalize().into();
    let (key, mut before) = (derived.first_chunk::<16>()?, *derived.last_chunk::<16>()?);
    let cipher = Aes128::new(&(*key).into());
    let (blocks, rest) = body.as_chunks::<16>();
    if blocks.is_empty() || !rest.is_empty() {
        return None;
    }
    let mut plain = Vec::with_capacity(body.len());
    for chunk in blocks {
        let mut block = Block::<Aes128>::from(*chunk);
        cipher.decrypt_block(&mut block);
        plain.extend(block.iter().zip(before).map(|(a, b)| a ^ b));
        before = *chunk;
    }
    // The padding proves the key.
    let padding = usize::from(*plain.last()?);
    let end = plain.len().checked_sub(padding).filter(|_| (1..=16).contains(&padding))?;
    let padded = plain.get(end..)?.iter().all(|&b| usize::from(b) == padding);
    plain.truncate(end);
    readable(plain).filter(|_| padded)
}

/// The bytes, when they are a text without controls.
fn readable(plain: Vec<u8>) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(&plain).ok()?;
    let fit = !text.is_empty() && !text.chars().any(char::is_control);
    fit.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_rclone_obscures() {
        for (text, expected) in [
            ("YWFhYWFhYWFhYWFhYWFhYXMaGgIlEQ", Some("potato")),
            ("YmJiYmJiYmJiYmJiYmJiYp3gcEWbAw", Some("potato")),
            ("YWFhYWFhYWFhYWFhYWFhYQ", None),
            ("aGVsbG8", None),
            ("YmJiYmJiYmJiYmJiYmJiYp*gcEWbAw", None),
            ("", None),
        ] {
            assert_eq!(rclone(text.as_bytes()), expected.map(|e| e.as_bytes().to_vec()), "{text}");
        }
    }

    #[test]
    fn opens_mavens_master_password() {
        for (text, expected) in [
            ("c2FsdHNhbHQHWuoV3mcy04jlGbh6YCWaynBwcHBwcHA=", Some("potato")),
            ("c2FsdHNhbHQHWuoV32cy04jlGbh6YCWaynBwcHBwcHA=", None),
            ("c2FsdHNhbHQA", None),
            ("", None),
        ] {
            let found = maven_master(text.as_bytes());
            assert_eq!(found, expected.map(|e| e.as_bytes().to_vec()), "{text}");
        }
    }
}
