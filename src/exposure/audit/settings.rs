//! Settings of accounts: encryption by default, block public access, Allowed AMIs.

use super::ledger::{Ledger, Place};
use super::rule;
use super::vendor;
use super::world::{Spot, World};
use crate::exposure::facts::{AllowedImagesSettings, ImageCriterion};
use std::collections::BTreeMap;

/// Judge the settings of one region.
pub(super) fn region(world: &World<'_>, spot: &Spot<'_>, ledger: &mut Ledger) {
    encryption(spot, ledger);
    public_access(spot, ledger);
    match spot.region.allowed_images_settings.get("ec2:GetAllowedImagesSettings") {
        Ok(settings) => allowed(world, spot, settings, ledger),
        Err(needs) => {
            let rules = [
                &rule::ACCT_ALLOW_001,
                &rule::ACCT_ALLOW_002,
                &rule::ACCT_ALLOW_003,
                &rule::ACCT_ALLOW_004,
                &rule::ACCT_ALLOW_005,
            ];
            ledger.unknown(&rules, spot.at, needs);
        }
    }
}

fn encryption(spot: &Spot<'_>, ledger: &mut Ledger) {
    let account = (spot.at.account, None);
    match spot.region.ebs_encryption_by_default.get("ec2:GetEbsEncryptionByDefault") {
        Ok(true) => {}
        Ok(false) => {
            ledger.found(&rule::ACCT_ENC_001, spot.at, account, "EbsEncryptionByDefault: false");
        }
        Err(needs) => ledger.unknown(&[&rule::ACCT_ENC_001], spot.at, needs),
    }
    match spot.region.ebs_default_kms_key_id.get("ec2:GetEbsDefaultKmsKeyId") {
        Ok(key) if spot.is_aws_ebs(key) => {
            ledger.found(&rule::ACCT_ENC_002, spot.at, account, key.as_str());
        }
        Ok(_) => {}
        Err(needs) => ledger.unknown(&[&rule::ACCT_ENC_002], spot.at, needs),
    }
}

fn public_access(spot: &Spot<'_>, ledger: &mut Ledger) {
    let account = (spot.at.account, None);
    let by = |managed: Option<&str>| {
        managed.map_or_else(String::new, |by| format!(" (managed by {by})"))
    };
    match spot.region.image_block_public_access.get("ec2:GetImageBlockPublicAccessState") {
        Ok(setting) => match setting.image_block_public_access_state.as_deref() {
            Some("block-new-sharing") => {}
            state => {
                let managed = by(setting.managed_by.as_deref());
                let evidence = format!("state: {}{managed}", state.unwrap_or("not told"));
                ledger.found(&rule::ACCT_BPA_001, spot.at, account, evidence);
            }
        },
        Err(needs) => ledger.unknown(&[&rule::ACCT_BPA_001], spot.at, needs),
    }
    match spot.region.snapshot_block_public_access.get("ec2:GetSnapshotBlockPublicAccessState") {
        Ok(setting) => match setting.state.as_deref() {
            Some("block-all-sharing") => {}
            state => {
                let managed = by(setting.managed_by.as_deref());
                let evidence = format!("state: {}{managed}", state.unwrap_or("not told"));
                ledger.found(&rule::ACCT_BPA_002, spot.at, account, evidence);
            }
        },
        Err(needs) => {
            ledger.unknown(&[&rule::ACCT_BPA_002, &rule::SNAP_PUB_002], spot.at, needs);
        }
    }
}

fn allowed(
    world: &World<'_>,
    spot: &Spot<'_>,
    settings: &AllowedImagesSettings,
    ledger: &mut Ledger,
) {
    let account = (spot.at.account, None);
    match settings.state.as_deref() {
        Some("enabled") => {}
        Some("audit-mode") => {
            ledger.found(&rule::ACCT_ALLOW_002, spot.at, account, "state: audit-mode");
        }
        state => {
            let evidence = format!("state: {}", state.unwrap_or("not told"));
            ledger.found(&rule::ACCT_ALLOW_001, spot.at, account, evidence);
        }
    }
    for (number, criterion) in (1..).zip(&settings.image_criteria) {
        for provider in &criterion.image_providers {
            provider_of(world, spot, (number, criterion), provider, ledger);
        }
    }
}

fn provider_of(
    world: &World<'_>,
    spot: &Spot<'_>,
    (number, criterion): (usize, &ImageCriterion),
    provider: &str,
    ledger: &mut Ledger,
) {
    let account = (spot.at.account, None);
    let narrow = !criterion.image_names.is_empty()
        || !criterion.marketplace_product_codes.is_empty()
        || !criterion.image_watermarks.is_empty();
    if matches!(provider, "amazon" | "aws-marketplace") {
        if !narrow {
            let evidence = format!("criterion {number} allows every image of {provider}");
            ledger.found(&rule::ACCT_ALLOW_005, spot.at, account, evidence);
        }
        return;
    }
    let trusted = &world.options.trusted.providers;
    let known = world.is_inside(provider)
        || trusted.contains(provider)
        || vendor::of_account(provider).is_some()
        || matches!(provider, "none" | "self" | "aws-backup-vault");
    if !known {
        let near = vendor::VENDORS.iter().find(|vendor| differs_by_one(vendor.account, provider));
        let near = near.map_or_else(String::new, |vendor| {
            format!("; one digit from {}, {}", vendor.account, vendor.name)
        });
        let evidence = format!("criterion {number} allows {provider}{near}");
        ledger.found(&rule::ACCT_ALLOW_004, spot.at, account, evidence);
    }
}

/// Whether two ids differ in one digit, or two neighbours are swapped.
fn differs_by_one(one: &str, other: &str) -> bool {
    let pairs: Vec<(u8, u8)> = one.bytes().zip(other.bytes()).collect();
    let wrong: Vec<&(u8, u8)> = pairs.iter().filter(|(a, b)| a != b).collect();
    let swapped = matches!(wrong[..], [(a, b), (c, d)] if a == d && b == c);
    one.len() == other.len() && (wrong.len() == 1 || swapped)
}

/// Judge whether the regions of an account agree on Allowed AMIs.
pub(super) fn regions_agree(world: &World<'_>, ledger: &mut Ledger) {
    let mut by_account: BTreeMap<&str, BTreeMap<String, Vec<&str>>> = BTreeMap::new();
    for spot in &world.spots {
        let Some(settings) = spot.region.allowed_images_settings.known() else { continue };
        // The same settings written down are the same text: every list keeps its order.
        let text = serde_json::to_string(&(&settings.state, &settings.image_criteria));
        let same = by_account.entry(spot.at.account).or_default();
        same.entry(text.unwrap_or_default()).or_default().push(spot.at.region);
    }
    for (account, groups) in by_account.iter().filter(|(_, groups)| groups.len() > 1) {
        let mut parts: Vec<String> = groups.values().map(|regions| regions.join(" ")).collect();
        parts.sort();
        let at = Place { account, region: "" };
        ledger.found(&rule::ACCT_ALLOW_003, at, (account, None), parts.join(" | "));
    }
}
