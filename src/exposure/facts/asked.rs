//! A fact that was asked for: known, never asked, or refused.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;

/// An answer of AWS.
///
/// In the file, a known answer stands as the CLI prints it, one that was never asked for is absent,
/// and a refused one is `{"Missing": "ec2:DescribeImages", "Error": "what AWS said"}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Asked<T> {
    /// The answer.
    Known(T),
    /// Nobody asked.
    #[default]
    NotAsked,
    /// It was refused, or the call failed.
    Refused(Refused),
}

/// A refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Refused {
    /// The permission that is missing, such as `ec2:DescribeImages`.
    pub missing: String,
    /// What AWS said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// Why something is not known: the permission it takes, and whether it was asked for at all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs {
    /// The permission.
    pub action: String,
    /// What AWS said; nothing when nobody asked.
    pub error: Option<String>,
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown: needs {}", self.action)
    }
}

impl<T> Asked<T> {
    /// The answer, when there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Asked::Known(value) => Some(value),
            Asked::NotAsked | Asked::Refused(_) => None,
        }
    }

    /// The answer, or what it takes to know it: `action` when nobody asked.
    pub fn get(&self, action: &'static str) -> Result<&T, Needs> {
        match self {
            Asked::Known(value) => Ok(value),
            Asked::NotAsked => Err(Needs { action: action.to_owned(), error: None }),
            Asked::Refused(Refused { missing, error }) => {
                Err(Needs { action: missing.clone(), error: Some(error.clone()) })
            }
        }
    }

    /// A refusal of `action` with what AWS said.
    pub fn refused(action: &str, error: impl fmt::Display) -> Asked<T> {
        Asked::Refused(Refused { missing: action.to_owned(), error: error.to_string() })
    }

    /// This, or `other` when nobody asked.
    #[must_use]
    pub fn or(self, other: Asked<T>) -> Asked<T> {
        match self {
            Asked::NotAsked => other,
            asked => asked,
        }
    }
}

impl<T> Asked<Vec<T>> {
    /// What is known of a list: all of it, or nothing.
    pub fn listed(&self) -> &[T] {
        self.known().map_or(&[], Vec::as_slice)
    }
}

impl<T: Serialize> Serialize for Asked<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Asked::Known(value) => value.serialize(serializer),
            Asked::NotAsked => serializer.serialize_none(),
            Asked::Refused(refused) => refused.serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Asked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Asked<T>, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_null() {
            return Ok(Asked::NotAsked);
        }
        if value.get("Missing").is_some_and(Value::is_string) {
            return serde_json::from_value(value).map(Asked::Refused).map_err(D::Error::custom);
        }
        serde_json::from_value(value).map(Asked::Known).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Asked<Vec<u8>> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_answer_has_three_states() {
        assert_eq!(read("[1]").get("ec2:X"), Ok(&vec![1]));
        let nobody = read("null").get("ec2:X").unwrap_err();
        assert_eq!((nobody.to_string().as_str(), nobody.error), ("unknown: needs ec2:X", None));
        let refused = read(r#"{"Missing": "ec2:Y", "Error": "no"}"#);
        assert_eq!(refused.get("ec2:X").unwrap_err().action, "ec2:Y");
        let written = serde_json::to_string(&refused).unwrap();
        assert_eq!(read(&written), refused);
        assert!(serde_json::from_str::<Asked<Vec<u8>>>("\"text\"").is_err());
    }
}
