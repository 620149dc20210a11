//! Archives made byte by byte, mostly wrong ones.

use crate::content::probe::listing;

fn local(name: &str, flags: u16, sizes: (u32, u32), data: &[u8]) -> Vec<u8> {
    let crc = if flags & 8 == 0 { crc32fast::hash(data) } else { 0 };
    let mut bytes = b"PK\x03\x04\x14\0".to_vec();
    bytes.extend(flags.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(crc.to_le_bytes());
    bytes.extend(sizes.0.to_le_bytes());
    bytes.extend(sizes.1.to_le_bytes());
    bytes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(name.bytes());
    bytes.extend(data);
    bytes
}

fn entry(name: &str, at: usize, size: usize, data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(size).unwrap().to_le_bytes();
    let mut bytes = b"PK\x01\x02\x14\x03\x14\0".to_vec();
    bytes.extend([0; 8]);
    bytes.extend(crc32fast::hash(data).to_le_bytes());
    bytes.extend([size, size].concat());
    bytes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    bytes.extend([0; 12]);
    bytes.extend(u32::try_from(at).unwrap().to_le_bytes());
    bytes.extend(name.bytes());
    bytes
}

/// The members, the directory and its end.
fn archive(members: &[u8], entries: &[Vec<u8>]) -> Vec<u8> {
    let directory = entries.concat();
    let mut bytes = [members, &directory].concat();
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    bytes.extend([count, count].concat());
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(u32::try_from(members.len()).unwrap().to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

fn stored(name: &str, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap();
    local(name, 0, (len, len), data)
}

#[test]
fn what_the_directory_forgot_is_read() {
    let (a, b) = (stored("a", b"first"), stored("b", b"second"));
    let members = [a, b, b"something between that is no member".to_vec()].concat();
    let bytes = archive(&members, &[entry("a", 0, 5, b"first")]);
    let between = "zip = something between that is no member";
    assert_eq!(listing("x", &bytes), ["zip:a = first", "zip:b = second", between]);
    // Moved by what stands before it, and something behind it.
    let moved = [b"#!/bin/sh a stub of some length\n", &*bytes, &[b'.'; 40]].concat();
    let stub = "zip = #!/bin/sh a stub of some length%0A";
    let behind = format!("zip = {}", ".".repeat(40));
    let expected = [stub, "zip:a = first", "zip:b = second", between, &behind];
    assert_eq!(listing("x.jar", &moved), expected);
}

#[test]
fn without_its_directory_an_archive_is_read_from_the_front() {
    let unsized_ = local("b", 8, (0, 0), b"second");
    let mut sizes = b"PK\x07\x08\0\0\0\0".to_vec();
    sizes.extend([6u32.to_le_bytes(), 6u32.to_le_bytes()].concat());
    let members = [stored("a", b"first"), unsized_, sizes, stored("c", b"third")].concat();
    let expected = ["zip:a = first", "zip:b = second", "zip:c = third", "zip: Corrupt"];
    assert_eq!(listing("x", &members), expected);
    let cut = &members[..members.len() - 2];
    let expected =
        ["zip:a = first", "zip:b = second", "zip:c = thi", "zip:c: Corrupt", "zip: Corrupt"];
    assert_eq!(listing("x", cut), expected);
}

#[test]
fn wrong_entries_are_told() {
    let a = stored("a", b"first");
    let wrong = [
        entry("a", 0, 5, b"first"),
        entry("outside", 1 << 20, 5, b"first"),
        entry("no header", 7, 5, b"first"),
        entry("too long", 0, 1 << 30, b"first"),
    ];
    let lines = listing("x", &archive(&a, &wrong));
    assert_eq!(lines.len(), 4, "{lines:?}");
    let corrupt = |name: &str| lines.contains(&format!("zip:{name}: Corrupt"));
    assert!(lines.contains(&"zip:a = first".to_owned()), "{lines:?}");
    assert!(corrupt("outside") && corrupt("no header") && corrupt("too long"), "{lines:?}");
    let sum = archive(&a, &[entry("a", 0, 5, b"other")]);
    assert_eq!(listing("x", &sum), ["zip:a = first", "zip:a: Corrupt"]);
}

/// Members that share their bytes are how few bytes become many.
#[test]
fn members_that_overlap_are_bounded() {
    let inner = stored("a", &vec![b'x'; 600_000]);
    let entries: Vec<_> = (0..200).map(|at| entry(&at.to_string(), 0, 599_000, b"")).collect();
    let lines = listing("x", &archive(&inner, &entries));
    // Only the first is read: the others are the same bytes.
    assert!(lines.len() < 4, "{}", lines.len());
    let mut members = Vec::new();
    let mut entries = Vec::new();
    for number in 0..50 {
        let name = number.to_string();
        entries.push(entry(&name, members.len(), 600_000, b""));
        members.extend(stored(&name, b""));
    }
    members.resize(members.len() + 700_000, b'x');
    let lines = listing("x", &archive(&members, &entries));
    assert_eq!(lines.last().unwrap(), "zip: Limit");
    assert!(lines.len() < 12, "{}", lines.len());
}
