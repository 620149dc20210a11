//! An archive made by 7-Zip, and wrong ones.

use crate::content::probe::listing;

/// `7zz a -mhc=off -mtm- -mtr- x.7z a b` with 7-Zip 22.01, of "some words, some words" and "more".
const TWO: &str = "377abcaf271c000416748a451e000000000000003a00000000000000a6463f0ce0001900165d00399bc9f2e750ca83c76ae14616397a74eb90b76efe8b000104060001091e00070b010001212101000c1a00080d0209160a01eb29d62c7cf2528b0000050219040000000011090061000000620000000000";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn files_of_one_stream_are_told_apart() {
    let expected = ["7z:a = some words, some words", "7z:b = more"];
    assert_eq!(listing("x.7z", &bytes(TWO)), expected);
}

#[test]
fn every_wrong_archive_is_told() {
    let whole = bytes(TWO);
    for len in 6..whole.len() {
        let lines = listing("x", &whole[..len]);
        assert!(lines.last().is_some_and(|line| line.ends_with(": Corrupt")), "{len}: {lines:?}");
    }
}
