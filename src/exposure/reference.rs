//! References: everything of a region that launches an image, or names one. An audit judges them,
//! and a remedy lists what has to be moved.

use crate::exposure::facts::{
    Asked, LaunchTemplateOverride, LaunchTemplateSpecification, LaunchTemplateVersion, Needs,
    Region,
};
use std::collections::BTreeMap;

/// One thing that refers to an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::exposure) struct Reference<'a> {
    /// What it is, such as `launch-template`.
    pub kind: &'static str,
    /// Its name or id; hostile text.
    pub name: String,
    /// Whether it runs, or the next launch would take it.
    pub live: bool,
    /// The image, by its id.
    pub image: &'a str,
}

/// What must be known to say that nothing refers to an image.
pub(in crate::exposure) fn unknown(region: &Region) -> Vec<Needs> {
    fn need<T>(list: &Asked<T>, action: &'static str) -> Option<Needs> {
        list.get(action).err()
    }
    let all = [
        need(&region.instances, "ec2:DescribeInstances"),
        need(&region.launch_template_versions, "ec2:DescribeLaunchTemplateVersions"),
        need(&region.launch_configurations, "autoscaling:DescribeLaunchConfigurations"),
        need(&region.auto_scaling_groups, "autoscaling:DescribeAutoScalingGroups"),
        need(&region.fleets, "ec2:DescribeFleets"),
        need(&region.spot_fleet_request_configs, "ec2:DescribeSpotFleetRequests"),
        need(&region.spot_instance_requests, "ec2:DescribeSpotInstanceRequests"),
        need(&region.parameters, "ssm:GetParameters"),
        need(&region.compute_environments, "batch:DescribeComputeEnvironments"),
        need(&region.image_recipes, "imagebuilder:GetImageRecipe"),
        need(&region.container_recipes, "imagebuilder:GetContainerRecipe"),
        need(&region.nodegroups, "eks:DescribeNodegroup"),
        need(&region.configuration_settings, "elasticbeanstalk:DescribeConfigurationSettings"),
    ];
    all.into_iter().flatten().collect()
}

/// Everything of `region` that refers to an image, by its id.
pub(in crate::exposure) fn collect(region: &Region) -> BTreeMap<&str, Vec<Reference<'_>>> {
    let mut all = Collector::new(region);
    all.instances();
    all.templates();
    all.configurations();
    all.groups();
    all.fleets();
    all.spot_fleets();
    all.builders();
    all.services();
    all.parameters();
    all.told_by_ec2();
    let mut by_image: BTreeMap<&str, Vec<Reference<'_>>> = BTreeMap::new();
    for reference in all.found {
        by_image.entry(reference.image).or_default().push(reference);
    }
    for list in by_image.values_mut() {
        list.sort();
        list.dedup();
    }
    by_image
}

struct Collector<'a> {
    region: &'a Region,
    /// Templates by id and by name.
    templates: BTreeMap<&'a str, Vec<&'a LaunchTemplateVersion>>,
    /// Values of parameters by name.
    parameters: BTreeMap<&'a str, &'a str>,
    found: Vec<Reference<'a>>,
}

impl<'a> Collector<'a> {
    fn new(region: &'a Region) -> Collector<'a> {
        let mut templates: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for version in region.launch_template_versions.listed() {
            templates.entry(version.launch_template_id.as_str()).or_default().push(version);
            if let Some(name) = version.launch_template_name.as_deref() {
                templates.entry(name).or_default().push(version);
            }
        }
        let value = |p: &'a crate::exposure::facts::SsmParameter| {
            Some((p.name.as_str(), p.value.as_deref()?))
        };
        let parameters = region.parameters.listed().iter().filter_map(value).collect();
        Collector { region, templates, parameters, found: Vec::new() }
    }

    /// Note that something refers to `image`: an id, or a parameter that holds one.
    fn note(
        &mut self,
        kind: &'static str,
        name: impl Into<String>,
        live: bool,
        image: Option<&'a str>,
    ) {
        let Some(image) = image.and_then(|image| self.resolve(image)) else { return };
        self.found.push(Reference { kind, name: name.into(), live, image });
    }

