//! What stands above an account: the policies of its organization. They give nothing, and limit
//! everybody in the account, unless it is the one that manages the organization.
//!
//! [Service control policies](https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html)
//! bind at every level from the root to the account. Those for resources limit who reaches buckets,
//! keys, queues and the like; they take neither IAM nor EC2 from anybody, so that an administrator
//! stays one.

use super::administrator::{Answer, Weight, weigh};
use crate::exposure::facts::{Account, Document, Facts, Organization, OrganizationPolicy};
use serde_json::json;

/// AWS's own policy that limits nothing, which every level has until somebody takes it away.
const FULL_ACCESS: &str = "p-FullAWSAccess";

/// What limits everybody in an account.
#[derive(Clone, Debug, Default)]
pub(super) struct Above<'a> {
    /// The root, the units below it and the account, each with what is attached to it.
    levels: Vec<(&'a str, Vec<&'a OrganizationPolicy>)>,
    /// Policies that deny access to resources.
    for_resources: Vec<&'a OrganizationPolicy>,
    /// What is not known, and whether it may decide.
    gap: Option<(String, bool)>,
}

impl<'a> Above<'a> {
    /// What stands above `account`.
    pub(super) fn of(facts: &'a Facts, account: &'a Account) -> Above<'a> {
        let unknown =
            |gap: String, decides| Above { gap: Some((gap, decides)), ..Above::default() };
        let Some(organization) = organization(facts, account) else {
            let gap = account.organization.get("organizations:DescribeOrganization").err();
            // An account of its own has nothing above it.
            let alone = |error: &String| error.contains("AWSOrganizationsNotInUse");
            return match gap.filter(|it| !it.error.as_ref().is_some_and(alone)) {
                Some(needs) => unknown(format!("policies of the organization: {needs}"), false),
                None => Above::default(),
            };
        };
        if organization.master_account_id.as_ref() == Some(&account.account) {
            return Above::default();
        }
        let policies = match organization.policies.get("organizations:ListPolicies") {
            Ok(policies) => policies,
            Err(needs) => return unknown(format!("policies of the organization: {needs}"), false),
        };
        let of_kind = |kind: &'static str| {
            policies.iter().filter(move |policy| policy.kind.as_deref() == Some(kind))
        };
        let control: Vec<&OrganizationPolicy> = of_kind("SERVICE_CONTROL_POLICY").collect();
        if control.is_empty() {
            return Above { for_resources: denying(of_kind, &[]), ..Above::default() };
        }
        let members = organization.accounts.listed().iter();
        let path = members
            .filter(|member| member.id == account.account)
            .find_map(|member| member.path.as_deref());
        let Some(path) = path else {
            let only_full = control.iter().all(|policy| policy.id == FULL_ACCESS);
            let gap = "where the account stands in its organization: \
                       unknown: needs organizations:ListAccountsForParent";
            return if only_full { Above::default() } else { unknown(gap.to_owned(), true) };
        };
        // `o-a1b2c3/r-ab12/ou-ab12-11111111/`: the organization itself has no policies.
        let above = path.split('/').skip(1).filter(|part| !part.is_empty());
        let levels: Vec<&str> = above.chain([account.account.as_str()]).collect();
        let attached = |level: &&'a str| {
            let own = control.iter().copied().filter(|policy| is_attached(policy, level));
            (*level, own.collect())
        };
        Above {
            for_resources: denying(of_kind, &levels),
            levels: levels.iter().map(attached).collect(),
            gap: None,
        }
    }

    /// Take from a principal's `weight` what this does not let through.
    pub(super) fn limit(&self, weight: &mut Weight) {
        for (level, policies) in &self.levels {
            let documents: Vec<_> = policies.iter().map(|policy| document(policy)).collect();
            let mut limit = weigh(&documents);
            if policies.is_empty() {
                limit.verdict.answer = Answer::Unknown;
                limit.verdict.because.push("the facts hold no policy of it".to_owned());
            }
            limit.everything_or_unknown();
            let before = weight.verdict.answer;
            weight.within(&limit);
            if weight.verdict.answer != before {
                let because = limit.verdict.because.join(", ");
                weight.verdict.because.push(format!("organization, {level}: {because}"));
            }
        }
        for policy in &self.for_resources {
            let name = policy.name.as_deref().unwrap_or(&policy.id);
            weight.verdict.because.push(format!("{name}: denies access to some resources"));
        }
        if let Some((gap, decides)) = &self.gap {
            weight.verdict.because.push(gap.clone());
            if *decides {
                weight.verdict.answer = Answer::Unknown;
            }
        }
    }
}

