//! The schema: which tables there are, where they begin, and what their columns are called, as the
//! `CREATE` statements have it ([format](https://www.sqlite.org/schematab.html)).

use super::page::{Node, Pages, Seen, Walk};
use super::record::{Chain, Value, value, width};
use crate::error::Result;
use crate::limits;

/// A table or an index.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: Vec<u8>,
    pub(super) root: u32,
    /// The names of its columns, in the order in which records have them.
    pub(super) columns: Vec<Vec<u8>>,
    /// The column that is the row's number, and stands in no record.
    pub(super) rowid: Option<usize>,
    /// Whether rows have no number.
    pub(super) keyed: bool,
    /// Whether it is an index, which has the rows of a table once more.
    pub(super) index: bool,
}

impl Table {
    /// The name of a column.
    pub(super) fn column(&self, number: usize) -> Vec<u8> {
        let named = self.columns.get(number).filter(|name| !name.is_empty()).cloned();
        named.unwrap_or_else(|| number.saturating_add(1).to_string().into_bytes())
    }
}

/// All tables and indexes, the schema first, and the first damage met.
pub(super) fn read(pages: &Pages<'_>) -> (Vec<Table>, Result<()>) {
    let mut tables = vec![Table {
        name: b"sqlite_schema".to_vec(),
        root: 1,
        columns: ["type", "name", "tbl_name", "rootpage", "sql"].map(Into::into).to_vec(),
        ..Table::default()
    }];
    let mut result = Ok(());
    let mut seen = Seen::new(pages.count);
    let mut walk = Walk::new(1, &mut seen);
    while let Some(page) = walk.next(pages, &mut seen) {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                result = result.and(Err(error));
                continue;
            }
        };
        let Some(node) = Node::of(&page, pages.header.usable).filter(|node| !node.is_interior())
        else {
            continue;
        };
        for cell in node.cells() {
            let mut chain = Chain::new(pages, &mut seen, &page, &cell);
            match values(&mut chain, pages, limits::SQLITE_SQL_BYTES) {
                Ok(row) => tables.extend(table(&row)),
                Err(error) => result = result.and(Err(error)),
            }
            if tables.len() >= limits::SQLITE_TABLES {
                return (tables, result);
            }
        }
    }
    (tables, result)
}

/// All values of a record, those longer than `most` left empty.
pub(super) fn values(
    chain: &mut Chain<'_, '_>,
    pages: &Pages<'_>,
    most: u64,
) -> Result<Vec<Value>> {
    let mut row = Vec::new();
    for kind in chain.types()? {
        let len = width(kind);
        let mut bytes = Vec::new();
        let kept = len <= most;
        chain.take(len, &mut |piece, _| {
            if kept {
                bytes.extend_from_slice(piece);
            }
        })?;
        row.push(value(kind, bytes, pages.header.encoding));
    }
    Ok(row)
}

/// A row of the schema.
fn table(row: &[Value]) -> Option<Table> {
    let [Value::Text(kind), Value::Text(name), _, Value::Int(root), sql, ..] = row else {
        return None;
    };
    let root = u32::try_from(*root).ok().filter(|root| *root > 0)?;
    let sql = match sql {
        Value::Text(sql) => sql.as_slice(),
        _ => b"",
    };
    let mut table = if kind == b"table" { parse(sql) } else { Table::default() };
    table.index = kind != b"table";
    table.keyed |= table.index;
    name.get(..limits::SQLITE_NAME_BYTES).unwrap_or(name).clone_into(&mut table.name);
    table.root = root;
    Some(table)
}

/// The columns of a `CREATE TABLE`. What is not understood has none.
pub(super) fn parse(sql: &[u8]) -> Table {
    let tokens = tokens(sql);
    let Some(open) = tokens.iter().position(|token| token.is(b"(")) else {
        return Table::default();
    };
    let mut table = Table::default();
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let mut whole = Vec::new();
    let mut depth = 0usize;
    let mut begin = open.saturating_add(1);
    let mut close = tokens.len();
    for (at, token) in tokens.iter().enumerate().skip(begin) {
        match token.text {
            _ if token.quoted => {}
            b"(" => depth = depth.saturating_add(1),
            b")" if depth > 0 => depth = depth.saturating_sub(1),
            b")" | b"," if depth == 0 => {
                let part = tokens.get(begin..at).unwrap_or_default();
                define(part, &mut table, &mut keys, &mut whole);
                begin = at.saturating_add(1);
                if token.is(b")") {
                    close = at;
                    break;
                }
            }
            _ => {}
        }
    }
    let rest = tokens.get(close..).unwrap_or_default();
    table.keyed = rest.iter().any(|token| token.is(b"WITHOUT"));
    if table.keyed {
        // The key's columns come first.
        let mut columns: Vec<Vec<u8>> = Vec::new();
        for name in keys.iter().chain(&table.columns) {
            if !columns.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                columns.push(name.clone());
            }
        }
        table.columns = columns;
    } else if let [key] = keys.as_slice() {
        let is = |name: &Vec<u8>| name.eq_ignore_ascii_case(key);
        table.rowid = table.columns.iter().position(is).filter(|at| whole.contains(at));
    }
    table
}

