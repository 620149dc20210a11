//! Reading facts from files, and joining those of several.

use super::{Account, Facts, Instance, Region};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{FACTS_BYTES, FACTS_REGIONS};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The schema this reads and writes.
pub const SCHEMA: &str = "amisweep.facts/1";

/// Read the facts of several files as one. Accounts come sorted by id, each once.
pub fn read(paths: &[impl AsRef<Path>]) -> Result<Facts> {
    let mut all = Facts { schema: SCHEMA.to_owned(), ..Facts::default() };
    for path in paths {
        let path = path.as_ref();
        let facts = parse(&bytes(path)?).map_err(|error| error.named(&path.to_string_lossy()))?;
        // Ages are counted from the oldest file: nothing is known of what came after it.
        all.collected_at = match (all.collected_at, facts.collected_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        all.accounts.extend(facts.accounts);
        all.missing.extend(facts.missing);
    }
    all.joined()
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    let fail = |cause: std::io::Error| {
        let kind = match cause.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        Error::new(kind, "cannot read the facts").detail(path.display()).caused_by(cause)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fail)?;
    file.take(FACTS_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FACTS_BYTES {
        let what = "more facts than are read in one file; collect fewer accounts into each";
        return Err(Error::new(ErrorKind::Limit, what).detail(path.display()));
    }
    Ok(bytes)
}

impl Facts {
    /// Read the facts of one file.
    pub fn parse(bytes: &[u8]) -> Result<Facts> {
        parse(bytes)?.joined()
    }

    /// The same facts with every account once, sorted, and the outputs that the CLI prints apart
    /// put where they belong.
    fn joined(self) -> Result<Facts> {
        let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for account in self.accounts {
            if !is_account_id(&account.account) {
                let what = "an account of the facts has no id of twelve digits in `Account`";
                return Err(Error::new(ErrorKind::Usage, what).detail(account.account));
            }
            for region in &account.regions {
                let key = (account.account.clone(), region.region.clone());
                if region.region.is_empty() || !seen.insert(key) {
                    let what = "a region of the facts has no name, or stands there twice";
                    let place = format!("{} {}", account.account, region.region);
                    return Err(Error::new(ErrorKind::Usage, what).detail(place));
                }
            }
            match accounts.get_mut(&account.account) {
                Some(known) => join(known, account),
                None => drop(accounts.insert(account.account.clone(), account)),
            }
        }
        if seen.len() > FACTS_REGIONS {
            let what = "more regions of accounts than are judged at once";
            return Err(Error::new(ErrorKind::Limit, what).detail(seen.len()));
        }
        let mut accounts: Vec<Account> = accounts.into_values().collect();
        for account in &mut accounts {
            account.regions.sort_by(|a, b| a.region.cmp(&b.region));
            account.regions.iter_mut().for_each(fold);
        }
        let mut missing = self.missing;
        missing.sort();
        missing.dedup();
        Ok(Facts { schema: self.schema, collected_at: self.collected_at, accounts, missing })
    }
}

fn parse(bytes: &[u8]) -> Result<Facts> {
    let facts: Facts = serde_json::from_slice(bytes)
        .map_err(|cause| Error::new(ErrorKind::Usage, "not a file of facts").caused_by(cause))?;
    if facts.schema != SCHEMA {
        let what = "not a file of facts: `schema` must be amisweep.facts/1, and outputs of the \
                    AWS CLI stand under accounts, Regions (see docs/facts.md)";
        return Err(Error::new(ErrorKind::Usage, what).detail(facts.schema));
    }
    Ok(facts)
}

/// Whether `text` is the id of an account.
fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Add what another file says of the same account.
fn join(known: &mut Account, other: Account) {
    known.regions.extend(other.regions);
    known.arn = known.arn.take().or(other.arn);
    known.account_name = known.account_name.take().or(other.account_name);
    known.organization = std::mem::take(&mut known.organization).or(other.organization);
    let iam = std::mem::take(&mut known.iam);
    known.iam.user_detail_list = iam.user_detail_list.or(other.iam.user_detail_list);
    known.iam.group_detail_list = iam.group_detail_list.or(other.iam.group_detail_list);
    known.iam.role_detail_list = iam.role_detail_list.or(other.iam.role_detail_list);
    known.iam.policies = iam.policies.or(other.iam.policies);
    known.iam.credential_report = iam.credential_report.or(other.iam.credential_report);
    known.iam.access_keys = iam.access_keys.or(other.iam.access_keys);
}

/// Put the outputs of the CLI that stand apart where they belong.
fn fold(region: &mut Region) {
    use super::Asked;
    if let Asked::Known(images) = &mut region.images {
        let apart = std::mem::take(&mut region.image_attributes);
        let mut apart: BTreeMap<_, _> =
            apart.into_iter().map(|it| (it.image_id, it.launch_permissions)).collect();
        for image in images {
            if let Some(permissions) = apart.remove(&image.image_id) {
                image.launch_permissions =
                    std::mem::take(&mut image.launch_permissions).or(permissions);
            }
        }
    }
    if let Asked::Known(snapshots) = &mut region.snapshots {
        let apart = std::mem::take(&mut region.snapshot_attributes);
        let mut apart: BTreeMap<_, _> =
            apart.into_iter().map(|it| (it.snapshot_id, it.create_volume_permissions)).collect();
        for snapshot in snapshots {
            if let Some(permissions) = apart.remove(&snapshot.snapshot_id) {
                let own = std::mem::take(&mut snapshot.create_volume_permissions);
                snapshot.create_volume_permissions = own.or(permissions);
            }
        }
    }
    let apart = std::mem::take(&mut region.reservations);
    let apart: Vec<Instance> = apart.into_iter().flat_map(|it| it.instances).collect();
    if !apart.is_empty() {
        region.instances = std::mem::take(&mut region.instances).or(Asked::Known(apart));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(accounts: &str) -> Result<Facts> {
        let text = format!(
            r#"{{"schema": "amisweep.facts/1", "collected_at": "2026-11-21T20:00:00Z",
                "accounts": {accounts}}}"#
        );
        Facts::parse(text.as_bytes())
    }

    #[test]
    fn outputs_of_the_cli_are_put_together() {
        let facts = parsed(
            r#"[{"Account": "111122223333", "Regions": [{"Region": "us-east-1",
                "Images": [{"ImageId": "ami-1", "SomethingNew": 5}],
                "ImageAttributes": [{"ImageId": "ami-1", "LaunchPermissions": [{"Group": "all"}]}],
                "Snapshots": {"Missing": "ec2:DescribeSnapshots", "Error": "no"},
                "Reservations": [{"Instances": [{"InstanceId": "i-1"}]}]}]},
              {"Account": "111122223333", "Regions": [{"Region": "eu-west-1"}],
                "Iam": {"AccessKeys": []}}]"#,
        )
        .unwrap();
        assert_eq!(facts.accounts.len(), 1);
        let names: Vec<_> = facts.regions().map(|(_, region)| region.region.as_str()).collect();
        assert_eq!(names, ["eu-west-1", "us-east-1"]);
        let region = &facts.accounts[0].regions[1];
        let image = &region.images.listed()[0];
        assert_eq!(image.launch_permissions.listed()[0].group.as_deref(), Some("all"));
        assert_eq!(region.instances.listed()[0].instance_id, "i-1");
        assert_eq!(region.snapshots.get("x").unwrap_err().action, "ec2:DescribeSnapshots");
        assert!(facts.accounts[0].iam.access_keys.known().is_some());
        let again = serde_json::to_vec(&facts).unwrap();
        assert_eq!(Facts::parse(&again).unwrap(), facts);
    }

    #[test]
    fn what_is_no_file_of_facts_is_refused() {
        let twice =
            r#"[{"Account": "111122223333", "Regions": [{"Region": "a"}, {"Region": "a"}]}]"#;
        for accounts in [
            twice,
            r#"[{"Account": "1"}]"#,
            "5",
            r#"[{"Account": "111122223333", "Regions": [{}]}]"#,
        ] {
            assert_eq!(parsed(accounts).unwrap_err().kind(), ErrorKind::Usage, "{accounts}");
        }
        let bare = Facts::parse(br#"{"Images": []}"#).unwrap_err();
        assert!(bare.message().contains("amisweep.facts/1"), "{}", bare.message());
    }
}
