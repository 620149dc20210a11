//! Sharing under a key: shares that cannot work, grants that go too far, keys that do not rotate.

use super::audience::Exposure;
use super::encryption::{Device, KeyKind};
use super::ledger::Ledger;
use super::lets::{self, Answers};
use super::rule::{self, Rule};
use super::world::{Spot, World};
use crate::exposure::facts::{Image, Key};
use crate::exposure::kms::Truth;
use std::collections::BTreeSet;

/// Judge the keys of a shared image against those it is shared with.
pub(super) fn image(
    (world, spot): (&World<'_>, &Spot<'_>),
    (image, devices): (&Image, &[Device]),
    seen: &Exposure,
    answers: &mut Answers,
    ledger: &mut Ledger,
) {
    let named = (image.image_id.as_str(), image.name.as_deref());
    if seen.effective.is_private() {
        return;
    }
    for device in devices.iter().filter(|device| device.encrypted == Some(true)) {
        let name = device.key.as_deref().unwrap_or("?");
        if device.key_kind == KeyKind::Managed {
            let evidence = format!("{} under {name}", device.device);
            ledger.found(&rule::SHARE_KMS_002, spot.at, named, evidence);
            continue;
        }
        let key = match lets::key_of(spot, device.key.as_deref()) {
            Ok(key) => key,
            Err(needs) => {
                ledger.unknown(&[&rule::SHARE_KMS_001, &rule::SHARE_KMS_003], spot.at, needs);
                continue;
            }
        };
        let whole = seen.effective.organizations.iter().chain(&seen.effective.units);
        for target in seen.effective.accounts.iter().chain(whole) {
            match answers.missing(world, spot, key, target) {
                Ok(Some(missing)) if missing.is_empty() => {}
                Ok(Some(missing)) => {
                    let evidence = format!("{target} lacks {} on {name}", missing.join(", "));
                    ledger.found(&rule::SHARE_KMS_001, spot.at, named, evidence);
                }
                Ok(None) => {
                    ledger.unknown(&[&rule::SHARE_KMS_001], spot.at, lets::needs_conditions());
                }
                Err(needs) => ledger.unknown(&[&rule::SHARE_KMS_001], spot.at, needs),
            }
        }
        if seen.effective.public {
            let evidence = format!("{} is encrypted, which cannot be public", device.device);
            ledger.found(&rule::SHARE_KMS_001, spot.at, named, evidence);
        }
    }
}

/// Judge the keys of a region on their own. `shared` are the accounts that some image under any
/// key of the region is shared with.
pub(super) fn keys(
    world: &World<'_>,
    spot: &Spot<'_>,
    shared: &BTreeSet<String>,
    ledger: &mut Ledger,
) {
    let rules: [&'static Rule; 6] = [
        &rule::SHARE_KMS_003,
        &rule::SHARE_KMS_004,
        &rule::SHARE_KMS_005,
        &rule::KEY_ROT_001,
        &rule::KEY_PUB_001,
        &rule::SHARE_KMS_001,
    ];
    let listed = match spot.region.keys.get("kms:DescribeKey") {
        Ok(keys) => keys,
        Err(needs) => return ledger.unknown(&rules, spot.at, needs),
    };
    for key in listed {
        let known = key.key_metadata.known();
        let managed = known.and_then(|data| data.key_manager.as_deref()) == Some("AWS");
        let own = lets::owner_of(key).is_none_or(|owner| owner == spot.at.account);
        // The policy of a managed key cannot be changed, and that of another account's not by us.
        if managed || !own {
            continue;
        }
        policy(world, spot, key, ledger);
        grants(spot, key, shared, ledger);
        rotation(spot, key, ledger);
    }
}

/// The id of a key, as commands take it.
fn id(key: &Key) -> &str {
    let known = key.key_metadata.known().map(|data| data.key_id.as_str());
    known.or(key.key_id.as_deref()).unwrap_or("?")
}

fn policy(world: &World<'_>, spot: &Spot<'_>, key: &Key, ledger: &mut Ledger) {
    let named = (id(key), None);
    let policy = match key.policy.get("kms:GetKeyPolicy") {
        Ok(policy) => policy,
        Err(needs) => {
            let rules = [&rule::SHARE_KMS_003, &rule::SHARE_KMS_004, &rule::KEY_PUB_001];
            return ledger.unknown(&rules, spot.at, needs);
        }
    };
    match lets::is_public(key) {
        Truth::Yes => {
            ledger.found(&rule::KEY_PUB_001, spot.at, named, "any account may use it");
        }
        Truth::Unknown => {
            ledger.unknown(&[&rule::KEY_PUB_001], spot.at, lets::needs_conditions());
        }
        Truth::No => {}
    }
    for account in other_accounts(&policy.0, spot.at.account) {
        let admin = lets::admin(world, key, &account);
        if !admin.is_empty() {
            let evidence = format!("{account} may {}", admin.join(", "));
            ledger.found(&rule::SHARE_KMS_003, spot.at, named, evidence);
        }
    }
    let loose = lets::loose_grants(key, spot.at.account);
    if !loose.is_empty() {
        ledger.found(&rule::SHARE_KMS_004, spot.at, named, loose.join(", "));
    }
}

/// Accounts other than `own` that a policy names as principals.
fn other_accounts(policy: &serde_json::Value, own: &str) -> BTreeSet<String> {
    let named = lets::statements(policy).iter().flat_map(lets::principals);
    let ids = named.filter_map(|principal| lets::account_of(&principal).map(str::to_owned));
    ids.filter(|id| id != own).collect()
}

fn grants(spot: &Spot<'_>, key: &Key, shared: &BTreeSet<String>, ledger: &mut Ledger) {
    let listed = match key.grants.get("kms:ListGrants") {
        Ok(grants) => grants,
        Err(needs) => return ledger.unknown(&[&rule::SHARE_KMS_005], spot.at, needs),
    };
    for grant in listed {
        let grantee = grant.grantee_principal.as_deref().unwrap_or_default();
        let account = lets::account_of(grantee).unwrap_or_default();
        if !account.is_empty() && account != spot.at.account && !shared.contains(account) {
            let grant = grant.grant_id.as_deref().unwrap_or("?");
            let evidence = format!("grant {grant} to {grantee}");
            ledger.found(&rule::SHARE_KMS_005, spot.at, (id(key), None), evidence);
        }
    }
}

fn rotation(spot: &Spot<'_>, key: &Key, ledger: &mut Ledger) {
    let known = key.key_metadata.known();
    // Only symmetric keys whose material KMS made can rotate by themselves.
    let symmetric = known
        .and_then(|data| data.key_spec.as_deref())
        .is_none_or(|spec| spec == "SYMMETRIC_DEFAULT");
    let made =
        known.and_then(|data| data.origin.as_deref()).is_none_or(|origin| origin == "AWS_KMS");
    if !symmetric || !made {
        return;
    }
    match key.rotation.get("kms:GetKeyRotationStatus") {
        Ok(rotation) => match (rotation.key_rotation_enabled, rotation.rotation_period_in_days) {
            (Some(true), _) => {}
            _ => ledger.found(
                &rule::KEY_ROT_001,
                spot.at,
                (id(key), None),
                "automatic rotation is off",
            ),
        },
        Err(needs) => ledger.unknown(&[&rule::KEY_ROT_001], spot.at, needs),
    }
}
