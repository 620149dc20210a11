//! The terminal report: who, what, where, coverage, verdict, what next.

use super::safe::Safe;
use super::{Report, Style, output::failed};
use crate::coverage::{Class, Kind, Trouble};
use crate::error::Result;
use crate::finding::{Finding, Severity, preview};
use crate::outcome::Agreement;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

/// Findings shown one by one; the rest is counted, and is in the other formats.
const SHOWN: usize = 60;

/// Coverage errors shown one by one.
const ERRORS_SHOWN: usize = 8;

/// Write the report for a person at a terminal.
pub fn write(report: &Report, style: Style, out: &mut dyn Write) -> Result<()> {
    let mut page = Page { text: String::new(), colour: style.colour };
    page.head(report);
    page.findings(report, style);
    page.data(report);
    page.coverage(report);
    page.verdict(report);
    out.write_all(page.text.as_bytes()).map_err(failed)
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    /// One line; writing to a string cannot fail.
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{line}");
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn head(&mut self, report: &Report) {
        let coverage = &report.outcome.coverage;
        let name = self.paint("1", &Safe(&report.target).to_string());
        let images = match report.images.as_slice() {
            [] => String::new(),
            [one] if *one == report.target => String::new(),
            many => format!(" ({})", Safe(&many.join(", "))),
        };
        self.line(format_args!(
            "{name}{images}   {} written, swept in {:.1} s   amisweep {}",
            size(coverage.written),
            report.run.seconds,
            env!("CARGO_PKG_VERSION"),
        ));
    }

    fn findings(&mut self, report: &Report, style: Style) {
        let mut findings: Vec<&Finding> = report.findings().collect();
        findings.sort_by_key(|f| (Reverse(f.severity), Reverse(f.grade)));
        let counts: Vec<String> = Severity::ALL
            .into_iter()
            .rev()
            .map(|s| (s, findings.iter().filter(|f| f.severity == s).count()))
            .filter(|(_, count)| *count > 0)
            .map(|(severity, count)| format!("{} {count}", severity.name()))
            .collect();
        let title = self.paint("1", "WHAT IS INSIDE");
        self.line(format_args!(
            "\n {title}   {} finding{} ({}), {} noted as harmless",
            findings.len(),
            if findings.len() == 1 { "" } else { "s" },
            if counts.is_empty() { "none".to_owned() } else { counts.join(", ") },
            report.noted().count(),
        ));
        for finding in findings.iter().take(SHOWN) {
            self.finding(finding, style);
        }
        if findings.len() > SHOWN {
            self.line(format_args!("   … {} more: -f json shows all", findings.len() - SHOWN));
        }
    }

    fn finding(&mut self, finding: &Finding, style: Style) {
        let code = match finding.severity {
            Severity::Critical => "1;31",
            Severity::High => "31",
            Severity::Medium => "33",
            Severity::Low | Severity::Info => "2",
        };
        let severity = self.paint(code, &format!("{:<8}", finding.severity.name()));
        let shown = match (style.reveal, std::str::from_utf8(finding.subject.bytes())) {
            (true, Ok(secret)) => Safe(secret).to_string(),
            _ => preview(&finding.subject),
        };
        self.line(format_args!(
            "   {severity}  {}  {shown}  [{}]",
            finding.rule.title,
            finding.grade.name()
        ));
        let facts: Vec<String> = finding
            .facts
            .iter()
            .map(|(name, values)| format!("{name} {}", Safe(&values.join(", "))))
            .collect();
        if let Some(place) = finding.places.first() {
            let more = match finding.place_count {
                0 | 1 => String::new(),
                count => format!("  +{} more", count - 1),
            };
            let line = place.line.map_or_else(String::new, |line| format!(" line {line}"));
            self.line(format_args!("             {}{line}{more}", place.locator));
        }
        if !facts.is_empty() {
            let facts = self.paint("2", &facts.join(" · "));
            self.line(format_args!("             {facts}"));
        }
    }

    /// What data there is, in three lines at most.
    fn data(&mut self, report: &Report) {
        let inventory = &report.outcome.inventory;
        let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (_, store) in inventory.stores() {
            let (count, rows) = kinds.entry(store.kind.name()).or_default();
            *count += 1;
            *rows += store.rows;
        }
        let told = |(kind, (count, rows)): (&str, (u64, u64))| match rows {
            0 => format!("{count} {kind}"),
            rows => format!("{count} {kind} of {rows} rows"),
        };
        let code = inventory.code().map(|(name, code)| format!("{} {name}", code.files));
        let personal = inventory.personal();
        let persons = personal.counts().filter(|(_, count)| *count > 0);
        let lines = [
            ("stores", kinds.into_iter().map(told).collect::<Vec<_>>()),
            ("source files", code.collect()),
            ("personal", persons.map(|(kind, count)| format!("{count} {kind}")).collect()),
        ];
        if lines.iter().any(|(_, line)| !line.is_empty()) {
            let title = self.paint("1", "DATA");
            self.line(format_args!("\n {title}"));
        }
        for (title, line) in lines.iter().filter(|(_, line)| !line.is_empty()) {
            self.line(format_args!("   {title}: {}", line.join(", ")));
        }
    }

    fn coverage(&mut self, report: &Report) {
        let coverage = &report.outcome.coverage;
        let kinds: Vec<String> = Kind::ALL
            .into_iter()
            .filter(|kind| coverage.of(*kind) > 0)
            .map(|kind| format!("{} {}", kind.name(), size(coverage.of(kind))))
            .collect();
        let title = self.paint("1", "COVERAGE");
        let kinds =
            if kinds.is_empty() { "no byte written".to_owned() } else { kinds.join(" · ") };
        self.line(format_args!("\n {title}   {}   {kinds}", percent(report)));
        let contents = Class::ALL.into_iter().skip(1).filter(|c| coverage.contents(*c) > 0);
        let contents: Vec<String> =
            contents.map(|c| format!("{} {}", coverage.contents(c), c.name())).collect();
        if !contents.is_empty() {
            self.line(format_args!("   containers: {}", contents.join(", ")));
        }
        for volume in &report.outcome.volumes {
            let deleted = match volume.deleted {
                0 => String::new(),
                count => format!(", {count} deleted"),
            };
            let files = match volume.files {
                0 => String::new(),
                1 => format!(", 1 file{deleted}"),
                count => format!(", {count} files{deleted}"),
            };
            self.line(format_args!("   {}  {}{files}", volume.locator, Safe(&volume.format)));
        }
        let checks = &report.outcome.cross_checks;
        if !checks.is_empty() {
            let agree = checks.iter().filter(|c| c.agreement == Agreement::Agrees).count();
            self.line(format_args!(
                "   cross-check: {agree} of {} files agree with a second reader",
                checks.len()
            ));
        }
        self.provenance(report);
        // First what the verdict rests on, then what is merely remarked.
        let mut troubles: Vec<&Trouble> = coverage.errors().iter().collect();
        troubles.sort_by_key(|trouble| !trouble.incomplete);
        for trouble in troubles.into_iter().take(ERRORS_SHOWN) {
            let mark = if trouble.incomplete { self.paint("31", "!") } else { "·".to_owned() };
            let at = trouble.at.as_ref().map_or_else(String::new, |at| format!("{at}: "));
            self.line(format_args!("   {mark} {at}{}", Safe(&trouble.what)));
        }
        let shown = coverage.errors().len().min(ERRORS_SHOWN) as u64;
        if coverage.error_count() > shown {
            self.line(format_args!("   … {} more notes", coverage.error_count() - shown));
        }
    }

    /// Which files are their packages', and which the base's.
    fn provenance(&mut self, report: &Report) {
        for known in &report.outcome.packages {
            let mut counts = vec![format!("{} files unchanged", known.verified)];
            let more = [
                (known.changed, "changed"),
                (known.config_changed, "of configuration changed"),
                (known.missing, "missing"),
                (known.unverified, "not verified"),
            ];
            let more = more.into_iter().filter(|(count, _)| *count > 0);
            counts.extend(more.map(|(count, what)| format!("{count} {what}")));
            let formats = known.formats.join(", ");
            let packages = known.packages;
            self.line(format_args!(
                "   {}  {packages} {formats} packages: {}",
                known.locator,
                counts.join(", ")
            ));
            let noted: Vec<String> =
                known.noted.iter().map(|(name, count)| format!("{name} {count}")).collect();
            if !noted.is_empty() {
                let shown = noted.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
                let more = noted.len().saturating_sub(8);
                let more = if more > 0 { format!(", {more} more packages") } else { String::new() };
                self.line(format_args!(
                    "      noted in their unchanged files: {}{more}",
                    Safe(&shown)
                ));
            }
        }
        if let Some(base) = report.outcome.base {
            self.line(format_args!(
                "   of the base's {} files: {} inherited, {} changed, {} removed; {} added",
                base.files, base.inherited, base.changed, base.removed, base.added
            ));
        }
    }

    fn verdict(&mut self, report: &Report) {
        let verdict = &report.verdict;
        let (code, text) = match verdict.name() {
            "pass" => ("1;32", "PASS: nothing at or above the threshold, everything was read"),
            "incomplete" => ("1;33", "INCOMPLETE: not everything could be read; this is not clean"),
            "fail" => ("1;31", "FAIL"),
            _ => ("1;31", "FAIL, and INCOMPLETE: there may be more"),
        };
        let failing = match verdict.failing {
            0 => String::new(),
            count => format!(", {count} at or above {}", verdict.fail_on.name()),
        };
        let title = self.paint("1", "VERDICT");
        let text = self.paint(code, text);
        self.line(format_args!("\n {title}    {text}{failing}   exit {}", verdict.exit_code()));
        self.next(report);
        if report.run.ephemeral_key {
            let note = self.paint(
                "2",
                "fingerprints are for this run only; `amisweep init` makes a key to keep",
            );
            self.line(format_args!(" {note}"));
        }
    }

    /// What to do, most urgent first: each rotation once.
    fn next(&mut self, report: &Report) {
        let mut findings: Vec<&Finding> =
            report.findings().filter(|f| !f.rule.rotate.is_empty()).collect();
        findings.sort_by_key(|f| (Reverse(f.severity), Reverse(f.grade)));
        let mut steps: Vec<&str> = Vec::new();
        for finding in findings {
            if !steps.contains(&finding.rule.rotate) {
                steps.push(finding.rule.rotate);
            }
        }
        if !report.verdict.complete {
            steps.insert(0, "Deal with what could not be read (marked ! above): decrypt or convert it, or scan again.");
        }
        let title = self.paint("1", "NEXT");
        for (number, step) in (1..).zip(steps.iter().take(5)) {
            let lead = if number == 1 { title.as_str() } else { "    " };
            self.line(format_args!(" {lead}       {number} {step}"));
        }
        if steps.len() > 5 {
            self.line(format_args!("            … {} more in -f json", steps.len() - 5));
        }
    }
}

