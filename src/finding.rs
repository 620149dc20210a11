//! Matches and findings: a match is one place where a rule fired, a finding is one secret with all
//! its places.

use crate::locator::Locator;
use crate::run::{ImageNo, Run};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// Bytes that must not be shown. It has no `Display`, its `Debug` is redacted, and its memory is
/// wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Take the bytes into keeping.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves, for fingerprints and for `--reveal`.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// How bad it is when someone else has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing, opens nothing.
    Info,
    /// An identifier, public by design, or dead by construction.
    Low,
    /// Limited scope, short-lived, or in need of a second factor.
    Medium,
    /// Opens one service with write or bulk read.
    High,
    /// Opens infrastructure, a whole account or mass data.
    Critical,
}

impl Severity {
    /// Every severity, least first.
    pub const ALL: [Severity; 5] =
        [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Its name in reports and rule files.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The severity of that name.
    pub fn from_name(name: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// How sure it is that the bytes are what the rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Only a key's name or entropy speaks for it.
    Weak,
    /// The pattern fits.
    Plausible,
    /// It was parsed in its own format.
    Strong,
    /// A checksum, a MAC, a decoded structure or a matched pair proves it.
    Proven,
}

impl Grade {
    /// Every grade, least sure first.
    pub const ALL: [Grade; 4] = [Grade::Weak, Grade::Plausible, Grade::Strong, Grade::Proven];

    /// Its name in reports and rule files.
    pub fn name(self) -> &'static str {
        match self {
            Grade::Weak => "weak",
            Grade::Plausible => "plausible",
            Grade::Strong => "strong",
            Grade::Proven => "proven",
        }
    }

    /// The grade of that name.
    pub fn from_name(name: &str) -> Option<Grade> {
        Grade::ALL.into_iter().find(|g| g.name() == name)
    }
}

/// Why something that was seen is judged harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harmless {
    /// The token's own checksum does not hold.
    FailedChecksum,
    /// A stand-in such as `changeme` or `<password>`.
    Placeholder,
    /// A vendor's documentation example.
    DocumentationExample,
    /// A key that everybody has.
    KnownPublic,
    /// Locked or disabled where it stands.
    Disabled,
    /// The user's rule file allows it.
    Allowed,
    /// It stands only in files that are as their package installed them: everybody has it.
    Vendor,
}

impl Harmless {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Harmless::FailedChecksum => "failed-checksum",
            Harmless::Placeholder => "placeholder",
            Harmless::DocumentationExample => "documentation-example",
            Harmless::KnownPublic => "known-public",
            Harmless::Disabled => "disabled",
            Harmless::Allowed => "allowed",
            Harmless::Vendor => "vendor",
        }
    }
}

/// What a rule says of everything it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable name, `issuer.kind[.variant]`.
    pub id: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// Severity when nothing lowers it.
    pub severity: Severity,
    /// How to take it out of use.
    pub rotate: &'static str,
}

/// What a match is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A secret; these bytes are redacted in every output.
    Secret(Secret),
    /// A password a person chose: no part of it is ever shown in a preview.
    Password(Secret),
    /// A fact that leaks or grants without being secret: a back door, a public key that may log in.
    Fact(Vec<u8>),
}

impl Subject {
    /// The bytes that make two matches one finding.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Subject::Secret(secret) | Subject::Password(secret) => secret.expose(),
            Subject::Fact(bytes) => bytes,
        }
    }
}

/// What was read about a finding offline: account, user, host, expiry. Never the secret.
pub type Facts = BTreeMap<&'static str, String>;

/// One place where a rule fired.
#[derive(Clone, Debug)]
pub struct Match {
    /// The rule.
    pub rule: &'static Rule,
    /// This match's severity: the rule's, or lower or higher by evidence.
    pub severity: Severity,
    /// How sure.
    pub grade: Grade,
    /// Why it is harmless, when it is.
    pub harmless: Option<Harmless>,
    /// What it is about.
    pub subject: Subject,
    /// The bytes, in the blob or window the match was found in.
    pub span: Run,
    /// What was read about it.
    pub facts: Facts,
    /// For a subject that was decoded from the bytes of `span`: how, and where it stands in the
    /// decoded view.
    pub decoded: Option<Decoded>,
}

