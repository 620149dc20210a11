//! AWS credentials in files: `~/.aws/credentials` and `config`
//! ([format](https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html)), boto,
//! s3cmd, s3fs and rclone.

use super::Artifact;
use super::ini;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::credential::aws_id;
use crate::error::Result;
use crate::finding::{Grade, Harmless, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "aws credentials", applies, run };

const ROTATE: &str = "Deactivate the access key in IAM, review its use in CloudTrail, then delete it; let instances use a role.";

pub(super) static PAIR: Rule = Rule {
    id: "aws.credentials.file",
    title: "AWS secret access key",
    severity: Severity::Critical,
    rotate: ROTATE,
};

pub(super) static LONE_ID: Rule = Rule {
    id: "aws.credentials.key_id",
    title: "AWS access key id without its secret",
    severity: Severity::Medium,
    rotate: ROTATE,
};

pub(super) static SESSION: Rule = Rule {
    id: "aws.credentials.session_token",
    title: "AWS session token",
    severity: Severity::Medium,
    rotate: "Revoke the role's sessions (AWSRevokeOlderSessions); the token ends by itself within 36 hours.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            ".aws/credentials*",
            ".aws/config*",
            ".boto",
            "etc/boto.cfg",
            ".s3cfg",
            "rclone/rclone.conf",
            ".rclone.conf",
            ".passwd-s3fs",
            "etc/passwd-s3fs",
        ],
    )
}

/// The credentials of one profile.
#[derive(Clone, Copy, Default)]
pub(super) struct Profile<'a> {
    pub(super) name: Piece<'a>,
    pub(super) id: Piece<'a>,
    pub(super) secret: Piece<'a>,
    pub(super) token: Piece<'a>,
    pub(super) expires: Piece<'a>,
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if paths::file_name(&blob.name).ends_with(b"passwd-s3fs") {
        s3fs(text, out);
        return Ok(());
    }
    let mut profile = Profile::default();
    for entry in ini::entries(text) {
        if entry.section.at != profile.name.at {
            profile.report(out);
            profile = Profile { name: entry.section, ..Profile::default() };
        }
        match entry.name.bytes.to_ascii_lowercase().as_slice() {
            b"aws_access_key_id" | b"access_key_id" | b"access_key" | b"aws_access_key" => {
                profile.id = entry.value;
            }
            b"aws_secret_access_key" | b"secret_access_key" | b"secret_key" | b"aws_secret_key" => {
                profile.secret = entry.value;
            }
            b"aws_session_token" | b"session_token" | b"aws_security_token" | b"access_token" => {
                profile.token = entry.value;
            }
            _ => {}
        }
    }
    profile.report(out);
    Ok(())
}

/// Lines of `id:secret` or `bucket:id:secret`.
fn s3fs(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    for line in text.lines() {
        let parts: Vec<_> = line.trim().split(b':').take(4).collect();
        let (name, id, secret) = match *parts.as_slice() {
            [id, secret] => (Piece::default(), id, secret),
            [bucket, id, secret] => (bucket, id, secret),
            _ => continue,
        };
        if !line.bytes.starts_with(b"#") {
            Profile { name, id, secret, ..Profile::default() }.report(out);
        }
    }
}

impl Profile<'_> {
    /// What was gathered, as matches.
    pub(super) fn report(self, out: &mut dyn FnMut(Out<'_>)) {
        let id = self.id;
        let formed = is_key_id(id.bytes);
        if !self.secret.is_empty() {
            let paired = formed && is_secret(self.secret.bytes);
            let grade = if paired { Grade::Proven } else { Grade::Strong };
            let found = judge::found(&PAIR, grade, Kind::Token, self.secret);
            out(Out::Match(self.about(found)));
        } else if formed {
            out(Out::Match(self.about(judge::fact(&LONE_ID, Grade::Strong, id))));
        }
        if !self.token.is_empty() {
            let found = judge::found(&SESSION, Grade::Strong, Kind::Token, self.token);
            out(Out::Match(self.about(found)));
        }
    }

    fn about(&self, mut found: Match) -> Match {
        // Session keys end by themselves.
        if self.id.bytes.starts_with(b"ASIA") {
            found = judge::at_most(found, Severity::Medium);
        }
        if self.id.bytes.ends_with(b"EXAMPLE") || self.secret.bytes.ends_with(b"EXAMPLEKEY") {
            found.harmless = Some(Harmless::DocumentationExample);
        }
        let profile = self.name.bytes.strip_prefix(b"profile ").unwrap_or(self.name.bytes);
        let id = if is_key_id(self.id.bytes) { self.id } else { Piece::default() };
        found
            .fact("profile", super::piece::text(profile.trim_ascii()))
            .fact("access_key_id", id.text())
            .fact("account_id", aws_id::account_id(id.bytes).unwrap_or_default())
            .fact("expires", self.expires.text())
    }
}

/// Whether the bytes have the form of an access key id.
pub(super) fn is_key_id(bytes: &[u8]) -> bool {
    let body = bytes.strip_prefix(b"AKIA").or(bytes.strip_prefix(b"ASIA"));
    body.is_some_and(|body| {
        (12..=28).contains(&body.len())
            && body.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    })
}

/// Whether the bytes have the form of a secret access key.
pub(super) fn is_secret(bytes: &[u8]) -> bool {
    bytes.len() == 40 && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(b))
}