/// The organization of an account, from whoever may read its policies.
fn organization<'a>(facts: &'a Facts, account: &'a Account) -> Option<&'a Organization> {
    let own = account.organization.known();
    let told = facts.accounts.iter().filter_map(|other| other.organization.known());
    let mut told = told.filter(|it| match own {
        Some(own) => own.id == it.id,
        None => it.accounts.listed().iter().any(|member| member.id == account.account),
    });
    told.find(|it| it.policies.known().is_some()).or(own)
}

/// Policies for resources that deny something at one of `levels`, or anywhere when none are known.
fn denying<'a, I>(
    of_kind: impl Fn(&'static str) -> I,
    levels: &[&str],
) -> Vec<&'a OrganizationPolicy>
where
    I: Iterator<Item = &'a OrganizationPolicy>,
{
    let denies = |policy: &&OrganizationPolicy| {
        let content = policy.content.known();
        let text = content.map(|Document(policy)| policy.to_string()).unwrap_or_default();
        content.is_none() || text.contains("\"Deny\"")
    };
    let here = |policy: &&OrganizationPolicy| {
        levels.is_empty() || levels.iter().any(|level| is_attached(policy, level))
    };
    let own = of_kind("RESOURCE_CONTROL_POLICY").filter(|it| it.id != "p-RCPFullAWSAccess");
    own.filter(denies).filter(here).collect()
}

fn is_attached(policy: &OrganizationPolicy, level: &str) -> bool {
    policy.targets.iter().any(|target| target.target_id == level)
}

fn document(policy: &OrganizationPolicy) -> (String, Option<Document>) {
    let name = policy.name.clone().unwrap_or_else(|| policy.id.clone());
    if policy.id == FULL_ACCESS {
        let all = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
        return (name, Some(Document(all)));
    }
    (name, policy.content.known().cloned())
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "what json! makes is handed over")]
mod tests {
    use super::*;
    use crate::exposure::owner::{Leaked, judge};
    use serde_json::Value;

    const LEVELS: [&str; 3] = ["r-ab12", "ou-ab12-11111111", "111122223333"];

    fn policy(kind: &str, id: &str, statements: Value, targets: &[&str]) -> Value {
        let targets: Vec<_> = targets.iter().map(|id| json!({"TargetId": id})).collect();
        json!({"Id": id, "Name": id, "Type": kind, "Targets": targets,
            "Content": {"Version": "2012-10-17", "Statement": statements}})
    }

    fn scp(id: &str, statements: Value, targets: &[&str]) -> Value {
        policy("SERVICE_CONTROL_POLICY", id, statements, targets)
    }