/// One definition between commas: a column or a constraint.
fn define(part: &[Token<'_>], table: &mut Table, keys: &mut Vec<Vec<u8>>, whole: &mut Vec<usize>) {
    let Some((first, rest)) = part.split_first() else { return };
    let constraint = [&b"CONSTRAINT"[..], b"PRIMARY", b"UNIQUE", b"CHECK", b"FOREIGN"]
        .iter()
        .any(|w| first.is(w));
    let key = rest.iter().chain(constraint.then_some(first)).any(|token| token.is(b"PRIMARY"));
    if constraint {
        let open = part.iter().position(|token| token.is(b"("));
        let listed = part.get(open.unwrap_or(part.len())..).unwrap_or_default();
        let mut named = true;
        for token in listed.iter().filter(|_| key) {
            match token.text {
                b"(" | b"," => named = true,
                b")" => break,
                name if named && keys.len() < limits::SQLITE_COLUMNS => {
                    keys.push(name.to_vec());
                    named = false;
                }
                _ => {}
            }
        }
        return;
    }
    let computed = rest.iter().any(|token| token.is(b"AS"));
    let kept = !computed || rest.iter().any(|token| token.is(b"STORED"));
    if !kept || table.columns.len() >= limits::SQLITE_COLUMNS {
        return;
    }
    let name = first.text.get(..limits::SQLITE_NAME_BYTES).unwrap_or(first.text);
    if rest.first().is_some_and(|token| token.is(b"INTEGER")) {
        whole.push(table.columns.len());
    }
    if key {
        keys.push(name.to_vec());
    }
    table.columns.push(name.to_vec());
}

struct Token<'a> {
    text: &'a [u8],
    quoted: bool,
}

impl Token<'_> {
    fn is(&self, word: &[u8]) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word)
    }
}

/// Words, quoted names and signs; comments left out.
fn tokens(sql: &[u8]) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(&first) = rest.first() {
        let (len, skipped, quoted) = match first {
            b'"' | b'`' | b'\'' | b'[' => {
                let close = if first == b'[' { b']' } else { first };
                let body = rest.get(1..).unwrap_or_default();
                let len = memchr::memchr(close, body).unwrap_or(body.len());
                (len.saturating_add(2), 1, true)
            }
            b'-' if rest.starts_with(b"--") => {
                (memchr::memchr(b'\n', rest).unwrap_or(rest.len()), usize::MAX, false)
            }
            b'/' if rest.starts_with(b"/*") => {
                let end = memchr::memmem::find(rest, b"*/").unwrap_or(rest.len());
                (end.saturating_add(2), usize::MAX, false)
            }
            byte if byte.is_ascii_whitespace() => (1, usize::MAX, false),
            byte if is_word(byte) => {
                (rest.iter().position(|b| !is_word(*b)).unwrap_or(rest.len()), 0, false)
            }
            _ => (1, 0, false),
        };
        let (token, behind) = rest.split_at_checked(len).unwrap_or((rest, b""));
        rest = behind;
        if skipped != usize::MAX {
            let end = token.len().saturating_sub(skipped).max(skipped);
            tokens.push(Token { text: token.get(skipped..end).unwrap_or_default(), quoted });
        }
        if tokens.len() >= limits::SQLITE_TOKENS {
            break;
        }
    }
    tokens
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(sql: &str) -> (String, Option<usize>, bool) {
        let table = parse(sql.as_bytes());
        let names: Vec<_> = table.columns.iter().map(|c| String::from_utf8_lossy(c)).collect();
        (names.join(" "), table.rowid, table.keyed)
    }

    #[test]
    fn columns_are_read_from_the_statement() {
        for (sql, expected, rowid, keyed) in [
            ("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b)", "id a b", Some(0), false),
            ("CREATE TABLE t(a INT PRIMARY KEY, b)", "a b", None, false),
            (
                "create table \"a b\" ([x y] text default (1,2), `z`, 'q' check (q in (1,2)))",
                "x y z q",
                None,
                false,
            ),
            ("CREATE TABLE t(a, b, c, PRIMARY KEY(c, a)) WITHOUT ROWID", "c a b", None, true),
            ("CREATE TABLE t(a TEXT, id INTEGER, PRIMARY KEY (id))", "a id", Some(1), false),
            ("CREATE TABLE t(a, -- first, of all\n b /* , c */, d)", "a b d", None, false),
            (
                "CREATE TABLE t(a, b GENERATED ALWAYS AS (a+1) VIRTUAL, c AS (a) STORED)",
                "a c",
                None,
                false,
            ),
            ("CREATE TABLE t(a, b", "a", None, false),
            ("CREATE VIRTUAL TABLE x USING fts5", "", None, false),
            ("((((", "", None, false),
        ] {
            assert_eq!(columns(sql), (expected.to_owned(), rowid, keyed), "{sql}");
        }
    }
}
