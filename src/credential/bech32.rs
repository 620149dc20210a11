//! The bech32 checksum of [BIP 173](https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki),
//! which age identities carry.

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Whether the checksum of `text` holds. Mixed case fails, as the specification demands.
pub fn holds(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    if lower != text && text.to_ascii_uppercase() != text {
        return false;
    }
    let Some(split) = lower.iter().rposition(|byte| *byte == b'1') else { return false };
    let (prefix, data) = lower.split_at(split);
    let values: Option<Vec<u32>> = data.iter().skip(1).map(|byte| value(*byte)).collect();
    match values {
        Some(values) if values.len() >= 6 && !prefix.is_empty() => {
            polymod(expand(prefix).chain(values)) == 1
        }
        _ => false,
    }
}

/// The six checksum characters of `prefix` and `data`, lower case.
pub fn checksum(prefix: &[u8], data: &[u8]) -> Option<String> {
    let lower = prefix.to_ascii_lowercase();
    let values: Option<Vec<u32>> =
        data.iter().map(|byte| value(byte.to_ascii_lowercase())).collect();
    let sum = polymod(expand(&lower).chain(values?).chain([0; 6])) ^ 1;
    Some(
        (0..6)
            .filter_map(|at| usize::try_from(sum >> (5 * (5 - at)) & 31).ok())
            .filter_map(|at| ALPHABET.get(at))
            .map(|byte| char::from(*byte))
            .collect(),
    )
}

fn value(byte: u8) -> Option<u32> {
    let at = ALPHABET.iter().position(|known| *known == byte)?;
    u32::try_from(at).ok()
}

fn expand(prefix: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let high = prefix.iter().map(|byte| u32::from(byte >> 5));
    high.chain([0]).chain(prefix.iter().map(|byte| u32::from(byte & 31)))
}

fn polymod(values: impl Iterator<Item = u32>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum: u32, value| {
        let top = sum >> 25;
        let next = (sum & 0x01ff_ffff) << 5 ^ value;
        (0..).zip(GENERATOR).fold(
            next,
            |sum, (bit, generator)| {
                if top >> bit & 1 == 1 { sum ^ generator } else { sum }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_the_specification() {
        assert!(holds(b"A12UEL5L"));
        assert!(holds(b"a12uel5l"));
        assert!(holds(b"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"));
        assert!(!holds(b"A12uEL5L"), "mixed case");
        assert!(!holds(b"A1G7SGD8"), "wrong checksum");
        assert!(!holds(b"10a06t8"), "empty prefix");
        assert_eq!(checksum(b"A", b"").as_deref(), Some("2uel5l"));
    }
}
