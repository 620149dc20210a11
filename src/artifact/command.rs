//! What secrets a command line holds: the grammar of the programs that take them as arguments.

use super::judge::{self, Kind};
use super::piece::Piece;
use super::shell::{Command, Value, Word};
use super::{piece, uri};
use crate::finding::{Grade, Harmless, Match, Rule};
use crate::limits;

/// How an option carries its secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// In the same word alone: `-pX`, `--password=X`.
    Glued,
    /// In the same word or in the next.
    Value,
    /// The same, and it is a token or a key rather than a password.
    Token,
    /// `user:password`.
    Login,
    /// `user%password`.
    Percent,
    /// `pass:X`.
    Pass,
    /// `Authorization: …`.
    Header,
}

/// An option of some programs.
struct Opt {
    programs: &'static [&'static str],
    /// A word that must stand among the first ones; empty for none.
    verb: &'static str,
    name: &'static str,
    shape: Shape,
}

const MYSQL: &[&str] = &[
    "mysql",
    "mysqldump",
    "mysqladmin",
    "mysqlimport",
    "mysqlshow",
    "mysqlcheck",
    "mysqlbinlog",
    "mariadb",
    "mariadb-dump",
    "mariadb-admin",
    "mydumper",
    "mycli",
    "xtrabackup",
];
const MONGO: &[&str] =
    &["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "cqlsh"];
const CONTAINERS: &[&str] =
    &["docker", "podman", "nerdctl", "buildah", "skopeo", "helm", "az", "oc", "crane", "oras"];
const CURL: &[&str] = &["curl"];
const SAMBA: &[&str] = &["smbclient", "rpcclient", "smbmap", "net", "wmic", "winexe", "smbget"];
const LDAP: &[&str] =
    &["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldappasswd", "ldapwhoami"];
const SQL_SERVER: &[&str] = &["sqlcmd", "bcp", "tsql", "osql", "isql"];
const SNMP: &[&str] = &["snmpwalk", "snmpget", "snmpset", "snmpbulkwalk"];

const fn opt(
    programs: &'static [&'static str],
    verb: &'static str,
    name: &'static str,
    shape: Shape,
) -> Opt {
    Opt { programs, verb, name, shape }
}

static OPTIONS: &[Opt] = &[
    opt(MYSQL, "", "-p", Shape::Glued),
    opt(MYSQL, "", "--password", Shape::Glued),
    opt(&["sshpass"], "", "-p", Shape::Value),
    opt(CURL, "", "-u", Shape::Login),
    opt(CURL, "", "--user", Shape::Login),
    opt(CURL, "", "-U", Shape::Login),
    opt(CURL, "", "--proxy-user", Shape::Login),
    opt(CURL, "", "-H", Shape::Header),
    opt(&["curl", "wget"], "", "--header", Shape::Header),
    opt(CURL, "", "--oauth2-bearer", Shape::Token),
    opt(CURL, "", "--pass", Shape::Value),
    opt(&["http", "https", "xh"], "", "-a", Shape::Login),
    opt(CONTAINERS, "login", "-p", Shape::Value),
    opt(&["redis-cli"], "", "-a", Shape::Value),
    opt(MONGO, "", "-p", Shape::Value),
    opt(&["useradd", "usermod"], "", "-p", Shape::Token),
    opt(&["useradd", "usermod"], "", "--password", Shape::Token),
    opt(SAMBA, "", "-U", Shape::Percent),
    opt(LDAP, "", "-w", Shape::Value),
    opt(&["openssl"], "", "-passin", Shape::Pass),
    opt(&["openssl"], "", "-passout", Shape::Pass),
    opt(&["openssl"], "", "-pass", Shape::Pass),
    opt(&["openssl"], "enc", "-k", Shape::Value),
    opt(SQL_SERVER, "", "-P", Shape::Value),
    opt(&["zip", "unzip", "ipmitool"], "", "-P", Shape::Value),
    opt(&["7z", "7za", "7zz", "rar", "unrar"], "", "-p", Shape::Glued),
    opt(&["keytool", "jarsigner"], "", "-storepass", Shape::Value),
    opt(&["keytool", "jarsigner"], "", "-keypass", Shape::Value),
    opt(SNMP, "", "-c", Shape::Value),
    opt(SNMP, "", "-A", Shape::Value),
    opt(SNMP, "", "-X", Shape::Value),
    opt(&["ssh-keygen"], "", "-N", Shape::Value),
    opt(&["rdesktop"], "", "-p", Shape::Value),
    opt(&["xfreerdp"], "", "/p:", Shape::Glued),
    opt(&["nmcli"], "", "password", Shape::Value),
    opt(&["aws"], "configure", "aws_secret_access_key", Shape::Token),
    opt(&["aws"], "configure", "aws_session_token", Shape::Token),
    opt(&["vault"], "login", "login", Shape::Token),
];

