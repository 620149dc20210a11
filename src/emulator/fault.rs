//! A fault: what goes wrong, for which requests, how often; with the one-line form the command
//! line takes.
//!
//! ```text
//! throttle:op=get,block=3-9+12,times=2,retry-after=50
//! truncate=1000:snap=snap-0a1b,every=7
//! ```
//!
//! `KIND[=NUMBER][:KEY=VALUE,…]`. Keys narrow a fault down: `op` (`list`, `get`, `changed`,
//! `images`, `snapshots`), `snap`, `block` (indexes and ranges, joined with `+`), `skip` (spare the
//! first N that match), `every` (then every Nth), `times` (in all), `each` (per block).
//! `retry-after` adds the header with that many milliseconds. Without keys a fault hits every
//! request its kind makes sense for, always. Of several faults the first that fires wins.

use super::log::Operation;
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
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

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "op" => self.operation = Some(operation(value)?),
            "snap" => self.snapshot = Some(value.to_owned()),
            "block" => {
                self.blocks = value.split('+').map(range).collect::<Result<_>>()?;
            }
            "skip" => self.skip = number(value)?,
            "every" => self.every = positive(value)?,
            "times" if value == "always" => self.times = None,
            "times" if value == "once" => self.times = Some(1),
            "times" => self.times = Some(positive(value)?),
            "each" => self.each = Some(positive(value)?),
            "retry-after" => self.retry_after_ms = Some(number(value)?),
            _ => {
                return Err(refuse("unknown key of a fault").detail(format_args!(
                    "{key}; there are op, snap, block, skip, every, times, each, retry-after"
                )));
            }
        }
        Ok(())
    }

    fn check(self) -> Result<Fault> {
        match self.operation {
            Some(operation) if !self.kind.suits(operation) => Err(refuse(
                "this fault cannot happen to that operation",
            )
            .detail(format_args!("{} and {}", self.kind.name(), operation.short()))),
            _ => Ok(self),
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

fn refuse(what: &'static str) -> Error {
    Error::new(ErrorKind::Usage, what)
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(|_| refuse("not a number in a fault").detail(text))
}

fn positive(text: &str) -> Result<u64> {
    match number(text)? {
        0 => Err(refuse("a number in a fault must not be zero")),
        n => Ok(n),
    }
}

fn range(text: &str) -> Result<(u64, u64)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(refuse("a range of blocks in a fault runs backwards").detail(text));
    }
    Ok((first, last))
}

fn operation(text: &str) -> Result<Operation> {
    Operation::ALL.iter().copied().find(|o| o.short() == text).ok_or_else(|| {
        let names: Vec<_> = Operation::ALL.iter().map(|o| o.short()).collect();
        refuse("unknown operation in a fault")
            .detail(format_args!("{text}; there are {}", names.join(", ")))
    })
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Fault> {
        let (head, keys) = text.split_once(':').unwrap_or((text, ""));
        let (name, value) = match head.split_once('=') {
            Some((name, value)) => (name, Some(number(value)?)),
            None => (head, None),
        };
        let Some(&(_, kind)) = NAMES.iter().find(|(known, _)| *known == name) else {
            let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            return Err(refuse("unknown fault")
                .detail(format_args!("{name}; there are {}", names.join(", "))));
        };
        let kind = match value {
            Some(n) => kind
                .with_number(n)
                .ok_or_else(|| refuse("this fault takes no number").detail(name))?,
            None => kind,
        };
        if kind == Kind::Slow(0) {
            return Err(refuse("a slow body needs a speed above zero"));
        }
        let mut fault = Fault::new(kind);
        for pair in keys.split(',').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| refuse("a key of a fault has no value").detail(pair))?;
            fault.set(key, value)?;
        }
        fault.check()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(n) = self.kind.number() {
            write!(f, "={n}")?;
        }
        let mut keys = Vec::new();
        keys.extend(self.operation.map(|operation| format!("op={}", operation.short())));
        keys.extend(self.snapshot.as_ref().map(|id| format!("snap={id}")));
        if !self.blocks.is_empty() {
            let one = |&(a, b): &(u64, u64)| {
                if a == b { a.to_string() } else { format!("{a}-{b}") }
            };
            let ranges: Vec<_> = self.blocks.iter().map(one).collect();
            keys.push(format!("block={}", ranges.join("+")));
        }
        keys.extend((self.skip != 0).then(|| format!("skip={}", self.skip)));
        keys.extend((self.every != 1).then(|| format!("every={}", self.every)));
        keys.extend(self.times.map(|n| format!("times={n}")));
        keys.extend(self.each.map(|n| format!("each={n}")));
        keys.extend(self.retry_after_ms.map(|n| format!("retry-after={n}")));
        if keys.is_empty() { Ok(()) } else { write!(f, ":{}", keys.join(",")) }
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
    fn the_text_form_goes_both_ways() {
        for text in [
            "throttle",
            "throttle:op=get,block=3-9+12,times=2,retry-after=50",
            "truncate=1000:snap=snap-0a1b,every=7",
            "stall:op=images,skip=3,times=1",
            "empty-page:op=changed,each=1",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for (name, kind) in NAMES {
            let fault = Fault::new(*kind);
            assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault, "{name}");
        }
        assert_eq!("slow:times=once".parse::<Fault>().unwrap().to_string(), "slow=100000:times=1");
        assert_eq!("reset:times=always".parse::<Fault>().unwrap(), Fault::new(Kind::Reset));
    }

    #[test]
    fn a_text_that_is_no_fault_is_refused_with_its_word() {
        for (text, word) in [
            ("", "unknown fault"),
            ("trottle", "trottle; there are throttle"),
            ("reset=3", "takes no number (reset)"),
            ("truncate=x", "not a number in a fault (x)"),
            ("reset:op=put", "put; there are list"),
            ("corrupt:op=list", "corrupt and list"),
            ("reset:block=9-3", "9-3"),
            ("reset:every=0", "zero"),
            ("reset:times", "no value (times)"),
            ("reset:when=now", "when; there are op"),
            ("slow=0", "above zero"),
        ] {
            let message = text.parse::<Fault>().unwrap_err().to_string();
            assert!(message.contains(word), "{text}: {message}");
        }
    }

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
