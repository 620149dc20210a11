//! A directory of CloudTrail's log files, packed or not, as the bucket of a trail holds them.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-find-log-files.html>

use crate::error::{Error, ErrorKind, Result};
use crate::exposure::facts::Event;
use crate::limits::{TRAIL_EVENTS, TRAIL_FILE_BYTES, TRAIL_FILES, TRAIL_FOLDERS};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a directory of log files holds.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    /// The events that were wanted.
    pub events: Vec<Event>,
    /// How many log files were read.
    pub files: u64,
    /// What could not be read; events may be missing.
    pub failed: Vec<String>,
}

/// Read every log file below `folder`, and keep the events that are `wanted`. A file that cannot
/// be read is told, for what it held is unknown.
pub fn logs(folder: &Path, wanted: impl Fn(&Event) -> bool) -> Result<Logs> {
    let mut logs = Logs::default();
    for path in files(folder)? {
        match records(&path) {
            Ok(records) => {
                logs.files = logs.files.saturating_add(1);
                logs.events.extend(records.into_iter().filter(&wanted));
            }
            Err(error) => logs.failed.push(error.named(&path.to_string_lossy()).message()),
        }
        if TRAIL_EVENTS < logs.events.len() {
            let what = "more events than are judged at once; give fewer log files";
            return Err(Error::new(ErrorKind::Limit, what).detail(folder.display()));
        }
    }
    Ok(logs)
}

/// Every log file below a folder, sorted. Links are not followed.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let fail = |path: &Path, cause: std::io::Error| {
        let what = "cannot list the log files";
        Error::new(ErrorKind::Io, what).detail(path.display()).caused_by(cause)
    };
    let mut open = vec![folder.to_owned()];
    let (mut found, mut folders) = (Vec::new(), 0_usize);
    while let Some(folder) = open.pop() {
        folders = folders.saturating_add(1);
        if TRAIL_FOLDERS < folders || TRAIL_FILES < found.len() {
            let what = "more log files than are read at once; give a folder further down";
            return Err(Error::new(ErrorKind::Limit, what).detail(folder.display()));
        }
        for entry in std::fs::read_dir(&folder).map_err(|cause| fail(&folder, cause))? {
            let entry = entry.map_err(|cause| fail(&folder, cause))?;
            let kind = entry.file_type().map_err(|cause| fail(&folder, cause))?;
            let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
            // Digests prove the files whole and hold no events.
            let digest = name.contains("cloudtrail-digest");
            if kind.is_dir() && !digest {
                open.push(entry.path());
            } else if kind.is_file()
                && !digest
                && Path::new(name.strip_suffix(".gz").unwrap_or(&name)).extension()
                    == Some("json".as_ref())
            {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn records(path: &Path) -> Result<Vec<Event>> {
    let fail = |cause: std::io::Error| Error::new(ErrorKind::Io, "cannot read it").caused_by(cause);
    let file = File::open(path).map_err(fail)?;
    let packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let reader: Box<dyn Read> =
        if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut bytes = Vec::new();
    reader.take(TRAIL_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > TRAIL_FILE_BYTES {
        return Err(Error::new(ErrorKind::Limit, "larger than a log file of CloudTrail is"));
    }
    parse(&bytes)
}

/// The records of one log file, or the output of `lookup-events`.
fn parse(bytes: &[u8]) -> Result<Vec<Event>> {
    let bad = || Error::corrupt("not a log file of CloudTrail");
    let mut file: Value = serde_json::from_slice(bytes).map_err(|cause| bad().caused_by(cause))?;
    let list = ["Records", "Events"].iter().find_map(|name| Some(file.get_mut(*name)?.take()));
    serde_json::from_value(list.ok_or_else(bad)?).map_err(|cause| bad().caused_by(cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_files_are_read_in_every_form() {
        let text = br#"{"Records": [{"eventName": "CopyImage"}]}"#;
        assert_eq!(parse(text).unwrap()[0].name(), "CopyImage");
        let text = br#"{"Events": [{"EventName": "CopyImage"}]}"#;
        assert_eq!(parse(text).unwrap()[0].name(), "CopyImage");
        for bad in ["", "[]", "{}", r#"{"Records": 5}"#] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
