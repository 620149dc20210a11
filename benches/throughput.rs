//! Throughput: how fast bytes are searched and disks are swept, as MB/s and as a share of what
//! SHA-256 does with the same bytes on the same number of threads.
//!
//! ```text
//! cargo bench --no-default-features --bench throughput             the built-in corpus and disk
//! cargo bench --no-default-features --bench throughput -- IMAGE    a disk image of yours
//! cargo bench --no-default-features --bench throughput -- FOLDER   files of yours, engine only
//! AMISWEEP_BENCH_QUICK=1 cargo bench …                             a quarter of the bytes, 3 runs
//! AMISWEEP_BENCH_ENGINE=1 cargo bench …                            the engine only
//! ```
//!
//! Absolute numbers belong to one machine on one day. The ratio travels: a change that halves it
//! has made the scanner slower.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement prints what it measured and stops where it cannot"
)]

use amisweep::artifact::ARTIFACTS;
use amisweep::blob::{Blob, Budget, Meta};
use amisweep::bytes::{ReadAt, read_vec};
use amisweep::credential::base64;
use amisweep::detect::encoding::Encodings;
use amisweep::detect::{Engine, Kernel, Scratch, Window};
use amisweep::image::{Image, raw};
use amisweep::limits::{OVERLAP_BYTES, WINDOW_BYTES};
use amisweep::locator::{Area, Locator};
use amisweep::run::{ImageNo, Run};
use amisweep::sweep::{FingerprintKey, Options, Progress, Target, sweep};
use amisweep::volume::VOLUME_SYSTEMS;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

const MIB: usize = 1024 * 1024;

/// How much is measured how often.
#[derive(Clone, Copy)]
struct Effort {
    /// Bytes of each kind of the corpus.
    bytes: usize,
    runs: usize,
}

fn main() {
    let quick = std::env::var_os("AMISWEEP_BENCH_QUICK").is_some();
    let engine_only = std::env::var_os("AMISWEEP_BENCH_ENGINE").is_some();
    let effort =
        Effort { bytes: if quick { 2 * MIB } else { 8 * MIB }, runs: if quick { 3 } else { 9 } };
    let path = std::env::args_os().skip(1).find(|a| !a.to_string_lossy().starts_with("--"));
    start_rows();
    let engine = Engine::builtin().unwrap();
    println!("{:<28} {:>10} {:>10} {:>8}", "", "MB/s", "SHA-256", "ratio");
    if let Some(path) = path {
        if !Path::new(&path).is_dir() {
            return sweep_rows("sweep", &engine, Path::new(&path), effort);
        }
        let bytes = folder(Path::new(&path), 64 * effort.bytes);
        kernel_rows(&bytes, Effort { runs: effort.runs.div_ceil(3), ..effort });
        return census_rows(&engine, &bytes);
    }
    let corpus = corpus(effort.bytes);
    for (name, bytes) in &corpus {
        engine_row(&format!("engine, {name}"), &engine, bytes, effort);
    }
    let mixed: Vec<u8> = corpus.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    engine_row("engine, all of these", &engine, &mixed, effort);
    kernel_rows(&mixed, effort);
    engine_row("engine, hostile anchors", &engine, &anchors(&engine, effort.bytes / 8), effort);
    for (name, bytes) in hostile(effort.bytes / 4) {
        engine_row(&format!("hostile, {name}"), &engine, &bytes, effort);
    }
    if engine_only {
        return;
    }
    parser_rows(effort);
    let disk = disk(&mixed);
    sweep_rows("sweep", &engine, disk.path(), effort);
}

/// What it takes to have an engine.
fn start_rows() {
    let mut times: Vec<Duration> = Vec::new();
    let before = resident();
    let kept = Engine::builtin().unwrap();
    let after = resident();
    for _ in 0..5 {
        times.push(worked(|| drop(black_box(Engine::builtin().unwrap()))));
    }
    times.sort_unstable();
    println!(
        "start: {} signatures in {:.1} ms, {} KiB resident",
        kept.signatures().len(),
        times[times.len() / 2].as_secs_f64() * 1e3,
        after.saturating_sub(before)
    );
}

