//! Bytes at random: the one trait everything below the sweep reads through, and its small helpers.

use crate::error::{Error, Result};
use crate::run::{ImageNo, Run, RunSet};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::File;
use std::sync::Arc;

/// Read-only random access to an image, a volume, a file, an archive member.
pub trait ReadAt: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// Fill `buf` from `offset`; a hole reads as zeros. Reading past the end is an error.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// Where the bytes of `run` lie on the target, in order; advice, and empty when they lie
    /// nowhere verbatim (a hole, a decoded view).
    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)>;

    /// Whether there is no byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `len` bytes from `offset`. The caller has bounded `len`.
pub fn read_vec(bytes: &dyn ReadAt, offset: u64, len: usize) -> Result<Vec<u8>> {
    let mut buf = vec![0; len];
    bytes.read_at(offset, &mut buf)?;
    Ok(buf)
}

/// The runs in which the host's filesystem holds data of a file, as it tells through `SEEK_DATA`. A
/// host that cannot tell holds all of it.
pub fn data_runs(file: &File, len: u64) -> RunSet {
    let mut runs = Vec::new();
    let mut at = 0;
    while at < len {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(_) => return RunSet::from_runs(vec![Run::new(0, len)]),
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(start)).unwrap_or(len);
        runs.push(Run::between(start, end.min(len)));
        at = end.max(at.saturating_add(1));
    }
    RunSet::from_runs(runs)
}

/// The error of a read past the end.
pub fn past_end(offset: u64, len: usize, end: u64) -> Error {
    Error::corrupt("read past the end").detail(format_args!("{len} bytes at {offset} of {end}"))
}

/// A run of something larger, read as if it stood alone: a partition, a logical volume's segment.
pub struct Slice {
    whole: Arc<dyn ReadAt>,
    run: Run,
}

impl Slice {
    /// The bytes of `run`, cut at the end of `whole`.
    pub fn new(whole: Arc<dyn ReadAt>, run: Run) -> Slice {
        let run = run.intersect(Run::new(0, whole.len()));
        Slice { whole, run }
    }

    /// Where it lies in the larger thing.
    pub fn run(&self) -> Run {
        self.run
    }
}

impl ReadAt for Slice {
    fn len(&self) -> u64 {
        self.run.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let wanted = Run::new(offset, buf.len() as u64);
        if wanted.len != buf.len() as u64 || wanted.end() > self.run.len {
            return Err(past_end(offset, buf.len(), self.run.len));
        }
        self.whole.read_at(self.run.start + offset, buf)
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        let run = run.intersect(Run::new(0, self.run.len));
        self.whole.locate(Run::new(self.run.start + run.start, run.len))
    }
}

/// Bytes in memory: a decoded view, a test. They lie nowhere on the target.
impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let found = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buf.len())?))
            .ok_or_else(|| past_end(offset, buf.len(), self.as_slice().len() as u64))?;
        buf.copy_from_slice(found);
        Ok(())
    }

    fn locate(&self, _run: Run) -> Vec<(ImageNo, Run)> {
        Vec::new()
    }
}

macro_rules! field {
    ($name:ident, $type:ty, $from:ident, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(data: &[u8], offset: usize) -> Result<$type> {
            data.get(offset..)
                .and_then(|rest| rest.first_chunk())
                .map(|bytes| <$type>::$from(*bytes))
                .ok_or_else(|| Error::corrupt("structure is cut short"))
        }
    };
}

field!(u16_le, u16, from_le_bytes, "A little-endian 16-bit field.");
field!(u32_le, u32, from_le_bytes, "A little-endian 32-bit field.");
field!(u64_le, u64, from_le_bytes, "A little-endian 64-bit field.");
field!(u16_be, u16, from_be_bytes, "A big-endian 16-bit field.");
field!(u32_be, u32, from_be_bytes, "A big-endian 32-bit field.");
field!(u64_be, u64, from_be_bytes, "A big-endian 64-bit field.");

/// A byte.
pub fn u8_at(data: &[u8], offset: usize) -> Result<u8> {
    data.get(offset).copied().ok_or_else(|| Error::corrupt("structure is cut short"))
}

/// `len` bytes at `offset`.
pub fn take(data: &[u8], offset: usize, len: usize) -> Result<&[u8]> {
    offset
        .checked_add(len)
        .and_then(|end| data.get(offset..end))
        .ok_or_else(|| Error::corrupt("structure is cut short"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_never_reads_past_itself() {
        let whole: Arc<dyn ReadAt> = Arc::new((0u8..100).collect::<Vec<_>>());
        let slice = Slice::new(whole, Run::new(90, 50));
        assert_eq!(slice.len(), 10);
        assert_eq!(read_vec(&slice, 8, 2).unwrap(), [98, 99]);
        assert!(read_vec(&slice, 8, 3).is_err());
        assert!(slice.read_at(u64::MAX, &mut [0]).is_err());
    }

    #[test]
    fn fields_end_with_the_data() {
        assert_eq!(u16_le(&[1, 2, 3], 1).unwrap(), 0x0302);
        assert_eq!(u32_be(&[1, 2, 3, 4], 0).unwrap(), 0x0102_0304);
        assert!(u32_le(&[1, 2, 3, 4], 1).is_err());
        assert!(u64_le(&[], usize::MAX).is_err());
    }
}
