//! The judgement: which files are as their packages installed them, and what that makes of the
//! findings in them.

use super::base::{self, Compared};
use super::boot;
use super::integrity::{self, Seen};
use super::told::Told;
use super::{Asked, Watch, data, file_of, is_regular, read_again};
use crate::bytes::{read_vec, u32_le};
use crate::coverage::Coverage;
use crate::finding::{Finding, Harmless, Place, Provenance, Severity, State, Subject};
use crate::limits;
use crate::locator::{Area, Locator};
use crate::outcome::{Comparison, Packages};
use crate::provenance::digest::Hasher;
use crate::provenance::plain;
use crate::sweep::Options;
use crate::sweep::join::{Findings, sorted};
use crate::sweep::plan::{Part, Plan};
use std::collections::{BTreeMap, BTreeSet};

/// How files of packages end.
const PACKAGES: [&[u8]; 4] = [b".apk", b".deb", b".ipk", b".rpm"];

/// What came of it.
#[derive(Default)]
pub(in crate::sweep) struct Judged {
    pub(in crate::sweep) packages: Vec<Packages>,
    pub(in crate::sweep) base: Option<Comparison>,
}

/// A part with what is known of its files.
pub(super) struct System<'a> {
    pub(super) part: &'a Part,
    pub(super) watch: &'a Watch,
    pub(super) told: &'a Told,
    /// Whether there is a package database to judge by.
    pub(super) known: bool,
}

/// Judge every part, mark the places of the findings, and add what the files themselves tell.
pub(in crate::sweep) fn judge(
    plan: &Plan,
    (options, asked): (&Options<'_>, &Asked<'_>),
    findings: &mut Vec<Finding>,
    coverage: &mut Coverage,
) -> Judged {
    let mut judged = Judged::default();
    let mut more = Findings::new(options.key);
    for (part, watch) in plan.parts.iter().zip(&plan.watches) {
        if part.filesystem.is_none() {
            continue;
        }
        watch.digests.settle();
        let mut told = watch.told();
        told.settle(&|path| watch.find_merged(part, path));
        let known = told.installed > 0 && !told.claims.is_empty();
        let system = System { part, watch, told: &told, known };
        if known {
            again(&system, findings, coverage);
        }
        let seen = mark(&system, findings);
        integrity::find(&system, &seen, &mut more, coverage);
        judged.packages.extend(known.then(|| summary(&system, &seen)));
        if told.full {
            let what = "a package database names more than is kept of it";
            coverage.remark(Some(part.locator(Area::Whole)), what);
        }
    }
    findings.extend(more.finish(coverage));
    if let Some(base) = asked.base {
        let compared = base::compare(plan, base, coverage);
        descend(plan, &compared, findings);
        judged.base = Some(compared.counts);
    }
    if let Some(time) = asked.boot {
        boot::mark(plan, time, findings, coverage);
    }
    grade(findings, &mut judged);
    sorted(findings);
    judged
}

impl System<'_> {
    /// What is known of a file, and the package that it is known from.
    pub(super) fn status(&self, file: u32) -> (Provenance, &[u8]) {
        let claims = self.told.claims_to(file);
        let Some(first) = claims.first() else { return (Provenance::Unowned, b"") };
        let mut status = (Provenance::Unverified, self.told.name(first.package));
        // Some packages list the digests of their configuration with those of their files.
        if let Some(config) = claims.iter().find(|claim| claim.config) {
            return (Provenance::Config, self.told.name(config.package));
        }
        for claim in claims {
            let name = self.told.name(claim.package);
            let Some((algorithm, expected)) = claim.digest else { continue };
            match self.watch.digest(file, algorithm) {
                Some(digest) if digest == expected => return (Provenance::Vendor, name),
                Some(_) => status = (Provenance::Modified, name),
                None => {}
            }
        }
        status
    }

    /// Whether a configuration file has other bytes than it came with; none where that cannot be
    /// told.
    fn config_changed(&self, file: u32) -> Option<bool> {
        let claims = self.told.claims_to(file).iter().filter_map(|claim| claim.digest);
        let mut known = claims.filter_map(|(algorithm, expected)| {
            Some(self.watch.digest(file, algorithm)? != expected)
        });
        let first = known.next()?;
        Some(first && known.all(|changed| changed))
    }

    /// The file a place is in, if it is one of this part's.
    fn file(&self, place: &Place) -> Option<u32> {
        let Locator { root, volume, area: Area::Path(path), stream: None, .. } = &place.locator
        else {
            return None;
        };
        let here = *root == self.part.root && *volume == self.part.volume;
        if here && place.state == State::Live { self.watch.find(self.part, path) } else { None }
    }
}

