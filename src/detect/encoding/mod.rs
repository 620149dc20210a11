//! Encodings: secrets that stand in a window in another form.
//!
//! A survey of the window tells where encoded text may stand; only that is decoded, into a view
//! that is searched as the window was, and surveyed in turn. So every signature is found in every
//! encoding, and in encodings inside one another, without a pattern more to search for. What it
//! costs depends on how much of a window looks encoded, and is bounded.

mod base64;
mod escape;
mod hex;
mod joined;
mod packed;
mod percent;
mod quoted_printable;
mod survey;
mod utf16;
mod view;

pub use packed::PACKED;

use super::{Engine, Pass, Scratch, Window};
use crate::finding::Match;
use crate::limits;
use crate::locator::Member;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use survey::Survey;
use view::{Source, View};

/// Which encodings are looked into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encodings {
    /// Bytes as they stand.
    Plain,
    /// Every encoding.
    #[default]
    All,
}

impl Encodings {
    /// Every choice.
    pub const ALL: [Encodings; 2] = [Encodings::Plain, Encodings::All];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Encodings::Plain => "plain",
            Encodings::All => "all",
        }
    }

    /// The choice of that name.
    pub fn from_name(name: &str) -> Option<Encodings> {
        Encodings::ALL.into_iter().find(|encodings| encodings.name() == name)
    }
}

/// One encoding.
struct Encoding {
    /// Its name in locators.
    name: &'static str,
    /// The texts of a survey that may be in it.
    texts: fn(&Survey) -> &[Range<usize>],
    /// Decode one text.
    decode: fn(&[u8], Range<usize>, &mut View),
}

/// Every encoding of text.
const ENCODINGS: [Encoding; 9] = [
    Encoding { name: "utf-16le", texts: |s| &s.little, decode: utf16::little },
    Encoding { name: "utf-16be", texts: |s| &s.big, decode: utf16::big },
    Encoding { name: "utf-16le", texts: |s| &s.little_too, decode: utf16::little },
    Encoding { name: "utf-16be", texts: |s| &s.big_too, decode: utf16::big },
    Encoding { name: "base64", texts: |s| &s.base64, decode: base64::decode },
    Encoding { name: "hex", texts: |s| &s.hex, decode: hex::decode },
    Encoding { name: "percent", texts: |s| &s.percent, decode: percent::decode },
    Encoding { name: "escape", texts: |s| &s.escape, decode: escape::decode },
    Encoding { name: "quoted-printable", texts: |s| &s.quoted, decode: quoted_printable::decode },
];

/// Whether a view was decoded because a text looked encoded, not because its format was known:
/// its name is where the text begins.
pub fn is_found_by_looks(view: &Member) -> bool {
    let name = view.name.as_deref().unwrap_or_default();
    let named = !name.is_empty() && name.iter().all(u8::is_ascii_digit);
    named && ENCODINGS.iter().any(|encoding| *encoding.name == *view.format)
}

/// What decoding needs; one for each worker.
#[derive(Default)]
pub(super) struct Desk {
    /// For each depth.
    levels: [Level; limits::DECODED_DEPTH],
    seen: Seen,
    /// Bytes that may still be decoded.
    room: usize,
    /// What was left out.
    more: u64,
}

#[derive(Default)]
struct Level {
    survey: Survey,
    view: View,
}

impl Desk {
    /// Begin a window of so many bytes.
    pub(super) fn begin(&mut self, window_bytes: usize) {
        self.seen.secrets.clear();
        self.seen.places.clear();
        self.seen.plain.clear();
        let allowed = limits::DECODED_FACTOR.saturating_mul(window_bytes);
        self.room = allowed.saturating_add(limits::DECODED_BYTES);
        self.more = 0;
    }

    /// Note what the window shows as it stands.
    pub(super) fn note(&mut self, found: &Match) {
        self.seen.note(found, true);
        self.seen.plain.insert((found.rule.id, found.span.start, found.span.end()));
    }
}

