//! An opening: one outermost container and everything in it, read from front to back as far as its
//! formats let it.

use super::Options;
use super::clues::Clues;
use super::join::Findings;
use super::level::{Level, inside};
use super::member::About;
use super::place::{narrowed, shifted, unshifted};
use super::worker::{Share, Worker};
use crate::artifact::layers;
use crate::blob::Meta;
use crate::bytes::ReadAt;
use crate::content::{
    self, Found, From, Given, Head, Member, Open, Part, Parts, Siblings, Unpacker,
};
use crate::coverage::{Class, Coverage};
use crate::detect::Scratch;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Match, Place, State};
use crate::inventory::Inventory;
use crate::limits;
use crate::locator::Locator;
use crate::run::Run;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Pieces of the target that are told of what was unpacked from many.
const RUNS_PER_PLACE: usize = 16;

/// Formats that pack the names of their members.
const PACKED_NAMES: [&str; 2] = ["7z", "squashfs"];

/// What opens, and what it may still take.
pub(super) struct Opening<'w, 'p> {
    pub(super) options: &'w Options<'w>,
    pub(super) scratch: &'w mut Scratch,
    pub(super) findings: &'w mut Findings<'p>,
    pub(super) coverage: &'w mut Coverage,
    pub(super) clues: &'w mut Clues,
    pub(super) inventory: &'w mut Inventory,
    /// The bytes of the member that is being read.
    pub(super) buf: Vec<u8>,
    /// The outermost container's bytes, and whose they are.
    pub(super) source: &'w dyn ReadAt,
    pub(super) state: State,
    pub(super) siblings: Siblings<'w>,
    /// Told up to where a container that is read as a stream has been read.
    pub(super) passed: &'w dyn Fn(u64),
    pub(super) budget: Budget<'w>,
    /// Why everything ends, once it does.
    pub(super) stopped: Option<Error>,
    /// Whether it is a guess that it is a container: what does not open is then no news, and what
    /// follows a packed stream is none of it.
    pub(super) guess: bool,
}

/// An outermost container: its bytes, whose they are, and how it is opened.
pub(super) struct Outermost<'w> {
    pub(super) source: &'w dyn ReadAt,
    pub(super) state: State,
    pub(super) siblings: Siblings<'w>,
    pub(super) passed: &'w dyn Fn(u64),
    pub(super) budget: Budget<'w>,
    pub(super) guess: bool,
}

impl Worker<'_> {
    /// Open an outermost container.
    pub(super) fn open(
        &mut self,
        level: &Level<'_>,
        unpacker: &Unpacker,
        outermost: Outermost<'_>,
    ) {
        let Outermost { source, state, siblings, passed, budget, guess } = outermost;
        let Share { findings, coverage, clues, inventory } = &mut self.share;
        let mut opening = Opening {
            options: self.options,
            scratch: &mut self.scratch,
            findings,
            coverage,
            clues,
            inventory,
            buf: std::mem::take(&mut self.buf),
            source,
            state,
            siblings,
            passed,
            budget,
            stopped: None,
            guess,
        };
        opening.outermost(level, unpacker);
        self.buf = opening.buf;
    }
}

/// What may still be unpacked.
pub(super) struct Budget<'w> {
    /// Bytes of this container.
    pub(super) bytes: u64,
    /// Members of it.
    pub(super) members: u64,
    /// Bytes of the whole run.
    pub(super) run: &'w AtomicU64,
}

