//! A remedy: commands and policies that end an exposure, printed and never run.

mod cli;
mod policy;
mod references;
mod terraform;

pub use self::cli::script;
pub use self::policy::{NOTES, guardrails};
pub use self::references::{Reference, References};
pub use self::terraform::terraform;

use super::disk::{Disk, Found};
use super::facts::{Account, Facts, Image, Needs, Region, Snapshot};
use super::kms;
use super::shell;
use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeSet;

/// What to remedy, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The images; none for every one that is exposed.
    pub images: Vec<String>,
    /// The account; none for all.
    pub account: Option<String>,
    /// Accounts, organisations and units that keep what they are shared with.
    pub keep: Vec<String>,
    /// The key of encrypted copies.
    pub key: Option<String>,
    /// The role that may attach watermarks, when there is to be one.
    pub gate_role: Option<String>,
}

impl Options {
    /// The key of copies in a region: an ARN is of its own region only.
    fn key_of(&self, region: &str) -> Option<&str> {
        let key = self.key.as_deref()?;
        let home = key.starts_with("arn:").then(|| key.split(':').nth(3)).flatten();
        home.is_none_or(|home| home == region).then_some(key)
    }
}

/// What is wrong with an image and can be put right.
#[derive(Clone, Debug)]
pub struct Exposed<'a> {
    /// The image.
    pub found: Found<'a>,
    /// What of its launch permission goes.
    pub shares: Shares,
    /// Its disks with what of their create-volume permission goes.
    pub disks: Vec<(Disk<'a>, Shares)>,
}

/// Shares that go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Whether everybody has it.
    pub all: bool,
    /// Accounts.
    pub accounts: BTreeSet<String>,
    /// ARNs of organisations.
    pub organizations: BTreeSet<String>,
    /// ARNs of units.
    pub units: BTreeSet<String>,
    /// What could not be read as any of these, and what is not known.
    pub remarks: BTreeSet<String>,
}

impl Shares {
    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        !self.all
            && self.accounts.is_empty()
            && self.organizations.is_empty()
            && self.units.is_empty()
    }
}

impl Exposed<'_> {
    /// Whether a disk of it is not encrypted.
    pub fn plain(&self) -> bool {
        self.disks
            .iter()
            .any(|(disk, _)| disk.snapshot_id.is_some() && disk.encrypted == Some(false))
    }

    /// Whether there is anything to do or to tell.
    fn matters(&self) -> bool {
        let told = |shares: &Shares| !shares.is_empty() || !shares.remarks.is_empty();
        self.plain() || told(&self.shares) || self.disks.iter().any(|(_, shares)| told(shares))
    }
}

/// The images to remedy in one region, sorted by id.
///
/// # Errors
/// When an image that is asked for is in no facts, or is not the account's own.
pub fn exposed<'a>(
    facts: &'a Facts,
    account: &'a Account,
    region: &'a Region,
    options: &Options,
) -> Vec<Exposed<'a>> {
    let kept = Kept::of(facts, options);
    let own = |image: &&Image| {
        image.owner_id.as_deref() == Some(account.account.as_str())
            && shell::is_resource(&image.image_id, "ami-")
    };
    let asked =
        |image: &&Image| options.images.is_empty() || options.images.contains(&image.image_id);
    let mut all: Vec<Exposed<'a>> = region
        .images
        .listed()
        .iter()
        .filter(own)
        .filter(asked)
        .map(|image| {
            let found = Found { account, region, image };
            let disks = found.disks().into_iter().map(|disk| {
                let shares = kept.of_disk(&disk);
                (disk, shares)
            });
            Exposed { found, shares: kept.of_image(image), disks: disks.collect() }
        })
        .filter(|one| one.matters() || !options.images.is_empty())
        .collect();
    all.sort_by(|one, other| one.found.image.image_id.cmp(&other.found.image.image_id));
    all
}

/// The account's own snapshots that are shared and belong to none of `exposed`; none when only some
/// images are asked for.
fn loose<'a>(
    facts: &'a Facts,
    account: &Account,
    region: &'a Region,
    options: &Options,
    exposed: &[Exposed<'_>],
) -> Vec<(&'a Snapshot, Shares)> {
    if !options.images.is_empty() {
        return Vec::new();
    }
    let kept = Kept::of(facts, options);
    let disks = exposed.iter().flat_map(|one| &one.disks);
    let covered: BTreeSet<&str> = disks.filter_map(|(disk, _)| disk.snapshot_id).collect();
    let own = |one: &&Snapshot| {
        one.owner_id.as_deref() == Some(account.account.as_str())
            && !covered.contains(one.snapshot_id.as_str())
            && shell::is_resource(&one.snapshot_id, "snap-")
    };
    let snapshots = region.snapshots.listed().iter().filter(own);
    let shared = snapshots.map(|one| (one, kept.of_snapshot(one)));
    let mut all: Vec<_> = shared.filter(|(_, shares)| !shares.is_empty()).collect();
    all.sort_by(|(one, _), (other, _)| one.snapshot_id.cmp(&other.snapshot_id));
    all
}

