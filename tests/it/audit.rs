//! The audit: every row of what is judged, from facts to findings.
//!
//! `testdata/facts/base.json` is an account in which nothing is wrong. Each case changes it by
//! merge patches and says what follows, exactly: findings as id and resource, permissions that are
//! missing, and figures.

#![allow(clippy::disallowed_methods, reason = "tests write the files they are about")]

use crate::fleet::{fleet, merge, read};
use amisweep::exposure::audit::{Audit, AuditOptions, Past, RULES, Trusted, audit, read_iac};
use amisweep::exposure::facts::Facts;
use amisweep::finding::Severity;
use amisweep::policy::Verdict;
use amisweep::report::Style;
use amisweep::report::audit::{AUDIT_FORMATS, AuditReport};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const THEMES: [&str; 5] = ["s0", "s1", "s2", "s4", "peers"];

/// The facts of a case: the base, its account, region, image and snapshot patched.
fn facts(case: &Value) -> Value {
    let mut facts = read("base.json");
    let account = &mut facts["accounts"][0];
    merge_if(account, &case["account"]);
    let region = &mut account["Regions"][0];
    for (member, list) in [("image", "Images"), ("snapshot", "Snapshots")] {
        merge_if(&mut region[list][0], &case[member]);
    }
    for (member, list) in [("region_images", "Images"), ("region_snapshots", "Snapshots")] {
        let more = case[member].as_array().cloned().unwrap_or_default();
        region[list].as_array_mut().unwrap().extend(more);
    }
    merge_if(region, &case["region"]);
    if case["second"].is_object() {
        let mut second = read("base.json")["accounts"][0]["Regions"][0].clone();
        merge(&mut second, &case["second"]);
        account["Regions"].as_array_mut().unwrap().push(second);
    }
    facts
}

fn merge_if(target: &mut Value, patch: &Value) {
    if !patch.is_null() {
        merge(target, patch);
    }
}

fn parse(facts: &Value) -> Facts {
    Facts::parse(&serde_json::to_vec(facts).unwrap()).unwrap()
}

fn judge(case: &Value) -> Audit {
    let mut options = AuditOptions { price_per_gib_month: Some(0.05), ..AuditOptions::default() };
    if let Some(text) = case["trusted"].as_str() {
        options.trusted = Trusted::parse(text).unwrap();
    }
    for (file, text) in case["iac"].as_object().into_iter().flatten() {
        options.iac.extend(read_iac(file, text.as_str().unwrap()));
    }
    audit(&parse(&facts(case)), &options)
}

