//! Windows: when somebody else could read an image, who let them, and who did.
//!
//! An image is read by launching it, or by making volumes from its snapshots: each has a
//! permission of its own, and each change of one is an event of CloudTrail. What follows from the
//! events is only as whole as they are, and says where they end.

mod change;
mod consumer;
mod silence;
mod trail;

pub use self::change::{Audience, Deed};
pub use self::consumer::{Consumer, Copy};
pub use self::trail::{Logs, logs};

use self::change::{Act, changes, parameter};
use crate::exposure::facts::{Account, Event, Facts, Image, Region, Snapshot, Time};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the exposure of one image.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exposure {
    /// The image.
    pub image: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account it belongs to.
    pub account: String,
    /// The region it lies in.
    pub region: String,
    /// Its snapshots.
    pub snapshots: Vec<String>,
    /// When somebody else could use it or one of its snapshots, the oldest first.
    pub windows: Vec<Window>,
    /// Who made something of it: whom to tell.
    pub consumers: Vec<Consumer>,
    /// What the account itself made of it: copies outlive a revoked permission.
    pub copies: Vec<Copy>,
    /// Changes of block public access in its region.
    pub settings: Vec<Deed>,
    /// Uses of its keys that were refused.
    pub key_refusals: Vec<Deed>,
    /// Where the events begin; nothing is known of what was before.
    pub events_since: Option<Time>,
    /// Until when the facts say how it is.
    pub collected_at: Option<Time>,
    /// What is not known, with the permission it takes.
    pub unknown: Vec<String>,
    /// What the absence of events does not prove.
    pub silence: Vec<String>,
}

/// A time in which somebody could use an image or a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The image or snapshot.
    pub resource: String,
    /// Who could.
    pub audience: Audience,
    /// The event that began it; none when it began before the events do.
    pub from: Option<Deed>,
    /// The event that ended it.
    pub to: Option<Deed>,
    /// How it stands by the facts, for a window that no event ended.
    pub state: State,
    /// What lessens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// How a window ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// An event ended it.
    Closed,
    /// By the facts it is open still.
    Open,
    /// By the facts it is over, and no event says since when.
    OverSinceUnknown,
    /// The facts do not say.
    Unknown,
}

impl Window {
    /// Whether `at` may lie in this window.
    pub fn holds(&self, at: Time) -> bool {
        let from = self.from.as_ref().and_then(|deed| deed.at);
        let to = self.to.as_ref().and_then(|deed| deed.at);
        from.is_none_or(|from| from <= at) && to.is_none_or(|to| at <= to)
    }
}

/// The ids that events of an image name: its own and those of its snapshots and keys.
pub fn names(image: &Image, region: &Region) -> BTreeSet<String> {
    let mut names = BTreeSet::from([image.image_id.clone()]);
    for snapshot in snapshots(image) {
        let known = region.snapshots.listed().iter().find(|it| it.snapshot_id == snapshot);
        names.extend(known.and_then(|it| it.kms_key_id.clone()));
        names.insert(snapshot);
    }
    names
}

/// The image of that id and where it is.
pub fn find<'a>(facts: &'a Facts, image: &str) -> Option<(&'a Account, &'a Region, &'a Image)> {
    let found = |(account, region): (&'a Account, &'a Region)| {
        let image = region.images.listed().iter().find(|it| it.image_id == image)?;
        Some((account, region, image))
    };
    // The owner knows more of it than others who only refer to it.
    let own = |(account, _, image): &(&'a Account, &'a Region, &'a Image)| {
        image.owner_id.as_ref() == Some(&account.account)
    };
    let all = || facts.regions().filter_map(found);
    all().find(own).or_else(|| all().next())
}

/// What follows from the facts and from `more` events of trails.
pub fn judge(facts: &Facts, image: &str, more: &[Event]) -> Option<Exposure> {
    let (account, region, image) = find(facts, image)?;
    let snapshots: Vec<String> = snapshots(image).into_iter().collect();
    let names = names(image, region);
    let mut events: BTreeMap<(Option<Time>, String), &Event> = BTreeMap::new();
    for event in region.events.listed().iter().chain(more) {
        // The same event comes from lookups and from trails.
        let id = event.text(&["eventID"]).map_or_else(|| event.0.to_string(), str::to_owned);
        events.insert((event.time(), id), event);
    }
    let events: Vec<&Event> = events.into_values().collect();
    let mut unknown = Vec::new();
    if let Err(needs) = region.events.get("cloudtrail:LookupEvents")
        && more.is_empty()
    {
        unknown.push(format!("when it was shared: {needs}"));
    }
    let mut windows = windows(&events, &names, region);
    windows.extend(standing(image, region, &windows, &mut unknown));
    windows.sort_by(|a, b| {
        (since(a), &a.resource, &a.audience).cmp(&(since(b), &b.resource, &b.audience))
    });
    let of_setting = |event: &&&Event| {
        event.name().ends_with("BlockPublicAccess")
            && event.error_code().is_none()
            && event.text(&["awsRegion"]).is_none_or(|own| own == region.region)
    };
    Some(Exposure {
        image: image.image_id.clone(),
        name: image.name.clone(),
        account: account.account.clone(),
        region: region.region.clone(),
        consumers: consumer::consumers(&events, &account.account, &names, region),
        copies: consumer::copies(&events, &names),
        settings: events.iter().filter(of_setting).map(|event| Deed::of(event)).collect(),
        key_refusals: consumer::key_refusals(&events, &names),
        snapshots,
        windows,
        events_since: since_known(region, &events),
        collected_at: facts.collected_at,
        unknown,
        silence: silence::silence(region),
    })
}

