//! What was compressed and lies in no file.

use super::{disk, gzip, is_deep, places, shell, swept, token};
use amisweep::limits::WINDOW_BYTES;
use amisweep::run::ImageNo;
use amisweep::sweep::Target;

/// The secret among text that keeps the packed form longer than a sector.
fn packed(secret: &str) -> Vec<u8> {
    let noise: Vec<String> =
        (0..400_u32).map(|n| n.wrapping_mul(2_654_435_761).to_string()).collect();
    gzip(format!("{}\nGITHUB_TOKEN={secret}\n{}", noise.join(" "), noise.join(",")).as_bytes())
}

#[test]
fn a_stream_at_the_beginning_of_a_sector_is_opened() {
    let window = usize::try_from(WINDOW_BYTES).unwrap();
    let spots = [(1, 512), (2, 4096 * 7), (3, window - 512), (4, window * 2), (5, 100_001)];
    let mut bytes = vec![0; 3 * window];
    for (seed, at) in spots {
        let packed = packed(&token(seed));
        bytes[at..at + packed.len()].copy_from_slice(&packed);
    }
    // What only looks like one is no news. A reader may go on behind such damage: nothing follows.
    let last = window * 2 + 512 * 200;
    bytes[last..last + 4].copy_from_slice(b"\x1f\x8b\x08\0");
    bytes[last + 512..last + 518].copy_from_slice(b"\x1f\x8b\x08\x08ab");
    let outcome = disk(bytes);
    for (seed, at) in &spots[..4] {
        assert_eq!(places(&outcome, &token(*seed), &[]), [format!("disk!gzip:{at}")]);
    }
    assert!(places(&outcome, &token(5), &[]).is_empty());
    let told = outcome.coverage.errors().iter().filter(|e| e.what.contains("gzip"));
    assert_eq!(told.count(), 0, "{:?}", outcome.coverage.errors());
}

/// Needs root, `mkfs.ext4` and a loop device.
#[test]
fn deep_a_deleted_archive_is_opened_in_free_space() {
    if !is_deep() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("inner.gz");
    shell(dir.path(), "mkdir mnt; truncate -s 64M disk; mkfs.ext4 -q -F disk", &[]);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).open(&inner).unwrap();
    std::io::Write::write_all(&mut file, &packed(&token(9))).unwrap();
    let script = "
        mount -o loop disk mnt
        trap 'umount mnt' EXIT
        head -c 300000 /dev/urandom >mnt/before
        cp inner.gz mnt/home.gz
        cp disk /dev/null
        sync -f mnt
        rm mnt/home.gz
    ";
    shell(dir.path(), script, &[]);
    let image = amisweep::image::raw::open(&dir.path().join("disk"), ImageNo(0), "disk".into());
    let outcome = swept(Target::Images(vec![image.unwrap()]));
    let found = places(&outcome, &token(9), &[]);
    assert!(found.iter().any(|at| at.contains("!gzip")), "{found:?}");
}
