//! An event of CloudTrail: a record in the trail's own spelling.
//!
//! The members are those of the
//! [record contents](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).

use super::{Asked, Time};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// One record. `lookup-events` wraps it as text; that is unwrapped when it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Event(pub Value);

impl Event {
    /// A string at a path of members, such as `["userIdentity", "arn"]`.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.value(path)?.as_str()
    }

    /// The value at a path of members.
    pub fn value(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.0, |value, name| value.get(*name))
    }

    /// The call, such as `ModifyImageAttribute`.
    pub fn name(&self) -> &str {
        self.text(&["eventName"]).unwrap_or_default()
    }

    /// The service, such as `ec2.amazonaws.com`.
    pub fn source(&self) -> &str {
        self.text(&["eventSource"]).unwrap_or_default()
    }

    /// When.
    pub fn time(&self) -> Option<Time> {
        self.text(&["eventTime"]).and_then(Time::parse)
    }

    /// Why it failed; nothing when it went through.
    pub fn error_code(&self) -> Option<&str> {
        self.text(&["errorCode"])
    }

    /// Who, as far as the record names it.
    pub fn actor(&self) -> Option<&str> {
        let identity = |name| self.text(&["userIdentity", name]);
        identity("arn").or_else(|| identity("invokedBy")).or_else(|| identity("principalId"))
    }

    /// The access key the call was signed with.
    pub fn access_key_id(&self) -> Option<&str> {
        self.text(&["userIdentity", "accessKeyId"])
    }

    /// A member of the request.
    pub fn request(&self, name: &str) -> Option<&Value> {
        self.value(&["requestParameters", name])
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let wrapped = value.get("CloudTrailEvent").and_then(Value::as_str);
        let record = wrapped.and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(record) = record.filter(Value::is_object) {
            return Ok(Event(record));
        }
        Ok(Event(if value.get("EventName").is_some() { outline(&value) } else { value }))
    }
}

/// What can be said of a looked-up event whose record is left out.
fn outline(value: &Value) -> Value {
    let mut record = Map::new();
    let names =
        [("eventName", "EventName"), ("eventSource", "EventSource"), ("eventID", "EventId")];
    for (own, theirs) in names {
        if let Some(value) = value.get(theirs) {
            record.insert(own.to_owned(), value.clone());
        }
    }
    let time = value.get("EventTime").and_then(|time| Time::deserialize(time).ok());
    if let Some(time) = time {
        record.insert("eventTime".to_owned(), json!(time));
    }
    let key = value.get("AccessKeyId").unwrap_or(&Value::Null);
    let name = value.get("Username").unwrap_or(&Value::Null);
    record.insert("userIdentity".to_owned(), json!({"accessKeyId": key, "userName": name}));
    Value::Object(record)
}

shape! { "PascalCase";
    /// A trail.
    Trail {
        name: String,
        #[serde(rename = "TrailARN")]
        trail_arn: Option<String>,
        s3_bucket_name: Option<String>,
        is_multi_region_trail: Option<bool>,
        is_organization_trail: Option<bool>,
        is_logging: Option<bool>,
        /// Both kinds of selectors, as `get-event-selectors` prints them.
        event_selectors: Asked<Vec<Value>>,
        advanced_event_selectors: Asked<Vec<Value>>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrapping_is_the_same_record() {
        let record = r#"{"eventName": "CopyImage", "eventTime": "2026-11-21T20:00:00Z",
            "userIdentity": {"arn": "arn:aws:iam::111122223333:user/ci", "accessKeyId": "K"}}"#;
        let wrapped = json!({"EventName": "CopyImage", "CloudTrailEvent": record}).to_string();
        for text in [record, &wrapped] {
            let event: Event = serde_json::from_str(text).unwrap();
            assert_eq!((event.name(), event.access_key_id()), ("CopyImage", Some("K")));
            assert_eq!(event.actor(), Some("arn:aws:iam::111122223333:user/ci"));
        }
        let bare = r#"{"EventName": "CopyImage", "EventTime": 1795291200.0, "AccessKeyId": "K"}"#;
        let event: Event = serde_json::from_str(bare).unwrap();
        assert_eq!(event.time(), Some(Time(1_795_291_200)));
        assert_eq!((event.name(), event.access_key_id()), ("CopyImage", Some("K")));
    }
}
