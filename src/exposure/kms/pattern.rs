//! A pattern of IAM: `*` stands for any text, `?` for one character.

use super::truth::Truth;

/// Whether `text` is of `pattern`. Walks back to the last star only, so that the cost is the
/// product of both lengths at worst.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut here) = (0, 0);
    let mut star = None;
    while here < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(one) if *one == '?' || text.get(here) == Some(one) => {
                at += 1;
                here += 1;
            }
            _ => {
                // The last star takes one character more.
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                at = place + 1;
                here = taken + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

/// The same without regard to case, as actions are compared.
pub fn matches_any_case(pattern: &str, text: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// Whether an ARN is of a pattern whose stars do not reach over a colon, but in the last part. What
/// AWS makes of a pattern with fewer parts is not known, but for the lone star.
pub fn arn_matches(pattern: &str, arn: &str) -> Truth {
    if pattern == "*" {
        return Truth::Yes;
    }
    let (patterns, texts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    if pattern.splitn(6, ':').count() != 6 || arn.splitn(6, ':').count() != 6 {
        return Truth::Unknown;
    }
    Truth::from(patterns.zip(texts).all(|(pattern, text)| matches(pattern, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*c", "abbbc", true),
            ("a*c", "abbb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*ab*ab*", "xxabyyab", true),
            ("*ab*ab*", "xxabyya", false),
            ("kms:ReEncrypt*", "kms:ReEncryptFrom", true),
            ("[a-z]", "b", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        let hostile = "a*".repeat(2_000) + "b";
        assert!(!matches(&hostile, &"a".repeat(4_000)));
        assert!(matches_any_case("KMS:decrypt", "kms:Decrypt"));
        for (pattern, expected) in [
            ("arn:aws:iam::1*:role/*", Truth::Yes),
            ("arn:aws:iam::1*:role/a*", Truth::No),
            ("arn:aws:*:*:role/*:z", Truth::No),
            ("*", Truth::Yes),
            ("arn:aws:*:role/x", Truth::Unknown),
        ] {
            let arn = "arn:aws:iam::111122223333:role/x/y:z";
            assert_eq!(arn_matches(pattern, arn), expected, "{pattern}");
        }
    }
}
