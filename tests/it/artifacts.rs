//! Artifact parsers against `testdata/artifacts/*.case`: templates in, expected matches out.
//!
//! A case is a path, a file's content and the expected matches, one a line:
//! `rule[ @!member] | severity grade harmless | subject | fact=value; …`. A subject that starts
//! with `~` was decoded and does not stand in the file as it is. `@{alphabet length seed}` makes
//! a value that is the same wherever it is written, `@{base64 …}` and the like encode what they
//! hold, so that no file of the repository holds anything that looks like a secret.

#![allow(clippy::unwrap_used, reason = "a template that cannot be expanded is a fault of the test")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]
#![allow(clippy::cast_possible_truncation, reason = "random numbers may lose bits")]

use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use amisweep::artifact;
use amisweep::blob::{Blob, Budget, Meta, Out};
use amisweep::credential::{aws_id, base64, openssh};
use amisweep::finding::Match;
use amisweep::limits;
use amisweep::locator::{Area, Locator};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;

/// A small generator: the tests need values that are alike, not good ones.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick(&mut self, alphabet: &[u8], len: usize) -> String {
        let count = alphabet.len() as u64;
        (0..len).map(|_| char::from(alphabet[(self.next() % count) as usize])).collect()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 24) as u8).collect()
    }
}

