//! The first boot of an image that was acquired by launching it: what it wrote was not in the image,
//! or not as it lies there now.

use crate::coverage::Coverage;
use crate::filesystem::FileEntry;
use crate::finding::{Finding, Place, State};
use crate::locator::{Area, Locator, Printable};
use crate::sweep::plan::{Part, Plan};

use super::{Watch, file_of, is_regular};

/// The most files that are named.
const NAMED: usize = 10;

/// When a file was last written to, against the boot. Times are what the filesystem says: who made
/// the image could have set them.
fn standing(file: &FileEntry, boot: i64) -> &'static str {
    match (boot <= file.times.created, boot <= file.times.modified) {
        (true, _) => "created by the first boot",
        (false, true) => "written to by the first boot",
        (false, false) => "from before the first boot",
    }
}

/// Say of each finding how its files stand to the boot, and of each filesystem what that wrote.
pub(super) fn mark(plan: &Plan, boot: i64, findings: &mut [Finding], coverage: &mut Coverage) {
    for finding in findings {
        let mut told: Vec<String> =
            finding.places.iter().map(|place| of_place(plan, place, boot).to_owned()).collect();
        told.sort();
        told.dedup();
        finding.facts.insert("first_boot", told);
    }
    for part in &plan.parts {
        if let Some(what) = told(part, boot) {
            coverage.remark(Some(part.locator(Area::Whole)), what);
        }
    }
}

fn of_place(plan: &Plan, place: &Place, boot: i64) -> &'static str {
    let found =
        plan.parts.iter().zip(&plan.watches).find_map(|(part, watch)| file(part, watch, place));
    found.map_or("not known: in no live file", |file| standing(file, boot))
}

fn file<'a>(part: &'a Part, watch: &Watch, place: &Place) -> Option<&'a FileEntry> {
    let Locator { root, volume, area: Area::Path(path), .. } = &place.locator else { return None };
    let here = *root == part.root && *volume == part.volume && place.state == State::Live;
    if here { file_of(part, watch.find(part, path)?) } else { None }
}

/// What the boot wrote to a filesystem, in words.
fn told(part: &Part, boot: i64) -> Option<String> {
    let files = || part.files.iter().filter(|file| is_regular(file));
    let created = files().filter(|file| boot <= file.times.created).count();
    let mut written: Vec<&[u8]> = files()
        .filter(|file| boot <= file.times.created || boot <= file.times.modified)
        .map(|file| &*file.path)
        .collect();
    if written.is_empty() {
        return None;
    }
    written.sort_unstable();
    let all = written.len();
    let mut names: Vec<String> =
        written.iter().take(NAMED).map(|path| Printable(path).to_string()).collect();
    if all > NAMED {
        names.push("…".to_owned());
    }
    let to = all.saturating_sub(created);
    let names = names.join(", ");
    Some(format!("the first boot created {created} files and wrote to {to}: {names}"))
}
