//! A `PuTTY` key file
//! ([PPK format](https://the.earth.li/~sgtatham/putty/0.83/htmldoc/AppendixC.html)).

use crate::credential::base64;
use crate::credential::openssh;
use crate::credential::private_key::PrivateKey;

/// The first bytes of every version.
pub const MAGIC: &[u8] = b"PuTTY-User-Key-File-";

/// What a `PuTTY` key file says of itself: all but the private half is in clear.
pub fn inspect(text: &[u8]) -> Option<PrivateKey> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().map(str::trim_end);
    let first = lines.next()?.strip_prefix("PuTTY-User-Key-File-")?;
    let (_, algorithm) = first.split_once(": ")?;
    let mut key =
        PrivateKey { form: "putty", algorithm: algorithm.to_owned(), ..PrivateKey::default() };
    let mut private = false;
    while let Some(line) = lines.next() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name {
            "Encryption" => key.encrypted = value != "none",
            "Comment" => key.comment = Some(value.to_owned()).filter(|c| !c.is_empty()),
            "Public-Lines" => {
                let count = value.parse().ok()?;
                let public: String = lines.by_ref().take(count).collect();
                let public = base64::decode(public.as_bytes())?;
                key.bits = openssh::public_key(&public)?.bits;
                key.fingerprint = Some(openssh::fingerprint(&public));
            }
            "Private-Lines" => private = true,
            _ => {}
        }
    }
    private.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_head_of_an_encrypted_key() {
        let public = openssh::public_blob("ssh-ed25519", &[&[7; 32]]).unwrap();
        let text = format!(
            "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: aes256-cbc\r\nComment: a@b\r\n\
             Public-Lines: 1\r\n{}\r\nPrivate-Lines: 1\r\nAAAA\r\nPrivate-MAC: 00\r\n",
            base64::encode_unpadded(&public)
        );
        let key = inspect(text.as_bytes()).unwrap();
        assert_eq!((key.algorithm.as_str(), key.encrypted), ("ssh-ed25519", true));
        assert_eq!(key.fingerprint, Some(openssh::fingerprint(&public)));
        assert_eq!(key.comment.as_deref(), Some("a@b"));
        assert_eq!(inspect(b"PuTTY-User-Key-File-2: x\n"), None);
    }
}
