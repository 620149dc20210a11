//! A signature: what one kind of credential looks like, how bad it is, and how to take it out of
//! use. Signatures stand in `signatures/`, one TOML file per issuer.

use super::check::{Alphabet, Check};
use super::program::Program;
use super::structure;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Grade, Rule, Severity};
use crate::limits;
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock};

/// The version of the file format.
const SCHEMA: u32 = 1;

/// A signature that was read from its file.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Signature {
    /// What it says of everything it finds.
    pub rule: &'static Rule,
    /// Where it was read from and what people may want to know of it.
    pub about: About,
    /// The literals one of which every match holds.
    pub anchors: Vec<Anchor>,
    /// How many bytes before the anchor a match may begin.
    pub back: usize,
    /// Whether a match may hold line breaks. Otherwise it is one line of ASCII text, and nobody
    /// looks further than its end.
    pub multiline: bool,
    /// The pattern as it stands in the file.
    pub pattern: String,
    /// The longest match.
    pub max_len: usize,
    /// What may stand beside the secret.
    pub boundary: Boundary,
    /// What the secret's characters must be like.
    pub check: Check,
    /// The prior: how sure a match is when nothing else speaks for or against it.
    pub grade: Grade,
    /// Whether the secret is a password that a person chose.
    pub password: bool,
    /// Named groups of the pattern that become facts.
    pub groups: Vec<&'static str>,
    /// What a secret's first bytes say of its kind.
    pub kinds: Vec<(Vec<u8>, &'static str)>,
    /// The examples and counter-examples.
    pub examples: Vec<Example>,
    pub(super) starts_with_secret: bool,
    /// Whether a match is a block between a first and a last line with dashes.
    pub(super) armoured: bool,
    compiled: OnceLock<Option<Regex>>,
    program: OnceLock<Option<Program>>,
}

/// What the file says for people.
#[derive(Clone, Debug)]
pub struct About {
    /// The file.
    pub file: String,
    /// What the credential is, in a sentence.
    pub description: String,
    /// The issuer's own pages.
    pub references: Vec<String>,
    /// Words to select signatures by.
    pub tags: Vec<String>,
    /// Who issues it.
    pub provider: String,
    /// What it opens.
    pub opens: String,
}

/// A literal that every match holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The literal.
    pub text: Box<[u8]>,
    /// Whether upper and lower case are the same.
    pub ignore_case: bool,
}

impl Anchor {
    /// Whether it stands at `at` in `bytes`.
    pub fn stands_at(&self, bytes: &[u8], at: usize) -> bool {
        let end = at.saturating_add(self.text.len());
        bytes.get(at..end).is_some_and(|there| self.equals(there))
    }

    fn equals(&self, there: &[u8]) -> bool {
        *self.text == *there || self.ignore_case && self.text.eq_ignore_ascii_case(there)
    }

    /// What follows the anchor when `bytes` begin with it.
    pub(super) fn strip_from<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (head, tail) = bytes.split_at_checked(self.text.len())?;
        self.equals(head).then_some(tail)
    }
}

/// What may stand beside the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boundary {
    /// No character of a word on either side, nor one of the secret's alphabet after it.
    Token,
    /// The same, on the right side only.
    Right,
    /// Anything.
    None,
}

