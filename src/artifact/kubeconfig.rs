//! kubeconfig: what opens a Kubernetes cluster
//! ([format](https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/)).

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::yaml::{self, Leaf, Step};
use crate::blob::{Blob, Budget, Out};
use crate::credential::{base64, der, pem, private_key};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};
use crate::run::Run;
use std::collections::BTreeMap;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "kubeconfig", applies, run };

static CLIENT_KEY: Rule = Rule {
    id: "k8s.client_key",
    title: "Client key for a Kubernetes cluster",
    severity: Severity::Critical,
    rotate: "Client certificates cannot be revoked: remove the user's and its groups' role bindings, or rotate the cluster's client CA.",
};

static TOKEN: Rule = Rule {
    id: "k8s.token",
    title: "Token for a Kubernetes cluster",
    severity: Severity::Critical,
    rotate: "Delete the service account's secret (or the account), or revoke the token at the identity provider.",
};

static PASSWORD: Rule = Rule {
    id: "k8s.password",
    title: "Password for a Kubernetes cluster",
    severity: Severity::Critical,
    rotate: "Change the password and turn basic authentication off.",
};

fn applies(blob: &Blob<'_>) -> bool {
    let head = blob.bytes.get(..512).unwrap_or(&blob.bytes);
    let by_head = pem::position(head, 0, b"kind: Config\n").is_some()
        && pem::position(head, 0, b"apiVersion: v1").is_some();
    by_head
        || paths::ends_with_any(
            &blob.name,
            &[
                ".kube/config*",
                "etc/kubernetes/*.conf",
                "rancher/k3s/*.yaml",
                "rancher/rke2/*.yaml",
                "*.kubeconfig",
                "kubeconfig*",
                "kubelet/*kubeconfig",
                "credentials/*.config",
            ],
        )
}

/// What one user of the file is and where it may go.
#[derive(Default)]
struct User {
    name: String,
    server: String,
    subject: der::Subject,
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, result) = yaml::leaves(Piece::whole(&blob.bytes));
    let users = users(&leaves);
    let nobody = User::default();
    for leaf in leaves.iter().filter(|leaf| leaf.starts(&["users", "[]", "user"])) {
        let user = leaf.step(1).and_then(item).and_then(|number| users.get(&number));
        let user = user.unwrap_or(&nobody);
        if let Some(found) = credential(leaf) {
            let found = found
                .fact("user", user.name.as_str())
                .fact("server", user.server.as_str())
                .fact("common_name", common_name(user))
                .fact("groups", groups(user));
            out(Out::Match(found));
        }
    }
    result
}

fn common_name(user: &User) -> String {
    piece::text(user.subject.common_name.as_deref().unwrap_or_default().as_bytes())
}

fn groups(user: &User) -> String {
    piece::text(user.subject.organisations.join(", ").as_bytes())
}

fn item(step: Step<'_>) -> Option<usize> {
    match step {
        Step::Item(number) => Some(number),
        Step::Key(_) => None,
    }
}

/// The users by their number in the list.
fn users(leaves: &[Leaf<'_>]) -> BTreeMap<usize, User> {
    let servers = servers(leaves);
    let mut users: BTreeMap<usize, User> = BTreeMap::new();
    for leaf in leaves {
        let Some(number) = leaf.step(1).and_then(item) else { continue };
        if leaf.is(&["users", "[]", "name"]) {
            users.entry(number).or_default().name = piece::text(&leaf.value);
        } else if leaf.is(&["users", "[]", "user", "client-certificate-data"]) {
            let subject = base64::decode(&leaf.value)
                .and_then(|text| pem::parse(&text))
                .and_then(|pem| der::certificate_subject(&pem.body));
            users.entry(number).or_default().subject = subject.unwrap_or_default();
        }
    }
    for user in users.values_mut() {
        user.server = servers.get(&user.name).cloned().unwrap_or_default();
    }
    users
}

/// The server of each user, through the contexts.
fn servers(leaves: &[Leaf<'_>]) -> BTreeMap<String, String> {
    let table = |list: &str, rest: &[&str]| -> BTreeMap<usize, String> {
        let pattern = [&[list, "[]"], rest].concat();
        let found = leaves.iter().filter(|leaf| leaf.is(&pattern));
        found
            .filter_map(|leaf| Some((leaf.step(1).and_then(item)?, piece::text(&leaf.value))))
            .collect()
    };
    let names = table("clusters", &["name"]);
    let urls = table("clusters", &["cluster", "server"]);
    let urls: BTreeMap<&str, &String> =
        names.iter().filter_map(|(n, name)| Some((name.as_str(), urls.get(n)?))).collect();
    let clusters = table("contexts", &["context", "cluster"]);
    table("contexts", &["context", "user"])
        .into_iter()
        .filter_map(|(n, user)| Some((user, (*urls.get(clusters.get(&n)?.as_str())?).clone())))
        .collect()
}

fn credential(leaf: &Leaf<'_>) -> Option<Match> {
    if leaf.value.is_empty() {
        return None;
    }
    let strong = |rule, kind| {
        Some(judge::decoded(rule, Grade::Strong, (kind, leaf.value.as_ref()), leaf.raw))
    };
    match leaf.key() {
        b"client-key-data" => client_key(leaf),
        b"password" => strong(&PASSWORD, Kind::Password),
        b"token" | b"access-token" | b"refresh-token" | b"id-token" | b"client-secret" => {
            strong(&TOKEN, Kind::Token)
        }
        _ => None,
    }
}

/// A key in PEM, in base64.
fn client_key(leaf: &Leaf<'_>) -> Option<Match> {
    let text = base64::decode(&leaf.value).unwrap_or_default();
    let range = pem::find(&text, 0).unwrap_or_default();
    let span = Run::new(range.start as u64, range.len() as u64);
    let block = text.get(range).unwrap_or_default();
    let Some(key) = private_key::inspect(block) else {
        return Some(judge::found(&CLIENT_KEY, Grade::Plausible, Kind::Token, leaf.raw));
    };
    let mut found = judge::decoded(&CLIENT_KEY, Grade::Proven, (Kind::Token, block), leaf.raw);
    found = found.decoded_by("base64", span);
    if key.encrypted {
        found = judge::at_most(found, Severity::Medium);
    }
    Some(
        found
            .fact("algorithm", piece::text(key.algorithm.as_bytes()))
            .fact("encrypted", if key.encrypted { "yes" } else { "no" })
            .fact("fingerprint", key.fingerprint.unwrap_or_default()),
    )
}
