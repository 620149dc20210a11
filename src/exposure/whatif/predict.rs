//! A prediction: what a launch or a copy of one image would make of each of its disks.

use super::{Ask, Cell, Outcome, Source, State, copy, launch};
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::disk::{self, Disk, Found, Manager, Rules};
use crate::exposure::facts::{Facts, Region};
use crate::exposure::kms::{self, Truth};

/// What would be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Launch an instance.
    Launch,
    /// Copy the image.
    Copy,
}

/// The parameters of the call, and who makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// `Encrypted`.
    pub encrypted: Option<bool>,
    /// `KmsKeyId`.
    pub key: Option<String>,
    /// Encryption by default, where the facts are not to be asked for it.
    pub by_default: Option<bool>,
    /// The region of the result; none for the image's own.
    pub to_region: Option<String>,
    /// Who acts: an account, or the ARN of a user or role; none for the account of the facts.
    pub acting: Option<String>,
}

/// What would come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// What is done.
    pub act: Act,
    /// The image.
    pub image: String,
    /// Its name.
    pub name: Option<String>,
    /// Its region.
    pub region: String,
    /// The region of the result.
    pub to_region: String,
    /// The account that acts.
    pub acting: String,
    /// The parameters.
    pub plan: Plan,
    /// One row for each disk.
    pub rows: Vec<Row>,
    /// What the new snapshots take, and whether that is all that is known.
    pub extra: Option<Extra>,
}

/// Storage that a copy adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// Bytes of the snapshots whose size is known.
    pub bytes: u64,
    /// Snapshots of which only the size of the disk is known, counted in full.
    pub at_most: usize,
    /// Snapshots of which nothing is known.
    pub unknown: usize,
}

/// What comes of one disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The device.
    pub device: String,
    /// The snapshot.
    pub snapshot: Option<String>,
    /// Its state and owner.
    pub source: Option<Source>,
    /// The key it is encrypted under.
    pub source_key: Option<String>,
    /// What comes of it.
    pub end: End,
    /// The key of the result.
    pub key: Option<String>,
    /// What to know about it.
    pub warnings: Vec<String>,
    /// What of it is not known, though the outcome is.
    pub doubts: Vec<String>,
    /// Whether who acts may use the keys it takes, and why.
    pub uses: Vec<Use>,
}

/// What comes of a disk, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// This.
    Known(Cell),
    /// It depends on this.
    Unknown(String),
}

/// Whether a key may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The key.
    pub key: String,
    /// Whether it may be.
    pub truth: Truth,
    /// Why.
    pub reason: String,
}

impl Prediction {
    /// Whether the call, or a part of it, fails.
    pub fn fails(&self) -> bool {
        let error = |row: &Row| {
            matches!(&row.end, End::Known(cell) if cell.outcome == Outcome::KeyWithoutEncrypted)
                || row.uses.iter().any(|one| one.truth == Truth::No)
        };
        self.rows.iter().any(error)
    }

    /// Whether something is not known.
    pub fn open(&self) -> bool {
        let open = |row: &Row| match &row.end {
            End::Unknown(_) => true,
            End::Known(cell) => {
                matches!(cell.outcome, Outcome::Undefined(_) | Outcome::NeverPlain)
                    || !row.doubts.is_empty()
                    || row.uses.iter().any(|one| one.truth == Truth::Unknown)
            }
        };
        self.rows.iter().any(open)
    }
}

/// Who acts, where, with what; what every disk shares.
struct Scene<'a> {
    act: Act,
    facts: &'a Facts,
    plan: &'a Plan,
    from: &'a str,
    to: &'a str,
    account: &'a str,
    principal: Option<&'a str>,
    /// Encryption by default in the region of the result; the reason when it is not known.
    by_default: Result<bool, String>,
    /// The default key there.
    default_key: Result<&'a str, String>,
}

/// The parameters as they are for one disk.
#[derive(Clone, Copy)]
struct Call<'a> {
    encrypted: Option<bool>,
    key: Option<&'a str>,
}

/// Predict what `act` on `found` with `plan` makes.
///
/// # Errors
/// When who acts is neither an account nor an ARN.
pub fn predict(facts: &Facts, found: &Found<'_>, act: Act, plan: &Plan) -> Result<Prediction> {
    let from = found.region.region.as_str();
    let to = plan.to_region.as_deref().filter(|_| act == Act::Copy).unwrap_or(from);
    let home = found.account.account.as_str();
    let owner = found.image.owner_id.as_deref().unwrap_or(home);
    let (account, principal) = acting(plan.acting.as_deref().unwrap_or(home))?;
    let region = facts
        .account(account)
        .and_then(|account| account.regions.iter().find(|region| region.region == to));
    let scene = Scene {
        act,
        facts,
        plan,
        from,
        to,
        account,
        principal,
        by_default: by_default(plan, region),
        default_key: default_key(region),
    };
    let mut disks = found.disks();
    // A disk that starts empty has nothing to copy.
    disks.retain(|disk| act == Act::Launch || disk.snapshot_id.is_some());
    Ok(Prediction {
        act,
        image: found.image.image_id.clone(),
        name: found.image.name.clone(),
        region: from.to_owned(),
        to_region: to.to_owned(),
        acting: plan.acting.clone().unwrap_or_else(|| home.to_owned()),
        plan: plan.clone(),
        rows: disks.iter().map(|disk| scene.row(disk, owner)).collect(),
        extra: (act == Act::Copy).then(|| extra(&disks)),
    })
}

