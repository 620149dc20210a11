//! The fingerprint key: from the environment, from a file, or random for one run.

use crate::error::{Error, ErrorKind, Result};
use crate::sweep::FingerprintKey;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Holds the key itself, 64 hex digits.
const KEY_VARIABLE: &str = "AMISWEEP_FP_KEY";

/// Names the key's file.
const FILE_VARIABLE: &str = "AMISWEEP_FP_KEY_FILE";

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;

/// The key to fingerprint with: the flag's file, the environment, the file `init` made, or a
/// random one.
pub(super) fn load(flag: Option<&Path>) -> Result<FingerprintKey> {
    if let Some(path) = flag {
        return from_file(path);
    }
    if let Some(hex) = std::env::var_os(KEY_VARIABLE) {
        let hex = Zeroizing::new(hex.into_string().unwrap_or_default());
        return parse(&hex).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "AMISWEEP_FP_KEY is not a key of 64 hex digits; `amisweep init` makes one in a file")
        });
    }
    if let Some(path) = std::env::var_os(FILE_VARIABLE) {
        return from_file(Path::new(&path));
    }
    match default_path() {
        Some(path) if path.exists() => from_file(&path),
        _ => Ok(FingerprintKey::ephemeral(random()?)),
    }
}

/// Where `init` puts the key.
pub(super) fn default_path() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("amisweep/fingerprint.key"))
}

/// Thirty-two bytes of the system's randomness.
pub(super) fn random() -> Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key)
        .map_err(|cause| Error::new(ErrorKind::Io, "no random bytes to be had").caused_by(cause))?;
    Ok(key)
}

fn from_file(path: &Path) -> Result<FingerprintKey> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|cause| {
        Error::new(ErrorKind::Io, "cannot read the fingerprint key; `amisweep init` makes one")
            .detail(path.display())
            .caused_by(cause)
    })?;
    parse(&text).ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            "the fingerprint key is not 64 hex digits; `amisweep init` makes one",
        )
        .detail(path.display())
    })
}

fn parse(hex: &str) -> Option<FingerprintKey> {
    let hex = hex.trim();
    let mut key = [0; KEY_BYTES];
    if hex.len() != 2 * KEY_BYTES || !hex.is_ascii() {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(FingerprintKey::kept(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_hex_digits() {
        assert!(parse(&format!(" {}\n", "0f".repeat(32))).is_some());
        for bad in ["", "0f", &"0g".repeat(32), &"0f".repeat(33), &"é".repeat(32)] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