/// A program whose secret is an argument by its place.
struct Positional {
    program: &'static str,
    /// The word before the arguments that count; empty for the program itself.
    verb: &'static str,
    /// A flag without which the program asks; empty for none.
    flag: u8,
    /// Which argument, counted from zero.
    index: usize,
}

static POSITIONALS: &[Positional] = &[
    Positional { program: "htpasswd", verb: "", flag: b'b', index: 2 },
    Positional { program: "rabbitmqctl", verb: "add_user", flag: 0, index: 1 },
    Positional { program: "rabbitmqctl", verb: "change_password", flag: 0, index: 1 },
    Positional { program: "wpa_passphrase", verb: "", flag: 0, index: 1 },
];

/// Programs that only start another.
const WRAPPERS: [&str; 11] = [
    "sudo",
    "env",
    "time",
    "nohup",
    "exec",
    "command",
    "nice",
    "doas",
    "builtin",
    "stdbuf",
    "systemd-run",
];

/// The secrets of the commands of one line, which stands in `blob`.
pub(super) fn secrets(
    rule: &'static Rule,
    commands: &[Command],
    blob: Piece<'_>,
    found: &mut dyn FnMut(Match),
) {
    let mut before: Option<&Command> = None;
    for command in commands {
        let mut line = Line::new(rule, command, blob);
        line.assignments();
        line.options();
        line.positionals();
        line.generic();
        if let Some(writer) = before.filter(|_| command.piped) {
            line.standard_input(written_by(writer));
        }
        let here: Vec<Word> = command.here.iter().cloned().collect();
        line.standard_input(here.iter().map(Word::value).collect());
        line.report(found);
        before = Some(command);
    }
}

/// What `echo` or `printf` writes: its arguments that are no options.
fn written_by(command: &Command) -> Vec<Value<'_>> {
    let mut words = command.words.iter().map(Word::value);
    match words.next().map(|word| word.bytes) {
        Some(b"echo" | b"printf") => {
            words.filter(|w| !w.bytes.starts_with(b"-") && !w.bytes.starts_with(b"%")).collect()
        }
        _ => Vec::new(),
    }
}

/// One command on its way to its matches.
struct Line<'c, 'b> {
    rule: &'static Rule,
    blob: Piece<'b>,
    /// The assignments before the program.
    before: Vec<Value<'c>>,
    program: String,
    /// Whether `sudo` before it reads a password from its standard input.
    sudo_reads: bool,
    /// The words after the program.
    words: Vec<Value<'c>>,
    matches: Vec<Match>,
}

