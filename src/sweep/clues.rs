//! Clues, kept until everything has been swept, and what comes of them.

use super::join::Findings;
use crate::artifact;
use crate::blob::{Change, Clue, FOUND, TABLE};
use crate::content;
use crate::coverage::Coverage;
use crate::error::{Error, ErrorKind};
use crate::finding::{Match, Place, State};
use crate::inventory::{Inventory, Kind};
use crate::limits;
use crate::locator::{Area, Locator};
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

/// Put all clues together, and add to the findings what comes of it.
pub(super) fn join(clues: &[Clue], findings: &mut Findings<'_>, inventory: &mut Inventory) {
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
                findings.add(found, true, place);
            }
        });
    }
    findings.tell(&told);
}

/// The clue that something was found at a place.
fn found(at: Locator) -> Clue {
    Clue { kind: FOUND, at, key: Box::default(), value: Box::default() }
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
    Place::new(at.with_span(found.span), state)
}
