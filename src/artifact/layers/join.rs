//! The join of layers: of everything that was found in one, which image it is of, and whether a
//! layer above deletes or replaces it.

use super::super::piece;
use super::{
    CACHE, CONTAINER, DIFF, DIFFS, HIDDEN, LAYER, LINK, LOWER, MOUNT, NAME, NAMES, OPAQUE, PART,
    TOP, beside, normal, on_disk, print, split, store,
};
use crate::blob::{Change, Clue, FOUND};
use crate::limits;
use crate::locator::{Area, Locator};
use std::collections::{BTreeMap, BTreeSet};

/// How deep indexes nest on the way from an image's name to its manifest.
const INDEXES: usize = 4;

pub(super) fn run(clues: &[Clue], out: &mut dyn FnMut(Change)) {
    let known = Known::of(clues);
    for clue in clues.iter().filter(|clue| clue.kind == FOUND) {
        for (name, value) in known.facts(&clue.at) {
            out(Change::Fact { at: clue.at.clone(), name, value });
        }
    }
}

/// What one layer brings and hides.
#[derive(Default)]
struct Layer {
    /// Prints of its paths, sorted.
    names: Vec<u64>,
    /// The paths it hides, and whether it is only what is below them.
    hidden: BTreeMap<Vec<u8>, bool>,
    /// Where it is in stacks.
    stacks: Vec<(usize, usize)>,
}

/// Layers on one another, from the bottom.
#[derive(Default)]
struct Stack {
    layers: Vec<Locator>,
    images: BTreeSet<String>,
    /// The container whose own layer is the topmost.
    container: Option<String>,
}

/// All that is known of layers.
#[derive(Default)]
struct Known {
    layers: BTreeMap<Locator, Layer>,
    stacks: Vec<Stack>,
}

impl Known {
    fn of(clues: &[Clue]) -> Known {
        let mut known = Known::default();
        known.described(clues);
        known.overlays(clues);
        for clue in clues {
            match clue.kind {
                HIDDEN => {
                    let below = &*clue.value == OPAQUE;
                    let hidden = &mut known.layers.entry(place(&clue.at)).or_default().hidden;
                    let only = hidden.entry(clue.key.to_vec()).or_insert(below);
                    *only &= below;
                }
                NAMES => {
                    let names = &mut known.layers.entry(place(&clue.at)).or_default().names;
                    names.extend(
                        clue.value.as_chunks::<8>().0.iter().map(|n| u64::from_le_bytes(*n)),
                    );
                    names.sort_unstable();
                }
                _ => {}
            }
        }
        for (number, stack) in known.stacks.iter().enumerate() {
            for (position, layer) in stack.layers.iter().enumerate() {
                known.layers.entry(layer.clone()).or_default().stacks.push((number, position));
            }
        }
        known
    }

    /// The stacks that descriptions of images name.
    fn described(&mut self, clues: &[Clue]) {
        let titles = Titles::of(clues);
        let mut stacks: BTreeMap<(&Locator, &[u8]), BTreeMap<usize, Locator>> = BTreeMap::new();
        for clue in clues.iter().filter(|clue| clue.kind == LAYER) {
            let Some((number, image)) = numbered(&clue.value) else { continue };
            let layer = place(&beside(&clue.at, &clue.key));
            stacks.entry((&clue.at, image)).or_default().insert(number, layer);
        }
        for ((_, image), layers) in stacks {
            let images = titles.of_image(image);
            let layers = layers.into_values().collect();
            self.stacks.push(Stack { layers, images, container: None });
        }
    }

