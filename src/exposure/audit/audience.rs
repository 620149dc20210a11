//! The audience: who can launch an image, who can make volumes from its snapshots, and what block
//! public access takes back.

use super::encryption::Device;
use super::ledger::Ledger;
use super::rule::{self, Rule};
use super::world::{Spot, World};
use crate::exposure::facts::{CreateVolumePermission, Event, Image, LaunchPermission, Needs, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Who may use something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// Everybody.
    pub public: bool,
    /// Accounts other than the owner.
    pub accounts: BTreeSet<String>,
    /// Organizations, by ARN.
    pub organizations: BTreeSet<String>,
    /// Organizational units, by ARN.
    pub units: BTreeSet<String>,
}

impl Audience {
    /// Whether nobody but the owner is in it.
    pub fn is_private(&self) -> bool {
        *self == Audience::default()
    }

    /// In one word, for a line of a table.
    pub fn name(&self) -> &'static str {
        if self.public {
            "public"
        } else if !self.organizations.is_empty() || !self.units.is_empty() {
            "organization"
        } else if !self.accounts.is_empty() {
            "shared"
        } else {
            "private"
        }
    }

    fn of_launch(list: &[LaunchPermission], owner: &str) -> Audience {
        let accounts = list.iter().filter_map(|it| it.user_id.clone());
        Audience {
            public: list.iter().any(|it| it.group.as_deref() == Some("all")),
            accounts: accounts.filter(|id| id != owner).collect(),
            organizations: list.iter().filter_map(|it| it.organization_arn.clone()).collect(),
            units: list.iter().filter_map(|it| it.organizational_unit_arn.clone()).collect(),
        }
    }

    fn of_volume(list: &[CreateVolumePermission], owner: &str) -> Audience {
        let accounts = list.iter().filter_map(|it| it.user_id.clone());
        Audience {
            public: list.iter().any(|it| it.group.as_deref() == Some("all")),
            accounts: accounts.filter(|id| id != owner).collect(),
            ..Audience::default()
        }
    }

    pub(super) fn join(&mut self, other: &Audience) {
        self.public |= other.public;
        self.accounts.extend(other.accounts.iter().cloned());
        self.organizations.extend(other.organizations.iter().cloned());
        self.units.extend(other.units.iter().cloned());
    }
}

/// Who can read an image, by either way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Who may launch it; nothing when that is not known.
    pub launch: Option<Audience>,
    /// Whether everybody may launch it, which more than one call tells.
    pub public: Option<bool>,
    /// Who may make volumes from its snapshots, after block public access.
    pub volume: Option<Audience>,
    /// Both together, as far as they are known.
    pub effective: Audience,
    /// Whether a snapshot is public by its permission and held back by a setting alone.
    pub latent_public: bool,
}

const LAUNCH: &str = "ec2:DescribeImageAttribute";
const VOLUME: &str = "ec2:DescribeSnapshotAttribute";

/// Judge who can read an own image.
pub(super) fn image(
    world: &World<'_>,
    spot: &Spot<'_>,
    image: &Image,
    devices: &[Device],
    ledger: &mut Ledger,
) -> Exposure {
    let launch = launch(spot, image, ledger);
    let mut seen = Exposure::default();
    let mut volume = Some(Audience::default());
    for device in devices {
        let Some(id) = device.snapshot.as_deref() else { continue };
        let Some(of) = raw_volume(spot, id) else {
            volume = None;
            continue;
        };
        let masked = masks(spot) && of.public;
        seen.latent_public |= masked;
        let kept = Audience { public: of.public && !masked, ..of };
        seen.effective.join(&kept);
        if let Some(volume) = &mut volume {
            volume.join(&kept);
        }
    }
    if let Some(launch) = &launch {
        seen.effective.join(launch);
        shares(world, spot, image, launch, ledger);
    }
    reviewed(world, spot, image, &seen, ledger);
    seen.public = launch.as_ref().map(|launch| launch.public).or(image.public);
    seen.launch = launch;
    seen.volume = volume;
    seen
}

