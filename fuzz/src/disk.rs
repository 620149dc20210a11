//! Disks: the bundled images with hostile bytes laid over what a reader looks at.
//!
//! An input is no disk. Its first byte chooses one, its second cuts the end off, and the rest are
//! patches: the number of a sector (two bytes), an offset in it (two bytes), a length (one byte)
//! and as many bytes. Sectors are counted among those that the reader under test asked for when
//! the disk was whole, so that nearly every patch lies in a structure it understands.

use amisweep::bytes::{ReadAt, past_end, read_vec};
use amisweep::detect::Engine;
use amisweep::error::Result;
use amisweep::filesystem::{DRIVERS, Driver, FileEntry, Filesystem};
use amisweep::image::Image;
use amisweep::limits::PATH_BYTES;
use amisweep::run::{ImageNo, Run, RunSet};
use amisweep::sweep::{FingerprintKey, Options, Progress, Target, sweep};
use amisweep::volume::{VOLUME_SYSTEMS, VolumeSystem, recognise};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex};

const SECTOR: u64 = 512;
const PATCH_HEADER: usize = 5;
/// Bytes of file data that are read for one input.
const READ_BYTES: u64 = 1024 * 1024;
/// Files that are opened for one input.
const OPENED: usize = 256;
/// Bytes of a disk that is swept end to end for every input.
const SWEPT_BYTES: u64 = 12 * 1024 * 1024;
/// Sectors of one disk that become seeds.
const SEEDS_PER_DISK: usize = 48;

/// Reads a disk, as the sweep would.
type Exercise = Box<dyn Fn(&Arc<dyn ReadAt>)>;

/// One reader and the disks that it knows.
pub struct DiskTarget {
    exercise: Exercise,
    disks: Vec<Disk>,
}

struct Disk {
    bytes: Arc<dyn ReadAt>,
    /// The sectors that a reader asks for, in that order.
    sectors: Vec<u64>,
}

impl DiskTarget {
    /// A filesystem driver over every bundled volume that it knows.
    pub fn driver(driver: &'static Driver) -> DiskTarget {
        let knows = |bytes: &dyn ReadAt| (driver.probe)(bytes).unwrap_or(false);
        DiskTarget::over(Box::new(move |bytes| read_driver(driver, bytes)), knows)
    }

    /// A volume system over every bundled image that it knows.
    pub fn volume_system(system: &'static VolumeSystem) -> DiskTarget {
        let knows = |bytes: &dyn ReadAt| (system.probe)(bytes).unwrap_or(false);
        DiskTarget::over(Box::new(move |bytes| read_volumes(system, bytes)), knows)
    }

    /// The formats that are only recognised.
    pub fn recognise() -> DiskTarget {
        DiskTarget::over(Box::new(|bytes| drop(recognise(&**bytes))), |_| true)
    }

    /// The sweep end to end, over disks that are small enough to be swept often.
    pub fn sweep() -> DiskTarget {
        let engine = Engine::builtin().expect("the built-in signatures load");
        let small = |bytes: &dyn ReadAt| bytes.len() <= SWEPT_BYTES;
        let mut target = DiskTarget::over(Box::new(read_all), small);
        target.exercise = Box::new(move |bytes| sweep_once(&engine, bytes));
        target
    }

    /// Another reader of whatever passes `knows`.
    fn over(exercise: Exercise, knows: impl Fn(&dyn ReadAt) -> bool) -> DiskTarget {
        let mut bases: Vec<_> = bundled().into_iter().filter(|bytes| knows(&**bytes)).collect();
        bases.push(Arc::new(Sparse { len: 4 * 1024 * 1024, cells: BTreeMap::new() }));
        let disks = bases.into_iter().map(|bytes| {
            let sectors = asked_for(&exercise, &bytes);
            Disk { bytes, sectors }
        });
        DiskTarget { disks: disks.collect(), exercise }
    }
}

impl crate::Target for DiskTarget {
    fn run(&self, input: &[u8]) {
        let [base, cut, patches @ ..] = input else { return };
        let disk = &self.disks[usize::from(*base) % self.disks.len()];
        let bytes: Arc<dyn ReadAt> = Arc::new(disk.patched(*cut, patches));
        (self.exercise)(&bytes);
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for (base, disk) in (0u8..).zip(&self.disks) {
            seeds.push(vec![base, 0]);
            // The first sectors read matter most: superblocks and roots.
            let first = disk.sectors.len().min(SEEDS_PER_DISK / 2);
            let step = disk.sectors.len().div_ceil(SEEDS_PER_DISK).max(1);
            let chosen: BTreeSet<_> =
                (0..first).chain((0..disk.sectors.len()).step_by(step)).collect();
            seeds.extend(chosen.into_iter().filter_map(|index| disk.seed(base, index)));
        }
        seeds
    }
}

