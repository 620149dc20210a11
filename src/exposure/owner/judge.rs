//! The judgement: what the facts say of each thing that leaked.

use super::administrator::{Principal, Verdict, administrator, quarantined};
use super::leaked::{Leaked, Subject};
use super::organization::Above;
use crate::credential::aws_id;
use crate::exposure::facts::{AccessKey, Account, Event, Facts, KeyPair, Region, Role, Time, User};
use crate::exposure::window::{Deed, Window};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// How something that leaked stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It opens something.
    Active,
    /// It was turned off and can be turned on again.
    Inactive,
    /// It is gone.
    Deleted,
    /// It belongs to an account that the facts do not hold.
    Elsewhere,
    /// It cannot be told from the facts.
    #[default]
    Unknown,
}

/// What the owner's account says of one thing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Known {
    /// What leaked: an id, a fingerprint, an ARN, a host. Never a secret.
    pub subject: String,
    /// `access-key`, `key-pair`, `role`, `cluster` or `database`.
    pub kind: &'static str,
    /// The findings it stands in.
    pub findings: Vec<String>,
    /// The account it belongs to.
    pub account: Option<String>,
    /// Whose it is there: a user, a role, a key pair, a cluster, a database.
    pub owner: Option<String>,
    /// How it stands.
    pub state: State,
    /// The policy of AWS by which it is quarantined.
    pub quarantine: Option<String>,
    /// Whether its owner may do everything, policies of the organization included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administrator: Option<Verdict>,
    /// When AWS says it was last used.
    pub last_used: Option<Time>,
    /// With which service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_service: Option<String>,
    /// Its calls while others could read the image; all that are known when no image was named.
    pub calls: Vec<Deed>,
    /// Its calls at other times.
    pub calls_outside: usize,
    /// What it opens now: instances that carry the key pair, an address that the world reaches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opens: Vec<String>,
    /// What is not known, with the permission it takes.
    pub unknown: Vec<String>,
}

/// What the facts, and `more` events of trails, say of everything that leaked. Calls count while
/// one of `windows` was open; without any, always.
pub fn judge(
    facts: &Facts,
    leaked: &Leaked,
    windows: Option<&[Window]>,
    more: &[Event],
) -> Vec<Known> {
    let world = World { facts, windows, more };
    let known = |(subject, findings): (&Subject, &std::collections::BTreeSet<String>)| {
        let mut known = match subject {
            Subject::AccessKey(id) => world.access_key(id),
            Subject::Unnamed { account, preview } => Known {
                subject: preview.clone(),
                kind: "access-key",
                account: account.clone(),
                unknown: vec![
                    "the report shows no whole id: scan again with --reveal into a file".to_owned(),
                ],
                ..Known::default()
            },
            Subject::KeyPair(print) => world.key_pair(print),
            Subject::Role(arn) => world.role(arn),
            Subject::Cluster(host) => world.cluster(host),
            Subject::Database(host) => world.database(host),
        };
        known.findings = findings.iter().cloned().collect();
        known
    };
    leaked.subjects.iter().map(known).collect()
}

struct World<'a> {
    facts: &'a Facts,
    windows: Option<&'a [Window]>,
    more: &'a [Event],
}

