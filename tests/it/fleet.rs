//! Facts of a large organization, made from the account in which nothing is wrong; the tests judge
//! them, and `benches/audit.rs` measures how long that takes.

use serde_json::{Map, Value, json};
use std::path::Path;

/// A file of `testdata/facts`.
pub(crate) fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/facts").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Patch a value by
/// [RFC 7396](https://www.rfc-editor.org/rfc/rfc7396).
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let object = target.as_object_mut().unwrap();
    for (name, value) in members {
        if value.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Facts of many accounts, each region with `images` shared, superseded and referred-to images.
pub(crate) fn fleet(accounts: u64, images: u64) -> Value {
    let list = (0..accounts).map(|account| {
        let mut one = read("base.json")["accounts"][0].clone();
        one["Account"] = json!(format!("{:012}", 300_000_000_000 + account));
        let region = &mut one["Regions"][0];
        let (mut all, mut snapshots, mut templates) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..images {
            let serial = account * images + number;
            let (id, snapshot) = (format!("ami-{serial:017x}"), format!("snap-{serial:017x}"));
            let mut image = region["Images"][0].clone();
            merge(&mut image, &json!({"ImageId": id, "OwnerId": one_id(account),
                "SourceImageId": format!("ami-{:017x}", serial.saturating_sub(1)),
                "LaunchPermissions": [{"UserId": "222233334444"}, {"UserId": "555566667777"}],
                "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]}));
            all.push(image);
            let mut of = region["Snapshots"][0].clone();
            merge(&mut of, &json!({"SnapshotId": snapshot, "OwnerId": one_id(account), "Encrypted": serial.is_multiple_of(2)}));
            snapshots.push(of);
            let mut template = region["LaunchTemplateVersions"][0].clone();
            merge(&mut template, &json!({"LaunchTemplateId": format!("lt-{serial:017x}"),
                "LaunchTemplateData": {"ImageId": id}}));
            templates.push(template);
        }
        region["Images"] = json!(all);
        region["Snapshots"] = json!(snapshots);
        region["LaunchTemplateVersions"] = json!(templates);
        one
    });
    let mut facts = read("base.json");
    facts["accounts"] = list.collect();
    facts
}

fn one_id(account: u64) -> String {
    format!("{:012}", 300_000_000_000 + account)
}
