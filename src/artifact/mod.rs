//! An artifact: a file known by its path or format, and what its parser reads from it.

#![allow(clippy::unnecessary_wraps, reason = "the parsers of a table share one signature")]

mod accounts;
mod agents;
mod ansible;
mod aws;
mod aws_cache;
mod azure;
mod boot_log;
mod browser;
mod cargo;
mod certificate;
mod cfn;
mod cifs;
mod cipher;
mod clients;
mod cloud_init;
mod command;
mod composer;
mod config_mgmt;
mod container;
mod cron;
mod docker;
mod dotenv;
mod dsn;
mod forges;
mod framework;
mod gcp;
mod gem;
mod git;
mod git_refs;
mod gitlab;
mod gnupg;
mod gpp;
mod history;
mod history_db;
mod hive;
mod htpasswd;
mod ini;
mod jenkins;
mod judge;
mod jvm;
mod kerberos;
mod keystore;
mod kubeconfig;
pub mod layers;
mod literal;
mod markup;
mod maven;
mod mime;
mod mycnf;
mod mylogin;
mod netrc;
mod network_manager;
mod npm;
mod nuget;
mod paths;
mod persistence;
mod pgpass;
mod piece;
mod powershell;
mod python;
mod rclone;
mod runners;
mod service;
mod service_files;
mod settings;
mod shadow;
mod shell;
mod ssh;
mod ssh_targets;
mod sshd;
mod ssm;
mod store;
mod table;
mod terraform;
mod tokens;
mod trust;
mod unattend;
mod unit;
mod unlock;
mod uri;
mod vault;
mod vpn;
mod web_shell;
mod whole;
mod wireguard;
mod workload;
mod xml;
mod yaml;

use crate::blob::{Blob, Budget, Join, Out};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// Read `blob` with every parser that is for it; what they hand back goes to `out`, at most
/// [`limits::MATCHES_PER_BLOB`] matches of it. Returns what kept them from reading it all.
pub fn read(blob: &Blob<'_>, budget: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut matches = 0usize;
    for artifact in ARTIFACTS.iter().filter(|artifact| (artifact.applies)(blob)) {
        let mut bounded = |found: Out<'_>| {
            matches += usize::from(matches!(found, Out::Match(_)));
            if matches <= limits::MATCHES_PER_BLOB || matches!(found, Out::Blob(_)) {
                out(found);
            }
        };
        // One parser that fails must not cost what the others find.
        let run = AssertUnwindSafe(|| (artifact.run)(blob, budget, &mut bounded));
        let failed = |_| Err(Error::new(ErrorKind::Internal, "a parser failed on this file"));
        let result = catch_unwind(run).unwrap_or_else(failed);
        errors.extend(result.err().map(|error| error.named(artifact.name)));
    }
    if matches > limits::MATCHES_PER_BLOB {
        let error = Error::new(ErrorKind::Limit, "a file has too many matches");
        errors.push(error.detail(matches));
    }
    errors
}

/// Every parser. More than one may apply to a file.
pub static ARTIFACTS: &[Artifact] = &[
    accounts::PASSWD,
    accounts::SUDOERS,
    agents::ARTIFACT,
    ansible::ARTIFACT,
    aws::ARTIFACT,
    aws_cache::ARTIFACT,
    azure::AGENT,
    azure::ARTIFACT,
    boot_log::ARTIFACT,
    browser::CHROME,
    browser::KEYS,
    browser::LOGINS,
    cargo::ARTIFACT,
    certificate::ARTIFACT,
    cfn::ARTIFACT,
    cifs::ARTIFACT,
    clients::ARTIFACT,
    cloud_init::ARTIFACT,
    composer::ARTIFACT,
    config_mgmt::ARTIFACT,
    container::ARTIFACT,
    container::SECRETS,
    cron::ARTIFACT,
    docker::ARTIFACT,
    dotenv::ARTIFACT,
    forges::ARTIFACT,
    framework::ARTIFACT,
    gcp::ARTIFACT,
    gem::ARTIFACT,
    git::ARTIFACT,
    git_refs::ARTIFACT,
    gitlab::ARTIFACT,
    gnupg::ARTIFACT,
    gpp::ARTIFACT,
    history::ARTIFACT,
    history_db::ARTIFACT,
    hive::ARTIFACT,
    htpasswd::ARTIFACT,
    jenkins::ARTIFACT,
    jvm::ARTIFACT,
    kerberos::CACHE,
    kerberos::KEYTAB,
    keystore::ACME,
    keystore::STORE,
    kubeconfig::ARTIFACT,
    layers::ARTIFACT,
    markup::ARTIFACT,
    maven::ARTIFACT,
    mycnf::ARTIFACT,
    mylogin::ARTIFACT,
    netrc::ARTIFACT,
    network_manager::ARTIFACT,
    npm::ARTIFACT,
    nuget::ARTIFACT,
    persistence::ARTIFACT,
    persistence::PRELOAD,
    pgpass::ARTIFACT,
    powershell::ARTIFACT,
    python::ARTIFACT,
    rclone::ARTIFACT,
    runners::ARTIFACT,
    service::ARTIFACT,
    shadow::ARTIFACT,
    ssh::AUTHORIZED,
    ssh::PRIVATE,
    ssh_targets::CONFIG,
    ssh_targets::KNOWN,
    sshd::ARTIFACT,
    ssm::ARTIFACT,
    table::ARTIFACT,
    terraform::ARTIFACT,
    trust::AUTHORITIES,
    trust::BOOT,
    trust::PAM,
    trust::SOURCES,
    unattend::ARTIFACT,
    unit::ARTIFACT,
    vault::ARTIFACT,
    vpn::OPENVPN,
    vpn::TUNNEL,
    web_shell::ARTIFACT,
    whole::ARTIFACT,
    wireguard::ARTIFACT,
    workload::ARTIFACT,
];

/// What puts together what parsers have seen in several files.
pub static JOINS: &[Join] = &[
    certificate::JOIN,
    layers::JOIN,
    unlock::ANSIBLE,
    unlock::FIREFOX,
    unlock::JENKINS,
    unlock::MAVEN,
    unlock::RAILS,
];
