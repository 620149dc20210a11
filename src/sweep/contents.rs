//! Contents: a worker that comes upon a container opens it.

use super::level::Level;
use super::opening::{Budget, Opening};
use super::plan::{Part, Plan};
use super::worker::{Source, Worker};
use crate::bytes::ReadAt;
use crate::content::{Head, Siblings, Unpacker, opener};
use crate::coverage::Class;
use crate::filesystem::StreamName;
use crate::limits;
use crate::run::Run;
use std::borrow::Cow;

impl<'p> Worker<'p> {
    /// The unpacker of the file whose first window has just been read.
    pub(super) fn unpacker(&self, source: &Source<'_>, size: u64) -> Option<&'static Unpacker> {
        let bytes = self.buf.get(..limits::HEAD_BYTES).unwrap_or(&self.buf);
        let name = source.at.path().unwrap_or_default();
        opener(&Head { name, bytes, size: Some(size) }).filter(|_| source.from_start)
    }

    /// Open a file that is a container, if it is one.
    pub(super) fn contents(
        &mut self,
        part: &'p Part,
        source: &Source<'_>,
        unpacker: Option<&'static Unpacker>,
    ) {
        let Some(unpacker) = unpacker else { return self.coverage.content(Class::Plain) };
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
        let mut opening = Opening {
            options: self.options,
            scratch: &mut self.scratch,
            findings: &mut self.findings,
            coverage: &mut self.coverage,
            clues: &mut self.clues,
            buf: std::mem::take(&mut self.buf),
            source: source.bytes,
            state: source.state,
            siblings: Siblings(Some(&sibling)),
            budget: budget(self.plan, size),
            stopped: None,
            guess: false,
        };
        opening.outermost(&level, unpacker);
        self.buf = opening.buf;
    }
}

/// What a container of `size` bytes may unpack to.
fn budget(plan: &Plan, size: u64) -> Budget<'_> {
    let bytes = size.saturating_mul(limits::UNPACKED_FACTOR);
    Budget {
        bytes: bytes.saturating_add(limits::UNPACKED_BYTES),
        members: limits::MEMBERS,
        run: &plan.unpacked,
    }
}

impl Part {
    /// Hand the live file of that path to `read`; whether there is one.
    fn with_file(&self, path: &[u8], read: &mut dyn FnMut(&dyn ReadAt)) -> bool {
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
