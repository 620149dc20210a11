//! Inventory: what data an image holds, so that a leak of data is sized too. Databases and dumps
//! with their tables and rows, mailboxes, source code by language, and how often what names a person
//! occurs in them. Counts alone: no value is kept.

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod kind;
mod language;
mod personal;
mod rows;

pub use kind::Kind;
pub use language::language;
pub use personal::Personal;

use crate::limits;
use crate::locator::Locator;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What data there is.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    stores: BTreeMap<Locator, Store>,
    code: BTreeMap<&'static str, Code>,
    dropped: u64,
}

/// One database, dump, table or mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes, or what of it has been seen.
    pub bytes: u64,
    /// Its tables, by name, where they could be told.
    pub tables: BTreeSet<String>,
    /// Rows, lines or messages that were counted; zero where they cannot be.
    pub rows: u64,
    /// What names persons in it.
    pub personal: Personal,
}

/// Source code of one language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Files.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl Inventory {
    /// Look at a file as a whole, known by its name and first bytes.
    pub fn file(&mut self, at: &Locator, name: &[u8], head: &[u8], bytes: u64) {
        if let Some(kind) = Kind::of(name, head) {
            let store = Store { bytes, ..Store::new(kind) };
            self.add(at, store);
        } else if let Some(language) = language(name) {
            let code = self.code.entry(language).or_default();
            code.files = code.files.saturating_add(1);
            code.bytes = code.bytes.saturating_add(bytes);
        }
    }

    /// Count what the `owned` part of a window of a file holds.
    pub fn window(&mut self, at: &Locator, name: &[u8], bytes: &[u8], owned: Range<usize>) {
        let Some(kind) = Kind::by_name(name).filter(|kind| kind.is_text()) else { return };
        let mut store = Store::new(kind);
        store.personal.count(bytes, owned.clone());
        let seen = bytes.get(owned).unwrap_or_default();
        store.rows = rows::count(kind, seen, &mut store.tables);
        self.add(at, store);
    }

    /// Add a database whose reader knows its tables and rows.
    pub fn table(&mut self, at: &Locator, kind: Kind, table: &[u8], rows: u64) {
        let mut store = Store { rows, ..Store::new(kind) };
        store.tables.insert(String::from_utf8_lossy(table).into_owned());
        self.add(at, store);
    }

    fn add(&mut self, at: &Locator, store: Store) {
        let full = self.stores.len() >= limits::INVENTORY_STORES;
        match self.stores.get_mut(at) {
            Some(known) => known.merge(store),
            None if full => self.dropped = self.dropped.saturating_add(1),
            None => {
                self.stores.insert(at.clone(), store);
            }
        }
    }

    /// Add what another worker has seen.
    pub fn merge(&mut self, other: Inventory) {
        self.dropped = self.dropped.saturating_add(other.dropped);
        other.stores.into_iter().for_each(|(at, store)| self.add(&at, store));
        for (language, more) in other.code {
            let code = self.code.entry(language).or_default();
            code.files = code.files.saturating_add(more.files);
            code.bytes = code.bytes.saturating_add(more.bytes);
        }
    }

    /// The stores, sorted by place.
    pub fn stores(&self) -> impl Iterator<Item = (&Locator, &Store)> {
        self.stores.iter()
    }

    /// Source code by language.
    pub fn code(&self) -> impl Iterator<Item = (&'static str, Code)> {
        self.code.iter().map(|(language, code)| (*language, *code))
    }

    /// Stores there were besides.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What names persons in all of them together.
    pub fn personal(&self) -> Personal {
        let mut sum = Personal::default();
        self.stores.values().for_each(|store| sum.merge(&store.personal));
        sum
    }
}

impl Store {
    fn new(kind: Kind) -> Store {
        let personal = Personal::default();
        Store { kind, bytes: 0, tables: BTreeSet::new(), rows: 0, personal }
    }

    fn merge(&mut self, other: Store) {
        self.bytes = self.bytes.max(other.bytes);
        self.rows = self.rows.saturating_add(other.rows);
        self.personal.merge(&other.personal);
        let room = limits::INVENTORY_TABLES.saturating_sub(self.tables.len());
        self.tables.extend(other.tables.into_iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locator::Area;

    fn at(path: &str) -> Locator {
        Locator::new(&"disk".into(), None, Area::Path(path.as_bytes().into()))
    }

    #[test]
    fn windows_of_a_dump_add_up() {
        let path = "/srv/backup/orders.sql";
        let text = b"-- MySQL dump 10.13\nCREATE TABLE `users` (id int);\n\
                     INSERT INTO `users` VALUES (1,'a@example.org'),(2,'it''s, (b)');\n\
                     INSERT INTO `users` VALUES (3,'c@example.org');\n";
        for cut in 0..text.len() {
            let mut whole = Inventory::default();
            for owned in [0..cut, cut..text.len()] {
                let mut share = Inventory::default();
                share.window(&at(path), path.as_bytes(), text, owned);
                whole.merge(share);
            }
            whole.file(&at(path), path.as_bytes(), text, 9);
            let (_, store) = whole.stores().next().unwrap();
            assert_eq!(store.personal.of("email"), 2, "{cut}");
            assert_eq!(store.kind, Kind::Dump);
        }
        let mut whole = Inventory::default();
        whole.window(&at(path), path.as_bytes(), text, 0..text.len());
        let (_, store) = whole.stores().next().unwrap();
        assert_eq!((store.rows, store.tables.len()), (3, 1));
    }

    #[test]
    fn code_is_counted_where_no_distributor_puts_it() {
        let mut all = Inventory::default();
        for path in ["/srv/app/main.py", "/opt/tool/lib.rs", "/usr/lib/python3/os.py", "/root/x"] {
            all.file(&at(path), path.as_bytes(), b"", 100);
        }
        let code: Vec<_> = all.code().map(|(name, code)| (name, code.files)).collect();
        assert_eq!(code, [("Python", 1), ("Rust", 1)]);
    }
}
