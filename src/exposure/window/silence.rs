//! Silence: what the absence of events does not prove.

use crate::exposure::facts::{Region, Trail};
use serde_json::Value;

/// What kind of resource reads of blocks are logged for.
const SNAPSHOTS: &str = "AWS::EC2::Snapshot";

/// What cannot be concluded from events that are not there.
pub(super) fn silence(region: &Region) -> Vec<String> {
    let mut told = vec![blocks(region)];
    if region.events.known().is_some() {
        told.push(
            "lookups reach back 90 days; what was before is in no event here, give --trail for it"
                .to_owned(),
        );
    }
    told.push(
        "who launched a copy that another account made is in that account's trail alone: \
         treat what was public as copied"
            .to_owned(),
    );
    if let Err(needs) = region.image_usage_report_entries.get("ec2:DescribeImageUsageReportEntries")
    {
        told.push(format!("which accounts use it now: {needs}"));
    } else if region.image_usage_report_entries.listed().is_empty() {
        told.push(
            "no usage report was made; `aws ec2 create-image-usage-report` is the one source for \
             who launched a public image"
                .to_owned(),
        );
    }
    told
}

/// Whether reads through the EBS direct APIs would be in any log.
fn blocks(region: &Region) -> String {
    let none = "reads of blocks (ListSnapshotBlocks, GetSnapshotBlock) are data events";
    let trails = match region.trails.get("cloudtrail:DescribeTrails") {
        Ok(trails) => trails,
        Err(needs) => return format!("{none}; whether any trail keeps them is {needs}"),
    };
    let logging = |trail: &&Trail| trail.is_logging != Some(false);
    let mut keeping = trails.iter().filter(logging).filter(|trail| {
        let selectors = trail.event_selectors.listed().iter();
        let mut all = selectors.chain(trail.advanced_event_selectors.listed());
        all.any(|selector| names(selector, SNAPSHOTS))
    });
    if let Some(trail) = keeping.next() {
        return format!(
            "{none}; the trail {} keeps them, so they are in its logs and in no lookup",
            trail.name
        );
    }
    let refused = trails
        .iter()
        .find_map(|trail| trail.event_selectors.get("cloudtrail:GetEventSelectors").err());
    match refused {
        Some(needs) => format!("{none}; whether any trail keeps them is {needs}"),
        None => format!("{none} and no trail here keeps them: that there are none proves nothing"),
    }
}

fn names(selector: &Value, wanted: &str) -> bool {
    let mut open = vec![selector];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) if text == wanted => return true,
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
    false
}
