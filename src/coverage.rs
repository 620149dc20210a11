//! Coverage: what was swept and what was not. Its sums must equal the written bytes of the image.

use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::locator::Locator;

/// The label under which swept bytes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What the `open()` of a live file returns.
    File,
    /// Free space, the bytes of deleted files among it.
    Free,
    /// Bytes a live file owns and does not show.
    Slack,
    /// A filesystem's journal.
    Journal,
    /// A filesystem's own structures.
    Metadata,
    /// Swap space.
    Swap,
    /// Between partitions, or a partition of no known format.
    Gap,
    /// A known format that is not read yet; its bytes were swept raw.
    Unparsed,
    /// Encrypted; its bytes were swept raw, which says little.
    Opaque,
    /// Bytes that could not be had at all.
    Unreadable,
}

impl Kind {
    /// Every kind, in report order.
    pub const ALL: [Kind; 10] = [
        Kind::File,
        Kind::Free,
        Kind::Slack,
        Kind::Journal,
        Kind::Metadata,
        Kind::Swap,
        Kind::Gap,
        Kind::Unparsed,
        Kind::Opaque,
        Kind::Unreadable,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Free => "free",
            Kind::Slack => "slack",
            Kind::Journal => "journal",
            Kind::Metadata => "metadata",
            Kind::Swap => "swap",
            Kind::Gap => "gap",
            Kind::Unparsed => "unparsed",
            Kind::Opaque => "opaque",
            Kind::Unreadable => "unreadable",
        }
    }

    /// Whether bytes of this kind make a result incomplete.
    pub fn incomplete(self) -> bool {
        matches!(self, Kind::Unparsed | Kind::Opaque | Kind::Unreadable)
    }
}

/// Something that could not be read or understood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// Where.
    pub at: Option<Locator>,
    /// What and why, for people. Names from the image in it are escaped.
    pub what: String,
    /// Whether it makes the result incomplete; a mere remark does not.
    pub incomplete: bool,
}

/// What was swept, under which label, and what went wrong.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Bytes the target says were written.
    pub written: u64,
    bytes: [u64; Kind::ALL.len()],
    errors: Vec<Trouble>,
    error_count: u64,
    incomplete: bool,
}

impl Coverage {
    /// Count `bytes` swept under `kind`.
    pub fn count(&mut self, kind: Kind, bytes: u64) {
        if let Some(slot) = self.bytes.get_mut(kind as usize) {
            *slot = slot.saturating_add(bytes);
        }
    }

    /// Bytes counted under `kind`.
    pub fn of(&self, kind: Kind) -> u64 {
        self.bytes.get(kind as usize).copied().unwrap_or(0)
    }

    /// Bytes counted under all kinds.
    pub fn swept(&self) -> u64 {
        self.bytes.iter().fold(0, |sum, &bytes| sum.saturating_add(bytes))
    }

    /// Record an error; a finding may be missing because of it.
    pub fn error(&mut self, error: &Error) {
        self.trouble(Trouble {
            at: error.place().cloned(),
            what: error.message(),
            incomplete: true,
        });
    }

    /// Record an error and the place it happened at.
    pub fn error_at(&mut self, at: &Locator, error: &Error) {
        self.error(&error.clone().at(at));
    }

    /// Record something that does not make the result incomplete.
    pub fn remark(&mut self, at: Option<Locator>, what: impl Into<String>) {
        self.trouble(Trouble { at, what: what.into(), incomplete: false });
    }

    /// Record trouble of either sort.
    pub fn trouble(&mut self, trouble: Trouble) {
        self.incomplete |= trouble.incomplete;
        self.error_count += 1;
        if self.errors.len() < limits::COVERAGE_ERRORS {
            self.errors.push(trouble);
        }
    }

    /// What went wrong, sorted once [`Coverage::seal`] ran; at most
    /// [`limits::COVERAGE_ERRORS`] of it.
    pub fn errors(&self) -> &[Trouble] {
        &self.errors
    }

    /// How much went wrong in all.
    pub fn error_count(&self) -> u64 {
        self.error_count
    }

    /// Add another worker's share.
    pub fn merge(&mut self, other: Coverage) {
        self.written = self.written.saturating_add(other.written);
        for kind in Kind::ALL {
            self.count(kind, other.of(kind));
        }
        self.error_count += other.error_count;
        self.incomplete |= other.incomplete;
        self.errors.extend(other.errors);
    }

    /// Sort what went wrong, and check that every written byte is accounted for. A sum that does
    /// not hold is a fault of the scanner and makes the result incomplete.
    pub fn seal(&mut self) {
        if self.swept() != self.written {
            let error = Error::new(ErrorKind::Internal, "coverage does not add up")
                .detail(format_args!("swept {} of {} written bytes", self.swept(), self.written));
            self.error(&error);
        }
        self.errors.sort();
        self.errors.truncate(limits::COVERAGE_ERRORS);
    }

    /// Whether everything was read and understood.
    pub fn complete(&self) -> bool {
        !self.incomplete && Kind::ALL.iter().all(|&kind| !kind.incomplete() || self.of(kind) == 0)
    }
}
