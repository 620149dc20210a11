//! Containers that were made to harm whoever opens them: bombs, quines, loops and lies. Each is
//! swept in bounded time, told, and costs nothing that stands beside it.

use crate::contents_archives::{folder, gzip, places, swept, tar, token, zip};
use amisweep::coverage::Class;
use std::io::{Read as _, Write as _};

/// What nests deeper than is opened is told, and the file beside it is found all the same.
fn told_and_survived(name: &str, hostile: Vec<u8>) {
    let beside = format!("token={}\n", token(1)).into_bytes();
    let root = folder(&[(name, hostile), ("z.env", beside)]);
    let outcome = swept(root.path());
    assert!(outcome.coverage.contents(Class::Limit) > 0, "{:?}", outcome.coverage.errors());
    assert!(!outcome.coverage.complete(), "{name}");
    assert_eq!(places(&outcome, 1), ["dir:z.env@6+40"], "{name}");
}

/// A file that unpacks to itself, after Russ Cox, "Zip Files All The Way Down" (2010).
#[test]
fn a_gzip_quine_ends() {
    let quine = gzip_quine();
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&*quine).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == quine, "the quine is none");
    told_and_survived("q.gz", quine);
}

#[test]
fn a_zip_quine_ends() {
    let quine = zip_quine();
    let mut unpacked = Vec::new();
    let data = &quine[ZIP_HEADER..quine.len() - ZIP_END];
    flate2::read::DeflateDecoder::new(data).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == quine, "the quine is none");
    told_and_survived("q.zip", quine);
}

/// After David Fifield, "A better zip bomb" (2019): each member's bytes quote the header of the next
/// one and go on with it, so that the last one's are all members'.
#[test]
fn members_over_one_another_are_bounded() {
    let zeros = vec![0; 4 << 20];
    let mut kernel = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    kernel.write_all(&zeros).unwrap();
    let (mut data, mut entries) = (kernel.finish().unwrap(), Vec::new());
    let mut unpacked = crc32fast::Hasher::new();
    unpacked.update(&zeros);
    let mut quoted: Vec<u8> = Vec::new();
    let count = 100_u16;
    for _ in 0..count {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&quoted);
        sum.combine(&unpacked);
        let mut fields = b"\x14\0\0\0\x08\0\0\0\0\0".to_vec();
        fields.extend(sum.finalize().to_le_bytes());
        let lengths = [data.len(), quoted.len() + zeros.len()];
        fields.extend(lengths.map(|len| u32::try_from(len).unwrap().to_le_bytes()).concat());
        fields.extend(b"\x01\0\0\0");
        let header = [b"PK\x03\x04".as_slice(), &fields, b"a"].concat();
        let own = header.len() + data.len();
        entries.push((fields, own));
        quoted = [&*header, &quoted].concat();
        data = [&stored(u16::try_from(header.len()).unwrap()), &*header, &data].concat();
    }
    // Before the first header nothing has to be quoted.
    let mut bomb = data.split_off(5);
    let (start, len) = (bomb.len(), entries.len() * 47);
    for (fields, own) in entries.iter().rev() {
        bomb.extend([b"PK\x01\x02\x14\0".as_slice(), fields, &[0; 10]].concat());
        bomb.extend(u32::try_from(start - own).unwrap().to_le_bytes());
        bomb.extend(b"a");
    }
    bomb.extend(b"PK\x05\x06\0\0\0\0");
    bomb.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    bomb.extend([len, start].map(|n| u32::try_from(n).unwrap().to_le_bytes()).concat());
    bomb.extend([0; 2]);
    told_and_survived("bomb.zip", bomb);
}

