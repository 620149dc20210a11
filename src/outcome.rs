//! The outcome of a sweep: what was found, what was read, and who agrees.

use crate::coverage::Coverage;
use crate::finding::Finding;
use crate::inventory::Inventory;
use crate::locator::Locator;

/// A volume that was planned, for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSummary {
    /// Its locator.
    pub locator: String,
    /// The filesystem or format, `gap` when none is known.
    pub format: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Live files on it.
    pub files: u64,
    /// Deleted files that were recovered through metadata.
    pub deleted: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Every finding, the harmless ones included, sorted by first locator.
    pub findings: Vec<Finding>,
    /// What was swept and what was not.
    pub coverage: Coverage,
    /// The volumes, in disk order.
    pub volumes: Vec<VolumeSummary>,
    /// What the independent reader said, when it was asked.
    pub cross_checks: Vec<CrossCheck>,
    /// What data there is.
    pub inventory: Inventory,
}

/// What the independent reader said of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossCheck {
    /// The file.
    pub locator: Locator,
    /// SHA-256 of its bytes as they were swept, in hex.
    pub sha256: String,
    /// Whether the other reader agrees.
    pub agreement: Agreement,
}

/// Whether two readers agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// The same bytes.
    Agrees,
    /// Other bytes.
    Differs,
    /// The other reader could not read it, and why.
    Refused(String),
}
