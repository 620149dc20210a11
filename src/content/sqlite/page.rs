//! Pages of a database, alone or as its log has them, and what stands in them as b-trees
//! ([format](https://www.sqlite.org/fileformat2.html#b_tree_pages)).

use crate::bytes::{ReadAt, take, u8_at, u16_be, u32_be};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use std::collections::BTreeMap;
use std::ops::Range;

/// What every database begins with.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// Bytes of the database's header, which stands before the first page's own.
const HEADER_BYTES: usize = 100;

/// How text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// The database's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) page_size: usize,
    /// Bytes of a page that are used; the rest is left to extensions.
    pub(super) usable: usize,
    pub(super) encoding: Encoding,
    pub(super) first_free: u32,
    pub(super) pointer_maps: bool,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Result<Header> {
        let wrong = || Error::corrupt("the header of a database contradicts itself");
        if !bytes.starts_with(MAGIC) {
            return Err(Error::corrupt("a database has no header"));
        }
        let page_size = page_size(u32::from(u16_be(bytes, 16)?)).ok_or_else(wrong)?;
        let usable = page_size.saturating_sub(usize::from(u8_at(bytes, 20)?));
        let encoding = match u32_be(bytes, 56)? {
            0 | 1 => Encoding::Utf8,
            2 => Encoding::Utf16Le,
            3 => Encoding::Utf16Be,
            _ => return Err(wrong()),
        };
        let (first_free, pointer_maps) = (u32_be(bytes, 32)?, u32_be(bytes, 52)? != 0);
        if usable < 480 {
            return Err(wrong());
        }
        Ok(Header { page_size, usable, encoding, first_free, pointer_maps })
    }
}

/// A page size as a header has it: a power of two, with one for the largest.
pub(super) fn page_size(told: u32) -> Option<usize> {
    let size = if told == 1 { 65536 } else { usize::try_from(told).ok()? };
    (size.is_power_of_two() && (512..=65536).contains(&size)).then_some(size)
}

/// The pages of a database.
pub(super) struct Pages<'a> {
    pub(super) header: Header,
    /// How many there are.
    pub(super) count: u32,
    main: Option<&'a dyn ReadAt>,
    log: Option<Log<'a>>,
    stale: BTreeMap<u32, u64>,
    /// Whether the log is what is being opened, so that places are told in it.
    in_log: bool,
}

/// A log that has newer pages.
pub(super) struct Log<'a> {
    pub(super) bytes: &'a dyn ReadAt,
    /// Where the content of each page in it stands.
    pub(super) pages: BTreeMap<u32, u64>,
}

/// One page.
pub(super) struct Page {
    pub(super) number: u32,
    pub(super) bytes: Vec<u8>,
    /// Where it stands in the file that is being opened, if there.
    pub(super) at: Option<u64>,
}

impl<'a> Pages<'a> {
    /// The pages of a database file.
    pub(super) fn new(main: &'a dyn ReadAt) -> Result<Pages<'a>> {
        let len = usize::try_from(main.len()).unwrap_or(usize::MAX).min(HEADER_BYTES);
        let header = Header::read(&crate::bytes::read_vec(main, 0, len)?)?;
        let (log, stale) = (None, BTreeMap::new());
        let mut pages = Pages { header, count: 0, main: Some(main), log, stale, in_log: false };
        pages.counted()?;
        Ok(pages)
    }

    /// The pages of a database as its log has them; `in_log` when it is the log that is opened.
    pub(super) fn with_log(
        main: Option<&'a dyn ReadAt>,
        log: Log<'a>,
        page_size: usize,
        in_log: bool,
    ) -> Result<Pages<'a>> {
        let first = match (log.pages.get(&1), main) {
            (Some(at), _) => crate::bytes::read_vec(log.bytes, *at, HEADER_BYTES)?,
            (None, Some(main)) => crate::bytes::read_vec(main, 0, HEADER_BYTES)?,
            (None, None) => return Err(Error::corrupt("a log without its database")),
        };
        let header = Header::read(&first)?;
        if header.page_size != page_size {
            return Err(Error::corrupt("a log of another database"));
        }
        let (log, stale) = (Some(log), BTreeMap::new());
        let mut pages = Pages { header, count: 0, main, log, stale, in_log };
        pages.counted()?;
        Ok(pages)
    }

