//! Rules of the user: the schema's fields, lints and trials, files of other scanners, and the
//! commands about them.

mod commands;
mod import;
mod oracle;

use amisweep::detect::import::read;
use amisweep::detect::lint::{Level, lint};
use amisweep::detect::signature::{Encoding, Scope};
use amisweep::detect::trial;
use amisweep::detect::{Engine, Scratch, Window};
use amisweep::finding::Grade;

const FULL: &str = r#"schema = 1
[[signature]]
id = "acme.key"
title = "Acme key"
description = "A key."
references = ["https://acme.example/keys"]
provider = "acme"
severity = "low"
confidence = "weak"
anchors = ["acme_"]
pattern = '(?P<secret>acme_[a-z0-9]{8})'
max_len = 13
boundary = "token"
encodings = ["utf16le", "base64"]
paths = { prefer = ["**/.env"], never = ["usr/share/**"] }
public_by_design = true
pair = { with = "acme.id", within = "5L", scope = ["braces", "file"] }
blast = { opens = "o", rotate = "r", reach = ["orders"], lifetime = "until-rotated", detect_use = "log" }
example = []
"#;

#[test]
fn the_optional_fields_are_read() {
    let engine = Engine::load(&[("acme.toml", FULL)]).unwrap();
    let [signature] = engine.signatures() else { panic!("one signature") };
    assert!(signature.encodings.has(Encoding::Utf16Le) && !signature.encodings.has(Encoding::Hex));
    let pair = signature.pair.as_ref().unwrap();
    assert_eq!((pair.with.as_slice(), pair.lines), (["acme.id"].as_slice(), 5));
    assert_eq!(pair.scopes, [Scope::Braces, Scope::File]);
    assert_eq!(signature.about.reach, ["orders"]);
    assert_eq!(signature.about.lifetime.as_deref(), Some("until-rotated"));
    assert_eq!(signature.about.detect_use.as_deref(), Some("log"));
    assert!(signature.about.public_by_design);
}

#[test]
fn wrong_optional_fields_are_refused_with_their_line() {
    for (from, to, word) in [
        ("utf16le", "rot13", "rot13"),
        ("**/.env", "a**", "a**"),
        ("5L", "5", "1L to 1000L"),
        ("5L", "0L", "1L to 1000L"),
        ("\"braces\"", "\"brace\"", "ini-section"),
        ("\"acme.id\"", "[]", "pair.with"),
        ("severity = \"low\"", "severity = \"high\"", "public by design"),
        ("public_by_design", "public", "public"),
    ] {
        let bad = FULL.replace(from, to);
        let error = Engine::load(&[("acme.toml", &bad)]).err().map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("{from} -> {to} is taken"));
        let placed = error.contains("acme.toml:3") || error.contains("line ");
        assert!(placed && error.contains(word), "{error}");
    }
}

#[test]
fn paths_decide_what_a_match_is_worth() {
    let engine = Engine::load(&[("acme.toml", FULL)]).unwrap();
    for (path, grade) in [
        (Some("/srv/.env"), Some(Grade::Plausible)),
        (Some("/srv/env"), Some(Grade::Weak)),
        (Some("/usr/share/doc/env"), None),
        (None, Some(Grade::Weak)),
    ] {
        let bytes = b"key acme_k3j9d8w2 ";
        let path = path.map(str::as_bytes);
        let window = Window { bytes, owned: 0..bytes.len(), path };
        let mut found = None;
        engine.scan(&window, &mut Scratch::default(), &mut |m| found = Some(m.grade));
        assert_eq!(found, grade, "{path:?}");
    }
}

/// A signature nobody complains about.
const CLEAN: &str = r#"schema = 1
[[signature]]
id = "acme.key"
title = "Acme key"
description = "A key."
references = ["https://acme.example/keys"]
provider = "acme"
severity = "high"
confidence = "plausible"
anchors = ["acme_"]
pattern = '(?P<secret>acme_[a-z0-9]{8})'
max_len = 13
boundary = "token"
blast = { opens = "o", rotate = "r" }
example = [
  { gen = "acme_{lower36:7}7", expect = "hit" },
  { gen = "acme_{lower36:7}", expect = "miss" },
  { gen = "xacme_{lower36:8}", expect = "miss" },
]
"#;

