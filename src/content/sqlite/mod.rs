//! `SQLite`: databases, their write-ahead logs and rollback journals
//! ([format](https://www.sqlite.org/fileformat2.html)).
//!
//! The rows of all tables and indexes are handed out by table, row and column, and then what no
//! row owns: deleted cells, free pages, pages that nothing speaks of. A log is opened by itself,
//! with the database beside it for the names.

mod batch;
mod deleted;
mod log;
mod page;
mod reader;
mod record;
mod schema;
#[cfg(test)]
mod tests;

pub use record::Value;

use super::{Given, Head, Open, Out, Unpacker};
use crate::blob::{Clue, TABLE};
use crate::bytes::ReadAt;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use log::Frame;
use page::{Log, MAGIC, Node, Page, Pages, Seen, Walk};
use reader::Reader;
use record::Chain;
use schema::Table;
use std::collections::BTreeMap;
use std::rc::Rc;

pub(super) const UNPACKER: Unpacker =
    Unpacker { name: "sqlite", applies: is_database, open: Open::Random(open) };

pub(super) const WAL: Unpacker =
    Unpacker { name: "sqlite-wal", applies: is_wal, open: Open::Random(open_wal) };

pub(super) const JOURNAL: Unpacker =
    Unpacker { name: "sqlite-journal", applies: is_journal, open: Open::Random(open_journal) };

fn is_database(head: &Head<'_>) -> bool {
    head.bytes.starts_with(MAGIC)
}

fn is_wal(head: &Head<'_>) -> bool {
    log::is_wal(head.bytes)
}

fn is_journal(head: &Head<'_>) -> bool {
    log::is_journal(head.bytes)
}

fn open(bytes: &dyn ReadAt, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let mut pages = Pages::new(bytes)?;
    let newer = [given.name, b"-wal"].concat();
    let _ = given.siblings.with(&newer, &mut |wal| {
        if let Ok((_, frames)) = log::frames(wal) {
            pages.superseded(log::committed(&frames));
        }
    });
    let (tables, read) = schema::read(&pages);
    let mut reader = Reader::new(&pages, ("live", "deleted"), out);
    reader.note(read);
    let mut clues = Vec::new();
    for table in tables {
        let table = Rc::new(table);
        let rows = reader.tree(&table)?;
        if !table.index && !table.name.starts_with(b"sqlite_") {
            clues.push(clue(&table, rows, given));
        }
    }
    for clue in clues {
        reader.tell(clue)?;
    }
    reader.free_list()?;
    reader.lost()?;
    reader.finish()
}

/// How many rows a table has.
fn clue(table: &Table, rows: u64, given: &Given<'_>) -> Clue {
    let (key, value) = (table.name.as_slice().into(), rows.to_string().into_bytes().into());
    Clue { kind: TABLE, at: given.at.clone(), key, value }
}

fn open_wal(bytes: &dyn ReadAt, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let (size, frames) = log::frames(bytes)?;
    let newest = log::committed(&frames);
    opened(bytes, (given, "wal"), (size, &frames, newest), out)
}

fn open_journal(bytes: &dyn ReadAt, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let (size, records) = log::records(bytes)?;
    opened(bytes, (given, "journal"), (size, &records, BTreeMap::new()), out)
}

/// A log's size of pages, its frames, and the newest of each page.
type Frames<'a> = (usize, &'a [Frame], BTreeMap<u32, u64>);

