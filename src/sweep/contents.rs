//! Contents: a worker that comes upon a container opens it.

use super::cursor::Seat;
use super::level::Level;
use super::opening::{Budget, Outermost};
use super::plan::Part;
use super::worker::{Source, Worker};
use crate::bytes::ReadAt;
use crate::content::{Head, Siblings, Unpacker, opener};
use crate::coverage::Class;
use crate::error::{Error, ErrorKind};
use crate::filesystem::StreamName;
use crate::finding::State;
use crate::limits;
use crate::run::Run;
use std::borrow::Cow;

/// Formats of one stream that shows nothing of what it holds: parsers are for what comes out.
const STREAMS: [&str; 8] = ["gzip", "xz", "zstd", "bzip2", "lz4", "lzma", "zlib", "compress"];

/// Whether the bytes of a container may be of a kind that parsers know.
pub(super) fn shows(unpacker: Option<&Unpacker>) -> bool {
    unpacker.is_none_or(|unpacker| !STREAMS.contains(&unpacker.name))
}

impl<'p> Worker<'p> {
    /// The unpacker of the file whose first window has just been read.
    pub(super) fn unpacker(&mut self, source: &Source<'_>, size: u64) -> Option<&'static Unpacker> {
        let bytes = self.buf.get(..limits::HEAD_BYTES).unwrap_or(&self.buf);
        let name = source.at.path().unwrap_or_default();
        if source.state == State::Live {
            self.share.inventory.file(&source.at, name, bytes, size);
        }
        opener(&Head { name, bytes, size: Some(size) }).filter(|_| source.from_start)
    }

    /// Open a file that is a container, if it is one.
    pub(super) fn contents(
        &mut self,
        (part, seat): (&'p Part, &Seat<'_, '_>),
        source: &Source<'_>,
        unpacker: Option<&'static Unpacker>,
    ) {
        let Some(unpacker) = unpacker else { return self.share.coverage.content(Class::Plain) };
        if self.plan.closed {
            let what = "containers were left closed, as asked";
            self.share.coverage.content(Class::Limit);
            let error = Error::new(ErrorKind::Limit, what);
            return self.share.coverage.error_at(&source.at, &error);
        }
        let size = source.bytes.len();
        let level = Level {
            at: source.at.clone(),
            name: Cow::Borrowed(source.at.path().unwrap_or_default()),
            facts: Cow::Borrowed(&[]),
            depth: 0,
            origin: Some(0),
            packed: Run::new(0, size),
        };
        let sibling = |path: &[u8], read: &mut dyn FnMut(&dyn ReadAt)| part.with_file(path, read);
        let onward = goes_onward(source.bytes);
        let passed = |at: u64| {
            let place = source.bytes.locate(Run::new(at, 1));
            if let Some((image, run)) = place.first().filter(|_| onward) {
                seat.passes(*image, run.start);
            }
        };
        let outermost = Outermost {
            source: source.bytes,
            state: source.state,
            siblings: Siblings(Some(&sibling)),
            passed: &passed,
            budget: Budget::of(size, &self.plan.unpacked),
            guess: false,
        };
        self.open(&level, unpacker, outermost);
    }
}

/// Whether a file lies on one image in the order of its bytes.
fn goes_onward(bytes: &dyn ReadAt) -> bool {
    let places = bytes.locate(Run::new(0, bytes.len()));
    let mut pairs = places.windows(2);
    pairs.all(|pair| matches!(pair, [(a, first), (b, then)] if a == b && first.start < then.start))
}

impl Part {
    /// Hand the live file of that path to `read`; whether there is one.
    pub(super) fn with_file(&self, path: &[u8], read: &mut dyn FnMut(&dyn ReadAt)) -> bool {
        let number = |at: &u32| usize::try_from(*at).unwrap_or(usize::MAX);
        let path_of = |at: &u32| self.files.get(number(at)).map(|file| &*file.path);
        let index = self.by_path.get_or_init(|| {
            let live = (0u32..).zip(&self.files).filter(|(_, file)| file.is_live());
            let mut index: Vec<u32> = live.map(|(at, _)| at).collect();
            index.sort_by_key(path_of);
            index
        });
        let found = index.binary_search_by_key(&Some(path), path_of).ok();
        let file = found.and_then(|at| self.files.get(number(index.get(at)?)));
        let (Some(file), Some(filesystem)) = (file, &self.filesystem) else { return false };
        let data = |stream: &crate::filesystem::Stream| stream.name == StreamName::Data;
        let stream = file.streams.iter().position(data);
        let bytes = stream.and_then(|stream| filesystem.open(file, stream).ok());
        bytes.map(|bytes| read(&*bytes)).is_some()
    }
}
