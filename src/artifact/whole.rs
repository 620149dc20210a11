//! Files that are one secret and nothing else: keys that open other files, cookies of clusters,
//! passwords of vaults.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::unlock;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};
use crate::limits;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "secret file", applies, run };

static OPENS: Rule = Rule {
    id: "key.opens_files",
    title: "Key that opens encrypted files",
    severity: Severity::Critical,
    rotate: "Rotate everything that the key opens, then encrypt it anew under another key that stays out of images.",
};

static CLUSTER: Rule = Rule {
    id: "svc.cluster_secret",
    title: "Secret that the nodes of a cluster share",
    severity: Severity::High,
    rotate: "Set a new secret on every node of the cluster and restart it.",
};

static PASSWORD: Rule = Rule {
    id: "svc.password_file",
    title: "Password in a file of its own",
    severity: Severity::High,
    rotate: "Change the password at the service it opens and write the file at boot, from a secrets manager.",
};

/// What a file must hold.
#[derive(Clone, Copy)]
enum Form {
    /// So many hex digits.
    Hex(usize),
    /// One line.
    Line,
    /// Any bytes, at least so many.
    Bytes(usize),
    /// Base64 over any lines.
    Base64,
}

struct Secret {
    tails: &'static [&'static str],
    rule: &'static Rule,
    form: Form,
    kind: Kind,
    /// What it opens.
    opens: &'static str,
    /// The clue under which it is tried on what it may open.
    unlocks: Option<&'static str>,
}

const fn secret(
    tails: &'static [&'static str],
    rule: &'static Rule,
    form: Form,
    kind: Kind,
    opens: &'static str,
) -> Secret {
    Secret { tails, rule, form, kind, opens, unlocks: None }
}

impl Secret {
    const fn unlocks(self, clue: &'static str) -> Secret {
        Secret { unlocks: Some(clue), ..self }
    }
}

static SECRETS: &[Secret] = &[
    secret(
        &["config/master.key"],
        &OPENS,
        Form::Hex(32),
        Kind::Token,
        "config/credentials.yml.enc",
    )
    .unlocks(unlock::RAILS_KEY),
    secret(
        &["config/credentials/*.key"],
        &OPENS,
        Form::Hex(32),
        Kind::Token,
        "the .yml.enc of the same name",
    )
    .unlocks(unlock::RAILS_KEY),
    secret(
        &[
            ".vault_pass*",
            ".vault-pass*",
            "vault_pass",
            "vault_pass.txt",
            "vault-pass",
            "vault-pass.txt",
            ".vault_password*",
            ".vault-password*",
            "vault_password",
            "vault_password.txt",
            "vault_password_file",
            ".ansible_vault_pass*",
            ".ansible-vault-pass*",
            ".vaultpass*",
        ],
        &OPENS,
        Form::Line,
        Kind::Password,
        "Ansible vaults ($ANSIBLE_VAULT)",
    )
    .unlocks(unlock::ANSIBLE_PASSWORD),
    secret(
        &["secrets/master.key"],
        &OPENS,
        Form::Hex(256),
        Kind::Token,
        "secrets/hudson.util.Secret, and with it credentials.xml",
    )
    .unlocks(unlock::JENKINS_MASTER),
    secret(
        &["hudson.util.Secret"],
        &OPENS,
        Form::Bytes(16),
        Kind::Token,
        "credentials.xml, with secrets/master.key",
    )
    .unlocks(unlock::JENKINS_SECRET),
    secret(
        &["splunk.secret"],
        &OPENS,
        Form::Line,
        Kind::Token,
        "values that start with $7$ or $1$ in Splunk's configuration",
    ),
    secret(
        &["systemd/credential.secret"],
        &OPENS,
        Form::Bytes(16),
        Kind::Token,
        "/etc/credstore.encrypted and LoadCredentialEncrypted=",
    ),
    secret(
        &["initialAdminPassword"],
        &PASSWORD,
        Form::Hex(32),
        Kind::Password,
        "Jenkins, as admin",
    ),
    secret(
        &[".erlang.cookie"],
        &CLUSTER,
        Form::Line,
        Kind::Token,
        "RabbitMQ and other Erlang nodes",
    ),
    secret(
        &[
            "mongo-keyfile",
            "mongodb-keyfile",
            "mongod-keyfile",
            "mongodb.key",
            "mongo.key",
            "mongodb/keyfile",
            "mongo/keyfile",
            "mongodb.keyfile",
            "mongod.keyfile",
        ],
        &CLUSTER,
        Form::Base64,
        Kind::Token,
        "members of the MongoDB cluster, as __system",
    ),
    secret(
        &["munge.key"],
        &CLUSTER,
        Form::Bytes(32),
        Kind::Token,
        "MUNGE, any user of the cluster",
    ),
    secret(&["corosync/authkey"], &CLUSTER, Form::Bytes(32), Kind::Token, "the Corosync cluster"),
    secret(
        &["pacemaker/authkey"],
        &CLUSTER,
        Form::Bytes(32),
        Kind::Token,
        "Pacemaker remote nodes",
    ),
    secret(
        &["etc/ldap.secret", "libnss-ldap.secret", "pam_ldap.secret", "ldapscripts.passwd"],
        &PASSWORD,
        Form::Line,
        Kind::Password,
        "the directory, as the bind account",
    ),
    secret(&["spiped.key"], &CLUSTER, Form::Bytes(32), Kind::Token, "spiped tunnels"),
    secret(
        &["zerotier-one/identity.secret"],
        &CLUSTER,
        Form::Line,
        Kind::Token,
        "ZeroTier networks, as this node",
    ),
    secret(
        &["zerotier-one/authtoken.secret"],
        &PASSWORD,
        Form::Line,
        Kind::Token,
        "the local ZeroTier service",
    ),
];

