//! Examining: whole files, members and windows are shown to rules that judge them together.

use super::level::Level;
use super::member::About;
use super::opening::Opening;
use super::read::fill;
use super::worker::{Source, Worker};
use crate::detect::Examiner;
use crate::error::{Error, ErrorKind};
use crate::finding::Match;
use crate::limits::EXAMINED_BYTES;
use crate::run::Run;

impl Worker<'_> {
    /// Have a file examined whose first window has just been searched.
    pub(super) fn examine(&mut self, source: &Source<'_>, size: u64) {
        let Some(examiner) = self.options.engine.examiner().filter(|_| size > 0) else { return };
        let shown = Run::new(0, size.min(EXAMINED_BYTES));
        let at_hand = source.from_start && self.buf.len() as u64 == size;
        let mut all = Vec::new();
        let bytes = if at_hand {
            &self.buf
        } else if fill(source.bytes, shown, &mut all).is_ok() {
            &all
        } else {
            // The sweep tells which bytes are missing; what is missing here is an answer.
            let what = "a file cannot be read as a whole, as rules need it";
            let error = Error::new(ErrorKind::Unreadable, what);
            return self.share.coverage.error_at(&source.at, &error);
        };
        let (found, error) = examined(examiner, bytes, shown.len < size);
        if let Some(error) = error {
            self.share.coverage.error_at(&source.at, &error);
        }
        for found in found {
            let place = source.place(found.span, None, None);
            self.share.findings.add(found, true, place);
        }
    }

    /// Have a window examined that belongs to no live file, and has just been searched: the buffer
    /// holds what was `seen`.
    pub(super) fn examine_window(&mut self, source: &Source<'_>, seen: Run, window: Run) {
        let Some(examiner) = self.options.engine.examiner() else { return };
        let (found, error) = examined(examiner, &self.buf, false);
        if let Some(error) = error {
            let at = source.at.clone().with_span(window);
            self.share.coverage.error_at(&at, &error);
        }
        for found in found {
            let span = Run::new(seen.start.saturating_add(found.span.start), found.span.len);
            // What begins in a neighbour is the neighbour's.
            if window.contains(Run::new(span.start, 1)) {
                let place = source.place(span, None, None);
                self.share.findings.add(found, true, place);
            }
        }
    }
}

impl Opening<'_, '_> {
    /// Have a member examined of which the buffer holds the beginning, or all of it.
    pub(super) fn examine(&mut self, level: &Level<'_>, about: &About<'_>, whole: bool) {
        let Some(examiner) = self.options.engine.examiner() else { return };
        let (found, error) = examined(examiner, &self.buf, !whole);
        if let Some(error) = error {
            self.coverage.error_at(&level.at, &error);
        }
        for found in found {
            self.found(level, about.parts, (found, true), (0, None));
        }
    }
}

/// What the rules say, and what they could not.
fn examined(examiner: &dyn Examiner, bytes: &[u8], cut: bool) -> (Vec<Match>, Option<Error>) {
    let mut found = Vec::new();
    let error = examiner.examine(bytes, &mut found).err();
    let what = "a file is too long for rules that need it whole; they saw its beginning";
    (found, error.or_else(|| cut.then(|| Error::new(ErrorKind::Limit, what))))
}
