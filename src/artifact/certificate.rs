//! Certificates: to a private key, the one that is signed for it says whom it can impersonate, and
//! until when.

use super::Artifact;
use super::paths;
use super::piece;
use crate::blob::{Blob, Budget, Change, Clue, Join, Out};
use crate::credential::certificate::{self, Certificate};
use crate::credential::{der, pem};
use crate::error::Result;
use crate::limits;
use std::collections::BTreeMap;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "certificate", applies, run };

/// The join of keys and certificates.
pub(super) const JOIN: Join = Join { name: "certificates", needs: &[KEY, CERTIFICATE], run: join };

/// A private key, by its fingerprint.
pub(super) const KEY: &str = "certificate.key";
/// A certificate, by the fingerprint of its key.
const CERTIFICATE: &str = "certificate";

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &["*.pem", "*.crt", "*.cer", "*.cert", "*.der"])
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let mut tell = |body: &[u8]| {
        let Some(found) = certificate::inspect(body) else { return };
        let key = found.fingerprint.as_bytes().into();
        let value = told(&found, body).into_bytes().into();
        out(Out::Clue(Clue { kind: CERTIFICATE, at: blob.at.clone(), key, value }));
    };
    if blob.bytes.first() == Some(&der::SEQUENCE) {
        tell(&blob.bytes);
    }
    let (mut from, mut left) = (0, limits::CERTIFICATES);
    while let Some(range) = pem::find(&blob.bytes, from).filter(|_| left > 0) {
        left = left.saturating_sub(1);
        let block = blob.bytes.get(range.clone()).unwrap_or_default();
        from = range.end;
        let pem = block.starts_with(b"-----BEGIN CERT").then(|| pem::parse(block)).flatten();
        if let Some(pem) = pem {
            tell(&pem.body);
        }
    }
    Ok(())
}

/// What is told of it: whom it is for, until when, and whether somebody stands for it.
fn told(found: &Certificate, der: &[u8]) -> String {
    let subject = der::certificate_subject(der).and_then(|subject| subject.common_name);
    let names = found.names.join(", ");
    let name = if names.is_empty() { subject.unwrap_or_default() } else { names };
    let signed = if found.self_signed { "itself" } else { "" };
    format!("{}\n{}\n{signed}", piece::text(name.as_bytes()), found.expires)
}

fn join(clues: &[Clue], out: &mut dyn FnMut(Change)) {
    let mut known: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
    for clue in clues.iter().filter(|clue| clue.kind == CERTIFICATE) {
        known.entry(&clue.key).or_insert(&clue.value);
    }
    for key in clues.iter().filter(|clue| clue.kind == KEY) {
        let Some(told) = known.get(&*key.key) else { continue };
        let lines = told.split(|&byte| byte == b'\n');
        for (name, value) in
            ["certificate", "certificate_expires", "certificate_by"].into_iter().zip(lines)
        {
            if !value.is_empty() {
                let (at, value) = (key.at.clone(), piece::text(value));
                out(Change::Fact { at, name, value });
            }
        }
    }
}
