//! Archives made byte by byte.

use crate::content::probe::listing;

/// One member: its header with what is `set` in it, and its data in whole blocks.
pub(super) fn entry(kind: u8, name: &str, data: &[u8], set: &[(usize, &[u8])]) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000640\0");
    put(108, b"0001750\0");
    put(124, format!("{:011o}\0", data.len()).as_bytes());
    put(136, b"14000000000\0");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    for (at, bytes) in set {
        put(*at, bytes);
    }
    put(148, b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block.extend_from_slice(data);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn record(key: &str, value: &str) -> String {
    let body = format!(" {key}={value}\n");
    let mut len = body.len() + 1;
    while len != body.len() + len.to_string().len() {
        len = body.len() + len.to_string().len();
    }
    format!("{len}{body}")
}

#[test]
fn every_dialect_is_read() {
    let v7 = &[(257, b"\0\0\0\0\0\0\0\0".as_slice())];
    assert_eq!(listing("x.tar", &archive(&[entry(b'\0', "a", b"old", v7)])), ["tar:a = old"]);
    assert!(listing("x.bin", &archive(&[entry(b'\0', "a", b"old", v7)])).is_empty());
    let prefix = &[(345, b"some/where".as_slice())];
    assert_eq!(
        listing("x", &archive(&[entry(b'0', "a", b"posix", prefix)])),
        ["tar:some/where/a = posix"]
    );
    let gnu = &[(257, b"ustar  \0".as_slice()), (345, b"14000000000\0")];
    let long = "n/".repeat(150) + "a";
    let entries = [
        entry(b'L', "././@LongLink", format!("{long}\0").as_bytes(), gnu),
        entry(b'0', "n/", b"gnu", gnu),
    ];
    assert_eq!(listing("x", &archive(&entries)), [format!("tar:{long} = gnu")]);
    let binary = &[(124, b"\x80\0\0\0\0\0\0\0\0\0\0\x05".as_slice())];
    assert_eq!(listing("x", &archive(&[entry(b'7', "a", b"in256", binary)])), ["tar:a = in256"]);
    let records = record("path", "b") + &record("size", "3") + &record("SCHILY.xattr.user.k", "v");
    let entries = [
        entry(b'g', "pax_global_header", record("comment", "c0ffee").as_bytes(), &[]),
        entry(b'x', "PaxHeaders/a", records.as_bytes(), &[]),
        entry(b'0', "a", b"pax", &[(124, b"00000000000\0")]),
        entry(b'2', "l", b"", &[(157, b"some/target")]),
        entry(b'5', "dir/", b"", &[(124, b"00000001000\0")]),
        entry(b'0', "last", b"", &[]),
    ];
    assert_eq!(
        listing("x", &archive(&entries)),
        ["tar:b = pax", "tar:last = ", "tar = c0ffee%0Av%0Asome/target%0A"]
    );
}

#[test]
fn sparse_files_are_read_in_every_form() {
    let sparse = "tar:s = %00%00ab%00%00c%00";
    let mut map = vec![0; 48];
    for (at, number) in [(0, 2), (12, 2), (24, 6), (36, 1)] {
        map[at..at + 11].copy_from_slice(format!("{number:011o}").as_bytes());
    }
    let set = &[(257, b"ustar  \0".as_slice()), (386, &map), (483, b"00000000010\0")];
    assert_eq!(listing("x", &archive(&[entry(b'S', "s", b"abc", set)])), [sparse]);
    // The same map, half of it in a block behind the header.
    let mut more = vec![0; 512];
    more[..24].copy_from_slice(&map[24..]);
    let set = &[(257, b"ustar  \0".as_slice()), (386, &map[..24]), (482, b"\x01"), set[2]];
    let mut split = entry(b'S', "s", b"abc", set);
    split.splice(512..512, more);
    assert_eq!(listing("x", &archive(&[split])), [sparse]);
    let pax = |records: &[(&str, &str)], data: &[u8]| {
        let text: String = records.iter().map(|(key, value)| record(key, value)).collect();
        let entries =
            [entry(b'x', "P/s", text.as_bytes(), &[]), entry(b'0', "GNUSparse.0/s", data, &[])];
        listing("x", &archive(&entries))
    };
    let old = [
        ("GNU.sparse.size", "8"),
        ("GNU.sparse.numblocks", "2"),
        ("GNU.sparse.offset", "2"),
        ("GNU.sparse.numbytes", "2"),
        ("GNU.sparse.offset", "6"),
        ("GNU.sparse.numbytes", "1"),
        ("GNU.sparse.name", "s"),
    ];
    assert_eq!(pax(&old, b"abc"), [sparse]);
    let newer = [("GNU.sparse.size", "8"), ("GNU.sparse.map", "2,2,6,1"), ("GNU.sparse.name", "s")];
    assert_eq!(pax(&newer, b"abc"), [sparse]);
    let mut data = b"2\n2\n2\n6\n1\n".to_vec();
    data.resize(512, 0);
    data.extend(b"abc");
    let newest = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "s"),
        ("GNU.sparse.realsize", "8"),
    ];
    assert_eq!(pax(&newest, &data), [sparse]);
    // A map that says nonsense: the data is read as it stands.
    let wrong = [("GNU.sparse.size", "8"), ("GNU.sparse.map", "6,2,2,1"), ("GNU.sparse.name", "s")];
    assert_eq!(pax(&wrong, b"abc"), ["tar:s = abc"]);
    let far = [
        ("GNU.sparse.size", "1099511627776"),
        ("GNU.sparse.map", "1099511627770,3"),
        ("GNU.sparse.name", "s"),
    ];
    assert_eq!(pax(&far, b"abc"), [format!("tar:s = {}abc", "%00".repeat(512))]);
}

#[test]
fn damage_costs_only_what_it_hits() {
    let entries = [
        entry(b'0', "a", b"first", &[]),
        entry(b'0', "b", b"second", &[]),
        entry(b'0', "c", b"third", &[]),
    ];
    let mut bytes = archive(&entries);
    bytes[1024 + 150] ^= 1;
    assert_eq!(listing("x", &bytes), ["tar:a = first", "tar:c = third", "tar: Corrupt"]);
    // One archive behind another, and something else behind that.
    let two = [archive(&entries[..1]), archive(&entries[2..]), b"\0\0behind".to_vec()].concat();
    assert_eq!(listing("x", &two), ["tar:a = first", "tar:c = third", "tar = behind"]);
    let cut = &archive(&entries)[..1024 + 515];
    assert_eq!(listing("x", cut), ["tar:a = first", "tar:b = sec", "tar: Corrupt"]);
    let huge = entry(b'0', "a", b"x", &[(124, b"\x80\0\0\0\0\x01\0\0\0\0\0\0")]);
    let zeros = "%00".repeat(511);
    assert_eq!(listing("x", &huge), [format!("tar:a = x{zeros}").as_str(), "tar: Corrupt"]);
}
