//! The NDJSON report: one object a line, for pipes. The last line is the verdict, so a reader that
//! does not see it knows that the stream was cut.

use super::json::{self, CoverageView, FindingView, SCHEMA};
use super::{Report, Style, output::failed};
use crate::error::Result;
use serde::Serialize;
use serde_json::json;
use std::io::Write;

#[derive(Serialize)]
struct Line<'a, T> {
    r#type: &'a str,
    #[serde(flatten)]
    body: T,
}

/// Write the report as one object a line.
pub fn write(report: &Report, style: Style, out: &mut dyn Write) -> Result<()> {
    let head =
        json!({ "schema": SCHEMA, "target": json::target(report), "run": json::run(report) });
    line(out, "report", head)?;
    for finding in report.findings() {
        line(out, "finding", FindingView::new(finding, style))?;
    }
    for finding in report.noted() {
        line(out, "noted", FindingView::new(finding, style))?;
    }
    line(out, "coverage", CoverageView::new(&report.outcome.coverage))?;
    line(out, "summary", json::summary(report))?;
    line(out, "verdict", json::verdict(report))
}

fn line<T: Serialize>(out: &mut dyn Write, r#type: &str, body: T) -> Result<()> {
    serde_json::to_writer(&mut *out, &Line { r#type, body }).map_err(failed)?;
    out.write_all(b"\n").map_err(failed)
}