    /// The pages of a log of which nothing is known.
    pub(super) fn bare(log: Log<'a>, page_size: usize, count: u32) -> Pages<'a> {
        let (usable, encoding) = (page_size, Encoding::Utf8);
        let header = Header { page_size, usable, encoding, first_free: 0, pointer_maps: false };
        let (log, stale) = (Some(log), BTreeMap::new());
        Pages { header, count, main: None, log, stale, in_log: true }
    }

    /// A page as it stands in the log at that place.
    pub(super) fn frame(&self, number: u32, at: u64) -> Result<Page> {
        let mut bytes = vec![0; self.header.page_size];
        if let Some(log) = &self.log {
            log.bytes.read_at(at, &mut bytes)?;
        }
        Ok(Page { number, bytes, at: Some(at) })
    }

    fn counted(&mut self) -> Result<()> {
        let size = u64::try_from(self.header.page_size).unwrap_or(u64::MAX);
        let in_main = self.main.map_or(0, |main| main.len().div_ceil(size));
        let in_log = self.log.as_ref().and_then(|log| log.pages.last_key_value());
        let count = in_main.max(in_log.map_or(0, |(number, _)| u64::from(*number)));
        match u32::try_from(count).ok().filter(|count| *count <= limits::SQLITE_PAGES) {
            Some(count) => self.count = count,
            None => return Err(Error::new(ErrorKind::Limit, "a database has too many pages")),
        }
        Ok(())
    }

    /// Tell that a log has newer ones of these, which are read as they are here all the same.
    pub(super) fn superseded(&mut self, by: BTreeMap<u32, u64>) {
        self.stale = by;
    }

    /// Whether a log has a newer one than what is read.
    pub(super) fn is_stale(&self, number: u32) -> bool {
        self.stale.contains_key(&number)
    }

    /// A page. The last one of a file that was cut ends with zeros.
    pub(super) fn read(&self, number: u32) -> Result<Page> {
        let size = self.header.page_size;
        let mut bytes = vec![0; size];
        if let Some(log) = &self.log
            && let Some(at) = log.pages.get(&number)
        {
            log.bytes.read_at(*at, &mut bytes)?;
            return Ok(Page { number, bytes, at: Some(*at).filter(|_| self.in_log) });
        }
        let main = self.main.ok_or_else(|| Error::corrupt("a page that is nowhere"))?;
        let at = u64::from(number.saturating_sub(1)).saturating_mul(size_of(&bytes));
        let left = usize::try_from(main.len().saturating_sub(at)).unwrap_or(usize::MAX).min(size);
        if left == 0 || number == 0 {
            return Err(Error::corrupt("a page that is not there").detail(number));
        }
        main.read_at(at, bytes.get_mut(..left).unwrap_or_default())?;
        Ok(Page { number, bytes, at: Some(at).filter(|_| !self.in_log) })
    }

    /// Whether a page only says which page belongs to which.
    pub(super) fn is_pointer_map(&self, number: u32) -> bool {
        let cycle = u32::try_from(self.header.usable / 5).unwrap_or(0).saturating_add(1);
        self.header.pointer_maps
            && number >= 2
            && number.saturating_sub(2).checked_rem(cycle) == Some(0)
    }
}

fn size_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Which pages were seen: each belongs to one thing, so none is read twice.
pub(super) struct Seen {
    bits: Vec<u64>,
    count: u32,
}

impl Seen {
    pub(super) fn new(count: u32) -> Seen {
        let words = usize::try_from(count / 64).unwrap_or(0).saturating_add(1);
        Seen { bits: vec![0; words], count }
    }

