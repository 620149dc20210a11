//! Where SSH keys lead: `known_hosts`
//! ([sshd(8)](https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT)) and the client's
//! configuration ([ssh_config(5)](https://man.openbsd.org/ssh_config)).

use super::Artifact;
use super::judge;
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::credential::{base64, openssh};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser of `known_hosts`.
pub(super) const KNOWN: Artifact = Artifact { name: "known_hosts", applies: is_known, run: known };

/// The parser of the client's configuration.
pub(super) const CONFIG: Artifact =
    Artifact { name: "ssh config", applies: is_config, run: config };

const ROTATE: &str = "Nothing to rotate: replace the keys that lead there, and delete the file before making an image.";

static HOST: Rule = Rule {
    id: "ssh.known_host",
    title: "Host that was reached from here by SSH",
    severity: Severity::Info,
    rotate: ROTATE,
};

static TARGET: Rule = Rule {
    id: "ssh.target",
    title: "Host that the SSH client is set up to reach",
    severity: Severity::Info,
    rotate: ROTATE,
};

fn is_known(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[".ssh/known_hosts*", "ssh/ssh_known_hosts", "ssh/ssh_known_hosts2"],
    )
}

fn known(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let user = paths::user(&blob.name).unwrap_or_default();
    for line in Piece::whole(&blob.bytes).lines() {
        let mut words = line.words();
        let Some(first) = words.next().filter(|word| !word.bytes.starts_with(b"#")) else {
            continue;
        };
        let mark = first.strip_prefix(b"@");
        let hosts = if mark.is_some() { words.next() } else { Some(first) };
        let (Some(hosts), Some(kind), Some(key)) = (hosts, words.next(), words.next()) else {
            continue;
        };
        let Some(public) = base64::decode(key.bytes) else { continue };
        let Some(read) = openssh::public_key(&public) else { continue };
        if read.algorithm.as_bytes() != kind.bytes {
            continue;
        }
        let hashed = hosts.bytes.starts_with(b"|1|");
        let names = if hashed { String::new() } else { hosts.text().replace(',', ", ") };
        let found = judge::fact(&HOST, Grade::Strong, hosts)
            .fact("host", names)
            .fact("form", if hashed { "hashed" } else { "" })
            .fact("mark", mark.map(Piece::text).unwrap_or_default())
            .fact("algorithm", read.algorithm)
            .fact("fingerprint", openssh::fingerprint(&public))
            .fact("user", user.as_str());
        out(Out::Match(found));
    }
    Ok(())
}

fn is_config(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[".ssh/config", ".ssh/config.d/*", "ssh/ssh_config", "ssh/ssh_config.d/*.conf"],
    )
}

/// What one `Host` block says.
#[derive(Default)]
struct Block<'a> {
    patterns: Piece<'a>,
    settings: [Piece<'a>; 6],
}

/// The settings that are told, and the names of their facts.
const SETTINGS: [(&str, &str); 6] = [
    ("hostname", "host"),
    ("user", "user"),
    ("port", "port"),
    ("identityfile", "identity_file"),
    ("proxyjump", "proxy_jump"),
    ("proxycommand", "proxy_command"),
];

fn config(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let mut block = Block::default();
    for line in Piece::whole(&blob.bytes).lines() {
        let line = line.trim();
        let split = line.bytes.iter().position(|b| b.is_ascii_whitespace() || *b == b'=');
        let Some(split) = split.filter(|_| !line.bytes.starts_with(b"#")) else { continue };
        let name = line.sub(0, split).bytes.to_ascii_lowercase();
        let value = line.from(split).trim();
        let value = value.strip_prefix(b"=").unwrap_or(value).trim().unquote();
        if name == b"host" || name == b"match" {
            block.report(out);
            let patterns = if name == b"host" { value } else { Piece::default() };
            block = Block { patterns, ..Block::default() };
        }
        let at = SETTINGS.iter().position(|(wanted, _)| wanted.as_bytes() == name);
        if let Some(setting) = at.and_then(|at| block.settings.get_mut(at))
            && setting.is_empty()
        {
            *setting = value;
        }
    }
    block.report(out);
    Ok(())
}

impl Block<'_> {
    fn report(&self, out: &mut dyn FnMut(Out<'_>)) {
        let told = self.settings.iter().any(|setting| !setting.is_empty());
        // `Host *` names no host.
        let named =
            self.patterns.words().any(|word| !word.bytes.iter().any(|b| b"*?!".contains(b)));
        if !told || !named {
            return;
        }
        let mut found = judge::fact(&TARGET, Grade::Strong, self.patterns);
        for ((_, fact), value) in SETTINGS.iter().zip(self.settings) {
            found = found.fact(fact, value.text());
        }
        if !found.facts.contains_key("host") {
            found = found.fact("host", self.patterns.text());
        }
        out(Out::Match(found));
    }
}
