//! SSH and other private keys in files, and the public keys that may log in.

use super::Artifact;
use super::certificate;
use super::judge;
use super::paths;
use super::piece::{self, Piece};
use crate::blob::{Blob, Budget, Clue, Out};
use crate::credential::private_key::{self, PrivateKey};
use crate::credential::{base64, known, openssh, pem, putty};
use crate::error::Result;
use crate::finding::{Grade, Harmless, Match, Rule, Secret, Severity, Subject};

/// The parser of private keys.
pub(super) const PRIVATE: Artifact =
    Artifact { name: "private key", applies: is_private, run: private };

/// The parser of `authorized_keys`
/// ([sshd(8)](https://man.openbsd.org/sshd.8#AUTHORIZED_KEYS_FILE_FORMAT)).
pub(super) const AUTHORIZED: Artifact =
    Artifact { name: "authorized_keys", applies: is_authorized, run: authorized };

static USER: Rule = Rule {
    id: "ssh.private_key.user",
    title: "SSH private key of a user",
    severity: Severity::Critical,
    rotate: "Remove the public half from every authorized_keys file and deploy-key list, and create a new key outside the image.",
};

static HOST: Rule = Rule {
    id: "ssh.private_key.host",
    title: "SSH host key baked into the image",
    severity: Severity::High,
    rotate: "Delete /etc/ssh/ssh_host_* from the image so that each instance creates its own at first boot, and replace the keys of running instances.",
};

static AUTHORITY: Rule = Rule {
    id: "ssh.private_key.ca",
    title: "Key of an SSH certificate authority",
    severity: Severity::Critical,
    rotate: "Remove its public half from TrustedUserCAKeys and @cert-authority lines everywhere, and set up a new authority outside images: it lets anybody in anywhere.",
};

static CLUSTER: Rule = Rule {
    id: "k8s.pki_key",
    title: "Private key of a Kubernetes cluster",
    severity: Severity::Critical,
    rotate: "Renew the cluster's authority and every certificate it signed (kubeadm certs renew; a new CA for ca.key), and join the nodes anew.",
};

static FILE: Rule = Rule {
    id: "private_key.file",
    title: "Private key",
    severity: Severity::High,
    rotate: "Revoke the certificates of this key, reissue them with a new key, and keep that out of the image.",
};

static PGP: Rule = Rule {
    id: "pgp.private_key",
    title: "PGP private key",
    severity: Severity::Critical,
    rotate: "Revoke the key with its revocation certificate and publish a new one.",
};

static AUTHORIZED_KEY: Rule = Rule {
    id: "ssh.authorized_key",
    title: "Public key that may log in to every instance of the image",
    severity: Severity::High,
    rotate: "Empty authorized_keys before making the image; cloud-init adds the key of the launch.",
};

const BEGIN: &[u8] = b"-----BEGIN ";

fn is_private(blob: &Blob<'_>) -> bool {
    let head = blob.bytes.trim_ascii_start();
    let first = head.get(..80).unwrap_or(head);
    let by_head = first.starts_with(putty::MAGIC)
        || (first.starts_with(BEGIN) && pem::position(first, 0, b"PRIVATE KEY").is_some());
    by_head
        || is_der(&blob.bytes)
        || paths::under(&blob.name, ".ssh")
        || paths::ends_with_any(
            &blob.name,
            &[
                "etc/ssh/ssh_host_*_key",
                "ssh/ssh_host_*_key",
                "*.pem",
                "*.key",
                "*.ppk",
                "*.ovpn",
                "openvpn/*.conf",
                "id_*",
            ],
        )
}

/// Whether it begins as a key in DER does: a sequence of two bytes' length, then the version or
/// the algorithm that it is encrypted by.
fn is_der(bytes: &[u8]) -> bool {
    let ([0x30, 0x82, _, _, inner @ ..] | [0x30, 0x81, _, inner @ ..] | [0x30, _, inner @ ..]) =
        bytes
    else {
        return false;
    };
    let version = matches!(inner, [2, 1, 0 | 1, 2 | 4 | 0x30, ..]);
    let password: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
    version || (inner.first() == Some(&0x30) && inner.get(2..13) == Some(password))
}

