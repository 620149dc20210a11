//! Clues, kept until everything has been swept, and what comes of them.

use super::join::Findings;
use super::nested::{Nested, explore, only_counted};
use super::place::narrowed;
use crate::artifact;
use crate::blob::{Blob, Change, Clue, FOUND, Meta, TABLE};
use crate::content;
use crate::coverage::Coverage;
use crate::detect::{Engine, Scratch, Window};
use crate::error::{Error, ErrorKind};
use crate::finding::{Match, Place, State};
use crate::inventory::{Inventory, Kind};
use crate::limits;
use crate::locator::{Area, Locator};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The clues of one worker, or of all.
#[derive(Default)]
pub(super) struct Clues {
    kept: Vec<Clue>,
    bytes: usize,
    dropped: u64,
}

impl Clues {
    /// Keep a clue, if there is room.
    pub(super) fn add(&mut self, clue: Clue) {
        let bytes = clue.key.len() + clue.value.len();
        if self.kept.len() >= limits::CLUES || self.bytes + bytes > limits::CLUE_BYTES {
            self.dropped += 1;
            return;
        }
        self.bytes += bytes;
        self.kept.push(clue);
    }

    /// Keep another worker's.
    pub(super) fn merge(&mut self, other: Clues) {
        self.dropped += other.dropped;
        other.kept.into_iter().for_each(|clue| self.add(clue));
    }

    /// All of them, sorted.
    pub(super) fn finish(mut self, coverage: &mut Coverage) -> Vec<Clue> {
        if self.dropped > 0 {
            let error = Error::new(ErrorKind::Limit, "more clues than are kept")
                .detail(format_args!("{} were dropped", self.dropped));
            coverage.error(&error);
        }
        self.kept.sort_unstable();
        self.kept.dedup();
        self.kept
    }
}

/// Facts of what was found at or below a place.
pub(super) type Told = BTreeMap<Locator, Vec<(&'static str, String)>>;

/// What joins add to.
pub(super) struct Joined<'a, 'k> {
    pub(super) engine: &'a Engine,
    pub(super) findings: &'a mut Findings<'k>,
    pub(super) inventory: &'a mut Inventory,
    pub(super) coverage: &'a mut Coverage,
}

/// Put all clues together, and add to the findings what comes of it.
pub(super) fn join(clues: &[Clue], all: &mut Joined<'_, '_>) {
    let Joined { engine, findings, inventory, coverage } = all;
    let mut views = Views { engine, scratch: Scratch::default(), left: limits::UNLOCK_BYTES };
    for clue in clues.iter().filter(|clue| clue.kind == TABLE) {
        let rows = std::str::from_utf8(&clue.value).ok().and_then(|rows| rows.parse().ok());
        inventory.table(&clue.at, Kind::Sqlite, &clue.key, rows.unwrap_or(0));
    }
    let mut told = Told::new();
    for join in content::JOINS.iter().chain(artifact::JOINS) {
        let asked = clues.iter().filter(|clue| join.needs.contains(&clue.kind));
        let mut asked: Vec<Clue> = asked.cloned().collect();
        if asked.is_empty() {
            continue;
        }
        if join.needs.contains(&FOUND) {
            asked.extend(findings.places().into_iter().map(found));
            asked.sort_unstable();
            asked.dedup();
        }
        (join.run)(&asked, &mut |change| match change {
            Change::Fact { mut at, name, value } => {
                at.span = None;
                told.entry(at).or_default().push((name, value));
            }
            Change::Match { at, found } => {
                let place = place(at, &found);
                views.graded(&found, &place, findings);
                findings.add(found, true, place);
            }
            Change::View { at, name, bytes } => {
                views.explore((at, name, bytes), findings, coverage);
            }
        });
    }
    findings.tell(&told);
}

/// The clue that something was found at a place.
fn found(at: Locator) -> Clue {
    Clue { kind: FOUND, at, key: Box::default(), value: Box::default() }
}

/// What opened texts are searched with.
struct Views<'a> {
    engine: &'a Engine,
    scratch: Scratch,
    left: usize,
}

impl Views<'_> {
    /// What a join opened may be of a kind that the signatures know better.
    fn graded(&mut self, found: &Match, at: &Place, findings: &mut Findings<'_>) {
        if found.decoded.is_none() {
            return;
        }
        let bytes = found.subject.bytes();
        let window = Window { bytes, owned: 0..bytes.len(), path: None };
        let mut known = Vec::new();
        self.engine.search(&window, &mut self.scratch, &mut known);
        for mut other in known.into_iter().filter(|other| other.grade >= found.grade) {
            let whole = other.subject.bytes().trim_ascii() == bytes.trim_ascii();
            if whole {
                other.facts.extend(found.facts.clone());
                findings.add(other, false, at.clone());
            }
        }
    }

    /// Search and parse a text that a join opened.
    fn explore(
        &mut self,
        (at, name, bytes): (Locator, Vec<u8>, Vec<u8>),
        findings: &mut Findings<'_>,
        coverage: &mut Coverage,
    ) {
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            let error = Error::new(ErrorKind::Limit, "more was opened than is searched");
            return coverage.error_at(&at, &error);
        };
        self.left = left;
        let blob = Blob {
            at,
            name: Cow::Owned(name),
            meta: Meta::default(),
            bytes: Cow::Owned(bytes),
            decoded_from: None,
        };
        let window = Window { bytes: &blob.bytes, owned: 0..blob.bytes.len(), path: None };
        let mut searched = Vec::new();
        let more = self.engine.search(&window, &mut self.scratch, &mut searched);
        if more > 0 {
            coverage.error_at(&blob.at, &only_counted(more));
        }
        // What opens something else in turn is not followed.
        let mut clues = Clues::default();
        let parsed = explore(&blob, self.engine, &mut self.scratch, coverage, &mut clues);
        for found in searched {
            findings.add(found.clone(), false, place(blob.at.clone(), &found));
        }
        for Nested { found, parsed, at, .. } in parsed {
            let at = at.unwrap_or_else(|| blob.at.clone());
            let place = place(at, &found);
            findings.add(found, parsed, place);
        }
    }
}

fn place(at: Locator, found: &Match) -> Place {
    let state = match at.area {
        Area::Path(_) => State::Live,
        Area::Deleted { .. } => State::Deleted,
        Area::Slack(_) => State::Slack,
        Area::Unallocated => State::Free,
        Area::Journal => State::Journal,
        Area::Metadata => State::Metadata,
        Area::Whole => State::Gap,
    };
    Place::new(narrowed(at, found.span, found.decoded.clone()), state)
}
