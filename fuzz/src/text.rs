//! Text and small binary files: artifacts, windows and credentials.

use crate::Target;
use amisweep::artifact::Artifact;
use amisweep::blob::{Blob, Budget, Meta, Out};
use amisweep::credential::{base32, bech32, der, jwt, openssh, pem, pgp, private_key, putty};
use amisweep::detect::encoding::Encodings;
use amisweep::detect::{Engine, Kernel, Scratch, Window, example};
use amisweep::locator::{Area, Locator};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A parser over the files that the bundled cases name; its input is a file.
pub struct ArtifactTarget {
    artifact: &'static Artifact,
    /// Name and content.
    cases: Vec<(String, Vec<u8>)>,
}

impl ArtifactTarget {
    /// The parser and those cases that it applies to; all of them when it applies to none by
    /// name.
    pub fn new(artifact: &'static Artifact) -> ArtifactTarget {
        let all = cases();
        let applies =
            |(name, content): &&(String, Vec<u8>)| (artifact.applies)(&blob(name, content));
        let mut cases: Vec<_> = all.iter().filter(applies).cloned().collect();
        if cases.is_empty() {
            cases = all;
        }
        ArtifactTarget { artifact, cases }
    }
}

impl Target for ArtifactTarget {
    fn run(&self, input: &[u8]) {
        let [case, content @ ..] = input else { return };
        let (name, _) = &self.cases[usize::from(*case) % self.cases.len()];
        let blob = blob(name, content);
        let _ = (self.artifact.applies)(&blob);
        // It runs even where it does not apply: the first bytes must not be what guards it.
        let mut budget = Budget::default();
        let before = budget.bytes;
        let mut decoded = 0;
        let result = (self.artifact.run)(&blob, &mut budget, &mut |out| match out {
            Out::Match(found) => {
                assert!(found.span.end() <= content.len() as u64, "{:?} past the end", found.span);
            }
            Out::Blob(view) => {
                let from = view.decoded_from.expect("a view says what it was decoded from");
                assert!(from.end() <= content.len() as u64, "{from:?} past the end");
                decoded += view.bytes.len() as u64;
            }
            Out::Clue(_) => {}
        });
        assert!(budget.bytes <= before && decoded <= before, "{decoded} decoded bytes");
        drop(result);
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let seed =
            |(case, (_, content)): (u8, &(String, Vec<u8>))| [&[case], &content[..]].concat();
        (0u8..).zip(&self.cases).map(seed).collect()
    }
}

fn blob<'a>(name: &'a str, content: &'a [u8]) -> Blob<'a> {
    Blob {
        at: Locator::new(&"disk".into(), None, Area::Path(name.as_bytes().into())),
        name: Cow::Borrowed(name.as_bytes()),
        meta: Meta::default(),
        bytes: Cow::Borrowed(content),
        decoded_from: None,
    }
}

/// Every case of `testdata/artifacts`: the path and the content, with stand-ins for what the
/// tests generate.
fn cases() -> Vec<(String, Vec<u8>)> {
    let mut cases = Vec::new();
    for path in crate::files("artifacts", "case") {
        let text = std::fs::read_to_string(path).unwrap();
        for case in format!("\n{text}").split("\n== path ").skip(1) {
            let Some((name, rest)) = case.split_once('\n') else { continue };
            let content = rest.split("== expect").next().unwrap_or_default();
            cases.push((name.to_owned(), fill(content).into_bytes()));
        }
    }
    assert!(!cases.is_empty(), "testdata/artifacts holds no case");
    cases
}

/// A case's content, with a stand-in for every `@{…}`.
fn fill(template: &str) -> String {
    let mut text = template.to_owned();
    while let Some(start) = text.rfind("@{") {
        let Some(len) = text[start..].find('}') else { break };
        let call = &text[start + 2..start + len];
        let value = match call.split(' ').next() {
            Some("key") => armour("OPENSSH PRIVATE KEY", &openssh_key(b"none")),
            Some("lockedkey") => armour("OPENSSH PRIVATE KEY", &openssh_key(b"aes256-ctr")),
            Some("pub") => encode(&public()),
            Some("cr") => "\r".to_owned(),
            Some("escaped") => call["escaped ".len()..].replace('\n', "\\n"),
            _ => encode(&(0..45u8).collect::<Vec<_>>()),
        };
        text.replace_range(start..=start + len, &value);
    }
    text
}

fn encode(bytes: &[u8]) -> String {
    let text = amisweep::credential::base64::encode_unpadded(bytes);
    let padded = text.len().next_multiple_of(4);
    format!("{text:=<padded$}")
}

fn armour(label: &str, body: &[u8]) -> String {
    let dashes = "-----";
    format!("{dashes}BEGIN {label}{dashes}\n{}\n{dashes}END {label}{dashes}\n", encode(body))
}

