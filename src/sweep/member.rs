//! A member: bytes that come as a stream, searched window by window as a file's are.

use super::level::Level;
use super::nested::{self, Nested};
use super::opening::Opening;
use super::place::line_of;
use crate::blob::{Blob, Meta};
use crate::content::{Parts, failed};
use crate::detect::Window;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Match;
use crate::limits::{ARTIFACT_BYTES, OVERLAP_BYTES, UNPACKED_WINDOW_BYTES};
use crate::run::Run;
use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

/// What a member's container says of its bytes.
pub(super) struct About<'a> {
    pub(super) meta: Meta,
    pub(super) size: Option<u64>,
    /// The names of the small things in it, when it is many.
    pub(super) parts: Option<Parts<'a>>,
}

/// Where the bytes at hand stand in their stream.
struct Stretch {
    start: u64,
    /// Line breaks before them.
    lines: u64,
    /// Whether the stream begins as text does.
    text: bool,
}

impl Opening<'_, '_> {
    /// Search all of a stream, of which `self.buf` holds the beginning, and hand it to the parsers
    /// that know it.
    pub(super) fn sweep(
        &mut self,
        level: &Level<'_>,
        about: &About<'_>,
        rest: &mut dyn Read,
    ) -> Result<()> {
        let known = about.parts.is_none() && nested::known(&blob(level, about, &self.buf));
        let judged = known || self.options.engine.examiner().is_some();
        let window = if judged { index(ARTIFACT_BYTES) } else { UNPACKED_WINDOW_BYTES };
        let overlap = index(OVERLAP_BYTES);
        let head = self.buf.get(..1024).unwrap_or(&self.buf);
        if about.parts.is_none() {
            let size = about.size.unwrap_or(self.buf.len() as u64);
            self.inventory.file(&level.at, &level.name, head, size);
        }
        let mut at = Stretch { start: 0, lines: 0, text: !head.contains(&0) };
        let mut owned = 0;
        loop {
            let wanted = owned + window + overlap;
            let filled = self.fill(rest, wanted);
            let whole = *filled.as_ref().unwrap_or(&true);
            let end = if whole { self.buf.len() } else { wanted - overlap };
            self.window(level, about, &at, owned..end);
            if known && at.start == 0 {
                self.parse(level, about, whole);
            }
            if judged && at.start == 0 {
                self.examine(level, about, whole);
            }
            if whole {
                return filled.map(drop);
            }
            let kept = end.saturating_sub(overlap);
            let gone = self.buf.get(..kept).unwrap_or_default();
            at.lines += memchr::memchr_iter(b'\n', gone).count() as u64;
            at.start += kept as u64;
            self.buf.drain(..kept);
            owned = end - kept;
        }
    }

    /// Fill the buffer up to `len` bytes; whether the stream ended before.
    pub(super) fn fill(&mut self, rest: &mut dyn Read, len: usize) -> Result<bool> {
        let missing = len.saturating_sub(self.buf.len()) as u64;
        let read = rest.take(missing).read_to_end(&mut self.buf).map_err(failed)?;
        Ok((read as u64) < missing)
    }

    /// Search the `owned` part of the buffer.
    fn window(&mut self, level: &Level<'_>, about: &About<'_>, at: &Stretch, owned: Range<usize>) {
        let buf = std::mem::take(&mut self.buf);
        if !super::read::all_zero(buf.get(owned.clone()).unwrap_or_default()) {
            let path = Some(&*level.name).filter(|name| !name.is_empty());
            if let Some(name) = path.filter(|_| about.parts.is_none()) {
                self.inventory.window(&level.at, name, &buf, owned.clone());
            }
            let window = Window { bytes: &buf, owned: owned.clone(), path };
            let mut found = Vec::new();
            let more = self.options.engine.search(&window, self.scratch, &mut found);
            if more > 0 {
                let span = Run::new(at.start + owned.start as u64, owned.len() as u64);
                let place = level.at.clone().with_span(span);
                self.coverage.error_at(&place, &nested::only_counted(more));
            }
            let mut matches: Vec<(Match, bool)> = found.into_iter().map(|m| (m, false)).collect();
            nested::overlap_weak(&mut matches);
            for (found, parsed) in matches {
                let text = at.text && about.parts.is_none();
                let line = text.then(|| line_of(&buf, found.span.start)).flatten();
                let line = line.map(|line| line + at.lines);
                self.found(level, about.parts, (found, parsed), (at.start, line));
            }
        }
        self.buf = buf;
    }

    /// Give the beginning of a stream, or all of it, to the parsers that know it.
    fn parse(&mut self, level: &Level<'_>, about: &About<'_>, whole: bool) {
        let bytes = std::mem::take(&mut self.buf);
        if !whole {
            let what = "a file that parsers know is too long for them; only its beginning was \
                        parsed";
            self.coverage.error_at(&level.at, &Error::new(ErrorKind::Limit, what));
        }
        let blob = blob(level, about, &bytes);
        let (scratch, coverage) = (&mut *self.scratch, &mut *self.coverage);
        let found = nested::explore(&blob, self.options.engine, scratch, coverage, self.clues);
        for Nested { found, parsed, at, .. } in found {
            let line = line_of(&bytes, found.span.start).filter(|_| at.is_none());
            match at {
                None => self.found(level, None, (found, parsed), (0, line)),
                Some(at) => {
                    let view = Level { at, origin: None, ..level.clone() };
                    self.found(&view, None, (found, parsed), (0, None));
                }
            }
        }
        drop(blob);
        self.buf = bytes;
    }
}

fn blob<'a>(level: &'a Level<'_>, about: &About<'_>, bytes: &'a [u8]) -> Blob<'a> {
    Blob {
        at: level.at.clone(),
        name: Cow::Borrowed(&level.name),
        meta: about.meta,
        bytes: Cow::Borrowed(bytes),
        decoded_from: None,
    }
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
