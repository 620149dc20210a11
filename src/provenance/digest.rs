//! A digest of a file's bytes, taken as they pass.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// What a digest is taken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// What dpkg uses. It tells chance and carelessness, not someone who can make two files of one
    /// digest; nobody can make a second file to the digest of a given one.
    Md5,
    /// What apk uses.
    Sha1,
    /// What rpm and manifests use.
    Sha256,
}

/// The first half of a SHA-256, most of a SHA-1, all of an MD5: 128 bits, which nobody meets by
/// chance or by trying.
pub type Digest = [u8; 16];

/// All of a SHA-256.
pub type Whole = [u8; 32];

/// A digest in the making.
#[derive(Clone)]
pub enum Hasher {
    /// By MD5.
    Md5(Md5),
    /// By SHA-1.
    Sha1(Sha1),
    /// By SHA-256.
    Sha256(Sha256),
}

impl Hasher {
    /// The digest of nothing so far.
    pub fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Md5 => Hasher::Md5(Md5::new()),
            Algorithm::Sha1 => Hasher::Sha1(Sha1::new()),
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
        }
    }

    /// What it is taken by.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Hasher::Md5(_) => Algorithm::Md5,
            Hasher::Sha1(_) => Algorithm::Sha1,
            Hasher::Sha256(_) => Algorithm::Sha256,
        }
    }

    /// Take in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Md5(state) => state.update(bytes),
            Hasher::Sha1(state) => state.update(bytes),
            Hasher::Sha256(state) => state.update(bytes),
        }
    }

    /// The digest, with zeros behind it where it is shorter.
    pub fn finish(self) -> Whole {
        match self {
            Hasher::Md5(state) => padded(&state.finalize()),
            Hasher::Sha1(state) => padded(&state.finalize()),
            Hasher::Sha256(state) => padded(&state.finalize()),
        }
    }
}

/// The digest of some bytes.
pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Whole {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// The part of a digest that is compared.
pub fn short(whole: &Whole) -> Digest {
    padded(whole)
}

fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut all = [0; N];
    all.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    all
}

/// Bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a text in hex that is just as long.
pub fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut all = [0; N];
    if text.len() != N.checked_mul(2)? {
        return None;
    }
    for (to, pair) in all.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (pair.first()?, pair.last()?);
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *to = digit(high)?.checked_shl(4)? | digit(low)?;
    }
    Some(all)
}

/// The digest of a text in hex.
pub fn parse(algorithm: Algorithm, text: &[u8]) -> Option<(Algorithm, Digest)> {
    let digest = match algorithm {
        Algorithm::Md5 => from_hex::<16>(text)?,
        Algorithm::Sha1 => padded(&from_hex::<20>(text)?),
        Algorithm::Sha256 => padded(&from_hex::<32>(text)?),
    };
    Some((algorithm, digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_nothing() {
        for (algorithm, expected) in [
            (Algorithm::Md5, "d41d8cd98f00b204e9800998ecf8427e"),
            (Algorithm::Sha1, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            (Algorithm::Sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ] {
            let found = of(algorithm, b"");
            assert!(hex(&found).starts_with(expected), "{algorithm:?}");
            assert_eq!(parse(algorithm, expected.as_bytes()), Some((algorithm, short(&found))));
        }
        for wrong in
            ["", "d4", "zz1d8cd98f00b204e9800998ecf8427e", "+41d8cd98f00b204e9800998ecf8427e"]
        {
            assert_eq!(parse(Algorithm::Md5, wrong.as_bytes()), None, "{wrong}");
        }
    }
}
