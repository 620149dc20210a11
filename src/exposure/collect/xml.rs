//! XML as the query services of AWS answer it, read into the JSON that their CLI prints.
//!
//! [Query](https://smithy.io/2.0/aws/protocols/aws-query-protocol.html) and
//! [EC2 query](https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html): elements only,
//! lists as `item` or `member`; attributes mean nothing.

use crate::error::{Error, Result};
use crate::limits::XML_DEPTH;
use serde_json::{Map, Value};

/// What the members of a list are called.
const MEMBERS: [&str; 3] = ["item", "member", "DBInstance"];

/// An element that is not closed yet.
#[derive(Default)]
struct Open {
    name: String,
    text: String,
    children: Vec<(String, Value)>,
}

/// The name and the content of the root element. Texts stay strings, whatever they mean; an empty
/// element is null, for nothing tells an empty list from an empty text.
pub(super) fn read(text: &str) -> Result<(String, Value)> {
    let mut stack: Vec<Open> = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        if let Some(open) = stack.last_mut() {
            unescape(before, &mut open.text);
        }
        if let Some(data) = after.strip_prefix("![CDATA[") {
            let (data, after) = data.split_once("]]>").ok_or_else(bad)?;
            if let Some(open) = stack.last_mut() {
                open.text.push_str(data);
            }
            rest = after;
            continue;
        }
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").ok_or_else(bad)?.1;
            continue;
        }
        let (tag, after) = after.split_once('>').ok_or_else(bad)?;
        rest = after;
        if tag.starts_with(['?', '!']) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            let open = stack.pop().filter(|open| open.name == name.trim_end()).ok_or_else(bad)?;
            if let Some(root) = closed(open, &mut stack) {
                return Ok(root);
            }
            continue;
        }
        let (tag, alone) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.split_ascii_whitespace().next().ok_or_else(bad)?;
        let open = Open { name: name.to_owned(), ..Open::default() };
        if stack.len() >= XML_DEPTH {
            return Err(Error::corrupt("XML of AWS nests too deep"));
        }
        if !alone {
            stack.push(open);
        } else if let Some(root) = closed(open, &mut stack) {
            return Ok(root);
        }
    }
    Err(bad())
}

fn bad() -> Error {
    Error::corrupt("an answer of AWS is no XML")
}

/// Put a closed element into the one around it; the root is returned.
fn closed(open: Open, stack: &mut [Open]) -> Option<(String, Value)> {
    let Open { name, text, children } = open;
    let value = if children.is_empty() {
        // Whitespace over lines is layout, not a value.
        let layout = text.contains('\n') && text.trim().is_empty();
        if text.is_empty() || layout { Value::Null } else { Value::String(text) }
    } else if children.iter().all(|(name, _)| MEMBERS.contains(&name.as_str())) {
        Value::Array(children.into_iter().map(|(_, value)| value).collect())
    } else {
        Value::Object(children.into_iter().collect::<Map<_, _>>())
    };
    match stack.last_mut() {
        None => Some((name, value)),
        Some(around) => {
            around.children.push((name, value));
            None
        }
    }
}

/// Append `text` with its entities replaced.
fn unescape(text: &str, to: &mut String) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        to.push_str(before);
        let entity = after.split_once(';').and_then(|(name, after)| Some((entity(name)?, after)));
        if let Some((found, after)) = entity {
            to.push(found);
            rest = after;
        } else {
            to.push('&');
            rest = after;
        }
    }
    to.push_str(rest);
}

fn entity(name: &str) -> Option<char> {
    let code = match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let number = match code.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => code.parse(),
    };
    char::from_u32(number.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_become_json() {
        let text = "<?xml version=\"1.0\"?>\n<R xmlns=\"x\">\n <set><item><id>a&amp;b</id><tags>\n </tags></item>\
                    <item><id>&#x41;&#66;<![CDATA[<c>]]></id></item></set><!-- no --><n>5</n></R>\n";
        let expected = json!({"set": [{"id": "a&b", "tags": null}, {"id": "AB<c>"}], "n": "5"});
        assert_eq!(read(text).unwrap(), ("R".to_owned(), expected));
        assert_eq!(read("<R/>").unwrap(), ("R".to_owned(), Value::Null));
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        let deep = "<a>".repeat(XML_DEPTH + 1);
        for text in ["", "text", "<a>", "<a></b>", "<a", "<a><![CDATA[", "<", "< >", "<!--", &deep]
        {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("<a>&zz; &#x110000; &</a>").unwrap().1, json!("&zz; &#x110000; &"));
    }
}
