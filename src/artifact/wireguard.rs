//! `WireGuard` configuration ([wg(8)](https://man7.org/linux/man-pages/man8/wg.8.html)).

use super::Artifact;
use super::ini::{self, Entry};
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::credential::base64;
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "wireguard", applies, run };

static PRIVATE_KEY: Rule = Rule {
    id: "wireguard.private_key",
    title: "WireGuard private key",
    severity: Severity::High,
    rotate: "Create a new key pair, replace the public key at every peer, and restart the tunnel.",
};

static PRESHARED_KEY: Rule = Rule {
    id: "wireguard.preshared_key",
    title: "WireGuard pre-shared key",
    severity: Severity::Medium,
    rotate: "Create a new pre-shared key and set it at both peers.",
};

fn applies(blob: &Blob<'_>) -> bool {
    let head = blob.bytes.trim_ascii_start();
    paths::ends_with_any(&blob.name, &["wireguard/*.conf", "wg*.conf"])
        || head.starts_with(b"[Interface]")
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let entries: Vec<Entry<'_>> = ini::entries(Piece::whole(&blob.bytes)).collect();
    let first = value(&entries, b"Endpoint");
    for section in entries.chunk_by(|a, b| a.section.at == b.section.at) {
        let (endpoint, address) = (value(section, b"Endpoint"), value(section, b"Address"));
        for entry in section {
            let name = entry.name.bytes.to_ascii_lowercase();
            let (rule, endpoint) = match name.as_slice() {
                b"privatekey" => (&PRIVATE_KEY, &first),
                b"presharedkey" => (&PRESHARED_KEY, &endpoint),
                _ => continue,
            };
            let whole = base64::decode(entry.value.bytes).is_some_and(|key| key.len() == 32);
            let grade = if whole { Grade::Proven } else { Grade::Plausible };
            let found = judge::found(rule, grade, Kind::Token, entry.value)
                .fact("endpoint", endpoint.as_str())
                .fact("address", address.as_str());
            out(Out::Match(found));
        }
    }
    Ok(())
}

fn value(entries: &[Entry<'_>], name: &[u8]) -> String {
    let entry = entries.iter().find(|e| e.name.bytes.eq_ignore_ascii_case(name));
    entry.map(|e| e.value.text()).unwrap_or_default()
}
