//! An account as a whole: its users, roles and keys, and the organization it belongs to.

use super::call::{Call, Parameters};
use super::calls;
use super::client::Client;
use super::gather::{Plan, known, parameters, several};
use crate::exposure::facts::{AccessKey, Account, Asked, Iam, Refused};
use crate::limits::COLLECT_PAGES;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often the credential report is asked whether it is ready.
const REPORT_TRIES: u32 = 8;

/// Everything that is known of the account that `client` asks in, but its regions.
pub fn account(client: &Client<'_>, plan: &Plan) -> Result<Account, Refused> {
    let caller = client.one(&calls::CALLER, &Map::new())?;
    let text = |name: &str| caller.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = text("Account").unwrap_or_default();
    let mut account = Account { account: id, arn: text("Arn"), ..Account::default() };
    if plan.asks(&calls::AUTHORIZATION) {
        account.iam = iam(client, plan);
    }
    if plan.asks(&calls::DESCRIBE_ORGANIZATION) {
        account.organization = match organization(client) {
            Ok(found) => typed(&calls::DESCRIBE_ORGANIZATION, Ok(found)),
            Err(refused) => Asked::Refused(refused),
        };
    }
    Ok(account)
}

/// The regions that are enabled.
pub fn regions(client: &Client<'_>) -> Result<Vec<String>, Refused> {
    let found = client.list(&calls::DESCRIBE_REGIONS, &Map::new())?;
    let name = |item: &Value| item.get("RegionName")?.as_str().map(str::to_owned);
    let mut names: Vec<String> = found.iter().filter_map(name).collect();
    names.sort();
    Ok(names)
}

/// The ids of the organization's accounts that are active.
pub fn members(client: &Client<'_>) -> Result<Vec<String>, Refused> {
    let found = client.list(&calls::LIST_ACCOUNTS, &Map::new())?;
    let active = |item: &&Value| item.get("Status").is_none_or(|status| status == "ACTIVE");
    let id = |item: &Value| item.get("Id")?.as_str().map(str::to_owned);
    let mut ids: Vec<String> = found.iter().filter(active).filter_map(id).collect();
    ids.sort();
    Ok(ids)
}

/// An answer in its type, or why it is not known.
fn typed<T: DeserializeOwned>(call: &Call, answer: Result<Value, Refused>) -> Asked<T> {
    match answer {
        Err(refused) => Asked::Refused(refused),
        Ok(value) => match serde_json::from_value(value) {
            Ok(value) => Asked::Known(value),
            Err(cause) => {
                let said = format!("the answer is not understood: {cause}");
                Asked::refused(&call.permission(), said)
            }
        },
    }
}

const DETAILS: [&str; 4] = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"];

fn iam(client: &Client<'_>, plan: &Plan) -> Iam {
    let call = &calls::AUTHORIZATION;
    let mut lists: [Vec<Value>; 4] = Default::default();
    let asked = client.pages(call, &Map::new(), |mut answer| {
        for (name, list) in DETAILS.iter().zip(&mut lists) {
            if let Some(Value::Array(items)) = answer.get_mut(*name).map(Value::take) {
                list.extend(items);
            }
        }
        Ok(())
    });
    let [users, groups, roles, policies] = lists.map(Value::Array);
    let of = |value| asked.clone().map(|()| value);
    let mut iam = Iam {
        user_detail_list: typed(call, of(users)),
        group_detail_list: typed(call, of(groups)),
        role_detail_list: typed(call, of(roles)),
        policies: typed(call, of(policies)),
        credential_report: typed(&calls::GET_REPORT, credential_report(client)),
        ..Iam::default()
    };
    iam.access_keys = access_keys(client, plan, &iam);
    iam
}

fn credential_report(client: &Client<'_>) -> Result<Value, Refused> {
    for attempt in 0..REPORT_TRIES {
        let state = client.one(&calls::GENERATE_REPORT, &Map::new())?;
        if state == "COMPLETE" {
            break;
        }
        if client.line.pace.spaced {
            std::thread::sleep(Duration::from_secs(u64::from(attempt).saturating_add(1)));
        }
    }
    let content = client.one(&calls::GET_REPORT, &Map::new())?;
    Ok(json!({"Content": content}))
}

/// The keys of every user, and those that a scan found: of the latter AWS tells the user as long
/// as they exist.
fn access_keys(client: &Client<'_>, plan: &Plan, iam: &Iam) -> Asked<Vec<AccessKey>> {
    let Asked::Known(users) = &iam.user_detail_list else {
        // Without the users there is no whole list; what was found can be asked about all the same.
        let found: Vec<&String> = plan.leaked.iter().collect();
        let keys: Vec<Value> = several(&found, |id| used(client, json!({"AccessKeyId": id})));
        let named = |key: &Value| key.get("UserName").is_some();
        return if keys.iter().any(named) {
            typed(&calls::KEY_LAST_USED, Ok(keys.into_iter().filter(named).collect()))
        } else {
            Asked::refused(&calls::ACCESS_KEYS.permission(), "the users are not known")
        };
    };
    let lists: Result<Vec<Vec<Value>>, Refused> = several(users, |user| {
        client.list(&calls::ACCESS_KEYS, &parameters(json!({"UserName": user.user_name})))
    })
    .into_iter()
    .collect();
    let keys: Vec<Value> = match lists {
        Ok(lists) => lists.into_iter().flatten().collect(),
        Err(refused) => return Asked::Refused(refused),
    };
    typed(&calls::ACCESS_KEYS, Ok(Value::Array(several(&keys, |key| used(client, key.clone())))))
}

