//! GitLab: the secrets of an instance
//! ([gitlab-secrets.json](https://docs.gitlab.com/omnibus/settings/configuration.html)), the first password of
//! root, the Omnibus configuration, and the tokens of runners.

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::literal::{self, Language};
use super::paths;
use super::piece::Piece;
use super::settings::{self, Judge};
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "gitlab", applies, run };

static INSTANCE: Rule = Rule {
    id: "ci.gitlab.secrets",
    title: "Secret of a GitLab instance",
    severity: Severity::Critical,
    rotate: "Reset the instance's secrets as GitLab documents for lost secrets files, and rotate CI variables and tokens in its database.",
};

static ROOT: Rule = Rule {
    id: "ci.gitlab.root_password",
    title: "First password of GitLab's root account",
    severity: Severity::Critical,
    rotate: "Change the password of root (gitlab-rake \"gitlab:password:reset[root]\") and review what it did.",
};

static RUNNER: Rule = Rule {
    id: "ci.gitlab.runner",
    title: "Token of a GitLab runner",
    severity: Severity::High,
    rotate: "Delete the runner in GitLab (Admin or project, CI/CD, Runners) and register a new one at boot.",
};

static CONFIG: Rule = Rule {
    id: "ci.gitlab.config",
    title: "Secret in the configuration of GitLab",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and keep it in Omnibus's encrypted configuration.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "gitlab-secrets.json",
            "initial_root_password",
            "gitlab.rb",
            "gitlab-runner/config.toml",
            ".gitlab-runner/config.toml",
            "gitlab-rails/etc/secrets.yml",
            "gitlab/config/secrets.yml",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let judge = |rule| Judge { rule, grade: Grade::Strong, path: &blob.name };
    match paths::file_name(&blob.name) {
        b"initial_root_password" => {
            for line in text.lines() {
                let password = line.trim().strip_prefix(b"Password:").map(Piece::trim);
                if let Some(password) = password.filter(|password| !password.is_empty()) {
                    let found = judge::found(&ROOT, Grade::Strong, Kind::Password, password);
                    out(Out::Match(found.fact("user", "root")));
                }
            }
            Ok(())
        }
        b"gitlab.rb" => {
            let (found, result) = literal::assigned(text, Language::Ruby);
            let settings: Vec<_> = found.iter().map(literal::Literal::setting).collect();
            settings::report(judge(&CONFIG), &settings, &mut |_, m| out(Out::Match(m)));
            result
        }
        b"config.toml" => {
            runners(text, out);
            Ok(())
        }
        _ => {
            let (leaves, result) = yaml::leaves(text);
            let mut settings = settings::of_leaves(&leaves);
            // Everything in there is secret.
            for setting in settings.iter_mut().filter(|s| s.value.len() >= 16) {
                setting.kind = Some(Kind::Token);
            }
            settings::report(judge(&INSTANCE), &settings, &mut |_, m| out(Out::Match(m)));
            result
        }
    }
}

/// The tables of a runner's configuration, each with the URL it belongs to.
fn runners(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let (mut url, mut name) = (Piece::default(), Piece::default());
    let mut table = 0;
    for entry in ini::entries(text) {
        if entry.section.bytes == b"[runners" && entry.section.at != table {
            table = entry.section.at;
            (url, name) = (Piece::default(), Piece::default());
        }
        match (entry.section.bytes, entry.name.bytes) {
            (b"[runners", b"url") => url = entry.value,
            (b"[runners", b"name") => name = entry.value,
            (_, b"token" | b"AccessKey" | b"SecretKey" | b"password" | b"AccountKey")
                if !entry.value.is_empty() =>
            {
                let found = judge::found(&RUNNER, Grade::Strong, Kind::Token, entry.value)
                    .fact("name", entry.name.text())
                    .fact("url", url.text())
                    .fact("runner", name.text());
                out(Out::Match(found));
            }
            _ => {}
        }
    }
}
