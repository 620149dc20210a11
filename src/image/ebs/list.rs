//! The listing: which blocks of a snapshot were written, and the token each is read with.
//!
//! <https://docs.aws.amazon.com/ebs/latest/APIReference/API_ListSnapshotBlocks.html>
//!
//! A listing is whole or an error: a page that repeats, contradicts another or never ends is not
//! half an answer but none.

use crate::error::{Error, ErrorKind, Result};
use crate::limits::{BLOCK_BYTES, EBS_EMPTY_PAGES, EBS_LISTED_BLOCKS, EBS_VOLUME_BYTES};
use crate::run::{Run, RunSet};

/// A `VolumeSize` above this is bytes, for no volume has more GiB. The model says GiB; an example
/// of the documentation shows bytes.
const VOLUME_GIB_MOST: i64 = 65_536;

/// The most characters of a token, by the API's model.
const TOKEN_BYTES: usize = 256;

/// One page as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) blocks: Vec<(Option<i32>, Option<String>)>,
    pub(super) volume_size: Option<i64>,
    pub(super) block_size: Option<i32>,
    pub(super) next_token: Option<String>,
}

/// The written blocks of a snapshot and their tokens, about 80 bytes each.
#[derive(Debug, Default)]
pub(super) struct Listing {
    indexes: Vec<u32>,
    /// All tokens, end to end.
    tokens: String,
    /// Where each ends.
    ends: Vec<u64>,
    len: Option<u64>,
    last_page: Option<String>,
    empty_pages: u32,
    /// List calls that were answered.
    pub(super) pages: u64,
}

fn broken(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}

