//! The image itself: its state, its owner, who has it already, and its disks.

use super::{Check, Fix, Scene, Status, Target};
use crate::exposure::disk::{Disk, Manager, manager};
use crate::exposure::facts::LaunchPermission;
use crate::exposure::shell::{command, image_name, is_resource};
use crate::exposure::whatif::allowed::{self, Verdict};

pub(super) fn checks(scene: &Scene<'_>) -> Vec<Check> {
    let mut checks = vec![state(scene), deprecated(scene), audience(scene), marketplace(scene)];
    checks.extend(target_allows(scene));
    for disk in &scene.disks {
        checks.extend(disk.snapshot_id.map(|id| snapshot(scene, disk, id)));
        checks.push(encrypted(scene, disk));
    }
    checks
}

/// Whether the account may share it at all.
pub(super) fn owner(scene: &Scene<'_>) -> Check {
    let (image, account) = (scene.found.image, &scene.found.account.account);
    let check = |status, what: String| Check::new("image.owner", status, &image.image_id, what);
    match image.owner_id.as_deref() {
        Some(owner) if scene.target.id() == owner => {
            check(Status::Fail, "the target owns the image".to_owned())
        }
        Some(owner) if owner == account => check(Status::Pass, format!("owned by {owner}")),
        Some(owner) => check(Status::Fail, format!("{owner} owns it, and only the owner shares")),
        None => check(Status::Unknown, "unknown: needs ec2:DescribeImages".to_owned()),
    }
}

fn state(scene: &Scene<'_>) -> Check {
    let id = &scene.found.image.image_id;
    match scene.found.image.state.as_deref() {
        Some("available") => Check::new("image.state", Status::Pass, id, "available"),
        Some("disabled") => Check::new("image.state", Status::Fail, id, "disabled")
            .fix(aws(scene, &["enable-image", "--image-id", id])),
        Some(other) => Check::new("image.state", Status::Fail, id, format!("in state {other}")),
        None => Check::new("image.state", Status::Unknown, id, "unknown: needs ec2:DescribeImages"),
    }
}

fn deprecated(scene: &Scene<'_>) -> Check {
    let id = &scene.found.image.image_id;
    let check = |status, what: String| Check::new("image.deprecated", status, id, what);
    match (scene.found.image.deprecation_time, scene.facts.collected_at) {
        (None, _) => check(Status::Pass, "not deprecated".to_owned()),
        (Some(time), Some(now)) if now < time => {
            check(Status::Pass, format!("deprecated from {time} on"))
        }
        (Some(time), Some(_)) => {
            check(Status::Fail, format!("deprecated since {time}: the target does not find it"))
                .fix(aws(scene, &["disable-image-deprecation", "--image-id", id]))
        }
        (Some(time), None) => check(
            Status::Unknown,
            format!("deprecated from {time} on, and the facts do not say when they were collected"),
        ),
    }
}

/// Who has it already: what is public needs no share.
fn audience(scene: &Scene<'_>) -> Check {
    let image = scene.found.image;
    let id = &image.image_id;
    let check = |status, what: String| Check::new("image.audience", status, id, what);
    let all = |one: &LaunchPermission| one.group.as_deref() == Some("all");
    match image.launch_permissions.get("ec2:DescribeImageAttribute") {
        _ if image.public == Some(true) => public(scene, id),
        Err(needs) => check(Status::Unknown, needs.to_string()),
        Ok(list) if list.iter().any(all) => public(scene, id),
        Ok(list) if list.iter().any(|one| has(one, scene.target)) => {
            check(Status::Pass, "shared with the target already".to_owned())
        }
        Ok(list) if list.is_empty() => check(Status::Pass, "shared with nobody yet".to_owned()),
        Ok(list) => check(Status::Pass, format!("{} others have it already", list.len())),
    }
}

fn public(scene: &Scene<'_>, id: &str) -> Check {
    let what = "public: everybody has it already";
    Check::new("image.audience", Status::Fail, id, what).fix(aws(
        scene,
        &[
            "modify-image-attribute",
            "--image-id",
            id,
            "--launch-permission",
            "Remove=[{Group=all}]",
        ],
    ))
}

