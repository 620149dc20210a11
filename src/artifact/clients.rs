//! Passwords that desktop clients remember: VNC, `FileZilla`, `WinSCP`, mRemoteNG, Remmina, `DBeaver` and
//! remote desktop files. What everybody can decode is decoded; the rest says what opens it.

use super::Artifact;
use super::cipher;
use super::ini::{self, Entry};
use super::judge::{self, Kind};
use super::paths;
use super::piece::{self, Piece};
use super::xml::{self, Part};
use crate::blob::{Blob, Budget, Out};
use crate::credential::base64;
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};
use crate::limits;
use crate::run::Run;
use std::collections::BTreeMap;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "client passwords", applies, run };

static PASSWORD: Rule = Rule {
    id: "client.password",
    title: "Password that a client program remembers",
    severity: Severity::High,
    rotate: "Change the password at the host it opens and delete the client's settings from the image.",
};

static SEALED: Rule = Rule {
    id: "client.password.encrypted",
    title: "Password that a client program remembers, encrypted",
    severity: Severity::Medium,
    rotate: "Change the password at the host it opens when what decrypts it was near, and delete the client's settings from the image.",
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Vnc,
    FileZilla,
    WinScp,
    Remote,
    Remmina,
    RemminaKey,
    DBeaver,
    Rdp,
}

fn client(path: &[u8]) -> Option<Client> {
    let clients: [(&[&str], Client); 8] = [
        (
            &[
                ".vnc/passwd",
                "vnc/passwd",
                "tigervnc/passwd",
                "vncpasswd",
                ".vncpasswd",
                ".vnc/*.passwd",
            ],
            Client::Vnc,
        ),
        (&["sitemanager.xml", "recentservers.xml", "filezilla.xml"], Client::FileZilla),
        (&["WinSCP.ini", "winscp.ini"], Client::WinScp),
        (&["confCons.xml"], Client::Remote),
        (&["*.remmina"], Client::Remmina),
        (&["remmina.pref"], Client::RemminaKey),
        (&[".dbeaver/credentials-config.json"], Client::DBeaver),
        (&["*.rdp"], Client::Rdp),
    ];
    clients.iter().find(|(tails, _)| paths::ends_with_any(path, tails)).map(|(_, client)| *client)
}

fn applies(blob: &Blob<'_>) -> bool {
    client(&blob.name).is_some()
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    match client(&blob.name) {
        Some(Client::Vnc) => vnc(text, out),
        Some(Client::FileZilla) => return filezilla(text, out),
        Some(Client::WinScp) => {
            let entries: Vec<_> = ini::entries(text).collect();
            for session in entries.chunk_by(|a, b| a.section.at == b.section.at) {
                if let Some(found) = winscp(session) {
                    out(Out::Match(found));
                }
            }
        }
        Some(Client::Remote) => return mremote(text, out),
        Some(Client::Remmina) => remmina(text, out),
        Some(Client::RemminaKey) => {
            let mut keys = ini::entries(text).filter(|e| e.name.bytes == b"secret");
            if let Some(key) = keys.next().filter(|key| !key.value.is_empty()) {
                let found = judge::found(&PASSWORD, Grade::Strong, Kind::Token, key.value);
                out(Out::Match(
                    found.fact("opens", "passwords in .remmina files").fact("client", "Remmina"),
                ));
            }
        }
        Some(Client::DBeaver) => dbeaver(text, out),
        Some(Client::Rdp) => rdp(text, out),
        None => {}
    }
    Ok(())
}

/// A match whose value is not read here, and what reads it.
fn sealed(found: Match, client: &'static str, opener: &'static str) -> Match {
    found
        .fact("client", client)
        .fact("protection", "plaintext-equivalent")
        .fact("decrypts_with", opener)
}

