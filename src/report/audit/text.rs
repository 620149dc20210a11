//! The audit for a terminal: who can read what, what is wrong, what is not known, and the figures,
//! on one screen.

use super::super::Style;
use super::super::output::failed;
use super::super::safe::Safe;
use super::AuditReport;
use crate::error::Result;
use crate::exposure::audit::{Audit, Finding, ImageRow, Unknown};
use crate::finding::Severity;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write;

/// Images shown one by one.
const IMAGES: usize = 8;

/// Rules shown; those of low severity come last and are counted.
const RULES: usize = 24;

/// Permissions shown that are missing.
const NEEDS: usize = 8;

/// Resources named in one line.
const NAMED: usize = 2;

/// Characters of a name, or of evidence, in one line.
const CHARS: usize = 60;

/// Write the report for a person at a terminal.
pub(super) fn write(report: &AuditReport, style: Style, out: &mut dyn Write) -> Result<()> {
    let mut page = Page { text: String::new(), colour: style.colour };
    page.head(&report.audit);
    page.images(&report.audit);
    page.findings(&report.audit);
    page.unknown(&report.audit);
    page.figures(&report.audit);
    page.verdict(report);
    out.write_all(page.text.as_bytes()).map_err(failed)
}

struct Page {
    text: String,
    colour: bool,
}

/// Text that is short and safe.
fn short(text: &str) -> String {
    let safe = Safe(text).to_string();
    match safe.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", safe.get(..end).unwrap_or_default()),
        None => safe,
    }
}

/// So many of something.
fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

impl Page {
    /// One line; writing to a string cannot fail.
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{}", line.to_string().trim_end());
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn head(&mut self, audit: &Audit) {
        let regions: usize = audit.accounts.values().sum();
        let at = audit.at.map_or_else(|| "of an unknown date".to_owned(), |at| format!("of {at}"));
        self.line(format_args!(
            "{}, {}, {}, facts {at}   amisweep {}",
            counted(audit.accounts.len(), "account"),
            counted(regions, "region"),
            counted(audit.images.len(), "own image"),
            env!("CARGO_PKG_VERSION"),
        ));
    }

    fn images(&mut self, audit: &Audit) {
        let title = self.paint("1", "WHO CAN READ IT");
        self.line(format_args!(
            "\n {title}   the most urgent of {}",
            counted(audit.images.len(), "image")
        ));
        for row in audit.images.iter().take(IMAGES) {
            self.image(row);
        }
        if audit.images.len() > IMAGES {
            self.line(format_args!("   … {} more: -f json shows all", audit.images.len() - IMAGES));
        }
    }

    fn image(&mut self, row: &ImageRow) {
        let audience = match (&row.exposure.launch, row.exposure.effective.name()) {
            (None, "private") => "unknown",
            (_, name) => name,
        };
        let latent = if row.exposure.latent_public { " (snapshot latently public)" } else { "" };
        let live = row.references.iter().filter(|(.., live)| *live).count();
        let outside = &row.exposure.effective.accounts;
        let with =
            if outside.is_empty() { String::new() } else { format!(" with {}", outside.len()) };
        self.line(format_args!(
            "   {:21} {} {}  {audience}{with}{latent}, encrypted: {}, {live} live refs  {}",
            Safe(&row.id),
            Safe(&row.account),
            Safe(&row.region),
            row.encrypted.name(),
            short(&row.name),
        ));
    }

    fn findings(&mut self, audit: &Audit) {
        let counts: Vec<String> = Severity::ALL
            .into_iter()
            .rev()
            .map(|s| (s, audit.findings.iter().filter(|f| f.severity == s).count()))
            .filter(|(_, count)| *count > 0)
            .map(|(severity, count)| format!("{} {count}", severity.name()))
            .collect();
        let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
        let title = self.paint("1", "WHAT IS WRONG");
        self.line(format_args!(
            "\n {title}   {} ({counts})",
            counted(audit.findings.len(), "finding")
        ));
        let mut groups: BTreeMap<(Reverse<Severity>, &str), Vec<&Finding>> = BTreeMap::new();
        for finding in &audit.findings {
            groups.entry((Reverse(finding.severity), finding.rule.id)).or_default().push(finding);
        }
        for ((Reverse(severity), id), list) in groups.iter().take(RULES) {
            self.group(*severity, id, list);
        }
        if groups.len() > RULES {
            self.line(format_args!("   … {} more rules: -f json shows all", groups.len() - RULES));
        }
    }

