//! Configurations of containers and images: the environment and the commands they were given
//! ([image](https://github.com/opencontainers/image-spec/blob/main/config.md),
//! [runtime](https://github.com/opencontainers/runtime-spec/blob/main/config.md)), and the secrets
//! that Podman keeps.

use super::Artifact;
use super::aws;
use super::command;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::shell::{Command, Word};
use super::store;
use super::yaml::{self, Leaf, Step};
use crate::blob::{Blob, Budget, Out};
use crate::credential::base64;
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};
use crate::run::Run;
use memchr::memmem;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "container", applies, run };

/// The parser of Podman's secrets.
pub(super) const SECRETS: Artifact =
    Artifact { name: "podman secrets", applies: is_secrets, run: secrets };

static ENV: Rule = Rule {
    id: "container.env",
    title: "Secret in the environment of a container",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens, remove the container and its image, and hand secrets to containers at run time.",
};

static COMMAND: Rule = Rule {
    id: "container.command",
    title: "Secret on the command line of a container or in a step of its image",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens, and rebuild the container's image without it (build secrets are not kept).",
};

static SECRET: Rule = Rule {
    id: "container.podman_secret",
    title: "Secret in Podman's store",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and remove it (podman secret rm) before making an image.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "containers/*/config.v2.json",
            "imagedb/content/sha256/*",
            "*-containers/*/userdata/config.json",
            "io.containerd.runtime.*/*/*/config.json",
        ],
    ) || (paths::ends_with(&blob.name, "blobs/sha256/*") && is_image(&blob.bytes))
}

/// Whether a blob of a content store is the configuration of an image.
fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(b"{") && memmem::find(bytes, b"\"rootfs\"").is_some()
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, mut result) = yaml::leaves(Piece::whole(&blob.bytes));
    let about = About::of(&leaves);
    let mut profile = aws::Profile::default();
    let mut profiles = Vec::new();
    for list in leaves.chunk_by(|a, b| parents(a) == parents(b)) {
        let Some(first) = list.first() else { continue };
        let key = store::up(first, 1);
        let listed = matches!(first.path.last(), Some(Step::Item(_)));
        match key.as_str() {
            "Env" | "env" if listed => {
                for leaf in list {
                    variable(leaf, &mut profile, &mut |found| out(Out::Match(about.tell(found))));
                }
                profiles.push(std::mem::take(&mut profile));
            }
            "Args" | "args" | "Cmd" | "Entrypoint" | "Test" if listed => {
                let mut keep = |found| out(Out::Match(about.tell(found)));
                let path = leaves.iter().find(|leaf| key == "Args" && leaf.is(&["Path"]));
                result = result.and(arguments((path, list), &blob.bytes, &mut keep));
            }
            _ => {
                for leaf in list.iter().filter(|l| store::fits(l, &["history", "[]", "created_by"]))
                {
                    let mut keep = |found| out(Out::Match(about.tell(found)));
                    result = result.and(store::script(&COMMAND, leaf, &mut keep));
                }
            }
        }
    }
    for profile in profiles {
        profile.report(&mut |found| match found {
            Out::Match(found) => out(Out::Match(about.tell(found))),
            other => out(other),
        });
    }
    result
}

fn parents<'l>(leaf: &'l Leaf<'_>) -> Option<&'l [Step<'l>]> {
    leaf.path.split_last().map(|(_, parents)| parents)
}

/// What is told of every secret of one container.
struct About {
    container: String,
    image: String,
}

impl About {
    fn of(leaves: &[Leaf<'_>]) -> About {
        let value = |path: &[&str]| {
            let leaf = leaves.iter().find(|leaf| leaf.is(path));
            leaf.map(|leaf| piece::text(&leaf.value)).unwrap_or_default()
        };
        let hostname = value(&["hostname"]);
        let name = value(&["Name"]);
        let container = if name.is_empty() { hostname } else { name };
        About { container, image: value(&["Config", "Image"]) }
    }

    fn tell(&self, found: Match) -> Match {
        found.fact("container", self.container.as_str()).fact("image", self.image.as_str())
    }
}

/// One `NAME=value` of an environment, which is taken as it stands.
fn variable<'a>(leaf: &Leaf<'a>, profile: &mut aws::Profile<'a>, found: &mut dyn FnMut(Match)) {
    let Some((name, raw)) = leaf.raw.split_once(b'=') else { return };
    let Some(sign) = leaf.value.iter().position(|&b| b == b'=') else { return };
    let value = leaf.value.get(sign + 1..).unwrap_or_default();
    match name.bytes {
        _ if value.is_empty() => {}
        b"AWS_ACCESS_KEY_ID" => profile.id = raw,
        b"AWS_SECRET_ACCESS_KEY" => profile.secret = raw,
        b"AWS_SESSION_TOKEN" => profile.token = raw,
        _ => store::variable(&ENV, name.bytes, (value, raw), found),
    }
}

/// A command as a list of words, with the program before them where that stands elsewhere. A word
/// with white space in it is a script for a shell.
fn arguments(
    (program, list): (Option<&Leaf<'_>>, &[Leaf<'_>]),
    blob: &[u8],
    found: &mut dyn FnMut(Match),
) -> Result<()> {
    let mut result = Ok(());
    let is_script = |leaf: &&Leaf<'_>| leaf.value.contains(&b' ');
    for leaf in list.iter().filter(is_script) {
        result = result.and(store::script(&COMMAND, leaf, found));
    }
    let mut words: Vec<Word> =
        program.into_iter().map(|leaf| Word::of(&leaf.value, leaf.raw)).collect();
    if program.is_none() && list.first().is_some_and(|leaf| leaf.value.starts_with(b"-")) {
        words.push(Word::default());
    }
    let plain = list.iter().filter(|leaf| !is_script(leaf));
    words.extend(plain.map(|leaf| Word::of(&leaf.value, leaf.raw)));
    let command = Command { words, ..Command::default() };
    command::secrets(&COMMAND, &[command], Piece::whole(blob), found);
    result
}

fn is_secrets(blob: &Blob<'_>) -> bool {
    paths::ends_with(&blob.name, "secrets/filedriver/secretsdata.json")
}

/// `{"id": "base64 of the secret"}`.
fn secrets(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, result) = yaml::leaves(Piece::whole(&blob.bytes));
    for leaf in leaves.iter().filter(|leaf| leaf.path.len() == 1 && !leaf.value.is_empty()) {
        let Some(plain) = base64::decode(&leaf.value).filter(|plain| !plain.is_empty()) else {
            continue;
        };
        let span = Run::new(0, plain.len() as u64);
        let found = judge::decoded(&SECRET, Grade::Strong, (Kind::Token, &plain), leaf.raw);
        let found = found.decoded_by("base64", span).fact("id", piece::text(leaf.key()));
        out(Out::Match(found));
    }
    result
}