/// Eight bytes for each password, in DES with a key that every server has.
fn vnc(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    // 23 82 107 6 35 78 88 7, the bits of each byte in reverse.
    const KEY: [u8; 8] = [0xe8, 0x4a, 0xd6, 0x60, 0xc4, 0x72, 0x1a, 0xe0];
    if !matches!(text.bytes.len(), 8 | 16 | 24) {
        return;
    }
    for (number, start) in (0..text.bytes.len()).step_by(8).enumerate().take(2) {
        let block = text.sub(start, start.saturating_add(8));
        let Some(plain) = cipher::des_ecb(KEY, block.bytes) else { continue };
        let end = plain.iter().position(|&b| b == 0).unwrap_or(plain.len());
        let (password, rest) = plain.split_at(end.min(plain.len()));
        let is_text = password.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
        if password.is_empty() || !is_text || rest.iter().any(|&b| b != 0) {
            continue;
        }
        let found = judge::decoded(&PASSWORD, Grade::Proven, (Kind::Password, password), block)
            .decoded_by("des", Run::new(0, password.len() as u64))
            .fact("access", if number == 0 { "full" } else { "view only" });
        out(Out::Match(sealed(found, "VNC", "a key that every server has")));
    }
}

/// Texts of the elements right inside an element.
fn texts<'v>(values: &'v [Part<'_>]) -> BTreeMap<(usize, &'v [u8]), &'v Part<'v>> {
    let mut found = BTreeMap::new();
    for value in values.iter().filter(|value| value.attribute.is_empty()) {
        if let Some(name) = value.path.last() {
            found.entry((value.parent, *name)).or_insert(value);
        }
    }
    found
}

fn filezilla(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (values, result) = xml::values(text);
    let beside = texts(&values);
    let mut encodings: BTreeMap<usize, &[u8]> = BTreeMap::new();
    for value in values.iter().filter(|value| value.attribute == b"encoding") {
        encodings.insert(value.element, &value.value);
    }
    for value in values.iter().filter(|value| value.is_text(&["Server", "Pass"])) {
        let fact = |name: &str| {
            let value = beside.get(&(value.parent, name.as_bytes()));
            value.map(|value| piece::text(&value.value)).unwrap_or_default()
        };
        let (host, port, user) = (fact("Host"), fact("Port"), fact("User"));
        let found = match encodings.get(&value.element).copied() {
            Some(b"crypt") => {
                let found = judge::found(&SEALED, Grade::Strong, Kind::Token, value.raw);
                found.fact("decrypts_with", "the master password").fact("client", "FileZilla")
            }
            Some(b"base64") => {
                let Some(plain) = base64::decode(&value.value) else { continue };
                let kind = (Kind::Password, plain.as_slice());
                let found = judge::decoded(&PASSWORD, Grade::Strong, kind, value.raw);
                let span = Run::new(0, plain.len() as u64);
                sealed(found.decoded_by("base64", span), "FileZilla", "base64")
            }
            _ => {
                let kind = (Kind::Password, value.value.as_ref());
                let found = judge::decoded(&PASSWORD, Grade::Strong, kind, value.raw);
                found.fact("client", "FileZilla")
            }
        };
        out(Out::Match(found.fact("host", host).fact("port", port).fact("user", user)));
    }
    result
}

/// A session of `WinSCP`: pairs of hex digits, each byte with one that is the same everywhere. User
/// and host stand before the password, which proves it.
fn winscp(session: &[Entry<'_>]) -> Option<Match> {
    let value = |name: &str| {
        let entry = session.iter().find(|e| e.name.bytes == name.as_bytes());
        entry.map(|e| e.value).unwrap_or_default()
    };
    let (stored, host, user) = (value("Password"), value("HostName"), value("UserName"));
    if stored.is_empty() {
        return None;
    }
    let about = |found: Match| found.fact("host", host.text()).fact("user", user.text());
    let prefix = [user.bytes, host.bytes].concat();
    let Some((plain, proven)) = unobscure(stored.bytes, &prefix) else {
        let found = judge::found(&SEALED, Grade::Plausible, Kind::Token, stored);
        return Some(about(
            found.fact("client", "WinSCP").fact("decrypts_with", "the master password"),
        ));
    };
    let grade = if proven { Grade::Proven } else { Grade::Plausible };
    let found = judge::decoded(&PASSWORD, grade, (Kind::Password, &plain), stored)
        .decoded_by("hex", Run::new(0, plain.len() as u64));
    Some(about(sealed(found, "WinSCP", "a key of the program")))
}

/// The password, and whether it was proven by what stands before it.
fn unobscure(text: &[u8], prefix: &[u8]) -> Option<(Vec<u8>, bool)> {
    const EXTENDED: u8 = 0xff;
    let (pairs, rest) = text.as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().map(|b| b ^ 0x5c))
        .collect();
    let bytes = bytes.filter(|_| rest.is_empty())?;
    let extended = bytes.first() == Some(&EXTENDED);
    let at = if extended { 2 } else { 0 };
    let len = usize::from(*bytes.get(at)?);
    let skipped = usize::from(*bytes.get(at + 1)?);
    let start = (at + 2).checked_add(skipped)?;
    let plain = bytes.get(start..start.checked_add(len)?)?;
    if !extended {
        return (!plain.is_empty()).then(|| (plain.to_vec(), false));
    }
    let password = plain.strip_prefix(prefix)?;
    (!password.is_empty()).then(|| (password.to_vec(), true))
}

