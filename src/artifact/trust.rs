//! Trust: whom a system believes besides its distributor: certificate authorities that were added,
//! packages that nobody signed, modules that let anybody in, a boot that ends in a shell.

use super::Artifact;
use super::judge;
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::credential::pem;
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser of added certificate authorities
/// ([update-ca-trust(8)](https://www.unix.com/man-page/centos/8/update-ca-trust/)).
pub(super) const AUTHORITIES: Artifact =
    Artifact { name: "added authorities", applies: is_anchor, run: anchors };

/// The parser of package sources
/// ([sources.list(5)](https://manpages.debian.org/bookworm/apt/sources.list.5.en.html),
/// [yum.conf(5)](https://man7.org/linux/man-pages/man5/yum.conf.5.html)).
pub(super) const SOURCES: Artifact =
    Artifact { name: "package sources", applies: is_source, run: sources };

/// The parser of PAM's stacks ([pam.conf(5)](https://man7.org/linux/man-pages/man5/pam.conf.5.html)).
pub(super) const PAM: Artifact = Artifact { name: "pam", applies: is_pam, run: pam };

/// The parser of what the kernel is started with
/// ([kernel-command-line(7)](https://www.freedesktop.org/software/systemd/man/latest/kernel-command-line.html)).
pub(super) const BOOT: Artifact = Artifact { name: "boot", applies: is_boot, run: boot };

static AUTHORITY: Rule = Rule {
    id: "persist.added_ca",
    title: "Certificate authority that was added to those the system trusts",
    severity: Severity::High,
    rotate: "Remove it unless it is yours: whoever has its key can read what this system sends over TLS.",
};
static UNSIGNED: Rule = Rule {
    id: "persist.unsigned_repository",
    title: "Package source whose packages need no signature",
    severity: Severity::Medium,
    rotate: "Demand signatures (signed-by=, gpgcheck=1): whoever is on the way can install anything.",
};
static PERMIT: Rule = Rule {
    id: "persist.pam_permit",
    title: "Login that no password is asked for",
    severity: Severity::Critical,
    rotate: "Remove the line; if nobody knows who put it there, take the image for compromised.",
};
static EXEC: Rule = Rule {
    id: "persist.pam_exec",
    title: "Program that is run at every login and may be given the password",
    severity: Severity::High,
    rotate: "Find out what the program does; if nobody knows, take the image for compromised.",
};
static SHELL: Rule = Rule {
    id: "persist.boot_shell",
    title: "Boot that ends in a shell without a login",
    severity: Severity::High,
    rotate: "Remove init= from the kernel's command line.",
};
static UNGUARDED: Rule = Rule {
    id: "persist.boot_unguarded",
    title: "Boot with mandatory access control or auditing switched off",
    severity: Severity::Low,
    rotate: "Remove the option from the kernel's command line unless you know why it is there.",
};

fn is_anchor(blob: &Blob<'_>) -> bool {
    let folders = [
        "usr/local/share/ca-certificates",
        "pki/ca-trust/source/anchors",
        "ca-certificates/trust-source/anchors",
        "share/pki/trust/anchors",
        "etc/pki/trust/anchors",
    ];
    folders.iter().any(|folder| paths::under(&blob.name, folder))
}

fn anchors(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let mut from = 0;
    let mut any = false;
    while let Some(range) = pem::find(text.bytes, from) {
        let block = text.sub(range.start, range.end);
        from = range.end;
        if block.bytes.starts_with(b"-----BEGIN CERTIFICATE-----")
            || block.bytes.starts_with(b"-----BEGIN TRUSTED CERTIFICATE-----")
        {
            any = true;
            out(Out::Match(judge::fact(&AUTHORITY, Grade::Strong, block)));
        }
    }
    // A certificate in its own form.
    if !any && blob.bytes.starts_with(&[0x30, 0x82]) {
        out(Out::Match(judge::fact(&AUTHORITY, Grade::Strong, text)));
    }
    Ok(())
}

fn is_source(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "apt/sources.list",
            "sources.list.d/*.list",
            "sources.list.d/*.sources",
            "apt.conf.d/*",
            "etc/apt/apt.conf",
            "yum.repos.d/*.repo",
            "etc/yum.conf",
            "dnf/dnf.conf",
            "zypp/repos.d/*.repo",
        ],
    )
}

