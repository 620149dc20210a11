//! What names persons, counted by form and check digits: e-mail addresses, payment cards
//! ([ISO/IEC 7812](https://www.iso.org/standard/70484.html), Luhn), bank accounts
//! ([ISO 13616](https://www.iso.org/standard/81090.html), mod 97), and national numbers whose
//! check digits make a chance hit rare.

use std::ops::Range;

/// How often each kind was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Personal([u64; KINDS.len()]);

/// The kinds, in report order, and what checks a word that looks like one.
const KINDS: [(&str, fn(&[u8]) -> bool); 7] = [
    ("email", |_| false),
    ("card", is_card),
    ("iban", is_iban),
    ("codice-fiscale", is_codice_fiscale),
    ("nir", is_nir),
    ("resident-id", is_resident_id),
    ("pesel", is_pesel),
];

/// The longest word that is looked at: an IBAN in groups of four.
const WORD_BYTES: usize = 42;

impl Personal {
    /// Kinds and counts.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KINDS.iter().zip(self.0).map(|((name, _), count)| (*name, count))
    }

    /// How often the kind of that name was seen.
    pub fn of(&self, name: &str) -> u64 {
        self.counts().find(|(kind, _)| *kind == name).map_or(0, |(_, count)| count)
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    /// Add what was counted elsewhere.
    pub fn merge(&mut self, other: &Personal) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, more)| *mine = mine.saturating_add(more));
    }

    /// Count what begins in the `owned` part of `bytes`; an address counts where its `@` is.
    pub fn count(&mut self, bytes: &[u8], owned: Range<usize>) {
        let here = bytes.get(owned.clone()).unwrap_or_default();
        let at_signs = memchr::memchr_iter(b'@', here);
        let addresses = at_signs.filter(|at| is_address(bytes, at.saturating_add(owned.start)));
        self.add(0, addresses.count());
        let mut at = owned.start;
        while at < owned.end {
            let rest = bytes.get(at..).unwrap_or_default();
            if !rest.first().is_some_and(u8::is_ascii_alphanumeric) {
                at = at.saturating_add(1);
                continue;
            }
            let len = word(rest);
            let begins = at.checked_sub(1).and_then(|before| bytes.get(before));
            if begins.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.') {
                self.word(rest.get(..len).unwrap_or_default());
            }
            at = at.saturating_add(len.max(1));
        }
    }

    fn add(&mut self, kind: usize, count: usize) {
        if let Some(slot) = self.0.get_mut(kind) {
            *slot = slot.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    /// Count a word as the first kind whose check it passes.
    fn word(&mut self, word: &[u8]) {
        if word.len() < 11 || !word.iter().any(u8::is_ascii_digit) {
            return;
        }
        let mut plain = [0u8; WORD_BYTES];
        let mut len = 0usize;
        for byte in word.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
            if let Some(slot) = plain.get_mut(len) {
                *slot = byte.to_ascii_uppercase();
            }
            len = len.saturating_add(1);
        }
        let Some(plain) = plain.get(..len) else { return };
        if let Some(kind) = KINDS.iter().position(|(_, check)| check(plain)) {
            self.add(kind, 1);
        }
    }
}

/// Letters and digits from the start on; a number in groups of four that one space or hyphen parts
/// is one word.
fn word(rest: &[u8]) -> usize {
    let grouped = match rest.first_chunk::<4>() {
        Some([a, b, c, d]) => {
            let heads = all_digits(&[*a, *b]) || (a.is_ascii_uppercase() && b.is_ascii_uppercase());
            heads && all_digits(&[*c, *d])
        }
        None => false,
    };
    let (mut len, mut group) = (0usize, 0usize);
    while let Some(byte) = rest.get(len) {
        if byte.is_ascii_alphanumeric() {
            group = group.saturating_add(1);
        } else if grouped && matches!(byte, b' ' | b'-') && group == 4 && len < WORD_BYTES {
            group = 0;
        } else {
            break;
        }
        len = len.saturating_add(1);
    }
    len
}

