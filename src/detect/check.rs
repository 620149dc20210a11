//! Checks of a secret's own characters: alphabet, entropy, variety, and whether it stands in for a
//! secret instead of being one.

use super::shape;
use super::structure::Structure;
use crate::credential::{base64, known, stand_in};
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
    /// Which stand-ins are looked for.
    pub placeholders: Placeholders,
}

/// Which stand-ins are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placeholders {
    /// None: they cannot be told from secrets of this kind.
    #[default]
    None,
    /// Words that manuals put into their examples.
    Examples,
    /// Everything that stands in for a secret.
    All,
}

impl Placeholders {
    /// The list of that name.
    pub fn named(name: &str) -> Option<Placeholders> {
        match name {
            "none" => Some(Placeholders::None),
            "examples" => Some(Placeholders::Examples),
            "default" => Some(Placeholders::All),
            _ => None,
        }
    }
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
const EXAMPLE_WORDS: [&str; 3] = ["example", "documentation", "iosfodnn7"];

/// Words that mark a stand-in wherever they occur in a token.
const STAND_IN_WORDS: [&str; 27] = [
    "verylongsecret",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "redacted",
    "replaceme",
    "replace_me",
    "replace-me",
    "replacewith",
    "replace_with",
    "insert_",
    "insert-",
    "your_",
    "your-",
    "goes_here",
    "goes-here",
    "gohere",
    "_here",
    "not_real",
    "not-real",
    "not-a-real",
    "notareal",
    "sanitized",
    "dont_commit",
    "fakesecret",
    "fakepassword",
];

/// What stands in for a secret when it is a whole part of the value.
const STAND_IN_PARTS: [&str; 22] = [
    "dummy",
    "fake",
    "todo",
    "fixme",
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
    "foo",
    "foobar",
    "somepassword",
    "somesecret",
    "bogus",
];

/// Passwords that manuals use and nobody should: noted, not reported as a leak.
const STAND_IN_PASSWORDS: [&str; 33] = [
    "password_here",
    "password",
    "passwd",
    "passwort",
    "pass",
    "passwrd",
    "pwd",
    "psw",
    "pw",
    "secret",
    "token",
    "user",
    "username",
    "foo",
    "bar",
    "baz",
    "test",
    "xxx",
    "***",
    "changeit",
    "guest",
    "foobared",
    "opensesame",
    "mypass",
    "mypasswd",
    "mypwd",
    "userpass",
    "userpassword",
    "dbpass",
    "dbpassword",
    "dbpasswd",
    "thepassword",
    "masterkey",
];

/// Tokens that standards print as examples: OAuth ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749),
/// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)) and basic authentication
/// ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
/// The bodies of keys that vendors print stand without their prefix: Stripe's test key
/// (<https://docs.stripe.com/keys>). What libraries ship is known by its hash
/// ([`known`]).
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

/// Whether `secret` is printed in a manual. `body` is what follows its fixed prefix.
pub(super) fn example(secret: &[u8], body: &[u8]) -> Option<Harmless> {
    let lower = String::from_utf8_lossy(secret).to_ascii_lowercase();
    let printed = DOCUMENTED.contains(&secret)
        || DOCUMENTED.contains(&body)
        || EXAMPLE_WORDS.iter().any(|word| lower.contains(word))
        || known::example(secret).is_some();
    printed.then_some(Harmless::DocumentationExample)
}

/// Why `secret` stands in for a secret, if it does. `body` is what follows its fixed prefix.
pub(super) fn harmless(secret: &[u8], body: &[u8], is_password: bool) -> Option<Harmless> {
    let lower = String::from_utf8_lossy(secret).to_ascii_lowercase();
    let parts = || lower.split(|c: char| !c.is_ascii_alphanumeric());
    let decoded = percent_decoded(secret).or_else(|| sentence(secret));
    let stands_in = STAND_IN_WORDS.iter().any(|word| lower.contains(word))
        || parts().any(|part| STAND_IN_PARTS.contains(&part))
        || is_password && is_stand_in_password(&lower)
        || decoded.is_some_and(|text| is_stand_in_password(&text.to_ascii_lowercase()))
        || is_reference(secret)
        || stand_in::is_masked(body)
        || stand_in::is_to_be_filled_in(secret)
        || stand_in::is_kept_elsewhere(secret)
        || !is_password && body.len() < secret.len() && shape::is_words(body)
        || is_monotone(body)
        || is_sequence(body);
    example(secret, body).or(stands_in.then_some(Harmless::Placeholder))
}

/// Whether the whole value, or every part of it, is a password of manuals.
fn is_stand_in_password(lower: &str) -> bool {
    let listed = |text: &str| STAND_IN_PASSWORDS.contains(&text);
    let mut parts = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|p| !p.is_empty());
    let joined: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    listed(lower)
        || joined.len() < lower.len()
            && lower.contains([' ', '/', '?', '#', '@'])
            && listed(&joined)
        || lower.contains(|c: char| !c.is_ascii_alphanumeric())
            && parts.next().is_some_and(listed)
            && parts.all(listed)
}

/// The text behind `%40` and the like, when there is one.
pub(super) fn percent_decoded(secret: &[u8]) -> Option<String> {
    let mut plain = Vec::with_capacity(secret.len());
    let mut rest = secret;
    while let Some((byte, behind)) = rest.split_first() {
        let pair = behind.get(..2).filter(|_| *byte == b'%');
        let digits = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        if let Some(code) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            plain.push(code);
            rest = behind.get(2..)?;
        } else {
            plain.push(*byte);
            rest = behind;
        }
    }
    (plain.len() < secret.len()).then(|| String::from_utf8_lossy(&plain).into_owned())
}

/// The last word of the sentence that `secret` is in base64, when it is one: `not my real password`.
fn sentence(secret: &[u8]) -> Option<String> {
    let text = String::from_utf8(base64::decode(secret)?).ok()?;
    let words = text
        .split(' ')
        .all(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase()));
    (words && text.contains(' ')).then(|| text.rsplit(' ').next().map(str::to_owned))?
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
    let [b'$' | b'%' | b'@', rest @ ..] = secret else { return false };
    let constant = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    rest.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
        || rest.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_')
        || rest.iter().all(constant) && rest.iter().filter(|b| b.is_ascii_alphabetic()).count() >= 4
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
