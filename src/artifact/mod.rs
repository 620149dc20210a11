//! An artifact: a file known by its path or format, and what its parser reads from it.

#![allow(clippy::unnecessary_wraps, reason = "the parsers of a table share one signature")]

mod aws;
mod aws_cache;
mod cifs;
mod cloud_init;
mod command;
mod docker;
mod dotenv;
mod git;
mod history;
mod ini;
mod judge;
mod kubeconfig;
mod mime;
mod mycnf;
mod netrc;
mod network_manager;
mod paths;
mod pgpass;
mod piece;
mod shadow;
mod shell;
mod ssh;
mod uri;
mod wireguard;
mod yaml;

use crate::blob::{Blob, Budget, Out};
use crate::error::Result;

/// A parser of one kind of file.
pub struct Artifact {
    /// Its name.
    pub name: &'static str,
    /// Whether it is for this blob, judged by name first and by the first bytes at most.
    pub applies: fn(&Blob<'_>) -> bool,
    /// Parse. Matches carry spans of the blob's bytes; an error is coverage, what was found
    /// before it stays.
    pub run: fn(&Blob<'_>, &mut Budget, &mut dyn FnMut(Out<'_>)) -> Result<()>,
}

/// Every parser. More than one may apply to a file.
pub static ARTIFACTS: &[Artifact] = &[
    aws::ARTIFACT,
    aws_cache::ARTIFACT,
    cifs::ARTIFACT,
    cloud_init::ARTIFACT,
    docker::ARTIFACT,
    dotenv::ARTIFACT,
    git::ARTIFACT,
    history::ARTIFACT,
    kubeconfig::ARTIFACT,
    mycnf::ARTIFACT,
    netrc::ARTIFACT,
    network_manager::ARTIFACT,
    pgpass::ARTIFACT,
    shadow::ARTIFACT,
    ssh::AUTHORIZED,
    ssh::PRIVATE,
    wireguard::ARTIFACT,
];
