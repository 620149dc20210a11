//! The second opinion: one file read through the `fatfs` crate, which shares no code with the
//! reader here.

use crate::bytes::ReadAt;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::locator::Escaped;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Read the file at `path`, and hand its bytes over in order.
pub(super) fn read(
    volume: &Arc<dyn ReadAt>,
    path: &[u8],
    take: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    let text = std::str::from_utf8(path)
        .map_err(|_| Error::unsupported("path is not UTF-8").detail(Escaped(path)))?;
    let spare = volume.len().saturating_mul(limits::FAT_WITNESS_READS);
    let disk = Disk { volume: Arc::clone(volume), position: 0, spare };
    // The crate is right on sound volumes. On others it may panic: a root directory in cluster 0
    // is enough.
    catch_unwind(AssertUnwindSafe(|| copy(disk, text.trim_start_matches('/'), take)))
        .map_err(|_| Error::corrupt("the independent FAT reader panicked"))?
        .map_err(|cause| {
            let kind = match cause.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::Corrupt,
            };
            Error::new(kind, "the independent FAT reader failed").caused_by(cause)
        })
}

fn copy(disk: Disk, path: &str, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let filesystem = fatfs::FileSystem::new(disk, fatfs::FsOptions::new())?;
    let mut file = filesystem.root_dir().open_file(path)?;
    let mut buf = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buf)? {
            0 => return Ok(()),
            len => take(buf.get(..len).unwrap_or_default()),
        }
    }
}

/// The volume as the crate wants it. It cannot be written, and not be read for ever.
struct Disk {
    volume: Arc<dyn ReadAt>,
    position: u64,
    spare: u64,
}

impl Read for Disk {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let room = self.volume.len().saturating_sub(self.position);
        let len = usize::try_from(room).unwrap_or(usize::MAX).min(buf.len());
        let count = u64::try_from(len).unwrap_or(u64::MAX);
        self.spare = self
            .spare
            .checked_sub(count)
            .ok_or_else(|| io::Error::other("it reads the volume over and over"))?;
        let (wanted, _) = buf.split_at_mut(len);
        self.volume.read_at(self.position, wanted).map_err(io::Error::other)?;
        self.position = self.position.saturating_add(count);
        Ok(len)
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.volume.len().checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl Write for Disk {
    fn write(&mut self, _buf: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
