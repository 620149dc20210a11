//! Allowed AMIs: which images a set of criteria lets an account launch, and what of its instances
//! and past launches it would have stopped
//! ([how it works](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-allowed-amis.html)).

mod candidate;
mod text;

use self::candidate::{Candidate, Seen};
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::facts::{Account, Event, Facts, Image, ImageCriterion, Region, Time};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How far back launches are judged: what CloudTrail keeps of itself.
const LAUNCH_DAYS: i64 = 90;

/// What the criteria make of the facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Running instances, by account, region and id.
    pub instances: Vec<Case>,
    /// Launches of the last 90 days, one case for each image and region.
    pub launches: Vec<Case>,
    /// What could not be judged for want of facts.
    pub missing: BTreeSet<String>,
}

/// An instance, or the launches of one image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The instance; none for launches.
    pub instance: Option<String>,
    /// The image.
    pub image: String,
    /// The name of the image.
    pub name: Option<String>,
    /// The owner of the image.
    pub owner: Option<String>,
    /// Launches, their first and last time, and who made them.
    pub launches: Option<Launches>,
    /// Whether the criteria would have stopped it.
    pub blocked: Verdict,
    /// Why.
    pub reason: String,
}

/// Launches of one image.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Launches {
    /// How many.
    pub count: u64,
    /// The first.
    pub first: Option<Time>,
    /// The last.
    pub last: Option<Time>,
    /// Who made them.
    pub actors: BTreeSet<String>,
}

/// Whether something is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is.
    Blocked,
    /// It is not known.
    Unknown,
    /// It is not.
    Allowed,
}

/// Read criteria: the output of `get-allowed-images-settings`, the input of
/// `replace-image-criteria-in-allowed-images-settings`, or the bare list.
///
/// # Errors
/// When it is none of these, or more than AWS takes.
pub fn criteria(text: &[u8]) -> Result<Vec<ImageCriterion>> {
    let fail = |what| Error::new(ErrorKind::Usage, what);
    let value: Value = serde_json::from_slice(text)
        .map_err(|cause| fail("the criteria are not JSON").caused_by(cause))?;
    let list = value.get("ImageCriteria").cloned().unwrap_or(value);
    let list: Vec<ImageCriterion> = serde_json::from_value(list)
        .map_err(|cause| fail("the criteria are not a list of ImageCriterion").caused_by(cause))?;
    for criterion in &list {
        let only = criterion.image_providers.iter().any(|one| one == "none");
        if only && criterion.image_providers.len() > 1 {
            return Err(fail("`none` stands alone among the providers of a criterion"));
        }
        if *criterion == ImageCriterion::default() {
            return Err(fail("a criterion has no member that is known; is it misspelled?"));
        }
    }
    match list.len() {
        0 => Err(fail("there is no criterion")),
        1..=10 => Ok(list),
        _ => Err(fail("AWS takes ten criteria at most")),
    }
}

/// Whether `account` may launch `image` under `criteria` at that time, and why.
pub fn lets(
    image: &Image,
    account: &str,
    criteria: &[ImageCriterion],
    at: Option<Time>,
) -> (Verdict, String) {
    let seen = Seen { image: Some(image), metadata: None };
    Candidate::of(seen, account).verdict(criteria, at)
}

/// Judge every running instance and every launch of the last 90 days.
pub fn judge(facts: &Facts, criteria: &[ImageCriterion]) -> Judged {
    let mut judged = Judged::default();
    for (account, region) in facts.regions() {
        let bench = Bench { account, region, criteria, at: facts.collected_at };
        bench.instances(&mut judged);
        bench.launches(&mut judged);
    }
    if facts.collected_at.is_none() {
        judged.missing.insert("the facts do not say when they were collected".to_owned());
    }
    judged.instances.sort();
    judged.launches.sort();
    judged
}

/// One region under judgement.
struct Bench<'a> {
    account: &'a Account,
    region: &'a Region,
    criteria: &'a [ImageCriterion],
    at: Option<Time>,
}

impl<'a> Bench<'a> {
    fn seen(&self) -> BTreeMap<&'a str, Seen<'a>> {
        let mut seen: BTreeMap<&str, Seen<'a>> = BTreeMap::new();
        for one in self.region.instance_image_metadata.listed() {
            if let Some(id) = &one.image_metadata.image_id {
                seen.entry(id).or_default().metadata = Some(&one.image_metadata);
            }
        }
        for image in self.region.images.listed() {
            seen.entry(&image.image_id).or_default().image = Some(image);
        }
        seen
    }