/// What was found in one window, so that it is not found again.
#[derive(Default)]
struct Seen {
    /// Rule, secret, and where it begins and ends.
    secrets: BTreeSet<(&'static str, u64, u64, u64)>,
    /// For each rule and place, where the longest secret ends that begins there.
    places: BTreeMap<(&'static str, u64), u64>,
    /// Rule and place of what the window shows as it stands.
    plain: BTreeSet<(&'static str, u64, u64)>,
}

impl Seen {
    /// Whether the rule has these bytes, or more around them, as they stand: some signatures know
    /// the encoded form themselves.
    fn is_inside_plain(&self, found: &Match) -> bool {
        let (rule, span) = (found.rule.id, found.span);
        let before = (rule, 0, 0)..=(rule, span.start, u64::MAX);
        self.plain.range(before).next_back().is_some_and(|(.., end)| span.end() <= *end)
    }

    /// Note a match; whether it is new. `apart` is whether its place tells it from the others.
    fn note(&mut self, found: &Match, apart: bool) -> bool {
        let mut hasher = DefaultHasher::new();
        found.subject.bytes().hash(&mut hasher);
        let (rule, span, secret) = (found.rule.id, found.span, hasher.finish());
        // A signature may know the encoded form of what another finds.
        let rule = rule.strip_suffix(".base64").unwrap_or(rule);
        // What is packed may show some of itself, and two readings may be one byte apart.
        let before = (rule, secret, 0, 0)..(rule, secret, span.end(), 0);
        if self.secrets.range(before).next_back().is_some_and(|(.., end)| *end > span.start) {
            return false;
        }
        self.secrets.insert((rule, secret, span.start, span.end()));
        if !apart {
            return true;
        }
        // The same bytes mean one secret. What a break cut short as it stands is another matter.
        let longest = self.places.entry((rule, span.start)).or_default();
        let new = *longest < span.end();
        *longest = span.end().max(*longest);
        new
    }
}

/// One search of a window in other forms.
struct Search<'a> {
    engine: &'a Engine,
    scratch: &'a mut Scratch,
    window: &'a Window<'a>,
    found: &'a mut dyn FnMut(Match),
}

/// Every match in a window that its bytes do not show as they stand; the desk knows those they do.
/// Returns how many were left out.
pub(super) fn search(
    engine: &Engine,
    window: &Window<'_>,
    desk: &mut Desk,
    (scratch, found): (&mut Scratch, &mut dyn FnMut(Match)),
) -> u64 {
    let mut search = Search { engine, scratch, window, found };
    search.explore(Source { bytes: window.bytes, view: None }, desk, 0);
    desk.more
}

impl Search<'_> {
    /// Decode what looks encoded in `source`, and search it. Depth is bounded by a constant.
    fn explore(&mut self, source: Source<'_>, desk: &mut Desk, depth: usize) {
        let Some(level) = desk.levels.get_mut(depth) else { return };
        let Level { mut survey, mut view } = std::mem::take(level);
        Survey::of(self.engine.kernel, source.bytes, &mut survey);
        for encoding in &ENCODINGS {
            view.clear();
            for text in (encoding.texts)(&survey) {
                if text.len() > desk.room {
                    desk.more += 1;
                    continue;
                }
                let mark = view.mark();
                (encoding.decode)(source.bytes, text.clone(), &mut view);
                view.settle(mark, source, encoding.name);
                desk.room = desk.room.saturating_sub(view.bytes.len() - mark.bytes());
                if view.bytes.len() >= limits::DECODED_BATCH_BYTES {
                    self.sift(&view, desk, depth);
                    view.clear();
                }
            }
            self.sift(&view, desk, depth);
        }
        self.unpack(source, desk, depth);
        if let Some(level) = desk.levels.get_mut(depth) {
            *level = Level { survey, view };
        }
    }

    /// Unpack what the texts of a view begin with.
    fn unpack(&mut self, source: Source<'_>, desk: &mut Desk, depth: usize) {
        let Some(view) = source.view.filter(|view| !view.is_packed()) else { return };
        for start in view.starts() {
            let text = source.text_around(start);
            let Some(bytes) = source.bytes.get(text.clone()) else { continue };
            if !packed::begins(bytes) {
                continue;
            }
            if desk.room == 0 {
                desk.more += 1;
                continue;
            }
            let Some(unpacked) = packed::unpack(bytes, desk.room) else { continue };
            desk.room = desk.room.saturating_sub(unpacked.bytes.len());
            desk.more += u64::from(unpacked.cut);
            let view = View::packed(source, &text, unpacked.format, unpacked.bytes);
            self.sift(&view, desk, depth);
        }
    }

    /// Search a view, and what is encoded in it.
    fn sift(&mut self, view: &View, desk: &mut Desk, depth: usize) {
        if view.bytes.is_empty() {
            return;
        }
        let (window, engine) = (self.window, self.engine);
        let owns = |at: usize| {
            let start = view.span(&(at..at + 1)).start();
            // The zero before a character is not what tells whose it is: in the other byte order it
            // stands behind.
            let zero = window.bytes.get(start) == Some(&0);
            window.owned.contains(&(start + usize::from(zero)))
        };
        let Desk { seen, .. } = desk;
        let found = &mut *self.found;
        let mut keep = |mut matched: Match| {
            let inside = matched.span;
            let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
            matched.span = view.span(&(index(inside.start)..index(inside.end()))).run();
            matched.decoded = Some(view.decoded(inside));
            let wanted = engine.looks_into(&matched)
                && !seen.is_inside_plain(&matched)
                && !engine.shows_as_it_stands(window, &matched);
            let new = wanted && seen.note(&matched, !view.is_packed());
            if new {
                found(matched);
            }
            new
        };
        let pass =
            Pass { bytes: &view.bytes, owned: 0..view.bytes.len(), owns: &owns, path: window.path };
        desk.more += engine.sift(&pass, self.scratch, &mut keep);
        if depth + 1 < limits::DECODED_DEPTH {
            self.explore(Source { bytes: &view.bytes, view: Some(view) }, desk, depth + 1);
        }
    }
}
