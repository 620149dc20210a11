//! What the package databases of one part have told, boiled down to numbers.

use crate::limits;
use crate::provenance::digest::{self, Algorithm, Digest};
use crate::provenance::{Owned, Record};
use std::collections::{BTreeMap, BTreeSet};

/// What a package says of a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    pub(super) file: u32,
    pub(super) digest: Option<(Algorithm, Digest)>,
    pub(super) mode: Option<u16>,
    pub(super) config: bool,
    pub(super) package: u32,
}

/// A file that a package names and that is not where it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Absent {
    pub(super) path: Box<[u8]>,
    pub(super) claim: Claim,
}

/// A diversion: where the files of all packages but one are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Diversion {
    pub(super) from: Box<[u8]>,
    pub(super) to: Box<[u8]>,
    pub(super) by: Box<[u8]>,
}

/// What the databases of one part have told.
#[derive(Default)]
pub(super) struct Told {
    /// The package managers.
    pub(super) formats: BTreeSet<&'static str>,
    /// The names of packages, by their numbers.
    pub(super) packages: Vec<Box<[u8]>>,
    numbers: BTreeMap<Box<[u8]>, u32>,
    pub(super) installed: u64,
    pub(super) claims: Vec<Claim>,
    pub(super) absent: Vec<Absent>,
    absent_bytes: usize,
    /// How many more there are, of which no path is kept.
    absent_more: u64,
    pub(super) diversions: Vec<Diversion>,
    /// Whether a part of a database could not be read, so that files may seem to be nobody's.
    pub(super) damaged: bool,
    /// Whether there was more than is kept.
    pub(super) full: bool,
}

impl Told {
    /// Keep a record; `file` is the one that its path names.
    pub(super) fn keep(&mut self, format: &'static str, record: &Record<'_>, file: Option<u32>) {
        self.formats.insert(format);
        match record {
            Record::Package(name) => {
                self.installed += 1;
                self.package(name);
            }
            Record::File(owned) => self.file(owned, file),
            Record::Diverted { from, to, by } => {
                self.full |= self.diversions.len() >= limits::DIVERSIONS;
                if !self.full {
                    let (from, to, by) = ((*from).into(), (*to).into(), (*by).into());
                    self.diversions.push(Diversion { from, to, by });
                }
            }
        }
    }

    fn package(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        if self.packages.len() >= limits::PACKAGES {
            self.full = true;
            return u32::MAX;
        }
        let number = u32::try_from(self.packages.len()).unwrap_or(u32::MAX);
        let name = name.get(..limits::FACT_BYTES).unwrap_or(name);
        self.packages.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }

    fn file(&mut self, owned: &Owned<'_>, file: Option<u32>) {
        if self.claims.len() + self.absent.len() >= limits::PACKAGE_FILES {
            self.full = true;
            return;
        }
        let Owned { digest, mode, config, .. } = *owned;
        let package = self.package(owned.package);
        let claim = Claim { file: file.unwrap_or(u32::MAX), digest, mode, config, package };
        match file {
            Some(_) => self.claims.push(claim),
            // Directories and links have no digest, and of an empty file nothing is listed.
            None if digest.is_none_or(is_of_nothing) => {}
            None if self.absent_bytes + owned.path.len() > limits::ABSENT_BYTES => {
                self.absent_more += 1;
            }
            None => {
                self.absent_bytes += owned.path.len();
                self.absent.push(Absent { path: owned.path.into(), claim });
            }
        }
    }

    /// How many files packages name that are not there.
    pub(super) fn missing(&self) -> u64 {
        self.absent_more + self.absent.len() as u64
    }

    /// The name of a package.
    pub(super) fn name(&self, package: u32) -> &[u8] {
        let name = usize::try_from(package).ok().and_then(|number| self.packages.get(number));
        name.map(|name| &**name).unwrap_or_default()
    }

    /// Everything has been told: move what was diverted, and sort.
    pub(super) fn settle(&mut self, find: &dyn Fn(&[u8]) -> Option<u32>) {
        self.numbers.clear();
        self.diversions.sort();
        let diversions = std::mem::take(&mut self.diversions);
        let mut moved = BTreeMap::new();
        for diversion in &diversions {
            if let Some(from) = find(&diversion.from) {
                moved.insert(from, diversion);
            }
        }
        let mut claims = std::mem::take(&mut self.claims);
        for claim in &mut claims {
            let other = moved.get(&claim.file).filter(|to| *to.by != *self.name(claim.package));
            if let Some(file) = other.and_then(|other| find(&other.to)) {
                claim.file = file;
            }
        }
        self.absent.retain(|absent| {
            let package = self.packages.get(usize::try_from(absent.claim.package).unwrap_or(0));
            let diverted = diversions.iter().find(|known| {
                known.from == absent.path && package.is_none_or(|package| known.by != *package)
            });
            let file = diverted.and_then(|known| find(&known.to));
            claims.extend(file.map(|file| Claim { file, ..absent.claim }));
            file.is_none()
        });
        // Packages were numbered in the order in which workers came upon them.
        let mut order: Vec<u32> = (0..u32::try_from(self.packages.len()).unwrap_or(0)).collect();
        order.sort_by_key(|&number| self.name(number));
        let mut rank = vec![u32::MAX; order.len()];
        for (place, number) in (0u32..).zip(&order) {
            if let Some(slot) = usize::try_from(*number).ok().and_then(|n| rank.get_mut(n)) {
                *slot = place;
            }
        }
        let ranked = |number: u32| {
            usize::try_from(number).ok().and_then(|n| rank.get(n)).copied().unwrap_or(u32::MAX)
        };
        for claim in &mut claims {
            claim.package = ranked(claim.package);
        }
        self.absent.iter_mut().for_each(|absent| {
            absent.claim.package = ranked(absent.claim.package);
        });
        self.packages.sort();
        claims.sort_unstable();
        claims.dedup();
        claims.shrink_to_fit();
        self.claims = claims;
        self.absent.sort();
        self.absent.dedup();
    }

    /// The claims to a file, once settled.
    pub(super) fn claims_to(&self, file: u32) -> &[Claim] {
        let first = self.claims.partition_point(|claim| claim.file < file);
        let after = self.claims.partition_point(|claim| claim.file <= file);
        self.claims.get(first..after).unwrap_or_default()
    }
}

fn is_of_nothing((algorithm, digest): (Algorithm, Digest)) -> bool {
    digest == digest::short(&digest::of(algorithm, b""))
}