fn private(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if text.trim().bytes.starts_with(putty::MAGIC) {
        putty_file(&blob.name, text.trim(), out);
        return Ok(());
    }
    if is_der(text.bytes) {
        if let Some(key) = private_key::inspect_der(text.bytes) {
            out(Out::Match(described(&blob.name, &FILE, Some(key), text).fact("encoding", "der")));
        }
        return Ok(());
    }
    private_keys(&blob.name, text, &mut |found| {
        if let Out::Match(key) = &found
            && let Some(print) = key.facts.get("fingerprint")
        {
            let (at, key) = (blob.at.clone(), print.as_bytes().into());
            let value = Box::default();
            out(Out::Clue(Clue { kind: certificate::KEY, at, key, value }));
        }
        out(found);
    });
    Ok(())
}

/// Every private key in PEM form in `text`, a part of the file `path`.
pub(super) fn private_keys(path: &[u8], text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let mut from = 0;
    while let Some(range) = pem::find(text.bytes, from) {
        let block = text.sub(range.start, range.end);
        from = range.end;
        if let Some(found) = private_key(path, block) {
            out(Out::Match(found));
        }
    }
}

/// The match of one PEM block, when it is of a private key.
pub(super) fn private_key(path: &[u8], block: Piece<'_>) -> Option<Match> {
    let label = block.bytes.strip_prefix(BEGIN)?;
    let label = label.get(..pem::position(label, 0, b"-----")?)?;
    pem::position(label, 0, b"PRIVATE KEY")?;
    let key = private_key::inspect(block.bytes);
    let host = paths::ends_with(path, "ssh_host_*_key");
    let ssh = label.starts_with(b"OPENSSH") || paths::under(path, ".ssh");
    let rule = match () {
        () if label.starts_with(b"PGP") => &PGP,
        () if host => &HOST,
        () if label.starts_with(b"OPENSSH") && names_authority(path) => &AUTHORITY,
        () if of_cluster(path) => &CLUSTER,
        () if ssh || file_named_id(path) => &USER,
        () => &FILE,
    };
    Some(described(path, rule, key, block))
}

/// Whether a key lies where Kubernetes keeps those of a cluster.
fn of_cluster(path: &[u8]) -> bool {
    let folders = ["kubernetes/pki", "kubelet/pki", "server/tls", "kubernetes/ssl", "etcd/ssl"];
    folders.iter().any(|folder| paths::under(path, folder))
}

/// Whether a file is called as the key of an authority is.
fn names_authority(path: &[u8]) -> bool {
    let name = paths::file_name(path).to_ascii_lowercase();
    let stem = name.split(|&byte| byte == b'.').next().unwrap_or_default();
    let ends = [&b"_ca"[..], b"-ca", b"_ca_key", b"-ca-key"].iter().any(|end| stem.ends_with(end));
    ends || matches!(stem, b"ca" | b"ca_key" | b"ca-key" | b"ssh_ca")
}

fn file_named_id(path: &[u8]) -> bool {
    paths::file_name(path).starts_with(b"id_")
}

/// The match with all that the key says of itself.
fn described(path: &[u8], rule: &'static Rule, key: Option<PrivateKey>, block: Piece<'_>) -> Match {
    let subject = Subject::Secret(Secret::new(block.bytes));
    let Some(key) = key else {
        let mut found = Match::new(rule, Grade::Plausible, subject, block.run());
        // Documentation shows the two dashed lines with dots between them.
        let body = pem::parse(block.bytes).map_or(0, |pem| pem.body.len());
        found.harmless = (body < 32).then_some(Harmless::Placeholder);
        return mark_known(found, block, None);
    };
    let grade =
        if key.encrypted && key.fingerprint.is_none() { Grade::Strong } else { Grade::Proven };
    let mut found = Match::new(rule, grade, subject, block.run());
    if key.encrypted {
        found = judge::at_most(found, Severity::Medium);
    }
    mark_known(found, block, Some(&key))
        .fact("form", key.form)
        .fact("algorithm", piece::text(key.algorithm.as_bytes()))
        .fact("bits", key.bits.map(|bits| bits.to_string()).unwrap_or_default())
        .fact("encrypted", if key.encrypted { "yes" } else { "no" })
        .fact("fingerprint", key.fingerprint.unwrap_or_default())
        .fact("comment", piece::text(key.comment.unwrap_or_default().as_bytes()))
        .fact("user", paths::user(path).unwrap_or_default())
        .fact("certificate", certificate(path))
}

