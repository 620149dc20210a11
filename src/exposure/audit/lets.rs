//! Whether a key lets another account use it: the one place where an audit asks [`kms`] that.

use super::world::{Spot, World};
use crate::exposure::facts::{Key, Needs, Organization};
use crate::exposure::kms::{
    self, ADMIN_ACTIONS, Asker, LAUNCH_ACTIONS, Org, Policy, Question, Truth, pattern,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// What an account lacks on a key: nothing, some actions, or that cannot be told.
type Missing = Result<Option<Vec<&'static str>>, Needs>;

/// What accounts lack on keys, each asked once.
#[derive(Default)]
pub(super) struct Answers {
    known: BTreeMap<(String, String), Missing>,
}

impl Answers {
    /// The actions that launching takes and `key` does not let `target`: an account, or an
    /// organization or unit by its ARN.
    pub(super) fn missing(
        &mut self,
        world: &World<'_>,
        spot: &Spot<'_>,
        key: &Key,
        target: &str,
    ) -> Missing {
        let known = self.known.entry((arn(key).to_owned(), target.to_owned()));
        known.or_insert_with(|| missing(world, spot, key, target)).clone()
    }
}

fn missing(world: &World<'_>, spot: &Spot<'_>, key: &Key, target: &str) -> Missing {
    let policy = Policy::of(&key.policy.get("kms:GetKeyPolicy")?.0);
    let grants = key.grants.get("kms:ListGrants");
    let listed: Vec<kms::Grant<'_>> =
        grants.as_ref().map_or(Vec::new(), |list| list.iter().map(grant).collect());
    let subject = kms::Key {
        arn: arn(key),
        policy: policy.as_ref().map_err(|why| *why),
        grants: if grants.is_ok() { Ok(&listed) } else { Err("the grants are not known") },
    };
    let path = path(world, target);
    let paths: Vec<&str> = path.into_iter().collect();
    let asker = asker(world, target, &paths);
    let via = format!("ec2.{}.amazonaws.com", spot.at.region);
    let ask = |action: &'static str| {
        (action, kms::decide(&subject, &Question { asker, action, via: Some(&via) }).truth)
    };
    let answers: Vec<(&'static str, Truth)> = LAUNCH_ACTIONS.into_iter().map(ask).collect();
    let refused =
        answers.iter().filter(|(_, truth)| *truth == Truth::No).map(|(action, _)| *action);
    let refused: Vec<&'static str> = refused.collect();
    let unsure = answers.iter().any(|(_, truth)| *truth == Truth::Unknown);
    match grants {
        _ if !refused.is_empty() => Ok(Some(refused)),
        Err(needs) if unsure => Err(needs),
        _ => Ok((!unsure).then(Vec::new)),
    }
}

/// The administrative actions that `account`, or somebody in it, is allowed on a key. No grant
/// can give one.
pub(super) fn admin(world: &World<'_>, key: &Key, account: &str) -> Vec<&'static str> {
    let Some(Ok(policy)) = key.policy.known().map(|document| Policy::of(&document.0)) else {
        return Vec::new();
    };
    let subject = kms::Key { arn: arn(key), policy: Ok(&policy), grants: Ok(&[]) };
    let asker = asker(world, account, &[]);
    let may = |action: &&'static str| {
        kms::decide(&subject, &Question { asker, action, via: None }).truth != Truth::No
    };
    ADMIN_ACTIONS.into_iter().filter(|action| may(action)).collect()
}

/// Whether a key lets an account that nobody knows use it.
pub(super) fn is_public(key: &Key) -> Truth {
    let Some(document) = key.policy.known() else { return Truth::Unknown };
    let Ok(policy) = Policy::of(&document.0) else { return Truth::Unknown };
    let subject = kms::Key { arn: arn(key), policy: Ok(&policy), grants: Ok(&[]) };
    let asker = Asker { account: Some(NOBODY), org: Org::None, ..Asker::default() };
    let lets = |action| kms::decide(&subject, &Question { asker, action, via: None }).truth;
    lets("kms:Decrypt").or(lets("kms:CreateGrant"))
}

/// The id of an account that no policy names.
const NOBODY: &str = "000000000000";

/// Who `target` is: an account, or for an organization or a unit a member that no policy names.
fn asker<'a>(world: &World<'a>, target: &'a str, paths: &'a [&'a str]) -> Asker<'a> {
    let paths = (!paths.is_empty()).then_some(paths);
    let mut parts = target.rsplit('/');
    let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if target.contains(":organization/") {
        let org = Org::Of { id: last, paths: None };
        return Asker { account: Some(NOBODY), org, ..Asker::default() };
    }
    if target.contains(":ou/") {
        let org = Org::Of { id: before, paths };
        return Asker { account: Some(NOBODY), org, ..Asker::default() };
    }
    let ours = |own: &&'a Organization| own.accounts.listed().iter().any(|it| it.id == target);
    let ours = world.organization.filter(ours);
    let org = ours.map_or(Org::Unknown, |own| Org::Of { id: &own.id, paths });
    Asker { account: Some(target), org, ..Asker::default() }
}

/// Where an account or a unit stands in the organization.
fn path<'a>(world: &World<'a>, target: &str) -> Option<&'a str> {
    let organization = world.organization?;
    let id = target.rsplit('/').next().unwrap_or(target);
    let account = organization.accounts.listed().iter().find(|it| it.id == id);
    let unit = || organization.organizational_units.listed().iter().find(|it| it.id == id);
    account.and_then(|it| it.path.as_deref()).or_else(|| unit()?.path.as_deref())
}

