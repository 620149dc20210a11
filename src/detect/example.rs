//! Example texts, made from templates and a seed, so that nothing that looks like a live token
//! stands in the sources.
//!
//! `{name:argument}` is a field, `{{` and `}}` are braces. Random characters: `base62`, `b64`,
//! `b64u`, `hex`, `HEX`, `digits`, `lower`, `upper`, `base32`, `lower36`, `upper36`, `bech32`, each
//! with a count. `repeat:N:text`. Random bytes: `bytes_b64:N`, `bytes_b64u:N`. Nested templates:
//! `text_b64:…`, `text_b64u:…`. A block of noise under a label: `pem:LABEL`; a key that can be
//! read: `ed25519`. Checksums over the field before:
//! `crc32_base62`, `crc32_hex`; over everything before: `crc32_base36_all`, `crc32_hex_all`,
//! `CRC32_HEX_all`; over everything before but the last character: `crc32_hex_le_head`; over the
//! field before, in base64: `crc32_b64_le`. Whole tokens: `nkey:U`, `age`, `uuid`, `wif`, `xprv`,
//! `bip39:N` of N bytes, `keytab`, `cephx`; text of Windows in base64: `utf16_b64:…`.

use crate::credential::{base32, base58, base62, bech32, bip39, crc};
use base64::prelude::{
    BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _,
};

/// How deep templates nest; they are ours, so this only stops a mistake.
const DEPTH: usize = 4;

/// The text that `template` and `seed` make; `None` when the template is wrong.
pub fn render(template: &str, seed: u64) -> Option<String> {
    render_with(template, &mut SplitMix64(seed), DEPTH)
}

/// A small generator of random numbers that is the same everywhere
/// ([SplitMix64](https://prng.di.unimi.it/splitmix64.c)).
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn pick(&mut self, alphabet: &[u8], count: usize) -> String {
        let len = u64::try_from(alphabet.len()).unwrap_or(1).max(1);
        let mut text = String::with_capacity(count);
        for _ in 0..count {
            let at = usize::try_from(self.next() % len).unwrap_or(0);
            text.extend(alphabet.get(at).map(|byte| char::from(*byte)));
        }
        text
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(count).collect()
    }
}

fn render_with(template: &str, random: &mut SplitMix64, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let mut text = String::new();
    let mut field = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(rest.get(..at)?);
        rest = rest.get(at..)?;
        if let Some(after) = rest.strip_prefix("{{") {
            text.push('{');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("}}") {
            text.push('}');
            rest = after;
        } else {
            let end = field_end(rest)?;
            let (name, argument) =
                rest.get(1..end)?.split_once(':').unwrap_or((rest.get(1..end)?, ""));
            let made = match name {
                "text_b64" => BASE64_STANDARD.encode(render_with(argument, random, depth)?),
                "utf16_b64" => {
                    let inner = render_with(argument, random, depth)?;
                    let bytes: Vec<u8> = inner.encode_utf16().flat_map(u16::to_le_bytes).collect();
                    BASE64_STANDARD.encode(bytes)
                }
                "text_b64u" => BASE64_URL_SAFE_NO_PAD.encode(render_with(argument, random, depth)?),
                _ => match checksum(name, &text, &field) {
                    Some(sum) => sum,
                    None => made_up(name, argument, random)?,
                },
            };
            text.push_str(&made);
            field = made;
            rest = rest.get(end + 1..)?;
        }
    }
    text.push_str(rest);
    Some(text)
}

/// Where the brace that opens `text` is closed.
fn field_end(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open = open.checked_sub(1)?,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

fn checksum(name: &str, all: &str, field: &str) -> Option<String> {
    let of_all = crc::crc32(all.as_bytes());
    let of_field = crc::crc32(field.as_bytes());
    Some(match name {
        "crc32_base62" => base62::base62(of_field),
        "crc32_b64_le" => BASE64_STANDARD_NO_PAD.encode(of_field.to_le_bytes()),
        "crc32_hex" => format!("{of_field:08x}"),
        "crc32_base36_all" => base62::base36(of_all),
        "crc32_hex_all" => format!("{of_all:08x}"),
        "CRC32_HEX_all" => format!("{of_all:08X}"),
        "crc32_hex_le_head" => {
            let (head, _) = all.split_at_checked(all.len().checked_sub(1)?)?;
            format!("{:08x}", crc::crc32(head.as_bytes()).swap_bytes())
        }
        _ => return None,
    })
}

fn made_up(name: &str, argument: &str, random: &mut SplitMix64) -> Option<String> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let alphabet = match name {
        "base62" => LETTERS.to_owned(),
        "b64" => format!("{LETTERS}+/"),
        "b64u" => format!("{LETTERS}-_"),
        "hex" => "0123456789abcdef".to_owned(),
        "HEX" => "0123456789ABCDEF".to_owned(),
        "digits" => "0123456789".to_owned(),
        "lower" => "abcdefghijklmnopqrstuvwxyz".to_owned(),
        "upper" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ".to_owned(),
        "base32" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".to_owned(),
        "lower36" => "abcdefghijklmnopqrstuvwxyz0123456789".to_owned(),
        "upper36" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".to_owned(),
        "bech32" => "qpzry9x8gf2tvdw0s3jn54khce6mua7l".to_owned(),
        _ => return whole(name, argument, random),
    };
    Some(random.pick(alphabet.as_bytes(), argument.parse().ok()?))
}

