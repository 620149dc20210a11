//! Integrity: programs that are not as their packages installed them, or that no package installed
//! where packages put theirs.

use super::base::is_system;
use super::judge::System;
use super::special::{capabilities, module};
use super::{data, file_of, is_regular};
use crate::bytes::read_vec;
use crate::coverage::Coverage;
use crate::filesystem::{FileEntry, FileKind};
use crate::finding::{Grade, Match, Place, Provenance, Rule, Severity, State, Subject};
use crate::limits;
use crate::locator::{Area, Printable};
use crate::provenance::plain;
use crate::run::Run;
use crate::sweep::join::Findings;
use crate::sweep::plan::Part;
use std::collections::{BTreeMap, BTreeSet};

const LOOK: &str = "Find out who changed it; if nobody knows, take the image for compromised. Reinstall the package, or build the image anew.";
const REMOVE: &str = "Find out who put it there; if nobody knows, take the image for compromised. Remove it, or build the image anew.";

static CHANGED: Rule = Rule {
    id: "integrity.changed_file",
    title: "System file that is not as its package installed it",
    severity: Severity::High,
    rotate: LOOK,
};
static UNOWNED_SETUID: Rule = Rule {
    id: "integrity.unowned_setuid",
    title: "Set-uid program that no package installed",
    severity: Severity::High,
    rotate: REMOVE,
};
static ADDED_SETUID: Rule = Rule {
    id: "integrity.added_setuid",
    title: "Program whose package does not make it set-uid",
    severity: Severity::High,
    rotate: LOOK,
};
static SETUID_SHELL: Rule = Rule {
    id: "integrity.setuid_shell",
    title: "Set-uid shell, interpreter or editor: root for everybody",
    severity: Severity::Critical,
    rotate: REMOVE,
};
static UNOWNED_PROGRAM: Rule = Rule {
    id: "integrity.unowned_program",
    title: "Program in a system directory that no package installed",
    severity: Severity::Medium,
    rotate: REMOVE,
};
static UNOWNED_PAM: Rule = Rule {
    id: "integrity.unowned_pam_module",
    title: "PAM module that no package installed",
    severity: Severity::Critical,
    rotate: REMOVE,
};
static UNOWNED_MODULE: Rule = Rule {
    id: "integrity.unowned_kernel_module",
    title: "Kernel module that no package installed",
    severity: Severity::High,
    rotate: REMOVE,
};
static STRAY_MODULE: Rule = Rule {
    id: "integrity.stray_kernel_module",
    title: "Kernel module outside the directories of kernels",
    severity: Severity::High,
    rotate: REMOVE,
};
static CAPABLE: Rule = Rule {
    id: "integrity.capable_program",
    title: "Program that no package installed and that gives whoever runs it capabilities",
    severity: Severity::High,
    rotate: REMOVE,
};
static CAPABLE_SHELL: Rule = Rule {
    id: "integrity.capable_shell",
    title: "Shell, interpreter or editor with capabilities that amount to root for everybody",
    severity: Severity::Critical,
    rotate: REMOVE,
};
static ODD_PROGRAM: Rule = Rule {
    id: "integrity.odd_program",
    title: "Program where no programs belong",
    severity: Severity::Medium,
    rotate: REMOVE,
};

static HISTORY_NOWHERE: Rule = Rule {
    id: "persist.history_nowhere",
    title: "Shell history that leads to nowhere",
    severity: Severity::Low,
    rotate: "Ask why: it hides what was typed, from you too.",
};

/// The files of a part in numbers, and those that are changed.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) verified: u64,
    pub(super) config: u64,
    pub(super) config_changed: u64,
    pub(super) unverified: u64,
    /// Number and locator.
    pub(super) changed: Vec<(u32, String)>,
}

