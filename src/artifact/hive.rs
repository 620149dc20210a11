//! Registry hives of Windows
//! ([format](https://github.com/msuhanov/regf/blob/master/Windows%20registry%20file%20format%20specification.md)):
//! the password that a machine logs itself in with, and texts whose names say that they are
//! secret. Values are picked out of the bytes: deleted ones are found too.

use super::Artifact;
use super::cipher;
use super::judge::{self, Kind};
use super::piece::{self, Piece};
use crate::blob::{Blob, Budget, Out};
use crate::bytes;
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};
use crate::limits;
use crate::run::Run;
use memchr::memmem;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "registry hive", applies, run };

static WINLOGON: Rule = Rule {
    id: "win.winlogon",
    title: "Password of an automatic login, in the registry",
    severity: Severity::Critical,
    rotate: "Change the account's password, switch the automatic login off (AutoAdminLogon), and delete DefaultPassword.",
};

static NAMED: Rule = Rule {
    id: "win.registry_secret",
    title: "Text in the registry whose name says that it is secret",
    severity: Severity::High,
    rotate: "Find out which program it is of, change it where it opens something, and delete the value before the image is made.",
};

/// Where the cells of a hive begin.
const CELLS: usize = 4096;

fn applies(blob: &Blob<'_>) -> bool {
    // A longer one is swept for all that signatures know.
    let whole = bytes::u32_le(&blob.bytes, 40).ok().and_then(|len| usize::try_from(len).ok());
    let fits = |len: usize| u64::try_from(len).is_ok_and(|len| len < limits::ARTIFACT_BYTES / 2);
    blob.bytes.starts_with(b"regf") && whole.is_some_and(fits)
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let values = values(Piece::whole(&blob.bytes));
    let named = |name: &[u8]| values.iter().find(|value| value.name == name).map(Value::text);
    let user = named(b"DefaultUserName").unwrap_or_default();
    let domain = named(b"DefaultDomainName").unwrap_or_default();
    for value in &values {
        let winlogon = value.name == b"DefaultPassword";
        let kind = if winlogon { Some(Kind::Password) } else { judge::secretive(value.name) };
        let text = value.text();
        let Some(kind) = kind.filter(|_| !judge::is_setting(text.as_bytes())) else { continue };
        let (rule, grade) =
            if winlogon { (&WINLOGON, Grade::Proven) } else { (&NAMED, Grade::Plausible) };
        let span = Run::new(0, value.raw.bytes.len() as u64);
        let mut found = judge::decoded(rule, grade, (kind, text.as_bytes()), value.raw)
            .decoded_by("utf16", span)
            .fact("name", piece::text(value.name));
        if winlogon {
            found = found.fact("user", user.as_str()).fact("domain", domain.as_str());
        }
        out(Out::Match(found));
    }
    Ok(())
}

/// A text in the registry.
struct Value<'a> {
    name: &'a [u8],
    /// UTF-16, without the zero at its end.
    raw: Piece<'a>,
}

impl<'a> Value<'a> {
    fn text(&self) -> String {
        cipher::utf16(self.raw.bytes).unwrap_or_default()
    }

    /// The value whose cell begins at `at`.
    fn read(text: Piece<'a>, at: usize) -> Option<Value<'a>> {
        let head = text.bytes.get(at..at.checked_add(20)?)?;
        let name_len = usize::from(bytes::u16_le(head, 2).ok()?);
        let size = usize::try_from(bytes::u32_le(head, 4).ok()?).ok()?;
        let cell = usize::try_from(bytes::u32_le(head, 8).ok()?).ok()?;
        let kind = bytes::u32_le(head, 12).ok()?;
        // A text of Windows; one of four bytes would stand in the value itself.
        if !matches!(kind, 1 | 2) || !(5..=limits::JOINED_BYTES).contains(&size) {
            return None;
        }
        let name = at.checked_add(20)?;
        let name = text.bytes.get(name..name.checked_add(name_len)?)?;
        let start = cell.checked_add(CELLS)?.checked_add(4)?;
        let data = text.sub(start, start.checked_add(size)?);
        let end = data.bytes.len().checked_sub(2).filter(|_| data.bytes.ends_with(&[0, 0]));
        let raw = data.sub(0, end.unwrap_or(size));
        (data.bytes.len() == size).then_some(Value { name, raw })
    }
}

fn values(text: Piece<'_>) -> Vec<Value<'_>> {
    let found = memmem::find_iter(text.bytes, b"vk");
    found.filter_map(|at| Value::read(text, at)).take(limits::LITERALS).collect()
}
