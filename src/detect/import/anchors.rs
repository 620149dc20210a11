//! Anchors of a pattern that has none of its own: literals one of which every match holds, found
//! in the pattern itself.

use crate::detect::signature::Anchor;
use crate::limits;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// Bytes of an anchor that are kept; more find nothing sooner.
const TEXT_BYTES: usize = 24;

/// Members a character class may have to be spelled out.
const CLASS_MEMBERS: usize = 8;

/// Texts that stand for one part of a pattern, at most.
const TEXTS: usize = limits::IMPORT_ANCHORS;

/// Bytes of a text that stands for one part: repetitions inside repetitions grow without end.
const PRODUCT_BYTES: usize = limits::IMPORT_PATTERN_BYTES;

/// Times a repeated part is spelled out.
const REPEATS: u32 = 8;

/// Anchors, and how far from the start of a match they stand at most.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// The anchors.
    texts: Vec<Text>,
    /// Bytes before an anchor; `None` when the pattern sets no bound.
    pub(super) before: Option<usize>,
    score: u32,
}

/// A literal; when `folded`, in lower case and meaning both cases.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Text {
    bytes: Vec<u8>,
    folded: bool,
}

impl Choice {
    /// The best anchors of `hir`; `None` when no literal of three bytes must be in every match.
    ///
    /// The functions here call themselves as deep as the pattern nests, which the parser bounds.
    pub(super) fn of(hir: &Hir) -> Option<Choice> {
        best(hir).filter(|choice| choice.score > 0)
    }

    /// The anchors as signatures have them.
    pub(super) fn anchors(&self) -> Vec<Anchor> {
        let anchor =
            |text: &Text| Anchor { text: text.bytes.as_slice().into(), ignore_case: text.folded };
        self.texts.iter().map(anchor).collect()
    }

    fn new(mut texts: Vec<Text>, before: Option<usize>) -> Choice {
        for text in &mut texts {
            text.bytes.truncate(TEXT_BYTES);
            if text.folded {
                text.bytes.make_ascii_lowercase();
            }
        }
        texts.sort_by(|a, b| (&a.bytes, b.folded).cmp(&(&b.bytes, a.folded)));
        texts.dedup_by(|b, a| a.bytes == b.bytes);
        let score = score(&texts, before);
        Choice { texts, before, score }
    }

    fn after(mut self, bytes: Option<usize>) -> Choice {
        self.before = self.before.zip(bytes).and_then(|(a, b)| a.checked_add(b));
        self.score = score(&self.texts, self.before);
        self
    }
}

fn best(hir: &Hir) -> Option<Choice> {
    let whole = exact(hir).map(|texts| Choice::new(texts, Some(0)));
    let within = match hir.kind() {
        HirKind::Capture(capture) => best(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => best(&repetition.sub),
        HirKind::Concat(parts) => best_of_parts(parts),
        HirKind::Alternation(branches) => {
            let choices: Option<Vec<Choice>> = branches.iter().map(best).collect();
            choices.map(either)
        }
        _ => None,
    };
    better(whole, within)
}

/// One of every branch: whichever matches, its anchor is there.
fn either(choices: Vec<Choice>) -> Choice {
    let before = choices
        .iter()
        .map(|choice| choice.before)
        .try_fold(0, |most: usize, before| before.map(|before| most.max(before)));
    Choice::new(choices.into_iter().flat_map(|choice| choice.texts).collect(), before)
}

fn best_of_parts(parts: &[Hir]) -> Option<Choice> {
    let mut found = None;
    let mut before = Some(0_usize);
    for (at, part) in parts.iter().enumerate() {
        found = better(found, best(part).map(|choice| choice.after(before)));
        found = better(found, run(parts.get(at..).unwrap_or_default(), before));
        let longest = part.properties().maximum_len();
        before = before.zip(longest).and_then(|(a, b)| a.checked_add(b));
    }
    found
}

/// The best anchors made of the first parts together.
fn run(parts: &[Hir], before: Option<usize>) -> Option<Choice> {
    let mut texts = vec![Text { bytes: Vec::new(), folded: false }];
    let mut found = None;
    for part in parts {
        let Some(longer) = exact(part).and_then(|more| product(&texts, &more)) else { break };
        texts = longer;
        found = better(found, Some(Choice::new(texts.clone(), before)));
        if texts.iter().all(|text| text.bytes.len() >= TEXT_BYTES) {
            break;
        }
    }
    found
}

fn better(a: Option<Choice>, b: Option<Choice>) -> Option<Choice> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.score > a.score { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Every text the part can match, when they are few.
fn exact(hir: &Hir) -> Option<Vec<Text>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(vec![Text { bytes: Vec::new(), folded: false }]),
        HirKind::Literal(literal) => Some(vec![Text { bytes: literal.0.to_vec(), folded: false }]),
        HirKind::Class(class) => members(class),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Concat(parts) => {
            let empty = vec![Text { bytes: Vec::new(), folded: false }];
            parts.iter().try_fold(empty, |texts, part| product(&texts, &exact(part)?))
        }
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(exact(branch)?);
                if all.len() > TEXTS {
                    return None;
                }
            }
            Some(all)
        }
    }
}

fn repeated(repetition: &Repetition) -> Option<Vec<Text>> {
    let most = repetition.max.filter(|most| *most <= REPEATS)?;
    let once = exact(&repetition.sub)?;
    let mut all = Vec::new();
    let mut texts = vec![Text { bytes: Vec::new(), folded: false }];
    for count in 0..=most {
        if count >= repetition.min {
            all.extend(texts.iter().cloned());
        }
        if count < most {
            texts = product(&texts, &once)?;
        }
    }
    (all.len() <= TEXTS).then_some(all)
}

