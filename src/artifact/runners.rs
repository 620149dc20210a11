//! Agents that run jobs for a CI service: GitHub's, GitLab's, Buildkite's and `CircleCI`'s. Who has
//! their key runs as them and is handed the jobs' secrets.

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::store::{self, From, Slot};
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "ci runner", applies, run };

static KEY: Rule = Rule {
    id: "ci.runner_key",
    title: "Key of a CI runner",
    severity: Severity::High,
    rotate: "Remove the runner from its organisation or project, rotate the secrets of its jobs, and register each machine by itself (ephemeral runners).",
};

static RUNNER: Rule = Rule {
    id: "ci.runner",
    title: "Machine that is registered as a CI runner",
    severity: Severity::Info,
    rotate: "Nothing to rotate but the runner's key: remove the runner from its organisation or project.",
};

const SLOTS: [Slot; 5] = [
    slot(&["d"], &[]),
    slot(&["data", "token"], &[("scheme", From::Root("scheme"))]),
    slot(&["data", "password"], &[("scheme", From::Root("scheme"))]),
    slot(&["api", "auth_token"], &[]),
    slot(&["token"], &[("host", From::Beside(&["host"]))]),
];

const fn slot(path: &'static [&'static str], facts: &'static [(&'static str, From)]) -> Slot {
    Slot { rule: &KEY, path, kind: Kind::Token, facts }
}

fn applies(blob: &Blob<'_>) -> bool {
    let file = paths::file_name(&blob.name);
    matches!(file, b".credentials_rsaparams" | b".runner")
        || paths::ends_with_any(
            &blob.name,
            &[
                "actions-runner*/.credentials",
                "*runner/.credentials",
                "agent/.credentials",
                "buildkite-agent.cfg",
                "launch-agent-config.yaml",
                ".circleci/cli.yml",
            ],
        )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if blob.name.ends_with(b".cfg") || blob.name.ends_with(b".toml") {
        settings(text, out);
        return Ok(());
    }
    if blob.name.ends_with(b".runner") {
        return runner(text, out);
    }
    store::secrets(text, &SLOTS, &mut |found| out(Out::Match(found)))
}

/// `token=` of an agent, with what stands around it.
fn settings(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let entries: Vec<_> = ini::entries(text).collect();
    for section in entries.chunk_by(|a, b| a.section.at == b.section.at) {
        let value = |names: [&[u8]; 2]| {
            let entry = section.iter().find(|entry| names.contains(&entry.name.bytes));
            entry.map(|entry| entry.value.text()).unwrap_or_default()
        };
        let (name, host) = (value([b"name", b"name"]), value([b"url", b"endpoint"]));
        for entry in section.iter().filter(|entry| entry.name.bytes == b"token") {
            if !entry.value.is_empty() {
                let found = judge::found(&KEY, Grade::Strong, Kind::Token, entry.value);
                let found = found.fact("name", name.as_str()).fact("host", host.as_str());
                out(Out::Match(found));
            }
        }
    }
}

/// What GitHub's runner is registered for.
fn runner(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, result) = yaml::leaves(text);
    for (number, leaf) in leaves.iter().enumerate() {
        if leaf.is(&["gitHubUrl"]) && !leaf.value.is_empty() {
            let found = judge::fact(&RUNNER, Grade::Strong, leaf.raw)
                .fact("name", store::beside(&leaves, number, &["agentName", "AgentName"]))
                .fact("pool", store::beside(&leaves, number, &["poolName", "PoolName"]));
            out(Out::Match(found));
        }
    }
    result
}