impl<'a> World<'a> {
    fn access_key(&self, id: &str) -> Known {
        let mut known = Known {
            subject: id.to_owned(),
            kind: "access-key",
            account: aws_id::account_id(id.as_bytes()),
            ..Known::default()
        };
        let calls = self.calls(id, &mut known);
        let listed = self.facts.accounts.iter().find_map(|account| {
            let keys = account.iam.access_keys.listed().iter();
            Some((account, keys.into_iter().find(|key| key.access_key_id == id)?))
        });
        if let Some((account, key)) = listed {
            known.account = Some(account.account.clone());
            of_key(key, &mut known);
            if let Some(name) = &key.user_name {
                of_user((self.facts, account), name, &mut known);
            }
            return known;
        }
        // A call in the trail tells whose it was, even once it is gone.
        let caller = calls.iter().rev().find_map(|event| caller(event));
        let of_event = || calls.iter().find_map(|it| it.text(&["userIdentity", "accountId"]));
        known.account = known.account.take().or_else(|| of_event().map(str::to_owned));
        let account = known.account.as_deref().and_then(|id| self.facts.account(id));
        let Some(account) = account else {
            known.state = State::Elsewhere;
            known.unknown.push(match &known.account {
                Some(id) => format!("it belongs to account {id}, which the facts do not hold"),
                None => "its account is not told by the id, nor by any event".to_owned(),
            });
            return known;
        };
        match caller {
            Some(Caller::User(name)) => of_user((self.facts, account), &name, &mut known),
            Some(Caller::Role(arn)) => of_role((self.facts, account), &arn, &mut known),
            None => {}
        }
        known.state = gone(account, id, &mut known.unknown);
        known
    }

    /// The calls a key made, sorted: those inside the windows go to `known`.
    fn calls(&self, id: &str, known: &mut Known) -> Vec<&'a Event> {
        let regions = self.facts.regions().flat_map(|(_, region)| region.events.listed());
        let mut own: Vec<&Event> =
            regions.chain(self.more).filter(|it| it.access_key_id() == Some(id)).collect();
        own.sort_by_key(|event| (event.time(), event.text(&["eventID"]).map(str::to_owned)));
        own.dedup_by_key(|event| event.text(&["eventID"]).unwrap_or_default().to_owned());
        let (inside, outside): (Vec<&Event>, Vec<&Event>) =
            own.iter().partition(|event| match (self.windows, event.time()) {
                (None, _) | (_, None) => true,
                (Some(windows), Some(at)) => windows.iter().any(|window| window.holds(at)),
            });
        known.calls = inside.into_iter().map(Deed::of).collect();
        known.calls_outside = outside.len();
        let refused = |(_, region): (_, &Region)| {
            region.events.get("cloudtrail:LookupEvents").err().map(|it| it.to_string())
        };
        if self.more.is_empty()
            && let Some(needs) = self.facts.regions().find_map(refused)
        {
            known.unknown.push(format!("its calls: {needs}"));
        }
        own
    }

    fn key_pair(&self, print: &str) -> Known {
        let mut known = Known { subject: print.to_owned(), kind: "key-pair", ..Known::default() };
        let (mut told, mut asked) = (true, false);
        for (account, region) in self.facts.regions() {
            let pairs = match region.key_pairs.get("ec2:DescribeKeyPairs") {
                Ok(pairs) => pairs,
                Err(needs) => {
                    told = false;
                    known.unknown.push(format!("key pairs of {}: {needs}", region.region));
                    continue;
                }
            };
            asked = true;
            for pair in pairs {
                match is_pair(pair, print) {
                    Some(true) => of_pair(account, region, pair, &mut known),
                    Some(false) => {}
                    None => told = false,
                }
            }
        }
        if known.state == State::Unknown && told && asked {
            // It may open instances all the same: authorized_keys outlive a key pair.
            known.state = State::Deleted;
        }
        known
    }

    fn role(&self, arn: &str) -> Known {
        let mut known = Known { subject: arn.to_owned(), kind: "role", ..Known::default() };
        let id = arn.split(':').nth(4).unwrap_or_default();
        known.account = Some(id.to_owned());
        match self.facts.account(id) {
            None => known.state = State::Elsewhere,
            Some(account) => of_role((self.facts, account), arn, &mut known),
        }
        known
    }

    fn cluster(&self, host: &str) -> Known {
        let mut known = Known { subject: host.to_owned(), kind: "cluster", ..Known::default() };
        for (account, region) in self.facts.regions().filter(|(_, it)| in_region(host, it)) {
            match region.clusters.get("eks:DescribeCluster") {
                Err(needs) => known.unknown.push(format!("clusters of {}: {needs}", region.region)),
                Ok(clusters) => {
                    let is = |endpoint: &str| endpoint.to_ascii_lowercase().ends_with(host);
                    let mut own =
                        clusters.iter().filter(|it| it.endpoint.as_deref().is_some_and(is));
                    found(&mut known, account, own.next().map(|it| it.name.clone()));
                }
            }
        }
        known
    }

    fn database(&self, host: &str) -> Known {
        let mut known = Known { subject: host.to_owned(), kind: "database", ..Known::default() };
        for (account, region) in self.facts.regions().filter(|(_, it)| in_region(host, it)) {
            match region.db_instances.get("rds:DescribeDBInstances") {
                Err(needs) => {
                    known.unknown.push(format!("databases of {}: {needs}", region.region));
                }
                Ok(databases) => {
                    let own = databases.iter().find(|it| {
                        let endpoint = it.endpoint.as_ref();
                        endpoint.and_then(|it| it.address.as_deref()) == Some(host)
                    });
                    if own.is_some_and(|it| it.publicly_accessible == Some(true)) {
                        known.opens.push("its address is open to the internet".to_owned());
                    }
                    found(&mut known, account, own.map(|it| it.identifier.clone()));
                }
            }
        }
        known
    }
}