    fn missing(&self, judged: &mut Judged, needs: &str) {
        let (account, region) = (&self.account.account, &self.region.region);
        judged.missing.insert(format!("{account} {region}: needs {needs}"));
    }

    fn instances(&self, judged: &mut Judged) {
        let seen = self.seen();
        let mut running: BTreeMap<&str, &str> = BTreeMap::new();
        let runs = |name: Option<&str>| matches!(name, None | Some("running" | "pending"));
        for one in self.region.instance_image_metadata.listed() {
            let image = one.image_metadata.image_id.as_deref();
            if runs(one.state.name.as_deref()) {
                running.insert(&one.instance_id, image.unwrap_or_default());
            }
        }
        for one in self.region.instances.listed() {
            if runs(one.state.name.as_deref()) {
                running
                    .entry(&one.instance_id)
                    .or_insert(one.image_id.as_deref().unwrap_or_default());
            }
        }
        let asked = self.region.instances.get("ec2:DescribeInstances").map(|_| ());
        let other = &self.region.instance_image_metadata;
        if let (Err(needs), None) = (asked, other.known()) {
            self.missing(judged, &needs.action);
        }
        for (instance, image) in running {
            let known = seen.get(image).copied().unwrap_or_default();
            let mut case = self.case(image, known, self.at);
            case.instance = Some(instance.to_owned());
            judged.instances.push(case);
        }
    }

    fn launches(&self, judged: &mut Judged) {
        let events = match self.region.events.get("cloudtrail:LookupEvents") {
            Ok(events) => events,
            Err(needs) => return self.missing(judged, &needs.action),
        };
        let start = self.at.map(|at| at.minus_days(LAUNCH_DAYS));
        if let (Some(start), Some(since)) = (start, self.region.events_since)
            && since > start
        {
            let (account, region) = (&self.account.account, &self.region.region);
            let text = format!("{account} {region}: launches before {since} are not known");
            judged.missing.insert(text);
        }
        let mut by_image: BTreeMap<String, Launches> = BTreeMap::new();
        for event in events {
            let recent = match (start, event.time()) {
                (Some(start), Some(time)) => start <= time,
                _ => true,
            };
            if event.name() == "RunInstances" && event.error_code().is_none() && recent {
                for image in images(event) {
                    by_image.entry(image).or_default().add(event);
                }
            }
        }
        let seen = self.seen();
        for (image, launches) in by_image {
            let known = seen.get(image.as_str()).copied().unwrap_or_default();
            // The last launch is the one a limit of age stops first.
            let mut case = self.case(&image, known, launches.last.or(self.at));
            case.launches = Some(launches);
            judged.launches.push(case);
        }
    }

    fn case(&self, image: &str, seen: Seen<'_>, at: Option<Time>) -> Case {
        let facts = Candidate::of(seen, &self.account.account);
        let (blocked, reason) = facts.verdict(self.criteria, at);
        Case {
            account: self.account.account.clone(),
            region: self.region.region.clone(),
            instance: None,
            image: image.to_owned(),
            name: facts.name.map(str::to_owned),
            owner: facts.owner.map(str::to_owned),
            launches: None,
            blocked,
            reason,
        }
    }
}

impl Launches {
    fn add(&mut self, event: &Event) {
        self.count += 1;
        let time = event.time();
        self.first = self.first.into_iter().chain(time).min();
        self.last = self.last.into_iter().chain(time).max();
        self.actors.extend(event.actor().map(str::to_owned));
    }
}

/// The images that an event launched, each once. The answer says it even where the request names
/// a launch template only.
fn images(event: &Event) -> BTreeSet<String> {
    let of = |side: &str| -> BTreeSet<String> {
        let items = event.value(&[side, "instancesSet", "items"]).and_then(Value::as_array);
        let ids = items.into_iter().flatten().filter_map(|item| item.get("imageId")?.as_str());
        ids.map(str::to_owned).collect()
    };
    let launched = of("responseElements");
    if launched.is_empty() { of("requestParameters") } else { launched }
}
