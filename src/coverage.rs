//! Coverage: what was swept and what was not. Its sums must equal the written bytes of the image.

use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::locator::Locator;
use crate::run::Run;

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

/// How a file or a member of a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Searched as it stands.
    Plain,
    /// A container that was opened, its members counted on their own.
    Decoded,
    /// Encrypted.
    Opaque,
    /// In a method that is not read.
    Unsupported,
    /// Larger, deeper or more than a bound allows.
    Limit,
    /// Damaged; what could be had of it was searched.
    Corrupt,
}

impl Class {
    /// Every class, in report order.
    pub const ALL: [Class; 6] = [
        Class::Plain,
        Class::Decoded,
        Class::Opaque,
        Class::Unsupported,
        Class::Limit,
        Class::Corrupt,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Class::Plain => "plain",
            Class::Decoded => "decoded",
            Class::Opaque => "opaque",
            Class::Unsupported => "unsupported",
            Class::Limit => "limit",
            Class::Corrupt => "corrupt",
        }
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
    contents: [u64; Class::ALL.len()],
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

    /// Count a file or a member that ended in `class`.
    pub fn content(&mut self, class: Class) {
        if let Some(slot) = self.contents.get_mut(class as usize) {
            *slot = slot.saturating_add(1);
        }
    }

    /// Files and members that ended in `class`.
    pub fn contents(&self, class: Class) -> u64 {
        self.contents.get(class as usize).copied().unwrap_or(0)
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
        self.errors.push(trouble);
        self.bound();
    }

    /// Let go of what sorts last, of remarks and of the others by themselves, once much has
    /// gathered. What stays in the end does not depend on who met what, and when.
    fn bound(&mut self) {
        if self.errors.len() > 3 * limits::COVERAGE_GATHERED {
            let (mut lost, mut remarks) = self.parted();
            lost.append(&mut remarks);
            self.errors = lost;
        }
    }

    /// The first of what makes the result incomplete, and of the remarks, each sorted.
    fn parted(&mut self) -> (Vec<Trouble>, Vec<Trouble>) {
        let mut all = std::mem::take(&mut self.errors);
        all.sort();
        let (mut lost, mut remarks): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|trouble| trouble.incomplete);
        lost.truncate(limits::COVERAGE_GATHERED);
        remarks.truncate(limits::COVERAGE_GATHERED);
        (lost, remarks)
    }

    /// What went wrong, sorted by place once [`Coverage::seal`] ran; at most
    /// [`limits::COVERAGE_ERRORS`] of it, of which remarks get what the others leave.
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
        for (mine, more) in self.contents.iter_mut().zip(other.contents) {
            *mine = mine.saturating_add(more);
        }
        self.error_count += other.error_count;
        self.incomplete |= other.incomplete;
        self.errors.extend(other.errors);
        self.bound();
    }

    /// Sort what went wrong, with one entry for what was lost in one go, and check that every
    /// written byte is accounted for. A sum that does not hold is a fault of the scanner and makes
    /// the result incomplete.
    pub fn seal(&mut self) {
        if self.swept() != self.written {
            let error = Error::new(ErrorKind::Internal, "coverage does not add up")
                .detail(format_args!("swept {} of {} written bytes", self.swept(), self.written));
            self.error(&error);
        }
        let (mut lost, mut remarks) = self.parted();
        let told = lost.len();
        lost.dedup_by(|next, last| goes_on(last, next));
        self.error_count -= (told - lost.len()) as u64;
        lost.truncate(limits::COVERAGE_ERRORS);
        remarks.truncate(limits::COVERAGE_ERRORS - lost.len());
        lost.append(&mut remarks);
        lost.sort();
        self.errors = lost;
    }

    /// Whether everything was read and understood.
    pub fn complete(&self) -> bool {
        !self.incomplete && Kind::ALL.iter().all(|&kind| !kind.incomplete() || self.of(kind) == 0)
    }
}

/// Whether `next` is the same trouble right behind `last`, which then takes it in: a lost stretch
/// is met window by window.
fn goes_on(last: &mut Trouble, next: &mut Trouble) -> bool {
    let (Some(a), Some(b)) = (&mut last.at, &mut next.at) else { return false };
    let (Some(before), Some(behind)) = (a.span, b.span) else { return false };
    b.span = a.span;
    let same = last.what == next.what && a == b && before.end() == behind.start;
    b.span = Some(behind);
    if same {
        a.span = Some(Run::between(before.start, behind.end()));
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locator::Area;

    fn trouble(start: u64, what: &str, incomplete: bool) -> Trouble {
        let at = Locator::new(&"disk".into(), None, Area::Whole).with_span(Run::new(start, 10));
        Trouble { at: Some(at), what: what.into(), incomplete }
    }

    /// What `jobs` workers tell of `troubles` that they meet in turn.
    fn sealed(troubles: &[Trouble], jobs: usize) -> Coverage {
        let mut all = Coverage::default();
        for worker in 0..jobs {
            let mut share = Coverage::default();
            let met = troubles.iter().skip(worker).step_by(jobs);
            met.for_each(|trouble| share.trouble(trouble.clone()));
            all.merge(share);
        }
        all.seal();
        all
    }

    /// A result was incomplete, and none of the thousand errors listed was the reason.
    #[test]
    fn remarks_do_not_crowd_out_what_makes_a_result_incomplete() {
        let mut troubles: Vec<_> = (0..1100).map(|n| trouble(n * 20, "a remark", false)).collect();
        troubles.push(trouble(1 << 40, "a limit", true));
        let coverage = sealed(&troubles, 1);
        let errors = coverage.errors();
        assert_eq!((errors.len(), coverage.error_count()), (limits::COVERAGE_ERRORS, 1101));
        assert_eq!(errors.last(), troubles.last());
        assert!(errors.is_sorted() && !coverage.complete());
    }

    #[test]
    fn what_is_listed_does_not_depend_on_the_workers() {
        let many = 4 * limits::COVERAGE_GATHERED as u64;
        let turned = |n: u64| n * 7919 % many;
        let troubles: Vec<_> = (0..many)
            .map(|n| trouble(turned(n) * 20, if n % 3 == 0 { "a" } else { "b" }, n % 5 == 0))
            .collect();
        let one = sealed(&troubles, 1);
        assert_eq!(one.errors().len(), limits::COVERAGE_ERRORS);
        assert!(one.errors().iter().all(|trouble| trouble.incomplete));
        for jobs in [2, 3, 64] {
            let other = sealed(&troubles, jobs);
            assert_eq!(other.errors(), one.errors(), "{jobs}");
            assert_eq!(other.error_count(), one.error_count(), "{jobs}");
        }
    }

    #[test]
    fn what_is_lost_in_one_go_is_told_once() {
        let lost = |start| trouble(start, "scratched", true);
        let other = trouble(30, "refused", true);
        let troubles = [lost(10), lost(50), other.clone(), lost(20), lost(0)];
        let coverage = sealed(&troubles, 2);
        let mut first = lost(0);
        first.at.as_mut().unwrap().span = Some(Run::new(0, 30));
        assert_eq!(coverage.errors(), [first, other, lost(50)]);
        assert_eq!(coverage.error_count(), 3);
    }
}
