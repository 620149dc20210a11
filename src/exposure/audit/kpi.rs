//! The figures: how much is encrypted, public and approved, and how fast it gets better. What
//! cannot be known is left out and never guessed.

use super::encryption::Encrypted;
use super::history::{Past, days_to_approve, days_to_mend};
use super::ledger::Finding;
use super::options::tagged;
use super::world::World;
use super::{Audit, ImageRow};
use crate::exposure::facts::{Event, Image};
use crate::finding::Severity;
use std::collections::BTreeSet;

/// The figures; nothing stands for "unknown".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kpi {
    /// Own images.
    pub images: u64,
    /// Percent of own images that are encrypted whole.
    pub encrypted_pct: Option<f64>,
    /// The same by GiB of their disks.
    pub encrypted_gib_pct: Option<f64>,
    /// Public own images.
    pub public_count: Option<u64>,
    /// Percent of own images that are approved.
    pub approved_pct: Option<f64>,
    /// Percent of instances whose image Allowed AMIs allows.
    pub approved_instances_pct: Option<f64>,
    /// Percent of own images from the golden pipeline.
    pub golden_pct: Option<f64>,
    /// Percent of own images without a finding of medium severity or above.
    pub compliance_pct: Option<f64>,
    /// Creations of images and snapshots that were refused, in the period of the events.
    pub blocked_creations: Option<u64>,
    /// Launches that were refused in the last seven days.
    pub violations_7d: Option<u64>,
    /// GiB of snapshots kept for nothing.
    pub waste_gib: Option<u64>,
    /// What they cost in a month.
    pub waste_cost: Option<f64>,
    /// Mean days until an unencrypted image was gone or encrypted.
    pub mttr_unencrypted_days: Option<f64>,
    /// Mean days until a public image was public no more.
    pub mttr_public_days: Option<f64>,
    /// Mean days from an image's creation to its approval.
    pub time_to_approve_days: Option<f64>,
    /// How many images and public images there were at earlier dates, oldest first.
    pub trend: Vec<Trend>,
}

/// The figures of one date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trend {
    /// The date.
    pub at: String,
    /// Own images.
    pub images: u64,
    /// Those not wholly encrypted.
    pub unencrypted: u64,
    /// Public ones.
    pub public: u64,
}

/// The figures of an audit whose rows and findings stand.
pub(super) fn measure(world: &World<'_>, audit: &Audit, waste: u64) -> Kpi {
    let rows = &audit.images;
    let disks: Vec<&ImageRow> = rows.iter().filter(|row| !row.devices.is_empty()).collect();
    let known = disks.iter().all(|row| row.encrypted != Encrypted::Unknown);
    let whole = disks.iter().filter(|row| row.encrypted == Encrypted::All).count();
    let devices = || disks.iter().flat_map(|row| &row.devices);
    // One disk of unknown size makes the whole unknown.
    let gib = |only: bool| {
        let chosen = devices().filter(|it| !only || it.encrypted == Some(true));
        chosen.map(|it| it.gib).try_fold(0, |sum: u64, gib| sum.checked_add(gib?))
    };
    let by_gib = gib(true).zip(gib(false)).and_then(|(part, whole)| share(part, whole));
    let listed = world.spots.iter().all(|spot| spot.region.images.known().is_some());
    let launch = rows.iter().all(|row| row.exposure.launch.is_some());
    let public = rows.iter().filter(|row| row.exposure.public == Some(true)).count();
    let told = rows.iter().all(|row| row.exposure.public.is_some());
    let stored = world.spots.iter().all(|spot| spot.region.snapshots.known().is_some());
    let approved = rows.iter().filter(|row| row.approved == Some(true)).count();
    let asked = rows.iter().all(|row| row.approved.is_some());
    let golden = &world.options.trusted.golden_tags;
    let images = || world.spots.iter().flat_map(|spot| spot.own.iter().copied());
    let from_pipeline = images().filter(|image: &&Image| tagged(&image.tags, golden)).count();
    let waste_gib = Some(waste >> 30).filter(|_| listed && stored);
    let mut history = world.options.history.clone();
    history.extend(Past::of(audit));
    history.sort_by_key(|past| past.at);
    let one_date = history.len() < 2;
    Kpi {
        images: count(rows.len()),
        encrypted_pct: percent(whole, disks.len()).filter(|_| known && listed),
        encrypted_gib_pct: by_gib.filter(|_| known && listed),
        public_count: (listed && told).then_some(count(public)),
        approved_pct: percent(approved, rows.len()).filter(|_| asked && listed),
        approved_instances_pct: allowed(world),
        golden_pct: percent(from_pipeline, rows.len()).filter(|_| listed),
        compliance_pct: percent(clean(rows, &audit.findings), rows.len())
            .filter(|_| listed && known && launch),
        blocked_creations: events(world, is_blocked_creation),
        violations_7d: events(world, is_refused_launch),
        waste_gib,
        waste_cost: waste_gib.zip(world.options.price_per_gib_month).and_then(cost),
        mttr_unencrypted_days: days_to_mend(&history, |past| &past.unencrypted)
            .filter(|_| !one_date),
        mttr_public_days: days_to_mend(&history, |past| &past.public).filter(|_| !one_date),
        time_to_approve_days: days_to_approve(&history).filter(|_| !one_date),
        trend: if one_date { Vec::new() } else { history.iter().map(Trend::of).collect() },
    }
}

