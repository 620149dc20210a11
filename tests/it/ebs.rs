//! Snapshots read through the EBS direct APIs: over the emulator, with everything that may go
//! wrong going wrong.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use amisweep::cli::session::Session;
use amisweep::emulator::{Ami, Config, Emulator, Rate, Snapshot};
use amisweep::error::{ErrorKind, Result};
use amisweep::image::Image;
use amisweep::image::ebs::{Options, Runtime};
use amisweep::run::{ImageNo, Run};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};
use std::sync::Arc;
use std::time::Duration;

const BLOCK: usize = 524_288;
const BLOCKS: usize = 48;
const ID: &str = "snap-0a1b";
const AMI: &str = "ami-0a1b";

/// Blocks that all differ; every fifth was never written.
fn disk() -> Vec<u8> {
    let mut bytes = vec![0; BLOCKS * BLOCK];
    for (index, block) in bytes.chunks_mut(BLOCK).enumerate() {
        if index % 5 != 4 {
            block.fill(u8::try_from(index + 1).unwrap());
            block[..8].copy_from_slice(&u64::try_from(index).unwrap().to_le_bytes());
        }
    }
    bytes
}

fn snapshot(id: &str) -> Snapshot {
    Snapshot::from_bytes(id, Arc::new(disk()))
}

fn served(fault: &str) -> Config {
    Config {
        snapshots: vec![snapshot(ID)],
        faults: fault.split_whitespace().map(|text| text.parse().unwrap()).collect(),
        ..Config::default()
    }
}

/// Asks again soon, and waits for an answer as long as a busy machine may need.
fn options() -> Options {
    Options {
        backoff_first: Duration::from_millis(2),
        backoff_most: Duration::from_millis(20),
        ..Options::default()
    }
}

/// Impatient, for faults that never answer.
fn impatient() -> Options {
    Options {
        attempts_failed: 3,
        read_timeout: Duration::from_millis(800),
        block_timeout: Duration::from_secs(2),
        ..options()
    }
}

/// Whether a fault is one of silence, and how the options are then.
fn options_for(fault: &str) -> (bool, Options) {
    let silent = fault.starts_with("stall") || fault.starts_with("slow=9");
    (silent, if silent { impatient() } else { options() })
}

