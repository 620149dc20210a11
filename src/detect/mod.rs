//! Detection: matches of signatures in any bytes.
//!
//! Anchors give candidates (`sieve`), candidates are verified one by one (`verify`), and
//! what passes is judged by its own bytes ([`check`], [`structure`]), then by what stands around it
//! (`pair`, `place`). Every step is bounded, so
//! that no input makes a window cost more than a fixed number of bytes per signature.

pub mod check;
pub mod class;
pub mod encoding;
mod examiner;
pub mod example;
mod filter;
pub mod import;
pub mod lint;
mod pair;
mod place;
mod program;
mod shape;
mod sieve;
pub mod signature;
pub mod structure;
pub mod trial;
mod verify;
#[cfg(feature = "yara")]
pub mod yara;

use crate::error::{Error, ErrorKind, Result};
use crate::finding::Match;
use crate::limits;
use class::ByteSet;
use encoding::Encodings;
pub use examiner::Examiner;
pub use sieve::Kernel;
use sieve::pattern::Surrounded;
use sieve::{Pattern, Sieve};
use signature::{Anchor, Signature};
use std::collections::BTreeSet;
use std::ops::Range;

/// The signature files of the source tree: name and text.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/signatures.rs"));

/// Bytes to be searched.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    /// The bytes, with what stands before and after the owned ones.
    pub bytes: &'a [u8],
    /// The positions this window owns: a match is reported by the window that owns its anchor.
    pub owned: Range<usize>,
    /// The file's path, where there is one.
    pub path: Option<&'a [u8]>,
}

/// The loaded signatures, ready to search; shared by all workers.
pub struct Engine {
    signatures: Vec<Signature>,
    /// What the owner of a pattern wants.
    owners: Vec<Owner>,
    kernel: Kernel,
    sieve: Sieve,
    encodings: Encodings,
    /// The rules that take part in pairs.
    paired: BTreeSet<&'static str>,
    examiner: Option<Box<dyn Examiner>>,
}

/// Who waits for a pattern.
#[derive(Clone, Copy, Debug)]
struct Owner {
    signature: usize,
}

/// What one worker needs to search; never shared.
#[derive(Default)]
pub struct Scratch {
    tallies: Vec<Tally>,
    steps: u64,
    room: sieve::Room,
    desk: encoding::Desk,
}

impl Scratch {
    /// Steps that verification has taken so far: the measure of work beyond the one pass over the
    /// bytes. A step is a byte looked at, or as much work.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

/// Bytes that are searched as they stand: a window's, or a view's decoded from it.
struct Pass<'a> {
    bytes: &'a [u8],
    /// Where anchors are looked for.
    owned: Range<usize>,
    /// Which of these anchors count.
    owns: &'a dyn Fn(usize) -> bool,
    path: Option<&'a [u8]>,
}

/// What one signature did in one window.
#[derive(Clone, Debug, Default)]
struct Tally {
    found: usize,
    harmless: usize,
    effort: verify::Effort,
    last_secret: Option<Range<usize>>,
}

impl Engine {
    /// The signatures that amisweep comes with.
    pub fn builtin() -> Result<Engine> {
        Engine::with_kernel(Kernel::best())
    }

    /// The same, with a kernel of choice: for tests and measurements.
    pub fn with_kernel(kernel: Kernel) -> Result<Engine> {
        Engine::assemble(BUILTIN, kernel)
    }

    /// The signatures of the files given as name and text. Every pattern is compiled at once, so
    /// that a mistake shows here and not in the middle of a sweep.
    pub fn load(files: &[(&str, &str)]) -> Result<Engine> {
        let engine = Engine::assemble(files, Kernel::best())?;
        engine.signatures.iter().try_for_each(|signature| signature.regex().map(|_| ()))?;
        Ok(engine)
    }

    /// The signatures of user files, besides those amisweep comes with when `builtin` says so.
    pub fn with(builtin: bool, more: Vec<Signature>) -> Result<Engine> {
        let mut signatures = if builtin { Engine::builtin_signatures()? } else { Vec::new() };
        signatures.extend(more);
        let anchors = signatures.iter().flat_map(|signature| &signature.anchors);
        if anchors.map(|anchor| anchor.text.len()).sum::<usize>() > limits::ANCHOR_BYTES {
            return Err(Error::new(ErrorKind::Usage, "too many rules at once: scan in two runs"));
        }
        Engine::of(signatures, Kernel::best())
    }

    /// The signatures that amisweep comes with, in the order of their files.
    pub fn builtin_signatures() -> Result<Vec<Signature>> {
        read_all(BUILTIN)
    }

    fn assemble(files: &[(&str, &str)], kernel: Kernel) -> Result<Engine> {
        Engine::of(read_all(files)?, kernel)
    }

