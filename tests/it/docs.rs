//! The documents: what they say of the tree, the tests and the formats is true.

use amisweep::detect::example::render;
use amisweep::detect::signature::Expect;
use amisweep::detect::{Engine, Scratch, Window};
use amisweep::limits;
use amisweep::locator::Locator;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// What stands between backticks, outside of blocks.
fn quoted(text: &str) -> Vec<&str> {
    text.split("```").step_by(2).flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

/// Every Rust source below `folder`.
fn sources(folder: &str) -> String {
    let mut pending = vec![root().join(folder)];
    let mut all = String::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).unwrap();
            pending.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            all += &std::fs::read_to_string(path).unwrap();
        }
    }
    all
}

#[test]
fn the_paths_in_documents_exist() {
    const HEADS: [&str; 7] =
        ["src/", "tests/", "testdata/", "signatures/", "docs/", "fuzz/", "benches/"];
    let names = ["docs/architecture.md", "docs/threat-model.md", "docs/coverage.md"];
    let more = ["docs/locators.md", "docs/signatures.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    let mut seen = 0;
    for name in names.into_iter().chain(more) {
        for path in quoted(&document(name)) {
            let placeholder = path.contains("/x.rs") || path.contains("/issuer.toml");
            let is_path = HEADS.iter().any(|head| path.starts_with(head)) && !placeholder;
            if is_path && !path.contains(' ') {
                assert!(root().join(path).exists(), "{name}: {path}");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen} paths");
}

/// The code map has a word on every module.
#[test]
fn the_map_knows_every_module() {
    let map = document("docs/architecture.md");
    assert!(map.lines().count() <= 200);
    let lib = document("src/lib.rs");
    for module in lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')) {
        let file = PathBuf::from(format!("src/{module}.rs"));
        let path = if root().join(&file).exists() { file } else { format!("src/{module}/").into() };
        assert!(map.contains(&format!("`{}`", path.display())), "{}", path.display());
    }
}

#[test]
fn the_tests_behind_promises_exist() {
    let all = sources("tests/it") + &sources("src");
    let model = document("docs/threat-model.md");
    let (_, table) = model.split_once("| promise |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let mut seen = 0;
    for row in table.lines().skip(2) {
        let tests = row.rsplit('|').nth(1).unwrap();
        let names = quoted(tests).into_iter().filter(|name| !name.contains('/'));
        for name in names {
            assert!(all.contains(&format!("fn {name}()")), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} tests");
}

#[test]
fn the_locators_shown_parse_back() {
    let text = document("docs/locators.md");
    let shown = quoted(&text);
    let roots = ["snap-0a1b", "server:", "disk.img"];
    let locators = shown.iter().filter(|l| roots.iter().any(|root| l.starts_with(root)));
    let mut seen = 0;
    for locator in locators {
        let parsed: Locator = locator.parse().unwrap_or_else(|e| panic!("{locator}: {e}"));
        assert_eq!(parsed.to_string(), **locator);
        seen += 1;
    }
    assert!(seen >= 18, "{seen} locators");
}

#[test]
fn the_worked_signature_works() {
    let text = document("docs/signatures.md");
    let (_, example) = text.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let engine = Engine::load(&[("acme", example)]).unwrap();
    let [signature] = engine.signatures() else { panic!("one signature") };
    for (number, example) in (0..).zip(&signature.examples) {
        let text = render(&example.template, number).unwrap();
        let window = Window { bytes: text.as_bytes(), owned: 0..text.len(), path: None };
        let mut found = Vec::new();
        engine.scan(&window, &mut Scratch::default(), &mut |matched| found.push(matched));
        let expected = usize::from(example.expect != Expect::Miss);
        assert_eq!(found.len(), expected, "{}", example.template);
        for (name, value) in &example.facts {
            assert_eq!(found[0].facts.get(name.as_str()), Some(value));
        }
    }
    assert!(text.contains("at most 15,360 bytes") && limits::SIGNATURE_BYTES == 15_360);
}

/// The templates the document lists are those there are.
#[test]
fn the_template_fields_shown_can_be_made() {
    let text = document("docs/signatures.md");
    let (_, table) = text.split_once("| in a template |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let fields: Vec<_> = quoted(table).into_iter().filter(|f| f.starts_with('{')).collect();
    for field in &fields {
        let template = field.replace(":N", ":4").replace("LABEL", "KEY").replace('…', "x");
        assert!(render(&format!("abcd{template}"), 1).is_some(), "{field}");
    }
    assert!(fields.len() >= 25, "{fields:?}");
}

/// The SDK's operations that `folder` calls, with the prefix of their service.
fn called(folder: &str, service: &str) -> BTreeSet<String> {
    let text: String = sources(folder).split_whitespace().collect();
    let calls = text.split("client.").skip(1).filter_map(|rest| {
        let (name, after) = rest.split_once('(')?;
        let plain = name.chars().all(|c| c == '_' || c.is_ascii_lowercase());
        (plain && after.starts_with(')')).then_some(name)
    });
    let camel = |name: &str| -> String {
        let words = name.split('_');
        words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect()
    };
    calls.map(|name| format!("{service}:{}", camel(name))).collect()
}

/// The policy allows what the source calls, no less and no more, and the documents name it all.
#[test]
fn every_aws_call_is_named() {
    let mut calls = called("src/image/ebs", "ebs");
    calls.extend(called("src/exposure/collect", "ec2"));
    assert!(calls.contains("ebs:GetSnapshotBlock"), "{calls:?}");
    let readme = document("README.md");
    let (_, policy) = readme.split_once("```json\n").unwrap();
    let (policy, _) = policy.split_once("```").unwrap();
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|s| s["Action"].as_array().unwrap());
    let actions = actions.map(|action| action.as_str().unwrap().to_owned());
    let allowed: BTreeSet<_> = actions.filter(|action| !action.starts_with("kms:")).collect();
    assert_eq!(allowed, calls);
    let model = document("docs/threat-model.md");
    for call in calls {
        let (_, name) = call.split_once(':').unwrap();
        for text in [&readme, &model] {
            assert!(quoted(text).contains(&name), "{call}");
        }
    }
}

/// The policy for `amisweep collect` allows what its table of calls asks, all of which only reads.
#[cfg(feature = "aws")]
#[test]
fn every_call_of_collect_is_named() {
    let policy: serde_json::Value =
        serde_json::from_str(&document("docs/iam-collect.json")).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|s| s["Action"].as_array().unwrap());
    let mut actions: Vec<_> = actions.map(|action| action.as_str().unwrap().to_owned()).collect();
    actions.sort();
    assert_eq!(actions, amisweep::exposure::collect::permissions());
    for action in &actions {
        let (_, name) = action.split_once(':').unwrap();
        let reads = ["Describe", "Get", "List", "Lookup"].iter().any(|verb| name.starts_with(verb));
        assert!(reads || matches!(name, "AssumeRole" | "GenerateCredentialReport"), "{action}");
    }
    for name in ["README.md", "docs/threat-model.md", "docs/facts.md"] {
        assert!(document(name).contains("iam-collect.json"), "{name}");
    }
}

/// The README does not claim more kinds of key than there are, nor many fewer.
#[test]
fn the_number_of_signatures_told_is_true() {
    let readme = document("README.md");
    let (_, told) = readme.split_once("| signatures | more than ").unwrap();
    let told: usize = told.split(' ').next().unwrap().parse().unwrap();
    let mut kinds = 0;
    for entry in std::fs::read_dir(root().join("signatures")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(path).unwrap();
            kinds += text.lines().filter(|line| line.starts_with("[[signature]]")).count();
        }
    }
    assert!((told + 1..=told + 30).contains(&kinds), "{kinds} kinds, more than {told} are told");
}
