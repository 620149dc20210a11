//! Volumes: partition tables built here byte by byte, then damaged; and the system's own tools as
//! witnesses where they are installed.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use amisweep::bytes::{ReadAt, past_end, read_vec};
use amisweep::coverage::{Coverage, Kind};
use amisweep::detect::Engine;
use amisweep::error::{Error, ErrorKind, Result};
use amisweep::image::Image;
use amisweep::run::{ImageNo, Run, RunSet};
use amisweep::sweep::{FingerprintKey, Options, Progress, Target, sweep};
use amisweep::volume::{Layout, VOLUME_SYSTEMS};
use std::fmt::Write as _;
use std::sync::Arc;

/// A disk that knows where its volumes lie.
struct Disk {
    bytes: Vec<u8>,
    /// Bytes that cannot be read.
    bad: Run,
}

impl ReadAt for Disk {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if !self.bad.intersect(Run::new(offset, buf.len() as u64)).is_empty() {
            return Err(Error::new(ErrorKind::Unreadable, "bad block"));
        }
        let start = usize::try_from(offset).unwrap();
        let end = start.checked_add(buf.len());
        let found = end.and_then(|end| self.bytes.get(start..end));
        buf.copy_from_slice(found.ok_or_else(|| past_end(offset, buf.len(), self.len()))?);
        Ok(())
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        vec![(ImageNo(0), run)]
    }
}

/// The first volume system that claims the disk, and what it finds.
fn open(bytes: Vec<u8>, bad: Run) -> Result<Option<(&'static str, Layout)>> {
    let disk: Arc<dyn ReadAt> = Arc::new(Disk { bytes, bad });
    for system in VOLUME_SYSTEMS {
        if (system.probe)(&*disk)? {
            return (system.open)(&disk).map(|layout| Some((system.name, layout)));
        }
    }
    Ok(None)
}

/// `GPT: p1 2048+4096 Linux filesystem, root; ! primary GPT is damaged …`, in sectors.
fn show(bytes: Vec<u8>, sector: u64) -> String {
    let found = open(bytes, Run::default()).unwrap();
    let Some((name, layout)) = found else { return "none".into() };
    let mut text = format!("{name}:");
    for volume in &layout.volumes {
        let run = volume.bytes.locate(Run::new(0, volume.bytes.len()))[0].1;
        let (start, len) = (run.start / sector, run.len / sector);
        write!(text, " {} {start}+{len} {};", volume.name, volume.label).unwrap();
    }
    for trouble in &layout.troubles {
        write!(text, " ! {};", trouble.message()).unwrap();
    }
    for remark in &layout.remarks {
        write!(text, " * {remark};").unwrap();
    }
    text
}

const LINUX: [u8; 16] = *b"\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4";
const ESP: [u8; 16] = *b"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b";

fn put(disk: &mut [u8], at: usize, bytes: &[u8]) {
    disk[at..at + bytes.len()].copy_from_slice(bytes);
}

struct Gpt {
    sector: usize,
    sectors: usize,
    count: u32,
    entry_bytes: u32,
    /// Number, type, first and last sector, name.
    entries: Vec<(usize, [u8; 16], u64, u64, Vec<u16>)>,
}

impl Gpt {
    fn sample(sector: usize) -> Gpt {
        let name = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let entries = vec![
            (1, LINUX, 200, 299, name("cloudimg-rootfs")),
            (15, ESP, 100, 149, name("")),
            (128, LINUX, 300, 300, name("a#b:\u{202e}\n")),
        ];
        Gpt { sector, sectors: 512, count: 128, entry_bytes: 128, entries }
    }

    fn header(&self, my_lba: u64, other_lba: u64, entries_lba: u64, array: &[u8]) -> Vec<u8> {
        let mut header = vec![0; 92];
        put(&mut header, 0, b"EFI PART\0\0\x01\0\x5c\0\0\0");
        put(&mut header, 24, &my_lba.to_le_bytes());
        put(&mut header, 32, &other_lba.to_le_bytes());
        put(&mut header, 72, &entries_lba.to_le_bytes());
        put(&mut header, 80, &self.count.to_le_bytes());
        put(&mut header, 84, &self.entry_bytes.to_le_bytes());
        put(&mut header, 88, &crc32fast::hash(array).to_le_bytes());
        let crc = crc32fast::hash(&header);
        put(&mut header, 16, &crc.to_le_bytes());
        header
    }

