//! The output: the one place where the program writes a file.

use crate::error::{Error, ErrorKind, Result};
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A file only its owner can read, created or emptied.
pub fn create(path: &Path) -> Result<impl Write> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.map(BufWriter::new).map_err(|cause| refuse(path, cause))
}

/// A file only its owner can read, which must not be there yet.
pub fn create_new(path: &Path) -> Result<impl Write> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map(BufWriter::new).map_err(|cause| refuse(path, cause))
}

fn refuse(path: &Path, cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write").detail(path.display()).caused_by(cause)
}

/// The error of writing a report.
pub fn failed(cause: impl Into<std::io::Error>) -> Error {
    Error::new(ErrorKind::Io, "the report could not be written").caused_by(cause.into())
}
