//! Histories of database clients and of interpreters: statements that set a password or log in.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::tokens::{Line, Sort, Token};
use super::uri;
use crate::blob::{Blob, Budget, Out};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Grade, Match, Rule, Severity};
use crate::limits;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "client history", applies, run };

static HISTORY: Rule = Rule {
    id: "history.client",
    title: "Secret in the history of a database client or an interpreter",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens, and delete histories before making an image.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            ".mysql_history*",
            ".mariadb_history*",
            ".psql_history*",
            ".rediscli_history*",
            ".valkeycli_history*",
            ".sqlite_history*",
            ".duckdb_history",
            ".usql_history",
            ".mycli-history",
            "pgcli/history",
            ".dbshell",
            "mongosh_repl_history",
            ".clickhouse-client-history",
            ".influx_history",
            "cqlsh_history",
            ".python_history*",
            ".node_repl_history*",
            ".irb_history",
            ".irb-history",
            ".pry_history",
            ".php_history",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let name = paths::file_name(&blob.name);
    let redis = name.starts_with(b".rediscli") || name.starts_with(b".valkeycli");
    let libedit = text.bytes.starts_with(b"_HiStOrY_V2_");
    let home = paths::user(&blob.name).unwrap_or_default();
    let mut result = Ok(());
    for raw in text.lines() {
        if raw.bytes.len() > limits::COMMAND_BYTES {
            result = Err(Error::new(ErrorKind::Limit, "a command line is too long"));
            continue;
        }
        let mut keep = |found: Match| out(Out::Match(found.fact("home", home.as_str())));
        if redis {
            redis_command(raw, &mut keep);
            continue;
        }
        let line = if libedit { Line::of_libedit(raw) } else { Line::plain(raw) };
        Statement::of(&line).secrets(&mut keep);
    }
    result
}

/// Bytes of names in these languages.
fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_$.%-*".contains(&byte)
}

struct Statement<'l, 'a> {
    line: &'l Line<'a>,
    tokens: Vec<Token<'l>>,
    user: String,
}

impl<'l, 'a> Statement<'l, 'a> {
    fn of(line: &'l Line<'a>) -> Statement<'l, 'a> {
        let tokens = line.tokens(word);
        let user = user(&tokens);
        Statement { line, tokens, user }
    }

    fn secrets(&self, found: &mut dyn FnMut(Match)) {
        for (number, &token) in self.tokens.iter().enumerate() {
            if token.sort != Sort::Text || token.bytes.is_empty() {
                continue;
            }
            match self.meaning(number) {
                Some((grade, kind)) => found(self.of_text(token, grade, kind)),
                None => self.conninfo(token, found),
            }
        }
        let text = Piece::whole(self.line.bytes());
        for mut one in uri::logins(text).filter_map(|login| login.found(&HISTORY)) {
            let start = usize::try_from(one.span.start).unwrap_or(0);
            let len = usize::try_from(one.span.len).unwrap_or(0);
            one.span = self.line.written(start, len).run();
            found(one);
        }
    }

    fn of_text(&self, token: Token<'_>, grade: Grade, kind: Kind) -> Match {
        let hash = is_hash(token.bytes);
        let kind = if hash { Kind::Token } else { kind };
        let raw = self.line.piece(token);
        let found = judge::decoded(&HISTORY, grade, (kind, token.bytes), raw);
        let found = found.fact("user", self.user.as_str());
        if hash {
            return judge::at_most(found, Severity::Medium).fact("form", "hash");
        }
        found
    }

    /// What the text number `number` is by what stands before it, when that makes it secret.
    fn meaning(&self, number: usize) -> Option<(Grade, Kind)> {
        let before = self.tokens.get(..number)?;
        let signs = before.iter().rev().take_while(|t| t.sort == Sort::Sign).count();
        let (words, signs) = before.split_at_checked(before.len().checked_sub(signs)?)?;
        let joined = signs.iter().all(|sign| b"=:(>{[]".contains(sign.bytes.first().unwrap_or(&0)));
        let last = words.last()?;
        let strong = Some((Grade::Strong, Kind::Password));
        let near = |name: &str| words.iter().rev().take(6).any(|token| token.is(name));
        let starts = |name: &str| self.tokens.first().is_some_and(|token| token.is(name));
        if Self::is_second_argument(words, signs) {
            return strong;
        }
        if starts("SET") && self.tokens.get(1).is_some_and(|token| token.is("PASSWORD")) {
            // SET PASSWORD [FOR user@host] = 'x'
            return strong.filter(|_| joined && !signs.is_empty());
        }
        if !joined {
            return None;
        }
        let password = ["PASSWORD", "PASSWD", "PWD"].iter().any(|name| last.is(name));
        let identified = (last.is("BY") || last.is("AS")) && near("IDENTIFIED");
        let keyed = last.is("KEY") && (starts("PRAGMA") || starts("ATTACH"));
        if password || identified || keyed || (last.is("REPLACE") && near("IDENTIFIED")) {
            return strong;
        }
        let value = self.tokens.get(number)?.bytes;
        // `name = "x"`, `"name": "x"`, `[:name] = "x"`.
        let named = !signs.is_empty()
            && signs.iter().any(|s| b"=:".contains(s.bytes.first().unwrap_or(&0)));
        let kind = judge::secretive(last.bytes).filter(|_| named && !judge::is_setting(value))?;
        Some((Grade::Plausible, kind))
    }

