//! Pairs: an AWS secret and the id it belongs to, near and far, alone and in the wrong section, and
//! at every edge of a window.

use amisweep::detect::example::render;
use amisweep::detect::{Engine, Scratch, Window};
use amisweep::finding::{Grade, Harmless, Match, Severity};
use std::sync::OnceLock;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::builtin().expect("the signatures load"))
}

fn search_in(bytes: &[u8], owned: std::ops::Range<usize>) -> Vec<Match> {
    let window = Window { bytes, owned, path: None };
    let mut matches = Vec::new();
    engine().search(&window, &mut Scratch::default(), &mut matches);
    matches
}

fn search(text: &str) -> Vec<Match> {
    search_in(text.as_bytes(), 0..text.len())
}

/// An id whose account can be read, and a secret, for a number.
fn id(number: u64) -> String {
    render("AKIAQ{base32:15}", number).unwrap()
}

fn secret(number: u64) -> String {
    render("{b64:37}a7Q", number).unwrap()
}

/// For each secret found by its own rule: which id it is paired with, and how.
fn pairs(text: &str) -> Vec<(String, Option<String>, Option<String>)> {
    let mut matches = search(text);
    matches.retain(|m| m.rule.id == "aws.secret_access_key");
    matches.sort_by_key(|m| m.span.start);
    let fact = |m: &Match, name: &str| m.facts.get(name).cloned();
    matches
        .iter()
        .map(|m| {
            let secret = String::from_utf8_lossy(m.subject.bytes()).into_owned();
            (secret, fact(m, "access_key_id"), fact(m, "paired_by"))
        })
        .collect()
}

