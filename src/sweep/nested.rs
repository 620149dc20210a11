//! Nested views: what parsers read from a file, and from what they decode out of it.

use super::clues::Clues;
use crate::artifact::{self, ARTIFACTS};
use crate::blob::{Blob, Budget, Out};
use crate::coverage::Coverage;
use crate::detect::encoding::PACKED;
use crate::detect::{Engine, Scratch, Window};
use crate::error::{Error, ErrorKind};
use crate::finding::{Grade, Match, Step};
use crate::locator::Locator;
use crate::run::{Run, RunSet};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Something a parser found, in the file itself or in a view decoded from it.
pub(super) struct Nested {
    pub(super) found: Match,
    /// Whether a parser found it, rather than a signature in a decoded view.
    pub(super) parsed: bool,
    /// The view it was found in; none for the file itself.
    pub(super) at: Option<Locator>,
    /// The bytes of the file the view was decoded from.
    pub(super) decoded_from: Option<Run>,
}

/// Whether any parser is for this file.
pub(super) fn known(blob: &Blob<'_>) -> bool {
    ARTIFACTS.iter().any(|artifact| (artifact.applies)(blob))
}

/// Run every parser that applies to `file`, and sweep and parse every view they decode.
pub(super) fn explore(
    file: &Blob<'_>,
    engine: &Engine,
    scratch: &mut Scratch,
    coverage: &mut Coverage,
    clues: &mut Clues,
) -> Vec<Nested> {
    let mut budget = Budget::default();
    let depth = budget.depth;
    let mut found = Vec::new();
    let mut views: Vec<(Blob<'static>, Option<Run>)> = Vec::new();
    let mut matches = Vec::new();
    parse(file, &mut budget, coverage, &mut |out| match out {
        Out::Match(m) => matches.push((m, true)),
        Out::Clue(clue) => clues.add(clue),
        Out::Blob(view) => {
            let from = view.decoded_from;
            views.push((into_owned(view), from));
        }
    });
    overlap_weak(&mut matches);
    found.extend(matches.drain(..).map(|(found, parsed)| Nested {
        found,
        parsed,
        at: None,
        decoded_from: None,
    }));
    while let Some((view, from)) = views.pop() {
        let window = Window { bytes: &view.bytes, owned: 0..view.bytes.len(), path: None };
        let mut searched = Vec::new();
        let more = engine.search(&window, scratch, &mut searched);
        matches.extend(searched.into_iter().map(|m| (m, false)));
        if more > 0 {
            coverage.error_at(&view.at, &only_counted(more));
        }
        // Views nest no deeper than the budget has it: a parser that would go on says so.
        budget.depth = depth.saturating_sub(view.at.members.len());
        parse(&view, &mut budget, coverage, &mut |out| match out {
            Out::Match(m) => matches.push((m, true)),
            Out::Clue(clue) => clues.add(clue),
            Out::Blob(inner) => views.push((into_owned(inner), from)),
        });
        overlap_weak(&mut matches);
        found.extend(matches.drain(..).map(|(found, parsed)| Nested {
            found,
            parsed,
            at: Some(view.at.clone()),
            decoded_from: from,
        }));
    }
    found
}

fn parse(
    blob: &Blob<'_>,
    budget: &mut Budget,
    coverage: &mut Coverage,
    out: &mut dyn FnMut(Out<'_>),
) {
    for error in artifact::read(blob, budget, out) {
        // The raw view is swept all the same, so a file that breaks its own format is only
        // remarked; one that was not looked at whole makes the result incomplete.
        if matches!(error.kind(), ErrorKind::Limit | ErrorKind::Internal) {
            coverage.error_at(&blob.at, &error);
        } else {
            coverage.remark(Some(blob.at.clone()), error.message());
        }
    }
}

fn into_owned(blob: Blob<'_>) -> Blob<'static> {
    Blob {
        at: blob.at,
        name: Cow::Owned(blob.name.into_owned()),
        meta: blob.meta,
        bytes: Cow::Owned(blob.bytes.into_owned()),
        decoded_from: blob.decoded_from,
    }
}

/// The error of bytes so full of matches that some were not looked at.
pub(super) fn only_counted(more: u64) -> Error {
    Error::new(ErrorKind::Limit, "too many matches in one place; some were only counted")
        .detail(more)
}

/// Drop a match that only a key's name speaks for where a better one covers the same bytes.
pub(super) fn overlap_weak(matches: &mut Vec<(Match, bool)>) {
    let mut strong: BTreeMap<Option<Vec<Step>>, Vec<Run>> = BTreeMap::new();
    for (found, _) in matches.iter().filter(|(m, _)| m.grade > Grade::Weak) {
        let (view, span) = coordinates(found);
        strong.entry(view).or_default().push(span);
    }
    let strong: BTreeMap<_, _> =
        strong.into_iter().map(|(view, runs)| (view, RunSet::from_runs(runs))).collect();
    matches.retain(|(found, _)| {
        let (view, span) = coordinates(found);
        let better = strong.get(&view).is_some_and(|runs| runs.within(span).next().is_some());
        found.grade > Grade::Weak || !better
    });
}

/// Where the bytes of two matches can be told apart: all that came out of one packed text was
/// decoded from the same bytes.
fn coordinates(found: &Match) -> (Option<Vec<Step>>, Run) {
    match &found.decoded {
        Some(decoded) if decoded.chain.iter().any(|step| PACKED.contains(&step.format)) => {
            (Some(decoded.chain.clone()), decoded.span)
        }
        _ => (None, found.span),
    }
}
