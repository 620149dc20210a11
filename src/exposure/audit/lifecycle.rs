//! Life: originals that were replaced, orphans, what lies in the recycle bin and in S3, age,
//! deprecation, and tags.

use super::ledger::Ledger;
use super::maker;
use super::options::tagged;
use super::rule;
use super::using::encrypted_copy;
use super::world::{Spot, World};
use crate::exposure::facts::{Image, Snapshot};
use crate::exposure::reference;
use std::collections::BTreeSet;

const GIB: u64 = 1 << 30;

/// Judge the life of an own image. Returns the bytes that are kept for nothing.
pub(super) fn image(world: &World<'_>, spot: &Spot<'_>, image: &Image, ledger: &mut Ledger) -> u64 {
    let named = (image.image_id.as_str(), image.name.as_deref());
    let trusted = &world.options.trusted;
    let mut waste = 0;
    let copy = encrypted_copy(world, spot, image);
    if let Some(copy) = &copy {
        ledger.found(&rule::AMI_LIFE_001, spot.at, named, format!("{copy} is an encrypted copy"));
        waste += bytes(spot, image);
    }
    if let Some(days) =
        world.days_since(image.creation_date).filter(|days| *days > trusted.max_age_days)
    {
        ledger.found(&rule::AMI_LIFE_002, spot.at, named, format!("{days} days old"));
    }
    if image.deprecation_time.is_none() {
        ledger.found(&rule::AMI_LIFE_003, spot.at, named, "DeprecationTime is not set");
    }
    if image.imds_support.as_deref() != Some("v2.0") {
        let support = image.imds_support.as_deref().unwrap_or("not set");
        ledger.found(&rule::AMI_IMDS_001, spot.at, named, format!("ImdsSupport: {support}"));
    }
    tags(world, spot, image, ledger);
    // A backup is for what does not happen.
    let backup = maker::of(&image.tags).is_some();
    if copy.is_none() && !backup && unused(world, spot, image) {
        let last = image
            .last_launched_time
            .map_or_else(|| "never launched".to_owned(), |at| format!("last launched {at}"));
        ledger.found(&rule::AMI_LIFE_004, spot.at, named, last);
        waste += bytes(spot, image);
    }
    waste
}

fn tags(world: &World<'_>, spot: &Spot<'_>, image: &Image, ledger: &mut Ledger) {
    let trusted = &world.options.trusted;
    let kinds = [("owner", &trusted.owner_tags), ("data class", &trusted.class_tags)];
    let lacks: Vec<&str> = kinds
        .into_iter()
        .filter(|(_, names)| !names.is_empty() && !tagged(&image.tags, names))
        .map(|(kind, _)| kind)
        .collect();
    if !lacks.is_empty() {
        let evidence = format!("no tag for {}", lacks.join(" and "));
        ledger.found(
            &rule::AMI_TAG_001,
            spot.at,
            (&image.image_id, image.name.as_deref()),
            evidence,
        );
    }
}

/// Whether nothing uses an image, as far as everything that could was asked.
fn unused(world: &World<'_>, spot: &Spot<'_>, image: &Image) -> bool {
    let old =
        |time| world.days_since(time).is_some_and(|days| days > world.options.trusted.unused_days);
    old(image.creation_date)
        && image.last_launched_time.is_none_or(|at| old(Some(at)))
        && !world.is_in_code(&image.image_id)
        && !spot.references(&image.image_id).iter().any(|one| one.live)
        && reference::unknown(spot.region).is_empty()
}

/// The bytes of an image's snapshots.
fn bytes(spot: &Spot<'_>, image: &Image) -> u64 {
    let ids =
        image.block_device_mappings.iter().filter_map(|it| it.ebs.as_ref()?.snapshot_id.as_deref());
    let ids: BTreeSet<&str> = ids.collect();
    ids.iter()
        .filter_map(|id| spot.snapshots.get(id))
        .map(|snapshot| size(snapshot))
        .fold(0, u64::saturating_add)
}

fn size(snapshot: &Snapshot) -> u64 {
    let volume = || snapshot.volume_size.unwrap_or_default().saturating_mul(GIB);
    snapshot.full_snapshot_size_in_bytes.unwrap_or_else(volume)
}

/// Judge snapshots whose image is gone. Returns their bytes.
pub(super) fn orphans(spot: &Spot<'_>, ledger: &mut Ledger) -> u64 {
    if let Err(needs) = spot.region.images.get("ec2:DescribeImages") {
        ledger.unknown(&[&rule::SNAP_LIFE_001], spot.at, needs);
        return 0;
    }
    // A deleted image that can be restored takes its snapshots back.
    let restorable: BTreeSet<&str> = spot
        .region
        .recycle_bin_images
        .listed()
        .iter()
        .map(|image| image.image_id.as_str())
        .collect();
    let images: BTreeSet<&str> = spot.own.iter().map(|image| image.image_id.as_str()).collect();
    let mut total = 0_u64;
    for snapshot in spot.region.snapshots.listed() {
        let own = snapshot.owner_id.as_deref().is_none_or(|owner| owner == spot.at.account);
        if !own || spot.mapped.contains(snapshot.snapshot_id.as_str()) {
            continue;
        }
        let description = snapshot.description.as_deref().unwrap_or_default();
        let Some(image) =
            made_for(description).filter(|id| !images.contains(id) && !restorable.contains(id))
        else {
            continue;
        };
        let bytes = size(snapshot);
        total = total.saturating_add(bytes);
        let evidence = format!("made for {image}, {} GiB", bytes / GIB);
        ledger.found(&rule::SNAP_LIFE_001, spot.at, (&snapshot.snapshot_id, None), evidence);
    }
    total
}

