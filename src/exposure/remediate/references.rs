//! What refers to an image that is mended, in words: it has to be moved, and stops launching were
//! the image disabled.

use crate::exposure::facts::{Account, Facts, Region};
use crate::exposure::reference::{collect, unknown};
use std::collections::{BTreeMap, BTreeSet};

/// What launches an image, and what could not be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    by_image: BTreeMap<String, BTreeSet<Reference>>,
    /// Permissions that are missing, by account and region.
    missing: BTreeMap<(String, String), BTreeSet<String>>,
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// What it is.
    pub kind: &'static str,
    /// Its name or id.
    pub name: String,
    /// What would happen to it, when there is more to say.
    pub note: String,
}

/// What is over once it is not live. An older version of a template can still be asked for, and a
/// disabled environment be enabled.
const OVER: [&str; 4] = ["fleet", "instance", "spot-fleet", "spot-request"];

impl References {
    /// Every reference there is in the facts.
    pub fn of(facts: &Facts) -> References {
        let mut references = References::default();
        for (account, region) in facts.regions() {
            references.gather(account, region);
        }
        references
    }

    /// What launches the image of that id.
    pub fn to(&self, image: &str) -> impl Iterator<Item = &Reference> {
        self.by_image.get(image).into_iter().flatten()
    }

    /// What it takes to know all references in that region.
    pub fn missing(&self, account: &str, region: &str) -> impl Iterator<Item = &str> {
        let key = (account.to_owned(), region.to_owned());
        self.missing.get(&key).into_iter().flatten().map(String::as_str)
    }

    fn gather(&mut self, account: &Account, region: &Region) {
        let (of, place) = (&account.account, &region.region);
        let told = region.image_references.get("ec2:DescribeImageReferences").err();
        let missing = unknown(region).into_iter().chain(told).map(|needs| needs.action);
        self.missing.insert((of.clone(), place.clone()), missing.collect());
        let reference = |kind: &'static str, name: &str, note: String| Reference {
            account: of.clone(),
            region: place.clone(),
            kind,
            name: name.to_owned(),
            note,
        };
        for (image, found) in collect(region) {
            let standing = found.iter().filter(|one| one.live || !OVER.contains(&one.kind));
            let told = standing
                .map(|one| reference(one.kind, &one.name, note(region, one.kind, &one.name)));
            self.by_image.entry(image.to_owned()).or_default().extend(told);
        }
        // A report of use is made on request only: that there is none says nothing.
        for entry in region.image_usage_report_entries.listed() {
            let name = entry.account_id.as_deref().or(entry.resource_type.as_deref());
            let told = reference("other-account", name.unwrap_or("unnamed"), String::new());
            self.by_image.entry(entry.image_id.clone()).or_default().insert(told);
        }
    }
}

fn note(region: &Region, kind: &str, name: &str) -> String {
    match kind {
        "instance" => "goes on running, and cannot be launched again".to_owned(),
        "auto-scaling-group" => {
            let groups = region.auto_scaling_groups.listed().iter();
            let mut own = groups.filter(|group| group.auto_scaling_group_name == name);
            let wanted = own.next().and_then(|group| group.desired_capacity);
            let wanted = wanted.map_or("?".to_owned(), |count| count.to_string());
            format!("replaces none of its {wanted} instances any more")
        }
        _ => String::new(),
    }
}