fn of_pair(account: &Account, region: &Region, pair: &KeyPair, known: &mut Known) {
    known.account = Some(account.account.clone());
    known.owner = Some(format!("{} in {}", pair.key_name, region.region));
    known.state = State::Active;
    let instances = region.instances.listed().iter();
    let carries = instances.filter(|it| it.key_name.as_deref() == Some(&pair.key_name));
    known.opens.extend(carries.map(|it| it.instance_id.clone()));
}

/// Whether a host of AWS names that region.
fn in_region(host: &str, region: &Region) -> bool {
    host.split('.').any(|part| part == region.region)
}

fn found(known: &mut Known, account: &Account, name: Option<String>) {
    if let Some(name) = name {
        known.account = Some(account.account.clone());
        known.owner = Some(name);
        known.state = State::Active;
    } else if known.state == State::Unknown && known.unknown.is_empty() {
        known.unknown.push("no account here has it; it is gone, or somebody else's".to_owned());
    }
}

fn of_key(key: &AccessKey, known: &mut Known) {
    known.state = match key.status.as_deref() {
        Some("Active") => State::Active,
        Some("Inactive") => State::Inactive,
        _ => State::Unknown,
    };
    if known.state == State::Unknown {
        known.unknown.push("whether it is active: unknown: needs iam:ListAccessKeys".to_owned());
    }
    match key.access_key_last_used.get("iam:GetAccessKeyLastUsed") {
        Ok(last) => {
            known.last_used = last.last_used_date;
            known.last_service.clone_from(&last.service_name);
        }
        Err(needs) => known.unknown.push(format!("its last use: {needs}")),
    }
}

fn of_user((facts, account): (&Facts, &Account), name: &str, known: &mut Known) {
    known.owner = Some(format!("user {name}"));
    let users = match account.iam.user_detail_list.get("iam:GetAccountAuthorizationDetails") {
        Ok(users) => users,
        Err(needs) => return known.unknown.push(format!("what {name} may do: {needs}")),
    };
    let of = |user: &&User| user.user_name == name;
    let Some(user) = users.iter().find(of) else {
        return known.unknown.push(format!("the user {name} is gone"));
    };
    let principal = Principal {
        inline: &user.user_policy_list,
        attached: &user.attached_managed_policies,
        groups: &user.group_list,
        boundary: user.permissions_boundary.as_ref(),
    };
    known.quarantine = quarantined(&principal);
    known.administrator = Some(administrator(&account.iam, &principal, &Above::of(facts, account)));
}

