//! The NDJSON report: one object a line, for pipes. The last line is the verdict, so a reader that
//! does not see it knows that the stream was cut.

use super::json::{self, CoverageView, FindingView, SCHEMA};
use super::{Report, Style, output::failed, safe};
use crate::error::Result;
use serde::Serialize;
use serde_json::json;
use serde_json::ser::CompactFormatter;
use std::io::Write;

#[derive(Serialize)]
struct Line<'a, T> {
    r#type: &'a str,
    #[serde(flatten)]
    body: T,
}

/// Write the report as one object a line.
pub fn write(report: &Report, style: Style, out: &mut dyn Write) -> Result<()> {
    let head = json!({ "schema": SCHEMA, "tool": json::tool(), "target": json::target(report), "run": json::run(report) });
    line(out, "report", head)?;
    for finding in report.findings() {
        line(out, "finding", FindingView::new(finding, style))?;
    }
    for finding in report.noted() {
        line(out, "noted", FindingView::new(finding, style))?;
    }
    for volume in &report.outcome.volumes {
        line(out, "volume", json::volume(volume))?;
    }
    for check in &report.outcome.cross_checks {
        line(out, "cross_check", json::cross_check(check))?;
    }
    if let Some(provenance) = json::provenance(&report.outcome) {
        line(out, "provenance", provenance)?;
    }
    line(out, "coverage", CoverageView::new(&report.outcome.coverage))?;
    line(out, "summary", json::summary(report))?;
    line(out, "verdict", json::verdict(report))
}

fn line<T: Serialize>(out: &mut dyn Write, r#type: &str, body: T) -> Result<()> {
    safe::to_json(&Line { r#type, body }, CompactFormatter, out)?;
    out.write_all(b"\n").map_err(failed)
}
