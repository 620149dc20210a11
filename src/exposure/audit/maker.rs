//! What makes images and snapshots by itself: AWS Backup and Data Lifecycle Manager. Mending one of
//! theirs mends nothing, because they make the next one alike.
//!
//! Both leave [tags](https://docs.aws.amazon.com/ebs/latest/userguide/snapshot-lifecycle.html) that
//! nobody else may set: their names begin with `aws:`.

use super::ledger::{Finding, Ledger};
use super::rule::{self, Rule};
use super::world::{Spot, World};
use crate::exposure::facts::{LifecycleCopy, LifecyclePolicy, Tag};
use std::collections::BTreeMap;

/// Who made something with these tags, when somebody who makes more.
pub(super) fn of(tags: &[Tag]) -> Option<String> {
    let policy = tags.iter().find(|tag| tag.key == "aws:dlm:lifecycle-policy-id");
    if let Some(policy) = policy {
        return Some(format!("policy {} of Data Lifecycle Manager", policy.value));
    }
    let backup = tags.iter().any(|tag| tag.key == "aws:backup:source-resource");
    backup.then(|| "AWS Backup".to_owned())
}

/// Say of findings on what was made by itself that the next one will be alike.
pub(super) fn tell(world: &World<'_>, findings: &mut [Finding]) {
    let mut makers: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for spot in &world.spots {
        let images = spot.own.iter().map(|image| (image.image_id.as_str(), &image.tags));
        let snapshots = spot.region.snapshots.listed().iter();
        let snapshots = snapshots.map(|snapshot| (snapshot.snapshot_id.as_str(), &snapshot.tags));
        let made = images.chain(snapshots).filter_map(|(id, tags)| Some((id, of(tags)?)));
        makers.extend(made.map(|(id, maker)| ((spot.at.region, id), maker)));
    }
    for finding in findings {
        let maker = makers.get(&(finding.region.as_str(), finding.resource.as_str()));
        if let Some(maker) = maker {
            finding.evidence =
                format!("{}; made by {maker}, which makes the next one alike", finding.evidence);
        }
    }
}

/// Judge the policies of Data Lifecycle Manager themselves.
pub(super) fn policies(world: &World<'_>, spot: &Spot<'_>, ledger: &mut Ledger) {
    let rules: [&'static Rule; 2] = [&rule::DLM_SHARE_001, &rule::DLM_COPY_001];
    let policies = match spot.region.lifecycle_policies.get("dlm:GetLifecyclePolicy") {
        Ok(policies) => policies,
        Err(needs) => return ledger.unknown(&rules, spot.at, needs),
    };
    for policy in policies.iter().filter(|it| it.state.as_deref() != Some("DISABLED")) {
        let Some(details) = &policy.policy_details else { continue };
        let named = (policy.policy_id.as_str(), policy.description.as_deref());
        let shares = details.schedules.iter().flat_map(|schedule| &schedule.share_rules);
        let accounts = shares.flat_map(|rule| &rule.target_accounts);
        let mut outside: Vec<&str> =
            accounts.map(String::as_str).filter(|id| !world.is_inside(id)).collect();
        outside.sort_unstable();
        outside.dedup();
        if !outside.is_empty() {
            let evidence = format!("with {}", outside.join(", "));
            ledger.found(&rule::DLM_SHARE_001, spot.at, named, evidence);
        }
        let mut open = in_the_clear(policy);
        open.sort_unstable();
        open.dedup();
        if !open.is_empty() {
            let evidence = format!("to {}", open.join(", "));
            ledger.found(&rule::DLM_COPY_001, spot.at, named, evidence);
        }
    }
}

/// Where a policy copies to without asking for encryption.
fn in_the_clear(policy: &LifecyclePolicy) -> Vec<&str> {
    let details = policy.policy_details.iter();
    let schedules = details.clone().flat_map(|details| &details.schedules);
    let by_schedule = schedules
        .flat_map(|schedule| &schedule.cross_region_copy_rules)
        .filter(|rule| rule.encrypted != Some(true))
        .map(|LifecycleCopy { target, target_region, .. }| {
            target_region.as_ref().or(target.as_ref())
        });
    let actions = details.flat_map(|details| &details.actions);
    let by_event = actions
        .flat_map(|action| &action.cross_region_copy)
        .filter(|copy| {
            let encrypted = copy.encryption_configuration.as_ref().and_then(|it| it.encrypted);
            encrypted != Some(true)
        })
        .map(|copy| copy.target.as_ref());
    by_schedule.chain(by_event).map(|target| target.map_or("?", String::as_str)).collect()
}
