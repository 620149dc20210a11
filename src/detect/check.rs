//! Checks of a secret's own characters: alphabet, entropy, variety, and whether it stands in for a
//! secret instead of being one.

use super::structure::Structure;
use crate::finding::Harmless;

/// What a secret's characters must be like.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// Least entropy in bits per character.
    pub entropy_min: f64,
    /// The characters it may have.
    pub alphabet: Option<Alphabet>,
    /// Least number of digits, lower-case letters, upper-case letters and other characters.
    pub min_classes: [usize; 4],
    /// Least number of different bytes.
    pub distinct_min: usize,
    /// What reads its structure.
    pub structure: Option<Structure>,
    /// Whether stand-ins are looked for.
    pub placeholders: bool,
}

/// A named set of characters.
#[derive(Clone, Copy, Debug)]
pub struct Alphabet {
    name: &'static str,
    symbols: &'static [u8],
    has: fn(u8) -> bool,
}

/// Every alphabet a signature may name.
const ALPHABETS: [Alphabet; 10] = [
    Alphabet { name: "base62", symbols: b"", has: |b| b.is_ascii_alphanumeric() },
    Alphabet { name: "base64", symbols: b"+/=", has: |b| b.is_ascii_alphanumeric() },
    Alphabet { name: "base64url", symbols: b"-_", has: |b| b.is_ascii_alphanumeric() },
    Alphabet { name: "base64any", symbols: b"+/=-_", has: |b| b.is_ascii_alphanumeric() },
    Alphabet { name: "base32", symbols: b"", has: |b| matches!(b, b'A'..=b'Z' | b'2'..=b'7') },
    Alphabet { name: "hex", symbols: b"", has: |b| matches!(b, b'0'..=b'9' | b'a'..=b'f') },
    Alphabet { name: "hexany", symbols: b"", has: |b| b.is_ascii_hexdigit() },
    Alphabet { name: "lower36", symbols: b"", has: |b| matches!(b, b'0'..=b'9' | b'a'..=b'z') },
    Alphabet { name: "upper36", symbols: b"", has: |b| matches!(b, b'0'..=b'9' | b'A'..=b'Z') },
    Alphabet { name: "digits", symbols: b"", has: |b| b.is_ascii_digit() },
];

impl Alphabet {
    /// The alphabet of that name.
    pub fn named(name: &str) -> Option<Alphabet> {
        ALPHABETS.into_iter().find(|alphabet| alphabet.name == name)
    }

    /// Whether `byte` belongs to it.
    pub fn contains(self, byte: u8) -> bool {
        (self.has)(byte) || self.symbols.contains(&byte)
    }

    /// Whether `byte` right after a secret would have been part of it. Padding ends a text.
    pub(super) fn continues(self, byte: u8) -> bool {
        byte != b'=' && self.contains(byte)
    }
}

/// Whether a secret, without its fixed prefix, has the characters that `check` asks for.
pub(super) fn passes(check: &Check, secret: &[u8]) -> bool {
    check.alphabet.is_none_or(|alphabet| secret.iter().all(|byte| alphabet.contains(*byte)))
        && classes(secret).iter().zip(check.min_classes).all(|(has, least)| *has >= least)
        && distinct(secret) >= check.distinct_min
        && (check.entropy_min <= 0.0 || entropy(secret) >= check.entropy_min)
}

/// Digits, lower-case letters, upper-case letters, others.
fn classes(secret: &[u8]) -> [usize; 4] {
    let mut counts = [0; 4];
    for byte in secret {
        let [digits, lower, upper, other] = &mut counts;
        let count = match byte {
            b'0'..=b'9' => digits,
            b'a'..=b'z' => lower,
            b'A'..=b'Z' => upper,
            _ => other,
        };
        *count += 1;
    }
    counts
}

fn histogram(bytes: &[u8]) -> [u32; 256] {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    counts
}

fn distinct(bytes: &[u8]) -> usize {
    histogram(bytes).iter().filter(|count| **count > 0).count()
}

/// Shannon entropy in bits per byte.
pub fn entropy(bytes: &[u8]) -> f64 {
    let total = f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    histogram(bytes)
        .into_iter()
        .filter(|count| *count > 0)
        .map(|count| f64::from(count) / total)
        .map(|share| -share * share.log2())
        .sum()
}

/// Words that no generator of secrets writes and every manual does.
const EXAMPLE_WORDS: [&str; 2] = ["example", "documentation"];

/// Words that mark a stand-in wherever they occur in a token.
const STAND_IN_WORDS: [&str; 10] = [
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "redacted",
    "replaceme",
    "replace_me",
    "insert_",
    "your_",
    "your-",
];

/// What stands in for a secret when it is a whole part of the value.
const STAND_IN_PARTS: [&str; 16] = [
    "dummy",
    "fake",
    "todo",
    "tbd",
    "sample",
    "yourpassword",
    "yoursecret",
    "yourtoken",
    "yourkey",
    "notreal",
    "undefined",
    "null",
    "none",
    "mypassword",
    "mysecret",
    "removed",
];

/// Passwords that manuals use and nobody should: noted, not reported as a leak.
const STAND_IN_PASSWORDS: [&str; 15] = [
    "password_here",
    "password",
    "passwd",
    "pass",
    "pwd",
    "secret",
    "token",
    "user",
    "username",
    "foo",
    "bar",
    "test",
    "xxx",
    "***",
    "changeit",
];

