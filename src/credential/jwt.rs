//! A JSON web token: header and claims, read without the signing key
//! ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)).

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

/// base64url as tokens have it: padding or none, and the last character's spare bits ignored.
const LENIENT_URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A token that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// The header: `alg`, `kid`, `typ`.
    pub header: Map<String, Value>,
    /// The claims; empty when the token is encrypted.
    pub claims: Map<String, Value>,
    /// Whether a signature stands at its end.
    pub signed: bool,
}

impl Jwt {
    /// The token that `bytes` are, if its first two parts decode to JSON objects and the header
    /// names an algorithm.
    pub fn read(bytes: &[u8]) -> Option<Jwt> {
        let mut parts = bytes.split(|byte| *byte == b'.');
        let header = object(parts.next()?)?;
        let claims = object(parts.next()?)?;
        let signed = parts.next().is_some_and(|part| !part.is_empty());
        header.get("alg")?.as_str()?;
        Some(Jwt { header, claims, signed })
    }

    /// A header field or claim as text, when it is a text or a number.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.claims.get(name).or_else(|| self.header.get(name))? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Array(values) => values.first()?.as_str().map(str::to_owned),
            _ => None,
        }
    }

    /// Whether it is the token of the introduction at jwt.io, which half of all manuals repeat, or
    /// that of the best known libraries' own.
    pub fn is_tutorial(&self) -> bool {
        const PAIRS: [(&str, &str); 7] = [
            // RFC 7519, section 3.1
            ("iss", "joe"),
            ("some", "payload"),
            ("foo", "bar"),
            ("hello", "world"),
            ("k", "value"),
            ("key", "value"),
            ("iss", "issuer"),
        ];
        PAIRS.iter().any(|(name, value)| self.text(name).as_deref() == Some(value))
            || self.text("sub").as_deref() == Some("1234567890")
                && (self.text("name").as_deref() == Some("John Doe")
                    || self.text("iat").as_deref() == Some("1516239022"))
    }
}

/// The bytes of base64url text, with or without padding.
pub fn decode_url(text: &[u8]) -> Option<Vec<u8>> {
    LENIENT_URL.decode(text).ok()
}

fn object(part: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&decode_url(part)?).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    fn token(header: &str, claims: &str) -> Vec<u8> {
        let encode = |text| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", encode(header), encode(claims)).into_bytes()
    }

    #[test]
    fn claims_are_read() {
        let jwt = Jwt::read(&token(r#"{"alg":"RS256","kid":"k1"}"#, r#"{"sub":"a","exp":17}"#));
        let jwt = jwt.unwrap();
        assert!(jwt.signed);
        assert!(!jwt.is_tutorial());
        let read = ["alg", "kid", "sub", "exp"].map(|name| jwt.text(name).unwrap());
        assert_eq!(read, ["RS256", "k1", "a", "17"]);
    }

    #[test]
    fn the_tutorial_token_is_known() {
        let claims = r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#;
        assert!(Jwt::read(&token(r#"{"alg":"HS256"}"#, claims)).unwrap().is_tutorial());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        assert_eq!(Jwt::read(&token("[1]", "{}")), None);
        assert_eq!(Jwt::read(&token(r#"{"typ":"JWT"}"#, "{}")), None);
        assert_eq!(Jwt::read(b"eyJ.eyJ.x"), None);
        assert_eq!(Jwt::read(b""), None);
    }
}
