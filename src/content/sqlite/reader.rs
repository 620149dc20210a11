//! The reader of a database: everything in its pages, handed out.

use super::batch::{Batch, Row, named};
use super::deleted::{self, Known};
use super::page::{Encoding, Kind, Node, Page, Pages, Seen, Walk};
use super::record::{Chain, is_string, is_text, utf8, width};
use super::schema::Table;
use crate::blob::Clue;
use crate::bytes::u32_be;
use crate::content::{Found, From, Head, Member, Out, opener};
use crate::error::Result;
use crate::limits;
use crate::run::Run;
use std::ops::Range;
use std::rc::Rc;

/// Columns whose values are called by what another column of the row says.
const NAMED: [&[u8]; 10] = [
    b"value",
    b"val",
    b"v",
    b"data",
    b"content",
    b"option_value",
    b"meta_value",
    b"setting",
    b"setting_value",
    b"config_value",
];

/// Columns that say it.
const NAMES: [&[u8]; 10] = [
    b"key",
    b"name",
    b"k",
    b"id",
    b"option_name",
    b"meta_key",
    b"setting_name",
    b"config_key",
    b"variable",
    b"item",
];

/// A value's table, row and column.
type Spot<'t> = (&'t Rc<Table>, Row, usize);

/// What is being opened.
pub(super) struct Reader<'a, 'o> {
    pub(super) pages: &'a Pages<'a>,
    seen: Seen,
    out: Out<'o>,
    /// Rows as they are.
    rows: Batch,
    /// Rows that a log has newer.
    old: Batch,
    /// What belongs to no row.
    deleted: Batch,
    /// Values that were handed out by themselves.
    singles: usize,
    follow: bool,
    /// Rows of the trees so far.
    counted: u64,
    /// The first thing that was wrong.
    damage: Result<()>,
}

impl<'a, 'o> Reader<'a, 'o> {
    /// The reader of these pages; what it calls the rows' state, and what the state of the rest.
    pub(super) fn new(
        pages: &'a Pages<'a>,
        (rows, rest): (&str, &str),
        out: Out<'o>,
    ) -> Reader<'a, 'o> {
        Reader {
            pages,
            seen: Seen::new(pages.count),
            out,
            rows: Batch::new(rows),
            old: Batch::new("superseded"),
            deleted: Batch::new(rest),
            singles: 0,
            follow: true,
            counted: 0,
            damage: Ok(()),
        }
    }

    /// Whether the overflow pages of what comes next are those that are read: not of an older
    /// version of a page.
    pub(super) fn follow(&mut self, follow: bool) {
        self.follow = follow;
    }

    /// Remember what was wrong.
    pub(super) fn note(&mut self, result: Result<()>) {
        if self.damage.is_ok() {
            self.damage = result;
        }
    }

    /// Hand out a clue.
    pub(super) fn tell(&mut self, clue: Clue) -> Result<()> {
        (self.out)(Found::Clue(clue))
    }

    /// All rows of a table or index. Returns how many.
    pub(super) fn tree(&mut self, table: &Rc<Table>) -> Result<u64> {
        let before = self.counted;
        let mut walk = Walk::new(table.root, &mut self.seen);
        while let Some(page) = walk.next(self.pages, &mut self.seen) {
            match page {
                Ok(page) => self.page(&page, table)?,
                Err(error) => self.note(Err(error)),
            }
        }
        Ok(self.counted.saturating_sub(before))
    }

    /// The rows of one page of a tree, and what was deleted from it.
    pub(super) fn page(&mut self, page: &Page, table: &Rc<Table>) -> Result<()> {
        let Some(node) = Node::of(page, self.pages.header.usable) else { return Ok(()) };
        self.free(page, &node, table)?;
        if node.kind == Kind::TableInterior {
            return Ok(());
        }
        for (number, cell) in node.cells().iter().enumerate() {
            let row = match node.kind {
                Kind::TableLeaf => Row::Id(cell.rowid),
                _ => Row::Cell(page.number, number),
            };
            // The chain borrows what was seen for as long as it lives.
            let mut seen = std::mem::replace(&mut self.seen, Seen::new(0));
            let mut none = Seen::new(0);
            let overflow = if self.follow { &mut seen } else { &mut none };
            let mut chain = Chain::new(self.pages, overflow, page, cell);
            let stale = self.pages.is_stale(page.number);
            let read = self.row((table, row), stale, &mut chain);
            self.seen = seen;
            self.counted = self.counted.saturating_add(1);
            match read {
                Ok(handed) => handed?,
                Err(error) if self.follow => self.note(Err(error)),
                Err(_) => self.batch(stale).end_row(),
            }
        }
        Ok(())
    }

