//! Economy: AWS charges for every block, so each that is listed is fetched once, whatever the
//! filesystem looks like.

use super::made::{Disk, age, archives};
use super::{BLOCK, ID, deep, scan, serve};
use amisweep::emulator::{Operation, Snapshot};
use std::collections::BTreeMap;

/// Fetches for each listed block that a sweep of an aged disk may take, in hundredths.
const HUNDREDTHS: u64 = 102;

fn check(what: &str, disk: &Disk) {
    for options in [
        &["-q", "--memory", "64M"][..],
        &["-q"],
        &["-q", "--memory", "64M", "-j", "8"],
        &["-q", "--memory", "64M", "-j", "1"],
    ] {
        let emulator = serve(vec![Snapshot::from_file(ID, &disk.image()).unwrap()]);
        let done = scan(Some(&emulator), ID, options);
        let report = done.report();
        let mut fetches: BTreeMap<u64, u64> = BTreeMap::new();
        for request in emulator.log() {
            assert_eq!(request.status, 200, "{request:?}");
            if request.operation == Operation::GetSnapshotBlock {
                *fetches.entry(request.block.unwrap()).or_default() += 1;
            }
        }
        let listed = report["coverage"]["written_bytes"].as_u64().unwrap() / BLOCK;
        let bought: u64 = fetches.values().sum();
        let files = &report["volumes"][0]["files"];
        eprintln!("{what} {options:?}: {bought} fetches of {listed} blocks, {files} files");
        assert_eq!(fetches.len() as u64, listed, "{what}: each listed block, and no other");
        assert!(bought * 100 <= listed * HUNDREDTHS, "{what} {options:?}: {bought} of {listed}");
        assert_eq!(report["coverage"]["complete"], true, "{what}");
    }
}

#[test]
fn deep_an_aged_ext4_disk_is_bought_once() {
    if deep() {
        let disk = Disk::make(1024, &["mkfs.ext4", "-q", "-F"]);
        disk.change(age);
        check("ext4", &disk);
    }
}

#[test]
fn deep_an_aged_xfs_disk_is_bought_once() {
    if deep() {
        let disk = Disk::make(1024, &["mkfs.xfs", "-q", "-f"]);
        disk.change(age);
        check("xfs", &disk);
    }
}

/// Who opens a container reads it beside those who sweep it raw.
#[test]
fn deep_a_disk_of_archives_is_bought_once() {
    if deep() {
        let disk = Disk::make(1024, &["mkfs.ext4", "-q", "-F"]);
        disk.change(archives);
        check("archives", &disk);
    }
}
