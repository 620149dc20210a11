//! Jenkins: `secrets/master.key` opens `secrets/hudson.util.Secret`, which opens every stored value
//! ([encryption](https://www.jenkins.io/doc/developer/security/secrets/)).

use super::{Opened, nearest, opened, values};
use crate::artifact::cipher::{aes128_cbc, aes128_ecb, unpad};
use crate::artifact::jenkins::CREDENTIAL;
use crate::artifact::judge::Kind;
use crate::blob::{Change, Clue, Join};
use crate::credential::base64;
use crate::limits;
use crate::locator::Locator;
use sha2::{Digest, Sha256};

/// The master key.
pub(in crate::artifact) const MASTER: &str = "jenkins.master";
/// The key of values, under the master key.
pub(in crate::artifact) const SECRET: &str = "jenkins.secret";
/// A value.
pub(in crate::artifact) const VALUE: &str = "jenkins.value";

/// The join.
pub(in crate::artifact) const JOIN: Join =
    Join { name: "jenkins", needs: &[MASTER, SECRET, VALUE], run };

/// What ends a text that Jenkins encrypted, so that a wrong key shows.
const MAGIC: &[u8] = b"::::MAGIC::::";

fn run(clues: &[Clue], out: &mut dyn FnMut(Change)) {
    let mut keys: Vec<([u8; 16], &Locator, &Locator)> = Vec::new();
    for secret in values(clues, SECRET).take(limits::UNLOCK_KEYS_KEPT) {
        let masters = nearest(clues, MASTER, &secret.at);
        let opened = masters.iter().find_map(|master| {
            Some((value_key(&master.key, &secret.key)?, &master.at, &secret.at))
        });
        keys.extend(opened);
    }
    keys.truncate(limits::UNLOCK_KEYS);
    for clue in values(clues, VALUE) {
        for (key, master, secret) in &keys {
            let Some(plain) = value(*key, &clue.key) else { continue };
            let (kind, keys) = (Kind::Password, &[*master, *secret][..]);
            let format = "jenkins";
            let what = Opened { rule: &CREDENTIAL, format, kind, plain: &plain, keys };
            opened(clue, &what).into_iter().for_each(&mut *out);
            break;
        }
    }
}

/// The key of values.
fn value_key(master: &[u8], secret: &[u8]) -> Option<[u8; 16]> {
    let digest: [u8; 32] = Sha256::digest(master.trim_ascii()).into();
    let plain = unpad(aes128_ecb(*digest.first_chunk()?, secret)?)?;
    plain.strip_suffix(MAGIC)?.first_chunk().copied()
}

/// The text of a value: `{…}` with its own start of the chain, or the older form without braces.
fn value(key: [u8; 16], text: &[u8]) -> Option<Vec<u8>> {
    let Some(inside) = text.strip_prefix(b"{") else {
        let mut plain = unpad(aes128_ecb(key, &base64::decode(text)?)?)?;
        let end = plain.strip_suffix(MAGIC)?.len();
        plain.truncate(end);
        return Some(plain);
    };
    let body = base64::decode(inside.strip_suffix(b"}")?)?;
    let (version, rest) = body.split_first()?;
    let (start_len, rest) = rest.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (start, rest) = rest.split_first_chunk::<16>()?;
    let known = *version == 1
        && u32::from_be_bytes(*start_len) == 16
        && usize::try_from(u32::from_be_bytes(*len)) == Ok(rest.len());
    if !known {
        return None;
    }
    let plain = unpad(aes128_cbc(key, *start, rest)?)?;
    // Padding alone lets one wrong key in 256 pass.
    (!plain.is_empty() && std::str::from_utf8(&plain).is_ok()).then_some(plain)
}
