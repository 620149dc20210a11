//! A blob: named bytes on their way to the parsers, and the budget their nested views share.

use crate::error::{Error, ErrorKind, Result};
use crate::finding::Match;
use crate::limits;
use crate::locator::Locator;
use crate::run::Run;
use std::borrow::Cow;

/// A file, or a view decoded from one, small enough to be held.
#[derive(Clone, Debug)]
pub struct Blob<'a> {
    /// Where it stands.
    pub at: Locator,
    /// Its name, which parsers are chosen by: the path of a file, with `/` between parts and, on a
    /// volume, before the first; the name of a member.
    pub name: Cow<'a, [u8]>,
    /// What the filesystem says of it.
    pub meta: Meta,
    /// Its bytes.
    pub bytes: Cow<'a, [u8]>,
    /// For a decoded view, the bytes of the blob around it that it was decoded from.
    pub decoded_from: Option<Run>,
}

/// What the filesystem says of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits and type, as `st_mode` has them; zero where there are none.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// Last change of the data, in seconds since 1970; zero where unknown.
    pub modified: i64,
}

/// What a parser hands back.
#[derive(Debug)]
pub enum Out<'a> {
    /// A view to be swept and parsed in turn.
    Blob(Blob<'a>),
    /// Something found.
    Match(Match),
    /// Something that needs others to mean anything.
    Clue(Clue),
}

/// Something that means nothing until others have been seen, wherever they stand: which layer
/// hides a file, which key opens a store. Small, for all of them are kept to the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clue {
    /// What it is, by the name that joins ask for.
    pub kind: &'static str,
    /// Where it was seen.
    pub at: Locator,
    /// What it is found by.
    pub key: Box<[u8]>,
    /// What it says.
    pub value: Box<[u8]>,
}

/// The kind of the clues that the sweep leaves itself, for every place where something was found,
/// when a join asks for them.
pub const FOUND: &str = "found";

/// The kind of the clues that tell of a table of a database: its name is the key, how many rows it
/// has in decimal the value.
pub const TABLE: &str = "table";

/// What puts clues together when everything has been swept.
pub struct Join {
    /// Its name.
    pub name: &'static str,
    /// The clues it asks for.
    pub needs: &'static [&'static str],
    /// Join them; they come sorted.
    pub run: fn(&[Clue], &mut dyn FnMut(Change)),
}

/// What a join has found out.
#[derive(Debug)]
pub enum Change {
    /// One more thing is known of what was found at or below a place.
    Fact {
        /// The place.
        at: Locator,
        /// The fact's name.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// Something new was found.
    Match {
        /// Where; the match's span is of these bytes.
        at: Locator,
        /// What.
        found: Match,
    },
    /// A text that was opened: it is searched and parsed as a file of that name.
    View {
        /// Where: the place of the ciphertext, and how it was opened.
        at: Locator,
        /// The name that parsers are chosen by.
        name: Vec<u8>,
        /// The text.
        bytes: Vec<u8>,
    },
}

/// What the nested views of one file may still cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes that may still be decoded.
    pub bytes: u64,
    /// Levels that may still be opened.
    pub depth: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { bytes: limits::NESTED_BYTES, depth: limits::NESTED_DEPTH }
    }
}

impl Budget {
    /// Account for `bytes` decoded bytes, or say that there were too many.
    pub fn spend(&mut self, bytes: u64) -> Result<()> {
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                Ok(())
            }
            None => Err(Error::new(ErrorKind::Limit, "decoded views of one file are too large")),
        }
    }
}