fn expect(text: &str, expected: &[(u64, Option<u64>, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(s, i, by)| {
            let by = Some((*by).to_owned()).filter(|by| !by.is_empty());
            (secret(*s), i.map(id), by)
        })
        .collect();
    assert_eq!(pairs(text), expected, "{text}");
}

#[test]
fn halves_are_joined_where_they_stand_near() {
    let (i, s) = (id(1), secret(1));
    for (text, by) in [
        (format!("AWS_ACCESS_KEY_ID={i} AWS_SECRET_ACCESS_KEY={s}\n"), "line"),
        (
            format!(
                "[a]\nx=1\naws_access_key_id = {i}\nregion = eu-west-1\n{}aws_secret_access_key = {s}\n",
                "y=2\n".repeat(40)
            ),
            "section",
        ),
        (
            format!(
                "provider \"aws\" {{\n access_key = \"{i}\"\n{} aws_secret_key = \"{s}\"\n}}\n",
                "  # x\n".repeat(30)
            ),
            "braces",
        ),
        (
            format!(
                "{{\"AccessKeyId\": \"{i}\",\n \"x\": {{\"y\": 1}},\n \"SecretAccessKey\": \"{s}\"}}"
            ),
            "braces",
        ),
        (format!("AWS_SECRET_ACCESS_KEY={s}\n\n\n\nAWS_ACCESS_KEY_ID={i}\n"), "lines"),
        (
            format!(
                "AWS_ACCESS_KEY_ID={i}\n{}AWS_SECRET_ACCESS_KEY={s}\n",
                "export A=1\n".repeat(30)
            ),
            "file",
        ),
    ] {
        expect(&text, &[(1, Some(1), by)]);
    }
}

#[test]
fn a_half_alone_is_a_finding_too() {
    let lone = search(&format!("key: {}\n", id(2)));
    let judged: Vec<_> = lone.iter().map(|m| (m.rule.id, m.severity, m.grade)).collect();
    assert_eq!(judged, [("aws.access_key_id", Severity::Medium, Grade::Plausible)]);
    expect(&format!("aws_secret_access_key = {}\n", secret(2)), &[(2, None, "")]);
    let far = "z\n".repeat(9000);
    expect(&format!("{}\n{far}aws_secret_access_key = {}\n", id(2), secret(2)), &[(2, None, "")]);
}

#[test]
fn a_pair_is_better_than_its_halves() {
    let text = format!(
        "[p]\naws_access_key_id = {}\nx = 1\ny = 2\naws_secret_access_key = {}\n",
        id(3),
        secret(3)
    );
    let found = search(&text);
    let of = |rule: &str| found.iter().find(|m| m.rule.id == rule).unwrap();
    let (key, name) = (of("aws.secret_access_key"), of("aws.access_key_id"));
    assert_eq!((key.severity, key.grade), (Severity::Critical, Grade::Strong));
    assert_eq!((name.severity, name.grade), (Severity::Medium, Grade::Strong));
    assert_eq!(key.facts["paired_with"], "aws.access_key_id");
    assert_eq!(name.facts["paired_with"], "aws.secret_access_key");
    assert_eq!(key.facts["account_id"], name.facts["account_id"]);
    let session = text.replace("AKIAQ", "ASIAQ");
    let found = search(&session);
    let key = found.iter().find(|m| m.rule.id == "aws.secret_access_key").unwrap();
    assert_eq!(key.severity, Severity::Medium, "a session ends by itself");
    // The account of the trip-wire keys, in two parts so that no id stands here.
    let canary = ["AKIA", "QYLPMN5HFIQR7XYA"].concat();
    let found = search(&text.replace(&id(3), &canary));
    let key = found.iter().find(|m| m.rule.id == "aws.secret_access_key").unwrap();
    assert_eq!(key.facts["canary"], "yes");
}

#[test]
fn each_secret_gets_its_own_id() {
    let section = |n: u64| {
        format!(
            "[p{n}]\naws_access_key_id = {}\nregion = x\naws_secret_access_key = {}\n",
            id(n),
            secret(n)
        )
    };
    let text = section(1) + &section(2) + &section(3);
    expect(&text, &[(1, Some(1), "section"), (2, Some(2), "section"), (3, Some(3), "section")]);
    let object = |n: u64| {
        format!("{{\"SecretAccessKey\": \"{}\",\n\n\"AccessKeyId\": \"{}\"}},\n", secret(n), id(n))
    };
    let text = format!("[{}]", object(1) + &object(2));
    expect(&text, &[(1, Some(1), "braces"), (2, Some(2), "braces")]);
    let split =
        format!("[a]\naws_access_key_id = {}\n[b]\naws_secret_access_key = {}\n", id(1), secret(1));
    expect(&split, &[(1, None, "")]);
    let shared = format!(
        "[a]\naws_access_key_id = {}\nx=1\naws_secret_access_key = {}\n[b]\naws_secret_access_key = {}\n",
        id(1),
        secret(1),
        secret(2)
    );
    expect(&shared, &[(1, Some(1), "section"), (2, None, "")]);
}

#[test]
fn a_secret_without_a_name_is_found_beside_an_id_only() {
    let bare = format!("user: deploy\nid: {}\nnote\n\nthe other: {}\n", id(4), secret(4));
    let found = search(&bare);
    let key = found.iter().find(|m| m.rule.id == "aws.secret_access_key").expect("beside an id");
    assert_eq!((key.subject.bytes(), key.grade), (secret(4).as_bytes(), Grade::Plausible));
    assert_eq!(key.facts["access_key_id"], id(4));
    expect(&format!("note\n\nthe other: {}\n", secret(4)), &[]);
    let commit = render("{hex:40}", 1).unwrap();
    expect(&format!("id: {}\ncommit {commit}\n", id(4)), &[]);
    expect(&format!("id: {}\n/usr/lib/python3/dist-packages/a/b/C1d2e\n", id(4)), &[]);
    expect(&format!("id: {}\nsha1-{}=\n", id(4), secret(4)), &[]);
    let far = "line\n".repeat(12);
    expect(&format!("id: {}\n{far}{}\n", id(4), secret(4)), &[]);
}

#[test]
fn examples_are_paired_with_examples_only() {
    let example = ["AKIAIOSFODNN7", "EXAMPLE"].concat();
    let text =
        format!("[a]\naws_access_key_id = {example}\nx=1\naws_secret_access_key = {}\n", secret(5));
    let found = search(&text);
    let key = found.iter().find(|m| m.rule.id == "aws.secret_access_key").unwrap();
    assert_eq!((key.harmless, key.facts.get("access_key_id")), (None, None));
    let name = found.iter().find(|m| m.rule.id == "aws.access_key_id").unwrap();
    assert_eq!(name.harmless, Some(Harmless::DocumentationExample));
}

#[test]
fn a_windows_edge_separates_no_pair() {
    let text = format!(
        "{}[a]\naws_access_key_id = {}\nregion = eu-west-1\naws_secret_access_key = {}\n{}",
        "x".repeat(40),
        id(6),
        secret(6),
        "y\n".repeat(20)
    );
    let bytes = text.as_bytes();
    let fact = |m: &Match| (m.rule.id, m.span.start, m.facts.clone(), m.grade);
    let sorted = |mut found: Vec<Match>| {
        found.sort_by_key(|m| (m.span.start, m.rule.id));
        found.iter().map(fact).collect::<Vec<_>>()
    };
    let whole = sorted(search(&text));
    assert!(whole.iter().any(|(rule, _, facts, _)| *rule == "aws.secret_access_key"
        && facts.contains_key("access_key_id")));
    for edge in (0..=bytes.len()).step_by(3) {
        let mut found = search_in(bytes, 0..edge);
        found.extend(search_in(bytes, edge..bytes.len()));
        assert_eq!(sorted(found), whole, "edge at {edge}");
    }
}

/// A flood of halves is related in time that grows with its length alone.
#[test]
fn a_flood_of_halves_ends() {
    let line =
        format!("AKIAQ{}\naws_secret_access_key = {}\n{{{{{{\n[a]\n", "A2B3C4D5E6F7G2H", secret(7));
    let text = line.repeat(4000);
    let found = search(&text);
    assert!(found.len() > 200 && found.iter().any(|m| m.facts.contains_key("paired_with")));
}
