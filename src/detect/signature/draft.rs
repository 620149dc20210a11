//! A signature that comes from no file of ours.

use super::{About, Allow, Anchor, Boundary, Encodings, Example, Paths, Signature};
use super::{Measured, heads, intern, intern_rule};
use crate::detect::check::Check;
use crate::finding::{Grade, Rule, Severity};
use std::sync::{Arc, OnceLock};

/// What people are told to do about a secret of which only the pattern is known.
const ROTATE: &str = "Revoke it where it was issued, then look at what it was used for.";

/// What such a secret opens.
const OPENS: &str = "What the rule's author had in mind; the rule file does not say.";

/// What a rule of another scanner says of itself.
pub(in crate::detect) struct Draft {
    pub(in crate::detect) file: String,
    pub(in crate::detect) id: String,
    pub(in crate::detect) title: String,
    pub(in crate::detect) description: String,
    pub(in crate::detect) references: Vec<String>,
    pub(in crate::detect) tags: Vec<String>,
    pub(in crate::detect) provider: &'static str,
    pub(in crate::detect) severity: Severity,
    pub(in crate::detect) grade: Grade,
    pub(in crate::detect) anchors: Vec<Anchor>,
    pub(in crate::detect) back: usize,
    pub(in crate::detect) multiline: bool,
    pub(in crate::detect) pattern: String,
    pub(in crate::detect) max_len: usize,
    pub(in crate::detect) check: Check,
    pub(in crate::detect) allow: Vec<Arc<Allow>>,
    pub(in crate::detect) examples: Vec<Example>,
}

impl Signature {
    /// The signature a draft describes. Such patterns look around themselves, so that no boundary
    /// is asked for.
    pub(in crate::detect) fn from_draft(draft: Draft) -> Signature {
        let rule = Rule {
            id: intern(&draft.id),
            title: intern(&draft.title),
            severity: draft.severity,
            rotate: ROTATE,
        };
        Signature {
            rule: intern_rule(rule),
            about: About {
                file: draft.file,
                description: draft.description,
                references: draft.references,
                tags: draft.tags,
                provider: draft.provider.to_owned(),
                opens: OPENS.to_owned(),
                reach: Vec::new(),
                lifetime: None,
                detect_use: None,
                public_by_design: false,
            },
            anchor_heads: heads(&draft.anchors),
            anchors: draft.anchors,
            back: draft.back,
            multiline: draft.multiline,
            starts_with_secret: false,
            pattern: draft.pattern,
            max_len: draft.max_len,
            boundary: Boundary::None,
            encodings: Encodings::ALL,
            paths: Paths::default(),
            pair: None,
            check: draft.check,
            grade: draft.grade,
            password: false,
            groups: Vec::new(),
            kinds: Vec::new(),
            examples: draft.examples,
            allow: draft.allow,
            measured: Measured::Whole,
            armoured: false,
            compiled: OnceLock::new(),
            program: OnceLock::new(),
            tail: OnceLock::new(),
            filter: OnceLock::new(),
        }
    }
}
