//! Tokens of Vault, Consul and Nomad: the file a login leaves, and what stands in the servers' and
//! agents' configuration ([HCL](https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md) of
//! one setting a line, or JSON).

use super::Artifact;
use super::aws;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::store;
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};
use crate::limits;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "vault", applies, run };

static TOKEN: Rule = Rule {
    id: "vault.token_file",
    title: "Token of a Vault, Consul or Nomad login",
    severity: Severity::Critical,
    rotate: "Revoke the token (vault token revoke, consul acl token delete), read the audit log for its use, and rotate what it could read.",
};

static SETTING: Rule = Rule {
    id: "vault.config",
    title: "Secret in the configuration of Vault, Consul or Nomad",
    severity: Severity::Critical,
    rotate: "Replace the token or key in the cluster, then hand it to agents at boot instead of keeping it in the image.",
};

const FILES: [&str; 4] = [".vault-token", ".consul-token", ".nomad-token", "vault/token"];

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &FILES)
        || paths::ends_with_any(
            &blob.name,
            &[
                "etc/consul*/*.hcl",
                "etc/consul*/*.json",
                "etc/nomad*/*.hcl",
                "etc/nomad*/*.json",
                "etc/vault*/*.hcl",
                "etc/vault*/*.json",
                "consul/config/*.hcl",
                "consul/config/*.json",
                "nomad/config/*.hcl",
                "vault/config/*.hcl",
                "vault/config/*.json",
            ],
        )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if paths::ends_with_any(&blob.name, &FILES) {
        let token = text.trim();
        let formed = (8..=limits::FACT_BYTES).contains(&token.bytes.len());
        if formed && token.bytes.iter().all(u8::is_ascii_graphic) {
            let found = judge::found(&TOKEN, Grade::Strong, Kind::Token, token);
            let user = paths::user(&blob.name).unwrap_or_default();
            out(Out::Match(found.fact("user", user)));
        }
        return Ok(());
    }
    let mut profile = aws::Profile::default();
    let mut setting = |name: &[u8], block: &str, (value, raw)| {
        if let Some(found) = secret(name, block, (value, raw)) {
            out(Out::Match(found));
        }
    };
    if blob.name.ends_with(b".json") {
        let (leaves, result) = yaml::leaves(text);
        for leaf in &leaves {
            setting(leaf.key(), &store::up(leaf, 1), (leaf.value.as_ref(), leaf.raw));
        }
        return result;
    }
    // The open blocks; deeper ones than any real file has are not told apart.
    let mut blocks: Vec<Piece<'_>> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if matches!(line.bytes, [] | [b'#', ..] | [b'/', b'/', ..]) {
            continue;
        }
        let block = blocks.last().map(|name| name.text()).unwrap_or_default();
        if let Some((name, value)) = line.split_once(b'=') {
            let (name, value) = (name.trim().unquote(), value_of(value));
            match name.bytes {
                b"access_key" => profile.id = value,
                b"secret_key" => profile.secret = value,
                name => setting(name, &block, (value.bytes, value)),
            }
        }
        if line.bytes.ends_with(b"{") && blocks.len() < limits::YAML_DEPTH {
            blocks.push(line.words().next().unwrap_or_default().unquote());
        } else if line.bytes.starts_with(b"}") {
            blocks.pop();
        }
    }
    profile.report(out);
    Ok(())
}

/// A quoted value without the comment behind it.
fn value_of(value: Piece<'_>) -> Piece<'_> {
    let value = value.trim();
    let Some(inside) = value.strip_prefix(b"\"") else { return Piece::default() };
    inside.split_once(b'"').map_or(inside, |(value, _)| value)
}

fn secret(name: &[u8], block: &str, (value, raw): (&[u8], Piece<'_>)) -> Option<Match> {
    let (grade, kind) = match name {
        b"encrypt" | b"acl_master_token" | b"acl_agent_token" => (Grade::Strong, Kind::Token),
        b"token" | b"secret_id" | b"unseal_key" => (Grade::Strong, Kind::Token),
        _ if block == "tokens" => (Grade::Strong, Kind::Token),
        _ => (Grade::Plausible, judge::secretive(name)?),
    };
    if value.is_empty() || judge::is_setting(value) {
        return None;
    }
    let found = judge::decoded(&SETTING, grade, (kind, value), raw);
    Some(found.fact("name", piece::text(name)).fact("block", block))
}
