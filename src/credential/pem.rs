//! PEM: base64 between two labelled lines ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)),
//! with the headers of [RFC 1421](https://www.rfc-editor.org/rfc/rfc1421) and as it is found
//! inside JSON strings, YAML and shell scripts.

use crate::credential::base64;
use crate::limits;
use std::ops::Range;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// No label in use is longer.
const LABEL_BYTES: usize = 64;

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pem {
    /// What stands after `BEGIN`.
    pub label: String,
    /// The header lines, such as `Proc-Type: 4,ENCRYPTED`.
    pub headers: Vec<String>,
    /// The decoded body; as much of it as is base64 when the block is cut short.
    pub body: Vec<u8>,
}

/// Where the next block at or after `from` stands, from its first dash to its last. A block
/// without an end is not one.
pub fn find(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut from = from;
    loop {
        let start = position(bytes, from, BEGIN)?;
        let inside = start.checked_add(BEGIN.len())?;
        let limit = start.saturating_add(limits::PEM_BYTES).min(bytes.len());
        let reach = bytes.get(..limit)?;
        // Another beginning before the end means that this one was cut short.
        let next = position(reach, inside, BEGIN);
        let end = position(reach.get(..next.unwrap_or(limit))?, inside, END);
        match (end, next) {
            (Some(end), _) => {
                let after = end.checked_add(END.len())?;
                let label_end = after.saturating_add(LABEL_BYTES + DASHES.len()).min(limit);
                match position(reach.get(..label_end)?, after, DASHES) {
                    Some(close) => {
                        return Some(start..close.checked_add(DASHES.len())?);
                    }
                    None => from = after,
                }
            }
            (None, Some(next)) => from = next,
            (None, None) => from = limit.max(inside),
        }
    }
}

/// The block that starts in `text`, which may be cut short, indented, or escaped as in JSON.
pub fn parse(text: &[u8]) -> Option<Pem> {
    let start = position(text, 0, BEGIN)?.checked_add(BEGIN.len())?;
    let text = text.get(start..)?;
    let text = text.get(..text.len().min(limits::PEM_BYTES))?;
    let label_end = position(text, 0, DASHES).filter(|&end| end <= LABEL_BYTES)?;
    let label = String::from_utf8(text.get(..label_end)?.to_vec()).ok()?;
    let rest = text.get(label_end.checked_add(DASHES.len())?..)?;
    let end = position(rest, 0, DASHES).unwrap_or(rest.len());
    let rest = unescape(rest.get(..end)?);
    let mut headers = Vec::new();
    let mut digits = Vec::with_capacity(rest.len());
    for line in rest.split(|&byte| byte == b'\n') {
        if let Some((fields, rest)) = joined(line) {
            headers.extend(fields);
            digits.extend(rest.iter().filter(|b| is_base64(**b)));
        } else if line.contains(&b':') {
            headers.push(String::from_utf8_lossy(line).trim().to_owned());
        } else if !line.trim_ascii_start().starts_with(b"=") {
            // A line that begins with `=` is the checksum of PGP armour.
            digits.extend(line.iter().filter(|b| is_base64(**b)));
        }
    }
    // Cut to whole groups, so that a block that lost its tail still shows its head.
    let whole = if digits.len() % 4 == 1 { digits.len() - 1 } else { digits.len() };
    let body = base64::decode(digits.get(..whole)?)?;
    Some(Pem { label, headers, body })
}

/// The fields of an encrypted key (`Proc-Type: 4,ENCRYPTED DEK-Info: AES-128-CBC,…`) at the start of
/// a line, and the body behind them when the lines were joined. The value of neither field has
/// white space in it.
fn joined(line: &[u8]) -> Option<(Vec<String>, Vec<u8>)> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).peekable();
    let mut fields = Vec::new();
    while let Some((name, value)) = words.peek().and_then(|word| encryption_field(word)) {
        words.next();
        let value = if value.is_empty() { words.next().unwrap_or_default() } else { value };
        fields.push(format!("{name}: {}", String::from_utf8_lossy(value)));
    }
    (!fields.is_empty()).then(|| (fields, words.collect::<Vec<_>>().concat()))
}