/// Whether the `@` at a place is that of an address.
fn is_address(bytes: &[u8], at: usize) -> bool {
    let local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    let before = bytes.get(..at).unwrap_or_default().iter().rev().take(64);
    let names = before.take_while(|byte| local(byte)).count();
    let behind = bytes.get(at.saturating_add(1)..).unwrap_or_default().iter().take(253);
    let domain: Vec<u8> = behind.copied().take_while(host).collect();
    let mut labels = domain.rsplit(|byte| *byte == b'.').skip_while(|label| label.is_empty());
    let top = labels.next().unwrap_or_default();
    (1..64).contains(&names)
        && top.len() >= 2
        && top.iter().all(u8::is_ascii_alphabetic)
        && labels.next().is_some_and(|label| !label.is_empty())
}

fn digit(byte: u8) -> u32 {
    u32::from(byte.wrapping_sub(b'0'))
}

fn all_digits(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_digit)
}

/// 15 or 16 digits of a network's range whose Luhn sum holds, and not one digit over and over.
fn is_card(word: &[u8]) -> bool {
    let network = match word {
        [b'4', ..] | [b'5', b'1'..=b'5', ..] | [b'6', b'0' | b'5', ..] => word.len() == 16,
        [b'2', b'2'..=b'7', ..] => word.len() == 16,
        [b'3', b'4' | b'7', ..] => word.len() == 15,
        _ => false,
    };
    let varied = || word.iter().skip(4).any(|byte| word.get(4) != Some(byte));
    network && all_digits(word) && varied() && luhn(word)
}

/// Every second digit from the right counts twice, the sum of its own digits then.
fn luhn(word: &[u8]) -> bool {
    let sum = word.iter().rev().enumerate().fold(0u32, |sum, (place, byte)| {
        let value = digit(*byte);
        let twice = value.saturating_mul(2);
        let twice = if twice > 9 { twice.saturating_sub(9) } else { twice };
        sum.saturating_add(if place % 2 == 1 { twice } else { value })
    });
    sum % 10 == 0
}

/// Two letters, two check digits, and up to thirty characters, of which the remainder is one.
fn is_iban(word: &[u8]) -> bool {
    let [a, b, c, d, rest @ ..] = word else { return false };
    let head = a.is_ascii_uppercase() && b.is_ascii_uppercase() && all_digits(&[*c, *d]);
    if !head || !(11..=30).contains(&rest.len()) {
        return false;
    }
    mod97(rest.iter().chain([a, b, c, d]).copied()) == 1
}

/// The remainder by 97 of characters, letters counting from ten.
fn mod97(word: impl Iterator<Item = u8>) -> u32 {
    word.fold(0u32, |sum, byte| {
        if byte.is_ascii_digit() {
            sum.saturating_mul(10).saturating_add(digit(byte)) % 97
        } else {
            let value = u32::from(byte.wrapping_sub(b'A')).saturating_add(10);
            sum.saturating_mul(100).saturating_add(value) % 97
        }
    })
}

/// The Italian tax code: sixteen characters of fixed kinds, the last computed of the others
/// (D.M. 23 December 1976).
fn is_codice_fiscale(word: &[u8]) -> bool {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3,
        6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ];
    if word.len() != 16 {
        return false;
    }
    let fits = word.iter().zip(b"AAAAAA00A00A000A").all(|(byte, kind)| match kind {
        b'A' => byte.is_ascii_uppercase(),
        _ => byte.is_ascii_digit(),
    });
    let value = |byte: u8| {
        if byte.is_ascii_digit() { digit(byte) } else { u32::from(byte.wrapping_sub(b'A')) }
    };
    let odd = |byte: u8| {
        let index =
            if byte.is_ascii_digit() { digit(byte) } else { value(byte).saturating_add(10) };
        usize::try_from(index).ok().and_then(|index| ODD.get(index)).copied().unwrap_or(0)
    };
    let sum = word.iter().take(15).enumerate().fold(0u32, |sum, (place, byte)| {
        sum.saturating_add(if place % 2 == 0 { odd(*byte) } else { value(*byte) })
    });
    fits && word.last().is_some_and(|last| value(*last) == sum % 26)
}

