//! Names and types: what the XML of a query service calls a member, and what the CLI prints.
//!
//! EC2 begins names with a small letter, calls lists `…Set` and some members quite otherwise; every
//! value is text. These tables hold what facts need of it.

use serde_json::{Map, Value};

/// Members whose name on the wire of EC2 is not just their own with a small letter.
const RENAMED: &[(&str, &str)] = &[
    ("attachmentSet", "Attachments"),
    ("blockDeviceMapping", "BlockDeviceMappings"),
    ("blockDeviceMappingSet", "BlockDeviceMappings"),
    ("createVolumePermission", "CreateVolumePermissions"),
    ("imageNameSet", "ImageNames"),
    ("imageOwnerId", "OwnerId"),
    ("imageProviderSet", "ImageProviders"),
    ("imageState", "State"),
    ("imageWatermarkSet", "ImageWatermarks"),
    ("instanceOwnerId", "OwnerId"),
    ("instanceState", "State"),
    ("instancesSet", "Instances"),
    ("launchPermission", "LaunchPermissions"),
    ("marketplaceProductCodeSet", "MarketplaceProductCodes"),
    ("productCode", "ProductCodeId"),
    ("regionInfo", "Regions"),
    ("scanResultSet", "ScanResults"),
    ("snapshotDetailSet", "SnapshotDetails"),
    ("tagSet", "Tags"),
];

/// Members that are true or false.
const BOOLEANS: &[&str] = &[
    "DefaultVersion",
    "DeleteOnTermination",
    "EbsEncryptionByDefault",
    "Encrypted",
    "IAMDatabaseAuthenticationEnabled",
    "ImageAllowed",
    "IsDefaultVersion",
    "IsPublic",
    "Public",
    "PubliclyAccessible",
];

/// Members that are numbers.
const NUMBERS: &[&str] = &[
    "DesiredCapacity",
    "FullSnapshotSizeInBytes",
    "HttpPutResponseHopLimit",
    "LockDuration",
    "MaxSize",
    "MaximumDaysSinceCreated",
    "MaximumDaysSinceDeprecated",
    "MaximumDaysSinceSourceImageCreated",
    "MaximumDaysSinceWatermarkCreated",
    "MinSize",
    "Port",
    "Size",
    "UsageCount",
    "VersionNumber",
    "VolumeSize",
];

/// Members that are lists even when they are empty.
const LISTS: &[&str] = &["CreateVolumePermissions", "ImageAncestryEntries", "LaunchPermissions"];

/// `value` in the CLI's spelling. `ec2` renames its members too; `own` are the renames that only
/// this call has, for EC2 calls different things by one name.
pub(super) fn spelled(value: Value, ec2: bool, own: &[(&str, &str)]) -> Value {
    // XML is read to a bounded depth, which bounds this recursion.
    match value {
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| spelled(item, ec2, own)).collect())
        }
        Value::Object(members) => {
            let mut spelt = Map::new();
            for (name, value) in members {
                let name = if ec2 { renamed(&name, own) } else { name };
                let value = match spelled(value, ec2, own) {
                    Value::Null if LISTS.contains(&name.as_str()) => Value::Array(Vec::new()),
                    Value::Null => continue,
                    Value::String(text) => typed(&name, text),
                    value => value,
                };
                spelt.insert(name, value);
            }
            Value::Object(spelt)
        }
        value => value,
    }
}

fn renamed(name: &str, own: &[(&str, &str)]) -> String {
    let known = own.iter().chain(RENAMED).find(|(wire, _)| *wire == name);
    if let Some((_, cli)) = known {
        return (*cli).to_owned();
    }
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

fn typed(name: &str, text: String) -> Value {
    if BOOLEANS.contains(&name)
        && let Ok(value) = text.to_ascii_lowercase().parse::<bool>()
    {
        return Value::Bool(value);
    }
    if NUMBERS.contains(&name)
        && let Ok(value) = text.parse::<u64>()
    {
        return Value::from(value);
    }
    Value::String(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_image_is_spelled_as_the_cli_spells_it() {
        let wire = json!({"imageId": "ami-1", "imageOwnerId": "1", "isPublic": "true",
            "launchPermission": null, "description": null,
            "blockDeviceMapping": [{"ebs": {"volumeSize": "8", "encrypted": "false"}}],
            "tagSet": [{"key": "Public", "value": "true"}]});
        let cli = json!({"ImageId": "ami-1", "OwnerId": "1", "Public": true,
            "LaunchPermissions": [],
            "BlockDeviceMappings": [{"Ebs": {"VolumeSize": 8, "Encrypted": false}}],
            "Tags": [{"Key": "Public", "Value": "true"}]});
        assert_eq!(spelled(wire, true, &[("isPublic", "Public")]), cli);
        let iam = json!({"PolicyVersionList": [{"IsDefaultVersion": "true"}]});
        assert_eq!(spelled(iam, false, &[])["PolicyVersionList"][0]["IsDefaultVersion"], true);
    }
}
