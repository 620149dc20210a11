//! The passwords that keystores come with: who tries them opens most stores. What a store keeps to
//! know its password by is enough to tell; nothing is decrypted.

use crate::artifact::cipher::hmac_sha256;
use crate::credential::der::{INTEGER, OCTET_STRING, OID, Reader};
use crate::limits;
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// Those that tools set, and those that manuals show.
const USUAL: [&str; 16] = [
    "changeit",
    "",
    "changeme",
    "password",
    "secret",
    "keystore",
    "storepass",
    "keypass",
    "123456",
    "1234",
    "admin",
    "test",
    "tomcat",
    "jboss",
    "mypassword",
    "notasecret",
];

/// What Java's keystore mixes into its digest.
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// The password of a Java keystore, when it is a usual one
/// ([source](https://github.com/openjdk/jdk/blob/master/src/java.base/share/classes/sun/security/provider/JavaKeyStore.java)).
pub(in crate::artifact) fn of_java(file: &[u8]) -> Option<&'static str> {
    let (body, digest) = file.split_last_chunk::<20>()?;
    USUAL.into_iter().find(|password| {
        let mixed = Sha1::new().chain_update(wide(password)).chain_update(WHITENER);
        <[u8; 20]>::from(mixed.chain_update(body).finalize()) == *digest
    })
}

/// The password of a PKCS#12 store, when it is a usual one
/// ([RFC 7292](https://www.rfc-editor.org/rfc/rfc7292)).
pub(in crate::artifact) fn of_pkcs12(file: &[u8]) -> Option<&'static str> {
    let seal = Seal::read(file)?;
    let tries = limits::GUESS_ROUNDS.checked_div(seal.rounds).and_then(|n| usize::try_from(n).ok());
    USUAL.into_iter().take(tries?).find(|password| seal.holds(password))
}

/// What a PKCS#12 store is sealed with.
struct Seal<'a> {
    content: &'a [u8],
    sha256: bool,
    mac: &'a [u8],
    salt: &'a [u8],
    rounds: u32,
}

impl Seal<'_> {
    fn read(file: &[u8]) -> Option<Seal<'_>> {
        let mut pfx = Reader::new(file).sequence()?;
        pfx.expect(INTEGER)?;
        let mut safe = pfx.sequence()?;
        safe.expect(OID)?;
        let content = Reader::new(safe.expect(0xa0)?).expect(OCTET_STRING)?;
        let mut seal = pfx.sequence()?;
        let mut digest = seal.sequence()?;
        let sha256 = match digest.sequence()?.expect(OID)? {
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01] => true,
            [0x2b, 0x0e, 0x03, 0x02, 0x1a] => false,
            _ => return None,
        };
        let (mac, salt) = (digest.expect(OCTET_STRING)?, seal.expect(OCTET_STRING)?);
        let rounds = seal.expect(INTEGER).unwrap_or(&[1]);
        let rounds = rounds.iter().take(4).fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
        let bounded = rounds > 0 && salt.len() <= 64;
        bounded.then_some(Seal { content, sha256, mac, salt, rounds })
    }

    fn holds(&self, password: &str) -> bool {
        // The text ends with a zero, even when it is empty.
        let password = [wide(password), vec![0, 0]].concat();
        if self.sha256 {
            let key = self.key::<Sha256>(&password);
            return hmac_sha256(&key, &[self.content])[..] == *self.mac;
        }
        let key = self.key::<Sha1>(&password);
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&key) else { return false };
        mac.update(self.content);
        mac.finalize().into_bytes()[..] == *self.mac
    }

    /// The key of the seal (appendix B.2 of the RFC), which is as long as the digest.
    fn key<D: Digest>(&self, password: &[u8]) -> Vec<u8> {
        let filled = |text: &[u8]| -> Vec<u8> {
            let len = text.len().div_ceil(64).saturating_mul(64);
            text.iter().copied().cycle().take(if text.is_empty() { 0 } else { len }).collect()
        };
        let first = D::new().chain_update([3; 64]).chain_update(filled(self.salt));
        let mut key = first.chain_update(filled(password)).finalize().to_vec();
        for _ in 1..self.rounds {
            key = D::digest(&key).to_vec();
        }
        key
    }
}

/// UTF-16, the greater half first.
fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_store_has_no_password() {
        assert_eq!(of_java(b"short"), None);
        assert_eq!(of_java(&[7; 64]), None);
        assert_eq!(of_pkcs12(&[0x30, 0x03, 2, 1, 3]), None);
        assert_eq!(of_pkcs12(b""), None);
    }
}
