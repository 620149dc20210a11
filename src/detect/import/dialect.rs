//! The dialect of Go's `regexp` in that of the `regex` crate: what both read but understand
//! differently is escaped. The two share nearly everything else
//! ([Go](https://pkg.go.dev/regexp/syntax), [regex](https://docs.rs/regex/latest/regex/#syntax)).

/// `pattern` as the `regex` crate must read it to mean what Go means.
///
/// A brace that begins no repetition is a brace. Inside a class, `[` begins no class of its own
/// unless a colon follows, and `&&`, `--` and `~~` are characters, not operators.
pub(super) fn from_go(pattern: &str) -> String {
    let mut made = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut class: Option<usize> = None;
    while let Some(c) = rest.chars().next() {
        let (head, tail) = rest.split_at(c.len_utf8());
        let after = tail.chars().next();
        rest = tail;
        match (c, &mut class) {
            ('\\', _) => {
                made.push_str(head);
                let len = after.map_or(0, char::len_utf8);
                let (escaped, tail) = rest.split_at(len);
                made.push_str(escaped);
                rest = tail;
                bump(&mut class);
                // `\x{41}`, `\p{Greek}` and `\Q…\E` keep what follows as it is.
                if matches!(after, Some('x' | 'p' | 'P')) && rest.starts_with('{') {
                    let end = rest.find('}').map_or(0, |at| at + 1);
                    let (braces, tail) = rest.split_at(end);
                    made.push_str(braces);
                    rest = tail;
                }
            }
            ('[', None) => {
                class = Some(0);
                made.push('[');
                if let Some(tail) = rest.strip_prefix('^') {
                    made.push('^');
                    rest = tail;
                }
            }
            ('[', Some(_)) if after == Some(':') && rest.contains(":]") => {
                let end = rest.find(":]").map_or(0, |at| at + 2);
                let (name, tail) = rest.split_at(end);
                made.push('[');
                made.push_str(name);
                rest = tail;
                bump(&mut class);
            }
            (']', Some(0)) => {
                made.push_str(r"\]");
                bump(&mut class);
            }
            (']', Some(_)) => {
                made.push(']');
                class = None;
            }
            ('[', Some(_)) => escape(&mut made, c, &mut class),
            ('&' | '~', Some(_)) if after == Some(c) => escape(&mut made, c, &mut class),
            ('-', Some(_)) if after == Some('-') => escape(&mut made, c, &mut class),
            ('{', None) if !repeats(rest) => made.push_str(r"\{"),
            _ => {
                made.push_str(head);
                bump(&mut class);
            }
        }
    }
    made
}

fn escape(made: &mut String, c: char, class: &mut Option<usize>) {
    made.push('\\');
    made.push(c);
    bump(class);
}

fn bump(class: &mut Option<usize>) {
    if let Some(seen) = class {
        *seen += 1;
    }
}

/// Whether what follows a brace makes it a repetition: `n}`, `n,}` or `n,m}`.
fn repeats(rest: &str) -> bool {
    let Some((inner, _)) = rest.split_once('}') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match inner.split_once(',') {
        None => digits(inner),
        Some((least, most)) => digits(least) && (most.is_empty() || digits(most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_means_is_kept() {
        for (go, ours) in [
            (r"a{2}b{3,}c{4,5}", r"a{2}b{3,}c{4,5}"),
            (r"${x}a{", r"$\{x}a\{"),
            (r"[[a-z]", r"[\[a-z]"),
            (r"[[:alnum:]_-]+[a&&b]", r"[[:alnum:]_-]+[a\&&b]"),
            (r"[]a][^]a]", r"[\]a][^\]a]"),
            (r"\[{\x{41}[\]{]", r"\[\{\x{41}[\]{]"),
            (r"[+--~~]", r"[+\--\~~]"),
            ("é[é]{2}", "é[é]{2}"),
            (r"a\", r"a\"),
        ] {
            assert_eq!(from_go(go), ours, "{go}");
        }
    }
}
