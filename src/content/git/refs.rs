//! What stands beside a pack: the refs and their logs, and the objects that are kept one by one.

use super::history::{Kept, Refs};
use super::object::{Id, Kind, header, hex, unhex};
use crate::content::Siblings;
use crate::limits;
use flate2::read::ZlibDecoder;
use std::collections::BTreeSet;
use std::io::Read as _;

/// The folder of the repository that a pack belongs to, by the pack's path, with the slash behind
/// it; empty where the repository is what is scanned.
pub(super) fn repository(pack: &[u8]) -> Option<&[u8]> {
    let folder = pack.get(..memchr::memrchr(b'/', pack)?)?.strip_suffix(b"objects/pack")?;
    (folder.is_empty() || folder.ends_with(b"/")).then_some(folder)
}

/// All refs that can be found by their names.
pub(super) fn read(siblings: Siblings<'_>, folder: &[u8]) -> Refs {
    let file = |name: &[u8]| siblings.read(&[folder, name].concat(), limits::GIT_REF_BYTES);
    let mut refs = Refs::default();
    let Some(head) = file(b"HEAD") else { return refs };
    let packed = file(b"packed-refs").unwrap_or_default();
    let packed: Vec<(Id, &[u8])> = lines(&packed).filter_map(packed_ref).collect();
    for (id, name) in &packed {
        refs.keep(if *name == b"refs/stash" { Kept::Stash } else { Kept::Refs }, *id);
    }
    let loose = |name: &[u8]| file(name).and_then(|text| unhex(&text));
    let current = head.strip_prefix(b"ref: ").map(<[u8]>::trim_ascii);
    refs.head = match current {
        Some(name) => {
            let listed = || packed.iter().find(|(_, known)| *known == name).map(|(id, _)| *id);
            loose(name).or_else(listed)
        }
        None => unhex(&head),
    };
    let mut names: BTreeSet<Vec<u8>> = [&b"main"[..], b"master", b"HEAD"].map(Into::into).into();
    names.extend(current.and_then(|name| name.strip_prefix(b"refs/heads/")).map(<[u8]>::to_vec));
    let log = file(b"logs/HEAD").unwrap_or_default();
    for line in lines(&log) {
        let moved = memchr::memmem::find(line, b"checkout: moving from ");
        let words = moved.and_then(|at| line.get(at.saturating_add(22)..)).unwrap_or_default();
        let words = words.split(|byte| *byte == b' ').filter(|word| *word != b"to");
        names.extend(words.map(<[u8]>::to_vec));
        logged(line, Kept::Reflog, &mut refs);
    }
    let config = file(b"config").unwrap_or_default();
    let mut remotes = vec![b"origin".to_vec()];
    for line in lines(&config).map(<[u8]>::trim_ascii) {
        let quoted = |kind: &[u8]| {
            line.strip_prefix(kind).and_then(|rest| rest.strip_suffix(b"\"]")).map(<[u8]>::to_vec)
        };
        names.extend(quoted(b"[branch \""));
        remotes.extend(quoted(b"[remote \"").filter(|name| name != b"origin").into_iter().take(8));
    }
    remotes.truncate(8);
    for name in names.iter().filter(|name| !name.is_empty()).take(200) {
        let branch = [b"refs/heads/", name.as_slice()].concat();
        let mut places = vec![branch];
        places.extend(remotes.iter().map(|to| [b"refs/remotes/", &**to, b"/", &**name].concat()));
        for place in places {
            if let Some(id) = loose(&place) {
                refs.keep(Kept::Refs, id);
            }
            let log = file(&[b"logs/", place.as_slice()].concat()).unwrap_or_default();
            lines(&log).for_each(|line| logged(line, Kept::Reflog, &mut refs));
        }
    }
    if let Some(stash) = loose(b"refs/stash") {
        refs.keep(Kept::Stash, stash);
    }
    let log = file(b"logs/refs/stash").unwrap_or_default();
    lines(&log).for_each(|line| logged(line, Kept::Stash, &mut refs));
    for name in [&b"ORIG_HEAD"[..], b"FETCH_HEAD", b"MERGE_HEAD", b"CHERRY_PICK_HEAD"] {
        if let Some(id) = loose(name) {
            refs.keep(Kept::Reflog, id);
        }
    }
    refs
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(limits::GIT_REFS)
}

/// A line of `packed-refs`: an id and a name, or what a tag before it is on.
fn packed_ref(line: &[u8]) -> Option<(Id, &[u8])> {
    match line.strip_prefix(b"^") {
        Some(peeled) => Some((unhex(peeled)?, b"")),
        None => Some((unhex(line)?, line.get(41..)?.trim_ascii())),
    }
}

/// A line of a log: what a ref was, and what it became.
fn logged(line: &[u8], kept: Kept, refs: &mut Refs) {
    for id in [unhex(line), line.get(41..).and_then(unhex)].into_iter().flatten() {
        refs.keep(kept, id);
    }
}

/// An object that is kept by itself.
pub(super) fn loose(siblings: Siblings<'_>, folder: &[u8], id: &Id) -> Option<(Kind, Vec<u8>)> {
    let name = hex(id);
    let (first, rest) = name.split_at_checked(2)?;
    let path = [folder, b"objects/", first.as_bytes(), b"/", rest.as_bytes()].concat();
    let packed = siblings.read(&path, limits::GIT_OBJECT_BYTES)?;
    let most = u64::try_from(limits::GIT_OBJECT_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let _ = ZlibDecoder::new(packed.as_slice()).take(most).read_to_end(&mut bytes);
    let (kind, _, start) = header(&bytes)?;
    bytes.drain(..start);
    Some((kind, bytes))
}
