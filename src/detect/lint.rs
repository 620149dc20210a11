//! Lints: what a signature may be but should not.

use super::signature::{Expect, Signature};
use super::{Engine, Scratch, Window};
use regex_syntax::hir::{Hir, HirKind};
use std::collections::BTreeMap;

/// Words that stand all over a disk: an anchor that is one of them makes nothing but candidates.
const COMMON: [&str; 22] = [
    "the", "and", "for", "key", "api", "app", "user", "name", "pass", "auth", "host", "http",
    "https", "http://", "https://", "://", "www", "com", ".com", "id=", "---", "...",
];

/// Bytes of text made of anchors that a signature is tried on.
const BOMB_BYTES: usize = 64 * 1024;

/// Looks for each byte of such text that are too many: an honest pattern needs its own length for
/// each anchor.
const LOOKS_PER_BYTE: u64 = 60;

/// Bytes that `max_len` may have to spare without a word.
const SPARE_BYTES: usize = 32;

/// Bytes of a title.
const TITLE_BYTES: usize = 80;

/// How bad a complaint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It must not stay.
    Wrong,
    /// It may be meant.
    Doubt,
}

impl Level {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Level::Wrong => "wrong",
            Level::Doubt => "doubt",
        }
    }
}

/// Something a signature should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The signature.
    pub id: &'static str,
    /// The file it stands in.
    pub file: String,
    /// How bad it is.
    pub level: Level,
    /// What is the matter, and what to do.
    pub what: &'static str,
    /// Particulars.
    pub detail: String,
}

/// Complaints about signatures that are used beside built-in ones with the ids in `others`. Files of
/// other scanners have no place for what `own` asks for.
pub fn lint(signatures: Vec<Signature>, own: bool, others: &[&str]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for signature in &signatures {
        let mut say = Say { signature, found: &mut found };
        anchors(&mut say);
        if own {
            form(&mut say);
            examples(&mut say);
        }
        pattern(&mut say, own);
        let ids: Vec<&str> = signatures.iter().map(|s| s.rule.id).collect();
        for with in signature.pair.iter().flat_map(|pair| &pair.with) {
            if !ids.contains(with) && !others.contains(with) {
                say.wrong("pair.with names no signature", with);
            }
        }
    }
    twins(&signatures, others, &mut found);
    found.extend(slow(signatures));
    found.sort_by(|a, b| (a.level, &a.file, a.id).cmp(&(b.level, &b.file, b.id)));
    found
}

struct Say<'a> {
    signature: &'a Signature,
    found: &'a mut Vec<Complaint>,
}

impl Say<'_> {
    fn wrong(&mut self, what: &'static str, detail: impl std::fmt::Display) {
        self.found.push(complaint(self.signature, Level::Wrong, what, &detail.to_string()));
    }

    fn doubt(&mut self, what: &'static str, detail: impl std::fmt::Display) {
        self.found.push(complaint(self.signature, Level::Doubt, what, &detail.to_string()));
    }
}

fn complaint(signature: &Signature, level: Level, what: &'static str, detail: &str) -> Complaint {
    let file = signature.about.file.clone();
    Complaint { id: signature.rule.id, file, level, what, detail: detail.to_owned() }
}

fn anchors(say: &mut Say<'_>) {
    for anchor in &say.signature.anchors {
        let text = String::from_utf8_lossy(&anchor.text).to_ascii_lowercase();
        let first = anchor.text.first();
        let monotone = anchor.text.iter().all(|byte| Some(byte) == first);
        if monotone || COMMON.contains(&text.as_str()) {
            say.doubt("an anchor that stands everywhere: take in more of the pattern", text);
        }
    }
}

fn form(say: &mut Say<'_>) {
    let signature = say.signature;
    let pages = &signature.about.references;
    if pages.is_empty() {
        say.wrong("no reference: name the issuer's page", "");
    }
    for page in pages.iter().filter(|page| !page.starts_with("https://")) {
        say.wrong("a reference that is no https:// page", page);
    }
    if signature.rule.title.len() > TITLE_BYTES {
        say.wrong("the title is longer than 80 bytes", signature.rule.title.len());
    }
    if signature.rule.rotate.trim().is_empty() {
        say.wrong("blast.rotate says nothing", "");
    }
    let provider = &signature.about.provider;
    let rest = signature.rule.id.strip_prefix(provider.as_str());
    if !rest.is_some_and(|rest| rest.starts_with('.') && rest.len() > 1) {
        say.wrong("the id does not begin with the provider and a dot", provider);
    }
    for class in [r"\w", r"\d", r"\b", "(?s", "(?m"] {
        if signature.pattern.contains(class) {
            say.wrong("a class that is not spelled out", class);
        }
    }
}

