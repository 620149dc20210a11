//! The audit: what facts say about images, judged without AWS.
//!
//! [`audit`] is a pure function: the same facts and options give the same findings in the same
//! order. What a missing permission hides is [`Unknown`], by name, and never counted as fine.

mod approval;
mod audience;
mod encryption;
mod history;
mod iac;
mod kpi;
mod ledger;
mod lets;
mod lifecycle;
mod maker;
mod options;
mod rule;
mod settings;
mod sharing;
mod text;
mod using;
pub mod vendor;
mod world;

pub use self::audience::{Audience, Exposure};
pub use self::encryption::{Device, Encrypted, KeyKind};
pub use self::history::Past;
pub use self::iac::{IacFinding, IacWord, read as read_iac};
pub use self::kpi::{Kpi, Trend};
pub use self::ledger::{Finding, Unknown};
pub use self::options::{AuditOptions, Trusted};
pub use self::rule::{RULES, Rule};
pub use self::text::{Text, texts};
pub use self::using::Provider;

use self::ledger::{Ledger, Place};
use self::lets::Answers;
use self::world::{Spot, World};
use crate::exposure::facts::{Facts, Image, Needs, Time};
use crate::finding::Severity;
use std::collections::{BTreeMap, BTreeSet};

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audit {
    /// When the facts were collected.
    pub at: Option<Time>,
    /// The accounts and how many regions of each are told of.
    pub accounts: BTreeMap<String, usize>,
    /// Own images, the most urgent first.
    pub images: Vec<ImageRow>,
    /// Whose images are in use.
    pub providers: Vec<Provider>,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    pub unknown: Vec<Unknown>,
    /// The figures.
    pub kpi: Kpi,
}

/// An own image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRow {
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its id.
    pub id: String,
    /// Its name; hostile text.
    pub name: String,
    /// `available`, `disabled` …
    pub state: String,
    /// When it was made.
    pub created: Option<Time>,
    /// Its disks.
    pub devices: Vec<Device>,
    /// Whether they are encrypted.
    pub encrypted: Encrypted,
    /// Who can read it.
    pub exposure: Exposure,
    /// Whether it is approved; nothing when nobody said how images are.
    pub approved: Option<bool>,
    /// What refers to it: kind, name (hostile text), and whether it runs.
    pub references: Vec<(String, String, bool)>,
    /// Its attached volumes that are not encrypted, by way of its instances.
    pub open_volumes: u64,
    /// How urgent it is: audience times findings times use.
    pub priority: u64,
}

/// A secret that somebody found in one of the [`texts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSecret {
    /// The account of the text.
    pub account: String,
    /// Its region.
    pub region: String,
    /// What it belongs to.
    pub resource: String,
    /// How bad the secret is.
    pub severity: Severity,
    /// The field, and the secret without what must not be shown.
    pub evidence: String,
    /// The whole text, so that no report shows it as a name.
    pub text: String,
}

impl Audit {
    /// Add secrets that were found in texts.
    pub fn add_text_secrets(&mut self, found: Vec<TextSecret>) {
        let secret: BTreeSet<&str> = found.iter().map(|secret| secret.text.as_str()).collect();
        let names = self.images.iter_mut().map(|row| &mut row.name);
        for name in names.chain(self.findings.iter_mut().map(|finding| &mut finding.name)) {
            if secret.contains(name.as_str()) {
                "[holds a secret]".clone_into(name);
            }
        }
        self.findings.extend(found.into_iter().map(|secret| Finding {
            rule: &rule::META_SEC_001,
            severity: secret.severity,
            account: secret.account,
            region: secret.region,
            resource: secret.resource,
            name: String::new(),
            evidence: secret.evidence,
            remedy: rule::META_SEC_001.remedy.to_owned(),
        }));
        ledger::sort(&mut self.findings);
        rank(&mut self.images, &self.findings);
    }
}

