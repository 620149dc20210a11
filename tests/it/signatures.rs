//! Every signature against its own examples, at every window split, and against input made to be
//! slow.

use amisweep::detect::example::render;
use amisweep::detect::signature::{Anchor, Expect, Signature};
use amisweep::detect::{Engine, Scratch, Window};
use amisweep::finding::{Grade, Harmless, Match, Severity, Subject};
use amisweep::limits;
use std::sync::OnceLock;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::builtin().expect("the signatures load"))
}

fn seed(signature: &Signature, number: usize) -> u64 {
    let id = signature.rule.id.bytes();
    id.fold(number as u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

/// The matches of one window that owns all of `bytes`.
fn scan(bytes: &[u8]) -> Vec<Match> {
    let mut found = Vec::new();
    let window = Window { bytes, owned: 0..bytes.len(), path: None };
    engine().scan(&window, &mut Scratch::default(), &mut |matched| found.push(matched));
    found
}

fn verdict(matches: &[Match]) -> Expect {
    match matches {
        [] => Expect::Miss,
        matches if matches.iter().any(|matched| matched.harmless.is_none()) => Expect::Hit,
        _ => Expect::Noted,
    }
}

#[test]
fn every_example_says_what_it_should() {
    let mut wrong = Vec::new();
    for signature in engine().signatures() {
        for (number, example) in signature.examples.iter().enumerate() {
            let Some(text) = render(&example.template, seed(signature, number)) else {
                wrong.push(format!("{}: bad template {}", signature.rule.id, example.template));
                continue;
            };
            for (before, after) in [("", ""), ("junk\0\u{ff} ", " tail\0"), ("\"", "\"\n")] {
                let mut matches = scan(format!("{before}{text}{after}").as_bytes());
                matches.retain(|matched| std::ptr::eq(matched.rule, signature.rule));
                if verdict(&matches) != example.expect || matches.len() > 1 {
                    wrong.push(format!(
                        "{}: {} -> {:?} x{} between {before:?} and {after:?}: {text}",
                        signature.rule.id,
                        example.template,
                        verdict(&matches),
                        matches.len()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn examples_say_what_they_open() {
    let mut checked = 0;
    for signature in engine().signatures() {
        for (number, example) in signature.examples.iter().enumerate() {
            let text = render(&example.template, seed(signature, number)).unwrap();
            let mut matches = scan(text.as_bytes());
            matches.retain(|matched| std::ptr::eq(matched.rule, signature.rule));
            for (name, value) in &example.facts {
                let read = matches.iter().find_map(|matched| matched.facts.get(name.as_str()));
                assert_eq!(read, Some(value), "{} of {}", name, signature.rule.id);
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "{checked} facts");
}

/// What a signature's first example is worth.
#[test]
fn evidence_decides_the_grade() {
    for (id, grade, severity) in [
        ("age.identity", Grade::Proven, Severity::Critical),
        ("atlassian.api_token", Grade::Proven, Severity::High),
        ("aws.access_key_id", Grade::Plausible, Severity::Medium),
        ("aws.key_pair", Grade::Strong, Severity::Critical),
        ("bitcoin.wif_key", Grade::Proven, Severity::Critical),
        ("ceph.key", Grade::Proven, Severity::Critical),
        ("cloudflare.token", Grade::Proven, Severity::High),
        ("confluent.api_secret", Grade::Proven, Severity::Critical),
        ("generic.password", Grade::Weak, Severity::Medium),
        ("github.token", Grade::Proven, Severity::Critical),
        ("gitlab.token.routable", Grade::Proven, Severity::High),
        ("grafana.service_account_token", Grade::Proven, Severity::High),
        ("jwk.private_key", Grade::Proven, Severity::Critical),
        ("jwt.token", Grade::Strong, Severity::Medium),
        ("kerberos.keytab", Grade::Proven, Severity::Critical),
        ("nats.seed", Grade::Proven, Severity::High),
        ("npm.token", Grade::Proven, Severity::Critical),
        ("pem.private_key", Grade::Proven, Severity::Critical),
        ("pypi.token", Grade::Proven, Severity::Critical),
        ("wallet.recovery_phrase", Grade::Proven, Severity::Critical),
        ("windows.unattend_password", Grade::Proven, Severity::Critical),
        ("zuplo.api_key", Grade::Proven, Severity::High),
    ] {
        let signature = engine().signatures().iter().find(|s| s.rule.id == id).expect(id);
        let text = render(&signature.examples[0].template, seed(signature, 0)).unwrap();
        let mut matches = scan(text.as_bytes());
        matches.retain(|matched| matched.rule.id == id);
        let judged: Vec<_> = matches.iter().map(|m| (m.grade, m.severity)).collect();
        assert_eq!(judged, [(grade, severity)], "{id}");
    }
    let near = scan(b"redis://app:s3cr3t-pa55@localhost:6379/0");
    assert_eq!(near.first().map(|m| m.severity), Some(Severity::Medium), "only this machine");
    assert!(matches!(near.first().map(|m| &m.subject), Some(Subject::Password(_))));
}

#[test]
fn every_signature_is_well_made() {
    let mut wrong = Vec::new();
    for signature in engine().signatures() {
        let mut say = |what: &str| wrong.push(format!("{}: {what}", signature.rule.id));
        let examples = |expect| signature.examples.iter().filter(move |e| e.expect == expect);
        if signature.regex().is_err() {
            say("the pattern does not compile");
        }
        if examples(Expect::Hit).count() < 1 {
            say("no example hits");
        }
        if examples(Expect::Miss).count() + examples(Expect::Noted).count() < 2 {
            say("fewer than two near misses");
        }
        if [r"\w", r"\d", r"\b", "(?s", "(?m"].iter().any(|class| signature.pattern.contains(class))
        {
            say("a class that is not spelled out");
        }
        if !signature.about.references.iter().all(|page| page.starts_with("https://")) {
            say("a reference that is no page");
        }
        if signature.rule.title.len() > 80 || signature.rule.rotate.is_empty() {
            say("title or rotation");
        }
        if !signature.rule.id.contains('.')
            || !signature.rule.id.starts_with(&signature.about.provider)
        {
            say("the id does not begin with the provider");
        }
        for (number, example) in signature.examples.iter().enumerate() {
            let text = render(&example.template, seed(signature, number)).unwrap_or_default();
            let anchored = (0..text.len())
                .any(|at| signature.anchors.iter().any(|a| a.stands_at(text.as_bytes(), at)));
            if !anchored && example.expect != Expect::Miss {
                say("an example without an anchor");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let ids: Vec<_> = engine().signatures().iter().map(|s| s.rule.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "ids are unique and sorted");
}

#[test]
fn no_fact_holds_the_secret() {
    for signature in engine().signatures() {
        for (number, example) in signature.examples.iter().enumerate() {
            let text = render(&example.template, seed(signature, number)).unwrap();
            for matched in scan(text.as_bytes()).into_iter().filter(|m| m.decoded.is_none()) {
                let (Subject::Secret(secret) | Subject::Password(secret)) = &matched.subject else {
                    continue;
                };
                let secret = String::from_utf8_lossy(secret.expose()).into_owned();
                let leak = matched.facts.values().find(|fact| fact.contains(&secret));
                assert_eq!(leak, None, "{}", matched.rule.id);
                let [start, end] =
                    [matched.span.start, matched.span.end()].map(|at| usize::try_from(at).unwrap());
                assert_eq!(text.get(start..end), Some(secret.as_str()), "{}", matched.rule.id);
            }
        }
    }
}

/// All examples of all signatures with junk between them, in shelves so small that no signature
/// reaches its bound of matches in one.
fn everything() -> Vec<Vec<u8>> {
    engine().signatures().chunks(24).map(shelf).collect()
}

fn shelf(signatures: &[Signature]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for signature in signatures {
        for (number, example) in signature.examples.iter().enumerate() {
            let text = render(&example.template, seed(signature, number)).expect("a template");
            bytes.extend(text.bytes());
            bytes.extend_from_slice(b"\n\0\xffjunk\x80\n");
        }
    }
    bytes
}

fn places(matches: &[Match], base: usize) -> Vec<(u64, u64, &'static str, Option<Harmless>)> {
    let place = |m: &Match| (m.span.start + base as u64, m.span.len, m.rule.id, m.harmless);
    let mut places: Vec<_> = matches.iter().map(place).collect();
    places.sort_unstable();
    places
}

#[test]
fn windows_of_any_size_find_the_same() {
    let found: usize = everything().iter().map(|bytes| in_windows(bytes)).sum();
    assert!(found >= engine().signatures().len());
}

fn in_windows(bytes: &[u8]) -> usize {
    let overlap = usize::try_from(limits::OVERLAP_BYTES).unwrap();
    let whole = places(&scan(bytes), 0);
    let mut scratch = Scratch::default();
    for step in [997, 4096, 65_521] {
        let mut found = Vec::new();
        for start in (0..bytes.len()).step_by(step) {
            let end = (start + step).min(bytes.len());
            let from = start.saturating_sub(overlap);
            let to = (end + overlap).min(bytes.len());
            let window =
                Window { bytes: &bytes[from..to], owned: start - from..end - from, path: None };
            let mut matches = Vec::new();
            let more = engine().scan(&window, &mut scratch, &mut |matched| matches.push(matched));
            assert_eq!(more, 0);
            found.extend(places(&matches, from));
        }
        found.sort_unstable();
        assert_eq!(found, whole, "windows of {step} bytes");
    }
    whole.len()
}

/// Damaged text must neither stop the search nor be found in one window and not in another.
#[test]
fn damage_is_searched_like_anything_else() {
    for bytes in everything() {
        damage(&bytes);
    }
}

fn damage(whole: &[u8]) {
    let mut state = 1_u64;
    for round in 0..12 {
        let mut bytes = whole.to_vec();
        for _ in 0..bytes.len() / 200 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(state >> 33).unwrap() % bytes.len();
            bytes[at] = state.to_le_bytes()[2];
        }
        let expected = places(&scan(&bytes), 0);
        let half = bytes.len() / 2 + round;
        let mut found = Vec::new();
        for owned in [0..half, half..bytes.len()] {
            let window = Window { bytes: &bytes, owned, path: None };
            let mut matches = Vec::new();
            engine().scan(&window, &mut Scratch::default(), &mut |matched| matches.push(matched));
            found.extend(places(&matches, 0));
        }
        found.sort_unstable();
        assert_eq!(found, expected, "round {round}");
    }
}

#[test]
fn every_position_of_a_window_edge_finds_a_token_once() {
    let token = render("ghp_{base62:30}{crc32_base62}", 5).unwrap();
    let text = format!("{} key: {token}; AKIAQ{}", "-".repeat(40), "A2B3C4D5E6F7G2H");
    let bytes = text.as_bytes();
    for edge in 0..=bytes.len() {
        let mut found = 0;
        for owned in [0..edge, edge..bytes.len()] {
            let window = Window { bytes, owned, path: None };
            engine().scan(&window, &mut Scratch::default(), &mut |_| found += 1);
        }
        assert_eq!(found, 2, "edge at {edge}");
    }
}

#[test]
fn input_made_to_be_slow_is_not() {
    let bombs = [
        "AAAA",
        "eyJeyJ",
        "-eyJ",
        ".eyJhbGciOi",
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "password=",
        "AKIA",
        "Q~",
        ":AA",
        "://a:",
        "token=aaaaaaa1 ",
        "$6$",
        "AccountKey=",
        "ghp_",
        "\"private_key\":\"",
        "T3BlbkFJ",
        "Bearer ",
        "SG.",
    ];
    for bomb in bombs {
        let bytes = bomb.repeat(2 * 1024 * 1024 / bomb.len()).into_bytes();
        let mut scratch = Scratch::default();
        let mut found = 0_usize;
        let window = Window { bytes: &bytes, owned: 0..bytes.len(), path: None };
        let more = engine().scan(&window, &mut scratch, &mut |_| found += 1);
        // Each signature that holds the bomb dear may look so far, and no further.
        let awake = awake(bomb);
        let bound = awake * (limits::VERIFY_STEPS_PER_RULE + 2 * limits::SIGNATURE_BYTES);
        assert!(scratch.steps() <= bound as u64, "{bomb}: {} steps", scratch.steps());
        assert!(found <= awake * limits::MATCHES_PER_RULE, "{bomb}: {found} found");
        assert!(more <= bytes.len() as u64, "{bomb}: {more} more");
    }
}

/// How many signatures have an anchor in text that repeats `bomb`.
fn awake(bomb: &str) -> usize {
    let text = bomb.repeat(64 / bomb.len() + 2);
    let stands = |anchor: &Anchor| (0..bomb.len()).any(|at| anchor.stands_at(text.as_bytes(), at));
    engine().signatures().iter().filter(|s| s.anchors.iter().any(stands)).count().max(1)
}

#[test]
fn a_flood_of_matches_is_counted() {
    let token = render("ghp_{base62:30}{crc32_base62} ", 5).unwrap();
    let bytes = token.repeat(limits::MATCHES_PER_RULE + 7).into_bytes();
    let mut found = 0;
    let window = Window { bytes: &bytes, owned: 0..bytes.len(), path: None };
    let more = engine().scan(&window, &mut Scratch::default(), &mut |_| found += 1);
    assert_eq!((found, more), (limits::MATCHES_PER_RULE, 7));
}

#[test]
fn a_wrong_file_is_refused() {
    let good = "schema = 1\n[[signature]]\nid = 'x.y'\ntitle = 't'\ndescription = 'd'\n\
                references = ['https://e']\nprovider = 'x'\nseverity = 'low'\n\
                confidence = 'weak'\nanchors = ['abc']\npattern = '(?P<secret>abc[0-9])'\n\
                max_len = 4\nboundary = 'token'\nblast = { opens = 'o', rotate = 'r' }\n\
                example = []\n";
    assert!(Engine::load(&[("good", good)]).is_ok());
    assert!(Engine::load(&[("one", good), ("two", good)]).is_err(), "two of one id");
    for (from, to) in [
        ("schema = 1", "schema = 2"),
        ("title", "titel"),
        ("['abc']", "['ab']"),
        ("['abc']", "[]"),
        ("['https://e']", "[]"),
        ("max_len = 4", "max_len = 16384"),
        ("?P<secret>", "?P<other>"),
        ("[0-9])", "[0-9)"),
        ("'low'", "'lowest'"),
        ("'weak'", "'weaker'"),
        ("example = []", "example = []\ncheck = { alphabet = 'base63' }"),
        ("example = []", "example = []\ncheck = { structure = 'magic' }"),
        ("example = []", "example = []\ncheck = { entropy = 3.0 }"),
    ] {
        let bad = good.replace(from, to);
        assert!(Engine::load(&[("bad", &bad)]).is_err(), "{from} -> {to}");
    }
}