fn has(permission: &LaunchPermission, target: &Target) -> bool {
    let of = match target {
        Target::Account(_) => &permission.user_id,
        Target::Organization { .. } => &permission.organization_arn,
        Target::Unit { .. } => &permission.organizational_unit_arn,
    };
    let last = |text: &String| text.rsplit('/').next() == Some(target.id());
    of.as_ref().is_some_and(last)
}

fn marketplace(scene: &Scene<'_>) -> Check {
    let image = scene.found.image;
    let sold = |code: &&crate::exposure::facts::ProductCode| {
        code.product_code_type.as_deref() == Some("marketplace")
    };
    match image.product_codes.iter().find(sold) {
        None => Check::new("image.product", Status::Pass, &image.image_id, "no product code"),
        Some(code) => Check::new(
            "image.product",
            Status::Fail,
            &image.image_id,
            format!("carries the Marketplace product {}", code.product_code_id),
        ),
    }
}

/// Whether the Allowed AMIs of the target let it in, where the facts are of the target too.
fn target_allows(scene: &Scene<'_>) -> Option<Check> {
    let id = "target.allowed-amis";
    let Target::Account(account) = scene.target else { return None };
    let regions = &scene.facts.account(account)?.regions;
    let region = regions.iter().find(|one| one.region == scene.found.region.region)?;
    let image = scene.found.image;
    let check = |status, what: String| Some(Check::new(id, status, account, what));
    let settings = match region.allowed_images_settings.get("ec2:GetAllowedImagesSettings") {
        Ok(settings) => settings,
        Err(needs) => return check(Status::Unknown, needs.to_string()),
    };
    if settings.state.as_deref() != Some("enabled") {
        let state = settings.state.as_deref().unwrap_or("disabled");
        return check(Status::Pass, format!("they are in state {state}"));
    }
    let at = scene.facts.collected_at;
    let (verdict, why) = allowed::lets(image, account, &settings.image_criteria, at);
    let advice = "a criterion of the target must let the owner of the image in";
    match verdict {
        Verdict::Allowed => check(Status::Pass, why),
        Verdict::Unknown => check(Status::Unknown, why),
        Verdict::Blocked => check(Status::Fail, format!("they stop it: {why}"))
            .map(|check| check.fix(Fix::Advice(advice.to_owned()))),
    }
}

fn snapshot(scene: &Scene<'_>, disk: &Disk<'_>, id: &str) -> Check {
    let check = |status, what: String| Check::new("disk.snapshot", status, id, what);
    let known = match &disk.snapshot {
        Some(Ok(known)) => known,
        Some(Err(needs)) => return check(Status::Unknown, needs.to_string()),
        None => return check(Status::Unknown, "unknown: needs ec2:DescribeSnapshots".to_owned()),
    };
    let owner = known.owner_id.as_deref();
    let ours = owner.is_none_or(|owner| owner == scene.found.account.account);
    match (known.state.as_deref(), known.storage_tier.as_deref()) {
        _ if !ours => check(Status::Fail, format!("{} owns it", owner.unwrap_or_default())),
        (_, Some("archive")) => check(Status::Fail, "archived: nobody can launch it".to_owned())
            .fix(aws(
                scene,
                &["restore-snapshot-tier", "--snapshot-id", id, "--permanent-restore"],
            )),
        (Some("completed"), _) => check(Status::Pass, "completed".to_owned()),
        (Some(other), _) => check(Status::Fail, format!("in state {other}")),
        (None, _) => check(Status::Unknown, "unknown: needs ec2:DescribeSnapshots".to_owned()),
    }
}

