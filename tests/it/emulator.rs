//! The emulator, driven by the clients it is made for: the AWS SDKs themselves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use amisweep::emulator::{Ami, Config, Emulator, Fault, Kind, Mapping, Operation, Rate, Snapshot};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_ebs::Client as Ebs;
use aws_sdk_ebs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ebs::operation::get_snapshot_block::{GetSnapshotBlockError, GetSnapshotBlockOutput};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use base64::Engine as _;
use sha2::Digest as _;
use std::sync::Arc;
use std::time::Duration;

const BLOCK: usize = 524_288;
const ID: &str = "snap-0a1b";

/// Five blocks and a tail: 0, 2 and 4 hold data, 5 is 100 bytes long.
fn disk() -> Vec<u8> {
    let mut bytes = vec![0; 5 * BLOCK + 100];
    for index in [0, 2, 4, 5] {
        bytes[index * BLOCK..][..100].fill(u8::try_from(index + 1).unwrap());
    }
    bytes
}

fn snapshot(id: &str, bytes: Vec<u8>) -> Snapshot {
    Snapshot::from_bytes(id, Arc::new(bytes))
}

fn one_disk() -> Config {
    Config { snapshots: vec![snapshot(ID, disk())], ..Config::default() }
}

struct Cloud {
    emulator: Emulator,
    ebs: Ebs,
    ec2: Ec2,
}

/// Without retries: what a test counts is what it sent.
async fn cloud(config: Config) -> Cloud {
    let emulator = Emulator::start(config).unwrap();
    let shared = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(emulator.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .load()
        .await;
    Cloud { emulator, ebs: Ebs::new(&shared), ec2: Ec2::new(&shared) }
}

impl Cloud {
    fn fault(&self, text: &str) {
        self.emulator.clear_faults();
        self.emulator.add_fault(text.parse().unwrap());
    }

    /// All listed blocks and their tokens.
    async fn list(&self, id: &str) -> Vec<(i32, String)> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .ebs
                .list_snapshot_blocks()
                .snapshot_id(id)
                .set_next_token(token)
                .send()
                .await
                .unwrap();
            assert_eq!(page.block_size(), Some(524_288));
            assert!(page.expiry_time().is_some());
            found.extend(page.blocks().iter().map(|block| {
                (block.block_index().unwrap(), block.block_token().unwrap().to_owned())
            }));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return found;
            }
        }
    }

    async fn get(
        &self,
        index: i32,
        token: &str,
    ) -> Result<GetSnapshotBlockOutput, SdkError<GetSnapshotBlockError>> {
        let call = self.ebs.get_snapshot_block().snapshot_id(ID);
        call.block_index(index).block_token(token).send().await
    }

    /// What getting block 0 ends with: code and reason, or what the body looks like.
    async fn outcome(&self, token: &str) -> String {
        match self.get(0, token).await {
            Err(SdkError::ServiceError(error)) => {
                let status = error.raw().status().as_u16();
                let error = error.into_err();
                let reason = reason(&error);
                format!("{status} {} {reason}", error.code().unwrap_or("-")).trim_end().to_owned()
            }
            Err(SdkError::ResponseError(error)) => {
                format!("{} unreadable", error.raw().status().as_u16())
            }
            Err(SdkError::DispatchFailure(_)) => "no answer".to_owned(),
            Err(error) => format!("{error:?}"),
            Ok(block) => describe(block).await,
        }
    }
}

fn reason(error: &GetSnapshotBlockError) -> String {
    match error {
        GetSnapshotBlockError::AccessDeniedException(e) => e.reason().to_string(),
        GetSnapshotBlockError::RequestThrottledException(e) => e.reason().unwrap().to_string(),
        GetSnapshotBlockError::ResourceNotFoundException(e) => e.reason().unwrap().to_string(),
        GetSnapshotBlockError::ServiceQuotaExceededException(e) => e.reason().unwrap().to_string(),
        GetSnapshotBlockError::ValidationException(e) => e.reason().unwrap().to_string(),
        _ => String::new(),
    }
}