/// Add what the files of a part tell.
pub(super) fn find(
    system: &System<'_>,
    seen: &Seen,
    findings: &mut Findings<'_>,
    coverage: &mut Coverage,
) {
    let System { part, watch, told, known } = *system;
    if !is_system(part, watch) {
        return;
    }
    let programs: BTreeSet<u32> = watch.digests.programs().into_iter().collect();
    let changed: BTreeSet<u32> = seen.changed.iter().map(|(number, _)| *number).collect();
    // Where a database could not be read whole, its files would seem to be nobody's.
    let trusted = known && !told.damaged && !told.full;
    let kernels = if trusted { kernels(system) } else { BTreeSet::new() };
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (number, file) in (0u32..).zip(&part.files).filter(|(_, file)| is_regular(file)) {
        let path = plain(&file.path);
        let program = programs.contains(&number);
        let status = if known { Some(system.status(number)) } else { None };
        let owner = status.map(|(status, package)| (status, text(package)));
        let unowned = trusted && status.is_some_and(|(status, _)| status == Provenance::Unowned);
        let mut told = |rule: &'static Rule, severity: Severity| {
            let count = counts.entry(rule.id).or_default();
            *count += 1;
            if *count <= limits::INTEGRITY_FINDINGS {
                let package = owner.as_ref().map(|(_, package)| package.clone());
                add(system, (file, owner.as_ref().map(|(status, _)| *status)), findings, {
                    let found = described(rule, file).fact("package", package.unwrap_or_default());
                    let mut found = special(part, file, found);
                    found.severity = severity;
                    found
                });
            }
        };
        if changed.contains(&number)
            && let Some(severity) = worth(path, program)
        {
            told(&CHANGED, severity);
        }
        let set_id = file.mode & 0o6000 != 0 && file.mode & 0o111 != 0;
        if set_id && !in_container(path) {
            if file.mode & 0o4000 != 0 && opens_a_shell(path) {
                told(&SETUID_SHELL, SETUID_SHELL.severity);
            } else if unowned {
                told(&UNOWNED_SETUID, UNOWNED_SETUID.severity);
            } else if adds_bits(system, number, file) {
                told(&ADDED_SETUID, ADDED_SETUID.severity);
            }
        }
        if let Some(rule) = out_of_place(path, (program, unowned), &kernels) {
            told(rule, rule.severity);
        }
        if let Some((rule, severity)) = capable(part, file, unowned) {
            told(rule, severity);
        }
    }
    histories(system, findings);
    for (rule, count) in counts.into_iter().filter(|(_, n)| *n > limits::INTEGRITY_FINDINGS) {
        let what = format!("{count} files are {rule}; {} are told", limits::INTEGRITY_FINDINGS);
        coverage.remark(Some(part.locator(Area::Whole)), what);
    }
}

/// The rule against the capabilities of a file. Packages give theirs when they are installed, so
/// that no database has them.
fn capable(part: &Part, file: &FileEntry, unowned: bool) -> Option<(&'static Rule, Severity)> {
    let path = plain(&file.path);
    let known = capabilities(part, file).filter(|_| !in_container(path))?;
    match (known.powerful.is_empty(), opens_a_shell(path), unowned) {
        (false, true, _) => Some((&CAPABLE_SHELL, CAPABLE_SHELL.severity)),
        (false, false, true) => Some((&CAPABLE, CAPABLE.severity)),
        (true, _, true) => Some((&CAPABLE, Severity::Medium)),
        (_, _, false) => None,
    }
}

/// The match with what makes the file more than its bytes.
fn special(part: &Part, file: &FileEntry, mut found: Match) -> Match {
    if found.rule.id == CAPABLE.id || found.rule.id == CAPABLE_SHELL.id {
        let known = capabilities(part, file);
        let fact = |known: Option<String>| known.unwrap_or_default();
        let powerful = fact(known.as_ref().map(|known| known.powerful.clone()));
        found = found.fact("capabilities", powerful);
        found = found.fact("capability_bits", fact(known.map(|known| known.all)));
    }
    let is_module = found.rule.id == UNOWNED_MODULE.id || found.rule.id == STRAY_MODULE.id;
    if let Some(module) = is_module.then(|| module(part, file)).flatten() {
        found = found.fact("signed", if module.signed { "yes" } else { "no" });
        found = found.fact("kernel", module.kernel);
    }
    found
}

/// Histories that are links to what keeps nothing.
fn histories(system: &System<'_>, findings: &mut Findings<'_>) {
    let part = system.part;
    let Some(filesystem) = part.filesystem.as_deref() else { return };
    let links = part.files.iter().filter(|file| file.is_live() && file.kind == FileKind::Link);
    let named = links.filter(|file| file.path.ends_with(b"history"));
    for file in named.take(limits::INTEGRITY_FINDINGS) {
        let target = filesystem.open(file, 0).and_then(|bytes| read_vec(&*bytes, 0, 9));
        if target.is_ok_and(|target| target == b"/dev/null") {
            let mut found = described(&HISTORY_NOWHERE, file);
            found.span = Run::new(0, 9);
            add(system, (file, None), findings, found);
        }
    }
}

fn text(bytes: &[u8]) -> String {
    Printable(bytes).to_string()
}

fn described(rule: &'static Rule, file: &FileEntry) -> Match {
    let size = data(file).map_or(0, |(_, stream)| stream.size);
    let subject = Subject::Fact(plain(&file.path).to_vec());
    let grade = if rule.id == CHANGED.id { Grade::Proven } else { Grade::Strong };
    Match::new(rule, grade, subject, Run::new(0, size))
        .fact("mode", format!("{:o}", file.mode & 0o7777))
        .fact("uid", file.uid.to_string())
}

