//! The items of AWS's lists: what must not be left on an image, and which list says so.

use super::Settings;
use crate::finding::{Rule, Severity};

/// One requirement.
pub(super) struct Item {
    /// Its code in the reports.
    pub(super) code: &'static str,
    pub(super) rule: Rule,
    /// The lists that have it.
    pub(super) profiles: &'static [&'static str],
    /// Files that must not be there.
    pub(super) paths: &'static [&'static str],
    /// How long such a file is at least: an empty one is what is wanted.
    pub(super) least: u64,
    /// Findings that must not be there, by the beginnings of their rules.
    pub(super) rules: &'static [&'static str],
    /// Of that user alone.
    pub(super) user: Option<&'static str>,
    /// Whether no secret at all may be there.
    pub(super) any_secret: bool,
    /// Of the files, those whose names begin so are what every system has.
    pub(super) usual: &'static [&'static str],
    /// What the configuration must not say: the file, and what it says.
    pub(super) setting: Option<fn(&Settings) -> Option<(Vec<u8>, String)>>,
    /// Formats of volumes that must not be there.
    pub(super) formats: &'static [&'static str],
}

const SHARED: &str = "aws-shared";
const MARKET: &str = "marketplace-2025";
const BUILDER: &str = "image-builder";

const CLEAN: &str = "Clean the image up before it is shared, and make a new snapshot of a new filesystem: deleted files stay in the old one.";

/// An item that asks for nothing yet.
const fn item(
    code: &'static str,
    rule: (&'static str, &'static str, Severity),
    profiles: &'static [&'static str],
) -> Item {
    let (id, title, severity) = rule;
    Item {
        code,
        rule: Rule { id, title, severity, rotate: CLEAN },
        profiles,
        paths: &[],
        least: 1,
        rules: &[],
        user: None,
        any_secret: false,
        usual: &[],
        setting: None,
        formats: &[],
    }
}

impl Item {
    const fn paths(self, paths: &'static [&'static str]) -> Item {
        Item { paths, ..self }
    }

    const fn least(self, least: u64) -> Item {
        Item { least, ..self }
    }

    const fn rules(self, rules: &'static [&'static str]) -> Item {
        Item { rules, ..self }
    }

    const fn user(self, user: &'static str) -> Item {
        Item { user: Some(user), ..self }
    }

    const fn any_secret(self) -> Item {
        Item { any_secret: true, ..self }
    }

    const fn usual(self, usual: &'static [&'static str]) -> Item {
        Item { usual, ..self }
    }

    const fn formats(self, formats: &'static [&'static str]) -> Item {
        Item { formats, ..self }
    }

    const fn setting(self, judge: fn(&Settings) -> Option<(Vec<u8>, String)>) -> Item {
        Item { setting: Some(judge), ..self }
    }
}

use Severity::{High, Info, Low, Medium};

