//! The JSON report, `amisweep.report/1`; its schema is `docs/report.schema.json`.

use super::{Report, Style, output::failed, safe};
use crate::coverage::{Class, Coverage, Kind};
use crate::error::Result;
use crate::finding::{Descent, Finding, Place, Provenance, Severity, Subject, preview};
use crate::inventory::{Code, Inventory, Personal, Store};
use crate::locator::{Escaped, Locator};
use crate::outcome::{Agreement, CrossCheck, Outcome, Packages, VolumeSummary};
use base64::Engine as _;
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

/// The version of the outline.
pub const SCHEMA: &str = "amisweep.report/1";

#[derive(Serialize)]
struct View<'a> {
    schema: &'static str,
    tool: Value,
    target: Value,
    coverage: CoverageView,
    inventory: Value,
    findings: Vec<FindingView<'a>>,
    noted: Vec<FindingView<'a>>,
    volumes: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cross_check: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Value>,
    summary: Value,
    verdict: Value,
    run: Value,
}

/// A finding as reports of the JSON family show it.
#[derive(Serialize)]
pub(super) struct FindingView<'a> {
    id: String,
    rule: &'static str,
    title: &'static str,
    severity: &'static str,
    confidence: &'static str,
    fingerprint: String,
    preview: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    harmless: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    also: &'a [&'static str],
    #[serde(skip_serializing_if = "str::is_empty")]
    rotate: &'static str,
    facts: BTreeMap<&'static str, Value>,
    places: Vec<PlaceView<'a>>,
    place_count: u64,
}

#[derive(Serialize)]
struct PlaceView<'a> {
    locator: String,
    path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    line: Option<u64>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<&'static str>,
    offset: u64,
    length: u64,
    image_runs: Vec<(u64, u64, u16)>,
}

/// Coverage as reports of the JSON family show it.
#[derive(Serialize)]
pub(super) struct CoverageView {
    written_bytes: u64,
    kinds: BTreeMap<&'static str, u64>,
    content: BTreeMap<&'static str, u64>,
    complete: bool,
    error_count: u64,
    errors: Vec<Value>,
}

/// Write the report as one JSON document.
pub fn write(report: &Report, style: Style, out: &mut dyn Write) -> Result<()> {
    let finding = |f| FindingView::new(f, style);
    let outcome = &report.outcome;
    let view = View {
        schema: SCHEMA,
        tool: tool(),
        target: target(report),
        coverage: CoverageView::new(&outcome.coverage),
        inventory: inventory(&outcome.inventory),
        findings: report.findings().map(finding).collect(),
        noted: report.noted().map(finding).collect(),
        volumes: outcome.volumes.iter().map(volume).collect(),
        cross_check: outcome.cross_checks.iter().map(cross_check).collect(),
        provenance: provenance(outcome),
        summary: summary(report),
        verdict: verdict(report),
        run: run(report),
    };
    safe::to_json(&view, PrettyFormatter::new(), out)?;
    out.write_all(b"\n").map_err(failed)
}

pub(super) fn tool() -> Value {
    json!({ "name": "amisweep", "version": env!("CARGO_PKG_VERSION") })
}

pub(super) fn target(report: &Report) -> Value {
    json!({ "name": report.target, "kind": report.target_kind, "images": report.images })
}

pub(super) fn summary(report: &Report) -> Value {
    let count = |s: Severity| report.findings().filter(|f| f.severity == s).count();
    let by_severity: BTreeMap<_, _> =
        Severity::ALL.into_iter().map(|s| (s.name(), count(s))).collect();
    json!({
        "findings": report.findings().count(),
        "by_severity": by_severity,
        "noted": report.noted().count(),
    })
}

pub(super) fn verdict(report: &Report) -> Value {
    let verdict = &report.verdict;
    json!({
        "result": verdict.name(),
        "exit": verdict.exit_code(),
        "complete": verdict.complete,
        "fail_on": verdict.fail_on.name(),
        "failing": verdict.failing,
    })
}

pub(super) fn run(report: &Report) -> Value {
    json!({
        "started": report.run.started,
        "seconds": report.run.seconds,
        "fingerprint_key": if report.run.ephemeral_key { "this run only" } else { "kept" },
    })
}

pub(super) fn volume(volume: &VolumeSummary) -> Value {
    json!({
        "locator": volume.locator,
        "format": volume.format,
        "bytes": volume.bytes,
        "files": volume.files,
        "deleted": volume.deleted,
    })
}

/// The data that an image holds, in counts.
pub(super) fn inventory(inventory: &Inventory) -> Value {
    let personal = |personal: &Personal| -> BTreeMap<_, _> {
        personal.counts().filter(|(_, count)| *count > 0).collect()
    };
    let store = |(at, store): (&Locator, &Store)| {
        json!({
            "locator": at.to_string(),
            "kind": store.kind.name(),
            "bytes": store.bytes,
            "tables": store.tables,
            "rows": store.rows,
            "personal": personal(&store.personal),
        })
    };
    let code = |(language, code): (&str, Code)| json!({ "language": language, "files": code.files, "bytes": code.bytes });
    json!({
        "stores": inventory.stores().map(store).collect::<Vec<_>>(),
        "more_stores": inventory.dropped(),
        "code": inventory.code().map(code).collect::<Vec<_>>(),
        "personal": personal(&inventory.personal()),
    })
}

