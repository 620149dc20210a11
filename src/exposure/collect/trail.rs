//! Events of CloudTrail: those that date an exposure, and the calls of keys that a scan found.

use super::calls;
use super::gather::{Growing, known, parameters};
use crate::exposure::facts::Refused;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The events that are looked up. Reads of blocks are not among them: they are data events, which
/// no lookup answers.
pub const EVENTS: &[&str] = &[
    "CopyImage",
    "CopySnapshot",
    "CreateImage",
    "CreateSnapshot",
    "CreateSnapshots",
    "CreateStoreImageTask",
    "DeleteSnapshot",
    "DeregisterImage",
    "DisableImage",
    "DisableImageBlockPublicAccess",
    "DisableSnapshotBlockPublicAccess",
    "EnableImage",
    "EnableImageBlockPublicAccess",
    "EnableSnapshotBlockPublicAccess",
    "ExportImage",
    "ModifyImageAttribute",
    "ModifySnapshotAttribute",
    "PutKeyPolicy",
    "RegisterImage",
    "ResetImageAttribute",
    "ResetSnapshotAttribute",
    "RunInstances",
    "SharedSnapshotCopyInitiated",
    "SharedSnapshotVolumeCreated",
];

impl Growing<'_> {
    /// The events of the plan's time, and the trails that would hold older ones.
    pub(super) fn of_trails(&mut self) {
        if !self.plan.asks(&calls::LOOKUP_EVENTS) {
            return;
        }
        let by_name = EVENTS.iter().map(|name| ("EventName", (*name).to_owned()));
        let by_key = self.plan.leaked.iter().map(|id| ("AccessKeyId", id.clone()));
        let mut events: BTreeMap<String, Value> = BTreeMap::new();
        let mut refused = None;
        for (attribute, value) in by_name.chain(by_key) {
            match self.looked_up(attribute, &value) {
                Ok(found) => events.extend(found.into_iter().map(identified)),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let events = match refused {
            Some(refused) => Err(refused),
            None => Ok(Value::Array(events.into_values().collect())),
        };
        if let (Ok(_), Some(since)) = (&events, self.plan.since) {
            self.put("EventsSince", &calls::LOOKUP_EVENTS, Ok(json!(since)));
        }
        self.put("Events", &calls::LOOKUP_EVENTS, events);
        let trails = self.trails();
        self.put("Trails", &calls::DESCRIBE_TRAILS, trails);
    }

    fn looked_up(&self, attribute: &str, value: &str) -> Result<Vec<Value>, Refused> {
        let mut with = parameters(json!({"MaxResults": 50, "LookupAttributes":
            [{"AttributeKey": attribute, "AttributeValue": value}]}));
        if let Some(since) = self.plan.since {
            with.insert("StartTime".to_owned(), json!(since.0));
            with.insert("EndTime".to_owned(), json!(self.plan.now.0));
        }
        self.client.list(&calls::LOOKUP_EVENTS, &with)
    }

    fn trails(&self) -> Result<Value, Refused> {
        let mut trails = self.client.list(&calls::DESCRIBE_TRAILS, &parameters(json!({})))?;
        for trail in &mut trails {
            let Value::Object(members) = trail else { continue };
            let arn = members.get("TrailARN").cloned().unwrap_or_default();
            let of = parameters(json!({"TrailName": arn}));
            let selectors = self.client.one(&calls::EVENT_SELECTORS, &of);
            for name in ["EventSelectors", "AdvancedEventSelectors"] {
                let own = selectors.as_ref().map_err(Clone::clone);
                let own = own.map(|it| it.get(name).cloned().unwrap_or_else(|| json!([])));
                members.insert(name.to_owned(), known(own));
            }
            let status = self.client.one(&calls::TRAIL_STATUS, &parameters(json!({"Name": arn})));
            if let Ok(logging @ Value::Bool(_)) = status {
                members.insert("IsLogging".to_owned(), logging);
            }
        }
        Ok(Value::Array(trails))
    }
}

/// An event under its id, by which one that two lookups find is known to be one; the records sort
/// by time first.
fn identified(event: Value) -> (String, Value) {
    let text = |name: &str| event.get(name).map(Value::to_string).unwrap_or_default();
    let id = event.get("EventId").map_or_else(|| event.to_string(), Value::to_string);
    (format!("{} {id}", text("EventTime")), event)
}