/// A key with its last use.
fn used(client: &Client<'_>, mut key: Value) -> Value {
    let of = parameters(json!({"AccessKeyId": key.get("AccessKeyId")}));
    let answer = client.one(&calls::KEY_LAST_USED, &of);
    let Value::Object(members) = &mut key else { return key };
    match answer {
        Ok(mut answer) => {
            if let Some(name) = answer.get_mut("UserName").map(Value::take) {
                members.entry("UserName").or_insert(name);
            }
            let mut last = answer.get_mut("AccessKeyLastUsed").map(Value::take).unwrap_or_default();
            if let Value::Object(last) = &mut last {
                // `N/A` for a key that was never used.
                last.retain(|_, value| value != "N/A");
            }
            let last = if last.is_null() { json!({}) } else { last };
            members.insert("AccessKeyLastUsed".to_owned(), last);
        }
        Err(refused) => drop(members.insert("AccessKeyLastUsed".to_owned(), json!(refused))),
    }
    key
}

fn organization(client: &Client<'_>) -> Result<Value, Refused> {
    let mut found = client.one(&calls::DESCRIBE_ORGANIZATION, &Map::new())?;
    let id = found.get("Id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let accounts = client.list(&calls::LIST_ACCOUNTS, &Map::new());
    let (units, paths) = match tree(client, &id) {
        Ok((units, paths)) => (Ok(Value::Array(units)), paths),
        Err(refused) => (Err(refused), Map::new()),
    };
    let accounts = accounts.map(|mut accounts| {
        for account in &mut accounts {
            let path = account.get("Id").and_then(Value::as_str).and_then(|id| paths.get(id));
            if let (Some(path), Value::Object(account)) = (path.cloned(), account) {
                account.insert("Path".to_owned(), path);
            }
        }
        Value::Array(accounts)
    });
    let policies = policies(client).map(Value::Array);
    if let Value::Object(found) = &mut found {
        found.insert("Accounts".to_owned(), known(accounts));
        found.insert("OrganizationalUnits".to_owned(), known(units));
        found.insert("Policies".to_owned(), known(policies));
    }
    Ok(found)
}

/// The units, and the path of every account.
fn tree(client: &Client<'_>, id: &str) -> Result<(Vec<Value>, Map<String, Value>), Refused> {
    let of = |parent: &str| parameters(json!({"ParentId": parent}));
    let name = |item: &Value| item.get("Id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut open: Vec<(String, String)> = Vec::new();
    for root in client.list(&calls::LIST_ROOTS, &Map::new())? {
        let root = name(&root);
        open.push((format!("{id}/{root}/"), root));
    }
    let (mut units, mut paths) = (Vec::new(), Map::new());
    let mut seen = BTreeSet::new();
    while let Some((path, parent)) = open.pop() {
        // An organization nests five deep and holds thousands of units; this only ends a circle.
        if !seen.insert(parent.clone()) || COLLECT_PAGES < seen.len() {
            continue;
        }
        for account in client.list(&calls::ACCOUNTS_OF, &of(&parent))? {
            paths.insert(name(&account), json!(path));
        }
        for mut unit in client.list(&calls::UNITS_OF, &of(&parent))? {
            let own = name(&unit);
            let path = format!("{path}{own}/");
            if let Value::Object(unit) = &mut unit {
                unit.insert("Path".to_owned(), json!(path));
            }
            units.push(unit);
            open.push((path, own));
        }
    }
    Ok((units, paths))
}

/// The kinds of policies that bear on images and keys.
const POLICIES: [&str; 3] =
    ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "DECLARATIVE_POLICY_EC2"];

fn policies(client: &Client<'_>) -> Result<Vec<Value>, Refused> {
    let mut all = Vec::new();
    for kind in POLICIES {
        let with: Parameters = parameters(json!({"Filter": kind}));
        let listed = match client.list(&calls::LIST_POLICIES, &with) {
            Ok(listed) => listed,
            // An organization that does not use a kind has none of it.
            Err(refused) if refused.error.contains("PolicyTypeNotEnabled") => continue,
            Err(refused) => return Err(refused),
        };
        for mut policy in listed {
            let of = parameters(json!({"PolicyId": policy.get("Id")}));
            let content = client.one(&calls::DESCRIBE_POLICY, &of);
            let content = content.map(|it| it.get("Content").cloned().unwrap_or_default());
            let targets = client.list(&calls::POLICY_TARGETS, &of)?;
            if let Value::Object(policy) = &mut policy {
                policy.insert("Content".to_owned(), known(content));
                policy.insert("Targets".to_owned(), Value::Array(targets));
            }
            all.push(policy);
        }
    }
    Ok(all)
}
