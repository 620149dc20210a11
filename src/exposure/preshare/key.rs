//! The keys of the image: what they must let the target do, and what they must not.

use super::{Check, Fix, Scene, Status, Target};
use crate::exposure::disk::{self, Manager, Rules};
use crate::exposure::facts::Key;
use crate::exposure::kms::{self, ADMIN_ACTIONS, Answer, Asker, LAUNCH_ACTIONS, Question, Truth};
use crate::exposure::shell::{command, is_key};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a grant to the service-linked role of Auto Scaling must hold.
const AUTOSCALING_OPERATIONS: [&str; 8] = [
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
];

/// The checks of each key that disks of the image are under, but for keys of AWS, which fail
/// elsewhere and have no policy of ours.
pub(super) fn checks(scene: &Scene<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for name in keys(scene) {
        let lock = Lock::of(scene, name);
        checks.push(lock.state());
        checks.push(lock.lets());
        checks.push(lock.grants());
        checks.push(lock.admin());
        if scene.options.autoscaling {
            checks.push(lock.autoscaling());
        }
    }
    checks
}

fn keys<'a>(scene: &Scene<'a>) -> BTreeSet<&'a str> {
    let region = &scene.found.region.region;
    let sealed = scene.disks.iter().filter(|disk| disk.encrypted == Some(true));
    let names = sealed.filter_map(|disk| disk.key);
    names.filter(|name| disk::manager(scene.facts, region, name) != Manager::Aws).collect()
}

/// A key with everybody who must be let in.
struct Lock<'a> {
    scene: &'a Scene<'a>,
    key: Option<&'a Key>,
    rules: Rules<'a>,
    /// The rules without the grants to the role of Auto Scaling, which are no excess.
    bare: Rules<'a>,
    /// That role, where the target is one account.
    role: Option<String>,
}