impl<'w> Budget<'w> {
    /// For an outermost container of `size` bytes, in a run with so much left.
    pub(super) fn of(size: u64, run: &'w AtomicU64) -> Budget<'w> {
        let bytes = size.saturating_mul(limits::UNPACKED_FACTOR);
        let bytes = bytes.saturating_add(limits::UNPACKED_BYTES);
        Budget { bytes, members: limits::MEMBERS, run }
    }
}

/// A container's bytes, in the way its unpacker reads.
enum Bytes<'a> {
    Stream(&'a mut dyn Read),
    Random(&'a dyn ReadAt),
}

impl Opening<'_, '_> {
    /// Open the outermost container.
    pub(super) fn outermost(&mut self, level: &Level<'_>, unpacker: &Unpacker) {
        let (source, size) = (self.source, Some(self.source.len()));
        let ended = match unpacker.open {
            Open::Stream(_) => {
                let bytes = Sequential { bytes: source, at: 0, passed: self.passed };
                let mut bytes = io::BufReader::with_capacity(limits::UNPACKED_READ_BYTES, bytes);
                self.open(level, unpacker, size, Bytes::Stream(&mut bytes))
            }
            Open::Random(_) | Open::Either(..) => {
                self.open(level, unpacker, size, Bytes::Random(source))
            }
        };
        // What ended it was told where it happened.
        drop(ended);
    }

    /// Open a container; whether it could be read as one. An error is the end of everything.
    fn open(
        &mut self,
        level: &Level<'_>,
        unpacker: &Unpacker,
        size: Option<u64>,
        bytes: Bytes<'_>,
    ) -> Result<bool> {
        let siblings = Siblings(self.siblings.0.filter(|_| level.depth == 0));
        let alone = self.guess && level.depth == 0;
        let given = Given { name: &level.name, at: &level.at, size, alone, siblings };
        let mut names = Names::default();
        let mut out = |found: Found<'_>| self.take(level, unpacker, found, &mut names);
        let run = AssertUnwindSafe(|| match (unpacker.open, bytes) {
            (Open::Stream(open) | Open::Either(_, open), Bytes::Stream(bytes)) => {
                open(bytes, &given, &mut out)
            }
            (Open::Random(open) | Open::Either(open, _), Bytes::Random(bytes)) => {
                open(bytes, &given, &mut out)
            }
            _ => Err(Error::new(ErrorKind::Internal, "a container was read the wrong way")),
        });
        let failed = |_| Err(Error::new(ErrorKind::Internal, "an unpacker failed on this file"));
        let result = catch_unwind(run).unwrap_or_else(failed);
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        let layer = std::mem::take(&mut names.layer);
        layer.clues(&level.at, layers::is_layer(&level.name), &mut |clue| self.clues.add(clue));
        self.names(level, unpacker, &names)?;
        match &result {
            Ok(()) => self.coverage.content(Class::Decoded),
            Err(error) => self.closed(&level.at, &error.clone().named(unpacker.name)),
        }
        Ok(result.is_ok())
    }

    /// Search the names of members: raw, those of a packed container were seen by nobody.
    fn names(&mut self, level: &Level<'_>, by: &Unpacker, names: &Names) -> Result<()> {
        let seen = level.origin.is_some() && !PACKED_NAMES.contains(&by.name);
        if seen || names.text.is_empty() {
            return Ok(());
        }
        let parts = |run: Run| names.part(run);
        let about = About { meta: Meta::default(), size: None, parts: Some(&parts) };
        let at = level.at.clone().with_member("name", None);
        let inner = Level { at, name: b"".into(), origin: None, ..level.clone() };
        self.buf.clear();
        self.sweep(&inner, &about, &mut names.text.as_slice())
    }

    /// Something could not be opened.
    fn closed(&mut self, at: &Locator, error: &Error) {
        if self.guess && error.kind() != ErrorKind::Limit {
            return;
        }
        self.coverage.content(match error.kind() {
            ErrorKind::Encrypted => Class::Opaque,
            ErrorKind::Unsupported => Class::Unsupported,
            ErrorKind::Limit => Class::Limit,
            _ => Class::Corrupt,
        });
        // Of what contradicts its own format, all there was to read has been read.
        if error.kind() == ErrorKind::Corrupt {
            self.coverage.remark(Some(at.clone()), error.message());
        } else {
            self.coverage.error_at(at, error);
        }
    }

    /// Take what an unpacker hands out.
    fn take(
        &mut self,
        level: &Level<'_>,
        by: &Unpacker,
        found: Found<'_>,
        names: &mut Names,
    ) -> Result<()> {
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        let result = match found {
            Found::Member(member) => {
                names.add(member.name);
                self.member(level, by, member)
            }
            Found::Closed { name, error } => {
                names.add(name);
                self.closed(&level.at.clone().with_member(by.name, name), &error);
                Ok(())
            }
            Found::Match(found) => {
                self.found(level, None, (found, true), (0, None));
                Ok(())
            }
            Found::Clue(clue) => {
                self.clues.add(clue);
                Ok(())
            }
        };
        if let Err(error) = &result {
            self.closed(&level.at, error);
            self.stopped = Some(error.clone());
        }
        result
    }

    /// Search a member, or open it if it is a container itself.
    fn member(&mut self, level: &Level<'_>, by: &Unpacker, member: Member<'_>) -> Result<()> {
        let Member { name, meta, size, from, facts, parts, bytes } = member;
        let inner = inside(level, by.name, (name, from, facts));
        let about = About { meta, size, parts };
        let many = || Error::new(ErrorKind::Limit, "a container holds too many files");
        self.budget.members = self.budget.members.checked_sub(1).ok_or_else(many)?;
        // What lies in a member's member was counted where the outer one was read.
        let most = self.budget.bytes.min(self.budget.run.load(Ordering::Relaxed));
        let mut bytes = Counted { bytes, left: most, over: false };
        let result = self.explore(&inner, &about, size, &mut bytes);
        let used = most.saturating_sub(bytes.left);
        self.budget.bytes = self.budget.bytes.saturating_sub(used);
        let less = |left: u64| Some(left.saturating_sub(used));
        let _ = self.budget.run.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        if bytes.over {
            return Err(Error::new(ErrorKind::Limit, "a container unpacks to too many bytes"));
        }
        result
    }

    fn explore(
        &mut self,
        level: &Level<'_>,
        about: &About<'_>,
        size: Option<u64>,
        bytes: &mut dyn Read,
    ) -> Result<()> {
        self.buf.clear();
        let begun = self.fill(bytes, limits::HEAD_BYTES);
        let head = self.buf.get(..limits::HEAD_BYTES).unwrap_or(&self.buf);
        let unpacker = match about.parts {
            None => content::opener(&Head { name: &level.name, bytes: head, size }),
            Some(_) => None,
        };
        let unpacker = unpacker.filter(|_| begun.is_ok());
        let too_deep = unpacker.is_some() && level.depth > limits::CONTAINER_DEPTH;
        if too_deep {
            self.closed(&level.at, &Error::new(ErrorKind::Limit, "containers nest too deep"));
        } else if let Some(unpacker) = unpacker
            && self.nested(level, unpacker, size, bytes)?
        {
            return Ok(());
        }
        // A container that stays closed is not the file that its name speaks of.
        let nameless = Level { name: b"".into(), ..level.clone() };
        let level = if too_deep { &nameless } else { level };
        let swept = begun.and_then(|_| self.sweep(level, about, bytes));
        match swept {
            Ok(()) => self.coverage.content(Class::Plain),
            Err(error) => self.closed(&level.at, &error),
        }
        Ok(())
    }

    /// Open a member of which the buffer holds the beginning. When it turns out to be none, the
    /// buffer holds the beginning again.
    fn nested(
        &mut self,
        level: &Level<'_>,
        unpacker: &Unpacker,
        size: Option<u64>,
        bytes: &mut dyn Read,
    ) -> Result<bool> {
        let most = match unpacker.open {
            Open::Stream(_) => limits::UNPACKED_WINDOW_BYTES,
            Open::Random(_) | Open::Either(..) => {
                usize::try_from(limits::HELD_BYTES).unwrap_or(usize::MAX)
            }
        };
        let whole = self.fill(bytes, most);
        if let Err(error) = &whole {
            self.closed(&level.at, error);
        }
        let held = std::mem::take(&mut self.buf);
        let opened = match (unpacker.open, whole) {
            (Open::Random(_), Ok(false)) => {
                let what = "a member that has to be read at random is too long to be held";
                self.closed(&level.at, &Error::new(ErrorKind::Limit, what).named(unpacker.name));
                Ok(false)
            }
            (Open::Random(_), _) | (Open::Either(..), Ok(true) | Err(_)) => {
                let size = Some(held.len() as u64);
                self.open(level, unpacker, size, Bytes::Random(&held))
            }
            (Open::Stream(_) | Open::Either(..), Ok(false)) => {
                let mut bytes = held.as_slice().chain(bytes);
                self.open(level, unpacker, size, Bytes::Stream(&mut bytes))
            }
            (Open::Stream(_), _) => {
                self.open(level, unpacker, size, Bytes::Stream(&mut held.as_slice()))
            }
        };
        self.buf = held;
        opened
    }

    /// Add what was found in a member, `start` bytes before what its span counts from.
    pub(super) fn found(
        &mut self,
        level: &Level<'_>,
        parts: Option<Parts<'_>>,
        (mut found, parsed): (Match, bool),
        (start, line): (u64, Option<u64>),
    ) {
        let span = Run::new(start + found.span.start, found.span.len);
        let part = parts.and_then(|parts| parts(span));
        let from = match &part {
            None if parts.is_some() => From::Somewhere,
            None => From::Verbatim(span.start),
            Some(part) => part.from,
        };
        let file_run = match (level.origin, from, &found.decoded) {
            (Some(origin), From::Verbatim(at), None) => {
                Some(Run::new(origin.saturating_add(at), span.len))
            }
            _ => None,
        };
        let from = match (level.origin, from) {
            (Some(origin), From::Verbatim(at)) => Run::new(origin.saturating_add(at), span.len),
            (Some(origin), From::Packed(run)) => {
                Run::new(origin.saturating_add(run.start), run.len).intersect(level.packed)
            }
            _ => level.packed,
        };
        let mut image_runs = self.source.locate(from);
        image_runs.truncate(RUNS_PER_PLACE);
        let mut decoded = found.decoded.clone().map(|decoded| shifted(decoded, start));
        let (at, span) = match part {
            Some(Part { name, run, .. }) => {
                let before = span.start.saturating_sub(run.start);
                decoded = decoded.map(|decoded| unshifted(decoded, before));
                (level.named(&name), run)
            }
            None => (level.at.clone(), span),
        };
        for (name, value) in level.facts.iter() {
            found.facts.entry(name).or_insert_with(|| value.clone());
        }
        let locator = narrowed(at, span, decoded);
        let place = Place { line, image_runs, file_run, ..Place::new(locator, self.state) };
        self.findings.add(found, parsed, place);
    }
}

/// The names of a container's members, one a line.
#[derive(Default)]
struct Names {
    text: Vec<u8>,
    /// What they mean if the container is a layer of an image.
    layer: layers::Layer,
}

impl Names {
    fn add(&mut self, name: Option<&[u8]>) {
        if let Some(name) = name {
            self.layer.add(name, layers::Entry::File);
        }
        let room = limits::UNPACKED_WINDOW_BYTES.saturating_sub(self.text.len());
        if let Some(name) = name.filter(|name| name.len() < room) {
            self.text.extend_from_slice(name);
            self.text.push(b'\n');
        }
    }

    /// The name that a run of the text is part of.
    fn part(&self, run: Run) -> Option<Part> {
        let at = usize::try_from(run.start).ok()?;
        let (before, behind) = self.text.split_at_checked(at)?;
        let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
        let len = memchr::memchr(b'\n', behind)?;
        let name = self.text.get(start..at + len)?.to_vec();
        let run = Run::new(run.start - start as u64, run.len);
        Some(Part { name, run, from: From::Somewhere })
    }
}

/// Bytes at random, read from front to back.
pub(super) struct Sequential<'a> {
    pub(super) bytes: &'a dyn ReadAt,
    pub(super) at: u64,
    pub(super) passed: &'a dyn Fn(u64),
}

impl Read for Sequential<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.len().saturating_sub(self.at);
        let len = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(buf) = buf.get_mut(..len) else { return Ok(0) };
        (self.passed)(self.at);
        self.bytes.read_at(self.at, buf).map_err(io::Error::other)?;
        self.at += len as u64;
        Ok(len)
    }
}

/// A stream that ends when a budget does.
struct Counted<'a> {
    bytes: &'a mut dyn Read,
    left: u64,
    over: bool,
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.bytes.read(buf)?;
        self.over |= self.left < len as u64;
        self.left = self.left.saturating_sub(len as u64);
        Ok(if self.over { 0 } else { len })
    }
}
