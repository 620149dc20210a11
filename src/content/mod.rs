//! Content: what a file holds that is a file itself. Unpackers of archives, compressed streams,
//! repositories and databases, each bounded, none of them ever writing to a disk.
//!
//! An unpacker is chosen by a name and the first bytes. It reads its container either as a stream
//! from front to back or at random, and hands out members one by one; each member is read, searched
//! and perhaps opened in turn by whoever called, before the unpacker goes on. What an unpacker
//! holds in memory itself is bounded in [`crate::limits`]; how many members, how many bytes and how
//! deep, is for the caller to bound, who ends it all by an error that the unpacker passes on.

#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)
)]
#![allow(clippy::unnecessary_wraps, reason = "the unpackers of a table share one signature")]

mod ar;
mod bzip2;
mod compress;
mod cpio;
mod deflate;
mod git;
mod gzip;
mod header_text;
mod journald;
mod lz4;
mod lzma;
mod notes;
mod office;
mod packed;
#[cfg(test)]
mod probe;
mod pyc;
mod redis;
mod rpm;
#[cfg(test)]
mod samples;
mod sevenz;
pub mod sqlite;
mod squashfs;
mod stream;
mod tar;
mod xz;
mod zip;
mod zlib;
mod zstd;

use crate::blob::{Clue, Join, Meta};
use crate::bytes::{ReadAt, read_vec};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Match;
use crate::locator::Locator;
use crate::run::Run;
use std::io::Read;

/// An opener of one container format.
pub struct Unpacker {
    /// Its name, which stands in locators.
    pub name: &'static str,
    /// Whether it is for this container.
    pub applies: fn(&Head<'_>) -> bool,
    /// Open it.
    pub open: Open,
}

/// How an unpacker reads. An error is coverage; what was handed out before it stays.
#[derive(Clone, Copy)]
pub enum Open {
    /// From front to back; it may stop before the end.
    Stream(fn(&mut dyn Read, &Given<'_>, Out<'_>) -> Result<()>),
    /// At random. Reading in the order of the bytes, as far as it can be done, saves fetches.
    Random(fn(&dyn ReadAt, &Given<'_>, Out<'_>) -> Result<()>),
    /// At random, and from front to back where that cannot be had: in a stream too long to be held.
    Either(
        fn(&dyn ReadAt, &Given<'_>, Out<'_>) -> Result<()>,
        fn(&mut dyn Read, &Given<'_>, Out<'_>) -> Result<()>,
    ),
}

/// What an unpacker is chosen by.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The container's name: a path, or the name of a member; empty where it has none.
    pub name: &'a [u8],
    /// Its first bytes: [`crate::limits::HEAD_BYTES`] of it, or all.
    pub bytes: &'a [u8],
    /// Its length, where known.
    pub size: Option<u64>,
}

/// What an unpacker is given besides the bytes.
pub struct Given<'a> {
    /// The container's name, as in [`Head`].
    pub name: &'a [u8],
    /// Where it is, for clues.
    pub at: &'a Locator,
    /// Its length, where known.
    pub size: Option<u64>,
    /// Whether it was found among other bytes and may be followed by what is none of it.
    pub alone: bool,
    /// The files beside it.
    pub siblings: Siblings<'a>,
}

/// The live files of the filesystem a container stands in, by their whole path: a `-wal` beside its
/// database, an `.idx` beside its pack. Inside a stream there are none.
#[derive(Clone, Copy)]
pub struct Siblings<'a>(pub Option<Sibling<'a>>);

/// Opens a file by its path for whoever asked; whether there is one.
pub type Sibling<'a> = &'a dyn Fn(&[u8], &mut dyn FnMut(&dyn ReadAt)) -> bool;

impl Siblings<'_> {
    /// Hand the file of that path to `read`; whether there is one.
    pub fn with(&self, path: &[u8], read: &mut dyn FnMut(&dyn ReadAt)) -> bool {
        self.0.is_some_and(|open| open(path, read))
    }

    /// All bytes of a file, when there is one that has `most` at most and can be read.
    pub fn read(&self, path: &[u8], most: usize) -> Option<Vec<u8>> {
        let mut found = None;
        self.with(path, &mut |bytes| {
            let len = usize::try_from(bytes.len()).ok().filter(|len| *len <= most);
            found = len.and_then(|len| read_vec(bytes, 0, len).ok());
        });
        found
    }
}