async fn describe(block: GetSnapshotBlockOutput) -> String {
    let length = block.data_length();
    let checksum = block.checksum().map(str::to_owned);
    let algorithm = block.checksum_algorithm().map(|a| a.as_str().to_owned());
    let Ok(body) = block.block_data.collect().await else { return "cut".to_owned() };
    let bytes = body.into_bytes();
    let sum = match checksum {
        None => "no sum",
        Some(sum) if sum == sha256(&bytes) => "sum matches",
        Some(_) => "sum differs",
    };
    let data = if bytes[..] == disk()[..BLOCK] { "right" } else { "wrong" };
    format!(
        "{} bytes, told {}, {data}, {}, {sum}",
        bytes.len(),
        length.unwrap_or_default(),
        algorithm.unwrap_or_default()
    )
}

fn sha256(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(bytes))
}

#[tokio::test]
async fn every_listed_block_comes_back_equal() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file.as_file(), &disk()).unwrap();
    let snapshot =
        Snapshot { listed_zeros: vec![1], ..Snapshot::from_file(ID, file.path()).unwrap() };
    let config = Config {
        snapshots: vec![snapshot],
        page_entries_max: Some(2),
        empty_pages: 2,
        ..Config::default()
    };
    let cloud = cloud(config).await;
    let blocks = cloud.list(ID).await;
    assert_eq!(blocks.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2, 4, 5]);
    let mut padded = disk();
    padded.resize(6 * BLOCK, 0);
    for (index, token) in &blocks {
        let block = cloud.get(*index, token).await.unwrap();
        assert_eq!(block.data_length(), Some(524_288));
        let sum = block.checksum().unwrap().to_owned();
        let bytes = block.block_data.collect().await.unwrap().into_bytes();
        let start = usize::try_from(*index).unwrap() * BLOCK;
        assert!(bytes[..] == padded[start..start + BLOCK], "block {index}");
        assert_eq!(sum, sha256(&bytes));
    }
    let fetches = cloud.emulator.block_fetches();
    assert_eq!(fetches.len(), 5);
    assert!(fetches.values().all(|times| *times == 1));
    let log = cloud.emulator.log();
    let lists = log.iter().filter(|r| r.operation == Operation::ListSnapshotBlocks);
    // Two empty pages, then 2 + 2 + 1 entries.
    assert_eq!(lists.map(|r| r.paged).collect::<Vec<_>>(), [false, true, true, true, true]);
    assert!(log.iter().all(|r| r.status == 200 && r.invocation.is_some()));
    assert!(log.is_sorted_by_key(|r| r.sequence));
    assert_eq!(cloud.emulator.peak_in_flight(), 1);
}

#[tokio::test]
async fn a_listing_starts_where_it_is_told_and_minds_its_bounds() {
    let cloud = cloud(Config { page_entries_max: Some(1), ..one_disk() }).await;
    let list = || cloud.ebs.list_snapshot_blocks().snapshot_id(ID);
    let page = list().starting_block_index(1).send().await.unwrap();
    assert_eq!(page.blocks()[0].block_index(), Some(2));
    // A page token overrides the starting block.
    let next = page.next_token().unwrap();
    let page = list().next_token(next).starting_block_index(0).send().await.unwrap();
    assert_eq!(page.blocks()[0].block_index(), Some(4));
    for (max, ok) in [(99, false), (100, true), (10_000, true), (10_001, false)] {
        assert_eq!(list().max_results(max).send().await.is_ok(), ok, "{max}");
    }
    let page = list().starting_block_index(6).send().await.unwrap();
    assert!(page.blocks().is_empty() && page.next_token().is_none());
}

