//! Snapshots and logs of Redis, byte by byte.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use crate::content::probe::listing;
use std::fmt::Write as _;

fn string(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()][..], text].concat()
}

fn snapshot(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"REDIS0011".to_vec();
    bytes.extend(entries.concat());
    bytes.push(0xff);
    bytes.extend([0; 8]);
    bytes
}

fn listpack(items: &[&[u8]]) -> Vec<u8> {
    let mut list = vec![0; 6];
    for item in items {
        list.push(0x80 | u8::try_from(item.len()).unwrap());
        list.extend_from_slice(item);
        list.push(u8::try_from(item.len() + 1).unwrap());
    }
    list.push(0xff);
    string(&list)
}

fn everything() -> Vec<u8> {
    let ziplist = [&[0; 10][..], b"\0\x04host\x06\x05alpha\x07\xfe\x2a\xff"].concat();
    let packed = [b"\xc3\x05\x0b".as_slice(), b"\x00a\xe0\x01\x00"].concat();
    snapshot(&[
        [vec![0xfa], string(b"redis-ver"), string(b"7.0.15")].concat(),
        vec![0xfe, 0, 0xfb, 9, 1],
        [vec![0xfc, 1, 2, 3, 4, 5, 6, 7, 8, 0], string(b"db:password"), string(b"hunter")].concat(),
        [vec![0], string(b"long"), packed].concat(),
        [vec![0], string(b"number"), vec![0xc1, 0xd2, 0x04]].concat(),
        [vec![4], string(b"user"), vec![1], string(b"token"), string(b"abc")].concat(),
        [vec![16], string(b"packed"), listpack(&[b"secret", b"value"])].concat(),
        [vec![13], string(b"older"), string(&ziplist)].concat(),
        [
            vec![18],
            string(b"list"),
            vec![2, 1],
            string(b"plain"),
            vec![2],
            listpack(&[b"one", b"two"]),
        ]
        .concat(),
        [vec![5], string(b"scores"), vec![1], string(b"member"), vec![0; 8]].concat(),
    ])
}

#[test]
fn names_and_values_come_together() {
    let expected = [
        "redis-ver=7.0.15",
        "db:password=hunter",
        "long=aaaaaaaaaaa",
        "number=1234",
        "token=abc",
        "secret=value",
        "host=alpha",
        "plain",
        "one",
        "two",
        "member",
        "",
    ];
    let lines = listing("dump.rdb", &everything());
    assert_eq!(lines, [format!("rdb = {}", expected.join("%0A"))]);
}

#[test]
fn commands_are_lines() {
    let command = |words: &[&str]| {
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            write!(text, "${}\r\n{word}\r\n", word.len()).unwrap();
        }
        text
    };
    let log = [
        command(&["SELECT", "0"]),
        "#TS:1700000000\r\n".to_owned(),
        command(&["set", "db:password", "hunter"]),
        command(&["HSET", "user", "token", "abc", "name", "x"]),
        command(&["CONFIG", "SET", "requirepass", "word"]),
    ]
    .concat();
    let expected = [
        "SELECT 0",
        "db:password=hunter",
        "token=abc",
        "name=x",
        "CONFIG SET requirepass word",
        "",
    ];
    let expected = expected.join("%0A");
    assert_eq!(listing("appendonly.aof", log.as_bytes()), [format!("aof = {expected}")]);
    // A snapshot before it.
    let mixed = [snapshot(&[]), log.clone().into_bytes()].concat();
    assert_eq!(listing("appendonly.aof", &mixed), [format!("rdb = {expected}")]);
    // Damage costs a command.
    let damaged = log.replacen("$11", "$99999", 1);
    let lines = listing("appendonly.aof", damaged.as_bytes());
    assert_eq!(lines.last().unwrap(), "aof: Corrupt");
}

#[test]
fn cut_or_flipped_bytes_end_in_an_error_at_worst() {
    let whole = everything();
    for len in 10..whole.len() - 9 {
        let lines = listing("dump.rdb", &whole[..len]);
        assert_eq!(lines.last().unwrap(), "rdb: Corrupt", "{len}");
    }
    for bit in 80..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        drop(listing("dump.rdb", &bytes));
    }
    // A length of 2^40, and one packed to that.
    for length in [&b"\x81\0\0\x01\0\0\0\0\0"[..], b"\xc3\x81\0\0\x01\0\0\0\0\0\x05"] {
        let bytes = [b"REDIS0011\0\x01k".as_slice(), length, b"text"].concat();
        assert_eq!(listing("dump.rdb", &bytes).last().unwrap(), "rdb: Corrupt");
    }
}
