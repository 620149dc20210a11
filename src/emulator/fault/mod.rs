//! A fault: what goes wrong, for which requests, how often.
//!
//! Without narrowing a fault hits every request its kind makes sense for, always. Of several
//! faults the first that fires wins.

mod text;

use super::log::Operation;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 400 `RequestThrottledException`, the per-snapshot limit.
    Throttle,
    /// 400 `ThrottlingException`, the per-account limit, which the API model does not know.
    ThrottleAccount,
    /// 503 `ThrottlingException`.
    Throttle503,
    /// 500 with a well-formed `InternalServerException`.
    Error500,
    /// 503 without a body.
    Empty503,
    /// 500 with a page of HTML.
    Html500,
    /// 402 `ServiceQuotaExceededException`.
    Quota,
    /// 403 `UNAUTHORIZED_ACCOUNT`.
    Denied,
    /// 403 `DEPENDENCY_ACCESS_DENIED`: the KMS key.
    DeniedKms,
    /// 403 without a reason: an IAM policy says no.
    DeniedPolicy,
    /// 403 `InvalidSignatureException`.
    BadSignature,
    /// 403 `ExpiredTokenException`: the caller's credentials are too old.
    ExpiredCredentials,
    /// 404 `SNAPSHOT_NOT_FOUND`.
    NotFound,
    /// 400 `UNRELATED_SNAPSHOTS`.
    Unrelated,
    /// 400: this request's token is too old.
    ExpiredToken,
    /// 400: this request's token is no token.
    BadToken,
    /// Every token given out so far expires now; then the request is served.
    ExpireAll,
    /// The connection is reset instead of an answer.
    Reset,
    /// No answer ever comes.
    Stall,
    /// The answer comes so many milliseconds later.
    Delay(u64),
    /// `NextToken` is the one that was sent.
    RepeatToken,
    /// A page without entries, with a `NextToken`.
    EmptyPage,
    /// The connection ends after so many bytes of the block.
    Truncate(u64),
    /// One byte of the block is wrong.
    Corrupt,
    /// The block has other content than before, and the checksum to it.
    Changed,
    /// The bytes of the next block, with the checksum of this one.
    WrongBlock,
    /// The checksum is of something else.
    WrongChecksum,
    /// No checksum is sent.
    NoChecksum,
    /// The checksum is of an algorithm nobody knows.
    UnknownAlgorithm,
    /// `x-amz-Data-Length` is wrong.
    WrongLength,
    /// The body is empty.
    EmptyBody,
    /// Nothing comes after so many bytes of the block.
    StallBody(u64),
    /// The block comes at so many bytes a second.
    Slow(u64),
}

const HALF: u64 = crate::limits::BLOCK_BYTES / 2;

const NAMES: &[(&str, Kind)] = &[
    ("throttle", Kind::Throttle),
    ("throttle-account", Kind::ThrottleAccount),
    ("throttle-503", Kind::Throttle503),
    ("error-500", Kind::Error500),
    ("empty-503", Kind::Empty503),
    ("html-500", Kind::Html500),
    ("quota", Kind::Quota),
    ("denied", Kind::Denied),
    ("denied-kms", Kind::DeniedKms),
    ("denied-policy", Kind::DeniedPolicy),
    ("bad-signature", Kind::BadSignature),
    ("expired-credentials", Kind::ExpiredCredentials),
    ("not-found", Kind::NotFound),
    ("unrelated", Kind::Unrelated),
    ("expired-token", Kind::ExpiredToken),
    ("bad-token", Kind::BadToken),
    ("expire-all", Kind::ExpireAll),
    ("reset", Kind::Reset),
    ("stall", Kind::Stall),
    ("delay", Kind::Delay(100)),
    ("repeat-token", Kind::RepeatToken),
    ("empty-page", Kind::EmptyPage),
    ("truncate", Kind::Truncate(HALF)),
    ("corrupt", Kind::Corrupt),
    ("changed", Kind::Changed),
    ("wrong-block", Kind::WrongBlock),
    ("wrong-checksum", Kind::WrongChecksum),
    ("no-checksum", Kind::NoChecksum),
    ("unknown-algorithm", Kind::UnknownAlgorithm),
    ("wrong-length", Kind::WrongLength),
    ("empty-body", Kind::EmptyBody),
    ("stall-body", Kind::StallBody(HALF)),
    ("slow", Kind::Slow(100_000)),
];

