//! Hygiene: the clean-up lists that AWS publishes for images that others will start, checked by the
//! files that are there and by what was found in them. Off unless a list is asked for.
//!
//! [Shared Linux AMIs](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/building-shared-amis.html),
//! [AWS Marketplace](https://docs.aws.amazon.com/marketplace/latest/userguide/product-and-ami-policies.html),
//! [Image Builder](https://docs.aws.amazon.com/imagebuilder/latest/userguide/security-best-practices.html).

mod items;

use super::Options;
use super::join::{Findings, sorted};
use super::plan::{Part, Plan, names};
use crate::coverage::Coverage;
use crate::filesystem::{FileEntry, FileKind, StreamName};
use crate::finding::{Finding, Grade, Match, Place, Severity, State, Subject};
use crate::limits;
use crate::locator::{Area, Locator};
use crate::provenance::plain;
use crate::run::Run;
use items::{ITEMS, Item};

/// The lists, by the names they are asked for.
pub const PROFILES: [&str; 3] = ["aws-shared", "image-builder", "marketplace-2025"];

/// Check the lists that are asked for, and add what is against them.
pub(super) fn check(
    plan: &Plan,
    (options, asked): (&Options<'_>, &[&'static str]),
    findings: &mut Vec<Finding>,
    coverage: &mut Coverage,
) {
    if asked.is_empty() {
        return;
    }
    let mut more = Findings::new(options.key);
    let wanted = |item: &&'static Item| item.profiles.iter().any(|profile| asked.contains(profile));
    let items: Vec<&'static Item> = ITEMS.iter().filter(wanted).collect();
    for part in plan.parts.iter().filter(|part| part.filesystem.is_some()) {
        for file in part.files.iter().filter(|file| file.is_live()) {
            by_path(part, file, &items, &mut more);
        }
        let settings = Settings::read(part);
        for item in &items {
            if let Some((path, what)) = item.setting.and_then(|judge| judge(&settings)) {
                let at = part.locator(Area::Path(full(part, &path).into()));
                tell(item, at, &what, &mut more);
            }
        }
    }
    for volume in &plan.volumes {
        for item in &items {
            let known = |format: &&str| volume.format.eq_ignore_ascii_case(format);
            let at = plan.parts.iter().map(|part| part.locator(Area::Whole));
            let mut at = at.filter(|at| at.to_string() == volume.locator);
            if let Some(at) = at.next().filter(|_| item.formats.iter().any(known)) {
                tell(item, at, &volume.format, &mut more);
            }
        }
    }
    for item in &items {
        let broken = findings.iter().filter(|finding| item.forbids(finding));
        for place in broken.flat_map(|finding| &finding.places) {
            tell(item, place.locator.clone(), "", &mut more);
        }
    }
    findings.extend(more.finish(coverage));
    sorted(findings);
}

