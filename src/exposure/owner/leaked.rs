//! What leaked: the credentials of AWS that a scan's report names, without their secrets.

use crate::error::{Error, ErrorKind, Result};
use crate::limits::FACTS_BYTES;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Something an owner's account can be asked about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An access key of a user (`AKIA…`) or of a session (`ASIA…`), by its id.
    AccessKey(String),
    /// A key id that the report does not spell out: its account, and what it shows of it.
    Unnamed {
        /// The account that the id names, when it does.
        account: Option<String>,
        /// The first and last characters, as previews show them.
        preview: String,
    },
    /// A key for SSH, by the fingerprint of its public half.
    KeyPair(String),
    /// A role, by its ARN.
    Role(String),
    /// A cluster of EKS, by its address.
    Cluster(String),
    /// A database of RDS, by its host.
    Database(String),
}

/// What leaked, and in which findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaked {
    /// Every subject with the findings it stands in and the first place of each.
    pub subjects: BTreeMap<Subject, BTreeSet<String>>,
}

impl Leaked {
    /// Read reports of `amisweep scan -f json`.
    pub fn read(paths: &[impl AsRef<Path>]) -> Result<Leaked> {
        let mut all = Leaked::default();
        for path in paths {
            let path = path.as_ref();
            let named = |error: Error| error.named(&path.to_string_lossy());
            all.add(&text(path)?).map_err(named)?;
        }
        Ok(all)
    }

    /// Read one report.
    pub fn parse(bytes: &[u8]) -> Result<Leaked> {
        let mut all = Leaked::default();
        all.add(bytes)?;
        Ok(all)
    }

    /// The ids of the access keys.
    pub fn access_keys(&self) -> BTreeSet<String> {
        let id = |subject: &Subject| match subject {
            Subject::AccessKey(id) => Some(id.clone()),
            _ => None,
        };
        self.subjects.keys().filter_map(id).collect()
    }

    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let no_report = || Error::new(ErrorKind::Usage, "not a report of `amisweep scan -f json`");
        let report: Value =
            serde_json::from_slice(bytes).map_err(|cause| no_report().caused_by(cause))?;
        if report.get("schema").and_then(Value::as_str) != Some("amisweep.report/1") {
            return Err(no_report());
        }
        let findings = report.get("findings").and_then(Value::as_array).ok_or_else(no_report)?;
        for finding in findings {
            self.of(finding);
        }
        // The finding of the secret spells out the id that the finding of the id shows in part.
        let known = self.access_keys();
        self.subjects.retain(|subject, _| match subject {
            Subject::Unnamed { preview, .. } => !known.iter().any(|id| shown_as(id, preview)),
            _ => true,
        });
        Ok(())
    }

    fn of(&mut self, finding: &Value) {
        let text = |name: &str| finding.get(name).and_then(Value::as_str).unwrap_or_default();
        let place = finding.pointer("/places/0/locator").and_then(Value::as_str);
        let place = format!("{} {}", text("id"), place.unwrap_or_default());
        let mut found = BTreeSet::new();
        let facts = finding.get("facts").and_then(Value::as_object);
        for (name, value) in facts.into_iter().flatten() {
            let many = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in many.iter().filter_map(Value::as_str) {
                found.extend(subject(name, value));
            }
        }
        if text("rule") == "aws.access_key_id" {
            let account = facts.and_then(|facts| facts.get("account_id")?.as_str());
            let own = text("secret");
            found.insert(if is_access_key(own) {
                Subject::AccessKey(own.to_owned())
            } else {
                Subject::Unnamed {
                    account: account.map(str::to_owned),
                    preview: text("preview").split(' ').next().unwrap_or_default().to_owned(),
                }
            });
        }
        for subject in found {
            self.subjects.entry(subject).or_default().insert(place.trim_end().to_owned());
        }
    }
}

