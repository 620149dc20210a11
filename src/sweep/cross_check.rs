//! The cross-check: every live file with a finding, read again by an independent reader.

use super::plan::{Part, Plan, names};
use crate::bytes::ReadAt;
use crate::coverage::{Coverage, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{At, FileEntry, FileState, Filesystem, Stream, StreamName};
use crate::finding::Finding;
use crate::limits::{self, WINDOW_BYTES};
use crate::locator::{Area, Locator};
use crate::outcome::{Agreement, CrossCheck};
use crate::run::Run;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Re-read every live file with a finding whose filesystem has a second reader.
pub(super) fn run(plan: &Plan, findings: &[Finding], coverage: &mut Coverage) -> Vec<CrossCheck> {
    let mut wanted: BTreeSet<Locator> = BTreeSet::new();
    for place in findings.iter().flat_map(|finding| &finding.places) {
        if matches!(place.locator.area, Area::Path(_)) && place.locator.stream.is_none() {
            let mut file = place.locator.clone();
            file.members.clear();
            file.span = None;
            wanted.insert(file);
        }
    }
    let mut checks = Vec::new();
    for part in &plan.parts {
        for file in part.files.iter().filter(|file| file.state == FileState::Live) {
            let mut named = names(file).map(|name| part.locator(Area::Path(name.into())));
            let Some(at) = named.find(|at| wanted.contains(at)) else { continue };
            let check = catch_unwind(AssertUnwindSafe(|| compare(part, file, at.clone())));
            match check {
                Ok(check) => checks.extend(check),
                Err(_) => coverage.remark(Some(at), "the cross-check failed on this file"),
            }
        }
    }
    for check in checks.iter().filter(|check| check.agreement == Agreement::Differs) {
        let error = Error::new(ErrorKind::Internal, "two readers disagree about this file");
        coverage.error_at(&check.locator, &error);
    }
    checks.sort_by(|a, b| a.locator.cmp(&b.locator));
    checks
}

fn compare(part: &Part, file: &FileEntry, locator: Locator) -> Option<CrossCheck> {
    let second = part.driver.and_then(|driver| driver.second_opinion);
    let (Some(second), Some(bytes)) = (second, part.bytes.as_ref()) else {
        let agreement = Agreement::Refused("there is no second reader of this format".to_owned());
        return Some(CrossCheck { locator, sha256: String::new(), agreement });
    };
    let filesystem = part.filesystem.as_deref()?;
    let data = |(_, stream): &(usize, &Stream)| stream.name == StreamName::Data;
    let (number, stream) = file.streams.iter().enumerate().find(data)?;
    if stream.size > limits::CROSS_CHECK_BYTES {
        let agreement = Agreement::Refused("the file is too large to be read twice".to_owned());
        return Some(CrossCheck { locator, sha256: String::new(), agreement });
    }
    let ours = filesystem.open(file, number).and_then(|reader| hash(&*reader));
    let mut theirs = Sha256::new();
    let read = second(bytes, locator.path()?, &mut |bytes| theirs.update(bytes));
    let theirs: [u8; 32] = theirs.finalize().into();
    let agreement = match (&ours, read) {
        (_, Err(error)) => Agreement::Refused(error.message()),
        (Ok(ours), Ok(())) if *ours == theirs => Agreement::Agrees,
        (Ok(_), Ok(())) if is_journaled(filesystem, stream) => Agreement::Refused(
            "the journal holds newer bytes of this file, which the second reader does not read"
                .to_owned(),
        ),
        (_, Ok(())) => Agreement::Differs,
    };
    let sha256 = ours.map_or_else(|_| String::new(), |sha256| hex(&sha256));
    Some(CrossCheck { locator, sha256, agreement })
}

/// Whether any byte of a stream stands in the journal alone, so far.
fn is_journaled(filesystem: &dyn Filesystem, stream: &Stream) -> bool {
    stream.extents.iter().any(|extent| {
        let shown = stream.size.saturating_sub(extent.file_offset).min(extent.len);
        let At::Disk(start) = extent.at else { return false };
        filesystem.label(Run::new(start, shown)).iter().any(|(_, kind)| *kind == Kind::Journal)
    })
}

fn hash(reader: &dyn ReadAt) -> Result<[u8; 32]> {
    let mut sha256 = Sha256::new();
    let mut buf = Vec::new();
    let mut at = 0;
    while at < reader.len() {
        let run = Run::between(at, at.saturating_add(WINDOW_BYTES).min(reader.len()));
        super::read::fill(reader, run, &mut buf)?;
        sha256.update(&buf);
        at = run.end();
    }
    Ok(sha256.finalize().into())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