fn encrypted(scene: &Scene<'_>, disk: &Disk<'_>) -> Check {
    let subject = disk.snapshot_id.unwrap_or(disk.device);
    let check = |status, what: String| Check::new("disk.encrypted", status, subject, what);
    let region = &scene.found.region.region;
    match (disk.encrypted, disk.key) {
        _ if disk.snapshot_id.is_none() => {
            check(Status::Pass, format!("{} starts empty", disk.device))
        }
        (None, _) => check(Status::Unknown, "unknown: needs ec2:DescribeSnapshots".to_owned()),
        (Some(false), _) => check(
            Status::Fail,
            format!("{} is not encrypted: whoever it is shared with reads it", disk.device),
        )
        .fix(recopy(scene)),
        (Some(true), None) => {
            check(Status::Unknown, "encrypted; unknown: needs ec2:DescribeSnapshots".to_owned())
        }
        (Some(true), Some(key)) => match manager(scene.facts, region, key) {
            Manager::Customer => {
                check(Status::Pass, format!("{} is encrypted under {key}", disk.device))
            }
            Manager::Aws => check(
                Status::Fail,
                format!(
                    "{} is under the AWS-managed key {key}, which cannot be shared",
                    disk.device
                ),
            )
            .fix(recopy(scene)),
            Manager::Unknown => check(
                Status::Unknown,
                format!("{} is under {key}; unknown: needs kms:DescribeKey", disk.device),
            ),
        },
    }
}

/// The copy under a key that can be shared.
fn recopy(scene: &Scene<'_>) -> Fix {
    let image = scene.found.image;
    let name = image_name(image.name.as_deref().unwrap_or(&image.image_id), "-shared");
    aws(
        scene,
        &[
            "copy-image",
            "--source-region",
            &scene.found.region.region,
            "--source-image-id",
            &image.image_id,
            "--name",
            &name,
            "--encrypted",
            "--kms-key-id",
            "CUSTOMER_KEY_ARN",
        ],
    )
}

/// A command of EC2 in the image's region, as long as every id has its shape.
pub(super) fn aws(scene: &Scene<'_>, words: &[&str]) -> Fix {
    let region = scene.found.region.region.as_str();
    if !is_resource(&scene.found.image.image_id, "ami-") {
        let what = "the id of the image is not one of EC2: no command is printed";
        return Fix::Advice(what.to_owned());
    }
    let mut all = vec!["aws", "ec2", "--region", region];
    all.extend(words);
    Fix::Command(command(&all))
}

/// The commands that share the image, and for an account its snapshots, without which it can be
/// launched and not copied.
pub(super) fn share(scene: &Scene<'_>) -> Vec<String> {
    let image = &scene.found.image.image_id;
    let mut fixes = Vec::new();
    let add = match scene.target {
        Target::Account(id) => format!("Add=[{{UserId={id}}}]"),
        Target::Organization { arn: Some(arn), .. } => {
            format!("Add=[{{OrganizationArn={arn}}}]")
        }
        Target::Unit { arn: Some(arn), .. } => format!("Add=[{{OrganizationalUnitArn={arn}}}]"),
        Target::Organization { .. } => "Add=[{OrganizationArn=ORGANIZATION_ARN}]".to_owned(),
        Target::Unit { .. } => "Add=[{OrganizationalUnitArn=UNIT_ARN}]".to_owned(),
    };
    let words = ["modify-image-attribute", "--image-id", image, "--launch-permission", &add];
    fixes.push(aws(scene, &words));
    if let Target::Account(id) = scene.target {
        let snapshots = scene.disks.iter().filter_map(|disk| disk.snapshot_id);
        for snapshot in snapshots.filter(|id| is_resource(id, "snap-")) {
            let words = [
                "modify-snapshot-attribute",
                "--snapshot-id",
                snapshot,
                "--attribute",
                "createVolumePermission",
                "--operation-type",
                "add",
                "--user-ids",
                id,
            ];
            fixes.push(aws(scene, &words));
        }
    }
    let commands = fixes.into_iter().filter_map(|fix| match fix {
        Fix::Command(command) => Some(command),
        Fix::Statement(..) | Fix::Advice(_) => None,
    });
    commands.collect()
}
