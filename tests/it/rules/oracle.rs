//! Imported patterns against the regex crate as oracle: text made from a pattern is found where
//! the pattern itself finds it, with the same secret.

use amisweep::detect::import::read;
use amisweep::detect::{Engine, Scratch, Window};
use amisweep::finding::Subject;
use regex::bytes::RegexBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Shapes that rules have.
const PATTERNS: [&str; 22] = [
    r"acme_[a-z0-9]{16}",
    r"\b(acme_[lt]_[a-z0-9]{16})\b",
    r"\b(acme_[lt]_[a-z0-9]{16})(?:[\x60'\x22\s;]|\\[nr]|$)",
    r"(?i)[\w.-]{0,50}?(?:acmecorp)(?:[ \t\w.-]{0,20})[\s'\x22]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'\x22\s=]{0,5}([a-f0-9]{32})(?:[\x60'\x22\s;]|\\[nr]|$)",
    r"(?i)acme(?:.|[\n\r]){0,32}?\b([A-Z0-9]{20})\b",
    r"([a-z]{4,12})\.acme\.example/([0-9]{4})",
    r"(?:live|test|prod)key-([A-F0-9]{12})",
    r"ac[mn]e-(?:v[12]-)?([0-9]{8,10})",
    r"(?x) acme \s* = \s* # the name
      ( [a-z]{4} (?: - [a-z]{4} ){2} )",
    r"-----BEGIN ACME-----[\s\S]{16,256}?-----END ACME-----",
    r"https://[a-z]{3,8}:([^@\s]{6,20})@acme\.example",
    r"acme\{([[:alnum:]]{8})\}",
    r"(?:acme|bcme|ccme)[:=]{1,2}([0-9a-f]{8})",
    r"(?m)^acmekey ([a-z]{12})$",
    r"[0-9]{8}:ACME-([A-Za-z0-9_-]{12})",
    r"(?i:acme)_(?-i:KEY)_([0-9]{6})",
    r"acme(?:[-_.]?[0-9]){6}",
    r"x?acme?y_([a-z]{5})",
    r"(acme[0-9]+)z",
    r"[^\x00-\x1f]{3}acme([0-9]{4})",
    r"acme\x00([a-z]{4})\x00",
    r"(?:(?:foo|bar)-){2}acme([0-9]{3})",
];

struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % most.max(1)
    }
}

/// A text that `hir` matches.
fn sample(hir: &Hir, random: &mut Random, text: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.extend_from_slice(&literal.0),
        HirKind::Class(class) => {
            let bytes: Vec<u8> = (0..=u8::MAX).filter(|byte| holds(class, *byte)).collect();
            // Printable ones mostly, as people write.
            let printable: Vec<u8> =
                bytes.iter().copied().filter(|byte| matches!(byte, b' '..=b'~')).collect();
            let few = printable.is_empty() || random.below(8) == 0;
            let from = if few { &bytes } else { &printable };
            text.push(from[random.below(from.len())]);
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min + 9);
            let spread = usize::try_from(most - repetition.min).unwrap().min(40);
            let times = usize::try_from(repetition.min).unwrap() + random.below(spread + 1);
            (0..times).for_each(|_| sample(&repetition.sub, random, text));
        }
        HirKind::Capture(capture) => sample(&capture.sub, random, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| sample(part, random, text)),
        HirKind::Alternation(parts) => sample(&parts[random.below(parts.len())], random, text),
    }
}

fn holds(class: &Class, byte: u8) -> bool {
    match class {
        Class::Bytes(class) => class.ranges().iter().any(|r| (r.start()..=r.end()).contains(&byte)),
        Class::Unicode(class) => {
            class.ranges().iter().any(|r| (r.start()..=r.end()).contains(&char::from(byte)))
        }
    }
}

#[test]
fn imported_patterns_find_what_the_originals_find() {
    let mut random = Random(7);
    let mut compared = 0;
    for pattern in PATTERNS {
        let file = format!("[[rules]]\nid = 'r'\nregex = '''{pattern}'''\n");
        let rules = read("rules.toml", &file).unwrap();
        assert_eq!(rules.signatures.len(), 1, "{pattern}: {:?}", rules.remarks);
        let engine = Engine::with(false, rules.signatures).unwrap();
        let oracle = RegexBuilder::new(pattern).unicode(false).build().unwrap();
        let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        let hir = parser.parse(pattern).unwrap();
        for _ in 0..60 {
            let mut text = b"some words\n".to_vec();
            sample(&hir, &mut random, &mut text);
            text.extend_from_slice(b"\nmore words");
            let group = oracle.captures_len() - 1;
            let expected: Vec<Vec<u8>> = oracle
                .captures_iter(&text)
                .filter_map(|found| Some(found.get(group.min(1))?.as_bytes().to_vec()))
                .collect();
            let mut found = Vec::new();
            let window = Window { bytes: &text, owned: 0..text.len(), path: None };
            engine.scan(&window, &mut Scratch::default(), &mut |matched| {
                let Subject::Secret(secret) = &matched.subject else { panic!("no secret") };
                found.push(secret.expose().to_vec());
            });
            let shown = text.escape_ascii();
            assert_eq!(found, expected, "{pattern}\n{shown}");
            compared += expected.len();
        }
    }
    assert!(compared > 1000, "{compared} matches");
}