/// When a fault takes hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the request is looked at.
    Request,
    /// While a page of a listing is made.
    Page,
    /// On a block that was found.
    Body,
}

impl Kind {
    /// The kind as its name in the text form says it, with the usual number where it has one.
    pub const ALL: &'static [(&'static str, Kind)] = NAMES;

    fn name(self) -> &'static str {
        let same = |other: &Kind| std::mem::discriminant(other) == std::mem::discriminant(&self);
        NAMES.iter().find(|(_, kind)| same(kind)).map_or("fault", |(name, _)| name)
    }

    fn number(self) -> Option<u64> {
        match self {
            Kind::Delay(n) | Kind::Truncate(n) | Kind::StallBody(n) | Kind::Slow(n) => Some(n),
            _ => None,
        }
    }

    fn with_number(self, n: u64) -> Option<Kind> {
        match self {
            Kind::Delay(_) => Some(Kind::Delay(n)),
            Kind::Truncate(_) => Some(Kind::Truncate(n)),
            Kind::StallBody(_) => Some(Kind::StallBody(n)),
            Kind::Slow(_) => Some(Kind::Slow(n)),
            _ => None,
        }
    }

    pub(super) fn phase(self) -> Phase {
        match self {
            Kind::RepeatToken | Kind::EmptyPage => Phase::Page,
            Kind::Truncate(_)
            | Kind::Corrupt
            | Kind::Changed
            | Kind::WrongBlock
            | Kind::WrongChecksum
            | Kind::NoChecksum
            | Kind::UnknownAlgorithm
            | Kind::WrongLength
            | Kind::EmptyBody
            | Kind::StallBody(_)
            | Kind::Slow(_) => Phase::Body,
            _ => Phase::Request,
        }
    }

    /// Whether a block that was served with this fault is still whole and right.
    pub(super) fn serves_whole(self) -> bool {
        self.phase() != Phase::Body || matches!(self, Kind::Slow(_))
    }

    /// Whether the kind makes sense for an operation at all.
    fn suits(self, operation: Operation) -> bool {
        let ebs = operation.is_ebs();
        match self {
            Kind::Unrelated => operation == Operation::ListChangedBlocks,
            Kind::ThrottleAccount | Kind::Quota | Kind::DeniedKms | Kind::ExpireAll => ebs,
            Kind::ExpiredToken | Kind::BadToken => ebs,
            _ => match self.phase() {
                Phase::Request => true,
                Phase::Page => ebs && operation != Operation::GetSnapshotBlock,
                Phase::Body => operation == Operation::GetSnapshotBlock,
            },
        }
    }
}

/// What goes wrong, for which requests, how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// For this operation alone.
    pub operation: Option<Operation>,
    /// For this snapshot alone.
    pub snapshot: Option<String>,
    /// For the blocks of these ranges alone, first and last.
    pub blocks: Vec<(u64, u64)>,
    /// Spare so many requests that match, first.
    pub skip: u64,
    /// Then hit every nth.
    pub every: u64,
    /// At most so often in all.
    pub times: Option<u64>,
    /// At most so often for each block, or each snapshot where no block is meant.
    pub each: Option<u64>,
    /// Milliseconds for the header `x-amz-retry-after`.
    pub retry_after_ms: Option<u64>,
}

impl Fault {
    /// A fault that hits every request its kind makes sense for, always.
    pub fn new(kind: Kind) -> Fault {
        Fault {
            kind,
            operation: None,
            snapshot: None,
            blocks: Vec::new(),
            skip: 0,
            every: 1,
            times: None,
            each: None,
            retry_after_ms: None,
        }
    }

