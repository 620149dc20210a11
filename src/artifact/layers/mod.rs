//! Layers: what images of containers are put together from, and which of them hides what. Archives
//! that `docker save` writes, layouts of the OCI
//! ([specification](https://github.com/opencontainers/image-spec/blob/main/image-layout.md)), and
//! the stores of Docker, Podman and containerd on a disk.
//!
//! Descriptions leave a clue for every layer they name, and whoever lists files leaves one for what
//! a layer hides, by whiteouts, and one for what it brings. The join tells of everything that was
//! found in a layer which image it is of, and whether an upper layer deletes or replaces it.

mod join;
mod store;

use super::Artifact;
use super::paths;
use super::piece::Piece;
use super::yaml::{self, Leaf, Step};
use crate::blob::{Blob, Budget, Clue, FOUND, Join, Out};
use crate::error::Result;
use crate::locator::{Area, Locator};
use memchr::memmem;
use std::collections::BTreeMap;

/// The parser of descriptions.
pub(super) const ARTIFACT: Artifact = Artifact { name: "image layers", applies, run };

/// What puts clues of layers together.
pub(super) const JOIN: Join = Join {
    name: "layers",
    needs: &[
        HIDDEN, NAMES, LAYER, NAME, PART, LOWER, LINK, CACHE, DIFF, DIFFS, MOUNT, CONTAINER, TOP,
        FOUND,
    ],
    run: join::run,
};

/// A path that a layer hides: at the layer, by the path; [`OPAQUE`] for all below it alone.
const HIDDEN: &str = "layer hides";
/// The paths that a layer brings: at the layer, packed prints of them.
const NAMES: &str = "layer brings";
/// A layer of an image: at the description, by where it is; its number, how many, the image.
const LAYER: &str = "layer of image";
/// What an image is called: by the digest of its manifest or its configuration.
const NAME: &str = "image name";
/// A manifest that an index lists: by its digest, with the index's.
const PART: &str = "image part";
/// A directory's lower ones, as overlay keeps them: at the file.
const LOWER: &str = "overlay lower";
/// The short name of a directory of overlay: at the file, by the name.
const LINK: &str = "overlay link";
/// The directory of a layer of Docker: by its name, with the layer's chain.
const CACHE: &str = "layer cache";
/// The digest of a layer of Docker: by its chain.
const DIFF: &str = "layer digest";
/// The digests of the layers of an image of Docker: by its configuration's.
const DIFFS: &str = "image digests";
/// The directory of a container of Docker: by its name, with the container.
const MOUNT: &str = "container layer";
/// A container: by its id, with its name.
const CONTAINER: &str = "container name";
/// The topmost layer of an image or a container of Podman: by its id, with the name.
const TOP: &str = "topmost layer";

/// The value of what hides all below a directory, and not the directory.
const OPAQUE: &[u8] = b"opaque";

fn applies(blob: &Blob<'_>) -> bool {
    let holds = |what: &[u8]| memmem::find(&blob.bytes, what).is_some();
    match paths::file_name(&blob.name) {
        b"manifest.json" => holds(b"\"Layers\""),
        b"index.json" => holds(b"\"manifests\""),
        _ if paths::ends_with(&blob.name, "blobs/sha256/*") => {
            blob.bytes.starts_with(b"{") && (holds(b"\"layers\"") || holds(b"\"manifests\""))
        }
        _ => store::applies(&blob.name),
    }
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    if store::applies(&blob.name) {
        return store::run(blob, out);
    }
    let (leaves, result) = yaml::leaves(Piece::whole(&blob.bytes));
    let mut clue = |kind, key: &[u8], value: &[u8]| {
        let (at, key, value) = (blob.at.clone(), key.into(), value.into());
        out(Out::Clue(Clue { kind, at, key, value }));
    };
    if paths::file_name(&blob.name) == b"manifest.json" {
        saved(&leaves, &mut clue);
    } else {
        layout(&leaves, paths::file_name(&blob.name), &mut clue);
    }
    result
}

