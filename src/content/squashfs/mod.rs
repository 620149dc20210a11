//! squashfs 4: a filesystem in one file that is only read, packed block by block; what snaps and
//! live systems come as ([format](https://dr-emann.github.io/squashfs/squashfs.html)).
//!
//! Files are handed out in the order of their bytes. Where the directories are damaged, what no
//! name leads to is named by its inode.

mod data;
mod inode;
mod table;

use super::notes::Notes;
use super::packed::Method;
use super::{Found, Given, Head, Member, Open, Out, Unpacker};
use crate::blob::Meta;
use crate::bytes::{ReadAt, read_vec, u16_le, u32_le, u64_le};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use data::Reader;
use inode::{Data, Inode, Kind, inode, names, xattrs};
use std::collections::HashSet;
use std::rc::Rc;
use table::{Cursor, Tables};

pub(super) const UNPACKER: Unpacker =
    Unpacker { name: "squashfs", applies, open: Open::Random(open) };

/// Bytes of the superblock.
const SUPERBLOCK: usize = 96;

/// Where a table stands that there is none of.
const NO_TABLE: u64 = u64::MAX;

/// By the magic, and a block length that a squashfs may have.
fn applies(head: &Head<'_>) -> bool {
    head.bytes.starts_with(b"hsqs")
        && u16_le(head.bytes, 22).is_ok_and(|log| (12..=20).contains(&log))
}

fn open(bytes: &dyn ReadAt, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let (mut image, root) = Image::open(bytes)?;
    let mut found = image.tree(root, out)?;
    if found.damage.is_some() {
        image.lost(&mut found);
    }
    found.files.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
    // A file with many names has one inode.
    found.files.dedup_by_key(|file| file.inode);
    let mut notes = Notes::default();
    for file in &found.files {
        image.file(file, &mut notes, out)?;
    }
    notes.flush(out)?;
    found.damage.map_or(Ok(()), Err)
}

/// A squashfs.
struct Image<'a> {
    tables: Tables<'a>,
    block_bytes: usize,
    ids: u64,
    inodes: u64,
    directories: u64,
    fragments: u64,
    attributes: u64,
    last_fragment: Option<(u32, Rc<[u8]>)>,
}

/// What the directories lead to.
#[derive(Default)]
struct Listing {
    files: Vec<Entry>,
    /// Bytes of all paths.
    bytes: usize,
    /// The first damage, or that there is too much.
    damage: Option<Error>,
}

/// A file, and what the order is made by: where its bytes stand, and where in a fragment.
struct Entry {
    path: Box<[u8]>,
    at: u64,
    inner: u32,
    inode: u64,
    number: u32,
}

impl Entry {
    fn order(&self) -> impl Ord + use<'_> {
        (self.at, self.inner, self.inode, &*self.path)
    }
}

