//! Logins of AI agents on the command line, and the keys that are handed to their tool servers
//! ([MCP configuration](https://modelcontextprotocol.io/docs/develop/connect-local-servers)).

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::store::{self, From, Slot};
use super::uri;
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "ai agent", applies, run };

static LOGIN: Rule = Rule {
    id: "ai.agent.login",
    title: "Login of an AI agent",
    severity: Severity::High,
    rotate: "Sign out everywhere at the provider (or revoke the key), and delete the agent's folder, transcripts included, before making an image.",
};

static TOOL: Rule = Rule {
    id: "ai.agent.tool_secret",
    title: "Secret handed to a tool server of an AI agent",
    severity: Severity::High,
    rotate: "Change the secret at the service the tool opens and keep it out of the agent's configuration.",
};

const EXPIRY: (&str, From) = ("expires", From::Beside(&["expiresAt", "expiry_date", "expires"]));
const OWNER: &[(&str, From)] = &[
    ("kind", From::Key),
    EXPIRY,
    ("plan", From::Beside(&["subscriptionType"])),
    ("account", From::Beside(&["account_id", "user", "serverUrl"])),
];
const UP: &[(&str, From)] =
    &[("kind", From::Key), EXPIRY, ("account", From::Up(1)), ("user", From::Beside(&["user"]))];

const SLOTS: [Slot; 16] = [
    slot(&["**", "accessToken"], OWNER),
    slot(&["**", "refreshToken"], OWNER),
    slot(&["**", "clientSecret"], OWNER),
    slot(&["primaryApiKey"], OWNER),
    slot(&["OPENAI_API_KEY"], OWNER),
    slot(&["tokens", "access_token"], OWNER),
    slot(&["tokens", "refresh_token"], OWNER),
    slot(&["tokens", "id_token"], OWNER),
    slot(&["access_token"], OWNER),
    slot(&["refresh_token"], OWNER),
    slot(&["id_token"], OWNER),
    slot(&["**", "oauth_token"], UP),
    slot(&["*", "access"], UP),
    slot(&["*", "refresh"], UP),
    slot(&["*", "key"], UP),
    slot(&["**", "apiKey"], OWNER),
];

const fn slot(path: &'static [&'static str], facts: &'static [(&'static str, From)]) -> Slot {
    Slot { rule: &LOGIN, path, kind: Kind::Token, facts }
}

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            ".claude.json",
            ".claude.json.*",
            ".claude/.credentials.json",
            ".claude/settings*.json",
            ".codex/auth.json",
            ".codex/config.toml",
            ".gemini/oauth_creds.json",
            ".gemini/settings.json",
            "github-copilot/apps.json",
            "github-copilot/hosts.json",
            "gh-copilot/*.json",
            "opencode/auth.json",
            ".cursor/mcp.json",
            ".vscode/mcp.json",
            ".mcp.json",
            "mcp_config.json",
            "claude_desktop_config.json",
            ".continue/config.json",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if blob.name.ends_with(b".toml") {
        for entry in ini::entries(text).filter(|e| e.section.bytes.ends_with(b".env")) {
            let server = entry.section.bytes.strip_suffix(b".env").unwrap_or_default();
            let server = server.strip_prefix(b"mcp_servers.").unwrap_or(server);
            let value = (entry.value.bytes, entry.value);
            store::variable(&TOOL, entry.name.bytes, value, &mut |found| {
                out(Out::Match(found.fact("server", piece::text(server))));
            });
        }
        return Ok(());
    }
    let result = store::secrets(text, &SLOTS, &mut |found| out(Out::Match(found)));
    let (leaves, _) = yaml::leaves(text);
    for leaf in &leaves {
        let value = (leaf.value.as_ref(), leaf.raw);
        if store::fits(leaf, &["**", "env", "*"]) {
            store::variable(&TOOL, leaf.key(), value, &mut |found| {
                out(Out::Match(found.fact("server", server(leaf))));
            });
        } else if store::fits(leaf, &["**", "headers", "*"]) {
            let authorization = leaf.key().eq_ignore_ascii_case(b"authorization");
            let by_name = judge::secretive(leaf.key());
            let found = match uri::authorization(&TOOL, leaf.raw).filter(|_| authorization) {
                Some(found) => Some(found),
                None => by_name.map(|kind| {
                    judge::decoded(&TOOL, Grade::Strong, (kind, &leaf.value), leaf.raw)
                }),
            };
            if let Some(found) = found {
                out(Out::Match(found.fact("server", server(leaf))));
            }
        }
    }
    result
}

/// The server's name, above `env`; none in an agent's own environment.
fn server(leaf: &yaml::Leaf<'_>) -> String {
    store::up(leaf, 2)
}
