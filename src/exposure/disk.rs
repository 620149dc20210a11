//! A disk of an image: its device, its snapshot and the key that snapshot is encrypted under,
//! joined from the facts.

use super::facts::{Account, Facts, Image, Key, Needs, Region, Snapshot};
use super::kms::{self, Grant, Policy, Truth};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;

/// An image and where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The account whose facts name it.
    pub account: &'a Account,
    /// Its region.
    pub region: &'a Region,
    /// The image.
    pub image: &'a Image,
}

/// The image of that id, in its owner's account where that is known.
///
/// # Errors
/// When no facts name it.
pub fn find<'a>(facts: &'a Facts, id: &str) -> Result<Found<'a>> {
    let mut found: Option<Found<'a>> = None;
    for (account, region) in facts.regions() {
        let of = |image: &&Image| image.image_id == id;
        let Some(image) = region.images.listed().iter().find(of) else { continue };
        let here = Found { account, region, image };
        if here.own() {
            return Ok(here);
        }
        found.get_or_insert(here);
    }
    found.ok_or_else(|| Error::new(ErrorKind::NotFound, "the facts name no such image").detail(id))
}

impl<'a> Found<'a> {
    /// Whether the account owns it. An image that does not say whose it is, is not.
    pub fn own(&self) -> bool {
        self.image.owner_id.as_deref() == Some(self.account.account.as_str())
    }

    /// Its disks, in the order of the image. Devices without EBS are left out.
    pub fn disks(&self) -> Vec<Disk<'a>> {
        let devices = self.image.block_device_mappings.iter();
        let disks = devices.filter_map(|device| {
            let ebs = device.ebs.as_ref()?;
            let id = ebs.snapshot_id.as_deref();
            let snapshot = id.map(|id| snapshot(self.region, id));
            let known = snapshot.as_ref().and_then(|asked| asked.as_ref().ok());
            Some(Disk {
                device: &device.device_name,
                snapshot_id: id,
                encrypted: known.and_then(|known| known.encrypted).or(ebs.encrypted),
                key: known.and_then(|s| s.kms_key_id.as_deref()).or(ebs.kms_key_id.as_deref()),
                size_gib: known.and_then(|known| known.volume_size).or(ebs.volume_size),
                snapshot,
            })
        });
        disks.collect()
    }
}

fn snapshot<'a>(region: &'a Region, id: &str) -> Result<&'a Snapshot, Needs> {
    let all = region.snapshots.get("ec2:DescribeSnapshots")?;
    let unlisted = || Needs { action: "ec2:DescribeSnapshots".to_owned(), error: None };
    all.iter().find(|snapshot| snapshot.snapshot_id == id).ok_or_else(unlisted)
}

/// One EBS disk of an image.
#[derive(Clone, Debug)]
pub struct Disk<'a> {
    /// The device name.
    pub device: &'a str,
    /// The snapshot it comes from; none for a disk that starts empty.
    pub snapshot_id: Option<&'a str>,
    /// What is known of that snapshot.
    pub snapshot: Option<Result<&'a Snapshot, Needs>>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// The key it is encrypted under.
    pub key: Option<&'a str>,
    /// Its size.
    pub size_gib: Option<u64>,
}

impl<'a> Disk<'a> {
    /// What is known of the snapshot.
    pub fn known(&self) -> Option<&'a Snapshot> {
        self.snapshot.as_ref().and_then(|asked| asked.as_ref().ok()).copied()
    }
}

/// Who keeps a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// A customer: its policy can be edited, and what is under it can be shared.
    Customer,
    /// AWS, as `aws/ebs`: what is under it can never be shared.
    Aws,
    /// It is not known.
    Unknown,
}

/// The key of that name, an id, an ARN or an alias, looked for in every account.
pub fn key<'a>(facts: &'a Facts, region: &str, name: &str) -> Option<&'a Key> {
    let regions = || facts.regions().map(|(_, region)| region);
    let here = || regions().filter(|one| one.region == region);
    let is = |name: &str, one: &'a Region| one.keys.listed().iter().find(|key| key.is(name));
    let target = if name.contains("alias/") {
        let alias = here()
            .flat_map(|one| one.aliases.listed())
            .find(|alias| alias.alias_name == name || alias.alias_arn.as_deref() == Some(name))?;
        alias.target_key_id.as_deref()?
    } else {
        name
    };
    here().find_map(|one| is(target, one)).or_else(|| regions().find_map(|one| is(target, one)))
}

/// Who keeps the key of that name.
pub fn manager(facts: &Facts, region: &str, name: &str) -> Manager {
    if name == "aws/ebs" || name.ends_with("alias/aws/ebs") {
        return Manager::Aws;
    }
    let found = key(facts, region, name);
    let metadata = found.and_then(|key| key.key_metadata.known());
    match metadata.and_then(|metadata| metadata.key_manager.as_deref()) {
        Some("CUSTOMER") => Manager::Customer,
        Some("AWS") => Manager::Aws,
        _ if is_default_alias(facts, region, name) => Manager::Aws,
        _ => Manager::Unknown,
    }
}