/// KiB of memory in use; nothing where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Every kernel on the same bytes, without and with encodings.
fn kernel_rows(bytes: &[u8], effort: Effort) {
    for kernel in Kernel::available() {
        for encodings in Encodings::ALL {
            let engine = Engine::with_kernel(kernel).unwrap().with_encodings(encodings);
            let name = format!("kernel, {kernel:?}, {}", encodings.name());
            engine_row(&name, &engine, bytes, effort);
        }
    }
}

/// The signatures that are verified most often.
fn census_rows(engine: &Engine, bytes: &[u8]) {
    let mut counts = Vec::new();
    let window = Window { bytes, owned: 0..bytes.len(), path: None };
    engine.census(&window, &mut Scratch::default(), &mut counts);
    let mut rows: Vec<_> = engine.signatures().iter().zip(counts).collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    println!("candidates per million bytes");
    for (signature, count) in rows.iter().take(30) {
        println!("{:<36} {:>8.1}", signature.rule.id, *count as f64 * 1e6 / bytes.len() as f64);
    }
}

/// The files below a folder, one after the other, up to `most` bytes.
fn folder(path: &Path, most: usize) -> Vec<u8> {
    let mut pending = vec![path.to_owned()];
    let mut bytes = Vec::new();
    while let Some(path) = pending.pop() {
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.is_dir() {
            let mut inside: Vec<PathBuf> =
                std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
            inside.sort();
            pending.extend(inside);
        } else if meta.is_file() && bytes.len() < most {
            bytes.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
    bytes.truncate(most);
    bytes
}

/// Bytes made to be slow.
fn hostile(len: usize) -> Vec<(&'static str, Vec<u8>)> {
    let key = "-----BEGIN RSA PRIVATE KEY-----\n";
    let id = |n: u32| {
        format!(
            "AKIA{} ",
            (0..16)
                .map(|i| char::from(b'A' + ((n >> ((i % 8) * 3)) & 7) as u8 + 2))
                .collect::<String>()
        )
    };
    let bomb = format!("eyJ{}", "a".repeat(1900));
    let texts: Vec<(&'static str, String)> = vec![
        ("AAAA", "A".repeat(64)),
        ("eyJeyJ", "eyJ".repeat(32)),
        ("-eyJ", "-eyJ".repeat(32)),
        (".eyJhbGciOi", ".eyJhbGciOi".repeat(9)),
        ("AKIAAKIA", "AKIA".repeat(32)),
        ("password=", "password=".repeat(9)),
        ("password=value", "password=Ab3dEf7hJk;\n".repeat(9)),
        ("token=", "token=aaaaaaa1 ".repeat(9)),
        ("PEM heads", key.repeat(9)),
        ("PEM head and body", format!("{key}{}", "QUJD".repeat(4000))),
        ("dense AKIA", (0..4096).map(id).collect()),
        ("JWT bomb", bomb.clone()),
        ("-JWT bomb", format!("-{bomb}")),
        ("://a:", "://a:".repeat(9)),
        ("https://a:b@", "https://a:b@".repeat(9)),
        ("curl", "curl ".repeat(9)),
        ("sv=20", "&sv=2020-10-10".repeat(9)),
        (":AA digits", "12345678:AA".repeat(9)),
        ("hex-us", "0123456789abcdef0123456789abcde-us1".repeat(9)),
        ("hex", "0123456789abcdef".repeat(9)),
        ("$6$", "a:$6$".repeat(9)),
        ("AccountKey=", "AccountKey=".repeat(9)),
        ("OpenAI", "sk-T3BlbkFJ".repeat(9)),
        ("authorization", "authorization: basic ".repeat(9)),
        ("\"auth\"", "\"auth\": ".repeat(9)),
        ("define(", "define('DB_PASSWORD', ".repeat(9)),
    ];
    let fill = |text: String| text.into_bytes().into_iter().cycle().take(len).collect();
    texts.into_iter().map(|(name, text)| (name, fill(text))).collect()
}

/// The engine over windows as a sweep cuts them, on one thread.
fn engine_row(name: &str, engine: &Engine, bytes: &[u8], effort: Effort) {
    let mut scratch = Scratch::default();
    let scan = || {
        let (window, overlap) = (usize(WINDOW_BYTES), usize(OVERLAP_BYTES));
        for start in (0..bytes.len()).step_by(window) {
            let end = (start + window).min(bytes.len());
            let from = start.saturating_sub(overlap);
            let shown = &bytes[from..(end + overlap).min(bytes.len())];
            let window = Window { bytes: shown, owned: start - from..end - from, path: None };
            black_box(engine.scan(&window, &mut scratch, &mut |found| drop(black_box(found))));
        }
    };
    thread_row(name, bytes.len() as u64, effort, scan, || sha256(bytes));
}

/// Every artifact parser over its own test cases, repeated up to a megabyte: what takes the square
/// of its input shows here.
fn parser_rows(effort: Effort) {
    let cases = cases();
    for artifact in ARTIFACTS {
        let mut slowest: Option<(Duration, Blob<'_>)> = None;
        for (name, content) in &cases {
            let len = effort.bytes / 8;
            let bytes: Vec<u8> = content.bytes().cycle().take(len).collect();
            let blob = blob(name, bytes);
            if (artifact.applies)(&blob) {
                let took = timed(|| parse(artifact, &blob));
                if slowest.as_ref().is_none_or(|(most, _)| *most < took) {
                    slowest = Some((took, blob));
                }
            }
        }
        let Some((_, blob)) = slowest else { continue };
        let hash = || sha256(&blob.bytes);
        let name = format!("parser, {}", artifact.name);
        row(&name, blob.bytes.len() as u64, effort, || parse(artifact, &blob), hash);
    }
}

fn parse(artifact: &amisweep::artifact::Artifact, blob: &Blob<'_>) {
    let _ =
        black_box((artifact.run)(blob, &mut Budget::default(), &mut |out| drop(black_box(out))));
}

fn blob(name: &str, bytes: Vec<u8>) -> Blob<'_> {
    Blob {
        at: Locator::new(&"disk".into(), None, Area::Path(name.as_bytes().into())),
        name: Cow::Borrowed(name.as_bytes()),
        meta: Meta::default(),
        bytes: Cow::Owned(bytes),
        decoded_from: None,
    }
}

/// Path and content of every case in `testdata/artifacts`; its templates stay what they are.
fn cases() -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for path in testdata("artifacts", "case") {
        let text = std::fs::read_to_string(path).unwrap();
        for case in format!("\n{text}").split("\n== path ").skip(1) {
            let (name, rest) = case.split_once('\n').unwrap();
            let content = rest.split("== expect").next().unwrap();
            cases.push((name.to_owned(), content.to_owned()));
        }
    }
    cases
}

/// Plan and sweep a disk image end to end, on one thread and on all.
fn sweep_rows(name: &str, engine: &Engine, path: &Path, effort: Effort) {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    for jobs in if all > 1 { vec![1, all] } else { vec![1] } {
        let open = || raw::open(path, ImageNo(0), "disk.img".into()).unwrap();
        let written = open().written.total();
        let name = format!("{name}, {} MB, {jobs} threads", written / 1_000_000);
        row(&name, written, effort, || sweep_once(engine, open(), jobs), || hash(&open(), jobs));
    }
}

fn sweep_once(engine: &Engine, image: Image, jobs: usize) {
    let key = FingerprintKey::kept([7; 32]);
    let progress = Progress::default();
    let options = Options { engine, jobs, key: &key, cross_check: false, progress: &progress };
    let outcome = sweep(Target::Images(vec![image]), &options);
    assert_eq!(outcome.coverage.swept(), outcome.coverage.written);
}

/// Read and hash the written bytes of a disk, dealt out to `jobs` threads.
fn hash(image: &Image, jobs: usize) {
    let windows = image.written.runs().iter().flat_map(|run| {
        let starts = (run.start..run.end()).step_by(usize(WINDOW_BYTES));
        starts.map(|start| Run::new(start, WINDOW_BYTES).intersect(*run))
    });
    let windows: Vec<Run> = windows.collect();
    std::thread::scope(|scope| {
        for job in 0..jobs {
            let mine = windows.iter().skip(job).step_by(jobs);
            scope.spawn(move || {
                let mut state = Sha256::new();
                for window in mine {
                    state.update(read_vec(&*image.bytes, window.start, usize(window.len)).unwrap());
                }
                black_box(state.finalize());
            });
        }
    });
}

/// Measure both in turn, so that a busy machine slows both alike, and print the best of each: what
/// others take of the processor only ever adds.
fn row(name: &str, bytes: u64, effort: Effort, work: impl FnMut(), hash: impl FnMut()) {
    row_by(|job| timed(job), (name, bytes, effort), work, hash);
}

/// The same for what runs on this thread alone, by its time on a processor.
fn thread_row(name: &str, bytes: u64, effort: Effort, work: impl FnMut(), hash: impl FnMut()) {
    row_by(|job| worked(job), (name, bytes, effort), work, hash);
}

fn row_by(
    clock: fn(&mut dyn FnMut()) -> Duration,
    (name, bytes, effort): (&str, u64, Effort),
    mut work: impl FnMut(),
    mut hash: impl FnMut(),
) {
    let mut works = Vec::new();
    let mut hashes = Vec::new();
    for _ in 0..effort.runs {
        works.push(clock(&mut work));
        hashes.push(clock(&mut hash));
    }
    let rate = |times: &[Duration]| {
        let best = times.iter().min().unwrap();
        bytes as f64 / 1e6 / best.as_secs_f64().max(1e-9)
    };
    let (work, hash) = (rate(&works), rate(&hashes));
    println!("{name:<28} {work:>10.1} {hash:>10.1} {:>8.3}", work / hash);
}

fn sha256(bytes: &[u8]) {
    let _ = black_box(Sha256::digest(bytes));
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// What this thread has had of a processor, which tells more on a busy machine than a clock.
fn worked(work: impl FnOnce()) -> Duration {
    let spent = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
    };
    let before = spent();
    work();
    spent().saturating_sub(before)
}

fn usize(value: u64) -> usize {
    usize::try_from(value).unwrap()
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize(self.next() % from.len() as u64)]
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(len).collect()
    }
}