/// Judge `facts`.
pub fn audit(facts: &Facts, options: &AuditOptions) -> Audit {
    let world = World::new(facts, options);
    let mut ledger = Ledger::default();
    let mut providers = BTreeMap::new();
    let mut images = Vec::new();
    let mut waste = 0_u64;
    for missing in &facts.missing {
        let at = Place { account: &missing.account, region: &missing.region };
        let error = Some(missing.error.clone());
        ledger.unknown(&[], at, Needs { action: missing.action.clone(), error });
    }
    for spot in &world.spots {
        let open_volumes = open_volumes(spot);
        let mut shared = BTreeSet::new();
        let mut answers = Answers::default();
        if let Some(needs) = audience::unlisted(spot) {
            let rules: Vec<&'static Rule> =
                RULES.iter().copied().filter(|it| of_image(it)).collect();
            ledger.unknown(&rules, spot.at, needs);
        }
        for image in &spot.own {
            let row = row(&world, spot, image, &mut answers, &mut ledger);
            shared.extend(row.exposure.effective.accounts.iter().cloned());
            waste = waste.saturating_add(lifecycle::image(&world, spot, image, &mut ledger));
            let open_volumes =
                open_volumes.get(image.image_id.as_str()).copied().unwrap_or_default();
            images.push(ImageRow { open_volumes, ..row });
        }
        audience::snapshots(&world, spot, &mut ledger);
        audience::past(spot, &mut ledger);
        encryption::disks(spot, &mut ledger);
        sharing::keys(&world, spot, &shared, &mut ledger);
        settings::region(&world, spot, &mut ledger);
        approval::instances(spot, &mut ledger);
        using::references(&world, spot, &mut providers, &mut ledger);
        using::launches(spot, &mut ledger);
        waste = waste.saturating_add(lifecycle::orphans(spot, &mut ledger));
        lifecycle::elsewhere(spot, &mut ledger);
        lifecycle::builds(&world, spot, &mut ledger);
        maker::policies(&world, spot, &mut ledger);
    }
    settings::regions_agree(&world, &mut ledger);
    approval::watermarks(&world, &mut ledger);
    using::code(&world, &mut ledger);
    let (mut findings, unknown) = ledger.close();
    maker::tell(&world, &mut findings);
    rank(&mut images, &findings);
    let mut done = Audit {
        at: world.now,
        accounts: facts.accounts.iter().map(|it| (it.account.clone(), it.regions.len())).collect(),
        images,
        providers: providers.into_values().collect(),
        findings,
        unknown,
        kpi: Kpi::default(),
    };
    done.kpi = kpi::measure(&world, &done, waste);
    done
}

/// Whether a rule is judged image by image.
fn of_image(rule: &Rule) -> bool {
    rule.id.starts_with("AMI-")
        || matches!(rule.id, "SHARE-KMS-002" | "SHARE-REV-001" | "META-SEC-001")
}

/// Judge an own image, and tell of it.
fn row(
    world: &World<'_>,
    spot: &Spot<'_>,
    image: &Image,
    answers: &mut Answers,
    ledger: &mut Ledger,
) -> ImageRow {
    let devices = encryption::devices(spot, image);
    encryption::image(spot, image, &devices, ledger);
    encryption::copies(world, spot, image, ledger);
    let exposure = audience::image(world, spot, image, &devices, ledger);
    sharing::image((world, spot), (image, &devices), &exposure, answers, ledger);
    let approved = approval::image(world, spot, image, ledger);
    let known = spot.references(&image.image_id).iter();
    let mut references: Vec<(String, String, bool)> =
        known.map(|one| (one.kind.to_owned(), one.name.clone(), one.live)).collect();
    references.extend(world.code_lines(&image.image_id));
    ImageRow {
        account: spot.at.account.to_owned(),
        region: spot.at.region.to_owned(),
        id: image.image_id.clone(),
        name: image.name.clone().unwrap_or_default(),
        state: image.state.clone().unwrap_or_default(),
        created: image.creation_date,
        encrypted: Encrypted::of(&devices),
        devices,
        exposure,
        approved,
        references,
        open_volumes: 0,
        priority: 0,
    }
}

/// How many attached volumes are not encrypted, by the image of their instance.
fn open_volumes<'a>(spot: &Spot<'a>) -> BTreeMap<&'a str, u64> {
    let instances = spot.region.instances.listed().iter();
    let images: BTreeMap<&str, &str> = instances
        .filter_map(|it| Some((it.instance_id.as_str(), it.image_id.as_deref()?)))
        .collect();
    let mut found = BTreeMap::new();
    for volume in spot.region.volumes.listed().iter().filter(|it| it.encrypted == Some(false)) {
        let instance = volume.attachments.first().and_then(|it| it.instance_id.as_deref());
        if let Some(image) = instance.and_then(|id| images.get(id)) {
            *found.entry(*image).or_default() += 1;
        }
    }
    found
}

/// Give every image its priority, and put the most urgent first.
fn rank(images: &mut [ImageRow], findings: &[Finding]) {
    let mut weights: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for finding in findings {
        let weight = match finding.severity {
            Severity::Info => 0,
            Severity::Low => 1,
            Severity::Medium => 2,
            Severity::High => 4,
            Severity::Critical => 8,
        };
        *weights.entry((&finding.region, &finding.resource)).or_default() += weight;
    }
    for row in images.iter_mut() {
        let audience = match row.exposure.effective.name() {
            "public" => 8,
            "organization" | "shared" => 3,
            _ => 1,
        };
        let weight =
            weights.get(&(row.region.as_str(), row.id.as_str())).copied().unwrap_or_default();
        let used = row.references.iter().filter(|(.., live)| *live).count().min(9);
        row.priority = audience * weight * (1 + u64::try_from(used).unwrap_or_default());
    }
    images.sort_by(|a, b| {
        b.priority
            .cmp(&a.priority)
            .then_with(|| a.account.cmp(&b.account))
            .then_with(|| a.region.cmp(&b.region))
            .then_with(|| a.id.cmp(&b.id))
    });
}
