//! A certificate ([RFC 5280](https://www.rfc-editor.org/rfc/rfc5280)): for whom, by whom, until
//! when, and the fingerprint of its key, by which the private half is found.

use super::der::{BIT_STRING, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE};
use super::openssh;

/// What a certificate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// The OpenSSH fingerprint of its public key, as [`super::private_key`] has it.
    pub fingerprint: String,
    /// The last day it holds, `YYYY-MM-DD`.
    pub expires: String,
    /// The host names it is for.
    pub names: Vec<String>,
    /// Whether it was signed with its own key, as far as the names tell.
    pub self_signed: bool,
}

/// How many names are kept.
const NAMES: usize = 8;

/// What a certificate in DER says.
pub fn inspect(der: &[u8]) -> Option<Certificate> {
    let mut fields = Reader::new(der).sequence()?.sequence()?;
    let first = fields.element()?;
    // The version is explicit from v2 on; the serial number follows it.
    if first.tag == 0xa0 {
        fields.expect(INTEGER)?;
    }
    fields.sequence()?; // signature algorithm
    let issuer = fields.expect(SEQUENCE)?;
    let mut validity = fields.sequence()?;
    validity.element()?;
    let expires = day(validity.element()?.body)?;
    let subject = fields.expect(SEQUENCE)?;
    let fingerprint = public_key(fields.sequence()?)?;
    let mut names = Vec::new();
    while let Some(field) = fields.element() {
        if field.tag == 0xa3 {
            names = alternative_names(field.body).unwrap_or_default();
        }
    }
    Some(Certificate { fingerprint, expires, names, self_signed: issuer == subject })
}

/// The fingerprint of a public key.
fn public_key(mut key: Reader<'_>) -> Option<String> {
    let mut algorithm = key.sequence()?;
    let oid = algorithm.expect(OID)?;
    let bits = key.expect(BIT_STRING)?.get(1..)?;
    let blob = match oid {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1] => {
            let mut parts = Reader::new(bits).sequence()?;
            let (modulus, exponent) = (parts.unsigned()?, parts.unsigned()?);
            let parts = [openssh::mpint(exponent), openssh::mpint(modulus)];
            openssh::public_blob("ssh-rsa", &[&parts[0], &parts[1]])?
        }
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1] => {
            let curve: &[u8] = match algorithm.expect(OID)? {
                [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7] => b"nistp256",
                [0x2b, 0x81, 4, 0, 34] => b"nistp384",
                [0x2b, 0x81, 4, 0, 35] => b"nistp521",
                _ => return None,
            };
            let name = [b"ecdsa-sha2-", curve].concat();
            openssh::public_blob(std::str::from_utf8(&name).ok()?, &[curve, bits])?
        }
        [0x2b, 0x65, 0x70] => openssh::public_blob("ssh-ed25519", &[bits])?,
        _ => return None,
    };
    Some(openssh::fingerprint(&blob))
}

/// A time as a day: two digits of the year stand for 1950 to 2049.
fn day(time: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(time).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match text.len() {
        12 => {
            let century = if text.get(..2)? < "50" { "20" } else { "19" };
            (format!("{century}{}", text.get(..2)?), text.get(2..)?)
        }
        14 => (text.get(..4)?.to_owned(), text.get(4..)?),
        _ => return None,
    };
    Some(format!("{year}-{}-{}", rest.get(..2)?, rest.get(2..4)?))
}

/// The host names among the extensions.
fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut all = Reader::new(extensions).sequence()?;
    while let Some(mut extension) = all.sequence() {
        if extension.expect(OID)? != [0x55, 0x1d, 17] {
            continue;
        }
        let mut value = extension.element()?;
        // Whether it is critical may stand before.
        if value.tag != OCTET_STRING {
            value = extension.element()?;
        }
        let mut names = Reader::new(value.body).sequence()?;
        let host = std::iter::from_fn(|| names.element()).filter(|name| name.tag == 0x82);
        let host = host.map(|name| String::from_utf8_lossy(name.body).into_owned());
        return Some(host.take(NAMES).collect());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        for (text, expected) in [
            ("250102030405Z", Some("2025-01-02")),
            ("990102030405Z", Some("1999-01-02")),
            ("20510102030405Z", Some("2051-01-02")),
            ("2501Z", None),
            ("", None),
        ] {
            assert_eq!(day(text.as_bytes()).as_deref(), expected, "{text}");
        }
        assert_eq!(inspect(b"\x30\x03\x02\x01\x05"), None);
    }
}
