//! Approval: whether own images were looked at, what a watermark is worth, and who may attach one.

use super::ledger::{Ledger, Place};
use super::lets::{says, statements};
use super::options::tagged;
use super::rule;
use super::world::{Spot, World};
use crate::exposure::facts::{Account, Document, Iam, Image, Needs, Watermark};
use std::collections::{BTreeMap, BTreeSet};

/// What a watermark says of the image that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It was attached to this image, or to one this is a plain copy of.
    Fresh,
    /// It was inherited by an image with content of its own.
    Stale,
    /// Where the image came from is not known.
    Unknown,
}

/// How many names of those who may attach a watermark are told.
const NAMED: usize = 10;

/// Whether an own image is approved; nothing when nobody said how images are.
pub(super) fn image(
    world: &World<'_>,
    spot: &Spot<'_>,
    image: &Image,
    ledger: &mut Ledger,
) -> Option<bool> {
    let named = (image.image_id.as_str(), image.name.as_deref());
    let trusted = &world.options.trusted;
    let mut marked = false;
    for mark in &image.image_watermarks {
        let key = mark.watermark_key.as_deref().or(mark.watermark_name.as_deref()).unwrap_or("?");
        match freshness(world, image, mark) {
            Freshness::Fresh => marked |= trusted.watermarks.contains(key),
            Freshness::Stale => {
                let from = mark.source_image_id.as_deref().unwrap_or("?");
                let evidence = format!("{key} was attached to {from}");
                ledger.found(&rule::AMI_WM_001, spot.at, named, evidence);
            }
            Freshness::Unknown => {
                let needs = Needs { action: "ec2:GetImageAncestry".to_owned(), error: None };
                ledger.unknown(&[&rule::AMI_WM_001], spot.at, needs);
            }
        }
    }
    if !trusted.approves() {
        return None;
    }
    let approved = marked
        || trusted.approved_images.contains(&image.image_id)
        || tagged(&image.tags, &trusted.approved_tags);
    let used = spot.references(&image.image_id).iter().filter(|one| one.live).count();
    if !approved && used > 0 {
        ledger.found(&rule::AMI_APPR_001, spot.at, named, format!("{used} live references"));
    }
    Some(approved)
}

fn freshness(world: &World<'_>, image: &Image, mark: &Watermark) -> Freshness {
    let Some(source) = mark.source_image_id.as_deref() else { return Freshness::Unknown };
    if source == image.image_id {
        return Freshness::Fresh;
    }
    if image.source_instance_id.is_some() {
        return Freshness::Stale;
    }
    let mut chain = vec![image];
    let mut at = image;
    for id in sources(world, image) {
        if id == source {
            return Freshness::Fresh;
        }
        match world.image(id) {
            Some((_, next)) => {
                at = next;
                chain.push(next);
            }
            None => return told(image, source),
        }
    }
    if at.source_instance_id.is_some() { Freshness::Stale } else { told(image, source) }
}

fn sources<'a>(world: &World<'a>, image: &Image) -> Vec<&'a str> {
    // The image is one of the world's own; asking by id gives it the world's lifetime.
    world.image(&image.image_id).map(|(_, own)| world.sources(own)).unwrap_or_default()
}

/// What the ancestry that AWS keeps says. It names every step, and not whether one was a plain
/// copy: an image that is not in it at all is no ancestor.
fn told(image: &Image, source: &str) -> Freshness {
    let Some(steps) = image.ancestry.known() else { return Freshness::Unknown };
    let named = steps
        .iter()
        .any(|step| step.image_id == source || step.source_image_id.as_deref() == Some(source));
    if named { Freshness::Unknown } else { Freshness::Stale }
}

/// Judge the instances of a region against Allowed AMIs.
pub(super) fn instances(spot: &Spot<'_>, ledger: &mut Ledger) {
    match spot.region.instance_image_metadata.get("ec2:DescribeInstanceImageMetadata") {
        Ok(list) => {
            for it in list.iter().filter(|it| it.image_metadata.image_allowed == Some(false)) {
                let image = it.image_metadata.image_id.as_deref().unwrap_or("?");
                let owner = it.image_metadata.owner_id.as_deref().unwrap_or("?");
                let evidence = format!("{image} of {owner}");
                ledger.found(&rule::AMI_APPR_002, spot.at, (&it.instance_id, None), evidence);
            }
        }
        Err(needs) => ledger.unknown(&[&rule::AMI_APPR_002], spot.at, needs),
    }
}

