//! The comparison with the image that another was made from, and the lines of a manifest.

use super::{Watch, data, file_of, is_regular, read_again};
use crate::coverage::Coverage;
use crate::filesystem::FileEntry;
use crate::finding::Descent;
use crate::locator::Area;
use crate::outcome::Comparison;
use crate::provenance::digest::{self, Algorithm, Hasher, Whole};
use crate::provenance::manifest::{Base, File};
use crate::sweep::plan::{Part, Plan, names};

/// The SHA-256 of a file. What did not pass in order is read now.
pub(super) fn digested(
    part: &Part,
    watch: &Watch,
    (number, file): (u32, &FileEntry),
    coverage: &mut Coverage,
) -> Option<Whole> {
    if data(file).is_none() {
        return Some(digest::of(Algorithm::Sha256, b""));
    }
    if let Some(known) = watch.sha256(number) {
        return Some(known);
    }
    let mut hasher = Hasher::new(Algorithm::Sha256);
    match read_again(part, file, &mut |bytes| hasher.update(bytes)) {
        Ok(()) => Some(hasher.finish()),
        Err(error) => {
            coverage.error_at(&part.locator(Area::Path(file.path.clone())), &error);
            None
        }
    }
}

/// A file's line in a manifest.
pub(super) fn line(part: &Part, file: &FileEntry, name: &[u8], sha256: Option<&Whole>) -> File {
    File {
        volume: part.volume.as_deref().map(str::to_owned),
        path: File::path(name),
        size: data(file).map_or(0, |(_, stream)| stream.size),
        mode: format!("{:o}", file.mode),
        uid: file.uid,
        gid: file.gid,
        sha256: sha256.map(|bytes| digest::hex(bytes)),
    }
}

/// How the files of a target are to those of its base, and what each of them is.
pub(super) struct Compared {
    /// By part: what each file is under the first of its names that is best known.
    files: Vec<Vec<Option<Descent>>>,
    pub(super) counts: Comparison,
}

/// Compare every live file with the base.
pub(super) fn compare(plan: &Plan, base: &Base, coverage: &mut Coverage) -> Compared {
    let mut seen = vec![false; base.len()];
    let mut counts = Comparison { files: base.len() as u64, ..Comparison::default() };
    let mut files = Vec::new();
    for (part, watch) in plan.parts.iter().zip(&plan.watches) {
        let mut of_part = vec![None; part.files.len()];
        for ((number, file), known) in (0u32..).zip(&part.files).zip(&mut of_part) {
            if !is_regular(file) {
                continue;
            }
            let sha256 = digested(part, watch, (number, file), coverage);
            for name in names(file) {
                let descent = base.descent(name, sha256.as_ref());
                *match descent {
                    Descent::Inherited => &mut counts.inherited,
                    Descent::Changed => &mut counts.changed,
                    Descent::Added => &mut counts.added,
                } += 1;
                seen.get_mut(base.range(name)).into_iter().flatten().for_each(|seen| *seen = true);
                *known = Some(known.map_or(descent, |known: Descent| known.min(descent)));
            }
        }
        files.push(of_part);
    }
    counts.removed = seen.iter().filter(|seen| !**seen).count() as u64;
    Compared { files, counts }
}

impl Compared {
    /// What a file is to the base.
    pub(super) fn of(&self, part: usize, file: u32) -> Option<Descent> {
        *self.files.get(part)?.get(usize::try_from(file).ok()?)?
    }
}

/// Whether a part looks like the root of a system.
pub(super) fn is_system(part: &Part, watch: &Watch) -> bool {
    let known = |path: &[u8]| watch.find(part, path).and_then(|n| file_of(part, n)).is_some();
    !watch.algorithms.is_empty() || known(b"etc/passwd")
}
