//! A reference: what would launch an image, and stop doing so were it disabled.

use crate::exposure::facts::{Account, Asked, Facts, Region};
use serde::Serialize;
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

/// The ids in a text that begin with `prefix` and go on in hexadecimal digits.
pub(super) fn ids<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(prefix).filter_map(move |(at, _)| {
        let rest = text.get(at..)?;
        let digits = rest.get(prefix.len()..)?.bytes();
        let count = digits.take_while(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).count();
        let end = prefix.len() + count.min(17);
        if count < 8 { None } else { rest.get(..end) }
    })
}

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
        let mut shelf = Shelf { region, found: Vec::new(), missing: BTreeSet::new() };
        shelf.launching();
        shelf.building();
        let Shelf { found, missing, .. } = shelf;
        self.missing.insert((account.account.clone(), region.region.clone()), missing);
        let templates = through(&found);
        for item in &found {
            let mut images: BTreeSet<String> = ids(&item.text, "ami-").map(str::to_owned).collect();
            // These two name images only, and there are many of them.
            if !matches!(item.kind, "instance" | "reference" | "other-account") {
                let named = templates.iter().filter(|(name, _)| name.is_in(item));
                images.extend(named.flat_map(|(_, images)| images.iter().cloned()));
            }
            for image in images {
                let reference = Reference {
                    account: account.account.clone(),
                    region: region.region.clone(),
                    kind: item.kind,
                    name: item.name.clone(),
                    note: item.note.clone(),
                };
                self.by_image.entry(image).or_default().insert(reference);
            }
        }
    }
}

/// Something that may refer to an image, with all that it says.
struct Item {
    kind: &'static str,
    name: String,
    note: String,
    text: String,
}

/// A name as it stands in JSON: a whole string, or behind `resolve:ssm:`.
struct Name([String; 3]);

impl Name {
    fn of(name: &str) -> Name {
        let quoted = serde_json::to_string(name).unwrap_or_default();
        let inner = quoted.trim_matches('"').to_owned();
        Name([quoted, format!("resolve:ssm:{inner}\""), format!("resolve:ssm:{inner}:")])
    }

    fn is_in(&self, item: &Item) -> bool {
        item.kind != "ssm-parameter" && self.0.iter().any(|form| item.text.contains(form))
    }
}

/// The images that a name stands for: of a parameter, a template or a launch configuration. A
/// template may name a parameter in turn.
fn through(found: &[Item]) -> Vec<(Name, BTreeSet<String>)> {
    let of =
        |item: &Item| -> BTreeSet<String> { ids(&item.text, "ami-").map(str::to_owned).collect() };
    let parameter = |item: &&Item| item.kind == "ssm-parameter";
    let mut all: Vec<(Name, BTreeSet<String>)> =
        found.iter().filter(parameter).map(|item| (Name::of(&item.name), of(item))).collect();
    let parameters = all.len();
    for item in found.iter().filter(|one| one.kind.starts_with("launch-")) {
        let mut images = of(item);
        for (name, more) in all.iter().take(parameters) {
            if name.is_in(item) {
                images.extend(more.iter().cloned());
            }
        }
        if !images.is_empty() {
            all.extend(ids(&item.text, "lt-").map(|id| (Name::of(id), images.clone())));
            all.push((Name::of(&item.name), images));
        }
    }
    all
}

/// What of a region may refer to an image.
struct Shelf<'a> {
    region: &'a Region,
    found: Vec<Item>,
    missing: BTreeSet<String>,
}