#[tokio::test]
async fn tokens_are_bound_and_end() {
    let config = Config {
        snapshots: vec![snapshot(ID, disk()), snapshot("snap-2", disk())],
        page_entries_max: Some(1),
        frozen_clock: true,
        ..Config::default()
    };
    let cloud = cloud(config).await;
    let blocks = cloud.list(ID).await;
    let others = cloud.list("snap-2").await;
    assert_ne!(blocks, others);
    let token = &blocks[0].1;
    let expired = "400 ValidationException INVALID_BLOCK_TOKEN";
    assert!(cloud.outcome(token).await.starts_with("524288 bytes"));
    for wrong in [&blocks[1].1, &others[0].1, &"AAAA".to_owned()] {
        assert_eq!(cloud.outcome(wrong).await, expired);
    }
    let error = cloud.get(1, token).await.unwrap_err().into_service_error();
    assert_eq!(reason(&error), "INVALID_BLOCK");

    let list = || cloud.ebs.list_snapshot_blocks();
    let page = list().snapshot_id(ID).send().await.unwrap();
    let next = page.next_token().unwrap();
    assert!(list().snapshot_id("snap-2").next_token(next).send().await.is_err());
    assert!(list().snapshot_id(ID).next_token(next).send().await.is_ok());
    cloud.emulator.advance(Duration::from_hours(1));
    assert!(list().snapshot_id(ID).next_token(next).send().await.is_err());
    assert!(cloud.outcome(token).await.starts_with("524288 bytes"));
    cloud.emulator.advance(Duration::from_hours(7 * 24));
    assert_eq!(cloud.outcome(token).await, expired);

    let fresh = cloud.list(ID).await.swap_remove(0).1;
    assert!(cloud.outcome(&fresh).await.starts_with("524288 bytes"));
    cloud.fault("expire-all:times=1");
    assert_eq!(cloud.outcome(&fresh).await, expired);
    let fresh = cloud.list(ID).await.swap_remove(0).1;
    assert!(cloud.outcome(&fresh).await.starts_with("524288 bytes"));
}

#[tokio::test]
async fn tokens_may_end_with_the_next_listing() {
    let cloud = cloud(Config { tokens_end_with_next_list: true, ..one_disk() }).await;
    let old = cloud.list(ID).await;
    let new = cloud.list(ID).await;
    assert_eq!(cloud.outcome(&old[0].1).await, "400 ValidationException INVALID_BLOCK_TOKEN");
    assert!(cloud.outcome(&new[0].1).await.starts_with("524288 bytes"));
}

#[tokio::test]
async fn changes_are_listed_from_both_sides() {
    let mut later = disk();
    later[0] ^= 1;
    later[2 * BLOCK..3 * BLOCK].fill(0);
    later[3 * BLOCK] = 9;
    let snapshots = vec![
        snapshot("snap-1", disk()),
        Snapshot { parent: Some("snap-1".to_owned()), ..snapshot("snap-2", later) },
        snapshot("snap-3", disk()),
    ];
    let config = Config { snapshots, page_entries_max: Some(2), ..Config::default() };
    let cloud = cloud(config).await;
    let changes = async |first: &str, second: &str| {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let call = cloud.ebs.list_changed_blocks().set_next_token(token);
            let call = call.first_snapshot_id(first).second_snapshot_id(second);
            let page =
                call.send().await.map_err(aws_sdk_ebs::error::SdkError::into_service_error)?;
            for block in page.changed_blocks() {
                found.push((
                    block.block_index().unwrap(),
                    block.first_block_token().is_some(),
                    block.second_block_token().map(str::to_owned),
                ));
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok::<_, aws_sdk_ebs::operation::list_changed_blocks::ListChangedBlocksError>(
                    found,
                );
            }
        }
    };
    let shape = |found: Vec<(i32, bool, Option<String>)>| {
        found.into_iter().map(|(i, a, b)| (i, a, b.is_some())).collect::<Vec<_>>()
    };
    let forth = changes("snap-1", "snap-2").await.unwrap();
    let token = forth[0].2.clone().unwrap();
    assert_eq!(shape(forth), [(0, true, true), (2, true, false), (3, false, true)]);
    let back = changes("snap-2", "snap-1").await.unwrap();
    assert_eq!(shape(back), [(0, true, true), (2, false, true), (3, true, false)]);
    let get = cloud.ebs.get_snapshot_block().snapshot_id("snap-2").block_index(0);
    assert!(get.block_token(token).send().await.is_ok());
    let error = changes("snap-1", "snap-3").await.unwrap_err();
    assert!(format!("{error:?}").contains("UnrelatedSnapshots"), "{error:?}");
}