fn encryption_field(word: &[u8]) -> Option<(&'static str, &[u8])> {
    ["Proc-Type", "DEK-Info"]
        .into_iter()
        .find_map(|name| Some((name, word.strip_prefix(name.as_bytes())?.strip_prefix(b":")?)))
}

/// An escaped line break, as JSON and shell strings have it, at the start of what follows its
/// backslash, and what is behind it.
pub(crate) fn past_escape(text: &[u8]) -> Option<&[u8]> {
    const BREAKS: [&[u8]; 8] = [b"n", b"r", b"t", b"u000a", b"u000A", b"u000d", b"u000D", b"u0009"];
    BREAKS.into_iter().find_map(|escape| text.strip_prefix(escape))
}

/// `\n`, `\r`, `\t`, `\u000a` as written in JSON and in shell strings become white space.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            out.push(byte);
        } else if let Some(behind) = past_escape(behind) {
            rest = behind;
            out.push(b'\n');
        }
    }
    out
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// The first place of `needle` at or after `from`.
pub(crate) fn position(bytes: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let found = bytes.get(from..)?.windows(needle.len().max(1)).position(|w| w == needle)?;
    from.checked_add(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(body: &str) -> String {
        format!("-----BEGIN TEST THING-----{body}-----END TEST THING-----")
    }

    #[test]
    fn reads_bodies_however_they_are_wrapped() {
        for body in [
            "\naGVs\nbG8=\n",
            "\r\n  aGVs\r\n  bG8=\r\n",
            "\\naGVs\\nbG8=\\n",
            " aGVsbG8= ",
            "\\\\naGVsbG8\\\\n",
            "\\u000aaGVs\\u000d\\u000AbG8=\\u000D\\u000a",
            "\\\\u000aaGVsbG8\\\\u000a",
            "\taGVs\tbG8=\t",
        ] {
            let pem = parse(format!("  x: {}\n", block(body)).as_bytes()).unwrap();
            assert_eq!((pem.label.as_str(), pem.body.as_slice()), ("TEST THING", &b"hello"[..]));
            assert_eq!(pem.headers, Vec::<String>::new());
        }
        let pem = parse(block("\nProc-Type: 4,ENCRYPTED\n\naGk=\n").as_bytes()).unwrap();
        assert_eq!(pem.headers, ["Proc-Type: 4,ENCRYPTED"]);
        assert_eq!(pem.body, b"hi");
    }

    #[test]
    fn reads_the_headers_of_joined_lines() {
        for (between, end) in
            [("\n", "\n\n"), (" ", " "), ("\t", "\t\t"), ("  ", " "), ("\\n", "\\n\\n")]
                .into_iter()
                .chain([("\\u000a", "\\u000a\\u000a"), ("\\r\\n", "\\r\\n"), (" ", "\n\n")])
        {
            let body = format!(
                "{between}Proc-Type: 4,ENCRYPTED{between}DEK-Info: AES-128-CBC,00FF{end}aGVs{between}bG8={between}"
            );
            let pem = parse(block(&body).as_bytes()).unwrap();
            assert_eq!(pem.headers, ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,00FF"]);
            assert_eq!(pem.body, b"hello", "{body}");
        }
    }

    #[test]
    fn finds_whole_blocks_only() {
        let whole = block("\naGk=\n");
        let text = format!("x-----BEGIN CUT-----\nAAAA\n{whole} y {whole}\n-----BEGIN CUT");
        let first = find(text.as_bytes(), 0).unwrap();
        assert_eq!(&text[first.clone()], whole);
        let second = find(text.as_bytes(), first.end).unwrap();
        assert_eq!(&text[second.clone()], whole);
        assert_eq!(find(text.as_bytes(), second.end), None);
    }
}
