//! dpkg: `status`, the lists and digests of each package, and diversions
//! ([dpkg(1)](https://man7.org/linux/man-pages/man1/dpkg.1.html),
//! [deb-md5sums(5)](https://man7.org/linux/man-pages/man5/deb-md5sums.5.html),
//! [dpkg-divert(1)](https://man7.org/linux/man-pages/man1/dpkg-divert.1.html)).

use super::digest::{self, Algorithm};
use super::{Database, Form, Out, Owned, Record, lines, plain};

pub(super) const DATABASE: Database =
    Database { name: "dpkg", algorithm: Algorithm::Md5, applies, form: Form::Text(read) };

/// A file of the database, by its place in it.
enum Part<'a> {
    /// Packages with their state and configuration files.
    Status,
    /// The digests of a package.
    Digests(&'a [u8]),
    /// The paths of a package.
    List(&'a [u8]),
    Diversions,
}

fn part(path: &[u8]) -> Option<Part<'_>> {
    let name = path.strip_prefix(b"var/lib/dpkg/")?;
    if name == b"status" {
        return Some(Part::Status);
    }
    if name == b"diversions" {
        return Some(Part::Diversions);
    }
    // Images without a package manager have one file for each package.
    if let Some(name) = name.strip_prefix(b"status.d/") {
        let digests = name.strip_suffix(b".md5sums").map(Part::Digests);
        return Some(digests.unwrap_or(Part::Status));
    }
    let name = name.strip_prefix(b"info/")?;
    let digests = name.strip_suffix(b".md5sums").map(Part::Digests);
    digests.or_else(|| name.strip_suffix(b".list").map(Part::List))
}

fn applies(path: &[u8]) -> bool {
    part(path).is_some()
}

fn read(path: &[u8], text: &[u8], out: Out<'_>) {
    match part(path) {
        Some(Part::Status) => status(text, out),
        Some(Part::Digests(package)) => digests(bare(package), text, out),
        Some(Part::List(package)) => list(bare(package), text, out),
        Some(Part::Diversions) => diversions(text, out),
        None => {}
    }
}

/// A package's name without its architecture.
fn bare(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b':').next().unwrap_or_default()
}

fn digests(package: &[u8], text: &[u8], out: Out<'_>) {
    for line in lines(text) {
        let Some((hex, rest)) = line.split_at_checked(32) else { continue };
        let path = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"));
        let (Some(path), Some(digest)) = (path, digest::parse(Algorithm::Md5, hex)) else {
            continue;
        };
        let path = plain(path.strip_prefix(b"./").unwrap_or(path));
        let digest = Some(digest);
        out(Record::File(Owned { package, path, digest, mode: None, config: false }));
    }
}

fn list(package: &[u8], text: &[u8], out: Out<'_>) {
    for path in lines(text).map(plain).filter(|path| !path.is_empty() && *path != b".") {
        out(Record::File(Owned { package, path, digest: None, mode: None, config: false }));
    }
}

/// From, to and by whom, a line each.
fn diversions(text: &[u8], out: Out<'_>) {
    let mut lines = lines(text);
    while let (Some(from), Some(to), Some(by)) = (lines.next(), lines.next(), lines.next()) {
        let by = if by == b":" { b"" } else { bare(by) };
        out(Record::Diverted { from: plain(from), to: plain(to), by });
    }
}

/// The installed packages, and of each the configuration files with the digests they came with.
fn status(text: &[u8], out: Out<'_>) {
    let mut package: &[u8] = b"";
    let mut installed = true;
    let mut configuration = false;
    let mut told = false;
    for line in lines(text) {
        if line.is_empty() {
            (package, installed, configuration, told) = (b"", true, false, false);
            continue;
        }
        if let Some(line) = line.strip_prefix(b" ") {
            if configuration && installed {
                conffile(package, line, out);
            }
            continue;
        }
        configuration = line.starts_with(b"Conffiles:");
        if let Some(name) = line.strip_prefix(b"Package: ") {
            package = name.trim_ascii();
        } else if let Some(state) = line.strip_prefix(b"Status: ") {
            // What was removed but for its configuration is `config-files`.
            let state = state.split(|&byte| byte == b' ').next_back();
            installed = !matches!(state, Some(b"not-installed" | b"config-files"));
        }
        // `Status:` stands right behind the name; where it does not, all there is is installed.
        let known = !package.is_empty() && !line.starts_with(b"Package: ");
        if known && installed && !told {
            told = true;
            out(Record::Package(package));
        }
    }
}

/// `/etc/x digest`, perhaps with `obsolete` or `remove-on-upgrade` behind it.
fn conffile(package: &[u8], line: &[u8], out: Out<'_>) {
    let line = ["obsolete", "remove-on-upgrade"].iter().fold(line.trim_ascii(), |line, mark| {
        line.strip_suffix(mark.as_bytes()).map_or(line, <[u8]>::trim_ascii)
    });
    let Some(space) = memchr::memrchr(b' ', line) else { return };
    let (path, hex) = line.split_at(space);
    let digest = digest::parse(Algorithm::Md5, hex.trim_ascii());
    let path = plain(path.trim_ascii());
    out(Record::File(Owned { package, path, digest, mode: None, config: true }));
}

#[cfg(test)]
mod tests {
    use super::super::listing;
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let found = listing(|out| read(path.as_bytes(), text.as_bytes(), out));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn reads_what_dpkg_writes() {
        let md5 = "0cc175b9c0f1b6a831c399e269772661";
        check(
            "var/lib/dpkg/info/libc6:amd64.md5sums",
            &format!("{md5}  lib/x.so\n{md5} *./usr/bin/a b\nshort  x\n{md5}\n\n"),
            &["libc6: lib/x.so Md5 0cc175b9", "libc6: usr/bin/a b Md5 0cc175b9"],
        );
        check(
            "var/lib/dpkg/info/less.list",
            "/.\n/usr\n/usr/bin/less\n",
            &["less: usr", "less: usr/bin/less"],
        );
        check(
            "var/lib/dpkg/diversions",
            "/bin/sh\n/bin/sh.distrib\ndash\n/etc/x\n/etc/x.old\n:\n/cut\n",
            &["bin/sh to bin/sh.distrib by dash", "etc/x to etc/x.old by "],
        );
        check(
            "var/lib/dpkg/status",
            &format!(
                "Package: sudo\nStatus: install ok installed\nConffiles:\n /etc/sudoers {md5}\n \
                 /etc/old {md5} obsolete\n /etc/new newconffile\nDescription: x\n /etc/not {md5}\n\n\
                 Package: gone\nStatus: deinstall ok config-files\nConffiles:\n /etc/gone {md5}\n\n\
                 Package: bare\nVersion: 1\n"
            ),
            &[
                "package sudo",
                "sudo: etc/sudoers Md5 0cc175b9 config",
                "sudo: etc/old Md5 0cc175b9 config",
                "sudo: etc/new config",
                "package bare",
            ],
        );
    }
}