fn since(window: &Window) -> Option<Time> {
    window.from.as_ref().and_then(|deed| deed.at)
}

/// Where what is known of events begins: where they were asked from, or the first of a trail.
fn since_known(region: &Region, events: &[&Event]) -> Option<Time> {
    let first = events.iter().filter_map(|event| event.time()).min();
    match (region.events_since, first) {
        (Some(asked), Some(first)) => Some(asked.min(first)),
        (asked, first) => asked.or(first),
    }
}

fn snapshots(image: &Image) -> BTreeSet<String> {
    let devices = image.block_device_mappings.iter();
    devices.filter_map(|device| device.ebs.as_ref()?.snapshot_id.clone()).collect()
}

/// The windows that events open and close, by resource and audience.
fn windows(events: &[&Event], names: &BTreeSet<String>, region: &Region) -> Vec<Window> {
    let mut open: BTreeMap<(String, Audience), Option<Deed>> = BTreeMap::new();
    let mut done = Vec::new();
    let mut close = |resource: &str, audience: Audience, from: Option<Deed>, to: Option<Deed>| {
        let state = match &to {
            Some(_) => State::Closed,
            None => standing_of(resource, &audience, region),
        };
        let note = note(resource, &audience, region);
        let resource = resource.to_owned();
        done.push(Window { resource, audience, from, to, state, note });
    };
    for event in events {
        for (id, act) in changes(event) {
            if !names.contains(&id) {
                continue;
            }
            match act {
                Act::Grant(audience) => {
                    open.entry((id, audience)).or_insert_with(|| Some(Deed::of(event)));
                }
                Act::Revoke(audience) => {
                    // What is revoked and was never granted here was granted before.
                    let from = open.remove(&(id.clone(), audience.clone())).flatten();
                    close(&id, audience, from, Some(Deed::of(event)));
                }
                Act::RevokeAll => {
                    let of: Vec<_> = open.keys().filter(|(own, _)| *own == id).cloned().collect();
                    for key in of {
                        let from = open.remove(&key).flatten();
                        close(&key.0, key.1, from, Some(Deed::of(event)));
                    }
                }
            }
        }
    }
    for ((resource, audience), from) in open {
        close(&resource, audience, from, None);
    }
    done
}

/// The windows that are open by the facts and that no event opened.
fn standing(
    image: &Image,
    region: &Region,
    known: &[Window],
    unknown: &mut Vec<String>,
) -> Vec<Window> {
    let mut now: Vec<(String, Audience)> = Vec::new();
    match image.launch_permissions.get("ec2:DescribeImageAttribute") {
        Ok(_) => now.extend(granted(&image.image_id, region).unwrap_or_default()),
        // The list is its owner's; whether it is public everybody sees.
        Err(needs) => {
            unknown.push(format!("who may launch {}: {needs}", image.image_id));
            if image.public == Some(true) {
                now.push((image.image_id.clone(), Audience::Public));
            }
        }
    }
    for snapshot in snapshots(image) {
        match granted(&snapshot, region) {
            Some(granted) => now.extend(granted),
            None => unknown.push(format!(
                "who may make volumes from {snapshot}: unknown: needs ec2:DescribeSnapshotAttribute"
            )),
        }
    }
    let is_known = |resource: &str, audience: &Audience| {
        let same = |it: &&Window| it.resource == resource && it.audience == *audience;
        known.iter().filter(same).any(|window| window.state != State::Closed)
    };
    now.retain(|(resource, audience)| !is_known(resource, audience));
    let window = |(resource, audience): (String, Audience)| {
        let note = note(&resource, &audience, region);
        Window { resource, audience, from: None, to: None, state: State::Open, note }
    };
    now.into_iter().map(window).collect()
}