const WORDS: [&str; 24] = [
    "server", "listen", "address", "token", "timeout", "path", "user", "password", "enabled",
    "cache", "region", "endpoint", "secret", "log", "level", "group", "session", "key", "public",
    "host", "default", "service", "version", "key_id",
];

/// What fills disks, by kind: each the same in every run.
fn corpus(len: usize) -> Vec<(&'static str, Vec<u8>)> {
    let random = Random(3).bytes(len);
    let base64_text = base64::encode_unpadded(&Random(4).bytes(len));
    let lines = base64_text.as_bytes().chunks(76).flat_map(|line| [line, b"\n"].concat());
    vec![
        ("configuration", text(len, Random(1), config_line)),
        ("log", text(len, Random(2), log_line)),
        ("program", program(len)),
        ("random", random),
        ("zeros", vec![0; len]),
        ("base64", lines.take(len).collect()),
    ]
}

fn text(len: usize, mut random: Random, line: fn(&mut Random, &mut String)) -> Vec<u8> {
    let mut text = String::with_capacity(len + 256);
    while text.len() < len {
        line(&mut random, &mut text);
    }
    text.truncate(len);
    text.into_bytes()
}

fn config_line(random: &mut Random, text: &mut String) {
    let (a, b, c) = (random.pick(&WORDS), random.pick(&WORDS), random.pick(&WORDS));
    let number = random.next() % 100_000;
    let _ = match random.next() % 8 {
        0 => writeln!(text, "\n[{a}.{b}]"),
        1 => writeln!(text, "# The {a} of every {b}, unless {c} says otherwise."),
        2 => writeln!(text, "{a}_{b} = \"{c}-{number}\""),
        3 => writeln!(text, "  {a}: {number}"),
        4 => writeln!(text, "  {a}_url: https://{b}.example.com:{}/{c}", number % 65_536),
        5 => writeln!(text, "export {}={b}/{c}:{number:x}", a.to_uppercase()),
        6 => writeln!(text, "    <{a} {b}=\"{number}\">{c}</{a}>"),
        _ => writeln!(text, "{a}={b}"),
    };
}