fn whole(name: &str, argument: &str, random: &mut SplitMix64) -> Option<String> {
    Some(match name {
        "repeat" => {
            let (count, text) = argument.split_once(':')?;
            text.repeat(count.parse().ok()?)
        }
        "bytes_b64" => BASE64_STANDARD.encode(random.bytes(argument.parse().ok()?)),
        "bytes_b64u" => BASE64_URL_SAFE_NO_PAD.encode(random.bytes(argument.parse().ok()?)),
        "pem" => {
            let body = BASE64_STANDARD.encode(random.bytes(608));
            let mut text = format!("-----BEGIN {argument}-----\n");
            for line in body.as_bytes().chunks(64) {
                text.push_str(std::str::from_utf8(line).ok()?);
                text.push('\n');
            }
            format!("{text}-----END {argument}-----\n")
        }
        "ed25519" => {
            // PKCS#8: version, the algorithm's number, and the seed in two octet strings.
            let mut der =
                b"\x30\x2e\x02\x01\0\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
            der.extend(random.bytes(32));
            let body = BASE64_STANDARD.encode(der);
            format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
        }
        "nkey" => {
            // Prefix byte of a seed: 18 << 3 in the top five bits, then the role's five bits.
            let role = argument.bytes().next()?.checked_sub(b'A')?;
            let mut bytes = vec![18 << 3 | role >> 2, (role & 3) << 6];
            bytes.extend(random.bytes(32));
            bytes.extend(crc::crc16_xmodem(&bytes).to_le_bytes());
            base32::encode(&bytes)
        }
        "age" => {
            let data = random.pick(b"qpzry9x8gf2tvdw0s3jn54khce6mua7l", 52);
            let sum = bech32::checksum(b"age-secret-key-", data.as_bytes())?;
            format!("AGE-SECRET-KEY-1{data}{sum}").to_ascii_uppercase()
        }
        _ => return stored(name, argument, random),
    })
}

/// Keys in the forms of wallets and key stores.
fn stored(name: &str, argument: &str, random: &mut SplitMix64) -> Option<String> {
    Some(match name {
        "uuid" => {
            let groups = [8, 4, 4, 4, 12].map(|count| random.pick(b"0123456789abcdef", count));
            groups.join("-")
        }
        "wif" => {
            // Version, key, and the mark that its public half is compressed.
            let key = random.bytes(32);
            base58::encode_check(&[&[0x80][..], &key, &[1]].concat())
        }
        "xprv" => {
            let mut body = vec![0x04, 0x88, 0xad, 0xe4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            body.extend(random.bytes(32));
            body.push(0);
            body.extend(random.bytes(32));
            base58::encode_check(&body)
        }
        "bip39" => bip39::phrase(&random.bytes(argument.parse().ok()?))?,
        "keytab" => {
            // One record: a service in a realm, the kind of name, time, version and key.
            let mut record = b"\0\x02\0\x08CORP.LAN\0\x04HTTP\0\x07web.lan".to_vec();
            record.extend(b"\0\0\0\x01\x65\0\0\0\x02\0\x12\0\x20");
            record.extend(random.bytes(32));
            let mut bytes = b"\x05\x02".to_vec();
            bytes.extend(u32::try_from(record.len()).ok()?.to_be_bytes());
            bytes.extend(record);
            BASE64_STANDARD.encode(bytes)
        }
        "cephx" => {
            let mut bytes = b"\x01\0\x11\x22\x33\x65\0\0\0\0\x10\0".to_vec();
            bytes.extend(random.bytes(16));
            BASE64_STANDARD.encode(bytes)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled() {
        let made = |template| render(template, 1).unwrap();
        assert_eq!(made("a{repeat:3:x}b{{c}}"), "axxxb{c}");
        assert_eq!(made("{base62:8}").len(), 8);
        assert_eq!(made("p_{repeat:30:0}{crc32_base62}"), format!("p_{}2C8GjS", "0".repeat(30)));
        assert_eq!(made("{repeat:30:0}{crc32_base36_all}").get(30..), Some("0x9mjya"));
        assert_eq!(made(r#"{text_b64u:{{"alg":"none"}}}"#), "eyJhbGciOiJub25lIn0");
        assert_eq!(made("{nkey:U}").get(..2), Some("SU"));
        assert_eq!(made("{nkey:U}").len(), 58);
        assert!(bech32::holds(made("{age}").as_bytes()));
        assert_eq!(render("{base62:8}", 7), render("{base62:8}", 7));
        assert_ne!(render("{base62:8}", 7), render("{base62:8}", 8));
    }

    #[test]
    fn a_wrong_template_is_refused() {
        for template in ["{nothing:3}", "{base62:x}", "{base62:3", "a}"] {
            assert_eq!(render(template, 1), None, "{template}");
        }
    }
}
