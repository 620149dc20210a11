//! `amisweep scan`: find what leaks from an image, a snapshot, a disk or a directory.

use super::key;
use super::progress::Bar;
use super::rules::Engines;
use crate::detect::Engine;
use crate::detect::encoding::Encodings;
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::facts::Time;
use crate::filesystem::dir::{Directory, LeftOut};
use crate::finding::Severity;
use crate::image::{Image, raw};
use crate::policy::Verdict;
use crate::provenance::manifest::Base;
use crate::report::output::{self, Pending};
use crate::report::{FORMATS, Format, Report, RunFacts, Style};
use crate::run::ImageNo;
use crate::sweep::{Asked, FingerprintKey, Options, PROFILES, Planned, Progress, Target};
use clap::builder::PossibleValuesParser;
use std::fs::File;
use std::io::{BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Find what leaks from an image, a snapshot, a disk or a directory.
///
/// Exit codes: 0 pass and complete, 1 run-time error, 2 usage, 10 findings at or above --fail-on,
/// 11 incomplete, 12 both.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to scan: ami-…, snap-…, a raw disk image or block device, a directory, or - for
    /// standard input redirected from a disk image.
    #[arg(value_name = "TARGET")]
    pub(super) target: PathBuf,

    /// The report's format.
    #[arg(short, long, default_value = FORMATS[0].name, value_parser = format_names())]
    format: String,

    /// Write the report to a file only you can read, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Fail on findings of this severity and above.
    #[arg(long, default_value = Severity::High.name(), value_parser = severity_names())]
    fail_on: String,

    /// Show secrets. Refused when standard output is no terminal, unless `--reveal=force` or -o.
    #[arg(long, value_name = "force", num_args = 0..=1, require_equals = true,
          default_missing_value = "terminal", value_parser = ["terminal", "force"])]
    reveal: Option<String>,

    /// No progress bar and no remarks on standard error.
    #[arg(short, long)]
    pub(super) quiet: bool,

    /// Worker threads; one for each processor by default.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,

    /// Memory for cached blocks and blocks in flight, such as 64M or 1G. The disks of an AMI
    /// share it in equal parts, of 8M each or more; 80M by default, more for more than ten disks.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(super) memory: Option<u64>,

    /// Re-read every file that has a finding through a second, independent reader.
    #[arg(long)]
    cross_check: bool,

    /// Look for secrets as they stand, or in base64, UTF-16 and other encodings too.
    #[arg(long, default_value = Encodings::All.name(), value_parser = encoding_names())]
    encodings: String,

    /// Search archives, compressed files and other containers as they stand, and do not open them.
    /// Quicker, and the result is incomplete if there is one.
    #[arg(long)]
    no_containers: bool,

    /// The key for fingerprints that compare across runs; `amisweep init` makes one.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// Tell what was inherited from the image that this one was made from: the list of its files,
    /// which `amisweep manifest` makes.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Check one of AWS's lists of what must be cleaned up before an image is shared, or all of
    /// them. May be given again.
    #[arg(long, value_name = "LIST", value_parser = list_names())]
    hygiene: Vec<String>,

    /// The disk is that of an image acquired by launching it, which booted at this time: tell what
    /// the first boot wrote (`amisweep acquire`).
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    acquired_boot: Option<i64>,

    #[command(flatten)]
    pub(super) rules: super::rules::Flags,

    #[cfg(feature = "aws")]
    #[command(flatten)]
    pub(super) aws: super::aws::Flags,
}

fn format_names() -> PossibleValuesParser {
    PossibleValuesParser::new(FORMATS.iter().map(|format| format.name))
}

fn severity_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Severity::ALL.map(Severity::name))
}

fn list_names() -> PossibleValuesParser {
    PossibleValuesParser::new(PROFILES.into_iter().chain(["all"]))
}

fn encoding_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Encodings::ALL.map(Encodings::name))
}

fn parse_time(text: &str) -> Result<i64, String> {
    let time = Time::parse(text).ok_or("not a time such as 2026-11-21T20:00:00Z")?;
    Ok(time.0)
}

/// A number of bytes with an optional binary unit.
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        unit => return Err(format!("unknown unit {unit}; use K, M or G")),
    };
    let number: u64 = digits.parse().map_err(|_| "not a number of bytes".to_owned())?;
    let bytes = number.checked_mul(1 << shift).ok_or("too large")?;
    if bytes < 8 << 20 { Err("less than 8M leaves no room to work".to_owned()) } else { Ok(bytes) }
}