fn grant(grant: &crate::exposure::facts::Grant) -> kms::Grant<'_> {
    kms::Grant {
        id: grant.grant_id.as_deref().unwrap_or("?"),
        grantee: grant.grantee_principal.as_deref().unwrap_or_default(),
        operations: grant.operations.iter().map(String::as_str).collect(),
        constrained: grant.constraints.is_some(),
    }
}

fn arn(key: &Key) -> &str {
    let known = key.key_metadata.known().and_then(|data| data.arn.as_deref());
    known.or(key.key_id.as_deref()).unwrap_or_default()
}

/// Principals of other accounts that a statement lets create grants for anything. What a
/// statement says counts here, not who may do it in the end: others may be added to it.
pub(super) fn loose_grants(key: &Key, own: &str) -> Vec<String> {
    let statements = key.policy.known().map(|policy| statements(&policy.0)).unwrap_or_default();
    let mut found = Vec::new();
    for statement in statements {
        let condition = statement.get("Condition").map(Value::to_string).unwrap_or_default();
        let narrow = condition.to_ascii_lowercase().contains("kms:grantisforawsresource");
        if narrow || !says(statement, "Allow", "kms:CreateGrant") {
            continue;
        }
        // The service-linked role of Auto Scaling cannot meet the condition.
        let outside = principals(statement).into_iter().filter(|principal| {
            account_of(principal).is_some_and(|account| account != own)
                && !principal.contains(":role/aws-service-role/")
        });
        found.extend(outside);
    }
    found.sort();
    found.dedup();
    found
}

/// The statements of a policy.
pub(super) fn statements(policy: &Value) -> &[Value] {
    match policy.get("Statement") {
        Some(Value::Array(list)) => list,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
}

/// Whether a statement has this effect and names this action.
pub(super) fn says(statement: &Value, effect: &str, action: &str) -> bool {
    let patterns = statement.get("Action").map(strings).unwrap_or_default();
    statement.get("Effect").and_then(Value::as_str) == Some(effect)
        && patterns.iter().any(|one| pattern::matches_any_case(one, action))
}

/// The AWS principals of a statement.
pub(super) fn principals(statement: &Value) -> Vec<String> {
    match statement.get("Principal") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Object(kinds)) => kinds.get("AWS").map(strings).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The account of an ARN or an id.
pub(super) fn account_of(principal: &str) -> Option<&str> {
    let is_id = |id: &&str| kms::is_account(id);
    Some(principal).filter(is_id).or_else(|| principal.split(':').nth(4).filter(is_id))
}

/// What it takes to judge a policy whose conditions are not all known.
pub(super) fn needs_conditions() -> Needs {
    Needs { action: "knowing the conditions of a key's policy".to_owned(), error: None }
}

/// The key of a device, from the region that holds it.
pub(super) fn key_of<'a>(spot: &Spot<'a>, name: Option<&str>) -> Result<&'a Key, Needs> {
    let action = "kms:GetKeyPolicy";
    spot.region.keys.get(action)?;
    let found = name.and_then(|name| spot.key(name));
    found.ok_or(Needs { action: action.to_owned(), error: None })
}

/// The account of a key by its ARN.
pub(super) fn owner_of(key: &Key) -> Option<&str> {
    account_of(arn(key))
}