static ENCRYPTED: Rule = Rule {
    id: "app.rails.credentials",
    title: "Encrypted credentials of a Rails application",
    severity: Severity::Low,
    rotate: "Nothing, unless the key was near: then rotate the content and encrypt it under a new key.",
};

fn of(path: &[u8]) -> Option<&'static Secret> {
    SECRETS.iter().find(|secret| paths::ends_with_any(path, secret.tails))
}

fn is_encrypted(path: &[u8]) -> bool {
    paths::ends_with_any(path, &["config/credentials.yml.enc", "config/credentials/*.yml.enc"])
}

fn applies(blob: &Blob<'_>) -> bool {
    is_encrypted(&blob.name) || of(&blob.name).is_some()
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes).sub(0, limits::PEM_BYTES);
    if is_encrypted(&blob.name) {
        let text = text.trim();
        if text.bytes.windows(2).any(|w| w == b"--") {
            let found = judge::found(&ENCRYPTED, Grade::Strong, Kind::Token, text)
                .fact("protection", "encrypted")
                .fact("decrypts_with", "config/master.key or RAILS_MASTER_KEY");
            out(Out::Clue(unlock::locked(unlock::RAILS_FILE, &blob.at, text.bytes, &found)));
            out(Out::Match(found));
        }
        return Ok(());
    }
    let Some(secret) = of(&blob.name) else { return Ok(()) };
    if let Some(value) = value(secret.form, text) {
        let found = judge::found(secret.rule, Grade::Strong, secret.kind, value);
        if let Some(clue) = secret.unlocks {
            out(Out::Clue(unlock::key(clue, &blob.at, value.bytes)));
        }
        out(Out::Match(found.fact("opens", secret.opens)));
    }
    Ok(())
}

fn value(form: Form, text: Piece<'_>) -> Option<Piece<'_>> {
    let trimmed = text.trim();
    let one_line = !trimmed.is_empty() && !trimmed.bytes.contains(&b'\n');
    match form {
        Form::Hex(len) => {
            let hex = trimmed.bytes.iter().all(u8::is_ascii_hexdigit);
            (hex && trimmed.bytes.len() == len).then_some(trimmed)
        }
        // A script that prints the password is none.
        Form::Line => (one_line && !trimmed.bytes.starts_with(b"#")).then_some(trimmed),
        Form::Bytes(least) => (text.bytes.len() >= least).then_some(text),
        Form::Base64 => {
            let digits = |b: &u8| b.is_ascii_alphanumeric() || b"+/=\r\n \t".contains(b);
            (trimmed.bytes.len() >= 6 && trimmed.bytes.iter().all(digits)).then_some(trimmed)
        }
    }
}
