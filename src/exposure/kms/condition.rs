//! A condition of a statement: what of the request is known, and what that makes of it
//! ([operators](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html)).

use super::pattern;
use super::principal::{Asker, Org};
use super::truth::Truth;
use serde_json::Value;

/// The conditions of a statement; all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    all: Vec<Condition>,
}

/// One operator on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

/// What is known of a request besides its action.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) asker: Asker<'a>,
    /// The service that asks on the asker's behalf.
    pub(super) via: Option<&'a str>,
    /// Whether the grant asked for is for a resource of AWS; none for other actions.
    pub(super) for_aws_resource: Option<bool>,
}

/// What a request carries for a key.
enum Carried<'a> {
    Unknown,
    Absent,
    One(&'a str),
    Many(&'a [&'a str]),
}

impl Context<'_> {
    fn carried(&self, key: &str) -> Carried<'_> {
        let one = |value: Option<&'static str>| value.map_or(Carried::Absent, Carried::One);
        match key.to_ascii_lowercase().as_str() {
            "aws:principalaccount" | "kms:calleraccount" => {
                self.asker.account.map_or(Carried::Unknown, Carried::One)
            }
            "aws:principalarn" => self.asker.principal.map_or(Carried::Unknown, Carried::One),
            "aws:principalorgid" => match self.asker.org {
                Org::Unknown => Carried::Unknown,
                Org::None => Carried::Absent,
                Org::Of { id, .. } => Carried::One(id),
            },
            "aws:principalorgpaths" => match self.asker.org {
                Org::None => Carried::Absent,
                Org::Of { paths: Some(paths), .. } => Carried::Many(paths),
                _ => Carried::Unknown,
            },
            "kms:viaservice" => self.via.map_or(Carried::Absent, Carried::One),
            "kms:grantisforawsresource" => {
                one(self.for_aws_resource.map(|yes| if yes { "true" } else { "false" }))
            }
            // Carried only when a service asks for itself, and here a principal does.
            "aws:sourceaccount" => Carried::Absent,
            _ => Carried::Unknown,
        }
    }
}

impl Conditions {
    pub(super) fn parse(value: &Value) -> Option<Conditions> {
        let mut all = Vec::new();
        for (operator, keys) in value.as_object()? {
            for (key, values) in keys.as_object()? {
                let values = match values {
                    Value::Array(list) => list.iter().map(scalar).collect::<Option<_>>()?,
                    one => vec![scalar(one)?],
                };
                all.push(Condition { operator: operator.clone(), key: key.clone(), values });
            }
        }
        Some(Conditions { all })
    }

    /// Whether all of them hold.
    pub(super) fn hold(&self, context: &Context<'_>) -> Truth {
        Truth::all(self.all.iter().map(|condition| condition.holds(context)))
    }

    /// The first of which it is not known whether it holds.
    pub(super) fn open(&self, context: &Context<'_>) -> Option<String> {
        let open = self.all.iter().find(|one| one.holds(context) == Truth::Unknown)?;
        Some(format!("{} {}", open.operator, open.key))
    }
}

/// Values are texts; AWS takes a number or a truth as the text of it.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl Condition {
    fn holds(&self, context: &Context<'_>) -> Truth {
        let carried = context.carried(&self.key);
        let (set, rest) = match self.operator.split_once(':') {
            Some((set, rest)) => (Some(set), rest),
            None => (None, self.operator.as_str()),
        };
        if !matches!(set, None | Some("ForAnyValue" | "ForAllValues")) {
            return Truth::Unknown;
        }
        if rest == "Null" && set.is_none() {
            return self.null(&carried);
        }
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let Some((test, negated)) = Test::of(name) else { return Truth::Unknown };
        let one = |value: &str| self.compare(test, negated, value);
        match (carried, set) {
            (Carried::Unknown, _) => Truth::Unknown,
            (Carried::Absent, _) if if_exists => Truth::Yes,
            (Carried::Absent, Some("ForAnyValue")) => Truth::No,
            (Carried::Absent, Some(_)) => Truth::Yes,
            // A key that is not there is unequal to everything.
            (Carried::Absent, None) => Truth::from(negated),
            (Carried::One(value), _) => one(value),
            (Carried::Many(values), Some("ForAnyValue")) => {
                Truth::any(values.iter().map(|value| one(value)))
            }
            (Carried::Many(values), Some(_)) => Truth::all(values.iter().map(|value| one(value))),
            // AWS leaves open what an operator of one value makes of a key of several.
            (Carried::Many(_), None) => Truth::Unknown,
        }
    }

    fn compare(&self, test: Test, negated: bool, carried: &str) -> Truth {
        let each = self.values.iter().map(|value| {
            // A policy variable, whose value is the request's.
            if value.contains("${") { Truth::Unknown } else { test.passes(value, carried) }
        });
        let any = Truth::any(each);
        if negated { !any } else { any }
    }

    fn null(&self, carried: &Carried<'_>) -> Truth {
        let absent = match carried {
            Carried::Unknown => return Truth::Unknown,
            Carried::Absent => "true",
            Carried::One(_) | Carried::Many(_) => "false",
        };
        Truth::from(self.values.iter().any(|value| value.eq_ignore_ascii_case(absent)))
    }
}

/// How a value of a policy is compared with one of the request.
#[derive(Clone, Copy)]
enum Test {
    Equals,
    AnyCase,
    Like,
    Arn,
    Bool,
}

impl Test {
    fn of(operator: &str) -> Option<(Test, bool)> {
        Some(match operator {
            "StringEquals" => (Test::Equals, false),
            "StringNotEquals" => (Test::Equals, true),
            "StringEqualsIgnoreCase" => (Test::AnyCase, false),
            "StringNotEqualsIgnoreCase" => (Test::AnyCase, true),
            "StringLike" => (Test::Like, false),
            "StringNotLike" => (Test::Like, true),
            "ArnEquals" | "ArnLike" => (Test::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
            "Bool" => (Test::Bool, false),
            _ => return None,
        })
    }

    fn passes(self, value: &str, carried: &str) -> Truth {
        Truth::from(match self {
            Test::Equals => value == carried,
            Test::AnyCase | Test::Bool => value.eq_ignore_ascii_case(carried),
            Test::Like => pattern::matches(value, carried),
            Test::Arn => return pattern::arn_matches(value, carried),
        })
    }
}
