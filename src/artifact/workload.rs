//! Container definitions that list their variables as a `name` and a `value`: manifests of
//! [Kubernetes](https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/)
//! and task definitions of
//! [ECS](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html).

use super::Artifact;
use super::paths;
use super::piece::Piece;
use super::settings::{self, Judge};
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};
use memchr::memmem;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "container definition", applies, run };

static SECRET: Rule = Rule {
    id: "container.definition.secret",
    title: "Secret in the environment of a container definition",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and let the orchestrator hand it over from a secrets manager.",
};

/// How much of a file is looked at for what makes it a definition.
const HEAD_BYTES: usize = 16 * 1024;

fn applies(blob: &Blob<'_>) -> bool {
    if !paths::ends_with_any(&blob.name, &["*.yaml", "*.yml", "*.json"]) {
        return false;
    }
    let head = blob.bytes.get(..HEAD_BYTES).unwrap_or(&blob.bytes);
    [&b"containers:"[..], b"\"containers\"", b"containerDefinitions", b"initContainers"]
        .iter()
        .any(|mark| memmem::find(head, mark).is_some())
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let judge = Judge { rule: &SECRET, grade: Grade::Plausible, path: &blob.name };
    let (leaves, result) = yaml::leaves(Piece::whole(&blob.bytes));
    let settings = settings::of_leaves(&leaves);
    settings::report(judge, &settings, &mut |_, found| out(Out::Match(found)));
    result
}
