//! A level: a container or a member on the way inside, where it is, and what is told of all in it.

use crate::content::From;
use crate::limits;
use crate::locator::Locator;
use crate::run::Run;
use std::borrow::Cow;

/// A container or a member.
#[derive(Clone)]
pub(super) struct Level<'a> {
    pub(super) at: Locator,
    /// The name that parsers and unpackers know it by.
    pub(super) name: Cow<'a, [u8]>,
    pub(super) facts: Cow<'a, [(&'static str, String)]>,
    /// How many containers it is in.
    pub(super) depth: usize,
    /// Where its first byte stands in the outermost container, if all of it stands there as it is.
    pub(super) origin: Option<u64>,
    /// Else, which bytes of the outermost container it was unpacked from.
    pub(super) packed: Run,
}

impl Level<'_> {
    /// The locator of a part of it.
    pub(super) fn named(&self, name: &[u8]) -> Locator {
        let mut at = self.at.clone();
        if let Some(last) = at.members.last_mut() {
            last.name = Some(name.into());
        }
        at
    }
}

/// The level of a member.
pub(super) fn inside<'a>(
    outer: &'a Level<'_>,
    format: &str,
    (name, from, facts): (Option<&'a [u8]>, From, &'a [(&'static str, String)]),
) -> Level<'a> {
    let shown = name.map(|name| name.get(..limits::MEMBER_NAME_BYTES).unwrap_or(name));
    let name = shown.unwrap_or_else(|| unpacked(&outer.name));
    let (origin, packed) = match (outer.origin, from) {
        (Some(base), From::Verbatim(at)) => (base.checked_add(at), outer.packed),
        (Some(base), From::Packed(run)) => {
            (None, Run::new(base.saturating_add(run.start), run.len).intersect(outer.packed))
        }
        _ => (None, outer.packed),
    };
    let facts = match facts {
        [] => Cow::Borrowed(&*outer.facts),
        more => Cow::Owned(outer.facts.iter().chain(more).cloned().collect()),
    };
    // What was carved out of free space is named by its place already.
    let at = match (shown, outer.at.members.last()) {
        (None, Some(last)) if outer.depth == 0 && *last.format == *format => outer.at.clone(),
        _ => outer.at.clone().with_member(format, shown),
    };
    Level { at, name: Cow::Borrowed(name), facts, depth: outer.depth + 1, origin, packed }
}

/// The name of what a compressed file holds.
fn unpacked(name: &[u8]) -> &[u8] {
    let Some(dot) = memchr::memrchr(b'.', name) else { return name };
    let (stem, suffix) = name.split_at(dot);
    match suffix.to_ascii_lowercase().as_slice() {
        b".gz" | b".xz" | b".zst" | b".bz2" | b".lz4" | b".lzma" | b".z" => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_file_lends_its_name() {
        for (name, expected) in [
            ("/var/log/auth.log.1.gz", "/var/log/auth.log.1"),
            ("/root/.netrc.XZ", "/root/.netrc"),
            ("/srv/home.tgz", "/srv/home.tgz"),
            ("user-data", "user-data"),
        ] {
            assert_eq!(unpacked(name.as_bytes()), expected.as_bytes());
        }
    }
}
