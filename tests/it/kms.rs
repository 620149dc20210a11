//! Key policies and grants: each case of testdata/kms, answered as written there.

use amisweep::exposure::kms::{Asker, Grant, Key, Org, Policy, Question, decide};
use serde_json::Value;
use std::path::Path;

const KEY: &str = "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab";

#[test]
fn key_policies_and_grants_are_answered_as_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/kms/cases.json");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(cases.len() >= 40);
    let wrong: Vec<String> = cases.iter().filter_map(differs).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// How the answer differs from the one expected.
fn differs(case: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let policy = Policy::parse(&text(&case["policy"]));
    let grants: Vec<Grant<'_>> =
        case["grants"].as_array().into_iter().flatten().map(grant).collect();
    let unknown = case.get("grants").is_some_and(Value::is_null);
    let key = Key {
        arn: KEY,
        policy: policy.as_ref().map_err(|why| *why),
        grants: if unknown { Err("needs kms:ListGrants") } else { Ok(&grants) },
    };
    let ask = &case["ask"];
    let paths: Option<Vec<&str>> =
        ask["paths"].as_array().map(|paths| paths.iter().filter_map(Value::as_str).collect());
    let org = match ask.get("org") {
        None => Org::Unknown,
        Some(Value::Null) => Org::None,
        Some(id) => Org::Of { id: id.as_str().unwrap(), paths: paths.as_deref() },
    };
    let asker = Asker {
        account: ask["account"].as_str(),
        besides: ask["besides"].as_str(),
        principal: ask["principal"].as_str(),
        org,
    };
    let action = ask["action"].as_str().unwrap();
    let answer = decide(&key, &Question { asker, action, via: ask["via"].as_str() });
    let right = case["expect"] == answer.truth.to_string().as_str()
        && answer.reason.contains(case["reason"].as_str().unwrap())
        && case.get("iam").is_none_or(|iam| *iam == answer.iam);
    (!right).then(|| format!("{}: {answer:?}", case["name"]))
}

fn grant(value: &Value) -> Grant<'_> {
    let operations = value["Operations"].as_array().unwrap();
    Grant {
        id: value["GrantId"].as_str().unwrap(),
        grantee: value["GranteePrincipal"].as_str().unwrap(),
        operations: operations.iter().filter_map(Value::as_str).collect(),
        constrained: value.get("Constraints").is_some(),
    }
}
