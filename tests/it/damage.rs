//! Bytes that cannot be read: what is lost is told, and nothing around it is lost with it.

use amisweep::bytes::ReadAt;
use amisweep::coverage::Kind;
use amisweep::detect::{Engine, example};
use amisweep::error::{Error, ErrorKind, Result};
use amisweep::image::Image;
use amisweep::outcome::Outcome;
use amisweep::run::{ImageNo, Run, RunSet};
use amisweep::sweep::{FingerprintKey, Options, Progress, Target, sweep};
use std::sync::Arc;

const MIB: u64 = 1 << 20;

/// A disk of which one run cannot be read.
struct Scratched {
    bytes: Vec<u8>,
    bad: Run,
}

impl ReadAt for Scratched {
    fn len(&self) -> u64 {
        self.bytes.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if !Run::new(offset, buf.len() as u64).intersect(self.bad).is_empty() {
            return Err(Error::new(ErrorKind::Unreadable, "scratched"));
        }
        self.bytes.read_at(offset, buf)
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        vec![(ImageNo(0), run)]
    }
}

fn swept(secrets: &[(u64, &[u8])], bad: Run) -> Outcome {
    let mut bytes = vec![b'.'; 3 << 20];
    for (at, secret) in secrets {
        let at = usize::try_from(*at).unwrap();
        bytes[at..at + secret.len()].copy_from_slice(secret);
        bytes[at - 1] = b'\n';
        bytes[at + secret.len()] = b'\n';
    }
    let written = RunSet::from_runs(vec![Run::new(0, 3 * MIB)]);
    let bytes = Arc::new(Scratched { bytes, bad });
    let image = Image { number: ImageNo(0), name: "disk".into(), bytes, written, ahead: None };
    let options = Options {
        engine: &Engine::builtin().unwrap(),
        jobs: 2,
        key: &FingerprintKey::ephemeral([1; 32]),
        cross_check: false,
        progress: &Progress::default(),
    };
    sweep(Target::Images(vec![image]), &options)
}

/// A secret across a window's edge was lost when a page further on could not be read.
#[test]
fn a_bad_page_costs_only_itself() {
    let token = |seed| example::render("ghp_{base62:30}{crc32_base62}", seed).unwrap();
    let (across, before, after) = (token(1), token(2), token(3));
    let bad = Run::new(MIB + 8192, 4096);
    let secrets = [
        (MIB - 10, across.as_bytes()),
        (bad.start - 60, before.as_bytes()),
        (bad.end() + 10, after.as_bytes()),
    ];
    let outcome = swept(&secrets, bad);
    let found = outcome.findings.iter().map(|f| f.places[0].image_runs.clone());
    let expected = secrets.map(|(at, token)| vec![(ImageNo(0), Run::new(at, token.len() as u64))]);
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let coverage = &outcome.coverage;
    assert_eq!(
        (coverage.of(Kind::Unreadable), coverage.of(Kind::Unparsed)),
        (4096, 3 * MIB - 4096)
    );
    assert!(!coverage.complete());
    let named = coverage.errors().iter().filter_map(|e| e.at.as_ref()?.span);
    assert_eq!(named.collect::<Vec<_>>(), [bad]);
}