/// Predict what `act` makes of a snapshot of which nothing but this is known.
pub fn bare(source: Source, act: Act, plan: &Plan) -> Prediction {
    let facts = Facts::default();
    // Regions without a name: only whether they differ matters.
    let to = if plan.to_region.is_some() && act == Act::Copy { "another region" } else { "" };
    let scene = Scene {
        act,
        facts: &facts,
        plan,
        from: "",
        to,
        account: "",
        principal: None,
        by_default: by_default(plan, None),
        default_key: default_key(None),
    };
    let call = Call { encrypted: plan.encrypted, key: plan.key.as_deref() };
    let mut row = Row {
        device: "snapshot".to_owned(),
        snapshot: Some("any".to_owned()),
        source: Some(source),
        source_key: None,
        end: scene.end(source, call),
        key: None,
        warnings: Vec::new(),
        doubts: Vec::new(),
        uses: Vec::new(),
    };
    if let End::Known(Cell { outcome: Outcome::Becomes(state), .. }) = row.end {
        scene.finish(&mut row, state, call);
        // Nothing was to be looked up, so that nothing is missing: it is told all the same.
        let doubts = std::mem::take(&mut row.doubts);
        row.warnings.extend(doubts);
    }
    Prediction {
        act,
        image: "a snapshot".to_owned(),
        name: None,
        region: "its region".to_owned(),
        to_region: plan.to_region.clone().unwrap_or_else(|| "its region".to_owned()),
        acting: "anybody".to_owned(),
        plan: plan.clone(),
        rows: vec![row],
        extra: None,
    }
}

/// The account of who acts, and their ARN when it is one.
fn acting(text: &str) -> Result<(&str, Option<&str>)> {
    if kms::is_account(text) {
        return Ok((text, None));
    }
    match text.split(':').nth(4) {
        Some(account) if text.starts_with("arn:") && kms::is_account(account) => {
            let root = text.ends_with(":root");
            Ok((account, (!root).then_some(text)))
        }
        _ => {
            let what = "who acts is neither an account of twelve digits nor the ARN of a principal";
            Err(Error::new(ErrorKind::Usage, what).detail(text))
        }
    }
}

fn by_default(plan: &Plan, region: Option<&Region>) -> Result<bool, String> {
    if let Some(given) = plan.by_default {
        return Ok(given);
    }
    let action = "ec2:GetEbsEncryptionByDefault";
    let Some(region) = region else { return Err(format!("needs {action}")) };
    let known = region.ebs_encryption_by_default.get(action);
    known.copied().map_err(|needs| format!("needs {}", needs.action))
}

fn default_key(region: Option<&Region>) -> Result<&str, String> {
    let action = "ec2:GetEbsDefaultKmsKeyId";
    let Some(region) = region else { return Err(format!("needs {action}")) };
    let known = region.ebs_default_kms_key_id.get(action);
    known.map(String::as_str).map_err(|needs| format!("needs {}", needs.action))
}

