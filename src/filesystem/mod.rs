//! A filesystem: it names runs of a volume, the deleted and the free ones included.

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

pub mod dir;
mod ext;
pub mod extent;
mod fat;
mod xfs;

use crate::bytes::ReadAt;
use crate::coverage::Kind;
use crate::error::Result;
use crate::run::Run;
use std::sync::Arc;

pub use extent::{At, Extent};

/// A filesystem on a volume. Walking and labelling read metadata only.
pub trait Filesystem: Send + Sync {
    /// Visit every file, directory and link, deleted ones included. An error is visited and
    /// stepped over.
    fn walk(&self, visit: &mut dyn FnMut(Result<FileEntry>));

    /// Label the bytes of `run` that no file shows: free, journal, metadata or slack. The parts
    /// come back in order and cover `run`.
    fn label(&self, run: Run) -> Vec<(Run, Kind)>;

    /// The bytes of one stream of a file: exactly what reading it through the operating system
    /// would return.
    fn open<'a>(&'a self, file: &FileEntry, stream: usize) -> Result<Box<dyn ReadAt + 'a>>;
}

/// A filesystem driver.
pub struct Driver {
    /// The filesystem's name.
    pub name: &'static str,
    /// Whether these bytes carry it. A probe that fails is coverage, never "no".
    pub probe: fn(&dyn ReadAt) -> Result<bool>,
    /// Open it.
    pub open: fn(Arc<dyn ReadAt>) -> Result<Box<dyn Filesystem>>,
    /// Read one live file through an independent reader, handing its bytes over in order.
    pub second_opinion: Option<SecondOpinion>,
}

/// An independent reader of one file: volume, path, and where the bytes go.
pub type SecondOpinion = fn(&Arc<dyn ReadAt>, &[u8], &mut dyn FnMut(&[u8])) -> Result<()>;

/// Every driver, in the order they are asked.
pub static DRIVERS: &[Driver] = &[ext::DRIVER, xfs::DRIVER, fat::DRIVER];

/// What a directory entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; its target is a stream.
    Link,
    /// A device, a socket or a pipe.
    Special,
}

/// What is left of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is there.
    Live,
    /// It was deleted; the flag tells whether all its bytes still lie in free space.
    Deleted {
        /// Whether no live file has taken any of its bytes.
        intact: bool,
    },
}

/// What a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamName {
    /// The file's data.
    Data,
    /// An extended attribute, by its full name.
    Xattr(Box<[u8]>),
    /// The target of a symbolic link.
    LinkTarget,
}

/// One stream of a file and where its bytes lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// What it holds.
    pub name: StreamName,
    /// Its length in bytes.
    pub size: u64,
    /// Where its bytes lie, sorted by file offset. What is in no extent is a hole. Extents may go
    /// on past `size`: bytes the file owns and does not show.
    pub extents: Box<[Extent]>,
}

/// Times in seconds since 1970, zero where unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Last change of the data.
    pub modified: i64,
    /// Last change of the metadata.
    pub changed: i64,
    /// Creation.
    pub created: i64,
    /// Deletion.
    pub deleted: i64,
}

/// One file, directory or link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path from the root, beginning with `/`. A live file no directory names (an orphan) is
    /// under `/$Orphan/`, by inode; a deleted file whose name is lost has an empty path.
    pub path: Box<[u8]>,
    /// Its other paths, for hard links, sorted.
    pub more_paths: Box<[Box<[u8]>]>,
    /// Its inode (or record) number.
    pub inode: u64,
    /// What it is.
    pub kind: FileKind,
    /// Permission bits and type, as `st_mode` has them.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// How many names it has.
    pub links: u32,
    /// When.
    pub times: Times,
    /// Whether it is there.
    pub state: FileState,
    /// Its data, attributes and link target; a directory's own blocks are no stream.
    pub streams: Box<[Stream]>,
}

impl FileEntry {
    /// Whether it is there.
    pub fn is_live(&self) -> bool {
        self.state == FileState::Live
    }
}
