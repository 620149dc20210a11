//! Git: objects kept one by one, packs and bundles
//! ([format](https://git-scm.com/docs/gitformat-pack)).
//!
//! Of every file of every commit it is told which object it is, under which path and by which
//! commit it came, and whether the commit that is checked out still has it. Within a pack that is
//! found out beforehand, so that a file has its name when it is handed out; the objects that are
//! kept one by one leave clues.

mod delta;
mod history;
mod join;
mod loose;
mod object;
mod pack;
mod refs;
mod table;
#[cfg(test)]
mod tests;

pub(super) use join::JOIN;
pub(super) use loose::UNPACKER as LOOSE;

use super::{Found, From, Given, Head, Member, Open, Out, Unpacker};
use crate::blob::Clue;
use crate::bytes::{ReadAt, read_vec};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::run::Run;
use history::{About, History, Kept, Objects, Refs};
use object::{Id, Kind, hex, unhex};
use pack::Source;
use std::cell::RefCell;
use table::Store;

pub(super) const PACK: Unpacker =
    Unpacker { name: "git", applies: is_pack, open: Open::Random(open_pack) };

pub(super) const BUNDLE: Unpacker =
    Unpacker { name: "git-bundle", applies: is_bundle, open: Open::Random(open_bundle) };

fn is_pack(head: &Head<'_>) -> bool {
    matches!(head.bytes, [b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, ..])
}

fn is_bundle(head: &Head<'_>) -> bool {
    head.bytes.starts_with(b"# v2 git bundle\n") || head.bytes.starts_with(b"# v3 git bundle\n")
}

fn open_pack(bytes: &dyn ReadAt, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let folder = refs::repository(given.name).filter(|_| given.siblings.0.is_some());
    let refs = folder.map(|folder| refs::read(given.siblings, folder)).unwrap_or_default();
    opened(Source::new(bytes, 0), (given, folder), &refs, out)
}

/// A bundle: what it needs and what it brings, and then a pack.
fn open_bundle(bytes: &dyn ReadAt, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let len = usize::try_from(bytes.len()).unwrap_or(usize::MAX).min(limits::GIT_REF_BYTES);
    let head = read_vec(bytes, 0, len)?;
    let none = || Error::corrupt("a bundle holds no pack");
    let end = memchr::memmem::find(&head, b"\n\nPACK").ok_or_else(none)?;
    let mut refs = Refs::default();
    let lines = head.get(..end).unwrap_or_default().split(|byte| *byte == b'\n');
    for line in lines.skip(1).take(limits::GIT_REFS) {
        if line.starts_with(b"@object-format") && !line.ends_with(b"sha1") {
            return Err(Error::unsupported("a bundle of a repository with other ids"));
        }
        let Some(id) = unhex(line) else { continue };
        refs.keep(Kept::Refs, id);
        if line.get(41..) == Some(b"HEAD") {
            refs.head = Some(id);
        }
    }
    let base = u64::try_from(end.saturating_add(2)).unwrap_or(u64::MAX);
    opened(Source::new(bytes, base), (given, None), &refs, out)
}

/// Open a pack, in the repository whose folder that is.
fn opened(
    mut source: Source<'_>,
    (given, folder): (&Given<'_>, Option<&[u8]>),
    refs: &Refs,
    out: Out<'_>,
) -> Result<()> {
    let count = pack::count(&mut source)?;
    let mut indexed = None;
    if let Some(stem) = given.name.strip_suffix(b".pack").filter(|_| folder.is_some()) {
        let _ = given.siblings.with(&[stem, b".idx"].concat(), &mut |idx| {
            indexed = pack::index(idx, &source);
        });
    }
    // The checksum behind the objects is no object.
    let sum = if source.end > 32 { 20 } else { 0 };
    source.end = source.end.saturating_sub(sum);
    let mut store = Store::new(source);
    let listed = indexed.filter(|objects| u64::try_from(objects.len()).ok() == Some(count));
    let damage = match listed {
        Some(objects) => {
            store.listed(&objects);
            Ok(())
        }
        None => store.scanned(count),
    };
    let (history, read) = history(&mut store, (given, folder), refs);
    if let (Some(head), true) = (refs.head, history.head_known && folder.is_some()) {
        let key = folder.unwrap_or_default();
        let (at, key, value) = (given.at.clone(), key.into(), head.into());
        out(Found::Clue(Clue { kind: "git-head", at, key, value }))?;
    }
    let handed = objects(&mut store, &history, out)?;
    damage.and(read).and(handed)
}

/// What is known of the objects before they are handed out, and the first damage met.
fn history(
    store: &mut Store<'_>,
    (given, folder): (&Given<'_>, Option<&[u8]>),
    refs: &Refs,
) -> (History, Result<()>) {
    let count = store.table.len();
    let store = RefCell::new(store);
    let (mut left, mut bytes) = (limits::GIT_OUTSIDE, limits::GIT_OUTSIDE_BYTES);
    let find = |id: &Id| store.borrow().table.find(id);
    let id = |number: u32| store.borrow().table.id(number);
    let kind = |number: u32| store.borrow().table.kind(number);
    let mut damage = Ok(());
    let mut read = |number: u32| match store.borrow_mut().content(number) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            damage = std::mem::replace(&mut damage, Ok(())).and(Err(error));
            None
        }
    };
    let mut outside = |id: &Id| {
        left = left.checked_sub(1).filter(|_| bytes > 0)?;
        let found = refs::loose(given.siblings, folder?, id);
        bytes = bytes.saturating_sub(found.as_ref().map_or(0, |(_, bytes)| bytes.len()));
        found
    };
    let mut objects = Objects {
        count,
        find: &find,
        id: &id,
        kind: &kind,
        read: &mut read,
        outside: &mut outside,
    };
    let history = History::read(&mut objects, refs);
    (history, damage)
}