/// Tokens that standards print as examples: OAuth ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749),
/// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)) and basic authentication
/// ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
/// The bodies of keys that vendors print stand without their prefix: Stripe's test key
/// (<https://docs.stripe.com/keys>).
const DOCUMENTED: [&[u8]; 9] = [
    b"2YotnFZFEjr1zCsicMWpAA",
    b"tGzv3JOkF0XG5Qx2TlKWIA",
    b"7Fjfp0ZBr1KtDRbnfVdmIw",
    b"SlAV32hkKG",
    b"gX1fBat3bV",
    b"mF_9.B5f-4.1JqM",
    b"SplxlOBeZQQYbYS6WxSbIA",
    b"open sesame",
    b"4eC39HqLyjWDarjtT1zdp7dc",
];

/// Why `secret` stands in for a secret, if it does. `body` is what follows its fixed prefix.
pub(super) fn harmless(secret: &[u8], body: &[u8], is_password: bool) -> Option<Harmless> {
    let lower = String::from_utf8_lossy(secret).to_ascii_lowercase();
    let documented = DOCUMENTED.contains(&secret) || DOCUMENTED.contains(&body);
    if documented || EXAMPLE_WORDS.iter().any(|word| lower.contains(word)) {
        return Some(Harmless::DocumentationExample);
    }
    let parts = || lower.split(|c: char| !c.is_ascii_alphanumeric());
    let stands_in = STAND_IN_WORDS.iter().any(|word| lower.contains(word))
        || parts().any(|part| STAND_IN_PARTS.contains(&part))
        || is_password && STAND_IN_PASSWORDS.contains(&lower.as_str())
        || is_reference(secret)
        || is_monotone(body)
        || is_sequence(body);
    stands_in.then_some(Harmless::Placeholder)
}

/// `<…>`, `${…}`, `{…}`, `%…%`, `[…]`, `__…__`, `$NAME`, or an ellipsis.
fn is_reference(secret: &[u8]) -> bool {
    let wrapped = |open: &[u8], close: &[u8]| secret.starts_with(open) && secret.ends_with(close);
    wrapped(b"<", b">")
        || wrapped(b"%", b"%")
        || wrapped(b"[", b"]")
        || wrapped(b"{", b"}")
        || wrapped(b"__", b"__")
        || [b"${".as_slice(), b"{{", b"$(", b"...", b"&lt;", b"<%"]
            .iter()
            .any(|mark| secret.windows(mark.len()).any(|at| at == *mark))
        || is_variable(secret)
}

fn is_variable(secret: &[u8]) -> bool {
    matches!(secret, [b'$' | b'%' | b'@', rest @ ..]
        if rest.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
            || rest.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_'))
}

/// One character over and over, or nearly.
fn is_monotone(body: &[u8]) -> bool {
    let most = histogram(body).into_iter().max().unwrap_or(0);
    let total = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let longest = body.chunk_by(|a, b| a == b).map(<[u8]>::len).max().unwrap_or(0);
    !body.is_empty() && (most.saturating_mul(5) >= total.saturating_mul(4) || longest >= 10)
}

/// `12345678`, `abcdefgh` and the like for nearly all of it.
fn is_sequence(body: &[u8]) -> bool {
    let steps = body.windows(2).filter(|pair| match pair {
        [a, b] => b.checked_sub(*a) == Some(1) || matches!((*a, *b), (b'9', b'0' | b'a' | b'A')),
        _ => false,
    });
    body.len() >= 6 && steps.count() * 5 >= (body.len() - 1) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_test_key_is_an_example_behind_any_prefix() {
        let key = ["sk_te", "st_4eC39HqLyjWDarjtT1zdp7dc"].concat();
        let found = harmless(key.as_bytes(), &key.as_bytes()[8..], false);
        assert_eq!(found, Some(Harmless::DocumentationExample));
    }

    #[test]
    fn stand_ins_are_told_from_secrets() {
        for text in [
            "xxxxxxxxxxxxxxxx",
            "changeme",
            "<your token>",
            "${DB_PASSWORD}",
            "{{ password }}",
            "1234567890",
            "0123456789abcdef",
            "abcdefghijklmnop",
            "$PASSWORD",
            "%PASSWORD%",
            "your_token_here",
            "dummy-key",
            "************",
            "password",
            "sk-...",
        ] {
            let judged = harmless(text.as_bytes(), text.as_bytes(), true);
            assert_eq!(judged, Some(Harmless::Placeholder), "{text}");
        }
        for text in ["hunter2!", "c0rrect-h0rse", "Tr0ub4dor&3", "s3cr3t-pa55", "$ecret99"] {
            assert_eq!(harmless(text.as_bytes(), text.as_bytes(), true), None, "{text}");
        }
        let example = harmless(b"AKIAIOSFODNN7EXAMPLE", b"IOSFODNN7EXAMPLE", false);
        assert_eq!(example, Some(Harmless::DocumentationExample));
    }

    #[test]
    fn entropy_is_of_bytes() {
        assert!(entropy(b"aaaa") < 0.001);
        assert!((entropy(b"abcd") - 2.0).abs() < 0.001);
        assert!(entropy(b"") < 0.001);
    }
}