fn product(heads: &[Text], tails: &[Text]) -> Option<Vec<Text>> {
    if heads.len().checked_mul(tails.len())? > TEXTS {
        return None;
    }
    let longest = |texts: &[Text]| texts.iter().map(|text| text.bytes.len()).max().unwrap_or(0);
    if longest(heads).checked_add(longest(tails))? > PRODUCT_BYTES {
        return None;
    }
    let joined = heads.iter().flat_map(|head| {
        tails.iter().map(move |tail| Text {
            bytes: [head.bytes.as_slice(), &tail.bytes].concat(),
            folded: head.folded || tail.folded,
        })
    });
    Some(joined.collect())
}

/// The bytes of a class; both cases of a letter are one text.
fn members(class: &Class) -> Option<Vec<Text>> {
    let ranges: Vec<(u8, u8)> = match class {
        Class::Bytes(bytes) => bytes.ranges().iter().map(|r| (r.start(), r.end())).collect(),
        Class::Unicode(chars) => {
            let narrow = |r: &regex_syntax::hir::ClassUnicodeRange| {
                let end = u8::try_from(r.end()).ok().filter(u8::is_ascii)?;
                Some((u8::try_from(r.start()).ok()?, end))
            };
            chars.ranges().iter().map(narrow).collect::<Option<_>>()?
        }
    };
    let has = |byte: u8| ranges.iter().any(|(from, to)| (*from..=*to).contains(&byte));
    let mut texts = Vec::new();
    for byte in (0..=u8::MAX).filter(|byte| has(*byte)) {
        let folded = byte.is_ascii_alphabetic() && has(byte ^ 0x20);
        if !(folded && byte.is_ascii_uppercase()) {
            texts.push(Text { bytes: vec![byte], folded });
        }
        if texts.len() > CLASS_MEMBERS {
            return None;
        }
    }
    Some(texts)
}

/// How rare the most frequent of them is, in tenths of a bit by rule of thumb; 0 when they are
/// too short or too many.
fn score(texts: &[Text], before: Option<usize>) -> u32 {
    if texts.is_empty() || texts.len() > TEXTS {
        return 0;
    }
    let rarity = texts.iter().map(rarity).min().unwrap_or(0);
    let spread = 10 * texts.len().ilog2();
    // Work for every candidate, and matches that begin too early are lost.
    let far = match before {
        Some(bytes) if bytes <= 64 => 0,
        Some(bytes) if bytes < limits::SIGNATURE_BACK_BYTES => 20,
        _ => rarity / 2,
    };
    if rarity == 0 { 0 } else { rarity.saturating_sub(spread + far).max(1) }
}

fn rarity(text: &Text) -> u32 {
    let first = text.bytes.first();
    let monotone = text.bytes.iter().all(|byte| Some(byte) == first);
    if text.bytes.len() < limits::ANCHOR_BYTES_MIN || monotone {
        return 0;
    }
    let bits = |byte: &u8| match byte {
        0 | b' ' | b'\t' | b'\n' | b'\r' => 10,
        b'e' | b'a' | b't' | b'i' | b'o' | b'n' | b's' | b'r' => 33,
        b'a'..=b'z' => 45,
        b'0'..=b'9' | b'.' | b',' | b'/' | b'"' | b'=' | b'-' => 40,
        _ => 55,
    };
    let bits: u32 = text.bytes.iter().map(bits).sum();
    if text.folded { bits * 9 / 10 } else { bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchors(pattern: &str) -> Option<(Vec<String>, Option<usize>)> {
        let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        let choice = Choice::of(&parser.parse(pattern).unwrap())?;
        let shown = choice.anchors().into_iter().map(|anchor| {
            let text = String::from_utf8(anchor.text.to_vec()).unwrap();
            if anchor.ignore_case { format!("{text}/i") } else { text }
        });
        Some((shown.collect(), choice.before))
    }

    #[test]
    fn anchors_are_found_in_patterns() {
        for (pattern, expected, before) in [
            (r"acme_[a-z0-9]{32}", &["acme_"][..], 0),
            (r"\b(acme_[lt]_[a-z]{8})\b", &["acme_l_", "acme_t_"], 0),
            (r"ac[mnp]_[a-z]{8}", &["acm_", "acn_", "acp_"], 0),
            (r"(?i)[\w.-]{0,50}?(?:acmecorp)[^=]{0,20}=", &["acmecorp/i"], 50),
            (r"[a-z]{8}-(?:live|test)-[0-9]{6}", &["-live-", "-test-"], 8),
            (r"(?:foo_[0-9]+|bar__[a-z]+)", &["bar__", "foo_"], 0),
            (r"(?:foo-){2,}[0-9]", &["foo-"], 0),
            (r"x{3}yz[0-9]", &["xxxyz"], 0),
            (r"sk-(?:live-)?acme[0-9]+", &["sk-acme", "sk-live-acme"], 0),
            (r"(?:(?:(?:(?:(?:(?:a{8}){8}){8}){8}){8}){8}){8}acme_[0-9]", &["acme_"], 2_097_152),
            (r"[0-9]{10}:[a-z]{3}QWX", &["QWX"], 14),
        ] {
            let (found, at) = anchors(pattern).unwrap_or_else(|| panic!("{pattern}"));
            assert_eq!((found.as_slice(), at), (expected_texts(expected).as_slice(), Some(before)));
        }
        assert_eq!(anchors(r".*acme_[0-9]+").unwrap().1, None);
        for none in [r"[a-f0-9]{32}", r"(?:acme)?[0-9]{8}", r"ab[0-9]", r"acme|[0-9]{4}", "aaaa+"] {
            assert!(anchors(none).is_none(), "{none}");
        }
    }

    fn expected_texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}