fn log_line(random: &mut Random, text: &mut String) {
    let (a, b) = (random.pick(&WORDS), random.pick(&WORDS));
    let (x, y) = (random.next(), random.next());
    let _ = writeln!(
        text,
        "2024-05-{:02}T{:02}:{:02}:{:02}Z ip-10-0-{}-{} {a}[{}]: {b} request={x:016x} status={} \
         took={}ms \"GET /{a}/{b}?id={y:08x} HTTP/1.1\"",
        x % 28 + 1,
        x % 24,
        x % 60,
        y % 60,
        x % 256,
        y % 256,
        x % 32_768,
        200 + y % 304,
        y % 5000,
    );
}

/// Like a program: code of a skewed alphabet, tables of small numbers, names.
fn program(len: usize) -> Vec<u8> {
    let mut random = Random(5);
    let mut bytes = b"\x7fELF\x02\x01\x01\0".to_vec();
    while bytes.len() < len {
        match random.next() % 4 {
            0 => bytes.extend((0..256).flat_map(|_| ((random.next() % 4096) as u32).to_le_bytes())),
            1 => (0..40).for_each(|_| {
                let (a, b) = (random.pick(&WORDS), random.pick(&WORDS));
                bytes.extend(format!("_ZN{}{a}{}{b}Ev\0", a.len(), b.len()).bytes());
            }),
            _ => bytes.extend((0..1024).map(|_| {
                let x = random.next();
                [0x48, 0x89, 0x8b, 0xe8, 0x0f, 0, 0xff, (x >> 8).to_le_bytes()[0]][usize(x % 8)]
            })),
        }
    }
    bytes.truncate(len);
    bytes
}

