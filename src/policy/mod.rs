//! Policy: what findings and coverage mean for whoever asks whether the image may be shared.

use crate::coverage::Coverage;
use crate::finding::{Finding, Severity};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Findings at or above this severity fail the image.
    pub fail_on: Severity,
    /// How many there are.
    pub failing: usize,
    /// Whether everything was read and understood.
    pub complete: bool,
}

impl Verdict {
    /// Judge a sweep. It fails closed: what could not be read is never clean.
    pub fn of(findings: &[Finding], coverage: &Coverage, fail_on: Severity) -> Verdict {
        let fails = |f: &&Finding| f.harmless.is_none() && f.severity >= fail_on;
        let failing = findings.iter().filter(fails).count();
        Verdict { fail_on, failing, complete: coverage.complete() }
    }

    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match (self.failing, self.complete) {
            (0, true) => "pass",
            (0, false) => "incomplete",
            (_, true) => "fail",
            (_, false) => "fail-incomplete",
        }
    }

    /// The exit code that tells it: 0 pass and complete, 10 findings at or above the threshold, 11
    /// incomplete, 12 both.
    pub fn exit_code(&self) -> u8 {
        match (self.failing, self.complete) {
            (0, true) => 0,
            (_, true) => 10,
            (0, false) => 11,
            (_, false) => 12,
        }
    }
}
