//! The survey of an image: its volumes, what reads each, and what lies between them.

use super::plan::{Item, Maker, Part, What};
use crate::bytes::{ReadAt, read_vec};
use crate::coverage::Kind;
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::DRIVERS;
use crate::image::Image;
use crate::limits;
use crate::locator::{Area, Escaped, Locator};
use crate::outcome::VolumeSummary;
use crate::run::{Run, RunSet};
use crate::volume::{self, Promise, VOLUME_SYSTEMS, Volume};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Whatever a parser does, planning goes on.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a parser failed on this volume")))
}

/// A volume as it was found, not yet opened.
struct Found {
    name: Option<Arc<str>>,
    bytes: Arc<dyn ReadAt>,
    promise: Promise,
}

impl From<Volume> for Found {
    fn from(volume: Volume) -> Found {
        let Volume { name, bytes, promise, .. } = volume;
        Found { name: Some(name), bytes, promise }
    }
}

/// Whether these bytes can be read and are all zero.
fn all_zeros(bytes: &dyn ReadAt, run: Run) -> bool {
    const STEP: u64 = 64 * 1024;
    let mut at = run.start;
    while at < run.end() {
        let len = STEP.min(run.end().saturating_sub(at));
        let Ok(size) = usize::try_from(len) else { return false };
        match guarded(|| read_vec(bytes, at, size)) {
            Ok(read) if read.iter().all(|&byte| byte == 0) => at = at.saturating_add(len),
            _ => return false,
        }
    }
    true
}