fn mremote(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (values, result) = xml::values(text);
    let mut attributes: BTreeMap<(usize, &[u8]), &[u8]> = BTreeMap::new();
    for value in values.iter().filter(|value| !value.attribute.is_empty()) {
        attributes.entry((value.element, value.attribute)).or_insert(&value.value);
    }
    for value in values.iter().filter(|v| v.attribute == b"Password" && !v.value.is_empty()) {
        let fact = |name: &str| {
            let found = attributes.get(&(value.element, name.as_bytes()));
            found.map(|text| piece::text(text)).unwrap_or_default()
        };
        let found = judge::found(&PASSWORD, Grade::Strong, Kind::Token, value.raw);
        let found = sealed(
            found,
            "mRemoteNG",
            "the program's default key, unless a master password was set",
        )
        .fact("host", fact("Hostname"))
        .fact("user", fact("Username"))
        .fact("domain", fact("Domain"));
        out(Out::Match(found));
    }
    result
}

fn remmina(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let entries: Vec<_> = ini::entries(text).collect();
    let value = |name: &[u8]| {
        entries.iter().find(|e| e.name.bytes == name).map(|e| e.value.text()).unwrap_or_default()
    };
    let (host, user) = (value(b"server"), value(b"username"));
    for entry in &entries {
        // A dot says that the desktop's keyring has it.
        let named = matches!(
            entry.name.bytes,
            b"password" | b"ssh_password" | b"ssh_tunnel_password" | b"gateway_password"
        );
        if named && !entry.value.is_empty() && entry.value.bytes != b"." {
            let found = judge::found(&PASSWORD, Grade::Strong, Kind::Token, entry.value)
                .fact("name", entry.name.text())
                .fact("host", host.as_str())
                .fact("user", user.as_str());
            out(Out::Match(sealed(found, "Remmina", "secret in remmina.pref")));
        }
    }
}

/// A JSON document, encrypted as a whole; one in clear has another name.
fn dbeaver(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let text = text.sub(0, limits::PEM_BYTES);
    if !text.is_empty() && !text.bytes.starts_with(b"{") {
        let found = judge::found(&PASSWORD, Grade::Plausible, Kind::Token, text);
        out(Out::Match(sealed(found, "DBeaver", "a fixed key of the program")));
    }
}

/// `password 51:b:` and a blob that Windows opens for its user.
fn rdp(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let (mut host, mut user) = (Piece::default(), Piece::default());
    let mut password = Piece::default();
    for line in text.lines() {
        let line = line.trim();
        if let Some(value) = line.strip_prefix(b"full address:s:") {
            host = value;
        } else if let Some(value) = line.strip_prefix(b"username:s:") {
            user = value;
        } else if let Some(value) = line.strip_prefix(b"password 51:b:") {
            password = value;
        }
    }
    if !password.is_empty() {
        let found = judge::found(&SEALED, Grade::Strong, Kind::Token, password)
            .fact("client", "Remote Desktop")
            .fact("decrypts_with", "the DPAPI master key of its user")
            .fact("host", host.text())
            .fact("user", user.text());
        out(Out::Match(found));
    }
}
