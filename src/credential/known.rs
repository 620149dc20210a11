//! Keys that everybody has: test keys that ship in packages and libraries, what manuals print, the
//! key that every box of a kind trusts. They are known by what is public of them: the
//! fingerprint of the public half or, where none can be read, a hash of the block.
//!
//! The lists stand in `signatures/known/`. No key stands there, only its print and where it ships.

use crate::credential::base64;
use crate::credential::pem::{self, past_escape};
use crate::limits;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::OnceLock;

/// The lists of the source tree: name and text.
const LISTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/known.rs"));

/// The kinds of prints: of a public half, of a block's body, of a value.
const PRINTS: [&str; 3] = ["SHA256:", "BODY:", "VALUE:"];

/// Fewer characters make no key: two dashed lines with dots between them.
const BODY_CHARACTERS: usize = 32;

/// Where the key of this print ships, when it is one that everybody has. A print is an OpenSSH
/// fingerprint (`SHA256:…`) or one that [`body_print`] makes.
pub fn place(print: &str) -> Option<&'static str> {
    static KNOWN: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    KNOWN
        .get_or_init(|| LISTS.iter().flat_map(|(_, text)| entries(text)).collect())
        .get(print)
        .copied()
}

/// Where this value is printed as an example or ships in the open, when it does: an access token of
/// a manual, the client secret of a command line tool.
pub fn example(value: &[u8]) -> Option<&'static str> {
    place(&value_print(value))
}

/// The print of a value that is none of a key's.
pub fn value_print(value: &[u8]) -> String {
    format!("VALUE:{}", base64::encode_unpadded(&Sha256::digest(value)))
}

/// The prints of one list with the heading they stand under.
fn entries(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut heading = "";
    text.lines().filter_map(move |line| {
        if let Some(name) = line.strip_prefix("= ") {
            heading = name;
        }
        let is_print = PRINTS.iter().any(|kind| line.starts_with(kind));
        is_print.then_some((line, heading))
    })
}

/// A hash of a PEM block's body, however its lines are broken, quoted or joined: for a key that
/// says nothing public of itself, be it encrypted or broken.
pub fn body_print(block: &[u8]) -> Option<String> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let start = pem::position(block, 0, BEGIN)?.checked_add(BEGIN.len())?;
    let label_end = pem::position(block, start, b"-----")?;
    let rest = block.get(label_end.checked_add(5)?..)?;
    let end = pem::position(rest, 0, b"-----").unwrap_or(rest.len()).min(limits::PEM_BYTES);
    let mut body = Vec::with_capacity(end);
    let mut rest = rest.get(..end)?;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = match byte {
            b'\\' => past_escape(behind).unwrap_or(behind),
            _ => behind,
        };
        if byte.is_ascii_alphanumeric() || byte == b'/' {
            body.push(byte);
        }
    }
    (body.len() >= BODY_CHARACTERS)
        .then(|| format!("BODY:{}", base64::encode_unpadded(&Sha256::digest(&body))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_lists_are_well_made() {
        let mut seen = BTreeSet::new();
        for (name, text) in LISTS {
            let mut headed = false;
            for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                headed |= line.starts_with("= ");
                let print = PRINTS.iter().find_map(|kind| line.strip_prefix(kind));
                let print = print.and_then(|text| base64::decode(text.as_bytes()));
                let whole = print.is_some_and(|print| print.len() == 32);
                assert!(headed && (line.starts_with("= ") || whole), "{name}: {line}");
                assert!(line.starts_with("= ") || seen.insert(line), "{name}: twice: {line}");
            }
        }
        assert!(seen.len() > 100, "{} prints", seen.len());
    }

    #[test]
    fn knows_the_key_of_every_vagrant_box() {
        for print in [
            "SHA256:1M4RzhMyWuFS/86uPY/ce2prh/dVTHW7iD2RhpquOZA",
            "SHA256:WkvqjnyPAeC0cbPErYiGP9vqHdgL1MqqvPdIe3lvHgI",
        ] {
            assert_eq!(place(print), Some("vagrant insecure key"));
        }
        assert_eq!(place("SHA256:"), None);
    }

    #[test]
    fn a_body_is_the_same_however_it_is_written() {
        let body = ["MIIEpAIBAAKCAQEA", "y+/x0123456789ab", "cdefghijklmnopqr"];
        let block = |between: &str| {
            format!("-----BEGIN X-----{between}{}{between}-----END X-----", body.join(between))
        };
        let print = body_print(block("\n").as_bytes());
        assert!(print.is_some());
        // A plus sign joins strings in some languages and is left out of every body.
        for between in ["\r\n", "\\n", "\\n\"\n    \"", "\\u000a", "\" +\n\""] {
            assert_eq!(body_print(block(between).as_bytes()), print, "{between:?}");
        }
        assert_eq!(body_print(b"-----BEGIN X-----\n...\n-----END X-----"), None);
    }
}
