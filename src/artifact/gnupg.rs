//! Secret keys of `GnuPG`: an S-expression for each in `private-keys-v1.d`
//! ([format](https://github.com/gpg/gnupg/blob/master/agent/keyformat.txt)), and the keyring of version 1.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use crate::blob::{Blob, Budget, Out};
use crate::credential::{pem, pgp};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};
use crate::limits;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "gnupg", applies, run };

static KEY: Rule = Rule {
    id: "gpg.private_key",
    title: "Secret key of GnuPG",
    severity: Severity::Critical,
    rotate: "Revoke the key with its revocation certificate, publish a new one, and re-sign what it signed.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &["private-keys-v1.d/*.key", "secring.gpg", "secring.gpg~", "secret-keyring.gpg"],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes).sub(0, limits::PEM_BYTES);
    let user = paths::user(&blob.name).unwrap_or_default();
    if !blob.name.ends_with(b".key") {
        // The keys of a ring stand one behind the other; the first tells of them all.
        if let Some(key) = pgp::inspect(text.bytes) {
            let mut found = judge::found(&KEY, Grade::Proven, Kind::Token, text);
            if key.encrypted {
                found = judge::at_most(found, Severity::Medium);
            }
            let found = found
                .fact("algorithm", piece::text(key.algorithm.as_bytes()))
                .fact("bits", key.bits.map(|bits| bits.to_string()).unwrap_or_default())
                .fact("encrypted", if key.encrypted { "yes" } else { "no" })
                .fact("user", user);
            out(Out::Match(found));
        }
        return Ok(());
    }
    let Some((form, algorithm)) = expression(text.bytes) else { return Ok(()) };
    let mut found = judge::found(&KEY, Grade::Proven, Kind::Token, text);
    match form {
        // The key itself is on a card.
        Form::Shadowed => return Ok(()),
        Form::Protected => found = judge::at_most(found, Severity::Medium),
        Form::Plain => {}
    }
    let name = paths::file_name(&blob.name);
    let keygrip = name.strip_suffix(b".key").unwrap_or(name);
    let found = found
        .fact("algorithm", piece::text(algorithm))
        .fact("encrypted", if form == Form::Plain { "no" } else { "yes" })
        .fact("keygrip", piece::text(keygrip))
        .fact("user", user);
    out(Out::Match(found));
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Protected,
    Shadowed,
}

/// Form and algorithm of a key, in the canonical form (`(11:private-key(3:rsa…`) or in the extended
/// one (`Key: (private-key (rsa …`).
fn expression(text: &[u8]) -> Option<(Form, &[u8])> {
    let head = text.get(..4096).unwrap_or(text);
    let forms = [
        (&b"protected-private-key"[..], Form::Protected),
        (b"shadowed-private-key", Form::Shadowed),
        (b"private-key", Form::Plain),
    ];
    let (at, name, form) = forms
        .iter()
        .find_map(|(name, form)| Some((pem::position(head, 0, name)?, *name, *form)))?;
    // It must open its list.
    let before = head.get(..at)?.trim_ascii_end();
    let length = before.iter().rev().take_while(|b| b.is_ascii_digit() || **b == b':').count();
    let opens = before.get(..before.len().checked_sub(length)?)?;
    if !opens.ends_with(b"(") {
        return None;
    }
    let rest = head.get(at.checked_add(name.len())?..)?.trim_ascii_start().strip_prefix(b"(")?;
    let number = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = match rest.get(number) {
        Some(b':') => {
            let len: usize = std::str::from_utf8(rest.get(..number)?).ok()?.parse().ok()?;
            let start = number.checked_add(1)?;
            return Some((form, rest.get(start..start.checked_add(len.min(32))?)?));
        }
        _ => rest,
    };
    let end = rest.iter().position(|b| b.is_ascii_whitespace() || *b == b'(')?;
    Some((form, rest.get(..end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms() {
        for (text, expected) in [
            (&b"(11:private-key(3:rsa(1:n3:abc)))"[..], Some((Form::Plain, &b"rsa"[..]))),
            (b"(21:protected-private-key(3:ecc(5:curve", Some((Form::Protected, b"ecc"))),
            (b"Created: 2024\nKey: (private-key (ecc (curve Ed25519)", Some((Form::Plain, b"ecc"))),
            (b"Key: (shadowed-private-key (rsa (n", Some((Form::Shadowed, b"rsa"))),
            (b"a private-key", None),
            (b"(11:private-key(999999999999999999999:x", None),
            (b"", None),
        ] {
            assert_eq!(expression(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }
}