/// Tell of a file that an item wants gone.
fn by_path(part: &Part, file: &FileEntry, items: &[&'static Item], more: &mut Findings<'_>) {
    if file.kind == FileKind::Directory {
        return;
    }
    let data = file.streams.iter().find(|stream| stream.name == StreamName::Data);
    let size = data.map_or(0, |stream| stream.size);
    for item in items.iter().filter(|item| file.kind == FileKind::Link || size >= item.least) {
        let fits = |name: &&[u8]| {
            let name = plain(name);
            let file = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            // A name of an old start script begins with its number.
            let file = file.strip_prefix(b"S").and_then(|rest| rest.get(2..)).unwrap_or(file);
            let usual = item.usual.iter().any(|usual| file.starts_with(usual.as_bytes()));
            !usual && item.paths.iter().any(|glob| matches(name, glob))
        };
        if let Some(name) = names(file).find(fits) {
            let at = part.locator(Area::Path(name.into())).with_span(Run::new(0, size));
            tell(item, at, "", more);
        }
    }
}

fn tell(item: &'static Item, at: Locator, what: &str, more: &mut Findings<'_>) {
    let subject = Subject::Fact(item.code.as_bytes().to_vec());
    let span = at.span.unwrap_or_default();
    let found = Match::new(&item.rule, Grade::Strong, subject, span)
        .fact("list", item.profiles.join(", "))
        .fact("setting", what);
    more.add(found, true, Place::new(at.with_span(span), State::Live));
}

impl Item {
    /// Whether a finding is of what the item forbids.
    fn forbids(&self, finding: &Finding) -> bool {
        if finding.harmless.is_some() || finding.rule.id.starts_with("hygiene.") {
            return false;
        }
        let secret = !matches!(finding.subject, Subject::Fact(_));
        let named = self.rules.iter().any(|start| finding.rule.id.starts_with(start));
        let of_user = self.user.is_none_or(|user| {
            finding.facts.get("user").is_some_and(|users| users.iter().any(|name| name == user))
        });
        (named && of_user) || (self.any_secret && secret && finding.severity >= Severity::Medium)
    }
}

/// Whether a path is what a glob names: `*` stands for any text inside a component, `**` at either
/// end for any components.
fn matches(path: &[u8], glob: &str) -> bool {
    let have: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
    let mut want: Vec<&[u8]> = glob.as_bytes().split(|&byte| byte == b'/').collect();
    let open_end = want.last() == Some(&&b"**"[..]);
    let open_start = want.first() == Some(&&b"**"[..]);
    want.retain(|part| *part != b"**");
    let fits = |have: &[&[u8]]| {
        let long_enough = if open_end { have.len() > want.len() } else { have.len() == want.len() };
        long_enough && have.iter().zip(&want).all(|(have, want)| component(have, want))
    };
    if open_start {
        (0..have.len()).any(|at| have.get(at..).is_some_and(fits))
    } else {
        fits(&have)
    }
}

fn component(have: &[u8], want: &[u8]) -> bool {
    let mut parts = want.split(|&byte| byte == b'*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = have.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = memchr::memmem::find(rest, part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    true
}

/// What a system's configuration says, as far as lists ask.
#[derive(Default)]
pub(super) struct Settings {
    /// The SSH server's settings that count, names in small letters.
    sshd: Option<Vec<(String, String)>>,
    release: Vec<(String, String)>,
    /// Where logs are sent.
    remote_log: Option<(Vec<u8>, String)>,
    /// That Windows was not generalised, where there is one.
    not_prepared: Option<(Vec<u8>, String)>,
    /// The shell, where it is a program of 32 bits.
    narrow: Option<(Vec<u8>, String)>,
}

impl Settings {
    fn read(part: &Part) -> Settings {
        let release = read(part, b"etc/os-release").or_else(|| read(part, b"usr/lib/os-release"));
        let release = release.unwrap_or_default();
        let pairs = release.lines().filter_map(|line| line.split_once('='));
        let release =
            pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()));
        let mut settings = Settings { release: release.collect(), ..Settings::default() };
        let main = read(part, b"etc/ssh/sshd_config");
        settings.sshd = main.map(|main| {
            let extra = below(part, b"etc/ssh/sshd_config.d/", b".conf");
            let extra: Vec<String> = extra.iter().filter_map(|path| read(part, path)).collect();
            effective(&main, &extra)
        });
        let mut logs = below(part, b"etc/rsyslog.d/", b".conf");
        logs.insert(0, b"etc/rsyslog.conf".to_vec());
        settings.remote_log = logs.into_iter().find_map(|path| {
            let text = read(part, &path)?;
            let line = text.lines().find(|line| sends_away(line.trim()))?;
            Some((path, line.trim().to_owned()))
        });
        settings.not_prepared = not_prepared(part);
        settings.narrow = narrow(part);
        settings
    }

    /// A setting of the SSH server, or what it is when nobody sets it.
    fn ssh(&self, name: &str, default: &str) -> Option<String> {
        let settings = self.sshd.as_ref()?;
        let set = settings.iter().find(|(known, _)| known == name);
        Some(set.map_or_else(|| default.to_owned(), |(_, value)| value.clone()))
    }

    fn release(&self, name: &str) -> &str {
        let value = self.release.iter().find(|(known, _)| known == name);
        value.map_or("", |(_, value)| value)
    }
}

/// A Windows without the mark that its preparation leaves.
fn not_prepared(part: &Part) -> Option<(Vec<u8>, String)> {
    let system = b"Windows/System32/config/SYSTEM";
    let there = |path: &[u8]| part.with_file(&full(part, path), &mut |_| {});
    let done = there(b"Windows/System32/Sysprep/Sysprep_succeeded.tag");
    let what = "no Sysprep_succeeded.tag";
    (there(system) && !done).then(|| (system.to_vec(), what.to_owned()))
}

