//! What is mounted on this host, as the kernel lists it in `/proc/self/mountinfo`
//! (<https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html>). Asking each filesystem
//! itself would not tell `devtmpfs` from `tmpfs`, and would make an automounter mount.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Filesystems the kernel makes up: they show its state and keep no one's files. Not `tmpfs` and
/// `ramfs`: what lies in those was put there.
const MADE_UP: [&str; 22] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nfsd",
    "nsfs",
    "proc",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
];

struct Mount {
    device: u64,
    point: PathBuf,
    kind: Box<str>,
}

/// The mounts of this host; none where the kernel does not list them.
#[derive(Default)]
pub(super) struct Mounts {
    all: Vec<Mount>,
}

impl Mounts {
    /// Those this process sees.
    pub(super) fn of_this_process() -> Mounts {
        std::fs::read("/proc/self/mountinfo").map_or_else(|_| Mounts::default(), |t| parse(&t))
    }

    /// The name of the filesystem on `device`, if the kernel makes it up.
    pub(super) fn made_up(&self, device: u64) -> Option<&str> {
        let kind = &*self.all.iter().find(|mount| mount.device == device)?.kind;
        MADE_UP.contains(&kind).then_some(kind)
    }

    /// Where below `path` something is mounted that the kernel does not make up, in path order.
    pub(super) fn real_below(&self, path: &Path) -> Vec<&Path> {
        let real = self.all.iter().filter(|mount| !MADE_UP.contains(&&*mount.kind));
        let points = real.map(|mount| mount.point.as_path());
        let mut below: Vec<_> = points.filter(|p| *p != path && p.starts_with(path)).collect();
        below.sort_unstable();
        below.dedup();
        below
    }
}

fn parse(text: &[u8]) -> Mounts {
    Mounts { all: text.split(|&b| b == b'\n').filter_map(mount).collect() }
}

/// One line: id, parent, device, root, mount point, options and optional fields up to a hyphen,
/// then type, source and options of the filesystem.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&b| b == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let device = rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?);
    let point = unescape(fields.nth(1)?).into();
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount { device, point, kind: std::str::from_utf8(kind).ok()?.into() })
}

/// A name as it is: the kernel writes a space, a tab, a line feed and a backslash as a backslash
/// and three octal digits.
fn unescape(name: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.first_chunk::<3>().filter(|_| byte == b'\\');
        let octal = digits.and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 8).ok());
        plain.push(octal.unwrap_or(byte));
        rest = if octal.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"22 27 0:21 / /proc rw,relatime - proc proc rw\n\
        24 27 0:6 / /dev rw,nosuid shared:2 master:1 - devtmpfs devtmpfs rw,mode=755\n\
        25 24 0:23 / /dev/shm rw - tmpfs tmpfs rw\n\
        26 24 0:23 / /dev/shm rw - tmpfs tmpfs rw\n\
        27 24 0:24 / /dev/pts rw - devpts devpts rw\n\
        28 1 254:1 / /device rw - ext4 /dev/vdb rw\n\
        29 1 0:30 / /a\\040b\\134 rw - fuse.sshfs me@there rw\n\
        rubbish\n\
        30 1 x:y / /z rw - proc proc rw\n";

    #[test]
    fn tells_what_the_kernel_makes_up() {
        let mounts = parse(LIST);
        let kind = |major, minor| mounts.made_up(rustix::fs::makedev(major, minor));
        assert_eq!((kind(0, 21), kind(0, 6)), (Some("proc"), Some("devtmpfs")));
        assert_eq!((kind(0, 23), kind(254, 1), kind(9, 9)), (None, None, None));
        assert_eq!(Mounts::default().made_up(0), None, "nothing is passed over unseen");
    }

    #[test]
    fn tells_what_holds_data_below() {
        let mounts = parse(LIST);
        let below = |path| mounts.real_below(Path::new(path));
        assert_eq!(below("/dev"), [Path::new("/dev/shm")]);
        assert!(below("/proc").is_empty());
        let all = ["/a b\\", "/dev/shm", "/device"];
        assert_eq!(below("/"), all.map(Path::new));
    }
}