    fn matches(&self, target: &Target<'_>) -> bool {
        let in_blocks = |index: u64| self.blocks.iter().any(|&(a, b)| a <= index && index <= b);
        let needs_page = match self.kind {
            Kind::RepeatToken => true,
            Kind::ExpiredToken | Kind::BadToken => target.operation != Operation::GetSnapshotBlock,
            _ => false,
        };
        self.kind.suits(target.operation)
            && self.operation.is_none_or(|operation| operation == target.operation)
            && self.snapshot.as_deref().is_none_or(|id| Some(id) == target.snapshot)
            && (self.blocks.is_empty() || target.block.is_some_and(in_blocks))
            && (target.paged || !needs_page)
    }
}

/// The request a fault may hit.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) operation: Operation,
    pub(super) snapshot: Option<&'a str>,
    pub(super) block: Option<u64>,
    /// Whether it carries a page token.
    pub(super) paged: bool,
}

/// The faults of one emulator and how often each has fired.
#[derive(Default)]
pub(super) struct Faults {
    armed: Mutex<Vec<Armed>>,
}

struct Armed {
    fault: Fault,
    seen: u64,
    fired: u64,
    fired_at: HashMap<(String, Option<u64>), u64>,
}

impl Faults {
    pub(super) fn add(&self, fault: Fault) {
        let armed = Armed { fault, seen: 0, fired: 0, fired_at: HashMap::new() };
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).push(armed);
    }

    pub(super) fn clear(&self) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The fault that hits this request in this phase, which counts as fired.
    pub(super) fn pick(&self, phase: Phase, target: &Target<'_>) -> Option<Fault> {
        let mut all = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter_mut()
            .filter(|armed| armed.fault.kind.phase() == phase && armed.fault.matches(target))
            .find_map(|armed| armed.fire(target).then(|| armed.fault.clone()))
    }
}

impl Armed {
    fn fire(&mut self, target: &Target<'_>) -> bool {
        if self.fault.times.is_some_and(|times| self.fired >= times) {
            return false;
        }
        let place = self
            .fault
            .each
            .map(|each| ((target.snapshot.unwrap_or_default().to_owned(), target.block), each));
        if let Some((place, each)) = &place
            && self.fired_at.get(place).is_some_and(|fired| fired >= each)
        {
            return false;
        }
        self.seen += 1;
        let due = self.seen > self.fault.skip
            && (self.seen - self.fault.skip).is_multiple_of(self.fault.every.max(1));
        if due {
            self.fired += 1;
            if let Some((place, _)) = place {
                *self.fired_at.entry(place).or_default() += 1;
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_decide_which_requests_are_hit() {
        let hits = |text: &str, blocks: &[u64]| {
            let faults = Faults::default();
            faults.add(text.parse().unwrap());
            let hit = |block: &u64| {
                let target = Target {
                    operation: Operation::GetSnapshotBlock,
                    snapshot: Some("snap-1"),
                    block: Some(*block),
                    paged: false,
                };
                faults.pick(Phase::Request, &target).is_some()
            };
            blocks.iter().map(|block| if hit(block) { 'x' } else { '.' }).collect::<String>()
        };
        assert_eq!(hits("reset", &[1, 2]), "xx");
        assert_eq!(hits("reset:block=2-3", &[1, 2, 3, 4]), ".xx.");
        assert_eq!(hits("reset:times=2", &[1, 1, 1]), "xx.");
        assert_eq!(hits("reset:each=1", &[1, 2, 1, 2, 3]), "xx..x");
        assert_eq!(hits("reset:skip=1,every=2", &[1, 1, 1, 1, 1]), "..x.x");
        assert_eq!(hits("reset:snap=snap-2", &[1]), ".");
        assert_eq!(hits("reset:op=list", &[1]), ".");
        assert_eq!(hits("repeat-token", &[1]), ".");
    }
}
