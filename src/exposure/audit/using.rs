//! Use: which images run or would be launched, whose they are, and how launches are set up.

use super::encryption::{Encrypted, devices};
use super::ledger::{Ledger, Place};
use super::rule::{self, Rule};
use super::vendor;
use super::world::{Spot, World, is_own};
use crate::exposure::facts::{
    BlockDevice, Image, ImageMetadata, LaunchTemplateVersion, MetadataOptions, Needs, Time,
};
use crate::exposure::reference::{self, template_name};
use std::collections::{BTreeMap, BTreeSet};

/// An account whose images are in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provider {
    /// The account, or nothing when it is not known.
    pub account: String,
    /// Who that is, as far as AWS or the table of vendors tells.
    pub name: String,
    /// Whether it is ours, or trusted.
    pub trusted: bool,
    /// Its images in use.
    pub images: BTreeSet<String>,
    /// What launches them.
    pub references: u64,
    /// Regions they are used in.
    pub regions: BTreeSet<String>,
}

/// What is known of an image in use, from whichever call tells it.
#[derive(Clone, Copy, Debug, Default)]
struct Known<'a> {
    owner: Option<&'a str>,
    alias: Option<&'a str>,
    name: Option<&'a str>,
    public: Option<bool>,
    state: Option<&'a str>,
    deprecated: Option<Time>,
}

/// Judge what a region launches. Adds to the table of providers.
pub(super) fn references(
    world: &World<'_>,
    spot: &Spot<'_>,
    providers: &mut BTreeMap<String, Provider>,
    ledger: &mut Ledger,
) {
    let rules: [&'static Rule; 4] =
        [&rule::AMI_REF_001, &rule::REF_EXT_001, &rule::REF_EXT_002, &rule::AMI_NAME_001];
    for needs in reference::unknown(spot.region) {
        ledger.unknown(&rules, spot.at, needs);
    }
    let told: BTreeMap<&str, &ImageMetadata> = spot
        .region
        .instance_image_metadata
        .listed()
        .iter()
        .filter_map(|it| Some((it.image_metadata.image_id.as_deref()?, &it.image_metadata)))
        .collect();
    let listed: BTreeMap<&str, &Image> =
        spot.region.images.listed().iter().map(|image| (image.image_id.as_str(), image)).collect();
    for (id, list) in &spot.references {
        let live = list.iter().filter(|one| one.live).count();
        if live == 0 {
            continue;
        }
        let image = listed.get(id).copied().or_else(|| world.image(id).map(|(_, image)| image));
        let Some(known) = known(world, id, image, told.get(id).copied()) else {
            let needs = spot.region.images.get("ec2:DescribeImages").err();
            let needs =
                needs.unwrap_or(Needs { action: "ec2:DescribeImages".to_owned(), error: None });
            ledger.unknown(&rules, spot.at, needs);
            continue;
        };
        let mut by: Vec<String> = list
            .iter()
            .filter(|one| one.live)
            .map(|one| format!("{} {}", one.kind, one.name))
            .collect();
        by.truncate(5);
        let by = by.join(", ");
        let by = if live > 5 { format!("{by} and {} more", live - 5) } else { by };
        count(world, spot, (id, &known), live, providers);
        foreign(world, spot, (id, &known), &by, ledger);
        stale(world, spot, (id, &known), &by, ledger);
        if let Some(image) = image.filter(|image| is_own(image, spot.at.account)) {
            superseded(world, spot, image, &by, ledger);
        }
    }
}

fn known<'a>(
    world: &World<'a>,
    id: &str,
    image: Option<&'a Image>,
    told: Option<&'a ImageMetadata>,
) -> Option<Known<'a>> {
    let of_image = |image: &'a Image| {
        // `describe-images` leaves the owner of own images out of nothing: it is always there,
        // and a list somebody put together may lack it.
        let account = world.image(id).map(|(spot, _)| spot.at.account);
        Known {
            owner: image.owner_id.as_deref().or(account),
            alias: image.image_owner_alias.as_deref(),
            name: image.name.as_deref(),
            public: image.public,
            state: image.state.as_deref(),
            deprecated: image.deprecation_time,
        }
    };
    let of_told = |told: &'a ImageMetadata| Known {
        owner: told.owner_id.as_deref(),
        alias: told.image_owner_alias.as_deref(),
        name: told.name.as_deref(),
        public: told.is_public,
        state: told.state.as_deref(),
        deprecated: told.deprecation_time,
    };
    image.map(of_image).or_else(|| told.map(of_told))
}

/// Whether AWS itself vouches for the owner.
fn is_vouched(known: &Known<'_>) -> bool {
    matches!(known.alias, Some("amazon" | "aws-marketplace"))
}

fn is_trusted(world: &World<'_>, known: &Known<'_>) -> bool {
    is_vouched(known)
        || known.owner.is_some_and(|owner| {
            world.is_inside(owner)
                || world.options.trusted.providers.contains(owner)
                || vendor::of_account(owner).is_some()
        })
}

