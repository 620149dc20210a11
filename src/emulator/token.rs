//! A token: a few numbers sealed for one subject, in the base64 text EBS tokens are made of.

use crate::error::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of the seal; half of an HMAC-SHA-256 keeps tokens near the length of real ones.
const SEAL_BYTES: usize = 16;

/// The longest token the API model allows.
const TOKEN_CHARS: usize = 256;

/// Seals tokens with a key of this run, so that none outlives it.
pub(super) struct Sealer {
    mac: Hmac<Sha256>,
}

impl Sealer {
    pub(super) fn new() -> Result<Sealer> {
        let mut key = [0; 32];
        fill_random(&mut key)?;
        let mac = Hmac::new_from_slice(&key)
            .map_err(|_| Error::new(ErrorKind::Internal, "the token key has a wrong length"))?;
        Ok(Sealer { mac })
    }

    /// A token that carries `fields` and is good for `subject` alone.
    pub(super) fn seal(&self, subject: &str, fields: &[u64]) -> String {
        let mut bytes: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
        let seal = self.mac_of(subject, &bytes).finalize().into_bytes();
        bytes.extend(seal.iter().take(SEAL_BYTES));
        STANDARD.encode(bytes)
    }

    /// The fields of a token that was sealed for `subject`.
    pub(super) fn open<const N: usize>(&self, subject: &str, token: &str) -> Option<[u64; N]> {
        if token.len() > TOKEN_CHARS {
            return None;
        }
        let bytes = STANDARD.decode(token).ok()?;
        let (fields, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL_BYTES)?)?;
        self.mac_of(subject, fields).verify_truncated_left(seal).ok()?;
        let (words, rest) = fields.as_chunks::<8>();
        let words: [[u8; 8]; N] = words.try_into().ok()?;
        rest.is_empty().then(|| words.map(u64::from_le_bytes))
    }

    fn mac_of(&self, subject: &str, fields: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(subject.as_bytes());
        mac.update(&[0]);
        mac.update(fields);
        mac
    }
}

/// A number nobody can guess.
pub(super) fn nonce() -> u64 {
    let mut bytes = [0; 8];
    match fill_random(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => 0,
    }
}

fn fill_random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|cause| Error::new(ErrorKind::Io, "the system gave no random bytes").detail(cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_subject_alone() {
        let sealer = Sealer::new().unwrap();
        let token = sealer.seal("block/snap-1/7", &[1, 2, u64::MAX]);
        assert!(token.len() <= TOKEN_CHARS);
        assert_eq!(sealer.open::<3>("block/snap-1/7", &token), Some([1, 2, u64::MAX]));
        assert_eq!(sealer.open::<2>("block/snap-1/7", &token), None);
        assert_eq!(sealer.open::<3>("block/snap-1/8", &token), None);
        assert_eq!(Sealer::new().unwrap().open::<3>("block/snap-1/7", &token), None);
        for bad in ["", "AAAA", "!", &token[1..], &token.replace(&token[..1], "*")] {
            assert_eq!(sealer.open::<3>("block/snap-1/7", bad), None, "{bad}");
        }
    }
}