    /// The answer about an administrator of 111122223333 under this organization.
    #[allow(clippy::disallowed_methods, reason = "a test writes the report it is about")]
    fn asked(organization: Value) -> (Answer, Vec<String>) {
        let id = ["AK", "IA", "QZ7QZ7QZ7QZ7", "ABCD"].concat();
        let user = json!({"UserName": "ci", "AttachedManagedPolicies":
            [{"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}]});
        let key = json!({"AccessKeyId": id, "UserName": "ci", "Status": "Active"});
        let facts = json!({"schema": "amisweep.facts/1", "accounts": [
            {"Account": "111122223333", "Organization": organization, "Regions": [],
             "Iam": {"UserDetailList": [user], "AccessKeys": [key]}}]});
        let facts = Facts::parse(&serde_json::to_vec(&facts).unwrap()).unwrap();
        let report = json!({"schema": "amisweep.report/1", "noted": [], "findings":
            [{"id": "1", "rule": "aws.access_key", "facts": {"access_key_id": id}, "places": []}]});
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        std::fs::write(&path, report.to_string()).unwrap();
        let leaked = Leaked::read(&[path]).unwrap();
        let known = judge(&facts, &leaked, None, &[]);
        let verdict = known[0].administrator.clone().unwrap();
        (verdict.answer, verdict.because)
    }

    fn under(policies: Vec<Value>) -> Answer {
        asked(json!({"Id": "o-a1b2c3", "MasterAccountId": "999900001111", "Policies": policies,
            "Accounts": [{"Id": "111122223333", "Path": "o-a1b2c3/r-ab12/ou-ab12-11111111/"}]}))
        .0
    }

    #[test]
    fn every_level_must_let_it_through() {
        let full = || scp(FULL_ACCESS, json!([]), &LEVELS);
        let deny = |action: &str| json!({"Effect": "Deny", "Action": action, "Resource": "*"});
        let of_unit = &LEVELS[1..2];
        let regions = json!({"Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1"]}}});
        let root = json!({"Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:root"}}});
        let unless_role = json!({"Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}});
        let only = json!({"Effect": "Allow", "Action": ["ec2:*", "s3:*"], "Resource": "*"});
        let only_iam = json!({"Effect": "Allow", "Action": "iam:*", "Resource": "*"});
        let cases = [
            (vec![], Answer::Yes),
            (vec![full()], Answer::Yes),
            (vec![full(), scp("all", deny("*"), of_unit)], Answer::No),
            (vec![full(), scp("all", deny("*"), &["ou-ab12-22222222"])], Answer::Yes),
            (vec![full(), scp("some", deny("ec2:ModifyImageAttribute"), of_unit)], Answer::Yes),
            (vec![full(), scp("regions", regions, of_unit)], Answer::Yes),
            (vec![full(), scp("root", root, of_unit)], Answer::Yes),
            (vec![full(), scp("unless", unless_role, of_unit)], Answer::Unknown),
            // The unit has lost the policy that lets everything through.
            (
                vec![
                    scp(FULL_ACCESS, json!([]), &[LEVELS[0], LEVELS[2]]),
                    scp("few", only, of_unit),
                ],
                Answer::No,
            ),
            (
                vec![
                    scp(FULL_ACCESS, json!([]), &[LEVELS[0], LEVELS[2]]),
                    scp("iam", only_iam, of_unit),
                ],
                Answer::Unknown,
            ),
            (vec![scp(FULL_ACCESS, json!([]), &LEVELS[..2])], Answer::Unknown),
            (
                vec![full(), policy("RESOURCE_CONTROL_POLICY", "rcp", deny("s3:*"), of_unit)],
                Answer::Yes,
            ),
        ];
        for (number, (policies, expected)) in cases.into_iter().enumerate() {
            assert_eq!(under(policies), expected, "case {number}");
        }
    }

    #[test]
    fn what_is_not_known_of_an_organization_is_said() {
        let (answer, because) = asked(json!({"Missing": "organizations:DescribeOrganization",
            "Error": "AccessDeniedException: no"}));
        assert_eq!(answer, Answer::Yes);
        assert!(because.iter().any(|it| it.contains("organizations:DescribeOrganization")));
        let (_, because) = asked(json!({"Missing": "organizations:DescribeOrganization",
            "Error": "AWSOrganizationsNotInUseException: no"}));
        assert_eq!(because.len(), 1, "{because:?}");
        let refused = json!({"Missing": "organizations:ListPolicies", "Error": "no"});
        let (_, because) = asked(json!({"Id": "o-a1b2c3", "Policies": refused}));
        assert!(because.iter().any(|it| it.contains("organizations:ListPolicies")), "{because:?}");
        // Somewhere in the organization everything is denied; whether here, nobody knows.
        let all = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
        let policies = [scp("all", all, &["ou-ab12-22222222"])];
        let (answer, _) = asked(json!({"Id": "o-a1b2c3", "Policies": policies}));
        assert_eq!(answer, Answer::Unknown);
        // Nothing binds the account that manages it.
        let of = json!({"Id": "o-a1b2c3", "MasterAccountId": "111122223333", "Policies": policies});
        assert_eq!(asked(of).0, Answer::Yes);
    }
}
