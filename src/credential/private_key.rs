//! A private key: its form, whether it is encrypted, and who it is.

use crate::credential::der::{self, Reader};
use crate::credential::pem::{self, Pem};
use crate::credential::{known, openssh, pgp, putty};

/// What a private key says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateKey {
    /// The form: `openssh`, `pkcs8`, `pkcs1`, `sec1`, `dsa`, `putty`, `pgp`.
    pub form: &'static str,
    /// The algorithm, such as `ssh-ed25519` or `rsa`; empty when it cannot be told.
    pub algorithm: String,
    /// Whether a passphrase protects it.
    pub encrypted: bool,
    /// Size of the modulus or field in bits.
    pub bits: Option<u32>,
    /// The OpenSSH fingerprint of the public half, `SHA256:…`, when it can be read.
    pub fingerprint: Option<String>,
    /// The comment, usually `user@host`.
    pub comment: Option<String>,
}

/// Where the private key in `block` ships, when it is one that everybody has; `key` is what
/// [`inspect`] read of it.
pub fn known_public(block: &[u8], key: Option<&PrivateKey>) -> Option<&'static str> {
    let print = key.and_then(|key| key.fingerprint.as_deref());
    print.and_then(known::place).or_else(|| known::place(&known::body_print(block)?))
}

/// What the key in `block` says of itself: a whole PEM, OpenSSH, PGP or `PuTTY` block with white
/// space around it, its line ends written as `\n` perhaps. `None` when it is none that can be
/// read.
pub fn inspect(block: &[u8]) -> Option<PrivateKey> {
    let block = block.trim_ascii();
    if block.starts_with(putty::MAGIC) {
        return putty::inspect(block);
    }
    let pem = pem::parse(block)?;
    match pem.label.as_str() {
        "OPENSSH PRIVATE KEY" => openssh::inspect(&pem.body),
        "PGP PRIVATE KEY BLOCK" => pgp::inspect(&pem.body),
        "ENCRYPTED PRIVATE KEY" => encrypted_pkcs8(&pem.body),
        "PRIVATE KEY" => pkcs8(&pem.body),
        "RSA PRIVATE KEY" => legacy(&pem, "pkcs1", "rsa", pkcs1),
        "EC PRIVATE KEY" => legacy(&pem, "sec1", "ec", |body| sec1(body, None)),
        "DSA PRIVATE KEY" => legacy(&pem, "dsa", "dsa", dsa),
        _ => None,
    }
}

/// What a key in DER says of itself, in any of the forms that stand behind the labels of PEM.
pub fn inspect_der(der: &[u8]) -> Option<PrivateKey> {
    let found = pkcs8(der).or_else(|| pkcs1(der)).or_else(|| sec1(der, None));
    found.or_else(|| encrypted_pkcs8(der).filter(|_| is_password_based(der)))
}

/// Whether the algorithm of an `EncryptedPrivateKeyInfo` is one of PKCS#5 or PKCS#12.
fn is_password_based(body: &[u8]) -> bool {
    let oid =
        Reader::new(body).sequence().and_then(|mut fields| fields.sequence()?.expect(der::OID));
    oid.is_some_and(|oid| {
        oid.starts_with(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5])
            || oid.starts_with(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12])
    })
}

/// A block of OpenSSL's own forms: its headers tell whether it is encrypted, and then nothing
/// else can be read.
fn legacy(
    pem: &Pem,
    form: &'static str,
    algorithm: &str,
    read: impl Fn(&[u8]) -> Option<PrivateKey>,
) -> Option<PrivateKey> {
    if pem.headers.iter().any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED")) {
        let algorithm = algorithm.to_owned();
        return (!pem.body.is_empty()).then(|| PrivateKey {
            form,
            algorithm,
            encrypted: true,
            ..PrivateKey::default()
        });
    }
    read(&pem.body)
}

/// `EncryptedPrivateKeyInfo`: an algorithm and an octet string.
fn encrypted_pkcs8(body: &[u8]) -> Option<PrivateKey> {
    let mut fields = Reader::new(body).sequence()?;
    fields.sequence()?.expect(der::OID)?;
    fields.expect(der::OCTET_STRING)?;
    Some(PrivateKey { form: "pkcs8", encrypted: true, ..PrivateKey::default() })
}

/// `PrivateKeyInfo` ([RFC 5958](https://www.rfc-editor.org/rfc/rfc5958)).
fn pkcs8(body: &[u8]) -> Option<PrivateKey> {
    let mut fields = Reader::new(body).sequence()?;
    fields.expect(der::INTEGER)?;
    let mut algorithm = fields.sequence()?;
    let oid = algorithm.expect(der::OID)?;
    let inner = fields.expect(der::OCTET_STRING)?;
    let key = match oid {
        // rsaEncryption, ecPublicKey, dsa, Ed25519, X25519, Ed448
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1] => pkcs1(inner)?,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1] => sec1(inner, algorithm.expect(der::OID))?,
        [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1] => named("dsa", None),
        [0x2b, 0x65, 0x70] => ed25519(fields),
        [0x2b, 0x65, 0x6e] => named("x25519", Some(256)),
        [0x2b, 0x65, 0x71] => named("ed448", Some(456)),
        _ => named("", None),
    };
    Some(PrivateKey { form: "pkcs8", ..key })
}

