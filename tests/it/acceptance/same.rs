//! The same bytes give the same report, whether they come from a file or from AWS.

use super::{AMI, BLOCK, ID, essence, list, same, scan, serve, troubles};
use crate::planted::unpack;
use amisweep::emulator::{Ami, Config, Emulator, Operation, Snapshot};
use std::collections::BTreeSet;

fn check(image: &str) {
    let disk = unpack(image);
    let file = scan(None, disk.path(), &[]);
    let expected = file.report();
    for in_bytes in [false, true] {
        let snapshot =
            Snapshot { size_in_bytes: in_bytes, ..Snapshot::from_file(ID, disk.path()).unwrap() };
        let emulator = serve(vec![snapshot]);
        let done = scan(Some(&emulator), ID, &["-q"]);
        let report = done.report();
        let what = format!("{image}, size in bytes: {in_bytes}");
        same(&what, &essence(&expected, 0), &essence(&report, 0));
        assert_eq!(troubles(&expected), troubles(&report), "{what}");
        assert_eq!((file.code, done.stderr.as_str()), (done.code, ""), "{what}");
        assert_eq!(report["target"]["kind"], "snapshot");
        each_block_was_bought_once(&emulator, report["coverage"]["written_bytes"].as_u64());
    }
}

/// One request for each listed block, and none for any other.
fn each_block_was_bought_once(emulator: &Emulator, written_bytes: Option<u64>) {
    let log = emulator.log();
    let gets = log.iter().filter(|request| request.operation == Operation::GetSnapshotBlock);
    let blocks: Vec<u64> = gets.map(|request| request.block.unwrap()).collect();
    let apart: BTreeSet<u64> = blocks.iter().copied().collect();
    assert_eq!(blocks.len(), apart.len());
    assert_eq!(Some(apart.len() as u64 * BLOCK), written_bytes);
    assert_eq!(emulator.block_fetches().len(), apart.len());
    assert!(log.iter().all(|request| request.status == 200));
}

#[test]
fn of_the_demo_disk() {
    check("demo");
}

#[test]
fn of_an_xfs_disk() {
    check("xfs-planted");
}

#[test]
fn of_both_disks_of_an_ami() {
    let (demo, dirty) = (unpack("demo"), unpack("ext4-dirty"));
    let [first, second] = [&demo, &dirty].map(|disk| scan(None, disk.path(), &[]).report());
    let emulator = Emulator::start(Config {
        snapshots: vec![
            Snapshot::from_file("snap-02", demo.path()).unwrap(),
            Snapshot::from_file("snap-01", dirty.path()).unwrap(),
        ],
        amis: vec![Ami::new(AMI, &["snap-02", "snap-01"])],
        ..Config::default()
    })
    .unwrap();
    let done = scan(Some(&emulator), AMI, &[]);
    let report = done.report();
    assert_eq!(report["target"]["kind"], "ami");
    assert_eq!(list(&report["target"], "images"), ["snap-02", "snap-01"]);
    let both = &essence(&first, 0) | &essence(&second, 1);
    same("two disks", &both, &essence(&report, 0));
    let written = |report: &serde_json::Value| report["coverage"]["written_bytes"].as_u64();
    assert_eq!(written(&report), Some(written(&first).unwrap() + written(&second).unwrap()));
    assert!(done.stderr.contains("blocks") && done.stderr.contains("us-east-1"));
}
