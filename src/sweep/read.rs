//! Reading what can be read: a window that fails is taken apart until only the bad bytes are left.

use crate::bytes::ReadAt;
use crate::error::Error;
use crate::limits::BLOCK_BYTES;
use crate::run::Run;

/// The smallest piece a failing window is taken apart to: a page.
const PIECE_BYTES: u64 = 4096;

/// What of a window could be read and what could not.
pub(super) struct Salvage {
    /// Stretches that were read.
    pub(super) good: Vec<Run>,
    /// Stretches that were not, each with the first error in it.
    pub(super) bad: Vec<(Run, Error)>,
}

/// Fill `buf` with the bytes of `run`, resized to it.
pub(super) fn fill(bytes: &dyn ReadAt, run: Run, buf: &mut Vec<u8>) -> Result<(), Error> {
    buf.resize(usize::try_from(run.len).unwrap_or(usize::MAX), 0);
    bytes.read_at(run.start, buf)
}

/// Find out which parts of `window` can be read.
pub(super) fn salvage(bytes: &dyn ReadAt, window: Run, buf: &mut Vec<u8>) -> Salvage {
    let mut found = Salvage { good: Vec::new(), bad: Vec::new() };
    for block in pieces(window, BLOCK_BYTES) {
        if fill(bytes, block, buf).is_ok() {
            found.good(block);
            continue;
        }
        for piece in pieces(block, PIECE_BYTES) {
            match fill(bytes, piece, buf) {
                Ok(()) => found.good(piece),
                Err(error) => found.bad(piece, error),
            }
        }
    }
    found
}

/// `run` cut at multiples of `unit`.
fn pieces(run: Run, unit: u64) -> impl Iterator<Item = Run> {
    let mut at = run.start;
    std::iter::from_fn(move || {
        let end = at.saturating_add(unit - at % unit).min(run.end());
        let piece = Run::between(at, end);
        at = end;
        (!piece.is_empty()).then_some(piece)
    })
}

impl Salvage {
    fn good(&mut self, run: Run) {
        match self.good.last_mut() {
            Some(last) if last.end() == run.start => last.len += run.len,
            _ => self.good.push(run),
        }
    }

    fn bad(&mut self, run: Run, error: Error) {
        match self.bad.last_mut() {
            Some((last, _)) if last.end() == run.start => last.len += run.len,
            _ => self.bad.push((run, error)),
        }
    }
}

/// Whether there is nothing in `bytes` but zeros; such windows need no search.
pub(super) fn all_zero(bytes: &[u8]) -> bool {
    bytes.chunks(4096).all(|page| page.iter().fold(0, |any, &byte| any | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, Result};
    use crate::run::ImageNo;

    /// A disk of which one run cannot be read.
    struct Scratched(Run);

    impl ReadAt for Scratched {
        fn len(&self) -> u64 {
            4 * BLOCK_BYTES
        }

        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
            if Run::new(offset, buf.len() as u64).intersect(self.0).is_empty() {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Unreadable, "scratched"))
        }

        fn locate(&self, _run: Run) -> Vec<(ImageNo, Run)> {
            Vec::new()
        }
    }

    #[test]
    fn only_the_bad_pages_are_lost() {
        let disk = Scratched(Run::new(700_000, 10));
        let window = Run::new(5000, 2 * BLOCK_BYTES);
        let found = salvage(&disk, window, &mut Vec::new());
        let bad = Run::new(700_000 / 4096 * 4096, 4096);
        assert_eq!(found.bad.iter().map(|(run, _)| *run).collect::<Vec<_>>(), [bad]);
        let good = [Run::between(5000, bad.start), Run::between(bad.end(), window.end())];
        assert_eq!(found.good, good);
    }
}
