//! The listing of a filesystem: its files with their claims, and the remainder as it labels it.

use super::claim::{Claim, Owned, Piece};
use super::plan::{Item, Maker, Part, What};
use super::stretch::{Stretch, stretches};
use super::survey::guarded;
use crate::artifact::layers;
use crate::coverage::Kind;
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{
    At, Extent, FileEntry, FileKind, FileState, Filesystem, Stream, StreamName,
};
use crate::image::cache::Later;
use crate::limits;
use crate::locator::Area;
use crate::run::{ImageNo, Run, RunSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The files of one filesystem as they are visited.
#[derive(Default)]
struct Listing {
    files: Vec<FileEntry>,
    owned: Owned,
    live: u64,
    deleted: u64,
    /// The layers of images of containers, by their directories.
    layers: BTreeMap<Box<[u8]>, layers::Layer>,
    keep_empty: bool,
}

impl Listing {
    fn add(&mut self, mut file: FileEntry) -> Result<()> {
        match file.state {
            FileState::Live => self.live += 1,
            FileState::Deleted { .. } => self.deleted += 1,
        }
        if let Some((layer, path)) = layers::on_disk(&file.path).filter(|_| file.is_live())
            && let Some(entry) = layered(&file, path)
        {
            self.layers.entry(layer.into()).or_default().add(path, entry);
        }
        let empty = self.keep_empty && file.kind == FileKind::File && file.is_live();
        if keep(&mut file) || empty {
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
            by_path: std::sync::OnceLock::new(),
        };
        self.filesystem(part);
        self.coverage.written = self.claims.iter().map(|claim| claim.run.len).sum();
    }

    /// Plan the files of a part, and what of its volume they leave over.
    pub(super) fn filesystem(&mut self, mut part: Part) {
        let at = part.locator(Area::Whole);
        let mut listing = Listing { keep_empty: self.keep_empty, ..Listing::default() };
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
        let Listing { files, mut owned, live, deleted, layers, .. } = listing;
        for (path, layer) in layers {
            let at = part.locator(Area::Path(path));
            layer.clues(&at, true, &mut |clue| self.clues.add(clue));
        }
        part.files = files;
        part.files.shrink_to_fit();
        let format = part.driver.map_or("directory", |driver| driver.name);
        self.summarise(&part, format, live, deleted);
        let volume = Run::new(0, part.bytes.as_ref().map_or(u64::MAX, |bytes| bytes.len()));
        let taken = owned.settle(volume);
        self.parts.push(part);
        self.streams(&owned);
        let slack = owned.slack;
        drop((owned.live, owned.deleted));
        for piece in &slack {
            self.raw(piece.run, Kind::Slack, Some((piece.file, piece.file_offset)));
        }
        drop(slack);
        self.remainder(volume, &taken);
    }

    /// Items for every stream that has bytes somewhere, each with its claims.
    fn streams(&mut self, owned: &Owned) {
        let Some((number, _)) = self.last_part() else { return };
        let mut pieces: Vec<&Piece> = owned.live.iter().chain(&owned.deleted).collect();
        pieces.sort_unstable_by_key(|p| (p.file, p.stream, p.file_offset));
        // Lists that grow by doubling would be the larger part of the plan.
        self.claims.reserve_exact(pieces.len());
        let known = pieces.len().saturating_add(owned.slack.len());
        self.items.reserve_exact(known.saturating_add(known / 8));
        let mut pieces = pieces.into_iter().peekable();
        let Some(part) = self.parts.last() else { return };
        let volume_bytes = part.bytes.as_ref().map_or(u64::MAX, |bytes| bytes.len());
        let mut shared_left = volume_bytes.saturating_mul(limits::SHARED_FACTOR);
        let mut raw = Vec::new();
        for (file, entry) in (0u32..).zip(&part.files) {
            for (stream, data) in (0u16..).zip(&entry.streams) {
                let first_claim = self.claims.len();
                let same = |p: &&Piece| (p.file, p.stream) == (file, stream);
                let own = std::iter::from_fn(|| pieces.next_if(same)).collect::<Vec<_>>();
                let (delivered, twice) = delivered(&own);
                raw.extend(twice);
                for piece in &delivered {
                    claim(part, piece, &self.available, &mut self.claims);
                }
                let claimed = delivered.iter().map(|piece| piece.run.len).sum();
                let shared = shown_bytes(data).saturating_sub(claimed);
                if shared > shared_left {
                    shared_left = 0;
                    self.claims.truncate(first_claim);
                    raw.extend(delivered.iter().map(|piece| piece.run));
                    continue;
                }
                shared_left -= shared;
                let claims = (to_u32(first_claim), to_u32(self.claims.len()));
                let mut first = true;
                stretches(part, data, &mut |Stretch { at, run, before }| {
                    let what = What::File { file, stream, claims, run, first };
                    first = false;
                    self.items.push(Item { at: at.1, image: at.0, part: number, what });
                    wait(&mut self.later, &before, at);
                });
            }
        }
        if shared_left == 0 && volume_bytes > 0 {
            let at = part.locator(Area::Whole);
            let what = "files share more bytes than are swept under each of their names";
            self.coverage.error_at(&at, &Error::new(ErrorKind::Limit, what));
        }
        for run in RunSet::from_runs(raw).runs() {
            self.raw(*run, Kind::Slack, None);
        }
    }

    /// What of the volume no file owns, as its filesystem labels it.
    fn remainder(&mut self, volume: Run, taken: &RunSet) {
        let rest = RunSet::from_runs(vec![volume]).minus(taken);
        if self.parts.last().is_none_or(|part| part.bytes.is_none()) {
            return;
        }
        let mut told = false;
        for &run in rest.runs() {
            let mut at = run.start;
            let coarse = self.labels_left == 0;
            if coarse && !told {
                told = true;
                let at = self.parts.last().map(|part| part.locator(Area::Whole));
                let what = "in too many pieces to tell free space and metadata apart: from here \
                            on, what no file shows is called slack";
                self.coverage.remark(at, what);
            }
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

/// What a file of a layer means to the layers below.
fn layered(file: &FileEntry, path: &[u8]) -> Option<layers::Entry> {
    const FORMAT: u16 = 0o170_000;
    const CHARACTERS: u16 = 0o020_000;
    let opaque: [&[u8]; 3] =
        [b"trusted.overlay.opaque", b"user.overlay.opaque", b"user.fuseoverlayfs.opaque"];
    let says = |stream: &Stream| matches!(&stream.name, StreamName::Xattr(name) if opaque.contains(&&**name));
    match file.kind {
        FileKind::File | FileKind::Link => Some(layers::Entry::File),
        FileKind::Directory if file.streams.iter().any(says) => Some(layers::Entry::Opaque),
        // A device of a container is in its /dev; what hides a file is anywhere.
        FileKind::Special if file.mode & FORMAT == CHARACTERS => {
            Some(layers::Entry::Whiteout).filter(|_| !path.starts_with(b"dev/"))
        }
        FileKind::Directory | FileKind::Special => None,
    }
}

/// Drop the streams that are not worth an item (their bytes are swept as metadata anyway); whether
/// any is left.
fn keep(file: &mut FileEntry) -> bool {
    let worth = |stream: &Stream| match &stream.name {
        StreamName::Data | StreamName::LinkTarget => stream.size > 0,
        StreamName::Xattr(name) => {
            let labels: [&[u8]; 3] = [b"security.selinux", b"security.ima", b"security.evm"];
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

/// The pieces of a stream, in its order, that its reader delivers, and the runs of the others: a
/// reader takes each byte from the first extent that holds it.
fn delivered<'a>(own: &[&'a Piece]) -> (Vec<&'a Piece>, Vec<Run>) {
    let (mut shown, mut twice, mut end) = (Vec::new(), Vec::new(), 0);
    for piece in own {
        if piece.file_offset < end {
            twice.push(piece.run);
        } else {
            shown.push(*piece);
        }
        end = end.max(piece.file_offset.saturating_add(piece.run.len));
    }
    (shown, twice)
}

/// How many verbatim bytes a stream shows.
fn shown_bytes(stream: &Stream) -> u64 {
    let shown = |extent: &Extent| match extent.at {
        At::Disk(_) => stream.size.saturating_sub(extent.file_offset).min(extent.len),
        At::Hole | At::Unwritten(_) | At::Inline(_) | At::Packed(_) => 0,
    };
    stream.extents.iter().map(shown).fold(0, u64::saturating_add)
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

/// What is read at `at` of places before it has to be kept till then.
fn wait(later: &mut [Vec<Later>], before: &[(ImageNo, Run)], at: (ImageNo, u64)) {
    let Some(later) = later.get_mut(usize::from(at.0.0)) else { return };
    for (_, run) in before.iter().filter(|(image, _)| *image == at.0) {
        if later.len() < limits::LATER_PIECES {
            later.extend(Later::parts(*run, at.1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::ReadAt;
    use crate::coverage::Coverage;
    use crate::sweep::clues::Clues;

    /// A disk of zeros.
    struct Zeros(u64);

    impl ReadAt for Zeros {
        fn len(&self) -> u64 {
            self.0
        }

        fn read_at(&self, _: u64, buf: &mut [u8]) -> Result<()> {
            buf.fill(0);
            Ok(())
        }

        fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
            vec![(ImageNo(0), run)]
        }
    }

    /// A filesystem without files, of which every other kilobyte is free.
    struct Striped;

    impl Filesystem for Striped {
        fn walk(&self, _: &mut dyn FnMut(Result<FileEntry>)) {}

        fn label(&self, run: Run) -> Vec<(Run, Kind)> {
            let stripes = (run.start / 1024..run.end() / 1024).map(|n| {
                let kind = if n % 2 == 0 { Kind::Free } else { Kind::Metadata };
                (Run::new(n * 1024, 1024), kind)
            });
            stripes.collect()
        }

        fn open<'a>(&'a self, _: &FileEntry, _: usize) -> Result<Box<dyn ReadAt + 'a>> {
            Err(Error::new(ErrorKind::NotFound, "no such file"))
        }
    }

    /// How many items there are of each kind, and what is remarked, with `files` items before.
    fn labelled(files: usize, labels_left: usize) -> (Vec<usize>, Vec<String>) {
        const LEN: u64 = 64 * 1024;
        let mut coverage = Coverage::default();
        let root: Arc<str> = "x".into();
        let (bytes, filesystem) = (Arc::new(Zeros(LEN)), Box::new(Striped));
        let part = Part {
            root,
            volume: None,
            bytes: Some(bytes),
            filesystem: Some(filesystem),
            driver: None,
            files: Vec::new(),
            by_path: std::sync::OnceLock::new(),
        };
        let what =
            What::File { file: 0, stream: 0, claims: (0, 0), run: Run::new(0, 1), first: true };
        let mut maker = Maker {
            coverage: &mut coverage,
            parts: vec![part],
            items: vec![Item { at: 0, image: ImageNo(0), part: 0, what }; files],
            claims: Vec::new(),
            later: Vec::new(),
            volumes: Vec::new(),
            available: vec![RunSet::from_runs(vec![Run::new(0, LEN)])],
            labels_left,
            clues: Clues::default(),
            keep_empty: false,
        };
        let taken = (1..8).map(|n| Run::new(n * 8192 - 1024, 1024)).collect();
        maker.remainder(Run::new(0, LEN), &RunSet::from_runs(taken));
        let raw = maker.items.iter().filter_map(|item| match item.what {
            What::Raw { kind, len, .. } => Some((kind, len)),
            What::File { .. } => None,
        });
        let raw: Vec<(Kind, u64)> = raw.collect();
        assert_eq!(raw.iter().map(|(_, len)| len).sum::<u64>(), LEN - 7 * 1024);
        let of = |kind| raw.iter().filter(|(of, _)| *of == kind).count();
        let counts = [Kind::Free, Kind::Metadata, Kind::Slack].map(of);
        coverage.written = 0;
        coverage.seal();
        (counts.into(), coverage.errors().iter().map(|error| error.what.clone()).collect())
    }

    /// Files counted as pieces of the remainder, which then was all called slack, and nobody said.
    #[test]
    fn labels_end_with_too_many_pieces_and_not_with_files() {
        assert_eq!(labelled(9, 1000), (vec![32, 25, 0], Vec::new()));
        assert_eq!(labelled(5000, 1000), (vec![32, 25, 0], Vec::new()));
        let (counts, remarks) = labelled(9, 16);
        assert_eq!(counts, [12, 9, 5]);
        assert!(remarks.len() == 1 && remarks[0].starts_with("in too many pieces"), "{remarks:?}");
    }
}
