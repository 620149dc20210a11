//! Provenance: while files are swept, what package databases say is kept, and a digest of every file
//! that a package could own; when all has been swept, which of them are still as they came.

mod base;
mod boot;
mod digests;
mod integrity;
mod judge;
mod special;
mod told;

pub(super) use digests::Passing;
pub(super) use judge::{Judged, judge};

use super::plan::{Part, Plan, names};
use crate::bytes::ReadAt;
use crate::content::sqlite::{self, Value};
use crate::coverage::Coverage;
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{FileEntry, FileKind, Stream, StreamName};
use crate::locator::Locator;
use crate::provenance::digest::{Algorithm, Digest, Whole};
use crate::provenance::manifest::{Base, File};
use crate::provenance::{self, Database, Form, Record};
use digests::Digests;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use told::Told;

/// What a part's package databases say and what its files are, gathered while it is swept.
#[derive(Default)]
pub(super) struct Watch {
    /// What digests of files are taken by.
    algorithms: Vec<Algorithm>,
    /// Whether an installer of Python packages has left its records: of their files alone they
    /// tell, so that the others need no digest of that kind.
    python: bool,
    /// Whether every file is digested whole.
    whole: bool,
    /// The live regular files by every name they have.
    index: OnceLock<Vec<(u32, u32)>>,
    digests: Digests,
    told: Mutex<Told>,
}

/// A watch for each part of a plan.
pub(super) fn watches(parts: &[Part], whole: bool) -> Vec<Watch> {
    parts.iter().map(|part| Watch::new(part, whole)).collect()
}

impl Watch {
    fn new(part: &Part, whole: bool) -> Watch {
        let (mut algorithms, mut python) = (Vec::new(), false);
        for file in part.files.iter().filter(|file| is_regular(file)) {
            match names(file).find_map(provenance::database) {
                Some(database) if database.name == "pip" => python = true,
                Some(database) if !algorithms.contains(&database.algorithm) => {
                    algorithms.push(database.algorithm);
                }
                _ => {}
            }
        }
        algorithms.sort_unstable();
        Watch { algorithms, python, whole, ..Watch::default() }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a file's digests are taken by.
    fn wanted(&self, file: &FileEntry) -> Vec<Algorithm> {
        let mut wanted = Vec::new();
        let owned = |name: &[u8]| provenance::is_for_packages(provenance::plain(name));
        if !self.algorithms.is_empty() && names(file).any(owned) {
            wanted.clone_from(&self.algorithms);
        }
        let python = |name: &[u8]| provenance::is_python(provenance::plain(name));
        let sha256 = self.whole || (self.python && names(file).any(python));
        if sha256 && !wanted.contains(&Algorithm::Sha256) {
            wanted.push(Algorithm::Sha256);
        }
        wanted
    }

    /// A window of a live file's data has been read.
    pub(super) fn window(&self, file: &FileEntry, passing: &Passing<'_>) {
        if !is_regular(file) {
            return;
        }
        if passing.window.start == 0 && passing.bytes.starts_with(b"\x7fELF") {
            self.digests.program(passing.number);
        }
        let wanted = self.wanted(file);
        if !wanted.is_empty() {
            self.digests.take(&wanted, passing, self.whole);
        }
    }

    /// A window of a file could not be read whole.
    pub(super) fn lost(&self, number: u32) {
        self.digests.lost(number);
    }

    /// The file of a path, with or without a slash before it.
    fn find(&self, part: &Part, path: &[u8]) -> Option<u32> {
        let index = self.index.get_or_init(|| index(part));
        let path = provenance::plain(path);
        let found = index.binary_search_by(|entry| name_of(part, *entry).cmp(path)).ok()?;
        index.get(found).map(|(file, _)| *file)
    }

    /// The same, where `/bin` may or may not be `/usr/bin`.
    fn find_merged(&self, part: &Part, path: &[u8]) -> Option<u32> {
        self.find(part, path).or_else(|| self.find(part, &provenance::merged(path)?))
    }

    /// Keep what a part of a package database says.
    pub(super) fn collect(
        &self,
        part: &Part,
        (at, path): (&Locator, &[u8]),
        bytes: &dyn ReadAt,
        coverage: &mut Coverage,
    ) {
        let Some(database) = provenance::database(path) else { return };
        let mut keep = |record: Record<'_>| {
            let file = match &record {
                Record::File(owned) => self.find_merged(part, owned.path),
                _ => None,
            };
            self.told().keep(database.name, &record, file);
        };
        if let Err(error) = read(part, (database, path), bytes, &mut keep) {
            self.told().damaged = true;
            coverage.remark(Some(at.clone()), error.named(database.name).message());
        }
    }