/// Text that is made from a template, and what the signature must say of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The template, as [`super::example`] reads it.
    #[serde(rename = "gen")]
    pub template: String,
    /// What must come of it.
    pub expect: Expect,
    /// What must be read from it.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// What a signature must say of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// A match that is not harmless.
    Hit,
    /// A match that is judged harmless.
    Noted,
    /// No match.
    Miss,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    signature: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    title: String,
    description: String,
    references: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    provider: String,
    severity: String,
    confidence: String,
    #[serde(default)]
    subject: SubjectKind,
    anchors: Vec<AnchorEntry>,
    #[serde(default)]
    back: usize,
    #[serde(default)]
    multiline: bool,
    pattern: String,
    max_len: usize,
    boundary: Boundary,
    #[serde(default)]
    kinds: BTreeMap<String, String>,
    #[serde(default)]
    check: CheckEntry,
    blast: Blast,
    example: Vec<Example>,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SubjectKind {
    #[default]
    Secret,
    Password,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AnchorEntry {
    Exact(String),
    Flagged(FlaggedAnchor),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlaggedAnchor {
    text: String,
    ignore_case: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckEntry {
    #[serde(default)]
    entropy_min: f64,
    alphabet: Option<String>,
    #[serde(default)]
    min_classes: Classes,
    #[serde(default)]
    distinct_min: usize,
    structure: Option<String>,
    placeholders: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Classes {
    digit: usize,
    lower: usize,
    upper: usize,
    symbol: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Blast {
    opens: String,
    rotate: String,
}

/// Read the signatures of one file and add them to `into`.
pub(super) fn read(name: &str, text: &str, into: &mut Vec<Signature>) -> Result<()> {
    let file: File = toml::from_str(text)
        .map_err(|error| wrong("the file does not follow the schema", name).caused_by(error))?;
    if file.schema != SCHEMA {
        return Err(wrong("the schema of the file is not known", name));
    }
    for entry in file.signature {
        into.push(Signature::new(name, entry)?);
    }
    Ok(())
}

/// Ids are what baselines and joins hold on to: two signatures of one id are a mistake.
pub(super) fn refuse_twins(sorted: &[Signature]) -> Result<()> {
    for pair in sorted.windows(2) {
        if let [a, b] = pair
            && a.rule.id == b.rule.id
        {
            return Err(wrong("two signatures have one id", a.rule.id));
        }
    }
    Ok(())
}

fn wrong(what: &'static str, detail: &str) -> Error {
    Error::new(ErrorKind::Usage, what).detail(detail)
}

impl Signature {
    fn new(file: &str, entry: Entry) -> Result<Signature> {
        let id = entry.id.clone();
        entry.validate()?;
        let severity = Severity::from_name(&entry.severity)
            .ok_or_else(|| wrong("no such severity", &entry.severity))?;
        let grade = Grade::from_name(&entry.confidence)
            .ok_or_else(|| wrong("no such confidence", &entry.confidence))?;
        let starts_with_secret = entry.back == 0 && entry.pattern.starts_with("(?P<secret>");
        let rule = Rule {
            id: intern(&id),
            title: intern(&entry.title),
            severity,
            rotate: intern(&entry.blast.rotate),
        };
        let kinds = entry.kinds.iter().map(|(key, kind)| (key.clone().into_bytes(), intern(kind)));
        Ok(Signature {
            rule: intern_rule(rule),
            anchors: entry.anchors.into_iter().map(AnchorEntry::into_anchor).collect(),
            back: entry.back,
            multiline: entry.multiline,
            max_len: entry.max_len,
            boundary: entry.boundary,
            check: entry.check.into_check()?,
            grade,
            password: entry.subject == SubjectKind::Password,
            groups: group_names(&entry.pattern),
            kinds: kinds.collect(),
            examples: entry.example,
            starts_with_secret,
            armoured: entry.back == 0
                && entry.pattern.starts_with("(?P<secret>-----BEGIN ")
                && entry.pattern.contains("-----END "),
            compiled: OnceLock::new(),
            program: OnceLock::new(),
            pattern: entry.pattern,
            about: About {
                file: file.to_owned(),
                description: entry.description,
                references: entry.references,
                tags: entry.tags,
                provider: entry.provider,
                opens: entry.blast.opens,
            },
        })
    }

    /// The compiled pattern. Patterns are compiled when first needed: most signatures have no
    /// candidate in most images.
    pub fn regex(&self) -> Result<&Regex> {
        self.compiled
            .get_or_init(|| self.compile())
            .as_ref()
            .ok_or_else(|| wrong("the pattern does not compile", self.rule.id))
    }

    /// The pattern as a program, if it has one; made when first needed, like the regular
    /// expression.
    pub(super) fn program(&self) -> Option<&Program> {
        self.program.get_or_init(|| Program::new(self)).as_ref()
    }

    /// Leave everything to the regular expression.
    pub(super) fn without_program(&mut self) {
        self.program = OnceLock::from(None);
        self.armoured = false;
    }

    /// The pattern taken apart.
    pub(super) fn parse(&self) -> Result<Hir> {
        ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(&self.pattern)
            .map_err(|error| wrong("the pattern does not compile", self.rule.id).caused_by(error))
    }

    fn compile(&self) -> Option<Regex> {
        let start = if self.back == 0 { r"\A" } else { "" };
        let pattern = format!("{start}(?:{})", self.pattern);
        RegexBuilder::new(&pattern).unicode(false).build().ok()
    }
}

impl Entry {
    fn validate(&self) -> Result<()> {
        let id = self.id.as_str();
        let short = |anchor: &AnchorEntry| anchor.text().len() < 3;
        if self.anchors.is_empty() || self.anchors.iter().any(short) {
            return Err(wrong("a signature needs anchors of three bytes or more", id));
        }
        if !(1..=limits::SIGNATURE_BYTES).contains(&self.max_len) {
            return Err(wrong("max_len is out of bounds", id));
        }
        if self.back > limits::SIGNATURE_BACK_BYTES {
            return Err(wrong("the anchor stands too far behind the start", id));
        }
        if self.references.is_empty() {
            return Err(wrong("a signature needs the issuer's page as reference", id));
        }
        if !self.pattern.contains("(?P<secret>") {
            return Err(wrong("the pattern has no group named secret", id));
        }
        Ok(())
    }
}

impl AnchorEntry {
    fn text(&self) -> &str {
        match self {
            AnchorEntry::Exact(text) => text,
            AnchorEntry::Flagged(anchor) => &anchor.text,
        }
    }

    fn into_anchor(self) -> Anchor {
        let text = self.text().as_bytes().into();
        let ignore_case = matches!(&self, AnchorEntry::Flagged(anchor) if anchor.ignore_case);
        Anchor { text, ignore_case }
    }
}

impl CheckEntry {
    fn into_check(self) -> Result<Check> {
        let alphabet = match &self.alphabet {
            Some(name) => {
                Some(Alphabet::named(name).ok_or_else(|| wrong("no such alphabet", name))?)
            }
            None => None,
        };
        let structure = match &self.structure {
            Some(name) => {
                Some(structure::named(name).ok_or_else(|| wrong("no such structure", name))?)
            }
            None => None,
        };
        let placeholders = match self.placeholders.as_deref() {
            None | Some("default") => true,
            Some("none") => false,
            Some(other) => return Err(wrong("no such placeholder list", other)),
        };
        let Classes { digit, lower, upper, symbol } = self.min_classes;
        Ok(Check {
            entropy_min: self.entropy_min,
            alphabet,
            min_classes: [digit, lower, upper, symbol],
            distinct_min: self.distinct_min,
            structure,
            placeholders,
        })
    }
}

/// The named groups of a pattern, without the secret itself.
fn group_names(pattern: &str) -> Vec<&'static str> {
    let names = pattern.split("(?P<").skip(1).filter_map(|rest| Some(rest.split_once('>')?.0));
    names.filter(|name| *name != "secret").map(intern).collect()
}

/// Rules and fact names live as long as the process and are shared by every engine in it, so that
/// loading twice takes no more memory than loading once.
fn intern(text: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(text) = known.get(text) {
        return text;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    known.insert(kept);
    kept
}

fn intern_rule(rule: Rule) -> &'static Rule {
    static KNOWN: Mutex<Vec<&'static Rule>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(same) = known.iter().find(|other| ***other == rule) {
        return same;
    }
    let kept: &'static Rule = Box::leak(Box::new(rule));
    known.push(kept);
    kept
}
