//! What `cfn-init` keeps of a `CloudFormation` stack
//! ([metadata](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-init.html)):
//! its parameters have been filled in.

use super::Artifact;
use super::aws;
use super::ini;
use super::paths;
use super::piece::Piece;
use super::store;
use super::yaml::{self, Leaf};
use crate::blob::{Blob, Budget, Meta, Out};
use crate::credential::base64;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Rule, Severity};
use std::borrow::Cow;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "cfn-init", applies, run };

static METADATA: Rule = Rule {
    id: "cfn.metadata",
    title: "Secret in CloudFormation metadata",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens, delete /var/lib/cfn-init, and let the stack name the secret (dynamic references) instead of holding it.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &["cfn-init/data/metadata.json", "cfn-init/data/*.json", "cfn/cfn-credential"],
    )
}

fn run(blob: &Blob<'_>, budget: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if !blob.name.ends_with(b".json") {
        credential(text, out);
        return Ok(());
    }
    let (leaves, mut result) = yaml::leaves(text);
    authentication(&leaves, out);
    for (number, leaf) in leaves.iter().enumerate() {
        let of_leaf = match leaf.key() {
            b"content" if store::fits(leaf, &["**", "files", "*", "content"]) => {
                file((blob, leaf), &encoding(&leaves, number), (budget, out))
            }
            b"command" | b"test" => {
                store::script(&METADATA, leaf, &mut |found| out(Out::Match(found)))
            }
            b"accessKeyId" | b"secretKey" => Ok(()),
            name => {
                let value = (leaf.value.as_ref(), leaf.raw);
                store::variable(&METADATA, name, value, &mut |found| out(Out::Match(found)));
                Ok(())
            }
        };
        result = result.and(of_leaf);
    }
    result
}

/// The pair of keys of `cfn-credential`.
fn credential(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let mut profile = aws::Profile::default();
    for entry in ini::entries(text) {
        match entry.name.bytes {
            b"AWSAccessKeyId" => profile.id = entry.value,
            b"AWSSecretKey" => profile.secret = entry.value,
            _ => {}
        }
    }
    profile.report(out);
}

/// The pairs of keys of `AWS::CloudFormation::Authentication`.
fn authentication(leaves: &[Leaf<'_>], out: &mut dyn FnMut(Out<'_>)) {
    let parents = |leaf: &Leaf<'_>| leaf.path.len().saturating_sub(1);
    let same = |a: &Leaf<'_>, b: &Leaf<'_>| {
        a.path.get(..parents(a)) == b.path.get(..parents(b)) && a.path.len() == b.path.len()
    };
    for object in leaves.chunk_by(|a, b| same(a, b)) {
        let value = |name: &[u8]| {
            let leaf = object.iter().find(|leaf| leaf.key() == name);
            leaf.map(|leaf| leaf.raw).unwrap_or_default()
        };
        let (id, secret) = (value(b"accessKeyId"), value(b"secretKey"));
        aws::Profile { id, secret, ..aws::Profile::default() }.report(out);
    }
}

fn encoding(leaves: &[Leaf<'_>], number: usize) -> String {
    store::beside(leaves, number, &["encoding"])
}

/// A written file: a view under its own path.
fn file(
    (blob, leaf): (&Blob<'_>, &Leaf<'_>),
    encoding: &str,
    (budget, out): (&mut Budget, &mut dyn FnMut(Out<'_>)),
) -> Result<()> {
    if budget.depth == 0 {
        return Err(Error::new(ErrorKind::Limit, "decoded views nest too deeply"));
    }
    let mut content = Cow::Borrowed(leaf.value.as_ref());
    if encoding == "base64" {
        let decoded = base64::decode(&content);
        content = Cow::Owned(decoded.ok_or_else(|| Error::corrupt("content is not base64"))?);
    }
    budget.spend(content.len() as u64)?;
    let path = store::up(leaf, 1);
    let at = blob.at.clone().with_member("cfn-init", Some(path.as_bytes()));
    let name = Cow::Borrowed(path.as_bytes());
    let decoded_from = Some(leaf.raw.run());
    out(Out::Blob(Blob { at, name, meta: Meta::default(), bytes: content, decoded_from }));
    Ok(())
}