    /// A digest of a file, where one was taken.
    fn digest(&self, file: u32, algorithm: Algorithm) -> Option<Digest> {
        self.digests.short(file, algorithm)
    }

    /// The whole SHA-256 of a file, where it was taken.
    fn sha256(&self, file: u32) -> Option<Whole> {
        self.digests.whole(file)
    }
}

fn read(
    part: &Part,
    (database, path): (&Database, &[u8]),
    bytes: &dyn ReadAt,
    keep: &mut dyn FnMut(Record<'_>),
) -> Result<()> {
    match database.form {
        Form::Text(read) => {
            read(provenance::plain(path), &provenance::text(bytes)?, keep);
            Ok(())
        }
        Form::Store(read) => read(bytes, keep),
        Form::Table { name, read } => {
            let mut result = Ok(());
            // The system that the image was made of may have been running: what its last
            // transactions wrote is in the log beside the database.
            let mut rows = |log: Option<&dyn ReadAt>| {
                let mut damage = Ok(());
                let blobs = &mut |_, row: &[Value]| {
                    let header = row.iter().find_map(blob);
                    damage = damage.clone().and(header.map_or(Ok(()), |header| read(header, keep)));
                    Ok(())
                };
                let whole = sqlite::rows(bytes, log, name, blobs);
                result = whole.and(damage);
            };
            if !part.with_file(&[path, b"-wal"].concat(), &mut |log| rows(Some(log))) {
                rows(None);
            }
            result
        }
    }
}

fn blob(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

/// Whether it is a file with bytes of its own.
fn is_regular(file: &FileEntry) -> bool {
    file.kind == FileKind::File && file.is_live()
}

/// The stream of a file's data, and its number.
fn data(file: &FileEntry) -> Option<(usize, &Stream)> {
    file.streams.iter().enumerate().find(|(_, stream)| stream.name == StreamName::Data)
}

fn file_of(part: &Part, number: u32) -> Option<&FileEntry> {
    part.files.get(usize::try_from(number).ok()?)
}

/// Every name of every live regular file, sorted: the file's number and the name's.
fn index(part: &Part) -> Vec<(u32, u32)> {
    let files = (0u32..).zip(&part.files).filter(|(_, file)| is_regular(file));
    let mut index: Vec<(u32, u32)> = files
        .flat_map(|(number, file)| (0u32..).zip(names(file)).map(move |(name, _)| (number, name)))
        .collect();
    index.sort_by(|a, b| name_of(part, *a).cmp(name_of(part, *b)).then(a.cmp(b)));
    index
}

fn name_of(part: &Part, (file, name): (u32, u32)) -> &[u8] {
    let name = usize::try_from(name).unwrap_or(usize::MAX);
    let path = file_of(part, file).and_then(|file| names(file).nth(name));
    provenance::plain(path.unwrap_or_default())
}

/// Read a file from front to back, handing its bytes over.
fn read_again(part: &Part, file: &FileEntry, take: &mut dyn FnMut(&[u8])) -> Result<()> {
    let none = || Error::new(ErrorKind::NotFound, "a file is gone");
    let Some((stream, _)) = data(file) else { return Ok(()) };
    let filesystem = part.filesystem.as_deref().ok_or_else(none)?;
    let bytes = filesystem.open(file, stream)?;
    let (len, mut at) = (bytes.len(), 0);
    let mut buf = Vec::new();
    while at < len {
        let run = crate::run::Run::new(at, (len - at).min(crate::limits::WINDOW_BYTES));
        super::read::fill(&*bytes, run, &mut buf)?;
        take(&buf);
        at = run.end();
    }
    Ok(())
}

/// What is asked of a sweep besides its findings.
#[derive(Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The image that this one was made from: every file is digested and compared with it.
    pub base: Option<&'a Base>,
    /// The clean-up lists that are checked.
    pub hygiene: &'a [&'static str],
    /// Whether containers stay closed: they are searched as they stand, and the result is not
    /// complete.
    pub closed: bool,
    /// When an image that was acquired by launching it first booted, in seconds since 1970.
    pub boot: Option<i64>,
}

/// The manifest of what was swept: every live file, sorted, with its digest. What was not digested
/// as it passed is read now.
pub(super) fn manifest(plan: &Plan, coverage: &mut Coverage) -> Vec<File> {
    let mut files = Vec::new();
    for (part, watch) in plan.parts.iter().zip(&plan.watches) {
        watch.digests.settle();
        for (number, file) in (0u32..).zip(&part.files).filter(|(_, file)| is_regular(file)) {
            let sha256 = base::digested(part, watch, (number, file), coverage);
            files.extend(names(file).map(|name| base::line(part, file, name, sha256.as_ref())));
        }
    }
    files.sort();
    files
}
