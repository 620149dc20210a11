//! The administrator question: whether a user or role may, in effect, do everything.
//!
//! Three answers, and "unknown" whenever a condition, an exception or a missing document decides.
//! [How IAM decides](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).

use super::organization::Above;
use crate::exposure::facts::{
    AttachedPolicy, Document, Group, Iam, InlinePolicy, ManagedPolicy, PermissionsBoundary,
};
use serde::Serialize;
use serde_json::Value;

/// An answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// It cannot be told from the facts.
    #[default]
    Unknown,
}

/// An answer and what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The answer.
    pub answer: Answer,
    /// The policies and statements that decided it.
    pub because: Vec<String>,
}

/// What a user or a role has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Principal<'a> {
    pub(super) inline: &'a [InlinePolicy],
    pub(super) attached: &'a [AttachedPolicy],
    pub(super) groups: &'a [String],
    pub(super) boundary: Option<&'a PermissionsBoundary>,
}

/// What one document allows, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Little,
    Perhaps,
    /// It may give itself everything.
    Itself,
    Everything,
}

/// Actions by any of which a principal gives itself what it does not have yet.
const ESCALATIONS: [&str; 10] = [
    "iam:addusertogroup",
    "iam:attachgrouppolicy",
    "iam:attachrolepolicy",
    "iam:attachuserpolicy",
    "iam:createpolicyversion",
    "iam:putgrouppolicy",
    "iam:putrolepolicy",
    "iam:putuserpolicy",
    "iam:setdefaultpolicyversion",
    "iam:updateassumerolepolicy",
];

/// Whether the policies of AWS that end a leaked key's use are attached.
pub(super) fn quarantined(principal: &Principal<'_>) -> Option<String> {
    let name =
        |it: &AttachedPolicy| it.policy_arn.rsplit('/').next().unwrap_or_default().to_owned();
    let mut names = principal.attached.iter().map(name);
    names.find(|name| name.starts_with("AWSCompromisedKeyQuarantine"))
}

/// Whether a principal may do everything, with what stands `above` its account.
pub(super) fn administrator(iam: &Iam, principal: &Principal<'_>, above: &Above<'_>) -> Verdict {
    let mut weight = held(iam, principal);
    let boundary = principal.boundary.and_then(|it| it.permissions_boundary_arn.as_deref());
    if let Some(arn) = boundary
        && weight.verdict.answer != Answer::No
    {
        weight.within(&weigh(&[(format!("boundary {arn}"), managed(iam, arn))]));
        weight.verdict.because.push(format!("permissions boundary {arn}"));
    }
    if weight.verdict.answer != Answer::No {
        above.limit(&mut weight);
    }
    weight.verdict
}

/// What its own policies and those of its groups give it.
fn held(iam: &Iam, principal: &Principal<'_>) -> Weight {
    let mut documents: Vec<(String, Option<Document>)> = Vec::new();
    own(iam, principal.inline, principal.attached, "", &mut documents);
    for name in principal.groups {
        let of = |group: &&Group| group.group_name == *name;
        match iam.group_detail_list.listed().iter().find(of) {
            Some(group) => {
                let via = format!("group {name}: ");
                own(
                    iam,
                    &group.group_policy_list,
                    &group.attached_managed_policies,
                    &via,
                    &mut documents,
                );
            }
            None => documents.push((format!("group {name}"), None)),
        }
    }
    weigh(&documents)
}

fn own(
    iam: &Iam,
    inline: &[InlinePolicy],
    attached: &[AttachedPolicy],
    via: &str,
    documents: &mut Vec<(String, Option<Document>)>,
) {
    let inline =
        inline.iter().map(|it| (format!("{via}{}", it.policy_name), it.policy_document.clone()));
    documents.extend(inline);
    let attached =
        attached.iter().map(|it| (format!("{via}{}", it.policy_arn), managed(iam, &it.policy_arn)));
    documents.extend(attached);
}

/// The document of a managed policy in force.
fn managed(iam: &Iam, arn: &str) -> Option<Document> {
    if arn.ends_with(":aws:policy/AdministratorAccess") {
        // AWS's own, which nobody can change, whether or not the account's facts hold its text.
        let all =
            serde_json::json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
        return Some(Document(all));
    }
    let of = |policy: &&ManagedPolicy| policy.arn == arn;
    let policy = iam.policies.listed().iter().find(of)?;
    let mut versions = policy.policy_version_list.iter();
    let version = versions.find(|version| {
        version.is_default_version == Some(true)
            || (version.version_id.is_some() && version.version_id == policy.default_version_id)
    })?;
    version.document.clone()
}

/// What several documents come to, and how.
#[derive(Clone, Debug, Default)]
pub(super) struct Weight {
    pub(super) verdict: Verdict,
    /// It rests on IAM alone: whoever is denied that is no administrator.
    by_iam: bool,
    /// Parts of IAM are denied.
    iam_denied: bool,
}

