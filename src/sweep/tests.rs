//! Sweeps of small made-up filesystems.

use super::{FingerprintKey, Options, Progress, Target, sweep};
use crate::bytes::ReadAt;
use crate::coverage::{Class, Kind};
use crate::detect::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{
    At, Extent, FileEntry, FileKind, FileState, Filesystem, Stream, StreamName, Times,
};
use crate::limits::ARTIFACT_BYTES;
use crate::outcome::Outcome;
use crate::run::Run;

/// A filesystem of files that are just there, with their bytes.
#[derive(Default)]
struct Shelf(Vec<(FileEntry, Vec<u8>)>);

impl Shelf {
    /// One more file, under its `names`. What `hole` begins with reads as zeros.
    fn with(mut self, names: &[&str], hole: u64, bytes: &[u8]) -> Shelf {
        let bytes = [&vec![0; usize::try_from(hole).unwrap()], bytes].concat();
        let size = bytes.len() as u64;
        let disk = self.0.len() as u64 * (64 << 20);
        let data = Extent { file_offset: hole, len: size - hole, at: At::Disk(disk) };
        let hole = Extent { file_offset: 0, len: hole, at: At::Hole };
        let (path, more) = names.split_first().unwrap();
        let file = FileEntry {
            path: path.as_bytes().into(),
            more_paths: more.iter().map(|path| path.as_bytes().into()).collect(),
            inode: self.0.len() as u64,
            kind: FileKind::File,
            mode: 0o100_600,
            uid: 0,
            gid: 0,
            links: 1,
            times: Times::default(),
            state: FileState::Live,
            streams: [Stream { name: StreamName::Data, size, extents: [hole, data].into() }].into(),
        };
        self.0.push((file, bytes));
        self
    }

    fn swept(self) -> Outcome {
        let options = Options {
            engine: &Engine::builtin().unwrap(),
            jobs: 2,
            key: &FingerprintKey::ephemeral([1; 32]),
            cross_check: false,
            progress: &Progress::default(),
        };
        sweep(Target::Tree { name: "shelf".into(), files: Box::new(self) }, &options)
    }
}

impl Filesystem for Shelf {
    fn walk(&self, visit: &mut dyn FnMut(Result<FileEntry>)) {
        self.0.iter().for_each(|(file, _)| visit(Ok(file.clone())));
    }

    fn label(&self, run: Run) -> Vec<(Run, Kind)> {
        vec![(run, Kind::Free)]
    }

    fn open<'a>(&'a self, file: &FileEntry, _: usize) -> Result<Box<dyn ReadAt + 'a>> {
        let found = self.0.iter().find(|(known, _)| known.inode == file.inode);
        let none = || Error::new(ErrorKind::NotFound, "no such file");
        found.map(|(_, bytes)| Box::new(bytes.clone()) as Box<dyn ReadAt>).ok_or_else(none)
    }
}

/// A line of `.pgpass` with a password that is made up here.
fn login(name: &str) -> String {
    format!("db.{name}.internal:5432:orders:{name}:{}\n", ["Zq", name, "7!kd"].concat())
}

/// Where parsers found the passwords of `.pgpass` files, and on which line.
fn logins(outcome: &Outcome) -> Vec<(String, Option<u64>)> {
    let found = outcome.findings.iter().filter(|f| f.rule.id == "pgpass.password");
    let place = |f: &crate::finding::Finding| {
        (String::from_utf8_lossy(f.places[0].locator.path().unwrap()).into(), f.places[0].line)
    };
    found.map(place).collect()
}

/// It passed as if it had been understood.
#[test]
fn a_known_file_too_long_for_its_parser_is_told() {
    let comments = b"# nothing\n".repeat(usize::try_from(ARTIFACT_BYTES / 10 + 99).unwrap());
    let long = ["# mine\n".as_bytes(), login("anna").as_bytes(), &comments].concat();
    let outcome = Shelf::default().with(&["/root/.pgpass"], 0, &long).swept();
    assert_eq!(logins(&outcome), [("/root/.pgpass".to_owned(), Some(2))]);
    assert!(!outcome.coverage.complete());
    let told = outcome.coverage.errors().iter().map(|error| error.what.as_str());
    let expected = "a file that parsers know is too long for them; only its beginning was parsed";
    assert_eq!(told.collect::<Vec<_>>(), [expected]);

    let outcome = Shelf::default().with(&["/root/notes"], 0, &long).swept();
    assert!(outcome.coverage.complete(), "{:?}", outcome.coverage.errors());
}

/// A second name that came first in the alphabet kept the parser from the file.
#[test]
fn a_file_is_parsed_under_whichever_of_its_names_is_known() {
    let names = ["/a/notes", "/b/more", "/root/.pgpass", "/z/last"];
    let outcome = Shelf::default().with(&names, 0, login("anna").as_bytes()).swept();
    let found = outcome.findings.iter().filter(|f| f.rule.id == "pgpass.password");
    let places = found.flat_map(|f| &f.places).filter_map(|place| place.locator.path());
    assert!(places.into_iter().any(|path| path == b"/root/.pgpass"), "{:?}", outcome.findings);
}

