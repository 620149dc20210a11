//! Sparse members: data that stands packed in the archive, and the map that says where in the file
//! it belongs. Between are holes, which read as zeros.

use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::run::Run;
use std::io::{self, Read};

/// The pieces of a sparse file that hold data, and its length.
#[derive(Default)]
pub(super) struct Map {
    pub(super) pieces: Vec<Run>,
    pub(super) size: u64,
}

impl Map {
    /// One more piece; whether there was room.
    pub(super) fn add(&mut self, start: u64, len: u64) -> Result<()> {
        if self.pieces.len() >= limits::SPARSE_PIECES {
            return Err(Error::new(ErrorKind::Limit, "a sparse file has too many pieces"));
        }
        self.pieces.push(Run::new(start, len));
        Ok(())
    }

    /// Whether the pieces follow one another and end where the file does.
    pub(super) fn holds(&self) -> bool {
        let mut at = 0;
        self.pieces.iter().all(|piece| {
            let follows = piece.start >= at;
            let end = piece.start.checked_add(piece.len);
            at = end.unwrap_or(u64::MAX);
            follows && end.is_some_and(|end| end <= self.size)
        })
    }

    /// Bytes of data.
    pub(super) fn data(&self) -> u64 {
        self.pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.len))
    }

    /// Cut long holes short, when they are most of the file. What it was is returned, as
    /// where each piece stood and stands now.
    pub(super) fn shorten(&mut self) -> Option<Shortened> {
        if self.size.saturating_sub(self.data()) <= limits::SPARSE_HOLES_BYTES {
            return None;
        }
        let (mut before, mut at) = (0u64, 0u64);
        let mut moved = Vec::with_capacity(self.pieces.len());
        for piece in &mut self.pieces {
            let hole = piece.start.saturating_sub(before).min(limits::SPARSE_HOLE_BYTES);
            before = piece.start.saturating_add(piece.len);
            at = at.saturating_add(hole);
            moved.push((at, piece.start));
            piece.start = at;
            at = at.saturating_add(piece.len);
        }
        self.size = at;
        Some(Shortened(moved))
    }
}

/// Where the pieces of a shortened file stand, and where in the file they belong.
pub(super) struct Shortened(Vec<(u64, u64)>);

impl Shortened {
    /// The run of the file that a run of what is read stands for.
    pub(super) fn original(&self, run: Run) -> Option<Run> {
        let after = self.0.partition_point(|(at, _)| *at <= run.start);
        let (at, start) = self.0.get(after.checked_sub(1)?)?;
        Some(Run::new(start.checked_add(run.start.checked_sub(*at)?)?, run.len))
    }
}

/// Reads a sparse file.
pub(super) struct Sparse<'a, R> {
    data: R,
    pieces: &'a [Run],
    size: u64,
    at: u64,
}

impl<'a, R> Sparse<'a, R> {
    pub(super) fn new(data: R, map: &'a Map) -> Sparse<'a, R> {
        Sparse { data, pieces: &map.pieces, size: map.size, at: 0 }
    }
}

impl<R: Read> Read for Sparse<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some((piece, rest)) = self.pieces.split_first()
            && piece.end() <= self.at
        {
            self.pieces = rest;
        }
        let next = self.pieces.first().copied().unwrap_or(Run::new(self.size, 0));
        let hole = next.start > self.at;
        let left = if hole { next.start } else { next.end() }.saturating_sub(self.at);
        let len = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let buf = buf.get_mut(..len).unwrap_or_default();
        let read = if hole {
            buf.fill(0);
            len
        } else {
            self.data.read(buf)?
        };
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pieces: &[(u64, u64)], size: u64) -> Map {
        Map { pieces: pieces.iter().map(|(start, len)| Run::new(*start, *len)).collect(), size }
    }

    #[test]
    fn holes_are_zeros_and_long_ones_are_cut() {
        let mut text = Vec::new();
        let small = map(&[(2, 2), (6, 0), (6, 1)], 9);
        assert!(small.holds());
        Sparse::new(b"abc".as_slice(), &small).read_to_end(&mut text).unwrap();
        assert_eq!(text, b"\0\0ab\0\0c\0\0");

        let far = 1 << 40;
        let mut large = map(&[(0, 1), (far, 2)], far + 500);
        let shortened = large.shorten().unwrap();
        text.clear();
        Sparse::new(b"abc".as_slice(), &large).read_to_end(&mut text).unwrap();
        assert_eq!(text, [b"a", vec![0; 512].as_slice(), b"bc"].concat());
        assert_eq!(shortened.original(Run::new(514, 1)), Some(Run::new(far + 1, 1)));
        for wrong in [map(&[(2, 2), (3, 1)], 9), map(&[(8, 2)], 9), map(&[(9, u64::MAX)], 9)] {
            assert!(!wrong.holds());
        }
    }
}