fn percent(report: &Report) -> String {
    let coverage = &report.outcome.coverage;
    let lost: u64 =
        Kind::ALL.into_iter().filter(|kind| kind.incomplete()).map(|kind| coverage.of(kind)).sum();
    match (lost, coverage.complete()) {
        (0, true) => "100 %".to_owned(),
        (0, false) => "100 % of the bytes, but not all understood".to_owned(),
        _ => {
            // Rounded down, so that 100 % is never said of less.
            let read = u128::from(coverage.written.saturating_sub(lost));
            let tenths = read * 1000 / u128::from(coverage.written.max(1));
            format!("{}.{} %", tenths / 10, tenths % 10)
        }
    }
}

/// A number of bytes in binary units, exact below a KiB and to a tenth above.
pub fn size(bytes: u64) -> String {
    let mut unit = "B";
    let mut scale = 1u64;
    for (name, bits) in [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)] {
        if bytes >= 1 << bits {
            (unit, scale) = (name, 1 << bits);
        }
    }
    let tenths = u128::from(bytes) * 10 / u128::from(scale);
    if scale == 1 || tenths % 10 == 0 {
        format!("{} {unit}", tenths / 10)
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::Coverage;
    use crate::error::{Error, ErrorKind};
    use crate::inventory::Inventory;
    use crate::outcome::Outcome;
    use crate::policy::Verdict;
    use crate::report::RunFacts;

    #[test]
    fn sizes_are_short() {
        let shown = [0, 1023, 1024, 1536, 8 << 30, u64::MAX].map(size);
        assert_eq!(shown, ["0 B", "1023 B", "1 KiB", "1.5 KiB", "8 GiB", "16777215.9 TiB"]);
    }

    /// The page said "marked ! above" and had no such mark: remarks had taken all its lines.
    #[test]
    fn what_makes_a_result_incomplete_is_shown_before_remarks() {
        let mut coverage = Coverage::default();
        for number in 0..20 {
            coverage.remark(None, format!("a remark {number:02}"));
        }
        coverage.error(&Error::new(ErrorKind::Limit, "what was lost"));
        coverage.seal();
        let verdict = Verdict::of(&[], &coverage, Severity::Low);
        let outcome = Outcome {
            findings: vec![],
            coverage,
            volumes: vec![],
            cross_checks: vec![],
            inventory: Inventory::default(),
            packages: vec![],
            base: None,
        };
        let (target, run) = ("disk".to_owned(), RunFacts::default());
        let report = Report { target, target_kind: "image", images: vec![], outcome, verdict, run };
        let mut out = Vec::new();
        write(&report, Style { reveal: false, colour: false }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let marked = text.lines().skip_while(|line| !line.contains("COVERAGE")).skip(1);
        let marked: Vec<&str> = marked.take(3).collect();
        assert_eq!(marked, ["   ! what was lost", "   · a remark 00", "   · a remark 01"]);
        assert!(text.contains("   … 13 more notes"), "{text}");
    }
}
