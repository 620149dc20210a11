//! Checksums that a token carries in its last characters.

use super::{Outcome, Parts, platform};
use crate::credential::{base32, base62, crc};
use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};

fn split_tail(bytes: &[u8], tail: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.len().checked_sub(tail)?)
}

/// Prefix up to `_`, body, and the body's CRC-32 in six characters of base 62.
pub(super) fn crc32_base62_tail(parts: &Parts<'_>) -> Option<Outcome> {
    let start = parts.secret.iter().position(|byte| *byte == b'_')? + 1;
    let (body, sum) = split_tail(parts.secret.get(start..)?, 6)?;
    Some(Outcome::of_checksum(base62::base62(crc::crc32(body)).as_bytes() == sum))
}

pub(super) fn gitlab_crc32_b36(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret, 7)?;
    let holds = base62::base36(crc::crc32(body)).as_bytes() == sum;
    Some(platform::gitlab_routing(parts.secret, Outcome::of_likely_checksum(holds)))
}

pub(super) fn atlassian_crc32(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret, 8)?;
    Some(Outcome::of_likely_checksum(format!("{:08X}", crc::crc32(body)).as_bytes() == sum))
}

pub(super) fn bitbucket_crc32(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret, 8)?;
    let expected = format!("{:08x}", crc::crc32(body));
    Some(Outcome::of_likely_checksum(expected.as_bytes().eq_ignore_ascii_case(sum)))
}

pub(super) fn cf_crc32(parts: &Parts<'_>) -> Option<Outcome> {
    let start = parts.secret.iter().position(|byte| *byte == b'_')? + 1;
    let (body, sum) = split_tail(parts.secret.get(start..)?, 8)?;
    Some(Outcome::of_checksum(format!("{:08x}", crc::crc32(body)).as_bytes() == sum))
}

pub(super) fn zuplo_crc32(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret, 9)?;
    let body = body.get(body.len().checked_sub(32)?..)?;
    Some(Outcome::of_checksum(format!("_{:08x}", crc::crc32(body)).as_bytes() == sum))
}

pub(super) fn grafana_crc32_le(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret, 9)?;
    let expected = format!("_{:08x}", crc::crc32(body).swap_bytes());
    Some(Outcome::of_checksum(expected.as_bytes() == sum))
}

pub(super) fn nkey_crc16(parts: &Parts<'_>) -> Option<Outcome> {
    let bytes = base32::decode(parts.secret)?;
    let (body, sum) = split_tail(&bytes, 2)?;
    let role = match parts.secret.get(1)? {
        b'U' => "user",
        b'A' => "account",
        b'O' => "operator",
        b'N' => "server",
        b'C' => "cluster",
        _ => "curve",
    };
    let outcome = Outcome::of_checksum(crc::crc16_xmodem(body).to_le_bytes() == sum);
    Some(outcome.with("kind", Some(role.to_owned())))
}

/// Prefix, 54 characters, and their CRC-32 in base64, the low byte first.
pub(super) fn confluent_crc32(parts: &Parts<'_>) -> Option<Outcome> {
    let (body, sum) = split_tail(parts.secret.strip_prefix(b"cflt")?, 6)?;
    let expected = BASE64_STANDARD_NO_PAD.encode(crc::crc32(body).to_le_bytes());
    Some(Outcome::of_checksum(expected.as_bytes() == sum))
}

/// A secret from before they had a prefix: one with it is judged by its checksum.
pub(super) fn confluent_legacy(parts: &Parts<'_>) -> Option<Outcome> {
    (!parts.secret.starts_with(b"cflt")).then(Outcome::default)
}