/// Nothing but anchors: every signature has a candidate every few bytes.
fn anchors(engine: &Engine, len: usize) -> Vec<u8> {
    let anchors = engine.signatures().iter().flat_map(|signature| &signature.anchors);
    let all: Vec<u8> = anchors.flat_map(|anchor| anchor.text.iter().copied()).collect();
    all.into_iter().cycle().take(len).collect()
}

/// A disk with the bundled filesystems as partitions and `corpus` behind them in no partition.
fn disk(corpus: &[u8]) -> NamedTempFile {
    let disk = NamedTempFile::new().unwrap();
    let mut record = [0; 512];
    record[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut at = MIB as u64;
    for (slot, volume) in volumes().iter().take(4).enumerate() {
        for start in (0..volume.len()).step_by(4096) {
            let cell = read_vec(&**volume, start, usize(volume.len() - start).min(4096)).unwrap();
            if cell.iter().any(|&byte| byte != 0) {
                disk.as_file().write_all_at(&cell, at + start).unwrap();
            }
        }
        let entry = &mut record[446 + 16 * slot..][..16];
        entry[4] = 0x83;
        let sectors = |bytes: u64| u32::try_from(bytes / 512).unwrap().to_le_bytes();
        entry[8..12].copy_from_slice(&sectors(at));
        entry[12..].copy_from_slice(&sectors(volume.len()));
        at = (at + volume.len()).next_multiple_of(MIB as u64);
    }
    disk.as_file().write_all_at(&record, 0).unwrap();
    disk.as_file().write_all_at(corpus, at).unwrap();
    disk
}

/// The bundled volumes, the one with the most files first.
fn volumes() -> Vec<Arc<dyn ReadAt>> {
    let mut volumes: Vec<Arc<dyn ReadAt>> = Vec::new();
    for path in testdata("images", "zst") {
        let mut bytes = Vec::new();
        let packed = File::open(path).unwrap();
        ruzstd::decoding::StreamingDecoder::new(packed).unwrap().read_to_end(&mut bytes).unwrap();
        let image: Arc<dyn ReadAt> = Arc::new(bytes);
        let known = VOLUME_SYSTEMS.iter().find(|system| (system.probe)(&*image).unwrap());
        match known.map(|system| (system.open)(&image).unwrap().volumes) {
            Some(inside) if !inside.is_empty() => {
                volumes.extend(inside.into_iter().map(|v| v.bytes));
            }
            _ => volumes.push(image),
        }
    }
    volumes.sort_by_key(|volume| std::cmp::Reverse(volume.len()));
    volumes
}

fn testdata(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}
