//! The plan: every volume opened, every file listed with its runs, the remainder by construction.

use super::Target;
use super::carve;
use super::claim::Claim;
use super::clues::Clues;
use super::provenance::{self, Watch};
use crate::bytes::ReadAt;
use crate::coverage::{Coverage, Kind};
use crate::filesystem::{Driver, FileEntry, Filesystem};
use crate::image::Image;
use crate::image::cache::Later;
use crate::limits;
use crate::locator::{Area, Locator};
use crate::outcome::VolumeSummary;
use crate::run::{ImageNo, Run, RunSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};

/// Everything there is to sweep, sorted by place.
pub(super) struct Plan {
    pub(super) images: Vec<Image>,
    pub(super) parts: Vec<Part>,
    pub(super) items: Vec<Item>,
    pub(super) claims: Vec<Claim>,
    /// By image: bytes that are read once more after the sweep has passed them.
    pub(super) later: Vec<Vec<Later>>,
    pub(super) volumes: Vec<VolumeSummary>,
    /// Claimed bytes a file did not deliver: swept raw at the end.
    pub(super) undelivered: Mutex<Vec<Item>>,
    /// Bytes that may still be unpacked.
    pub(super) unpacked: AtomicU64,
    /// What carving may still cost.
    pub(super) carving: carve::Left,
    /// What the list of files tells already.
    pub(super) clues: Clues,
    /// By part: what is gathered of packages and digests.
    pub(super) watches: Vec<Watch>,
    /// Whether files are digested and not searched.
    pub(super) digests_only: bool,
    /// Whether containers stay closed.
    pub(super) closed: bool,
}

/// A volume, a gap, or a directory on the host.
pub(super) struct Part {
    pub(super) root: Arc<str>,
    pub(super) volume: Option<Arc<str>>,
    /// The volume's bytes; none for a directory.
    pub(super) bytes: Option<Arc<dyn ReadAt>>,
    pub(super) filesystem: Option<Box<dyn Filesystem>>,
    pub(super) driver: Option<&'static Driver>,
    pub(super) files: Vec<FileEntry>,
    /// The live files by path, once one is asked for.
    pub(super) by_path: OnceLock<Vec<u32>>,
}

/// One thing to sweep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Its first byte on the target.
    pub(super) at: u64,
    /// The image that byte is on.
    pub(super) image: ImageNo,
    /// Which part it belongs to.
    pub(super) part: u16,
    pub(super) what: What,
}

/// What an item is.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// The windows of a file's stream that begin in `run`, with the stream's range of the plan's
    /// claims, and whether they are the `first` of the stream.
    File { file: u32, stream: u16, claims: (u32, u32), run: Run, first: bool },
    /// Bytes of the remainder: from `at`, `len` long, and where they lie in the file that owns and
    /// does not show them, or in the volume.
    Raw { len: u64, offset: u64, kind: Kind, owner: Option<u32> },
}

impl Item {
    /// What the plan is sorted by: the place, and what tells apart those that begin there.
    pub(super) fn order(&self) -> impl Ord + use<> {
        let among = match self.what {
            What::File { file, stream, run, .. } => (file, stream, run.start),
            What::Raw { len, .. } => (u32::MAX, u16::MAX, len),
        };
        (self.image, self.at, self.part, among)
    }
}

impl Part {
    /// The locator of the part as a whole.
    pub(super) fn locator(&self, area: Area) -> Locator {
        Locator::new(&self.root, self.volume.as_ref(), area)
    }

    /// Where bytes of the volume lie on the target. A directory has an address space of its own.
    pub(super) fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        match &self.bytes {
            Some(bytes) => bytes.locate(run),
            None => vec![(ImageNo(0), run)],
        }
    }
}

/// Every name of a file.
pub(super) fn names(file: &FileEntry) -> impl Iterator<Item = &[u8]> {
    std::iter::once(&file.path).chain(&file.more_paths).map(|path| &**path)
}

