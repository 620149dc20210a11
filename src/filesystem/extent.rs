//! An extent: where a piece of a file lies, and the reader that follows a list of them.

use crate::bytes::{ReadAt, past_end};
use crate::error::Result;
use crate::run::{ImageNo, Run};
use std::sync::Arc;

/// Where a piece of a file lies on its volume. Addresses are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Verbatim, from this byte.
    Disk(u64),
    /// Nowhere; it reads as zeros.
    Hole,
    /// It reads as zeros; the bytes it owns, from this one, hold something older.
    Unwritten(u64),
    /// Verbatim, from this byte, inside a structure of the filesystem (inode, attribute block),
    /// which is swept as metadata too.
    Inline(u64),
    /// Not verbatim: made from the bytes of this run (compressed, or escaped in a journal).
    Packed(Run),
}

/// One piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where in the file it begins.
    pub file_offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Where it lies.
    pub at: At,
}

/// A stream read by its extents: verbatim ones from the volume, zeros elsewhere. Packed extents
/// are for the filesystem's own reader to resolve first; here they are an error.
pub struct ExtentReader {
    volume: Arc<dyn ReadAt>,
    extents: Box<[Extent]>,
    size: u64,
}

impl ExtentReader {
    /// A reader of `size` bytes. `extents` are sorted by file offset; where two overlap, the later
    /// one in the list wins nothing: bytes come from the first that holds them.
    pub fn new(volume: Arc<dyn ReadAt>, extents: &[Extent], size: u64) -> ExtentReader {
        ExtentReader { volume, extents: extents.into(), size }
    }

    fn pieces(&self, wanted: Run) -> impl Iterator<Item = (Run, Option<Extent>)> + '_ {
        let mut at = wanted.start;
        let mut next =
            self.extents.partition_point(|e| e.file_offset.saturating_add(e.len) <= wanted.start);
        std::iter::from_fn(move || {
            if at >= wanted.end() {
                return None;
            }
            while self.extents.get(next).is_some_and(|e| e.file_offset.saturating_add(e.len) <= at)
            {
                next = next.saturating_add(1);
            }
            let piece = match self.extents.get(next) {
                Some(e) if e.file_offset <= at => {
                    let end = e.file_offset.saturating_add(e.len).min(wanted.end());
                    (Run::between(at, end), Some(*e))
                }
                Some(e) => (Run::between(at, e.file_offset.min(wanted.end())), None),
                None => (Run::between(at, wanted.end()), None),
            };
            at = piece.0.end();
            Some(piece)
        })
    }
}

impl ReadAt for ExtentReader {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        let wanted = Run::new(offset, len);
        if wanted.len != len || wanted.end() > self.size {
            return Err(past_end(offset, buf.len(), self.size));
        }
        let mut rest = buf;
        for (piece, extent) in self.pieces(wanted) {
            let len = usize::try_from(piece.len).unwrap_or(rest.len()).min(rest.len());
            let (part, tail) = rest.split_at_mut(len);
            rest = tail;
            match extent.map(|e| (e, piece.start.saturating_sub(e.file_offset))) {
                Some((Extent { at: At::Disk(start) | At::Inline(start), .. }, skip)) => {
                    self.volume.read_at(start.saturating_add(skip), part)?;
                }
                Some((Extent { at: At::Packed(_), .. }, _)) => {
                    return Err(crate::error::Error::unsupported("packed extent"));
                }
                Some((Extent { at: At::Hole | At::Unwritten(_), .. }, _)) | None => part.fill(0),
            }
        }
        Ok(())
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        let mut found: Vec<(ImageNo, Run)> = Vec::new();
        for (piece, extent) in self.pieces(run.intersect(Run::new(0, self.size))) {
            let Some(Extent { at: At::Disk(start) | At::Inline(start), file_offset, .. }) = extent
            else {
                continue;
            };
            let start = start.saturating_add(piece.start.saturating_sub(file_offset));
            for (image, run) in self.volume.locate(Run::new(start, piece.len)) {
                match found.last_mut() {
                    Some((i, last)) if *i == image && last.end() == run.start => {
                        *last = Run::between(last.start, run.end());
                    }
                    _ => found.push((image, run)),
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::read_vec;

    #[test]
    fn follows_its_extents_and_reads_zeros_elsewhere() {
        let volume: Arc<dyn ReadAt> = Arc::new((0u8..=255).collect::<Vec<_>>());
        let extent = |file_offset, len, at| Extent { file_offset, len, at };
        let extents = [
            extent(0, 4, At::Disk(100)),
            extent(4, 4, At::Unwritten(0)),
            extent(10, 4, At::Inline(50)),
        ];
        let reader = ExtentReader::new(volume, &extents, 13);
        let expected = [100, 101, 102, 103, 0, 0, 0, 0, 0, 0, 50, 51, 52];
        assert_eq!(read_vec(&reader, 0, 13).unwrap(), expected);
        assert_eq!(read_vec(&reader, 2, 9).unwrap(), expected[2..11]);
        assert!(read_vec(&reader, 13, 1).is_err());
    }
}