    /// The stacks of the stores of overlay on a disk.
    fn overlays(&mut self, clues: &[Clue]) {
        let names = Owners::of(clues);
        let mut short: BTreeMap<(Locator, &[u8]), &[u8]> = BTreeMap::new();
        for clue in clues.iter().filter(|clue| clue.kind == LINK) {
            short.insert((base(&clue.at), &*clue.key), &*clue.value);
        }
        let mut alone: BTreeSet<(Locator, &[u8])> =
            short.iter().map(|((base, _), id)| (base.clone(), *id)).collect();
        let mut stacks: BTreeMap<(Locator, &[u8]), Vec<&[u8]>> = BTreeMap::new();
        let mut below: BTreeSet<(Locator, &[u8])> = BTreeSet::new();
        for clue in clues.iter().filter(|clue| clue.kind == LOWER) {
            let base = base(&clue.at);
            let lower = clue.value.split(|byte| *byte == b':').filter_map(|link| {
                let link = link.strip_prefix(b"l/")?;
                short.get(&(base.clone(), link)).copied()
            });
            let mut layers: Vec<&[u8]> = lower.take(limits::LAYERS).collect();
            layers.reverse();
            below.extend(layers.iter().map(|id| (base.clone(), *id)));
            layers.push(&clue.key);
            alone.remove(&(base.clone(), &*clue.key));
            stacks.insert((base, &clue.key), layers);
        }
        let only = alone.into_iter().map(|(base, id)| ((base, id), vec![id]));
        let all: Vec<_> = stacks.into_iter().chain(only).collect();
        for ((base, top), ids) in all {
            // What is a part of a larger stack is told there.
            if below.contains(&(base.clone(), top)) {
                continue;
            }
            let images = ids.iter().flat_map(|id| names.images(id)).collect();
            let layers = ids.iter().map(|id| directory(&base, id)).collect();
            let container = names.container(top);
            self.stacks.push(Stack { layers, images, container });
        }
    }

    /// What is told of something found at a place.
    fn facts(&self, at: &Locator) -> Vec<(&'static str, String)> {
        let Some((layer, path)) = self.layer_of(at) else { return Vec::new() };
        let mut facts = BTreeSet::new();
        if let Area::Path(path) = &layer.0.area
            && layer.0.members.is_empty()
            && super::super::paths::ends_with(path, "snapshots/*/fs")
        {
            facts.insert(("snapshot", piece::text(store::parent(path))));
            if let Some(upper) = self.snapshot(&layer.0, path, &path_of(at)) {
                facts.insert(("layer", format!("lower (deleted in snapshot {upper})")));
            }
        }
        for &(number, position) in layer.1.stacks.iter().take(limits::LAYERS) {
            let Some(stack) = self.stacks.get(number) else { continue };
            let is_top = position + 1 == stack.layers.len();
            if let Some(container) = &stack.container {
                facts.insert(("container", container.clone()));
                if is_top {
                    facts.insert(("layer", "top".to_owned()));
                    continue;
                }
            } else {
                let count = stack.layers.len();
                facts.insert(("layer_number", format!("{} of {count}", position + 1)));
            }
            facts.extend(stack.images.iter().map(|image| ("image", image.clone())));
            facts.insert(("layer", self.verdict(stack, position, &path)));
        }
        facts.into_iter().collect()
    }

    /// The layer that a place is in, and its path in that.
    fn layer_of(&self, at: &Locator) -> Option<((Locator, &Layer), Vec<u8>)> {
        for number in (0..at.members.len()).rev() {
            let Some(name) = at.members.get(number).and_then(|member| member.name.as_deref())
            else {
                continue;
            };
            let mut outer = at.clone();
            outer.members.truncate(number);
            let outer = place(&outer);
            if let Some(layer) = self.layers.get(&outer) {
                return Some(((outer, layer), normal(name).to_vec()));
            }
        }
        let Area::Path(path) = &at.area else { return None };
        let (folder, inner) = on_disk(path)?;
        let mut outer = at.clone();
        outer.members.clear();
        outer.stream = None;
        outer.area = Area::Path(folder.into());
        let layer = self.layers.get(&outer)?;
        Some(((outer, layer), inner.to_vec()))
    }