/// Plan the sweep of `target`. What cannot be opened is recorded and swept raw. When the files as a
/// `whole` are asked for, the empty ones count too.
pub(super) fn make(target: Target, whole: bool, coverage: &mut Coverage) -> Plan {
    let mut maker = Maker {
        coverage,
        parts: Vec::new(),
        items: Vec::new(),
        claims: Vec::new(),
        later: Vec::new(),
        volumes: Vec::new(),
        available: Vec::new(),
        labels_left: limits::RAW_ITEMS,
        clues: Clues::default(),
        keep_empty: whole,
    };
    let images = match target {
        Target::Images(images) => {
            maker.later = images.iter().map(|_| Vec::new()).collect();
            maker.available = images.iter().map(|image| image.written.clone()).collect();
            maker.coverage.written = images.iter().map(|image| image.written.total()).sum();
            for image in &images {
                maker.image(image);
            }
            images
        }
        Target::Tree { name, files } => {
            maker.tree(name, files);
            Vec::new()
        }
    };
    let Maker { parts, mut items, claims, later, volumes, clues, .. } = maker;
    items.sort_unstable_by_key(Item::order);
    items.shrink_to_fit();
    let unpacked = AtomicU64::new(unpacked_bytes(coverage.written));
    let carving = carve::Left::of(coverage.written);
    let undelivered = Mutex::default();
    let watches = provenance::watches(&parts, whole);
    let digests_only = false;
    Plan {
        images,
        parts,
        items,
        claims,
        later,
        volumes,
        undelivered,
        unpacked,
        carving,
        clues,
        watches,
        digests_only,
        closed: false,
    }
}

/// Bytes that may be unpacked of a target of which so many were written.
fn unpacked_bytes(written: u64) -> u64 {
    written.saturating_mul(limits::UNPACKED_RUN_FACTOR).saturating_add(1 << 30)
}

/// A plan in the making.
pub(super) struct Maker<'a> {
    pub(super) coverage: &'a mut Coverage,
    pub(super) parts: Vec<Part>,
    pub(super) items: Vec<Item>,
    pub(super) claims: Vec<Claim>,
    pub(super) later: Vec<Vec<Later>>,
    pub(super) volumes: Vec<VolumeSummary>,
    /// By image: written bytes no item covers yet.
    pub(super) available: Vec<RunSet>,
    /// Items of the remainder that may still get their own label.
    pub(super) labels_left: usize,
    /// What the list of files tells already.
    pub(super) clues: Clues,
    /// Whether empty files are kept too.
    pub(super) keep_empty: bool,
}

impl Plan {
    /// The claims of an item that may touch `window` of its stream.
    pub(super) fn claims_in(&self, claims: (u32, u32), window: Run) -> &[Claim] {
        let index = |n: u32| usize::try_from(n).unwrap_or(usize::MAX).min(self.claims.len());
        let all = self.claims.get(index(claims.0)..index(claims.1)).unwrap_or_default();
        let first =
            all.partition_point(|c| c.file_offset.saturating_add(c.run.len) <= window.start);
        let after = all.partition_point(|c| c.file_offset < window.end());
        all.get(first..after).unwrap_or_default()
    }
}

#[cfg(test)]
impl Plan {
    /// A plan without items, of one file with one stream, on nothing.
    pub(super) fn of(stream: crate::filesystem::Stream) -> Plan {
        use crate::filesystem::{FileKind, FileState, Times};
        let file = FileEntry {
            path: (*b"/file").into(),
            more_paths: Box::default(),
            inode: 1,
            kind: FileKind::File,
            mode: 0,
            uid: 0,
            gid: 0,
            links: 1,
            times: Times::default(),
            state: FileState::Live,
            streams: Box::new([stream]),
        };
        let part = Part {
            root: "x".into(),
            volume: None,
            bytes: None,
            filesystem: None,
            driver: None,
            files: vec![file],
            by_path: OnceLock::new(),
        };
        Plan {
            images: Vec::new(),
            parts: vec![part],
            items: Vec::new(),
            claims: Vec::new(),
            later: Vec::new(),
            volumes: Vec::new(),
            undelivered: Mutex::default(),
            unpacked: AtomicU64::new(unpacked_bytes(0)),
            carving: carve::Left::of(0),
            clues: Clues::default(),
            watches: Vec::new(),
            digests_only: false,
            closed: false,
        }
    }
}