    /// The image that `text` means: itself, or what a parameter says.
    fn resolve(&self, text: &'a str) -> Option<&'a str> {
        if text.starts_with("ami-") {
            return Some(text);
        }
        let named = text.strip_prefix("resolve:ssm:").or_else(|| text.strip_prefix("ssm:"))?;
        let exact = self.parameters.get(named);
        let plain = named.split(':').next().unwrap_or(named);
        let value = exact.or_else(|| self.parameters.get(plain))?;
        value.starts_with("ami-").then_some(*value)
    }

    /// The version of a template that a launch takes.
    fn version(
        &self,
        id: Option<&str>,
        name: Option<&str>,
        version: Option<&str>,
    ) -> Option<&'a LaunchTemplateVersion> {
        let versions =
            id.and_then(|id| self.templates.get(id)).or_else(|| self.templates.get(name?))?;
        match version.unwrap_or("$Default") {
            "$Latest" => versions.iter().max_by_key(|version| version.version_number).copied(),
            "$Default" => {
                versions.iter().find(|version| version.default_version == Some(true)).copied()
            }
            number => {
                let number = number.parse().ok();
                versions.iter().find(|version| version.version_number == number).copied()
            }
        }
    }

    fn instances(&mut self) {
        for instance in self.region.instances.listed() {
            let live =
                !matches!(instance.state.name.as_deref(), Some("terminated" | "shutting-down"));
            self.note("instance", &instance.instance_id, live, instance.image_id.as_deref());
        }
        for request in self.region.spot_instance_requests.listed() {
            let live = matches!(request.state.as_deref(), Some("open" | "active") | None);
            let image =
                request.launch_specification.as_ref().and_then(|spec| spec.image_id.as_deref());
            self.note("spot-request", &request.spot_instance_request_id, live, image);
        }
    }

    fn templates(&mut self) {
        for version in self.region.launch_template_versions.listed() {
            let of = self.templates.get(version.launch_template_id.as_str());
            let last = of.and_then(|all| all.iter().filter_map(|one| one.version_number).max());
            let live = version.default_version == Some(true) || version.version_number == last;
            let image = version.launch_template_data.image_id.as_deref();
            self.note("launch-template", template_name(version), live, image);
        }
    }

    fn configurations(&mut self) {
        for configuration in self.region.launch_configurations.listed() {
            let image = configuration.image_id.as_deref();
            self.note(
                "launch-configuration",
                &configuration.launch_configuration_name,
                false,
                image,
            );
        }
    }