    fn build(&self) -> Vec<u8> {
        let entry_bytes = self.entry_bytes as usize;
        let mut array = vec![0; self.count as usize * entry_bytes];
        for (number, kind, first, last, name) in &self.entries {
            let at = (number - 1) * entry_bytes;
            put(&mut array, at, kind);
            put(&mut array, at + 32, &first.to_le_bytes());
            put(&mut array, at + 40, &last.to_le_bytes());
            let name: Vec<u8> = name.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            put(&mut array, at + 56, &name);
        }
        let mut disk = vec![0; self.sectors * self.sector];
        let last = self.sectors as u64 - 1;
        let array_sectors = array.len().div_ceil(self.sector) as u64;
        put(&mut disk, 446, b"\0\0\x02\0\xee\xff\xff\xff\x01\0\0\0\xff\xff\xff\xff");
        put(&mut disk, 510, b"\x55\xaa");
        put(&mut disk, self.sector, &self.header(1, last, 2, &array));
        put(&mut disk, 2 * self.sector, &array);
        let backup = last - array_sectors;
        put(&mut disk, backup as usize * self.sector, &array);
        put(&mut disk, last as usize * self.sector, &self.header(last, 1, backup, &array));
        disk
    }
}

const SAMPLE: &str = "GPT: p15 100+50 EFI system; p1 200+100 Linux filesystem, cloudimg-rootfs; \
    p128 300+1 Linux filesystem, a%23b%3A%E2%80%AE%0A;";

#[test]
fn gpt_of_both_sector_sizes() {
    for sector in [512, 4096] {
        let gpt = Gpt::sample(sector);
        assert_eq!(show(gpt.build(), sector as u64), SAMPLE);
        let larger = Gpt { entry_bytes: 256, count: 136, ..gpt };
        assert_eq!(show(larger.build(), sector as u64), SAMPLE);
    }
}

#[test]
fn gpt_without_its_protective_mbr() {
    let mut disk = Gpt::sample(512).build();
    disk[..512].fill(0);
    assert_eq!(show(disk.clone(), 512), SAMPLE);
    put(&mut disk, 446, &mbr_entry(0x83, 7, 9));
    put(&mut disk, 462, &mbr_entry(0xee, 1, 6));
    put(&mut disk, 510, b"\x55\xaa");
    assert_eq!(show(disk, 512), SAMPLE, "a hybrid one");
}

const LEFT: &str = "* a GPT is left on the disk, which the MBR does not protect; the MBR counts;";

/// A disk that was given an MBR over a GPT that nobody wiped was read by the GPT, as no system
/// does.
#[test]
fn an_mbr_that_does_not_protect_a_gpt_counts() {
    for sector in [512, 4096] {
        let mut disk = Gpt::sample(sector).build();
        put(&mut disk, 446, &mbr_entry(0x83, 100, 200));
        assert_eq!(show(disk.clone(), 512), format!("MBR: p1 100+200 Linux (0x83); {LEFT}"));
        let (_, errors, complete) = told(disk.clone());
        assert!(complete && errors == LEFT[2..LEFT.len() - 1], "{errors}");
        // Of a damaged one there is nothing to say.
        let last = disk.len() - sector;
        disk[sector + 16] ^= 1;
        disk[last + 16] ^= 1;
        assert_eq!(show(disk, 512), "MBR: p1 100+200 Linux (0x83);");
    }
}