fn named(algorithm: &str, bits: Option<u32>) -> PrivateKey {
    PrivateKey { algorithm: algorithm.to_owned(), bits, ..PrivateKey::default() }
}

/// What follows the private half: the public one, in version 2 alone.
fn ed25519(mut fields: Reader<'_>) -> PrivateKey {
    let mut key = named("ed25519", Some(256));
    while let Some(field) = fields.element() {
        // [1] IMPLICIT BIT STRING, its first octet the count of unused bits
        if field.tag == 0x81 && field.body.len() == 33 {
            let public = field.body.get(1..).unwrap_or_default();
            key.fingerprint = fingerprint("ssh-ed25519", &[public]);
        }
    }
    key
}

/// `RSAPrivateKey` ([RFC 8017](https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.2)).
fn pkcs1(body: &[u8]) -> Option<PrivateKey> {
    let mut fields = Reader::new(body).sequence()?;
    fields.unsigned()?; // version
    let modulus = fields.unsigned()?;
    let exponent = fields.unsigned()?;
    fields.unsigned()?; // the private exponent
    let parts = [openssh::mpint(exponent), openssh::mpint(modulus)];
    Some(PrivateKey {
        form: "pkcs1",
        fingerprint: fingerprint("ssh-rsa", &[&parts[0], &parts[1]]),
        ..named("rsa", der::bits(modulus))
    })
}

/// `DSAPrivateKey` as OpenSSL writes it: version, p, q, g, y, x.
fn dsa(body: &[u8]) -> Option<PrivateKey> {
    let mut fields = Reader::new(body).sequence()?;
    fields.unsigned()?; // version
    let prime = fields.unsigned()?;
    let mut parts = vec![openssh::mpint(prime)];
    for _ in 0..3 {
        parts.push(openssh::mpint(fields.unsigned()?));
    }
    fields.unsigned()?; // the private number
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Some(PrivateKey {
        form: "dsa",
        fingerprint: fingerprint("ssh-dss", &parts),
        ..named("dsa", der::bits(prime))
    })
}

/// `ECPrivateKey` ([RFC 5915](https://www.rfc-editor.org/rfc/rfc5915)); inside PKCS#8 the curve
/// stands outside.
fn sec1(body: &[u8], curve: Option<&[u8]>) -> Option<PrivateKey> {
    let mut fields = Reader::new(body).sequence()?;
    fields.unsigned()?; // version
    fields.expect(der::OCTET_STRING)?;
    let (mut curve, mut public) = (curve, None);
    while let Some(field) = fields.element() {
        let mut inner = Reader::new(field.body);
        match field.tag {
            0xa0 => curve = curve.or(inner.expect(der::OID)),
            0xa1 => public = inner.expect(der::BIT_STRING).and_then(|bits| bits.get(1..)),
            _ => {}
        }
    }
    let mut key = PrivateKey { form: "sec1", ..named("ec", None) };
    let (curve, bits) = match curve {
        Some([0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]) => ("nistp256", 256),
        Some([0x2b, 0x81, 4, 0, 34]) => ("nistp384", 384),
        Some([0x2b, 0x81, 4, 0, 35]) => ("nistp521", 521),
        _ => return Some(key),
    };
    key.bits = Some(bits);
    key.algorithm = format!("ecdsa-sha2-{curve}");
    key.fingerprint = public.and_then(|p| fingerprint(&key.algorithm, &[curve.as_bytes(), p]));
    Some(key)
}

fn fingerprint(name: &str, parts: &[&[u8]]) -> Option<String> {
    openssh::public_blob(name, parts).map(|blob| openssh::fingerprint(&blob))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::base64;

    fn block(label: &str, head: &str, body: &[u8]) -> String {
        let dashes = "-----";
        let body = base64::encode_unpadded(body);
        format!("{dashes}BEGIN {label}{dashes}\n{head}{body}\n{dashes}END {label}{dashes}\n")
    }

    #[test]
    fn tells_plain_from_encrypted() {
        let rsa = [0x30, 0x0d, 2, 1, 0, 2, 2, 1, 0, 2, 1, 3, 2, 1, 7];
        let plain = inspect(block("RSA PRIVATE KEY", "", &rsa).as_bytes()).unwrap();
        assert_eq!((plain.encrypted, plain.bits, plain.form), (false, Some(9), "pkcs1"));
        assert!(plain.fingerprint.is_some());
        let head = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n";
        let locked = inspect(block("RSA PRIVATE KEY", head, &[9; 48]).as_bytes()).unwrap();
        assert_eq!((locked.encrypted, locked.fingerprint), (true, None));
    }

    #[test]
    fn refuses_what_is_no_key() {
        for label in ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "CERTIFICATE"] {
            assert_eq!(inspect(block(label, "", b"nothing of the kind").as_bytes()), None);
        }
        assert_eq!(inspect(b""), None);
        assert_eq!(inspect(b"-----BEGIN "), None);
    }
}
