//! The audit as JSON, `amisweep.audit/1`, described in `docs/audit.md`.

use super::super::output::failed;
use super::super::{Style, safe};
use super::AuditReport;
use crate::error::Result;
use crate::exposure::audit::{Audience, Finding, ImageRow, Kpi, Provider, Unknown};
use serde_json::ser::PrettyFormatter;
use serde_json::{Value, json};
use std::io::Write;

/// The version of the outline.
pub(super) const SCHEMA: &str = "amisweep.audit/1";

/// Write the report.
pub(super) fn write(report: &AuditReport, _: Style, out: &mut dyn Write) -> Result<()> {
    let AuditReport { audit, verdict } = report;
    let accounts = audit.accounts.iter();
    let accounts: Vec<Value> =
        accounts.map(|(id, regions)| json!({"account": id, "regions": regions})).collect();
    let view = json!({
        "schema": SCHEMA,
        "tool": {"name": "amisweep", "version": env!("CARGO_PKG_VERSION")},
        "at": audit.at,
        "accounts": accounts,
        "images": audit.images.iter().map(image).collect::<Vec<_>>(),
        "providers": audit.providers.iter().map(provider).collect::<Vec<_>>(),
        "findings": audit.findings.iter().map(finding).collect::<Vec<_>>(),
        "unknown": audit.unknown.iter().map(unknown).collect::<Vec<_>>(),
        "kpi": kpi(&audit.kpi),
        "verdict": {
            "name": verdict.name(),
            "fail_on": verdict.fail_on.name(),
            "failing": verdict.failing,
            "complete": verdict.complete,
            "exit_code": verdict.exit_code(),
        },
    });
    safe::to_json(&view, PrettyFormatter::new(), out)?;
    writeln!(out).map_err(failed)
}

fn image(row: &ImageRow) -> Value {
    let devices: Vec<Value> = row
        .devices
        .iter()
        .map(|device| {
            json!({
                "device": device.device,
                "snapshot": device.snapshot,
                "encrypted": device.encrypted,
                "key_kind": device.key_kind.name(),
                "key": device.key,
                "gib": device.gib,
            })
        })
        .collect();
    let references: Vec<Value> = row
        .references
        .iter()
        .map(|(kind, name, live)| json!({"kind": kind, "name": name, "live": live}))
        .collect();
    json!({
        "account": row.account,
        "region": row.region,
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "created": row.created,
        "encrypted": row.encrypted.name(),
        "devices": devices,
        "audience": {
            "launch": row.exposure.launch.as_ref().map(audience),
            "volume": row.exposure.volume.as_ref().map(audience),
            "effective": audience(&row.exposure.effective),
            "latent_public": row.exposure.latent_public,
        },
        "approved": row.approved,
        "refs": references,
        "volumes_unencrypted": row.open_volumes,
        "priority": row.priority,
    })
}

fn audience(audience: &Audience) -> Value {
    json!({
        "public": audience.public,
        "accounts": audience.accounts,
        "organizations": audience.organizations,
        "units": audience.units,
    })
}

fn provider(provider: &Provider) -> Value {
    json!({
        "account": provider.account,
        "name": provider.name,
        "trusted": provider.trusted,
        "images": provider.images,
        "references": provider.references,
        "regions": provider.regions,
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "id": finding.rule.id,
        "severity": finding.severity.name(),
        "title": finding.rule.title,
        "account": finding.account,
        "region": finding.region,
        "resource": finding.resource,
        "name": finding.name,
        "evidence": finding.evidence,
        "why": finding.rule.why,
        "remedy": finding.remedy,
        "compliance": finding.rule.compliance,
    })
}

fn unknown(unknown: &Unknown) -> Value {
    json!({
        "account": unknown.account,
        "region": unknown.region,
        "needs": unknown.action,
        "error": unknown.error,
        "rules": unknown.rules,
        "count": unknown.count,
    })
}

fn kpi(kpi: &Kpi) -> Value {
    let trend: Vec<Value> = kpi
        .trend
        .iter()
        .map(|it| json!({"at": it.at, "images": it.images, "unencrypted": it.unencrypted, "public": it.public}))
        .collect();
    json!({
        "images": kpi.images,
        "encrypted_pct": kpi.encrypted_pct,
        "encrypted_gib_pct": kpi.encrypted_gib_pct,
        "public_count": kpi.public_count,
        "approved_pct": kpi.approved_pct,
        "approved_instances_pct": kpi.approved_instances_pct,
        "golden_pct": kpi.golden_pct,
        "compliance_pct": kpi.compliance_pct,
        "blocked_creations": kpi.blocked_creations,
        "violations_7d": kpi.violations_7d,
        "waste_gib": kpi.waste_gib,
        "waste_cost": kpi.waste_cost,
        "mttr_unencrypted_days": kpi.mttr_unencrypted_days,
        "mttr_public_days": kpi.mttr_public_days,
        "time_to_approve_days": kpi.time_to_approve_days,
        "trend": trend,
    })
}
