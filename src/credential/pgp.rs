//! A PGP secret key packet: algorithm and whether a passphrase protects it
//! ([RFC 9580](https://www.rfc-editor.org/rfc/rfc9580#section-5.5.3)).

use crate::credential::der;
use crate::credential::private_key::PrivateKey;

const SECRET_KEY: u8 = 5;

/// What the decoded armour of a `PGP PRIVATE KEY BLOCK` says of itself.
pub fn inspect(body: &[u8]) -> Option<PrivateKey> {
    let (tag, packet) = first_packet(body)?;
    let (&version, rest) = packet.split_first()?;
    if tag != SECRET_KEY || !matches!(version, 4..=6) {
        return None;
    }
    let (&algorithm, mut rest) = rest.get(4..)?.split_first()?;
    if version > 4 {
        rest = rest.get(4..)?; // length of the public part
    }
    let (name, bits, rest) = public_part(algorithm, rest)?;
    Some(PrivateKey {
        form: "pgp",
        algorithm: name.to_owned(),
        encrypted: *rest.first()? != 0,
        bits,
        ..PrivateKey::default()
    })
}

/// Name, size, and what follows the public fields of a key.
fn public_part(algorithm: u8, rest: &[u8]) -> Option<(&'static str, Option<u32>, &[u8])> {
    match algorithm {
        1..=3 => mpis("rsa", 2, rest),
        16 => mpis("elgamal", 3, rest),
        17 => mpis("dsa", 4, rest),
        18 | 19 | 22 => {
            let name = if algorithm == 22 { "eddsa" } else { "ecdsa" };
            let (&len, rest) = rest.split_first()?;
            let (_, _, rest) = mpis(name, 1, rest.get(usize::from(len)..)?)?;
            let kdf = if algorithm == 18 { usize::from(*rest.first()?) + 1 } else { 0 };
            Some((if algorithm == 18 { "ecdh" } else { name }, None, rest.get(kdf..)?))
        }
        25 | 27 => {
            Some((if algorithm == 25 { "x25519" } else { "ed25519" }, Some(256), rest.get(32..)?))
        }
        _ => None,
    }
}

fn mpis<'a>(
    name: &'static str,
    count: usize,
    mut rest: &'a [u8],
) -> Option<(&'static str, Option<u32>, &'a [u8])> {
    let mut bits = None;
    for _ in 0..count {
        let (len, body) = rest.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes(*len)).div_ceil(8);
        let (number, after) = body.split_at_checked(len)?;
        bits = bits.or_else(|| der::bits(number));
        rest = after;
    }
    Some((name, bits, rest))
}

/// Tag and body of the first packet, in the old and in the new format.
fn first_packet(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    if head & 0x80 == 0 {
        return None;
    }
    let digits = if head & 0x40 == 0 { 1usize << (head & 3).min(2) } else { 0 };
    if digits > 0 {
        return Some(((head >> 2) & 0xf, rest.get(digits..)?));
    }
    let digits = match rest.first()? {
        0..192 => 1,
        192..224 => 2,
        255 => 5,
        _ => return None,
    };
    Some((head & 0x3f, rest.get(digits..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_protected_from_plain() {
        let rsa = [4, 0, 0, 0, 0, 1, 0, 9, 1, 0xff, 0, 2, 3];
        for (usage, encrypted) in [(0u8, false), (254, true), (255, true)] {
            for head in [&[0x95, 0, 14][..], &[0xc5, 14]] {
                let packet = [head, &rsa, &[usage]].concat();
                let key = inspect(&packet).unwrap();
                assert_eq!((key.algorithm.as_str(), key.encrypted), ("rsa", encrypted));
                assert_eq!(key.bits, Some(9));
            }
        }
        assert_eq!(inspect(&[0x95, 0, 1, 4]), None);
    }
}
