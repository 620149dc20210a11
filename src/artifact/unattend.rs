//! Answer files of Windows setup
//! ([format](https://learn.microsoft.com/en-us/windows-hardware/customize/desktop/unattend/)): their passwords are
//! plain, or base64 of UTF-16 with the element's name behind them, which is plain too.

use super::Artifact;
use super::cipher;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::xml::{self, Part};
use crate::blob::{Blob, Budget, Meta, Out};
use crate::credential::base64;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Grade, Match, Rule, Severity};
use crate::run::Run;
use std::borrow::Cow;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "answer file", applies, run };

static PASSWORD: Rule = Rule {
    id: "win.unattend",
    title: "Password in an answer file of Windows setup",
    severity: Severity::Critical,
    rotate: "Change the password on every machine made from the image, and in the domain; delete the answer file after setup.",
};

fn applies(blob: &Blob<'_>) -> bool {
    let name = paths::file_name(&blob.name).to_ascii_lowercase();
    let text = String::from_utf8_lossy(&name);
    (text.contains("unattend") && text.ends_with(".xml"))
        || matches!(&*text, "sysprep.xml" | "sysprep.inf" | "winnt.sif" | "autounattend.txt")
}

fn run(blob: &Blob<'_>, budget: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if let Some(wide) = text.bytes.strip_prefix(&[0xff, 0xfe]) {
        return decoded(blob, wide, budget, out);
    }
    if !blob.name.to_ascii_lowercase().ends_with(b".xml") {
        for entry in ini::entries(text) {
            let name = entry.name.bytes.to_ascii_lowercase();
            let named = matches!(name.as_slice(), b"adminpassword" | b"domainadminpassword");
            if named && !entry.value.is_empty() && entry.value.bytes != b"*" {
                let found = judge::found(&PASSWORD, Grade::Strong, Kind::Password, entry.value);
                out(Out::Match(found.fact("name", entry.name.text())));
            }
        }
        return Ok(());
    }
    let (values, result) = xml::values(text);
    for (number, value) in values.iter().enumerate() {
        // What says that it is plain stands behind it, or right before.
        let near = values.get(number.saturating_sub(2)..).unwrap_or_default();
        let plain = xml::child(near, value.parent, "PlainText");
        let Some((name, is_plain)) = password(value, &plain) else { continue };
        let Some(found) = secret(value, name, is_plain) else { continue };
        // The account stands around the password's own element, one or two levels up; what is
        // near in the file is near in the tree.
        let near =
            values.get(number.saturating_sub(12)..number.saturating_add(12).min(values.len()));
        let depth = value.path.len().saturating_sub(if is_plain.is_some() { 2 } else { 1 });
        let account = value.path.get(..depth).unwrap_or_default();
        let about = |wanted: &[&[u8]]| {
            let mut near = near.unwrap_or_default().iter();
            let found = near.find(|v| {
                v.path.len() == depth.saturating_add(1)
                    && v.path.starts_with(account)
                    && v.path.last().is_some_and(|last| wanted.contains(last))
            });
            found.map(|v| piece::text(&v.value)).unwrap_or_default()
        };
        let user = about(&[b"Username", b"Name"]);
        let user = if name == "AdministratorPassword" { "Administrator".to_owned() } else { user };
        let found = found.fact("name", name).fact("user", user).fact("domain", about(&[b"Domain"]));
        out(Out::Match(found));
    }
    result
}

/// The element whose password a text is, and whether it says that it is plain.
fn password<'v>(value: &Part<'v>, plain: &str) -> Option<(&'static str, Option<bool>)> {
    if !value.attribute.is_empty() || value.value.is_empty() {
        return None;
    }
    let name = |element: &&'v [u8]| match *element {
        b"AdministratorPassword" => Some("AdministratorPassword"),
        b"Password" => Some("Password"),
        _ => None,
    };
    let mut path = value.path.iter().rev();
    let last = path.next()?;
    if *last == b"Value" {
        return Some((path.next().and_then(name)?, Some(!plain.eq_ignore_ascii_case("false"))));
    }
    match *last {
        b"UnsecurePassword" | b"MachinePassword" => Some(("MachinePassword", None)),
        _ => name(last).map(|name| (name, None)),
    }
}

fn secret(value: &Part<'_>, name: &'static str, is_plain: Option<bool>) -> Option<Match> {
    if is_plain != Some(false) {
        let plain = value.value.as_ref();
        return Some(judge::decoded(&PASSWORD, Grade::Strong, (Kind::Password, plain), value.raw));
    }
    let wide = base64::decode(&value.value)?;
    let Some(text) = cipher::utf16(&wide) else {
        return Some(judge::found(&PASSWORD, Grade::Plausible, Kind::Password, value.raw));
    };
    // An empty password is the name alone.
    let (plain, grade) = match text.strip_suffix(name) {
        Some("") => return None,
        Some(plain) => (plain, Grade::Proven),
        None => (text.as_str(), Grade::Strong),
    };
    let len = plain.encode_utf16().count().saturating_mul(2) as u64;
    let found = judge::decoded(&PASSWORD, grade, (Kind::Password, plain.as_bytes()), value.raw);
    Some(found.decoded_by("base64", Run::new(0, len)).fact("protection", "plaintext-equivalent"))
}

/// A file in UTF-16 as a view in UTF-8.
fn decoded(
    blob: &Blob<'_>,
    wide: &[u8],
    budget: &mut Budget,
    out: &mut dyn FnMut(Out<'_>),
) -> Result<()> {
    let (units, _) = wide.as_chunks::<2>();
    let text: String = char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    if budget.depth == 0 {
        return Err(Error::new(ErrorKind::Limit, "decoded views nest too deeply"));
    }
    budget.spend(text.len() as u64)?;
    out(Out::Blob(Blob {
        at: blob.at.clone().with_member("utf16", None),
        name: Cow::Borrowed(&blob.name),
        meta: Meta::default(),
        bytes: Cow::Owned(text.into_bytes()),
        decoded_from: Some(Run::new(0, blob.bytes.len() as u64)),
    }));
    Ok(())
}
