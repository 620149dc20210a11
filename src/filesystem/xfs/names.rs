//! Names: which directory calls which inode what, and the paths that follow from it.

use super::Xfs;
use super::directory::{Entry, Sink};
use crate::limits;

const NAME_LEN_BITS: u32 = 8;
const NAME_LEN_MASK: u64 = 0xff;
/// The free tag stands in the high half of a freed entry's inode number.
const LOW_HALF: u64 = 0xffff_ffff;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    child: u64,
    parent: u64,
    /// Where the name lies in the arena, and its length in the lowest byte.
    name: u64,
}

/// All names of a filesystem, while it is walked.
#[derive(Debug, Default)]
pub(super) struct Names {
    root: u64,
    arena: Vec<u8>,
    live: Vec<Link>,
    freed: Vec<Link>,
    /// Inodes named by freed entries whose chunks were given back.
    gone: Vec<u64>,
    /// Whether there were more than are kept.
    pub(super) truncated: bool,
}

impl Names {
    pub(super) fn new(root: u64) -> Names {
        Names { root, ..Names::default() }
    }

    /// Takes the entries of the directory `parent`.
    pub(super) fn sink<'a>(&'a mut self, fs: &'a Xfs, parent: u64) -> DirectorySink<'a> {
        DirectorySink { names: self, fs, parent }
    }

    fn link(&mut self, child: u64, parent: u64, name: &[u8]) -> Option<Link> {
        if self.live.len().saturating_add(self.freed.len()) >= limits::XFS_DIRECTORY_ENTRIES {
            self.truncated = true;
            return None;
        }
        let at = u64::try_from(self.arena.len()).ok()?.checked_shl(NAME_LEN_BITS)?;
        let len = u64::from(u8::try_from(name.len()).ok()?);
        self.arena.extend_from_slice(name);
        Some(Link { child, parent, name: at | len })
    }

    /// To be called when all names are in.
    pub(super) fn sort(&mut self) {
        self.live.sort_unstable();
        self.freed.sort_unstable();
    }

    /// An inode to look at that only a freed entry points to.
    pub(super) fn next_gone(&mut self) -> Option<u64> {
        self.gone.pop()
    }

    fn name(&self, link: Link) -> &[u8] {
        let start = usize::try_from(link.name >> NAME_LEN_BITS).unwrap_or(usize::MAX);
        let len = usize::try_from(link.name & NAME_LEN_MASK).unwrap_or(0);
        start.checked_add(len).and_then(|end| self.arena.get(start..end)).unwrap_or_default()
    }

    fn of(links: &[Link], child: u64) -> &[Link] {
        let from = links.partition_point(|link| link.child < child);
        let rest = links.get(from..).unwrap_or_default();
        let count = rest.partition_point(|link| link.child == child);
        rest.get(..count).unwrap_or_default()
    }

    /// Every path of a live inode, sorted; one under `/$Orphan/` when no directory names it.
    pub(super) fn paths(&self, inode: u64) -> Vec<Box<[u8]>> {
        if inode == self.root {
            return vec![Box::from(*b"/")];
        }
        let paths = self.all(Names::of(&self.live, inode));
        if paths.is_empty() { vec![orphan(inode).into()] } else { paths }
    }

    /// What a deleted inode was called, as far as freed entries tell.
    pub(super) fn former_paths(&self, inode: u64) -> Vec<Box<[u8]>> {
        self.all(Names::of(&self.freed, inode))
    }

    fn all(&self, links: &[Link]) -> Vec<Box<[u8]>> {
        let links = links.iter().take(limits::XFS_NAMES_PER_FILE);
        let mut paths: Vec<Box<[u8]>> = links.map(|link| self.path(*link)).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    fn path(&self, link: Link) -> Box<[u8]> {
        let mut names = vec![self.name(link)];
        let mut len = self.name(link).len().saturating_add(1);
        let mut at = link.parent;
        let mut top = Vec::new();
        while at != self.root {
            let live = Names::of(&self.live, at).first();
            let Some(up) = live.or_else(|| Names::of(&self.freed, at).first()) else {
                top = orphan(at);
                break;
            };
            len = len.saturating_add(self.name(*up).len()).saturating_add(1);
            if names.len() >= limits::PATH_DEPTH || len > limits::PATH_BYTES {
                names.truncate(1);
                top = orphan(link.parent);
                break;
            }
            names.push(self.name(*up));
            at = up.parent;
        }
        let mut path = top;
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        path.into()
    }
}

fn orphan(inode: u64) -> Vec<u8> {
    format!("/$Orphan/{inode}").into_bytes()
}

/// Takes the entries of one directory.
pub(super) struct DirectorySink<'a> {
    names: &'a mut Names,
    fs: &'a Xfs,
    parent: u64,
}

impl Sink for DirectorySink<'_> {
    fn live(&mut self, entry: Entry<'_>) {
        if let Some(link) = self.names.link(entry.inode, self.parent, entry.name) {
            self.names.live.push(link);
        }
    }

    /// Kept when the inode it names is free or gone; the others were renamed, or are used again.
    fn freed(&mut self, entry: Entry<'_>) {
        let near = (self.parent & !LOW_HALF) | (entry.inode & LOW_HALF);
        let low = entry.inode & LOW_HALF;
        let known = |&inode: &u64| self.fs.is_free(inode) || self.fs.place_of_gone(inode).is_some();
        let child = [entry.inode, near, low].into_iter().find(known);
        let gone = child.filter(|&child| !self.fs.is_free(child));
        let link = child.and_then(|child| self.names.link(child, self.parent, entry.name));
        if let Some(link) = link {
            self.names.freed.push(link);
            self.names.gone.extend(gone);
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "the bytes are the test's own"
)]
mod tests {
    use super::*;

    fn names(links: &[(u64, u64, &[u8])]) -> Names {
        let mut names = Names::new(1);
        for &(child, parent, name) in links {
            let link = names.link(child, parent, name).unwrap();
            names.live.push(link);
        }
        names.sort();
        names
    }

    #[test]
    fn builds_paths() {
        let names = names(&[(2, 1, b"etc"), (3, 2, b"hosts"), (3, 1, b"copy"), (5, 4, b"lost")]);
        let paths = |inode| {
            let paths = names.paths(inode);
            paths.iter().map(|p| String::from_utf8_lossy(p).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(paths(1), ["/"]);
        assert_eq!(paths(3), ["/copy", "/etc/hosts"]);
        assert_eq!(paths(5), ["/$Orphan/4/lost"]);
        assert_eq!(paths(6), ["/$Orphan/6"]);
    }

    #[test]
    fn a_loop_of_directories_ends() {
        let names = names(&[(2, 3, b"a"), (3, 2, b"b"), (4, 3, b"f")]);
        assert_eq!(&*names.paths(4)[0], b"/$Orphan/3/f");
    }
}
