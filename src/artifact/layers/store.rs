//! The stores of Docker and Podman: which directory is which layer, and what images and containers
//! are called.

use super::super::paths;
use super::super::piece::Piece;
use super::super::yaml::{self, Leaf, Step};
use super::{CACHE, CONTAINER, DIFF, DIFFS, LINK, LOWER, MOUNT, NAME, TOP, hex};
use crate::blob::{Blob, Clue, Out};
use crate::error::Result;
use std::collections::BTreeMap;

/// What is read, and how.
const FILES: &[(&str, What)] = &[
    ("overlay2/*/lower", What::Text(LOWER)),
    ("overlay/*/lower", What::Text(LOWER)),
    ("overlay2/*/link", What::Link),
    ("overlay/*/link", What::Link),
    ("layerdb/sha256/*/cache-id", What::Named(CACHE)),
    ("layerdb/mounts/*/mount-id", What::Named(MOUNT)),
    ("layerdb/sha256/*/diff", What::Diff),
    ("imagedb/content/sha256/*", What::Digests),
    ("image/*/repositories.json", What::Repositories),
    ("containers/*/config.v2.json", What::Container),
    ("overlay-images/images.json", What::Podman("names")),
    ("overlay-containers/containers.json", What::Podman("container")),
];

#[derive(Clone, Copy)]
enum What {
    /// Kept as it is.
    Text(&'static str),
    /// The name of the directory, by the text.
    Link,
    /// The same, of a clue.
    Named(&'static str),
    /// The digest, by the name of the directory.
    Diff,
    Digests,
    Repositories,
    Container,
    Podman(&'static str),
}

fn kind(path: &[u8]) -> Option<What> {
    FILES.iter().find(|(tail, _)| paths::ends_with(path, tail)).map(|(_, what)| *what)
}

pub(super) fn applies(path: &[u8]) -> bool {
    kind(path).is_some()
}

pub(super) fn run(blob: &Blob<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let Some(what) = kind(&blob.name) else { return Ok(()) };
    let mut clue = |kind, key: &[u8], value: &[u8]| {
        let (at, key, value) = (blob.at.clone(), key.into(), value.into());
        out(Out::Clue(Clue { kind, at, key, value }));
    };
    let text = blob.bytes.trim_ascii();
    let folder = parent(&blob.name);
    let (leaves, result) = match what {
        What::Text(kind) => {
            clue(kind, folder, text);
            return Ok(());
        }
        What::Link => {
            clue(LINK, text, folder);
            return Ok(());
        }
        What::Named(kind) => {
            clue(kind, text, folder);
            return Ok(());
        }
        What::Diff => {
            clue(DIFF, folder, hex(text));
            return Ok(());
        }
        _ => yaml::leaves(Piece::whole(&blob.bytes)),
    };
    match what {
        What::Digests => {
            let listed = leaves.iter().filter(|leaf| leaf.is(&["rootfs", "diff_ids", "[]"]));
            let digests: Vec<&[u8]> = listed.map(|leaf| hex(&leaf.value)).collect();
            clue(DIFFS, paths::file_name(&blob.name), &digests.join(&b'\n'));
        }
        What::Repositories => {
            for leaf in leaves.iter().filter(|leaf| leaf.is(&["Repositories", "*", "*"])) {
                // The same image by its digest has no tag.
                if !leaf.key().contains(&b'@') {
                    clue(NAME, hex(&leaf.value), leaf.key());
                }
            }
        }
        What::Container => {
            let value = |path: &[&str]| {
                let leaf = leaves.iter().find(|leaf| leaf.is(path));
                leaf.map(|leaf| leaf.value.to_vec()).unwrap_or_default()
            };
            let name = value(&["Name"]);
            clue(CONTAINER, folder, name.strip_prefix(b"/").unwrap_or(&name));
        }
        What::Podman(what) => podman(&leaves, what == "container", &mut clue),
        _ => {}
    }
    result
}

/// The images or the containers of Podman, each with the layer that is its topmost.
fn podman(leaves: &[Leaf<'_>], containers: bool, clue: &mut dyn FnMut(&'static str, &[u8], &[u8])) {
    let mut all: BTreeMap<usize, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for leaf in leaves {
        let (Some(Step::Item(number)), Some(Step::Key(key))) = (leaf.step(0), leaf.step(1)) else {
            continue;
        };
        let (layer, name) = all.entry(number).or_default();
        match key {
            b"layer" => *layer = leaf.value.to_vec(),
            b"names" if name.is_empty() => *name = leaf.value.to_vec(),
            _ => {}
        }
    }
    for (layer, name) in all.values().filter(|(layer, _)| !layer.is_empty()) {
        let kind: &[u8] = if containers { b"container " } else { b"image " };
        clue(TOP, layer, &[kind, &**name].concat());
    }
}

/// The name of the directory that a file is in.
pub(super) fn parent(path: &[u8]) -> &[u8] {
    paths::file_name(super::split(path).0)
}
