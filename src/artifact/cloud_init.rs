//! cloud-init: user data and what it was made of
//! ([formats](https://docs.cloud-init.io/en/latest/explanation/format.html),
//! [cloud-config](https://docs.cloud-init.io/en/latest/reference/modules.html)).

use super::Artifact;
use super::command;
use super::history;
use super::judge::{self, Kind};
use super::mime;
use super::paths;
use super::piece::{self, Piece};
use super::shadow;
use super::shell::{Command, Word};
use super::ssh;
use super::yaml::{self, Leaf, Step};
use crate::blob::{Blob, Budget, Out};
use crate::credential::{base64, known};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Grade, Harmless, Match, Rule, Severity};
use crate::locator::Locator;
use crate::run::Run;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "cloud-init", applies, run };

static PASSWORD: Rule = Rule {
    id: "cloudinit.password",
    title: "Account password in cloud-init user data",
    severity: Severity::Critical,
    rotate: "Change the account's password on every instance and clean the image (cloud-init clean --logs --seed).",
};

static HASH: Rule = Rule {
    id: "cloudinit.password_hash",
    title: "Account password hash in cloud-init user data",
    severity: Severity::High,
    rotate: "Reset the account's password on every instance and clean the image (cloud-init clean --logs --seed).",
};

static SECRET: Rule = Rule {
    id: "cloudinit.secret",
    title: "Secret in cloud-init configuration",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and fetch it at boot with the instance's role instead.",
};

static SCRIPT: Rule = Rule {
    id: "cloudinit.script",
    title: "Secret on a command line of a cloud-init script",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and fetch it at boot with the instance's role instead.",
};

const FOLDERS: [&str; 4] =
    ["lib/cloud/instances", "lib/cloud/instance", "lib/cloud/seed", "lib/cloud/scripts"];

fn applies(blob: &Blob<'_>) -> bool {
    let name = &blob.name;
    FOLDERS.iter().any(|folder| paths::under(name, folder))
        || paths::ends_with_any(
            name,
            &[
                "etc/cloud/cloud.cfg",
                "cloud.cfg.d/*.cfg",
                "user-data*",
                "vendor-data*",
                "cloud-config.txt",
            ],
        )
        || blob.bytes.starts_with(b"#cloud-config")
}

fn run(blob: &Blob<'_>, budget: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let bytes: &[u8] = &blob.bytes;
    let text = Piece::whole(bytes);
    let all = text.run();
    if bytes.starts_with(mime::GZIP) {
        let (content, result) = mime::gunzip(bytes, budget);
        let at = blob.at.clone().with_member("gzip", None);
        return view(at, &blob.name, Cow::Owned(content), all, (budget, out)).and(result);
    }
    if mime::is_message(bytes) {
        return message(blob, text, budget, out);
    }
    // A template's first line says so and changes nothing else.
    let body = text.strip_prefix(b"## template: jinja").map_or(text, Piece::trim);
    if body.bytes.starts_with(b"#cloud-config-archive") {
        return archive(blob, body, budget, out);
    }
    let config = body.bytes.starts_with(b"#cloud-config")
        || [&b".cfg"[..], b"cloud-config.txt", b".yaml", b".yml"]
            .iter()
            .any(|e| blob.name.ends_with(e));
    if config {
        return Config { blob, budget, out }.read(body);
    }
    if body.bytes.starts_with(b"#!") || body.bytes.starts_with(b"#cloud-boothook") {
        return script(body, out);
    }
    match wrapped(bytes) {
        Some(content) => {
            let at = blob.at.clone().with_member("base64", None);
            budget.spend(content.len() as u64)?;
            view(at, &blob.name, Cow::Owned(content), all, (budget, out))
        }
        None => Ok(()),
    }
}

