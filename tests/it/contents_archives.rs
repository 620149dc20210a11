//! Archives and compressed streams: what is planted in them is found, at the place that says how to
//! get there, and what is hostile is bounded and told.

use amisweep::coverage::Class;
use amisweep::detect::Engine;
use amisweep::detect::example::render;
use amisweep::filesystem::dir::Directory;
use amisweep::outcome::Outcome;
use amisweep::sweep::{Asked, FingerprintKey, Options, Progress, Target, sweep_with};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::builtin().unwrap())
}

/// A token of its own for each seed.
pub(crate) fn token(seed: u64) -> String {
    render("ghp_{base62:30}{crc32_base62}", seed).unwrap()
}

pub(crate) fn swept(root: &Path) -> Outcome {
    swept_with(root, &Asked::default())
}

fn swept_with(root: &Path, asked: &Asked<'_>) -> Outcome {
    let files = Box::new(Directory::open(root).unwrap());
    let options = Options {
        engine: engine(),
        jobs: 2,
        key: &FingerprintKey::ephemeral([1; 32]),
        cross_check: false,
        progress: &Progress::default(),
    };
    sweep_with(Target::Tree { name: "dir".into(), files }, &options, asked)
}

/// Where the secret of a seed was found.
pub(crate) fn places(outcome: &Outcome, seed: u64) -> Vec<String> {
    let text = token(seed);
    let is = |f: &&amisweep::finding::Finding| match &f.subject {
        amisweep::finding::Subject::Secret(secret) => secret.expose() == text.as_bytes(),
        _ => false,
    };
    let found = outcome.findings.iter().filter(is).flat_map(|finding| &finding.places);
    found.map(|place| place.locator.to_string()).collect()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(bytes).unwrap();
    zlib.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, data) in members {
        let mut block = vec![0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name.as_bytes());
        put(100, b"0000600\0");
        put(124, format!("{:011o}\0", data.len()).as_bytes());
        put(156, b"0");
        put(257, b"ustar\x0000");
        put(148, b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        archive.extend(block);
        archive.extend_from_slice(data);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in members {
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(data).unwrap();
        let packed = deflate.finish().unwrap();
        let long = |len: usize| u32::try_from(len).unwrap().to_le_bytes();
        let short = u16::try_from(name.len()).unwrap().to_le_bytes();
        let mut fields = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
        fields.extend(crc32fast::hash(data).to_le_bytes());
        fields.extend([long(packed.len()), long(data.len())].concat());
        fields.extend(short);
        fields.extend([0; 2]);
        directory.extend([b"PK\x01\x02\x14\x03".as_slice(), &fields, &[0; 10]].concat());
        directory.extend(long(archive.len()));
        directory.extend(name.bytes());
        archive.extend([b"PK\x03\x04".as_slice(), &fields, name.as_bytes(), &packed].concat());
    }
    let (at, len) = (archive.len(), directory.len());
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0\0\0\0\0");
    archive.extend(u32::try_from(len).unwrap().to_le_bytes());
    archive.extend(u32::try_from(at).unwrap().to_le_bytes());
    archive.extend([0; 2]);
    archive
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create_new(path).unwrap().write_all(bytes).unwrap();
    }
    root
}

#[test]
fn containers_that_are_left_closed_are_told() {
    // What is short is stored as it is.
    let text = format!("{}\n{}", "some words ".repeat(500), token(1));
    let dir = folder(&[("a.gz", gzip(text.as_bytes())), ("b.txt", token(2).into_bytes())]);
    let asked = Asked { closed: true, ..Asked::default() };
    let outcome = swept_with(dir.path(), &asked);
    assert!(places(&outcome, 1).is_empty());
    assert_eq!(places(&outcome, 2).len(), 1);
    assert_eq!(outcome.coverage.contents(Class::Limit), 1);
    assert!(!outcome.coverage.complete());
}

#[test]
fn what_is_planted_in_archives_is_found_where_it_stands() {
    let line = |seed: u64| format!("# a comment\ntoken={}\n", token(seed)).into_bytes();
    let inner = zip(&[("lib/inner.jar", &zip(&[("app.properties", &line(5))]))]);
    let root = folder(&[
        ("home.tar.gz", gzip(&tar(&[("notes", b"none"), ("etc/app.env", &line(1))]))),
        ("plain.tar", tar(&[("etc/app.env", &line(2))])),
        ("log.zst", zstd(&line(3))),
        ("app.war", zip(&[("WEB-INF/web.properties", &line(4))])),
        ("nested.tar", tar(&[("a.zip", &inner)])),
        ("object", zlib(&line(6).repeat(3))),
        ("twice.gz.gz", gzip(&gzip(&line(7)))),
        // The directory of this one is lost, and what follows too.
        ("cut.zip", zip(&[("a", &line(8))])[..140].to_vec()),
        ("stub.jar", [b"#!/bin/sh\n".as_slice(), &zip(&[("a", &line(9))])].concat()),
    ]);
    let outcome = swept(root.path());
    let at = |seed: u64, place: &str| {
        let found = places(&outcome, seed);
        assert!(found.iter().any(|found| found == place), "{place} is not in {found:?}");
    };
    at(1, "dir:home.tar.gz!gzip!tar:etc/app.env@18+40");
    // One place, and the archive's own view of it.
    assert_eq!(places(&outcome, 2), ["dir:plain.tar!tar:etc/app.env@18+40"]);
    at(3, "dir:log.zst!zstd@18+40");
    at(4, "dir:app.war!zip:WEB-INF/web.properties@18+40");
    at(5, "dir:nested.tar!tar:a.zip!zip:lib/inner.jar!zip:app.properties@18+40");
    at(6, "dir:object!zlib@18+40");
    at(7, "dir:twice.gz.gz!gzip!gzip@18+40");
    at(8, "dir:cut.zip!zip:a@18+40");
    at(9, "dir:stub.jar!zip:a@18+40");
    assert!(outcome.coverage.contents(Class::Corrupt) > 0);
    assert!(outcome.coverage.complete(), "{:?}", outcome.coverage.errors());
}

