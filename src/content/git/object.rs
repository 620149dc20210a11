//! Objects: their ids, and what commits and trees say
//! ([format](https://git-scm.com/book/en/v2/Git-Internals-Git-Objects)).

use crate::limits;
use sha1::{Digest, Sha1};
use std::fmt::Write as _;

/// The SHA-1 of an object.
pub(super) type Id = [u8; 20];

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    pub(super) const ALL: [Kind; 4] = [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag];

    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
            Kind::Tag => "tag",
        }
    }
}

/// The hash that makes an object's id, its header taken in.
pub(super) fn hash(kind: Kind, size: u64) -> Sha1 {
    let mut hash = Sha1::new();
    hash.update(format!("{} {size}\0", kind.word()));
    hash
}

pub(super) fn id(kind: Kind, bytes: &[u8]) -> Id {
    let mut hash = hash(kind, u64::try_from(bytes.len()).unwrap_or(0));
    hash.update(bytes);
    hash.finalize().into()
}

/// The header of a loose object: its kind, its size, and the length of the header itself.
pub(super) fn header(bytes: &[u8]) -> Option<(Kind, u64, usize)> {
    let head = bytes.get(..32).unwrap_or(bytes);
    let end = memchr::memchr(0, head)?;
    let text = std::str::from_utf8(head.get(..end)?).ok()?;
    let (word, size) = text.split_once(' ')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word)?;
    Some((kind, size.parse().ok()?, end.checked_add(1)?))
}

pub(super) fn hex(id: &[u8]) -> String {
    let mut text = String::with_capacity(id.len().saturating_mul(2));
    for byte in id {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The id that a text begins with.
pub(super) fn unhex(text: &[u8]) -> Option<Id> {
    let text = std::str::from_utf8(text.get(..40)?).ok()?;
    let mut id = [0; 20];
    for (number, byte) in id.iter_mut().enumerate() {
        let at = number.checked_mul(2)?;
        *byte = u8::from_str_radix(text.get(at..at.checked_add(2)?)?, 16).ok()?;
    }
    Some(id)
}

/// What a commit says of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) tree: Id,
    pub(super) parents: Vec<Id>,
    /// When it was made, in seconds since 1970.
    pub(super) time: i64,
}

/// Read the header of a commit.
pub(super) fn commit(bytes: &[u8]) -> Option<Commit> {
    let mut commit =
        Commit { tree: unhex(bytes.strip_prefix(b"tree ")?)?, parents: vec![], time: 0 };
    for line in bytes.split(|byte| *byte == b'\n').skip(1).take(limits::GIT_PARENTS) {
        if line.is_empty() {
            break;
        } else if let Some(parent) = line.strip_prefix(b"parent ").and_then(unhex) {
            commit.parents.push(parent);
        } else if let Some(who) = line.strip_prefix(b"committer ") {
            let mut words = who.rsplit(|byte| *byte == b' ').skip(1);
            let time = words.next().and_then(|word| std::str::from_utf8(word).ok());
            commit.time = time.and_then(|word| word.parse().ok()).unwrap_or(0);
        }
    }
    Some(commit)
}

/// What an annotated tag is on.
pub(super) fn tagged(bytes: &[u8]) -> Option<Id> {
    unhex(bytes.strip_prefix(b"object ")?)
}

/// An entry of a tree.
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    pub(super) id: Id,
    pub(super) is_tree: bool,
}

/// The entries of a tree, up to where it contradicts the format.
pub(super) fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let space = memchr::memchr(b' ', rest.get(..8).unwrap_or(rest))?;
        let mode = rest.get(..space)?;
        let behind = rest.get(space.checked_add(1)?..)?;
        let end = memchr::memchr(0, behind)?;
        let name = behind.get(..end)?;
        let (_, behind) = behind.split_at_checked(end.checked_add(1)?)?;
        let (id, behind) = behind.split_first_chunk::<20>()?;
        rest = behind;
        Some(Entry { name, id: *id, is_tree: matches!(mode, b"40000" | b"040000") })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_git() {
        let empty = hex(&id(Kind::Blob, b""));
        assert_eq!(empty, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(hex(&id(Kind::Tree, b"")), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_eq!(unhex(empty.as_bytes()), Some(id(Kind::Blob, b"")));
        assert_eq!(unhex("é".repeat(20).as_bytes()), None);
        assert_eq!(header(b"tree 12\0x"), Some((Kind::Tree, 12, 8)));
        assert_eq!(header(b"tree 99999999999999999999\0"), None);
    }

    #[test]
    fn commits_and_trees_are_read() {
        let (tree, parent) = ("11".repeat(20), "22".repeat(20));
        let text = format!(
            "tree {tree}\nparent {parent}\nauthor A <a> 1 +0\ncommitter C <c> 170 +0100\n\nparent x"
        );
        let read = commit(text.as_bytes()).unwrap();
        assert_eq!(read, Commit { tree: [0x11; 20], parents: vec![[0x22; 20]], time: 170 });
        assert_eq!(commit(b"tree 1"), None);
        let bytes =
            [b"100644 a b\0".as_slice(), &[1; 20], b"40000 c\0", &[2; 20], b"100644 d\0x"].concat();
        let names: Vec<_> =
            entries(&bytes).map(|e| (e.name.to_vec(), e.id[0], e.is_tree)).collect();
        assert_eq!(names, [(b"a b".to_vec(), 1, false), (b"c".to_vec(), 2, true)]);
    }
}
