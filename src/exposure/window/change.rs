//! A change: what one event of CloudTrail did to who may use an image or a snapshot.

use crate::exposure::facts::{Event, Time};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// Who may use something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// Everybody.
    Public,
    /// One account.
    Account(String),
    /// An organization or a unit of one, by ARN.
    Organization(String),
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Audience::Public => f.write_str("public"),
            Audience::Account(id) => write!(f, "account {id}"),
            Audience::Organization(arn) => f.write_str(arn),
        }
    }
}

impl Serialize for Audience {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What an event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Somebody may use it from now on.
    Grant(Audience),
    /// Somebody may not any more.
    Revoke(Audience),
    /// Nobody may any more.
    RevokeAll,
}

/// Who did something, when, and how it is found again.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Deed {
    /// When.
    pub at: Option<Time>,
    /// The call.
    pub event: String,
    /// Who.
    pub actor: String,
    /// From where; a service's name when a service did it.
    pub source: String,
    /// The id of the event.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
}

impl Deed {
    /// What an event says of its own making.
    pub fn of(event: &Event) -> Deed {
        let text = |name| event.text(&[name]).unwrap_or_default().to_owned();
        Deed {
            at: event.time(),
            event: event.name().to_owned(),
            actor: event.actor().unwrap_or("unknown").to_owned(),
            source: text("sourceIPAddress"),
            id: text("eventID"),
        }
    }
}

/// The changes that an event made, each with the image or snapshot it concerns. A call that failed
/// changed nothing.
pub(super) fn changes(event: &Event) -> Vec<(String, Act)> {
    if event.error_code().is_some() || event.source() != "ec2.amazonaws.com" {
        return Vec::new();
    }
    let (of, member) = match event.name() {
        "ModifyImageAttribute" => ("imageId", Some("launchPermission")),
        "ModifySnapshotAttribute" => ("snapshotId", Some("createVolumePermission")),
        "DisableImage" | "DeregisterImage" | "ResetImageAttribute" => ("imageId", None),
        "DeleteSnapshot" | "ResetSnapshotAttribute" => ("snapshotId", None),
        _ => return Vec::new(),
    };
    let Some(id) = parameter(event, of) else { return Vec::new() };
    let Some(member) = member else { return vec![(id.to_owned(), Act::RevokeAll)] };
    let permission = event.request(member);
    let items = |verb: &str| {
        let items = permission.and_then(|it| it.get(verb)?.get("items")?.as_array());
        items.into_iter().flatten().filter_map(audience).collect::<Vec<_>>()
    };
    let revoked = items("remove").into_iter().map(Act::Revoke);
    let granted = items("add").into_iter().map(Act::Grant);
    revoked.chain(granted).map(|act| (id.to_owned(), act)).collect()
}

/// Whom an item of a permission names. Snapshots say `groups` where images say `group`.
fn audience(item: &Value) -> Option<Audience> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    if text("group").or_else(|| text("groups")) == Some("all") {
        return Some(Audience::Public);
    }
    let organization = text("organizationArn").or_else(|| text("organizationalUnitArn"));
    if let Some(arn) = organization {
        return Some(Audience::Organization(arn.to_owned()));
    }
    text("userId").map(|id| Audience::Account(id.to_owned()))
}

/// A parameter of the request: newer calls of EC2 wrap theirs in an object named after the call,
/// and begin the names with capitals.
pub(super) fn parameter<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    let own = |value: &'a Value| {
        let members = value.as_object()?.iter();
        let mut named = members.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.find_map(|(_, value)| value.as_str())
    };
    let parameters = event.value(&["requestParameters"])?;
    own(parameters).or_else(|| parameters.as_object()?.values().find_map(own))
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "what json! makes is handed over")]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(name: &str, request: Value) -> Vec<(String, Act)> {
        changes(&Event(json!({"eventName": name, "eventSource": "ec2.amazonaws.com",
            "requestParameters": request})))
    }

    #[test]
    fn every_way_to_grant_and_revoke_is_read() {
        let image = json!({"imageId": "ami-1", "attributeType": "launchPermission",
            "launchPermission": {"add": {"items": [{"group": "all"}, {"userId": "1"}]},
                                 "remove": {"items": [{"organizationArn": "o"}]}}});
        let acts: Vec<_> =
            of("ModifyImageAttribute", image).into_iter().map(|(_, act)| act).collect();
        let expected = [
            Act::Revoke(Audience::Organization("o".to_owned())),
            Act::Grant(Audience::Public),
            Act::Grant(Audience::Account("1".to_owned())),
        ];
        assert_eq!(acts, expected);
        let snapshot = json!({"snapshotId": "snap-1",
            "createVolumePermission": {"add": {"items": [{"groups": "all"}]}}});
        let expected = [("snap-1".to_owned(), Act::Grant(Audience::Public))];
        assert_eq!(of("ModifySnapshotAttribute", snapshot), expected);
        let wrapped = json!({"DisableImageRequest": {"ImageId": "ami-2"}});
        assert_eq!(of("DisableImage", wrapped), [("ami-2".to_owned(), Act::RevokeAll)]);
        assert_eq!(of("DescribeImages", json!({"imageId": "ami-1"})), []);
        let failed = Event(json!({"eventName": "DisableImage", "eventSource": "ec2.amazonaws.com",
            "errorCode": "UnauthorizedOperation", "requestParameters": {"imageId": "ami-1"}}));
        assert_eq!(changes(&failed), []);
    }
}