/// Nothing is ever followed or written: a link is a text like any other.
#[test]
fn links_in_archives_lead_nowhere() {
    let mut archive = tar(&[("a", b""), ("b", b""), ("c", b""), ("d", b"")]);
    let links = [("b", b'2'), ("a", b'2'), ("c", b'1'), ("../../../../etc/shadow", b'2')];
    for (number, (target, kind)) in links.into_iter().enumerate() {
        let block = &mut archive[512 * number..512 * (number + 1)];
        block[156] = kind;
        block[157..157 + target.len()].copy_from_slice(target.as_bytes());
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
    let text = format!("token={}\n", token(2)).into_bytes();
    let inner = tar(&[("../../x/../e", &text)]);
    archive.truncate(512 * links.len());
    archive.extend(inner);
    let root = folder(&[("links.tar", archive.clone()), ("links.tgz", gzip(&archive))]);
    std::os::unix::fs::symlink(".", root.path().join("loop")).unwrap();
    let outcome = swept(root.path());
    assert_eq!(
        places(&outcome, 2),
        ["dir:links.tar!tar:../../x/../e@6+40", "dir:links.tgz!gzip!tar:../../x/../e@6+40"]
    );
    assert!(outcome.coverage.complete(), "{:?}", outcome.coverage.errors());
}

/// Bytes of the quine's own ends.
const ZIP_NAME: &[u8] = b"this-is-the-archive-itself.zip";
const ZIP_HEADER: usize = 30 + ZIP_NAME.len();
const ZIP_END: usize = 46 + ZIP_NAME.len() + 22;

fn gzip_quine() -> Vec<u8> {
    // With a name, head and opcode are as long as four opcodes: one kind of repeat does.
    let head = b"\x1f\x8b\x08\x08\0\0\0\0\0\xffq.gz\0";
    let make = |crc: u32, len: u32| {
        let end = [crc.to_le_bytes(), len.to_le_bytes()].concat();
        program(head, &repeat(20, &[10, 10], false), repeat(18, &[9, 9], false), &end)
    };
    with_own_checksum(make)
}

fn zip_quine() -> Vec<u8> {
    let make = |crc: u32, len: u32| {
        let packed = len - u32::try_from(ZIP_HEADER + ZIP_END).unwrap();
        let at = len - u32::try_from(ZIP_END).unwrap();
        let mut fields = b"\x14\0\0\0\x08\0\0\0\0\0".to_vec();
        fields.extend([crc.to_le_bytes(), packed.to_le_bytes(), len.to_le_bytes()].concat());
        fields.extend([u8::try_from(ZIP_NAME.len()).unwrap(), 0, 0, 0]);
        let head = [b"PK\x03\x04".as_slice(), &fields, ZIP_NAME].concat();
        let mut end = [b"PK\x01\x02\x14\0".as_slice(), &fields, &[0; 14]].concat();
        end.extend(ZIP_NAME);
        let directory = u32::try_from(end.len()).unwrap();
        end.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        end.extend([directory.to_le_bytes(), at.to_le_bytes()].concat());
        end.extend([0; 2]);
        let whole = u32::try_from(end.len() + 9).unwrap();
        program(&head, &repeat(65, &[65], true), repeat(whole, &[whole], false), &end)
    };
    with_own_checksum(make)
}

/// The file that prints itself: between the ends, opcodes of five bytes that print the bytes that
/// follow (`l`) or repeat those before (`r`). What one prints, the next ones are.
fn program(head: &[u8], r_head: &[bool], mut r_end: Vec<bool>, end: &[u8]) -> Vec<u8> {
    let l = |len: usize| stored(u16::try_from(len).unwrap());
    let head_and_one = [head, &l(head.len() + 5)].concat();
    let (l0, l1, l4, r4) = (l(0), l(5), l(20), bytes(&repeat(20, &[10, 10], false)));
    let r_head = bytes(r_head);
    // The end of the program and of the file, printed once as it is and once repeated.
    r_end.extend([true, false, false]);
    let tail = [&bytes(&r_end), b"\0\0\xff\xff".as_slice(), end].concat();
    let lk = l(tail.len());
    let four = [&*r_head, &l1, &l1, &l4].concat();
    let rs = [&*r4, &l4].concat();
    let last = [&*r4, &l0, &l0, &lk].concat();
    [
        &*head_and_one,
        &head_and_one,
        &r_head,
        &l1,
        &r_head,
        &l1,
        &l1,
        &l4,
        &four,
        &r4,
        &l4,
        &rs,
        &rs,
        &r4,
        &l4,
        &last,
        &last,
        &tail,
        &tail,
    ]
    .concat()
}

/// The opcode that prints the bytes that follow: a block that is stored.
fn stored(len: u16) -> Vec<u8> {
    [&[0], &len.to_le_bytes()[..], &(!len).to_le_bytes()[..]].concat()
}

/// The opcode that repeats bytes from `distance` before on, in these lengths: a block of fixed
/// codes of 40 bits, with an empty one behind it where `filled`.
fn repeat(distance: u32, lengths: &[u32], filled: bool) -> Vec<bool> {
    let mut bits: Vec<bool> = Vec::new();
    let low_first = |value: u32, count: u32, bits: &mut Vec<bool>| {
        bits.extend((0..count).map(|bit| value >> bit & 1 == 1));
    };
    let high_first = |value: u32, count: u32, bits: &mut Vec<bool>| {
        bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    };
    low_first(0b010, 3, &mut bits);
    for length in lengths {
        // Four lengths share the extra bits from 11 on, as two distances do from 5 on.
        let extra = if *length < 11 { 0 } else { (length - 3).ilog2() - 2 };
        let code =
            if extra == 0 { length + 254 } else { 257 + 4 * extra + ((length - 3) >> extra) };
        match code {
            ..280 => high_first(code - 256, 7, &mut bits),
            _ => high_first(code - 280 + 192, 8, &mut bits),
        }
        low_first((length - 3) & ((1 << extra) - 1), extra, &mut bits);
        let extra = (distance - 1).ilog2() - 1;
        high_first(2 * extra + ((distance - 1) >> extra), 5, &mut bits);
        low_first((distance - 1) & ((1 << extra) - 1), extra, &mut bits);
    }
    high_first(0, 7, &mut bits);
    if filled {
        low_first(0b010, 3, &mut bits);
        high_first(0, 7, &mut bits);
    }
    bits
}

fn bytes(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8)
        .map(|byte| byte.iter().enumerate().map(|(at, bit)| u8::from(*bit) << at).sum())
        .collect()
}

