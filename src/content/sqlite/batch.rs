//! A batch: the values of many rows as one text, so that they are searched at once. Each stands
//! behind the name of its column, as a setting does, and is told by table, row and column.

use super::schema::Table;
use crate::content::{Found, From, Member, Out, Part};
use crate::error::Result;
use crate::limits;
use crate::run::Run;
use std::rc::Rc;

/// Which row a value is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row {
    /// By its number.
    Id(i64),
    /// By page and cell.
    Cell(u32, usize),
}

/// What a piece of the text is of.
#[derive(Clone)]
enum Of {
    Value(Rc<Table>, Row, usize),
    /// Bytes of a page, in a folder of that name.
    Page(&'static str, u32),
}

/// A piece of the text.
struct Piece {
    start: usize,
    len: usize,
    of: Of,
    /// Where it begins in the thing it is of, and in the container.
    base: usize,
    from: From,
}

/// Values, all in the same state.
pub(super) struct Batch {
    text: Vec<u8>,
    pieces: Vec<Piece>,
    facts: [(&'static str, String); 1],
}

/// The name of a value's member.
pub(super) fn named(table: &Table, row: Row, column: usize) -> Vec<u8> {
    let row = match row {
        Row::Id(id) => id.to_string(),
        Row::Cell(page, cell) => format!("p{page}c{cell}"),
    };
    [&table.name, b"/".as_slice(), row.as_bytes(), b"/", &table.column(column)].concat()
}

impl Batch {
    pub(super) fn new(state: &str) -> Batch {
        Batch { text: Vec::new(), pieces: Vec::new(), facts: [("row", state.to_owned())] }
    }

    pub(super) fn facts(&self) -> &[(&'static str, String)] {
        &self.facts
    }

    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= limits::UNPACKED_WINDOW_BYTES
    }

    /// A value in a row, under a name.
    pub(super) fn value(
        &mut self,
        (table, row, column): (&Rc<Table>, Row, usize),
        name: &[u8],
        value: &[u8],
        pieces: &[(usize, From)],
    ) {
        self.text.extend_from_slice(name);
        self.text.push(b'=');
        let mut base = 0usize;
        for &(len, from) in pieces {
            let start = self.text.len().saturating_add(base);
            let of = Of::Value(Rc::clone(table), row, column);
            self.pieces.push(Piece { start, len, of, base, from });
            base = base.saturating_add(len);
        }
        self.text.extend_from_slice(value);
        self.text.push(b'\n');
    }

    /// Bytes of a page that belong to no row.
    pub(super) fn raw(
        &mut self,
        of: (&'static str, u32),
        bytes: &[u8],
        base: usize,
        at: Option<u64>,
    ) {
        let begun = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        let end =
            bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
        let kept = bytes.get(begun..end).unwrap_or_default();
        // Less is no secret.
        if kept.len() < 8 {
            return;
        }
        let base = base.saturating_add(begun);
        let from = at.and_then(|at| at.checked_add(u64::try_from(base).ok()?));
        let from = from.map_or(From::Somewhere, From::Verbatim);
        let (start, of) = (self.text.len(), Of::Page(of.0, of.1));
        self.pieces.push(Piece { start, len: kept.len(), of, base, from });
        self.text.extend_from_slice(kept);
        self.text.push(b'\n');
    }

    /// A value of a row that was deleted from a page, under the name of its column.
    pub(super) fn left(
        &mut self,
        ((folder, page), name): ((&'static str, u32), &[u8]),
        value: &[u8],
        base: usize,
        from: From,
    ) {
        if !name.is_empty() {
            self.text.extend_from_slice(name);
            self.text.push(b'=');
        }
        let (start, of) = (self.text.len(), Of::Page(folder, page));
        self.pieces.push(Piece { start, len: value.len(), of, base, from });
        self.text.extend_from_slice(value);
        self.text.push(b'\n');
    }

    /// The row's values end here.
    pub(super) fn end_row(&mut self) {
        self.text.push(b'\n');
    }

    /// Hand out what was gathered.
    pub(super) fn flush(&mut self, out: Out<'_>) -> Result<()> {
        if self.pieces.is_empty() {
            return Ok(());
        }
        let parts = |run: Run| part(&self.pieces, run);
        let mut bytes = self.text.as_slice();
        let size = u64::try_from(bytes.len()).ok();
        let handed = out(Found::Member(Member {
            size,
            from: From::Verbatim(0),
            facts: &self.facts,
            parts: Some(&parts),
            ..Member::new(None, &mut bytes)
        }));
        self.text.clear();
        self.pieces.clear();
        handed
    }
}

/// The piece that a run of the text is part of; what stands before it is its name.
fn part(pieces: &[Piece], run: Run) -> Option<Part> {
    let end = usize::try_from(run.end()).ok()?;
    let start = usize::try_from(run.start).ok()?;
    let behind = pieces.partition_point(|piece| piece.start < end);
    let mut number = behind.checked_sub(1)?;
    let mut piece = pieces.get(number)?;
    // A run over several pages of a value begins in the first of them.
    while piece.start > start && piece.base > 0 && matches!(piece.of, Of::Value(..)) {
        number = number.checked_sub(1)?;
        piece = pieces.get(number)?;
    }
    let before = start.saturating_sub(piece.start);
    let whole = end.saturating_sub(piece.start) <= piece.len && start >= piece.start;
    let (before, base) = (u64::try_from(before).ok()?, u64::try_from(piece.base).ok()?);
    let len = run.end().saturating_sub(run.start.max(u64::try_from(piece.start).ok()?));
    let from = match piece.from {
        From::Verbatim(at) if whole => From::Verbatim(at.saturating_add(before)),
        From::Verbatim(at) => From::Packed(Run::new(at, u64::try_from(piece.len).ok()?)),
        other => other,
    };
    let name = match &piece.of {
        Of::Value(table, row, column) => named(table, *row, *column),
        Of::Page(folder, page) => format!("{folder}/{page}").into_bytes(),
    };
    Some(Part { name, run: Run::new(base.saturating_add(before), len), from })
}
