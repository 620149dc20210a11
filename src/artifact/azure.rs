//! Azure's tokens and logins: the command line's caches under `~/.azure`, PowerShell's context,
//! and what the Linux agent keeps of the machine's provisioning
//! ([agent](https://learn.microsoft.com/en-us/azure/virtual-machines/extensions/agent-linux)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::store::{self, From, Slot};
use super::xml;
use super::yaml;
use crate::blob::{Blob, Budget, Meta, Out};
use crate::credential::base64;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Grade, Match, Rule, Severity};
use std::borrow::Cow;

/// The parser of the command line's files.
pub(super) const ARTIFACT: Artifact = Artifact { name: "azure cli", applies, run };

/// The parser of the agent's files.
pub(super) const AGENT: Artifact = Artifact { name: "azure agent", applies: is_agent, run: agent };

const ROTATE: &str = "Revoke the user's sessions in Entra ID, or replace the service principal's secret, and delete ~/.azure before making an image.";

static REFRESH: Rule = Rule {
    id: "azure.cli.refresh_token",
    title: "Azure session that renews itself",
    severity: Severity::Critical,
    rotate: ROTATE,
};

static ACCESS: Rule = Rule {
    id: "azure.cli.access_token",
    title: "Azure access token",
    severity: Severity::Medium,
    rotate: ROTATE,
};

static PRINCIPAL: Rule = Rule {
    id: "azure.cli.service_principal",
    title: "Secret of an Azure service principal",
    severity: Severity::Critical,
    rotate: ROTATE,
};

static SUBSCRIPTION: Rule = Rule {
    id: "azure.cli.subscription",
    title: "Azure subscription that is used from here",
    severity: Severity::Info,
    rotate: "Nothing to rotate: revoke the sessions of the named user, and delete ~/.azure before making an image.",
};

static PASSWORD: Rule = Rule {
    id: "azure.agent.password",
    title: "Account password in what provisioned an Azure machine",
    severity: Severity::Critical,
    rotate: "Change the account's password on every machine and remove /var/lib/waagent from the image (waagent -deprovision).",
};

const ENTRY: &[(&str, From)] = &[
    ("user", From::Beside(&["userId", "username"])),
    ("client_id", From::Beside(&["client_id", "servicePrincipalId", "_clientId"])),
    ("tenant", From::Beside(&["realm", "tenant", "servicePrincipalTenant", "tenantId"])),
    ("account", From::Beside(&["home_account_id"])),
    ("scope", From::Beside(&["target", "resource"])),
    ("expires", From::Beside(&["expires_on", "expiresOn"])),
];

const SLOTS: [Slot; 8] = [
    slot(&REFRESH, &["RefreshToken", "*", "secret"]),
    slot(&ACCESS, &["AccessToken", "*", "secret"]),
    slot(&ACCESS, &["IdToken", "*", "secret"]),
    slot(&REFRESH, &["**", "refreshToken"]),
    slot(&PRINCIPAL, &["**", "client_secret"]),
    slot(&PRINCIPAL, &["**", "ServicePrincipalSecret"]),
    slot(&PRINCIPAL, &["**", "servicePrincipalKey"]),
    slot(&ACCESS, &["**", "AccessToken"]),
];