impl Scene<'_> {
    fn row(&self, disk: &Disk<'_>, image_owner: &str) -> Row {
        let known = disk.known();
        let owner = known.and_then(|known| known.owner_id.as_deref()).unwrap_or(image_owner);
        let own = owner == self.account;
        // A disk that starts empty is new: the image's own parameters are those of the call.
        let empty = disk.snapshot_id.is_none();
        let call = Call {
            encrypted: self.plan.encrypted.or(disk.encrypted.filter(|yes| empty && *yes)),
            key: self.plan.key.as_deref().or(disk.key.filter(|_| empty)),
        };
        let encrypted = if empty { Some(false) } else { disk.encrypted };
        let source = encrypted.map(|encrypted| Source { encrypted, own: own || empty });
        let end = match (&source, &disk.snapshot) {
            (None, Some(Err(needs))) => End::Unknown(format!("needs {}", needs.action)),
            (None, _) => End::Unknown("needs ec2:DescribeSnapshots".to_owned()),
            (Some(source), _) => self.end(*source, call),
        };
        let mut row = Row {
            device: disk.device.to_owned(),
            snapshot: disk.snapshot_id.map(str::to_owned),
            source,
            source_key: disk.key.filter(|_| !empty).map(str::to_owned),
            key: None,
            end,
            warnings: Vec::new(),
            doubts: Vec::new(),
            uses: Vec::new(),
        };
        if let End::Known(Cell { outcome: Outcome::Becomes(state), .. }) = row.end {
            self.finish(&mut row, state, call);
        }
        row
    }

    /// The cell, which may be the same whether or not encryption by default is on.
    fn end(&self, source: Source, call: Call<'_>) -> End {
        let cell = |by_default| {
            let ask = Ask {
                source,
                encrypted: call.encrypted,
                key_given: call.key.is_some(),
                by_default,
            };
            match self.act {
                Act::Launch => launch(&ask),
                Act::Copy => copy(&ask, self.from != self.to),
            }
        };
        match &self.by_default {
            Ok(on) => End::Known(cell(*on)),
            Err(_) if cell(true).outcome == cell(false).outcome => End::Known(cell(true)),
            Err(why) => End::Unknown(why.clone()),
        }
    }

    /// The key of the result, what follows from it, and whether it may be used.
    fn finish(&self, row: &mut Row, state: State, call: Call<'_>) {
        let key = match state {
            State::Plain => None,
            State::DefaultKey => Some(self.default_key.clone()),
            State::SourceKey => {
                Some(row.source_key.as_deref().ok_or("needs ec2:DescribeSnapshots".to_owned()))
            }
            State::GivenKey => call.key.map(Ok),
        };
        let Some(key) = key else {
            row.warnings.push("not encrypted: whoever it is shared with reads it".to_owned());
            return;
        };
        let managed = match &key {
            Ok(key) => disk::manager(self.facts, self.to, key),
            Err(_) => Manager::Unknown,
        };
        match (managed, &key) {
            (Manager::Aws, _) => row.warnings.push(
                "AWS-managed key: what is under it can never be shared with another account"
                    .to_owned(),
            ),
            (Manager::Unknown, Ok(key)) => row.doubts.push(format!(
                "needs kms:DescribeKey to tell whether {key} is AWS-managed, so that what is \
                 under it can never be shared"
            )),
            (Manager::Unknown, Err(why)) if state == State::DefaultKey => row.doubts.push(format!(
                "{why} to tell the default key; unless changed it is alias/aws/ebs, AWS-managed, \
                 and what is under it can never be shared"
            )),
            (Manager::Unknown, Err(why)) => row.doubts.push(format!(
                "{why} to tell the key; if it is AWS-managed, what is under it can never be shared"
            )),
            (Manager::Customer, _) => {}
        }
        if let Ok(key) = &key {
            if state != State::SourceKey && managed == Manager::Customer {
                row.uses.push(self.may_use(key, self.to));
            }
            row.key = Some((*key).to_owned());
        }
        if let Some(source_key) = row.source_key.clone()
            && row.source.is_some_and(|source| source.encrypted)
        {
            row.uses.insert(0, self.may_use(&source_key, self.from));
        }
    }

    /// Whether who acts may use a key through EC2.
    fn may_use(&self, key: &str, region: &str) -> Use {
        let paths: Vec<&str> = disk::path(self.facts, self.account).into_iter().collect();
        let asker = kms::Asker {
            account: Some(self.account),
            besides: None,
            principal: self.principal,
            org: disk::org(self.facts, self.account, &paths),
        };
        let actions: &[&str] = match self.act {
            Act::Launch => &kms::LAUNCH_ACTIONS,
            Act::Copy => &kms::COPY_ACTIONS,
        };
        if disk::manager(self.facts, region, key) == Manager::Aws {
            // Nobody can edit the policy of aws/ebs: it lets its own account in, and no other.
            let home = key.split(':').nth(4);
            let (truth, reason) = match home {
                Some(home) if home != self.account => {
                    (Truth::No, "it is AWS-managed, of another account".to_owned())
                }
                _ => (Truth::Yes, "it is AWS-managed, of this account".to_owned()),
            };
            return Use { key: key.to_owned(), truth, reason };
        }
        let rules = Rules::of(self.facts, region, key);
        let (truth, reason) = rules.lets_all(asker, actions, region);
        Use { key: rules.arn().to_owned(), truth, reason }
    }
}

fn extra(disks: &[Disk<'_>]) -> Extra {
    let mut extra = Extra::default();
    for disk in disks.iter().filter(|disk| disk.snapshot_id.is_some()) {
        let stored = disk.known().and_then(|known| known.full_snapshot_size_in_bytes);
        let whole = disk.size_gib.map(|gib| gib.saturating_mul(1 << 30));
        match (stored, whole) {
            (Some(bytes), _) => extra.bytes = extra.bytes.saturating_add(bytes),
            (None, Some(bytes)) => {
                extra.bytes = extra.bytes.saturating_add(bytes);
                extra.at_most += 1;
            }
            (None, None) => extra.unknown += 1,
        }
    }
    extra
}