fn public() -> Vec<u8> {
    openssh::public_blob("ssh-ed25519", &[&[7; 32]]).expect("a short name")
}

/// An OpenSSH key of the right structure and no use.
fn openssh_key(cipher: &[u8]) -> Vec<u8> {
    let string =
        |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let private =
        [&[1, 2, 3, 4, 1, 2, 3, 4], &public()[..], &string(&[8; 64]), &string(b"eve")].concat();
    let head = [b"openssh-key-v1\0", &string(cipher)[..], &string(b""), &string(b"")].concat();
    [&head[..], &[0, 0, 0, 1], &string(&public()), &string(&private)].concat()
}

/// The engine over windows: however bytes are cut, the same matches come of them.
pub struct DetectTarget(Engine);

impl DetectTarget {
    /// The built-in signatures.
    pub fn new() -> DetectTarget {
        DetectTarget(Engine::builtin().expect("the built-in signatures load"))
    }

    fn scan(&self, bytes: &[u8], cuts: &[usize]) -> (BTreeSet<(&'static str, u64, u64)>, u64) {
        let mut found = BTreeSet::new();
        let mut more = 0;
        let mut scratch = Scratch::default();
        for edges in cuts.windows(2) {
            let window = Window { bytes, owned: edges[0]..edges[1], path: Some(b"/srv/x") };
            more += self.0.scan(&window, &mut scratch, &mut |hit| {
                assert!(hit.span.end() <= bytes.len() as u64, "{:?} past the end", hit.span);
                found.insert((hit.rule.id, hit.span.start, hit.span.len));
            });
        }
        (found, more)
    }
}

impl Target for DetectTarget {
    fn run(&self, input: &[u8]) {
        let Some((splits, bytes)) = input.split_first_chunk::<4>() else { return };
        let mut cuts = vec![0, bytes.len()];
        for split in splits.chunks_exact(2) {
            let at = usize::from(u16::from_le_bytes([split[0], split[1]]));
            cuts.push(at % (bytes.len() + 1));
        }
        cuts.sort_unstable();
        let (whole, more) = self.scan(bytes, &[0, bytes.len()]);
        let (parts, more_in_parts) = self.scan(bytes, &cuts);
        if more + more_in_parts == 0 {
            assert_eq!(whole, parts, "matches depend on where windows end: {cuts:?}");
        }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let examples = self.0.signatures().iter().flat_map(|signature| &signature.examples);
        let texts = examples.filter_map(|e| example::render(&e.template, 7));
        texts.map(|text| [&[9, 0, 30, 0], text.as_bytes()].concat()).collect()
    }
}

/// The engine's kernels against the oracle: the same matches, whatever the bytes.
pub struct KernelTarget(Vec<(Kernel, DetectTarget)>);

impl KernelTarget {
    /// The built-in signatures, once for each kernel.
    pub fn new() -> KernelTarget {
        let make = |kernel| {
            let engine = Engine::with_kernel(kernel).expect("the built-in signatures load");
            (kernel, DetectTarget(engine))
        };
        KernelTarget(Kernel::available().into_iter().map(make).collect())
    }
}

impl Target for KernelTarget {
    fn run(&self, input: &[u8]) {
        let Some((split, bytes)) = input.split_first_chunk::<2>() else { return };
        let cut = usize::from(u16::from_le_bytes(*split)) % (bytes.len() + 1);
        let mut found = None;
        for (kernel, target) in &self.0 {
            let (these, more) = target.scan(bytes, &[0, cut, bytes.len()]);
            if more > 0 {
                return;
            }
            let expected = found.get_or_insert_with(|| these.clone());
            assert_eq!(*expected, these, "{kernel:?} differs from the oracle");
        }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        self.0.first().map_or_else(Vec::new, |(_, target)| target.seeds())
    }
}

/// Encodings over a window: what is decoded comes from the window, and however the bytes are
/// encoded once more, the same secrets come of them.
pub struct EncodingTarget {
    all: Engine,
    plain: Engine,
}

impl EncodingTarget {
    /// The built-in signatures.
    pub fn new() -> EncodingTarget {
        let engine = || Engine::builtin().expect("the built-in signatures load");
        EncodingTarget { all: engine(), plain: engine().with_encodings(Encodings::Plain) }
    }

