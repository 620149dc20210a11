//! A rule of another scanner, whatever its format, and the signature it becomes.

use super::Format;
use super::pattern::{self, Refusal, SecretAt};
use crate::detect::check::{Check, Placeholders};
use crate::detect::signature::{Allow, Draft, Example, Expect, Signature};
use crate::finding::{Grade, Severity};
use crate::limits;
use std::sync::Arc;

/// Characters of a title.
const TITLE_CHARS: usize = 76;

/// A rule as its author wrote it.
pub(super) struct Foreign {
    /// What the author calls it, for messages.
    pub(super) name: String,
    /// What it is to be called here.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) references: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) severity: Severity,
    pub(super) grade: Grade,
    pub(super) pattern: String,
    pub(super) secret: Secret,
    /// Words one of which the file holds, not necessarily the match.
    pub(super) keywords: Vec<String>,
    pub(super) entropy_min: f64,
    pub(super) min_classes: [usize; 4],
    pub(super) allow: Vec<Arc<Allow>>,
    pub(super) examples: Vec<String>,
    pub(super) negative_examples: Vec<String>,
}

/// Which part of a match is the secret.
pub(super) enum Secret {
    Whole,
    Number(u32),
    Name(String),
    First,
}

impl Foreign {
    /// A rule of which only name and pattern are known.
    pub(super) fn new(name: String, pattern: String) -> Foreign {
        Foreign {
            id: name.clone(),
            title: name.clone(),
            description: String::new(),
            name,
            references: Vec::new(),
            tags: Vec::new(),
            severity: Severity::High,
            grade: Grade::Plausible,
            pattern,
            secret: Secret::First,
            keywords: Vec::new(),
            entropy_min: 0.0,
            min_classes: [0; 4],
            allow: Vec::new(),
            examples: Vec::new(),
            negative_examples: Vec::new(),
        }
    }
}

/// The signature of a rule, and what of the rule is not kept.
pub(super) fn convert(
    file: &str,
    format: Format,
    foreign: Foreign,
) -> Result<(Signature, Vec<&'static str>), Refusal> {
    let secret = match &foreign.secret {
        Secret::Whole => SecretAt::Whole,
        Secret::Number(number) => SecretAt::Number(*number),
        Secret::Name(name) => SecretAt::Name(name),
        Secret::First => SecretAt::First,
    };
    let mut made = pattern::prepare(&foreign.pattern, secret)?;
    let in_match = |keyword: &String| {
        let keyword = keyword.to_ascii_lowercase();
        made.anchors.iter().any(|anchor| {
            let text = String::from_utf8_lossy(&anchor.text).to_ascii_lowercase();
            text.contains(&keyword) || keyword.contains(&text)
        })
    };
    if !foreign.keywords.is_empty() && !foreign.keywords.iter().any(in_match) {
        made.lost.push("keywords that need not stand in the match are not asked for");
    }
    let mut examples = Vec::new();
    for (texts, expect) in
        [(foreign.examples, Expect::Hit), (foreign.negative_examples, Expect::Miss)]
    {
        examples.extend(texts.iter().map(|text| Example::literal(text, expect)));
    }
    let check = Check {
        entropy_min: foreign.entropy_min,
        min_classes: foreign.min_classes,
        placeholders: Placeholders::All,
        ..Check::default()
    };
    let draft = Draft {
        file: file.to_owned(),
        id: foreign.id,
        title: one_line(&foreign.title),
        description: foreign.description,
        references: foreign.references,
        tags: foreign.tags,
        provider: format.name(),
        severity: foreign.severity,
        grade: foreign.grade,
        anchors: made.anchors,
        back: made.back,
        multiline: made.multiline,
        pattern: made.text,
        max_len: made.max_len,
        check,
        allow: foreign.allow,
        examples,
    };
    let signature = Signature::from_draft(draft);
    if !signature.compiles() {
        let limit = format!("{} bytes", limits::PATTERN_MEMORY_BYTES);
        return Err(Refusal::new("the compiled pattern is too large", limit));
    }
    Ok((signature, made.lost))
}

fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    if line.len() <= TITLE_CHARS {
        return line.to_owned();
    }
    let end = (0..=TITLE_CHARS).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", line.get(..end).unwrap_or_default())
}
