//! Rule files of other scanners, read at run time: gitleaks and betterleaks, Nosey Parker,
//! Kingfisher and Trivy. amisweep ships none of their rules.
//!
//! Which format a file has is told by what is in it. What amisweep does not do, and what it
//! cannot, is named in a remark: nothing is dropped without a word.

mod anchors;
mod dialect;
mod fields;
mod gitleaks;
mod kingfisher;
mod noseyparker;
mod pattern;
mod rule;
mod trivy;

use super::signature::{self, Signature};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use fields::Fields;
use pattern::Refusal;
use rule::Foreign;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Who wrote the format of a rule file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// amisweep itself: `docs/signatures.md`.
    Amisweep,
    /// gitleaks and its heir betterleaks, in TOML.
    Gitleaks,
    /// Nosey Parker, in YAML.
    NoseyParker,
    /// Kingfisher, in YAML.
    Kingfisher,
    /// Trivy's secret configuration, in YAML.
    Trivy,
}

impl Format {
    /// Its name, and the first word of the ids of its rules.
    pub fn name(self) -> &'static str {
        match self {
            Format::Amisweep => "amisweep",
            Format::Gitleaks => "gitleaks",
            Format::NoseyParker => "noseyparker",
            Format::Kingfisher => "kingfisher",
            Format::Trivy => "trivy",
        }
    }
}

/// What a remark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// A rule that is not used.
    Rule,
    /// A part of a rule or a file that is not read; the rule works without it.
    Part,
}

impl Loss {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Rule => "rule",
            Loss::Part => "part",
        }
    }
}

/// Something of a rule file that amisweep does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The rule by its author's name; `None` when it is about the file.
    pub rule: Option<String>,
    /// The line the rule's name stands in, when it can be told.
    pub line: Option<usize>,
    /// What is lost.
    pub loss: Loss,
    /// The phrase that remarks are counted by.
    pub what: &'static str,
    /// Particulars.
    pub detail: String,
}

/// What came of a rule file.
pub struct Rules {
    /// The file.
    pub file: String,
    /// Its format.
    pub format: Format,
    /// What can be used of it.
    pub signatures: Vec<Signature>,
    /// What cannot.
    pub remarks: Vec<Remark>,
}

impl Rules {
    /// The remarks by what they say, with their number.
    pub fn counts(&self) -> BTreeMap<(Loss, &'static str), usize> {
        let mut counts = BTreeMap::new();
        for remark in &self.remarks {
            *counts.entry((remark.loss, remark.what)).or_default() += 1;
        }
        counts
    }
}

/// Read a rule file; `name` is what it is called in messages. Every pattern is compiled, so that a
/// mistake shows here and not in the middle of a scan.
pub fn read(name: &str, text: &str) -> Result<Rules> {
    let document =
        if looks_like_toml(text) { toml_document(name, text)? } else { yaml(name, text)? };
    if document.get("signature").is_some() || document.get("schema").is_some() {
        let mut signatures = Vec::new();
        signature::read(name, text, &mut signatures)?;
        signatures.iter().try_for_each(|signature| signature.regex().map(|_| ()))?;
        let file = name.to_owned();
        return Ok(Rules { file, format: Format::Amisweep, signatures, remarks: Vec::new() });
    }
    let format = format_of(&document, looks_like_toml(text));
    let format = format.ok_or_else(|| unknown(name))?;
    let fields = Fields::of(&document).ok_or_else(|| unknown(name))?;
    let mut reading = Reading::new(name, text, format);
    match format {
        Format::Gitleaks => gitleaks::read(&fields, &mut reading),
        Format::NoseyParker => noseyparker::read(&fields, &mut reading),
        Format::Kingfisher => kingfisher::read(&fields, &mut reading),
        Format::Trivy => trivy::read(&fields, &mut reading),
        Format::Amisweep => {}
    }
    Ok(Rules { file: name.to_owned(), format, signatures: reading.made, remarks: reading.remarks })
}

/// TOML begins with a table or an assignment; YAML with neither.
fn looks_like_toml(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#'));
    first.is_some_and(|line| {
        let key = line.split(['=', ':', ' ']).next().unwrap_or_default();
        let assigns = line.get(key.len()..).is_some_and(|rest| rest.trim_start().starts_with('='));
        line.starts_with('[') || !key.is_empty() && assigns
    })
}

fn toml_document(name: &str, text: &str) -> Result<Value> {
    let what = "the rule file is no valid TOML";
    toml::from_str(text).map_err(|error| wrong(what, name).caused_by(error))
}

fn yaml(name: &str, text: &str) -> Result<Value> {
    let what = "the rule file is no valid YAML";
    serde_saphyr::from_str(text).map_err(|error| wrong(what, name).caused_by(error))
}

