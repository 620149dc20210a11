//! Tunnels: `OpenVPN` ([inline files](https://openvpn.net/community-resources/reference-manual-for-openvpn-2-6/)),
//! Tailscale's state and Cloudflare's tunnels. Keys in PEM are the SSH parser's.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::yaml::{self, Leaf};
use crate::blob::{Blob, Budget, Out};
use crate::credential::{base64, pem};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};
use crate::run::Run;

/// The parser of `OpenVPN` files.
pub(super) const OPENVPN: Artifact =
    Artifact { name: "openvpn", applies: is_openvpn, run: openvpn };

/// The parser of Tailscale's and Cloudflare's state.
pub(super) const TUNNEL: Artifact = Artifact { name: "tunnel", applies: is_tunnel, run: tunnel };

static STATIC_KEY: Rule = Rule {
    id: "vpn.openvpn.static_key",
    title: "OpenVPN static key",
    severity: Severity::High,
    rotate: "Generate a new key (openvpn --genkey) and hand it to the server and every client.",
};

static LOGIN: Rule = Rule {
    id: "vpn.openvpn.login",
    title: "Login of an OpenVPN client",
    severity: Severity::High,
    rotate: "Change the account's password and review its connections.",
};

static TAILSCALE: Rule = Rule {
    id: "vpn.tailscale.node_key",
    title: "Key of a Tailscale node",
    severity: Severity::High,
    rotate: "Remove the machine from the tailnet and let instances join at boot with an ephemeral key.",
};

static CLOUDFLARED: Rule = Rule {
    id: "vpn.cloudflared",
    title: "Secret of a Cloudflare tunnel",
    severity: Severity::High,
    rotate: "Delete the tunnel (cloudflared tunnel delete) and create a new one, or rotate its secret.",
};

fn is_openvpn(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "*.ovpn",
            "openvpn/*.conf",
            "openvpn/*/*.conf",
            "openvpn/*.key",
            "openvpn/*/*.key",
            "ta.key",
            "tls-auth.key",
            "tls-crypt.key",
            "openvpn/auth*",
            "openvpn/*/auth*",
            "openvpn/*.auth",
            "openvpn/credentials*",
            "openvpn/login*",
            "openvpn/pass*",
            "openvpn/*.pass",
            "openvpn/up",
            "openvpn/userpass*",
        ],
    )
}

const KEY_BEGIN: &[u8] = b"-----BEGIN OpenVPN Static key V1-----";
const KEY_END: &[u8] = b"-----END OpenVPN Static key V1-----";

fn openvpn(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let mut remote = Piece::default();
    for line in text.lines() {
        let mut words = line.words();
        if words.next().is_some_and(|word| word.bytes == b"remote") && remote.is_empty() {
            remote = words.next().unwrap_or_default();
        }
    }
    let mut from = 0;
    while let Some(start) = pem::position(text.bytes, from, KEY_BEGIN) {
        let rest = text.from(start);
        let Some(end) = pem::position(rest.bytes, 0, KEY_END) else { break };
        let body = rest.sub(KEY_BEGIN.len(), end).trim();
        from = start.saturating_add(end).saturating_add(KEY_END.len());
        let digits = body.bytes.iter().filter(|b| b.is_ascii_hexdigit()).count();
        let grade = if digits == 512 { Grade::Proven } else { Grade::Plausible };
        let found = judge::found(&STATIC_KEY, grade, Kind::Token, body);
        out(Out::Match(found.fact("host", remote.text()).fact("use", use_of(text, start))));
    }
    let inline = pem::position(text.bytes, 0, b"<auth-user-pass>").map(|at| {
        let inside = text.from(at + b"<auth-user-pass>".len());
        let end = pem::position(inside.bytes, 0, b"</");
        inside.sub(0, end.unwrap_or(usize::MAX))
    });
    let name = paths::file_name(&blob.name);
    let is_config = [&b".ovpn"[..], b".conf", b".key"].iter().any(|end| name.ends_with(end));
    if let Some(login) = inline.or((!is_config).then_some(text)) {
        let mut lines = login.lines().map(Piece::trim).filter(|line| !line.is_empty());
        if let (Some(user), Some(password), None) = (lines.next(), lines.next(), lines.next()) {
            let found = judge::found(&LOGIN, Grade::Strong, Kind::Password, password);
            out(Out::Match(found.fact("user", user.text()).fact("host", remote.text())));
        }
    }
    Ok(())
}