/// Where clues of one description go: kind, key and value.
type Leave<'a> = &'a mut dyn FnMut(&'static str, &[u8], &[u8]);

/// The list of images in an archive of `docker save`: one `Layers` each, from the bottom.
fn saved(leaves: &[Leaf<'_>], clue: Leave<'_>) {
    let mut images: BTreeMap<usize, (Vec<u8>, Vec<&[u8]>)> = BTreeMap::new();
    for leaf in leaves {
        let (Some(Step::Item(number)), Some(Step::Key(key))) = (leaf.step(0), leaf.step(1)) else {
            continue;
        };
        let (name, layers) = images.entry(number).or_default();
        match key {
            b"RepoTags" => {
                let between: &[u8] = if name.is_empty() { b"" } else { b", " };
                name.extend([between, &*leaf.value].concat());
            }
            b"Config" if name.is_empty() && leaf.path.len() == 2 => {}
            b"Layers" => layers.push(&leaf.value),
            _ => {}
        }
    }
    for (name, layers) in images.values() {
        for (number, layer) in layers.iter().enumerate() {
            clue(LAYER, layer, &numbered(number, layers.len(), name));
        }
    }
}

/// An index or a manifest of the OCI, which calls itself `own`.
fn layout(leaves: &[Leaf<'_>], own: &[u8], clue: Leave<'_>) {
    let list = |leaf: &Leaf<'_>| match (leaf.step(0), leaf.step(1)) {
        (Some(Step::Key(list)), Some(Step::Item(number))) => Some((list == b"layers", number)),
        _ => None,
    };
    let mut layers: Vec<&[u8]> = Vec::new();
    let mut manifests: BTreeMap<usize, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for leaf in leaves {
        let Some((is_layer, number)) = list(leaf) else { continue };
        match leaf.key() {
            b"digest" if leaf.path.len() == 3 && is_layer => layers.push(hex(&leaf.value)),
            b"digest" if leaf.path.len() == 3 => {
                manifests.entry(number).or_default().0 = hex(&leaf.value).to_vec();
            }
            // The whole name is better than the tag alone.
            b"io.containerd.image.name" => {
                manifests.entry(number).or_default().1 = leaf.value.to_vec();
            }
            b"org.opencontainers.image.ref.name" => {
                let name = &mut manifests.entry(number).or_default().1;
                if name.is_empty() {
                    name.extend_from_slice(&leaf.value);
                }
            }
            _ => {}
        }
    }
    for (number, layer) in layers.iter().enumerate() {
        clue(LAYER, layer, &numbered(number, layers.len(), own));
    }
    for (digest, name) in manifests.values().filter(|(digest, _)| !digest.is_empty()) {
        if !name.is_empty() {
            clue(NAME, digest, name);
        }
        clue(PART, digest, own);
    }
}

/// A layer's number, counted from one, how many there are, and the image.
fn numbered(number: usize, count: usize, image: &[u8]) -> Vec<u8> {
    [format!("{}/{count} ", number.saturating_add(1)).as_bytes(), image].concat()
}

/// A digest without its algorithm.
fn hex(digest: &[u8]) -> &[u8] {
    digest.iter().position(|byte| *byte == b':').map_or(digest, |at| &digest[at + 1..])
}

/// What a layer brings and hides, gathered as its files are listed.
#[derive(Debug, Default)]
pub struct Layer {
    names: Vec<u64>,
    hidden: Vec<(Vec<u8>, bool)>,
}

/// What a file of a layer is, as far as layers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file or a link that the layer brings, unless its name says that it hides one.
    File,
    /// What hides the file of that name, as overlay keeps it: a device with the number zero.
    Whiteout,
    /// A directory that hides what layers below have in it.
    Opaque,
}

impl Layer {
    /// One more path of the layer.
    pub fn add(&mut self, path: &[u8], entry: Entry) {
        let path = normal(path);
        let (folder, name) = split(path);
        match (entry, name.strip_prefix(b".wh.")) {
            (Entry::Whiteout, _) => self.hide(path.to_vec(), false),
            (Entry::Opaque, _) => self.hide(path.to_vec(), true),
            (Entry::File, Some(b".wh..opq")) => self.hide(folder.to_vec(), true),
            (Entry::File, Some(name)) if !name.starts_with(b".wh.") => {
                let between: &[u8] = if folder.is_empty() { b"" } else { b"/" };
                self.hide([folder, between, name].concat(), false);
            }
            (Entry::File, _) if self.names.len() < crate::limits::LAYER_NAMES => {
                self.names.push(print(path));
            }
            (Entry::File, _) => {}
        }
    }

    fn hide(&mut self, path: Vec<u8>, below: bool) {
        if self.hidden.len() < crate::limits::LAYER_HIDDEN {
            self.hidden.push((path, below));
        }
    }

    /// The clues, for the layer at `at`; without `names` only what it hides.
    pub fn clues(mut self, at: &Locator, names: bool, leave: &mut dyn FnMut(Clue)) {
        let at = || at.clone();
        for (path, below) in self.hidden {
            let value: &[u8] = if below { OPAQUE } else { b"" };
            leave(Clue { kind: HIDDEN, at: at(), key: path.into(), value: value.into() });
        }
        self.names.sort_unstable();
        self.names.dedup();
        if names && !self.names.is_empty() {
            let value: Vec<u8> = self.names.iter().flat_map(|name| name.to_le_bytes()).collect();
            leave(Clue { kind: NAMES, at: at(), key: Box::default(), value: value.into() });
        }
    }
}

/// Whether a container of that name is a layer by the way it is called: `layer.tar` in the older
/// archives, a digest in the newer and in stores.
pub fn is_layer(name: &[u8]) -> bool {
    let file = paths::file_name(name);
    let stem = file.strip_suffix(b".tar").unwrap_or(file);
    file == b"layer.tar" || (stem.len() == 64 && stem.iter().all(u8::is_ascii_hexdigit))
}

/// The directory of a layer in a store on a disk, and the path of a file in that layer:
/// `overlay2/ID/diff` of Docker, `overlay/ID/diff` of Podman, `snapshots/N/fs` of containerd.
pub fn on_disk(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = |inner: &[u8]| memmem::find(path, inner).map(|at| at + inner.len() - 1);
    let (end, store) = match at(b"/diff/") {
        Some(end) => (end, 0),
        None => (at(b"/fs/")?, 1),
    };
    let (layer, inner) = path.split_at_checked(end)?;
    let stores: [&[&str]; 2] =
        [&["overlay2/*/diff", "overlay/*/diff"], &["io.containerd.snapshotter.*/snapshots/*/fs"]];
    let stores = stores.get(store)?;
    paths::ends_with_any(layer, stores).then_some((layer, inner.strip_prefix(b"/")?))
}

/// A path without what may stand before and behind it.
fn normal(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let Some(rest) = path.strip_prefix(b"./").or_else(|| path.strip_prefix(b"/")) {
        path = rest;
    }
    while let Some(rest) = path.strip_suffix(b"/") {
        path = rest;
    }
    path
}

/// A path's directory and its last name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'/', path) {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// A print of a path ([FNV-1a](https://datatracker.ietf.org/doc/html/draft-eastlake-fnv)): two
/// that share one are called the same, which no secret depends on.
fn print(path: &[u8]) -> u64 {
    path.iter().fold(0xcbf2_9ce4_8422_2325, |print, byte| {
        (print ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The place of a file beside another, or below its directory, in the same container or on the
/// same volume.
fn beside(at: &Locator, name: &[u8]) -> Locator {
    let mut at = at.clone();
    at.span = None;
    let path = match (at.members.last_mut(), &mut at.area) {
        (Some(member), _) => member.name.get_or_insert_default(),
        (None, Area::Path(path) | Area::Deleted { path: Some(path), .. }) => path,
        _ => return at,
    };
    let (folder, _) = split(path);
    let between: &[u8] = if folder.is_empty() && !path.starts_with(b"/") { b"" } else { b"/" };
    let joined = [folder, between, name].concat();
    *path = joined.into();
    at
}

#[cfg(test)]
mod tests;