impl Weight {
    /// Take away what `limit` does not let through. A limit gives nothing.
    pub(super) fn within(&mut self, limit: &Weight) {
        self.verdict.answer = match (self.verdict.answer, limit.verdict.answer) {
            (Answer::No, _) | (_, Answer::No) => Answer::No,
            (Answer::Yes, Answer::Yes) if self.by_iam && limit.iam_denied => Answer::Unknown,
            // What only lets through IAM lets it through to whoever needs no more.
            (own, Answer::Yes) => own,
            _ => Answer::Unknown,
        };
        self.by_iam |= limit.by_iam;
    }

    /// A limit that lets IAM through and little else stays one, whatever is given through IAM.
    pub(super) fn everything_or_unknown(&mut self) {
        if self.by_iam && self.verdict.answer == Answer::Yes {
            self.verdict.answer = Answer::Unknown;
        }
    }
}

/// What several documents together come to.
pub(super) fn weigh(documents: &[(String, Option<Document>)]) -> Weight {
    let mut reach = Reach::Little;
    let mut because = Vec::new();
    let (mut denied, mut doubt, mut iam_denied) = (false, false, false);
    for (name, document) in documents {
        let Some(Document(policy)) = document else {
            doubt = true;
            because.push(format!("{name}: its document is not in the facts"));
            continue;
        };
        let Some(statements) = policy.get("Statement") else {
            doubt = true;
            because.push(format!("{name}: not a policy"));
            continue;
        };
        for statement in listed(statements) {
            let deny = statement.get("Effect").and_then(Value::as_str) == Some("Deny");
            let own = of(statement);
            match (deny, own) {
                (true, Reach::Everything) => {
                    denied = true;
                    because.push(format!("{name}: denies everything"));
                }
                (true, Reach::Perhaps) => {
                    doubt = true;
                    because.push(format!("{name}: denies under conditions"));
                }
                (true, _) => {
                    if own == Reach::Itself {
                        iam_denied = true;
                        because.push(format!("{name}: denies parts of IAM"));
                        // What is allowed through IAM alone may be denied here.
                        doubt |= reach < Reach::Everything;
                    }
                }
                (false, Reach::Little) => {}
                (false, own) => {
                    reach = reach.max(own);
                    because.push(format!("{name}: {}", told(own)));
                }
            }
        }
    }
    let answer = match (denied, reach) {
        (true, _) => Answer::No,
        (_, Reach::Everything) if conditional_denial(&because) => Answer::Unknown,
        (_, Reach::Everything) => Answer::Yes,
        (_, Reach::Itself) if !doubt => Answer::Yes,
        (_, Reach::Itself | Reach::Perhaps) => Answer::Unknown,
        (_, Reach::Little) if doubt => Answer::Unknown,
        (_, Reach::Little) => Answer::No,
    };
    Weight { verdict: Verdict { answer, because }, by_iam: reach == Reach::Itself, iam_denied }
}

fn conditional_denial(because: &[String]) -> bool {
    because.iter().any(|it| it.ends_with("denies under conditions"))
}

fn told(reach: Reach) -> &'static str {
    match reach {
        Reach::Everything => "allows everything",
        Reach::Itself => "lets it give itself everything (IAM)",
        Reach::Perhaps => "allows much, with exceptions or conditions",
        Reach::Little => "allows little",
    }
}

/// What one statement reaches, be it to allow or to deny.
fn of(statement: &Value) -> Reach {
    let resources = statement.get("Resource").map(texts).unwrap_or_default();
    let everywhere = resources.iter().any(|it| matches!(it.as_str(), "*" | "arn:aws:iam::*:*"));
    let condition = statement.get("Condition");
    let conditional =
        condition.is_some_and(|it| it.as_object().is_none_or(|members| !members.is_empty()));
    let deny = statement.get("Effect").and_then(Value::as_str) == Some("Deny");
    if deny && condition.is_some_and(spares) {
        return Reach::Little;
    }
    if let Some(except) = statement.get("NotAction") {
        let except = texts(except);
        let spared = |it: &String| matches!(it.as_str(), "*" | "iam:*");
        // Everything but IAM does not make an administrator.
        return if !deny && except.iter().any(spared) { Reach::Little } else { Reach::Perhaps };
    }
    let actions = statement.get("Action").map(texts).unwrap_or_default();
    let reach = actions.iter().map(|action| of_action(action)).max().unwrap_or(Reach::Little);
    if reach == Reach::Little {
        return Reach::Little;
    }
    if statement.get("NotResource").is_some() || conditional {
        return Reach::Perhaps;
    }
    if everywhere {
        return reach;
    }
    // A few named resources: of all actions that may still be IAM's own.
    if resources.iter().any(|it| it.contains(":iam:")) { Reach::Perhaps } else { Reach::Little }
}