#[tokio::test]
async fn snapshots_out_of_reach_are_refused_as_aws_does() {
    let base = || snapshot("snap-1", disk());
    for (facts, expected) in [
        (Snapshot { public: true, ..base() }, "UNAUTHORIZED_ACCOUNT"),
        (Snapshot { owner: "999999999999".to_owned(), ..base() }, "UNAUTHORIZED_ACCOUNT"),
        (Snapshot { kms_denied: true, ..base() }, "DEPENDENCY_ACCESS_DENIED"),
        (Snapshot { pending: true, ..base() }, "INVALID_SNAPSHOT_ID"),
        (Snapshot { archived: true, ..base() }, "INVALID_SNAPSHOT_ID"),
        (Snapshot { id: "snap-2".to_owned(), ..base() }, "SNAPSHOT_NOT_FOUND"),
    ] {
        let cloud = cloud(Config { snapshots: vec![facts], ..Config::default() }).await;
        let call = cloud.ebs.list_snapshot_blocks().snapshot_id("snap-1");
        assert!(call.send().await.is_err());
        let error = cloud.emulator.log()[0].error.clone().unwrap();
        assert!(error.ends_with(expected), "{error}, not {expected}");
    }
    let shared =
        Snapshot { owner: "999999999999".to_owned(), shared: true, ..snapshot(ID, disk()) };
    let cloud = cloud(Config { snapshots: vec![shared], ..Config::default() }).await;
    assert_eq!(cloud.list(ID).await.len(), 4);
}

#[tokio::test]
async fn each_fault_looks_as_it_does_on_the_wire() {
    let good = "524288 bytes, told 524288, right, SHA256, sum matches";
    let cloud = cloud(one_disk()).await;
    let token = cloud.list(ID).await.swap_remove(0).1;
    for (fault, expected) in [
        ("throttle", "400 RequestThrottledException RESOURCE_LEVEL_THROTTLE"),
        ("throttle-account", "400 ThrottlingException"),
        ("throttle-503", "503 ThrottlingException"),
        ("error-500", "500 InternalServerException"),
        ("empty-503", "503 unreadable"),
        ("html-500", "500 unreadable"),
        ("quota", "402 ServiceQuotaExceededException DEPENDENCY_SERVICE_QUOTA_EXCEEDED"),
        ("denied", "403 AccessDeniedException UNAUTHORIZED_ACCOUNT"),
        ("denied-kms", "403 AccessDeniedException DEPENDENCY_ACCESS_DENIED"),
        ("denied-policy", "403 AccessDeniedException no value was set"),
        ("bad-signature", "403 InvalidSignatureException"),
        ("expired-credentials", "403 ExpiredTokenException"),
        ("not-found", "404 ResourceNotFoundException SNAPSHOT_NOT_FOUND"),
        ("expired-token", "400 ValidationException INVALID_BLOCK_TOKEN"),
        ("bad-token", "400 ValidationException INVALID_BLOCK_TOKEN"),
        ("reset", "no answer"),
        ("delay=1", good),
        ("truncate", "cut"),
        ("truncate=0", "cut"),
        ("truncate=524287", "cut"),
        ("corrupt", "524288 bytes, told 524288, wrong, SHA256, sum differs"),
        ("changed", "524288 bytes, told 524288, wrong, SHA256, sum matches"),
        ("wrong-block", "524288 bytes, told 524288, wrong, SHA256, sum differs"),
        ("wrong-checksum", "524288 bytes, told 524288, right, SHA256, sum differs"),
        ("no-checksum", "524288 bytes, told 524288, right, , no sum"),
        ("unknown-algorithm", "524288 bytes, told 524288, right, CRC64NVME, sum matches"),
        ("wrong-length", "524288 bytes, told 524287, right, SHA256, sum matches"),
        ("empty-body", "0 bytes, told 524288, wrong, SHA256, sum differs"),
        ("slow=50000000", good),
    ] {
        cloud.fault(&format!("{fault}:times=1"));
        assert_eq!(cloud.outcome(&token).await, expected, "{fault}");
        let last = cloud.emulator.log().pop().unwrap();
        assert!(last.fault.unwrap().starts_with(fault.split('=').next().unwrap()), "{fault}");
        assert_eq!(cloud.outcome(&token).await, good, "after {fault}");
    }
}

