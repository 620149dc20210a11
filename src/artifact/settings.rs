//! Settings: the named values of any configuration format, judged alike. A value is a secret when
//! its name says so, when it is a URI or a connection string with a password in it, or when it
//! holds a private key; the user and the host of a login stand beside it.

use super::ini;
use super::judge::{self, Kind};
use super::piece::{self, Piece};
use super::yaml::{Leaf, Step};
use super::{aws, dsn, ssh, uri, xml};
use crate::blob::Out;
use crate::credential::pem;
use crate::finding::{Grade, Harmless, Match, Rule, Severity};
use std::collections::{BTreeMap, HashMap};

/// The name of a setting.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'a> {
    /// As it is written.
    Text(Piece<'a>),
    /// Its way through a document.
    Path(&'a [Step<'a>]),
}

impl<'a> Name<'a> {
    /// Its last key.
    pub(super) fn key(self) -> &'a [u8] {
        match self {
            Name::Text(text) => text.bytes,
            // A list of secrets names them, as Compose and Kubernetes have it.
            Name::Path([.., Step::Key(b"secrets" | b"credentials"), Step::Item(_)]) => b"",
            Name::Path(path) => path
                .iter()
                .rev()
                .find_map(|step| match step {
                    Step::Key(key) => Some(*key),
                    Step::Item(_) => None,
                })
                .unwrap_or_default(),
        }
    }

    /// The whole of it, for a fact.
    pub(super) fn text(self) -> String {
        match self {
            Name::Text(text) => text.text(),
            Name::Path(path) => dotted(path),
        }
    }
}

/// A path as text: `a.b[0].c`.
pub(super) fn dotted(path: &[Step<'_>]) -> String {
    let mut out = Vec::new();
    for step in path {
        match step {
            Step::Key(key) => {
                out.extend((!out.is_empty()).then_some(b'.'));
                out.extend_from_slice(key);
            }
            Step::Item(number) => out.extend_from_slice(format!("[{number}]").as_bytes()),
        }
    }
    piece::text(&out)
}

/// A named value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    /// Settings of one number belong together: of a section, a table, a block.
    pub(super) group: usize,
    /// Its name.
    pub(super) name: Name<'a>,
    /// What it says.
    pub(super) value: &'a [u8],
    /// Where that is written.
    pub(super) raw: Piece<'a>,
    /// What it is when the format says so, whatever its name.
    pub(super) kind: Option<Kind>,
}

/// The scalars of a document.
pub(super) fn of_leaves<'a>(leaves: &'a [Leaf<'a>]) -> Vec<Setting<'a>> {
    let mut groups: HashMap<&[Step<'_>], usize> = HashMap::new();
    let names = item_names(leaves);
    leaves
        .iter()
        .map(|leaf| {
            let parent = parent(leaf);
            let next = groups.len();
            let group = *groups.entry(parent).or_insert(next);
            let name = Name::Path(&leaf.path);
            let plain = Setting { group, name, value: &leaf.value, raw: leaf.raw, kind: None };
            let named = names.get(parent).filter(|_| matches!(leaf.key(), b"value" | b"Value"));
            let named = named.map(|name| Setting { name: Name::Text(*name), ..plain });
            named.or_else(|| variable(leaf, group)).unwrap_or(plain)
        })
        .collect()
}

fn parent<'l, 'a>(leaf: &'l Leaf<'a>) -> &'l [Step<'a>] {
    leaf.path.split_last().map_or(&[][..], |(_, parent)| parent)
}

/// The names of items that are a `name` or `key` and a `value`, as container definitions list
/// their variables.
fn item_names<'l, 'a>(leaves: &'l [Leaf<'a>]) -> HashMap<&'l [Step<'a>], Piece<'a>> {
    let is_name = |leaf: &&Leaf<'_>| {
        matches!(leaf.key(), b"name" | b"Name" | b"key" | b"Key")
            && matches!(parent(leaf).last(), Some(Step::Item(_)))
    };
    leaves.iter().filter(is_name).map(|leaf| (parent(leaf), leaf.raw)).collect()
}

/// An item `NAME=value` of a list of environment variables.
fn variable<'a>(leaf: &'a Leaf<'a>, group: usize) -> Option<Setting<'a>> {
    let [.., Step::Key(b"environment" | b"env"), Step::Item(_)] = leaf.path.as_slice() else {
        return None;
    };
    let (name, raw) = leaf.raw.split_once(b'=').filter(|_| leaf.value == leaf.raw.bytes)?;
    Some(Setting { group, name: Name::Text(name.trim()), value: raw.bytes, raw, kind: None })
}

/// The lines of an INI file.
pub(super) fn of_entries<'a>(entries: impl Iterator<Item = ini::Entry<'a>>) -> Vec<Setting<'a>> {
    entries
        .map(|entry| {
            let name = Name::Text(entry.name);
            let (value, raw) = (entry.value.bytes, entry.value);
            Setting { group: entry.section.at, name, value, raw, kind: None }
        })
        .collect()
}

