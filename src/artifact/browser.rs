//! Browsers: the logins and cookies that Chrome and its kin keep under a key that everybody has
//! ([OSCrypt](https://chromium.googlesource.com/chromium/src/+/main/components/os_crypt/)), and
//! those that Firefox keeps under a key in the file beside.

use super::Artifact;
use super::cipher::{aes128_cbc, unpad};
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::store;
use super::unlock;
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::credential::base64;
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};
use crate::limits;
use memchr::memmem;

/// The parser of Chrome's databases.
pub(super) const CHROME: Artifact = Artifact { name: "chrome", applies: is_chrome, run: chrome };

/// The parser of Firefox's logins.
pub(super) const LOGINS: Artifact = Artifact { name: "firefox", applies: is_logins, run: logins };

/// The parser of Firefox's keys.
pub(super) const KEYS: Artifact = Artifact { name: "firefox keys", applies: is_keys, run: keys };

pub(super) static LOGIN: Rule = Rule {
    id: "browser.login",
    title: "Password that a browser remembers",
    severity: Severity::High,
    rotate: "Change the password at the site it is of, and sign all its sessions out.",
};

static COOKIE: Rule = Rule {
    id: "browser.cookie",
    title: "Cookie of a browser, which may be a session",
    severity: Severity::Medium,
    rotate: "Sign the account out of all its sessions at the site.",
};

/// What derives from the password `peanuts`, which is a part of the browser.
const PEANUTS: [u8; 16] = [
    0xfd, 0x62, 0x1f, 0xe5, 0xa2, 0xb4, 0x02, 0x53, 0x9d, 0xfa, 0x14, 0x7c, 0xa9, 0x27, 0x27, 0x78,
];

/// What stands before a value under that key.
const VERSION: &[u8] = b"v10";

fn is_chrome(blob: &Blob<'_>) -> bool {
    let name = paths::file_name(&blob.name);
    matches!(name, b"Login Data" | b"Login Data For Account" | b"Cookies")
        && blob.bytes.starts_with(b"SQLite format 3\0")
}

fn chrome(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let cookies = paths::file_name(&blob.name) == b"Cookies";
    let text = Piece::whole(&blob.bytes);
    let mut blocks = limits::BROWSER_BLOCKS;
    // The values are picked out of the bytes: those of deleted rows are found too.
    for at in memmem::find_iter(text.bytes, VERSION) {
        let body = text.from(at.saturating_add(VERSION.len()));
        let Some((len, plain)) = opened(body.bytes, cookies, &mut blocks) else { continue };
        let raw = text.sub(at, body.at.saturating_add(len));
        let row = Row::around(text.bytes, at, raw.bytes.len());
        let rule = if cookies { &COOKIE } else { &LOGIN };
        let kind = if cookies { Kind::Token } else { Kind::Password };
        let mut found = store::revealed(rule, (kind, &plain), raw, "chrome")
            .fact("protection", "plaintext-equivalent")
            .fact("decrypts_with", "the key that is part of the browser");
        if let Some(row) = row {
            let name = if cookies { "name" } else { "user" };
            found = found.fact("host", row.host).fact(name, row.before);
        }
        out(Out::Match(found));
    }
    Ok(())
}

/// The text of a value that begins here, and the length of its ciphertext. Before a cookie stands
/// the digest of its site, in newer versions.
fn opened(bytes: &[u8], cookie: bool, left: &mut usize) -> Option<(usize, Vec<u8>)> {
    let (blocks, _) = bytes.as_chunks::<16>();
    let mut plain: Vec<u8> = Vec::new();
    let mut before = [b' '; 16];
    for block in blocks.iter().take(limits::BROWSER_VALUE_BLOCKS) {
        *left = left.checked_sub(1)?;
        plain.extend(aes128_cbc(PEANUTS, before, block)?);
        before = *block;
        let digest = if cookie { 32 } else { 0 };
        if let Some(whole) = unpad(plain.clone()) {
            let behind = whole.get(digest..).filter(|text| is_text(text));
            if let Some(text) = behind.or(Some(&*whole).filter(|text| is_text(text))) {
                return Some((plain.len(), text.to_vec()));
            }
        }
        let tail = plain.get(digest..).unwrap_or_default();
        if !tail.is_empty() && !is_text(tail) && !is_text(&plain) {
            return None;
        }
    }
    None
}

/// Whether it is printable, as passwords and cookies are.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| *byte >= b' ' && *byte != 0x7f)
}

/// What stands in the same row.
struct Row {
    host: String,
    /// The second column before the value.
    before: String,
}

