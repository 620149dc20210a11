//! The names of a filesystem: which directories name an inode, and how. Kept while walking.

use super::inode::ROOT;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;

#[derive(Clone, Copy, Debug)]
struct Name {
    child: u32,
    parent: u32,
    start: u32,
    len: u16,
}

/// Which directories name an inode, and how.
#[derive(Default)]
pub(super) struct Names {
    list: Vec<Name>,
    bytes: Vec<u8>,
    /// The directory whose path was built last, and that path: neighbours share it.
    last: Option<(u32, Vec<u8>)>,
    /// Bytes of whole paths that may still be handed out.
    bytes_left: u64,
    /// Names that may still be kept, in bytes of memory.
    room: u64,
}

impl Names {
    /// No names yet, of a filesystem of so many inodes.
    pub(super) fn of(inodes: u32) -> Names {
        let most = u64::from(inodes)
            .saturating_mul(limits::EXT_PATH_BYTES_PER_INODE)
            .saturating_add(limits::EXT_PATH_BYTES);
        Names { bytes_left: most, room: most, ..Names::default() }
    }

    /// The directory `parent` calls the inode `child` so.
    pub(super) fn add(&mut self, child: u32, parent: u32, name: &[u8]) -> Result<()> {
        let full = || Error::new(ErrorKind::Limit, "filesystem has too many names");
        let start = u32::try_from(self.bytes.len()).map_err(|_| full())?;
        let len = u16::try_from(name.len()).map_err(|_| full())?;
        // Many extents may point at one block of names.
        let taken = u64::try_from(name.len().saturating_add(size_of::<Name>())).unwrap_or(u64::MAX);
        self.room = self.room.checked_sub(taken).ok_or_else(full)?;
        self.bytes.extend_from_slice(name);
        self.list.push(Name { child, parent, start, len });
        Ok(())
    }

    /// The inode the name number `index` stands for, in the order they were added until
    /// [`Names::sort`].
    pub(super) fn child(&self, index: usize) -> Option<u32> {
        self.list.get(index).map(|name| name.child)
    }

    /// Order them by inode; paths can be asked for from then on, in reason for so many inodes.
    pub(super) fn sort(&mut self) {
        self.list.sort_unstable_by_key(|name| (name.child, name.parent, name.start));
    }

    /// Every path of an inode, sorted, or one under `/$Orphan`; and whether some were left out.
    pub(super) fn paths(&mut self, inode: u32) -> (Vec<Box<[u8]>>, bool) {
        if inode == ROOT {
            return (vec![b"/"[..].into()], false);
        }
        let range = self.range(inode);
        let whole = range.len() <= limits::EXT_PATHS_PER_FILE;
        let mut paths = Vec::new();
        for index in range.take(limits::EXT_PATHS_PER_FILE) {
            let Some(name) = self.list.get(index).copied() else { continue };
            let mut path = self.directory(name.parent);
            path.push(b'/');
            path.extend_from_slice(self.text(name));
            let len = u64::try_from(path.len()).unwrap_or(u64::MAX);
            self.bytes_left = self.bytes_left.saturating_sub(len);
            paths.push(path.into_boxed_slice());
        }
        if paths.is_empty() {
            paths.push(orphan(inode).into());
        }
        paths.sort_unstable();
        paths.dedup();
        (paths, !whole)
    }

    /// Whether some directory names the inode.
    pub(super) fn has(&self, inode: u32) -> bool {
        !self.range(inode).is_empty()
    }

    fn range(&self, inode: u32) -> std::ops::Range<usize> {
        let start = self.list.partition_point(|name| name.child < inode);
        let rest = self.list.get(start..).unwrap_or_default();
        start..start.saturating_add(rest.partition_point(|name| name.child == inode))
    }

    fn text(&self, name: Name) -> &[u8] {
        let start = usize::try_from(name.start).unwrap_or(usize::MAX);
        let end = start.saturating_add(name.len.into());
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The path of a directory, without a slash at its end.
    fn directory(&mut self, inode: u32) -> Vec<u8> {
        if let Some((last, path)) = &self.last
            && *last == inode
        {
            return path.clone();
        }
        let path = if self.bytes_left > 0 { self.climb(inode) } else { orphan(inode) };
        self.last = Some((inode, path.clone()));
        path
    }

    /// Follow parents up to the root. A path that is too long, a loop or a directory nobody names
    /// begins under `/$Orphan`, with the topmost directory that was reached.
    fn climb(&self, inode: u32) -> Vec<u8> {
        let mut parts: Vec<&[u8]> = Vec::new();
        let (mut at, mut len) = (inode, 0usize);
        while at != ROOT {
            let Some(name) = self.list.get(self.range(at).start).filter(|n| n.child == at) else {
                break;
            };
            let text = self.text(*name);
            len = len.saturating_add(text.len()).saturating_add(1);
            if parts.len() >= limits::PATH_DEPTH || len > limits::PATH_BYTES {
                break;
            }
            parts.push(text);
            at = name.parent;
        }
        let mut path = if at == ROOT { Vec::new() } else { orphan(at) };
        for part in parts.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(part);
        }
        path
    }
}

fn orphan(inode: u32) -> Vec<u8> {
    format!("/$Orphan/{inode}").into_bytes()
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tests trust their own data"
)]
mod tests {
    use super::*;

    fn paths(names: &[(u32, u32, &str)], inode: u32) -> Vec<String> {
        let mut table = Names::of(100);
        for (child, parent, name) in names {
            table.add(*child, *parent, name.as_bytes()).unwrap();
        }
        table.sort();
        let (paths, _) = table.paths(inode);
        paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    }

    #[test]
    fn climbs_to_the_root() {
        let names = [(12, 2, "etc"), (13, 12, "b"), (13, 2, "a"), (14, 99, "lost"), (12, 2, "etc")];
        assert_eq!(paths(&names, 2), ["/"]);
        assert_eq!(paths(&names, 12), ["/etc"]);
        assert_eq!(paths(&names, 13), ["/a", "/etc/b"]);
        assert_eq!(paths(&names, 14), ["/$Orphan/99/lost"]);
        assert_eq!(paths(&names, 15), ["/$Orphan/15"]);
    }

    /// Each of many extents that point at one block of names told them all, and all were kept.
    #[test]
    fn names_without_end_are_cut() {
        let mut table = Names::of(0);
        let most = usize::try_from(limits::EXT_PATH_BYTES).unwrap() / (255 + size_of::<Name>());
        let kept = (0..=most).take_while(|_| table.add(12, 2, &[b'a'; 255]).is_ok()).count();
        assert_eq!(kept, most);
    }

    #[test]
    fn a_loop_of_directories_ends() {
        let found = paths(&[(12, 13, "a"), (13, 12, "b"), (20, 12, "x")], 20);
        assert!(found[0].starts_with("/$Orphan/1") && found[0].ends_with("/b/a/x"));
        assert!(found[0].len() <= limits::PATH_BYTES + 300);
    }
}