fn of_role((facts, account): (&Facts, &Account), arn: &str, known: &mut Known) {
    known.account = Some(account.account.clone());
    let name = arn.rsplit('/').next().unwrap_or(arn);
    known.owner = Some(format!("role {name}"));
    let roles = match account.iam.role_detail_list.get("iam:GetAccountAuthorizationDetails") {
        Ok(roles) => roles,
        Err(needs) => return known.unknown.push(format!("what {name} may do: {needs}")),
    };
    let of = |role: &&Role| role.arn.as_deref() == Some(arn) || role.role_name == name;
    let Some(role) = roles.iter().find(of) else {
        known.state = State::Deleted;
        return;
    };
    known.state = State::Active;
    known.last_used = role.role_last_used.as_ref().and_then(|last| last.last_used_date);
    let principal = Principal {
        inline: &role.role_policy_list,
        attached: &role.attached_managed_policies,
        groups: &[],
        boundary: role.permissions_boundary.as_ref(),
    };
    known.quarantine = quarantined(&principal);
    known.administrator = Some(administrator(&account.iam, &principal, &Above::of(facts, account)));
}

/// Whose a call was.
enum Caller {
    User(String),
    Role(String),
}

fn caller(event: &Event) -> Option<Caller> {
    let issuer = event.text(&["userIdentity", "sessionContext", "sessionIssuer", "arn"]);
    if let Some(arn) = issuer.filter(|arn| arn.contains(":role/")) {
        return Some(Caller::Role(arn.to_owned()));
    }
    event.text(&["userIdentity", "userName"]).map(|name| Caller::User(name.to_owned()))
}

/// What it means that no user of the account has a key of that id.
fn gone(account: &Account, id: &str, unknown: &mut Vec<String>) -> State {
    if id.starts_with("ASIA") {
        unknown.push("the key of a session: it ends by itself after 36 hours at most".to_owned());
        return State::Unknown;
    }
    if let Err(needs) = account.iam.access_keys.get("iam:ListAccessKeys") {
        unknown.push(format!("whether it exists: {needs}"));
        return State::Unknown;
    }
    // The root user's keys are in no list; the credential report tells whether there are any.
    let report = match account.iam.credential_report.get("iam:GetCredentialReport") {
        Ok(report) => report,
        Err(needs) => {
            unknown.push(format!("whether it is the root user's: {needs}"));
            return State::Unknown;
        }
    };
    let is = |row: &std::collections::BTreeMap<String, String>, name: &str, value: &str| {
        row.get(name).is_some_and(|own| own == value)
    };
    let root = report.0.iter().filter(|row| is(row, "user", "<root_account>"));
    let mut root = root.filter(|row| {
        is(row, "access_key_1_active", "true") || is(row, "access_key_2_active", "true")
    });
    if root.next().is_some() {
        unknown.push("the root user has an active key, and AWS lists its id nowhere".to_owned());
        return State::Unknown;
    }
    State::Deleted
}

/// Whether a key pair is the one with that fingerprint; none when what is known of it does not say.
fn is_pair(pair: &KeyPair, print: &str) -> Option<bool> {
    let wanted = print.strip_prefix("SHA256:")?.trim_end_matches('=');
    if let Some(public) = &pair.public_key {
        let blob = STANDARD.decode(public.split_ascii_whitespace().nth(1)?).ok()?;
        return Some(STANDARD_NO_PAD.encode(Sha256::digest(blob)) == wanted);
    }
    // EC2 keeps OpenSSH's own fingerprint of Ed25519 keys, and others of RSA keys.
    let own = pair.key_fingerprint.as_deref()?;
    let own = own.strip_prefix("SHA256:").unwrap_or(own).trim_end_matches('=');
    (pair.key_type.as_deref() == Some("ed25519")).then_some(own == wanted)
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "what json! makes is handed over")]
mod tests {
    use super::super::administrator::Answer;
    use super::*;
    use serde_json::{Value, json};

    const DELETED: &str = "QYLPMN5HFIQR7XYA";

