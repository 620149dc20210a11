//! Terraform and `OpenTofu`: state
//! ([format](https://developer.hashicorp.com/terraform/internals/json-format)), which holds every
//! attribute of every resource in clear, variable files and the tokens of its command line.

use super::Artifact;
use super::judge::{self, Kind};
use super::literal::{self, Language};
use super::paths;
use super::piece::{self, Piece};
use super::settings::{self, Judge, Setting};
use super::yaml::{self, Leaf, Step};
use crate::blob::{Blob, Budget, Out};
use crate::credential::pem;
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "terraform", applies, run };

static STATE: Rule = Rule {
    id: "iac.tfstate",
    title: "Secret in a Terraform state",
    severity: Severity::Critical,
    rotate: "Replace the secret at the resource (terraform apply -replace, or at the service), keep state in an encrypted backend, and delete the copy.",
};

static VARIABLE: Rule = Rule {
    id: "iac.tfvars",
    title: "Secret in a Terraform variable file",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and pass it to Terraform at run time, from a secrets manager.",
};

static TOKEN: Rule = Rule {
    id: "iac.terraform_token",
    title: "Token of a Terraform registry or HCP Terraform",
    severity: Severity::Critical,
    rotate: "Revoke the API token in the organisation's or user's settings and review its runs and state reads.",
};

fn applies(blob: &Blob<'_>) -> bool {
    let head = blob.bytes.get(..512).unwrap_or(&blob.bytes);
    let by_head =
        head.starts_with(b"{") && pem::position(head, 0, b"\"terraform_version\"").is_some();
    by_head || kind_of(&blob.name).is_some()
}

/// Which of its files it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum File {
    State,
    Variables,
    VariablesJson,
    TokensJson,
    Tokens,
}

fn kind_of(path: &[u8]) -> Option<File> {
    let tails: [(&[&str], File); 5] = [
        (&["*.tfstate", "*.tfstate.backup", "terraform.tfstate.*"], File::State),
        (&["*.tfvars"], File::Variables),
        (&["*.tfvars.json"], File::VariablesJson),
        (&["credentials.tfrc.json"], File::TokensJson),
        (&[".terraformrc", "terraform.rc", ".tofurc"], File::Tokens),
    ];
    tails.iter().find(|(tails, _)| paths::ends_with_any(path, tails)).map(|(_, kind)| *kind)
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let judge = |rule| Judge { rule, grade: Grade::Strong, path: &blob.name };
    match kind_of(&blob.name).unwrap_or(File::State) {
        File::State => state(judge(&STATE), text, out),
        File::Variables => {
            let (found, result) = literal::assigned(text, Language::Php);
            let settings: Vec<_> = found.iter().map(literal::Literal::setting).collect();
            settings::report(judge(&VARIABLE), &settings, &mut |_, m| out(Out::Match(m)));
            result
        }
        File::VariablesJson => {
            let (leaves, result) = yaml::leaves(text);
            let settings = settings::of_leaves(&leaves);
            settings::report(judge(&VARIABLE), &settings, &mut |_, m| out(Out::Match(m)));
            result
        }
        File::TokensJson => {
            let (leaves, result) = yaml::leaves(text);
            for leaf in leaves.iter().filter(|l| l.is(&["credentials", "*", "token"])) {
                if let Some(Step::Key(host)) = leaf.step(1) {
                    token(host, &leaf.value, leaf.raw, out);
                }
            }
            result
        }
        File::Tokens => {
            let (found, result) = literal::assigned(text, Language::Php);
            for entry in found.iter().filter(|entry| entry.name.bytes == b"token") {
                token(entry.label.bytes, &entry.value, entry.raw, out);
            }
            result
        }
    }
}

fn token(host: &[u8], value: &[u8], raw: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    if !value.is_empty() {
        let found = judge::decoded(&TOKEN, Grade::Strong, (Kind::Token, value), raw);
        out(Out::Match(found.fact("host", piece::text(host))));
    }
}

/// What the state says of a resource, or of one of its instances.
#[derive(Default)]
struct Resources<'a> {
    /// Addresses, by the number of the resource.
    addresses: BTreeMap<usize, BTreeMap<&'a [u8], String>>,
    /// Index keys, by the numbers of resource and instance.
    indexes: BTreeMap<(usize, usize), String>,
    /// Attributes that the provider calls sensitive.
    sensitive: BTreeSet<(usize, usize, Vec<u8>)>,
    /// Outputs that are called so.
    outputs: BTreeSet<&'a [u8]>,
}