fn format_of(document: &Value, toml: bool) -> Option<Format> {
    let any = |names: &[&str]| names.iter().any(|name| document.get(name).is_some());
    let rules = document.get("rules").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let in_rules =
        |names: &[&str]| rules.iter().any(|rule| names.iter().any(|name| rule.get(name).is_some()));
    if toml {
        let known =
            in_rules(&["regex", "path", "id"]) || any(&["allowlist", "allowlists", "extend"]);
        return known.then_some(Format::Gitleaks);
    }
    let of_trivy = ["allow-rules", "disable-rules", "disable-allow-rules", "enable-builtin-rules"];
    if in_rules(&["regex"]) || any(&of_trivy) {
        return Some(Format::Trivy);
    }
    if !in_rules(&["pattern"]) {
        return None;
    }
    let own = in_rules(&kingfisher::OWN_FIELDS);
    let named = rules.iter().filter_map(|rule| rule.get("id")?.as_str());
    let kingfisher = own || named.into_iter().any(|id| id.starts_with("kingfisher."));
    Some(if kingfisher { Format::Kingfisher } else { Format::NoseyParker })
}

fn unknown(name: &str) -> Error {
    wrong(
        "no known rule file: give one of amisweep (docs/signatures.md), gitleaks, betterleaks, \
         Nosey Parker, Kingfisher or Trivy",
        name,
    )
}

fn wrong(what: &'static str, detail: &str) -> Error {
    Error::new(ErrorKind::Usage, what).detail(detail)
}

/// A file that is being read.
struct Reading<'a> {
    file: &'a str,
    text: &'a str,
    format: Format,
    made: Vec<Signature>,
    remarks: Vec<Remark>,
    ids: BTreeSet<String>,
    allows: usize,
}

impl<'a> Reading<'a> {
    fn new(file: &'a str, text: &'a str, format: Format) -> Reading<'a> {
        Reading {
            file,
            text,
            format,
            made: Vec::new(),
            remarks: Vec::new(),
            ids: BTreeSet::new(),
            allows: 0,
        }
    }

    /// Every rule of the file, up to the number that is allowed.
    fn rules<'b>(&mut self, document: &Fields<'b>) -> Vec<&'b Value> {
        let mut rules = document.objects("rules");
        if rules.len() > limits::IMPORT_RULES {
            let more = rules.len() - limits::IMPORT_RULES;
            rules.truncate(limits::IMPORT_RULES);
            for _ in 0..more {
                self.remark(None, Loss::Rule, "more rules than one file may have", "");
            }
        }
        rules
    }

    /// Name the fields nobody reads.
    fn name_rest(&mut self, rule: Option<&str>, fields: &Fields<'_>) {
        for name in fields.rest() {
            self.remark(rule, Loss::Part, "a field that is not known", name);
        }
    }

    fn remark(&mut self, rule: Option<&str>, loss: Loss, what: &'static str, detail: &str) {
        let line = rule.and_then(|rule| self.line_of(rule));
        let rule = rule.map(str::to_owned);
        self.remarks.push(Remark { rule, line, loss, what, detail: detail.to_owned() });
    }

    /// The first line that gives a rule this name.
    fn line_of(&self, rule: &str) -> Option<usize> {
        let names = |line: &str| {
            let line = line.trim_start().trim_start_matches("- ").trim_start();
            let Some((key, value)) = line.split_once([':', '=']) else { return false };
            let key = key.trim().trim_matches('"');
            let value = value.split(" #").next().unwrap_or_default();
            (key == "id" || key == "name") && value.trim().trim_matches(['"', '\'']) == rule
        };
        self.text.lines().position(names).map(|at| at + 1)
    }

    /// Make a signature of a rule, or say why it cannot be.
    fn take(&mut self, mut foreign: Foreign) {
        foreign.id = self.unused_id(&foreign.id);
        let name = foreign.name.clone();
        match rule::convert(self.file, self.format, foreign) {
            Ok((signature, lost)) => {
                for what in lost {
                    self.remark(Some(&name), Loss::Part, what, "");
                }
                self.made.push(signature);
            }
            Err(Refusal { what, detail }) => {
                self.remark(Some(&name), Loss::Rule, what, &detail);
            }
        }
    }

    /// `name` as an id of ours that no other rule of the file has.
    fn unused_id(&mut self, name: &str) -> String {
        let prefix = format!("{}.", self.format.name());
        let mut id = String::new();
        for c in name.chars().take(120) {
            let kept = c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            id.push(if kept { c.to_ascii_lowercase() } else { '-' });
        }
        let id = if id.starts_with(&prefix) { id } else { format!("{prefix}{id}") };
        let numbered = (2..).map(|number| format!("{id}-{number}"));
        let free = std::iter::once(id.clone()).chain(numbered).find(|id| !self.ids.contains(id));
        let free = free.unwrap_or(id);
        self.ids.insert(free.clone());
        free
    }
}