#[test]
fn gpt_with_a_broken_primary() {
    let used = "! primary GPT is damaged, the backup was used;";
    for sector in [512, 4096] {
        let whole = Gpt::sample(sector).build();
        let breaks: [fn(&mut [u8], usize); 5] = [
            |disk, sector| disk[sector..2 * sector].fill(0),
            |disk, sector| disk[..34 * sector].fill(0),
            |disk, sector| disk[sector + 17] ^= 1,
            |disk, sector| disk[2 * sector + 40] ^= 1,
            |disk, sector| disk[sector + 80] ^= 0xff,
        ];
        for (number, damage) in breaks.iter().enumerate() {
            let mut disk = whole.clone();
            damage(&mut disk, sector);
            assert_eq!(show(disk, sector as u64), format!("{SAMPLE} {used}"), "{number}");
        }
        let bad = Run::new(sector as u64, 1);
        let (_, layout) = open(whole, bad).unwrap().unwrap();
        let troubles: Vec<_> = layout.troubles.iter().map(Error::message).collect();
        assert_eq!(troubles, ["primary GPT is damaged, the backup was used: bad block"]);
    }
}

#[test]
fn gpt_on_a_disk_that_grew() {
    let mut disk = Gpt::sample(512).build();
    disk.resize(disk.len() * 2, 0);
    assert_eq!(show(disk.clone(), 512), SAMPLE);
    disk[1024 + 3] ^= 1;
    assert!(show(disk, 512).ends_with("the backup was used;"), "found through the primary");
}

#[test]
fn gpt_with_two_broken_copies() {
    let mut disk = Gpt::sample(512).build();
    let last = disk.len() - 512;
    disk[512 + 16] ^= 1;
    disk[last + 16] ^= 1;
    assert_eq!(show(disk, 512), format!("{SAMPLE} ! both copies of the GPT are damaged;"));
}

#[test]
fn leftovers_of_a_gpt_do_not_count() {
    let mut disk = Gpt::sample(512).build();
    disk[512..1024].fill(0);
    put(&mut disk, 446, &mbr_entry(0x83, 7, 9));
    assert_eq!(show(disk, 512), format!("MBR: p1 7+9 Linux (0x83); {LEFT}"), "the backup");
    let mut disk = Gpt::sample(512).build();
    disk[..512].fill(0);
    disk[1024..2048].fill(0);
    put(&mut disk, 1024, b"\x10");
    put(&mut disk, 1048, b"\x02");
    put(&mut disk, 1080, b"\x53\xef");
    assert_eq!(show(disk, 512), "none", "ext over the whole disk");
}

#[test]
fn gpt_entries_that_lie() {
    let mut gpt = Gpt::sample(512);
    let surrogates = vec![0xd800, 0x41, 0xdfff];
    gpt.entries = vec![
        (1, LINUX, 100, 199, surrogates),
        (2, LINUX, 150, 160, vec![]),
        (3, LINUX, 500, u64::MAX - 1, vec![]),
        (4, LINUX, 400, 900, vec![]),
        (5, LINUX, 20, 10, vec![]),
        (6, LINUX, u64::MAX, u64::MAX, vec![]),
    ];
    assert_eq!(
        show(gpt.build(), 512),
        "GPT: p1 100+50 Linux filesystem, \u{fffd}A\u{fffd}; p2 150+11 Linux filesystem; \
         p4 400+112 Linux filesystem; ! partition ends before it begins (p3); \
         ! partition ends before it begins (p5); ! partition ends before it begins (p6); \
         ! partitions overlap (p1 and p2); ! partition passes the end of the disk (p4);"
    );
}

#[test]
fn gpt_with_more_entries_than_are_read() {
    let mut gpt = Gpt::sample(4096);
    gpt.count = 2048;
    gpt.entries.push((2000, LINUX, 310, 320, vec![]));
    let cut = "! GPT has more entries than are read (1024);";
    assert_eq!(show(gpt.build(), 4096), format!("{SAMPLE} {cut}"));
    // A header may claim four billion of them: nothing of that size is allocated.
    let mut disk = gpt.build();
    for header in [4096, disk.len() - 4096] {
        put(&mut disk, header + 80, &u32::MAX.to_le_bytes());
        put(&mut disk, header + 16, &[0; 4]);
        let crc = crc32fast::hash(&disk[header..header + 92]);
        put(&mut disk, header + 16, &crc.to_le_bytes());
    }
    let both = "! both copies of the GPT are damaged;";
    assert_eq!(show(disk, 4096), format!("{SAMPLE} {both} {cut}"));
}

fn mbr_entry(kind: u8, start: u32, sectors: u32) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[4] = kind;
    put(&mut entry, 8, &start.to_le_bytes());
    put(&mut entry, 12, &sectors.to_le_bytes());
    entry
}