/// Every item that a disk can tell of, by the codes of docs/provenance.md.
pub(super) static ITEMS: &[Item] = &[
    item("AWS-01", ("hygiene.aws_01", "AWS-01: SSH host keys are left", High), &[SHARED, BUILDER])
        .paths(&["etc/ssh/ssh_host_*_key", "etc/ssh/ssh_host_*_key.pub", "etc/ssh/ssh_host_key"]),
    item(
        "AWS-02",
        ("hygiene.aws_02", "AWS-02: keys that may log in are left", High),
        &[SHARED, MARKET, BUILDER],
    )
    .paths(&[
        "root/.ssh/authorized_keys*",
        "home/*/.ssh/authorized_keys*",
        "var/root/.ssh/authorized_keys*",
        "Users/*/.ssh/authorized_keys*",
    ]),
    item(
        "AWS-03",
        ("hygiene.aws_03", "AWS-03: root may log in with a password", Medium),
        &[SHARED, MARKET],
    )
    .setting(root_login),
    item("AWS-04", ("hygiene.aws_04", "AWS-04: SSH lets passwords in", Medium), &[MARKET])
        .setting(passwords),
    item("AWS-05", ("hygiene.aws_05", "AWS-05: root has a password", High), &[SHARED])
        .rules(&["linux.shadow."])
        .user("root"),
    item(
        "AWS-06",
        ("hygiene.aws_06", "AWS-06: accounts without a password", High),
        &[SHARED, MARKET],
    )
    .rules(&["linux.shadow.empty"]),
    item(
        "AWS-07",
        ("hygiene.aws_07", "AWS-07: passwords, hashes of them, or private keys are left", High),
        &[MARKET],
    )
    .rules(&["linux.shadow.", "private_key.", "ssh.private_key."])
    .any_secret(),
    item("AWS-08", ("hygiene.aws_08", "AWS-08: AWS credentials are left", High), &[SHARED])
        .paths(&["root/.aws/credentials", "home/*/.aws/credentials"])
        .rules(&["aws."]),
    item("AWS-09", ("hygiene.aws_09", "AWS-09: shell histories are left", Medium), &[SHARED])
        .paths(&["root/.*history", "home/*/.*history", "root/.*_history-*", "home/*/.*_history-*"]),
    item("AWS-10", ("hygiene.aws_10", "AWS-10: services that speak in clear", Medium), &[SHARED])
        .paths(&[
            "etc/xinetd.d/telnet",
            "etc/systemd/system/*.wants/telnet.socket",
            "etc/systemd/system/*.wants/vsftpd.service",
            "etc/systemd/system/*.wants/proftpd.service",
            "etc/systemd/system/*.wants/pure-ftpd.service",
            "etc/systemd/system/*.wants/rsh.socket",
        ]),
    item(
        "AWS-11",
        ("hygiene.aws_11", "AWS-11: services that start, to be looked at", Info),
        &[SHARED, MARKET],
    )
    .paths(&[
        "etc/systemd/system/multi-user.target.wants/*.service",
        "etc/systemd/system/default.target.wants/*.service",
        "etc/systemd/system/graphical.target.wants/*.service",
        "etc/systemd/system/sockets.target.wants/*.socket",
        "etc/rc2.d/S*",
        "etc/rc3.d/S*",
        "etc/rc5.d/S*",
        "etc/xinetd.d/*",
    ])
    .usual(&USUAL),
    item("AWS-11", ("hygiene.aws_11_port", "AWS-11: SSH listens on another port", Info), &[MARKET])
        .setting(other_port),
    item("AWS-12", ("hygiene.aws_12", "AWS-12: logs are sent to others", Medium), &[SHARED])
        .paths(&[
            "etc/filebeat/filebeat.yml",
            "etc/td-agent/td-agent.conf",
            "etc/td-agent-bit/td-agent-bit.conf",
            "etc/vector/vector.toml",
            "etc/systemd/system/*.wants/systemd-journal-upload.service",
        ])
        .setting(|settings| settings.remote_log.clone()),
    item("AWS-13", ("hygiene.aws_13", "AWS-13: jobs of users to be looked at", Info), &[SHARED])
        .paths(&["var/spool/cron/*", "var/spool/cron/crontabs/*", "var/spool/cron/tabs/*"]),
    item("AWS-14", ("hygiene.aws_14", "AWS-14: other accounts of power", Medium), &[SHARED])
        .rules(&["linux.uid0", "linux.sudo.nopasswd"]),
    item(
        "AWS-15",
        ("hygiene.aws_15", "AWS-15: cloud-init's sudo rules are left", Medium),
        &[BUILDER],
    )
    .paths(&["etc/sudoers.d/90-cloud-init-users"]),
    item("AWS-16", ("hygiene.aws_16", "AWS-16: cloud-init's state is left", Medium), &[BUILDER])
        .paths(&["var/lib/cloud/**", "var/log/cloud-init.log*", "var/log/cloud-init-output.log*"]),
    item("AWS-17", ("hygiene.aws_17", "AWS-17: the instance's identity is left", Low), &[BUILDER])
        .paths(&[
            "etc/hostname",
            "etc/locale.conf",
            "etc/.updated",
            "var/.updated",
            "etc/aliases.db",
            "var/lib/systemd/random-seed",
            "var/lib/dhclient/dhclient*.lease",
            "var/lib/dhcp/dhclient.*",
        ]),
    // `uninitialized` is what a clean image may say.
    item("AWS-17", ("hygiene.aws_17_machine", "AWS-17: the machine's id is left", Low), &[BUILDER])
        .paths(&["etc/machine-id", "var/lib/dbus/machine-id"])
        .least(32),
    item("AWS-18", ("hygiene.aws_18", "AWS-18: logs are left", Low), &[BUILDER]).paths(&[
        "var/log/audit/audit.log*",
        "var/log/boot.log*",
        "var/log/dmesg*",
        "var/log/cron*",
        "var/log/messages*",
        "var/log/secure*",
        "var/log/wtmp*",
        "var/log/btmp*",
        "var/log/journal/**",
        "var/log/sa/sa*",
        "var/log/amazon/ssm/**",
        "var/lib/rsyslog/imjournal.state",
    ]),
    item("AWS-19", ("hygiene.aws_19", "AWS-19: what builds leave is left", Low), &[BUILDER]).paths(
        &["var/tmp/**", "tmp/**", "**/TOE_*/**", "var/lib/dnf/history*", "var/lib/yum/history/**"],
    ),
    item(
        "AWS-19",
        ("hygiene.aws_19_marker", "AWS-19: the build was told to leave things", Medium),
        &[BUILDER],
    )
    .paths(&["**/skip_cleanup_*", "**/perform_cleanup"])
    .least(0),
    item(
        "AWS-20",
        ("hygiene.aws_20", "AWS-20: Windows keeps what its preparation should have removed", High),
        &[MARKET],
    )
    .paths(&["Windows/Panther/unattend.xml", "Windows/Panther/Unattend/*", "*nattend.xml"])
    .rules(&["win."]),
    item("AWS-20", ("hygiene.aws_20_logs", "AWS-20: Windows keeps its event logs", Low), &[MARKET])
        .paths(&[
            "Windows/System32/winevt/Logs/Security.evtx",
            "Windows/System32/winevt/Logs/System.evtx",
        ]),
    item("AWS-20", ("hygiene.aws_20_sysprep", "AWS-20: Windows was not prepared", High), &[MARKET])
        .setting(|settings| settings.not_prepared.clone()),
    item(
        "AWS-21",
        ("hygiene.aws_21", "AWS-21: a system that is no longer maintained", High),
        &[MARKET],
    )
    .setting(out_of_date),
    item("AWS-22", ("hygiene.aws_22", "AWS-22: what malware leaves", High), &[MARKET]).rules(&[
        "persist.reverse_shell",
        "persist.miner",
        "persist.web_shell",
        "persist.preload",
        "integrity.changed_file",
        "integrity.setuid_shell",
        "integrity.stray_kernel_module",
    ]),
    item(
        "AWS-23",
        ("hygiene.aws_23", "AWS-23: a volume that is encrypted or of a format not allowed", Medium),
        &[MARKET],
    )
    .formats(&[
        "LUKS",
        "BitLocker",
        "btrfs",
        "ZFS",
        "Linux md",
        "F2FS",
        "JFS",
        "ReiserFS",
        "UFS",
        "APFS",
        "HFS+",
        "ReFS",
        "bcachefs",
    ]),
    item("AWS-23", ("hygiene.aws_23_bits", "AWS-23: a system of 32 bits", Medium), &[MARKET])
        .setting(|settings| settings.narrow.clone()),
    item("AWS-24", ("hygiene.aws_24", "AWS-24: a way in for others", High), &[MARKET]).paths(&[
        "opt/teamviewer/**",
        "etc/anydesk/**",
        "usr/bin/anydesk",
        "usr/sbin/tailscaled",
        "usr/bin/tailscaled",
        "var/lib/zerotier-one/identity.secret",
        "usr/bin/ngrok",
        "usr/local/bin/ngrok",
        "usr/bin/cloudflared",
        "usr/local/bin/cloudflared",
    ]),
    item(
        "AWS-25",
        ("hygiene.aws_25", "AWS-25: credentials that an application came with", Medium),
        &[SHARED, MARKET],
    )
    .paths(&[
        "root/*credentials*",
        "root/*password*",
        "home/*/*credentials*",
        "root/.mysql_secret",
    ]),
];

