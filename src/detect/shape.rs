//! The shape of a value: whether it reads like words, or like what a generator or a careful person
//! makes up.

/// What a value's characters say, of one that only a name calls a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// A word or two, a digit behind it perhaps; a number of another kind, such as a UUID.
    Poor,
    /// Words mixed with digits and signs.
    Fair,
    /// Nothing a dictionary holds.
    Strong,
}

/// How rare one letter is behind another in English text, in bits, rounded and at most 9: a row
/// for each first letter. Counted over the manual pages and licences of a stock system.
const RARITY: [&[u8; 26]; 26] = [
    b"85458758496343959343668869",
    b"37573868358378479446399659",
    b"39673893594468279553579679",
    b"46652778288577489556577969",
    b"57434568698453757334857579",
    b"49763499299488379444399969",
    b"47672754399464469346498987",
    b"28772889398676369564598979",
    b"55455659998452369543955796",
    b"27662788487776356757397999",
    b"48462766398674569636574979",
    b"37752789298488479853579849",
    b"25672989399548439758598989",
    b"48433638496786479833569979",
    b"76447669687442549345455889",
    b"38673885595478449354487959",
    b"97965999889685998868089999",
    b"37552769395655369544678959",
    b"58573784397477459742588969",
    b"48662684398667469345597759",
    b"54554559598443749333999798",
    b"27691989399877579765889899",
    b"38672884399555469437896999",
    b"58574797599949739813999489",
    b"46564769599344438534686886",
    b"36992766398562589767789965",
];

/// Words of passwords that everybody uses, as they read when digits and signs stand for letters.
const COMMON: [&str; 14] = [
    "password", "passwd", "passw", "secret", "qwert", "letmein", "welcome", "admin", "example",
    "sample", "changeit", "test", "foobar", "hunter",
];

/// The shape of `value`.
pub(super) fn shape(value: &[u8]) -> Shape {
    if is_uuid(value) {
        return Shape::Poor;
    }
    let classes = class_count(value);
    let free = value.len().saturating_sub(known_characters(value));
    let common = is_common(value);
    let plain = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).copied();
    let random = free >= 8 && class_count(&plain.collect::<Vec<u8>>()) >= 2;
    let mixed = value.len() >= 8 && classes >= 3 && free >= 4;
    if random && (!common || free >= 16) || mixed && !common {
        Shape::Strong
    } else if classes >= 3 && free >= 4 || free >= 6 || free >= 4 && !common {
        Shape::Fair
    } else {
        Shape::Poor
    }
}

/// Least length of a body that words alone make.
const WORDS_BYTES: usize = 16;

/// Whether words and what joins them make up nearly all of what follows a token's prefix:
/// `glpat-signal-copper-silver`. Chance does not write that.
pub(super) fn is_words(body: &[u8]) -> bool {
    // Capitals and digits are more than half of what a generator writes.
    let mixed = body.iter().filter(|b| b.is_ascii_uppercase() || b.is_ascii_digit()).count();
    body.len() >= WORDS_BYTES
        && body.iter().any(|byte| matches!(byte, b'-' | b'_'))
        && mixed.saturating_mul(5) <= body.len()
        && known_characters(body).saturating_mul(100) >= body.len().saturating_mul(85)
}

/// Eight, four, four, four and twelve hexadecimal digits.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b'-');
    let fits = [8, 4, 4, 4, 12].into_iter().all(|len| {
        parts.next().is_some_and(|part| part.len() == len && part.iter().all(u8::is_ascii_hexdigit))
    });
    fits && parts.next().is_none()
}

/// How many of lower-case letters, upper-case letters, digits and signs occur. Signs that join
/// words do not count.
fn class_count(value: &[u8]) -> usize {
    let tests: [fn(&u8) -> bool; 4] =
        [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, |byte| {
            !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-' | b'.' | b' ')
        }];
    tests.iter().filter(|test| value.iter().any(test)).count()
}