/// A disk of 512 sectors with boot records: each in its sector, with its entries in order.
fn mbr(records: &[(usize, &[(u8, u32, u32)])]) -> Vec<u8> {
    let mut disk = vec![0; 512 * 512];
    for &(lba, entries) in records {
        for (slot, &(kind, start, sectors)) in entries.iter().enumerate() {
            put(&mut disk, lba * 512 + 446 + slot * 16, &mbr_entry(kind, start, sectors));
        }
        put(&mut disk, lba * 512 + 510, b"\x55\xaa");
    }
    disk
}

#[test]
fn mbr_with_logical_partitions() {
    let disk = mbr(&[
        (0, &[(0x83, 10, 10), (0, 0, 0), (0x0f, 100, 300), (0x82, 30, 10)]),
        (100, &[(0x83, 1, 50), (0x05, 100, 51)]),
        (200, &[(0x8e, 2, 50), (0x85, 160, 40)]),
        (260, &[(0x83, 1, 39), (0, 0, 0)]),
    ]);
    assert_eq!(
        show(disk, 512),
        "MBR: p1 10+10 Linux (0x83); p4 30+10 Linux swap (0x82); p5 101+50 Linux (0x83); \
         p6 202+50 Linux LVM (0x8e); p7 261+39 Linux (0x83);"
    );
}

#[test]
fn mbr_with_extended_records_that_lie() {
    let looped = mbr(&[
        (0, &[(0x05, 100, 300)]),
        (100, &[(0x83, 1, 50), (0x05, 100, 51)]),
        (200, &[(0x83, 1, 50), (0x05, 0, 51)]),
    ]);
    assert_eq!(
        show(looped, 512),
        "MBR: p5 101+50 Linux (0x83); p6 201+50 Linux (0x83); \
         ! logical partitions are cut short (p1): extended boot records form a loop;"
    );
    let broken = mbr(&[(0, &[(0x05, 100, 300)]), (100, &[(0x83, 1, 50), (0x05, 100, 51)])]);
    assert!(show(broken, 512).ends_with("(p1): extended boot record has no signature;"));
    assert_eq!(show(mbr(&[(0, &[(0x05, 100, 300)])]), 512), "MBR:");
    let outside = mbr(&[(0, &[(0x05, 600, 300), (0x83, 500, 100)])]);
    assert_eq!(
        show(outside, 512),
        "MBR: p2 500+12 Linux (0x83); ! logical partitions are cut short (p1): read past \
         the end (512 bytes at 307200 of 262144); \
         ! partition passes the end of the disk (p2);"
    );
}

#[test]
fn what_is_no_mbr() {
    assert_eq!(show(Vec::new(), 512), "none");
    assert_eq!(show(vec![0; 511], 512), "none");
    assert_eq!(show(vec![0; 1 << 20], 512), "none");
    assert_eq!(show(mbr(&[(0, &[])]), 512), "none");
    assert_eq!(show(mbr(&[(0, &[(0x83, 0, 100)])]), 512), "none", "begins at the record itself");
    let sound = mbr(&[(0, &[(0x83, 10, 10)])]);
    let mut code = sound.clone();
    code[462] = 0x41;
    assert_eq!(show(code, 512), "none", "boot code of another kind");
    for oem in [b"NTFS    ", b"EXFAT   "] {
        let mut disk = sound.clone();
        put(&mut disk, 3, oem);
        assert_eq!(show(disk, 512), "none");
    }
    let mut fat = sound.clone();
    put(&mut fat, 0, b"\xeb\x3c\x90mkfs.fat\0\x02\x04\x01\0\x02\0\x02\0\x20\xf8");
    assert_eq!(show(fat, 512), "none");
    let mut grub = sound;
    put(&mut grub, 0, b"\xeb\x63\x90");
    assert_eq!(show(grub, 512), "MBR: p1 10+10 Linux (0x83);");
}

#[test]
fn protective_mbr_alone_is_damage() {
    let disk = mbr(&[(0, &[(0xee, 1, u32::MAX)])]);
    assert_eq!(show(disk, 512), "MBR: ! protective MBR without a GPT (p1);");
}

