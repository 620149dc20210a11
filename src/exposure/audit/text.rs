//! Texts of the control plane that hold secrets as files do: names, descriptions, tags and user
//! data. They are told with their places, so that whoever can sweeps them.

use crate::exposure::facts::{Facts, Region, Tag, UserData};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A text and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// What it belongs to, by id.
    pub resource: String,
    /// The field of the API that holds it, such as `LaunchTemplateData.UserData`.
    pub field: String,
    /// The text; user data is decoded.
    pub text: Vec<u8>,
}

/// Every text of `facts` that whoever may describe the resource can read.
pub fn texts(facts: &Facts) -> Vec<Text> {
    let mut all = Vec::new();
    for (account, region) in facts.regions() {
        let mut texts = Texts { account: &account.account, region: &region.region, all: &mut all };
        texts.images(region);
        texts.launches(region);
        texts.instances(region);
    }
    all
}

struct Texts<'a> {
    account: &'a str,
    region: &'a str,
    all: &'a mut Vec<Text>,
}

impl Texts<'_> {
    fn push(&mut self, resource: &str, field: impl Into<String>, text: Vec<u8>) {
        if !text.is_empty() {
            self.all.push(Text {
                account: self.account.to_owned(),
                region: self.region.to_owned(),
                resource: resource.to_owned(),
                field: field.into(),
                text,
            });
        }
    }

    fn plain(&mut self, resource: &str, field: &str, text: Option<&str>) {
        self.push(resource, field, text.unwrap_or_default().as_bytes().to_vec());
    }

    /// A tag as a line, so that the key tells what the value is.
    fn tags(&mut self, resource: &str, tags: &[Tag]) {
        for tag in tags {
            let line = format!("{}={}", tag.key, tag.value);
            self.push(resource, format!("Tags[{}]", tag.key), line.into_bytes());
        }
    }

    /// User data: base64, or as it is when it is none.
    fn user_data(&mut self, resource: &str, field: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        let packed: String = text.split_ascii_whitespace().collect();
        let plain = STANDARD.decode(packed).unwrap_or_else(|_| text.as_bytes().to_vec());
        self.push(resource, field, plain);
    }

    fn images(&mut self, region: &Region) {
        for image in region.images.listed() {
            let id = &image.image_id;
            self.plain(id, "Name", image.name.as_deref());
            self.plain(id, "Description", image.description.as_deref());
            self.plain(id, "ImageLocation", image.image_location.as_deref());
            self.tags(id, &image.tags);
        }
        for snapshot in region.snapshots.listed() {
            let id = &snapshot.snapshot_id;
            self.plain(id, "Description", snapshot.description.as_deref());
            self.tags(id, &snapshot.tags);
        }
    }

    fn launches(&mut self, region: &Region) {
        for version in region.launch_template_versions.listed() {
            let number = version.version_number.unwrap_or_default();
            let id = format!("{} v{number}", version.launch_template_id);
            let data = version.launch_template_data.user_data.as_deref();
            self.plain(&id, "VersionDescription", version.version_description.as_deref());
            self.user_data(&id, "LaunchTemplateData.UserData", data);
        }
        for configuration in region.launch_configurations.listed() {
            let id = &configuration.launch_configuration_name;
            self.user_data(id, "UserData", configuration.user_data.as_deref());
        }
        for request in region.spot_fleet_request_configs.listed() {
            let id = &request.spot_fleet_request_id;
            for specification in &request.spot_fleet_request_config.launch_specifications {
                self.user_data(id, "UserData", inner(specification.user_data.as_ref()));
            }
        }
        for request in region.spot_instance_requests.listed() {
            let specification = request.launch_specification.as_ref();
            let data = specification.and_then(|it| inner(it.user_data.as_ref()));
            self.user_data(&request.spot_instance_request_id, "UserData", data);
        }
        for recipe in region.image_recipes.listed() {
            let data = recipe.additional_instance_configuration.as_ref();
            let data = data.and_then(|it| it.user_data_override.as_deref());
            self.user_data(&recipe.arn, "userDataOverride", data);
        }
    }

    fn instances(&mut self, region: &Region) {
        for instance in region.instances.listed() {
            self.tags(&instance.instance_id, &instance.tags);
            self.user_data(&instance.instance_id, "UserData", instance.user_data.as_deref());
        }
    }
}

/// The text of user data, which some calls wrap in an object.
fn inner(data: Option<&UserData>) -> Option<&str> {
    let data = data?;
    data.as_str().or_else(|| data.get("Data").or_else(|| data.get("Value"))?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_is_decoded_and_tags_keep_their_key() {
        let facts = br#"{"schema": "amisweep.facts/1", "accounts": [{"Account": "111122223333", "Regions": [
            {"Region": "us-east-1", "Images": [{"ImageId": "ami-1", "Tags": [{"Key": "db", "Value": "x"}]}],
             "LaunchTemplateVersions": [{"LaunchTemplateId": "lt-1", "VersionNumber": 2,
                "LaunchTemplateData": {"UserData": "IyEvYmluL3No\n"}}]}]}]}"#;
        let found: Vec<_> = texts(&Facts::parse(facts).unwrap())
            .into_iter()
            .map(|it| (it.resource, it.field, String::from_utf8(it.text).unwrap()))
            .collect();
        let row = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        let data = row("lt-1 v2", "LaunchTemplateData.UserData", "#!/bin/sh");
        assert_eq!(found, [row("ami-1", "Tags[db]", "db=x"), data]);
    }
}