/// Who may use an image or snapshot by the facts; none when they do not say.
fn granted(id: &str, region: &Region) -> Option<Vec<(String, Audience)>> {
    let found: Vec<Audience> = if id.starts_with("snap-") {
        let of = |it: &&Snapshot| it.snapshot_id == id;
        let snapshot = region.snapshots.listed().iter().find(of)?;
        let permissions = snapshot.create_volume_permissions.known()?;
        permissions
            .iter()
            .filter_map(|it| audience(it.group.as_ref(), it.user_id.as_ref(), None))
            .collect()
    } else {
        let image = region.images.listed().iter().find(|it| it.image_id == id)?;
        let arn = |it: &crate::exposure::facts::LaunchPermission| {
            it.organization_arn.clone().or_else(|| it.organizational_unit_arn.clone())
        };
        let permissions = image.launch_permissions.known()?;
        permissions
            .iter()
            .filter_map(|it| audience(it.group.as_ref(), it.user_id.as_ref(), arn(it)))
            .collect()
    };
    Some(found.into_iter().map(|audience| (id.to_owned(), audience)).collect())
}

fn audience(
    group: Option<&String>,
    user: Option<&String>,
    arn: Option<String>,
) -> Option<Audience> {
    if group.is_some_and(|group| group == "all") {
        return Some(Audience::Public);
    }
    arn.map(Audience::Organization).or_else(|| user.cloned().map(Audience::Account))
}

fn standing_of(resource: &str, audience: &Audience, region: &Region) -> State {
    match granted(resource, region) {
        None => State::Unknown,
        Some(now) if now.iter().any(|(_, own)| own == audience) => State::Open,
        Some(_) => State::OverSinceUnknown,
    }
}

/// What block public access does to a public snapshot. That of images keeps none private that is
/// public already.
fn note(resource: &str, audience: &Audience, region: &Region) -> Option<&'static str> {
    let blocked = region.snapshot_block_public_access.known()?.state.as_deref();
    let masked = resource.starts_with("snap-") && *audience == Audience::Public;
    (masked && blocked == Some("block-all-sharing"))
        .then_some("masked now by block public access of snapshots (block-all-sharing)")
}