/// Open a log, with the database beside it if there is one.
fn opened(
    bytes: &dyn ReadAt,
    (given, what): (&Given<'_>, &str),
    (size, frames, newest): Frames<'_>,
    out: Out<'_>,
) -> Result<()> {
    let mut result = None;
    let suffix = format!("-{what}");
    if let Some(main) = given.name.strip_suffix(suffix.as_bytes()) {
        let _ = given.siblings.with(main, &mut |main| {
            let main = Some(main).filter(|main| !main.is_empty());
            let frames = (size, frames, newest.clone());
            result.get_or_insert_with(|| log_pages((bytes, main), frames, (what, &mut *out)));
        });
    }
    result.unwrap_or_else(|| log_pages((bytes, None), (size, frames, newest), (what, out)))
}

fn log_pages(
    (bytes, main): (&dyn ReadAt, Option<&dyn ReadAt>),
    (size, frames, newest): Frames<'_>,
    (what, out): (&str, Out<'_>),
) -> Result<()> {
    let last = frames.iter().map(|frame| frame.page).max().unwrap_or(0).min(limits::SQLITE_PAGES);
    let pages = Pages::with_log(main, Log { bytes, pages: newest.clone() }, size, true);
    // A log alone, or of another database, is pages without names.
    let (pages, tables) = match pages {
        Ok(pages) => {
            let tables = owners(&pages, frames);
            (pages, tables)
        }
        Err(_) => (Pages::bare(Log { bytes, pages: BTreeMap::new() }, size, last), Owners::new()),
    };
    let mut reader = Reader::new(&pages, (what, what), out);
    for (number, frame) in frames.iter().enumerate() {
        let page = match pages.frame(frame.page, frame.at) {
            Ok(page) => page,
            Err(error) => {
                reader.note(Err(error));
                continue;
            }
        };
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        match tables.get(&frame.page).filter(|_| frame.valid) {
            Some(table) if Node::of(&page, pages.header.usable).is_some() => {
                reader.follow(newest.get(&frame.page) == Some(&frame.at));
                reader.page(&page, table)?;
            }
            _ => reader.raw(("$frame", number), &page)?,
        }
    }
    reader.finish()
}

/// Whose page each of a log is.
type Owners = BTreeMap<u32, Rc<Table>>;

fn owners(pages: &Pages<'_>, frames: &[Frame]) -> Owners {
    let wanted: std::collections::BTreeSet<u32> = frames.iter().map(|frame| frame.page).collect();
    let mut owners = Owners::new();
    let mut seen = Seen::new(pages.count);
    for table in schema::read(pages).0 {
        let table = Rc::new(table);
        let mut walk = Walk::new(table.root, &mut seen);
        while let Some(page) = walk.next(pages, &mut seen) {
            if let Ok(page) = page
                && wanted.contains(&page.number)
            {
                let _ = owners.insert(page.number, Rc::clone(&table));
            }
        }
    }
    owners
}

/// Every row of a table, with its number, as the write-ahead log has it where there is one. Values
/// of more than [`limits::HELD_BYTES`] are left empty.
pub fn rows(
    bytes: &dyn ReadAt,
    wal: Option<&dyn ReadAt>,
    table: &str,
    visit: &mut dyn FnMut(i64, &[Value]) -> Result<()>,
) -> Result<()> {
    let frames = wal.filter(|wal| !wal.is_empty()).map(|wal| (wal, log::frames(wal)));
    let pages = match frames {
        Some((wal, Ok((size, frames)))) => {
            let log = Log { bytes: wal, pages: log::committed(&frames) };
            Pages::with_log(Some(bytes), log, size, false)?
        }
        _ => Pages::new(bytes)?,
    };
    let (tables, mut result) = schema::read(&pages);
    let wanted = tables.iter().find(|known| known.name.eq_ignore_ascii_case(table.as_bytes()));
    let none = || Error::new(ErrorKind::NotFound, "a database has no such table").detail(table);
    let table = wanted.ok_or_else(none)?;
    let mut seen = Seen::new(pages.count);
    let mut walk = Walk::new(table.root, &mut seen);
    while let Some(page) = walk.next(&pages, &mut seen) {
        match page.and_then(|page| page_rows(&pages, &mut seen, (&page, table), visit)) {
            Ok(Ok(())) => {}
            Ok(Err(stopped)) => return Err(stopped),
            Err(damage) => result = result.and(Err(damage)),
        }
    }
    result
}

/// The rows of a page. The inner error is the visitor's.
fn page_rows(
    pages: &Pages<'_>,
    seen: &mut Seen,
    (page, table): (&Page, &Table),
    visit: &mut dyn FnMut(i64, &[Value]) -> Result<()>,
) -> Result<Result<()>> {
    let node = Node::of(page, pages.header.usable).filter(|node| !node.is_interior());
    let mut damage = Ok(());
    for cell in node.map(|node| node.cells()).unwrap_or_default() {
        let mut chain = Chain::new(pages, seen, page, &cell);
        let mut row = match schema::values(&mut chain, pages, limits::HELD_BYTES) {
            Ok(row) => row,
            Err(error) => {
                damage = Err(error);
                continue;
            }
        };
        if let Some(number) = table.rowid.and_then(|at| row.get_mut(at)) {
            *number = Value::Int(cell.rowid);
        }
        if let Err(stopped) = visit(cell.rowid, &row) {
            return Ok(Err(stopped));
        }
    }
    damage.map(Ok)
}