fn sources(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let name = paths::file_name(&blob.name);
    if name.ends_with(b".repo") || matches!(name, b"yum.conf" | b"dnf.conf") {
        repositories(text, out);
        return Ok(());
    }
    for line in text.lines().map(Piece::trim) {
        if line.bytes.starts_with(b"#") || line.bytes.starts_with(b"//") {
            continue;
        }
        let lower = line.bytes.to_ascii_lowercase();
        let has = |mark: &str| memchr::memmem::find(&lower, mark.as_bytes()).is_some();
        let listed = has("trusted=yes") || has("allow-insecure=yes");
        let stanza = matches!(lower.as_slice(), b"trusted: yes" | b"allow-insecure: yes");
        let setting = (has("allowunauthenticated") || has("allowinsecurerepositories"))
            && (has("\"true\"") || has("\"1\"") || has("\"yes\""));
        if listed || stanza || setting {
            out(Out::Match(judge::fact(&UNSIGNED, Grade::Strong, line)));
        }
    }
    Ok(())
}

/// The sections of a `.repo` file in which nothing is checked and that are in use.
fn repositories(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) {
    let mut section = String::new();
    let mut unchecked: Option<Piece<'_>> = None;
    let mut enabled = true;
    let mut tell = |section: &str, unchecked: Option<Piece<'_>>, enabled: bool| {
        if let Some(line) = unchecked.filter(|_| enabled) {
            let found = judge::fact(&UNSIGNED, Grade::Strong, line);
            out(Out::Match(found.fact("repository", section)));
        }
    };
    for line in text.lines().map(Piece::trim) {
        if let Some(name) = line.strip_prefix(b"[") {
            tell(&section, unchecked.take(), enabled);
            name.text().trim_end_matches(']').clone_into(&mut section);
            enabled = true;
        } else if let Some((name, value)) = line.split_once(b'=') {
            let off = matches!(
                value.trim().bytes.to_ascii_lowercase().as_slice(),
                b"0" | b"no" | b"false" | b"off"
            );
            match name.trim().bytes {
                b"gpgcheck" if off => unchecked = Some(line),
                b"enabled" => enabled = !off,
                _ => {}
            }
        }
    }
    tell(&section, unchecked, enabled);
}

fn is_pam(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &["pam.d/*", "etc/pam.conf"])
}

fn pam(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let whole = paths::ends_with(&blob.name, "etc/pam.conf");
    for line in Piece::whole(&blob.bytes).lines().map(Piece::trim) {
        if line.bytes.starts_with(b"#") {
            continue;
        }
        let mut words = line.words().skip(usize::from(whole)).map(|word| word.bytes);
        let Some(kind) = words.next() else { continue };
        if kind.strip_prefix(b"-").unwrap_or(kind) != b"auth" {
            continue;
        }
        let rest: Vec<&[u8]> = words.collect();
        let module = rest.iter().find(|word| paths::file_name(word).starts_with(b"pam_"));
        // `required pam_permit.so` behind modules that decide is how stacks are written.
        let decides = rest.first() == Some(&&b"sufficient"[..]);
        match module.map(|module| paths::file_name(module)) {
            Some(b"pam_permit.so") if decides => {
                out(Out::Match(judge::fact(&PERMIT, Grade::Strong, line)));
            }
            Some(b"pam_exec.so") => {
                let told = rest.contains(&&b"expose_authtok"[..]);
                let mut found = judge::fact(&EXEC, Grade::Strong, line);
                if !told {
                    found = judge::at_most(found, Severity::Medium);
                }
                out(Out::Match(found.fact("password", if told { "given" } else { "" })));
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_boot(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "etc/default/grub",
            "default/grub.d/*.cfg",
            "grub/grub.cfg",
            "grub2/grub.cfg",
            "grub/menu.lst",
            "grub2/grubenv",
            "loader/entries/*.conf",
            "extlinux/extlinux.conf",
            "etc/kernel/cmdline",
        ],
    )
}

fn boot(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let signs = |byte: &u8| b"\"'".contains(byte);
    for line in Piece::whole(&blob.bytes).lines().map(Piece::trim) {
        if line.bytes.starts_with(b"#") {
            continue;
        }
        for word in line.words() {
            let bytes = word.bytes.rsplit(signs).find(|part| !part.is_empty()).unwrap_or_default();
            let value = bytes.strip_prefix(b"init=").or_else(|| bytes.strip_prefix(b"rdinit="));
            let shells = [&b"sh"[..], b"bash", b"dash", b"busybox"];
            let rule = match value {
                Some(program) if shells.contains(&paths::file_name(program)) => &SHELL,
                Some(_) => continue,
                None if matches!(
                    bytes,
                    b"selinux=0" | b"enforcing=0" | b"apparmor=0" | b"audit=0"
                ) =>
                {
                    &UNGUARDED
                }
                None => continue,
            };
            out(Out::Match(judge::fact(rule, Grade::Strong, word)));
        }
    }
    Ok(())
}
