//! A signature: what one kind of credential looks like, how bad it is, and how to take it out of
//! use. Signatures stand in `signatures/`, one TOML file per issuer.

mod allow;
mod draft;
mod entry;
mod paths;
mod place;

pub use allow::{Allow, AllowTarget};
pub(super) use draft::Draft;
pub use paths::{Glob, Paths};
pub use place::{Encoding, Encodings, Pair, Scope};

use super::check::Check;
use super::class::ByteSet;
use super::filter::Filter;
use super::program::Program;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Grade, Rule, Severity};
use crate::limits;
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};

use entry::{AnchorEntry, Entry, File, PairEntry, SubjectKind};

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
    /// What anchors begin with.
    pub(super) anchor_heads: ByteSet,
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
    /// The encodings its matches are looked for in, besides plain bytes.
    pub encodings: Encodings,
    /// What a file's path says of a match in it.
    pub paths: Paths,
    /// What a match is joined with.
    pub pair: Option<Pair>,
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
    /// What the author of an imported rule allows.
    pub allow: Vec<Arc<Allow>>,
    /// What of the secret its checks look at.
    pub(super) measured: Measured,
    pub(super) starts_with_secret: bool,
    /// Whether a match is a block between a first and a last line with dashes.
    pub(super) armoured: bool,
    compiled: OnceLock<Result<Regex, regex::Error>>,
    program: OnceLock<Option<Program>>,
    tail: OnceLock<Option<Program>>,
    filter: OnceLock<Option<Filter>>,
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
    /// What can be reached with it.
    pub reach: Vec<String>,
    /// How long it works, such as `until-rotated`.
    pub lifetime: Option<String>,
    /// Where its use shows.
    pub detect_use: Option<String>,
    /// Whether it is meant to be seen by everybody.
    pub public_by_design: bool,
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

    /// Its bytes as classes.
    pub(super) fn classes(&self) -> Vec<ByteSet> {
        let class = if self.ignore_case { ByteSet::either_case } else { ByteSet::of };
        self.text.iter().map(|byte| class(*byte)).collect()
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

/// What of a secret is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// What follows its anchor.
    Body,
    /// All of it, as other scanners do.
    Whole,
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

impl Example {
    /// An example that is the text itself.
    pub(super) fn literal(text: &str, expect: Expect) -> Example {
        let template = text.replace('{', "{{").replace('}', "}}");
        Example { template, expect, facts: BTreeMap::new() }
    }
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

/// Read the signatures of one file and add them to `into`.
pub(super) fn read(name: &str, text: &str, into: &mut Vec<Signature>) -> Result<()> {
    let file: File = toml::from_str(text).map_err(|error| {
        wrong("the file does not follow the schema of docs/signatures.md", name).caused_by(error)
    })?;
    if file.schema != SCHEMA {
        return Err(wrong("the schema of the file is not known: write schema = 1", name));
    }
    for entry in file.signature {
        let line = line_of(text, entry.id.span().start);
        let at = |error: Error| error.named(&format!("{name}:{line}"));
        into.push(Signature::new(name, entry).map_err(at)?);
    }
    Ok(())
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Ids are what baselines and joins hold on to: two signatures of one id are a mistake.
pub(super) fn refuse_twins(sorted: &[Signature]) -> Result<()> {
    for pair in sorted.windows(2) {
        if let [a, b] = pair
            && a.rule.id == b.rule.id
        {
            let files = format!("{} in {} and {}", a.rule.id, a.about.file, b.about.file);
            return Err(wrong("two signatures have one id: rename one", &files));
        }
    }
    Ok(())
}

fn wrong(what: &'static str, detail: &str) -> Error {
    Error::new(ErrorKind::Usage, what).detail(detail)
}

impl Signature {
    fn new(file: &str, entry: Entry) -> Result<Signature> {
        let severity = Severity::from_name(&entry.severity)
            .ok_or_else(|| wrong("no such severity", &entry.severity))?;
        let grade = Grade::from_name(&entry.confidence)
            .ok_or_else(|| wrong("no such confidence", &entry.confidence))?;
        entry.validate(severity)?;
        let encodings = entry.encodings()?;
        let id = entry.id.into_inner();
        let starts_with_secret = entry.back == 0 && entry.pattern.starts_with("(?P<secret>");
        let rule = Rule {
            id: intern(&id),
            title: intern(&entry.title),
            severity,
            rotate: intern(&entry.blast.rotate),
        };
        let kinds = entry.kinds.iter().map(|(key, kind)| (key.clone().into_bytes(), intern(kind)));
        let anchors: Vec<Anchor> =
            entry.anchors.into_iter().map(AnchorEntry::into_anchor).collect();
        Ok(Signature {
            rule: intern_rule(rule),
            anchor_heads: heads(&anchors),
            anchors,
            back: entry.back,
            multiline: entry.multiline,
            max_len: entry.max_len,
            boundary: entry.boundary,
            encodings,
            paths: entry.paths.into_paths()?,
            pair: entry.pair.map(PairEntry::into_pair).transpose()?,
            check: entry.check.into_check()?,
            grade,
            password: entry.subject == SubjectKind::Password,
            groups: group_names(&entry.pattern),
            kinds: kinds.collect(),
            examples: entry.example,
            allow: Vec::new(),
            measured: Measured::Body,
            starts_with_secret,
            armoured: entry.back == 0
                && entry.pattern.starts_with("(?P<secret>-----BEGIN ")
                && entry.pattern.contains("-----END "),
            compiled: OnceLock::new(),
            program: OnceLock::new(),
            tail: OnceLock::new(),
            filter: OnceLock::new(),
            pattern: entry.pattern,
            about: About {
                file: file.to_owned(),
                description: entry.description,
                references: entry.references,
                tags: entry.tags,
                provider: entry.provider,
                opens: entry.blast.opens,
                reach: entry.blast.reach,
                lifetime: entry.blast.lifetime,
                detect_use: entry.blast.detect_use,
                public_by_design: entry.public_by_design,
            },
        })
    }

    /// The compiled pattern. Patterns are compiled when first needed: most signatures have no
    /// candidate in most images.
    pub fn regex(&self) -> Result<&Regex> {
        self.compiled.get_or_init(|| self.compile()).as_ref().map_err(|error| {
            let place = format!("{}: {}", self.about.file, self.rule.id);
            wrong("the pattern does not compile", &place).caused_by(error.clone())
        })
    }

    /// The pattern as a program, if it has one; made when first needed, like the regular
    /// expression.
    pub(super) fn program(&self) -> Option<&Program> {
        self.program.get_or_init(|| Program::new(self)).as_ref()
    }

    /// What every match has behind its anchor, as far as it has a program; made when first needed.
    pub(super) fn tail(&self) -> Option<&Program> {
        self.tail.get_or_init(|| Program::behind_anchor(self)).as_ref()
    }

    /// Whether a match begins where a token does: at an anchor with no character of a word before it.
    pub(super) fn starts_at_edge(&self) -> bool {
        self.starts_with_secret && self.boundary == Boundary::Token
    }

    /// What tells most candidates that are none by their first bytes; made when first needed.
    pub(super) fn filter(&self) -> Option<&Filter> {
        self.filter.get_or_init(|| Filter::new(self)).as_ref()
    }

    /// Leave everything to the regular expression.
    pub(super) fn without_program(&mut self) {
        self.program = OnceLock::from(None);
        self.tail = OnceLock::from(None);
        self.filter = OnceLock::from(None);
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

    /// Whether the pattern compiles. Nothing is kept: of a thousand rules few find a candidate.
    pub(super) fn compiles(&self) -> bool {
        self.compile().is_ok()
    }

    fn compile(&self) -> Result<Regex, regex::Error> {
        let start = if self.back == 0 { r"\A" } else { "" };
        let pattern = format!("{start}(?:{})", self.pattern);
        RegexBuilder::new(&pattern).unicode(false).size_limit(limits::PATTERN_MEMORY_BYTES).build()
    }
}

/// What any of the anchors begins with.
fn heads(anchors: &[Anchor]) -> ByteSet {
    let heads =
        anchors.iter().filter_map(|anchor| Some((*anchor.text.first()?, anchor.ignore_case)));
    heads.fold(ByteSet::EMPTY, |all, (head, ignore_case)| {
        all.union(if ignore_case { ByteSet::either_case(head) } else { ByteSet::of(head) })
    })
}

/// The named groups of a pattern, without the secret itself.
fn group_names(pattern: &str) -> Vec<&'static str> {
    let names = pattern.split("(?P<").skip(1).filter_map(|rest| Some(rest.split_once('>')?.0));
    names.filter(|name| *name != "secret").map(intern).collect()
}

/// Rules and fact names live as long as the process and are shared by every engine in it, so that
/// loading twice takes no more memory than loading once.
pub(super) fn intern(text: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(text) = known.get(text) {
        return text;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    known.insert(kept);
    kept
}

pub(super) fn intern_rule(rule: Rule) -> &'static Rule {
    static KNOWN: Mutex<Vec<&'static Rule>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(same) = known.iter().find(|other| ***other == rule) {
        return same;
    }
    let kept: &'static Rule = Box::leak(Box::new(rule));
    known.push(kept);
    kept
}
