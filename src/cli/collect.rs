//! `amisweep collect`: ask AWS everything that is judged, and write it down.

use super::EXIT_INCOMPLETE;
use super::session::{Flags, load};
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::collect::{self as asking, Aws, Caller, Client, Line, Pace, Plan, Role, Who};
use crate::exposure::facts::{Account, Facts, Missing, SCHEMA, Time};
use crate::exposure::owner::Leaked;
use crate::report::output::{self, Pending};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Regions asked at the same time.
const AT_ONCE: usize = 6;

/// Collect what AWS says about accounts and their images into one file of facts.
///
/// Every call is read-only. What may not be asked is written down as missing, with the permission
/// it takes, and judged as unknown. docs/iam-collect.json is the policy that allows everything.
/// Exit 11 when something is missing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to write; only its owner can read it.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Regions, or `all` that the account has enabled.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "all")]
    regions: Vec<String>,

    /// Services by their prefix in IAM, such as ec2,kms; all of them otherwise.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    services: Vec<String>,

    /// A role to assume and ask as; may be given again.
    #[arg(long, value_name = "ARN")]
    role_arn: Vec<String>,

    /// A file of such roles, one a line.
    #[arg(long, value_name = "FILE")]
    roles: Option<PathBuf>,

    /// Accounts whose role --role-name is assumed, or `org` for all of the organization.
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "role_name")]
    accounts: Vec<String>,

    /// The name of the role in each of --accounts.
    #[arg(long, value_name = "NAME")]
    role_name: Option<String>,

    /// The external id that the roles' trust policies ask for.
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,

    /// A report of `amisweep scan -f json`: ask about the keys it found too. They are never used.
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,

    /// How many days of events are looked up; CloudTrail keeps 90.
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,

    /// Go on where a run that was cut short ended.
    #[arg(long)]
    resume: bool,

    /// Keep a dated copy in this directory, for what is counted over time.
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,

    /// The profile of the AWS configuration files.
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    profile: Option<String>,

    /// The region of the caller, over what the profile or the environment says.
    #[arg(long, value_name = "REGION", help_heading = "AWS")]
    region: Option<String>,

    /// Another endpoint for every service.
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    endpoint_url: Option<String>,

    /// Say nothing but errors.
    #[arg(short, long)]
    quiet: bool,
}

/// One account as somebody.
struct Asker<'a> {
    who: &'a dyn Who,
    account: Account,
    regions: Vec<String>,
}

/// Run the command.
pub(super) fn run(args: &Args) -> Result<u8> {
    let leaked = Leaked::read(&args.report)?.access_keys();
    let aws = Aws::new()?;
    let flags = Flags {
        profile: args.profile.clone(),
        region: args.region.clone(),
        endpoint_url: args.endpoint_url.clone(),
    };
    let config = aws.block_on(load(&flags))?;
    let home = config.region().map(ToString::to_string).unwrap_or_default();
    let pace = Pace { spaced: config.endpoint_url().is_none(), ..Pace::default() };
    let line = Line::new(&aws, config.endpoint_url().map(str::to_owned), pace);
    let caller = Caller::new(&aws, &config, &leaked)?;
    caller.credentials(false)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = Time(i64::try_from(now).unwrap_or_default());
    let plan = Plan {
        services: args.services.iter().cloned().collect(),
        since: Some(now.minus_days(i64::from(args.days))),
        leaked: leaked.clone(),
        now,
    };
    let pending = Pending::open(&args.output, None)?;
    let mut journal = Journal::open(&args.output, args.resume)?;
    let roles = roles(args, &Client { line: &line, who: &caller, region: home.clone() })?;
    let roles: Vec<Role<'_>> = roles
        .into_iter()
        .map(|arn| Role::new(arn, args.external_id.clone(), &line, &caller, &home))
        .collect();
    let whos: Vec<(&dyn Who, String)> = match roles.as_slice() {
        [] => vec![(&caller, "the caller".to_owned())],
        roles => roles.iter().map(|role| (role as &dyn Who, role.arn.clone())).collect(),
    };
    let asking = Asking { line: &line, plan: &plan, home, args };
    let askers = asking.accounts(&whos, &mut journal)?;
    asking.regions(&askers, &mut journal)?;
    if line.expired.load(Ordering::Relaxed) {
        let what = "the credentials have expired; sign in again and give --resume";
        return Err(Error::new(ErrorKind::Denied, what).detail(journal.path.display()));
    }
    let facts = journal.facts(now)?;
    finish(args, &facts, pending)?;
    journal.remove();
    Ok(tell(args, &facts))
}

