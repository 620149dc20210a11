//! Paths: names are matched from their end, so that a volume's `/etc/shadow`, a scanned
//! directory's `etc/shadow` and a backup's `srv/old/etc/shadow` are all one.

/// Whether the last components of `path` are those of `tail`, in which one `*` stands for any
/// text inside its component.
pub(super) fn ends_with(path: &[u8], tail: &str) -> bool {
    let mut have = components(path).rev();
    tail.as_bytes()
        .rsplit(|&b| b == b'/')
        .all(|want| have.next().is_some_and(|have| component_matches(have, want)))
}

/// Whether any of `tails` fits.
pub(super) fn ends_with_any(path: &[u8], tails: &[&str]) -> bool {
    tails.iter().any(|tail| ends_with(path, tail))
}

/// Whether the components of `inner` stand next to one another in `path`, before its last one.
pub(super) fn under(path: &[u8], inner: &str) -> bool {
    let parts: Vec<&[u8]> = components(path).collect();
    let want: Vec<&[u8]> = inner.as_bytes().split(|&b| b == b'/').collect();
    let Some((_, folders)) = parts.split_last() else { return false };
    folders
        .windows(want.len().max(1))
        .any(|have| have.iter().zip(&want).all(|(have, want)| component_matches(have, want)))
}

/// The last component.
pub(super) fn file_name(path: &[u8]) -> &[u8] {
    components(path).next_back().unwrap_or_default()
}

/// The user whose home `path` lies in, when the path tells.
pub(super) fn user(path: &[u8]) -> Option<String> {
    let parts: Vec<&[u8]> = components(path).collect();
    let (_, folders) = parts.split_last()?;
    for (at, part) in folders.iter().enumerate() {
        match *part {
            b"root" => return Some("root".to_owned()),
            b"home" | b"Users" => return folders.get(at + 1).map(|name| super::piece::text(name)),
            _ => {}
        }
    }
    None
}

fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&b| b == b'/').filter(|part| !part.is_empty())
}

fn component_matches(have: &[u8], want: &[u8]) -> bool {
    match want.iter().position(|&b| b == b'*') {
        None => have == want,
        Some(star) => {
            let (head, tail) = want.split_at(star);
            let tail = tail.get(1..).unwrap_or_default();
            have.len() >= head.len() + tail.len() && have.starts_with(head) && have.ends_with(tail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_from_the_end() {
        for (path, tail, expected) in [
            ("/etc/shadow", "etc/shadow", true),
            ("etc/shadow", "etc/shadow", true),
            ("/srv/etc/shadow", "etc/shadow", true),
            ("/xetc/shadow", "etc/shadow", false),
            ("shadow", "etc/shadow", false),
            ("/etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_*_key", true),
            ("/etc/ssh/ssh_host_key", "etc/ssh/ssh_host_*_key", false),
            ("", "x", false),
        ] {
            assert_eq!(ends_with(path.as_bytes(), tail), expected, "{path} {tail}");
        }
        assert!(under(b"/var/lib/cloud/instances/i-1/x", "lib/cloud/instances/*"));
        assert!(!under(b"/var/lib/cloud", "lib/cloud"));
        assert!(!under(b"", "lib"));
    }

    #[test]
    fn names_the_user() {
        for (path, expected) in [
            ("/root/.ssh/x", Some("root")),
            ("home/eve/.ssh/x", Some("eve")),
            ("/etc/x", None),
            ("/home/x", None),
        ] {
            assert_eq!(user(path.as_bytes()).as_deref(), expected, "{path}");
        }
    }
}