impl Shelf<'_> {
    fn put<T: Serialize>(
        &mut self,
        list: &Asked<Vec<T>>,
        (kind, action): (&'static str, &'static str),
        name: impl Fn(&T) -> Option<(String, String)>,
    ) {
        match list.get(action) {
            Ok(list) => {
                for one in list {
                    if let Some((name, note)) = name(one) {
                        let text = serde_json::to_string(one).unwrap_or_default();
                        self.found.push(Item { kind, name, note, text });
                    }
                }
            }
            Err(needs) => drop(self.missing.insert(needs.action)),
        }
    }

    /// The same with a name that is one of these members.
    fn put_named<T: Serialize>(
        &mut self,
        list: &Asked<Vec<T>>,
        kind: (&'static str, &'static str),
        names: [&'static str; 2],
    ) {
        self.put(list, kind, |one| {
            let value = serde_json::to_value(one).unwrap_or_default();
            let found = names.iter().find_map(|name| value.get(*name)?.as_str());
            Some((found.unwrap_or("unnamed").to_owned(), String::new()))
        });
    }

    fn launching(&mut self) {
        let region = self.region;
        let plain = |name: &str| Some((name.to_owned(), String::new()));
        let gone = |state: Option<&str>| matches!(state, Some("terminated" | "shutting-down"));
        self.put(&region.instances, ("instance", "ec2:DescribeInstances"), |one| {
            let state = one.state.name.as_deref();
            let note = "goes on running, and cannot be launched again";
            (!gone(state)).then(|| (one.instance_id.clone(), note.to_owned()))
        });
        let kind = ("launch-template", "ec2:DescribeLaunchTemplateVersions");
        self.put(&region.launch_template_versions, kind, |one| {
            let name = one.launch_template_name.as_ref().unwrap_or(&one.launch_template_id);
            let version = one.version_number.map(|number| format!("version {number}"));
            Some((name.clone(), version.unwrap_or_default()))
        });
        let kind = ("launch-configuration", "autoscaling:DescribeLaunchConfigurations");
        self.put(&region.launch_configurations, kind, |one| plain(&one.launch_configuration_name));
        let kind = ("auto-scaling-group", "autoscaling:DescribeAutoScalingGroups");
        self.put(&region.auto_scaling_groups, kind, |one| {
            let wanted = one.desired_capacity.map_or("?".to_owned(), |count| count.to_string());
            let note = format!("replaces none of its {wanted} instances any more");
            Some((one.auto_scaling_group_name.clone(), note))
        });
        self.put(&region.fleets, ("fleet", "ec2:DescribeFleets"), |one| {
            let over = one.fleet_state.as_deref().is_some_and(|state| state.starts_with("deleted"));
            (!over).then(|| (one.fleet_id.clone(), String::new()))
        });
        let kind = ("spot-fleet", "ec2:DescribeSpotFleetRequests");
        self.put(&region.spot_fleet_request_configs, kind, |one| plain(&one.spot_fleet_request_id));
        let kind = ("spot-request", "ec2:DescribeSpotInstanceRequests");
        self.put(&region.spot_instance_requests, kind, |one| plain(&one.spot_instance_request_id));
        self.put(&region.parameters, ("ssm-parameter", "ssm:GetParameters"), |one| {
            plain(&one.name)
        });
    }

    fn building(&mut self) {
        let region = self.region;
        let kind = ("reference", "ec2:DescribeImageReferences");
        // The list of references names the image itself: what refers to it is the ARN.
        self.put_named(&region.image_references, kind, ["Arn", "ResourceType"]);
        // A report of use is made on request only: that there is none says nothing.
        if region.image_usage_report_entries.known().is_some() {
            let kind = ("other-account", "ec2:DescribeImageUsageReportEntries");
            self.put_named(&region.image_usage_report_entries, kind, ["AccountId", "ResourceType"]);
        }
        let kind = ("image-recipe", "imagebuilder:GetImageRecipe");
        self.put_named(&region.image_recipes, kind, ["arn", "name"]);
        let kind = ("container-recipe", "imagebuilder:GetContainerRecipe");
        self.put_named(&region.container_recipes, kind, ["arn", "name"]);
        let kind = ("batch", "batch:DescribeComputeEnvironments");
        self.put_named(
            &region.compute_environments,
            kind,
            ["computeEnvironmentName", "computeEnvironmentArn"],
        );
        let kind = ("eks-nodegroup", "eks:DescribeNodegroup");
        self.put_named(&region.nodegroups, kind, ["nodegroupName", "nodegroupArn"]);
        let kind = ("beanstalk", "elasticbeanstalk:DescribeConfigurationSettings");
        self.put_named(
            &region.configuration_settings,
            kind,
            ["EnvironmentName", "ApplicationName"],
        );
    }
}