/// A long time ago these took scanners down.
#[test]
fn hostile_containers_are_bounded_and_told() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![0; 16 << 20]).unwrap();
    let bomb = bomb.finish().unwrap().repeat(40);
    let mut deep = token(1).into_bytes();
    for _ in 0..42 {
        deep = gzip(&deep);
    }
    let names = tar(&[("../../../etc/passwd", token(2).as_bytes()), ("/", b""), ("\n", b"x")]);
    let mut huge = tar(&[("huge", token(3).as_bytes())]);
    huge[124..136].copy_from_slice(b"\x80\0\0\0\0\x01\0\0\0\0\0\0");
    let sum: u32 = huge[..512]
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    huge[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let root = folder(&[("deep.gz", deep), ("names.tar", names), ("huge.tar", huge)]);
    let outcome = swept(root.path());
    assert_eq!(places(&outcome, 2), ["dir:names.tar!tar:../../../etc/passwd@0+40"]);
    assert_eq!(places(&outcome, 3), ["dir:huge.tar!tar:huge@0+40"]);
    assert_eq!(outcome.coverage.contents(Class::Limit), 1, "{:?}", outcome.coverage.errors());
    assert!(!outcome.coverage.complete());

    let root = folder(&[("bomb.gz", bomb)]);
    let outcome = swept(root.path());
    assert_eq!(outcome.coverage.contents(Class::Limit), 1, "{:?}", outcome.coverage.errors());
    assert!(!outcome.coverage.complete());
}

#[expect(clippy::print_stderr, reason = "a test that does nothing says so")]
fn deep() -> bool {
    let deep = std::env::var_os("AMISWEEP_DEEP").is_some();
    if !deep {
        eprintln!("skipped: AMISWEEP_DEEP is not set");
    }
    deep
}

fn run(script: &str, folder: &Path) {
    let mut shell = Command::new("bash");
    shell.args(["-euc", script]).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(shell.status().unwrap().success(), "{script}");
}

/// What the tools make of a whole tree with the secret in it.
#[test]
fn deep_what_the_tools_pack_is_found() {
    if !deep() {
        return;
    }
    let ways = [
        ("tar -cJf ../out/x.tar.xz .", "x.tar.xz!xz!tar:./d/f"),
        ("tar -cjf ../out/x.tar.bz2 .", "x.tar.bz2!bzip2!tar:./d/f"),
        ("tar -c . | lz4 -q >../out/x.tar.lz4", "x.tar.lz4!lz4!tar:./d/f"),
        ("tar -c . | zstd -q19 --long >../out/x.tar.zst", "x.tar.zst!zstd!tar:./d/f"),
        ("tar -c . | lzma >../out/x.tar.lzma", "x.tar.lzma!lzma!tar:./d/f"),
        ("tar -c . | compress >../out/x.tar.Z", "x.tar.Z!compress!tar:./d/f"),
        ("find . | cpio --quiet -oH newc | gzip >../out/i.img", "i.img!gzip!cpio:d/f"),
        ("bsdtar -cf ../out/b.tar --format=pax .", "b.tar!tar:./d/f"),
        ("zip -qr ../out/x.zip .", "x.zip!zip:d/f"),
        ("7zz a ../out/x.7z .", "x.7z!7z:d/f"),
        ("7zz a -t7z -m0=BCJ2 -m1=LZMA ../out/y.7z .", "y.7z!7z:d/f"),
    ];
    for (seed, (script, place)) in (100u64..).zip(ways) {
        let (tree, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        std::fs::create_dir(tree.path().join("d")).unwrap();
        let mut file = std::fs::File::create_new(tree.path().join("d/f")).unwrap();
        writeln!(file, "token={}", token(seed)).unwrap();
        run("seq 1 400000 >e; cp \"$(command -v tar)\" g", tree.path());
        let script = script.replace("../out", out.path().to_str().unwrap());
        run(&script, tree.path());
        let outcome = swept(out.path());
        let expected = format!("dir:{place}@6+40");
        // Some packers leave short words as they are, or as UTF-16, and the file itself shows them.
        let way = format!("dir:{}", place.split(':').next().unwrap());
        let mut found = places(&outcome, seed);
        found.retain(|at| at.starts_with(&way));
        assert_eq!(found, [expected], "{:?}", outcome.coverage.errors());
        assert!(outcome.coverage.complete(), "{script}: {:?}", outcome.coverage.errors());
    }
}