    /// An id that names account 052310077262 and stands in no source as a whole.
    fn id(kind: &str, body: &str) -> String {
        [kind, body].concat()
    }

    fn asked(iam: Value, subject: Subject) -> Known {
        let facts = json!({"schema": "amisweep.facts/1", "accounts": [{"Account": "052310077262",
            "Iam": iam, "Regions": [{"Region": "us-east-1", "Events": [],
            "KeyPairs": [{"KeyName": "old", "KeyType": "rsa", "KeyFingerprint": "aa:bb"}],
            "Clusters": [{"name": "c", "endpoint": "https://AB.gr7.us-east-1.eks.amazonaws.com"}],
            "DBInstances": [{"DBInstanceIdentifier": "db", "PubliclyAccessible": true,
                "Endpoint": {"Address": "db.x.us-east-1.rds.amazonaws.com", "Port": 5432}}]}]}]});
        let facts = Facts::parse(facts.to_string().as_bytes()).unwrap();
        let leaked = Leaked { subjects: [(subject, [].into())].into() };
        judge(&facts, &leaked, None, &[]).remove(0)
    }

    fn of_key(iam: Value, kind: &str, body: &str) -> Known {
        asked(iam, Subject::AccessKey(id(kind, body)))
    }

    #[test]
    fn a_key_is_gone_only_when_that_is_known() {
        let report = |root: &str| json!([{"user": "<root_account>", "access_key_1_active": root}]);
        let whole = |root| json!({"AccessKeys": [], "CredentialReport": report(root)});
        assert_eq!(of_key(whole("false"), "AKIA", DELETED).state, State::Deleted);
        let root = of_key(whole("true"), "AKIA", DELETED);
        assert_eq!(root.state, State::Unknown);
        assert!(root.unknown[0].contains("root user"), "{:?}", root.unknown);
        let unasked = of_key(json!({"AccessKeys": []}), "AKIA", DELETED);
        assert!(unasked.unknown[0].contains("needs iam:GetCredentialReport"));
        let refused =
            of_key(json!({"AccessKeys": {"Missing": "iam:ListAccessKeys"}}), "AKIA", DELETED);
        assert_eq!(refused.state, State::Unknown);
        assert!(refused.unknown[0].contains("needs iam:ListAccessKeys"));
        assert_eq!(of_key(whole("false"), "ASIA", DELETED).state, State::Unknown);
        let elsewhere = of_key(whole("false"), "AKIA", "SP2TPHJSQH3FJRUX");
        assert_eq!(elsewhere.state, State::Elsewhere);
        assert!(elsewhere.unknown[0].contains("171436882533"));
    }

    #[test]
    fn other_things_that_leaked_are_found() {
        let role = "arn:aws:iam::052310077262:role/path/deploy";
        let iam = json!({"RoleDetailList": [{"RoleName": "deploy", "Arn": role,
            "AttachedManagedPolicies": [{"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}]}]});
        let known = asked(iam, Subject::Role(role.to_owned()));
        assert_eq!(
            (known.state, known.administrator.unwrap().answer),
            (State::Active, Answer::Yes)
        );
        let gone = asked(json!({"RoleDetailList": []}), Subject::Role(role.to_owned()));
        assert_eq!(gone.state, State::Deleted);
        let host = "ab.gr7.us-east-1.eks.amazonaws.com".to_owned();
        assert_eq!(asked(json!({}), Subject::Cluster(host)).owner.as_deref(), Some("c"));
        let host = "db.x.us-east-1.rds.amazonaws.com".to_owned();
        let known = asked(json!({}), Subject::Database(host));
        assert_eq!((known.owner.as_deref(), known.opens.len()), (Some("db"), 1));
        // An RSA pair whose public half is not in the facts may be the one.
        let known = asked(json!({}), Subject::KeyPair("SHA256:x".to_owned()));
        assert_eq!(known.state, State::Unknown);
    }
}