fn add(
    system: &System<'_>,
    (file, provenance): (&FileEntry, Option<Provenance>),
    findings: &mut Findings<'_>,
    found: Match,
) {
    let at = system.part.locator(Area::Path(file.path.clone())).with_span(found.span);
    findings.add(found, true, Place { provenance, ..Place::new(at, State::Live) });
}

/// How bad it is that a package's file has other bytes; none for what is changed in passing.
fn worth(path: &[u8], program: bool) -> Option<Severity> {
    let vendored = [&b"/node_modules/"[..], b"/site-packages/", b"/dist-packages/", b"/gems/"];
    if vendored.iter().any(|part| memchr::memmem::find(path, part).is_some()) {
        return None;
    }
    let (folder, name) = parted(path);
    if program || is_kernel_module(path) || (folder.ends_with(b"/security") && is_pam(name)) {
        return Some(Severity::High);
    }
    let unit =
        folder.ends_with(b"systemd/system") || folder.ends_with(b"systemd/system-generators");
    (is_bin(folder) || unit || folder.ends_with(b"udev/rules.d")).then_some(Severity::Medium)
}

fn parted(path: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'/', path) {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => (b"", path),
    }
}

fn is_bin(folder: &[u8]) -> bool {
    matches!(folder, b"bin" | b"sbin" | b"usr/bin" | b"usr/sbin" | b"usr/libexec")
}

/// Where the linker looks for libraries.
fn is_lib(folder: &[u8]) -> bool {
    let inner = folder.strip_prefix(b"usr/").unwrap_or(folder);
    let triplet = inner.strip_prefix(b"lib/").is_some_and(|name| name.ends_with(b"-linux-gnu"));
    matches!(inner, b"lib" | b"lib64" | b"lib32") || triplet
}

fn is_pam(name: &[u8]) -> bool {
    name.starts_with(b"pam_") && name.ends_with(b".so")
}

fn is_kernel_module(path: &[u8]) -> bool {
    let ends = [&b".ko"[..], b".ko.xz", b".ko.zst", b".ko.gz"];
    kernel_of(path).is_some() && ends.iter().any(|end| path.ends_with(end))
}

/// The release of the kernel that a path is of.
fn kernel_of(path: &[u8]) -> Option<&[u8]> {
    let inner = path.strip_prefix(b"usr/").unwrap_or(path).strip_prefix(b"lib/modules/")?;
    inner.split(|&byte| byte == b'/').next()
}

/// The kernels of which packages have modules: what was built on the spot has none.
fn kernels<'a>(system: &System<'a>) -> BTreeSet<&'a [u8]> {
    let part = system.part;
    let files = system.told.claims.iter().filter_map(|claim| file_of(part, claim.file));
    let modules = files.map(|file| plain(&file.path)).filter(|path| is_kernel_module(path));
    modules.filter_map(kernel_of).collect()
}

/// The rule against a file that no package, or no system, has in this place.
fn out_of_place(
    path: &[u8],
    (program, unowned): (bool, bool),
    kernels: &BTreeSet<&[u8]>,
) -> Option<&'static Rule> {
    let (folder, name) = parted(path);
    if unowned && is_kernel_module(path) {
        let built = [&b"/updates/"[..], b"/extra/", b"/weak-updates/", b"/dkms/"];
        let built = built.iter().any(|part| memchr::memmem::find(path, part).is_some());
        let known = kernel_of(path).is_some_and(|kernel| kernels.contains(kernel));
        return (known && !built).then_some(&UNOWNED_MODULE);
    }
    if !program {
        return None;
    }
    if unowned && name.ends_with(b".ko") && kernel_of(path).is_none() {
        return (!in_container(path) && !is_built(path)).then_some(&STRAY_MODULE);
    }
    if unowned && folder.ends_with(b"/security") && is_pam(name) {
        return Some(&UNOWNED_PAM);
    }
    if unowned && (is_bin(folder) || is_lib(folder)) {
        return Some(&UNOWNED_PROGRAM);
    }
    let passing = [&b"tmp/"[..], b"var/tmp/", b"dev/"];
    let odd = passing.iter().any(|root| path.starts_with(root));
    let hidden = memchr::memmem::find(path, b"/.").is_some();
    let system = path.starts_with(b"usr/") || path.starts_with(b"etc/") || path.starts_with(b"lib");
    let never = path.starts_with(b"etc/") || path.starts_with(b"usr/share/") || (hidden && system);
    (odd || (unowned && never)).then_some(&ODD_PROGRAM)
}

/// Whether a path is one of the sources that modules are built from.
fn is_built(path: &[u8]) -> bool {
    path.starts_with(b"usr/src/") || path.starts_with(b"var/lib/dkms/")
}

