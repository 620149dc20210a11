//! Consumers: who made something of an image while they could.

use super::change::{Deed, parameter};
use crate::exposure::facts::{Event, Region, Time};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// An account that used an image or one of its snapshots: it is to be told, and what it copied is
/// its own from then on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Consumer {
    /// The account.
    pub account: String,
    /// What it did, and how often: events by their name, resources of usage reports by their type.
    pub uses: BTreeMap<String, u64>,
    /// The first that is known.
    pub first: Option<Time>,
    /// The last that is known.
    pub last: Option<Time>,
}

/// A copy that the account itself made, or had made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Copy {
    /// Of what.
    pub of: String,
    /// Who made it.
    #[serde(flatten)]
    pub deed: Deed,
    /// Why it failed; none when it went through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Events that AWS delivers to the owner when somebody else uses a shared snapshot.
const SHARED: [&str; 2] = ["SharedSnapshotCopyInitiated", "SharedSnapshotVolumeCreated"];

/// Calls that make a copy which a revoked permission does not reach.
const COPIES: [&str; 6] = [
    "CopyImage",
    "CopySnapshot",
    "CreateStoreImageTask",
    "CreateVolume",
    "ExportImage",
    "RunInstances",
];

/// Whether an event names one of `names` in any of its members.
pub(super) fn of(event: &Event, names: &BTreeSet<String>) -> bool {
    let wanted = SHARED.contains(&event.name())
        || COPIES.contains(&event.name())
        || event.source() == "kms.amazonaws.com";
    wanted && named(event, names).is_some()
}

/// The first of `names` that an event names: in the request, the details of a service, or the
/// resources.
fn named(event: &Event, names: &BTreeSet<String>) -> Option<String> {
    let members = ["requestParameters", "serviceEventDetails", "additionalEventData", "resources"];
    let mut open: Vec<&Value> = members.iter().filter_map(|name| event.value(&[*name])).collect();
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                let id = text.rsplit('/').next().unwrap_or(text);
                let found = names.get(text).or_else(|| names.get(id));
                if let Some(found) = found {
                    return Some(found.clone());
                }
            }
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
    None
}

/// Everybody else who used it, by the events that AWS delivers to the owner and by usage reports.
///
/// The same events stand in the consumer's own trail for any public image it launches: only what
/// was delivered to the owner, about somebody else, counts.
pub(super) fn consumers(
    events: &[&Event],
    owner: &str,
    names: &BTreeSet<String>,
    region: &Region,
) -> Vec<Consumer> {
    let mut found: BTreeMap<String, Consumer> = BTreeMap::new();
    for event in events.iter().filter(|event| SHARED.contains(&event.name())) {
        let account = event.text(&["userIdentity", "accountId"]).unwrap_or_default();
        let mine = event.text(&["recipientAccountId"]).is_none_or(|id| id == owner);
        if !mine || account == owner || account.is_empty() || named(event, names).is_none() {
            continue;
        }
        let consumer = found.entry(account.to_owned()).or_default();
        let count = consumer.uses.entry(event.name().to_owned()).or_default();
        *count = count.saturating_add(1);
        consumer.first = [consumer.first, event.time()].into_iter().flatten().min();
        consumer.last = [consumer.last, event.time()].into_iter().flatten().max();
    }
    for entry in region.image_usage_report_entries.listed() {
        let Some(account) = entry.account_id.as_deref().filter(|id| *id != owner) else { continue };
        if !names.contains(&entry.image_id) {
            continue;
        }
        let consumer = found.entry(account.to_owned()).or_default();
        let kind = entry.resource_type.clone().unwrap_or_else(|| "unknown".to_owned());
        // Each report counts anew; the newest does not say less than an older one proved.
        let count = consumer.uses.entry(kind).or_default();
        *count = entry.usage_count.unwrap_or(1).max(*count);
        consumer.last = [consumer.last, entry.report_creation_time].into_iter().flatten().max();
    }
    let named = found.into_iter().map(|(account, consumer)| Consumer { account, ..consumer });
    named.collect()
}

/// What the account itself made of it.
pub(super) fn copies(events: &[&Event], names: &BTreeSet<String>) -> Vec<Copy> {
    let copy = |event: &&Event| {
        if !COPIES.contains(&event.name()) {
            return None;
        }
        let direct = ["sourceImageId", "sourceSnapshotId", "imageId", "snapshotId"];
        let direct = direct.iter().find_map(|name| parameter(event, name));
        let of = direct.filter(|id| names.contains(*id)).map(str::to_owned);
        let of = of.or_else(|| named(event, names))?;
        Some(Copy { of, deed: Deed::of(event), error: event.error_code().map(str::to_owned) })
    };
    events.iter().filter_map(copy).collect()
}

/// Uses of the image's keys that KMS refused.
pub(super) fn key_refusals(events: &[&Event], names: &BTreeSet<String>) -> Vec<Deed> {
    let refused = |event: &&&Event| {
        event.source() == "kms.amazonaws.com"
            && event.error_code().is_some_and(|code| code.contains("AccessDenied"))
            && named(event, names).is_some()
    };
    events.iter().filter(refused).map(|event| Deed::of(event)).collect()
}
