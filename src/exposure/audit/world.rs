//! The world of an audit: the facts, indexed once, so that no judgement searches a list.

use super::AuditOptions;
use super::iac::IacFinding;
use super::ledger::Place;
use crate::exposure::facts::{Facts, Image, Key, Organization, Region, Snapshot, Time};
use crate::exposure::reference::{self, Reference};
use crate::limits::ANCESTRY_STEPS;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is judged.
pub(super) struct World<'a> {
    pub(super) facts: &'a Facts,
    pub(super) options: &'a AuditOptions,
    pub(super) now: Option<Time>,
    pub(super) spots: Vec<Spot<'a>>,
    pub(super) organization: Option<&'a Organization>,
    /// Accounts whose facts these are, members of the organization, and trusted ones.
    insiders: BTreeSet<&'a str>,
    /// Every image, with the number of the spot that tells most about it: its owner's.
    images: BTreeMap<&'a str, (usize, &'a Image)>,
    /// Images that files of infrastructure as code name.
    in_code: BTreeMap<&'a str, Vec<&'a IacFinding>>,
    /// Images by the image they were copied from.
    copies: BTreeMap<&'a str, Vec<(usize, &'a Image)>>,
}

/// One region of one account.
pub(super) struct Spot<'a> {
    pub(super) at: Place<'a>,
    pub(super) region: &'a Region,
    /// The account's own images.
    pub(super) own: Vec<&'a Image>,
    pub(super) snapshots: BTreeMap<&'a str, &'a Snapshot>,
    /// Snapshots that some image of the account is made of.
    pub(super) mapped: BTreeSet<&'a str>,
    /// What refers to an image, by its id.
    pub(super) references: BTreeMap<&'a str, Vec<Reference<'a>>>,
    /// The highest version of every launch template.
    versions: BTreeMap<&'a str, u64>,
    keys: BTreeMap<&'a str, Vec<&'a Key>>,
    aliases: BTreeMap<&'a str, &'a str>,
}

impl<'a> World<'a> {
    pub(super) fn new(facts: &'a Facts, options: &'a AuditOptions) -> World<'a> {
        let mut spots = Vec::new();
        let mut images = BTreeMap::new();
        let mut copies: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for (account, region) in facts.regions() {
            let number = spots.len();
            let spot = Spot::new(&account.account, region);
            for image in region.images.listed() {
                let own = is_own(image, &account.account);
                if own || !images.contains_key(image.image_id.as_str()) {
                    images.insert(image.image_id.as_str(), (number, image));
                }
                if let Some(source) = image.source_image_id.as_deref().filter(|_| own) {
                    copies.entry(source).or_default().push((number, image));
                }
            }
            spots.push(spot);
        }
        let mut in_code: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for line in &options.iac {
            if let Some(id) = line.image() {
                in_code.entry(id).or_default().push(line);
            }
        }
        let organization = facts.organization();
        let members = organization.map_or(&[][..], |organization| organization.accounts.listed());
        let insiders = facts.accounts.iter().map(|account| account.account.as_str());
        let insiders = insiders.chain(members.iter().map(|member| member.id.as_str()));
        let trusted = options.trusted.accounts.iter().map(String::as_str);
        World {
            facts,
            options,
            now: options.now.or(facts.collected_at),
            spots,
            organization,
            insiders: insiders.chain(trusted).collect(),
            images,
            in_code,
            copies,
        }
    }

    /// Whether a file of infrastructure as code names an image.
    pub(super) fn is_in_code(&self, image: &str) -> bool {
        self.in_code.contains_key(image)
    }

    /// The lines of code that name an image, as references.
    pub(super) fn code_lines(&self, image: &str) -> impl Iterator<Item = (String, String, bool)> {
        let lines = self.in_code.get(image).map_or(&[][..], Vec::as_slice).iter();
        lines.map(|line| ("iac".to_owned(), format!("{}:{}", line.file, line.line), true))
    }

    /// Whether images may be shared with `account` and come from it.
    pub(super) fn is_inside(&self, account: &str) -> bool {
        self.insiders.contains(account)
    }

    /// Whether an organization is ours or trusted, by its id or ARN.
    pub(super) fn is_trusted_organization(&self, name: &str) -> bool {
        let id = name.rsplit('/').next().unwrap_or(name);
        self.organization.is_some_and(|own| own.id == id)
            || self.options.trusted.organizations.contains(id)
    }

    /// Whether a unit is of our organization or trusted, by its ARN
    /// (`arn:aws:organizations::…:ou/o-…/ou-…`).
    pub(super) fn is_trusted_unit(&self, arn: &str) -> bool {
        let mut parts = arn.rsplit('/');
        let unit = parts.next().unwrap_or_default();
        let organization = parts.next().unwrap_or_default();
        self.options.trusted.units.contains(unit)
            || (!organization.is_empty() && self.is_trusted_organization(organization))
    }

    /// An image by its id, with the spot that knows it best.
    pub(super) fn image(&self, id: &str) -> Option<(&Spot<'a>, &'a Image)> {
        let (spot, image) = self.images.get(id)?;
        Some((self.spots.get(*spot)?, image))
    }

    /// Own images that were copied from `id`, in any region and account.
    pub(super) fn copies(&self, id: &str) -> impl Iterator<Item = (&Spot<'a>, &'a Image)> {
        let found = self.copies.get(id).map_or(&[][..], Vec::as_slice);
        found.iter().filter_map(|(spot, image)| Some((self.spots.get(*spot)?, *image)))
    }

    /// The ids of the images that `image` is a copy of, nearest first, as far as they are known.
    /// An image that was made from an instance is the copy of nothing.
    pub(super) fn sources(&self, image: &'a Image) -> Vec<&'a str> {
        let mut found: Vec<&str> = Vec::new();
        let mut at = image;
        while found.len() < ANCESTRY_STEPS {
            if at.source_instance_id.is_some() {
                break;
            }
            let Some(source) = at.source_image_id.as_deref() else { break };
            if found.contains(&source) {
                break;
            }
            found.push(source);
            let Some((_, next)) = self.images.get(source) else { break };
            at = next;
        }
        found
    }

    /// Whole days from `time` to now.
    pub(super) fn days_since(&self, time: Option<Time>) -> Option<i64> {
        Some(self.now?.days_since(time?))
    }
}

