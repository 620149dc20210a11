//! Group Policy preferences
//! ([format](https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-gppref/)): their `cpassword` is
//! encrypted with a key that Microsoft published, so that it counts as written in clear.

use super::Artifact;
use super::cipher;
use super::judge::{self, Kind};
use super::paths;
use super::piece;
use super::piece::Piece;
use super::xml;
use crate::blob::{Blob, Budget, Out};
use crate::credential::base64;
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};
use crate::run::Run;
use std::collections::BTreeMap;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "group policy preferences", applies, run };

static PASSWORD: Rule = Rule {
    id: "win.gpp_password",
    title: "Password in Group Policy preferences",
    severity: Severity::Critical,
    rotate: "Change the account's password wherever the policy set it, and delete the preference from SYSVOL and its copies.",
};

/// [MS-GPPREF] 2.2.1.1.4.
const KEY: [u8; 32] = [
    0x4e, 0x99, 0x06, 0xe8, 0xfc, 0xb6, 0x6c, 0xc9, 0xfa, 0xf4, 0x93, 0x10, 0x62, 0x0f, 0xfe, 0xe8,
    0xf4, 0x96, 0xe8, 0x06, 0xcc, 0x05, 0x79, 0x90, 0x20, 0x9b, 0x09, 0xa4, 0x33, 0xb6, 0x6c, 0x1b,
];

fn applies(blob: &Blob<'_>) -> bool {
    let name = paths::file_name(&blob.name).to_ascii_lowercase();
    let names: [&[u8]; 6] = [
        b"groups.xml",
        b"services.xml",
        b"scheduledtasks.xml",
        b"datasources.xml",
        b"drives.xml",
        b"printers.xml",
    ];
    names.contains(&name.as_slice())
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (values, result) = xml::values(Piece::whole(&blob.bytes));
    let mut attributes: BTreeMap<(usize, &[u8]), &[u8]> = BTreeMap::new();
    for value in values.iter().filter(|value| !value.attribute.is_empty()) {
        attributes.entry((value.element, value.attribute)).or_insert(&value.value);
    }
    for value in values.iter().filter(|v| v.attribute == b"cpassword" && !v.value.is_empty()) {
        let text = |element: usize, names: &[&str]| {
            let found = names.iter().find_map(|n| attributes.get(&(element, n.as_bytes())));
            found.map(|text| piece::text(text)).unwrap_or_default()
        };
        let user =
            text(value.element, &["userName", "username", "accountName", "runAs", "newName"]);
        let plain = decrypt(&value.value);
        let found = match &plain {
            Some(plain) => {
                let kind = (Kind::Password, plain.as_bytes());
                let span = Run::new(0, plain.encode_utf16().count().saturating_mul(2) as u64);
                judge::decoded(&PASSWORD, Grade::Proven, kind, value.raw).decoded_by("aes", span)
            }
            None => judge::found(&PASSWORD, Grade::Plausible, Kind::Password, value.raw),
        };
        let found = found
            .fact("user", user)
            .fact("changed", text(value.parent, &["changed"]))
            .fact("protection", "plaintext-equivalent")
            .fact("decrypts_with", "a key that Microsoft published");
        out(Out::Match(found));
    }
    result
}

fn decrypt(cpassword: &[u8]) -> Option<String> {
    let bytes = base64::decode(cpassword)?;
    let plain = cipher::unpad(cipher::aes256_cbc(KEY, [0; 16], &bytes)?)?;
    cipher::utf16(&plain).filter(|plain| !plain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that everybody tests with.
    #[test]
    fn known_answer() {
        let text = b"j1Uyj3Vx8TY9LtLZil2uAuZkFQA/4latT76ZwgdHdhw";
        assert_eq!(decrypt(text).as_deref(), Some("Local*P4ssword!"));
        assert_eq!(decrypt(b"j1Uyj3Vx8TY9LtLZil2uAuZkFQA/4latT76ZwgdHdHw"), None);
        assert_eq!(decrypt(b""), None);
    }
}
