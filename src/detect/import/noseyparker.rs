//! Nosey Parker: YAML with `rules`
//! ([format](https://github.com/praetorian-inc/noseyparker/blob/main/docs/RULES.md)).

use super::fields::Fields;
use super::rule::Foreign;
use super::{Loss, Reading};

pub(super) fn read(document: &Fields<'_>, reading: &mut Reading<'_>) {
    for name in document.present(&["rulesets"]) {
        reading.remark(None, Loss::Part, "rule sets are not read, all rules are used", name);
    }
    for value in reading.rules(document) {
        let Some(fields) = Fields::of(value) else {
            reading.remark(None, Loss::Rule, "a rule that is no map", "");
            continue;
        };
        if let Some(made) = common(&fields, reading) {
            let name = made.name.clone();
            reading.name_rest(Some(&name), &fields);
            reading.take(made);
        }
    }
    reading.name_rest(None, document);
}

/// What the rules of Nosey Parker and Kingfisher have in common.
pub(super) fn common(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Option<Foreign> {
    let title = fields.text("name");
    let Some(id) = fields.text("id").or_else(|| title.clone()) else {
        reading.remark(None, Loss::Rule, "a rule without id", "");
        return None;
    };
    let Some(pattern) = fields.text("pattern") else {
        reading.remark(Some(&id), Loss::Rule, "a rule without pattern", "");
        return None;
    };
    let mut made = Foreign::new(id, pattern);
    made.title = title.unwrap_or_else(|| made.name.clone());
    made.description = fields.text("description").unwrap_or_default();
    made.references = fields.texts("references");
    made.tags = fields.texts("categories");
    made.examples = fields.texts("examples");
    made.negative_examples = fields.texts("negative_examples");
    Some(made)
}
