//! The list of what stands in an image.

use std::collections::BTreeMap;
use std::path::Path;

/// The list beside an image; its header comment explains the lines.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) finds: Vec<Find>,
    pub(super) seen: Vec<(String, String)>,
    pub(super) decoys: Vec<(String, String)>,
    /// Known faults: id, hash, and whether it is reported today.
    pub(super) later: Vec<(String, String, bool)>,
}

/// A planted secret; `None` is what the list leaves open.
pub(super) struct Find {
    pub(super) id: String,
    /// The kind of place.
    pub(super) kind: String,
    pub(super) paths: Option<Vec<String>>,
    pub(super) states: Vec<String>,
    pub(super) hashes: Vec<String>,
    pub(super) offset: Option<u64>,
    pub(super) image: Image,
    /// The way into its file, with `*` for anything.
    pub(super) member: Option<String>,
}

/// Where the secret's bytes stand in the image.
#[derive(PartialEq)]
pub(super) enum Image {
    Open,
    /// Only as something they are made from.
    Packed,
    Runs(Vec<(u64, u64)>),
}

pub(super) fn read(list: &Path) -> Expected {
    let text = std::fs::read_to_string(list).unwrap();
    let mut expected = Expected::default();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (verb, id) = (words.next().unwrap(), words.next().unwrap().to_owned());
        let fields: BTreeMap<&str, &str> =
            words.map(|word| word.split_once('=').unwrap()).collect();
        match verb {
            "find" => expected.finds.push(find(id, &fields)),
            "seen" => expected.seen.push((id, fields["path"].to_owned())),
            "decoy" => expected.decoys.push((id, fields["sha256"].to_owned())),
            "later" => {
                let reported = fields["is"] == "reported";
                expected.later.push((id, fields["sha256"].to_owned(), reported));
            }
            _ => panic!("{}: no such line: {line}", list.display()),
        }
    }
    assert!(!expected.finds.is_empty());
    expected
}

fn find(id: String, fields: &BTreeMap<&str, &str>) -> Find {
    let many = |field: &str| fields[field].split('|').map(str::to_owned).collect::<Vec<_>>();
    let image = match fields["image"] {
        "-" => Image::Open,
        "packed" => Image::Packed,
        runs => Image::Runs(
            runs.split(',')
                .map(|run| run.split_once('+').unwrap())
                .map(|(start, len)| (start.parse().unwrap(), len.parse().unwrap()))
                .collect(),
        ),
    };
    Find {
        id,
        kind: fields["kind"].to_owned(),
        paths: (fields["path"] != "-").then(|| many("path")),
        states: many("state"),
        hashes: many("sha256"),
        offset: fields["offset"].parse().ok(),
        image,
        member: fields.get("member").map(|&chain| chain.to_owned()),
    }
}
