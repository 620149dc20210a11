//! A report: what was found, how complete the search was, and what follows from it.

pub mod audit;
pub mod exposure;
pub mod json;
pub mod ndjson;
pub mod output;
mod redact;
pub mod safe;
pub mod text;

use crate::error::Result;
use crate::finding::Finding;
use crate::outcome::Outcome;
use crate::policy::Verdict;
use std::io::Write;

/// Everything a report is written from.
pub struct Report {
    /// What was scanned, as the user named it.
    pub target: String,
    /// What it is: `image`, `snapshot`, `ami`, `directory`.
    pub target_kind: &'static str,
    /// Names of the images in it.
    pub images: Vec<String>,
    /// What came of the sweep.
    pub outcome: Outcome,
    /// What it means.
    pub verdict: Verdict,
    /// How the run went.
    pub run: RunFacts,
}

/// Facts of the run itself, which two runs over the same bytes do not share.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether fingerprints compare with no other run's.
    pub ephemeral_key: bool,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Show secrets.
    pub reveal: bool,
    /// Colour for a terminal.
    pub colour: bool,
}

/// A report format.
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// Write it.
    pub write: fn(&Report, Style, &mut dyn Write) -> Result<()>,
}

/// Every format; the first is the default.
pub static FORMATS: &[Format] = &[
    Format { name: "text", write: text::write },
    Format { name: "json", write: json::write },
    Format { name: "ndjson", write: ndjson::write },
];

impl Report {
    /// Write it in a format. Unless secrets are revealed, none that was found stands in it, wherever
    /// it came from.
    pub fn write(&self, format: &Format, style: Style, out: &mut dyn Write) -> Result<()> {
        if style.reveal {
            return (format.write)(self, style, out);
        }
        let mut redacting = redact::Redacting::new(self, out);
        (format.write)(self, style, &mut redacting)?;
        redacting.finish().map_err(output::failed)
    }

    /// What leaks.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.outcome.findings.iter().filter(|finding| finding.harmless.is_none())
    }

    /// What was seen and judged harmless.
    pub fn noted(&self) -> impl Iterator<Item = &Finding> {
        self.outcome.findings.iter().filter(|finding| finding.harmless.is_some())
    }
}
