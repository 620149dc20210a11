//! A worker: it takes windows, reads them once, searches them and counts them.

use super::clues::Clues;
use super::contents::shows;
use super::cursor::{Seat, Unit};
use super::join::{Findings, FingerprintKey};
use super::nested::{self, Nested};
use super::place::{area, file_locator, line_of, narrowed, renamed, shifted, state};
use super::plan::{Item, Part, Plan, What, names};
use super::provenance::Passing;
use super::read::{all_zero, fill, salvage};
use super::{Options, nested::overlap_weak};
use crate::blob::{Blob, Meta};
use crate::bytes::ReadAt;
use crate::coverage::{Class, Coverage, Kind};
use crate::detect::{Scratch, Window};
use crate::error::{Error, ErrorKind};
use crate::filesystem::{FileEntry, FileKind, FileState, StreamName};
use crate::finding::{Decoded, Match, Place, State};
use crate::inventory::Inventory;
use crate::limits::{ARTIFACT_BYTES, OVERLAP_BYTES, WINDOW_BYTES};
use crate::locator::{Area, Locator};
use crate::provenance::database;
use crate::run::Run;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

/// One thread's share of the sweep.
pub(super) struct Worker<'p> {
    pub(super) plan: &'p Plan,
    pub(super) options: &'p Options<'p>,
    pub(super) scratch: Scratch,
    pub(super) share: Share<'p>,
    pub(super) buf: Vec<u8>,
    /// The reader of the stream that was swept last: part, file, stream.
    reader: Option<((u16, u32, u16), Box<dyn ReadAt + 'p>)>,
    /// Whether these bytes failed before, as a file's: their errors are told already.
    again: bool,
}

/// What one worker has found and counted.
pub(super) struct Share<'p> {
    pub(super) findings: Findings<'p>,
    pub(super) coverage: Coverage,
    pub(super) clues: Clues,
    pub(super) inventory: Inventory,
}

impl<'p> Share<'p> {
    /// Nothing yet, on top of what `coverage` tells of the plan.
    pub(super) fn new(key: &'p FingerprintKey, coverage: Coverage) -> Share<'p> {
        Share {
            findings: Findings::new(key),
            coverage,
            clues: Clues::default(),
            inventory: Inventory::default(),
        }
    }

    /// Add what another has found and counted.
    pub(super) fn merge(&mut self, other: Share<'_>) {
        self.findings.merge(other.findings);
        self.coverage.merge(other.coverage);
        self.clues.merge(other.clues);
        self.inventory.merge(other.inventory);
    }
}

/// Where the bytes of a window come from.
pub(super) struct Source<'a> {
    /// The item, without a span.
    pub(super) at: Locator,
    /// What a span's offset counts from, for the window's item byte zero.
    pub(super) base: u64,
    pub(super) state: State,
    /// Whether line numbers can be told: the window begins where the text does.
    pub(super) from_start: bool,
    pub(super) bytes: &'a dyn ReadAt,
    /// Where the item begins in `bytes`.
    pub(super) origin: u64,
}

/// How reading a window went.
struct Swept {
    /// What could not be read.
    lost: Vec<(Run, Error)>,
    /// Whether the worker's buffer holds the whole window and what surrounds it.
    at_once: bool,
}

impl<'p> Worker<'p> {
    pub(super) fn new(plan: &'p Plan, options: &'p Options<'p>, again: bool) -> Worker<'p> {
        Worker {
            plan,
            options,
            scratch: Scratch::default(),
            share: Share::new(options.key, Coverage::default()),
            buf: Vec::new(),
            reader: None,
            again,
        }
    }

    /// What this worker found and counted.
    pub(super) fn finish(self) -> Share<'p> {
        self.share
    }

    /// Sweep one window. A parser that fails on it costs this window's findings, not the sweep.
    pub(super) fn sweep(&mut self, unit: Unit, seat: &Seat<'_, '_>) {
        let swept = catch_unwind(AssertUnwindSafe(|| match unit.item.what {
            What::Raw { .. } => self.raw(unit),
            What::File { .. } => self.file(unit, seat),
        }));
        if swept.is_err() {
            let error = Error::new(ErrorKind::Internal, "a parser failed on these bytes");
            let at = self.part(&unit.item).locator(Area::Whole).with_span(unit.window);
            self.share.coverage.error_at(&at, &error);
            match unit.item.what {
                What::Raw { .. } => self.share.coverage.count(Kind::Unreadable, unit.window.len),
                What::File { .. } => {
                    self.undelivered(&unit.item, unit.window);
                }
            }
        }
        if self.again {
            return;
        }
        self.options.progress.advance(match unit.item.what {
            What::Raw { .. } => unit.window.len,
            What::File { claims, .. } => {
                let claims = self.plan.claims_in(claims, unit.window).iter();
                claims.filter_map(|claim| claim.within(unit.window)).map(|run| run.len).sum()
            }
        });
    }

