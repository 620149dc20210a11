//! Nested views: what parsers read from a file, and from what they decode out of it.

use crate::artifact::{ARTIFACTS, Artifact};
use crate::blob::{Blob, Budget, Out};
use crate::coverage::Coverage;
use crate::detect::{Engine, Scratch, Window};
use crate::error::{Error, ErrorKind};
use crate::finding::{Grade, Match};
use crate::limits::NESTED_DEPTH;
use crate::locator::Locator;
use crate::run::Run;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Something a parser found, in the file itself or in a view decoded from it.
pub(super) struct Nested {
    pub(super) found: Match,
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
) -> Vec<Nested> {
    let mut budget = Budget::default();
    let mut found = Vec::new();
    let mut views: Vec<(Blob<'static>, Option<Run>)> = Vec::new();
    let mut matches = Vec::new();
    parse(file, &mut budget, coverage, &mut |out| match out {
        Out::Match(m) => matches.push(m),
        Out::Blob(view) => {
            let from = view.decoded_from;
            views.push((into_owned(view), from));
        }
    });
    overlap_weak(&mut matches);
    let outer = matches.drain(..).map(|m| Nested { found: m, at: None, decoded_from: None });
    found.extend(outer);
    while let Some((view, from)) = views.pop() {
        let window = Window { bytes: &view.bytes, owned: 0..view.bytes.len(), path: None };
        engine.scan(&window, scratch, &mut |m| matches.push(m));
        if view.at.members.len() >= NESTED_DEPTH {
            let error = Error::new(ErrorKind::Limit, "decoded views nest too deep");
            coverage.error_at(&view.at, &error);
        } else {
            parse(&view, &mut budget, coverage, &mut |out| match out {
                Out::Match(m) => matches.push(m),
                Out::Blob(inner) => views.push((into_owned(inner), from)),
            });
        }
        overlap_weak(&mut matches);
        found.extend(matches.drain(..).map(|m| Nested {
            found: m,
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
    let applies = |artifact: &&Artifact| (artifact.applies)(blob);
    for artifact in ARTIFACTS.iter().filter(applies) {
        let parsed = catch_unwind(AssertUnwindSafe(|| (artifact.run)(blob, budget, out)));
        match parsed {
            Ok(Ok(())) => {}
            // The raw view is swept all the same, so a file that breaks its own format is only
            // remarked; one that is too much to decode was not looked at whole.
            Ok(Err(error)) if error.kind() == ErrorKind::Limit => {
                coverage.error_at(&blob.at, &error);
            }
            Ok(Err(error)) => {
                let what = format!("{}: {}", artifact.name, error.message());
                coverage.remark(Some(blob.at.clone()), what);
            }
            Err(_) => {
                let error = Error::new(ErrorKind::Internal, "a parser failed on this file")
                    .detail(artifact.name);
                coverage.error_at(&blob.at, &error);
            }
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

/// Drop a match that only a key's name speaks for where a better one covers the same bytes.
pub(super) fn overlap_weak(matches: &mut Vec<Match>) {
    let strong: Vec<Run> =
        matches.iter().filter(|m| m.grade > Grade::Weak).map(|m| m.span).collect();
    matches.retain(|m| {
        m.grade > Grade::Weak || strong.iter().all(|run| run.intersect(m.span).is_empty())
    });
}