#[test]
fn a_read_error_is_never_no() {
    let disk = mbr(&[(0, &[(0x83, 10, 10)])]);
    let (name, _) = open(disk, Run::new(512, 1)).unwrap().unwrap();
    assert_eq!(name, "MBR", "the sector of the GPT is bad, and needed by nobody");
    for disk in [vec![0; 1 << 20], mbr(&[(0, &[(0x83, 10, 10)])])] {
        let error = open(disk.clone(), Run::new(0, 512)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unreadable);
        let disk = Disk { bytes: disk, bad: Run::new(65536, 1024) };
        assert!(amisweep::volume::recognise(&disk).is_err());
    }
}

/// A generator whose every run is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

#[test]
fn mutated_tables_end_in_an_answer() {
    let tables = [
        (Gpt::sample(512).build(), 512),
        (mbr(&[(0, &[(0x83, 10, 10), (0x05, 100, 300)]), (100, &[(0x83, 1, 5), (5, 9, 9)])]), 512),
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..400 {
        let (table, sector) = &tables[round % 2];
        let mut disk = table.clone();
        for _ in 0..=random.below(8) {
            let at = match random.below(4) {
                0 => random.below(512),
                1 => sector + random.below(92),
                2 => 100 * 512 + 446 + random.below(64),
                _ => 2 * sector + random.below(256),
            };
            disk[at] = match random.below(3) {
                0 => 0xff,
                1 => disk[at] ^ (1 << random.below(8)),
                _ => random.next().to_le_bytes()[0],
            };
        }
        if round % 4 == 0 {
            // A checksum keeps no one out who can compute it.
            let array = crc32fast::hash(&disk[1024..1024 + 128 * 128]);
            put(&mut disk, 512 + 88, &array.to_le_bytes());
            put(&mut disk, 512 + 16, &[0; 4]);
            let header = crc32fast::hash(&disk[512..512 + 92]);
            put(&mut disk, 512 + 16, &header.to_le_bytes());
        }
        let len = disk.len() as u64;
        let Ok(Some((_, layout))) = open(disk, Run::default()) else { continue };
        let mut end = 0;
        for volume in layout.volumes {
            let run = volume.bytes.locate(Run::new(0, volume.bytes.len()))[0].1;
            assert!(end <= run.start && run.end() <= len && !run.is_empty());
            end = run.end();
            read_vec(&*volume.bytes, 0, 1).unwrap();
            let _ = amisweep::volume::recognise(&*volume.bytes).unwrap();
        }
    }
}

/// A disk image in a file, for the tools that make and list tables.
struct Tools {
    folder: tempfile::TempDir,
}

impl Tools {
    /// None unless the tests that need tools and root are wanted.
    fn wanted() -> Option<Tools> {
        if std::env::var_os("AMISWEEP_DEEP").is_none_or(|v| v != "1") {
            eprintln!("skipped: needs sgdisk, sfdisk, losetup, mkfs and root; set AMISWEEP_DEEP=1");
            return None;
        }
        Some(Tools { folder: tempfile::tempdir().unwrap() })
    }

    fn image(&self) -> String {
        self.folder.path().join("image").to_str().unwrap().to_owned()
    }

    fn blank(&self, megabytes: u64) -> String {
        let image = self.image();
        let _ = std::fs::remove_file(&image);
        let file = std::fs::File::options().create_new(true).write(true).open(&image).unwrap();
        file.set_len(megabytes << 20).unwrap();
        image
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.image()).unwrap()
    }

    /// The names, starts and lengths that sfdisk tells, in bytes and disk order.
    fn sfdisk(device: &str) -> Vec<(String, u64, u64)> {
        let table: serde_json::Value =
            serde_json::from_str(&output("sfdisk", &["--json", device], "")).unwrap();
        let table = &table["partitiontable"];
        let sector = table["sectorsize"].as_u64().unwrap_or(512);
        let partition = |p: &serde_json::Value| {
            let node = p["node"].as_str().unwrap();
            let digits = node.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            let bytes = |key| p[key].as_u64().unwrap() * sector;
            let extended = matches!(p["type"].as_str(), Some("5" | "f" | "85"));
            (!extended).then(|| (format!("p{}", &node[digits..]), bytes("start"), bytes("size")))
        };
        let partitions = table["partitions"].as_array().unwrap();
        let mut found: Vec<_> = partitions.iter().filter_map(partition).collect();
        found.sort_by_key(|&(_, start, _)| start);
        found
    }

    fn ours(&self) -> (Vec<(String, u64, u64)>, Vec<String>) {
        let (_, layout) = open(self.bytes(), Run::default()).unwrap().unwrap();
        let volumes = layout.volumes.iter().map(|volume| {
            let run = volume.bytes.locate(Run::new(0, volume.bytes.len()))[0].1;
            (volume.name.to_string(), run.start, run.len)
        });
        (volumes.collect(), layout.troubles.iter().map(Error::message).collect())
    }

    fn check(&self) {
        assert_eq!(self.ours(), (Tools::sfdisk(&self.image()), vec![]));
    }
}