impl<'c, 'b> Line<'c, 'b> {
    fn new(rule: &'static Rule, command: &'c Command, blob: Piece<'b>) -> Line<'c, 'b> {
        let all: Vec<Value<'c>> = command.words.iter().map(Word::value).collect();
        let mut before = Vec::new();
        let mut program = String::new();
        let mut rest = all.iter().copied().enumerate();
        let mut wrapped = false;
        let mut sudo_reads = false;
        let mut start = all.len();
        while let Some((number, word)) = rest.next() {
            if assignment(word).is_some() {
                before.push(word);
                continue;
            }
            // Options of a wrapper; those of `sudo` that take a value take the next word.
            if wrapped && word.bytes.starts_with(b"-") {
                sudo_reads |= program == "sudo" && word.bytes.contains(&b'S');
                if matches!(word.bytes, b"-u" | b"-g" | b"-n") {
                    rest.next();
                }
                continue;
            }
            let name = word.bytes.rsplit(|&b| b == b'/').next().unwrap_or_default();
            program = piece::text(name);
            start = number.saturating_add(1);
            wrapped = WRAPPERS.contains(&program.as_str());
            if !wrapped {
                break;
            }
        }
        let words = all.get(start..).unwrap_or_default().to_vec();
        Line { rule, blob, before, program, sudo_reads, words, matches: Vec::new() }
    }

    /// Keep a match, unless these bytes already have one.
    fn keep(&mut self, grade: Grade, kind: Kind, value: Value<'_>) {
        let span = value.written(self.blob);
        if !value.bytes.is_empty() {
            let mut found = judge::decoded(self.rule, grade, (kind, value.bytes), span);
            if judge::is_expansion(value.bytes) {
                found.harmless = Some(Harmless::Placeholder);
            }
            self.add(found);
        }
    }

    fn add(&mut self, found: Match) {
        let known = self.matches.iter().any(|m| m.span.start == found.span.start);
        if !known && self.matches.len() < limits::COMMAND_SECRETS {
            self.matches.push(found);
        }
    }

    /// `PGPASSWORD=x psql`, and alone.
    fn assignments(&mut self) {
        for word in std::mem::take(&mut self.before) {
            self.named(word);
        }
    }

    /// The options that the table knows.
    fn options(&mut self) {
        let program = std::mem::take(&mut self.program);
        for option in OPTIONS.iter().filter(|o| o.programs.contains(&program.as_str())) {
            let verb = option.verb.as_bytes();
            if !verb.is_empty() && !self.words.iter().take(4).any(|w| w.bytes == verb) {
                continue;
            }
            for number in 0..self.words.len() {
                if let Some(value) = self.option_value(option, number) {
                    self.shaped(option.shape, value);
                }
            }
        }
        self.program = program;
    }