fn examples(say: &mut Say<'_>) {
    let count = |expect| say.signature.examples.iter().filter(|e| e.expect == expect).count();
    let (hits, misses) = (count(Expect::Hit), count(Expect::Miss) + count(Expect::Noted));
    if hits == 0 {
        say.wrong("no example that hits", "");
    }
    if misses < 2 {
        say.wrong("fewer than two examples that miss or are noted", misses);
    }
}

fn pattern(say: &mut Say<'_>, own: bool) {
    let signature = say.signature;
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    let Ok(hir) = parser.parse(&signature.pattern) else {
        say.wrong("the pattern cannot be read", "");
        return;
    };
    match hir.properties().maximum_len() {
        // An importer has said so already.
        None if !own => {}
        None => say.doubt(
            "the pattern has no longest match: max_len cuts it",
            format_args!("max_len = {}", signature.max_len),
        ),
        Some(longest) if longest > signature.max_len => say.doubt(
            "max_len is shorter than the longest match",
            format_args!("max_len = {}, the pattern allows {longest}", signature.max_len),
        ),
        Some(longest) if longest.saturating_add(SPARE_BYTES) < signature.max_len => say.doubt(
            "max_len is far longer than any match",
            format_args!("max_len = {}, the pattern allows {longest}", signature.max_len),
        ),
        Some(_) => {}
    }
    if secret_len(&hir) == Some(0) {
        say.wrong("the secret can be empty", "");
    }
    if signature.back == 0
        && let Some(prefix) = unanchored(signature, &hir)
    {
        say.doubt("back is 0, and a match that begins without an anchor is missed", prefix);
    }
}

/// The shortest secret. The parser bounds how deep this calls itself.
fn secret_len(hir: &Hir) -> Option<usize> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some("secret") => {
            capture.sub.properties().minimum_len()
        }
        HirKind::Capture(capture) => secret_len(&capture.sub),
        HirKind::Repetition(repetition) => secret_len(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().find_map(secret_len),
        _ => None,
    }
}

/// A text that matches begin with and no anchor does.
fn unanchored(signature: &Signature, hir: &Hir) -> Option<String> {
    let prefixes = regex_syntax::hir::literal::Extractor::new().extract(hir);
    let begins = |prefix: &[u8]| {
        signature.anchors.iter().any(|anchor| {
            let len = anchor.text.len().min(prefix.len());
            let (Some(a), Some(b)) = (anchor.text.get(..len), prefix.get(..len)) else {
                return false;
            };
            a == b || anchor.ignore_case && a.eq_ignore_ascii_case(b)
        })
    };
    let odd = prefixes.literals()?.iter().find(|literal| !begins(literal.as_bytes()))?;
    Some(odd.as_bytes().escape_ascii().to_string())
}

fn twins(signatures: &[Signature], others: &[&str], found: &mut Vec<Complaint>) {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for signature in signatures {
        let id = signature.rule.id;
        if let Some(before) = known.insert(id, &signature.about.file) {
            let what = "two signatures have one id: rename one";
            found.push(complaint(signature, Level::Wrong, what, before));
        } else if others.contains(&id) {
            let what = "a built-in signature has this id: rename it, or scan without those";
            found.push(complaint(signature, Level::Doubt, what, ""));
        }
    }
}

/// Signatures for which text made of their anchors is slow, each tried alone.
fn slow(signatures: Vec<Signature>) -> Vec<Complaint> {
    let mut found = Vec::new();
    for signature in signatures {
        let Ok(engine) = Engine::with(false, vec![signature]) else { continue };
        let [signature] = engine.signatures() else { continue };
        let mut worst = 0;
        for anchor in signature.anchors.iter().take(4) {
            let bytes = anchor.text.repeat(BOMB_BYTES.div_ceil(anchor.text.len().max(1)));
            let mut scratch = Scratch::default();
            let window = Window { bytes: &bytes, owned: 0..bytes.len(), path: None };
            engine.scan(&window, &mut scratch, &mut |_| {});
            worst = worst.max(scratch.steps() / u64::try_from(bytes.len()).unwrap_or(1).max(1));
        }
        if worst > LOOKS_PER_BYTE {
            let what = "text made of its anchor costs many looks at each byte: let the pattern end \
                        sooner, or not hold its anchor again";
            found.push(complaint(signature, Level::Doubt, what, &format!("{worst} looks")));
        }
    }
    found
}