pub(super) fn cross_check(check: &CrossCheck) -> Value {
    let (result, reason) = match &check.agreement {
        Agreement::Agrees => ("agrees", None),
        Agreement::Differs => ("differs", None),
        Agreement::Refused(reason) => ("refused", Some(reason)),
    };
    // Nobody hashed a file whose second reader does not exist or that could not be read.
    let sha256 = Some(&check.sha256).filter(|hex| !hex.is_empty());
    json!({
        "locator": check.locator.to_string(),
        "sha256": sha256,
        "result": result,
        "reason": reason,
    })
}

/// What packages and a base say of the files; none where nobody said anything.
pub(super) fn provenance(outcome: &Outcome) -> Option<Value> {
    if outcome.packages.is_empty() && outcome.base.is_none() {
        return None;
    }
    let packages = |known: &Packages| {
        json!({
            "locator": known.locator,
            "formats": known.formats,
            "packages": known.packages,
            "files": {
                "verified": known.verified,
                "changed": known.changed,
                "config": known.config,
                "config_changed": known.config_changed,
                "missing": known.missing,
                "unverified": known.unverified,
            },
            "changed": known.changed_files,
            "noted": known.noted,
        })
    };
    let mut all = json!({ "systems": outcome.packages.iter().map(packages).collect::<Vec<_>>() });
    if let (Some(all), Some(base)) = (all.as_object_mut(), outcome.base) {
        let base = json!({
            "files": base.files,
            "inherited": base.inherited,
            "changed": base.changed,
            "added": base.added,
            "removed": base.removed,
        });
        all.insert("base".to_owned(), base);
    }
    Some(all)
}

impl CoverageView {
    pub(super) fn new(coverage: &Coverage) -> CoverageView {
        let error = |trouble: &crate::coverage::Trouble| {
            json!({
                "locator": trouble.at.as_ref().map(Locator::to_string),
                "what": trouble.what,
                "incomplete": trouble.incomplete,
            })
        };
        CoverageView {
            written_bytes: coverage.written,
            kinds: Kind::ALL.into_iter().map(|k| (k.name(), coverage.of(k))).collect(),
            content: Class::ALL.into_iter().map(|c| (c.name(), coverage.contents(c))).collect(),
            complete: coverage.complete(),
            error_count: coverage.error_count(),
            errors: coverage.errors().iter().map(error).collect(),
        }
    }
}

impl<'a> FindingView<'a> {
    pub(super) fn new(finding: &'a Finding, style: Style) -> FindingView<'a> {
        let secret = match &finding.subject {
            Subject::Secret(secret) | Subject::Password(secret) if style.reveal => {
                Some(revealed(secret.expose()))
            }
            _ => None,
        };
        let fact = |values: &Vec<String>| match values.as_slice() {
            [one] => json!(one),
            many => json!(many),
        };
        FindingView {
            id: finding.fingerprint.to_string().chars().take(12).collect(),
            rule: finding.rule.id,
            title: finding.rule.title,
            severity: finding.severity.name(),
            confidence: finding.grade.name(),
            fingerprint: finding.fingerprint.to_string(),
            preview: preview(&finding.subject),
            secret,
            harmless: finding.harmless.map(crate::finding::Harmless::name),
            also: &finding.also,
            rotate: finding.rule.rotate,
            facts: finding.facts.iter().map(|(name, values)| (*name, fact(values))).collect(),
            places: finding.places.iter().map(PlaceView::new).collect(),
            place_count: finding.place_count,
        }
    }
}

/// A secret as text, or in base64 when it is none.
fn revealed(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": base64::prelude::BASE64_STANDARD.encode(bytes) }),
    }
}

impl<'a> PlaceView<'a> {
    fn new(place: &'a Place) -> PlaceView<'a> {
        let span = place.locator.span.unwrap_or_default();
        let path = place.locator.path().map(|path| match std::str::from_utf8(path) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(Escaped(path).to_string()),
        });
        PlaceView {
            locator: place.locator.to_string(),
            path,
            member: member(&place.locator),
            line: place.line,
            state: place.state.name(),
            provenance: place.provenance.map(Provenance::name),
            base: place.descent.map(Descent::name),
            offset: span.start,
            length: span.len,
            image_runs: place.image_runs.iter().map(|(n, r)| (r.start, r.len, n.0)).collect(),
        }
    }
}

/// The chain of members inside the outer file, as its locator writes it.
fn member(locator: &Locator) -> Option<String> {
    let text = Locator { span: None, ..locator.clone() }.to_string();
    text.split_once('!').map(|(_, chain)| chain.to_owned())
}