    /// The value of `option` when word `number` is that option.
    fn option_value(&self, option: &Opt, number: usize) -> Option<Value<'c>> {
        let word = self.words.get(number)?;
        let rest = word.strip_prefix(option.name.as_bytes())?;
        if rest.bytes.is_empty() {
            let next = self.words.get(number.checked_add(1)?).copied()?;
            let separate = option.shape != Shape::Glued && !next.bytes.starts_with(b"-");
            return separate.then_some(next);
        }
        let long = option.name.starts_with("--");
        let short = option.name.len() == 2 || option.name.ends_with(':');
        match rest.strip_prefix(b"=").filter(|_| long) {
            Some(value) => Some(value),
            None => short.then_some(rest),
        }
    }

    fn shaped(&mut self, shape: Shape, value: Value<'_>) {
        match shape {
            Shape::Glued | Shape::Value => self.keep(Grade::Strong, Kind::Password, value),
            Shape::Token => self.keep(Grade::Strong, Kind::Token, value),
            Shape::Login => self.login(value, b':'),
            Shape::Percent => self.login(value, b'%'),
            Shape::Pass => {
                if let Some(password) = value.strip_prefix(b"pass:") {
                    self.keep(Grade::Strong, Kind::Password, password);
                }
            }
            Shape::Header => self.header(value),
        }
    }

    /// `user:password`, of which only what follows the sign is secret.
    fn login(&mut self, value: Value<'_>, sign: u8) {
        let Some((user, password)) = value.split_once(sign) else { return };
        let count = self.matches.len();
        self.keep(Grade::Strong, Kind::Password, password);
        if let Some(found) = self.matches.get_mut(count) {
            found.facts.insert("user", piece::text(user.bytes));
        }
    }

    fn header(&mut self, value: Value<'_>) {
        let Some((name, content)) = value.split_once(b':') else { return };
        let content = content.from(content.bytes.len() - content.bytes.trim_ascii_start().len());
        if name.bytes.trim_ascii().eq_ignore_ascii_case(b"authorization") {
            // Spans of the decoded word are those of the blob as long as no quote stands inside.
            if let Some(found) = uri::authorization(self.rule, content.piece()) {
                self.add(found);
            }
        } else if let Some(kind) = judge::secretive(name.bytes) {
            self.keep(Grade::Strong, kind, content);
        }
    }

    /// Secrets that are known by their place.
    fn positionals(&mut self) {
        let entries = POSITIONALS.iter().filter(|entry| entry.program == self.program);
        let values: Vec<Value<'c>> = entries.filter_map(|entry| self.positional(entry)).collect();
        for value in values {
            self.keep(Grade::Strong, Kind::Password, value);
        }
    }

    fn positional(&self, entry: &Positional) -> Option<Value<'c>> {
        let flagged = |word: &Value<'_>| {
            let short = word.bytes.starts_with(b"-") && !word.bytes.starts_with(b"--");
            short && word.bytes.contains(&entry.flag)
        };
        if entry.flag != 0 && !self.words.iter().any(flagged) {
            return None;
        }
        let start = match entry.verb.as_bytes() {
            b"" => 0,
            verb => self.words.iter().position(|w| w.bytes == verb)?.checked_add(1)?,
        };
        let arguments = self.words.iter().skip(start).filter(|w| !w.bytes.starts_with(b"-"));
        arguments.copied().nth(entry.index)
    }

    /// What any program's arguments show: logins in URIs, and names that say so.
    fn generic(&mut self) {
        for (number, &word) in self.words.clone().iter().enumerate() {
            if word.bytes.windows(3).any(|w| w == b"://") {
                self.logins(word);
            }
            self.named(word);
            let Some(name) = word.strip_prefix(b"--") else { continue };
            let Some(kind) = judge::secretive(name.bytes) else { continue };
            let next = self.words.get(number.saturating_add(1)).copied().unwrap_or_default();
            let glued = MYSQL.contains(&self.program.as_str());
            if !glued && !next.bytes.starts_with(b"-") && !judge::is_setting(next.bytes) {
                self.keep(Grade::Plausible, kind, next);
            }
        }
    }

    fn logins(&mut self, word: Value<'_>) {
        let rule = self.rule;
        for found in uri::logins(word.piece()).filter_map(|login| login.found(rule)) {
            self.add(found);
        }
    }

    /// `NAME=value`, alone, in an option, or in a list.
    fn named(&mut self, word: Value<'_>) {
        let sign = if self.program == "mount" { b',' } else { b'&' };
        let mut rest = Some(word);
        while let Some(part) = rest {
            let (part, after) = match part.split_once(sign) {
                Some((part, after)) => (part, Some(after)),
                None => (part, None),
            };
            rest = after;
            if let Some((kind, value)) = nearest(part) {
                self.keep(Grade::Plausible, kind, value);
            }
            if assignment(part).is_some() && part.bytes.windows(3).any(|w| w == b"://") {
                self.logins(part);
            }
        }
    }

    /// What is piped in, when the command reads a password there.
    fn standard_input(&mut self, written: Vec<Value<'_>>) {
        let has = |flag: &[u8]| self.words.iter().any(|w| w.bytes == flag);
        let program = self.program.as_str();
        let lines = matches!(program, "chpasswd");
        let reads = has(b"--password-stdin")
            || has(b"--stdin")
            || has(b"--with-token")
            || matches!(program, "kinit" | "cryptsetup" | "passwd");
        let sudo_reads = self.sudo_reads;
        for value in written {
            let count = self.matches.len();
            if lines {
                self.login(value, b':');
            } else if reads || sudo_reads {
                self.keep(Grade::Strong, Kind::Password, value);
            }
            if let Some(found) = self.matches.get_mut(count).filter(|_| sudo_reads && !reads) {
                found.facts.insert("command", "sudo".to_owned());
            }
        }
    }

    fn report(self, found: &mut dyn FnMut(Match)) {
        if self.matches.is_empty() {
            return;
        }
        let (user, host) = self.target();
        for mut one in self.matches {
            if !one.facts.contains_key("user") {
                one = one.fact("user", user.as_str());
            }
            if !one.facts.contains_key("host") {
                one = one.fact("host", host.as_str());
            }
            if !one.facts.contains_key("command") {
                one = one.fact("command", self.program.as_str());
            }
            found(one);
        }
    }

    /// The user and the host that the arguments name.
    fn target(&self) -> (String, String) {
        let (mut user, mut host) = (String::new(), String::new());
        let program = self.program.as_str();
        let server = LDAP.contains(&program) || SQL_SERVER.contains(&program);
        for (number, word) in self.words.iter().enumerate() {
            let next = self.words.get(number.saturating_add(1)).map_or(&b""[..], |w| w.bytes);
            let long = |name: &[u8]| word.bytes.strip_prefix(name);
            match word.bytes {
                b"-h" | b"--host" | b"--hostname" if host.is_empty() => host = piece::text(next),
                b"-H" | b"-S" if host.is_empty() && server => {
                    host = piece::text(next);
                }
                b"-u" | b"--user" | b"--username" | b"-U" | b"-D" if user.is_empty() => {
                    user = piece::text(
                        next.split(|&b| b == b':' || b == b'%').next().unwrap_or_default(),
                    );
                }
                [b'-', b'h', rest @ ..] if host.is_empty() => host = piece::text(rest),
                [b'-', b'u', rest @ ..] if user.is_empty() => user = piece::text(rest),
                _ => {}
            }
            if let Some(name) = long(b"--host=") {
                host = piece::text(name);
            }
            if let Some(name) = long(b"--user=").or(long(b"--username=")) {
                user = piece::text(name);
            }
            if host.is_empty() {
                let (named, at) = address(word.bytes).unwrap_or_default();
                user = if named.is_empty() { user } else { named };
                host = at;
            }
        }
        (user, host)
    }
}

