//! A command of a shell, written so that no value of the facts can leave its word.

use std::fmt::Write as _;

/// `text` as one word of a POSIX shell. What is plain stays as it is; the rest stands in single
/// quotes, in which nothing is special but their end. Characters that steer a terminal or end a
/// line are written as `$'…'` escapes of bash, zsh and ksh.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    if text.chars().any(needs_escape) {
        return escaped(text);
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn needs_escape(c: char) -> bool {
    c.is_control() || (!c.is_ascii() && !c.is_alphanumeric())
}

fn escaped(text: &str) -> String {
    let mut out = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str(r"\'"),
            '\\' => out.push_str(r"\\"),
            c if needs_escape(c) => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Three octal digits: a fixed length, so that what follows is not taken in.
                    let _ = write!(out, "\\{byte:03o}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// `text` as the rest of a comment: one line, and nothing in it steers a terminal.
pub fn comment(text: &str) -> String {
    text.chars().map(|c| if needs_escape(c) { '?' } else { c }).collect()
}

/// The words of a command, each quoted.
pub fn command(words: &[&str]) -> String {
    words.iter().map(|one| word(one)).collect::<Vec<_>>().join(" ")
}

/// The name of a copy: `of` in the letters that AWS takes, with a suffix, 128 characters at most.
pub fn image_name(of: &str, suffix: &str) -> String {
    let taken = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    let kept = of.chars().map(|c| if taken(c) { c } else { '-' });
    kept.take(128_usize.saturating_sub(suffix.len())).chain(suffix.chars()).collect()
}

/// Whether `id` is `prefix` and eight to seventeen hexadecimal digits, as EC2 makes its ids.
pub fn is_resource(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|digits| {
        (8..=17).contains(&digits.len())
            && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether `name` is one of a region.
pub fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (3..=5).contains(&parts.len())
        && parts.iter().take(parts.len() - 1).all(letters)
        && parts.last().is_some_and(number)
}

/// Whether `name` is the ARN, the id or the alias of a key.
pub fn is_key(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
    let resource = match name.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", partition, "kms", region, account, resource] => {
            let known = partition.starts_with("aws") && is_region(region);
            if !known || !super::kms::is_account(account) || !resource.contains('/') {
                return false;
            }
            resource
        }
        [bare] => bare,
        _ => return false,
    };
    (1..=256).contains(&resource.len()) && resource.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_leaves_its_word() {
        for (text, expected) in [
            ("ami-0123", "ami-0123"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(id)", "'$(id)'"),
            ("it's", r"'it'\''s'"),
            ("~", "'~'"),
            ("a;b|c&d>e<f*?[g]{h}!#", "'a;b|c&d>e<f*?[g]{h}!#'"),
            ("`x`\n'y\\", r"$'`x`\012\'y\\'"),
            ("\u{1b}[0m1", r"$'\033[0m1'"),
            ("\u{202e}x", r"$'\342\200\256x'"),
            ("é", "'é'"),
        ] {
            assert_eq!(word(text), expected, "{text:?}");
        }
        assert_eq!(comment("a\n# b\u{202e}"), "a?# b?");
    }

    #[test]
    fn shapes() {
        for id in ["ami-0123abcd", "ami-0123456789abcdef0"] {
            assert!(is_resource(id, "ami-"), "{id}");
        }
        for id in ["ami-", "ami-0123ABCD", "ami-0123abcg", "snap-0123abcd", "ami-0123abcd;id"] {
            assert!(!is_resource(id, "ami-"), "{id}");
        }
        assert!(is_region("us-east-1") && is_region("us-gov-west-1") && !is_region("us-east-1;"));
        assert!(!is_region("us--1") && !is_region("-"));
        assert!(is_key("alias/aws/ebs") && is_key("arn:aws:kms:us-east-1:111122223333:key/mrk-1"));
        assert!(!is_key("arn:aws:kms:us-east-1:111122223333:key/$(id)") && !is_key("a b"));
    }
}