impl Disk {
    fn patched(&self, cut: u8, mut rest: &[u8]) -> Overlay {
        let whole = self.bytes.len();
        let len = whole - whole / 256 * u64::from(cut);
        let mut patches = Vec::new();
        while let Some((&[a, b, c, d, len], after)) = rest.split_first_chunk::<PATCH_HEADER>() {
            let (bytes, after) = after.split_at(after.len().min(usize::from(len)));
            rest = after;
            let index = usize::from(u16::from_le_bytes([a, b]));
            if let Some(sector) = self.sectors.get(index % self.sectors.len().max(1)) {
                let offset = u64::from(u16::from_le_bytes([c, d])) % SECTOR;
                patches.push((sector + offset, bytes.to_vec()));
            }
        }
        Overlay { base: Arc::clone(&self.bytes), len, patches }
    }

    /// An input that lays one sector over itself: libFuzzer then changes what is there.
    fn seed(&self, base: u8, index: usize) -> Option<Vec<u8>> {
        let [low, high] = u16::try_from(index).ok()?.to_le_bytes();
        let mut seed = vec![base, 0];
        for (part, len) in [(0u16, 255), (255, 255), (510, 2)] {
            let start = self.sectors.get(index)? + u64::from(part);
            let bytes = read_vec(&*self.bytes, start, usize::from(len)).ok()?;
            let [a, b] = part.to_le_bytes();
            seed.extend([low, high, a, b, len]);
            seed.extend(bytes);
        }
        Some(seed)
    }
}

/// The sectors that reading asks for, those of zeros left out unless there are no others.
fn asked_for(exercise: &Exercise, bytes: &Arc<dyn ReadAt>) -> Vec<u64> {
    let recorder = Arc::new(Recorder { base: Arc::clone(bytes), seen: Mutex::default() });
    let disk: Arc<dyn ReadAt> = Arc::clone(&recorder) as Arc<dyn ReadAt>;
    exercise(&disk);
    let order = std::mem::take(&mut recorder.seen.lock().unwrap().order);
    let holds_data = |sector: &&u64| {
        read_vec(&**bytes, **sector, 512).is_ok_and(|sector| sector.iter().any(|&b| b != 0))
    };
    let data: Vec<u64> = order.iter().filter(holds_data).copied().collect();
    if data.is_empty() { order } else { data }
}

/// Notes what is read.
struct Recorder {
    base: Arc<dyn ReadAt>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    order: Vec<u64>,
    known: BTreeSet<u64>,
}

impl ReadAt for Recorder {
    fn len(&self) -> u64 {
        self.base.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.base.read_at(offset, buf)?;
        let run = Run::new(offset, buf.len() as u64).align_out(SECTOR);
        let mut seen = self.seen.lock().unwrap();
        for sector in (run.start..run.end()).step_by(512) {
            if seen.known.insert(sector) {
                seen.order.push(sector);
            }
        }
        Ok(())
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        self.base.locate(run)
    }
}

/// A disk with other bytes laid over it.
struct Overlay {
    base: Arc<dyn ReadAt>,
    len: u64,
    patches: Vec<(u64, Vec<u8>)>,
}

impl ReadAt for Overlay {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let wanted = Run::new(offset, buf.len() as u64);
        if wanted.len != buf.len() as u64 || self.len < wanted.end() {
            return Err(past_end(offset, buf.len(), self.len));
        }
        self.base.read_at(offset, buf)?;
        for (start, bytes) in &self.patches {
            let part = Run::new(*start, bytes.len() as u64).intersect(wanted);
            let index = |at: u64, from: u64| usize::try_from(at - from).unwrap();
            if !part.is_empty() {
                buf[index(part.start, offset)..index(part.end(), offset)]
                    .copy_from_slice(&bytes[index(part.start, *start)..index(part.end(), *start)]);
            }
        }
        Ok(())
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        vec![(ImageNo(0), run.intersect(Run::new(0, self.len)))]
    }
}

/// A disk in memory of which only what is not zero is kept.
struct Sparse {
    len: u64,
    cells: BTreeMap<u64, Box<[u8]>>,
}

impl Sparse {
    const CELL: u64 = 4096;

    fn unpack(packed: File) -> Sparse {
        let mut bytes = ruzstd::decoding::StreamingDecoder::new(packed).expect("a zstd file");
        let mut disk = Sparse { len: 0, cells: BTreeMap::new() };
        loop {
            let mut cell = Vec::new();
            (&mut bytes).take(Sparse::CELL).read_to_end(&mut cell).expect("a whole zstd file");
            let len = cell.len() as u64;
            if cell.iter().any(|&byte| byte != 0) {
                cell.resize(4096, 0);
                disk.cells.insert(disk.len, cell.into());
            }
            disk.len += len;
            if len < Sparse::CELL {
                return disk;
            }
        }
    }
}

impl ReadAt for Sparse {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let wanted = Run::new(offset, buf.len() as u64);
        if wanted.len != buf.len() as u64 || self.len < wanted.end() {
            return Err(past_end(offset, buf.len(), self.len));
        }
        buf.fill(0);
        let cells = wanted.align_out(Sparse::CELL);
        for (&start, cell) in self.cells.range(cells.start..cells.end()) {
            let part = Run::new(start, Sparse::CELL).intersect(wanted);
            let index = |at: u64, from: u64| usize::try_from(at - from).unwrap();
            buf[index(part.start, offset)..index(part.end(), offset)]
                .copy_from_slice(&cell[index(part.start, start)..index(part.end(), start)]);
        }
        Ok(())
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        vec![(ImageNo(0), run.intersect(Run::new(0, self.len)))]
    }
}

