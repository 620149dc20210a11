//! Whether a key lets an account use it: the one place where an audit asks that.

use super::ledger::Place;
use super::world::{Spot, World};
use crate::exposure::facts::{Key, Needs};
use serde_json::Value;

/// What another account must be allowed on the key to launch from an image it encrypts.
pub(super) const LAUNCH_ACTIONS: [&str; 7] = [
    "kms:DescribeKey",
    "kms:CreateGrant",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:Decrypt",
];

/// What only an owner of a key should be allowed.
pub(super) const ADMIN_ACTIONS: [&str; 4] =
    ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:UpdateKeyDescription"];

/// What a statement says of an account and an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Nothing,
    Yes,
    /// Yes, if a condition holds.
    Perhaps,
}

/// The actions of `actions` that the key's policy and grants do not give `account`: none, some, or
/// nothing when that cannot be told.
pub(super) fn missing(
    key: &Key,
    account: &str,
    actions: &[&'static str],
) -> Result<Option<Vec<&'static str>>, Needs> {
    let policy = &key.policy.get("kms:GetKeyPolicy")?.0;
    let Some(statements) = statements(policy) else { return Ok(None) };
    let mut missing = Vec::new();
    let mut unsure = false;
    for &action in actions {
        let mut given = Says::Nothing;
        for statement in &statements {
            let says = applies(statement, account, action);
            match (effect(statement), says) {
                (Some("Deny"), Says::Nothing) | (Some("Allow"), Says::Nothing) => {}
                (Some("Deny"), _) | (None, _) => unsure = true,
                (Some(_), Says::Yes) => given = Says::Yes,
                (Some(_), says) if given == Says::Nothing => given = says,
                _ => {}
            }
        }
        match given {
            Says::Yes => {}
            Says::Perhaps => unsure = true,
            Says::Nothing => missing.push(action),
        }
    }
    if missing.is_empty() {
        return Ok((!unsure).then(Vec::new));
    }
    // A grant may stand in for the policy.
    let grants = key.grants.get("kms:ListGrants")?;
    let granted = grants
        .iter()
        .any(|grant| grant.grantee_principal.as_deref().is_some_and(|to| of_account(to, account)));
    Ok(if granted || unsure { None } else { Some(missing) })
}

