//! A signature's entry in a file: the schema of `signatures/*.toml`, and what must hold of it.

use super::{Anchor, Boundary, Encodings, Example, Glob, Pair, Paths, Scope, intern, wrong};
use crate::detect::check::{Alphabet, Check, Placeholders};
use crate::detect::structure;
use crate::error::Result;
use crate::finding::Severity;
use crate::limits;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) schema: u32,
    pub(super) signature: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: toml::Spanned<String>,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) references: Vec<String>,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    pub(super) provider: String,
    pub(super) severity: String,
    pub(super) confidence: String,
    #[serde(default)]
    pub(super) subject: SubjectKind,
    pub(super) anchors: Vec<AnchorEntry>,
    #[serde(default)]
    pub(super) back: usize,
    #[serde(default)]
    pub(super) multiline: bool,
    pub(super) pattern: String,
    pub(super) max_len: usize,
    pub(super) boundary: Boundary,
    pub(super) encodings: Option<Vec<String>>,
    #[serde(default)]
    pub(super) paths: PathsEntry,
    #[serde(default)]
    pub(super) kinds: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) check: CheckEntry,
    pub(super) pair: Option<PairEntry>,
    #[serde(default)]
    pub(super) public_by_design: bool,
    pub(super) blast: Blast,
    pub(super) example: Vec<Example>,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SubjectKind {
    #[default]
    Secret,
    Password,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum AnchorEntry {
    Exact(String),
    Flagged(FlaggedAnchor),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlaggedAnchor {
    text: String,
    ignore_case: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PathsEntry {
    prefer: Vec<String>,
    only: Vec<String>,
    never: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckEntry {
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
pub(super) struct PairEntry {
    with: OneOrMore,
    #[serde(default = "twenty_lines")]
    within: String,
    #[serde(default)]
    scope: Vec<String>,
}

fn twenty_lines() -> String {
    "20L".to_owned()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Blast {
    pub(super) opens: String,
    pub(super) rotate: String,
    #[serde(default)]
    pub(super) reach: Vec<String>,
    pub(super) lifetime: Option<String>,
    pub(super) detect_use: Option<String>,
}

impl Entry {
    pub(super) fn validate(&self, severity: Severity) -> Result<()> {
        let id = self.id.get_ref().as_str();
        let short = |anchor: &AnchorEntry| anchor.text().len() < limits::ANCHOR_BYTES_MIN;
        if self.anchors.is_empty() || self.anchors.iter().any(short) {
            return Err(wrong("a signature needs anchors of three bytes or more", id));
        }
        if !(1..=limits::SIGNATURE_BYTES).contains(&self.max_len) {
            return Err(wrong("max_len is out of bounds: give 1 to 15360", id));
        }
        if self.back > limits::SIGNATURE_BACK_BYTES {
            let what = "the anchor stands too far behind the start: back is at most 512";
            return Err(wrong(what, id));
        }
        if self.references.is_empty() {
            return Err(wrong("a signature needs the issuer's page as reference", id));
        }
        if !self.pattern.contains("(?P<secret>") {
            return Err(wrong("the pattern has no group named secret: (?P<secret>…)", id));
        }
        if self.public_by_design && severity > Severity::Low {
            let what = "what is public by design has severity info or low";
            return Err(wrong(what, id));
        }
        Ok(())
    }

    pub(super) fn encodings(&self) -> Result<Encodings> {
        let Some(names) = &self.encodings else { return Ok(Encodings::ALL) };
        names.iter().try_fold(Encodings::NONE, |set, name| {
            set.and(name).ok_or_else(|| wrong("no such encoding", name))
        })
    }
}

impl AnchorEntry {
    fn text(&self) -> &str {
        match self {
            AnchorEntry::Exact(text) => text,
            AnchorEntry::Flagged(anchor) => &anchor.text,
        }
    }

    pub(super) fn into_anchor(self) -> Anchor {
        let text = self.text().as_bytes().into();
        let ignore_case = matches!(&self, AnchorEntry::Flagged(anchor) if anchor.ignore_case);
        Anchor { text, ignore_case }
    }
}

impl PathsEntry {
    pub(super) fn into_paths(self) -> Result<Paths> {
        let globs = |texts: Vec<String>| -> Result<Vec<Glob>> {
            let glob = |text: &String| {
                let what = "a glob is 1 to 256 bytes, and ** stands between slashes";
                Glob::new(text).ok_or_else(|| wrong(what, text))
            };
            texts.iter().map(glob).collect()
        };
        Ok(Paths {
            prefer: globs(self.prefer)?,
            only: globs(self.only)?,
            never: globs(self.never)?,
        })
    }
}

impl PairEntry {
    pub(super) fn into_pair(self) -> Result<Pair> {
        let with = match self.with {
            OneOrMore::One(id) => vec![id],
            OneOrMore::More(ids) => ids,
        };
        if with.is_empty() || with.iter().any(|id| !id.contains('.')) {
            return Err(wrong("pair.with names signatures by their ids", &with.join(", ")));
        }
        let lines = self.within.strip_suffix('L').and_then(|count| count.parse().ok());
        let lines = lines.filter(|count| (1..=limits::PAIR_LINES).contains(count));
        let what = "pair.within is a number of lines, 1L to 1000L";
        let lines = lines.ok_or_else(|| wrong(what, &self.within))?;
        let scopes = self.scope.iter().map(|name| {
            let what = "no such pair.scope: give ini-section, braces or file";
            Scope::named(name).ok_or_else(|| wrong(what, name))
        });
        Ok(Pair {
            with: with.iter().map(|id| intern(id)).collect(),
            lines,
            scopes: scopes.collect::<Result<_>>()?,
        })
    }
}

impl CheckEntry {
    pub(super) fn into_check(self) -> Result<Check> {
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
        let placeholders = self.placeholders.as_deref().unwrap_or("default");
        let placeholders = Placeholders::named(placeholders)
            .ok_or_else(|| wrong("no such placeholder list", placeholders))?;
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
