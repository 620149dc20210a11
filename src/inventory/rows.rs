//! Rows of tables as text. A window may begin anywhere, so the count of a file cut into windows is
//! about right, and right for one that fits into one.

use super::Kind;
use crate::limits;
use std::collections::BTreeSet;

/// Rows in a part of a store, whose tables are added to `tables`.
pub(super) fn count(kind: Kind, text: &[u8], tables: &mut BTreeSet<String>) -> u64 {
    let starting = |head: &[u8]| number(lines(text).filter(|line| line.starts_with(head)).count());
    match kind {
        Kind::Dump => dump(text, tables),
        Kind::Table => number(lines(text).filter(|line| !line.trim_ascii().is_empty()).count()),
        Kind::Mail => starting(b"From "),
        Kind::Directory => starting(b"dn:"),
        _ => 0,
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Lines that begin in a text.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

/// Rows of `INSERT` statements and of `COPY` blocks.
fn dump(text: &[u8], tables: &mut BTreeSet<String>) -> u64 {
    let mut rows = 0u64;
    let mut copying = false;
    for line in lines(text) {
        if copying {
            copying = !line.starts_with(b"\\.");
            rows = rows.saturating_add(u64::from(copying));
        } else if let Some(rest) = after(line, b"INSERT INTO ") {
            note(tables, rest);
            rows = rows.saturating_add(tuples(rest));
        } else if let Some(rest) = after(line, b"COPY ") {
            note(tables, rest);
            copying = memchr::memmem::find(line, b"FROM stdin").is_some();
        } else if let Some(rest) = after(line, b"CREATE TABLE ") {
            note(tables, after(rest, b"IF NOT EXISTS ").unwrap_or(rest));
        }
    }
    rows
}

fn after<'a>(line: &'a [u8], head: &[u8]) -> Option<&'a [u8]> {
    let start = line.get(..head.len())?;
    start.eq_ignore_ascii_case(head).then(|| line.get(head.len()..).unwrap_or_default())
}

/// Note the name of a table at the beginning of `text`.
fn note(tables: &mut BTreeSet<String>, text: &[u8]) {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.$-`\"[]".contains(byte);
    let len = text.iter().take(256).take_while(|byte| is_name(byte)).count();
    let name = text.get(..len).unwrap_or_default().iter().copied();
    let name: Vec<u8> = name.filter(|byte| !b"`\"[]".contains(byte)).collect();
    if !name.is_empty() && tables.len() < limits::INVENTORY_TABLES {
        tables.insert(String::from_utf8_lossy(&name).into_owned());
    }
}

/// Rows of one statement: parentheses that are opened outside of quotes and others, behind
/// `VALUES`.
fn tuples(statement: &[u8]) -> u64 {
    let Some(start) = find_ignoring_case(statement, b"VALUES") else { return 0 };
    let (mut count, mut depth, mut quote) = (0u64, 0u32, None);
    let mut bytes = statement.get(start..).unwrap_or_default().iter();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') => {
                bytes.next();
            }
            (Some(open), byte) if *byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(*byte),
            (None, b'(') => {
                count = count.saturating_add(u64::from(depth == 0));
                depth = depth.saturating_add(1);
            }
            (None, b')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    count
}

/// Where a word stands near the beginning of a statement: behind its table and columns.
fn find_ignoring_case(text: &[u8], word: &[u8]) -> Option<usize> {
    let near = text.get(..4096).unwrap_or(text);
    near.windows(word.len()).position(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_dumps_are_counted() {
        let text = b"CREATE TABLE IF NOT EXISTS public.orders (id int);\n\
                     COPY public.orders (id, name) FROM stdin;\n1\ta\n2\tb\n3\tc\n\\.\n\
                     insert into [items] (a, b) values (1, 'x) (y'), (2, 'z\\'');\n";
        let mut tables = BTreeSet::new();
        assert_eq!(count(Kind::Dump, text, &mut tables), 5);
        assert_eq!(tables.into_iter().collect::<Vec<_>>(), ["items", "public.orders"]);
        assert_eq!(count(Kind::Table, b"a,b\n1,2\n\n3,4", &mut BTreeSet::new()), 3);
        assert_eq!(count(Kind::Mail, b"From a\nTo: b\nFrom c\n", &mut BTreeSet::new()), 2);
    }
}