fn seeded(seed: &str) -> Seeded {
    let mixed = seed.bytes().fold(0x9e37_79b9_7f4a_7c15_u64, |a, b| {
        (a ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
    });
    let mut seeded = Seeded(mixed.max(1));
    for _ in 0..8 {
        seeded.next();
    }
    seeded
}

fn padded(bytes: &[u8]) -> String {
    let mut text = base64::encode_unpadded(bytes);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The passwords of the files that a script made: see `testdata/artifacts/server/make-made.sh`.
fn sha(seed: &str) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(seed.as_bytes());
    digest.iter().take(10).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Their tokens.
fn word(seed: &str) -> String {
    use sha2::Digest as _;
    padded(&sha2::Sha256::digest(seed.as_bytes())).chars().take(40).collect()
}

/// A `.mylogin.cnf` of lines that `|` separates, as `mysql_config_editor` writes it.
fn mylogin(lines: &str) -> Vec<u8> {
    let mut file = vec![0; 4];
    let folded = seeded("mylogin").bytes(20);
    file.extend_from_slice(&folded);
    let mut key = [0u8; 16];
    for (at, byte) in folded.iter().enumerate() {
        key[at % 16] ^= byte;
    }
    let cipher = aes::Aes128::new(&key.into());
    for line in lines.split('|') {
        let mut text = format!("{line}\n").into_bytes();
        let padding = 16 - text.len() % 16;
        text.extend(std::iter::repeat_n(padding as u8, padding));
        file.extend((text.len() as u32).to_le_bytes());
        for block in text.as_chunks::<16>().0 {
            let mut block = (*block).into();
            cipher.encrypt_block(&mut block);
            file.extend_from_slice(&block);
        }
    }
    file
}

/// User and host, and the password behind them, as `WinSCP` stores it.
fn winscp(text: &str) -> Vec<u8> {
    let text = text.replace(' ', "");
    let bytes = [&[0xff, 0, text.len() as u8, 2, 7, 7], text.as_bytes()].concat();
    bytes.iter().flat_map(|b| format!("{:02X}", b ^ 0x5c).into_bytes()).collect()
}

fn public(seed: &str) -> Vec<u8> {
    openssh::public_blob("ssh-ed25519", &[&seeded(seed).bytes(32)]).unwrap()
}

/// An OpenSSH private key file of the right structure; no point lies behind its numbers.
fn private(seed: &str, comment: &str, cipher: &str) -> String {
    let mut part = Vec::new();
    let string = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend((bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    let public = public(seed);
    part.extend([1, 2, 3, 4, 1, 2, 3, 4]);
    part.extend_from_slice(&public);
    string(&mut part, &seeded(seed).bytes(64));
    string(&mut part, comment.as_bytes());
    let mut file = b"openssh-key-v1\0".to_vec();
    string(&mut file, cipher.as_bytes());
    string(&mut file, b"");
    string(&mut file, b"");
    file.extend([0, 0, 0, 1]);
    string(&mut file, &public);
    string(&mut file, &part);
    let dashes = "-----";
    let label = "OPENSSH PRIVATE KEY";
    let mut text = format!("{dashes}BEGIN {label}{dashes}\n");
    for line in padded(&file).as_bytes().chunks(70) {
        let _ = writeln!(text, "{}", std::str::from_utf8(line).unwrap());
    }
    text + &format!("{dashes}END {label}{dashes}")
}

fn generate(call: &str) -> Vec<u8> {
    let (name, rest) = call.split_once(' ').unwrap_or((call, ""));
    let args: Vec<&str> = rest.split(' ').collect();
    let alphabet: &[u8] = match name {
        "hex" => b"0123456789abcdef",
        "sha" => return sha(rest).into_bytes(),
        "word" => return word(rest).into_bytes(),
        "upper" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        "alnum" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "b64" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "bytes64" => {
            return padded(&seeded(args[1]).bytes(args[0].parse().unwrap())).into_bytes();
        }
        "base64" => return padded(rest.as_bytes()).into_bytes(),
        "gzip64" => return padded(&gzip(rest.as_bytes())).into_bytes(),
        "gzip" => return gzip(rest.as_bytes()),
        "unhex" => return unhex(rest),
        "mylogin" => return mylogin(rest),
        "winscp" => return winscp(rest),
        // A template cannot hold braces.
        "object64" => {
            return padded(rest.replace('(', "{").replace(')', "}").as_bytes()).into_bytes();
        }
        "utf16" => return rest.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf16base64" => {
            let wide: Vec<u8> = rest.encode_utf16().flat_map(u16::to_le_bytes).collect();
            return padded(&wide).into_bytes();
        }
        "key" => return private(args[0], args[1], "none").into_bytes(),
        "lockedkey" => return private(args[0], args[1], "aes256-ctr").into_bytes(),
        "indent" => {
            let (by, text) = rest.split_once(' ').unwrap();
            let pad = " ".repeat(by.parse().unwrap());
            return text.replace('\n', &format!("\n{pad}")).into_bytes();
        }
        "escaped" => return rest.replace('\n', "\\n").into_bytes(),
        "account" => return aws_id::account_id(rest.as_bytes()).unwrap_or_default().into_bytes(),
        "pub" => return padded(&public(args[0])).into_bytes(),
        "fp" => return openssh::fingerprint(&public(args[0])).into_bytes(),
        _ => panic!("unknown generator {name}"),
    };
    seeded(args[1]).pick(alphabet, args[0].parse().unwrap()).into_bytes()
}

/// The template with every `@{…}` replaced, the innermost first.
pub(crate) fn expand(template: &str) -> Vec<u8> {
    let mut text = template.as_bytes().to_vec();
    while let Some(start) = text.windows(2).rposition(|w| w == b"@{") {
        let end = start + text[start..].iter().position(|&b| b == b'}').unwrap();
        let call = String::from_utf8(text[start + 2..end].to_vec()).unwrap();
        text.splice(start..=end, generate(&call));
    }
    text
}

/// Every match in a file and in the views inside it, with the place in that file.
fn sweep(name: &str, bytes: &[u8]) -> (Vec<(String, Vec<u8>, Match)>, Vec<String>) {
    let at = Locator::new(&"d".into(), None, Area::Path(name.as_bytes().into()));
    let blob = Blob {
        at,
        name: Cow::Owned(name.as_bytes().to_vec()),
        meta: Meta::default(),
        bytes: Cow::Owned(bytes.to_vec()),
        decoded_from: None,
    };
    let mut budget = Budget::default();
    let mut todo = vec![(blob, budget.depth)];
    let mut found = Vec::new();
    let mut errors = Vec::new();
    while let Some((blob, depth)) = todo.pop() {
        budget.depth = depth;
        let mut nested = Vec::new();
        let trouble = artifact::read(&blob, &mut budget, &mut |out| match out {
            Out::Match(m) => {
                let place = blob.at.to_string();
                let place = place.find('!').map_or("", |at| &place[at..]).to_owned();
                let end = usize::try_from(m.span.end()).unwrap();
                assert!(end <= blob.bytes.len(), "{place}: span past the end");
                let bytes = blob.bytes[usize::try_from(m.span.start).unwrap()..end].to_vec();
                found.push((place, bytes, m));
            }
            // What becomes of clues is for the tests of their joins.
            Out::Clue(_) => {}
            Out::Blob(inner) => {
                let run = inner.decoded_from.expect("a view says what it was decoded from");
                assert!(run.end() <= blob.bytes.len() as u64);
                nested.push(Blob {
                    at: inner.at,
                    name: Cow::Owned(inner.name.into_owned()),
                    meta: inner.meta,
                    bytes: Cow::Owned(inner.bytes.into_owned()),
                    decoded_from: inner.decoded_from,
                });
            }
        });
        errors.extend(trouble.iter().map(amisweep::error::Error::message));
        todo.extend(nested.into_iter().map(|b| (b, depth.saturating_sub(1))));
    }
    (found, errors)
}

fn listing(found: &[(String, Vec<u8>, Match)]) -> Vec<String> {
    let mut lines: Vec<String> = found
        .iter()
        .map(|(place, bytes, m)| {
            let at = if place.is_empty() { String::new() } else { format!(" @{place}") };
            let decoded = if m.subject.bytes() == bytes { "" } else { "~" };
            let harmless = m.harmless.map_or("-", |h| h.name());
            let facts: Vec<_> = m.facts.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!(
                "{}{at} | {} {} {harmless} | {decoded}{} | {}",
                m.rule.id,
                m.severity.name(),
                m.grade.name(),
                String::from_utf8_lossy(m.subject.bytes()).replace('\n', "⏎"),
                facts.join("; "),
            )
        })
        .collect();
    lines.sort();
    lines
}

pub(crate) struct Case {
    file: String,
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
    expected: Vec<String>,
}

pub(crate) fn cases() -> Vec<Case> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/artifacts");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "case")) {
        let text = std::fs::read_to_string(file).unwrap();
        for case in format!("\n{text}").split("\n== path ").skip(1) {
            let (path, rest) = case.split_once('\n').unwrap();
            let (content, expected) = rest.split_once("== expect").unwrap();
            let mut expected: Vec<String> = expected
                .lines()
                .filter(|line| !line.trim().is_empty())
                .map(|line| {
                    let line = String::from_utf8(expand(line)).unwrap();
                    line.replace('\n', "⏎").trim_end().to_owned()
                })
                .collect();
            expected.sort();
            cases.push(Case {
                file: file.file_name().unwrap().to_string_lossy().into_owned(),
                path: path.to_owned(),
                content: expand(content),
                expected,
            });
        }
    }
    assert!(!cases.is_empty());
    cases
}

#[test]
fn every_case_gives_its_matches() {
    let mut wrong = String::new();
    for case in cases() {
        for path in [case.path.as_str(), case.path.trim_start_matches('/')] {
            let (found, errors) = sweep(path, &case.content);
            let found: Vec<_> = listing(&found).iter().map(|l| l.trim_end().to_owned()).collect();
            let expected = &case.expected;
            if found == *expected && errors.is_empty() {
                continue;
            }
            let content = String::from_utf8_lossy(&case.content);
            let _ = writeln!(wrong, "\n{} {path} {errors:?}\n{content}", case.file);
            for (mark, lines, others) in [("-", expected, &found), ("+", &found, expected)] {
                for line in lines.iter().filter(|line| !others.contains(line)) {
                    let _ = writeln!(wrong, "{mark} {line}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn windows_line_ends_change_nothing() {
    for case in cases().iter().filter(|c| c.content.is_ascii() && !c.content.contains(&b'\r')) {
        let text = String::from_utf8(case.content.clone()).unwrap().replace('\n', "\r\n");
        let (found, _) = sweep(&case.path, text.as_bytes());
        assert_eq!(found.len(), case.expected.len(), "{} {}", case.file, case.path);
    }
}

#[test]
fn cut_and_flipped_files_are_survived() {
    for case in cases() {
        let whole = std::env::var_os("AMISWEEP_DEEP").is_some_and(|v| v == "1");
        let step = if whole { 1 } else { (case.content.len() / 48).max(1) };
        for cut in (0..case.content.len()).step_by(step) {
            sweep(&case.path, &case.content[..cut]);
        }
        let mut random = seeded(&case.path);
        for _ in 0..if whole { 20_000 } else { 96 } {
            let mut bytes = case.content.clone();
            for _ in 0..=random.next() % 4 {
                let at = (random.next() % bytes.len().max(1) as u64) as usize;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = (random.next() >> 16) as u8;
                }
            }
            sweep(&case.path, &bytes);
        }
    }
}

/// Whether the tests that need other programs are to run.
fn deep(test: &str) -> bool {
    let wanted = std::env::var_os("AMISWEEP_DEEP").is_some_and(|v| v == "1");
    if !wanted {
        eprintln!("{test}: skipped, AMISWEEP_DEEP is not 1");
    }
    wanted
}

fn shell(folder: &std::path::Path, line: &str) -> String {
    let out = std::process::Command::new("sh").args(["-ec", line]).current_dir(folder).output();
    let out = out.unwrap();
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// What `ssh-keygen` and `openssl` make, read back: algorithm, size, encryption, fingerprint.
#[test]
fn deep_keys_agree_with_their_makers() {
    if !deep("deep_keys_agree_with_their_makers") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let kinds = [
        ("rsa", "2048"),
        ("rsa", "3072"),
        ("ecdsa", "256"),
        ("ecdsa", "384"),
        ("ecdsa", "521"),
        ("ed25519", "256"),
    ];
    let mut count = 0;
    for (kind, bits) in kinds {
        for format in ["RFC4716", "PEM", "PKCS8"] {
            for phrase in ["", "correct horse"] {
                let name = format!("k{count}");
                count += 1;
                let line = format!(
                    "ssh-keygen -q -t {kind} -b {bits} -m {format} -N '{phrase}' -C me@here -f {name}"
                );
                shell(folder.path(), &line);
                let text = std::fs::read(folder.path().join(&name)).unwrap();
                let key = amisweep::credential::private_key::inspect(&text).unwrap();
                let listed = shell(folder.path(), &format!("ssh-keygen -l -f {name}.pub"));
                let mut words = listed.split(' ');
                let (size, print) = (words.next().unwrap(), words.next().unwrap());
                assert_eq!(key.encrypted, !phrase.is_empty(), "{line}");
                if let Some(found) = &key.fingerprint {
                    assert_eq!(found, print, "{line}");
                    assert_eq!(key.bits.unwrap().to_string(), size, "{line}");
                }
                let readable = key.form == "openssh" || phrase.is_empty();
                assert_eq!(key.fingerprint.is_some(), readable, "{line} {key:?}");
                if key.form == "openssh" {
                    let plain = phrase.is_empty().then_some("me@here");
                    assert_eq!(key.comment.as_deref(), plain, "{line}");
                }
                let escaped = String::from_utf8(text).unwrap().replace('\n', "\\n");
                let again = amisweep::credential::private_key::inspect(escaped.as_bytes());
                assert_eq!(again.as_ref(), Some(&key), "{line}");
            }
        }
    }
}

/// OpenSSL's own forms, ssh-keygen being the witness of the fingerprint where it can read them.
#[test]
fn deep_openssl_forms() {
    if !deep("deep_openssl_forms") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (make, form, encrypted, print) in [
        ("openssl genrsa -traditional -out k 2048", "pkcs1", false, true),
        (
            "openssl genrsa -traditional -aes128 -passout pass:abcd -out k 2048",
            "pkcs1",
            true,
            false,
        ),
        (
            "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out k",
            "pkcs8",
            false,
            true,
        ),
        (
            "openssl genpkey -algorithm RSA -aes-256-cbc -pass pass:abcd -out k",
            "pkcs8",
            true,
            false,
        ),
        ("openssl ecparam -name prime256v1 -genkey -noout -out k", "sec1", false, true),
        ("openssl ecparam -name secp384r1 -genkey -out k", "sec1", false, true),
        (
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out k",
            "pkcs8",
            false,
            true,
        ),
        ("openssl genpkey -algorithm ed25519 -out k", "pkcs8", false, false),
        (
            "openssl dsaparam -genkey -noout -out p 1024 2>/dev/null; openssl dsa -in p -out k 2>/dev/null",
            "dsa",
            false,
            true,
        ),
    ] {
        shell(folder.path(), &format!("rm -f k; {make}; chmod 600 k"));
        let text = std::fs::read(folder.path().join("k")).unwrap();
        let block = amisweep::credential::pem::find(&text, 0).unwrap();
        // The parameters of a curve may stand before the key.
        let (found, _) = sweep("/srv/k.pem", &text);
        let (_, bytes, found) = found.first().unwrap();
        let key = amisweep::credential::private_key::inspect(bytes).unwrap();
        assert_eq!((key.form, key.encrypted), (form, encrypted), "{make}");
        assert_eq!(found.facts["encrypted"] == "yes", encrypted, "{make}");
        assert_eq!(key.fingerprint.is_some(), print, "{make}");
        assert!(block.end <= text.len());
        if print && form != "dsa" {
            let listed = shell(folder.path(), "ssh-keygen -y -f k > k.pub; ssh-keygen -l -f k.pub");
            assert_eq!(listed.split(' ').nth(1), key.fingerprint.as_deref(), "{make}");
        }
    }
}

/// A client certificate made by openssl: its user and groups.
#[test]
fn deep_certificate_subject() {
    if !deep("deep_certificate_subject") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let line = "openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 1 \
                -subj '/O=system:masters/O=ops/CN=kubernetes-admin' 2>/dev/null; cat c";
    let text = shell(folder.path(), line);
    let pem = amisweep::credential::pem::parse(text.as_bytes()).unwrap();
    let subject = amisweep::credential::der::certificate_subject(&pem.body).unwrap();
    assert_eq!(subject.common_name.as_deref(), Some("kubernetes-admin"));
    assert_eq!(subject.organisations, ["system:masters", "ops"]);
}

/// A file of more matches than a run may keep says so, and keeps the first.
#[test]
fn a_flood_is_cut() {
    let text = "machine h login u password p\n".repeat(limits::MATCHES_PER_BLOB + 5);
    let (found, errors) = sweep("/root/.netrc", text.as_bytes());
    assert_eq!(found.len(), limits::MATCHES_PER_BLOB);
    assert_eq!(errors, ["a file has too many matches (20005)"]);
}

/// Views inside views end with the budget.
#[test]
fn nesting_is_bounded() {
    let mut data = b"#!/bin/sh\nsshpass -p abcdef ssh h\n".to_vec();
    for _ in 0..12 {
        data = gzip(&data);
    }
    let (found, errors) = sweep("/var/lib/cloud/instance/user-data.txt", &data);
    assert!(found.is_empty());
    assert_eq!(errors, ["decoded views nest too deeply (cloud-init)"]);
}

/// Long files of one fragment over and over: what is not linear takes minutes here.
#[test]
fn deep_hostile_files_stay_linear() {
    if !deep("deep_hostile_files_stay_linear") {
        return;
    }
    let fragments = [
        "a",
        "\n",
        "x=1\n",
        "password=\"a\n",
        "[a]\npassword=b\n",
        "- ",
        "{",
        "[",
        "\"",
        "'",
        "a: ",
        "a: \"",
        "a: |\n",
        "- a: b\n",
        "users:\n- name: a\n",
        "-----BEGIN ",
        "-----BEGIN X-----\n",
        "://",
        "a://u:p@h ",
        "mysql -pabc; ",
        "a=b ",
        "$(",
        "`",
        "|",
        "<<<",
        "\\",
        "root:$1$ab$0123456789012345678901:1\n",
        "machine a password b\n",
        "--x\n",
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n",
        ": 1:0;",
        "ssh-rsa AAAA\n",
        "network={\npsk=x\n",
        "[Interface]\nPrivateKey=a\n",
        "a:b:c:d:e\n",
        "#cloud-config\n",
        "token_",
        "a&",
        "a,b=",
        "echo a | sudo -S b\n",
        "{\"token\":\"a1\",",
        "<password key='a'>b",
        "<a",
        "PASSWORD 'a' ",
        "-password a;",
        "Host a\nUser b\n",
        "' ",
        "<a>",
        "<a b='c'/>",
        "<a b='c' ",
        "<!-- ",
        "<key>x</key>",
        "a = 'b'\n",
        "$a['b'] = \"c\";",
        "'a' => ['b', ",
        "/* ",
        "#",
        "a {\n",
        "a {\n secret = b\n}\n",
        "a=b;password=c;",
        "-----BEGIN OpenVPN Static key V1-----\n",
        "-----END OpenVPN Static key V1-----\n",
        "a : PSK b\n",
        "a b c \\\n",
        "ExecStart=a -p b\n",
        "{\"a\": {\"TunnelSecret\": \"b\"},",
        "\x05\x02\0\0",
        "                ",
    ];
    let mut paths: Vec<String> = cases().into_iter().map(|c| c.path).collect();
    paths.sort();
    paths.dedup();
    let mut slowest = (std::time::Duration::ZERO, String::new());
    for path in &paths {
        for fragment in fragments {
            let bytes = fragment.repeat(1_000_000 / fragment.len());
            let start = std::time::Instant::now();
            sweep(path, bytes.as_bytes());
            let took = start.elapsed();
            if took > slowest.0 {
                slowest = (took, format!("{path} {fragment:?}"));
            }
            assert!(took.as_secs() < 10, "{path} {fragment:?} took {took:?}");
        }
    }
    eprintln!("slowest: {slowest:?}");
}