impl<'a> Resources<'a> {
    fn of(leaves: &'a [Leaf<'a>]) -> Resources<'a> {
        let mut found = Resources::default();
        for leaf in leaves {
            match (leaf.path.as_slice(), leaf.key()) {
                ([Step::Key(b"outputs"), Step::Key(name), _], b"sensitive")
                    if *leaf.value == *b"true" =>
                {
                    found.outputs.insert(name);
                }
                ([Step::Key(b"resources"), Step::Item(number), Step::Key(key)], _) => {
                    let about = found.addresses.entry(*number).or_default();
                    about.insert(key, piece::text(&leaf.value));
                }
                (
                    [
                        Step::Key(b"resources"),
                        Step::Item(number),
                        _,
                        Step::Item(instance),
                        rest @ ..,
                    ],
                    key,
                ) => match rest {
                    [Step::Key(b"index_key")] => {
                        found.indexes.insert((*number, *instance), piece::text(&leaf.value));
                    }
                    [Step::Key(b"sensitive_attributes"), Step::Item(_), Step::Item(0), _]
                        if key == b"value" =>
                    {
                        found.sensitive.insert((*number, *instance, leaf.value.to_vec()));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        found
    }

    /// Address of what the leaf is part of, the rest of its path, and whether it is sensitive.
    fn place<'l>(&self, path: &'l [Step<'l>]) -> Option<(String, &'l [Step<'l>], bool)> {
        match path {
            [Step::Key(b"outputs"), Step::Key(name), Step::Key(b"value"), rest @ ..] => {
                let address = format!("output.{}", piece::text(name));
                Some((address, rest, self.outputs.contains(name)))
            }
            [
                Step::Key(b"resources"),
                Step::Item(number),
                Step::Key(b"instances"),
                Step::Item(instance),
                Step::Key(b"attributes" | b"attributes_flat"),
                rest @ ..,
            ] => {
                let first = match rest.first() {
                    Some(Step::Key(key)) => key.to_vec(),
                    _ => Vec::new(),
                };
                let sensitive = self.sensitive.contains(&(*number, *instance, first));
                Some((self.address(*number, *instance), rest, sensitive))
            }
            // Version 3, of Terraform before 0.12.
            [
                Step::Key(b"modules"),
                Step::Item(_),
                Step::Key(b"resources"),
                Step::Key(address),
                Step::Key(b"primary"),
                Step::Key(b"attributes"),
                rest @ ..,
            ] => Some((piece::text(address), rest, false)),
            [Step::Key(b"modules"), _, Step::Key(b"outputs"), Step::Key(name), rest @ ..] => {
                Some((format!("output.{}", piece::text(name)), rest, false))
            }
            _ => None,
        }
    }

    fn address(&self, number: usize, instance: usize) -> String {
        let about = self.addresses.get(&number);
        let of = |key: &[u8]| about.and_then(|about| about.get(key)).map_or("", String::as_str);
        let mut parts = vec![of(b"module")];
        parts.extend((of(b"mode") == "data").then_some("data"));
        parts.extend([of(b"type"), of(b"name")]);
        parts.retain(|part| !part.is_empty());
        let index = self.indexes.get(&(number, instance));
        parts.join(".") + &index.map(|index| format!("[{index}]")).unwrap_or_default()
    }
}

fn state(judge: Judge<'_>, text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, result) = yaml::leaves(text);
    let resources = Resources::of(&leaves);
    let settings: Vec<Setting<'_>> = settings::of_leaves(&leaves)
        .into_iter()
        .zip(&leaves)
        .filter_map(|(mut setting, leaf)| {
            let (_, rest, sensitive) = resources.place(&leaf.path)?;
            let made = matches!(rest, [Step::Key(b"result")]);
            let secret = sensitive || (made && is_password(&resources, &leaf.path));
            if secret && !judge::is_setting(&leaf.value) {
                let named = judge::secretive(setting.name.key()).unwrap_or(Kind::Token);
                setting.kind = Some(if made { Kind::Password } else { named });
            }
            Some(setting)
        })
        .collect();
    settings::report(judge, &settings, &mut |setting, mut found| {
        if let settings::Name::Path(path) = setting.name
            && let Some((address, rest, _)) = resources.place(path)
        {
            found.facts.remove("name");
            found = found.fact("resource", address).fact("attribute", settings::dotted(rest));
        }
        out(Out::Match(found));
    });
    result
}

/// Whether the attribute is of a `random_password`.
fn is_password(resources: &Resources<'_>, path: &[Step<'_>]) -> bool {
    let Some(Step::Item(number)) = path.get(1) else { return false };
    let kind = resources.addresses.get(number).and_then(|about| about.get(&b"type"[..]));
    kind.is_some_and(|kind| kind == "random_password")
}
