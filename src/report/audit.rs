//! The report of an audit: for a terminal, as JSON, and as a table.

mod csv;
mod json;
mod text;

use super::Style;
use crate::error::Result;
use crate::exposure::audit::Audit;
use crate::policy::Verdict;
use std::io::Write;

/// Everything the report of an audit is written from.
pub struct AuditReport {
    /// What came of it.
    pub audit: Audit,
    /// What it means.
    pub verdict: Verdict,
}

/// A format of the report.
pub struct AuditFormat {
    /// Its name on the command line.
    pub name: &'static str,
    /// Write it.
    pub write: fn(&AuditReport, Style, &mut dyn Write) -> Result<()>,
}

/// Every format; the first is the default.
pub static AUDIT_FORMATS: &[AuditFormat] = &[
    AuditFormat { name: "text", write: text::write },
    AuditFormat { name: "json", write: json::write },
    AuditFormat { name: "csv", write: csv::write },
];