/// How a subject was decoded, and where it stands in what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What was undone, outermost first.
    pub chain: Vec<Step>,
    /// The subject in the innermost view.
    pub span: Run,
}

/// One step of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// What was undone, such as `base64`.
    pub format: &'static str,
    /// Where the encoded text begins, in the view around it; none where the match's own span says
    /// so.
    pub at: Option<u64>,
}

impl Match {
    /// A match of `rule` with the rule's own severity and nothing else known.
    pub fn new(rule: &'static Rule, grade: Grade, subject: Subject, span: Run) -> Match {
        Match {
            rule,
            severity: rule.severity,
            grade,
            harmless: None,
            subject,
            span,
            facts: Facts::new(),
            decoded: None,
        }
    }

    /// Decoded from the bytes of its span by `format`, at `span` of the decoded view.
    #[must_use]
    pub fn decoded_by(mut self, format: &'static str, span: Run) -> Match {
        self.decoded = Some(Decoded { chain: vec![Step { format, at: None }], span });
        self
    }

    /// With one more fact; empty values are left out.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl Into<String>) -> Match {
        let value = value.into();
        if !value.is_empty() {
            self.facts.insert(name, value);
        }
        self
    }
}

/// Whether bytes belong to a live file, a deleted one, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// A live file.
    Live,
    /// A deleted file whose bytes were found through its metadata.
    Deleted,
    /// Bytes a file owns and does not show.
    Slack,
    /// Free space.
    Free,
    /// A filesystem's journal.
    Journal,
    /// A filesystem's own structures.
    Metadata,
    /// Swap space.
    Swap,
    /// Between partitions, or a partition of no known format.
    Gap,
    /// A format that is known and not read.
    Unparsed,
    /// Encrypted.
    Opaque,
}

impl State {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Deleted => "deleted",
            State::Slack => "slack",
            State::Free => "free",
            State::Journal => "journal",
            State::Metadata => "metadata",
            State::Swap => "swap",
            State::Gap => "gap",
            State::Unparsed => "unparsed",
            State::Opaque => "opaque",
        }
    }
}

/// Where a live file comes from, as the package database of its system has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provenance {
    /// A package installed it, and its bytes are still the same.
    Vendor,
    /// A package installed it, and its bytes are no longer the same.
    Modified,
    /// A package's configuration, which is there to be changed.
    Config,
    /// A package installed it; whether its bytes are the same could not be told.
    Unverified,
    /// No package installed it.
    Unowned,
}

impl Provenance {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Provenance::Vendor => "vendor",
            Provenance::Modified => "modified",
            Provenance::Config => "config",
            Provenance::Unverified => "unverified",
            Provenance::Unowned => "unowned",
        }
    }
}

/// What a live file is to the image that a manifest was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Descent {
    /// That image has it, with the same bytes.
    Inherited,
    /// That image has a file of this name, with other bytes.
    Changed,
    /// That image does not have it.
    Added,
}

impl Descent {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Descent::Inherited => "inherited",
            Descent::Changed => "changed",
            Descent::Added => "added",
        }
    }
}

/// One place of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where, with its span.
    pub locator: Locator,
    /// Line of text, counted from one, where that could be told.
    pub line: Option<u64>,
    /// Live, deleted, free …
    pub state: State,
    /// The same bytes on the target, in order; for a decoded view, the bytes it was decoded from.
    pub image_runs: Vec<(ImageNo, Run)>,
    /// The same bytes in the file itself, where it holds them as they are.
    pub file_run: Option<Run>,
    /// Where the file comes from, once that is known.
    pub provenance: Option<Provenance>,
    /// What the file is to the image that was named as the base.
    pub descent: Option<Descent>,
}