impl Listing {
    /// Take one page in; the token of the next one, or none when the listing is whole.
    pub(super) fn add(&mut self, page: Page) -> Result<Option<String>> {
        self.pages = self.pages.saturating_add(1);
        self.add_geometry(&page)?;
        let empty = page.blocks.is_empty();
        for (index, token) in page.blocks {
            self.add_block(index, token.as_deref())?;
        }
        let next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            self.tokens.shrink_to_fit();
            return Ok(None);
        }
        if next == self.last_page {
            return Err(broken("the block listing repeats a page token"));
        }
        self.empty_pages = if empty { self.empty_pages.saturating_add(1) } else { 0 };
        if EBS_EMPTY_PAGES < self.empty_pages {
            return Err(broken("the block listing goes on without a block"));
        }
        self.last_page.clone_from(&next);
        Ok(next)
    }

    fn add_geometry(&mut self, page: &Page) -> Result<()> {
        let block_size = page.block_size.and_then(|size| u64::try_from(size).ok());
        if block_size != Some(BLOCK_BYTES) {
            let size = page.block_size.map_or_else(|| "none".to_owned(), |s| s.to_string());
            return Err(broken("the snapshot has an unknown block size").detail(size));
        }
        let len = volume_bytes(page.volume_size)?;
        match self.len.replace(len) {
            Some(before) if before != len => {
                Err(broken("the pages of the block listing disagree about the volume's size"))
            }
            _ => Ok(()),
        }
    }

    fn add_block(&mut self, index: Option<i32>, token: Option<&str>) -> Result<()> {
        let index = index
            .and_then(|index| u32::try_from(index).ok())
            .ok_or_else(|| broken("the block listing holds a block without an index"))?;
        if self.indexes.last().is_some_and(|last| index <= *last) {
            return Err(broken("the block listing is out of order").detail(index));
        }
        if self.len.unwrap_or(0) <= u64::from(index).saturating_mul(BLOCK_BYTES) {
            return Err(broken("a listed block lies beyond the volume").detail(index));
        }
        let token = token
            .filter(|token| !token.is_empty() && token.len() <= TOKEN_BYTES)
            .ok_or_else(|| broken("a listed block has no usable token").detail(index))?;
        if EBS_LISTED_BLOCKS <= self.indexes.len() {
            return Err(Error::new(ErrorKind::Limit, "the snapshot has too many written blocks")
                .detail(format_args!("more than {EBS_LISTED_BLOCKS}")));
        }
        self.indexes.push(index);
        self.tokens.push_str(token);
        self.ends.push(u64::try_from(self.tokens.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// How many blocks were written.
    pub(super) fn blocks(&self) -> u64 {
        u64::try_from(self.indexes.len()).unwrap_or(u64::MAX)
    }

    /// The volume's size.
    pub(super) fn len(&self) -> u64 {
        self.len.unwrap_or(0)
    }

    /// The token of `block`, or none when it was not written.
    pub(super) fn token(&self, block: u64) -> Option<&str> {
        let place = self.indexes.binary_search(&u32::try_from(block).ok()?).ok()?;
        let end = usize::try_from(*self.ends.get(place)?).ok()?;
        let start = match place.checked_sub(1) {
            Some(before) => usize::try_from(*self.ends.get(before)?).ok()?,
            None => 0,
        };
        self.tokens.get(start..end)
    }

    /// The bytes that were written.
    pub(super) fn written(&self) -> RunSet {
        let whole = Run::new(0, self.len());
        let mut runs: Vec<Run> = Vec::new();
        for &index in &self.indexes {
            let start = u64::from(index).saturating_mul(BLOCK_BYTES);
            let run = Run::new(start, BLOCK_BYTES).intersect(whole);
            match runs.last_mut() {
                Some(last) if last.end() == run.start => {
                    *last = Run::between(last.start, run.end());
                }
                _ => runs.push(run),
            }
        }
        RunSet::from_runs(runs)
    }
}

fn volume_bytes(size: Option<i64>) -> Result<u64> {
    let wrong = || broken("the block listing gives no usable volume size");
    let size = size.filter(|size| 0 < *size).ok_or_else(wrong)?;
    let unit = if size <= VOLUME_GIB_MOST { 1 << 30 } else { 1 };
    let bytes = u64::try_from(size).ok().and_then(|size| size.checked_mul(unit));
    bytes.filter(|bytes| *bytes <= EBS_VOLUME_BYTES).ok_or_else(|| wrong().detail(size))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    fn page(indexes: &[i32], next: Option<&str>) -> Page {
        Page {
            blocks: indexes.iter().map(|i| (Some(*i), Some(format!("t{i}")))).collect(),
            volume_size: Some(1),
            block_size: Some(524_288),
            next_token: next.map(str::to_owned),
        }
    }

    fn list(pages: Vec<Page>) -> Result<Listing> {
        let mut listing = Listing::default();
        for page in pages {
            listing.add(page)?;
        }
        Ok(listing)
    }

    #[test]
    fn finds_each_token() {
        let pages = vec![page(&[0, 1], Some("a")), page(&[], Some("b")), page(&[7, 2047], None)];
        let listing = list(pages).unwrap();
        let found: Vec<_> = [0, 1, 2, 7, 2047, 2048, u64::MAX].map(|b| listing.token(b)).into();
        assert_eq!(found, [Some("t0"), Some("t1"), None, Some("t7"), Some("t2047"), None, None]);
        assert_eq!((listing.blocks(), listing.pages, listing.len()), (4, 3, 1 << 30));
        let written = listing.written();
        assert_eq!(written.runs()[0], Run::new(0, 2 * BLOCK_BYTES));
        assert_eq!(written.runs()[2].end(), 1 << 30);
    }

    #[test]
    fn takes_the_size_in_either_unit() {
        for (size, bytes) in [
            (Some(3), Some(3 << 30)),
            (Some(65_536), Some(65_536 << 30)),
            (Some(32_212_254_720), Some(32_212_254_720)),
            (Some(0), None),
            (Some(-1), None),
            (Some(i64::MAX), None),
            (None, None),
        ] {
            assert_eq!(volume_bytes(size).ok(), bytes, "{size:?}");
        }
    }

    #[test]
    fn a_listing_is_whole_or_an_error() {
        let odd = |change: fn(&mut Page)| {
            let mut page = page(&[5], None);
            change(&mut page);
            vec![page]
        };
        let endless: Vec<Page> = (0..5000).map(|n| page(&[], Some(&n.to_string()))).collect();
        for (what, pages) in [
            ("repeats", vec![page(&[1], Some("a")), page(&[2], Some("a"))]),
            ("out of order", vec![page(&[1, 1], None)]),
            ("out of order", vec![page(&[3], Some("a")), page(&[2], None)]),
            ("beyond the volume", vec![page(&[2048], None)]),
            ("without an index", vec![page(&[-1], None)]),
            ("without an index", odd(|p| p.blocks[0].0 = None)),
            ("no usable token", odd(|p| p.blocks[0].1 = None)),
            ("no usable token", odd(|p| p.blocks[0].1 = Some("x".repeat(257)))),
            ("block size", odd(|p| p.block_size = Some(512))),
            ("block size", odd(|p| p.block_size = None)),
            ("volume size", odd(|p| p.volume_size = None)),
            ("without a block", endless),
        ] {
            let error = list(pages).unwrap_err().message();
            assert!(error.contains(what), "{error}");
        }
        let mut other = page(&[9], None);
        other.volume_size = Some(2);
        assert!(list(vec![page(&[1], Some("a")), other]).is_err());
    }
}