/// Whether what is denied under this condition leaves an administrator one: other regions than
/// some, or the root user alone.
fn spares(condition: &Value) -> bool {
    let mut operators = condition.as_object().into_iter().flatten();
    let one = |operator: &str, keys: &Value| {
        let operator = operator.to_ascii_lowercase();
        let mut keys = keys.as_object().into_iter().flatten();
        keys.any(|(key, values)| match key.to_ascii_lowercase().as_str() {
            "aws:requestedregion" => {
                operator.starts_with("stringnot") && !texts(values).iter().any(|it| it == "*")
            }
            "aws:principalarn" => {
                matches!(operator.as_str(), "stringlike" | "stringequals" | "arnlike" | "arnequals")
                    && texts(values).iter().all(|it| it.ends_with(":root"))
            }
            _ => false,
        })
    };
    // All of them must hold for the denial, so that one is enough.
    operators.any(|(operator, keys)| one(operator, keys))
}

fn of_action(action: &str) -> Reach {
    if matches!(action, "*" | "*:*") {
        return Reach::Everything;
    }
    if ESCALATIONS.iter().any(|known| matches(action, known)) {
        Reach::Itself
    } else {
        Reach::Little
    }
}

/// Whether a pattern with `*` and `?` matches, without regard to case.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut back) = (0_usize, 0_usize, None);
    while t < text.len() {
        match (pattern.get(p), text.get(t)) {
            (Some(b'*'), _) => {
                back = Some((p, t));
                p = p.saturating_add(1);
            }
            (Some(own), Some(other)) if *own == b'?' || own == other => {
                p = p.saturating_add(1);
                t = t.saturating_add(1);
            }
            _ => match back {
                Some((star, from)) => {
                    p = star.saturating_add(1);
                    t = from.saturating_add(1);
                    back = Some((star, t));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

/// One text or a list of them, in small letters.
fn texts(value: &Value) -> Vec<String> {
    listed(value).iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect()
}

fn listed(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "what json! makes is handed over")]
mod tests {
    use super::*;
    use crate::exposure::facts::{Asked, PolicyVersion};
    use serde_json::json;

    fn verdict(statements: Value, boundary: Option<&str>) -> Answer {
        let inline = [InlinePolicy {
            policy_name: "own".to_owned(),
            policy_document: Some(Document(json!({"Statement": statements}))),
        }];
        let reader = ManagedPolicy {
            arn: "arn:aws:iam::1:policy/reader".to_owned(),
            policy_version_list: vec![PolicyVersion {
                is_default_version: Some(true),
                document: Some(Document(json!({"Statement":
                    [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}))),
                ..PolicyVersion::default()
            }],
            ..ManagedPolicy::default()
        };
        let iam = Iam { policies: Asked::Known(vec![reader]), ..Iam::default() };
        let boundary = boundary.map(|arn| PermissionsBoundary {
            permissions_boundary_arn: Some(arn.to_owned()),
            ..PermissionsBoundary::default()
        });
        let principal =
            Principal { inline: &inline, attached: &[], groups: &[], boundary: boundary.as_ref() };
        administrator(&iam, &principal, &Above::default()).answer
    }

    #[test]
    fn every_shape_of_policy_has_its_answer() {
        let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let allow = |action: Value| json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        let deny = |action: &str| json!({"Effect": "Deny", "Action": action, "Resource": "*"});
        let on = |resource: &str| json!({"Effect": "Allow", "Action": "*", "Resource": resource});
        let if_mfa = json!({"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}});
        let deny_if = json!({"Effect": "Deny", "NotAction": "iam:*", "Resource": "*",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}});
        let not = |action: Value| json!({"Effect": "Allow", "NotAction": action, "Resource": "*"});
        let cases = [
            (all.clone(), Answer::Yes),
            (json!([all]), Answer::Yes),
            (allow(json!(["s3:*", "*:*"])), Answer::Yes),
            (allow(json!("iam:*")), Answer::Yes),
            (allow(json!("IAM:Put*Policy")), Answer::Yes),
            (allow(json!("iam:Get*")), Answer::No),
            (allow(json!("s3:*")), Answer::No),
            (json!([all, deny("*")]), Answer::No),
            (json!([all, deny("s3:DeleteBucket")]), Answer::Yes),
            (json!([all, deny("iam:*")]), Answer::Yes),
            (json!([allow(json!("iam:*")), deny("iam:Put*")]), Answer::Unknown),
            (json!([all, deny_if]), Answer::Unknown),
            (if_mfa, Answer::Unknown),
            (not(json!("s3:*")), Answer::Unknown),
            (not(json!(["iam:*", "organizations:*"])), Answer::No),
            (on("arn:aws:s3:::bucket/*"), Answer::No),
            (on("arn:aws:iam::1:role/x"), Answer::Unknown),
            (json!([]), Answer::No),
        ];
        for (statements, expected) in cases {
            assert_eq!(verdict(statements.clone(), None), expected, "{statements}");
        }
        assert_eq!(verdict(all.clone(), Some("arn:aws:iam::1:policy/reader")), Answer::No);
        assert_eq!(verdict(all.clone(), Some("arn:aws:iam::1:policy/gone")), Answer::Unknown);
        let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
        assert_eq!(verdict(all, Some(admin)), Answer::Yes);
    }
}