/// Hand out everything but the trees, each object behind what it is made from. The inner result
/// is the first damage.
fn objects(store: &mut Store<'_>, history: &History, out: Out<'_>) -> Result<Result<()>> {
    let mut damage = Ok(());
    let count = store.table.len();
    let whole = (0..count).rev().filter(|number| !store.table.is_delta(*number));
    let mut pending: Vec<u32> = whole.collect();
    let mut handed = vec![false; usize::try_from(count).unwrap_or(0)];
    while let Some(number) = pending.pop() {
        let first = handed.get_mut(usize::try_from(number).unwrap_or(usize::MAX));
        if first.is_none_or(|handed| std::mem::replace(handed, true)) {
            continue;
        }
        pending.extend(store.table.children(number).iter().rev());
        match store.table.kind(number) {
            Some(Kind::Tree) => {}
            Some(kind) => damage = damage.and(object(store, (number, kind), history, out)?),
            None => damage = damage.and(orphan(store, number, out)?),
        }
    }
    // Deltas of what is not there.
    for (number, handed) in (0u32..).zip(&handed) {
        if !handed {
            damage = damage.and(orphan(store, number, out)?);
        }
    }
    Ok(damage)
}

/// The packed bytes of an object.
fn packed(store: &Store<'_>, number: u32) -> From {
    let start = store.table.offset(number);
    let next = number.checked_add(1).map(|next| store.table.offset(next));
    let end = next.filter(|end| *end != u64::MAX).unwrap_or(store.source.end);
    From::Packed(Run::between(store.source.place(start), store.source.place(end)))
}

/// Hand out an object.
fn object(
    store: &mut Store<'_>,
    (number, kind): (u32, Kind),
    history: &History,
    out: Out<'_>,
) -> Result<Result<()>> {
    let from = packed(store, number);
    let id = store.table.id(number);
    let about = match (kind, id) {
        (Kind::Blob, Some(_)) => history.about(number),
        (Kind::Commit, Some(id)) => history.about_commit(&id),
        _ => About::default(),
    };
    let shown = id.map_or_else(|| format!("@{}", store.table.offset(number)), |id| hex(&id));
    let name = match (kind, &about.path) {
        (Kind::Blob, Some(path)) => path.clone(),
        (Kind::Blob, None) => format!("$object/{shown}").into_bytes(),
        _ => format!("${}/{shown}", kind.word()).into_bytes(),
    };
    let mut facts = Vec::new();
    if id.is_some() && kind != Kind::Commit {
        facts.push(("object", shown));
    }
    if id.is_some() {
        facts.extend(about.facts());
    }
    let (name, facts) = (name.as_slice(), facts.as_slice());
    if store.table.is_delta(number) {
        let bytes = match store.content(number) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::Limit => {
                out(Found::Closed { name: Some(name), error })?;
                return Ok(Ok(()));
            }
            Err(error) => return orphan(store, number, out).map(|orphan| orphan.and(Err(error))),
        };
        let (size, mut bytes) = (u64::try_from(bytes.len()).ok(), bytes.as_slice());
        let member = Member::new(Some(name), &mut bytes);
        return out(Found::Member(Member { size, from, facts, ..member })).map(Ok);
    }
    match store.stream(number) {
        Ok((size, mut bytes)) => {
            let member = Member::new(Some(name), &mut bytes);
            out(Found::Member(Member { size: Some(size), from, facts, ..member })).map(Ok)
        }
        Err(error) => Ok(Err(error)),
    }
}

/// Hand out what a delta adds of its own, as what it is made from is not there.
fn orphan(store: &mut Store<'_>, number: u32, out: Out<'_>) -> Result<Result<()>> {
    let delta = match store.inflate(number) {
        Ok(delta) => delta::own(&delta),
        Err(error) => return Ok(Err(error)),
    };
    let from = packed(store, number);
    let shown = store.table.id(number).map(|id| hex(&id));
    let shown = shown.unwrap_or_else(|| format!("@{}", store.table.offset(number)));
    let name = format!("$delta/{shown}").into_bytes();
    let mut bytes = delta.as_slice();
    let member = Member::new(Some(&name), &mut bytes);
    let facts = [("base", "missing".to_owned())];
    out(Found::Member(Member { from, facts: &facts, ..member })).map(Ok)
}
