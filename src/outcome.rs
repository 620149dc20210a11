//! The outcome of a sweep: what was found, what was read, and who agrees.

use crate::coverage::Coverage;
use crate::finding::Finding;
use crate::inventory::Inventory;
use crate::locator::Locator;
use std::collections::BTreeMap;

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
    /// What package databases say, by filesystem.
    pub packages: Vec<Packages>,
    /// How the files are to those of the base, when one was named.
    pub base: Option<Comparison>,
}

/// What the package databases of a filesystem say of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages {
    /// The filesystem's locator.
    pub locator: String,
    /// The package managers.
    pub formats: Vec<&'static str>,
    /// Packages that are installed.
    pub packages: u64,
    /// Files that are as their package installed them.
    pub verified: u64,
    /// Files that are not, configuration apart.
    pub changed: u64,
    /// Configuration files, changed or not.
    pub config: u64,
    /// Configuration files that are not as they came.
    pub config_changed: u64,
    /// Files that a package names and that are not there.
    pub missing: u64,
    /// Files of packages of which it could not be told.
    pub unverified: u64,
    /// The locators of changed files, at most [`crate::limits::CHANGED_FILES`].
    pub changed_files: Vec<String>,
    /// By package, findings that are harmless because they stand in its unchanged files alone.
    pub noted: BTreeMap<String, u64>,
}

/// How the files of a target are to those of the image it was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Files of the base.
    pub files: u64,
    /// Files that are in both, with the same bytes.
    pub inherited: u64,
    /// Files that are in both, with other bytes.
    pub changed: u64,
    /// Files that the base does not have.
    pub added: u64,
    /// Files that the base alone has.
    pub removed: u64,
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