    /// What a launch by template takes: the template's image, and those that override it.
    fn launch(
        &mut self,
        (kind, name, live): (&'static str, &str, bool),
        template: Option<&LaunchTemplateSpecification>,
        overrides: &'a [LaunchTemplateOverride],
    ) {
        let over = overrides.iter().filter_map(|it| it.launch_template_specification.as_ref());
        for spec in template.into_iter().chain(over) {
            let (id, of) =
                (spec.launch_template_id.as_deref(), spec.launch_template_name.as_deref());
            let version = self.version(id, of, spec.version.as_deref());
            let image =
                version.and_then(|version| version.launch_template_data.image_id.as_deref());
            self.note(kind, name, live, image);
        }
        for image in overrides.iter().filter_map(|it| it.image_id.as_deref()) {
            self.note(kind, name, live, Some(image));
        }
    }

    fn groups(&mut self) {
        let region = self.region;
        let configurations: BTreeMap<&str, &str> = region
            .launch_configurations
            .listed()
            .iter()
            .filter_map(|it| Some((it.launch_configuration_name.as_str(), it.image_id.as_deref()?)))
            .collect();
        for group in region.auto_scaling_groups.listed() {
            let name = &group.auto_scaling_group_name;
            let image = group.launch_configuration_name.as_deref();
            let image = image.and_then(|name| configurations.get(name).copied());
            self.note("auto-scaling-group", name, true, image);
            self.launch(("auto-scaling-group", name, true), group.launch_template.as_ref(), &[]);
            let mixed = group.mixed_instances_policy.as_ref();
            if let Some(mixed) = mixed.and_then(|policy| policy.launch_template.as_ref()) {
                let template = mixed.launch_template_specification.as_ref();
                self.launch(("auto-scaling-group", name, true), template, &mixed.overrides);
            }
        }
    }

    fn fleets(&mut self) {
        for fleet in self.region.fleets.listed() {
            let live = !fleet.fleet_state.as_deref().unwrap_or_default().starts_with("deleted");
            for config in &fleet.launch_template_configs {
                let template = config.launch_template_specification.as_ref();
                self.launch(("fleet", &fleet.fleet_id, live), template, &config.overrides);
            }
        }
    }

    fn spot_fleets(&mut self) {
        for request in self.region.spot_fleet_request_configs.listed() {
            let state = request.spot_fleet_request_state.as_deref().unwrap_or_default();
            let live = !state.starts_with("cancelled") && state != "failed";
            let name = &request.spot_fleet_request_id;
            for specification in &request.spot_fleet_request_config.launch_specifications {
                self.note("spot-fleet", name, live, specification.image_id.as_deref());
            }
            for config in &request.spot_fleet_request_config.launch_template_configs {
                let template = config.launch_template_specification.as_ref();
                self.launch(("spot-fleet", name, live), template, &config.overrides);
            }
        }
    }

    fn builders(&mut self) {
        for recipe in self.region.image_recipes.listed() {
            self.note("image-recipe", &recipe.arn, true, recipe.parent_image.as_deref());
        }
        for recipe in self.region.container_recipes.listed() {
            let image = recipe.instance_configuration.as_ref().and_then(|it| it.image.as_deref());
            self.note("container-recipe", &recipe.arn, true, image);
        }
    }

    fn services(&mut self) {
        for environment in self.region.compute_environments.listed() {
            let Some(resources) = &environment.compute_resources else { continue };
            let live = environment.state.as_deref() != Some("DISABLED");
            let name = &environment.compute_environment_name;
            self.note("batch", name, live, resources.image_id.as_deref());
            for configuration in &resources.ec2_configuration {
                self.note("batch", name, live, configuration.image_id_override.as_deref());
            }
            if let Some(template) = &resources.launch_template {
                let (id, of) = (
                    template.launch_template_id.as_deref(),
                    template.launch_template_name.as_deref(),
                );
                let version = self.version(id, of, template.version.as_deref());
                self.note(
                    "batch",
                    name,
                    live,
                    version.and_then(|it| it.launch_template_data.image_id.as_deref()),
                );
            }
        }
        for group in self.region.nodegroups.listed() {
            let name = format!(
                "{}/{}",
                group.cluster_name.as_deref().unwrap_or("?"),
                group.nodegroup_name
            );
            self.note("eks-nodegroup", &name, true, group.release_version.as_deref());
            if let Some(template) = &group.launch_template {
                let version = self.version(
                    template.id.as_deref(),
                    template.name.as_deref(),
                    template.version.as_deref(),
                );
                self.note(
                    "eks-nodegroup",
                    &name,
                    true,
                    version.and_then(|it| it.launch_template_data.image_id.as_deref()),
                );
            }
        }
        for settings in self.region.configuration_settings.listed() {
            let name = settings
                .environment_name
                .as_deref()
                .or(settings.template_name.as_deref())
                .unwrap_or("?");
            let images = settings
                .option_settings
                .iter()
                .filter(|it| it.option_name.as_deref() == Some("ImageId"));
            for setting in images {
                self.note("beanstalk", name, true, setting.value.as_deref());
            }
        }
    }

    fn parameters(&mut self) {
        for parameter in self.region.parameters.listed() {
            self.note("ssm-parameter", &parameter.name, true, parameter.value.as_deref());
        }
    }

    /// What EC2 itself says, where the lists above do not say it already.
    fn told_by_ec2(&mut self) {
        let mut known: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for one in &self.found {
            let name = one.name.split(' ').next().unwrap_or_default();
            known.entry(one.image).or_default().push(name);
        }
        let told = self.region.image_references.listed().iter().filter(|told| {
            let arn = told.arn.as_deref().unwrap_or_default();
            let named = known.get(told.image_id.as_str());
            !named.is_some_and(|names| {
                names.iter().any(|name| !name.is_empty() && arn.contains(name))
            })
        });
        let found: Vec<Reference<'_>> = told
            .map(|told| Reference {
                kind: "image-reference",
                name: told.arn.clone().unwrap_or_default(),
                live: true,
                image: &told.image_id,
            })
            .collect();
        self.found.extend(found);
    }
}

/// A version of a template in words: its id first, so that an ARN can be told to be of it.
pub(in crate::exposure) fn template_name(version: &LaunchTemplateVersion) -> String {
    let number = version.version_number.unwrap_or_default();
    match &version.launch_template_name {
        Some(name) => format!("{} v{number} ({name})", version.launch_template_id),
        None => format!("{} v{number}", version.launch_template_id),
    }
}