    /// Whether a file of a layer is what its stack shows.
    fn verdict(&self, stack: &Stack, position: usize, path: &[u8]) -> String {
        let above = stack.layers.iter().enumerate().skip(position + 1);
        for (number, layer) in above {
            let Some(layer) = self.layers.get(layer) else { continue };
            let is_top = number + 1 == stack.layers.len();
            let whose = match &stack.container {
                Some(container) if is_top => format!("container {container}"),
                _ => format!("layer {}", number + 1),
            };
            if layer.names.binary_search(&print(path)).is_ok() {
                return format!("lower (replaced in {whose})");
            }
            if layer.hides(path) {
                return format!("lower (deleted in {whose})");
            }
        }
        "top".to_owned()
    }

    /// The first later snapshot of containerd that deletes a path. Which one stands on which is in a
    /// database that is not read; one that deletes a path stands on one that has it.
    fn snapshot(&self, layer: &Locator, own: &[u8], path: &[u8]) -> Option<u64> {
        let number = |path: &[u8]| std::str::from_utf8(store::parent(path)).ok()?.parse().ok();
        let (own_number, store): (u64, _) = (number(own)?, split(split(own).0).0);
        let others = self.layers.iter().filter_map(|(other, about)| {
            let Area::Path(folder) = &other.area else { return None };
            let same = other.root == layer.root && other.volume == layer.volume;
            let beside = same && split(split(folder).0).0 == store && other.members.is_empty();
            Some((number(folder)?, about)).filter(|_| beside)
        });
        let hiding = others.filter(|(number, about)| *number > own_number && about.hides(path));
        hiding.map(|(number, _)| number).min()
    }
}

impl Layer {
    /// Whether it deletes a path, or a directory above.
    fn hides(&self, path: &[u8]) -> bool {
        if self.hidden.is_empty() {
            return false;
        }
        let mut above = path;
        let mut below = self.hidden.get(path).is_some_and(|only_below| !only_below);
        while !below && !above.is_empty() {
            above = split(above).0;
            below = self.hidden.contains_key(above);
        }
        below
    }
}

/// What images are called.
struct Titles<'c> {
    names: BTreeMap<&'c [u8], Vec<&'c [u8]>>,
    indexes: BTreeMap<&'c [u8], Vec<&'c [u8]>>,
}

impl<'c> Titles<'c> {
    fn of(clues: &'c [Clue]) -> Titles<'c> {
        Titles { names: by_key(clues, NAME), indexes: by_key(clues, PART) }
    }

    /// The names of an image that a description of `docker save` names, or of a manifest, by its
    /// digest or by that of an index it is in.
    fn of_image(&self, image: &[u8]) -> BTreeSet<String> {
        if !is_digest(image) {
            let names = image.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            return names.filter(|name| !name.is_empty()).map(piece::text).collect();
        }
        let mut level = vec![image];
        for _ in 0..INDEXES {
            let named = level.iter().filter_map(|digest| self.names.get(digest)).flatten();
            let named: BTreeSet<String> = named.map(|name| piece::text(name)).collect();
            if !named.is_empty() {
                return named;
            }
            let outer = level.iter().filter_map(|digest| self.indexes.get(digest)).flatten();
            level = outer.copied().take(limits::LAYERS).collect();
        }
        BTreeSet::from([digest(image)])
    }
}

/// What the directories of overlay belong to.
struct Owners<'c> {
    chains: BTreeMap<&'c [u8], Vec<&'c [u8]>>,
    digests: BTreeMap<&'c [u8], Vec<&'c [u8]>>,
    /// The configurations of images, by the digest of a layer.
    images: BTreeMap<&'c [u8], Vec<&'c [u8]>>,
    names: BTreeMap<&'c [u8], Vec<&'c [u8]>>,
    mounts: BTreeMap<&'c [u8], Vec<&'c [u8]>>,
    containers: BTreeMap<&'c [u8], Vec<&'c [u8]>>,
    tops: BTreeMap<&'c [u8], Vec<&'c [u8]>>,
}