/// That every image asked for can be remedied here.
///
/// # Errors
/// When one cannot.
pub fn checked(facts: &Facts, options: &Options) -> Result<()> {
    for id in &options.images {
        let found = super::disk::find(facts, id)?;
        if !found.own() {
            let what = "only the owner of an image can take its shares back";
            let owner = found.image.owner_id.as_deref().unwrap_or("nobody known");
            return Err(Error::new(ErrorKind::Usage, what).detail(format!("{id} of {owner}")));
        }
    }
    if let Some(key) = options.key.as_deref().filter(|key| !shell::is_key(key)) {
        return Err(Error::new(ErrorKind::Usage, "not the name of a key").detail(key));
    }
    let role = options.gate_role.as_deref();
    if let Some(role) = role.filter(|role| !is_role(role)) {
        return Err(Error::new(ErrorKind::Usage, "not the ARN of a role").detail(role));
    }
    Ok(())
}

fn is_role(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let head = (parts.next(), parts.next(), parts.next(), parts.next());
    let plain = |c: char| c.is_ascii_alphanumeric() || "/+=,.@_-*".contains(c);
    let known =
        matches!(head, (Some("arn"), Some("aws" | "aws-cn" | "aws-us-gov"), Some("iam"), Some("")));
    known
        && parts.next().is_some_and(|account| account == "*" || kms::is_account(account))
        && parts.next().is_some_and(|name| name.starts_with("role/") && name.chars().all(plain))
}

/// Who keeps what they have.
struct Kept {
    ids: BTreeSet<String>,
}

impl Kept {
    /// The accounts of the facts, those of their organisations, and who is named.
    fn of(facts: &Facts, options: &Options) -> Kept {
        let mut ids: BTreeSet<String> = options.keep.iter().cloned().collect();
        for account in &facts.accounts {
            ids.insert(account.account.clone());
            if let Some(org) = account.organization.known() {
                ids.insert(org.id.clone());
                ids.extend(org.accounts.listed().iter().map(|one| one.id.clone()));
                ids.extend(org.organizational_units.listed().iter().map(|one| one.id.clone()));
            }
        }
        ids.remove("");
        Kept { ids }
    }

    fn keeps(&self, name: &str) -> bool {
        // An ARN of an organisation or unit ends in its id.
        self.ids.contains(name) || name.rsplit('/').next().is_some_and(|id| self.ids.contains(id))
    }

    fn of_image(&self, image: &Image) -> Shares {
        let mut shares = Shares { all: image.public == Some(true), ..Shares::default() };
        let list = match image.launch_permissions.get("ec2:DescribeImageAttribute") {
            Ok(list) => list,
            Err(needs) => {
                shares
                    .remarks
                    .insert(format!("{}: who it is shared with is {needs}", image.image_id));
                return shares;
            }
        };
        for one in list {
            shares.all |= one.group.as_deref() == Some("all");
            let account = one.user_id.as_ref().filter(|id| !self.keeps(id));
            let organization = one.organization_arn.as_ref().filter(|arn| !self.keeps(arn));
            let unit = one.organizational_unit_arn.as_ref().filter(|arn| !self.keeps(arn));
            shares.put_account(account);
            shares.put_arn(organization, |shares| &mut shares.organizations);
            shares.put_arn(unit, |shares| &mut shares.units);
        }
        shares
    }

    fn of_disk(&self, disk: &Disk<'_>) -> Shares {
        match (&disk.snapshot, disk.snapshot_id) {
            (Some(Ok(known)), _) => self.of_snapshot(known),
            (Some(Err(needs)), Some(id)) => Shares::unknown(id, needs),
            _ => Shares::default(),
        }
    }

    fn of_snapshot(&self, snapshot: &Snapshot) -> Shares {
        match snapshot.create_volume_permissions.get("ec2:DescribeSnapshotAttribute") {
            Ok(list) => {
                let mut shares = Shares::default();
                for one in list {
                    shares.all |= one.group.as_deref() == Some("all");
                    shares.put_account(one.user_id.as_ref().filter(|id| !self.keeps(id)));
                }
                shares
            }
            Err(needs) => Shares::unknown(&snapshot.snapshot_id, &needs),
        }
    }
}

impl Shares {
    fn unknown(id: &str, needs: &Needs) -> Shares {
        let remark = format!("{id}: who it is shared with is {needs}");
        Shares { remarks: BTreeSet::from([remark]), ..Shares::default() }
    }

    fn put_account(&mut self, id: Option<&String>) {
        let Some(id) = id else { return };
        if kms::is_account(id) {
            self.accounts.insert(id.clone());
        } else {
            self.remarks.insert(format!("{id} is not the id of an account"));
        }
    }

    fn put_arn(&mut self, arn: Option<&String>, place: fn(&mut Shares) -> &mut BTreeSet<String>) {
        let Some(arn) = arn else { return };
        let plain = |c: char| c.is_ascii_alphanumeric() || ":/-".contains(c);
        if arn.starts_with("arn:") && arn.chars().all(plain) {
            place(self).insert(arn.clone());
        } else {
            self.remarks.insert(format!("{arn} is not an ARN"));
        }
    }
}