#[tokio::test]
async fn a_throttle_tells_when_to_come_back() {
    let cloud = cloud(one_disk()).await;
    let token = cloud.list(ID).await.swap_remove(0).1;
    cloud.fault("throttle:retry-after=50");
    let SdkError::ServiceError(error) = cloud.get(0, &token).await.unwrap_err() else {
        panic!("no service error")
    };
    assert_eq!(error.raw().headers().get("x-amz-retry-after"), Some("50"));
}

#[tokio::test]
async fn a_listing_may_repeat_its_token_or_come_empty() {
    let cloud = cloud(Config { page_entries_max: Some(2), ..one_disk() }).await;
    let list = || cloud.ebs.list_snapshot_blocks().snapshot_id(ID);
    let first = list().send().await.unwrap();
    let token = first.next_token().unwrap();
    cloud.fault("repeat-token");
    let second = list().next_token(token).send().await.unwrap();
    assert_eq!(second.next_token(), Some(token));
    cloud.fault("empty-page:times=1");
    let empty = list().next_token(token).send().await.unwrap();
    assert!(empty.blocks().is_empty());
    let third = list().next_token(empty.next_token().unwrap()).send().await.unwrap();
    assert_eq!(third.blocks()[0].block_index(), Some(4));
    assert_eq!(third.next_token(), None);
}

#[tokio::test]
async fn a_stall_ends_with_its_client_or_the_emulator() {
    let cloud = cloud(one_disk()).await;
    let token = cloud.list(ID).await.swap_remove(0).1;
    cloud.fault("stall:times=1");
    let patience = Duration::from_millis(20);
    assert!(tokio::time::timeout(patience, cloud.get(0, &token)).await.is_err());
    let idle = async {
        while cloud.emulator.in_flight() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), idle).await.unwrap();
    cloud.fault("stall-body=1000:times=1");
    let block = cloud.get(0, &token).await.unwrap();
    let body = tokio::spawn(block.block_data.collect());
    drop(cloud.emulator);
    assert!(body.await.unwrap().is_err());
}

#[tokio::test]
async fn rates_are_kept() {
    let rate = Rate { per_second: 1.0, burst: 2.0 };
    let config = Config { get_rate_per_snapshot: Some(rate), frozen_clock: true, ..one_disk() };
    let cloud = cloud(config).await;
    let token = cloud.list(ID).await.swap_remove(0).1;
    for _ in 0..2 {
        assert!(cloud.get(0, &token).await.is_ok());
    }
    assert!(cloud.outcome(&token).await.contains("RESOURCE_LEVEL_THROTTLE"));
    cloud.emulator.advance(Duration::from_secs(1));
    assert!(cloud.get(0, &token).await.is_ok());
    assert_eq!(cloud.emulator.block_fetches()[&(ID.to_owned(), 0)], 3);
}