/// The value whose name says that it is secret, in `--from-literal=password=x` and in
/// `-e NAME=x` alike.
fn nearest(part: Value<'_>) -> Option<(Kind, Value<'_>)> {
    let mut value = part;
    while let Some((name, inner)) = value.split_once(b'=') {
        if let Some(kind) = judge::secretive(name.bytes) {
            return (!judge::is_setting(inner.bytes)).then_some((kind, inner));
        }
        value = inner;
    }
    None
}

/// User and host of `user@host` and of a URI.
fn address(word: &[u8]) -> Option<(String, String)> {
    let scheme = word.windows(3).position(|w| w == b"://");
    let rest = scheme.and_then(|at| word.get(at.checked_add(3)?..)).unwrap_or(word);
    let authority = rest.split(|&b| b == b'/' || b == b'?').next()?;
    let at = authority.iter().rposition(|&b| b == b'@');
    let (user, host) = match at {
        Some(at) => (authority.get(..at)?, authority.get(at.checked_add(1)?..)?),
        None => (&b""[..], authority),
    };
    let user = user.split(|&b| b == b':').next()?;
    let host = if scheme.is_some() { host } else { host.split(|&b| b == b':').next()? };
    let plain = host.iter().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(b));
    let meant = scheme.is_some() || (at.is_some() && !user.is_empty());
    (meant && plain && !host.is_empty()).then(|| (piece::text(user), piece::text(host)))
}

/// The name of a word that is `NAME=value`.
fn assignment(word: Value<'_>) -> Option<&[u8]> {
    let (name, _) = word.split_once(b'=')?;
    let first = name.bytes.first()?;
    let formed = (first.is_ascii_alphabetic() || *first == b'_')
        && name.bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    formed.then_some(name.bytes)
}
