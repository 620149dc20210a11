//! Refusals: a target that cannot be read, or that costs more than was allowed, ends in words that
//! say which case it is and what to do next, before any block is read.

use super::{AMI, ID, run, scan};
use amisweep::emulator::{Ami, Config, Emulator, Operation, Snapshot};
use amisweep::limits::BLOCK_BYTES;
use std::sync::Arc;

fn small(id: &str) -> Snapshot {
    let mut bytes = vec![7; usize::try_from(BLOCK_BYTES).unwrap()];
    // Of a known format, so that what is read of it is complete.
    bytes[4086..4096].copy_from_slice(b"SWAPSPACE2");
    Snapshot::from_bytes(id, Arc::new(bytes))
}

fn gets(emulator: &Emulator) -> usize {
    let log = emulator.log();
    log.iter().filter(|request| request.operation == Operation::GetSnapshotBlock).count()
}

type Change = fn(&mut Snapshot, &mut Ami);

/// Case, target, words, next command, and how it comes about.
const CASES: &[(&str, &str, &str, Change)] = &[
    (ID, "public and belongs to somebody else", "aws ec2 copy-snapshot", |s, _| {
        s.public = true;
        s.owner = "444455556666".into();
    }),
    (ID, "the snapshot is public", "aws ec2 modify-snapshot-attribute", |s, _| s.public = true),
    (ID, "archived", "aws ec2 restore-snapshot-tier", |s, _| s.archived = true),
    (ID, "not complete", "aws ec2 wait snapshot-completed", |s, _| s.pending = true),
    (ID, "key may not be used", "aws kms get-key-policy", |s, _| {
        (s.encrypted, s.kms_denied) = (true, true);
    }),
    (ID, "may not read the snapshot", "aws sts get-caller-identity", |s, _| {
        s.owner = "444455556666".into();
        s.shared = false;
    }),
    (AMI, "may be launched", "aws ec2 run-instances", |s, a| {
        s.owner = "444455556666".into();
        a.owner = "444455556666".into();
        a.public = true;
    }),
    (AMI, "has no snapshot", "amisweep scan disk.img", |_, a| {
        a.instance_store = true;
        a.mappings[0].snapshot = None;
    }),
    (AMI, "Marketplace", "amisweep scan /", |s, a| {
        s.owner = "444455556666".into();
        a.owner = "444455556666".into();
        a.product_codes = vec!["code".to_owned()];
    }),
    (ID, "Outpost", "aws ec2 create-volume", |s, _| s.outpost = Some("arn:aws:outposts:1".into())),
    ("snap-dead", "no such snapshot", "amisweep scan --region", |_, _| {}),
    ("ami-dead", "no such AMI", "--region", |_, _| {}),
];

#[test]
fn each_says_the_case_and_a_next_command() {
    let mut wrong = Vec::new();
    for (target, case, next, change) in CASES {
        let (mut disk, mut ami) = (small(ID), Ami::new(AMI, &[ID]));
        change(&mut disk, &mut ami);
        let config = Config { snapshots: vec![disk], amis: vec![ami], ..Config::default() };
        let emulator = Emulator::start(config).unwrap();
        let done = scan(Some(&emulator), target, &[]);
        let said = done.stderr.contains(case) && done.stderr.contains(next);
        if (done.code, done.stdout.len(), gets(&emulator), said) != (1, 0, 0, true) {
            wrong.push(format!("{case}: exit {}: {}", done.code, done.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_listing_that_cannot_be_survived_ends_with_words() {
    for (fault, words) in [
        ("repeat-token:op=list", "repeats a page token"),
        ("empty-page:op=list", "goes on without a block"),
        ("denied-policy:op=list", "aws sts get-caller-identity"),
        ("expired-credentials:op=list", "credentials"),
        ("bad-signature:op=list", "credentials"),
    ] {
        let mut two = vec![7; 2 * usize::try_from(BLOCK_BYTES).unwrap()];
        two[0] = 1;
        let config = Config {
            snapshots: vec![Snapshot::from_bytes(ID, Arc::new(two))],
            page_entries_max: Some(1),
            faults: vec![fault.parse().unwrap()],
            ..Config::default()
        };
        let emulator = Emulator::start(config).unwrap();
        let done = scan(Some(&emulator), ID, &[]);
        assert_eq!((done.code, gets(&emulator)), (1, 0), "{fault}: {}", done.stderr);
        assert!(done.stdout.is_empty() && done.stderr.contains(words), "{fault}: {}", done.stderr);
    }
}

#[test]
fn what_it_costs_is_told_and_minded_before_any_block() {
    let config = Config {
        snapshots: vec![small(ID)],
        amis: vec![Ami::new(AMI, &[ID])],
        ..Config::default()
    };
    let emulator = Emulator::start(config).unwrap();
    for target in [ID, AMI] {
        let done = run(Some(&emulator), &["scan", target, "--estimate"].map(AsRef::as_ref));
        let told = String::from_utf8(done.stdout).unwrap();
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert!(told.contains("1 block") && told.contains('$'), "{told}");

        let done = scan(Some(&emulator), target, &["--max-cost", "0"]);
        assert_eq!((done.code, done.stdout.len()), (2, 0), "{}", done.stderr);
        assert!(done.stderr.contains("--max-cost"), "{}", done.stderr);
        assert_eq!(gets(&emulator), 0);
    }
    let done = scan(Some(&emulator), ID, &["--max-cost", "1"]);
    assert_eq!((done.code, gets(&emulator)), (0, 1), "{}", done.stderr);
}

#[test]
fn a_disk_that_may_not_be_read_is_told_in_the_report_of_the_others() {
    let mut archived = small("snap-02");
    archived.archived = true;
    let config = Config {
        snapshots: vec![archived, small(ID)],
        amis: vec![Ami::new(AMI, &["snap-02", ID])],
        ..Config::default()
    };
    let emulator = Emulator::start(config).unwrap();
    let done = scan(Some(&emulator), AMI, &[]);
    let report = String::from_utf8_lossy(&done.stdout);
    assert_eq!((done.code, gets(&emulator)), (11, 1), "{}", done.stderr);
    assert!(report.contains("archived (snap-02 was left out"), "{report}");
    assert!(done.stderr.contains("aws ec2 restore-snapshot-tier"), "{}", done.stderr);

    // An estimate of the others looked like one of all.
    let done = run(Some(&emulator), &["scan", AMI, "--estimate"].map(AsRef::as_ref));
    let told = String::from_utf8_lossy(&done.stdout);
    assert_eq!((done.code, gets(&emulator)), (11, 1), "{}", done.stderr);
    assert!(told.starts_with("1 of 2 disks: 1 block"), "{told}");
    let done = scan(Some(&emulator), AMI, &["--max-cost", "1"]);
    assert_eq!((done.code, done.stdout.len(), gets(&emulator)), (2, 0, 1), "{}", done.stderr);
    assert!(done.stderr.contains("1 of 2 disks"), "{}", done.stderr);
}