fn session(emulator: &Emulator, options: Options) -> Session {
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(emulator.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    Session::over(Arc::new(Runtime::new().unwrap()), &config, options)
}

fn open(emulator: &Emulator) -> Result<Image> {
    session(emulator, options()).open(ID).map(|mut images| images.remove(0))
}

/// The blocks that could not be read; the bytes of all others are compared.
fn missing(image: &Image) -> Vec<usize> {
    let expected = disk();
    let walker = image.ahead.clone().unwrap();
    let found: Vec<usize> = std::thread::scope(|scope| {
        scope.spawn(|| walker.want(Run::new(0, u64::MAX)));
        let lost = (0..BLOCKS)
            .filter(|index| {
                let mut bytes = vec![1; BLOCK];
                let read = image.bytes.read_at((index * BLOCK) as u64, &mut bytes);
                assert!(read.is_err() || bytes == expected[index * BLOCK..][..BLOCK], "{index}");
                read.is_err()
            })
            .collect();
        walker.stop();
        lost
    });
    let remembered: Vec<usize> =
        walker.failures().iter().map(|f| usize::try_from(f.run.start).unwrap() / BLOCK).collect();
    assert_eq!(found, remembered);
    found
}

#[test]
fn gives_the_same_bytes_and_buys_each_block_once() {
    let emulator = Emulator::start(Config {
        page_entries_max: Some(7),
        empty_pages: 2,
        tokens_end_with_next_list: true,
        ..served("")
    })
    .unwrap();
    let image = open(&emulator).unwrap();
    assert_eq!((&*image.name, image.number, image.bytes.len()), (ID, ImageNo(0), 1 << 30));
    assert_eq!(image.written.total(), (38 * BLOCK + BLOCK) as u64);
    assert!(missing(&image).is_empty());
    // Edges, the end of what was written, and the empty rest of the volume.
    let mut bytes = vec![1; BLOCK + 2];
    image.bytes.read_at(BLOCK as u64 - 1, &mut bytes).unwrap();
    assert_eq!(bytes, disk()[BLOCK - 1..][..BLOCK + 2]);
    image.bytes.read_at((1 << 30) - 5, &mut bytes[..5]).unwrap();
    assert_eq!(bytes[..5], [0; 5]);
    assert!(image.bytes.read_at((1 << 30) - 4, &mut bytes[..5]).is_err());

    let fetches = emulator.block_fetches();
    assert_eq!(fetches.len(), 39);
    assert!(fetches.values().all(|&times| times == 1), "{fetches:?}");
}

#[test]
fn a_passing_fault_leaves_no_trace() {
    for fault in [
        "throttle:op=get,times=20,retry-after=5",
        "throttle-account:op=get,each=2",
        "throttle-503:op=get,each=1",
        "error-500:op=get,each=2",
        "empty-503:op=get,each=1",
        "html-500:op=get,each=1",
        "reset:op=get,each=1",
        "truncate:each=2",
        "corrupt:each=2",
        "wrong-block:each=1",
        "wrong-checksum:each=1",
        "no-checksum:each=1",
        "unknown-algorithm:each=1",
        "wrong-length:each=1",
        "empty-body:each=2",
        "stall-body:times=3",
        "stall:op=get,times=3",
        "delay=30:op=get,times=9",
        "slow=2000000:times=4",
        "expire-all:op=get,times=1",
        "expired-token:op=get,times=30",
        "bad-token:op=get,times=1",
        "throttle:op=list,times=3",
        "error-500:op=list,times=2",
        "reset:op=list,times=2",
        "stall:op=list,times=1",
        "empty-page:op=list,times=3",
        "expired-token:op=list,skip=2,times=1",
        "corrupt:each=1 error-500:op=get,each=1 throttle:op=get,every=7",
    ] {
        let config = Config { page_entries_max: Some(10), ..served(fault) };
        let emulator = Emulator::start(config).unwrap();
        let (silent, options) = options_for(fault);
        let image = session(&emulator, options).open(ID).unwrap().remove(0);
        assert!(missing(&image).is_empty(), "{fault}: {:?}", image.ahead.unwrap().failures());
        let fetches = emulator.block_fetches();
        assert!(silent || fetches.values().all(|&times| times == 1), "{fault}: {fetches:?}");
    }
}

#[test]
fn a_lasting_fault_costs_its_own_blocks_and_no_others() {
    for (fault, lost, kind) in [
        ("denied:op=get,block=5-7", vec![5, 6, 7], ErrorKind::Denied),
        ("denied-kms:op=get,block=7", vec![7], ErrorKind::Denied),
        ("denied-policy:op=get,block=8", vec![8], ErrorKind::Denied),
        ("expired-credentials:op=get,block=8", vec![8], ErrorKind::Denied),
        ("quota:op=get,block=0", vec![0], ErrorKind::Denied),
        ("not-found:op=get,block=10", vec![10], ErrorKind::Unreadable),
        ("expired-token:op=get,block=5", vec![5], ErrorKind::Unreadable),
        ("throttle:op=get,block=11", vec![11], ErrorKind::Unreadable),
        ("error-500:op=get,block=8", vec![8], ErrorKind::Unreadable),
        ("reset:op=get,block=8", vec![8], ErrorKind::Unreadable),
        ("stall:op=get,block=8", vec![8], ErrorKind::Unreadable),
        ("stall-body:block=8", vec![8], ErrorKind::Unreadable),
        ("slow=9000:block=8", vec![8], ErrorKind::Unreadable),
        ("truncate:block=47", vec![47], ErrorKind::Unreadable),
        ("empty-body:block=6", vec![6], ErrorKind::Unreadable),
        ("corrupt:block=1+40", vec![1, 40], ErrorKind::Unreadable),
        ("wrong-block:block=2", vec![2], ErrorKind::Unreadable),
        ("wrong-checksum:block=3", vec![3], ErrorKind::Unreadable),
        ("no-checksum:block=2", vec![2], ErrorKind::Unreadable),
        ("unknown-algorithm:block=2", vec![2], ErrorKind::Unreadable),
        ("wrong-length:block=2", vec![2], ErrorKind::Unreadable),
    ] {
        let emulator = Emulator::start(served(fault)).unwrap();
        let image = session(&emulator, options_for(fault).1).open(ID).unwrap().remove(0);
        assert_eq!(missing(&image), lost, "{fault}");
        let error = image.bytes.read_at((lost[0] * BLOCK) as u64, &mut [0]).unwrap_err();
        assert_eq!(error.kind(), kind, "{fault}: {error}");
        assert!(error.message().contains(&format!("block {}", lost[0])), "{error}");
    }
}

#[test]
fn a_listing_that_cannot_be_had_whole_is_an_error() {
    for (fault, said) in [
        ("repeat-token:op=list,skip=1", "repeats a page token"),
        ("empty-page:op=list", "goes on without a block"),
        ("throttle:op=list", "throttl"),
        ("error-500:op=list", "InternalServerException"),
        ("reset:op=list", "connection"),
        ("denied:op=list", "UNAUTHORIZED_ACCOUNT"),
        ("expired-token:op=list,skip=1", "page token"),
    ] {
        let config = Config { page_entries_max: Some(10), ..served(fault) };
        let emulator = Emulator::start(config).unwrap();
        let error = open(&emulator).err().unwrap_or_else(|| panic!("{fault} passed"));
        assert!(error.message().contains(said), "{fault}: {error}");
    }
}

#[test]
fn a_revoked_permission_is_told_soon() {
    let emulator = Emulator::start(served("denied:op=get,skip=5")).unwrap();
    let options = Options { failures_in_a_row: 24, ..options() };
    let image = session(&emulator, options).open(ID).unwrap().remove(0);
    let lost = (0..BLOCKS)
        .filter(|index| image.bytes.read_at((index * BLOCK) as u64, &mut [0]).is_err())
        .count();
    assert_eq!(lost, 39 - 5);
    assert_eq!(emulator.log().len(), 2 + 5 + 6, "describe, list, five good and six bad");
    assert!(image.bytes.read_at(0, &mut [0]).is_ok());
    let error = image.bytes.read_at((47 * BLOCK) as u64, &mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("UNAUTHORIZED_ACCOUNT"), "{error}");
}

#[test]
fn stays_within_the_quota_and_the_width() {
    let emulator = Emulator::start(Config {
        get_rate_per_snapshot: Some(Rate { per_second: 200.0, burst: 5.0 }),
        latency: Duration::from_millis(5),
        ..served("")
    })
    .unwrap();
    let options = Options {
        in_flight_first: 4,
        in_flight_most: 8,
        backoff_first: Duration::from_millis(50),
        ..options()
    };
    let image = session(&emulator, options).open(ID).unwrap().remove(0);
    assert!(missing(&image).is_empty());
    assert!(emulator.peak_in_flight() <= 8, "{}", emulator.peak_in_flight());
}

#[test]
fn an_image_may_go_while_its_blocks_are_on_their_way() {
    let emulator = Emulator::start(served("stall:op=get")).unwrap();
    let image = session(&emulator, impatient()).open(ID).unwrap().remove(0);
    let cache = image.ahead.clone().unwrap();
    cache.want(Run::new(0, 4 * BLOCK as u64));
    drop(cache);
    drop(image);
}

#[test]
fn opens_every_disk_of_an_ami() {
    let emulator = Emulator::start(Config {
        snapshots: vec![snapshot("snap-02"), snapshot("snap-01")],
        // Two disks may be made from one snapshot.
        amis: vec![Ami::new(AMI, &["snap-02", "snap-01", "snap-02"])],
        // Not being allowed to describe snapshots must not stop what would work.
        faults: vec!["denied-policy:op=snapshots".parse().unwrap()],
        ..Config::default()
    })
    .unwrap();
    let session = session(&emulator, options());
    let listed = session.list(AMI).unwrap();
    let estimate = listed.estimate();
    assert_eq!((estimate.blocks, estimate.list_calls), (78, 2));
    assert_eq!(listed.image.as_ref().unwrap().mappings.len(), 3);
    let images = listed.open();
    let names: Vec<_> = images.iter().map(|i| (&*i.name, i.number)).collect();
    assert_eq!(names, [("snap-02", ImageNo(0)), ("snap-01", ImageNo(1))]);
    assert!(missing(&images[1]).is_empty());
    assert!(emulator.block_fetches().keys().all(|(id, _)| id == "snap-01"));
}

/// One disk that may not be read stopped the scan of all the others.
#[test]
fn a_disk_that_cannot_be_listed_does_not_stop_the_others() {
    let mut archived = snapshot("snap-02");
    archived.archived = true;
    let emulator = Emulator::start(Config {
        snapshots: vec![archived, snapshot("snap-01")],
        amis: vec![Ami::new(AMI, &["snap-02", "snap-01"])],
        ..Config::default()
    })
    .unwrap();
    let session = session(&emulator, options());
    let listed = session.list(AMI).unwrap();
    let failed: Vec<_> = listed.failed.iter().map(|(id, error)| (&**id, error.what())).collect();
    assert!(matches!(failed[..], [("snap-02", what)] if what.contains("archived")), "{failed:?}");
    let images = listed.open();
    assert_eq!((images.len(), &*images[0].name), (1, "snap-01"));
    assert!(missing(&images[0]).is_empty());
    // Whoever asks for all of it is told.
    assert!(session.open(AMI).err().unwrap().what().contains("archived"));
}

#[test]
fn a_refusal_says_which_case_it_is() {
    type Change = fn(&mut Snapshot, &mut Ami);
    let cases: &[(&str, &str, Change)] = &[
        ("archived", "restore-snapshot-tier", |s, _| s.archived = true),
        ("not complete", "wait snapshot-completed", |s, _| s.pending = true),
        ("Outpost", "create-volume", |s, _| s.outpost = Some("arn:aws:outposts:1".to_owned())),
        ("key may not be used", "kms:Decrypt", |s, _| {
            s.encrypted = true;
            s.kms_denied = true;
        }),
        ("public and belongs to somebody else", "copy-snapshot", |s, a| {
            s.public = true;
            s.owner = "444455556666".to_owned();
            a.owner = "444455556666".to_owned();
        }),
        ("its snapshots may not be read", "run-instances", |s, a| {
            s.owner = "444455556666".to_owned();
            a.owner = "444455556666".to_owned();
            a.public = true;
        }),
        ("Marketplace", "amisweep scan /", |s, a| {
            s.owner = "444455556666".to_owned();
            a.owner = "444455556666".to_owned();
            a.product_codes = vec!["abc".to_owned()];
        }),
        ("has no snapshot", "amisweep scan disk.img", |_, a| {
            a.instance_store = true;
            a.mappings[0].snapshot = None;
        }),
        ("no such snapshot", "--region", |_, a| {
            a.mappings[0].snapshot = Some("snap-dead".to_owned());
        }),
    ];
    for (what, next, change) in cases {
        let (mut disk, mut ami) = (snapshot(ID), Ami::new(AMI, &[ID]));
        change(&mut disk, &mut ami);
        let config = Config { snapshots: vec![disk], amis: vec![ami], ..Config::default() };
        let emulator = Emulator::start(config).unwrap();
        let error = session(&emulator, options()).open(AMI).err().unwrap();
        let text = error.message();
        assert!(error.what().contains(what), "{what}: {text}");
        assert!(text.contains(next), "{what}: {text}");
    }
    let emulator = Emulator::start(served("denied-policy:op=list")).unwrap();
    let text = open(&emulator).err().unwrap().message();
    assert!(text.starts_with("the caller may not read") && text.contains("ebs:GetSnapshotBlock"));
    assert!(text.contains("(AccessDeniedException: User"), "{text}");

    let emulator = Emulator::start(served("")).unwrap();
    let session = session(&emulator, options());
    assert_eq!(session.open("ami-dead").err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(session.open("disk.img").err().unwrap().kind(), ErrorKind::Usage);
}