fn ssh_file() -> Vec<u8> {
    b"etc/ssh/sshd_config".to_vec()
}

fn root_login(settings: &Settings) -> Option<(Vec<u8>, String)> {
    let value = settings.ssh("permitrootlogin", "prohibit-password")?;
    let open = !matches!(value.as_str(), "no" | "prohibit-password" | "without-password");
    open.then(|| (ssh_file(), format!("PermitRootLogin {value}")))
}

fn passwords(settings: &Settings) -> Option<(Vec<u8>, String)> {
    let value = settings.ssh("passwordauthentication", "yes")?;
    (value != "no").then(|| (ssh_file(), format!("PasswordAuthentication {value}")))
}

/// Services that systems bring along, and those that AWS puts on its own.
static USUAL: [&str; 41] = [
    "acpid",
    "amazon-",
    "apparmor",
    "apt-",
    "atd",
    "auditd",
    "autofs",
    "avahi-daemon.socket",
    "chrony",
    "cloud-",
    "console-setup",
    "cron",
    "dbus",
    "dnf-",
    "dmesg",
    "e2scrub",
    "getty@",
    "grub",
    "hibinit-agent",
    "irqbalance",
    "kdump",
    "libstoragemgmt",
    "lvm2-",
    "networkd-dispatcher",
    "NetworkManager",
    "ntp",
    "open-vm-tools",
    "policy-routes",
    "remote-fs",
    "rngd",
    "rpcbind",
    "rsyslog",
    "secureboot-db",
    "snap",
    "ssh",
    "sysstat",
    "systemd-",
    "ua-",
    "ubuntu-",
    "udisks2",
    "unattended-upgrades",
];

fn other_port(settings: &Settings) -> Option<(Vec<u8>, String)> {
    let port = settings.ssh("port", "22")?;
    (port != "22").then(|| (ssh_file(), format!("Port {port}")))
}

/// Systems whose maintenance for everybody had ended when this list was made, November 2026: the
/// name, and the first version that it had not ended for.
const MAINTAINED: [(&str, u32, u32); 8] = [
    ("debian", 12, 0),
    ("ubuntu", 22, 4),
    ("amzn", 2023, 0),
    ("centos", 9, 0),
    ("rhel", 8, 0),
    ("rocky", 8, 0),
    ("almalinux", 8, 0),
    ("fedora", 43, 0),
];

fn out_of_date(settings: &Settings) -> Option<(Vec<u8>, String)> {
    let (name, version) = (settings.release("ID"), settings.release("VERSION_ID"));
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    let major = numbers.next().flatten()?;
    let minor = numbers.next().flatten().unwrap_or(0);
    let (_, least_major, least_minor) = MAINTAINED.iter().find(|(known, ..)| *known == name)?;
    let old = (major, minor) < (*least_major, *least_minor);
    old.then(|| (b"etc/os-release".to_vec(), format!("{name} {version}")))
}
