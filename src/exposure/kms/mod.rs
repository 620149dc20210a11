//! A key: whom its policy and its grants let do what
//! ([evaluation](https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html)).
//!
//! This is the key's half of an answer. A principal of another account also needs an IAM policy
//! there, and one that the key's own account is let through needs one here; [`Answer::iam`] says
//! so. What depends on anything not known is [`Truth::Unknown`], never yes.

mod condition;
mod grant;
pub mod pattern;
mod policy;
mod principal;
mod truth;

pub use self::grant::Grant;
pub use self::policy::Policy;
pub use self::principal::{Asker, Org, is_account};
pub use self::truth::Truth;

use self::condition::Context;
use self::policy::Statement;

/// What launching from a snapshot under a key of another account takes on that key.
pub const LAUNCH_ACTIONS: [&str; 7] = [
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// What copying such a snapshot to a key of one's own takes on the source's key.
pub const COPY_ACTIONS: [&str; 5] =
    ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"];

/// What reading its blocks takes.
pub const READ_ACTIONS: [&str; 1] = ["kms:Decrypt"];

/// What lets one take a key over, or away. Nobody an image is shared with needs any of it.
pub const ADMIN_ACTIONS: [&str; 9] = [
    "kms:CancelKeyDeletion",
    "kms:DeleteImportedKeyMaterial",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:ImportKeyMaterial",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:UpdatePrimaryRegion",
];

/// A key as far as the question who may use it goes.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    /// Its ARN.
    pub arn: &'a str,
    /// Its policy; the reason when it is not known.
    pub policy: Result<&'a Policy, &'a str>,
    /// Its grants; the reason when they are not known.
    pub grants: Result<&'a [Grant<'a>], &'a str>,
}

/// What is asked of a key.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
    /// The action, `kms:Decrypt`.
    pub action: &'a str,
    /// The service that asks for them, `ec2.us-east-1.amazonaws.com`; none when they ask KMS
    /// themselves.
    pub via: Option<&'a str>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the key lets them.
    pub truth: Truth,
    /// Why, in one sentence.
    pub reason: String,
    /// Whether a statement denies it, which no other can allow again.
    pub denied: bool,
    /// Whether an IAM policy on the asker's side must allow it too.
    pub iam: bool,
}

/// Whether `key` lets what is asked.
pub fn decide(key: &Key<'_>, question: &Question<'_>) -> Answer {
    let granting = question.action == "kms:CreateGrant";
    let context = Context {
        asker: question.asker,
        via: question.via,
        for_aws_resource: granting.then_some(question.via.is_some()),
    };
    let home = key.arn.split(':').nth(4);
    let abroad = question.asker.account != home;
    let iam = abroad || !named(key, &context);
    let answer = |truth, reason| Answer { truth, reason, denied: false, iam };
    let policy = match key.policy {
        Ok(policy) => policy,
        // No deny can be excluded, so not even a grant says yes.
        Err(why) => return answer(Truth::Unknown, why.to_owned()),
    };
    let denied = weigh(policy, false, key.arn, question, &context);
    if denied.0 == Truth::Yes {
        return Answer { denied: true, ..answer(Truth::No, denied.1) };
    }
    let allowed = weigh(policy, true, key.arn, question, &context);
    let granted = granted(key, question);
    let (truth, reason) = match (allowed, granted) {
        (allowed, _) if allowed.0 == Truth::Yes => allowed,
        (_, granted) if granted.0 == Truth::Yes => granted,
        (allowed, granted) if granted.0 == Truth::No => allowed,
        (allowed, granted) if allowed.0 == Truth::No => granted,
        (allowed, _) => allowed,
    };
    match (truth, denied.0) {
        (Truth::Yes | Truth::Unknown, Truth::Unknown) => answer(Truth::Unknown, denied.1),
        _ => answer(truth, reason),
    }
}

/// What the statements that allow (or those that deny) make of it, and why.
fn weigh(
    policy: &Policy,
    allows: bool,
    arn: &str,
    question: &Question<'_>,
    context: &Context<'_>,
) -> (Truth, String) {
    let verb = if allows { "allows" } else { "denies" };
    let mut open = None;
    for statement in &policy.statements {
        let truth = match &statement.body {
            Some(body) if body.allows != allows || !body.covers(question.action, arn) => continue,
            Some(body) => body.applies(&question.asker, context),
            None => Truth::Unknown,
        };
        match truth {
            Truth::Yes => return (Truth::Yes, format!("{} {verb} it", statement.name)),
            Truth::No => {}
            Truth::Unknown => {
                open.get_or_insert_with(|| doubt(statement, verb, &question.asker, context));
            }
        }
    }
    match open {
        Some(reason) => (Truth::Unknown, reason),
        None => (Truth::No, format!("no statement {verb} it")),
    }
}

/// Why it is not known whether a statement applies.
fn doubt(statement: &Statement, verb: &str, asker: &Asker<'_>, context: &Context<'_>) -> String {
    let name = &statement.name;
    let Some(body) = &statement.body else {
        return format!("{name} is not one that can be read");
    };
    if let Some(condition) = body.conditions.open(context) {
        return format!("{name} {verb} it on a condition that is not known here: {condition}");
    }
    match body.principals.partly(asker) {
        Some(entry) if body.principals.is_exception() => {
            format!("{name} {verb} it to all but {entry}")
        }
        Some(entry) => format!("{name} {verb} it to {entry} only"),
        None => format!("{name} {verb} it with a NotPrincipal that reaches this account"),
    }
}

fn granted(key: &Key<'_>, question: &Question<'_>) -> (Truth, String) {
    let grants = match key.grants {
        Ok(grants) => grants,
        Err(why) => return (Truth::Unknown, why.to_owned()),
    };
    let mut open = None;
    for grant in grants {
        match grant.lets(&question.asker, question.action) {
            Truth::Yes => return (Truth::Yes, format!("grant {} allows it", grant.id)),
            Truth::No => {}
            Truth::Unknown if grant.constrained => {
                open.get_or_insert(format!("grant {} allows it in one context only", grant.id));
            }
            Truth::Unknown => {
                open.get_or_insert(format!(
                    "grant {} allows it to {} only",
                    grant.id, grant.grantee
                ));
            }
        }
    }
    open.map_or((Truth::No, "no grant allows it".to_owned()), |why| (Truth::Unknown, why))
}

/// Whether a statement or a grant names the asker, and not only their account as a whole.
fn named(key: &Key<'_>, context: &Context<'_>) -> bool {
    let Some(principal) = context.asker.principal else { return false };
    let granted = key.grants.is_ok_and(|grants| grants.iter().any(|g| g.grantee == principal));
    let statements = key.policy.map(|policy| policy.statements.as_slice()).unwrap_or_default();
    let bodies = statements.iter().filter_map(|statement| statement.body.as_ref());
    let mut allowing = bodies.filter(|body| body.allows);
    granted || allowing.any(|body| body.principals.name(principal))
}