/// Digest what matters and did not pass in order: programs, and what holds findings.
fn again(system: &System<'_>, findings: &[Finding], coverage: &mut Coverage) {
    let System { part, watch, told, .. } = system;
    let serious = |f: &&Finding| f.harmless.is_none() && f.severity >= Severity::Medium;
    let places = findings.iter().filter(serious).flat_map(|finding| &finding.places);
    let mut wanted: BTreeSet<u32> = places.filter_map(|place| system.file(place)).collect();
    wanted.extend(watch.digests.programs());
    let set_id = |file: u32| file_of(part, file).is_some_and(|file| file.mode & 0o6000 != 0);
    wanted.extend(told.claims.iter().map(|claim| claim.file).filter(|file| set_id(*file)));
    let mut left = limits::VERIFY_AGAIN_BYTES;
    let late = watch.digests.late();
    wanted.extend(&late);
    for number in wanted {
        let missing = told.claims_to(number).iter().filter_map(|claim| {
            let (algorithm, _) = claim.digest?;
            watch.digest(number, algorithm).is_none().then_some(algorithm)
        });
        let missing: BTreeSet<_> = missing.collect();
        let Some(file) = file_of(part, number).filter(|_| !missing.is_empty()) else { continue };
        let size = data(file).map_or(0, |(_, stream)| stream.size);
        if !late.contains(&number) {
            let Some(rest) = left.checked_sub(size) else { continue };
            left = rest;
        }
        let mut hashers: Vec<Hasher> = missing.into_iter().map(Hasher::new).collect();
        let mut take = |bytes: &[u8]| hashers.iter_mut().for_each(|hasher| hasher.update(bytes));
        match read_again(part, file, &mut take) {
            Ok(()) => watch.digests.keep(number, hashers, false),
            // Reading it once was told of where it was swept.
            Err(error) => {
                coverage.remark(Some(part.locator(Area::Path(file.path.clone()))), error.message());
            }
        }
    }
    watch.digests.settle();
}

/// Say of each place in a part's files where they come from. Returns the files and what they are.
fn mark(system: &System<'_>, findings: &mut [Finding]) -> Seen {
    if !system.known {
        return Seen::default();
    }
    for finding in findings.iter_mut() {
        let mut packages = BTreeSet::new();
        for place in &mut finding.places {
            let Some(file) = system.file(place) else { continue };
            let (mut status, mut package) = system.status(file);
            if status == Provenance::Unowned
                && let Some(source) = compiled_from(system, file)
            {
                (status, package) = system.status(source);
            }
            place.provenance = Some(status);
            packages.insert(String::from_utf8_lossy(package).into_owned());
        }
        packages.remove("");
        if !packages.is_empty() {
            let known = finding.facts.entry("package").or_default();
            known.extend(packages);
            known.sort();
            known.dedup();
            known.truncate(8);
        }
    }
    Seen::of(system)
}

/// The source of a compiled Python file, if it was compiled from the source that is there.
fn compiled_from(system: &System<'_>, file: u32) -> Option<u32> {
    let entry = file_of(system.part, file)?;
    let path = plain(&entry.path);
    let (folder, name) = path.split_at(memchr::memmem::find(path, b"__pycache__/")?);
    let name = name.get(b"__pycache__/".len()..)?.strip_suffix(b".pyc")?;
    let stem = name.get(..memchr::memmem::find(name, b".cpython-")?)?;
    let source = system.watch.find(system.part, &[folder, stem, b".py"].concat())?;
    let (stream, _) = data(entry)?;
    let bytes = system.part.filesystem.as_deref()?.open(entry, stream).ok()?;
    let head = read_vec(&*bytes, 0, 16).ok()?;
    let of = file_of(system.part, source)?;
    let time = u64::try_from(of.times.modified).ok()? & u64::from(u32::MAX);
    let size = data(of)?.1.size & u64::from(u32::MAX);
    let same =
        u64::from(u32_le(&head, 8).ok()?) == time && u64::from(u32_le(&head, 12).ok()?) == size;
    let by_time = u32_le(&head, 4).ok()? & 1 == 0;
    (by_time && same).then_some(source)
}