impl Row {
    /// The row whose value of `len` bytes begins at `at`
    /// ([format](https://www.sqlite.org/fileformat.html#record_format)).
    fn around(bytes: &[u8], at: usize, len: usize) -> Option<Row> {
        let first = at.saturating_sub(limits::BROWSER_ROW_BYTES);
        (first..at).rev().find_map(|start| Row::read(bytes, start, (at, len)))
    }

    fn read(bytes: &[u8], start: usize, (at, len): (usize, usize)) -> Option<Row> {
        let mut next = start;
        let head = varint(bytes, &mut next)?;
        let body = start.checked_add(head)?;
        if !(4..=64).contains(&head) || body > at {
            return None;
        }
        let mut columns: Vec<&[u8]> = Vec::new();
        let mut place = body;
        while next < body {
            let kind = varint(bytes, &mut next)?;
            let size = size(kind)?;
            if place == at && size > 0 {
                let blob = kind.is_multiple_of(2) && size == len;
                let text = |column: &&[u8]| column.starts_with(b"http") || column.contains(&b'.');
                let host = columns.iter().copied().find(text).unwrap_or_default();
                let before = columns.len().checked_sub(2).and_then(|n| columns.get(n));
                let before = piece::text(before.copied().unwrap_or_default());
                return blob.then(|| Row { host: piece::text(host), before });
            }
            columns.push(bytes.get(place..place.checked_add(size)?)?);
            place = place.checked_add(size).filter(|place| *place <= at)?;
        }
        None
    }
}

/// A number of one to three bytes, seven bits each: no row here has longer ones.
fn varint(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0usize;
    for _ in 0..3 {
        let byte = *bytes.get(*at)?;
        *at = at.checked_add(1)?;
        value = value << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// How many bytes a value of a kind has.
fn size(kind: usize) -> Option<usize> {
    match kind {
        0 | 8 | 9 => Some(0),
        1..=4 => Some(kind),
        5 => Some(6),
        6 | 7 => Some(8),
        10 | 11 => None,
        _ => Some(kind.checked_sub(12)? / 2),
    }
}

fn is_logins(blob: &Blob<'_>) -> bool {
    matches!(paths::file_name(&blob.name), b"logins.json" | b"logins-backup.json")
}

fn logins(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, result) = yaml::leaves(Piece::whole(&blob.bytes));
    for (number, leaf) in leaves.iter().enumerate() {
        if leaf.key() != b"encryptedPassword" || base64::decode(&leaf.value).is_none() {
            continue;
        }
        let found = login(&store::beside(&leaves, number, &["hostname"]), leaf);
        // The user is under the same key.
        let user = store::beside(&leaves, number, &["encryptedUsername"]);
        let sealed = found.clone().fact("user", user);
        out(Out::Clue(unlock::locked(unlock::FIREFOX_LOGIN, &blob.at, &leaf.value, &sealed)));
        out(Out::Match(found));
    }
    result
}

/// A login as it stands: whether its key is there, is told when all has been swept.
fn login(host: &str, leaf: &yaml::Leaf<'_>) -> Match {
    let found = judge::decoded(&LOGIN, Grade::Strong, (Kind::Token, &leaf.value), leaf.raw)
        .fact("host", host)
        .fact("protection", "encrypted")
        .fact("decrypts_with", "key4.db, unless it has a primary password");
    judge::at_most(found, Severity::Medium)
}

fn is_keys(blob: &Blob<'_>) -> bool {
    paths::file_name(&blob.name) == b"key4.db"
}

fn keys(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    for key in unlock::firefox_keys(&blob.bytes) {
        out(Out::Clue(unlock::key(unlock::FIREFOX_KEY, &blob.at, &key)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_around_a_value() {
        // A header of five bytes: a URL of 10 bytes, nothing, a name of 3, nothing, a blob of 4.
        let row = b"xx\x06\x21\x00\x13\x0d\x14http://a.beve\x01\x02\x03\x04";
        let at = row.len() - 4;
        let found = Row::around(row, at, 4).unwrap();
        assert_eq!((found.host.as_str(), found.before.as_str()), ("http://a.b", "eve"));
        assert!(Row::around(row, at, 5).is_none());
        assert!(Row::around(b"", 0, 0).is_none());
    }

    #[test]
    fn what_is_no_value_is_left() {
        let mut left = 100;
        assert_eq!(opened(&[7; 64], false, &mut left), None);
        assert_eq!(opened(b"short", true, &mut left), None);
        assert_eq!(left, 99);
    }
}