pub(super) fn run(args: &Args) -> Result<u8> {
    may_reveal(args)?;
    let engines = args.rules.engines(args.quiet)?;
    match open_target(args)? {
        Ok(opened) => finish(args, opened, engines),
        Err(code) => Ok(code),
    }
}

/// Open the target; or, where only what it costs was asked and told, the exit code.
pub(super) fn open_target(args: &Args) -> Result<Result<Opened, u8>> {
    #[cfg(feature = "aws")]
    match super::aws::open(args)? {
        super::aws::Asked::Elsewhere => {}
        super::aws::Asked::Estimated { whole } => {
            return Ok(Err(if whole { 0 } else { super::EXIT_INCOMPLETE }));
        }
        super::aws::Asked::Opened(opened) => return Ok(Ok(opened)),
    }
    open(args).map(Ok)
}

/// Scan what was opened, and report.
pub(super) fn finish(args: &Args, opened: Opened, engines: Engines) -> Result<u8> {
    let reveal = may_reveal(args)?;
    let source = args.source(&opened);
    let file = args.output.as_deref().map(|path| Pending::open(path, source)).transpose()?;
    let report = scan(args, opened, engines)?;
    write(args, &report, reveal, file)?;
    Ok(report.verdict.exit_code())
}

/// What was opened, and what it is called in the report.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) images: Vec<String>,
    pub(super) target: Target,
    /// What of the target could not be opened, so that the result is incomplete.
    pub(super) troubles: Vec<Error>,
    /// What of a directory need not be read.
    pub(super) left_out: LeftOut,
}

fn open(args: &Args) -> Result<Opened> {
    let path = args.target.as_path();
    #[cfg(not(feature = "aws"))]
    if looks_like_aws(path) {
        let what = "this build reads no AWS targets; build it with the `aws` feature";
        return Err(Error::new(ErrorKind::Usage, what).detail(path.display()));
    }
    if path == Path::new("-") {
        return stdin();
    }
    let name = file_name(path);
    if path.is_dir() {
        let files = Box::new(Directory::open(path)?);
        let left_out = files.left_out();
        let target = Target::Tree { name: name.as_str().into(), files };
        let (images, troubles) = (Vec::new(), Vec::new());
        return Ok(Opened { name, kind: "directory", images, target, troubles, left_out });
    }
    let image = raw::open(path, ImageNo(0), name.as_str().into())?;
    Ok(opened(name, image))
}

fn opened(name: String, image: Image) -> Opened {
    Opened {
        images: vec![name.clone()],
        name,
        kind: "image",
        target: Target::Images(vec![image]),
        troubles: Vec::new(),
        left_out: LeftOut::default(),
    }
}

/// Whether a target is an AMI or a snapshot by its name, and no file of that name is there.
pub(super) fn looks_like_aws(path: &Path) -> bool {
    let id = |text: &str| {
        ["ami-", "snap-"].iter().any(|prefix| {
            text.strip_prefix(prefix)
                .is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        })
    };
    path.to_str().is_some_and(id) && !path.exists()
}

fn stdin() -> Result<Opened> {
    let name = "stdin".to_owned();
    let image =
        raw::open(Path::new("/dev/stdin"), ImageNo(0), name.as_str().into()).map_err(|cause| {
            let what = "standard input is no disk image; redirect it from a file (< disk.img), a \
                        pipe cannot be read at random";
            Error::new(ErrorKind::Usage, what).caused_by(cause)
        })?;
    Ok(opened(name, image))
}

impl Args {
    /// What must not be written to, because it is what is read.
    pub(super) fn source(&self, opened: &Opened) -> Option<&Path> {
        let local = matches!(opened.kind, "image" | "directory");
        let stdin = self.target == Path::new("-");
        Some(if stdin { Path::new("/dev/stdin") } else { &*self.target }).filter(|_| local)
    }