/// Where an unpacker's finds go. An error ends the unpacker, which returns it.
pub type Out<'a> = &'a mut dyn FnMut(Found<'_>) -> Result<()>;

/// Something in a container.
pub enum Found<'a> {
    /// A member.
    Member(Member<'a>),
    /// A member, or all the rest, that could not be opened and why: its error's kind says whether
    /// it is encrypted, in a method that is not read, over a limit or damaged.
    Closed {
        /// Its name.
        name: Option<&'a [u8]>,
        /// Why.
        error: Error,
    },
    /// Something seen in the container as such; the span is of its bytes.
    Match(Match),
    /// Something that needs others to mean anything.
    Clue(Clue),
}

/// A member of a container.
pub struct Member<'a> {
    /// Its name; none for a compressed stream.
    pub name: Option<&'a [u8]>,
    /// What the container says of it.
    pub meta: Meta,
    /// Its length, where known.
    pub size: Option<u64>,
    /// Where it comes from.
    pub from: From,
    /// What is told of everything that is found in it: a commit, a layer, a table.
    pub facts: &'a [(&'static str, String)],
    /// For many small things handed out as one, to be searched at once: which of them a run of
    /// the member is part of.
    pub parts: Option<Parts<'a>>,
    /// Its bytes.
    pub bytes: &'a mut dyn Read,
}

/// Tells which part of a member a run of it belongs to.
pub type Parts<'a> = &'a dyn Fn(Run) -> Option<Part>;

/// A run of a member that is many things, as a run of one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// That one's name.
    pub name: Vec<u8>,
    /// The run in it.
    pub run: Run,
    /// Where the run's bytes stand in the container; told only for a member that is itself
    /// [`From::Verbatim`] from the container's first byte.
    pub from: From,
}

/// Where a member's bytes stand in its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// As they are, from this offset on.
    Verbatim(u64),
    /// Packed, in these bytes.
    Packed(Run),
    /// In places that are not told.
    Somewhere,
}

impl<'a> Member<'a> {
    /// A member of which nothing is known but its bytes.
    pub fn new(name: Option<&'a [u8]>, bytes: &'a mut dyn Read) -> Member<'a> {
        let (meta, size, from) = (Meta::default(), None, From::Somewhere);
        Member { name, meta, size, from, facts: &[], parts: None, bytes }
    }
}

/// The error that reading a container ended with: of the bytes below it, or of its own format.
pub fn failed(error: std::io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(below) => below.clone(),
        None => Error::new(ErrorKind::Corrupt, "a container is damaged").caused_by(error),
    }
}

/// The first unpacker that is for a container.
pub fn opener(head: &Head<'_>) -> Option<&'static Unpacker> {
    UNPACKERS.iter().find(|unpacker| (unpacker.applies)(head))
}

/// Every unpacker, in the order they are asked.
pub static UNPACKERS: &[Unpacker] = &[
    ar::UNPACKER,
    bzip2::UNPACKER,
    compress::UNPACKER,
    cpio::UNPACKER,
    git::BUNDLE,
    git::LOOSE,
    git::PACK,
    gzip::UNPACKER,
    journald::UNPACKER,
    lz4::UNPACKER,
    lzma::UNPACKER,
    office::UNPACKER,
    pyc::UNPACKER,
    redis::LOG,
    redis::SNAPSHOT,
    rpm::UNPACKER,
    sevenz::UNPACKER,
    sqlite::JOURNAL,
    sqlite::UNPACKER,
    sqlite::WAL,
    squashfs::UNPACKER,
    tar::UNPACKER,
    xz::UNPACKER,
    zip::UNPACKER,
    zlib::UNPACKER,
    zstd::UNPACKER,
];

/// What puts together what unpackers have seen in several files.
pub static JOINS: &[Join] = &[git::JOIN];
