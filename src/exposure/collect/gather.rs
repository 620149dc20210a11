//! Gathering: what is known of one region, call after call, each answer where the facts have it.

use super::call::{Call, Parameters};
use super::calls::{self, Kind, REGIONAL, Row};
use super::client::Client;
use crate::exposure::facts::{Refused, Region, Time};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls under way for one region.
const AT_ONCE: usize = 4;

/// Images named in one call: EC2 takes a thousand, and one that is gone fails all of them.
const IMAGES_A_CALL: usize = 100;

/// Images whose references are asked in one call, and parameters whose values are.
const TEN: usize = 10;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The services that are asked, by their IAM prefix; all of them when empty.
    pub services: BTreeSet<String>,
    /// Ids of access keys that a scan found. They are asked about, never signed with.
    pub leaked: BTreeSet<String>,
    /// How far back events are looked up; CloudTrail keeps 90 days.
    pub since: Option<Time>,
    /// Until when.
    pub now: Time,
}

impl Plan {
    /// Whether this call is wanted.
    pub(super) fn asks(&self, call: &Call) -> bool {
        self.services.is_empty() || self.services.contains(call.service.iam)
    }
}

/// The members of a JSON object as parameters.
pub(super) fn parameters(value: Value) -> Parameters {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// `work` on every item, several at once, the results in the order of the items.
pub(super) fn several<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, R>> = Mutex::default();
    let worker = || {
        while let Some((place, item)) = taken(items, &next) {
            let result = work(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(place, result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(items.len()) {
            scope.spawn(worker);
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// The next item that nobody took yet.
fn taken<'a, T>(items: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    Some((place, items.get(place)?))
}

/// A region as it grows, in JSON.
pub(super) struct Growing<'a> {
    pub(super) client: &'a Client<'a>,
    pub(super) plan: &'a Plan,
    members: Map<String, Value>,
}

/// Everything that is known of one region.
pub fn region(client: &Client<'_>, plan: &Plan) -> Region {
    let mut growing = Growing { client, plan, members: Map::new() };
    growing.put("Region", &calls::CALLER, Ok(json!(client.region)));
    let rows: Vec<&Row> = REGIONAL.iter().filter(|row| plan.asks(&row.call)).collect();
    let answers = several(&rows, |row| regional(client, row));
    for (row, answer) in rows.iter().zip(answers) {
        growing.put(row.into, &row.call, answer);
    }
    growing.of_images();
    growing.of_launches();
    growing.of_builders();
    growing.of_clusters();
    growing.of_parameters();
    growing.of_foreign_images();
    growing.of_keys();
    growing.of_trails();
    serde_json::from_value(Value::Object(growing.members))
        .unwrap_or_else(|_| Region { region: client.region.clone(), ..Region::default() })
}

fn regional(client: &Client<'_>, row: &Row) -> Result<Value, Refused> {
    let with = parameters(serde_json::from_str(row.with).unwrap_or_default());
    match row.kind {
        Kind::One => client.one(&row.call, &with),
        Kind::List => {
            let items = client.list(&row.call, &with)?;
            if row.call.takes != "Reservations" {
                return Ok(Value::Array(items));
            }
            let instances =
                items.into_iter().filter_map(|mut item| match item.get_mut("Instances")?.take() {
                    Value::Array(instances) => Some(instances),
                    _ => None,
                });
            Ok(Value::Array(instances.flatten().collect()))
        }
    }
}

impl Growing<'_> {
    /// Put an answer where it belongs. One that the facts do not understand is not known, and must
    /// not take the rest of the region with it.
    pub(super) fn put(&mut self, into: &str, call: &Call, answer: Result<Value, Refused>) {
        let value = answer.and_then(|value| {
            // A single answer that is empty is an answer of another kind than was expected.
            if value.is_null() {
                let error = format!("the answer has no {}", call.takes);
                return Err(Refused { missing: call.permission(), error });
            }
            let alone = json!({into: value});
            match serde_json::from_value::<Region>(alone) {
                Ok(_) => Ok(value),
                Err(cause) => {
                    let error = format!("the answer is not understood: {cause}");
                    Err(Refused { missing: call.permission(), error })
                }
            }
        });
        self.members.insert(into.to_owned(), known(value));
    }

    /// The items of a list, when it is known.
    pub(super) fn listed(&self, member: &str) -> &[Value] {
        self.members.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Every value of that member in the items of a list.
    fn texts(&self, list: &str, member: &str) -> Vec<String> {
        let items = self.listed(list).iter();
        items.filter_map(|item| item.get(member)?.as_str().map(str::to_owned)).collect()
    }

    /// Ask `call` about every item of a list and put the answer into the item itself.
    fn each(&mut self, list: &str, id: (&str, &str), call: &Call, into: &str) {
        if !self.plan.asks(call) {
            return;
        }
        let (member, parameter) = id;
        let ids = self.texts(list, member);
        let attribute = match call.action {
            "DescribeImageAttribute" => Some("launchPermission"),
            "DescribeSnapshotAttribute" => Some("createVolumePermission"),
            "DescribeInstanceAttribute" => Some("userData"),
            _ => None,
        };
        let answers = several(&ids, |id| {
            let mut with = parameters(json!({parameter: id}));
            if let Some(attribute) = attribute {
                with.insert("Attribute".to_owned(), json!(attribute));
            }
            self.client.one(call, &with)
        });
        let mut answers: BTreeMap<String, _> = ids.into_iter().zip(answers).collect();
        let Some(Value::Array(items)) = self.members.get_mut(list) else { return };
        for item in items {
            let id = item.get(member).and_then(Value::as_str).map(str::to_owned);
            let Some(answer) = id.and_then(|id| answers.remove(&id)) else { continue };
            let answer = match (call.action, answer) {
                // `{"Value": "…"}`, or nothing when there is none.
                ("DescribeInstanceAttribute", Ok(mut data)) => match data.get_mut("Value") {
                    Some(data) => data.take(),
                    None => continue,
                },
                // User data has no three states in the facts.
                ("DescribeInstanceAttribute", Err(_)) => continue,
                // Not to be told who may is not to be told that nobody may.
                (_, Ok(Value::Null)) => {
                    let error = format!("the answer has no {}", call.takes);
                    json!(Refused { missing: call.permission(), error })
                }
                (_, answer) => known(answer),
            };
            if let Value::Object(item) = item {
                item.insert(into.to_owned(), answer);
            }
        }
    }

    fn of_images(&mut self) {
        self.each("Images", ("ImageId", "ImageId"), &calls::IMAGE_ATTRIBUTE, "LaunchPermissions");
        self.each("Images", ("ImageId", "ImageId"), &calls::ANCESTRY, "Ancestry");
        let snapshot = ("SnapshotId", "SnapshotId");
        let into = "CreateVolumePermissions";
        self.each("Snapshots", snapshot, &calls::SNAPSHOT_ATTRIBUTE, into);
        if self.members.get("Images").is_some_and(Value::is_array)
            && self.plan.asks(&calls::REFERENCES)
        {
            let images = self.texts("Images", "ImageId");
            let chunks: Vec<&[String]> = images.chunks(TEN).collect();
            let answers = several(&chunks, |chunk| {
                self.client.list(
                    &calls::REFERENCES,
                    &numbered("ImageId", chunk, "{\"IncludeAllResourceTypes\": true}"),
                )
            });
            self.put_all("ImageReferences", &calls::REFERENCES, answers);
        }
    }

    /// Put several lists as one: known whole, or not at all.
    fn put_all(&mut self, into: &str, call: &Call, lists: Vec<Result<Vec<Value>, Refused>>) {
        let whole: Result<Vec<Vec<Value>>, Refused> = lists.into_iter().collect();
        self.put(
            into,
            call,
            whole.map(|lists| Value::Array(lists.into_iter().flatten().collect())),
        );
    }

    fn of_launches(&mut self) {
        self.each("Instances", ("InstanceId", "InstanceId"), &calls::USER_DATA, "UserData");
        if !self.plan.asks(&calls::TEMPLATES) {
            return;
        }
        let into = "LaunchTemplateVersions";
        let templates = match self.client.list(&calls::TEMPLATES, &Map::new()) {
            Ok(templates) => templates,
            Err(refused) => return self.put(into, &calls::TEMPLATES, Err(refused)),
        };
        let lists = several(&templates, |template| {
            let id = template.get("LaunchTemplateId").unwrap_or(&Value::Null);
            let with = parameters(json!({"LaunchTemplateId": id}));
            self.client.list(&calls::TEMPLATE_VERSIONS, &with)
        });
        self.put_all(into, &calls::TEMPLATE_VERSIONS, lists);
    }

    /// A list of names, then the thing behind each name.
    fn behind(&mut self, into: &str, names: &Call, get: &Call, name: (&str, &str)) {
        if !self.plan.asks(names) {
            return;
        }
        let (member, parameter) = name;
        let listed = match self.client.list(names, &Map::new()) {
            Ok(listed) => listed,
            Err(refused) => return self.put(into, names, Err(refused)),
        };
        let things: Result<Vec<Value>, Refused> = several(&listed, |item| {
            let name = if member.is_empty() { Some(item) } else { item.get(member) };
            self.client.one(get, &parameters(json!({parameter: name})))
        })
        .into_iter()
        .collect();
        self.put(into, get, things.map(Value::Array));
    }

    fn of_builders(&mut self) {
        use calls::{GET_CONTAINER_RECIPE, GET_DISTRIBUTION, GET_IMAGE_RECIPE};
        use calls::{LIST_CONTAINER_RECIPES, LIST_DISTRIBUTIONS, LIST_IMAGE_RECIPES};
        let recipe = ("arn", "imageRecipeArn");
        self.behind("ImageRecipes", &LIST_IMAGE_RECIPES, &GET_IMAGE_RECIPE, recipe);
        let recipe = ("arn", "containerRecipeArn");
        self.behind("ContainerRecipes", &LIST_CONTAINER_RECIPES, &GET_CONTAINER_RECIPE, recipe);
        let distribution = ("arn", "distributionConfigurationArn");
        let into = "DistributionConfigurations";
        self.behind(into, &LIST_DISTRIBUTIONS, &GET_DISTRIBUTION, distribution);
        let policy = ("PolicyId", "policyId");
        self.behind("LifecyclePolicies", &calls::LIST_LIFECYCLES, &calls::GET_LIFECYCLE, policy);
        if !self.plan.asks(&calls::ENVIRONMENTS) {
            return;
        }
        let into = "ConfigurationSettings";
        let environments = match self.client.list(&calls::ENVIRONMENTS, &Map::new()) {
            Ok(environments) => environments,
            Err(refused) => return self.put(into, &calls::ENVIRONMENTS, Err(refused)),
        };
        let lists = several(&environments, |environment| {
            let of = |name: &str| environment.get(name).cloned().unwrap_or_default();
            let with = json!({"ApplicationName": of("ApplicationName"), "EnvironmentName": of("EnvironmentName")});
            self.client.list(&calls::BEANSTALK_SETTINGS, &parameters(with))
        });
        self.put_all(into, &calls::BEANSTALK_SETTINGS, lists);
    }

    fn of_clusters(&mut self) {
        self.behind("Clusters", &calls::LIST_CLUSTERS, &calls::DESCRIBE_CLUSTER, ("", "name"));
        if !self.members.get("Clusters").is_some_and(Value::is_array) {
            return;
        }
        let clusters = self.texts("Clusters", "name");
        let lists = several(&clusters, |cluster| {
            let names =
                self.client.list(&calls::LIST_NODEGROUPS, &parameters(json!({"name": cluster})))?;
            let of = |group| parameters(json!({"name": cluster, "nodegroupName": group}));
            names
                .iter()
                .map(|group| self.client.one(&calls::DESCRIBE_NODEGROUP, &of(group)))
                .collect()
        });
        self.put_all("Nodegroups", &calls::DESCRIBE_NODEGROUP, lists);
    }

    /// The parameters that hold images, and those that something resolves an image by.
    fn of_parameters(&mut self) {
        let (describe, get) = (&calls::DESCRIBE_PARAMETERS, &calls::GET_PARAMETERS);
        if !self.plan.asks(describe) {
            return;
        }
        let images = json!({"ParameterFilters":
            [{"Key": "DataType", "Option": "Equals", "Values": ["aws:ec2:image"]}]});
        let described = self.client.list(describe, &parameters(images)).or_else(|refused| {
            // Where that filter is not known yet, all are listed.
            let all = refused.error.contains("ValidationException");
            if all { self.client.list(describe, &Map::new()) } else { Err(refused) }
        });
        let mut described = match described {
            Ok(described) => described,
            Err(refused) => return self.put("Parameters", describe, Err(refused)),
        };
        described.retain(|item| item.get("DataType").is_none_or(|kind| kind == "aws:ec2:image"));
        let name = |item: &Value| item.get("Name")?.as_str().map(str::to_owned);
        let mut names: BTreeSet<String> = described.iter().filter_map(name).collect();
        let mut texts = BTreeSet::new();
        strings(&self.members, &mut texts);
        let resolved = texts.iter().filter_map(|text| {
            let name = text.strip_prefix("resolve:ssm:").or_else(|| text.strip_prefix("ssm:"))?;
            // A version or label follows, of a name as of an ARN.
            let arn = name.starts_with("arn:");
            let own = name.split(':').take(if arn { 6 } else { 1 }).collect::<Vec<_>>().join(":");
            Some(own)
        });
        names.extend(resolved);
        let names: Vec<String> = names.into_iter().collect();
        let chunks: Vec<&[String]> = names.chunks(TEN).collect();
        let lists =
            several(&chunks, |chunk| self.client.list(get, &parameters(json!({"Names": chunk}))));
        self.put_all("Parameters", get, lists);
    }

    /// Images of others that something here refers to; those that nobody may see are left out.
    fn of_foreign_images(&mut self) {
        let own: BTreeSet<String> = self.texts("Images", "ImageId").into_iter().collect();
        let mut texts = BTreeSet::new();
        strings(&self.members, &mut texts);
        let is_image = |text: &String| {
            let id = text.strip_prefix("ami-");
            id.is_some_and(|id| id.len() >= 8 && id.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        let foreign: Vec<String> =
            texts.into_iter().filter(is_image).filter(|id| !own.contains(id)).collect();
        let chunks: Vec<&[String]> = foreign.chunks(IMAGES_A_CALL).collect();
        let with = r#"{"IncludeDeprecated": true, "IncludeDisabled": true}"#;
        let ask = |ids: &[String]| {
            self.client.list(&calls::DESCRIBE_IMAGES, &numbered("ImageId", ids, with))
        };
        let found = several(&chunks, |chunk| {
            ask(chunk).unwrap_or_else(|_| {
                chunk.iter().filter_map(|id| ask(std::slice::from_ref(id)).ok()).flatten().collect()
            })
        });
        if let Some(Value::Array(images)) = self.members.get_mut("Images") {
            images.extend(found.into_iter().flatten());
        }
    }

    /// Every key that something here is encrypted under.
    fn of_keys(&mut self) {
        if !self.plan.asks(&calls::DESCRIBE_KEY) {
            return;
        }
        let mut ids = BTreeSet::new();
        keys(&self.members, &mut ids);
        let default = self.members.get("EbsDefaultKmsKeyId").and_then(Value::as_str);
        ids.extend(default.map(str::to_owned));
        let here = format!(":{}:", self.client.region);
        ids.retain(|id| !id.starts_with("arn:") || id.contains(&here));
        let ids: Vec<String> = ids.into_iter().collect();
        let found = several(&ids, |id| self.key(id));
        let mut once: BTreeMap<String, Value> = BTreeMap::new();
        for (id, key) in ids.iter().zip(found) {
            let arn = key.pointer("/KeyMetadata/Arn").and_then(Value::as_str);
            once.entry(arn.unwrap_or(id).to_owned()).or_insert(key);
        }
        let found = Value::Array(once.into_values().collect());
        self.put("Keys", &calls::DESCRIBE_KEY, Ok(found));
    }

    fn key(&self, id: &str) -> Value {
        let client = self.client;
        let metadata = client.one(&calls::DESCRIBE_KEY, &parameters(json!({"KeyId": id})));
        // The other calls take no alias.
        let own = metadata.as_ref().ok().and_then(|it| it.get("Arn")?.as_str()).unwrap_or(id);
        let of = parameters(json!({"KeyId": own}));
        let mut policy = of.clone();
        policy.insert("PolicyName".to_owned(), json!("default"));
        let policy = client.one(&calls::KEY_POLICY, &policy);
        let grants = client.list(&calls::GRANTS, &of).map(Value::Array);
        let rotation = client.one(&calls::ROTATION, &of);
        json!({"KeyId": id, "KeyMetadata": known(metadata), "Policy": known(policy),
            "Grants": known(grants), "Rotation": known(rotation)})
    }
}

/// The answer, or the refusal in the spelling of the facts.
pub(super) fn known(answer: Result<Value, Refused>) -> Value {
    answer.unwrap_or_else(|refused| json!(refused))
}

/// `ImageId.1`, `ImageId.2` … beside other parameters.
fn numbered(name: &str, values: &[String], with: &str) -> Parameters {
    let mut all = parameters(serde_json::from_str(with).unwrap_or_default());
    let numbers = (1_usize..).zip(values);
    all.extend(numbers.map(|(number, value)| (format!("{name}.{number}"), json!(value))));
    all
}

/// Every string in the members.
fn strings(members: &Map<String, Value>, found: &mut BTreeSet<String>) {
    let mut open: Vec<&Value> = members.values().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => drop(found.insert(text.clone())),
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
}

/// Every key id in the members.
fn keys(members: &Map<String, Value>, found: &mut BTreeSet<String>) {
    let mut open: Vec<(&str, &Value)> =
        members.iter().map(|(name, v)| (name.as_str(), v)).collect();
    while let Some((name, value)) = open.pop() {
        match value {
            Value::String(text) if matches!(name, "KmsKeyId" | "kmsKeyId") => {
                found.insert(text.clone());
            }
            Value::Array(items) => open.extend(items.iter().map(|item| (name, item))),
            Value::Object(members) => open.extend(members.iter().map(|(n, v)| (n.as_str(), v))),
            _ => {}
        }
    }
}