impl Place {
    /// A place of which nothing is known but where it is.
    pub fn new(locator: Locator, state: State) -> Place {
        let (line, image_runs) = (None, Vec::new());
        let (file_run, provenance, descent) = (None, None, None);
        Place { locator, line, state, image_runs, file_run, provenance, descent }
    }
}

/// The keyed fingerprint of a secret: the same under one key, worthless without it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One secret (or one fact) with all its places.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The best rule that found it.
    pub rule: &'static Rule,
    /// Other rules that found it too, sorted.
    pub also: Vec<&'static str>,
    /// How bad, as the best evidence has it.
    pub severity: Severity,
    /// How sure, as the best evidence has it.
    pub grade: Grade,
    /// Whether a parser that knows the file named it, rather than a signature.
    pub parsed: bool,
    /// Why it is harmless, when every match says so.
    pub harmless: Option<Harmless>,
    /// Keyed fingerprint of the subject.
    pub fingerprint: Fingerprint,
    /// What it is about.
    pub subject: Subject,
    /// What was read about it; several values of one name stand side by side.
    pub facts: BTreeMap<&'static str, Vec<String>>,
    /// Where, sorted by locator, at most [`crate::limits::PLACES_PER_FINDING`].
    pub places: Vec<Place>,
    /// How many places there are in all.
    pub place_count: u64,
}

/// The redacted form of a subject: up to four characters at either end of a long token, none of a
/// password, all of what is no secret.
pub fn preview(subject: &Subject) -> String {
    match subject {
        Subject::Fact(bytes) => printable(bytes),
        Subject::Password(secret) => format!("[{} bytes]", secret.expose().len()),
        Subject::Secret(secret) => {
            let bytes = secret.expose();
            if bytes.starts_with(b"-----BEGIN") {
                // However the lines are joined, nothing behind the label's closing dashes is shown.
                let label = bytes.get(5..).and_then(|rest| memchr::memmem::find(rest, b"-----"));
                let head = label.and_then(|end| bytes.get(..end + 10)).unwrap_or_default();
                let head = if head.len() <= LABEL_BYTES { head } else { b"-----BEGIN" };
                return format!("{} [{} bytes]", printable(head), bytes.len());
            }
            match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
                (Some(head), Some(tail)) if bytes.len() >= 20 && bytes.is_ascii() => {
                    format!("{}…{} [{} bytes]", printable(head), printable(tail), bytes.len())
                }
                _ => format!("[{} bytes]", bytes.len()),
            }
        }
    }
}

/// The longest label of a PEM block that is shown.
const LABEL_BYTES: usize = 48;

/// Bytes as text that cannot steer a terminal, at most 120 characters of it.
fn printable(bytes: &[u8]) -> String {
    let cut = bytes.get(..120).unwrap_or(bytes);
    crate::locator::Printable(cut).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new(*b"hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(7 bytes)");
        assert_eq!(preview(&Subject::Password(secret.clone())), "[7 bytes]");
        assert_eq!(preview(&Subject::Secret(secret)), "[7 bytes]");
    }

    #[test]
    fn a_key_on_one_line_shows_its_label_alone() {
        for body in [" MC4CAQAwBQYDK2Vw ", "MC4CAQAwBQYDK2Vw", "\\nMC4CAQAwBQYDK2Vw\\n"] {
            let block = format!("-----BEGIN PRIVATE KEY-----{body}-----END PRIVATE KEY-----");
            let shown = preview(&Subject::Secret(Secret::new(block.clone())));
            assert_eq!(shown, format!("-----BEGIN PRIVATE KEY----- [{} bytes]", block.len()));
        }
        let torn = preview(&Subject::Secret(Secret::new(*b"-----BEGINMC4CAQAwBQYDK2Vw")));
        assert_eq!(torn, " [26 bytes]");
    }

    #[test]
    fn a_long_token_shows_its_ends() {
        let token = [b"abcd".as_slice(), &[b'x'; 20], b"wxyz"].concat();
        assert_eq!(preview(&Subject::Secret(Secret::new(token))), "abcd…wxyz [28 bytes]");
    }
}