/// The ARNs of all roles the arguments name.
fn roles(args: &Args, client: &Client<'_>) -> Result<Vec<String>> {
    let mut arns = args.role_arn.clone();
    if let Some(path) = &args.roles {
        let text = std::fs::read_to_string(path).map_err(|cause| {
            Error::new(ErrorKind::Io, "cannot read the roles")
                .detail(path.display())
                .caused_by(cause)
        })?;
        let lines = text.lines().map(str::trim);
        arns.extend(
            lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned),
        );
    }
    let mut accounts = args.accounts.clone();
    if accounts.iter().any(|account| account == "org") {
        accounts = asking::members(client).map_err(|refused| {
            Error::new(ErrorKind::Denied, "the organization's accounts cannot be listed")
                .detail(format!("needs {}: {}", refused.missing, refused.error))
        })?;
    }
    let partition = match &client.region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let name = args.role_name.as_deref().unwrap_or_default();
    arns.extend(accounts.iter().map(|id| format!("arn:{partition}:iam::{id}:role/{name}")));
    arns.sort();
    arns.dedup();
    Ok(arns)
}

/// What stays the same for every account.
struct Asking<'a> {
    line: &'a Line<'a>,
    plan: &'a Plan,
    home: String,
    args: &'a Args,
}

impl Asking<'_> {
    /// Ask every account about itself. One that cannot be asked is missing, and does not stop the
    /// others.
    fn accounts<'w>(
        &self,
        whos: &[(&'w dyn Who, String)],
        journal: &mut Journal,
    ) -> Result<Vec<Asker<'w>>> {
        let mut askers = Vec::new();
        for (who, name) in whos {
            let client = Client { line: self.line, who: *who, region: self.home.clone() };
            let account = match asking::account(&client, self.plan) {
                Ok(account) => account,
                Err(refused) if whos.len() > 1 => {
                    journal.missing(Missing {
                        action: refused.missing,
                        error: refused.error,
                        resource: name.clone(),
                        ..Missing::default()
                    })?;
                    continue;
                }
                Err(refused) => {
                    let what = "AWS does not say who is calling";
                    return Err(Error::new(ErrorKind::Denied, what).detail(refused.error));
                }
            };
            let all = self.args.regions.iter().any(|region| region == "all");
            let regions = if all {
                asking::regions(&client).unwrap_or_else(|refused| {
                    super::say(&format!(
                        "only {} is asked: the regions cannot be listed: {}",
                        self.home, refused.error
                    ));
                    vec![self.home.clone()]
                })
            } else {
                self.args.regions.clone()
            };
            if !self.line.expired.load(Ordering::Relaxed) {
                journal.add(&Facts { accounts: vec![account.clone()], ..Facts::default() })?;
            }
            askers.push(Asker { who: *who, account, regions });
        }
        Ok(askers)
    }

    /// Ask about every region of every account that was not asked about yet.
    fn regions(&self, askers: &[Asker<'_>], journal: &mut Journal) -> Result<()> {
        let units: Vec<(&Asker<'_>, &String)> = askers
            .iter()
            .flat_map(|asker| asker.regions.iter().map(move |region| (asker, region)))
            .filter(|(asker, region)| !journal.has(&asker.account.account, region))
            .collect();
        let next = AtomicUsize::new(0);
        let shared = Mutex::new((journal, Ok(())));
        let worker = || {
            while let Some((asker, region)) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                let found = self.region(asker, region);
                // Half an answer is asked again by the run that resumes.
                if self.line.expired.load(Ordering::Relaxed) {
                    return;
                }
                let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let (journal, failed) = &mut *shared;
                if let Err(error) = journal.add(&found) {
                    *failed = Err(error);
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(units.len()) {
                scope.spawn(worker);
            }
        });
        shared.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }

    fn region(&self, asker: &Asker<'_>, region: &str) -> Facts {
        if !self.args.quiet {
            super::say(&format!("asking {} in {region}", asker.account.account));
        }
        let client = Client { line: self.line, who: asker.who, region: region.to_owned() };
        let account = Account {
            account: asker.account.account.clone(),
            regions: vec![asking::region(&client, self.plan)],
            ..Account::default()
        };
        Facts { accounts: vec![account], ..Facts::default() }
    }
}

/// What is known so far, one line for each region, so that a run that is cut short loses one.
struct Journal {
    path: PathBuf,
    file: Box<dyn Write + Send>,
    lines: Vec<Facts>,
    done: BTreeSet<(String, String)>,
}

impl Journal {
    fn open(output: &Path, resume: bool) -> Result<Journal> {
        let mut name = output.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        let mut lines = Vec::new();
        if resume && let Ok(text) = std::fs::read_to_string(&path) {
            // The last line may have been cut short; its region is asked again.
            lines.extend(text.lines().filter_map(|line| serde_json::from_str::<Facts>(line).ok()));
        }
        let done = lines
            .iter()
            .flat_map(|facts: &Facts| &facts.accounts)
            .flat_map(|it| it.regions.iter().map(|r| (it.account.clone(), r.region.clone())))
            .collect();
        let file = Box::new(output::append(&path, resume)?);
        Ok(Journal { path, file, lines, done })
    }

    fn has(&self, account: &str, region: &str) -> bool {
        self.done.contains(&(account.to_owned(), region.to_owned()))
    }

    fn missing(&mut self, missing: Missing) -> Result<()> {
        self.add(&Facts { missing: vec![missing], ..Facts::default() })
    }

    fn add(&mut self, facts: &Facts) -> Result<()> {
        let line = serde_json::to_string(facts).map_err(output::failed)?;
        // A line that was cut short must not swallow this one.
        let written = writeln!(self.file, "\n{line}").and_then(|()| self.file.flush());
        written.map_err(output::failed)?;
        self.lines.push(facts.clone());
        Ok(())
    }

    /// Everything as one file of facts.
    fn facts(&mut self, now: Time) -> Result<Facts> {
        let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
        let mut missing = Vec::new();
        for facts in self.lines.drain(..) {
            missing.extend(facts.missing);
            for account in facts.accounts {
                let known = accounts.entry(account.account.clone()).or_insert_with(|| Account {
                    account: account.account.clone(),
                    ..Account::default()
                });
                known.regions.extend(account.regions);
                // What was asked last is what stands.
                if account.arn.is_some() {
                    known.arn = account.arn;
                    known.iam = account.iam;
                    known.organization = account.organization;
                }
            }
        }
        let accounts = accounts.into_values().collect();
        let schema = SCHEMA.to_owned();
        let all = Facts { schema, collected_at: Some(now), accounts, missing };
        // Read once more as every judge reads it: sorted, and sure to be readable.
        Facts::parse(&serde_json::to_vec(&all).map_err(output::failed)?)
    }

    fn remove(self) {
        drop(self.file);
        let _ = std::fs::remove_file(&self.path);
    }
}

fn finish(args: &Args, facts: &Facts, pending: Pending) -> Result<()> {
    let write = |mut to: Box<dyn Write>| {
        serde_json::to_writer_pretty(&mut to, facts).map_err(output::failed)?;
        writeln!(to).and_then(|()| to.flush()).map_err(output::failed)
    };
    write(Box::new(pending.begin()?))?;
    if let Some(folder) = &args.history {
        let date = facts.collected_at.unwrap_or_default().to_string().replace(':', "");
        std::fs::create_dir_all(folder).map_err(output::failed)?;
        write(Box::new(output::create_new(&folder.join(format!("facts-{date}.json")))?))?;
    }
    Ok(())
}

/// Say what is missing.
fn tell(args: &Args, facts: &Facts) -> u8 {
    let mut missing: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for gap in &facts.missing {
        missing.entry(gap.action.clone()).or_insert((0, gap.error.clone())).0 += 1;
    }
    let whole = serde_json::to_value(&facts.accounts).unwrap_or_default();
    let mut open = vec![&whole];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                if let Some(action) = members.get("Missing").and_then(Value::as_str) {
                    let error = members.get("Error").and_then(Value::as_str).unwrap_or_default();
                    let entry = missing.entry(action.to_owned());
                    entry.or_insert((0, error.to_owned())).0 += 1;
                }
                open.extend(members.values());
            }
            _ => {}
        }
    }
    if !args.quiet {
        for (action, (count, error)) in &missing {
            super::say(&format!("missing {action} ({count}): {error}"));
        }
    }
    if missing.is_empty() { 0 } else { EXIT_INCOMPLETE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposure::facts::Region;

    fn unit(region: &str) -> Facts {
        let regions = vec![Region { region: region.to_owned(), ..Region::default() }];
        let account = Account { account: "111122223333".to_owned(), regions, ..Account::default() };
        Facts { accounts: vec![account], ..Facts::default() }
    }

    #[test]
    fn a_run_that_was_cut_short_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("facts.json");
        let mut first = Journal::open(&output, false).unwrap();
        first.add(&unit("us-east-1")).unwrap();
        // The process ended in the middle of a line.
        first.file.write_all(b"{\"accounts\": [{\"Acc").unwrap();
        drop(first);
        let mut second = Journal::open(&output, true).unwrap();
        assert!(second.has("111122223333", "us-east-1"));
        assert!(!second.has("111122223333", "eu-west-1"));
        second.add(&unit("eu-west-1")).unwrap();
        drop(second);
        let mut third = Journal::open(&output, true).unwrap();
        let facts = third.facts(Time(0)).unwrap();
        let names: Vec<_> = facts.regions().map(|(_, region)| region.region.as_str()).collect();
        assert_eq!(names, ["eu-west-1", "us-east-1"]);
        third.remove();
        assert!(!folder.path().join("facts.json.partial").exists());
        let fresh = Journal::open(&output, false).unwrap();
        assert!(!fresh.has("111122223333", "us-east-1"));
    }
}
