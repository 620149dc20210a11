//! Trivy's secret configuration: YAML with `rules` and `allow-rules`
//! ([format](https://trivy.dev/docs/latest/scanner/secret/)).

use super::fields::Fields;
use super::gitleaks::{Wanted, allow};
use super::rule::{Foreign, Secret};
use super::{Loss, Reading};
use crate::detect::signature::{Allow, AllowTarget};
use crate::finding::Severity;
use serde_json::Value;
use std::sync::Arc;

pub(super) fn read(document: &Fields<'_>, reading: &mut Reading<'_>) {
    let builtin = ["enable-builtin-rules", "disable-allow-rules"];
    for name in document.present(&builtin) {
        let what = "rules that Trivy comes with are not there to be chosen from";
        reading.remark(None, Loss::Part, what, name);
    }
    let disabled = document.texts("disable-rules");
    if document.has("exclude-block") {
        let _ = document.get("exclude-block");
        let what = "excluded blocks are not looked for";
        reading.remark(None, Loss::Part, what, "exclude-block");
    }
    let global: Vec<Arc<Allow>> = document
        .objects("allow-rules")
        .into_iter()
        .filter_map(|v| allowed(v, None, reading))
        .collect();
    for value in reading.rules(document) {
        rule(value, &global, &disabled, reading);
    }
    reading.name_rest(None, document);
}

fn rule(value: &Value, global: &[Arc<Allow>], disabled: &[String], reading: &mut Reading<'_>) {
    let Some(fields) = Fields::of(value) else {
        reading.remark(None, Loss::Rule, "a rule that is no map", "");
        return;
    };
    let Some(id) = fields.text("id") else {
        reading.remark(None, Loss::Rule, "a rule without id", "");
        return;
    };
    if disabled.contains(&id) {
        reading.remark(Some(&id), Loss::Rule, "the file itself disables the rule", "");
        return;
    }
    let Some(pattern) = fields.text("regex") else {
        reading.remark(Some(&id), Loss::Rule, "a rule without regex", "");
        return;
    };
    let mut made = Foreign::new(id.clone(), pattern);
    made.title = fields.text("title").unwrap_or_else(|| id.clone());
    made.tags = fields.texts("category");
    made.keywords = fields.texts("keywords");
    made.severity = match fields.text("severity").map(|s| s.to_ascii_lowercase()).as_deref() {
        None => Severity::High,
        Some(name) => Severity::from_name(name).unwrap_or(Severity::Medium),
    };
    made.secret = fields.text("secret-group-name").map_or(Secret::Whole, Secret::Name);
    for (field, what) in [
        ("path", "a path is not asked for, the rule looks everywhere"),
        ("exclude-block", "excluded blocks are not looked for"),
    ] {
        for field in fields.present(&[field]) {
            reading.remark(Some(&id), Loss::Part, what, field);
        }
    }
    for value in fields.objects("allow-rules") {
        made.allow.extend(allowed(value, Some(&id), reading));
    }
    made.allow.extend(global.iter().cloned());
    reading.name_rest(Some(&id), &fields);
    reading.take(made);
}

fn allowed(value: &Value, rule: Option<&str>, reading: &mut Reading<'_>) -> Option<Arc<Allow>> {
    let fields = Fields::of(value)?;
    let _ = fields.present(&["id", "description"]);
    let regexes = fields.texts("regex");
    for name in fields.present(&["path"]) {
        reading.remark(rule, Loss::Part, "allowed paths and commits are not asked for", name);
    }
    reading.name_rest(rule, &fields);
    let wanted = Wanted { regexes, stopwords: Vec::new(), target: AllowTarget::Match, all: false };
    allow(&wanted, rule, reading).map(Arc::new)
}