fn complaints(text: &str) -> Vec<(Level, &'static str)> {
    let rules = read("acme.toml", text).unwrap();
    lint(rules.signatures, true, &["other.key"]).into_iter().map(|c| (c.level, c.what)).collect()
}

#[test]
fn lints_name_what_is_wrong() {
    assert_eq!(complaints(CLEAN), []);
    for (from, to, level, word) in [
        ("https://acme", "http://acme", Level::Wrong, "https://"),
        (
            "Acme key\"",
            "Acme key, whose title goes on and on and says nothing that anybody who reads reports wants to know\"",
            Level::Wrong,
            "80 bytes",
        ),
        ("provider = \"acme\"", "provider = \"acm\"", Level::Wrong, "begin with the provider"),
        ("rotate = \"r\"", "rotate = \"\"", Level::Wrong, "rotate"),
        ("\"hit\"", "\"miss\"", Level::Wrong, "no example that hits"),
        (
            "  { gen = \"xacme_{lower36:8}\", expect = \"miss\" },\n",
            "",
            Level::Wrong,
            "fewer than two",
        ),
        ("[a-z0-9]{8}", r"[a-z0-9\d]{8}", Level::Wrong, "spelled out"),
        ("boundary", "pair = { with = \"acme.id\" }\nboundary", Level::Wrong, "pair.with"),
        ("(?P<secret>acme_[a-z0-9]{8})", "acme_(?P<secret>[a-z0-9]{0,8})", Level::Wrong, "empty"),
        ("secret>acme_", "secret>(?:acme_|bcme_)", Level::Doubt, "without an anchor"),
        ("{8})'", "{8,})'", Level::Doubt, "no longest match"),
        ("{8})'", "{9})'", Level::Doubt, "shorter than the longest"),
        ("max_len = 13", "max_len = 46", Level::Doubt, "far longer"),
        (
            "anchors = [\"acme_\"]",
            "back = 8\nanchors = [\"---\", \"acme_\"]",
            Level::Doubt,
            "stands everywhere",
        ),
    ] {
        let found = complaints(&CLEAN.replacen(from, to, 1));
        let named = |(at, what): &&(Level, &str)| *at == level && what.contains(word);
        assert!(found.iter().any(|complaint| named(&complaint)), "{to}: {found:?}");
    }
    let twins = format!("{CLEAN}{}", CLEAN.trim_start_matches("schema = 1\n"));
    assert!(complaints(&twins).iter().any(|(_, what)| what.contains("one id")));
    let slow = CLEAN.replace("[a-z0-9]{8}", "[a-z0-9_]{8,}").replace("= 13", "= 15360");
    let slow = slow.replace("\"token\"", "\"none\"");
    assert!(complaints(&slow).iter().any(|(_, what)| what.contains("many looks")));
    let partner = CLEAN.replacen("boundary", "pair = { with = \"other.key\" }\nboundary", 1);
    assert_eq!(complaints(&partner), []);
}

#[test]
fn nothing_is_wrong_with_the_built_in_signatures() {
    let mut found = lint(Engine::builtin_signatures().unwrap(), true, &[]);
    found.retain(|complaint| complaint.level == Level::Wrong);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn examples_that_do_not_come_out_are_named() {
    let failures = |text: &str| {
        let engine = Engine::with(false, read("acme.toml", text).unwrap().signatures).unwrap();
        let (tried, failures) = trial::run(&engine);
        assert_eq!(tried, 3);
        failures.into_iter().map(|f| (f.number, f.what)).collect::<Vec<_>>()
    };
    assert_eq!(failures(CLEAN), []);
    for (from, to, number, what) in [
        ("\"hit\"", "\"miss\"", 1, "should be a miss, is a hit"),
        ("\"miss\"", "\"hit\"", 2, "should be a hit, is a miss"),
        (
            "\"hit\"",
            "\"hit\", facts = { kind = \"x\" }",
            1,
            "the fact kind should be x, is nothing",
        ),
        ("{lower36:7}7", "{lower36}", 1, "the template is wrong"),
    ] {
        assert_eq!(failures(&CLEAN.replacen(from, to, 1)), [(number, what.to_owned())]);
    }
}
