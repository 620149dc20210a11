//! Registry logins of Docker, Podman and the kubelet
//! ([format](https://docs.docker.com/reference/cli/docker/login/#credential-stores)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::uri;
use super::yaml::{self, Leaf, Step};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "docker config", applies, run };

static AUTH: Rule = Rule {
    id: "docker.auth",
    title: "Login for a container registry",
    severity: Severity::High,
    rotate: "Revoke the token (or change the password) at the registry and log in at run time, with a credential helper or a role.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            ".docker/config.json",
            ".dockercfg",
            ".dockerconfigjson",
            "containers/auth.json",
            "containers/*/auth.json",
            "kubelet/config.json",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    logins(Piece::whole(&blob.bytes), out)
}

/// The logins of a configuration that stands in `text`.
pub(super) fn logins(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, result) = yaml::leaves(text);
    for leaf in &leaves {
        let registry = match (leaf.step(0), leaf.step(1)) {
            (Some(Step::Key(b"auths")), Some(Step::Key(registry))) if leaf.path.len() == 3 => {
                registry
            }
            (Some(Step::Key(registry)), _) if leaf.path.len() == 2 => registry,
            _ => continue,
        };
        if let Some(found) = login(leaf) {
            out(Out::Match(found.fact("registry", piece::text(registry))));
        }
    }
    result
}

fn login(leaf: &Leaf<'_>) -> Option<Match> {
    match leaf.key() {
        b"auth" => {
            let mut found = uri::basic(&AUTH, leaf.raw)?;
            // The password of ECR ends after twelve hours.
            if found.facts.get("user").is_some_and(|user| user == "AWS") {
                found = judge::at_most(found, Severity::Medium);
            }
            Some(found)
        }
        b"identitytoken" | b"registrytoken" if !leaf.value.is_empty() => {
            Some(judge::decoded(&AUTH, Grade::Strong, (Kind::Token, &leaf.value), leaf.raw))
        }
        b"password" if !leaf.value.is_empty() => {
            Some(judge::decoded(&AUTH, Grade::Strong, (Kind::Password, &leaf.value), leaf.raw))
        }
        _ => None,
    }
}
