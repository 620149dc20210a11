//! Ansible: a file of a vault's password opens the vaults
//! ([format](https://docs.ansible.com/ansible/latest/vault_guide/vault_using_encrypted_content.html)).

use super::{Opened, files, nearest, opened, path, told, values};
use crate::artifact::ansible::SECRET;
use crate::artifact::cipher::{aes256_ctr, hmac_sha256, pbkdf2_sha256, unpad};
use crate::artifact::judge::Kind;
use crate::blob::{Change, Clue, Join};
use crate::limits;

/// A file that holds a password and nothing else.
pub(in crate::artifact) const PASSWORD: &str = "ansible.password";
/// A vault: a whole file, or one value of one.
pub(in crate::artifact) const VALUE: &str = "ansible.vault";

/// The join.
pub(in crate::artifact) const JOIN: Join =
    Join { name: "ansible vault", needs: &[PASSWORD, VALUE], run };

/// Rounds that every vault's key takes.
const ROUNDS: u32 = 10_000;

fn run(clues: &[Clue], out: &mut dyn FnMut(Change)) {
    let mut tries = limits::UNLOCK_DERIVATIONS;
    for clue in values(clues, VALUE) {
        let Some((_, facts)) = told(clue) else { continue };
        let keys = nearest(clues, PASSWORD, &clue.at);
        let keys = keys.iter();
        let mut plain = keys.map_while(|key| {
            tries = tries.checked_sub(1)?;
            Some((open(key.key.trim_ascii(), &clue.key), &key.at))
        });
        let plain = plain.find_map(|(plain, at)| Some((plain?, at)));
        let Some((plain, key)) = plain else { continue };
        if facts.contains_key("name") {
            let (kind, keys, format) = (Kind::Password, &[key][..], "ansible-vault");
            let what = Opened { rule: &SECRET, format, kind, plain: plain.trim_ascii(), keys };
            opened(clue, &what).into_iter().for_each(&mut *out);
            continue;
        }
        let at = clue.at.clone().with_member("ansible-vault", None);
        for (name, value) in
            [("protection", "plaintext-equivalent".to_owned()), ("decrypts_with", files(&[key]))]
        {
            out(Change::Fact { at: at.clone(), name, value });
        }
        let name = path(&clue.at).to_vec();
        out(Change::View { at, name, bytes: plain });
    }
}

/// The text of a vault: in hex, the hex of salt, HMAC and ciphertext, a line each.
fn open(password: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    let inner = unhex(body)?;
    let mut parts = inner.split(|&byte| byte == b'\n').map(unhex);
    let (salt, mac, sealed) = (parts.next()??, parts.next()??, parts.next()??);
    let keys = pbkdf2_sha256(password, &salt, ROUNDS, 80);
    let (cipher, rest) = keys.split_first_chunk::<32>()?;
    let (signing, start) = rest.split_first_chunk::<32>()?;
    if hmac_sha256(signing, &[&sealed])[..] != mac {
        return None;
    }
    unpad(aes256_ctr(*cipher, start.try_into().ok()?, &sealed))
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let digits: Option<Vec<u8>> =
        text.iter().filter(|byte| !byte.is_ascii_whitespace()).map(digit).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
