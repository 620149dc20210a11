//! Detection: matches of signatures in any bytes.
//!
//! Anchors give candidates (`prefilter`), candidates are verified one by one (`verify`), and
//! what passes is judged by its own bytes ([`check`], [`structure`]). Every step is bounded, so
//! that no input makes a window cost more than a fixed number of bytes per signature.

pub mod check;
pub mod example;
mod prefilter;
pub mod signature;
pub mod structure;
mod verify;

use crate::error::Result;
use crate::finding::Match;
use crate::limits;
use prefilter::Prefilter;
use signature::Signature;
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
    prefilter: Prefilter,
}

/// What one worker needs to search; never shared.
#[derive(Default)]
pub struct Scratch {
    tallies: Vec<Tally>,
    steps: u64,
}

impl Scratch {
    /// Bytes that verification has looked at so far: the measure of work beyond the one pass over
    /// the bytes.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

/// What one signature did in one window.
#[derive(Clone, Debug, Default)]
struct Tally {
    found: usize,
    harmless: usize,
    shown_bytes: usize,
    last_secret: Option<Range<usize>>,
}

impl Engine {
    /// The signatures that amisweep comes with.
    pub fn builtin() -> Result<Engine> {
        Engine::assemble(BUILTIN)
    }

    /// The signatures of the files given as name and text. Every pattern is compiled at once, so
    /// that a mistake shows here and not in the middle of a sweep.
    pub fn load(files: &[(&str, &str)]) -> Result<Engine> {
        let engine = Engine::assemble(files)?;
        engine.signatures.iter().try_for_each(|signature| signature.regex().map(|_| ()))?;
        Ok(engine)
    }

    fn assemble(files: &[(&str, &str)]) -> Result<Engine> {
        let mut signatures = Vec::new();
        for (name, text) in files {
            signature::read(name, text, &mut signatures)?;
        }
        signatures.sort_by_key(|signature| signature.rule.id);
        signature::refuse_twins(&signatures)?;
        let prefilter = Prefilter::new(&signatures)?;
        Ok(Engine { signatures, prefilter })
    }

    /// The signatures, sorted by id.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Every match whose anchor the window owns, in no particular order, with spans in
    /// `window.bytes`. Returns how many more there were than [`crate::limits::MATCHES_PER_RULE`]
    /// allows: matches, or anchors nobody looked at after
    /// [`crate::limits::VERIFY_BYTES_PER_RULE`].
    pub fn scan(
        &self,
        window: &Window<'_>,
        scratch: &mut Scratch,
        found: &mut dyn FnMut(Match),
    ) -> u64 {
        scratch.tallies.clear();
        scratch.tallies.resize(self.signatures.len(), Tally::default());
        let mut more = 0;
        self.prefilter.candidates(window.bytes, window.owned.clone(), &mut |number, at| {
            let (Some(signature), Some(tally)) =
                (self.signatures.get(number), scratch.tallies.get_mut(number))
            else {
                return;
            };
            if tally.found >= limits::MATCHES_PER_RULE
                || tally.shown_bytes >= limits::VERIFY_BYTES_PER_RULE
            {
                more += 1;
                return;
            }
            let before = tally.shown_bytes;
            let verified = verify::verify(signature, window.bytes, at, &mut tally.shown_bytes);
            scratch.steps += u64::try_from(tally.shown_bytes - before).unwrap_or(0);
            let Some(place) = verified else { return };
            if tally.last_secret.as_ref() == Some(&place.secret) {
                return;
            }
            tally.last_secret = Some(place.secret.clone());
            if let Some(matched) = verify::judge(signature, window.bytes, &place) {
                // What is harmless must not use up the room of what is not.
                let (count, most) = match matched.harmless {
                    None => (&mut tally.found, limits::MATCHES_PER_RULE),
                    Some(_) => (&mut tally.harmless, limits::HARMLESS_PER_RULE),
                };
                if *count < most {
                    *count += 1;
                    found(matched);
                } else {
                    more += 1;
                }
            }
        });
        more
    }
}
