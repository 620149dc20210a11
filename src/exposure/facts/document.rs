//! A policy document: text, text in URL encoding, or JSON, as the APIs and the CLI write it.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A policy, read: JSON, or a string when its text is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Document(pub Value);

impl Document {
    /// The policy in `text`, which may be in URL encoding as IAM sends it.
    pub fn parse(text: &str) -> Document {
        let plain =
            if text.trim_start().starts_with('%') { decoded(text) } else { text.to_owned() };
        Document(serde_json::from_str(&plain).unwrap_or(Value::String(plain)))
    }
}

/// `text` with every `%XX` replaced by its byte.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        if let Some(Ok(byte)) = after.get(..2).map(|hex| u8::from_str_radix(hex, 16)) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(b'%');
            rest = after;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Document, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(text) => Document::parse(&text),
            value => Document(value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_in_every_spelling() {
        let policy = serde_json::json!({"Version": "2012-10-17"});
        for text in [
            r#"{"Version": "2012-10-17"}"#,
            r#""{\"Version\": \"2012-10-17\"}""#,
            r#""%7B%22Version%22%3A%20%222012-10-17%22%7D""#,
        ] {
            assert_eq!(serde_json::from_str::<Document>(text).unwrap().0, policy, "{text}");
        }
        assert_eq!(Document::parse("%zz%é").0, Value::String("%zz%é".to_owned()));
    }
}