    /// What `work` makes of the options that the flags ask for, without rules and a key.
    pub(super) fn swept<T>(&self, work: impl FnOnce(&Options<'_>) -> Result<T>) -> Result<T> {
        let progress = Arc::new(Progress::default());
        let options = Options {
            engine: &Engine::with(false, Vec::new())?,
            jobs: jobs(self),
            key: &FingerprintKey::ephemeral([0; 32]),
            cross_check: false,
            progress: &progress,
        };
        let bar = Bar::follow(&progress, self.quiet);
        let done = work(&options);
        drop(bar);
        done
    }

    /// The base that the target is compared with.
    fn base(&self) -> Result<Option<Base>> {
        let Some(path) = &self.baseline else { return Ok(None) };
        let file = File::open(path).map_err(|cause| {
            let what = "the baseline cannot be read";
            Error::new(ErrorKind::Usage, what).detail(path.display()).caused_by(cause)
        })?;
        Base::read(&mut BufReader::new(file)).map(Some)
    }
}

/// The last part of a path: reports should not tell where on a machine an image lay.
fn file_name(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = full.file_name().unwrap_or(full.as_os_str());
    name.to_string_lossy().into_owned()
}

fn scan(args: &Args, opened: Opened, engines: Engines) -> Result<Report> {
    let key = key::load(args.key_file.as_deref())?;
    let base = args.base()?;
    let progress = Arc::new(Progress::default());
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs());
    let clock = Instant::now();
    let wanted = |name: &&str| args.hygiene.iter().any(|list| list == name || list == "all");
    let hygiene: Vec<&'static str> = PROFILES.into_iter().filter(wanted).collect();
    let asked = Asked {
        base: base.as_ref(),
        hygiene: &hygiene,
        closed: args.no_containers,
        boot: args.acquired_boot,
    };
    let bar = Bar::follow(&progress, args.quiet);
    let planned = Planned::new(opened.target, &asked);
    let encodings = Encodings::from_name(&args.encodings).unwrap_or_default();
    let options = Options {
        engine: &engines.ready()?.with_encodings(encodings),
        jobs: jobs(args),
        key: &key,
        cross_check: args.cross_check,
        progress: &progress,
    };
    let mut outcome = planned.sweep(&options, &asked);
    drop(bar);
    opened.troubles.iter().for_each(|trouble| outcome.coverage.error(trouble));
    for remark in opened.left_out.remarks() {
        outcome.coverage.remark(None, remark);
    }
    let fail_on = Severity::from_name(&args.fail_on).unwrap_or(Severity::High);
    let verdict = Verdict::of(&outcome.findings, &outcome.coverage, fail_on);
    let seconds = clock.elapsed().as_secs_f64();
    Ok(Report {
        target: opened.name,
        target_kind: opened.kind,
        images: opened.images,
        outcome,
        verdict,
        run: RunFacts { started, seconds, ephemeral_key: key.ephemeral },
    })
}

pub(super) fn jobs(args: &Args) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    args.jobs.map_or(all, usize::from)
}

fn may_reveal(args: &Args) -> Result<bool> {
    match args.reveal.as_deref() {
        None => Ok(false),
        Some("force") => Ok(true),
        Some(_) if args.output.is_some() || std::io::stdout().is_terminal() => Ok(true),
        Some(_) => Err(Error::new(
            ErrorKind::Usage,
            "--reveal would put secrets into a pipe; use -o FILE, or --reveal=force if you mean it",
        )),
    }
}

fn write(args: &Args, report: &Report, reveal: bool, file: Option<Pending>) -> Result<()> {
    let format: &Format =
        FORMATS.iter().find(|format| format.name == args.format).unwrap_or(&FORMATS[0]);
    if let Some(file) = file {
        let mut file = file.begin()?;
        report.write(format, Style { reveal, colour: false }, &mut file)?;
        return file.flush().map_err(output::failed);
    }
    let mut stdout = std::io::stdout().lock();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    report.write(format, Style { reveal, colour }, &mut stdout)?;
    stdout.flush().map_err(output::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("64M"), Ok(64 << 20));
        assert_eq!(parse_size("1GiB"), Ok(1 << 30));
        assert_eq!(parse_size("16777216"), Ok(16 << 20));
        for bad in ["", "M", "1T", "-5M", "1M", "99999999999G"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_are_told_from_files() {
        assert!(looks_like_aws(Path::new("snap-0a1b2c")));
        assert!(looks_like_aws(Path::new("ami-0123456789abcdef0")));
        for other in ["ami-", "snap-xyz", "./snap-0a1b", "disk.img", "vol-0a1b"] {
            assert!(!looks_like_aws(Path::new(other)), "{other}");
        }
    }
}
