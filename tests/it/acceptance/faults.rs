//! Faults: what passes leaves no trace in a report, and what lasts costs its own blocks alone and
//! is told.

use super::{BLOCK, ID};
use crate::planted::unpack;
use amisweep::cli::session::Session;
use amisweep::coverage::Kind;
use amisweep::detect::Engine;
use amisweep::emulator::{Config, Emulator, Fault, Kind as FaultKind, Snapshot};
use amisweep::finding::{Finding, Place};
use amisweep::image::ebs::{Options, Runtime};
use amisweep::outcome::Outcome;
use amisweep::run::Run;
use amisweep::sweep::{FingerprintKey, Options as SweepOptions, Progress, Target, sweep};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// What goes away when it is asked again.
const PASSING: &[&str] = &[
    "throttle:op=get,each=3,retry-after=2",
    "throttle-account:op=get,each=1",
    "throttle-503:op=get,each=1",
    "error-500:op=get,each=2",
    "empty-503:op=get,each=1",
    "html-500:op=get,each=1",
    "reset:op=get,each=1",
    "stall:op=get,times=2",
    "delay=5:op=get,times=9",
    "slow=4000000:times=4",
    "truncate:each=2",
    "corrupt:each=2",
    "wrong-block:each=1",
    "wrong-checksum:each=1",
    "no-checksum:each=1",
    "unknown-algorithm:each=1",
    "wrong-length:each=1",
    "empty-body:each=2",
    "stall-body:times=2",
    "expired-token:op=get,each=1,times=2",
    "bad-token:op=get,times=1",
    "expire-all:op=get,skip=5,times=1",
    "empty-page:op=list,times=3",
    "expired-token:op=list,times=1",
    "throttle:op=list,times=2",
    "error-500:op=list,times=1",
    "reset:op=list,times=1",
    "stall:op=list,times=1",
];

/// What costs the blocks it hits, be it because it lasts or because asking again would not help.
const LASTING: &[&str] = &[
    "throttle:op=get",
    "throttle-account:op=get",
    "throttle-503:op=get",
    "error-500:op=get",
    "empty-503:op=get",
    "html-500:op=get",
    "reset:op=get",
    "stall:op=get",
    "slow=9000",
    "truncate",
    "corrupt",
    "wrong-block",
    "wrong-checksum",
    "no-checksum",
    "unknown-algorithm",
    "wrong-length",
    "empty-body",
    "stall-body",
    "expired-token:op=get",
    "bad-token:op=get",
    "quota:op=get,each=1",
    "denied:op=get,each=1",
    "denied-kms:op=get",
    "denied-policy:op=get",
    "bad-signature:op=get",
    "expired-credentials:op=get",
    "not-found:op=get",
];

/// Held by no sweep: a block that changes with its checksum looks right, one kind is about
/// comparing snapshots, and a page token that repeats ends the listing.
const ELSEWHERE: &[&str] = &["changed", "unrelated", "repeat-token"];

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::builtin().unwrap());

static DISK: LazyLock<tempfile::NamedTempFile> = LazyLock::new(|| unpack("demo"));

static WHOLE: LazyLock<Outcome> = LazyLock::new(|| scan(&[], 2));