/// Every bundled image and every volume in one of them, the small ones first.
fn bundled() -> Vec<Arc<dyn ReadAt>> {
    let mut found: Vec<Arc<dyn ReadAt>> = Vec::new();
    for path in crate::files("images", "zst") {
        let image: Arc<dyn ReadAt> = Arc::new(Sparse::unpack(File::open(path).unwrap()));
        found.push(Arc::clone(&image));
        for system in VOLUME_SYSTEMS.iter().filter(|s| (s.probe)(&*image).unwrap_or(false)) {
            let layout = (system.open)(&image).expect("a bundled image is whole");
            found.extend(layout.volumes.into_iter().map(|volume| volume.bytes));
        }
    }
    found.sort_by_key(|bytes| bytes.len());
    found
}

/// Read everything that the tables know on a disk.
fn read_all(bytes: &Arc<dyn ReadAt>) {
    let mut volumes = vec![Arc::clone(bytes)];
    for system in VOLUME_SYSTEMS.iter().filter(|s| (s.probe)(&**bytes).unwrap_or(false)) {
        let layout = (system.open)(bytes).unwrap_or_default();
        volumes.extend(layout.volumes.into_iter().map(|volume| volume.bytes));
    }
    for volume in &volumes {
        drop(recognise(&**volume));
        DRIVERS.iter().for_each(|driver| read_driver(driver, volume));
    }
}

/// Sweep a disk as the program would: every byte is accounted for, and no parser panics.
fn sweep_once(engine: &Engine, bytes: &Arc<dyn ReadAt>) {
    let written = RunSet::from_runs(vec![Run::new(0, bytes.len())]);
    let all = written.total();
    let image = Image {
        number: ImageNo(0),
        name: "disk.img".into(),
        bytes: Arc::clone(bytes),
        written,
        ahead: None,
    };
    let key = FingerprintKey::kept([7; 32]);
    let progress = Progress::default();
    let options = Options { engine, jobs: 1, key: &key, cross_check: false, progress: &progress };
    let outcome = sweep(Target::Images(vec![image]), &options);
    assert_eq!(outcome.coverage.written, all);
    assert_eq!(outcome.coverage.swept(), all, "{:?}", outcome.coverage.errors());
}

fn read_volumes(system: &VolumeSystem, bytes: &Arc<dyn ReadAt>) {
    drop((system.probe)(&**bytes));
    let Ok(layout) = (system.open)(bytes) else { return };
    for volume in &layout.volumes {
        assert!(volume.bytes.len() <= bytes.len(), "{}: larger than its disk", volume.name);
        drop(read_vec(&*volume.bytes, 0, 16));
        volume.bytes.locate(Run::new(0, volume.bytes.len()));
    }
}

fn read_driver(driver: &Driver, bytes: &Arc<dyn ReadAt>) {
    // The sweep opens what probes; a parser must survive what does not, too.
    drop((driver.probe)(&**bytes));
    if let Ok(filesystem) = (driver.open)(Arc::clone(bytes)) {
        read_filesystem(&*filesystem, bytes.len());
    }
}

/// Walk, label and open a filesystem, and hold it to what [`Filesystem`] promises.
fn read_filesystem(filesystem: &dyn Filesystem, len: u64) {
    let mut kept: Vec<FileEntry> = Vec::new();
    filesystem.walk(&mut |entry| {
        let Ok(entry) = entry else { return };
        assert!(entry.path.is_empty() || entry.path.starts_with(b"/"), "{:?}", entry.path);
        assert!(entry.path.len() <= 2 * PATH_BYTES, "{} bytes of path", entry.path.len());
        for stream in &entry.streams {
            let sorted = stream.extents.is_sorted_by_key(|extent| extent.file_offset);
            assert!(sorted, "{:?}", stream.extents);
        }
        if kept.len() < OPENED {
            kept.push(entry);
        }
    });
    for run in [Run::new(0, len), Run::new(len / 3, 5000), Run::new(len.saturating_sub(7), 7)] {
        let run = run.intersect(Run::new(0, len));
        let mut at = run.start;
        for (part, _) in filesystem.label(run) {
            assert_eq!(part.start, at, "labels of {run:?} leave a gap");
            at = part.end();
        }
        assert_eq!(at, run.end(), "labels do not cover {run:?}");
    }
    let mut budget = READ_BYTES;
    for entry in &kept {
        for (stream, about) in entry.streams.iter().enumerate() {
            let Ok(bytes) = filesystem.open(entry, stream) else { continue };
            let head = about.size.min(64 * 1024).min(budget);
            budget -= head;
            drop(read_vec(&*bytes, 0, usize::try_from(head).unwrap()));
            let tail = head.min(4096);
            drop(read_vec(&*bytes, about.size - tail, usize::try_from(tail).unwrap()));
            bytes.locate(Run::new(0, about.size));
            assert!(bytes.read_at(u64::MAX, &mut [0]).is_err(), "read past every end");
        }
    }
}