/// Characters that belong to words or sequences, or only join what does.
fn known_characters(value: &[u8]) -> usize {
    let same_word = |a: &u8, b: &u8| {
        a.is_ascii_alphabetic() == b.is_ascii_alphabetic()
            && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    };
    let letters = |run: &&[u8]| run.first().is_some_and(u8::is_ascii_alphabetic);
    let wordy = |run: &&[u8]| letters(run) && is_wordy(run);
    // Among words, two letters are one too.
    let among = value.chunk_by(same_word).filter(wordy).count() >= 2;
    let word = |run: &&[u8]| wordy(run) || among && letters(run) && run.len() == 2;
    let words: usize = value.chunk_by(same_word).filter(word).map(<[u8]>::len).sum();
    let steps = value.chunk_by(|a, b| follows(*a, *b)).filter(|run| run.len() >= 3);
    let digits = |run: &&[u8]| !run.iter().all(u8::is_ascii_alphabetic);
    let joints = value.iter().filter(|byte| matches!(byte, b'_' | b'-' | b'.' | b' ')).count();
    words + steps.filter(digits).map(<[u8]>::len).sum::<usize>() + joints
}

fn follows(a: u8, b: u8) -> bool {
    b == a || a.checked_add(1) == Some(b) || b.checked_add(1) == Some(a) || (a, b) == (b'9', b'0')
}

/// Whether a run of letters reads like a word.
fn is_wordy(run: &[u8]) -> bool {
    if run.len() < 3 {
        return false;
    }
    let bits: usize = run.windows(2).map(|pair| usize::from(rarity(pair))).sum();
    let steps = run.len() - 1;
    // Short words are hard to tell from chance; long ones are not.
    let most_tenths = if run.len() == 3 { 40 } else { 48 };
    bits * 10 <= steps * most_tenths
}

fn rarity(pair: &[u8]) -> u8 {
    let index = |byte: &u8| usize::from(byte.to_ascii_lowercase().saturating_sub(b'a'));
    let row = pair.first().and_then(|first| RARITY.get(index(first)));
    let bits = pair.get(1).and_then(|second| row?.get(index(second)));
    bits.map_or(9, |digit| digit.saturating_sub(b'0'))
}

/// Whether the value is a common password in disguise: `P@ssw0rd1`.
fn is_common(value: &[u8]) -> bool {
    let plain: String = value
        .iter()
        .map(|byte| match byte.to_ascii_lowercase() {
            b'0' => 'o',
            b'1' => 'i',
            b'3' => 'e',
            b'4' | b'@' => 'a',
            b'5' | b'$' => 's',
            b'7' => 't',
            other => char::from(other),
        })
        .collect();
    COMMON.iter().any(|word| plain.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_behind_a_prefix_are_told_from_tokens() {
        for body in ["signal-copper_silver", "winter_sunset-anchor-dragon-meadow_m"] {
            assert!(is_words(body.as_bytes()), "{body}");
        }
        for body in ["Sg-AbCdEfGhIjKlMnOp", "qwxz-vkjhq_zxwvb", "signal-copper-9f3a", "short-word"]
        {
            assert!(!is_words(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn words_are_told_from_noise() {
        for (value, expected) in [
            ("test123", Shape::Poor),
            ("secure1", Shape::Poor),
            ("hunter42", Shape::Poor),
            ("correcthorsebattery1", Shape::Poor),
            ("generatedwebdavpassword1", Shape::Poor),
            ("my-secret-name-123456", Shape::Poor),
            ("447e55ac-2396-4c6d-b9f9-86b67c17f8b5", Shape::Poor),
            ("P4ssword", Shape::Poor),
            ("PassWordMustBeAtLeast6Chars.", Shape::Poor),
            ("P@55w0rd!", Shape::Fair),
            ("SomeKindOfPassword123!@#", Shape::Poor),
            ("pa?sword", Shape::Fair),
            ("Summer2024!", Shape::Strong),
            ("Xk9#mQ2v", Shape::Strong),
            ("tr0ub4dor&3xyz", Shape::Strong),
            ("9f86d081884c7d659a2feaa0c55ad015", Shape::Strong),
            ("uXFGweU9l35qcif", Shape::Strong),
            ("d-FL95Q19q7MQmFpd7hHD0Ty", Shape::Strong),
        ] {
            assert_eq!(shape(value.as_bytes()), expected, "{value}");
        }
    }
}