/// Whether an event concerns one of `names` or a setting of block public access.
pub fn concerns(event: &Event, names: &BTreeSet<String>) -> bool {
    let id = |name| parameter(event, name).is_some_and(|id| names.contains(id));
    event.name().ends_with("BlockPublicAccess")
        || id("imageId")
        || id("snapshotId")
        || id("sourceImageId")
        || id("sourceSnapshotId")
        || consumer::of(event, names)
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "what json! makes is handed over")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn event(name: &str, day: u32, request: Value) -> Value {
        json!({"eventName": name, "eventSource": "ec2.amazonaws.com", "eventID": format!("{name}{day}"),
            "eventTime": format!("2026-11-{day:02}T00:00:00Z"), "recipientAccountId": "111122223333",
            "userIdentity": {"arn": "arn:aws:iam::111122223333:user/ci", "accountId": "111122223333"},
            "requestParameters": request})
    }

    fn permit(verb: &str, day: u32, item: Value) -> Value {
        event(
            "ModifyImageAttribute",
            day,
            json!({"imageId": "ami-1",
            "launchPermission": {verb: {"items": [item]}}}),
        )
    }

    /// The exposure of ami-1 with these events and launch permissions.
    fn exposed(events: Value, permissions: Value) -> Exposure {
        let facts = json!({"schema": "amisweep.facts/1", "collected_at": "2026-11-21T00:00:00Z",
            "accounts": [{"Account": "111122223333", "Regions": [{"Region": "us-east-1",
                "Images": [{"ImageId": "ami-1", "OwnerId": "111122223333",
                    "LaunchPermissions": permissions,
                    "BlockDeviceMappings": [{"DeviceName": "a", "Ebs": {"SnapshotId": "snap-1"}}]}],
                "Snapshots": [{"SnapshotId": "snap-1", "CreateVolumePermissions": [],
                    "KmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/k"}],
                "SnapshotBlockPublicAccess": {"State": "block-all-sharing"},
                "Trails": [], "Events": events}]}]});
        let facts = Facts::parse(facts.to_string().as_bytes()).unwrap();
        judge(&facts, "ami-1", &[]).unwrap()
    }

    /// Each window as `resource audience from-to state`.
    fn told(exposure: &Exposure) -> Vec<String> {
        let day = |deed: &Option<Deed>| {
            let at = deed.as_ref().and_then(|deed| deed.at);
            at.map_or_else(|| "?".to_owned(), |at| at.to_string()[8..10].to_owned())
        };
        let one = |w: &Window| {
            format!("{} {} {}-{} {:?}", w.resource, w.audience, day(&w.from), day(&w.to), w.state)
        };
        exposure.windows.iter().map(one).collect()
    }

    #[test]
    fn windows_open_and_close() {
        let all = || json!({"group": "all"});
        let user = json!({"userId": "999900001111"});
        let add = permit("add", 3, all());
        let cases = [
            (json!([add]), json!([all_now()]), vec!["ami-1 public 03-? Open"]),
            (
                json!([add, permit("add", 4, all())]),
                json!([all_now()]),
                vec!["ami-1 public 03-? Open"],
            ),
            (
                json!([permit("remove", 5, all()), add]),
                json!([]),
                vec!["ami-1 public 03-05 Closed"],
            ),
            (json!([permit("remove", 5, all())]), json!([]), vec!["ami-1 public ?-05 Closed"]),
            (json!([add]), json!([]), vec!["ami-1 public 03-? OverSinceUnknown"]),
            (json!([]), json!([all_now()]), vec!["ami-1 public ?-? Open"]),
            (json!([]), json!([]), vec![]),
            (
                json!([
                    add,
                    permit("add", 4, user),
                    event("DisableImage", 6, json!({"DisableImageRequest": {"ImageId": "ami-1"}}))
                ]),
                json!([]),
                vec!["ami-1 public 03-06 Closed", "ami-1 account 999900001111 04-06 Closed"],
            ),
            (
                json!([
                    add,
                    permit("remove", 4, all()),
                    permit("add", 6, all()),
                    permit("remove", 7, all())
                ]),
                json!([]),
                vec!["ami-1 public 03-04 Closed", "ami-1 public 06-07 Closed"],
            ),
        ];
        for (events, permissions, expected) in cases {
            assert_eq!(told(&exposed(events.clone(), permissions)), expected, "{events}");
        }
        let refused = exposed(json!([]), json!({"Missing": "ec2:DescribeImageAttribute"}));
        assert_eq!(refused.windows, []);
        assert!(refused.unknown[0].contains("needs ec2:DescribeImageAttribute"));
        let unasked = exposed(Value::Null, json!([]));
        assert!(unasked.unknown[0].contains("needs cloudtrail:LookupEvents"));
        assert!(unasked.silence[0].contains("proves nothing"));
    }

    fn all_now() -> Value {
        json!({"Group": "all"})
    }

    #[test]
    fn a_public_snapshot_may_be_masked() {
        let add = event(
            "ModifySnapshotAttribute",
            3,
            json!({"snapshotId": "snap-1",
            "createVolumePermission": {"add": {"items": [{"groups": "all"}]}}}),
        );
        let exposure = exposed(json!([add]), json!([]));
        assert!(exposure.windows[0].note.unwrap().contains("block-all-sharing"));
    }

    #[test]
    fn only_others_are_consumers() {
        let used = |account: &str, owner: &str, day| {
            let mut used = event("SharedSnapshotVolumeCreated", day, Value::Null);
            used["userIdentity"] = json!({"accountId": account});
            used["recipientAccountId"] = json!(owner);
            used["serviceEventDetails"] = json!({"snapshotId": "snap-1"});
            used
        };
        let (owner, other) = ("111122223333", "555566667777");
        // The third stands in the consumer's own trail, the fourth is the owner itself.
        let events = json!([
            used(other, owner, 4),
            used(other, owner, 8),
            used(other, other, 9),
            used(owner, owner, 10)
        ]);
        let found = exposed(events, json!([])).consumers;
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].account.as_str(), found[0].uses["SharedSnapshotVolumeCreated"]),
            (other, 2)
        );
        assert_eq!(found[0].first.unwrap().to_string(), "2026-11-04T00:00:00Z");
    }

    #[test]
    fn copies_and_refused_keys_are_told() {
        let copy = event("CopyImage", 4, json!({"sourceImageId": "ami-1", "name": "x"}));
        let store = event(
            "CreateStoreImageTask",
            5,
            json!({"CreateStoreImageTaskRequest": {"ImageId": "ami-1", "Bucket": "b"}}),
        );
        let other = event("CopyImage", 6, json!({"sourceImageId": "ami-2"}));
        let mut denied = event("Decrypt", 7, Value::Null);
        denied["eventSource"] = json!("kms.amazonaws.com");
        denied["errorCode"] = json!("AccessDenied");
        denied["resources"] = json!([{"ARN": "arn:aws:kms:us-east-1:111122223333:key/k"}]);
        let exposure = exposed(json!([copy, store, other, denied]), json!([]));
        let of: Vec<_> = exposure.copies.iter().map(|copy| copy.deed.event.as_str()).collect();
        assert_eq!(of, ["CopyImage", "CreateStoreImageTask"]);
        assert_eq!(exposure.key_refusals.len(), 1);
    }
}
