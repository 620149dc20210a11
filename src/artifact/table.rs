//! Tables of logins, one a line: relay passwords of mail servers, secrets of PPP and `IPsec`,
//! connection poolers, shares and time servers.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::service::quoted_words;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "table of logins", applies, run };

static LOGIN: Rule = Rule {
    id: "svc.login",
    title: "Password in a table of logins",
    severity: Severity::High,
    rotate: "Change the password at the service it opens and write the table at boot, from a secrets manager.",
};

static VPN: Rule = Rule {
    id: "vpn.secret",
    title: "Secret of a VPN or dial-up connection",
    severity: Severity::High,
    rotate: "Set a new secret at both ends, and review who connected with the old one.",
};

/// How a line is laid out.
#[derive(Clone, Copy)]
enum Layout {
    /// Words, by their number: user, host and secret.
    Words { user: usize, host: usize, secret: usize },
    /// The same between colons.
    Colons { user: usize, host: usize, secret: usize },
    /// A host, then `user:password`.
    Relay,
    /// `ids : PSK "secret"`.
    Ipsec,
    /// `user NAME on >password`.
    RedisUsers,
    /// `com2sec name source community`.
    Communities,
    /// `SQLConnectInfo database user password`, `stats auth user:password`.
    Directive { lead: &'static [&'static str] },
}

/// A number no line has a field of.
const NONE: usize = usize::MAX;

struct Table {
    tails: &'static [&'static str],
    rule: &'static Rule,
    layout: Layout,
}

static TABLES: &[Table] = &[
    Table {
        tails: &["sasl_passwd", "sasl_password", "sasl/passwd", "smtp_auth", "postfix/*passwd*"],
        rule: &LOGIN,
        layout: Layout::Relay,
    },
    Table {
        tails: &["passwd.client"],
        rule: &LOGIN,
        layout: Layout::Colons { user: 1, host: 0, secret: 2 },
    },
    Table {
        tails: &["chap-secrets", "pap-secrets", "srp-secrets"],
        rule: &VPN,
        layout: Layout::Words { user: 0, host: 1, secret: 2 },
    },
    Table {
        tails: &["ipsec.secrets", "ipsec.*.secrets", "ipsec.d/*.secrets"],
        rule: &VPN,
        layout: Layout::Ipsec,
    },
    Table {
        tails: &["psk.txt", "racoon/psk*"],
        rule: &VPN,
        layout: Layout::Words { user: NONE, host: 0, secret: 1 },
    },
    Table {
        tails: &["userlist.txt"],
        rule: &LOGIN,
        layout: Layout::Words { user: 0, host: NONE, secret: 1 },
    },
    Table {
        tails: &["davfs2/secrets"],
        rule: &LOGIN,
        layout: Layout::Words { user: 1, host: 0, secret: 2 },
    },
    Table {
        tails: &[
            "raddb/server",
            "pam_radius_auth.conf",
            "pam_radius.conf",
            "radiusclient*/servers",
        ],
        rule: &LOGIN,
        layout: Layout::Words { user: NONE, host: 0, secret: 1 },
    },
    Table {
        tails: &["ntp.keys", "chrony.keys", "ntp/keys"],
        rule: &LOGIN,
        layout: Layout::Words { user: 0, host: NONE, secret: 2 },
    },
    Table {
        tails: &["redis.conf", "redis/*.conf", "valkey.conf", "users.acl"],
        rule: &LOGIN,
        layout: Layout::RedisUsers,
    },
    Table { tails: &["snmpd.conf", "snmpd.local.conf"], rule: &LOGIN, layout: Layout::Communities },
    Table {
        tails: &["haproxy.cfg", "haproxy/*.cfg", "haproxy/conf.d/*.cfg"],
        rule: &LOGIN,
        layout: Layout::Directive { lead: &["stats", "auth"] },
    },
];

fn table(path: &[u8]) -> Option<&'static Table> {
    TABLES.iter().find(|table| paths::ends_with_any(path, table.tails))
}

