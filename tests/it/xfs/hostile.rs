//! Damaged and hostile volumes: whatever the bytes say, a walk ends, nothing panics, and the
//! labels still cover every byte once.

use super::small::image;
use super::{covered, open};
use amisweep::bytes::ReadAt;
use amisweep::coverage::Kind;
use amisweep::run::Run;
use std::sync::Arc;

/// The most of one stream that is read.
const READ_BYTES: u64 = 1 << 20;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound
    }
}

/// Where a structure keeps its checksum, by its magic.
fn crc_offset(block: &[u8]) -> Option<usize> {
    match &block[..4] {
        b"XFSB" => Some(224),
        b"XAGF" => Some(216),
        b"XAGI" => Some(312),
        b"XAFL" => Some(32),
        b"AB3B" | b"AB3C" | b"IAB3" | b"FIB3" | b"RMB3" | b"R3FC" => Some(52),
        b"BMA3" => Some(64),
        b"XDB3" | b"XDD3" | b"XDF3" => Some(4),
        b"XSLM" | b"XARM" => Some(12),
        [b'I', b'N', ..] => Some(100),
        _ => matches!(block[8..10], [0x3b | 0x3d | 0x3e, _]).then_some(12),
    }
}

fn repair(bytes: &mut [u8], at: usize) {
    for unit in [512, 4096] {
        let start = at - at % unit;
        let block = &mut bytes[start..start + unit];
        let Some(offset) = crc_offset(block) else { continue };
        let small = matches!(&block[..4], b"XFSB" | b"XAGF" | b"XAGI" | b"XAFL" | [b'I', b'N', ..]);
        if small != (unit == 512) {
            continue;
        }
        block[offset..offset + 4].fill(0);
        let crc = crc32c::crc32c(block);
        block[offset..offset + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

fn mutate(bytes: &mut [u8], metadata: &[Run], random: &mut Random, repaired: bool) {
    for _ in 0..=random.below(6) {
        let run = metadata[random.below(metadata.len())];
        let unit = if random.below(2) == 0 { 512 } else { 4096 };
        let start = usize::try_from(run.start).unwrap();
        let block = random.below(usize::try_from(run.len).unwrap() / unit) * unit;
        // The first bytes of a structure hold its counts and pointers.
        let within = if random.below(3) == 0 { unit } else { 256 };
        let at = start + block + random.below(within);
        let value = [0, 1, 0x7f, 0x80, 0xff, u8::try_from(random.below(256)).unwrap()];
        let value = value[random.below(value.len())];
        let len = [1, 1, 2, 4, 8][random.below(5)].min(bytes.len() - at);
        bytes[at..at + len].fill(value);
        if repaired {
            repair(bytes, at);
        }
    }
}

fn survive(bytes: Vec<u8>) {
    let volume: Arc<dyn ReadAt> = Arc::new(bytes);
    let Ok(fs) = open(&volume) else { return };
    let mut files = 0;
    let mut errors = 0;
    fs.walk(&mut |visited| match visited {
        Ok(entry) => {
            files += 1;
            for (index, stream) in entry.streams.iter().enumerate() {
                let reader = fs.open(&entry, index).unwrap();
                assert_eq!(reader.len(), stream.size);
                let len = stream.size.min(READ_BYTES);
                let mut buf = vec![0; usize::try_from(len).unwrap()];
                // Bytes past the volume's end are an error, and nothing worse.
                let _ = reader.read_at(0, &mut buf);
            }
        }
        Err(_) => errors += 1,
    });
    assert!(files <= 70_000 && errors < 2000, "{files} files and {errors} errors");
    covered(&*fs, &[], volume.len());
}

fn torture(name: &str, rounds: u64) {
    let clean = image(name);
    let volume: Arc<dyn ReadAt> = Arc::new(clean.clone());
    let labels = open(&volume).unwrap().label(Run::new(0, volume.len()));
    let metadata: Vec<Run> =
        labels.into_iter().filter(|part| part.1 == Kind::Metadata).map(|part| part.0).collect();
    for round in 0..rounds {
        let mut random = Random(0x5eed_0000 + round * 7919 + 1);
        let mut bytes = clean.clone();
        mutate(&mut bytes, &metadata, &mut random, round % 2 == 0);
        survive(bytes);
    }
}

fn rounds() -> u64 {
    if std::env::var_os("AMISWEEP_DEEP").is_some_and(|v| v == "1") { 300 } else { 25 }
}

#[test]
fn survives_mutations_of_version_5() {
    torture("xfs-v5", rounds());
}

#[test]
fn survives_mutations_of_version_4() {
    torture("xfs-v4", rounds());
}