/// The texts and attributes of an XML document. Where an element has a `key` or a `name`, that
/// names its value.
pub(super) fn of_xml<'a>(values: &'a [xml::Part<'a>]) -> Vec<Setting<'a>> {
    let mut keys: HashMap<usize, &[u8]> = HashMap::new();
    for value in values {
        if matches!(value.attribute, b"key" | b"name" | b"Key" | b"Name") {
            keys.insert(value.element, &value.value);
        }
    }
    values
        .iter()
        .map(|value| {
            let last = value.path.last().copied().unwrap_or_default();
            let key = keys.get(&value.element).copied();
            let (group, name) = match value.attribute {
                b"" => (value.parent, key.unwrap_or(last)),
                b"value" | b"Value" => (value.parent, key.unwrap_or(b"value")),
                attribute => (value.element, attribute),
            };
            let name = Name::Text(Piece { bytes: name, at: value.raw.at });
            Setting { group, name, value: &value.value, raw: value.raw, kind: None }
        })
        .collect()
}

/// How settings are judged.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    /// The rule of what is found.
    pub(super) rule: &'static Rule,
    /// How sure a name makes it.
    pub(super) grade: Grade,
    /// The path of the file.
    pub(super) path: &'a [u8],
}

/// Hand over every match in `settings`, with the setting it is of.
pub(super) fn report(
    judge: Judge<'_>,
    settings: &[Setting<'_>],
    found: &mut dyn FnMut(&Setting<'_>, Match),
) {
    let logins = Logins::of(settings);
    let pairs = key_pairs(settings);
    for setting in settings {
        let pair = pairs.get(&setting.group);
        if pair.is_some_and(|pair| setting.raw == pair.id) {
            continue;
        }
        if let Some(pair) = pair.filter(|pair| setting.raw == pair.secret) {
            pair.report(&mut |out| {
                if let Out::Match(of_pair) = out {
                    found(setting, of_pair.fact("name", setting.name.text()));
                }
            });
            continue;
        }
        one(judge, setting, &mut |of_setting| {
            found(setting, logins.about(setting, of_setting).fact("name", setting.name.text()));
        });
    }
}

/// The matches of one setting.
fn one(judge: Judge<'_>, setting: &Setting<'_>, found: &mut dyn FnMut(Match)) {
    let raw = setting.raw;
    if pem::position(raw.bytes, 0, b"-----BEGIN ").is_some() {
        let mut any = false;
        ssh::private_keys(judge.path, raw, &mut |out| {
            if let Out::Match(key) = out {
                any = true;
                found(key);
            }
        });
        if any || setting.kind.is_none() {
            return;
        }
    }
    // What was unescaped is judged as it reads, and stands where it is written.
    let verbatim = setting.value == raw.bytes;
    let text = if verbatim { raw } else { Piece::whole(setting.value) };
    let placed = |mut inside: Match| {
        if !verbatim {
            let span = inside.span;
            inside = inside.decoded_by("unescape", span);
            inside.span = raw.run();
        }
        inside
    };
    let mut inside = false;
    for login in uri::logins(text).filter_map(|login| login.found(judge.rule)) {
        inside = true;
        found(placed(login));
    }
    if let Some(login) = dsn::found(judge.rule, text).filter(|_| !inside) {
        inside = true;
        found(placed(login));
    }
    let named = judge::secretive(setting.name.key()).filter(|_| !is_reference(setting.value));
    let Some(kind) = setting.kind.or(named).filter(|_| !inside && !setting.value.is_empty()) else {
        return;
    };
    if setting.kind.is_none() && judge::is_setting(setting.value) {
        return;
    }
    let grade = if setting.kind.is_some() { Grade::Strong } else { judge.grade };
    let mut secret = judge::decoded(judge.rule, grade, (kind, setting.value), raw);
    if judge::is_expansion(setting.value) || is_filled_in(setting.value) {
        secret.harmless = Some(Harmless::Placeholder);
    }
    if is_encrypted(setting.value) {
        secret = judge::at_most(secret, Severity::Low).fact("encrypted", "yes");
    }
    found(secret);
}

/// Whether a value is the ciphertext of [Jasypt](http://www.jasypt.org/encrypting-configuration.html),
/// SOPS, eyaml or
/// [Spring Cloud Config](https://docs.spring.io/spring-cloud-config/reference/server/encryption-and-decryption.html):
/// it opens nothing without a key that stands elsewhere.
fn is_encrypted(value: &[u8]) -> bool {
    [&b"ENC("[..], b"ENC[", b"{cipher}"].iter().any(|head| value.starts_with(head))
}

/// Whether a value names where the secret lies instead of being it.
fn is_reference(value: &[u8]) -> bool {
    [&b"arn:aws"[..], b"file:", b"vault:", b"ssm:", b"projects/", b"op://", b"env:", b"classpath:"]
        .iter()
        .any(|head| value.starts_with(head))
}

/// Whether a program puts something else in the place of a value: `%env(X)%`, `#{x}`, `<%= x %>`,
/// `@x@`.
fn is_filled_in(value: &[u8]) -> bool {
    [(&b"%"[..], &b"%"[..]), (b"#{", b"}"), (b"<%", b"%>"), (b"@", b"@"), (b"{%", b"%}")]
        .iter()
        .any(|(open, close)| value.len() > 2 && value.starts_with(open) && value.ends_with(close))
}

/// The AWS key pair of each group that has one.
fn key_pairs<'a>(settings: &[Setting<'a>]) -> BTreeMap<usize, aws::Profile<'a>> {
    let mut pairs: BTreeMap<usize, aws::Profile<'a>> = BTreeMap::new();
    for setting in settings.iter().filter(|setting| setting.value == setting.raw.bytes) {
        if aws::is_key_id(setting.value) {
            pairs.entry(setting.group).or_default().id = setting.raw;
        } else if aws::is_secret(setting.value)
            && judge::words(setting.name.key()).iter().any(|word| word.contains("secret"))
        {
            pairs.entry(setting.group).or_default().secret = setting.raw;
        }
    }
    pairs.retain(|_, pair| !pair.id.is_empty() && !pair.secret.is_empty());
    pairs
}

