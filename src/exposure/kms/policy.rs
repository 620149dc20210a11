//! A key policy: statements that allow or deny
//! ([elements](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html)).

use super::condition::{Conditions, Context};
use super::pattern;
use super::principal::{Asker, Principals};
use super::truth::Truth;
use crate::limits;
use serde_json::{Map, Value};

/// A policy that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub(super) statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its number, from 1, and its Sid.
    pub(super) name: String,
    /// None of it when an element is not as the grammar has it.
    pub(super) body: Option<Body>,
}

/// What a well-formed statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) allows: bool,
    pub(super) principals: Principals,
    actions: Elements,
    resources: Elements,
    pub(super) conditions: Conditions,
}

/// A list of patterns, or of exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Elements {
    patterns: Vec<String>,
    except: bool,
}

impl Policy {
    /// Read a policy document.
    ///
    /// # Errors
    /// What is wrong with it, in one phrase.
    pub fn parse(text: &str) -> Result<Policy, &'static str> {
        if text.len() > limits::POLICY_BYTES {
            return Err("the key policy is larger than AWS lets one be");
        }
        let document: Value =
            serde_json::from_str(text).map_err(|_| "the key policy is not JSON")?;
        Policy::of(&document)
    }

    /// Read a policy document that is parsed already.
    ///
    /// # Errors
    /// What is wrong with it, in one phrase.
    pub fn of(document: &Value) -> Result<Policy, &'static str> {
        if document.is_string() {
            return Err("the key policy is not JSON");
        }
        let statements: Vec<&Value> = match document.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err("the key policy has no statement"),
        };
        let numbered = statements.into_iter().zip(1..);
        Ok(Policy { statements: numbered.map(|(s, number)| Statement::parse(s, number)).collect() })
    }
}

impl Statement {
    fn parse(value: &Value, number: usize) -> Statement {
        let sid = value.get("Sid").and_then(Value::as_str).filter(|sid| !sid.is_empty());
        let name = match sid {
            Some(sid) => format!("statement {number} \"{sid}\""),
            None => format!("statement {number}"),
        };
        Statement { name, body: value.as_object().and_then(Body::parse) }
    }
}

impl Body {
    fn parse(map: &Map<String, Value>) -> Option<Body> {
        let allows = match map.get("Effect")?.as_str()? {
            "Allow" => true,
            "Deny" => false,
            _ => return None,
        };
        let principals = match (map.get("Principal"), map.get("NotPrincipal")) {
            (Some(value), None) => Principals::parse(value, false)?,
            (None, Some(value)) => Principals::parse(value, true)?,
            _ => return None,
        };
        let conditions = match map.get("Condition") {
            Some(value) => Conditions::parse(value)?,
            None => Conditions::default(),
        };
        Some(Body {
            allows,
            principals,
            actions: Elements::parse(map, "Action", "NotAction")?,
            resources: match Elements::parse(map, "Resource", "NotResource") {
                Some(elements) => elements,
                // A key policy is about its own key, named or not.
                None if !map.contains_key("Resource") && !map.contains_key("NotResource") => {
                    Elements { patterns: vec!["*".to_owned()], except: false }
                }
                None => return None,
            },
            conditions,
        })
    }

    /// Whether it is about `action` on the key of `arn`.
    pub(super) fn covers(&self, action: &str, arn: &str) -> bool {
        self.actions.hold(|pattern| pattern::matches_any_case(pattern, action))
            && self.resources.hold(|pattern| pattern::matches(pattern, arn))
    }

    /// Whether it is about `asker` in `context`.
    pub(super) fn applies(&self, asker: &Asker<'_>, context: &Context<'_>) -> Truth {
        self.principals.mean(asker).and(self.conditions.hold(context))
    }
}

impl Elements {
    fn parse(map: &Map<String, Value>, name: &str, except: &str) -> Option<Elements> {
        match (map.get(name), map.get(except)) {
            (Some(value), None) => Some(Elements { patterns: texts(value)?, except: false }),
            (None, Some(value)) => Some(Elements { patterns: texts(value)?, except: true }),
            _ => None,
        }
    }

    fn hold(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern)) != self.except
    }
}

/// One text or a list of them, as the grammar has it everywhere.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(list) => list.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
