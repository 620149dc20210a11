//! Secrets of network connections: `NetworkManager`'s key files
//! ([format](https://networkmanager.dev/docs/api/latest/nm-settings-keyfile.html)) and
//! `wpa_supplicant.conf`.

use super::Artifact;
use super::ini::{self, Entry};
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "network manager", applies, run };

static PSK: Rule = Rule {
    id: "nm.psk",
    title: "Secret of a network connection",
    severity: Severity::Medium,
    rotate: "Change the passphrase or password of the network, VPN or directory account and remove the connection from the image.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &["system-connections/*", "*.nmconnection", "wpa_supplicant*.conf"],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let entries: Vec<Entry<'_>> = ini::entries(text).collect();
    if paths::ends_with(&blob.name, "wpa_supplicant*.conf") {
        // One block after the other; each names its network first.
        for block in entries.chunk_by(|_, next| next.name.bytes != b"network") {
            secrets(block, out);
        }
    } else {
        secrets(&entries, out);
    }
    Ok(())
}

fn secrets(entries: &[Entry<'_>], out: &mut dyn FnMut(Out<'_>)) {
    let value = |name: &[u8]| {
        entries.iter().find(|e| e.name.bytes == name).map(|e| e.value.text()).unwrap_or_default()
    };
    let (id, ssid, user) = (value(b"id"), value(b"ssid"), value(b"identity"));
    for entry in entries {
        let vpn = entry.section.bytes == b"vpn-secrets";
        let kind = match entry.name.bytes {
            b"psk"
            | b"password"
            | b"leap-password"
            | b"private-key-password"
            | b"pin"
            | b"phase2-private-key-password"
            | b"private_key_passwd"
            | b"sae_password" => Kind::Password,
            b"wep-key0" | b"wep-key1" | b"wep-key2" | b"wep-key3" | b"wep_key0"
            | b"private-key"
                if !entry.value.bytes.starts_with(b"file:") =>
            {
                Kind::Token
            }
            _ if vpn => Kind::Password,
            _ => continue,
        };
        // Private keys of 802.1X are paths, those of WireGuard are keys.
        let path = entry.name.bytes == b"private-key" && entry.section.bytes != b"wireguard";
        if entry.value.is_empty() || path {
            continue;
        }
        let found = judge::found(&PSK, Grade::Strong, kind, entry.value)
            .fact("setting", entry.name.text())
            .fact("id", id.as_str())
            .fact("ssid", ssid.as_str())
            .fact("user", user.as_str());
        out(Out::Match(found));
    }
}