fn strings(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// What of a case does not come out.
fn wrong(case: &Value) -> Vec<String> {
    let done = judge(case);
    let mut wrong = Vec::new();
    let found: BTreeSet<String> =
        done.findings.iter().map(|f| format!("{} {}", f.rule.id, f.resource)).collect();
    if found != strings(&case["expect"]) {
        wrong.push(format!("finds {found:#?}"));
    }
    let needs: BTreeSet<String> = done.unknown.iter().map(|it| it.action.clone()).collect();
    if needs != strings(&case["unknown"]) {
        wrong.push(format!("needs {needs:#?}"));
    }
    if let Some(text) = case["evidence"].as_str()
        && !done.findings.iter().any(|finding| finding.evidence.contains(text))
    {
        let all: Vec<_> = done.findings.iter().map(|finding| &finding.evidence).collect();
        wrong.push(format!("evidence {all:#?}"));
    }
    for (name, expected) in case["kpi"].as_object().into_iter().flatten() {
        let shown = figure(&done, name);
        if shown != *expected {
            wrong.push(format!("{name} is {shown}"));
        }
    }
    if let Some(id) = case["first_image"].as_str()
        && done.images[0].id != id
    {
        wrong.push(format!("first is {}", done.images[0].id));
    }
    let row = &case["image_row"];
    if let Some(kind) = row["reference"].as_str()
        && !done.images[0].references.iter().any(|(of, ..)| of == kind)
    {
        wrong.push(format!("refers {:?}", done.images[0].references));
    }
    if let Some(count) = row["open_volumes"].as_u64()
        && done.images[0].open_volumes != count
    {
        wrong.push(format!("open volumes {}", done.images[0].open_volumes));
    }
    if let Some(latent) = row["latent"].as_bool()
        && done.images[0].exposure.latent_public != latent
    {
        wrong.push("latent differs".to_owned());
    }
    if case["providers"].is_array() {
        let providers: BTreeSet<String> = done
            .providers
            .iter()
            .map(|it| format!("{} {} {}", it.account, it.name, it.trusted))
            .collect();
        if providers != strings(&case["providers"]) {
            wrong.push(format!("providers {providers:#?}"));
        }
    }
    wrong
}

fn figure(done: &Audit, name: &str) -> Value {
    let kpi = &done.kpi;
    match name {
        "encrypted_pct" => json!(kpi.encrypted_pct),
        "encrypted_gib_pct" => json!(kpi.encrypted_gib_pct),
        "public_count" => json!(kpi.public_count),
        "approved_pct" => json!(kpi.approved_pct),
        "approved_instances_pct" => json!(kpi.approved_instances_pct),
        "golden_pct" => json!(kpi.golden_pct),
        "compliance_pct" => json!(kpi.compliance_pct),
        "blocked_creations" => json!(kpi.blocked_creations),
        "violations_7d" => json!(kpi.violations_7d),
        "waste_gib" => json!(kpi.waste_gib),
        "waste_cost" => json!(kpi.waste_cost),
        other => panic!("no figure {other}"),
    }
}

#[test]
fn every_row_is_judged_as_it_should_be() {
    let mut failures = Vec::new();
    for theme in THEMES {
        for case in read(&format!("{theme}.json")).as_array().unwrap() {
            let wrong = wrong(case);
            if !wrong.is_empty() {
                failures.push(format!("{theme}: {}: {}", case["row"], wrong.join("; ")));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A rule nobody can show is not judged at all. (Secrets in texts are found by whoever sweeps.)
#[test]
fn every_rule_has_a_row() {
    let mut shown = BTreeSet::new();
    for theme in THEMES {
        for case in read(&format!("{theme}.json")).as_array().unwrap() {
            let ids = strings(&case["expect"]);
            shown.extend(ids.iter().map(|line| line.split(' ').next().unwrap().to_owned()));
        }
    }
    let never: Vec<_> =
        RULES.iter().map(|rule| rule.id).filter(|id| !shown.contains(*id)).collect();
    assert_eq!(never, ["META-SEC-001"]);
}

/// Nothing asked, nothing known: no finding, no figure, and every permission is named.
#[test]
fn an_empty_region_is_unknown_and_never_fine() {
    let facts = json!({"schema": "amisweep.facts/1", "accounts":
        [{"Account": "111122223333", "Regions": [{"Region": "us-east-1"}]}],
        "missing": [{"action": "ec2:DescribeRegions", "account": "111122223333"}]});
    let done = audit(&parse(&facts), &AuditOptions::default());
    assert!(done.findings.is_empty(), "{:#?}", done.findings);
    assert!(done.unknown.len() > 25, "{:#?}", done.unknown);
    let kpi = &done.kpi;
    assert_eq!((kpi.encrypted_pct, kpi.public_count, kpi.waste_gib), (None, None, None));
    let judged: BTreeSet<&str> =
        done.unknown.iter().flat_map(|it| it.rules.iter().copied()).collect();
    let silent: Vec<_> =
        RULES.iter().map(|rule| rule.id).filter(|id| !judged.contains(id)).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn figures_over_time_need_a_history() {
    let mut early =
        facts(&json!({"image": {"Public": true, "LaunchPermissions": [{"Group": "all"}]},
        "snapshot": {"Encrypted": false, "KmsKeyId": null}}));
    early["collected_at"] = json!("2026-11-11T20:00:00Z");
    let plain = AuditOptions::default();
    let past = Past::of(&audit(&parse(&early), &plain)).unwrap();
    let now = parse(&facts(&json!({})));
    let alone = audit(&now, &plain).kpi;
    assert_eq!((alone.mttr_public_days, alone.trend.len()), (None, 0));
    let kpi = audit(&now, &AuditOptions { history: vec![past], ..plain }).kpi;
    assert_eq!((kpi.mttr_public_days, kpi.mttr_unencrypted_days), (Some(10.0), Some(10.0)));
    let trend: Vec<_> = kpi.trend.iter().map(|it| (it.public, it.unencrypted)).collect();
    assert_eq!(trend, [(1, 1), (0, 0)]);
}

/// How many images and findings `facts` have, and how long that took to judge.
#[allow(clippy::print_stderr, reason = "the time is told, and decides nothing")]
fn timed(facts: &Facts) -> Audit {
    let clock = std::time::Instant::now();
    let done = audit(facts, &AuditOptions::default());
    let (images, findings) = (done.images.len(), done.findings.len());
    eprintln!("{images} images, {findings} findings in {:?}", clock.elapsed());
    done
}

#[test]
fn many_accounts_are_judged_alike_and_in_the_same_order() {
    let facts = parse(&fleet(4, 25));
    let done = timed(&facts);
    assert_eq!(done.images.len(), 100);
    let unencrypted = done.findings.iter().filter(|it| it.rule.id == "AMI-ENC-001").count();
    assert_eq!(unencrypted, 50);
    assert_eq!(audit(&facts, &AuditOptions::default()), done);
    let mut backwards = fleet(4, 25);
    for account in backwards["accounts"].as_array_mut().unwrap() {
        for list in ["Images", "Snapshots", "LaunchTemplateVersions"] {
            account["Regions"][0][list].as_array_mut().unwrap().reverse();
        }
    }
    backwards["accounts"].as_array_mut().unwrap().reverse();
    assert_eq!(audit(&parse(&backwards), &AuditOptions::default()), done);
}

/// The same at the size of a large organization; `benches/audit.rs` measures it.
#[test]
fn four_thousand_images_are_judged_at_once() {
    assert_eq!(timed(&parse(&fleet(20, 200))).images.len(), 4_000);
}

/// An account in which much is wrong, and whose owner names things to steer a terminal.
fn hostile() -> Value {
    facts(&json!({
        "image": {"Public": true, "Name": "=cmd\u{1b}[2J\nno findings", "LaunchPermissions": [{"Group": "all"}, {"UserId": "555566667777"}]},
        "snapshot": {"Encrypted": false, "KmsKeyId": null, "CreateVolumePermissions": [{"Group": "all"}]},
        "region_images": [{"ImageId": "ami-0000000000000002b", "OwnerId": "111122223333", "SourceImageId": "ami-0000000000000001a",
            "CreationDate": "2026-11-02T00:00:00Z", "BlockDeviceMappings": [{"DeviceName": "/dev/xvda",
            "Ebs": {"SnapshotId": "snap-0000000000000009f", "Encrypted": true, "KmsKeyId": "alias/aws/ebs"}}], "LaunchPermissions": []}],
        "region": {"EbsEncryptionByDefault": false, "Nodegroups": null,
            "SnapshotBlockPublicAccess": {"Missing": "ec2:GetSnapshotBlockPublicAccessState", "Error": "\u{202e}denied"}},
    }))
}

fn shown(format: &str) -> String {
    let audit = audit(&parse(&hostile()), &AuditOptions::default());
    let failing = audit.findings.iter().filter(|it| it.severity >= Severity::High).count();
    let complete = audit.unknown.is_empty();
    let report =
        AuditReport { audit, verdict: Verdict { fail_on: Severity::High, failing, complete } };
    let format = AUDIT_FORMATS.iter().find(|it| it.name == format).unwrap();
    let mut out = Vec::new();
    (format.write)(&report, Style::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_format_is_as_it_was_and_steers_nothing() {
    for (format, ending) in [("text", "txt"), ("json", "json"), ("csv", "csv")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata/reports")
            .join(format!("audit.{ending}"));
        let now = shown(format).replace(env!("CARGO_PKG_VERSION"), "VERSION");
        if std::env::var_os("AMISWEEP_BLESS").is_some() {
            std::fs::write(&path, &now).unwrap();
        }
        assert_eq!(now, std::fs::read_to_string(&path).unwrap(), "{format}");
        let risky = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!now.contains(risky), "{format}");
    }
    assert!(shown("text").lines().count() <= 50, "{}", shown("text"));
}