/// Whether a file lies in what a container or a snap keeps, where other systems' programs are.
fn in_container(path: &[u8]) -> bool {
    let stores = [
        &b"var/lib/docker/"[..],
        b"var/lib/containerd/",
        b"var/lib/containers/",
        b"var/lib/kubelet/",
        b"var/lib/lxc/",
        b"var/lib/lxd/",
        b"var/lib/machines/",
        b"var/lib/snapd/",
        b"var/lib/flatpak/",
        b"snap/",
    ];
    let user = memchr::memmem::find(path, b"/.local/share/containers/").is_some();
    user || stores.iter().any(|store| path.starts_with(store))
}

/// Whether a program runs what it is told.
fn opens_a_shell(path: &[u8]) -> bool {
    let (_, name) = parted(path);
    let exact: [&[u8]; 33] = [
        b"sh",
        b"bash",
        b"dash",
        b"zsh",
        b"ksh",
        b"ash",
        b"csh",
        b"tcsh",
        b"fish",
        b"busybox",
        b"env",
        b"find",
        b"awk",
        b"gawk",
        b"mawk",
        b"vi",
        b"vim",
        b"vim.basic",
        b"vim.tiny",
        b"nano",
        b"ed",
        b"less",
        b"more",
        b"cp",
        b"mv",
        b"dd",
        b"tar",
        b"nmap",
        b"gdb",
        b"php",
        b"node",
        b"lua",
        b"socat",
    ];
    let begins: [&[u8]; 4] = [b"python", b"perl", b"ruby", b"rbash"];
    let versioned = |start: &&[u8]| {
        name.strip_prefix(*start)
            .is_some_and(|rest| rest.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
    };
    exact.contains(&name) || begins.iter().any(versioned)
}

/// Whether a file has bits that its package does not give it.
fn adds_bits(system: &System<'_>, number: u32, file: &FileEntry) -> bool {
    let mut modes = system.told.claims_to(number).iter().filter_map(|claim| claim.mode).peekable();
    modes.peek().is_some() && modes.all(|mode| file.mode & 0o6000 & !mode != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_their_rules() {
        let kernels: BTreeSet<&[u8]> = BTreeSet::from([&b"6.1.0"[..]]);
        for (path, program, unowned, expected) in [
            ("usr/bin/x", true, true, Some(UNOWNED_PROGRAM.id)),
            ("usr/bin/x", false, true, None),
            ("usr/bin/x", true, false, None),
            ("usr/local/bin/x", true, true, None),
            ("usr/lib/x86_64-linux-gnu/libx.so", true, true, Some(UNOWNED_PROGRAM.id)),
            ("usr/lib/jvm/bin/java", true, true, None),
            ("lib/x86_64-linux-gnu/security/pam_x.so", true, true, Some(UNOWNED_PAM.id)),
            ("lib/modules/6.1.0/kernel/x.ko.xz", false, true, Some(UNOWNED_MODULE.id)),
            ("lib/modules/6.1.0/updates/dkms/x.ko", false, true, None),
            ("lib/modules/6.9-own/kernel/x.ko", false, true, None),
            ("root/x.ko", true, true, Some(STRAY_MODULE.id)),
            ("var/lib/dkms/x/x.ko", true, true, None),
            ("tmp/.x/y", true, false, Some(ODD_PROGRAM.id)),
            ("etc/cron.d/x", true, true, Some(ODD_PROGRAM.id)),
            ("usr/share/x/y", true, false, None),
            ("home/u/.cargo/bin/x", true, true, None),
        ] {
            let rule = out_of_place(path.as_bytes(), (program, unowned), &kernels);
            assert_eq!(rule.map(|rule| rule.id), expected, "{path}");
        }
    }

    #[test]
    fn what_is_changed_in_passing_is_counted_alone() {
        for (path, program, expected) in [
            ("usr/bin/ls", true, Some(Severity::High)),
            ("usr/bin/ldd", false, Some(Severity::Medium)),
            ("usr/lib/node_modules/npm/x.node", true, None),
            ("usr/lib/python3/dist-packages/x.py", false, None),
            ("usr/lib/systemd/system/x.service", false, Some(Severity::Medium)),
            ("usr/share/doc/x", false, None),
        ] {
            assert_eq!(worth(path.as_bytes(), program), expected, "{path}");
        }
        for (path, expected) in [
            ("usr/bin/python3.11", true),
            ("tmp/bash", true),
            ("usr/bin/sudo", false),
            ("usr/bin/pythonic", false),
        ] {
            assert_eq!(opens_a_shell(path.as_bytes()), expected, "{path}");
        }
    }
}