/// What stands beside a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    User,
    Host,
    Port,
    Database,
}

/// Endings of names, with what they name.
const ROLES: [(&str, Role); 18] = [
    ("username", Role::User),
    ("user", Role::User),
    ("login", Role::User),
    ("uid", Role::User),
    ("identity", Role::User),
    ("binddn", Role::User),
    ("dn", Role::User),
    ("hosts", Role::Host),
    ("hostname", Role::Host),
    ("host", Role::Host),
    ("server", Role::Host),
    ("endpoint", Role::Host),
    ("address", Role::Host),
    ("url", Role::Host),
    ("uri", Role::Host),
    ("port", Role::Port),
    ("database", Role::Database),
    ("dbname", Role::Database),
];

/// Users, hosts and databases by their group and what stands before their role in the name.
struct Logins(BTreeMap<(usize, String, Role), String>);

impl Logins {
    fn of(settings: &[Setting<'_>]) -> Logins {
        let mut found = BTreeMap::new();
        for setting in settings {
            let Some((stem, role)) = role(setting.name.key()) else { continue };
            // A URL with a login in it would show the password, and so would its query.
            let plain = !setting.value.contains(&b'@') || role == Role::User;
            let ends = |b: &u8| b"?;#&".contains(b) && role != Role::User;
            let end = setting.value.iter().position(ends).unwrap_or(setting.value.len());
            let value = setting.value.get(..end).unwrap_or_default();
            if plain && !value.is_empty() && value.len() <= 256 {
                let whole = judge::words(setting.name.key()).join(" ");
                let value = piece::text(value);
                found.entry((setting.group, whole, role)).or_insert_with(|| value.clone());
                found.entry((setting.group, stem, role)).or_insert(value);
            }
        }
        Logins(found)
    }

    /// The match with the facts that belong to its setting.
    fn about(&self, setting: &Setting<'_>, mut found: Match) -> Match {
        let stem = stem_of_secret(setting.name.key());
        let facts = [
            ("user", Role::User),
            ("host", Role::Host),
            ("port", Role::Port),
            ("database", Role::Database),
        ];
        for (fact, role) in facts {
            if found.facts.contains_key(fact) {
                continue;
            }
            let beside = self.0.get(&(setting.group, stem.clone(), role));
            let beside = beside.or_else(|| self.0.get(&(setting.group, String::new(), role)));
            if let Some(value) = beside.filter(|value| value.as_bytes() != setting.value) {
                found = found.fact(fact, value.as_str());
            }
        }
        found
    }
}

/// What a name names, and what stands before that.
fn role(name: &[u8]) -> Option<(String, Role)> {
    if name.len() > 128 {
        return None;
    }
    let mut words = judge::words(name);
    let mut last = words.pop()?;
    if last == "name" && words.last().is_some_and(|word| word == "db") {
        return Some((words.join(" "), Role::Database));
    }
    // `user_name`, `bind_dn`.
    if matches!(last.as_str(), "name" | "dn") && !words.is_empty() {
        last = words.pop()? + &last;
    }
    let (before, role) =
        ROLES.iter().find_map(|(end, role)| Some((last.strip_suffix(end)?, *role)))?;
    words.extend((!before.is_empty()).then(|| before.to_owned()));
    Some((words.join(" "), role))
}

/// What stands before the word that says that a setting is secret.
fn stem_of_secret(name: &[u8]) -> String {
    let mut words = judge::words(name.get(..128).unwrap_or(name));
    let last = words.pop().unwrap_or_default();
    let before =
        ["password", "passwd", "pass", "pwd"].iter().find_map(|end| last.strip_suffix(end));
    words.extend(before.filter(|before| !before.is_empty()).map(str::to_owned));
    words.join(" ")
}
