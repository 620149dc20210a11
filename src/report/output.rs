//! The output: the one place where the program writes a file.

use crate::error::{Error, ErrorKind, Result};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A report's file: opened before the work begins, so that a mistake in its name costs nothing,
/// and emptied when there is something to write, so that a run that fails leaves the last report.
pub struct Pending {
    file: File,
    path: PathBuf,
}

impl Pending {
    /// Open or create the file at `path`; only its owner can read it. A block device and `source`,
    /// which is what the report is about, are refused: nothing that is scanned is ever written.
    pub fn open(path: &Path, source: Option<&Path>) -> Result<Pending> {
        let is_source = |meta: &Metadata| {
            let source = source.and_then(|source| std::fs::metadata(source).ok());
            source.is_some_and(|of| (of.dev(), of.ino()) == (meta.dev(), meta.ino()))
        };
        if let Ok(meta) = std::fs::metadata(path)
            && (meta.file_type().is_block_device() || is_source(&meta))
        {
            let what = "the report would overwrite a disk or what is scanned; give another -o";
            return Err(Error::new(ErrorKind::Usage, what).detail(path.display()));
        }
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(|cause| refuse_output(path, cause))?;
        Ok(Pending { file, path: path.to_owned() })
    }

    /// Empty the file, take it away from everyone but its owner, and write.
    pub fn begin(self) -> Result<impl Write> {
        let Pending { file, path } = self;
        let meta = file.metadata().map_err(|cause| refuse_output(&path, cause))?;
        if meta.is_file() {
            let private = std::fs::Permissions::from_mode(0o600);
            file.set_permissions(private).map_err(|cause| refuse_output(&path, cause))?;
            file.set_len(0).map_err(|cause| refuse_output(&path, cause))?;
        }
        Ok(BufWriter::new(file))
    }
}

/// A file only its owner can read, which must not be there yet.
pub fn create_new(path: &Path) -> Result<impl Write> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map(BufWriter::new).map_err(|cause| refuse(path, cause))
}

/// A file only its owner can read, to write at its end: emptied first, unless it is `kept`.
pub fn append(path: &Path, kept: bool) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    if kept {
        options.append(true);
    } else {
        options.write(true).truncate(true);
    }
    options.open(path).map_err(|cause| refuse(path, cause))
}

fn refuse_output(path: &Path, cause: std::io::Error) -> Error {
    let what = "cannot write the report; give another -o";
    Error::new(ErrorKind::Io, what).detail(path.display()).caused_by(cause)
}

fn refuse(path: &Path, cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write").detail(path.display()).caused_by(cause)
}

/// The error of writing a report.
pub fn failed(cause: impl Into<std::io::Error>) -> Error {
    Error::new(ErrorKind::Io, "the report could not be written").caused_by(cause.into())
}
