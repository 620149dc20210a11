//! The engine's kernels against each other and against an oracle that shares none of their short
//! cuts.

use amisweep::detect::example::render;
use amisweep::detect::{Engine, Kernel, Scratch, Window};
use std::collections::BTreeSet;
use std::sync::OnceLock;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Found {
    rule: &'static str,
    start: u64,
    len: u64,
    facts: Vec<String>,
}

fn engines() -> &'static [(Kernel, Engine)] {
    static ENGINES: OnceLock<Vec<(Kernel, Engine)>> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let kernels = Kernel::available().into_iter();
        kernels.map(|kernel| (kernel, Engine::with_kernel(kernel).unwrap())).collect()
    })
}

/// What an engine finds in windows of `step` bytes, and how much it only counted.
fn search(engine: &Engine, bytes: &[u8], step: usize) -> (BTreeSet<Found>, u64) {
    let mut found = BTreeSet::new();
    let mut more = 0;
    let mut scratch = Scratch::default();
    for start in (0..bytes.len()).step_by(step) {
        let owned = start..(start + step).min(bytes.len());
        let window = Window { bytes, owned, path: None };
        more += engine.scan(&window, &mut scratch, &mut |m| {
            let facts = m.facts.iter().map(|(name, value)| format!("{name}={value}"));
            found.insert(Found {
                rule: m.rule.id,
                start: m.span.start,
                len: m.span.len,
                facts: facts.collect(),
            });
        });
    }
    (found, more)
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const WORDS: [&str; 24] = [
    "token",
    "password",
    "secret",
    "credentials",
    "https://",
    "server",
    "key-",
    "the",
    "user:",
    "Authorization: ",
    "api_key=",
    "en-us",
    "://",
    "precious",
    "AKIA",
    "eyJ",
    "-----BEGIN ",
    "session",
    "error",
    "GET /index.html",
    "\"auth\": ",
    "=",
    "SG.",
    "curl -u ",
];

/// All examples of all signatures.
fn examples() -> Vec<String> {
    let (_, engine) = &engines()[0];
    let templates = engine.signatures().iter().flat_map(|signature| &signature.examples);
    let made = (1..).zip(templates).map(|(seed, e)| render(&e.template, seed).unwrap());
    made.collect()
}

/// A stretch of bytes such as disks hold.
fn stretch(random: &mut Random, examples: &[String], bytes: &mut Vec<u8>) {
    let len = 1 + random.below(3000);
    let end = bytes.len() + len;
    match random.below(8) {
        0 => bytes.resize(end, 0),
        1 => bytes.resize(end, *random.pick(b"Aa0=-/\xff")),
        2 => bytes.extend((0..len).map(|_| random.next().to_le_bytes()[0])),
        3 => {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            bytes.extend((0..len).map(|_| *random.pick(alphabet)));
        }
        4 => {
            let common = b"\0\0\0\0\x01\x48\x89\xe8\xff\x0f\x8b\x24et";
            bytes.extend((0..len).map(|_| *random.pick(common)));
        }
        5 => {
            let example = random.pick(examples).as_bytes();
            let mut damaged = example.to_vec();
            let at = random.below(damaged.len());
            damaged[at] = random.next().to_le_bytes()[0];
            bytes.extend(damaged);
        }
        _ => {
            while bytes.len() < end {
                bytes.extend(random.pick(&WORDS).as_bytes());
                bytes.extend([b" ", b"\n", b"_", b"="][random.below(4)]);
            }
        }
    }
}

/// `len` bytes of all kinds, examples between them.
fn mixed(seed: u64, len: usize, examples: &[String]) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = Vec::with_capacity(len + 16 * 1024);
    while bytes.len() < len {
        stretch(&mut random, examples, &mut bytes);
        for _ in 0..random.below(8) {
            bytes.extend(["", " ", "\n", "\0", "x", "\u{e9}"][random.below(6)].as_bytes());
            bytes.extend(random.pick(examples).as_bytes());
        }
    }
    bytes
}

/// Every engine on the same bytes; the first is the oracle.
fn compare(bytes: &[u8], step: usize, what: &str) -> usize {
    let mut found = None;
    for (kernel, engine) in engines() {
        let (these, more) = search(engine, bytes, step);
        // Where something was only counted, what was found depends on what came first.
        assert_eq!(more, 0, "{kernel:?}, {what}");
        let expected = found.get_or_insert_with(|| these.clone());
        let differ: Vec<_> = expected.symmetric_difference(&these).take(5).collect();
        assert!(differ.is_empty(), "{kernel:?} differs from the oracle, {what}: {differ:?}");
    }
    found.map_or(0, |found| found.len())
}

#[test]
fn kernels_find_what_the_oracle_finds() {
    let examples = examples();
    for seed in 0..6 {
        let bytes = mixed(seed, 150_000, &examples);
        let found = compare(&bytes, 64 * 1024 + 7, &format!("seed {seed}"));
        assert!(found > 50, "{found} found");
    }
}

#[test]
fn every_example_is_found_wherever_a_buffer_ends() {
    for (number, example) in examples().iter().enumerate() {
        for lead in [0, 1, 31, 63] {
            let mut bytes = vec![b'.'; lead];
            bytes.extend(example.as_bytes());
            compare(&bytes, usize::MAX, &format!("example {number} behind {lead} bytes"));
            bytes.extend([b'\n'; 70]);
            compare(&bytes, 61, &format!("example {number} behind {lead} bytes, in small windows"));
        }
    }
}

/// Inside a run of one letter most tokens cannot begin, and the sieve passes over it.
#[test]
fn runs_of_one_letter_hide_nothing() {
    let examples: Vec<String> =
        examples().into_iter().filter(|example| example.contains("AAAA")).collect();
    assert!(!examples.is_empty());
    for example in &examples {
        for lead in ["%AA", "\\u00AA", "\\u00aa", "x", "A", "=", "\n", "\\n"] {
            for run in [0, 3, 7, 8, 9, 100] {
                let text = format!("{}{lead}{}{example}", "a".repeat(200), "A".repeat(run));
                compare(text.as_bytes(), usize::MAX, &format!("{run} letters behind {lead:?}"));
            }
        }
    }
}

/// Many megabytes, in pieces of a quarter; the seed of a piece that differs is told. A gigabyte
/// (`AMISWEEP_CORPUS_MIB=1024`) takes a quarter of an hour on two cores, so CI looks at a part of it.
#[test]
fn deep_kernels_find_what_the_oracle_finds_in_a_large_corpus() {
    if std::env::var("AMISWEEP_DEEP").as_deref() != Ok("1") {
        eprintln!("skipped: set AMISWEEP_DEEP=1");
        return;
    }
    let mib = std::env::var("AMISWEEP_CORPUS_MIB").ok().and_then(|mib| mib.parse().ok());
    let pieces = 4 * mib.unwrap_or(48_u64);
    let examples = examples();
    let mut found = 0;
    for seed in 1000..1000 + pieces {
        let bytes = mixed(seed, 256 * 1024, &examples);
        found += compare(&bytes, 100_000, &format!("seed {seed}"));
    }
    eprintln!("{found} found");
}