fn launch(spot: &Spot<'_>, image: &Image, ledger: &mut Ledger) -> Option<Audience> {
    let named = (image.image_id.as_str(), image.name.as_deref());
    let listed = image.launch_permissions.get(LAUNCH);
    let mut audience = match &listed {
        Ok(list) => Some(Audience::of_launch(list, spot.at.account)),
        Err(needs) => {
            let rules = [
                &rule::AMI_SHARE_001,
                &rule::AMI_SHARE_002,
                &rule::AMI_SHARE_003,
                &rule::AMI_SHARE_010,
                &rule::SHARE_KMS_001,
                &rule::SHARE_KMS_002,
                &rule::SHARE_REV_001,
            ];
            ledger.unknown(&rules, spot.at, needs.clone());
            if image.public.is_none() {
                ledger.unknown(&[&rule::AMI_PUB_001], spot.at, needs.clone());
            }
            None
        }
    };
    // `Public` of describe-images tells of everybody even when the list itself was refused.
    if image.public == Some(true) {
        audience.get_or_insert_default().public = true;
    }
    if audience.as_ref().is_some_and(|audience| audience.public) {
        let age = image.creation_date.map_or_else(String::new, |at| format!(", created {at}"));
        ledger.found(&rule::AMI_PUB_001, spot.at, named, format!("launch permission: all{age}"));
    }
    if listed.is_err() && image.public != Some(true) { None } else { audience }
}

/// Who may make volumes from a snapshot by its permission alone.
fn raw_volume(spot: &Spot<'_>, id: &str) -> Option<Audience> {
    let list = spot.snapshots.get(id)?.create_volume_permissions.known()?;
    Some(Audience::of_volume(list, spot.at.account))
}

/// Whether public snapshots are treated as private in this region.
fn masks(spot: &Spot<'_>) -> bool {
    let setting = spot.region.snapshot_block_public_access.known();
    setting.and_then(|it| it.state.as_deref()) == Some("block-all-sharing")
}

fn shares(
    world: &World<'_>,
    spot: &Spot<'_>,
    image: &Image,
    launch: &Audience,
    ledger: &mut Ledger,
) {
    let named = (image.image_id.as_str(), image.name.as_deref());
    let outside: Vec<&str> =
        launch.accounts.iter().map(String::as_str).filter(|id| !world.is_inside(id)).collect();
    if !outside.is_empty() {
        ledger.found(&rule::AMI_SHARE_001, spot.at, named, outside.join(", "));
    }
    for arn in &launch.organizations {
        let known = world.is_trusted_organization(arn);
        let rule = if known { &rule::AMI_SHARE_003 } else { &rule::AMI_SHARE_002 };
        ledger.found(rule, spot.at, named, arn.as_str());
    }
    for arn in launch.units.iter().filter(|arn| !world.is_trusted_unit(arn)) {
        ledger.found(&rule::AMI_SHARE_002, spot.at, named, arn.as_str());
    }
    if launch.accounts.is_empty() {
        return;
    }
    match spot.region.image_usage_report_entries.get("ec2:DescribeImageUsageReportEntries") {
        Ok(entries) => {
            let users: BTreeSet<&str> = entries
                .iter()
                .filter(|it| it.image_id == image.image_id && it.usage_count != Some(0))
                .filter_map(|it| it.account_id.as_deref())
                .collect();
            let idle: Vec<&str> = launch
                .accounts
                .iter()
                .map(String::as_str)
                .filter(|id| !users.contains(id))
                .collect();
            if !idle.is_empty() {
                let evidence = format!("no use reported by {}", idle.join(", "));
                ledger.found(&rule::AMI_SHARE_010, spot.at, named, evidence);
            }
        }
        Err(needs) => ledger.unknown(&[&rule::AMI_SHARE_010], spot.at, needs),
    }
}

/// Whether somebody looked at the shares lately.
fn reviewed(
    world: &World<'_>,
    spot: &Spot<'_>,
    image: &Image,
    seen: &Exposure,
    ledger: &mut Ledger,
) {
    if seen.effective.is_private() {
        return;
    }
    let trusted = &world.options.trusted;
    let tag = image.tags.iter().find(|tag| tag.key == trusted.review_tag);
    let when = tag.and_then(|tag| Time::parse(tag.value.trim()));
    let evidence = match (world.days_since(when), tag) {
        (Some(days), _) if days <= trusted.review_days => return,
        (Some(days), _) => format!("last reviewed {days} days ago"),
        (None, Some(_)) => format!("tag {} holds no date", trusted.review_tag),
        (None, None) => format!("no tag {}", trusted.review_tag),
    };
    ledger.found(&rule::SHARE_REV_001, spot.at, (&image.image_id, image.name.as_deref()), evidence);
}

