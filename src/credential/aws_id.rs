//! An AWS unique id, and the account it names
//! ([identifiers](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html)).

use super::base32;

/// Accounts of the services that hand out trip-wire keys: using one raises an alarm, it opens
/// nothing.
const CANARY_ACCOUNTS: [u64; 10] = [
    52_310_077_262,
    171_436_882_533,
    534_261_010_715,
    595_918_472_158,
    717_712_589_309,
    819_147_034_852,
    992_382_622_183,
    730_335_385_048,
    266_735_846_894,
    893_192_397_702,
];

/// The 12-digit account of a 20-character id, when the id has one: ids from before 2019 do not,
/// and what they would decode to is meaningless.
pub fn account_id(id: &[u8]) -> Option<String> {
    account_number(id).map(|number| format!("{number:012}"))
}

/// Whether the id belongs to an account that is known to hold trip-wire keys only.
pub fn is_canary(id: &[u8]) -> bool {
    account_number(id).is_some_and(|number| CANARY_ACCOUNTS.contains(&number))
}

fn account_number(id: &[u8]) -> Option<u64> {
    let body = id.get(4..20)?;
    if id.len() != 20 || matches!(body.first(), Some(b'I' | b'J')) {
        return None;
    }
    let bytes = base32::decode(body)?;
    let number = bytes.get(..6)?.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    if number >> 47 == 0 {
        return None;
    }
    let account = (number & 0x7fff_ffff_ff80) >> 7;
    (account <= 999_999_999_999).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples() {
        // In two parts, so that no whole id stands in the sources.
        let read = |kind: &str, body: &str| account_id([kind, body].concat().as_bytes());
        assert_eq!(read("ASIA", "QNZGKIQY56JQ7WML").as_deref(), Some("029608264753"));
        assert_eq!(read("ASIA", "Y34FZKBOKMUTVV7A").as_deref(), Some("609629065308"));
        assert_eq!(read("AKIA", "SP2TPHJSQH3FJRUX").as_deref(), Some("171436882533"));
        assert_eq!(read("AKIA", "QYLPMN5HFIQR7XYA").as_deref(), Some("052310077262"));
        assert_eq!(read("AKIA", "IOSFODNN7EXAMPLE"), None, "an id of the old form");
        assert_eq!(read("AKIA", "ABCDEFGHIJKLMNOP"), None, "the top bit is clear");
        assert_eq!(read("AKIA", "7777777777777777"), None, "more than twelve digits");
        assert_eq!(read("AKIA", "SP2T"), None);
    }

    #[test]
    fn trip_wires_are_known() {
        assert!(is_canary(["AKIA", "QYLPMN5HFIQR7XYA"].concat().as_bytes()));
        assert!(!is_canary(["ASIA", "QNZGKIQY56JQ7WML"].concat().as_bytes()));
    }
}
