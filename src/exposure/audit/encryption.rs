//! Encryption: the state and the kind of key of every device, what failed after it was accepted,
//! copies that differ, and what launches will make.

use super::ledger::{Ledger, Place};
use super::rule;
use super::world::{Spot, World};
use crate::exposure::facts::{BlockDevice, Image, Needs};

/// What a device is encrypted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// It is not encrypted.
    None,
    /// The key AWS manages, `aws/ebs`.
    Managed,
    /// A key of a customer.
    Customer,
    /// Encrypted, and nobody said under what.
    Unknown,
}

impl KeyKind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            KeyKind::None => "none",
            KeyKind::Managed => "aws/ebs",
            KeyKind::Customer => "customer",
            KeyKind::Unknown => "unknown",
        }
    }
}

/// A device of an image that has a disk of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name; hostile text.
    pub device: String,
    /// The snapshot.
    pub snapshot: Option<String>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// Under what kind of key.
    pub key_kind: KeyKind,
    /// The key.
    pub key: Option<String>,
    /// Its size, when it is told.
    pub gib: Option<u64>,
}

/// The state of a whole image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encrypted {
    /// Every device.
    All,
    /// Some devices.
    Partial,
    /// No device.
    None,
    /// Not known.
    Unknown,
}

impl Encrypted {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Encrypted::All => "all",
            Encrypted::Partial => "partial",
            Encrypted::None => "none",
            Encrypted::Unknown => "unknown",
        }
    }

    /// The state of an image with these devices. What is known to be open decides: one open and
    /// one unknown device are never "none".
    pub(super) fn of(devices: &[Device]) -> Encrypted {
        let count = |state| devices.iter().filter(|device| device.encrypted == state).count();
        match (count(Some(true)), count(Some(false)), count(None)) {
            (0, 0, _) => Encrypted::Unknown,
            (_, 0, 0) => Encrypted::All,
            (0, _, 0) => Encrypted::None,
            (_, 0, _) => Encrypted::Unknown,
            (..) => Encrypted::Partial,
        }
    }
}

/// The devices of an image. The snapshot's own word counts: an image does not always tell.
pub(super) fn devices(spot: &Spot<'_>, image: &Image) -> Vec<Device> {
    let ebs = |device: &BlockDevice| {
        let ebs = device.ebs.as_ref()?;
        let snapshot = ebs.snapshot_id.as_deref().and_then(|id| spot.snapshots.get(id));
        let encrypted = snapshot.and_then(|snapshot| snapshot.encrypted).or(ebs.encrypted);
        let key =
            snapshot.and_then(|snapshot| snapshot.kms_key_id.clone()).or(ebs.kms_key_id.clone());
        let size = snapshot.and_then(|snapshot| snapshot.volume_size).or(ebs.volume_size);
        // A device without a snapshot starts empty: there is nothing in it to protect.
        ebs.snapshot_id.as_ref()?;
        Some(Device {
            device: device.device_name.clone(),
            snapshot: ebs.snapshot_id.clone(),
            encrypted,
            key_kind: kind(spot, encrypted, key.as_deref()),
            key,
            gib: size,
        })
    };
    image.block_device_mappings.iter().filter_map(ebs).collect()
}

fn kind(spot: &Spot<'_>, encrypted: Option<bool>, key: Option<&str>) -> KeyKind {
    match (encrypted, key) {
        (Some(false), _) => KeyKind::None,
        (_, Some(key)) if spot.is_aws_ebs(key) => KeyKind::Managed,
        (_, Some(key)) => {
            let known = spot.key(key).and_then(|key| key.key_metadata.known());
            match known.and_then(|data| data.key_manager.as_deref()) {
                Some("AWS") => KeyKind::Managed,
                Some("CUSTOMER") => KeyKind::Customer,
                _ => KeyKind::Unknown,
            }
        }
        (_, None) => KeyKind::Unknown,
    }
}