/// Whether the alias `alias/aws/ebs` of the region is of this key.
fn is_default_alias(facts: &Facts, region: &str, name: &str) -> bool {
    let here = facts.regions().filter(|(_, one)| one.region == region);
    here.flat_map(|(_, one)| one.aliases.listed()).any(|alias| {
        let id = name.rsplit_once('/').map_or(name, |(_, id)| id);
        alias.alias_name == "alias/aws/ebs" && alias.target_key_id.as_deref() == Some(id)
    })
}

/// What a key's policy and grants are, ready to be asked.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    arn: &'a str,
    policy: Result<Policy, String>,
    grants: Result<Vec<Grant<'a>>, String>,
}

impl<'a> Rules<'a> {
    /// Of the key of that name.
    pub fn of(facts: &'a Facts, region: &str, name: &'a str) -> Rules<'a> {
        let Some(key) = key(facts, region, name) else {
            let why = "needs kms:GetKeyPolicy".to_owned();
            return Rules { arn: name, policy: Err(why.clone()), grants: Err(why) };
        };
        let metadata = key.key_metadata.known();
        let policy = match key.policy.get("kms:GetKeyPolicy") {
            Ok(document) => Policy::of(&document.0).map_err(str::to_owned),
            Err(needs) => Err(format!("needs {}", needs.action)),
        };
        let grants = match key.grants.get("kms:ListGrants") {
            Ok(grants) => Ok(grants.iter().map(grant).collect()),
            Err(needs) => Err(format!("needs {}", needs.action)),
        };
        let arn = metadata.and_then(|data| data.arn.as_deref()).unwrap_or(name);
        Rules { arn, policy, grants }
    }

    /// The ARN of the key, or what it was asked for by.
    pub fn arn(&self) -> &'a str {
        self.arn
    }

    /// Its grants, when they are known.
    pub fn grants(&self) -> Option<&[Grant<'a>]> {
        self.grants.as_deref().ok()
    }

    /// The same without what was granted to one principal.
    #[must_use]
    pub fn without(&self, grantee: &str) -> Rules<'a> {
        let mut rules = self.clone();
        if let Ok(grants) = &mut rules.grants {
            grants.retain(|grant| grant.grantee != grantee);
        }
        rules
    }

    /// Whether it lets what is asked.
    pub fn lets(&self, question: &kms::Question<'_>) -> kms::Answer {
        let key = kms::Key {
            arn: self.arn,
            policy: self.policy.as_ref().map_err(String::as_str),
            grants: self.grants.as_deref().map_err(String::as_str),
        };
        kms::decide(&key, question)
    }

    /// Whether it lets `asker` do all of `actions` through EC2 of `region`; the first that it does
    /// not decides. For one user or role, what their IAM policies must allow too is not known.
    pub fn lets_all(
        &self,
        asker: kms::Asker<'_>,
        actions: &[&str],
        region: &str,
    ) -> (Truth, String) {
        let via = via(region);
        let ask = |action| self.lets(&kms::Question { asker, action, via: Some(&via) });
        let answers: Vec<_> = actions.iter().map(|action| (*action, ask(*action))).collect();
        let first = |truth| answers.iter().find(|(_, answer)| answer.truth == truth);
        if let Some((action, answer)) = first(Truth::No).or_else(|| first(Truth::Unknown)) {
            return (answer.truth, format!("{action}: {}", answer.reason));
        }
        let reason = answers.first().map(|(_, answer)| answer.reason.clone()).unwrap_or_default();
        if asker.principal.is_some() && answers.iter().any(|(_, answer)| answer.iam) {
            let also = "and an IAM policy must allow it too, which is not judged here";
            return (Truth::Unknown, format!("{reason}, {also}"));
        }
        (Truth::Yes, reason)
    }
}

/// EC2 of a region, as `kms:ViaService` names it.
pub fn via(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("ec2.{region}.amazonaws.com{suffix}")
}

fn grant(grant: &super::facts::Grant) -> Grant<'_> {
    Grant {
        id: grant.grant_id.as_deref().unwrap_or_default(),
        grantee: grant.grantee_principal.as_deref().unwrap_or_default(),
        operations: grant.operations.iter().map(String::as_str).collect(),
        constrained: grant.constraints.as_ref().is_some_and(|only| {
            !only.encryption_context_subset.is_empty() || !only.encryption_context_equals.is_empty()
        }),
    }
}

/// The organisation of an account, as far as the facts know it.
pub fn org<'a>(facts: &'a Facts, account: &str, paths: &'a [&'a str]) -> kms::Org<'a> {
    let organization = facts.accounts.iter().filter_map(|one| one.organization.known());
    let member = organization
        .filter(|org| !org.id.is_empty())
        .find(|org| org.accounts.listed().iter().any(|one| one.id == account));
    let own = facts.account(account).and_then(|one| one.organization.known());
    match member.or(own.filter(|org| !org.id.is_empty())) {
        Some(org) => kms::Org::Of { id: &org.id, paths: (!paths.is_empty()).then_some(paths) },
        None => kms::Org::Unknown,
    }
}

/// The path of an account in its organisation.
pub fn path<'a>(facts: &'a Facts, account: &str) -> Option<&'a str> {
    let organizations = facts.accounts.iter().filter_map(|one| one.organization.known());
    let mut accounts = organizations.flat_map(|org| org.accounts.listed());
    accounts.find(|one| one.id == account)?.path.as_deref()
}

/// Text of an account, to be shown in a line.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::locator::Printable(self.0.as_bytes()).fmt(f)
    }
}