    /// Whether what follows is the second argument of `db.auth("user", `.
    fn is_second_argument(words: &[Token<'_>], signs: &[Token<'_>]) -> bool {
        let comma = signs.len() == 1 && signs.first().is_some_and(|sign| sign.bytes == b",");
        let mut back = words.iter().rev().skip(1);
        let (open, call) = (back.next(), back.next());
        let opened = open.is_some_and(|sign| sign.bytes == b"(");
        comma && opened && call.is_some_and(is_login)
    }

    /// `'host=h user=u password=x'`, as `PostgreSQL` connects.
    fn conninfo(&self, token: Token<'_>, found: &mut dyn FnMut(Match)) {
        let mark = b"password=";
        let Some(at) = memchr::memmem::find(token.bytes, mark) else { return };
        let start = at.saturating_add(mark.len());
        let value = token.bytes.get(start..).unwrap_or_default();
        let ends = |b: &u8| b.is_ascii_whitespace() || b"';&".contains(b);
        let len = value.iter().position(ends).unwrap_or(value.len());
        let value = value.get(..len).unwrap_or_default();
        let setting = |name: &[u8]| {
            let mut words = Piece::whole(token.bytes).words();
            let word = words.find_map(|word| word.strip_prefix(name));
            word.map(Piece::text).unwrap_or_default()
        };
        if !value.is_empty() && !token.bytes.contains(&b'?') {
            let raw = self.line.part(token, start, len);
            let one = judge::decoded(&HISTORY, Grade::Strong, (Kind::Password, value), raw);
            found(one.fact("user", setting(b"user=")).fact("host", setting(b"host=")));
        }
    }
}

/// Functions that take a user and a password.
fn is_login(token: &Token<'_>) -> bool {
    let last = token.bytes.rsplit(|&b| b == b'.').next().unwrap_or_default();
    token.sort == Sort::Word && matches!(last, b"auth" | b"changeUserPassword" | b"login")
}

/// The user that a statement is about.
fn user(tokens: &[Token<'_>]) -> String {
    let names = ["USER", "ROLE", "LOGIN", "FOR", "TO"];
    let passed = ["IF", "NOT", "EXISTS", "MAPPING", "FOR"];
    for (number, token) in tokens.iter().enumerate() {
        let rest = tokens.get(number.saturating_add(1)..).unwrap_or_default();
        let mut rest = rest.iter().filter(|t| t.sort != Sort::Sign);
        if names.iter().any(|name| token.is(name)) {
            let name = rest.find(|token| !passed.iter().any(|word| token.is(word)));
            return name.map(Token::text).unwrap_or_default();
        }
        if is_login(token) {
            return rest.next().map(Token::text).unwrap_or_default();
        }
    }
    String::new()
}

/// Whether a password is written as the hash that a server keeps.
fn is_hash(value: &[u8]) -> bool {
    let hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    match value {
        [b'*', rest @ ..] => rest.len() == 40 && hex(rest),
        [b'm', b'd', b'5', rest @ ..] => rest.len() == 32 && hex(rest),
        [b'$', ..] => super::shadow::algorithm(value).is_some(),
        _ => value.starts_with(b"SCRAM-SHA-256$"),
    }
}

/// `AUTH`, `CONFIG SET requirepass` and `ACL SETUSER` of Redis.
fn redis_command(raw: Piece<'_>, found: &mut dyn FnMut(Match)) {
    let words: Vec<Piece<'_>> = raw.words().take(64).collect();
    let is = |number: usize, name: &str| {
        words.get(number).is_some_and(|w| w.bytes.eq_ignore_ascii_case(name.as_bytes()))
    };
    let word = |number: usize| words.get(number).copied().unwrap_or_default();
    let mut keep = |value: Piece<'_>, user: Piece<'_>| {
        let value = value.unquote();
        if !value.is_empty() {
            let one = judge::found(&HISTORY, Grade::Strong, Kind::Password, value);
            found(one.fact("user", user.unquote().text()));
        }
    };
    if is(0, "AUTH") {
        let user = if words.len() > 2 { word(1) } else { Piece::default() };
        keep(if words.len() > 2 { word(2) } else { word(1) }, user);
    } else if is(0, "CONFIG") && is(1, "SET") {
        if judge::secretive(word(2).bytes).is_some() || is(2, "requirepass") || is(2, "masterauth")
        {
            keep(word(3), Piece::default());
        }
    } else if is(0, "ACL") && is(1, "SETUSER") {
        for part in words.iter().skip(3) {
            if let Some(password) = part.strip_prefix(b">") {
                keep(password, word(2));
            }
        }
    } else if is(0, "HELLO") || is(0, "MIGRATE") {
        for number in 1..words.len() {
            if is(number, "AUTH2") || (is(number, "AUTH") && is(0, "HELLO")) {
                keep(word(number.saturating_add(2)), word(number.saturating_add(1)));
            } else if is(number, "AUTH") {
                keep(word(number.saturating_add(1)), Piece::default());
            }
        }
    }
}