/// Judge the devices of an own image.
pub(super) fn image(spot: &Spot<'_>, image: &Image, devices: &[Device], ledger: &mut Ledger) {
    let named = (image.image_id.as_str(), image.name.as_deref());
    let with = |state| {
        let of = devices.iter().filter(|device| device.encrypted == state);
        of.map(|device| format!("{} {}", device.device, device.snapshot.as_deref().unwrap_or("?")))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match Encrypted::of(devices) {
        Encrypted::None => ledger.found(&rule::AMI_ENC_001, spot.at, named, with(Some(false))),
        Encrypted::Partial => ledger.found(&rule::AMI_ENC_002, spot.at, named, with(Some(false))),
        Encrypted::All => {}
        Encrypted::Unknown if devices.is_empty() => {}
        Encrypted::Unknown => {
            let needs = spot.region.snapshots.get("ec2:DescribeSnapshots").err();
            let needs =
                needs.unwrap_or(Needs { action: "ec2:DescribeSnapshots".to_owned(), error: None });
            ledger.unknown(&[&rule::AMI_ENC_001, &rule::AMI_ENC_002], spot.at, needs);
        }
    }
    for device in devices {
        let evidence = format!("{} under {}", device.device, device.key.as_deref().unwrap_or("?"));
        match device.key_kind {
            KeyKind::Managed => ledger.found(&rule::AMI_ENC_003, spot.at, named, evidence),
            KeyKind::Unknown if device.encrypted == Some(true) => {
                let rules = [&rule::AMI_ENC_003, &rule::SHARE_KMS_002];
                ledger.unknown(&rules, spot.at, needs_key(spot, device.key.as_deref()));
            }
            _ => {}
        }
    }
    let failed = matches!(image.state.as_deref(), Some("failed" | "invalid" | "error"));
    let reason = image.state_reason.as_ref().and_then(|reason| reason.message.as_deref());
    if failed {
        ledger.found(&rule::AMI_STATE_001, spot.at, named, reason.unwrap_or("no reason is given"));
    }
}

/// What it takes to know the kind of a key.
fn needs_key(spot: &Spot<'_>, key: Option<&str>) -> Needs {
    let action = "kms:DescribeKey";
    let Some(key) = key else {
        return Needs { action: "ec2:DescribeSnapshots".to_owned(), error: None };
    };
    let described = spot.key(key).and_then(|key| key.key_metadata.get(action).err());
    let listed = || spot.region.keys.get(action).err();
    described.or_else(listed).unwrap_or(Needs { action: action.to_owned(), error: None })
}

/// Judge what a region says of snapshots and volumes on their own.
pub(super) fn disks(spot: &Spot<'_>, ledger: &mut Ledger) {
    let own = |owner: Option<&str>| owner.is_none_or(|owner| owner == spot.at.account);
    if let Err(needs) = spot.region.snapshots.get("ec2:DescribeSnapshots") {
        ledger.unknown(&[&rule::SNAP_ENC_001, &rule::AMI_STATE_001], spot.at, needs);
    }
    for snapshot in spot.region.snapshots.listed() {
        let named = (snapshot.snapshot_id.as_str(), None);
        if !own(snapshot.owner_id.as_deref()) {
            continue;
        }
        if snapshot.encrypted == Some(false) && !spot.mapped.contains(snapshot.snapshot_id.as_str())
        {
            let gib = snapshot.volume_size.unwrap_or_default();
            ledger.found(&rule::SNAP_ENC_001, spot.at, named, format!("{gib} GiB"));
        }
        if snapshot.state.as_deref() == Some("error") {
            let reason = snapshot.state_message.as_deref().unwrap_or("no reason is given");
            ledger.found(&rule::AMI_STATE_001, spot.at, named, reason);
        }
    }
    match spot.region.volumes.get("ec2:DescribeVolumes") {
        Ok(volumes) => {
            let images: std::collections::BTreeMap<_, _> = spot
                .region
                .instances
                .listed()
                .iter()
                .map(|instance| (instance.instance_id.as_str(), instance.image_id.as_deref()))
                .collect();
            for volume in volumes {
                let open = volume.encrypted == Some(false);
                let Some(attached) = volume.attachments.first().filter(|_| open) else { continue };
                let instance = attached.instance_id.as_deref().unwrap_or("?");
                let image = images.get(instance).copied().flatten().unwrap_or("?");
                let evidence = format!("attached to {instance}, launched from {image}");
                ledger.found(&rule::VOL_ENC_001, spot.at, (&volume.volume_id, None), evidence);
            }
        }
        Err(needs) => ledger.unknown(&[&rule::VOL_ENC_001], spot.at, needs),
    }
}

/// Judge copies whose encryption differs from that of their source.
pub(super) fn copies(world: &World<'_>, spot: &Spot<'_>, image: &Image, ledger: &mut Ledger) {
    let own = Encrypted::of(&devices(spot, image));
    if own != Encrypted::All {
        return;
    }
    for (other, copy) in world.copies(&image.image_id) {
        let state = Encrypted::of(&devices(other, copy));
        if matches!(state, Encrypted::None | Encrypted::Partial) {
            let Place { account, region } = spot.at;
            let evidence =
                format!("copied from {} ({account} {region}), which is encrypted", image.image_id);
            ledger.found(
                &rule::AMI_COPY_001,
                other.at,
                (&copy.image_id, copy.name.as_deref()),
                evidence,
            );
        }
    }
}