    fn of(mut signatures: Vec<Signature>, kernel: Kernel) -> Result<Engine> {
        signatures.sort_by_key(|signature| signature.rule.id);
        signature::refuse_twins(&signatures)?;
        let by_literal = kernel == Kernel::Oracle;
        if by_literal {
            signatures.iter_mut().for_each(Signature::without_program);
        }
        let (patterns, owners) = patterns(&signatures, by_literal)?;
        let sieve = Sieve::new(&patterns, kernel)?;
        let paired = pair::partners(&signatures);
        let encodings = Encodings::All;
        Ok(Engine { signatures, owners, kernel, sieve, encodings, paired, examiner: None })
    }

    /// The same engine, which also has whole files examined.
    #[must_use]
    pub fn with_examiner(mut self, examiner: Box<dyn Examiner>) -> Engine {
        self.examiner = Some(examiner);
        self
    }

    /// Who examines whole files, if somebody does.
    pub fn examiner(&self) -> Option<&dyn Examiner> {
        self.examiner.as_deref()
    }

    /// The same engine, looking into these encodings; all of them unless told.
    #[must_use]
    pub fn with_encodings(mut self, encodings: Encodings) -> Engine {
        self.encodings = encodings;
        self
    }

    /// The signatures, sorted by id.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// How often each signature had to be verified in a window: what its anchors cost. The counts
    /// are added to those in `counts`, one for each signature.
    pub fn census(&self, window: &Window<'_>, scratch: &mut Scratch, counts: &mut Vec<u64>) {
        counts.resize(self.signatures.len(), 0);
        self.sieve.search(
            window.bytes,
            window.owned.clone(),
            &mut scratch.room,
            &mut |owner, _| {
                let owner = self.owners.get(owner as usize);
                if let Some(count) = owner.and_then(|owner| counts.get_mut(owner.signature)) {
                    *count += 1;
                }
                true
            },
        );
    }

    /// Every match whose anchor the window owns, judged by what stands around it too: halves that
    /// belong together know of each other, and what only a name speaks for is graded by its place.
    /// Returns what [`Engine::scan`] returns.
    pub fn search(
        &self,
        window: &Window<'_>,
        scratch: &mut Scratch,
        matches: &mut Vec<Match>,
    ) -> u64 {
        let more = self.scan(window, scratch, &mut |found| matches.push(found));
        let owned = matches.len();
        if matches.iter().any(|found| self.paired.contains(found.rule.id)) {
            self.halves_beyond(window, scratch, matches);
        }
        let beyond = owned..matches.len();
        pair::relate(&self.signatures, window.bytes, matches, &beyond);
        matches.drain(beyond);
        // What stands around a decoded secret is not what stands around its encoded form.
        matches.retain_mut(|found| {
            found.decoded.is_some() || place::judge(window.bytes, window.path, found)
        });
        more
    }

    /// Add the halves of pairs that the windows before and behind own.
    fn halves_beyond(&self, window: &Window<'_>, scratch: &mut Scratch, matches: &mut Vec<Match>) {
        let Range { start, end } = window.owned;
        let near = |edge: usize, found: &Match| {
            let span = pair::span(found);
            span.start.abs_diff(edge) <= pair::REACH_BYTES
        };
        let takes_part = |found: &Match| self.paired.contains(found.rule.id);
        let strips = [
            (start, start.saturating_sub(pair::REACH_BYTES)..start),
            (end, end..end.saturating_add(pair::REACH_BYTES).min(window.bytes.len())),
        ];
        let mut beyond = Vec::new();
        for (edge, owned) in strips {
            let wanted = matches.iter().any(|found| near(edge, found) && takes_part(found));
            if wanted && !owned.is_empty() {
                let strip = Window { owned, ..window.clone() };
                self.scan(&strip, scratch, &mut |found| beyond.push(found));
            }
        }
        matches.extend(beyond.into_iter().filter(takes_part));
    }

    /// Every match whose anchor the window owns, in no particular order, with spans in
    /// `window.bytes`. Returns how many more there were than [`crate::limits::MATCHES_PER_RULE`]
    /// allows: matches, or anchors nobody looked at after
    /// [`crate::limits::VERIFY_STEPS_PER_RULE`].
    pub fn scan(
        &self,
        window: &Window<'_>,
        scratch: &mut Scratch,
        found: &mut dyn FnMut(Match),
    ) -> u64 {
        scratch.tallies.clear();
        scratch.tallies.resize(self.signatures.len(), Tally::default());
        let pass = Pass {
            bytes: window.bytes,
            owned: window.owned.clone(),
            owns: &|_| true,
            path: window.path,
        };
        if self.encodings == Encodings::Plain {
            return self.sift(&pass, scratch, &mut |matched| {
                found(matched);
                true
            });
        }
        let mut desk = std::mem::take(&mut scratch.desk);
        desk.begin(window.bytes.len());
        let more = self.sift(&pass, scratch, &mut |matched| {
            desk.note(&matched);
            found(matched);
            true
        });
        let hidden = encoding::search(self, window, &mut desk, (scratch, found));
        scratch.desk = desk;
        more.saturating_add(hidden)
    }

    /// The signature a match is of.
    fn signature_of(&self, found: &Match) -> Option<&Signature> {
        let at = self.signatures.binary_search_by(|known| known.rule.id.cmp(found.rule.id));
        self.signatures.get(at.ok()?)
    }