    /// Rule and place of what stands in the bytes, and whether it was decoded.
    fn scan(
        &self,
        engine: &Engine,
        bytes: &[u8],
    ) -> (BTreeSet<(&'static str, u64, u64, bool)>, u64) {
        let mut found = BTreeSet::new();
        let window = Window { bytes, owned: 0..bytes.len(), path: None };
        let more = engine.scan(&window, &mut Scratch::default(), &mut |hit| {
            assert!(hit.span.end() <= bytes.len() as u64, "{:?} past the end", hit.span);
            if let Some(decoded) = &hit.decoded {
                assert!(!decoded.chain.is_empty() && decoded.span.len >= 1, "{decoded:?}");
                assert!(hit.span.len >= 1, "decoded from nothing");
            }
            found.insert((hit.rule.id, hit.span.start, hit.span.len, hit.decoded.is_some()));
        });
        (found, more)
    }
}

impl Target for EncodingTarget {
    fn run(&self, input: &[u8]) {
        let (all, _) = self.scan(&self.all, input);
        let (plain, _) = self.scan(&self.plain, input);
        let as_they_stand = all.into_iter().filter(|hit| !hit.3).collect::<BTreeSet<_>>();
        assert_eq!(as_they_stand, plain, "encodings change what is found as it stands");
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let encoders: [fn(&[u8]) -> Vec<u8>; 6] = [
            |text| text.iter().flat_map(|b| [*b, 0]).collect(),
            |text| text.iter().flat_map(|b| [0, *b]).collect(),
            |text| text.iter().flat_map(|b| format!("{b:02x}").into_bytes()).collect(),
            |text| text.iter().flat_map(|b| format!("%{b:02X}").into_bytes()).collect(),
            |text| text.iter().flat_map(|b| format!("\\u{b:04x}").into_bytes()).collect(),
            |text| text.iter().flat_map(|b| format!("={b:02X}").into_bytes()).collect(),
        ];
        let mut seeds = Vec::new();
        for signature in self.all.signatures() {
            let examples = signature.examples.iter().take(1);
            for text in examples.filter_map(|e| example::render(&e.template, 7)) {
                let coded = encoders.iter().map(|encode| encode(text.as_bytes()));
                seeds.extend(coded);
            }
            for example in signature.examples.iter().take(1) {
                let template = format!("{{text_b64:{}}}", example.template);
                seeds.extend(example::render(&template, 7).map(String::into_bytes));
                let template = format!("{{text_b64:{{text_b64:{}}}}}", example.template);
                seeds.extend(example::render(&template, 7).map(String::into_bytes));
            }
        }
        seeds
    }
}

/// What reads a credential's own bytes.
static CREDENTIALS: &[(&str, fn(&[u8]))] = &[
    ("private_key", |b| drop(private_key::inspect(b))),
    ("openssh", |b| drop(openssh::inspect(b))),
    ("openssh public", |b| drop(openssh::public_key(b))),
    ("pgp", |b| drop(pgp::inspect(b))),
    ("putty", |b| drop(putty::inspect(b))),
    ("certificate", |b| drop(der::certificate_subject(b))),
    ("jwt", |b| drop(jwt::Jwt::read(b).map(|jwt| (jwt.text("sub"), jwt.is_tutorial())))),
    ("base32", |b| drop(base32::decode(b))),
    ("bech32", |b| {
        bech32::holds(b);
    }),
    ("pem", |b| {
        let mut from = 0;
        while let Some(run) = pem::find(b, from) {
            assert!(from <= run.start && run.start < run.end && run.end <= b.len(), "{run:?}");
            drop(pem::parse(&b[run.clone()]));
            from = run.end;
        }
    }),
];

/// What stands between the dashes of a private key; its input is then the key's own bytes.
const LABELS: [&str; 8] = [
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
    "CERTIFICATE",
];

/// Every reader of credentials, chosen by the first byte.
pub struct CredentialTarget;

impl Target for CredentialTarget {
    fn run(&self, input: &[u8]) {
        let [choice, bytes @ ..] = input else { return };
        let choice = usize::from(*choice) % (CREDENTIALS.len() + LABELS.len());
        match CREDENTIALS.get(choice) {
            Some((_, read)) => read(bytes),
            None => {
                let label = LABELS[choice - CREDENTIALS.len()];
                drop(private_key::inspect(armour(label, bytes).as_bytes()));
            }
        }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let rsa = [0x30, 0x0a, 2, 1, 0, 2, 1, 0x55, 2, 1, 3, 4];
        let pkcs8 =
            [0x30, 0x15, 2, 1, 0, 0x30, 9, 6, 7, 42, 134, 72, 206, 61, 2, 1, 4, 5, 1, 2, 3, 4, 5];
        let bodies = [&rsa[..], &pkcs8, &openssh_key(b"none"), &public(), b"aGVsbG8.e30.e30"];
        let mut seeds = Vec::new();
        for choice in 0..CREDENTIALS.len() + LABELS.len() {
            for body in bodies {
                seeds.push([&[u8::try_from(choice).unwrap()], body].concat());
            }
        }
        let putty = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: eve\nPublic-Lines: 1\nAAAA\n";
        seeds.extend([0, 4].map(|choice| [&[choice], putty.as_bytes()].concat()));
        for label in LABELS {
            seeds.push([&[0], armour(label, &rsa).as_bytes()].concat());
            seeds.push([&[9], armour(label, &rsa).as_bytes()].concat());
        }
        seeds
    }
}