#[tokio::test]
async fn ec2_describes_images_and_snapshots() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/1";
    let encrypted = Snapshot {
        encrypted: true,
        kms_key: Some(key.to_owned()),
        archived: true,
        outpost: Some("arn:aws:outposts:us-east-1:123456789012:outpost/op-1".to_owned()),
        description: "a <b> & \"c\"".to_owned(),
        ..snapshot("snap-2", disk())
    };
    let image = Ami {
        name: "web <1>".to_owned(),
        public: true,
        product_codes: vec!["code1".to_owned()],
        ..Ami::new("ami-0123", &[ID, "snap-2"])
    };
    let store = Ami {
        instance_store: true,
        mappings: vec![Mapping { device: "/dev/sdb".to_owned(), snapshot: None }],
        ..Ami::new("ami-0456", &[])
    };
    let config = Config {
        snapshots: vec![snapshot(ID, disk()), encrypted],
        amis: vec![image, store],
        ..Config::default()
    };
    let cloud = cloud(config).await;
    let found = cloud.ec2.describe_images().image_ids("ami-0123").send().await.unwrap();
    let [image] = found.images() else { panic!("{found:?}") };
    assert_eq!(image.name(), Some("web <1>"));
    assert_eq!(image.owner_id(), Some("123456789012"));
    assert_eq!((image.public(), image.root_device_name()), (Some(true), Some("/dev/xvda")));
    assert_eq!(image.root_device_type().unwrap().as_str(), "ebs");
    assert_eq!(image.state().unwrap().as_str(), "available");
    assert_eq!(image.product_codes()[0].product_code_id(), Some("code1"));
    assert_eq!(image.product_codes()[0].product_code_type().unwrap().as_str(), "marketplace");
    let disks: Vec<_> = image.block_device_mappings().iter().map(|m| m.ebs().unwrap()).collect();
    assert_eq!((disks[0].snapshot_id(), disks[0].encrypted()), (Some(ID), Some(false)));
    assert_eq!((disks[1].kms_key_id(), disks[1].volume_size()), (Some(key), Some(1)));

    let all = cloud.ec2.describe_images().owners("self").send().await.unwrap();
    assert_eq!(all.images().len(), 2);
    assert_eq!(all.images()[1].root_device_type().unwrap().as_str(), "instance-store");
    assert!(all.images()[1].block_device_mappings()[0].ebs().is_none());

    let found = cloud.ec2.describe_snapshots().snapshot_ids("snap-2").send().await.unwrap();
    let [facts] = found.snapshots() else { panic!("{found:?}") };
    assert_eq!(facts.description(), Some("a <b> & \"c\""));
    assert_eq!((facts.encrypted(), facts.kms_key_id()), (Some(true), Some(key)));
    assert_eq!(facts.state().unwrap().as_str(), "completed");
    assert_eq!(facts.storage_tier().unwrap().as_str(), "archive");
    assert!(facts.outpost_arn().unwrap().ends_with("op-1"));
}

#[tokio::test]
async fn ec2_refuses_in_its_own_words() {
    let config = Config { amis: vec![Ami::new("ami-0123", &[ID])], ..one_disk() };
    let cloud = cloud(config).await;
    let images = async |id: &str| {
        let answer = cloud.ec2.describe_images().image_ids(id).send().await;
        answer.unwrap_err().code().unwrap_or("-").to_owned()
    };
    assert_eq!(images("ami-0999").await, "InvalidAMIID.NotFound");
    assert_eq!(images("x").await, "InvalidAMIID.Malformed");
    let answer = cloud.ec2.describe_snapshots().snapshot_ids("snap-9").send().await;
    assert_eq!(answer.unwrap_err().code(), Some("InvalidSnapshot.NotFound"));
    let answer = cloud.ec2.describe_volumes().send().await;
    assert_eq!(answer.unwrap_err().code(), Some("InvalidAction"));
    for (fault, code) in [("denied", "UnauthorizedOperation"), ("throttle", "RequestLimitExceeded")]
    {
        cloud.fault(&format!("{fault}:op=images"));
        assert_eq!(images("ami-0123").await, code);
    }
}

#[tokio::test]
async fn an_unsigned_request_is_refused() {
    use std::io::{Read as _, Write as _};
    let emulator = Emulator::start(one_disk()).unwrap();
    let address = emulator.endpoint().replace("http://", "");
    for (host, path, expected) in [
        ("127.0.0.1", format!("/snapshots/{ID}/blocks"), "MissingAuthenticationToken"),
        ("127.0.0.1", "/?Action=DescribeImages".to_owned(), "AuthFailure"),
        ("evil.example", format!("/snapshots/{ID}/blocks"), "loopback only"),
    ] {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
        assert!(answer.contains(expected), "{answer}");
    }
}

#[test]
fn a_configuration_that_cannot_be_served_is_refused() {
    let start = |config: Config| Emulator::start(config).map(|_| ()).unwrap_err().to_string();
    let snapshots = vec![snapshot("snap-xyz", disk())];
    assert!(start(Config { snapshots, ..Config::default() }).contains("snap-xyz"));
    let snapshots = vec![snapshot(ID, disk()), snapshot(ID, disk())];
    assert!(start(Config { snapshots, ..Config::default() }).contains("twice"));
    assert_eq!(Fault::new(Kind::Reset).to_string(), "reset");
}
