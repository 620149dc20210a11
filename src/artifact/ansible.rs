//! Ansible: logins in inventories and variables
//! ([names](https://docs.ansible.com/ansible/latest/inventory_guide/connection_details.html)), and vaults
//! ([format](https://docs.ansible.com/ansible/latest/vault_guide/vault_using_encrypted_content.html)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::service::quoted_words;
use super::settings::{self, Judge, Name, Setting};
use super::unlock;
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "ansible", applies, run };

pub(super) static SECRET: Rule = Rule {
    id: "iac.ansible.secret",
    title: "Secret in an Ansible inventory or variable file",
    severity: Severity::High,
    rotate: "Change the password on the hosts it opens and keep it in a vault or a secrets manager.",
};

static VAULT: Rule = Rule {
    id: "iac.ansible.vault",
    title: "Ansible Vault ciphertext",
    severity: Severity::Medium,
    rotate: "Rekey (ansible-vault rekey), and rotate the content if the vault's password was near.",
};

const HEADER: &[u8] = b"$ANSIBLE_VAULT;";

fn applies(blob: &Blob<'_>) -> bool {
    blob.bytes.starts_with(HEADER)
        || paths::ends_with_any(
            &blob.name,
            &[
                "etc/ansible/hosts",
                "ansible/hosts*",
                "ansible/inventory*",
                "inventory.ini",
                "inventory.yml",
                "inventory.yaml",
                "inventory/*",
                "inventories/*",
                "inventories/*/*",
                "group_vars/*",
                "group_vars/*/*",
                "host_vars/*",
                "host_vars/*/*",
                "ansible.cfg",
                ".ansible.cfg",
            ],
        )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if text.bytes.starts_with(HEADER) {
        vault((blob, text), "", out);
        return Ok(());
    }
    let judge = Judge { rule: &SECRET, grade: Grade::Strong, path: &blob.name };
    if !is_tree(&blob.name, text) {
        inventory(judge, text, out);
        return Ok(());
    }
    let (leaves, result) = yaml::leaves(text);
    for leaf in leaves.iter().filter(|leaf| leaf.value.starts_with(HEADER)) {
        vault((blob, leaf.raw.trim()), &settings::dotted(&leaf.path), out);
    }
    let settings: Vec<_> = settings::of_leaves(&leaves)
        .into_iter()
        .filter(|setting| !setting.value.starts_with(HEADER))
        .collect();
    settings::report(judge, &settings, &mut |_, found| out(Out::Match(found)));
    result
}

/// Whether it is YAML or JSON: by its name, or by how it begins.
fn is_tree(path: &[u8], text: Piece<'_>) -> bool {
    let named = [&b".yml"[..], b".yaml", b".json"].iter().any(|end| path.ends_with(end));
    let vars = paths::under(path, "group_vars") || paths::under(path, "host_vars");
    named || vars || text.bytes.starts_with(b"---") || text.bytes.starts_with(b"{")
}

/// The ciphertext behind a header.
fn vault((blob, text): (&Blob<'_>, Piece<'_>), name: &str, out: &mut dyn FnMut(Out<'_>)) {
    let Some((header, rest)) = text.split_once(b'\n') else { return };
    let end = rest.bytes.iter().position(|b| !b.is_ascii_hexdigit() && !b.is_ascii_whitespace());
    let body = rest.sub(0, end.unwrap_or(usize::MAX));
    let body = body.sub(0, body.bytes.trim_ascii_end().len());
    if body.bytes.len() < 80 {
        return;
    }
    let label = header.trim().split(b';').nth(3).unwrap_or_default();
    let found = judge::found(&VAULT, Grade::Strong, Kind::Token, body)
        .fact("name", name)
        .fact("vault_id", label.text())
        .fact("protection", "encrypted")
        .fact("decrypts_with", "the vault's password (.vault_pass, vault_password_file)");
    out(Out::Clue(unlock::locked(unlock::ANSIBLE_VALUE, &blob.at, body.bytes, &found)));
    out(Out::Match(found));
}

/// Lines of `host name=value name=value`, and of `name=value` below `[group:vars]`.
fn inventory(judge: Judge<'_>, text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    for line in text.lines() {
        let line = line.trim();
        if matches!(line.bytes, [b'#' | b';' | b'[', ..] | []) {
            continue;
        }
        let mut host = Piece::default();
        let mut user = String::new();
        let mut settings = Vec::new();
        let whole = line.split_once(b'=').filter(|(n, _)| n.trim().words().count() == 1);
        let single = whole.filter(|(_, value)| !value.bytes.contains(&b'='));
        let pairs: Vec<(Piece<'_>, Piece<'_>)> = match single {
            Some((name, value)) => vec![(name.trim(), value.trim().unquote())],
            None => pairs(line, &mut host),
        };
        for (name, raw) in pairs {
            if matches!(name.bytes, b"ansible_user" | b"ansible_ssh_user") {
                user = piece::text(raw.bytes);
            }
            if name.bytes == b"ansible_host" {
                host = raw;
            }
            let name = Name::Text(name);
            settings.push(Setting { group: 0, name, value: raw.bytes, raw, kind: None });
        }
        settings::report(judge, &settings, &mut |_, found| {
            out(Out::Match(found.fact("host", host.text()).fact("user", user.as_str())));
        });
    }
}

/// The `name=value` words of a line, their values in quotes or not; the first word without a value
/// is the host.
fn pairs<'a>(line: Piece<'a>, host: &mut Piece<'a>) -> Vec<(Piece<'a>, Piece<'a>)> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(word) = rest.words().next() {
        rest = rest.from(word.end().saturating_sub(rest.at));
        let Some((name, value)) = word.split_once(b'=') else {
            if host.is_empty() {
                *host = word;
            }
            continue;
        };
        if matches!(value.bytes.first(), Some(b'"' | b'\'')) {
            // The value goes on to its quote, over white space.
            let from = line.from(value.at.saturating_sub(line.at));
            let Some(inside) = quoted_words(from).next() else { continue };
            rest = line.from(inside.end().saturating_add(1).saturating_sub(line.at));
            found.push((name, inside));
        } else {
            found.push((name, value));
        }
    }
    found
}