/// The tag before an inline key: `tls-auth`, `tls-crypt`, `secret`.
fn use_of(text: Piece<'_>, start: usize) -> String {
    let before = text.sub(start.saturating_sub(120), start);
    let Some(open) = before.bytes.iter().rposition(|&b| b == b'<') else { return String::new() };
    let tag = before.from(open + 1);
    tag.split_once(b'>').map(|(tag, _)| tag.text()).unwrap_or_default()
}

fn is_tunnel(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "tailscaled.state",
            "tailscale/*.state",
            "cloudflared/*.json",
            ".cloudflared/*.json",
            "cloudflared/cert.pem",
            ".cloudflared/cert.pem",
        ],
    )
}

fn tunnel(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    if paths::file_name(&blob.name) == b"cert.pem" {
        origin_certificate(text, out);
        return Ok(());
    }
    let (leaves, result) = yaml::leaves(text);
    if blob.name.ends_with(b".state") {
        for leaf in &leaves {
            tailscale(leaf, out);
        }
        return result;
    }
    let beside = |name: &[u8]| {
        let leaf = leaves.iter().find(|leaf| leaf.path.len() == 1 && leaf.key() == name);
        leaf.map(|leaf| piece::text(&leaf.value)).unwrap_or_default()
    };
    let (account, tunnel) = (beside(b"AccountTag"), beside(b"TunnelID"));
    for leaf in leaves.iter().filter(|l| l.is(&["TunnelSecret"]) && !l.value.is_empty()) {
        let whole = base64::decode(&leaf.value).is_some_and(|key| key.len() == 32);
        let grade = if whole { Grade::Proven } else { Grade::Strong };
        let found = judge::decoded(&CLOUDFLARED, grade, (Kind::Token, &leaf.value), leaf.raw)
            .fact("account", account.as_str())
            .fact("tunnel", tunnel.as_str());
        out(Out::Match(found));
    }
    result
}

/// `ARGO TUNNEL TOKEN`: base64 of a JSON document with an API token.
fn origin_certificate(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let mut from = 0;
    while let Some(range) = pem::find(text.bytes, from) {
        from = range.end;
        let block = text.sub(range.start, range.end);
        let Some(pem) = pem::parse(block.bytes).filter(|p| p.label.contains("TUNNEL TOKEN")) else {
            continue;
        };
        let (leaves, _) = yaml::leaves(Piece::whole(&pem.body));
        for leaf in leaves.iter().filter(|leaf| leaf.is(&["apiToken"])) {
            decoded(&CLOUDFLARED, leaf, block, out);
        }
    }
}

/// A value of the state: base64 of a key, or of a profile with keys in it.
fn tailscale(leaf: &Leaf<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let Some(text) = base64::decode(&leaf.value) else { return };
    let inner = Piece::whole(&text);
    if inner.bytes.starts_with(b"privkey:") {
        let found = judge::decoded(&TAILSCALE, Grade::Proven, (Kind::Token, &text), leaf.raw)
            .decoded_by("base64", inner.run())
            .fact("name", piece::text(leaf.key()));
        out(Out::Match(found));
        return;
    }
    if !inner.bytes.starts_with(b"{") {
        return;
    }
    let (leaves, _) = yaml::leaves(inner);
    let login = leaves.iter().find(|l| l.key() == b"LoginName");
    let login = login.map(|l| piece::text(&l.value)).unwrap_or_default();
    for key in leaves
        .iter()
        .filter(|key| key.value.starts_with(b"privkey:") || key.value.starts_with(b"nlpriv:"))
    {
        // A key of zeros stands for none.
        if key.value.iter().skip(8).all(|&b| b == b'0') {
            continue;
        }
        let found = judge::decoded(&TAILSCALE, Grade::Proven, (Kind::Token, &key.value), leaf.raw)
            .decoded_by("base64", key.raw.run())
            .fact("name", piece::text(key.key()))
            .fact("user", login.as_str());
        out(Out::Match(found));
    }
}

/// A value of a document that was decoded from `block`.
fn decoded(rule: &'static Rule, leaf: &Leaf<'_>, block: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let span: Run = leaf.raw.run();
    let found = judge::decoded(rule, Grade::Proven, (Kind::Token, &leaf.value), block);
    out(Out::Match(found.decoded_by("base64", span).fact("name", piece::text(leaf.key()))));
}
