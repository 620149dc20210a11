//! Files of other scanners: what is found with them, and what of them is not read.

use amisweep::detect::import::{Format, Remark, Rules, read};
use amisweep::detect::{Engine, Scratch, Window};
use amisweep::finding::{Grade, Harmless, Severity, Subject};
use std::path::Path;

/// A rule file of the test data, read.
fn import(name: &str) -> Rules {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rules").join(name);
    read(name, &std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What the signatures of `rules` find in `text`: the rule, the secret, and whether it is harmless.
fn found(rules: Rules, text: &str) -> Vec<(&'static str, String, bool)> {
    let engine = Engine::with(false, rules.signatures).unwrap();
    let window = Window { bytes: text.as_bytes(), owned: 0..text.len(), path: None };
    let mut found = Vec::new();
    engine.scan(&window, &mut Scratch::default(), &mut |matched| {
        let Subject::Secret(secret) = &matched.subject else { panic!("no secret") };
        let secret = String::from_utf8_lossy(secret.expose()).into_owned();
        assert!(matched.facts.is_empty(), "what other groups hold may be secret");
        found.push((matched.rule.id, secret, matched.harmless == Some(Harmless::Allowed)));
    });
    found.sort();
    found
}

/// What is not read, one line for each remark.
fn losses(rules: &Rules) -> Vec<String> {
    let line = |remark: &Remark| {
        let rule = remark.rule.as_deref().unwrap_or("-");
        assert_eq!(remark.line.is_some(), remark.rule.is_some(), "{rule}");
        format!("{} {rule}: {} ({})", remark.loss.name(), remark.what, remark.detail)
    };
    rules.remarks.iter().map(line).collect()
}

fn check(file: &str, format: Format, cases: &[(&str, &[(&str, &str, bool)])], lost: &[&str]) {
    let rules = import(file);
    assert_eq!(rules.format, format);
    assert_eq!(losses(&rules), lost, "{file}");
    for (text, expected) in cases {
        let found = found(import(file), text);
        let found: Vec<_> =
            found.iter().map(|(id, secret, ok)| (*id, secret.as_str(), *ok)).collect();
        assert_eq!(found, *expected, "{file}: {text}");
    }
}

#[test]
fn gitleaks_rules_are_read() {
    check(
        "gitleaks.toml",
        Format::Gitleaks,
        &[
            (
                "x = 'acme_l_k3j9d8w2m5n7p0q4'\n",
                &[("gitleaks.acme-token", "acme_l_k3j9d8w2m5n7p0q4", false)],
            ),
            ("xacme_l_k3j9d8w2m5n7p0q4\n", &[]),
            ("acme_l_abababababababab\n", &[]),
            (
                "acme_l_sandbox2m5n7p0q4\n",
                &[("gitleaks.acme-token", "acme_l_sandbox2m5n7p0q4", true)],
            ),
            (
                "acme_l_k3j9d8w2m5n7p0q4 # allowed\n",
                &[("gitleaks.acme-token", "acme_l_k3j9d8w2m5n7p0q4", true)],
            ),
            (
                "export my.ACMECORP_key = \"0f1e2d3c4b5a69788796a5b4c3d2e1f0\"",
                &[("gitleaks.acme-named", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", false)],
            ),
            (
                "acmecorp: 00002d3c4b5a6978deada5b4c3d2e1f0\n",
                &[("gitleaks.acme-named", "00002d3c4b5a6978deada5b4c3d2e1f0", true)],
            ),
            (
                "acmecorp: 11112d3c4b5a69788796a5b4c3d2e1f0\n",
                &[("gitleaks.acme-named", "11112d3c4b5a69788796a5b4c3d2e1f0", false)],
            ),
            ("acmeuser=bob;pass=k3j9 d8w2!;", &[("gitleaks.acme-second", "k3j9 d8w2!", false)]),
            ("acme{k3j9d8w2m[n7}", &[("gitleaks.acme-brace", "k3j9d8w2m[n7", false)]),
            ("01234567-89ab-cdef acmeid_123456", &[]),
        ],
        &[
            "part -: rules of another file are not read (extend)",
            "part -: a filter (CEL) is not evaluated (prefilter)",
            "part -: allowed paths and commits are not asked for (paths)",
            "part acme-named: an allow list that asks for paths or commits as well (paths)",
            "part acme-second: a path is not asked for, the rule looks everywhere (path)",
            "part acme-second: a match may have 15360 bytes at most ()",
            "part acme-brace: a filter (CEL) is not evaluated (filter)",
            "part acme-brace: validation over the network is never done (validate)",
            "rule acme-keystore: a rule for paths alone ()",
            "rule acme-uuid: no literal of three bytes or more stands in every match ()",
            "rule acme-ahead: look-around is not supported (look-around, including look-ahead and \
             look-behind, is not supported)",
            "rule acme-helper: a rule that reports nothing by itself (skipReport)",
        ],
    );
}

#[test]
fn nosey_parker_rules_are_read() {
    check(
        "noseyparker.yml",
        Format::NoseyParker,
        &[
            (
                "ACME_TOKEN=acme_l_k3j9d8w2m5n7p0q4",
                &[("noseyparker.np.acme.1", "acme_l_k3j9d8w2m5n7p0q4", false)],
            ),
            (
                "ACMEID: 'k3j9d8w2'\r\n\r\nacmekey: z9y8x7w6v5u4t3s2r1q0p9o8",
                &[("noseyparker.np.acme.2", "k3j9d8w2", false)],
            ),
        ],
        &[
            "rule np.acme.3: no literal of three bytes or more stands in every match ()",
            "rule np.acme.4: backreferences are not supported (backreferences are not supported)",
        ],
    );
}

#[test]
fn kingfisher_rules_are_read() {
    check(
        "kingfisher.yml",
        Format::Kingfisher,
        &[
            (
                "Acme:\n tok1k3j9d8w2m5n7p0q4.",
                &[("kingfisher.custom.acme.1", "tok1k3j9d8w2m5n7p0q4", false)],
            ),
            ("acme tokabcdefghijklmnopq", &[]),
            (
                "acme tok1k3demow2m5n7p0q4",
                &[("kingfisher.custom.acme.1", "tok1k3demow2m5n7p0q4", true)],
            ),
            ("acmeacct-12345678", &[]),
            ("acmeweak=k3j9d8w2", &[("kingfisher.custom.acme.3", "k3j9d8w2", false)]),
        ],
        &[
            "part custom.acme.1: validation over the network is never done (validation)",
            "part custom.acme.1: a checksum is not computed (checksum)",
            "rule custom.acme.2: a rule that reports nothing by itself (visible: false)",
            "part custom.acme.3: other rules that must match nearby are not asked for \
             (depends_on_rule)",
        ],
    );
    let weak = import("kingfisher.yml").signatures;
    assert_eq!(weak.iter().map(|s| s.grade).collect::<Vec<_>>(), [Grade::Plausible, Grade::Weak]);
}

#[test]
fn trivy_rules_are_read() {
    check(
        "trivy.yaml",
        Format::Trivy,
        &[
            ("acmeSecret: \"k3j9d8w2m5\"", &[("trivy.acme-rule", "k3j9d8w2m5", false)]),
            ("acmesecret='k3demo82m5'", &[("trivy.acme-rule", "k3demo82m5", true)]),
            ("acmewhole-482910375512", &[("trivy.acme-whole", "acmewhole-482910375512", false)]),
            ("acmeoff-482910375512", &[]),
        ],
        &[
            "part -: rules that Trivy comes with are not there to be chosen from \
             (enable-builtin-rules)",
            "part acme-rule: a path is not asked for, the rule looks everywhere (path)",
            "part acme-rule: allowed paths and commits are not asked for (path)",
            "part acme-whole: excluded blocks are not looked for (exclude-block)",
            "rule acme-off: the file itself disables the rule ()",
        ],
    );
    let severities: Vec<_> =
        import("trivy.yaml").signatures.iter().map(|s| s.rule.severity).collect();
    assert_eq!(severities, [Severity::Critical, Severity::Medium]);
}

#[test]
fn what_is_no_rule_file_is_refused() {
    for (text, word) in [
        ("", "no known rule file"),
        ("rules: []\n", "no known rule file"),
        ("title = 3\n", "no known rule file"),
        ("just words", "no known rule file"),
        ("[[rules]\nid = 'x'\n", "line 1"),
        ("rules:\n  - id: [\n", "line"),
        ("- a: &a [b]\n- *missing\n", "missing"),
        ("schema = 1\n[[signature]]\nid = 'x.y'\n", "line"),
    ] {
        let error = read("file", text).err().map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("{text}"));
        assert!(error.contains("file") && error.contains(word), "{text:?}: {error}");
    }
}

/// Whatever becomes of a rule file, reading it ends, and what was read can be used.
#[test]
fn damaged_rule_files_do_no_harm() {
    let mut state = 3_u64;
    let mut random = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % most
    };
    let mut read_ones = 0;
    for name in ["gitleaks.toml", "noseyparker.yml", "kingfisher.yml", "trivy.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rules").join(name);
        let whole = std::fs::read(path).unwrap();
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = b"{}[]()*+?|\\\"'\n:-=#&!\0"[random(21)],
                    1 => drop(bytes.drain(at..(at + random(40)).min(bytes.len()))),
                    _ => {
                        let from = random(bytes.len());
                        let part = bytes[from..(from + random(40)).min(bytes.len())].to_vec();
                        bytes.splice(at..at, part);
                    }
                }
            }
            let text = String::from_utf8_lossy(&bytes);
            let Ok(rules) = read(name, &text) else { continue };
            let engine = Engine::with(false, rules.signatures).unwrap();
            let window = Window { bytes: &bytes, owned: 0..bytes.len(), path: None };
            engine.scan(&window, &mut Scratch::default(), &mut |_| {});
            read_ones += 1;
        }
    }
    assert!(read_ones > 100, "{read_ones}");
}

#[test]
fn yaml_made_to_grow_is_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        let line = format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", "));
        bomb.push_str(&line);
    }
    bomb += "rules:\n  - id: a\n    pattern: *a11\n";
    assert!(read("bomb.yml", &bomb).is_err());
    let deep = format!("rules: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    assert!(read("deep.yml", &deep).is_err());
    let deep = format!("rules = {}{}\n", "[".repeat(5000), "]".repeat(5000));
    assert!(read("deep.toml", &deep).is_err());
}
