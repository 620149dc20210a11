//! The listing of a filesystem: its files with their claims, and the remainder as it labels it.

use super::claim::{Claim, Owned, Piece};
use super::plan::{Item, Maker, Owner, Part, What};
use super::survey::guarded;
use crate::coverage::Kind;
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{At, FileEntry, FileState, Filesystem, Stream, StreamName};
use crate::limits;
use crate::locator::Area;
use crate::run::{ImageNo, Run, RunSet};
use std::sync::Arc;

/// The files of one filesystem as they are visited.
#[derive(Default)]
struct Listing {
    files: Vec<FileEntry>,
    owned: Owned,
    live: u64,
    deleted: u64,
}

impl Listing {
    fn add(&mut self, mut file: FileEntry) -> Result<()> {
        match file.state {
            FileState::Live => self.live += 1,
            FileState::Deleted { .. } => self.deleted += 1,
        }
        if keep(&mut file) {
            let number = next_number(self.files.len())
                .ok_or_else(|| Error::new(ErrorKind::Limit, "too many files to plan"))?;
            self.owned.add(number, &file);
            self.files.push(file);
        }
        Ok(())
    }
}

impl Maker<'_> {
    /// Plan the files of a directory on the host.
    pub(super) fn tree(&mut self, name: Arc<str>, files: Box<dyn Filesystem>) {
        self.available = vec![RunSet::from_runs(vec![Run::new(0, u64::MAX)])];
        let part = Part {
            root: name,
            volume: None,
            bytes: None,
            filesystem: Some(files),
            driver: None,
            files: Vec::new(),
        };
        self.filesystem(part);
        self.coverage.written = self.claims.iter().map(|claim| claim.run.len).sum();
    }

    /// Plan the files of a part, and what of its volume they leave over.
    pub(super) fn filesystem(&mut self, mut part: Part) {
        let at = part.locator(Area::Whole);
        let mut listing = Listing::default();
        if let Some(filesystem) = part.filesystem.take() {
            let walked = guarded(|| {
                filesystem.walk(&mut |visited| {
                    visited
                        .and_then(|file| listing.add(file))
                        .unwrap_or_else(|error| self.coverage.error_at(&at, &error));
                });
                Ok(())
            });
            walked.unwrap_or_else(|error| self.coverage.error_at(&at, &error));
            part.filesystem = Some(filesystem);
        }
        let Listing { files, mut owned, live, deleted } = listing;
        part.files = files;
        part.files.shrink_to_fit();
        let format = part.driver.map_or("directory", |driver| driver.name);
        self.summarise(&part, format, live, deleted);
        let volume = Run::new(0, part.bytes.as_ref().map_or(u64::MAX, |bytes| bytes.len()));
        let taken = owned.settle(volume);
        self.parts.push(part);
        self.streams(&owned);
        for piece in &owned.slack {
            let owner = Owner { file: piece.file, file_offset: piece.file_offset };
            self.raw(piece.run, Kind::Slack, Some(owner));
        }
        self.remainder(volume, &taken);
    }

    /// Items for every stream that has bytes somewhere, each with its claims.
    fn streams(&mut self, owned: &Owned) {
        let Some((number, _)) = self.last_part() else { return };
        let mut pieces: Vec<&Piece> = owned.live.iter().chain(&owned.deleted).collect();
        pieces.sort_unstable_by_key(|p| (p.file, p.stream, p.file_offset));
        let mut pieces = pieces.into_iter().peekable();
        let Some(part) = self.parts.last() else { return };
        for (file, entry) in (0u32..).zip(&part.files) {
            for (stream, data) in (0u16..).zip(&entry.streams) {
                let first_claim = self.claims.len();
                while let Some(piece) = pieces.next_if(|p| (p.file, p.stream) == (file, stream)) {
                    claim(part, piece, &self.available, &mut self.claims);
                }
                let claims = (to_u32(first_claim), to_u32(self.claims.len()));
                if let Some(at) = first_byte(part, data) {
                    let what = What::File { file, stream, claims };
                    self.items.push(Item { at, part: number, what });
                }
            }
        }
    }

    /// What of the volume no file owns, as its filesystem labels it.
    fn remainder(&mut self, volume: Run, taken: &RunSet) {
        let rest = RunSet::from_runs(vec![volume]).minus(taken);
        if self.parts.last().is_none_or(|part| part.bytes.is_none()) {
            return;
        }
        for &run in rest.runs() {
            let mut at = run.start;
            let coarse = self.items.len() > limits::RAW_ITEMS;
            for (labelled, kind) in if coarse { Vec::new() } else { self.label(run) } {
                let labelled = Run::between(labelled.start.max(at), labelled.end().min(run.end()));
                // What a filesystem leaves unlabelled is still swept.
                self.raw(Run::between(at, labelled.start), Kind::Slack, None);
                self.raw(labelled, kind, None);
                at = at.max(labelled.end());
            }
            self.raw(Run::between(at, run.end()), Kind::Slack, None);
        }
    }

    fn label(&mut self, run: Run) -> Vec<(Run, Kind)> {
        let Some(filesystem) = self.parts.last().and_then(|part| part.filesystem.as_ref()) else {
            return Vec::new();
        };
        match guarded(|| Ok(filesystem.label(run))) {
            Ok(labels) => labels,
            Err(error) => {
                self.coverage.error(&error);
                Vec::new()
            }
        }
    }
}

/// Drop the streams that are not worth an item (their bytes are swept as metadata anyway); whether
/// any is left.
fn keep(file: &mut FileEntry) -> bool {
    let worth = |stream: &Stream| match &stream.name {
        StreamName::Data | StreamName::LinkTarget => stream.size > 0,
        StreamName::Xattr(name) => {
            let labels: [&[u8]; 4] =
                [b"security.selinux", b"security.capability", b"security.ima", b"security.evm"];
            stream.size > 0 && !labels.contains(&&**name) && !name.starts_with(b"system.")
        }
    };
    if !file.streams.iter().all(worth) {
        let streams = std::mem::take(&mut file.streams);
        file.streams = streams.into_iter().filter(worth).collect();
    }
    !file.streams.is_empty()
}

fn next_number(files: usize) -> Option<u32> {
    u32::try_from(files).ok().filter(|_| files < limits::FILES_PER_FILESYSTEM)
}

/// An index into a list that [`limits`] keeps below 2^32.
fn to_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The claims of one piece: where its written bytes lie on the target.
fn claim(part: &Part, piece: &Piece, available: &[RunSet], claims: &mut Vec<Claim>) {
    let mut file_offset = piece.file_offset;
    for (image, run) in part.locate(piece.run) {
        if let Some(available) = available.get(usize::from(image.0)) {
            claims.extend(available.within(run).map(|written| Claim {
                file_offset: file_offset.saturating_add(written.start - run.start),
                run: written,
                image,
            }));
        }
        file_offset = file_offset.saturating_add(run.len);
    }
}

/// Where the first byte of a stream lies on the target; none when it has none anywhere.
fn first_byte(part: &Part, stream: &Stream) -> Option<(ImageNo, u64)> {
    let start = stream.extents.iter().find_map(|extent| match extent.at {
        At::Disk(start) | At::Inline(start) => (extent.file_offset < stream.size).then_some(start),
        At::Packed(run) => Some(run.start),
        At::Hole | At::Unwritten(_) => None,
    })?;
    let (image, run) = *part.locate(Run::new(start, 1)).first()?;
    Some((image, run.start))
}