fn count(
    world: &World<'_>,
    spot: &Spot<'_>,
    (id, known): (&str, &Known<'_>),
    live: usize,
    providers: &mut BTreeMap<String, Provider>,
) {
    let account = known.owner.unwrap_or_default();
    let entry = providers.entry(account.to_owned()).or_default();
    account.clone_into(&mut entry.account);
    let name = match vendor::of_account(account) {
        _ if world.is_inside(account) => "own",
        Some(vendor) => vendor.name,
        None => known.alias.unwrap_or_default(),
    };
    if entry.name.is_empty() {
        name.clone_into(&mut entry.name);
    }
    entry.trusted |= is_trusted(world, known);
    entry.images.insert(id.to_owned());
    entry.references = entry.references.saturating_add(live.try_into().unwrap_or(u64::MAX));
    entry.regions.insert(spot.at.region.to_owned());
}

fn foreign(
    world: &World<'_>,
    spot: &Spot<'_>,
    (id, known): (&str, &Known<'_>),
    by: &str,
    ledger: &mut Ledger,
) {
    let owner = known.owner.unwrap_or("?");
    let inside = known.owner.is_some_and(|owner| world.is_inside(owner));
    let looks = known.name.and_then(vendor::of_name);
    if let Some(vendor) =
        looks.filter(|vendor| !inside && !is_vouched(known) && vendor.account != owner)
    {
        // Amazon Linux and others publish from more accounts than one; AWS vouches for those.
        let evidence =
            format!("owner {owner}, {} is {}; used by {by}", vendor.name, vendor.account);
        ledger.found(&rule::AMI_NAME_001, spot.at, (id, known.name), evidence);
    }
    if !is_trusted(world, known) && known.public == Some(true) {
        let evidence = format!("owner {owner}; used by {by}");
        ledger.found(&rule::REF_EXT_001, spot.at, (id, known.name), evidence);
    }
}

fn stale(
    world: &World<'_>,
    spot: &Spot<'_>,
    (id, known): (&str, &Known<'_>),
    by: &str,
    ledger: &mut Ledger,
) {
    let gone =
        matches!(known.state, Some("deregistered" | "disabled" | "invalid" | "failed" | "error"));
    let past = match (known.deprecated, world.now) {
        (Some(at), Some(now)) => at <= now,
        _ => false,
    };
    let what = match (gone, past) {
        (true, _) => known.state.unwrap_or_default().to_owned(),
        (false, true) => {
            known.deprecated.map(|at| format!("deprecated since {at}")).unwrap_or_default()
        }
        (false, false) => return,
    };
    ledger.found(&rule::REF_EXT_002, spot.at, (id, known.name), format!("{what}; used by {by}"));
}

fn superseded(world: &World<'_>, spot: &Spot<'_>, image: &Image, by: &str, ledger: &mut Ledger) {
    if let Some(copy) = encrypted_copy(world, spot, image) {
        let evidence = format!("{copy} is an encrypted copy; used by {by}");
        ledger.found(
            &rule::AMI_REF_001,
            spot.at,
            (&image.image_id, image.name.as_deref()),
            evidence,
        );
    }
}

/// An encrypted copy of an image that is not, in words.
pub(super) fn encrypted_copy(world: &World<'_>, spot: &Spot<'_>, image: &Image) -> Option<String> {
    if !matches!(Encrypted::of(&devices(spot, image)), Encrypted::None | Encrypted::Partial) {
        return None;
    }
    let mut copies: Vec<String> = world
        .copies(&image.image_id)
        .filter(|(other, copy)| Encrypted::of(&devices(other, copy)) == Encrypted::All)
        .map(|(other, copy)| format!("{} ({})", copy.image_id, other.at.region))
        .collect();
    copies.sort();
    copies.into_iter().next()
}

/// Judge how templates, configurations and spot fleets launch.
pub(super) fn launches(spot: &Spot<'_>, ledger: &mut Ledger) {
    let secure: BTreeSet<&str> = spot
        .region
        .images
        .listed()
        .iter()
        .filter(|image| image.imds_support.as_deref() == Some("v2.0"))
        .map(|image| image.image_id.as_str())
        .collect();
    unasked(spot, ledger);
    for version in spot.region.launch_template_versions.listed() {
        let name = template_name(version);
        if !is_live(spot, version) {
            continue;
        }
        let data = &version.launch_template_data;
        let named = (version.launch_template_id.as_str(), version.launch_template_name.as_deref());
        let by_image = data.image_id.as_deref().is_some_and(|id| secure.contains(id));
        imds(spot, named, (&name, by_image), data.metadata_options.as_ref(), ledger);
        open_devices(spot, named, (&rule::LT_ENC_001, &name), &data.block_device_mappings, ledger);
    }
    for configuration in spot.region.launch_configurations.listed() {
        let named = (configuration.launch_configuration_name.as_str(), None);
        let by_image = configuration.image_id.as_deref().is_some_and(|id| secure.contains(id));
        let what = "launch configuration";
        imds(spot, named, (what, by_image), configuration.metadata_options.as_ref(), ledger);
        open_devices(
            spot,
            named,
            (&rule::LT_ENC_001, what),
            &configuration.block_device_mappings,
            ledger,
        );
    }
    for request in spot.region.spot_fleet_request_configs.listed() {
        let named = (request.spot_fleet_request_id.as_str(), None);
        for specification in &request.spot_fleet_request_config.launch_specifications {
            let rule = (&rule::SPOT_ENC_001, "launch specification");
            open_devices(spot, named, rule, &specification.block_device_mappings, ledger);
        }
    }
    for group in spot.region.auto_scaling_groups.listed() {
        if let Some(configuration) = &group.launch_configuration_name {
            let named = (group.auto_scaling_group_name.as_str(), None);
            ledger.found(&rule::ASG_LC_001, spot.at, named, configuration.as_str());
        }
    }
}

/// Name the rules on launches that cannot be judged.
fn unasked(spot: &Spot<'_>, ledger: &mut Ledger) {
    let launch: [&'static Rule; 3] = [&rule::LT_IMDS_001, &rule::LT_ENC_001, &rule::META_SEC_001];
    let lists = [
        (
            spot.region.launch_template_versions.get("ec2:DescribeLaunchTemplateVersions").err(),
            &launch[..],
        ),
        (
            spot.region.launch_configurations.get("autoscaling:DescribeLaunchConfigurations").err(),
            &launch[..],
        ),
        (
            spot.region.spot_fleet_request_configs.get("ec2:DescribeSpotFleetRequests").err(),
            &[&rule::SPOT_ENC_001, &rule::META_SEC_001][..],
        ),
        (
            spot.region.auto_scaling_groups.get("autoscaling:DescribeAutoScalingGroups").err(),
            &[&rule::ASG_LC_001][..],
        ),
    ];
    for (needs, rules) in lists {
        if let Some(needs) = needs {
            ledger.unknown(rules, spot.at, needs);
        }
    }
}

fn imds(
    spot: &Spot<'_>,
    named: (&str, Option<&str>),
    (what, by_image): (&str, bool),
    options: Option<&MetadataOptions>,
    ledger: &mut Ledger,
) {
    let tokens = options.and_then(|options| options.http_tokens.as_deref());
    let off = options.and_then(|options| options.http_endpoint.as_deref()) == Some("disabled");
    // An image with imds-support v2.0 requires tokens unless the launch says otherwise.
    if off || tokens == Some("required") || (tokens.is_none() && by_image) {
        return;
    }
    let evidence = format!("{what}: HttpTokens {}", tokens.unwrap_or("not set"));
    ledger.found(&rule::LT_IMDS_001, spot.at, named, evidence);
}

fn open_devices(
    spot: &Spot<'_>,
    named: (&str, Option<&str>),
    (rule, what): (&'static Rule, &str),
    list: &[BlockDevice],
    ledger: &mut Ledger,
) {
    // Where the region encrypts by default, an explicit false is the only way left, and undefined.
    let default = spot.region.ebs_encryption_by_default.known() == Some(&true);
    let open: Vec<&str> = list
        .iter()
        .filter(|device| {
            let encrypted = device.ebs.as_ref().map(|ebs| ebs.encrypted);
            match encrypted {
                Some(Some(true)) | None => false,
                Some(Some(false)) => true,
                Some(None) => {
                    !default && device.ebs.as_ref().is_some_and(|ebs| ebs.snapshot_id.is_none())
                }
            }
        })
        .map(|device| device.device_name.as_str())
        .collect();
    if !open.is_empty() {
        ledger.found(rule, spot.at, named, format!("{what}: {}", open.join(", ")));
    }
}

/// Whether a launch takes this version unless it is told otherwise.
fn is_live(spot: &Spot<'_>, version: &LaunchTemplateVersion) -> bool {
    let last = spot.last_version(&version.launch_template_id);
    version.default_version == Some(true)
        || (version.version_number.is_some() && version.version_number == last)
}

/// Judge the images that files of infrastructure as code name, and builds they set up.
pub(super) fn code(world: &World<'_>, ledger: &mut Ledger) {
    let at = Place { account: "", region: "" };
    for line in &world.options.iac {
        let place = format!("{}:{}", line.file, line.line);
        let Some(id) = line.image() else {
            ledger.found(&rule::BUILD_PUB_001, at, (&place, None), "shares with the group all");
            continue;
        };
        let Some((spot, image)) = world.image(id) else { continue };
        let by = format!("iac {place}");
        if let Some(known) = known(world, id, Some(image), None) {
            stale(world, spot, (id, &known), &by, ledger);
            foreign(world, spot, (id, &known), &by, ledger);
        }
        superseded(world, spot, image, &by, ledger);
    }
}