const fn slot(rule: &'static Rule, path: &'static [&'static str]) -> Slot {
    Slot { rule, path, kind: Kind::Token, facts: ENTRY }
}

fn applies(blob: &Blob<'_>) -> bool {
    let lower = blob.name.to_ascii_lowercase();
    blob.name.ends_with(b".json") && paths::ends_with(&lower, ".azure/*.json")
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let result = store::secrets(text, &SLOTS, &mut |found| out(Out::Match(found)));
    let (leaves, _) = yaml::leaves(text);
    for (number, leaf) in leaves.iter().enumerate() {
        if leaf.is(&["subscriptions", "[]", "id"]) {
            let near = |names| store::beside(&leaves, number, names);
            let user = leaves.get(number..).unwrap_or_default().iter().take(16);
            let mut user = user.filter(|l| l.is(&["subscriptions", "[]", "user", "name"]));
            let user = user.next().map(|l| piece::text(&l.value)).unwrap_or_default();
            let found = judge::fact(&SUBSCRIPTION, Grade::Strong, leaf.raw)
                .fact("name", near(&["name"]))
                .fact("tenant", near(&["tenantId"]))
                .fact("user", user);
            out(Out::Match(found));
        }
        // The older cache keeps a service principal's secret under the name of a token.
        if leaf.is(&["[]", "accessToken"]) && !store::is_nothing(&leaf.value) {
            let principal = store::beside(&leaves, number, &["servicePrincipalId"]);
            let rule = if principal.is_empty() { &ACCESS } else { &PRINCIPAL };
            let near = |names| store::beside(&leaves, number, names);
            let found = judge::decoded(rule, Grade::Strong, (Kind::Token, &leaf.value), leaf.raw)
                .fact("client_id", principal)
                .fact("tenant", near(&["servicePrincipalTenant"]))
                .fact("user", near(&["userId"]))
                .fact("expires", near(&["expiresOn"]));
            out(Out::Match(store::claims(found, &leaf.value)));
        }
    }
    result
}

static EXTENSION: Rule = Rule {
    id: "azure.agent.extension",
    title: "Secret in the settings of an Azure machine's extension",
    severity: Severity::High,
    rotate: "Change what the settings hold at the service it opens, and remove /var/lib/waagent from the image (waagent -deprovision).",
};

const SETTINGS: [Slot; 1] = [Slot {
    rule: &EXTENSION,
    path: &["**", "protectedSettings"],
    kind: Kind::Token,
    facts: &[("certificate", From::Beside(&["protectedSettingsCertThumbprint"]))],
}];

fn is_agent(blob: &Blob<'_>) -> bool {
    let settings = paths::under(&blob.name, "waagent") && blob.name.ends_with(b".settings");
    settings || paths::ends_with(&blob.name, "ovf-env.xml")
}

/// An extension's settings; the protected ones open with a key that lies in the same folder.
fn extension(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let result = store::secrets(text, &SETTINGS, &mut |found| {
        let key = found.facts.get("certificate").map(|name| format!("{name}.prv"));
        let found = found.fact("form", "encrypted");
        out(Out::Match(found.fact("decrypts_with", key.unwrap_or_default())));
    });
    let (leaves, _) = yaml::leaves(text);
    for leaf in leaves.iter().filter(|leaf| !store::fits(leaf, &["**", "protectedSettings"])) {
        let value = (leaf.value.as_ref(), leaf.raw);
        let mut keep = |found| out(Out::Match(found));
        store::variable(&EXTENSION, leaf.key(), value, &mut keep);
    }
    result
}

fn agent(blob: &Blob<'_>, budget: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if blob.name.ends_with(b".settings") {
        return extension(text, out);
    }
    let (values, mut result) = xml::values(text);
    let blocks = values.chunk_by(|a, b| a.parent == b.parent);
    for (block, value) in blocks.flat_map(|block| block.iter().map(move |value| (block, value))) {
        let password = value.is_text(&["UserPassword"]) || value.is_text(&["AdminPassword"]);
        if password && value.value.as_ref() != b"REDACTED" && !value.value.is_empty() {
            let kind = (Kind::Password, value.value.as_ref());
            let found: Match = judge::decoded(&PASSWORD, Grade::Strong, kind, value.raw)
                .fact("user", xml::child(block, value.parent, "UserName"))
                .fact("host", xml::child(block, value.parent, "HostName"));
            out(Out::Match(found));
        }
        if value.is_text(&["CustomData"])
            && let Some(content) = base64::decode(&value.value)
        {
            budget.spend(content.len() as u64)?;
            if budget.depth == 0 {
                let error = Error::new(ErrorKind::Limit, "decoded views nest too deeply");
                result = result.and(Err(error));
                continue;
            }
            out(Out::Blob(Blob {
                at: blob.at.clone().with_member("base64", Some(b"user-data")),
                name: Cow::Borrowed(b"user-data"),
                meta: Meta::default(),
                bytes: Cow::Owned(content),
                decoded_from: Some(value.raw.run()),
            }));
        }
    }
    result
}
