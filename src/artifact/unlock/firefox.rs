//! Firefox and Thunderbird: without a primary password, `key4.db` opens `logins.json`
//! ([NSS](https://firefox-source-docs.mozilla.org/security/nss/index.html)).
//!
//! The keys are picked out of the bytes of the database: what was deleted from it is found too.

use super::{Opened, nearest, opened, values};
use crate::artifact::browser::LOGIN as RULE;
use crate::artifact::cipher::{aes256_cbc, pbkdf2_sha256, tdes_cbc, unpad};
use crate::artifact::judge::Kind;
use crate::artifact::piece;
use crate::blob::{Change, Clue, Join};
use crate::credential::base64;
use crate::credential::der::{INTEGER, OCTET_STRING, OID, Reader, SEQUENCE};
use crate::limits;
use memchr::memmem;
use sha1::{Digest, Sha1};

/// A key of a database that has no password.
pub(in crate::artifact) const KEY: &str = "firefox.key";
/// An encrypted password.
pub(in crate::artifact) const LOGIN: &str = "firefox.login";

/// The join.
pub(in crate::artifact) const JOIN: Join = Join { name: "firefox", needs: &[KEY, LOGIN], run };

/// The object identifiers of what is used, without their tags.
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const AES256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
const TDES_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07];

/// What a database encrypts to know its password by.
const CHECK: &[u8] = b"password-check";

/// Bytes of the salt that stands before the check.
const SALT_BYTES: usize = 20;

fn run(clues: &[Clue], out: &mut dyn FnMut(Change)) {
    for clue in values(clues, LOGIN) {
        let keys = nearest(clues, KEY, &clue.at);
        let plain = keys.iter().find_map(|key| Some((login(&key.key, &clue.key)?, *key)));
        let Some((plain, key)) = plain else { continue };
        let (kind, keys, format) = (Kind::Password, &[&key.at][..], "firefox");
        let what = Opened { rule: &RULE, format, kind, plain: &plain, keys };
        let Some(mut change) = opened(clue, &what) else { continue };
        if let Change::Match { found, .. } = &mut change
            && let Some(user) = found.facts.remove("user")
            && let Some(user) = login(&key.key, user.as_bytes())
        {
            found.facts.insert("user", piece::text(&user));
        }
        out(change);
    }
}

/// The text of a login: the key's name, the cipher with its start, and the ciphertext.
fn login(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let body = base64::decode(text)?;
    let mut outer = Reader::new(&body).sequence()?;
    outer.expect(OCTET_STRING)?;
    let mut cipher = outer.sequence()?;
    let (name, start) = (cipher.expect(OID)?, cipher.expect(OCTET_STRING)?);
    let sealed = outer.expect(OCTET_STRING)?;
    let plain = match name {
        TDES_CBC => tdes_cbc(*key.first_chunk()?, start.try_into().ok()?, sealed)?,
        AES256_CBC => aes256_cbc(*key.first_chunk()?, start.try_into().ok()?, sealed)?,
        _ => return None,
    };
    let plain = unpad(plain)?;
    std::str::from_utf8(&plain).is_ok().then_some(plain)
}

/// The keys of a `key4.db` that has no password.
pub(in crate::artifact) fn keys(database: &[u8]) -> Vec<Vec<u8>> {
    let sealed = sealed(database);
    let salt = sealed.iter().find_map(|one| {
        let salt = database.get(one.at.checked_sub(SALT_BYTES)?..one.at)?;
        (one.open(salt)?.starts_with(CHECK)).then_some(salt)
    });
    let Some(salt) = salt else { return Vec::new() };
    let open = sealed.iter().filter_map(|one| one.open(salt));
    open.filter(|plain| plain.len() >= 24 && !plain.starts_with(CHECK)).collect()
}

/// Something under a password.
struct Sealed<'a> {
    /// Where it begins.
    at: usize,
    salt: &'a [u8],
    rounds: u32,
    start: &'a [u8],
    body: &'a [u8],
}

fn sealed(database: &[u8]) -> Vec<Sealed<'_>> {
    let mark = [&[OID, 9], PBES2].concat();
    // Each is opened twice: to find the salt, and with it.
    let mut rounds = limits::UNLOCK_ROUNDS / 2;
    // Two sequences begin before it; how long their lengths are depends on what is in them.
    let found = memmem::find_iter(database, &mark)
        .filter_map(|mark| (4..=8).find_map(|back| read(database, mark.checked_sub(back)?)));
    let affordable = found.take_while(|one| match rounds.checked_sub(one.rounds) {
        Some(left) => {
            rounds = left;
            true
        }
        None => false,
    });
    affordable.take(limits::UNLOCK_KEYS).collect()
}

fn read(database: &[u8], at: usize) -> Option<Sealed<'_>> {
    let mut outer = Reader::new(database.get(at..)?).sequence()?;
    let mut scheme = outer.sequence()?;
    let body = outer.expect(OCTET_STRING)?;
    let known = scheme.expect(OID)? == PBES2;
    let mut scheme = scheme.sequence()?;
    let (mut derive, mut cipher) = (scheme.sequence()?, scheme.sequence()?);
    let known = known && derive.expect(OID)? == PBKDF2 && cipher.expect(OID)? == AES256_CBC;
    let start = cipher.expect(OCTET_STRING)?;
    let mut derive = Reader::new(derive.expect(SEQUENCE)?);
    let (salt, rounds) = (derive.expect(OCTET_STRING)?, derive.expect(INTEGER)?);
    let rounds = rounds.iter().take(4).fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
    (known && rounds > 0).then_some(Sealed { at, salt, rounds, start, body })
}

impl Sealed<'_> {
    /// What is inside, when the password is empty.
    fn open(&self, global: &[u8]) -> Option<Vec<u8>> {
        let password = Sha1::digest(global);
        let key = pbkdf2_sha256(&password, self.salt, self.rounds, 32);
        // NSS takes the start of the chain with its tag and length.
        let start = match self.start.len() {
            14 => [&[OCTET_STRING, 14], self.start].concat(),
            _ => self.start.to_vec(),
        };
        let plain = aes256_cbc(key.try_into().ok()?, start.try_into().ok()?, self.body)?;
        unpad(plain)
    }
}