/// Whether some statement allows `account` one of `actions`, whatever its conditions.
pub(super) fn may_any(key: &Key, account: &str, actions: &[&'static str]) -> Vec<&'static str> {
    let statements =
        key.policy.known().and_then(|policy| statements(&policy.0)).unwrap_or_default();
    let allows = |action: &&&'static str| {
        let mut all = statements.iter().filter(|statement| effect(statement) == Some("Allow"));
        all.any(|statement| applies(statement, account, action) != Says::Nothing)
    };
    actions.iter().filter(allows).copied().collect()
}

/// Accounts outside of the key's own that a statement lets create grants for anything.
pub(super) fn loose_grants(key: &Key, own: &str) -> Vec<String> {
    let statements =
        key.policy.known().and_then(|policy| statements(&policy.0)).unwrap_or_default();
    let mut found = Vec::new();
    for statement in statements.iter().filter(|statement| effect(statement) == Some("Allow")) {
        let condition = statement.get("Condition").map(Value::to_string).unwrap_or_default();
        if condition.to_ascii_lowercase().contains("kms:grantisforawsresource")
            || !actions_match(statement, "kms:CreateGrant")
        {
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

/// Whether a statement allows everybody without a condition.
pub(super) fn is_public(key: &Key) -> bool {
    let statements =
        key.policy.known().and_then(|policy| statements(&policy.0)).unwrap_or_default();
    statements.iter().any(|statement| {
        effect(statement) == Some("Allow")
            && statement.get("Condition").is_none()
            && principals(statement).iter().any(|principal| principal == "*")
    })
}

fn statements(policy: &Value) -> Option<Vec<&Value>> {
    match policy.get("Statement")? {
        Value::Array(list) => Some(list.iter().collect()),
        one @ Value::Object(_) => Some(vec![one]),
        _ => None,
    }
}

fn effect(statement: &Value) -> Option<&str> {
    statement.get("Effect").and_then(Value::as_str)
}

fn applies(statement: &Value, account: &str, action: &str) -> Says {
    let odd = statement.get("NotPrincipal").is_some() || statement.get("NotAction").is_some();
    if odd {
        return Says::Perhaps;
    }
    if !actions_match(statement, action) {
        return Says::Nothing;
    }
    let all = principals(statement);
    let whole = all.iter().any(|one| one == "*" || one == account || *one == root(account));
    let part = all.iter().any(|one| of_account(one, account));
    match (whole, part, statement.get("Condition")) {
        (true, _, None) => Says::Yes,
        // One user or role of the account: the account as a whole is not meant.
        (true, ..) | (_, true, _) => Says::Perhaps,
        _ => Says::Nothing,
    }
}

fn principals(statement: &Value) -> Vec<String> {
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

/// Whether a statement's actions include `action`.
pub(super) fn actions_match(statement: &Value, action: &str) -> bool {
    let patterns = statement.get("Action").map(strings).unwrap_or_default();
    patterns.iter().any(|pattern| wild(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase()))
}

/// Whether `text` fits a pattern with `*` and `?`.
fn wild(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(c) if *c == b'?' || text.get(read) == Some(c) => {
                at += 1;
                read += 1;
            }
            _ => {
                // Let the last star take one byte more.
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                at = place + 1;
                read = taken + 1;
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|c| *c == b'*'))
}

fn root(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

fn of_account(principal: &str, account: &str) -> bool {
    account_of(principal) == Some(account)
}

/// The account of an ARN or an id.
fn account_of(principal: &str) -> Option<&str> {
    let is_id = |id: &&str| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
    Some(principal).filter(is_id).or_else(|| principal.split(':').nth(4).filter(is_id))
}

/// The key of a device, from the region that holds it.
pub(super) fn key_of<'a>(spot: &Spot<'a>, name: Option<&str>) -> Result<&'a Key, Needs> {
    let action = "kms:GetKeyPolicy";
    spot.region.keys.get(action)?;
    let found = name.and_then(|name| spot.key(name));
    found.ok_or(Needs { action: action.to_owned(), error: None })
}

/// The account of a key by its ARN; the image's own when it has none.
pub(super) fn owner_of<'a>(key: &'a Key, at: Place<'a>, _world: &World<'_>) -> &'a str {
    let arn = key.key_metadata.known().and_then(|data| data.arn.as_deref());
    arn.and_then(account_of).unwrap_or(at.account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposure::facts::{Asked, Document};

    fn key(statement: &str) -> Key {
        let policy = Document::parse(&format!(r#"{{"Statement": [{statement}]}}"#));
        Key { policy: Asked::Known(policy), grants: Asked::Known(Vec::new()), ..Key::default() }
    }

    #[test]
    fn a_key_is_judged_with_caution() {
        let target = "222233334444";
        let allow = |rest: &str| {
            format!(r#"{{"Effect": "Allow", "Principal": {{"AWS": "{target}"}}, {rest}}}"#)
        };
        let ask = |statement: &str| missing(&key(statement), target, &LAUNCH_ACTIONS).unwrap();
        assert_eq!(ask(&allow(r#""Action": "kms:*""#)), Some(Vec::new()));
        assert_eq!(
            ask(&allow(
                r#""Action": ["kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]"#
            )),
            Some(vec!["kms:CreateGrant"])
        );
        assert_eq!(ask(&allow(r#""Action": "kms:*", "Condition": {"Bool": {}}"#)), None);
        assert_eq!(ask(&allow(r#""NotAction": "kms:Decrypt""#)), None);
        let denied = format!(
            "{}, {}",
            allow(r#""Action": "kms:*""#),
            r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt"}"#
        );
        assert_eq!(ask(&denied), None);
        assert_eq!(
            ask(r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:*"}"#).map(|m| m.len()),
            Some(7)
        );
        assert!(missing(&Key::default(), target, &LAUNCH_ACTIONS).is_err());
    }

    #[test]
    fn wildcards_fit() {
        for (pattern, text, fits) in [
            ("kms:re*", "kms:reencryptto", true),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b", "axbc", false),
            ("k?s", "kms", true),
            ("", "x", false),
        ] {
            assert_eq!(wild(pattern, text), fits, "{pattern} {text}");
        }
    }
}