/// Hand a view on, unless views nest too deeply.
fn view(
    at: Locator,
    name: &[u8],
    content: Cow<'_, [u8]>,
    from: Run,
    (budget, out): (&Budget, &mut dyn FnMut(Out<'_>)),
) -> Result<()> {
    if budget.depth == 0 {
        return Err(Error::new(ErrorKind::Limit, "decoded views nest too deeply"));
    }
    let meta = crate::blob::Meta::default();
    let name = Cow::Borrowed(name);
    out(Out::Blob(Blob { at, name, meta, bytes: content, decoded_from: Some(from) }));
    Ok(())
}

/// What the whole text is base64 of, when that is user data.
fn wrapped(bytes: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: &u8| b.is_ascii_alphanumeric() || b"+/=\r\n ".contains(b);
    let head = bytes.get(..64).filter(|head| head.iter().all(digit))?;
    let start = base64::decode(head.get(..16)?)?;
    let data =
        |b: &[u8]| b.starts_with(mime::GZIP) || b.starts_with(b"#") || b.starts_with(b"Cont");
    if !data(&start) && !start.starts_with(b"MIME") {
        return None;
    }
    base64::decode(bytes)
}

/// The parts of a MIME message, each a view.
fn message(
    blob: &Blob<'_>,
    text: Piece<'_>,
    budget: &mut Budget,
    out: &mut dyn FnMut(Out<'_>),
) -> Result<()> {
    let (parts, mut result) = mime::parts(text);
    for (number, part) in parts.into_iter().enumerate() {
        // What is whole in itself would be handed on forever.
        if part.raw.bytes.len() == text.bytes.len() {
            continue;
        }
        budget.spend(part.content.len() as u64)?;
        let number = (number + 1).to_string();
        let name = part.name.map_or(number.as_bytes(), |name| paths::file_name(name.bytes));
        let path = [blob.name.as_ref(), b"/", name].concat();
        let at = blob.at.clone().with_member("mime", Some(name));
        result = result.and(view(at, &path, part.content, part.raw.run(), (budget, out)));
    }
    result
}

/// `#cloud-config-archive`: a list of parts.
fn archive(
    blob: &Blob<'_>,
    text: Piece<'_>,
    budget: &mut Budget,
    out: &mut dyn FnMut(Out<'_>),
) -> Result<()> {
    let (leaves, mut result) = yaml::leaves(text);
    for leaf in leaves {
        if let (true, Some(Step::Item(number))) = (leaf.is(&["[]", "content"]), leaf.step(0)) {
            budget.spend(leaf.value.len() as u64)?;
            let number = (number + 1).to_string();
            let path = [blob.name.as_ref(), b"/", number.as_bytes()].concat();
            let at = blob.at.clone().with_member("archive", Some(number.as_bytes()));
            result = result.and(view(at, &path, leaf.value, leaf.raw.run(), (budget, out)));
        }
    }
    result
}

/// A script: every line with the grammar of commands.
fn script(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let mut result = Ok(());
    for line in text.lines() {
        let of_line = history::secrets(&SCRIPT, line, &mut |found| out(Out::Match(found)));
        result = result.and(of_line);
    }
    result
}

/// One `#cloud-config` document on its way to its matches.
struct Config<'c, 'a> {
    blob: &'c Blob<'a>,
    budget: &'c mut Budget,
    out: &'c mut dyn FnMut(Out<'_>),
}

/// The entry of `write_files` that is gathered.
#[derive(Default)]
struct File<'a> {
    path: Vec<u8>,
    encoding: Vec<u8>,
    content: Option<Leaf<'a>>,
}

impl Config<'_, '_> {
    fn read(&mut self, text: Piece<'_>) -> Result<()> {
        let (leaves, mut result) = yaml::leaves(text);
        let mut names: BTreeMap<usize, String> = BTreeMap::new();
        for leaf in leaves.iter().filter(|l| {
            l.is(&["users", "[]", "name"]) || l.is(&["chpasswd", "users", "[]", "name"])
        }) {
            if let Some(number) = number(leaf) {
                names.insert(number, piece::text(&leaf.value));
            }
        }
        let mut files: BTreeMap<usize, File<'_>> = BTreeMap::new();
        let mut commands: BTreeMap<(&[u8], usize), Vec<Word>> = BTreeMap::new();
        for leaf in &leaves {
            let user = number(leaf).and_then(|n| names.get(&n)).map_or("", String::as_str);
            match (leaf.step(0), leaf.step(1)) {
                (Some(Step::Key(b"write_files")), Some(Step::Item(number))) => {
                    file(files.entry(number).or_default(), leaf);
                }
                (Some(Step::Key(list @ (b"runcmd" | b"bootcmd"))), Some(Step::Item(number))) => {
                    if leaf.path.len() == 2 {
                        result = result.and(self.shell(leaf));
                    } else {
                        let words = commands.entry((list, number)).or_default();
                        words.push(Word::of(&leaf.value, leaf.raw));
                    }
                }
                (Some(Step::Key(b"ssh_keys")), _) => result = result.and(self.host_key(leaf)),
                _ => self.setting(leaf, user),
            }
        }
        for words in commands.into_values() {
            let command = Command { words, ..Command::default() };
            let whole = Piece::whole(&self.blob.bytes);
            let out = &mut *self.out;
            command::secrets(&SCRIPT, &[command], whole, &mut |found| out(Out::Match(found)));
        }
        for file in files.into_values() {
            result = result.and(self.file(file));
        }
        result
    }

    /// A command as one string, perhaps of several lines.
    fn shell(&mut self, leaf: &Leaf<'_>) -> Result<()> {
        let out = &mut *self.out;
        let mut result = Ok(());
        for line in leaf.raw.lines() {
            let of_line = history::secrets(&SCRIPT, line, &mut |found| out(Out::Match(found)));
            result = result.and(of_line);
        }
        result
    }

    /// The host's own keys: a view that the parser of keys reads.
    fn host_key(&mut self, leaf: &Leaf<'_>) -> Result<()> {
        if !leaf.key().ends_with(b"_private") {
            return Ok(());
        }
        self.budget.spend(leaf.value.len() as u64)?;
        let kind = leaf.key().strip_suffix(b"_private").unwrap_or_default();
        let path = [b"/etc/ssh/ssh_host_", kind, b"_key"].concat();
        let at = self.blob.at.clone().with_member("cloud-config", Some(&path));
        let content = Cow::Borrowed(leaf.value.as_ref());
        view(at, &path, content, leaf.raw.run(), (self.budget, self.out))
    }

    fn setting(&mut self, leaf: &Leaf<'_>, user: &str) {
        let value = leaf.raw;
        if leaf.is(&["chpasswd", "list"]) || leaf.is(&["chpasswd", "list", "[]"]) {
            for line in value.lines() {
                if let Some((user, password)) = line.trim().split_once(b':') {
                    self.password(password, password.bytes, &user.text());
                }
            }
            return;
        }
        let account = leaf.is(&["users", "[]", "passwd"])
            || leaf.is(&["users", "[]", "hashed_passwd"])
            || leaf.is(&["users", "[]", "plain_text_passwd"])
            || leaf.is(&["chpasswd", "users", "[]", "password"])
            || leaf.is(&["user", "passwd"])
            || leaf.is(&["user", "plain_text_passwd"]);
        if account || leaf.is(&["password"]) {
            self.password(value, &leaf.value, user);
            return;
        }
        let authorized = leaf.is(&["ssh_authorized_keys", "[]"])
            || leaf.is(&["users", "[]", "ssh_authorized_keys", "[]"])
            || leaf.is(&["users", "[]", "ssh-authorized-keys", "[]"]);
        if authorized {
            if let Some(mut found) = ssh::authorized_key(value) {
                // The manual's own examples are copied as they are, and then open nothing.
                let printed = known::example(found.subject.bytes());
                found.harmless = printed.map(|_| Harmless::DocumentationExample);
                (self.out)(Out::Match(found.fact("user", user)));
            }
        } else if let Some(kind) = judge::secretive(leaf.key())
            && !judge::is_setting(&leaf.value)
        {
            let found = judge::decoded(&SECRET, Grade::Plausible, (kind, &leaf.value), value);
            (self.out)(Out::Match(found.fact("name", piece::text(leaf.key()))));
        }
    }

    /// A password of an account, in clear or as a hash.
    fn password(&mut self, raw: Piece<'_>, value: &[u8], user: &str) {
        // cloud-init makes one up for these.
        if value.is_empty() || matches!(value, b"R" | b"RANDOM" | b"*" | b"!" | b"!!" | b"x") {
            return;
        }
        let found: Match = match shadow::algorithm(value) {
            Some((name, _)) if value.starts_with(b"$") => {
                let found = judge::decoded(&HASH, Grade::Strong, (Kind::Token, value), raw);
                found.fact("algorithm", name)
            }
            _ => judge::decoded(&PASSWORD, Grade::Strong, (Kind::Password, value), raw),
        };
        (self.out)(Out::Match(found.fact("user", user)));
    }

    /// A written file: a view under its own path, its encoding undone.
    fn file(&mut self, file: File<'_>) -> Result<()> {
        let Some(leaf) = file.content else { return Ok(()) };
        let path = if file.path.is_empty() { b"write_files".to_vec() } else { file.path };
        let mut at = self.blob.at.clone().with_member("cloud-config", Some(&path));
        let encoding = file.encoding.to_ascii_lowercase();
        let mut content = leaf.value;
        let mut result = Ok(());
        if leaf.binary || encoding.ends_with(b"b64") || encoding.ends_with(b"base64") {
            let decoded = base64::decode(&content);
            content = Cow::Owned(decoded.ok_or_else(|| Error::corrupt("content is not base64"))?);
            at = at.with_member("base64", None);
        }
        self.budget.spend(content.len() as u64)?;
        if encoding.starts_with(b"gz") {
            let (plain, whole) = mime::gunzip(&content, self.budget);
            (content, result) = (Cow::Owned(plain), whole);
            at = at.with_member("gzip", None);
        }
        view(at, &path, content, leaf.raw.run(), (self.budget, self.out)).and(result)
    }
}

/// The number of the user or file that a value belongs to.
fn number(leaf: &Leaf<'_>) -> Option<usize> {
    leaf.path.iter().find_map(|step| match step {
        Step::Item(number) => Some(*number),
        Step::Key(_) => None,
    })
}

fn file<'a>(file: &mut File<'a>, leaf: &Leaf<'a>) {
    match leaf.key() {
        b"path" => file.path = leaf.value.to_vec(),
        b"encoding" => file.encoding = leaf.value.to_vec(),
        b"content" => file.content = Some(leaf.clone()),
        _ => {}
    }
}
