//! Kingfisher 1.x: YAML with `rules`, as Nosey Parker's with more fields
//! ([format](https://github.com/mongodb/kingfisher/blob/main/docs/RULES.md)).

use super::fields::Fields;
use super::gitleaks::{Wanted, allow};
use super::noseyparker;
use super::rule::{Foreign, Secret};
use super::{Loss, Reading};
use crate::detect::signature::AllowTarget;
use crate::finding::Grade;
use std::sync::Arc;

/// Fields that Nosey Parker's rules do not have.
pub(super) const OWN_FIELDS: [&str; 8] = [
    "min_entropy",
    "confidence",
    "visible",
    "depends_on_rule",
    "pattern_requirements",
    "validation",
    "revocation",
    "prevalidated",
];

pub(super) fn read(document: &Fields<'_>, reading: &mut Reading<'_>) {
    for value in reading.rules(document) {
        let Some(fields) = Fields::of(value) else {
            reading.remark(None, Loss::Rule, "a rule that is no map", "");
            continue;
        };
        if let Some(made) = noseyparker::common(&fields, reading) {
            rule(made, &fields, reading);
        }
    }
    reading.name_rest(None, document);
}

fn rule(mut made: Foreign, fields: &Fields<'_>, reading: &mut Reading<'_>) {
    let name = made.name.clone();
    if fields.is("visible", false) {
        let what = "a rule that reports nothing by itself";
        reading.remark(Some(&name), Loss::Rule, what, "visible: false");
        return;
    }
    made.entropy_min = fields.number("min_entropy").unwrap_or(0.0);
    if fields.text("confidence").as_deref() == Some("low") {
        made.grade = Grade::Weak;
    }
    // The group of that name is the secret, whichever its place.
    if made.pattern.contains("(?P<TOKEN>") || made.pattern.contains("(?<TOKEN>") {
        made.secret = Secret::Name("TOKEN".to_owned());
    }
    let _ = fields.present(&["visible", "prevalidated"]);
    for (field, what) in [
        ("validation", "validation over the network is never done"),
        ("revocation", "nothing is revoked"),
        ("depends_on_rule", "other rules that must match nearby are not asked for"),
        ("path", "a path is not asked for, the rule looks everywhere"),
    ] {
        for field in fields.present(&[field]) {
            reading.remark(Some(&name), Loss::Part, what, field);
        }
    }
    if let Some(asked) = fields.get("pattern_requirements").and_then(Fields::of) {
        requirements(&mut made, &asked, reading);
    }
    reading.name_rest(Some(&name), fields);
    reading.take(made);
}

fn requirements(made: &mut Foreign, asked: &Fields<'_>, reading: &mut Reading<'_>) {
    let name = made.name.clone();
    let least = |field| asked.count(field).unwrap_or(0);
    made.min_classes = [
        least("min_digits"),
        least("min_lowercase"),
        least("min_uppercase"),
        least("min_special_chars"),
    ];
    let stopwords = asked.texts("ignore_if_contains");
    if !stopwords.is_empty() {
        let target = AllowTarget::Secret;
        let wanted = Wanted { regexes: Vec::new(), stopwords, target, all: false };
        made.allow.extend(allow(&wanted, Some(&name), reading).map(Arc::new));
    }
    for field in asked.present(&["special_chars"]) {
        let what = "every character that is no letter or digit counts as special";
        reading.remark(Some(&name), Loss::Part, what, field);
    }
    for field in asked.present(&["checksum"]) {
        reading.remark(Some(&name), Loss::Part, "a checksum is not computed", field);
    }
    reading.name_rest(Some(&name), asked);
}