/// The French social security number: fifteen digits, the last two 97 less the remainder.
fn is_nir(word: &[u8]) -> bool {
    if word.len() != 15 || !all_digits(word) || !matches!(word, [b'1' | b'2', ..]) {
        return false;
    }
    let (body, check) = word.split_at(13);
    (1..=12).contains(&number(body.get(3..5).unwrap_or_default()))
        && mod97(body.iter().copied()).saturating_add(number(check)) == 97
}

/// A few digits as the number they are.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0u32, |sum, byte| sum.saturating_mul(10).saturating_add(digit(*byte)))
}

/// The Chinese resident number ([GB 11643-1999](https://openstd.samr.gov.cn/)): eighteen digits with
/// a date of birth, the last by ISO 7064 mod 11-2, X for ten.
fn is_resident_id(word: &[u8]) -> bool {
    let (body, last) = word.split_at(17.min(word.len()));
    let &[last] = last else { return false };
    let month = body.get(10..12).unwrap_or_default();
    let year = body.get(6..8).unwrap_or_default();
    let sum =
        body.iter().fold(0u32, |sum, byte| sum.saturating_add(digit(*byte)).saturating_mul(2) % 11);
    let expected = 12u32.saturating_sub(sum) % 11;
    let given = if last == b'X' { 10 } else { digit(last) };
    all_digits(body)
        && (last == b'X' || last.is_ascii_digit())
        && matches!(year, b"19" | b"20")
        && (b"01".as_slice()..=b"12".as_slice()).contains(&month)
        && expected == given
}

/// The Polish PESEL: eleven digits with a date of birth and a weighted check digit.
fn is_pesel(word: &[u8]) -> bool {
    const WEIGHTS: [u32; 10] = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3];
    if word.len() != 11 || !all_digits(word) {
        return false;
    }
    let pair = |from: usize| number(word.get(from..from.saturating_add(2)).unwrap_or_default());
    let sum = word
        .iter()
        .zip(WEIGHTS)
        .fold(0u32, |sum, (byte, weight)| sum.saturating_add(digit(*byte).saturating_mul(weight)));
    let check = 10u32.saturating_sub(sum % 10) % 10;
    // Those born before 1800 or after 2099 are few.
    (1..=12).contains(&(pair(2) % 20))
        && pair(2) < 33
        && (1..=31).contains(&pair(4))
        && word.last().is_some_and(|last| digit(*last) == check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> Vec<(&'static str, u64)> {
        let mut all = Personal::default();
        all.count(text.as_bytes(), 0..text.len());
        all.counts().filter(|(_, count)| *count > 0).collect()
    }

    /// Numbers that their issuers' documents give as examples.
    #[test]
    fn published_examples_are_counted() {
        for (text, kind) in [
            ("mail eve.x+1@mail.example.org, or call", "email"),
            ("4012888888881881", "card"),
            ("card 4012-8888-8888-1881;", "card"),
            ("378282246310005", "card"),
            ("GB82 WEST 1234 5698 7654 32", "iban"),
            ("DE89370400440532013000", "iban"),
            ("RSSMRA85T10A562S", "codice-fiscale"),
            ("255081416802538", "nir"),
            ("11010519491231002X", "resident-id"),
            ("44051401359", "pesel"),
        ] {
            assert_eq!(counted(text), [(kind, 1)], "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_one_is_not() {
        for text in [
            "4012888888881882",
            "4111111111111111",
            "a1.4012888888881881",
            "GB83WEST12345698765432",
            "44051401358",
            "user@localhost @media x@y.1",
            "1234567890123456",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(counted(text), [], "{text}");
        }
    }

    #[test]
    fn words_count_once_wherever_a_window_is_cut() {
        let text = b"id,card\n7,4012888888881881\n8,378282246310005\n";
        for cut in 0..text.len() {
            let mut all = Personal::default();
            all.count(text, 0..cut);
            all.count(text, cut..text.len());
            assert_eq!(all.of("card"), 2, "{cut}");
        }
    }
}