impl<'a> Lock<'a> {
    fn of(scene: &'a Scene<'a>, name: &'a str) -> Lock<'a> {
        let region = &scene.found.region.region;
        let key = disk::key(scene.facts, region, name);
        let rules = Rules::of(scene.facts, region, name);
        let role = role(scene.target, rules.arn());
        let bare = role.as_deref().map_or_else(|| rules.clone(), |role| rules.without(role));
        Lock { scene, key, rules, bare, role }
    }

    fn check(&self, id: &'static str, status: Status, what: impl Into<String>) -> Check {
        Check::new(id, status, self.rules.arn(), what)
    }

    /// A check that only facts which are not there could decide.
    fn unknown(&self, id: &'static str, what: &str) -> Check {
        self.check(id, Status::Unknown, format!("unknown: {what}"))
    }

    /// What `judge` makes of each asker; the worst of them.
    fn ask(&self, judge: impl Fn(&Asker<'_>) -> Answer) -> Answer {
        let owned = self.scene.target.paths(self.scene.facts);
        let paths: Vec<Vec<&str>> =
            owned.iter().map(|one| one.iter().map(String::as_str).collect()).collect();
        let askers = self.scene.target.askers(self.scene.facts, &paths);
        // That its owner may use the key says nothing about the others of an organisation.
        let besides = self.rules.arn().split(':').nth(4);
        let askers = askers.into_iter().map(|asker| Asker { besides, ..asker });
        let answers: Vec<Answer> = askers.map(|asker| judge(&asker)).collect();
        let alike = answers
            .iter()
            .all(|answer| answers.first().is_some_and(|first| first.truth == answer.truth));
        let first = |truth| answers.iter().find(|answer| answer.truth == truth).cloned();
        if alike {
            return answers.into_iter().next().unwrap_or_else(nobody);
        }
        // Some of the target are let in and some are not.
        let some = first(Truth::Unknown).or_else(|| first(Truth::No)).unwrap_or_else(nobody);
        Answer {
            truth: Truth::Unknown,
            reason: format!("only for a part: {}", some.reason),
            ..some
        }
    }

    /// Whether the target may do `action`: through EC2 with all that was granted, or by hand.
    fn answer(&self, action: &str, via: bool) -> Answer {
        let service = disk::via(&self.scene.found.region.region);
        let via = via.then_some(service.as_str());
        let rules = if via.is_some() { &self.rules } else { &self.bare };
        self.ask(|asker| rules.lets(&Question { asker: *asker, action, via }))
    }

    fn state(&self) -> Check {
        let Some(key) = self.key else { return self.unknown("key.state", "needs kms:DescribeKey") };
        let data = match key.key_metadata.get("kms:DescribeKey") {
            Ok(data) => data,
            Err(needs) => return self.check("key.state", Status::Unknown, needs.to_string()),
        };
        let symmetric = data.key_spec.as_deref().is_none_or(|spec| spec == "SYMMETRIC_DEFAULT");
        let check = |status, what: &str| self.check("key.state", status, what);
        match data.key_state.as_deref() {
            _ if !symmetric => check(Status::Fail, "not symmetric: EBS takes no other keys"),
            Some("Enabled") => check(Status::Pass, "enabled"),
            Some("Disabled") => check(Status::Fail, "disabled").fix(self.kms(&[
                "enable-key",
                "--key-id",
                self.rules.arn(),
            ])),
            Some("PendingDeletion") => check(Status::Fail, "about to be deleted").fix(self.kms(&[
                "cancel-key-deletion",
                "--key-id",
                self.rules.arn(),
            ])),
            Some(other) => self.check("key.state", Status::Fail, format!("in state {other}")),
            None => self.unknown("key.state", "needs kms:DescribeKey"),
        }
    }

    /// Everything a launch takes, and the statement for what is missing.
    fn lets(&self) -> Check {
        let answers: Vec<(&str, Answer)> =
            LAUNCH_ACTIONS.iter().map(|action| (*action, self.answer(action, true))).collect();
        let of = |truth| -> Vec<&(&str, Answer)> {
            answers.iter().filter(|(_, answer)| answer.truth == truth).collect()
        };
        let (missing, open) = (of(Truth::No), of(Truth::Unknown));
        if missing.is_empty() && open.is_empty() {
            let what = "the key lets the target launch, as far as its own IAM policies do";
            return self.check("key.policy", Status::Pass, what);
        }
        let worst = if missing.is_empty() { &open } else { &missing };
        let status = if missing.is_empty() { Status::Unknown } else { Status::Fail };
        let actions: Vec<&str> = worst.iter().map(|(action, _)| *action).collect();
        let reasons: BTreeSet<&str> = worst.iter().map(|(_, a)| a.reason.as_str()).collect();
        let reasons = reasons.into_iter().collect::<Vec<_>>().join("; ");
        let head = if missing.is_empty() { "unknown" } else { "the key does not let the target" };
        let mut check =
            self.check("key.policy", status, format!("{head}: {}: {reasons}", actions.join(", ")));
        if worst.iter().any(|(_, answer)| answer.denied) {
            let what = "a statement that denies is above every one that allows: change that one";
            check = check.fix(Fix::Advice(what.to_owned()));
        }
        // What is denied no statement allows again, and what is not known may be allowed already.
        let absent = |answer: &Answer| !answer.denied && !answer.reason.starts_with("needs ");
        let absent = worst.iter().filter(|(_, answer)| absent(answer));
        let absent: Vec<&str> = absent.map(|(action, _)| *action).collect();
        for statement in self.statements(&absent) {
            check = check.fix(Fix::Statement("key policy", statement));
        }
        check
    }

    /// The statements that allow `actions`: use, and the grants that AWS itself makes.
    fn statements(&self, actions: &[&str]) -> Vec<Value> {
        let partition = self.rules.arn().split(':').nth(1).filter(|one| one.starts_with("aws"));
        let (principal, condition) = self.scene.target.principal(partition.unwrap_or("aws"));
        let tail: String = self.scene.target.id().replace('-', "");
        let mut uses: Vec<&str> = Vec::new();
        for action in actions.iter().filter(|action| **action != "kms:CreateGrant") {
            let name = if action.starts_with("kms:ReEncrypt") { "kms:ReEncrypt*" } else { action };
            if !uses.contains(&name) {
                uses.push(name);
            }
        }
        let statement = |sid: String, actions: &[&str], condition: &Value| {
            let mut statement = json!({
                "Sid": sid,
                "Effect": "Allow",
                "Principal": principal,
                "Action": actions,
                "Resource": "*",
            });
            if condition.as_object().is_some_and(|map| !map.is_empty()) {
                statement["Condition"] = condition.clone();
            }
            statement
        };
        let mut all = Vec::new();
        if !uses.is_empty() {
            all.push(statement(format!("UseOfSharedImages{tail}"), &uses, &condition));
        }
        if actions.contains(&"kms:CreateGrant") {
            let mut only = condition;
            only["Bool"] = json!({"kms:GrantIsForAWSResource": "true"});
            let sid = format!("GrantsForSharedImages{tail}");
            all.push(statement(sid, &["kms:CreateGrant"], &only));
        }
        all
    }

    /// Grants for anything but resources of AWS are more than a launch takes.
    fn grants(&self) -> Check {
        let id = "key.create-grant";
        let answer = self.answer("kms:CreateGrant", false);
        match answer.truth {
            Truth::No => self.check(id, Status::Pass, "no grants but for resources of AWS"),
            Truth::Unknown => self.unknown(id, &answer.reason),
            Truth::Yes => {
                let what = format!(
                    "the target may give anybody grants, without kms:GrantIsForAWSResource: {}",
                    answer.reason
                );
                let advice = "put this in place of kms:CreateGrant in that statement".to_owned();
                let check = self.check(id, Status::Fail, what).fix(Fix::Advice(advice));
                let statements = self.statements(&["kms:CreateGrant"]);
                let fixes = statements.into_iter().map(|one| Fix::Statement("key policy", one));
                fixes.fold(check, Check::fix)
            }
        }
    }

    fn admin(&self) -> Check {
        let answers: Vec<(&str, Answer)> =
            ADMIN_ACTIONS.iter().map(|action| (*action, self.answer(action, false))).collect();
        let of = |truth| answers.iter().filter(move |(_, answer)| answer.truth == truth);
        let held: Vec<&str> = of(Truth::Yes).map(|(action, _)| *action).collect();
        if let Some((_, answer)) = of(Truth::Yes).next() {
            let what = format!("the target holds {}: {}", held.join(", "), answer.reason);
            let advice = "take the target out of that statement: to launch, it needs none of these";
            return self.check("key.admin", Status::Fail, what).fix(Fix::Advice(advice.to_owned()));
        }
        match of(Truth::Unknown).next() {
            Some((action, answer)) => {
                self.unknown("key.admin", &format!("{action}: {}", answer.reason))
            }
            None => {
                self.check("key.admin", Status::Pass, "the target holds no right to administer")
            }
        }
    }

    /// Auto Scaling launches with a role of its own, which takes a grant on a key of another
    /// account. There is no role of a whole organisation to look for.
    fn autoscaling(&self) -> Check {
        let id = "key.autoscaling";
        let Some(role) = &self.role else {
            let what = "Auto Scaling takes a grant for its role in every account of the target: \
                        check them one by one with --to ACCOUNT";
            return self.unknown(id, what);
        };
        let Some(grants) = self.rules.grants() else {
            return self.unknown(id, "needs kms:ListGrants");
        };
        let all = |grant: &&kms::Grant<'_>| {
            grant.grantee == *role
                && !grant.constrained
                && LAUNCH_ACTIONS.iter().all(|action| {
                    let operation = action.trim_start_matches("kms:");
                    grant.operations.contains(&operation)
                })
        };
        if let Some(grant) = grants.iter().find(all) {
            return self.check(id, Status::Pass, format!("grant {} is its role's", grant.id));
        }
        let mut words = vec!["create-grant", "--key-id", self.rules.arn(), "--grantee-principal"];
        words.extend([role.as_str(), "--operations"]);
        words.extend(AUTOSCALING_OPERATIONS);
        let advice = "run it as the owner of the key, once the role exists in the target; run from \
                      the target instead, it takes a CreateGrant statement without \
                      kms:GrantIsForAWSResource. Not needed where no Auto Scaling group of the \
                      target launches the image (--no-autoscaling)";
        self.check(id, Status::Fail, "the role of Auto Scaling in the target has no grant")
            .fix(self.kms(&words))
            .fix(Fix::Advice(advice.to_owned()))
    }

    /// A command of KMS, as long as the key has the shape of one.
    fn kms(&self, words: &[&str]) -> Fix {
        if !is_key(self.rules.arn()) {
            return Fix::Advice("the key has no ARN of KMS: no command is printed".to_owned());
        }
        let mut all = vec!["aws", "kms", "--region", &self.scene.found.region.region];
        all.extend(words);
        Fix::Command(command(&all))
    }
}

/// The service-linked role of Auto Scaling in the target.
fn role(target: &Target, key: &str) -> Option<String> {
    let Target::Account(account) = target else { return None };
    let partition = key.split(':').nth(1).filter(|one| one.starts_with("aws")).unwrap_or("aws");
    Some(format!(
        "arn:{partition}:iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/\
         AWSServiceRoleForAutoScaling"
    ))
}

fn nobody() -> Answer {
    Answer {
        truth: Truth::Unknown,
        reason: "nobody to ask for".to_owned(),
        denied: false,
        iam: true,
    }
}

/// What the target does on its side.
pub(super) fn theirs(scene: &Scene<'_>) -> Vec<Fix> {
    let mut fixes = Vec::new();
    let arns: Vec<String> = keys(scene)
        .into_iter()
        .map(|name| Rules::of(scene.facts, &scene.found.region.region, name).arn().to_owned())
        .collect();
    if !arns.is_empty() {
        let statement = json!({
            "Sid": "UseOfSharedImages",
            "Effect": "Allow",
            "Action": [
                "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*",
            ],
            "Resource": arns,
        });
        fixes.push(Fix::Statement("IAM policy of whoever launches in the target", statement));
    }
    fixes.push(Fix::Advice(
        "where Allowed AMIs are enabled in the target, its criteria must let this owner in"
            .to_owned(),
    ));
    fixes.push(Fix::Advice(format!(
        "the image is shared in {} only; another region takes a copy, and the copy its own share",
        scene.found.region.region
    )));
    fixes
}