impl<'c> Owners<'c> {
    fn of(clues: &'c [Clue]) -> Owners<'c> {
        let mut images: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
        for clue in clues.iter().filter(|clue| clue.kind == DIFFS) {
            for digest in clue.value.split(|byte| *byte == b'\n').take(limits::LAYERS) {
                images.entry(digest).or_default().push(&clue.key);
            }
        }
        Owners {
            chains: by_key(clues, CACHE),
            digests: by_key(clues, DIFF),
            images,
            names: by_key(clues, NAME),
            mounts: by_key(clues, MOUNT),
            containers: by_key(clues, CONTAINER),
            tops: by_key(clues, TOP),
        }
    }

    /// The images that a directory is a layer of.
    fn images(&self, id: &[u8]) -> BTreeSet<String> {
        let chains = self.chains.get(id).into_iter().flatten();
        let digests = chains.filter_map(|chain| self.digests.get(chain)).flatten();
        let images = digests.filter_map(|layer| self.images.get(layer)).flatten();
        let mut found = BTreeSet::new();
        for image in images.take(limits::LAYERS) {
            match self.names.get(image) {
                Some(names) => found.extend(names.iter().map(|name| piece::text(name))),
                None => {
                    found.insert(digest(image));
                }
            }
        }
        let tops = self.tops.get(id).into_iter().flatten();
        found.extend(tops.filter_map(|top| top.strip_prefix(b"image ")).map(piece::text));
        found
    }

    /// The container whose own layer a directory is.
    fn container(&self, id: &[u8]) -> Option<String> {
        let mut tops = self.tops.get(id).into_iter().flatten();
        let podman = tops.find_map(|top| top.strip_prefix(b"container "));
        let docker = self
            .mounts
            .get(id)
            .and_then(|ids| ids.first())
            .map(|id| self.containers.get(id).and_then(|names| names.first()).unwrap_or(id));
        podman.or(docker.copied()).map(piece::text)
    }
}

fn by_key<'c>(clues: &'c [Clue], kind: &str) -> BTreeMap<&'c [u8], Vec<&'c [u8]>> {
    let mut found: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
    for clue in clues.iter().filter(|clue| clue.kind == kind) {
        found.entry(&clue.key).or_default().push(&clue.value);
    }
    found
}

fn is_digest(text: &[u8]) -> bool {
    text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit)
}

/// A digest as people know it, cut short as Docker does.
fn digest(hex: &[u8]) -> String {
    format!("sha256:{}", piece::text(hex.get(..12).unwrap_or(hex)))
}

/// The number, from zero, and the image of a layer that a description names.
fn numbered(value: &[u8]) -> Option<(usize, &[u8])> {
    let slash = memchr::memchr(b'/', value)?;
    let space = memchr::memchr(b' ', value)?;
    let number: usize = std::str::from_utf8(value.get(..slash)?).ok()?.parse().ok()?;
    Some((number.checked_sub(1)?, value.get(space + 1..)?))
}

/// Where a layer is, without how it is packed.
fn place(at: &Locator) -> Locator {
    let mut at = at.clone();
    at.span = None;
    while at.members.last().is_some_and(|member| member.name.is_none()) {
        at.members.pop();
    }
    for member in &mut at.members {
        if let Some(name) = &mut member.name
            && normal(name).len() < name.len()
        {
            *name = normal(name).into();
        }
    }
    at
}

/// The store that a file of one of its directories is in.
fn base(at: &Locator) -> Locator {
    let mut at = at.clone();
    at.span = None;
    if let Area::Path(path) = &mut at.area {
        *path = split(split(path).0).0.into();
    }
    at
}

/// The layer that a directory of a store is.
fn directory(base: &Locator, id: &[u8]) -> Locator {
    let mut at = base.clone();
    if let Area::Path(path) = &mut at.area {
        *path = [&**path, b"/", id, b"/diff"].concat().into();
    }
    at
}

/// The path of something found in a snapshot.
fn path_of(at: &Locator) -> Vec<u8> {
    at.path().and_then(on_disk).map(|(_, inner)| inner.to_vec()).unwrap_or_default()
}