impl Image<'_> {
    fn open(bytes: &dyn ReadAt) -> Result<(Image<'_>, u64)> {
        let block = read_vec(bytes, 0, SUPERBLOCK)?;
        let block_bytes = u32_le(&block, 12)?;
        let (version, log) = (u16_le(&block, 28)?, u16_le(&block, 22)?);
        if version != 4 {
            return Err(Error::unsupported("a squashfs of an old version").detail(version));
        }
        if 1_u32.checked_shl(u32::from(log)) != Some(block_bytes) {
            return Err(Error::corrupt("the block length of a squashfs contradicts itself"));
        }
        let method = match u16_le(&block, 20)? {
            1 => Method::Zlib,
            4 => Method::Xz,
            5 => Method::Lz4,
            6 => Method::Zstd,
            2 => return Err(Error::unsupported("a squashfs that is packed with LZMA")),
            3 => return Err(Error::unsupported("a squashfs that is packed with LZO")),
            other => return Err(Error::corrupt("no such packing of a squashfs").detail(other)),
        };
        let image = Image {
            tables: Tables::new(bytes, method),
            block_bytes: usize::try_from(block_bytes).unwrap_or(usize::MAX),
            ids: u64_le(&block, 48)?,
            attributes: u64_le(&block, 56)?,
            inodes: u64_le(&block, 64)?,
            directories: u64_le(&block, 72)?,
            fragments: u64_le(&block, 80)?,
            last_fragment: None,
        };
        Ok((image, u64_le(&block, 32)?))
    }

    fn inode(&mut self, reference: u64) -> Result<Inode> {
        inode(&mut self.tables, &mut Cursor::of(self.inodes, reference)?)
    }

    /// List the files below a directory. What cannot be read is told, and stepped over.
    fn tree(&mut self, root: u64, out: Out<'_>) -> Result<Listing> {
        let mut listing = Listing::default();
        let mut pending: Vec<(Box<[u8]>, u64)> = vec![(Box::default(), root)];
        let mut known = HashSet::from([root]);
        while let Some((path, reference)) = pending.pop() {
            if let Err(error) = self.directory(&path, reference, &mut listing, &mut |path, dir| {
                if known.insert(dir) {
                    pending.push((path, dir));
                }
            }) {
                if error.kind() == ErrorKind::Limit {
                    listing.damage = Some(error);
                    break;
                }
                let what = "a directory of a squashfs is damaged";
                listing.damage.get_or_insert(Error::corrupt(what));
                out(Found::Closed { name: Some(&path), error })?;
            }
        }
        Ok(listing)
    }

    fn directory(
        &mut self,
        path: &[u8],
        reference: u64,
        listing: &mut Listing,
        below: &mut dyn FnMut(Box<[u8]>, u64),
    ) -> Result<()> {
        let Kind::Directory { block, offset, size } = self.inode(reference)?.kind else {
            return Err(Error::corrupt("what should be a directory of a squashfs is none"));
        };
        let block = self.directories.saturating_add(u64::from(block));
        let mut at = Cursor { block, offset: usize::from(offset) };
        let mut entries = Vec::new();
        let read = names(&mut self.tables, &mut at, size, &mut |name, inode| {
            listing.bytes = listing.bytes.saturating_add(path.len()).saturating_add(name.len());
            let all = listing.files.len().saturating_add(entries.len());
            if all >= limits::SQUASHFS_FILES || listing.bytes > limits::SQUASHFS_PATH_BYTES {
                return Err(Error::new(ErrorKind::Limit, "a squashfs has too many files"));
            }
            let between: &[u8] = if path.is_empty() { b"" } else { b"/" };
            entries.push(([path, between, name].concat().into_boxed_slice(), inode));
            Ok(())
        });
        let mut damage = None;
        for (path, reference) in entries {
            if path.len() > limits::PATH_BYTES {
                damage = Some(Error::corrupt("a path in a squashfs is too long"));
                continue;
            }
            match self.inode(reference) {
                Ok(Inode { kind: Kind::Directory { .. }, .. }) => below(path, reference),
                Ok(Inode { kind: Kind::Other, xattr: None, .. }) => {}
                Ok(inode) => {
                    let entry = self.entry(path, reference, &inode);
                    listing.files.push(entry);
                }
                Err(error) => damage = Some(error),
            }
        }
        read.and(damage.map_or(Ok(()), Err))
    }

    fn entry(&mut self, path: Box<[u8]>, reference: u64, inode: &Inode) -> Entry {
        let unit = u64::try_from(self.block_bytes).unwrap_or(u64::MAX);
        let (at, inner) = match &inode.kind {
            Kind::File(Data { size, fragment: Some((number, inner)), .. }) if *size < unit => {
                (self.fragment(*number).map_or(0, |block| block.run.start), *inner)
            }
            Kind::File(data) => (data.start, 0),
            _ => (0, 0),
        };
        Entry { path, at, inner, inode: reference, number: inode.number }
    }

    /// Add the files that no directory leads to.
    fn lost(&mut self, listing: &mut Listing) {
        let known: HashSet<u32> = listing.files.iter().map(|file| file.number).collect();
        let mut at = Cursor { block: self.inodes, offset: 0 };
        while at.block < self.directories && listing.files.len() < limits::SQUASHFS_FILES {
            let Some(offset) = at.block.checked_sub(self.inodes).filter(|o| *o < 1 << 48) else {
                return;
            };
            let reference = offset << 16 | u64::try_from(at.offset).unwrap_or(0);
            let Ok(inode) = inode(&mut self.tables, &mut at) else { return };
            let Kind::File(data) = &inode.kind else { continue };
            if !known.contains(&inode.number) {
                let path = format!("inode {}", inode.number).into_bytes().into();
                let entry = self.entry(path, reference, &inode);
                listing.files.push(entry);
            }
            let unit = u64::try_from(self.block_bytes).unwrap_or(u64::MAX).max(1);
            let whole = data.size.checked_div(unit).unwrap_or(0);
            let some = data.fragment.is_some();
            let mut blocks = if some { whole } else { data.size.div_ceil(unit) };
            while blocks > 0 {
                let step = blocks.min(1024);
                blocks = blocks.saturating_sub(step);
                let len = usize::try_from(step).unwrap_or(0).saturating_mul(4);
                if self.tables.read(&mut at, len).is_err() {
                    return;
                }
            }
        }
    }

    /// Hand out a file.
    fn file(&mut self, entry: &Entry, notes: &mut Notes, out: Out<'_>) -> Result<()> {
        let name = Some(&*entry.path);
        let inode = match self.inode(entry.inode) {
            Ok(inode) => inode,
            Err(error) => return out(Found::Closed { name, error }),
        };
        if let Some(number) = inode.xattr.filter(|_| self.attributes != NO_TABLE) {
            match xattrs(&mut self.tables, self.attributes, number) {
                Ok(found) => {
                    for xattr in found.iter().filter(|x| !x.name.starts_with(b"security.")) {
                        let kind = [b"$Xattr/", &*xattr.name].concat();
                        notes.add(&entry.path, &kind, &xattr.value, out)?;
                    }
                }
                Err(error) => out(Found::Closed { name, error })?,
            }
        }
        match inode.kind {
            Kind::Link(target) => notes.add(&entry.path, b"$Link", &target, out),
            Kind::File(data) if data.size > 0 => {
                let uid = self.tables.entry(self.ids, u32::from(inode.owner), 4);
                let uid = uid.and_then(|id| u32_le(&id, 0)).unwrap_or(0);
                let meta = Meta { mode: inode.mode, uid, modified: i64::from(inode.modified) };
                let size = Some(data.size);
                let mut reader = Reader::new(self, data);
                let from = reader.from();
                out(Found::Member(Member { meta, size, from, ..Member::new(name, &mut reader) }))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
