//! Rails: `config/master.key` opens `config/credentials.yml.enc`
//! ([ActiveSupport::EncryptedFile](https://api.rubyonrails.org/classes/ActiveSupport/EncryptedFile.html)).

use super::{files, nearest, path, values};
use crate::artifact::cipher::aes128_gcm;
use crate::blob::{Change, Clue, Join};
use crate::credential::base64;

/// The key.
pub(in crate::artifact) const KEY: &str = "rails.key";
/// An encrypted file.
pub(in crate::artifact) const FILE: &str = "rails.file";

/// The join.
pub(in crate::artifact) const JOIN: Join = Join { name: "rails", needs: &[KEY, FILE], run };

fn run(clues: &[Clue], out: &mut dyn FnMut(Change)) {
    for clue in values(clues, FILE) {
        let keys = nearest(clues, KEY, &clue.at);
        let plain = keys.iter().find_map(|key| Some((open(&key.key, &clue.key)?, &key.at)));
        let Some((bytes, key)) = plain else { continue };
        let at = clue.at.clone().with_member("rails", None);
        // What was inside is read as the file that Rails kept before it encrypted.
        let folder = path(&clue.at);
        let end = memchr::memmem::rfind(folder, b"config/").unwrap_or(0);
        let name = [folder.get(..end).unwrap_or_default(), b"config/secrets.yml"].concat();
        for (name, value) in
            [("protection", "plaintext-equivalent".to_owned()), ("decrypts_with", files(&[key]))]
        {
            out(Change::Fact { at: at.clone(), name, value });
        }
        out(Change::View { at, name, bytes });
    }
}

/// The text of a file: ciphertext, nonce and tag in base64, between dashes.
fn open(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let first = memchr::memmem::find(text, b"--")?;
    let last = memchr::memmem::rfind(text, b"--").filter(|last| *last > first)?;
    let body = base64::decode(text.get(..first)?)?;
    let nonce = base64::decode(text.get(first.checked_add(2)?..last)?)?;
    let tag = base64::decode(text.get(last.checked_add(2)?..)?)?;
    let (nonce, tag) = (nonce.try_into().ok()?, tag.try_into().ok()?);
    let plain = aes128_gcm(unhex(key)?, nonce, (&body, tag))?;
    Some(marshalled(&plain).map_or_else(|| plain.clone(), <[u8]>::to_vec))
}

fn unhex(text: &[u8]) -> Option<[u8; 16]> {
    let text = std::str::from_utf8(text.trim_ascii()).ok().filter(|text| text.len() == 32)?;
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

/// The string in what Ruby's Marshal wrote
/// ([format](https://docs.ruby-lang.org/en/master/marshal_rdoc.html)).
fn marshalled(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(b"\x04\x08")?;
    let rest = rest.strip_prefix(b"I").unwrap_or(rest).strip_prefix(b"\"")?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0 => (0, rest),
        count @ 1..=4 => {
            let (digits, rest) = rest.split_at_checked(usize::from(count))?;
            let number = digits.iter().rev().fold(0usize, |sum, b| sum << 8 | usize::from(*b));
            (number, rest)
        }
        small => (usize::from(small).checked_sub(5)?, rest),
    };
    rest.get(..len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_marshal() {
        for (bytes, expected) in [
            (&b"\x04\x08I\"\x08abc\x06:\x06ET"[..], Some(&b"abc"[..])),
            (b"\x04\x08\"\x01\x02ab", Some(b"ab")),
            (b"\x04\x08\"\x00", Some(b"")),
            (b"\x04\x08\"\x09ab", None),
            (b"\x04\x08[", None),
            (b"abc", None),
        ] {
            assert_eq!(marshalled(bytes), expected, "{bytes:?}");
        }
        assert_eq!(unhex(b"00000000000000000000000000000010\n").map(|key| key[15]), Some(16));
        assert_eq!(unhex(b"zz"), None);
    }
}