fn applies(blob: &Blob<'_>) -> bool {
    table(&blob.name).is_some()
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let Some(table) = table(&blob.name) else { return Ok(()) };
    for line in Piece::whole(&blob.bytes).lines() {
        let line = line.trim();
        if matches!(line.bytes, [b'#' | b';', ..] | []) {
            continue;
        }
        for login in logins(table.layout, line) {
            if let Some(found) = login.found(table.rule) {
                out(Out::Match(found));
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Default)]
struct Login<'a> {
    user: Piece<'a>,
    host: Piece<'a>,
    secret: Piece<'a>,
    kind: &'static str,
}

impl Login<'_> {
    fn found(self, rule: &'static Rule) -> Option<Match> {
        // A path or `*` is no secret, and a table of PostgreSQL or NTP may hold hashes: those are
        // kept, for they log in as they are or can be cracked.
        if self.secret.is_empty()
            || self.secret.bytes == b"*"
            || judge::is_setting(self.secret.bytes)
        {
            return None;
        }
        let found = judge::found(rule, Grade::Strong, Kind::Password, self.secret);
        let found = found.fact("user", self.user.text()).fact("host", self.host.text());
        Some(found.fact("kind", self.kind))
    }
}

fn logins(layout: Layout, line: Piece<'_>) -> Vec<Login<'_>> {
    let fields: Vec<Piece<'_>> = match layout {
        Layout::Colons { .. } => line.split(b':').take(64).collect(),
        _ => quoted_words(line).take(64).collect(),
    };
    let field = |number: usize| fields.get(number).copied().unwrap_or_default();
    let login = |user, host, secret| Login { user, host, secret, kind: "" };
    match layout {
        Layout::Words { user, host, secret } | Layout::Colons { user, host, secret } => {
            vec![login(field(user), field(host), field(secret).trim())]
        }
        Layout::Relay => {
            let pair = line.from(field(0).end().saturating_sub(line.at)).trim();
            let (user, secret) = pair.split_once(b':').unwrap_or_default();
            vec![login(user, field(0), secret)]
        }
        Layout::Ipsec => ipsec(line).into_iter().collect(),
        Layout::RedisUsers if field(0).bytes == b"user" => fields
            .iter()
            .filter_map(|word| word.strip_prefix(b">").or(word.strip_prefix(b"#")))
            .map(|secret| login(field(1), Piece::default(), secret))
            .collect(),
        Layout::Communities if field(0).bytes.starts_with(b"com2sec") => {
            vec![Login { kind: "community", ..login(Piece::default(), field(2), field(3)) }]
        }
        Layout::Directive { lead }
            if lead.iter().enumerate().all(|(n, word)| field(n).bytes == word.as_bytes()) =>
        {
            let (user, secret) = field(lead.len()).split_once(b':').unwrap_or_default();
            vec![login(user, Piece::default(), secret)]
        }
        _ => Vec::new(),
    }
}

/// `[ids] : KIND [file] secret`
/// ([format](https://wiki.strongswan.org/projects/strongswan/wiki/IpsecSecrets)).
fn ipsec(line: Piece<'_>) -> Option<Login<'_>> {
    let at = line.bytes.windows(2).position(|w| w == b": " || w == b":\t")?;
    let (ids, rest) = (line.sub(0, at).trim(), line.from(at + 1));
    let mut words = quoted_words(rest);
    let kind = words.next()?;
    let first = words.next()?;
    let (kind, secret) = match kind.bytes {
        b"PSK" => ("PSK", first),
        b"XAUTH" => ("XAUTH", first),
        b"EAP" => ("EAP", first),
        b"NTLM" => ("NTLM", first),
        // The passphrase of a key file stands behind it.
        b"RSA" | b"ECDSA" | b"P12" | b"PKCS8" => ("passphrase", words.next()?),
        b"PIN" => ("PIN", words.next()?),
        _ => return None,
    };
    let user = if matches!(kind, "XAUTH" | "EAP" | "NTLM") { ids } else { Piece::default() };
    let host = if user.is_empty() { ids } else { Piece::default() };
    Some(Login { user, host, secret, kind })
}
