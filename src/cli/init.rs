//! `amisweep init`: make the key that lets fingerprints of several runs compare.

use super::key;
use crate::error::{Error, ErrorKind, Result};
use crate::report::output;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Make the fingerprint key of this user or organisation, once.
///
/// Fingerprints are keyed hashes: with one key, the same secret has the same fingerprint in every
/// report, and nobody without the key can guess passwords from them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to put it, instead of the configuration directory.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let path = match &args.key_file {
        Some(path) => path.clone(),
        None => key::default_path().ok_or_else(|| {
            Error::new(ErrorKind::Usage, "no home directory; name a place with --key-file")
        })?,
    };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    let hex = key::random()?.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let mut file = output::create_new(&path)?;
    writeln!(file, "{hex}").and_then(|()| file.flush()).map_err(output::failed)?;
    super::say(&format!(
        "made {}: keep it secret, and give it to every machine whose reports are to compare \
         (--key-file, AMISWEEP_FP_KEY_FILE or AMISWEEP_FP_KEY)",
        path.display()
    ));
    Ok(0)
}