/// The price of so many GiB, to the cent.
fn cost((gib, price): (u64, f64)) -> Option<f64> {
    let gib = u32::try_from(gib).ok()?;
    Some((price * f64::from(gib) * 100.0).round() / 100.0)
}

impl Trend {
    fn of(past: &Past) -> Trend {
        Trend {
            at: past.at.to_string(),
            images: count(past.images.len()),
            unencrypted: count(past.unencrypted.len()),
            public: count(past.public.len()),
        }
    }
}

/// Own images with nothing of medium severity or above against them.
fn clean(rows: &[ImageRow], findings: &[Finding]) -> usize {
    let bad: BTreeSet<(&str, &str)> = findings
        .iter()
        .filter(|finding| finding.severity >= Severity::Medium)
        .map(|finding| (finding.region.as_str(), finding.resource.as_str()))
        .collect();
    rows.iter().filter(|row| !bad.contains(&(row.region.as_str(), row.id.as_str()))).count()
}

/// Percent of instances whose image is allowed, where every region and instance tells.
fn allowed(world: &World<'_>) -> Option<f64> {
    let (mut all, mut fine) = (0_usize, 0_usize);
    for spot in &world.spots {
        for it in spot.region.instance_image_metadata.known()? {
            all += 1;
            fine += usize::from(it.image_metadata.image_allowed?);
        }
    }
    percent(fine, all)
}

/// How many events of every region `are` so.
fn events(world: &World<'_>, are: impl Fn(&World<'_>, &Event) -> bool) -> Option<u64> {
    let mut found = 0;
    for spot in &world.spots {
        let events = spot.region.events.known()?;
        found += events.iter().filter(|event| are(world, event)).count();
    }
    Some(count(found))
}

fn is_refused(event: &Event) -> bool {
    event
        .error_code()
        .is_some_and(|code| code.contains("AccessDenied") || code.contains("UnauthorizedOperation"))
}

fn is_blocked_creation(_: &World<'_>, event: &Event) -> bool {
    let makes = matches!(
        event.name(),
        "CreateImage"
            | "RegisterImage"
            | "CopyImage"
            | "CreateSnapshot"
            | "CreateSnapshots"
            | "CopySnapshot"
    );
    makes && is_refused(event)
}

fn is_refused_launch(world: &World<'_>, event: &Event) -> bool {
    let recent =
        world.now.zip(event.time()).is_some_and(|(now, at)| (0..7).contains(&now.days_since(at)));
    let by_image = event.error_code().is_some_and(|code| code.contains("InvalidAMIID"));
    event.name() == "RunInstances" && recent && (is_refused(event) || by_image)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn percent(part: usize, whole: usize) -> Option<f64> {
    share(count(part), count(whole))
}

/// Percent to one decimal.
fn share(part: u64, whole: u64) -> Option<f64> {
    let mils = part.checked_mul(1000)?.checked_div(whole)?;
    u32::try_from(mils).ok().map(|mils| f64::from(mils) / 10.0)
}