fn text(path: &Path) -> Result<Vec<u8>> {
    let fail = |cause: std::io::Error| {
        Error::new(ErrorKind::Io, "cannot read the report").detail(path.display()).caused_by(cause)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fail)?;
    file.take(FACTS_BYTES).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// What the value of one fact names.
fn subject(name: &str, value: &str) -> Option<Subject> {
    if is_access_key(value) {
        return Some(Subject::AccessKey(value.to_owned()));
    }
    if name == "fingerprint" && value.starts_with("SHA256:") {
        return Some(Subject::KeyPair(value.to_owned()));
    }
    if is_role(value) {
        return Some(Subject::Role(value.to_owned()));
    }
    let host = value.split_once("://").map_or(value, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    let aws = host.strip_suffix(".cn").unwrap_or(&host).to_owned();
    let aws = aws.strip_suffix(".amazonaws.com")?;
    let parts: Vec<&str> = aws.split('.').collect();
    // `name.hash.region.rds`, `hash.gr7.region.eks`.
    match parts.last().copied()? {
        "rds" => Some(Subject::Database(host)),
        "eks" => Some(Subject::Cluster(host)),
        _ => None,
    }
}

/// Whether this is the id of an access key.
pub(super) fn is_access_key(text: &str) -> bool {
    let body = text.strip_prefix("AKIA").or_else(|| text.strip_prefix("ASIA"));
    body.is_some_and(|body| {
        body.len() == 16 && body.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    })
}

fn is_role(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", _, "iam", "", account, resource]
        if account.len() == 12 && resource.starts_with("role/"))
}

/// Whether `preview` shows this id.
fn shown_as(id: &str, preview: &str) -> bool {
    let Some((first, last)) = preview.split_once('…') else { return false };
    !first.is_empty() && id.starts_with(first) && id.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// An id that stands in no source as a whole.
    fn id(tail: &str) -> String {
        format!("AKIA{}{tail}", "QZ7".repeat(4))
    }

    #[test]
    fn a_report_names_what_can_be_asked_about() {
        let report = json!({"schema": "amisweep.report/1", "findings": [
            {"id": "1", "rule": "aws.credentials.file", "facts": {"access_key_id": id("AAAA")},
             "places": [{"locator": "disk:/a@1+2"}]},
            {"id": "2", "rule": "aws.access_key_id", "preview": format!("AKIA…{} [20 bytes]", "AAAA"), "facts": {}},
            {"id": "3", "rule": "aws.access_key_id", "preview": "AKIA…BBBB [20 bytes]",
             "facts": {"account_id": "111122223333"}},
            {"id": "4", "rule": "ssh.private_key.user", "facts": {"fingerprint": "SHA256:abc"}},
            {"id": "5", "rule": "x", "facts": {"role_arn": "arn:aws:iam::111122223333:role/a/b",
             "host": ["prod.c1.us-east-1.rds.amazonaws.com:5432", "db.example.com"],
             "server": "https://AB12.gr7.eu-west-1.eks.amazonaws.com"}}]});
        let leaked = Leaked::parse(report.to_string().as_bytes()).unwrap();
        let subjects: Vec<_> = leaked.subjects.keys().cloned().collect();
        let expected = [
            Subject::AccessKey(id("AAAA")),
            Subject::Unnamed {
                account: Some("111122223333".to_owned()),
                preview: "AKIA…BBBB".to_owned(),
            },
            Subject::KeyPair("SHA256:abc".to_owned()),
            Subject::Role("arn:aws:iam::111122223333:role/a/b".to_owned()),
            Subject::Cluster("ab12.gr7.eu-west-1.eks.amazonaws.com".to_owned()),
            Subject::Database("prod.c1.us-east-1.rds.amazonaws.com".to_owned()),
        ];
        assert_eq!(subjects, expected);
        let places = &leaked.subjects[&Subject::AccessKey(id("AAAA"))];
        assert_eq!(places.iter().collect::<Vec<_>>(), ["1 disk:/a@1+2"]);
        for bad in ["", "{}", r#"{"schema": "amisweep.facts/1"}"#] {
            assert!(Leaked::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