/// Judge the permissions of a region's own snapshots.
pub(super) fn snapshots(world: &World<'_>, spot: &Spot<'_>, ledger: &mut Ledger) {
    let rules: [&'static Rule; 3] =
        [&rule::SNAP_PUB_001, &rule::SNAP_PUB_002, &rule::SNAP_SHARE_001];
    let listed = match spot.region.snapshots.get("ec2:DescribeSnapshots") {
        Ok(list) => list,
        Err(needs) => return ledger.unknown(&rules, spot.at, needs),
    };
    let setting =
        spot.region.snapshot_block_public_access.get("ec2:GetSnapshotBlockPublicAccessState");
    for snapshot in listed {
        if snapshot.owner_id.as_deref().is_some_and(|owner| owner != spot.at.account) {
            continue;
        }
        let named = (snapshot.snapshot_id.as_str(), None);
        let list = match snapshot.create_volume_permissions.get(VOLUME) {
            Ok(list) => list,
            Err(needs) => {
                ledger.unknown(&rules, spot.at, needs);
                continue;
            }
        };
        let audience = Audience::of_volume(list, spot.at.account);
        if audience.public && masks(spot) {
            ledger.found(
                &rule::SNAP_PUB_002,
                spot.at,
                named,
                "permission: all; block-all-sharing holds it back",
            );
        } else if audience.public {
            let doubt = match &setting {
                Ok(_) => "",
                Err(_) => "; whether block public access holds it back is not known",
            };
            ledger.found(&rule::SNAP_PUB_001, spot.at, named, format!("permission: all{doubt}"));
        }
        let outside = audience.accounts.iter().map(String::as_str);
        let outside: Vec<&str> = outside.filter(|id| !world.is_inside(id)).collect();
        if !outside.is_empty() {
            ledger.found(&rule::SNAP_SHARE_001, spot.at, named, outside.join(", "));
        }
    }
}

/// Tell which own images were public once, from the events that made and unmade them so.
pub(super) fn past(spot: &Spot<'_>, ledger: &mut Ledger) {
    let events = match spot.region.events.get("cloudtrail:LookupEvents") {
        Ok(events) => events,
        Err(needs) => return ledger.unknown(&[&rule::AMI_PUB_002], spot.at, needs),
    };
    let mut opened: BTreeMap<&str, Vec<(Option<Time>, bool, &str)>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.error_code().is_none()) {
        let Some(image) = event.request("imageId").and_then(|id| id.as_str()) else { continue };
        let public = match event.name() {
            "ModifyImageAttribute" if names_all(event, "add") => true,
            "ModifyImageAttribute" if names_all(event, "remove") => false,
            "ResetImageAttribute" | "DisableImage" | "DeregisterImage" => false,
            _ => continue,
        };
        let actor = event.actor().unwrap_or("somebody");
        opened.entry(image).or_default().push((event.time(), public, actor));
    }
    for (image, mut steps) in opened {
        steps.sort();
        let own = spot.own.iter().find(|own| own.image_id == image);
        let still = own.is_some_and(|own| own.public == Some(true));
        let Some((from, _, actor)) = steps.iter().find(|(_, public, _)| *public).filter(|_| !still)
        else {
            continue;
        };
        let text =
            |time: Option<Time>| time.map_or_else(|| "?".to_owned(), |time| time.to_string());
        let until = steps.iter().rfind(|(at, public, _)| !public && at >= from);
        let until = until.map_or_else(|| "an unknown time".to_owned(), |(at, ..)| text(*at));
        let evidence = format!("from {} to {until}, by {actor}", text(*from));
        let name = own.and_then(|own| own.name.as_deref());
        ledger.found(&rule::AMI_PUB_002, spot.at, (image, name), evidence);
    }
}

/// Whether a change of launch permissions names everybody on one side.
fn names_all(event: &Event, side: &str) -> bool {
    let items = event.value(&["requestParameters", "launchPermission", side, "items"]);
    let items = items.and_then(|items| items.as_array()).map_or(&[][..], Vec::as_slice);
    items.iter().any(|item| item.get("group").and_then(|group| group.as_str()) == Some("all"))
}

/// What it takes to know the images of a region at all.
pub(super) fn unlisted(spot: &Spot<'_>) -> Option<Needs> {
    spot.region.images.get("ec2:DescribeImages").err()
}