/// The first bytes that lie anywhere are not the first of the file.
#[test]
fn a_file_that_begins_with_a_hole_is_parsed() {
    let lines = ["\n", &login("anna")].concat();
    let start = ARTIFACT_BYTES / 2;
    for hole in [512, 4096, start] {
        let outcome = Shelf::default().with(&["/root/.pgpass"], hole, lines.as_bytes()).swept();
        assert_eq!(logins(&outcome), [("/root/.pgpass".to_owned(), None)], "{hole}");
        assert!(outcome.coverage.complete(), "{hole}");
    }
    let far = Shelf::default().with(&["/root/.pgpass"], 2 * ARTIFACT_BYTES, lines.as_bytes());
    assert!(!far.swept().coverage.complete());
}

#[test]
fn lines_of_a_parsed_file_are_counted_from_its_beginning() {
    let anna = login("anna");
    for before in [0, 1, 2, 40_000, 200_000] {
        let text = ["# x\n".repeat(before), anna.clone()].concat();
        let outcome = Shelf::default().with(&["/root/.pgpass"], 0, text.as_bytes()).swept();
        let line = Some(before as u64 + 1);
        assert_eq!(logins(&outcome), [("/root/.pgpass".to_owned(), line)], "{before}");
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// What parsers found, with the lines, and how files and members ended.
fn opened(outcome: &Outcome) -> (Vec<String>, Vec<u64>) {
    let found = outcome.findings.iter().filter(|f| f.rule.id == "pgpass.password");
    let line = |line: Option<u64>| line.map_or(String::new(), |line| format!(" line {line}"));
    let places = found.flat_map(|f| &f.places);
    let places = places.map(|place| format!("{}{}", place.locator, line(place.line))).collect();
    (places, Class::ALL.map(|class| outcome.coverage.contents(class)).into())
}

#[test]
fn what_is_compressed_is_parsed_as_the_file_it_was() {
    let anna = login("anna");
    let start = anna.len() - 1 - "Zqanna7!kd".len();
    let notes = "# nothing\n".repeat(20);
    let once = gzipped([&notes, &*anna].concat().as_bytes());
    let outcome = Shelf::default().with(&["/root/.pgpass.gz"], 0, &once).swept();
    let expected = format!("shelf:/root/.pgpass.gz!gzip@{}+10 line 21", start + notes.len());
    assert_eq!(opened(&outcome), (vec![expected], vec![1, 1, 0, 0, 0, 0]));
    assert!(outcome.coverage.complete(), "{:?}", outcome.coverage.errors());

    let often = (0..4).fold([&*anna, &notes].concat().into_bytes(), |bytes, _| gzipped(&bytes));
    let outcome = Shelf::default().with(&["/b/.pgpass.gz.gz.gz.gz"], 0, &often).swept();
    let expected = format!("shelf:/b/.pgpass.gz.gz.gz.gz{}@{start}+10 line 1", "!gzip".repeat(4));
    assert_eq!(opened(&outcome), (vec![expected], vec![1, 4, 0, 0, 0, 0]));

    let long = [anna.as_bytes(), notes.as_bytes(), &noise(70_000)].concat();
    let cut = gzipped(&long);
    let outcome = Shelf::default().with(&["/c/.pgpass.gz"], 0, &cut[..30_000]).swept();
    let expected = format!("shelf:/c/.pgpass.gz!gzip@{start}+10");
    let (places, classes) = opened(&outcome);
    assert!(places.iter().all(|place| place.starts_with(&expected)), "{places:?}");
    assert_eq!((places.len(), classes), (1, vec![0, 1, 0, 0, 0, 1]));
    assert!(outcome.coverage.complete() && outcome.coverage.error_count() == 1);
}

/// Letters that hardly compress.
fn noise(len: usize) -> Vec<u8> {
    let next = |seed: &u64| Some(seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    let seeds = std::iter::successors(Some(7u64), next);
    let letter = |seed: u64| b'a' + u8::try_from((seed >> 33) % 26).unwrap();
    seeds.map(letter).take(len).collect()
}

#[test]
fn a_nest_without_end_ends() {
    let text = [login("anna"), "# nothing\n".repeat(20)].concat();
    let deep = (0..42).fold(text.into_bytes(), |bytes, _| gzipped(&bytes));
    let outcome = Shelf::default().with(&["/root/.pgpass.gz"], 0, &deep).swept();
    let (places, classes) = opened(&outcome);
    assert_eq!((places, classes), (Vec::new(), vec![1, 11, 0, 0, 1, 0]));
    let told: Vec<_> = outcome.coverage.errors().iter().map(|e| e.what.as_str()).collect();
    assert_eq!(told, ["containers nest too deep"]);
    assert!(!outcome.coverage.complete());
}
