//! Caches of the AWS CLI: temporary credentials under `~/.aws/cli/cache`, sessions of IAM
//! Identity Center under `sso/cache` and of `aws login` under `login/cache`.

use super::Artifact;
use super::aws;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::yaml::{self, Leaf};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "aws cache", applies, run };

static SSO: Rule = Rule {
    id: "aws.sso.token",
    title: "Session of AWS IAM Identity Center",
    severity: Severity::High,
    rotate: "Sign the user out everywhere in IAM Identity Center and delete ~/.aws/sso/cache.",
};

fn applies(blob: &Blob<'_>) -> bool {
    blob.name.ends_with(b".json")
        && [".aws/cli/cache", ".aws/sso/cache", ".aws/login/cache", ".aws/boto/cache"]
            .iter()
            .any(|folder| paths::under(&blob.name, folder))
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, result) = yaml::leaves(Piece::whole(&blob.bytes));
    let value = |names: &[&str]| {
        let named = |leaf: &&Leaf<'_>| names.iter().any(|n| n.as_bytes() == leaf.key());
        leaves.iter().find(named).map(|leaf| leaf.raw).unwrap_or_default()
    };
    let profile = aws::Profile {
        name: Piece::default(),
        id: value(&["AccessKeyId", "accessKeyId"]),
        secret: value(&["SecretAccessKey", "secretAccessKey"]),
        token: value(&["SessionToken", "sessionToken"]),
        expires: value(&["Expiration", "expiration", "expiresAt"]),
    };
    profile.report(out);
    let (start_url, region, expires) = (value(&["startUrl"]), value(&["region"]), profile.expires);
    for leaf in &leaves {
        let secret =
            matches!(leaf.key(), b"accessToken" | b"refreshToken" | b"clientSecret" | b"dpopKey");
        if secret && !leaf.value.is_empty() {
            let found = judge::decoded(&SSO, Grade::Strong, (Kind::Token, &leaf.value), leaf.raw)
                .fact("kind", Piece::whole(leaf.key()).text())
                .fact("start_url", start_url.text())
                .fact("region", region.text())
                .fact("expires", expires.text());
            out(Out::Match(found));
        }
    }
    result
}
