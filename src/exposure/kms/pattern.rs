//! A pattern of IAM: `*` stands for any text, `?` for one character.

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

/// Whether an ARN is of a pattern whose stars do not reach over a colon, but in the last part.
pub fn arn_matches(pattern: &str, arn: &str) -> bool {
    let parts = |text: &str| text.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (patterns, texts) = (parts(pattern), parts(arn));
    if patterns.len() != 6 || texts.len() != 6 {
        return matches(pattern, arn);
    }
    patterns.iter().zip(&texts).all(|(pattern, text)| matches(pattern, text))
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
        assert!(arn_matches("arn:aws:iam::1*:role/*", "arn:aws:iam::111122223333:role/x/y:z"));
        assert!(!arn_matches("arn:aws:*:role/x", "arn:aws:iam::1:role/x"));
    }
}
