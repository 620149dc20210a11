//! Recovery phrases of wallets: words that stand for a number and its checksum
//! ([BIP 39](https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki)).

use sha2::{Digest as _, Sha256};

/// The English list of the specification, sorted, a word a line.
const WORDS: &str = include_str!("bip39.txt");

/// Whether the checksum of a phrase of 12, 15, 18, 21 or 24 words holds; `None` when it is no
/// such phrase.
pub fn holds(phrase: &[u8]) -> Option<bool> {
    let list: Vec<&str> = WORDS.lines().collect();
    let phrase = std::str::from_utf8(phrase).ok()?;
    let mut bits: Vec<bool> = Vec::new();
    for word in phrase.split_ascii_whitespace() {
        let number = list.binary_search(&word).ok()?;
        bits.extend((0..11).rev().map(|bit| number >> bit & 1 == 1));
    }
    if !matches!(bits.len(), 132 | 165 | 198 | 231 | 264) {
        return None;
    }
    let (entropy, sum) = bits.split_at_checked(bits.len() / 33 * 32)?;
    Some(checksum(entropy) == sum)
}

/// The phrase of so many bytes of entropy.
pub fn phrase(entropy: &[u8]) -> Option<String> {
    let list: Vec<&str> = WORDS.lines().collect();
    let mut bits: Vec<bool> =
        entropy.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    bits.extend(checksum(&bits));
    let words: Option<Vec<&str>> = bits
        .chunks(11)
        .map(|word| word.iter().fold(0, |number, bit| number << 1 | usize::from(*bit)))
        .map(|number| list.get(number).copied())
        .collect();
    Some(words?.join(" "))
}

fn checksum(entropy: &[bool]) -> Vec<bool> {
    let bytes: Vec<u8> = entropy
        .chunks(8)
        .map(|byte| byte.iter().fold(0, |number, bit| number << 1 | u8::from(*bit)))
        .collect();
    let hash = Sha256::digest(&bytes);
    let bits = hash.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
    bits.take(entropy.len() / 32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_the_specification() {
        let zeros = "abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                     abandon abandon about";
        assert_eq!(phrase(&[0; 16]).as_deref(), Some(zeros));
        let ones = phrase(&[0xff; 32]).unwrap();
        assert!(ones.ends_with(" zoo vote"), "{ones}");
        assert_eq!(holds(zeros.as_bytes()), Some(true));
        assert_eq!(holds(ones.as_bytes()), Some(true));
        assert_eq!(holds(zeros.replace("about", "above").as_bytes()), Some(false));
        assert_eq!(holds(zeros.replace("about", "abbot").as_bytes()), None);
        assert_eq!(holds(b"abandon about"), None);
        assert!(WORDS.lines().is_sorted());
        assert_eq!(WORDS.lines().count(), 2048);
    }
}