    /// Whether a page is there and seen for the first time.
    pub(super) fn first(&mut self, number: u32) -> bool {
        let Some(index) = number.checked_sub(1).filter(|_| number <= self.count) else {
            return false;
        };
        let Some(word) = usize::try_from(index / 64).ok().and_then(|at| self.bits.get_mut(at))
        else {
            return false;
        };
        let bit = 1u64.wrapping_shl(index % 64);
        let first = *word & bit == 0;
        *word |= bit;
        first
    }
}

/// What a page is in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    IndexInterior,
    TableInterior,
    IndexLeaf,
    TableLeaf,
}

/// A page of a tree.
pub(super) struct Node<'p> {
    pub(super) kind: Kind,
    bytes: &'p [u8],
    /// Where its header begins.
    base: usize,
    cells: usize,
}

/// A cell of a page.
pub(super) struct Cell {
    /// The page with what comes before it.
    pub(super) left: Option<u32>,
    pub(super) rowid: i64,
    /// Bytes of its record, and the first of them that stand here.
    pub(super) payload: u64,
    pub(super) local: Range<usize>,
    /// Where the others are.
    pub(super) overflow: u32,
}

impl<'p> Node<'p> {
    /// The page as one of a tree, if it looks like one.
    pub(super) fn of(page: &'p Page, usable: usize) -> Option<Node<'p>> {
        let bytes = page.bytes.get(..usable)?;
        let base = if page.number == 1 { HEADER_BYTES } else { 0 };
        let kind = match bytes.get(base)? {
            2 => Kind::IndexInterior,
            5 => Kind::TableInterior,
            10 => Kind::IndexLeaf,
            13 => Kind::TableLeaf,
            _ => return None,
        };
        let cells = usize::from(u16_be(bytes, base.checked_add(3)?).ok()?);
        let node = Node { kind, bytes, base, cells };
        (node.pointers_end() <= usable).then_some(node)
    }

    pub(super) fn is_interior(&self) -> bool {
        matches!(self.kind, Kind::IndexInterior | Kind::TableInterior)
    }

    fn pointers(&self) -> usize {
        self.base.saturating_add(if self.is_interior() { 12 } else { 8 })
    }

    fn pointers_end(&self) -> usize {
        self.pointers().saturating_add(self.cells.saturating_mul(2))
    }

    /// The page with what comes behind all cells.
    pub(super) fn right(&self) -> Option<u32> {
        let at = self.base.checked_add(8)?;
        u32_be(self.bytes, at).ok().filter(|_| self.is_interior())
    }

    /// Its cells, those that contradict the format left out. Cells that lie over one another are
    /// no cells: together they are no longer than the page.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let mut left = self.bytes.len();
        let mut cells = Vec::new();
        for number in 0..self.cells {
            let at = self.pointers().saturating_add(number.saturating_mul(2));
            let Ok(offset) = u16_be(self.bytes, at) else { break };
            let Some(cell) = self.cell(usize::from(offset)) else { continue };
            let Some(rest) = left.checked_sub(cell.local.len()) else { break };
            left = rest;
            cells.push(cell);
        }
        cells
    }

    fn cell(&self, offset: usize) -> Option<Cell> {
        let mut at = offset;
        if offset < self.pointers_end() {
            return None;
        }
        let mut left = None;
        if self.is_interior() {
            left = Some(u32_be(self.bytes, at).ok()?);
            at = at.checked_add(4)?;
        }
        let payload = match self.kind {
            Kind::TableInterior => 0,
            _ => u64::try_from(varint(self.bytes, &mut at)?).ok()?,
        };
        let rowid = match self.kind {
            Kind::TableInterior | Kind::TableLeaf => varint(self.bytes, &mut at)?,
            _ => 0,
        };
        let here = self.local(payload);
        let end = at.checked_add(here)?;
        take(self.bytes, at, here).ok()?;
        let spilt = u64::try_from(here).ok()? < payload;
        let overflow = if spilt { u32_be(self.bytes, end).ok()? } else { 0 };
        Some(Cell { left, rowid, payload, local: at..end, overflow })
    }