impl<'a> Spot<'a> {
    fn new(account: &'a str, region: &'a Region) -> Spot<'a> {
        let images = region.images.listed();
        let mapped = images.iter().filter(|image| is_own(image, account));
        let mapped = mapped.flat_map(|image| &image.block_device_mappings);
        let mapped = mapped.filter_map(|device| device.ebs.as_ref()?.snapshot_id.as_deref());
        let mut keys: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
        for key in region.keys.listed() {
            let known = key.key_metadata.known().map(|data| data.key_id.as_str());
            let Some(id) = known.or(key.key_id.as_deref()) else { continue };
            keys.entry(tail(id)).or_default().push(key);
        }
        let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
        for version in region.launch_template_versions.listed() {
            let number = version.version_number.unwrap_or_default();
            let last = versions.entry(&version.launch_template_id).or_default();
            *last = number.max(*last);
        }
        let aliases = region.aliases.listed().iter();
        let alias = |alias: &'a crate::exposure::facts::Alias| {
            Some((alias.alias_name.as_str(), alias.target_key_id.as_deref()?))
        };
        Spot {
            at: Place { account, region: &region.region },
            region,
            own: images.iter().filter(|image| is_own(image, account)).collect(),
            snapshots: region
                .snapshots
                .listed()
                .iter()
                .map(|s| (s.snapshot_id.as_str(), s))
                .collect(),
            mapped: mapped.collect(),
            references: reference::collect(region),
            versions,
            keys,
            aliases: aliases.filter_map(alias).collect(),
        }
    }

    /// A key by its id, its ARN, or an alias of either.
    pub(super) fn key(&self, name: &str) -> Option<&'a Key> {
        let at = name.find("alias/");
        let name = match at.and_then(|at| name.get(at..)) {
            Some(alias) => *self.aliases.get(alias)?,
            None => name,
        };
        self.keys.get(tail(name))?.iter().find(|key| key.is(name)).copied()
    }

    /// Whether `name` is the key that AWS manages for EBS, as far as aliases tell.
    pub(super) fn is_aws_ebs(&self, name: &str) -> bool {
        let alias = "alias/aws/ebs";
        name.ends_with(alias) || self.aliases.get(alias).is_some_and(|id| tail(id) == tail(name))
    }

    /// The highest version of a launch template.
    pub(super) fn last_version(&self, template: &str) -> Option<u64> {
        self.versions.get(template).copied()
    }

    /// What refers to an image.
    pub(super) fn references(&self, image: &str) -> &[Reference<'a>] {
        self.references.get(image).map_or(&[], Vec::as_slice)
    }
}

/// Whether an image belongs to the account that lists it.
pub(super) fn is_own(image: &Image, account: &str) -> bool {
    image.owner_id.as_deref().is_none_or(|owner| owner == account)
}

/// The id at the end of an ARN of a key.
fn tail(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
