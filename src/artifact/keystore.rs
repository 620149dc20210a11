//! Stores of keys behind a password: Java's JKS and JCEKS
//! ([source](https://github.com/openjdk/jdk/blob/master/src/java.base/share/classes/sun/security/provider/JavaKeyStore.java)),
//! PKCS#12 ([RFC 7292](https://www.rfc-editor.org/rfc/rfc7292)) and `KeePass`; and the accounts of ACME, which
//! need none.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::unlock;
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::bytes;
use crate::credential::der;
use crate::error::{Error, Result};
use crate::finding::{Grade, Match, Rule, Severity};
use crate::limits;

/// The parser of stores.
pub(super) const STORE: Artifact = Artifact { name: "keystore", applies: is_store, run: store };

/// The parser of ACME accounts.
pub(super) const ACME: Artifact = Artifact { name: "acme account", applies: is_acme, run: acme };

static KEYSTORE: Rule = Rule {
    id: "tls.keystore",
    title: "Private key in a keystore",
    severity: Severity::Medium,
    rotate: "Revoke the certificates of its keys, reissue them with new keys, and keep the store and its password out of images: most passwords are guessed.",
};

static VAULT: Rule = Rule {
    id: "vault.keepass",
    title: "KeePass database",
    severity: Severity::Medium,
    rotate: "Change the master password and every password in it when the old one was weak, known or near.",
};

static ACCOUNT: Rule = Rule {
    id: "tls.acme_account",
    title: "Key of an ACME account",
    severity: Severity::High,
    rotate: "Deactivate the account (certbot unregister) and register a new one: its key issues and revokes certificates.",
};

const JKS: &[u8] = &[0xfe, 0xed, 0xfe, 0xed];
const JCEKS: &[u8] = &[0xce, 0xce, 0xce, 0xce];
const KDBX: &[u8] = &[0x03, 0xd9, 0xa2, 0x9a];

fn is_store(blob: &Blob<'_>) -> bool {
    let magic = [JKS, JCEKS, KDBX].iter().any(|magic| blob.bytes.starts_with(magic));
    magic
        || paths::ends_with_any(&blob.name, &["*.p12", "*.pfx", "*.P12", "*.PFX"])
        || (blob.bytes.first() == Some(&der::SEQUENCE)
            && paths::ends_with_any(&blob.name, &["*.jks", "*.keystore", "keystore", ".keystore"]))
}

fn store(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let whole = Piece::whole(&blob.bytes);
    if whole.bytes.starts_with(JKS) || whole.bytes.starts_with(JCEKS) {
        return java(whole, out);
    }
    let head = whole.sub(0, limits::PEM_BYTES);
    if whole.bytes.starts_with(KDBX) {
        let found = judge::found(&VAULT, Grade::Strong, Kind::Token, head);
        out(Out::Match(found.fact("protection", "encrypted")));
        return Ok(());
    }
    if is_pkcs12(whole.bytes) == Some(true) {
        let found = judge::found(&KEYSTORE, Grade::Proven, Kind::Token, head)
            .fact("form", "pkcs12")
            .fact("encrypted", "yes");
        out(Out::Match(guessed(found, unlock::of_pkcs12(whole.bytes))));
    }
    Ok(())
}

/// Version 3, and a content of PKCS#7.
fn is_pkcs12(bytes: &[u8]) -> Option<bool> {
    const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
    let mut pfx = der::Reader::new(bytes).sequence()?;
    let version = pfx.expect(der::INTEGER)?;
    let kind = pfx.sequence()?.expect(der::OID)?;
    Some(version == [3] && kind.starts_with(PKCS7))
}