    /// Bytes of a payload that stand in the page itself.
    fn local(&self, payload: u64) -> usize {
        let usable = self.bytes.len();
        let share = |part: usize| usable.saturating_sub(12).saturating_mul(part) / 255;
        let most = match self.kind {
            Kind::TableLeaf | Kind::TableInterior => usable.saturating_sub(35),
            _ => share(64).saturating_sub(23),
        };
        let least = share(32).saturating_sub(23);
        let Some(len) = usize::try_from(payload).ok().filter(|len| *len > most) else {
            return usize::try_from(payload).unwrap_or(0);
        };
        let over = len.saturating_sub(least).checked_rem(usable.saturating_sub(4)).unwrap_or(0);
        let kept = least.saturating_add(over);
        if kept <= most { kept } else { least }
    }

    /// The bytes of the page that belong to no cell: what was deleted from it may stand there yet.
    /// With each, whether it is a block that was freed, whose first bytes tell of the next.
    pub(super) fn free(&self) -> Vec<(Range<usize>, bool)> {
        let field = |at: usize| u16_be(self.bytes, self.base.saturating_add(at)).map(usize::from);
        let mut free = Vec::new();
        let content = match field(5) {
            Ok(0) => 65536,
            Ok(content) => content,
            Err(_) => return free,
        };
        free.push((self.pointers_end()..content.min(self.bytes.len()), false));
        let mut block = field(1).unwrap_or(0);
        // Blocks come in order and hold four bytes at least.
        while block > 0 {
            let (Ok(next), Ok(len)) = (
                u16_be(self.bytes, block),
                u16_be(self.bytes, block.saturating_add(2)).map(usize::from),
            ) else {
                break;
            };
            let end = block.saturating_add(len).min(self.bytes.len());
            let next = usize::from(next);
            // Blocks over one another are no blocks: together they are no longer than the page.
            let end = if next > block { end.min(next) } else { end };
            free.push((block.saturating_add(4)..end, true));
            if next < block.saturating_add(4) {
                break;
            }
            block = next;
        }
        free.retain(|(range, _)| range.start < range.end);
        free
    }
}

/// A number of one to nine bytes; `at` moves behind it.
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let mut value = 0u64;
    for number in 0..9 {
        let byte = *bytes.get(*at)?;
        *at = at.checked_add(1)?;
        if number == 8 {
            value = value.wrapping_shl(8) | u64::from(byte);
            break;
        }
        value = value.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(i64::from_ne_bytes(value.to_ne_bytes()))
}

/// The pages of one tree, each once.
pub(super) struct Walk {
    pending: Vec<u32>,
}

impl Walk {
    pub(super) fn new(root: u32, seen: &mut Seen) -> Walk {
        Walk { pending: if seen.first(root) { vec![root] } else { Vec::new() } }
    }

    /// The next page. One that is no page of a tree is skipped with an error.
    pub(super) fn next(&mut self, pages: &Pages<'_>, seen: &mut Seen) -> Option<Result<Page>> {
        let number = self.pending.pop()?;
        let page = match pages.read(number) {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        let Some(node) = Node::of(&page, pages.header.usable) else {
            return Some(Err(Error::corrupt("a page of a tree is none").detail(number)));
        };
        if node.is_interior() {
            let first = self.pending.len();
            let below = node.cells().iter().filter_map(|cell| cell.left).collect::<Vec<_>>();
            for child in below.into_iter().chain(node.right()) {
                if seen.first(child) {
                    self.pending.push(child);
                }
            }
            if let Some(children) = self.pending.get_mut(first..) {
                children.reverse();
            }
        }
        Some(Ok(page))
    }
}