/// A shell of 32 bits
/// ([the class of an ELF file](https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html)).
fn narrow(part: &Part) -> Option<(Vec<u8>, String)> {
    let shells: [&[u8]; 4] = [b"usr/bin/bash", b"bin/bash", b"usr/bin/dash", b"bin/busybox"];
    shells.into_iter().find_map(|path| {
        let mut class = None;
        part.with_file(&full(part, path), &mut |bytes| {
            let head = crate::bytes::read_vec(bytes, 0, 5).unwrap_or_default();
            class = head.strip_prefix(b"\x7fELF").and_then(<[u8]>::first).copied();
        });
        (class == Some(1)).then(|| (path.to_vec(), "ELF of 32 bits".to_owned()))
    })
}

/// A path as the part has it, which is with a slash before it on a volume.
fn full(part: &Part, path: &[u8]) -> Vec<u8> {
    let live = part.files.iter().find(|file| file.is_live());
    let slash = live.is_some_and(|file| file.path.starts_with(b"/"));
    if slash { [b"/", path].concat() } else { path.to_vec() }
}

/// A small text of the system.
fn read(part: &Part, path: &[u8]) -> Option<String> {
    let mut text = None;
    part.with_file(&full(part, path), &mut |bytes| {
        let len = usize::try_from(bytes.len()).ok();
        let len = len.filter(|len| *len <= limits::SETTINGS_BYTES);
        let bytes = len.and_then(|len| crate::bytes::read_vec(bytes, 0, len).ok());
        text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    });
    text
}

/// The files of a folder with an ending, sorted.
fn below(part: &Part, folder: &[u8], ending: &[u8]) -> Vec<Vec<u8>> {
    let live = part.files.iter().filter(|file| file.is_live());
    let inside = live.filter_map(|file| {
        let path = plain(&file.path);
        let name = path.strip_prefix(folder)?.strip_suffix(ending)?;
        (!name.contains(&b'/')).then(|| path.to_vec())
    });
    let mut paths: Vec<Vec<u8>> = inside.collect();
    paths.sort();
    paths.truncate(limits::SETTINGS_FILES);
    paths
}

/// The settings of an SSH server that count for everybody: of several of one name the first, with
/// what is included where it is included.
fn effective(main: &str, extra: &[String]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |text: &str| {
        let mut included = false;
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let split = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
            let (name, value) = line.split_at(split);
            let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=').trim();
            let name = name.to_ascii_lowercase();
            match name.as_str() {
                "" => {}
                // What follows counts for some alone.
                "match" => break,
                "include" => included |= value.contains("sshd_config.d"),
                _ => all.push((name, value.trim_matches('"').to_ascii_lowercase())),
            }
        }
        included
    };
    // What is included in the middle of a file counts from there; all known systems include first.
    let included = main.lines().any(|line| {
        let line = line.trim().to_ascii_lowercase();
        line.starts_with("include") && line.contains("sshd_config.d")
    });
    if included {
        for text in extra {
            add(text);
        }
    }
    add(main);
    all
}

/// Whether a line of rsyslog sends to another machine.
fn sends_away(line: &str) -> bool {
    if line.starts_with('#') {
        return false;
    }
    let action = line.split_whitespace().nth(1).unwrap_or_default();
    let host = action.trim_start_matches('@');
    let selector = action.starts_with('@') && line.contains('.');
    let local =
        host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1");
    (selector && !host.is_empty() && !local) || line.contains("type=\"omfwd\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_name_paths() {
        for (path, glob, expected) in [
            ("etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_*_key", true),
            ("etc/ssh/ssh_host_rsa_key.pub", "etc/ssh/ssh_host_*_key", false),
            ("var/lib/cloud/x/y", "var/lib/cloud/**", true),
            ("var/lib/cloud", "var/lib/cloud/**", false),
            ("home/a/TOE_1/x", "**/TOE_*/**", true),
            ("home/a/b", "home/*", false),
            ("root/.bash_history", "root/.*history*", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(path.as_bytes(), glob), expected, "{path} {glob}");
        }
    }

    #[test]
    fn the_first_setting_counts() {
        let main = "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\n\
                    Match User x\nPermitRootLogin yes\n";
        let settings = effective(main, &["PasswordAuthentication=no\n".to_owned()]);
        let first = settings.iter().find(|(name, _)| name == "passwordauthentication");
        assert_eq!(first.map(|(_, value)| value.as_str()), Some("no"));
        assert!(!settings.iter().any(|(name, _)| name == "permitrootlogin"));
        assert!(sends_away("*.* @@logs.example:514") && sends_away("auth.* @10.0.0.1"));
        assert!(!sends_away("*.* @127.0.0.1") && !sends_away("# *.* @x.example"));
        assert!(!sends_away("mail.* /var/log/mail"));
    }
}
