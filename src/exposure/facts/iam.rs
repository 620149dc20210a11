//! Users, roles and their policies: the owner's own word on a leaked key.

use super::{Asked, Document, Tag, Time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

shape! { "PascalCase";
    /// The output of `get-account-authorization-details`, and what is known of keys.
    Iam {
        user_detail_list: Asked<Vec<User>>,
        group_detail_list: Asked<Vec<Group>>,
        role_detail_list: Asked<Vec<Role>>,
        policies: Asked<Vec<ManagedPolicy>>,
        credential_report: Asked<CredentialReport>,
        /// `AccessKeyMetadata` of `list-access-keys`, with the output of
        /// `get-access-key-last-used` in each.
        access_keys: Asked<Vec<AccessKey>>,
    }

    /// A user.
    User {
        user_name: String,
        user_id: Option<String>,
        arn: Option<String>,
        path: Option<String>,
        create_date: Option<Time>,
        user_policy_list: Vec<InlinePolicy>,
        group_list: Vec<String>,
        attached_managed_policies: Vec<AttachedPolicy>,
        permissions_boundary: Option<PermissionsBoundary>,
        tags: Vec<Tag>,
    }

    /// A group.
    Group {
        group_name: String,
        arn: Option<String>,
        group_policy_list: Vec<InlinePolicy>,
        attached_managed_policies: Vec<AttachedPolicy>,
    }

    /// A role.
    Role {
        role_name: String,
        role_id: Option<String>,
        arn: Option<String>,
        path: Option<String>,
        create_date: Option<Time>,
        assume_role_policy_document: Option<Document>,
        role_policy_list: Vec<InlinePolicy>,
        attached_managed_policies: Vec<AttachedPolicy>,
        permissions_boundary: Option<PermissionsBoundary>,
        instance_profile_list: Vec<InstanceProfile>,
        role_last_used: Option<AccessKeyLastUsed>,
        tags: Vec<Tag>,
    }

    /// A policy that belongs to one user, group or role.
    InlinePolicy {
        policy_name: String,
        policy_document: Option<Document>,
    }

    /// A policy that is attached.
    AttachedPolicy {
        policy_name: Option<String>,
        policy_arn: String,
    }

    /// What a user or role may never exceed.
    PermissionsBoundary {
        permissions_boundary_type: Option<String>,
        permissions_boundary_arn: Option<String>,
    }

    /// The profile an instance has its role by.
    InstanceProfile {
        instance_profile_name: String,
        arn: Option<String>,
    }

    /// A managed policy.
    ManagedPolicy {
        policy_name: Option<String>,
        arn: String,
        default_version_id: Option<String>,
        policy_version_list: Vec<PolicyVersion>,
    }

    /// One version of a managed policy.
    PolicyVersion {
        version_id: Option<String>,
        is_default_version: Option<bool>,
        document: Option<Document>,
    }

    /// An access key. Never its secret.
    AccessKey {
        access_key_id: String,
        user_name: Option<String>,
        status: Option<String>,
        create_date: Option<Time>,
        access_key_last_used: Asked<AccessKeyLastUsed>,
    }

    /// When a key or role was last used; without a date, never.
    AccessKeyLastUsed {
        last_used_date: Option<Time>,
        service_name: Option<String>,
        region: Option<String>,
    }
}

/// The rows of the credential report, each a column and its value. It is read from the rows, from
/// its CSV, or from `Content` of `get-credential-report`, which is that CSV in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CredentialReport(pub Vec<BTreeMap<String, String>>);

impl<'de> Deserialize<'de> for CredentialReport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CredentialReport, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = value.get("Content").unwrap_or(&value).as_str();
        let Some(text) = text else {
            return serde_json::from_value(value).map(CredentialReport).map_err(D::Error::custom);
        };
        if text.starts_with("user,") {
            return Ok(CredentialReport(rows(text)));
        }
        let csv = STANDARD.decode(text.trim()).ok().and_then(|csv| String::from_utf8(csv).ok());
        let csv = csv.ok_or_else(|| D::Error::custom("a credential report that is no base64"))?;
        Ok(CredentialReport(rows(&csv)))
    }
}

/// The rows of a report. Its values hold neither commas nor quotes: names and paths of IAM cannot.
fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let row = |line: &str| {
        let values = line.split(',').map(str::to_owned);
        names.iter().map(|name| (*name).to_owned()).zip(values).collect()
    };
    lines.filter(|line| !line.is_empty()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_report_is_read_in_every_spelling() {
        let csv = "user,arn\nci,arn:aws:iam::111122223333:user/ci\n";
        let content = serde_json::json!({"Content": STANDARD.encode(csv)}).to_string();
        let plain = serde_json::json!(csv).to_string();
        let rows = r#"[{"user": "ci", "arn": "arn:aws:iam::111122223333:user/ci"}]"#;
        for text in [content.as_str(), plain.as_str(), rows] {
            let report: CredentialReport = serde_json::from_str(text).unwrap();
            assert_eq!(report.0[0]["arn"], "arn:aws:iam::111122223333:user/ci", "{text}");
        }
        assert!(serde_json::from_str::<CredentialReport>("\"not base64\"").is_err());
    }
}