/// The image that EC2 made a snapshot for, by the description it writes.
fn made_for(description: &str) -> Option<&str> {
    let after = if description.starts_with("Created by CreateImage(") {
        description.split_once(") for ")?.1
    } else {
        description.strip_prefix("Copied for DestinationAmi ")?
    };
    let id = after.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next()?;
    id.starts_with("ami-").then_some(id)
}

/// Tell what else exists: deleted and restorable, and copies in S3.
pub(super) fn elsewhere(spot: &Spot<'_>, ledger: &mut Ledger) {
    match spot.region.recycle_bin_images.get("ec2:ListImagesInRecycleBin") {
        Ok(images) => {
            for image in images {
                let until =
                    image.recycle_bin_exit_time.map_or_else(|| "?".to_owned(), |at| at.to_string());
                let named = (image.image_id.as_str(), image.name.as_deref());
                ledger.found(&rule::RBIN_001, spot.at, named, format!("until {until}"));
            }
        }
        Err(needs) => ledger.unknown(&[&rule::RBIN_001], spot.at, needs),
    }
    match spot.region.recycle_bin_snapshots.get("ec2:ListSnapshotsInRecycleBin") {
        Ok(snapshots) => {
            for snapshot in snapshots {
                let until = snapshot
                    .recycle_bin_exit_time
                    .map_or_else(|| "?".to_owned(), |at| at.to_string());
                let named = (snapshot.snapshot_id.as_str(), None);
                ledger.found(&rule::RBIN_001, spot.at, named, format!("until {until}"));
            }
        }
        Err(needs) => ledger.unknown(&[&rule::RBIN_001], spot.at, needs),
    }
    match spot.region.store_image_task_results.get("ec2:DescribeStoreImageTasks") {
        Ok(tasks) => {
            for task in
                tasks.iter().filter(|task| task.store_task_state.as_deref() != Some("Failed"))
            {
                let bucket = task.bucket.as_deref().unwrap_or("?");
                let object = task.s3_object_key.as_deref().unwrap_or("?");
                let evidence = format!("s3://{bucket}/{object}");
                ledger.found(&rule::COPY_S3_001, spot.at, (&task.ami_id, None), evidence);
            }
        }
        Err(needs) => ledger.unknown(&[&rule::COPY_S3_001], spot.at, needs),
    }
    match spot.region.export_image_tasks.get("ec2:DescribeExportImageTasks") {
        Ok(tasks) => {
            for task in tasks.iter().filter(|task| task.status.as_deref() != Some("deleted")) {
                let image = task.image_id.as_deref().unwrap_or(&task.export_image_task_id);
                let place = task.s3_export_location.as_ref();
                let bucket = place.and_then(|it| it.s3_bucket.as_deref()).unwrap_or("?");
                let prefix = place.and_then(|it| it.s3_prefix.as_deref()).unwrap_or_default();
                let evidence = format!("s3://{bucket}/{prefix}");
                ledger.found(&rule::COPY_S3_001, spot.at, (image, None), evidence);
            }
        }
        Err(needs) => ledger.unknown(&[&rule::COPY_S3_001], spot.at, needs),
    }
}

/// Tell which builds publish what they make.
pub(super) fn builds(world: &World<'_>, spot: &Spot<'_>, ledger: &mut Ledger) {
    let listed = match spot
        .region
        .distribution_configurations
        .get("imagebuilder:GetDistributionConfiguration")
    {
        Ok(list) => list,
        Err(needs) => return ledger.unknown(&[&rule::BUILD_PUB_001], spot.at, needs),
    };
    for configuration in listed {
        let named = (configuration.arn.as_str(), configuration.name.as_deref());
        for distribution in &configuration.distributions {
            let region = distribution.region.as_deref().unwrap_or("?");
            let Some(ami) = &distribution.ami_distribution_configuration else { continue };
            let Some(launch) = &ami.launch_permission else { continue };
            if launch.user_groups.iter().any(|group| group == "all") {
                let evidence = format!("userGroups: all in {region}");
                ledger.found(&rule::BUILD_PUB_001, spot.at, named, evidence);
            }
            let outside: Vec<&str> = launch
                .user_ids
                .iter()
                .map(String::as_str)
                .filter(|id| !world.is_inside(id))
                .collect();
            if !outside.is_empty() {
                let evidence = format!("a build shares with {} in {region}", outside.join(", "));
                ledger.found(&rule::AMI_SHARE_001, spot.at, named, evidence);
            }
        }
    }
}