fn output(program: &str, arguments: &[&str], input: &str) -> String {
    use std::process::{Command, Stdio};
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn deep_tables_against_sfdisk() {
    let Some(tools) = Tools::wanted() else { return };
    let image = tools.blank(64);
    let names = ["-c1:a#b:c@d", "-c2:über \u{202e} 日本", "-c15:\u{1f600}"];
    let new = ["-n15:2048:+2M", "-n1:0:+8M", "-n2:0:+8M", "-n128:0:+8M", "-t1:8300", "-t15:ef00"];
    output("sgdisk", &[&new[..], &names, &[&image]].concat(), "");
    tools.check();
    output("sgdisk", &["-h1:2", &image], "");
    tools.check();
    output("sgdisk", &["-S256", &image], "");
    tools.check();

    let image = tools.blank(300);
    let many: Vec<_> = (1..=120).map(|n| format!("-n{n}:0:+1M")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).chain([image.as_str()]).collect();
    output("sgdisk", &many, "");
    tools.check();
    assert_eq!(tools.ours().0.len(), 120);
    let expected = tools.ours().0;
    output(
        "dd",
        &["if=/dev/zero", &format!("of={image}"), "bs=512", "count=34", "conv=notrunc"],
        "",
    );
    let used = vec!["primary GPT is damaged, the backup was used".to_owned()];
    assert_eq!(tools.ours(), (expected, used));

    let image = tools.blank(64);
    let script = "label: dos\nsize=4M,type=83,bootable\nsize=8M,type=c\nsize=2M,type=82\ntype=5\n\
        size=4M,type=83\nsize=5M,type=8e\nsize=6M,type=7\ntype=83\n";
    output("sfdisk", &[&image], script);
    tools.check();
    let found: Vec<_> = tools.ours().0.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(found, ["p1", "p2", "p3", "p5", "p6", "p7", "p8"]);
}

#[test]
fn deep_a_gpt_behind_an_mbr_is_read_as_sfdisk_reads_it() {
    let Some(tools) = Tools::wanted() else { return };
    for (kind, name) in [(0x83, "MBR"), (0xee, "GPT")] {
        let image = tools.blank(64);
        output("sfdisk", &[&image], "label: gpt\nsize=8M\nsize=16M\n");
        let mut bytes = tools.bytes();
        put(&mut bytes, 446, &mbr_entry(kind, 1, 9999));
        put(&mut bytes, 462, &mbr_entry(0x83, 20_000, 10_000));
        let mut file = std::fs::File::options().write(true).open(&image).unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
        assert_eq!(open(bytes, Run::default()).unwrap().unwrap().0, name);
        tools.check();
    }
}

#[test]
fn deep_tables_with_large_sectors() {
    let Some(tools) = Tools::wanted() else { return };
    let image = tools.blank(64);
    let device = output("losetup", &["-f", "--show", "-b", "4096", &image], "");
    let device = device.trim();
    let script = "label: gpt\nsize=4M,name=\"first\"\nsize=8M\nname=\"last\"\n";
    output("sfdisk", &["--no-tell-kernel", "--no-reread", device], script);
    let expected = Tools::sfdisk(device);
    output("losetup", &["-d", device], "");
    assert_eq!(tools.ours(), (expected, vec![]));
}

#[test]
fn deep_recognises_what_real_tools_make() {
    let Some(tools) = Tools::wanted() else { return };
    let cases: [(&str, &[&str], &str); 9] = [
        ("mkswap", &[], "swap"),
        ("mkswap", &["-p", "65536"], "swap"),
        ("mkfs.btrfs", &[], "btrfs"),
        ("mkfs.ntfs", &["-Q", "-F"], "NTFS"),
        ("mkfs.ext4", &[], "ext"),
        ("mkfs.ext2", &["-b", "1024"], "ext"),
        ("mkfs.xfs", &[], "XFS"),
        ("mkfs.fat", &[], "FAT"),
        ("qemu-img", &["create", "-q", "-f", "qcow2"], "qcow2"),
    ];
    for (program, arguments, expected) in cases {
        let image = tools.blank(320);
        let size: &[&str] = if program == "qemu-img" { &["1G"] } else { &[] };
        output(program, &[arguments, &[&image], size].concat(), "");
        let found = amisweep::volume::recognise(&tools.bytes()).unwrap();
        assert_eq!(found.map(|r| r.name), Some(expected), "{program} {arguments:?}");
        assert_eq!(show(tools.bytes(), 512), "none", "{program} is no table");
    }
    for (program, force) in [("mkfs.ext4", "-F"), ("mkfs.xfs", "-f"), ("mkfs.btrfs", "-f")] {
        let image = tools.blank(320);
        output("sgdisk", &["-n1:0:+8M", &image], "");
        output(program, &[force, &image], "");
        assert_eq!(show(tools.bytes(), 512), "none", "{program} over a table");
    }
    let image = tools.blank(64);
    let device = output("losetup", &["-f", "--show", &image], "");
    output("pvcreate", &["-q", device.trim()], "");
    output("losetup", &["-d", device.trim()], "");
    let found = amisweep::volume::recognise(&tools.bytes()).unwrap();
    assert_eq!(found.map(|r| r.name), Some("LVM2"));
}

/// Sweep a disk of which every byte was written.
fn swept(bytes: Vec<u8>) -> Coverage {
    let written = RunSet::from_runs(vec![Run::new(0, bytes.len() as u64)]);
    let bytes = Arc::new(Disk { bytes, bad: Run::default() });
    let image = Image { number: ImageNo(0), name: "disk".into(), bytes, written, ahead: None };
    let options = Options {
        engine: &Engine::builtin().unwrap(),
        jobs: 1,
        key: &FingerprintKey::ephemeral([1; 32]),
        cross_check: false,
        progress: &Progress::default(),
    };
    sweep(Target::Images(vec![image]), &options).coverage
}

/// The kinds under which bytes of a disk are counted, what its result lacks, and whether it is
/// complete.
fn told(bytes: Vec<u8>) -> (Vec<Kind>, String, bool) {
    let coverage = swept(bytes);
    let kinds = Kind::ALL.into_iter().filter(|&kind| coverage.of(kind) > 0).collect();
    let errors: Vec<_> = coverage.errors().iter().map(|e| e.what.as_str()).collect();
    (kinds, errors.join("; "), coverage.complete())
}

/// A disk of one MBR partition, of 1 MiB, of which `kind` is the type and `content` the beginning
/// of its second half.
fn one_partition(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 2 << 20];
    put(&mut bytes, 446, &[0, 0, 0, 0, kind, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
    put(&mut bytes, 510, b"\x55\xaa");
    put(&mut bytes, 3 << 19, content);
    bytes
}

/// A partition that is encrypted without a header was called a gap, and the disk complete; so was
/// one of a type nobody here knows.
#[test]
fn a_partition_of_no_known_format_is_incomplete() {
    for kind in [0x07, 0x0b, 0x0c, 0x0e, 0x82, 0x83, 0x8e, 0xfd, 0xef, 0xda, 0x7f, 0x01] {
        let (kinds, errors, complete) = told(one_partition(kind, b"\x93\x1c"));
        assert_eq!((kinds, complete), (vec![Kind::Gap, Kind::Unparsed], false), "{kind:#x}");
        assert!(errors.contains("a partition holds no known format"), "{errors}");
        // Nobody has made a filesystem in it yet.
        let empty = told(one_partition(kind, b""));
        assert_eq!(empty, (vec![Kind::Gap], String::new(), true), "{kind:#x}");
    }
    let exempt = told(one_partition(0x41, b"\x93\x1c"));
    assert_eq!(exempt, (vec![Kind::Gap], String::new(), true));
    let (kinds, errors, complete) = told(one_partition(0xe8, b"\x93\x1c"));
    assert_eq!((kinds, complete), (vec![Kind::Gap, Kind::Opaque], false));
    assert!(errors.starts_with("encrypted, its type says"), "{errors}");
}

/// A disk without a table that is encrypted without a header, or of a format nobody knows, passed
/// as a gap.
#[test]
fn a_disk_of_no_known_format_is_incomplete() {
    let mut random = Random(0x5851_f42d_4c95_7f2d);
    let noise: Vec<u8> = (0..1 << 17).flat_map(|_| random.next().to_le_bytes()).collect();
    let mut late = vec![0; 1 << 20];
    late[(1 << 20) - 1] = 1;
    for disk in [noise, late] {
        let (kinds, errors, complete) = told(disk);
        assert_eq!((kinds, complete), (vec![Kind::Unparsed], false));
        assert!(errors.contains("no partition table and no known format"), "{errors}");
    }
    assert_eq!(told(vec![0; 1 << 20]), (vec![Kind::Gap], String::new(), true), "a new disk");
}

/// Memory that the kernel compressed before it saved it was counted as swap that was searched.
#[test]
fn swap_with_a_hibernation_image_is_incomplete() {
    let swap = |mark: &[u8]| {
        let mut content = vec![7; 1 << 19];
        put(&mut content, 4076, b"SWAPSPACE2");
        put(&mut content, 4086, mark);
        let mut bytes = one_partition(0x82, b"");
        put(&mut bytes, 1 << 20, &content);
        told(bytes)
    };
    let searched = swap(b"SWAPSPACE2");
    assert_eq!(searched, (vec![Kind::Swap, Kind::Gap], String::new(), true));
    for mark in [&b"S1SUSPEND\0"[..], b"S2SUSPEND\0", b"ULSUSPEND\0", b"LINHIB0001"] {
        let (kinds, errors, complete) = swap(mark);
        assert_eq!((kinds, complete), (vec![Kind::Gap, Kind::Unparsed], false));
        assert!(errors.contains("memory saved here is compressed"), "{errors}");
        assert!(errors.contains("image it again"), "{errors}");
    }
}

#[test]
fn a_type_tells_what_to_expect_of_a_partition() {
    let bios = *b"\x48\x61\x68\x21\x49\x64\x6f\x6e\x74\x4e\x65\x65\x64\x45\x46\x49";
    let crypt = *b"\xc9\xc5\xfe\x7f\x00\x2d\xb7\x49\x89\x41\x3e\xa1\x0a\x55\x86\xb7";
    let var = *b"\x16\xb0\x21\x4d\x34\xb5\xc2\x45\xa9\xfb\x5c\x16\xe0\x91\xfd\x2d";
    let cases = [
        (LINUX, "Linux filesystem", Kind::Unparsed),
        (ESP, "EFI system", Kind::Unparsed),
        (var, "Linux /var", Kind::Unparsed),
        ([7; 16], "07070707-0707-0707-0707-070707070707", Kind::Unparsed),
        (crypt, "Linux plain dm-crypt", Kind::Opaque),
        (bios, "BIOS boot", Kind::Gap),
    ];
    for (kind, label, expected) in cases {
        let gpt = Gpt { entries: vec![(1, kind, 100, 199, Vec::new())], ..Gpt::sample(512) };
        let mut disk = gpt.build();
        let (_, layout) = open(disk.clone(), Run::default()).unwrap().unwrap();
        assert_eq!(layout.volumes[0].label, label);
        put(&mut disk, 150 * 512, b"\x93\x1c");
        let (kinds, errors, complete) = told(disk);
        let gap = expected == Kind::Gap;
        assert_eq!((kinds.contains(&expected), complete), (true, gap), "{label}: {errors}");
    }
}
