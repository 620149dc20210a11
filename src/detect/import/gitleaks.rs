//! gitleaks and betterleaks: TOML with `[[rules]]`
//! ([gitleaks](https://github.com/gitleaks/gitleaks#configuration),
//! [betterleaks](https://github.com/betterleaks/betterleaks/blob/main/docs/config.md)).

use super::dialect;
use super::fields::Fields;
use super::rule::{Foreign, Secret};
use super::{Loss, Reading};
use crate::detect::signature::{Allow, AllowTarget};
use crate::limits;
use serde_json::Value;
use std::sync::Arc;

/// An allow list for all rules, or for those it names.
struct Global {
    allow: Arc<Allow>,
    rules: Vec<String>,
}

pub(super) fn read(document: &Fields<'_>, reading: &mut Reading<'_>) {
    let _ = document.present(&["title", "description", "minVersion", "betterleaksMinVersion"]);
    for name in document.present(&["extend"]) {
        reading.remark(None, Loss::Part, "rules of another file are not read", name);
    }
    for name in document.present(&["prefilter", "filter"]) {
        reading.remark(None, Loss::Part, "a filter (CEL) is not evaluated", name);
    }
    let mut global = Vec::new();
    for name in ["allowlist", "allowlists"] {
        for value in document.objects(name) {
            let Some(fields) = Fields::of(value) else { continue };
            let rules = fields.texts("targetRules");
            let allow = allow_list(&fields, None, reading);
            global.extend(allow.map(|allow| Global { allow: Arc::new(allow), rules }));
        }
    }
    for value in reading.rules(document) {
        rule(value, &global, reading);
    }
    reading.name_rest(None, document);
}

fn rule(value: &Value, global: &[Global], reading: &mut Reading<'_>) {
    let Some(fields) = Fields::of(value) else {
        reading.remark(None, Loss::Rule, "a rule that is no table", "");
        return;
    };
    let Some(id) = fields.text("id").or_else(|| fields.text("description")) else {
        reading.remark(None, Loss::Rule, "a rule without id", "");
        return;
    };
    let Some(pattern) = fields.text("regex").filter(|regex| !regex.is_empty()) else {
        let path = fields.has("path");
        let what = if path { "a rule for paths alone" } else { "a rule without regex" };
        reading.remark(Some(&id), Loss::Rule, what, "");
        return;
    };
    if fields.is("skipReport", true) {
        let what = "a rule that reports nothing by itself";
        reading.remark(Some(&id), Loss::Rule, what, "skipReport");
        return;
    }
    let mut made = Foreign::new(id.clone(), pattern);
    made.description = fields.text("description").unwrap_or_default();
    if !made.description.is_empty() {
        made.title.clone_from(&made.description);
    }
    made.tags = fields.texts("tags");
    made.keywords = fields.texts("keywords");
    made.entropy_min = fields.number("entropy").unwrap_or(0.0);
    if let Some(number) = fields.count("secretGroup").and_then(|n| u32::try_from(n).ok()) {
        made.secret = if number == 0 { Secret::First } else { Secret::Number(number) };
    }
    unsupported(&id, &fields, reading);
    for name in ["allowlist", "allowlists"] {
        for value in fields.objects(name) {
            let list = Fields::of(value).and_then(|list| allow_list(&list, Some(&id), reading));
            made.allow.extend(list.map(Arc::new));
        }
    }
    let reaches = |list: &&Global| list.rules.is_empty() || list.rules.contains(&id);
    made.allow.extend(global.iter().filter(reaches).map(|list| Arc::clone(&list.allow)));
    reading.name_rest(Some(&id), &fields);
    reading.take(made);
}

fn unsupported(id: &str, fields: &Fields<'_>, reading: &mut Reading<'_>) {
    for (name, what) in [
        ("path", "a path is not asked for, the rule looks everywhere"),
        ("filter", "a filter (CEL) is not evaluated"),
        ("prefilter", "a filter (CEL) is not evaluated"),
        ("validate", "validation over the network is never done"),
        ("required", "other rules that must match nearby are not asked for"),
        ("tokenEfficiency", "token efficiency is not measured"),
        ("skipReport", "a field that is not known"),
    ] {
        for name in fields.present(&[name]) {
            reading.remark(Some(id), Loss::Part, what, name);
        }
    }
}

/// What of an allow list speaks of the match; the rest is named.
fn allow_list(fields: &Fields<'_>, rule: Option<&str>, reading: &mut Reading<'_>) -> Option<Allow> {
    let _ = fields.present(&["description", "targetRules", "id"]);
    let all = fields.text("condition").is_some_and(|c| matches!(c.as_str(), "AND" | "&&"));
    let elsewhere = fields.present(&["paths", "commits"]);
    let target = match fields.text("regexTarget").as_deref() {
        Some("match") => AllowTarget::Match,
        Some("line") => AllowTarget::Line,
        _ => AllowTarget::Secret,
    };
    let regexes = fields.texts("regexes");
    let stopwords = fields.texts("stopwords");
    reading.name_rest(rule, fields);
    if all && !elsewhere.is_empty() {
        let what = "an allow list that asks for paths or commits as well";
        reading.remark(rule, Loss::Part, what, &elsewhere.join(", "));
        return None;
    }
    for name in elsewhere {
        reading.remark(rule, Loss::Part, "allowed paths and commits are not asked for", name);
    }
    allow(&Wanted { regexes, stopwords, target, all }, rule, reading)
}

/// What an allow list asks for.
pub(super) struct Wanted {
    pub(super) regexes: Vec<String>,
    pub(super) stopwords: Vec<String>,
    pub(super) target: AllowTarget,
    pub(super) all: bool,
}

/// The allow list of what was wanted; `None` when it asks for nothing that can be asked.
pub(super) fn allow(
    wanted: &Wanted,
    rule: Option<&str>,
    reading: &mut Reading<'_>,
) -> Option<Allow> {
    let mut list = Allow::new(wanted.target, wanted.all);
    reading.allows += wanted.regexes.len() + wanted.stopwords.len();
    if reading.allows > limits::IMPORT_ALLOWS {
        reading.remark(rule, Loss::Part, "more allow lists than one file may have", "");
        return None;
    }
    for regex in &wanted.regexes {
        if list.pattern(&dialect::from_go(regex)).is_err() {
            let what = "the pattern of an allow list cannot be read";
            reading.remark(rule, Loss::Part, what, regex);
            // A list that asks for all it names cannot do without one of them.
            if wanted.all {
                return None;
            }
        }
    }
    wanted.stopwords.iter().for_each(|word| list.word(word));
    (!list.is_empty()).then_some(list)
}