    fn group(&mut self, severity: Severity, id: &str, list: &[&Finding]) {
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::High => "31",
            Severity::Medium => "33",
            Severity::Low | Severity::Info => "2",
        };
        let severity_text = self.paint(code, &format!("{:<8}", severity.name()));
        let Some(first) = list.first() else { return };
        let resources: BTreeSet<&str> =
            list.iter().map(|finding| finding.resource.as_str()).collect();
        let named: Vec<String> = resources.iter().take(NAMED).map(|id| short(id)).collect();
        let more = match resources.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" +{more}"),
        };
        let title = first.rule.title;
        self.line(format_args!("   {severity_text} {id:15} {title}: {}{more}", named.join(", ")));
        if severity >= Severity::High {
            let evidence = self.paint("2", &short(&first.evidence));
            self.line(format_args!("            {evidence}"));
        }
    }

    fn unknown(&mut self, audit: &Audit) {
        if audit.unknown.is_empty() {
            return;
        }
        let title = self.paint("1", "WHAT IS NOT KNOWN");
        self.line(format_args!("\n {title}"));
        let mut groups: BTreeMap<&str, Vec<&Unknown>> = BTreeMap::new();
        for unknown in &audit.unknown {
            groups.entry(unknown.action.as_str()).or_default().push(unknown);
        }
        for (action, list) in groups.iter().take(NEEDS) {
            let rules: BTreeSet<&str> =
                list.iter().flat_map(|it| it.rules.iter().copied()).collect();
            let mut shown: Vec<&str> = rules.iter().copied().take(4).collect();
            if rules.len() > shown.len() {
                shown.push("…");
            }
            let asked =
                if list.iter().any(|it| it.error.is_some()) { "refused" } else { "not asked" };
            self.line(format_args!(
                "   unknown: needs {} ({asked} in {})  {}",
                Safe(action),
                counted(list.len(), "place"),
                shown.join(" "),
            ));
        }
        if groups.len() > NEEDS {
            self.line(format_args!("   … {} more: -f json shows all", groups.len() - NEEDS));
        }
    }

    fn figures(&mut self, audit: &Audit) {
        let kpi = &audit.kpi;
        let percent =
            |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |it| format!("{it} %"));
        let days =
            |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |it| format!("{it} d"));
        let count =
            |value: Option<u64>| value.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
        let title = self.paint("1", "FIGURES");
        self.line(format_args!(
            "\n {title}   encrypted {} ({} by GiB), public {}, approved {}, golden {}, compliant {}",
            percent(kpi.encrypted_pct),
            percent(kpi.encrypted_gib_pct),
            count(kpi.public_count),
            percent(kpi.approved_pct),
            percent(kpi.golden_pct),
            percent(kpi.compliance_pct),
        ));
        self.line(format_args!(
            "   instances allowed {}, blocked creations {}, refused launches in 7 d {}",
            percent(kpi.approved_instances_pct),
            count(kpi.blocked_creations),
            count(kpi.violations_7d),
        ));
        let cost = kpi.waste_cost.map_or_else(String::new, |cost| format!(" ({cost:.2} a month)"));
        self.line(format_args!(
            "   days to mend: unencrypted {}, public {}; to approve {}; kept for nothing {} GiB{cost}",
            days(kpi.mttr_unencrypted_days),
            days(kpi.mttr_public_days),
            days(kpi.time_to_approve_days),
            count(kpi.waste_gib),
        ));
    }

    fn verdict(&mut self, report: &AuditReport) {
        let verdict = &report.verdict;
        let title = self.paint("1", "VERDICT");
        let code = if verdict.exit_code() == 0 { "32" } else { "31" };
        let name = self.paint(code, verdict.name());
        self.line(format_args!(
            "\n {title}   {name}: {} at or above {}, exit {}",
            counted(verdict.failing, "finding"),
            verdict.fail_on.name(),
            verdict.exit_code(),
        ));
    }
}
