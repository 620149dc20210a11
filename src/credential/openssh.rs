//! OpenSSH keys: the public blob and its fingerprint
//! ([RFC 4253](https://www.rfc-editor.org/rfc/rfc4253#section-6.6)), and the private key file
//! ([PROTOCOL.key](https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key)).

use crate::credential::base64;
use crate::credential::der;
use crate::credential::private_key::PrivateKey;
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8] = b"openssh-key-v1\0";

/// A public key: its algorithm and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The algorithm, such as `ssh-ed25519`.
    pub algorithm: String,
    /// Size of the modulus or field in bits.
    pub bits: Option<u32>,
}

/// `SHA256:…` as `ssh-keygen -l` prints it.
pub fn fingerprint(public: &[u8]) -> String {
    format!("SHA256:{}", base64::encode_unpadded(&Sha256::digest(public)))
}

/// What a public blob says of itself; `None` when it is not one.
pub fn public_key(blob: &[u8]) -> Option<PublicKey> {
    let mut fields = Fields { rest: blob };
    let name = fields.string()?;
    let named = !name.is_empty()
        && name.len() <= 64
        && name.iter().all(|b| b.is_ascii_alphanumeric() || b"-@._".contains(b));
    if !named {
        return None;
    }
    let algorithm = String::from_utf8(name.to_vec()).ok()?;
    // A certificate carries a nonce before the key's own fields.
    if algorithm.contains("-cert-v01@") {
        fields.string()?;
    }
    let bits = match algorithm.as_str() {
        name if name.starts_with("ssh-rsa") => {
            fields.string()?;
            der::bits(magnitude(fields.string()?))
        }
        name if name.starts_with("ssh-dss") => der::bits(magnitude(fields.string()?)),
        name if name.contains("ed25519") => fields.string().filter(|k| k.len() == 32).map(|_| 256),
        name if name.contains("nistp256") => Some(256),
        name if name.contains("nistp384") => Some(384),
        name if name.contains("nistp521") => Some(521),
        _ => None,
    };
    Some(PublicKey { algorithm, bits })
}

/// What the decoded body of an `OPENSSH PRIVATE KEY` block says of itself. The public half and
/// the cipher stand outside the encryption.
pub fn inspect(body: &[u8]) -> Option<PrivateKey> {
    let mut fields = Fields { rest: body.strip_prefix(MAGIC)? };
    let cipher = fields.string()?;
    fields.string()?; // key derivation function
    fields.string()?; // its options
    if fields.number()? == 0 {
        return None;
    }
    let public = fields.string()?;
    let known = public_key(public)?;
    let encrypted = cipher != b"none";
    let comment = if encrypted { None } else { fields.string().and_then(comment) };
    Some(PrivateKey {
        form: "openssh",
        algorithm: known.algorithm,
        encrypted,
        bits: known.bits,
        fingerprint: Some(fingerprint(public)),
        comment,
    })
}

/// The comment at the end of a plain private section.
fn comment(section: &[u8]) -> Option<String> {
    let mut fields = Fields { rest: section };
    if fields.number()? != fields.number()? {
        return None;
    }
    let count = match fields.string()? {
        b"ssh-rsa" => 6,
        b"ssh-dss" => 5,
        b"ssh-ed25519" => 2,
        b"sk-ssh-ed25519@openssh.com" => return security_key_comment(fields, 2),
        b"sk-ecdsa-sha2-nistp256@openssh.com" => return security_key_comment(fields, 3),
        name if name.starts_with(b"ecdsa-sha2-") => 3,
        _ => return None,
    };
    for _ in 0..count {
        fields.string()?;
    }
    text(fields.string()?)
}

/// The same for a key that lives in a security key: flags are one byte, not a string.
fn security_key_comment(mut fields: Fields<'_>, public: usize) -> Option<String> {
    for _ in 0..public {
        fields.string()?;
    }
    fields.rest = fields.rest.get(1..)?;
    fields.string()?; // handle
    fields.string()?; // reserved
    text(fields.string()?)
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    (!text.is_empty()).then_some(text)
}

/// The public blob of `name` with `parts` as strings.
pub fn public_blob(name: &str, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let mut blob = Vec::new();
    for part in std::iter::once(&name.as_bytes()).chain(parts) {
        blob.extend(u32::try_from(part.len()).ok()?.to_be_bytes());
        blob.extend_from_slice(part);
    }
    Some(blob)
}

/// A magnitude as the `mpint` a public blob wants: a leading zero where the top bit is set.
pub fn mpint(magnitude: &[u8]) -> Vec<u8> {
    let signed = magnitude.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut out = Vec::with_capacity(magnitude.len() + 1);
    out.extend(signed.then_some(0));
    out.extend_from_slice(magnitude);
    out
}

fn magnitude(mpint: &[u8]) -> &[u8] {
    let zeros = mpint.iter().take_while(|&&byte| byte == 0).count();
    mpint.get(zeros..).unwrap_or_default()
}

/// Length-prefixed strings, one after the other.
#[derive(Clone, Copy)]
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*head))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_public_blobs() {
        let blob = public_blob("ssh-ed25519", &[&[7; 32]]).unwrap();
        let key = public_key(&blob).unwrap();
        assert_eq!((key.algorithm.as_str(), key.bits), ("ssh-ed25519", Some(256)));
        let blob = public_blob("ssh-rsa", &[&[1, 0, 1], &mpint(&[0x80; 256])]).unwrap();
        assert_eq!(public_key(&blob).unwrap().bits, Some(2048));
        assert_eq!(public_key(b"\0\0\0\xffssh"), None);
        assert_eq!(public_key(b""), None);
    }
}
