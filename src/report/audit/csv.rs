//! The findings as [CSV](https://www.rfc-editor.org/rfc/rfc4180), a row for each, and one for
//! each thing that is not known.

use super::super::Style;
use super::super::output::failed;
use super::super::safe::Safe;
use super::AuditReport;
use crate::error::Result;
use std::io::Write;

const COLUMNS: [&str; 10] = [
    "severity",
    "id",
    "account",
    "region",
    "resource",
    "name",
    "title",
    "evidence",
    "remedy",
    "compliance",
];

/// Write the table.
pub(super) fn write(report: &AuditReport, _: Style, out: &mut dyn Write) -> Result<()> {
    row(&COLUMNS.map(str::to_owned), out)?;
    for finding in &report.audit.findings {
        let cells = [
            finding.severity.name().to_owned(),
            finding.rule.id.to_owned(),
            finding.account.clone(),
            finding.region.clone(),
            finding.resource.clone(),
            finding.name.clone(),
            finding.rule.title.to_owned(),
            finding.evidence.clone(),
            finding.remedy.clone(),
            finding.rule.compliance.join("; "),
        ];
        row(&cells, out)?;
    }
    for unknown in &report.audit.unknown {
        let rules: Vec<&str> = unknown.rules.iter().copied().collect();
        let cells = [
            "unknown".to_owned(),
            rules.join(" "),
            unknown.account.clone(),
            unknown.region.clone(),
            String::new(),
            String::new(),
            format!("unknown: needs {}", unknown.action),
            unknown.error.clone().unwrap_or_default(),
            String::new(),
            String::new(),
        ];
        row(&cells, out)?;
    }
    Ok(())
}

fn row(cells: &[String; 10], out: &mut dyn Write) -> Result<()> {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    writeln!(out, "{}", cells.join(",")).map_err(failed)
}

/// A cell in which no spreadsheet sees a formula, and no terminal a command.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t']) { "'" } else { "" };
    let text = format!("{guard}{}", Safe(cell));
    if text.contains([',', '"', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        for (cell, expected) in [
            ("=1+1", "\"'=1+1\""),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("line\nbreak", "line\\nbreak"),
            ("\x1b[2J", "\\u{1b}[2J"),
            ("plain", "plain"),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