/// Judge who may attach watermarks, in every account that relies on them.
pub(super) fn watermarks(world: &World<'_>, ledger: &mut Ledger) {
    let criteria: BTreeSet<&str> = world
        .spots
        .iter()
        .filter(|spot| {
            let settings = spot.region.allowed_images_settings.known();
            settings.is_some_and(|it| {
                it.image_criteria.iter().any(|one| !one.image_watermarks.is_empty())
            })
        })
        .map(|spot| spot.at.account)
        .collect();
    for account in &world.facts.accounts {
        let own = format!("{}:", account.account);
        let relied = criteria.contains(account.account.as_str())
            || world.options.trusted.watermarks.iter().any(|mark| mark.starts_with(&own));
        let at = Place { account: &account.account, region: "" };
        if !relied {
            continue;
        }
        match guarded(world) {
            Ok(true) => {}
            Ok(false) => {
                let evidence = match may_attach(&account.iam) {
                    Ok(names) => {
                        let shown: Vec<&str> =
                            names.iter().take(NAMED).map(String::as_str).collect();
                        format!(
                            "no policy of the organization denies it; {} may: {}",
                            names.len(),
                            shown.join(", ")
                        )
                    }
                    Err(_) => "no policy of the organization denies it".to_owned(),
                };
                ledger.found(&rule::AMI_WM_002, at, (&account.account, None), evidence);
            }
            Err(needs) => ledger.unknown(&[&rule::AMI_WM_002], at, needs),
        }
        if let Err(needs) = may_attach(&account.iam) {
            ledger.unknown(&[&rule::AMI_WM_002], at, needs);
        }
    }
}

/// Whether some service control policy denies attaching watermarks.
fn guarded(world: &World<'_>) -> Result<bool, Needs> {
    let action = "organizations:ListPolicies";
    let Some(organization) = world.organization else {
        // Without an organization there are no such policies.
        let refused = world.facts.accounts.iter().find_map(|account: &Account| {
            account.organization.get("organizations:DescribeOrganization").err()
        });
        return refused.map_or(Ok(false), Err);
    };
    for policy in organization.policies.get(action)? {
        let content = policy.content.get("organizations:DescribePolicy")?;
        if has(content, "Deny", "ec2:AttachImageWatermark") && !policy.targets.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Users and roles some policy of which allows attaching watermarks, whatever its conditions.
fn may_attach(iam: &Iam) -> Result<Vec<String>, Needs> {
    let action = "iam:GetAccountAuthorizationDetails";
    let managed: BTreeMap<&str, bool> = iam
        .policies
        .get(action)?
        .iter()
        .map(|policy| {
            let current = policy
                .policy_version_list
                .iter()
                .filter(|version| version.is_default_version == Some(true));
            let mut documents = current.filter_map(|version| version.document.as_ref());
            (policy.arn.as_str(), documents.any(allows))
        })
        .collect();
    let attached = |list: &[crate::exposure::facts::AttachedPolicy]| {
        // AWS's own administrators, whose text an account's details do not always hold.
        let admin = |arn: &str| {
            arn.ends_with(":policy/AdministratorAccess")
                || arn.ends_with(":policy/AmazonEC2FullAccess")
        };
        list.iter().any(|one| {
            managed.get(one.policy_arn.as_str()).copied().unwrap_or_else(|| admin(&one.policy_arn))
        })
    };
    let inline = |list: &[crate::exposure::facts::InlinePolicy]| {
        list.iter().filter_map(|one| one.policy_document.as_ref()).any(allows)
    };
    let groups: BTreeMap<&str, bool> = iam
        .group_detail_list
        .get(action)?
        .iter()
        .map(|group| {
            (
                group.group_name.as_str(),
                attached(&group.attached_managed_policies) || inline(&group.group_policy_list),
            )
        })
        .collect();
    let users = iam.user_detail_list.get(action)?.iter().filter(|user| {
        let by_group =
            user.group_list.iter().any(|group| groups.get(group.as_str()) == Some(&true));
        by_group || attached(&user.attached_managed_policies) || inline(&user.user_policy_list)
    });
    let roles =
        iam.role_detail_list.get(action)?.iter().filter(|role| {
            attached(&role.attached_managed_policies) || inline(&role.role_policy_list)
        });
    let mut names: Vec<String> = users.map(|user| format!("user/{}", user.user_name)).collect();
    names.extend(roles.map(|role| format!("role/{}", role.role_name)));
    names.sort();
    Ok(names)
}

fn allows(document: &Document) -> bool {
    has(document, "Allow", "ec2:AttachImageWatermark")
}

/// Whether a policy has a statement of this effect on an action.
fn has(document: &Document, effect: &str, action: &str) -> bool {
    statements(&document.0).iter().any(|statement| says(statement, effect, action))
}