/// The entries of a Java keystore.
fn java(whole: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let file = whole.bytes;
    let form = if file.starts_with(JKS) { "jks" } else { "jceks" };
    let version = bytes::u32_be(file, 4)?;
    let count = bytes::u32_be(file, 8)?;
    let password = if form == "jks" { unlock::of_java(file) } else { None };
    let mut at = 12;
    for _ in 0..count {
        let tag = bytes::u32_be(file, at)?;
        let alias_len = usize::from(bytes::u16_be(file, at.saturating_add(4))?);
        let alias = bytes::take(file, at.saturating_add(6), alias_len)?;
        at = at.saturating_add(6).saturating_add(alias_len);
        let created = bytes::u64_be(file, at)?;
        at = at.saturating_add(8);
        match tag {
            1 => {
                let (key, after) = counted(file, at)?;
                let (certificate, after) = chain(file, after, version)?;
                at = after;
                let subject = der::certificate_subject(certificate).unwrap_or_default();
                let name = subject.common_name.unwrap_or_default();
                let days = i64::try_from(created / 86_400_000).ok();
                let found =
                    judge::found(&KEYSTORE, Grade::Proven, Kind::Token, whole.sub(key.0, key.1))
                        .fact("form", form)
                        .fact("alias", piece::text(alias))
                        .fact("encrypted", "yes")
                        .fact("common_name", piece::text(name.as_bytes()))
                        .fact("created", days.and_then(piece::date).unwrap_or_default());
                out(Out::Match(guessed(found, password)));
            }
            2 => at = certificate(file, at, version)?.1,
            // A sealed object of Java's own serialisation, whose length is not told.
            _ => return Err(Error::corrupt("keystore has an entry of unknown length")),
        }
    }
    Ok(())
}

/// A store whose password is one that everybody tries is as good as open.
fn guessed(mut found: Match, password: Option<&'static str>) -> Match {
    let Some(password) = password else { return found };
    found.severity = Severity::High;
    found
        .fact("protection", "plaintext-equivalent")
        .fact("decrypts_with", format!("a usual password, \"{password}\""))
}

/// Start and end of the bytes behind a length, and what follows them.
fn counted(file: &[u8], at: usize) -> Result<((usize, usize), usize)> {
    let len = usize::try_from(bytes::u32_be(file, at)?).unwrap_or(usize::MAX);
    let start = at.saturating_add(4);
    bytes::take(file, start, len)?;
    let end = start.saturating_add(len);
    Ok(((start, end), end))
}

/// A certificate, which names its type in version 2.
fn certificate(file: &[u8], at: usize, version: u32) -> Result<(&[u8], usize)> {
    let at = if version == 2 {
        let kind = usize::from(bytes::u16_be(file, at)?);
        at.saturating_add(2).saturating_add(kind)
    } else {
        at
    };
    let ((start, end), after) = counted(file, at)?;
    Ok((file.get(start..end).unwrap_or_default(), after))
}

/// The first certificate of a chain, and what follows it.
fn chain(file: &[u8], at: usize, version: u32) -> Result<(&[u8], usize)> {
    let count = bytes::u32_be(file, at)?;
    let mut at = at.saturating_add(4);
    let mut first = &[][..];
    for number in 0..count {
        let (body, after) = certificate(file, at, version)?;
        if number == 0 {
            first = body;
        }
        at = after;
    }
    Ok((first, at))
}

fn is_acme(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &["private_key.json", "acme.json", "*.jwk"])
}

/// A JWK ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)), whose private part is `d`.
fn acme(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, result) = yaml::leaves(Piece::whole(&blob.bytes));
    let value = |name: &str| {
        let leaf = leaves.iter().find(|leaf| leaf.is(&[name]));
        leaf.map(|leaf| piece::text(&leaf.value)).unwrap_or_default()
    };
    let (kind, email) = (value("kty"), value("email"));
    let directory = blob.name.split(|&b| b == b'/').skip_while(|part| *part != b"accounts").nth(1);
    for leaf in leaves.iter().filter(|leaf| !leaf.value.is_empty()) {
        let name = match leaf.key() {
            b"d" if leaf.path.len() == 1 => "d",
            // Traefik keeps its account and every certificate's key.
            b"PrivateKey" => "PrivateKey",
            b"key" if leaf.step(1) == Some(yaml::Step::Key(b"Certificates")) => "key",
            _ => continue,
        };
        let found = judge::decoded(&ACCOUNT, Grade::Strong, (Kind::Token, &leaf.value), leaf.raw)
            .fact("name", name)
            .fact("kind", kind.as_str())
            .fact("email", email.as_str())
            .fact("host", piece::text(directory.unwrap_or_default()));
        out(Out::Match(found));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_pkcs12() {
        let body = [
            &[0x30, 0x18, 2, 1, 3, 0x30, 0x13, 6, 9][..],
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1, 0xa0, 6, 4, 4, 1, 2, 3, 4],
        ]
        .concat();
        assert_eq!(is_pkcs12(&body), Some(true));
        for cut in 0..9 {
            assert_eq!(is_pkcs12(&body[..cut]), None);
        }
    }

    #[test]
    fn a_count_is_not_believed() {
        let file = [JKS, &[0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff]].concat();
        assert!(java(Piece::whole(&file), &mut |_| {}).is_err());
    }
}
