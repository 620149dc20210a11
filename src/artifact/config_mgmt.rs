//! Keys of configuration management, known by their paths: Chef's, Puppet's and Salt's. What the
//! key itself says is told with it.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::ssh;
use crate::blob::{Blob, Budget, Out};
use crate::credential::pem;
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "configuration management", applies, run };

static NODE: Rule = Rule {
    id: "iac.node_key",
    title: "Key of a machine under configuration management",
    severity: Severity::High,
    rotate: "Remove the node or client at the configuration server, and let each machine make its own key at first boot.",
};

static MASTER: Rule = Rule {
    id: "iac.master_key",
    title: "Key that commands or enrols machines under configuration management",
    severity: Severity::Critical,
    rotate: "Replace the key at the configuration server, look for machines that were enrolled with it, and re-issue what it signed.",
};

static SHARED: Rule = Rule {
    id: "iac.data_key",
    title: "Key that opens the encrypted data of configuration management",
    severity: Severity::Critical,
    rotate: "Make a new key, encrypt the data with it, and change every secret that the data holds.",
};

/// What a file is by the end of its path.
struct Place {
    tail: &'static str,
    rule: &'static Rule,
    role: &'static str,
}

const fn place(tail: &'static str, rule: &'static Rule, role: &'static str) -> Place {
    Place { tail, rule, role }
}

/// The first that fits counts.
static PLACES: [Place; 15] = [
    place("chef/*validation.pem", &MASTER, "chef validator"),
    place("chef/*validator.pem", &MASTER, "chef validator"),
    place("chef/encrypted_data_bag_secret", &SHARED, "chef data bags"),
    place("chef/client.pem", &NODE, "chef client"),
    place(".chef/*.pem", &MASTER, "chef user"),
    place("cinc/client.pem", &NODE, "chef client"),
    place("puppet/ssl/ca/ca_key.pem", &MASTER, "puppet ca"),
    place("puppetserver/ca/ca_key.pem", &MASTER, "puppet ca"),
    place("puppet/ssl/private_keys/*.pem", &NODE, "puppet agent"),
    place("keys/private_key.pkcs7.pem", &SHARED, "hiera eyaml"),
    place("eyaml/private_key.pkcs7.pem", &SHARED, "hiera eyaml"),
    place("salt/pki/master/master.pem", &MASTER, "salt master"),
    place("salt/pki/master/master_sign.pem", &MASTER, "salt master signing"),
    place("salt/pki/minion/minion.pem", &NODE, "salt minion"),
    place("salt/pki/api/*.key", &NODE, "salt api"),
];

fn of(path: &[u8]) -> Option<&'static Place> {
    PLACES.iter().find(|place| paths::ends_with(path, place.tail))
}

fn applies(blob: &Blob<'_>) -> bool {
    of(&blob.name).is_some()
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let Some(place) = of(&blob.name) else { return Ok(()) };
    let text = Piece::whole(&blob.bytes);
    let owner = paths::file_name(&blob.name);
    let owner = owner.strip_suffix(b".pem").unwrap_or_default();
    let mut from = 0;
    let mut any = false;
    while let Some(range) = pem::find(text.bytes, from) {
        let block = text.sub(range.start, range.end);
        from = range.end;
        let Some(mut found) = ssh::private_key(&blob.name, block) else { continue };
        any = true;
        let lowered = found.severity < found.rule.severity;
        found.severity = if lowered { Severity::Medium } else { place.rule.severity };
        found.rule = place.rule;
        let named = place.tail.contains("private_keys/*") || place.tail.starts_with(".chef");
        let owner = super::piece::text(owner);
        let found = found.fact("role", place.role);
        out(Out::Match(found.fact("node", if named { owner } else { String::new() })));
    }
    // Chef's shared secret is a line of base64.
    let line = text.trim();
    if !any && place.rule.id == SHARED.id && (16..=4096).contains(&line.bytes.len()) {
        let found = judge::found(place.rule, Grade::Strong, Kind::Token, line);
        out(Out::Match(found.fact("role", place.role).fact("decrypts", "data bags")));
    }
    Ok(())
}