    /// What was deleted from a page.
    fn free(&mut self, page: &Page, node: &Node<'_>, table: &Table) -> Result<()> {
        let unnamed = table.rowid == Some(0);
        // Records have no rows' values in them but on leaves, and those of indexes end with a number.
        let columns = Some(table.columns.len()).filter(|_| node.kind == Kind::TableLeaf);
        for (free, cut) in node.free() {
            let bytes = page.bytes.get(free.clone()).unwrap_or_default();
            self.deleted.raw(("$free", page.number), bytes, free.start, page.at);
            let known = Known {
                encoding: self.pages.header.encoding,
                columns: columns.map(|columns| (columns, unnamed)),
                cut,
            };
            self.left((("$free", page.number), Some(table)), (page, free), known);
        }
        self.flush_full()
    }

    /// A page that is in no tree.
    pub(super) fn raw(&mut self, of: (&'static str, u32), page: &Page) -> Result<()> {
        self.deleted.raw(of, &page.bytes, 0, page.at);
        let known = Known { encoding: self.pages.header.encoding, columns: None, cut: false };
        self.left((of, None), (page, 0..page.bytes.len()), known);
        self.flush_full()
    }

    /// The values of deleted rows in a piece of a page, one by one, besides all of its bytes.
    fn left(
        &mut self,
        (of, table): ((&'static str, u32), Option<&Table>),
        (page, piece): (&Page, Range<usize>),
        known: Known,
    ) {
        let bytes = page.bytes.get(piece.clone()).unwrap_or_default();
        for left in deleted::values(bytes, known) {
            let value = bytes.get(left.span.clone()).unwrap_or_default();
            let name = table.map(|table| table.column(left.column)).unwrap_or_default();
            let base = piece.start.saturating_add(left.span.start);
            let wide = left.text && known.encoding != Encoding::Utf8;
            let at = page.at.and_then(|at| at.checked_add(u64::try_from(base).ok()?));
            let from = match (at, u64::try_from(value.len())) {
                (Some(at), Ok(len)) if wide => From::Packed(Run::new(at, len)),
                (Some(at), _) => From::Verbatim(at),
                _ => From::Somewhere,
            };
            let text = Some(value).filter(|_| wide);
            let text = text.map(|value| utf8(value.to_vec(), known.encoding));
            let value = text.as_deref().unwrap_or(value);
            self.deleted.left((of, &name), value, base, from);
        }
    }

    /// One row. The outer error is the row's, the inner one ends everything.
    fn row(
        &mut self,
        (table, row): (&Rc<Table>, Row),
        stale: bool,
        chain: &mut Chain<'_, '_>,
    ) -> Result<Result<()>> {
        let mut label = None;
        for (number, kind) in chain.types()?.into_iter().enumerate() {
            let len = width(kind);
            if !is_string(kind) || len == 0 {
                chain.take(len, &mut |_, _| ())?;
                continue;
            }
            let spot = (table, row, number);
            if len > limits::SQLITE_VALUE_BYTES {
                if let Err(stopped) = self.long(spot, len, stale, chain)? {
                    return Ok(Err(stopped));
                }
                continue;
            }
            let (bytes, pieces) = self.value(kind, chain)?;
            let column = table.column(number);
            let name = label.as_ref().filter(|_| is_one_of(&column, &NAMED)).unwrap_or(&column);
            if let Err(stopped) = self.put(spot, (name, stale), (&bytes, &pieces)) {
                return Ok(Err(stopped));
            }
            if is_one_of(&column, &NAMES) && is_name(&bytes) {
                label = Some(bytes);
            }
        }
        self.batch(stale).end_row();
        Ok(self.flush_full())
    }

    /// A value that is held, and where its pieces stand.
    fn value(&self, kind: u64, chain: &mut Chain<'_, '_>) -> Result<(Vec<u8>, Vec<(usize, From)>)> {
        let (mut bytes, mut pieces) = (Vec::new(), Vec::new());
        chain.take(width(kind), &mut |piece, at| {
            bytes.extend_from_slice(piece);
            pieces.push((piece.len(), at.map_or(From::Somewhere, From::Verbatim)));
        })?;
        let encoding = self.pages.header.encoding;
        if is_text(kind) && encoding != Encoding::Utf8 {
            // It stands here in another encoding: as packed from what it was written in.
            let from = match pieces.first() {
                Some((len, From::Verbatim(at))) => {
                    From::Packed(Run::new(*at, u64::try_from(*len).unwrap_or(0)))
                }
                _ => From::Somewhere,
            };
            bytes = utf8(bytes, encoding);
            pieces = vec![(bytes.len(), from)];
        }
        Ok((bytes, pieces))
    }

    /// Put a value among the others, or hand it out by itself if it is a file.
    fn put(
        &mut self,
        spot: Spot<'_>,
        (name, stale): (&[u8], bool),
        (bytes, pieces): (&[u8], &[(usize, From)]),
    ) -> Result<()> {
        let suffix = if is_json(bytes) { b".json".as_slice() } else { b"" };
        let whole = [&named(spot.0, spot.1, spot.2), suffix].concat();
        let size = u64::try_from(bytes.len()).ok();
        let head = bytes.get(..limits::HEAD_BYTES).unwrap_or(bytes);
        let is_file = !suffix.is_empty()
            || (bytes.len() >= 16 && opener(&Head { name: &whole, bytes: head, size }).is_some());
        if !is_file || self.singles >= limits::SQLITE_FILES {
            self.batch(stale).value(spot, name, bytes, pieces);
            return Ok(());
        }
        self.singles = self.singles.saturating_add(1);
        let from = match pieces {
            [(_, from)] => *from,
            _ => From::Somewhere,
        };
        let facts = if stale { self.old.facts() } else { self.rows.facts() };
        let mut bytes = bytes;
        let member = Member::new(Some(&whole), &mut bytes);
        (self.out)(Found::Member(Member { size, from, facts, ..member }))
    }

    /// A value that is not held. The outer error is the value's.
    fn long(
        &mut self,
        spot: Spot<'_>,
        len: u64,
        stale: bool,
        chain: &mut Chain<'_, '_>,
    ) -> Result<Result<()>> {
        let name = named(spot.0, spot.1, spot.2);
        let facts = if stale { self.old.facts() } else { self.rows.facts() };
        let mut bytes = chain.take_only(len);
        let member = Member::new(Some(&name), &mut bytes);
        let handed = (self.out)(Found::Member(Member { size: Some(len), facts, ..member }));
        let left = bytes.limit();
        if handed.is_ok() {
            chain.take(left, &mut |_, _| ())?;
        }
        Ok(handed)
    }

    fn batch(&mut self, stale: bool) -> &mut Batch {
        if stale { &mut self.old } else { &mut self.rows }
    }

    fn flush_full(&mut self) -> Result<()> {
        for batch in [&mut self.rows, &mut self.old, &mut self.deleted] {
            if batch.is_full() {
                batch.flush(self.out)?;
            }
        }
        Ok(())
    }

    /// The pages that are listed as free.
    pub(super) fn free_list(&mut self) -> Result<()> {
        let mut trunk = self.pages.header.first_free;
        while trunk != 0 && self.seen.first(trunk) {
            let Ok(page) = self.pages.read(trunk) else { break };
            let next = u32_be(&page.bytes, 0).unwrap_or(0);
            let most = self.pages.header.usable.saturating_sub(8) / 4;
            let told = u32_be(&page.bytes, 4).ok().and_then(|count| usize::try_from(count).ok());
            let count = told.unwrap_or(0).min(most);
            for number in 0..count {
                let at = number.saturating_mul(4).saturating_add(8);
                let Ok(leaf) = u32_be(&page.bytes, at) else { break };
                if self.seen.first(leaf)
                    && let Ok(leaf) = self.pages.read(leaf)
                {
                    self.raw(("$free", leaf.number), &leaf)?;
                }
            }
            let used = count.saturating_mul(4).saturating_add(8);
            let rest = page.bytes.get(used..).unwrap_or_default();
            self.deleted.raw(("$free", trunk), rest, used, page.at);
            trunk = next;
        }
        Ok(())
    }

    /// The pages that nothing speaks of, and those that could not be reached.
    pub(super) fn lost(&mut self) -> Result<()> {
        for number in 1..=self.pages.count {
            if !self.seen.first(number) || self.pages.is_pointer_map(number) {
                continue;
            }
            match self.pages.read(number) {
                Ok(page) => self.raw(("$lost", number), &page)?,
                Err(error) => self.note(Err(error)),
            }
        }
        Ok(())
    }

    /// Hand out what is left; what was wrong.
    pub(super) fn finish(mut self) -> Result<()> {
        for batch in [&mut self.rows, &mut self.old, &mut self.deleted] {
            batch.flush(self.out)?;
        }
        self.damage
    }
}

impl Chain<'_, '_> {
    /// The next `len` bytes as a stream.
    fn take_only(&mut self, len: u64) -> std::io::Take<&mut Self> {
        std::io::Read::take(self, len)
    }
}

fn is_one_of(name: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether a value may stand for the name of another.
fn is_name(value: &[u8]) -> bool {
    (1..=128).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'=')
}

/// Whether a value looks like a document of JSON.
fn is_json(value: &[u8]) -> bool {
    let text = value.trim_ascii();
    let (first, last) = (text.first(), text.last());
    text.len() >= 16 && matches!((first, last), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
}