/// The name of the certificate whose key it is, where certbot keeps them.
fn certificate(path: &[u8]) -> String {
    let mut parts = path.split(|&b| b == b'/').skip_while(|part| *part != b"letsencrypt").skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(b"live" | b"archive"), Some(name), Some(_)) => piece::text(name),
        _ => String::new(),
    }
}

/// The match, marked when everybody has its key.
fn mark_known(mut found: Match, block: Piece<'_>, key: Option<&PrivateKey>) -> Match {
    let Some(place) = private_key::known_public(block.bytes, key) else {
        let print = key.is_none_or(|key| key.fingerprint.is_none());
        let print = print.then(|| known::body_print(block.bytes)).flatten();
        return found.fact("body_print", print.unwrap_or_default());
    };
    found.harmless = Some(Harmless::KnownPublic);
    found.fact("known", place)
}

fn putty_file(path: &[u8], text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    if let Some(key) = private_key::inspect(text.bytes) {
        out(Out::Match(described(path, &USER, Some(key), text)));
    }
}

fn is_authorized(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &["authorized_keys*", "ssh/authorized_keys.d/*", "ssh/authorized_keys/*"],
    )
}

fn authorized(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let user = paths::user(&blob.name).unwrap_or_default();
    for line in Piece::whole(&blob.bytes).lines() {
        if let Some(found) = authorized_key(line) {
            out(Out::Match(found.fact("user", user.as_str())));
        }
    }
    Ok(())
}

/// The match of a line of `authorized_keys`: options, type, key, comment.
pub(super) fn authorized_key(line: Piece<'_>) -> Option<Match> {
    let line = line.trim();
    if line.bytes.starts_with(b"#") {
        return None;
    }
    let (options, rest) = if public_key(line).is_some() {
        (Piece::default(), line)
    } else {
        let end = options_end(line.bytes);
        (line.sub(0, end), line.from(end).trim())
    };
    let (key, algorithm, fingerprint) = public_key(rest)?;
    let comment = rest.from(key.bytes.len()).trim();
    let known = known::place(&fingerprint);
    let mut found = judge::fact(&AUTHORIZED_KEY, Grade::Strong, key)
        .fact("algorithm", algorithm)
        .fact("known", known.unwrap_or_default())
        .fact("fingerprint", fingerprint)
        .fact("comment", comment.text())
        .fact("options", options.text());
    if known.is_some() {
        // Everybody has the private half.
        found.severity = Severity::Critical;
    }
    Some(found)
}

/// Type and key at the head of `text`, when the key is of that type.
fn public_key(text: Piece<'_>) -> Option<(Piece<'_>, String, String)> {
    let mut words = text.words();
    let kind = words.next()?;
    let key = words.next()?;
    let blob = base64::decode(key.bytes)?;
    let public = openssh::public_key(&blob)?;
    let whole = text.sub(kind.at.saturating_sub(text.at), key.end().saturating_sub(text.at));
    (public.algorithm.as_bytes() == kind.bytes)
        .then(|| (whole, public.algorithm, openssh::fingerprint(&blob)))
}

/// Where the options end: at the first white space outside quotes.
fn options_end(line: &[u8]) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in line.iter().enumerate() {
        match byte {
            b'"' if !escaped => quoted = !quoted,
            b' ' | b'\t' if !quoted => return at,
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    line.len()
}