impl Maker<'_> {
    /// Plan every volume of an image, and what lies between them.
    pub(super) fn image(&mut self, image: &Image) {
        if image.written.total() == 0 {
            // A download that was cut off, a snapshot taken too early: not what anyone asked about.
            let what = "no byte of this image was ever written; is it the right one, and whole?";
            let root = Locator::new(&image.name, None, Area::Whole);
            self.coverage.error_at(&root, &Error::new(ErrorKind::Unreadable, what));
        }
        for volume in self.layout(image) {
            if self.parts.len() >= limits::VOLUMES {
                let error = Error::new(ErrorKind::Limit, "too many volumes; the rest is a gap");
                self.coverage.error(&error);
                break;
            }
            self.volume(image, volume);
        }
        self.gaps(image);
    }

    /// The volumes a partition table names, or the whole image as one.
    fn layout(&mut self, image: &Image) -> Vec<Found> {
        let root = Locator::new(&image.name, None, Area::Whole);
        for system in VOLUME_SYSTEMS {
            let opened = guarded(|| {
                let carries = (system.probe)(&*image.bytes)?;
                carries.then(|| (system.open)(&image.bytes)).transpose()
            });
            match opened {
                Ok(Some(layout)) => {
                    for trouble in &layout.troubles {
                        self.coverage.error_at(&root, trouble);
                    }
                    for &remark in &layout.remarks {
                        self.coverage.remark(Some(root.clone()), remark);
                    }
                    return layout.volumes.into_iter().map(Found::from).collect();
                }
                Ok(None) => {}
                Err(error) => self.coverage.error_at(&root, &error),
            }
        }
        // Data volumes often have no table. What is on one is data in some format.
        let bytes = Arc::clone(&image.bytes);
        vec![Found { name: None, bytes, promise: Promise::Format }]
    }

    fn volume(&mut self, image: &Image, Found { name, bytes, promise }: Found) {
        let mut part = Part {
            root: Arc::clone(&image.name),
            volume: name,
            bytes: Some(Arc::clone(&bytes)),
            filesystem: None,
            driver: None,
            files: Vec::new(),
            by_path: std::sync::OnceLock::new(),
        };
        let at = part.locator(Area::Whole);
        let mut refused = false;
        for driver in DRIVERS {
            let opened = guarded(|| {
                let carries = (driver.probe)(&*bytes)?;
                carries.then(|| (driver.open)(Arc::clone(&bytes))).transpose()
            });
            match opened {
                Ok(Some(filesystem)) => {
                    part.filesystem = Some(filesystem);
                    part.driver = Some(driver);
                    self.filesystem(part);
                    return self.take_away();
                }
                Ok(None) => {}
                Err(error) => {
                    refused = true;
                    self.coverage.error_at(&at, &error);
                }
            }
        }
        let (mut format, mut kind) = self.recognise(&at, &*bytes, refused);
        if kind == Kind::Gap && promise != Promise::Nothing && self.holds_data(&part) {
            (format, kind) = self.not_understood(&at, promise);
        }
        self.summarise(&part, format, 0, 0);
        let whole = Run::new(0, bytes.len());
        self.parts.push(part);
        self.raw(whole, kind, None);
        self.take_away();
    }

    /// What a volume is called that holds data of no known format, and how its bytes are counted.
    fn not_understood(&mut self, at: &Locator, promise: Promise) -> (&'static str, Kind) {
        let (format, kind, what) = match (promise, &at.volume) {
            (Promise::Encrypted, _) => (
                "encrypted",
                Kind::Opaque,
                "encrypted, its type says, and without a header: its bytes say nothing without \
                 the key",
            ),
            (_, Some(_)) => (
                "unknown",
                Kind::Unparsed,
                "a partition holds no known format: encrypted without a header, or a format \
                 unknown here",
            ),
            (_, None) => (
                "unknown",
                Kind::Unparsed,
                "the disk holds no partition table and no known format: encrypted without a \
                 header, or a format unknown here",
            ),
        };
        self.coverage.error_at(at, &Error::unsupported(what));
        (format, kind)
    }

    /// What a volume no driver reads is called, and how its bytes are counted.
    fn recognise(
        &mut self,
        at: &Locator,
        bytes: &dyn ReadAt,
        refused: bool,
    ) -> (&'static str, Kind) {
        match guarded(|| volume::recognise(bytes)) {
            Ok(Some(format)) => {
                if format.kind.incomplete() {
                    self.coverage.error_at(at, &format.lacks());
                }
                (format.name, format.kind)
            }
            Ok(None) if refused => ("damaged", Kind::Unparsed),
            Ok(None) => ("unknown", Kind::Gap),
            Err(error) => {
                self.coverage.error_at(at, &error);
                ("unreadable", Kind::Unparsed)
            }
        }
    }

    /// Whether any written byte of a part is other than zero. A new partition has none, and need
    /// not be understood. What cannot be read, or would take long to read, is taken for data.
    fn holds_data(&self, part: &Part) -> bool {
        let Some(bytes) = &part.bytes else { return false };
        let mut looked_at = 0u64;
        let mut volume_offset = 0u64;
        for (image, run) in part.locate(Run::new(0, bytes.len())) {
            let available = self.available.get(usize::from(image.0));
            for written in available.into_iter().flat_map(|available| available.within(run)) {
                looked_at = looked_at.saturating_add(written.len);
                let from = volume_offset.saturating_add(written.start.saturating_sub(run.start));
                let allowed = looked_at <= limits::ZEROS_BYTES;
                if !allowed || !all_zeros(&**bytes, Run::new(from, written.len)) {
                    return true;
                }
            }
            volume_offset = volume_offset.saturating_add(run.len);
        }
        false
    }

    /// The newest part's bytes are planned: no other part may plan them again, even if a hostile
    /// partition table says they are its own too.
    fn take_away(&mut self) {
        let Some(part) = self.parts.last() else { return };
        let whole = Run::new(0, part.bytes.as_ref().map_or(0, |bytes| bytes.len()));
        let mut runs = vec![Vec::new(); self.available.len()];
        for (image, run) in part.locate(whole) {
            runs.get_mut(usize::from(image.0)).into_iter().for_each(|runs| runs.push(run));
        }
        for (available, runs) in self.available.iter_mut().zip(runs) {
            *available = available.minus(&RunSet::from_runs(runs));
        }
    }

    /// What is left of an image when its volumes are taken away.
    fn gaps(&mut self, image: &Image) {
        let left = self.available.get(usize::from(image.number.0));
        if left.is_none_or(|available| available.total() == 0) {
            return;
        }
        self.parts.push(Part {
            root: Arc::clone(&image.name),
            volume: Some("gap".into()),
            bytes: Some(Arc::clone(&image.bytes)),
            filesystem: None,
            driver: None,
            files: Vec::new(),
            by_path: std::sync::OnceLock::new(),
        });
        self.raw(Run::new(0, image.bytes.len()), Kind::Gap, None);
        self.take_away();
    }

    /// Items for the written bytes of `run` of the newest part, which is a run of its volume.
    /// `owner` is the file that owns and does not show them, and where they are in it.
    pub(super) fn raw(&mut self, run: Run, kind: Kind, owner: Option<(u32, u64)>) {
        let Some((number, part)) = self.last_part() else { return };
        let mut items = Vec::new();
        let mut offset = owner.map_or(run.start, |(_, file_offset)| file_offset);
        for (image, run) in part.locate(run) {
            let Some(available) = self.available.get(usize::from(image.0)) else { continue };
            for written in available.within(run) {
                let skip = written.start - run.start;
                let (len, offset) = (written.len, offset + skip);
                let owner = owner.map(|(file, _)| file);
                let what = What::Raw { len, offset, kind, owner };
                items.push(Item { at: written.start, image, part: number, what });
            }
            offset += run.len;
        }
        self.labels_left = self.labels_left.saturating_sub(items.len());
        self.items.extend(items);
    }

    pub(super) fn last_part(&self) -> Option<(u16, &Part)> {
        let part = self.parts.last()?;
        Some((u16::try_from(self.parts.len() - 1).ok()?, part))
    }

    /// A line of the report on the volume `part` is.
    pub(super) fn summarise(&mut self, part: &Part, format: &str, files: u64, deleted: u64) {
        self.volumes.push(VolumeSummary {
            locator: part.locator(Area::Whole).to_string(),
            format: Escaped(format.as_bytes()).to_string(),
            bytes: part.bytes.as_ref().map_or(0, |bytes| bytes.len()),
            files,
            deleted,
        });
    }
}