/// The file that holds its own length and checksum. The checksum is linear: what turning over each
/// bit of it does to the whole is solved for.
fn with_own_checksum(make: impl Fn(u32, u32) -> Vec<u8>) -> Vec<u8> {
    let len = u32::try_from(make(0, 1000).len()).unwrap();
    let sum = |crc: u32| crc32fast::hash(&make(crc, len)) ^ crc;
    let base = sum(0);
    // Rows of a system of equations: what a bit changes, and the bit.
    let mut rows: Vec<(u32, u32)> = (0..32).map(|bit| (sum(1 << bit) ^ base, 1 << bit)).collect();
    let (mut wanted, mut crc) = (base, 0);
    for bit in 0..32 {
        let Some(at) = rows.iter().position(|row| row.0 >> bit & 1 == 1) else { continue };
        let pivot = rows.swap_remove(at);
        let has = |value: u32| if value >> bit & 1 == 1 { pivot } else { (0, 0) };
        for row in &mut rows {
            let change = has(row.0);
            *row = (row.0 ^ change.0, row.1 ^ change.1);
        }
        let change = has(wanted);
        (wanted, crc) = (wanted ^ change.0, crc ^ change.1);
    }
    assert_eq!(wanted, 0, "no checksum fits");
    make(crc, len)
}

#[test]
fn a_bomb_of_bombs_is_bounded() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0; 16 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let inner = zip(&[("a.gz", &bomb.repeat(12)), ("b.gz", &bomb.repeat(12))]);
    told_and_survived("all.tar", tar(&[("one.zip", &inner)]));
}
