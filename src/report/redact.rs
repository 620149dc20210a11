//! The last guard: a secret that was found is taken out of whatever else a report quotes, such as
//! the name of a file.

use super::Report;
use crate::finding::{Severity, Subject};
use crate::locator::Escaped;
use aho_corasick::{AhoCorasick, MatchKind};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// What stands in a secret's place.
const INSTEAD: &[u8] = b"[redacted]";

/// Shorter ones may be words.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;

/// Bytes gathered before they are looked through.
const BATCH_BYTES: usize = 256 * 1024;

/// A writer that passes on everything but secrets.
pub(super) struct Redacting<'a> {
    out: &'a mut dyn Write,
    secrets: Option<AhoCorasick>,
    longest: usize,
    held: Vec<u8>,
}

impl<'a> Redacting<'a> {
    /// Over the secrets of a report, as they are and as locators escape them.
    pub(super) fn new(report: &Report, out: &'a mut dyn Write) -> Redacting<'a> {
        let findings = || report.outcome.findings.iter();
        let forms = |secret: &[u8]| [secret.to_vec(), Escaped(secret).to_string().into_bytes()];
        let secrets: BTreeSet<Vec<u8>> = findings().filter_map(word).flat_map(forms).collect();
        let longest = secrets.iter().map(Vec::len).max().unwrap_or(0);
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&secrets);
        let secrets = built.ok().filter(|_| longest > 0);
        Redacting { out, secrets, longest, held: Vec::new() }
    }

    /// Pass on what is held, but for the last `kept` bytes, with which a secret may begin.
    fn pass(&mut self, kept: usize) -> io::Result<()> {
        let end = self.held.len().saturating_sub(kept);
        let mut at = 0;
        for found in self.secrets.iter().flat_map(|secrets| secrets.find_iter(&self.held)) {
            if found.start() < end {
                self.out.write_all(&self.held[at..found.start()])?;
                self.out.write_all(INSTEAD)?;
                at = found.end();
            }
        }
        self.out.write_all(&self.held[at.min(end)..end])?;
        self.held.drain(..at.max(end));
        Ok(())
    }

    /// Pass on all the rest.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.pass(0)?;
        self.out.flush()
    }
}

/// The secret of a finding, when it is one word that no writer would escape. The id of a key is
/// told as a fact on purpose, and is none; a token is one wherever it stands, be it as a user's name.
fn word(finding: &crate::finding::Finding) -> Option<&[u8]> {
    let names_a_key = |part: &str| part.ends_with("key_id") || part.ends_with("key_sid");
    if finding.rule.id.split('.').any(names_a_key) || finding.rule.severity <= Severity::Low {
        return None;
    }
    let Subject::Secret(secret) = &finding.subject else { return None };
    let bytes = secret.expose();
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\".contains(byte);
    (SECRET_BYTES.contains(&bytes.len()) && bytes.iter().all(plain)).then_some(bytes)
}

impl Write for Redacting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= BATCH_BYTES {
            self.pass(self.longest)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