    /// Whether the signature of a match wants to be looked for in what it was decoded from.
    fn looks_into(&self, found: &Match) -> bool {
        let steps = found.decoded.iter().flat_map(|decoded| &decoded.chain);
        let mut encodings = steps.filter_map(|step| signature::Encoding::of_format(step.format));
        let signature = self.signature_of(found);
        signature.is_none_or(|signature| encodings.all(|e| signature.encodings.has(e)))
    }

    /// Whether another window reports the secret of a decoded match as it stands: its bytes are
    /// those of the window, and its anchor is not one this window owns.
    fn shows_as_it_stands(&self, window: &Window<'_>, found: &Match) -> bool {
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let secret = index(found.span.start)..index(found.span.end());
        if window.bytes.get(secret.clone()) != Some(found.subject.bytes()) {
            return false;
        }
        let Some(signature) = self.signature_of(found) else { return false };
        let mut effort = verify::Effort::default();
        let from = secret.end.saturating_sub(signature.max_len);
        (from..secret.end)
            .filter(|at| !window.owned.contains(at))
            .filter(|at| signature.anchors.iter().any(|anchor| anchor.stands_at(window.bytes, *at)))
            .any(|at| {
                let place = verify::verify(signature, window.bytes, at, &mut effort);
                place.is_some_and(|place| place.secret == secret)
            })
    }

    /// Every match in the bytes of one pass that `keep` wants, with spans in these bytes.
    fn sift(
        &self,
        pass: &Pass<'_>,
        scratch: &mut Scratch,
        keep: &mut dyn FnMut(Match) -> bool,
    ) -> u64 {
        let Scratch { tallies, steps, room, .. } = scratch;
        // Places in other bytes mean nothing here.
        for tally in tallies.iter_mut() {
            tally.last_secret = None;
            tally.effort.forget();
        }
        let mut more = 0;
        let unheard = self.sieve.search(pass.bytes, pass.owned.clone(), room, &mut |owner, at| {
            let Some(owner) = self.owners.get(owner as usize) else { return false };
            let (Some(signature), Some(tally)) =
                (self.signatures.get(owner.signature), tallies.get_mut(owner.signature))
            else {
                return false;
            };
            if !(pass.owns)(at) {
                return true;
            }
            if tally.found >= limits::MATCHES_PER_RULE || tally.effort.is_spent() {
                more += 1;
                return false;
            }
            let before = tally.effort.steps;
            more += tally.look(signature, pass, at, keep);
            *steps += u64::try_from(tally.effort.steps - before).unwrap_or(0);
            true
        });
        more + unheard
    }
}

impl Tally {
    /// Verify and judge one candidate. Returns how many matches there is no room for.
    fn look(
        &mut self,
        signature: &Signature,
        pass: &Pass<'_>,
        at: usize,
        keep: &mut dyn FnMut(Match) -> bool,
    ) -> u64 {
        let bytes = pass.bytes;
        let Some(place) = verify::verify(signature, bytes, at, &mut self.effort) else { return 0 };
        if self.last_secret.as_ref() == Some(&place.secret) {
            return 0;
        }
        self.last_secret = Some(place.secret.clone());
        if !signature.paths.allow(pass.path) {
            return 0;
        }
        let judged = verify::judge(signature, bytes, &place, &mut self.effort);
        let Some(mut matched) = judged else { return 0 };
        matched.grade = signature.paths.grade(matched.grade, pass.path);
        // What is harmless must not use up the room of what is not.
        let (count, most) = match matched.harmless {
            None => (&mut self.found, limits::MATCHES_PER_RULE),
            Some(_) => (&mut self.harmless, limits::HARMLESS_PER_RULE),
        };
        if *count >= most {
            return 1;
        }
        *count += usize::from(keep(matched));
        0
    }
}

fn read_all(files: &[(&str, &str)]) -> Result<Vec<Signature>> {
    let mut signatures = Vec::new();
    for (name, text) in files {
        signature::read(name, text, &mut signatures)?;
    }
    Ok(signatures)
}

/// The patterns of all anchors, and who waits for them.
fn patterns(signatures: &[Signature], by_literal: bool) -> Result<(Vec<Pattern>, Vec<Owner>)> {
    let mut patterns = Vec::new();
    let mut owners = Vec::new();
    for (number, signature) in signatures.iter().enumerate() {
        let owner = u32::try_from(owners.len()).unwrap_or(u32::MAX);
        owners.push(Owner { signature: number });
        let literals: Vec<Vec<ByteSet>> = signature.anchors.iter().map(Anchor::classes).collect();
        let surrounded = if by_literal {
            literals.into_iter().map(|classes| Surrounded { classes, before: 0 }).collect()
        } else {
            sieve::pattern::surrounded(&signature.parse()?, &literals, signature.back == 0)
        };
        let edge = signature.starts_at_edge() && !by_literal;
        patterns.extend(surrounded.into_iter().map(|Surrounded { classes, before }| Pattern {
            classes,
            before,
            edge,
            owner,
        }));
    }
    Ok((patterns, owners))
}