/// What the databases of a part say of its files, in numbers.
fn summary(system: &System<'_>, seen: &Seen) -> Packages {
    let System { part, told, .. } = system;
    Packages {
        locator: part.locator(Area::Whole).to_string(),
        formats: told.formats.iter().copied().collect(),
        packages: told.installed,
        verified: seen.verified,
        changed: seen.changed.len() as u64,
        config: seen.config,
        config_changed: seen.config_changed,
        missing: told.missing(),
        unverified: seen.unverified,
        changed_files: seen
            .changed
            .iter()
            .take(limits::CHANGED_FILES)
            .map(|at| at.1.clone())
            .collect(),
        noted: BTreeMap::new(),
    }
}

impl Seen {
    fn of(system: &System<'_>) -> Seen {
        let mut seen = Seen::default();
        let files = (0u32..).zip(&system.part.files).filter(|(_, file)| is_regular(file));
        for (number, file) in files {
            match system.status(number).0 {
                Provenance::Vendor => seen.verified += 1,
                Provenance::Modified => {
                    let at = system.part.locator(Area::Path(file.path.clone()));
                    seen.changed.push((number, at.to_string()));
                }
                Provenance::Config => {
                    seen.config += 1;
                    seen.config_changed += u64::from(system.config_changed(number) == Some(true));
                }
                Provenance::Unverified => seen.unverified += 1,
                Provenance::Unowned => {}
            }
        }
        seen.changed.sort_by(|a, b| a.1.cmp(&b.1));
        seen
    }
}

/// Say of each place what its file is to the base.
fn descend(plan: &Plan, compared: &Compared, findings: &mut [Finding]) {
    for (number, (part, watch)) in plan.parts.iter().zip(&plan.watches).enumerate() {
        for place in findings.iter_mut().flat_map(|finding| &mut finding.places) {
            let Locator { root, volume, area: Area::Path(path), .. } = &place.locator else {
                continue;
            };
            if *root == part.root && *volume == part.volume && place.state == State::Live {
                let file = watch.find(part, path);
                place.descent = file.and_then(|file| compared.of(number, file));
            }
        }
    }
}

/// What stands in unchanged files of packages alone, everybody has. Copies that lie in no live file
/// are of the same bytes. What grants access does so whoever put it there.
fn grade(findings: &mut [Finding], judged: &mut Judged) {
    for finding in findings {
        let live = || finding.places.iter().filter(|place| place.state == State::Live);
        // What a package only shows grants nothing.
        let shown = |place: &Place| {
            place.locator.path().is_some_and(|path| plain(path).starts_with(b"usr/share/"))
        };
        let grants = matches!(finding.subject, Subject::Fact(_)) && !live().all(shown);
        let all_known = finding.place_count == finding.places.len() as u64;
        let vendor = |place: &Place| place.provenance == Some(Provenance::Vendor);
        let mut vendors = live().filter(|place| vendor(place)).peekable();
        let installed: BTreeSet<&[u8]> =
            vendors.clone().filter_map(|place| Some(merged(place.locator.path()?))).collect();
        let known = |place: &Place| vendor(place) || is_in_package(place, &installed);
        if finding.harmless.is_some() || grants || !all_known || !live().all(known) {
            continue;
        }
        let Some(first) = vendors.peek() else { continue };
        let whole =
            Locator { area: Area::Whole, members: Vec::new(), span: None, ..first.locator.clone() };
        let whole = whole.to_string();
        if let Some(packages) = judged.packages.iter_mut().find(|known| known.locator == whole) {
            for package in finding.facts.get("package").into_iter().flatten() {
                *packages.noted.entry(package.clone()).or_default() += 1;
            }
        }
        finding.harmless = Some(Harmless::Vendor);
    }
}

/// Whether a place is in the package that an installed file came from, which apt and its like keep
/// when they have unpacked it.
fn is_in_package(place: &Place, installed: &BTreeSet<&[u8]>) -> bool {
    let is_package = |path: &[u8]| PACKAGES.iter().any(|end| path.ends_with(end));
    let names = || place.locator.members.iter().filter_map(|member| member.name.as_deref());
    place.locator.path().is_some_and(is_package)
        && names().any(|name| installed.contains(merged(name.strip_prefix(b"./").unwrap_or(name))))
}

/// A path as it is once `/bin`, `/lib` and `/sbin` are links into `/usr`.
fn merged(path: &[u8]) -> &[u8] {
    let path = plain(path);
    path.strip_prefix(b"usr/").unwrap_or(path)
}
