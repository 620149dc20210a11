//! The join: what the objects of a repository that are kept one by one say of one another.

use super::history::{History, Kept, Objects, Refs};
use super::object::{Id, Kind, unhex};
use crate::blob::{Change, Clue, Join};
use crate::locator::{Area, Locator};
use std::collections::BTreeMap;
use std::rc::Rc;

pub(in crate::content) const JOIN: Join = Join {
    name: "git",
    needs: &["git-blob", "git-tree", "git-commit", "git-tag", "git-ref", "git-head"],
    run,
};

/// Clues of one repository.
type Repositories<'c> = BTreeMap<(Locator, &'c [u8]), Vec<&'c Clue>>;

fn run(clues: &[Clue], change: &mut dyn FnMut(Change)) {
    let mut repositories = Repositories::new();
    for clue in clues {
        let folder = match clue.kind {
            "git-ref" => place(&clue.at, 0),
            "git-head" => place(&clue.at, 3),
            _ => place(&clue.at, 3),
        };
        if let Some(folder) = folder {
            repositories.entry(folder).or_default().push(clue);
        }
    }
    for clues in repositories.values() {
        repository(clues, change);
    }
}

/// The path of a file without its last parts, and all else of its place.
fn place(at: &Locator, parts: usize) -> Option<(Locator, &[u8])> {
    let path = match at.members.last() {
        Some(last) => last.name.as_deref()?,
        None => at.path()?,
    };
    let mut folder = path;
    for _ in 0..parts {
        folder = folder.get(..memchr::memrchr(b'/', folder).unwrap_or(0))?;
    }
    let mut around = at.clone();
    match around.members.last_mut() {
        Some(last) => last.name = None,
        None => around.area = Area::Whole,
    }
    Some((around, folder))
}

/// What is told of the objects of one repository.
fn repository(clues: &[&Clue], change: &mut dyn FnMut(Change)) {
    let mut objects: Vec<(Id, Kind, &Clue)> = Vec::new();
    let mut names: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
    let mut packed = None;
    for clue in clues {
        let kind = match clue.kind {
            "git-blob" => Kind::Blob,
            "git-tree" => Kind::Tree,
            "git-commit" => Kind::Commit,
            "git-tag" => Kind::Tag,
            "git-head" => {
                packed = Id::try_from(&*clue.value).ok();
                continue;
            }
            _ => {
                let _ = names.insert(&clue.key, &clue.value);
                continue;
            }
        };
        if let Ok(id) = Id::try_from(&*clue.key) {
            objects.push((id, kind, clue));
        }
    }
    objects.sort_by_key(|(id, ..)| *id);
    objects.dedup_by_key(|(id, ..)| *id);
    let refs = refs(&names);
    let get = |number: u32| objects.get(usize::try_from(number).ok()?);
    let find = |id: &Id| u32::try_from(objects.binary_search_by_key(id, |(id, ..)| *id).ok()?).ok();
    let id = |number: u32| get(number).map(|(id, ..)| *id);
    let kind = |number: u32| get(number).map(|(_, kind, _)| *kind);
    let mut read = |number: u32| get(number).map(|(.., clue)| Rc::new(clue.value.to_vec()));
    let mut outside = |_: &Id| None;
    let mut history = History::read(
        &mut Objects {
            count: u32::try_from(objects.len()).unwrap_or(0),
            find: &find,
            id: &id,
            kind: &kind,
            read: &mut read,
            outside: &mut outside,
        },
        &refs,
    );
    // What a pack has all of is not among these.
    history.head_known |= refs.head.is_some() && packed == refs.head;
    for (number, (id, kind, clue)) in (0u32..).zip(&objects) {
        let about = match kind {
            Kind::Blob => history.about(number),
            Kind::Commit => history.about_commit(id),
            _ => continue,
        };
        for (name, value) in about.facts() {
            if *kind != Kind::Commit || name != "commit" {
                change(Change::Fact { at: clue.at.clone(), name, value });
            }
        }
    }
}

/// The refs, by what was read of each: an id, the ids of a log, or the name of another.
fn refs(names: &BTreeMap<&[u8], &[u8]>) -> Refs {
    let mut refs = Refs::default();
    let id = |value: &[u8]| unhex(value);
    if let Some(head) = names.get(&b"HEAD"[..]) {
        refs.head = match head.strip_prefix(b"ref: ") {
            Some(name) => names.get(name.trim_ascii()).and_then(|value| id(value)),
            None => id(head),
        };
    }
    for (name, value) in names {
        let kept = match *name {
            b"HEAD" => continue,
            b"refs/stash" | b"logs/refs/stash" => Kept::Stash,
            name if name.starts_with(b"refs/") => Kept::Refs,
            _ => Kept::Reflog,
        };
        for word in value.split(u8::is_ascii_whitespace) {
            if let Some(id) = id(word) {
                refs.keep(kept, id);
            }
        }
    }
    refs
}
