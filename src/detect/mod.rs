//! Detection: matches of signatures in any bytes.

use crate::finding::Match;
use std::ops::Range;

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
pub struct Engine {}

/// What one worker needs to search; never shared.
#[derive(Default)]
pub struct Scratch {}

impl Engine {
    /// The engine with the built-in signatures.
    pub fn builtin() -> crate::error::Result<Engine> {
        Ok(Engine {})
    }

    /// Every match whose anchor the window owns, in no particular order, with spans in
    /// `window.bytes`. Returns how many more there were than [`crate::limits::MATCHES_PER_RULE`]
    /// allows.
    pub fn scan(
        &self,
        window: &Window<'_>,
        scratch: &mut Scratch,
        found: &mut dyn FnMut(Match),
    ) -> u64 {
        let _ = (window, scratch, found);
        0
    }
}
