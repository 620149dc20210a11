//! The ledger: what was found, and what could not be known.

use super::rule::Rule;
use crate::exposure::facts::Needs;
use crate::finding::Severity;
use std::collections::{BTreeMap, BTreeSet};

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What, and why it matters.
    pub rule: &'static Rule,
    /// How bad it is.
    pub severity: Severity,
    /// The account it is in.
    pub account: String,
    /// The region, or nothing for what belongs to the whole account.
    pub region: String,
    /// The id of what it is about.
    pub resource: String,
    /// Its name; hostile text.
    pub name: String,
    /// What the facts say, in one line; parts of it are hostile text.
    pub evidence: String,
    /// What to run or change.
    pub remedy: String,
}

/// What could not be judged, for the want of one permission in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The permission.
    pub action: String,
    /// What AWS said; nothing when nobody asked.
    pub error: Option<String>,
    /// The rules that could not be judged.
    pub rules: BTreeSet<&'static str>,
    /// How many judgements that are.
    pub count: u64,
}

/// Where something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
}

/// What is being written down.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    findings: Vec<Finding>,
    unknown: BTreeMap<(String, String, String), Unknown>,
}

impl Ledger {
    /// Write down that `rule` applies to `resource`, whose name and `evidence` may be hostile.
    pub(super) fn found(
        &mut self,
        rule: &'static Rule,
        at: Place<'_>,
        resource: (&str, Option<&str>),
        evidence: impl Into<String>,
    ) {
        let (id, name) = resource;
        // A command is offered for ids alone: a name in it could be made to mean something else.
        let safe = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_/:.".contains(&b));
        let shown = if safe && !id.is_empty() { id } else { "<the resource>" };
        let remedy = rule.remedy.replace("{resource}", shown).replace("{region}", at.region);
        self.findings.push(Finding {
            rule,
            severity: rule.severity,
            account: at.account.to_owned(),
            region: at.region.to_owned(),
            resource: id.to_owned(),
            name: name.unwrap_or_default().to_owned(),
            evidence: evidence.into(),
            remedy,
        });
    }

    /// Write down that `rules` cannot be judged.
    pub(super) fn unknown(&mut self, rules: &[&'static Rule], at: Place<'_>, needs: Needs) {
        let Needs { action, error } = needs;
        let key = (at.account.to_owned(), at.region.to_owned(), action);
        let entry =
            self.unknown.entry(key).or_insert_with_key(|(account, region, action)| Unknown {
                account: account.clone(),
                region: region.clone(),
                action: action.clone(),
                error: None,
                rules: BTreeSet::new(),
                count: 0,
            });
        entry.error = entry.error.take().or(error);
        entry.rules.extend(rules.iter().map(|rule| rule.id));
        entry.count += 1;
    }

    /// What was written down, sorted: worst first, then by rule and place.
    pub(super) fn close(self) -> (Vec<Finding>, Vec<Unknown>) {
        let mut findings = self.findings;
        sort(&mut findings);
        (findings, self.unknown.into_values().collect())
    }
}

/// Put findings in order, worst first, and each there once.
pub(super) fn sort(findings: &mut Vec<Finding>) {
    fn key(f: &Finding) -> (&str, &str, &str, &str, &str) {
        (f.rule.id, &f.account, &f.region, &f.resource, &f.evidence)
    }
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| key(a).cmp(&key(b))));
    findings.dedup();
}