/// The outcome with these faults. Patience is short and waits are shorter, but where silence is the
/// fault a busy machine must still get its answers in time.
fn scan(faults: &[Fault], jobs: usize) -> Outcome {
    let emulator = Emulator::start(Config {
        snapshots: vec![Snapshot::from_file(ID, DISK.path()).unwrap()],
        faults: faults.to_vec(),
        page_entries_max: Some(20),
        ..Config::default()
    })
    .unwrap();
    let silent = |fault: &Fault| {
        matches!(fault.kind, FaultKind::Stall | FaultKind::StallBody(_) | FaultKind::Slow(_))
    };
    let mut options = Options {
        backoff_first: Duration::from_millis(1),
        backoff_most: Duration::from_millis(4),
        cache_bytes: 24 * BLOCK,
        ..Options::default()
    };
    if faults.iter().any(silent) {
        options.attempts_failed = 3;
        options.read_timeout = Duration::from_millis(400);
        options.block_timeout = Duration::from_millis(1200);
    }
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(emulator.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let session = Session::over(Arc::new(Runtime::new().unwrap()), &config, options);
    let options = SweepOptions {
        engine: &ENGINE,
        jobs,
        key: &FingerprintKey::kept([7; 32]),
        cross_check: false,
        progress: &Progress::default(),
    };
    sweep(Target::Images(session.open(ID).unwrap()), &options)
}

/// One line for every place of every finding outside `lost`.
fn essence(outcome: &Outcome, lost: &[Run]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for finding in &outcome.findings {
        for place in &finding.places {
            let apart = |(_, run): &(_, Run)| lost.iter().all(|l| run.intersect(*l).is_empty());
            if place.image_runs.iter().all(apart) {
                lines.insert(format!(
                    "{} {} {} {:?} {:?}",
                    finding.fingerprint,
                    finding.rule.id,
                    place.locator,
                    place.state,
                    place.image_runs
                ));
            }
        }
    }
    lines
}

fn counts(outcome: &Outcome) -> Vec<(Kind, u64)> {
    Kind::ALL.into_iter().map(|kind| (kind, outcome.coverage.of(kind))).collect()
}

#[test]
fn no_fault_is_forgotten() {
    let name = |text: &&str| text.split([':', '=']).next().unwrap().to_owned();
    let held: BTreeSet<String> = [PASSING, LASTING, ELSEWHERE].concat().iter().map(name).collect();
    let all = FaultKind::ALL.iter().map(|(name, _)| (*name).to_owned());
    assert_eq!(all.collect::<BTreeSet<_>>(), held);
}

#[test]
fn what_passes_leaves_no_trace() {
    let whole = essence(&WHOLE, &[]);
    assert!(whole.len() >= 3 && WHOLE.coverage.complete(), "{:?}", WHOLE.coverage.errors());
    for text in PASSING {
        let outcome = scan(&[text.parse().unwrap()], 2);
        assert_eq!(essence(&outcome, &[]), whole, "{text}");
        assert_eq!(counts(&outcome), counts(&WHOLE), "{text}");
        assert_eq!(outcome.coverage.errors(), WHOLE.coverage.errors(), "{text}");
    }
}

/// The blocks that errors name.
fn named(outcome: &Outcome) -> BTreeSet<u64> {
    let errors = outcome.coverage.errors().iter().filter(|error| error.incomplete);
    errors
        .filter_map(|error| {
            let (_, rest) = error.what.split_once("(block ")?;
            rest.split_once(')')?.0.parse().ok()
        })
        .collect()
}

/// Two blocks that files and free space lie in and no structure of the filesystem does.
fn victims() -> [u64; 2] {
    let blocks = WHOLE.findings.iter().flat_map(|f| &f.places).flat_map(|p| &p.image_runs);
    let blocks: BTreeSet<u64> = blocks.map(|(_, run)| run.start / BLOCK).collect();
    eprintln!("blocks with findings: {blocks:?}");
    let mut last = blocks.into_iter().rev();
    [last.next().unwrap(), last.next().unwrap()]
}

#[test]
fn what_lasts_costs_its_own_blocks_and_is_told() {
    let victims = victims();
    let lost: Vec<Run> = victims.iter().map(|block| Run::new(block * BLOCK, BLOCK)).collect();
    let elsewhere = essence(&WHOLE, &lost);
    for text in LASTING {
        let mut fault: Fault = text.parse().unwrap();
        fault.blocks = victims.iter().map(|&block| (block, block)).collect();
        let outcome = scan(&[fault], 2);
        let coverage = &outcome.coverage;
        assert!(!coverage.complete(), "{text}");
        assert_eq!(coverage.of(Kind::Unreadable), 2 * BLOCK, "{text}: {:?}", coverage.errors());
        assert_eq!(coverage.swept(), coverage.written, "{text}");
        assert_eq!(named(&outcome), BTreeSet::from(victims), "{text}: {:?}", coverage.errors());
        assert_eq!(essence(&outcome, &lost), elsewhere, "{text}");
    }
}

/// Even where the filesystem's own structures are lost, every other byte is swept.
#[test]
fn any_lost_block_leaves_the_rest_to_be_swept() {
    let blocks = written();
    assert!(blocks.len() > 10);
    for block in blocks {
        let mut fault: Fault = "denied:op=get".parse().unwrap();
        fault.blocks = vec![(block, block)];
        let outcome = scan(&[fault], 2);
        let coverage = &outcome.coverage;
        assert!(!coverage.complete(), "block {block}");
        assert_eq!(coverage.of(Kind::Unreadable), BLOCK, "block {block}: {:?}", coverage.errors());
        assert_eq!(coverage.swept(), coverage.written, "block {block}");
        assert_eq!(named(&outcome), BTreeSet::from([block]), "{:?}", coverage.errors());
        let lost = Run::new(block * BLOCK, BLOCK);
        let kept = plain_secrets(&outcome, None);
        let missing: Vec<String> =
            plain_secrets(&WHOLE, Some(lost)).difference(&kept).cloned().collect();
        assert!(missing.is_empty(), "block {block}: {missing:?} {:?}", coverage.errors());
    }
}

/// The blocks AWS would list.
fn written() -> Vec<u64> {
    let disk = std::fs::read(DISK.path()).unwrap();
    let blocks = disk.chunks(usize::try_from(BLOCK).unwrap()).zip(0..);
    blocks.filter(|(bytes, _)| bytes.iter().any(|b| *b != 0)).map(|(_, block)| block).collect()
}

/// Secrets that stand in one piece somewhere on the disk outside `lost`, and that signatures know
/// without a file's name.
fn plain_secrets(outcome: &Outcome, lost: Option<Run>) -> BTreeSet<String> {
    let apart = |(_, run): &(_, Run)| lost.is_none_or(|lost| run.intersect(lost).is_empty());
    let plain = |place: &&Place| {
        place.locator.members.is_empty()
            && place.image_runs.len() == 1
            && place.image_runs.iter().all(apart)
    };
    let by_signature =
        |f: &&Finding| ENGINE.signatures().iter().any(|signature| signature.rule.id == f.rule.id);
    let found = outcome.findings.iter().filter(by_signature);
    let found = found.filter(|f| f.places.iter().any(|place| plain(&place)));
    found.map(|f| format!("{} {}", f.rule.id, f.fingerprint)).collect()
}