    fn part(&self, item: &Item) -> &'p Part {
        &self.plan.parts[usize::from(item.part)]
    }

    fn raw(&mut self, unit: Unit) {
        let What::Raw { len, offset, kind, owner } = unit.item.what else { return };
        let Item { image: number, at: start, .. } = unit.item;
        let Some(image) = self.plan.images.get(usize::from(number.0)) else {
            return self.share.coverage.count(Kind::Unreadable, unit.window.len);
        };
        let part = self.part(&unit.item);
        let source = Source {
            at: part.locator(area(part, kind, owner)),
            base: offset,
            state: state(kind),
            from_start: false,
            bytes: &*image.bytes,
            origin: start,
        };
        let Swept { lost, at_once } = self.windows(&source, unit.window, len);
        if at_once {
            self.examine_window(&source, surroundings(unit.window, len), unit.window);
            self.carve(&source, kind, unit.window, len);
        }
        let lost_bytes = lost.iter().map(|(run, _)| run.len).sum();
        for (run, error) in lost.into_iter().filter(|_| !self.again) {
            let at = source.at.clone().with_span(Run::new(source.base + run.start, run.len));
            self.share.coverage.error_at(&at, &error);
        }
        self.share.coverage.count(Kind::Unreadable, lost_bytes);
        self.share.coverage.count(kind, unit.window.len - lost_bytes);
    }

    fn file(&mut self, unit: Unit, seat: &Seat<'_, '_>) {
        let What::File { file: file_number, stream: number, claims, run, first } = unit.item.what
        else {
            return;
        };
        let part = self.part(&unit.item);
        let (Some(filesystem), Some(file)) =
            (&part.filesystem, part.files.get(usize::try_from(file_number).unwrap_or(usize::MAX)))
        else {
            return;
        };
        let Some(stream) = file.streams.get(usize::from(number)) else { return };
        let at = file_locator(part, file, stream);
        // The windows of a large file follow one another: its reader is made once.
        let key = (unit.item.part, file_number, number);
        let opened = match self.reader.take() {
            Some((same, reader)) if same == key => Ok(reader),
            _ => filesystem.open(file, usize::from(number)),
        };
        let reader = match opened {
            Ok(reader) => reader,
            Err(error) => {
                self.share.coverage.error_at(&at, &error);
                self.undelivered(&unit.item, unit.window);
                return;
            }
        };
        let live = file.state == FileState::Live;
        let source = Source {
            at,
            base: 0,
            state: if live { State::Live } else { State::Deleted },
            from_start: unit.window.start == 0 && stream.name == StreamName::Data,
            bytes: &*reader,
            origin: 0,
        };
        let Swept { lost, at_once } = self.windows(&source, unit.window, stream.size);
        let begins = first && unit.window.start == run.start;
        let data = stream.name == StreamName::Data && file.kind == FileKind::File;
        if data && live {
            let in_order = run == Run::new(0, stream.size);
            self.pass(part, &source, (file_number, in_order), (unit, at_once));
        }
        if at_once && begins && data && !self.plan.digests_only {
            let unpacker = self.unpacker(&source, stream.size);
            if shows(unpacker) {
                self.artifacts(&source, file, stream.size);
            }
            self.examine(&source, stream.size);
            self.contents((part, seat), &source, unpacker);
        } else if begins && data {
            self.share.coverage.content(Class::Corrupt);
        }
        let mut delivered = 0;
        for claim in self.plan.claims_in(claims, unit.window) {
            delivered += claim.within(unit.window).map_or(0, |run| run.len);
        }
        for (run, error) in lost {
            self.share.coverage.error_at(&source.at.clone().with_span(run), &error);
            delivered -= self.undelivered(&unit.item, run);
        }
        self.share.coverage.count(if live { Kind::File } else { Kind::Free }, delivered);
        self.reader = Some((key, reader));
    }

    /// Show a window that has just been read to those who digest files and read package databases.
    fn pass(
        &mut self,
        part: &Part,
        source: &Source<'_>,
        (number, in_order): (u32, bool),
        (unit, at_once): (Unit, bool),
    ) {
        let file = usize::try_from(number).ok().and_then(|number| part.files.get(number));
        let watch = self.plan.watches.get(usize::from(unit.item.part));
        let (Some(file), Some(watch)) = (file, watch) else { return };
        if !at_once {
            return watch.lost(number);
        }
        let window = unit.window;
        let skip = usize::try_from(window.start.min(OVERLAP_BYTES)).unwrap_or(usize::MAX);
        let len = usize::try_from(window.len).unwrap_or(usize::MAX);
        let bytes = self.buf.get(skip..).and_then(|rest| rest.get(..len)).unwrap_or_default();
        let size = source.bytes.len();
        watch.window(file, &Passing { number, size, in_order, window, bytes });
        if window.start == 0
            && let Some(name) = names(file).find(|name| database(name).is_some())
        {
            let at = renamed(&source.at, name);
            watch.collect(part, (&at, name), source.bytes, &mut self.share.coverage);
        }
    }

    /// Read and search `window` of a source of `len` bytes.
    fn windows(&mut self, source: &Source<'_>, window: Run, len: u64) -> Swept {
        let mut buf = std::mem::take(&mut self.buf);
        let seen = surroundings(window, len);
        let shifted = |run: Run| Run::new(source.origin.saturating_add(run.start), run.len);
        let mut lost = Vec::new();
        let at_once = fill(source.bytes, shifted(seen), &mut buf).is_ok();
        if at_once {
            self.search(source, &buf, seen, window);
        } else {
            // What surrounds the window is taken apart too: a secret may cross its edge.
            let found = salvage(source.bytes, shifted(seen), &mut buf);
            let back = |run: Run| Run::new(run.start - source.origin, run.len);
            for run in found.good {
                let owned = back(run).intersect(window);
                if owned.is_empty() {
                    continue;
                }
                if fill(source.bytes, run, &mut buf).is_ok() {
                    self.search(source, &buf, back(run), owned);
                } else {
                    lost.push((owned, Error::new(ErrorKind::Unreadable, "bytes came and went")));
                }
            }
            let bad =
                found.bad.into_iter().map(|(run, error)| (back(run).intersect(window), error));
            lost.extend(bad.filter(|(run, _)| !run.is_empty()));
        }
        self.buf = buf;
        Swept { lost, at_once }
    }

    /// Search the `owned` part of `buf`, which holds the bytes `seen` of the source.
    fn search(&mut self, source: &Source<'_>, buf: &[u8], seen: Run, owned: Run) {
        let index = |offset: u64| usize::try_from(offset - seen.start).unwrap_or(buf.len());
        let range = index(owned.start)..index(owned.end());
        if self.plan.digests_only || all_zero(buf.get(range.clone()).unwrap_or_default()) {
            return;
        }
        if let Some(name) = source.at.path().filter(|_| source.state == State::Live) {
            self.share.inventory.window(&source.at, name, buf, range.clone());
        }
        let window = Window { bytes: buf, owned: range, path: source.at.path() };
        let mut found = Vec::new();
        let more = self.options.engine.search(&window, &mut self.scratch, &mut found);
        if more > 0 {
            let at = source.at.clone().with_span(owned);
            self.share.coverage.error_at(&at, &nested::only_counted(more));
        }
        let text = source.from_start.then_some(buf);
        let mut matches: Vec<(Match, bool)> = found.into_iter().map(|m| (m, false)).collect();
        overlap_weak(&mut matches);
        for (found, parsed) in matches {
            let span = Run::new(seen.start + found.span.start, found.span.len);
            let line = text.and_then(|text| line_of(text, found.span.start));
            let decoded = found.decoded.clone().map(|decoded| shifted(decoded, seen.start));
            let place = source.place(span, line, decoded);
            self.share.findings.add(found, parsed, place);
        }
    }

    /// Give a file that parsers know to them. Its first window has just been searched.
    fn artifacts(&mut self, source: &Source<'_>, file: &FileEntry, size: u64) {
        let mut buf = std::mem::take(&mut self.buf);
        // The first window of a file that begins with a hole is somewhere behind it.
        let start = Run::new(0, size.min(WINDOW_BYTES));
        if !source.from_start && fill(source.bytes, start, &mut buf).is_err() {
            return;
        }
        let head = usize::try_from(size.min(ARTIFACT_BYTES)).unwrap_or(usize::MAX);
        let mut blob = Blob {
            at: source.at.clone(),
            name: Cow::Borrowed(&file.path),
            meta: Meta { mode: file.mode, uid: file.uid, modified: file.times.modified },
            bytes: Cow::Borrowed(buf.get(..head).unwrap_or(&buf)),
            decoded_from: None,
        };
        // Any of its names may be the one that parsers know.
        let name = names(file).find(|name| {
            blob.name = Cow::Borrowed(name);
            nested::known(&blob)
        });
        if let Some(name) = name {
            let source = Source { at: renamed(&source.at, name), ..*source };
            blob.at = source.at.clone();
            if size > ARTIFACT_BYTES {
                let what = "a file that parsers know is too long for them; only its beginning was \
                            parsed";
                self.share.coverage.error_at(&blob.at, &Error::new(ErrorKind::Limit, what));
            }
            // The window held only the beginning of a file this long.
            let more = blob.bytes.len() < head;
            let mut all = Vec::new();
            let run = Run::new(0, size.min(ARTIFACT_BYTES));
            if more && fill(source.bytes, run, &mut all).is_ok() {
                blob.bytes = Cow::Owned(all);
            }
            self.explore(&blob, &source);
        }
        drop(blob);
        buf.clear();
        self.buf = buf;
    }

    /// Add what parsers find in a file that they know.
    fn explore(&mut self, blob: &Blob<'_>, source: &Source<'_>) {
        let (scratch, coverage) = (&mut self.scratch, &mut self.share.coverage);
        let found =
            nested::explore(blob, self.options.engine, scratch, coverage, &mut self.share.clues);
        for Nested { found, parsed, at, decoded_from } in found {
            let line = line_of(&blob.bytes, found.span.start).filter(|_| at.is_none());
            let place = match at {
                None => source.place(found.span, line, found.decoded.clone()),
                Some(at) => Place {
                    image_runs: decoded_from.map_or_else(Vec::new, |run| source.bytes.locate(run)),
                    ..Place::new(narrowed(at, found.span, found.decoded.clone()), source.state)
                },
            };
            self.share.findings.add(found, parsed, place);
        }
    }

    /// The claims in `window` of an item were not delivered: sweep them raw later. Returns how
    /// many bytes that is.
    fn undelivered(&mut self, item: &Item, window: Run) -> u64 {
        let What::File { file, claims, .. } = item.what else { return 0 };
        let known = usize::try_from(file).ok().and_then(|n| self.part(item).files.get(n));
        let live = known.is_none_or(|file| file.state == FileState::Live);
        let mut later = Vec::new();
        for claim in self.plan.claims_in(claims, window) {
            let Some(run) = claim.within(window) else { continue };
            let file_offset = claim.file_offset + (run.start - claim.run.start);
            let what = What::Raw {
                len: run.len,
                offset: if live { file_offset } else { run.start },
                kind: if live { Kind::Slack } else { Kind::Free },
                owner: live.then_some(file),
            };
            later.push(Item { at: run.start, image: claim.image, part: item.part, what });
        }
        let bytes = later.iter().map(Item::bytes).sum();
        self.plan.undelivered.lock().unwrap_or_else(PoisonError::into_inner).extend(later);
        bytes
    }
}

/// What is read with a window of an item of `len` bytes: a secret may cross its edges.
fn surroundings(window: Run, len: u64) -> Run {
    let start = window.start.saturating_sub(OVERLAP_BYTES);
    Run::between(start, window.end().saturating_add(OVERLAP_BYTES).min(len))
}

impl Source<'_> {
    pub(super) fn place(&self, span: Run, line: Option<u64>, decoded: Option<Decoded>) -> Place {
        let here = Run::new(self.base + span.start, span.len);
        let decoded = decoded.map(|decoded| shifted(decoded, self.base));
        Place {
            line,
            image_runs: self.bytes.locate(Run::new(self.origin + span.start, span.len)),
            file_run: decoded.is_none().then_some(here),
            ..Place::new(narrowed(self.at.clone(), here, decoded), self.state)
        }
    }
}

impl Item {
    /// How many bytes of the remainder it is; none for a file, whose claims tell.
    pub(super) fn bytes(&self) -> u64 {
        match self.what {
            What::Raw { len, .. } => len,
            What::File { .. } => 0,
        }
    }
}
