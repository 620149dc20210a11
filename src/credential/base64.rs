//! Base64 as files carry it: wrapped, indented, padded or not ([RFC 4648](https://www.rfc-editor.org/rfc/rfc4648)).

use ::base64::Engine as _;
use ::base64::alphabet;
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true)
    .with_encode_padding(false);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);

/// The bytes behind `text`, its white space left out; `None` when it is not base64.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let dense: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD.decode(dense).ok()
}

/// `bytes` as base64 without padding, as OpenSSH prints fingerprints.
pub fn encode_unpadded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_files_carry() {
        for (text, expected) in [
            ("aGk=", Some("hi")),
            ("aGk", Some("hi")),
            (" aG\r\n  k=\n", Some("hi")),
            ("", Some("")),
            ("a", None),
            ("a=b", None),
            ("a-_b", None),
        ] {
            assert_eq!(decode(text.as_bytes()), expected.map(|e| e.as_bytes().to_vec()), "{text}");
        }
    }
}
