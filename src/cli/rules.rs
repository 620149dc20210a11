//! Rules of the user: files of signatures, and of other scanners' rules.

use crate::detect::Engine;
use crate::detect::import::{self, Loss, Rules};
use crate::detect::signature::Signature;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// Which rules are used.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Rules")]
#[group(id = "rule-flags")]
pub(super) struct Flags {
    /// Rules of your own, besides the built-in ones: a file in the schema of docs/signatures.md,
    /// of gitleaks, betterleaks, Nosey Parker, Kingfisher or Trivy, or a directory of such files
    /// (*.toml, *.yml, *.yaml). May be given again.
    #[arg(long = "rules", id = "rules", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Use only the rules of --rules.
    #[arg(long, requires = "rules")]
    no_builtin_rules: bool,

    /// Match YARA rules against whole files, members of containers and windows of free space: a
    /// file, or a directory of such files (*.yar, *.yara). May be given again. Needs a build with
    /// the `yara` feature.
    #[arg(long, value_name = "FILE")]
    yara: Vec<PathBuf>,
}

/// An engine that is being made.
pub(super) enum Engines {
    Ready(Box<Engine>),
    Made(JoinHandle<Result<Engine>>),
}

impl Engines {
    /// The engine, once it is there.
    pub(super) fn ready(self) -> Result<Engine> {
        match self {
            Engines::Ready(engine) => Ok(*engine),
            Engines::Made(thread) => thread.join().unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Internal, "the signatures could not be made ready"))
            }),
        }
    }
}

impl Flags {
    /// Make the engine. What is wrong with rules of the user is told before anything is read,
    /// which may cost money; ours are right, and made ready while the target is read.
    pub(super) fn engines(&self, quiet: bool) -> Result<Engines> {
        if self.files.is_empty() && self.yara.is_empty() {
            return Ok(Engines::Made(std::thread::spawn(Engine::builtin)));
        }
        self.engine(quiet).map(|engine| Engines::Ready(Box::new(engine)))
    }

    /// The engine with these rules. What of them is not used is said on standard error: rules
    /// always, parts of rules unless `quiet`.
    pub(super) fn engine(&self, quiet: bool) -> Result<Engine> {
        let mut signatures: Vec<Signature> = Vec::new();
        for rules in read_all(&self.files)? {
            for line in told(&rules, quiet) {
                super::say(&line);
            }
            signatures.extend(rules.signatures);
        }
        self.with_yara(Engine::with(!self.no_builtin_rules, signatures)?, quiet)
    }

    #[cfg(feature = "yara")]
    fn with_yara(&self, engine: Engine, quiet: bool) -> Result<Engine> {
        let mut sources = Vec::new();
        for path in &self.yara {
            for file in files(path, &["yar", "yara"])? {
                sources.push((file.to_string_lossy().into_owned(), text(&file)?));
            }
        }
        if sources.is_empty() {
            return Ok(engine);
        }
        let (yara, unused) = crate::detect::yara::Yara::compile(&sources)?;
        if !unused.is_empty() {
            let total = unused.len() + yara.len();
            super::say(&format!("{} of {total} YARA rules are not used", unused.len()));
            for (rule, why) in unused.iter().filter(|_| !quiet) {
                super::say(&format!("  {rule}: {why}"));
            }
        }
        Ok(engine.with_examiner(Box::new(yara)))
    }

    #[cfg(not(feature = "yara"))]
    fn with_yara(&self, engine: Engine, _quiet: bool) -> Result<Engine> {
        let what = "this build matches no YARA rules; build it with the `yara` feature";
        match self.yara.first() {
            None => Ok(engine),
            Some(path) => Err(Error::new(ErrorKind::Usage, what).detail(path.display())),
        }
    }
}

/// What is lost of a rule file, in a line or two.
fn told(rules: &Rules, quiet: bool) -> Vec<String> {
    let file = &rules.file;
    let count = |loss| rules.remarks.iter().filter(|remark| remark.loss == loss).count();
    let (lost, parts) = (count(Loss::Rule), count(Loss::Part));
    let mut lines = Vec::new();
    let hint = format!("`amisweep signatures lint {file}` names them");
    if lost > 0 {
        let used = rules.signatures.len();
        lines.push(format!("{file}: {lost} of {} rules are not used; {hint}", used + lost));
    }
    if parts > 0 && !quiet {
        lines.push(format!("{file}: {parts} parts of rules are not read; {hint}"));
    }
    lines
}

/// Read every file, and every rule file of every directory.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<Rules>> {
    let mut all = Vec::new();
    for path in paths {
        for file in files(path, &["toml", "yml", "yaml"])? {
            all.push(import::read(&file.to_string_lossy(), &text(&file)?)?);
        }
    }
    Ok(all)
}

/// The files of these kinds that a path stands for.
fn files(path: &Path, kinds: &[&str]) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |cause| {
        Error::new(ErrorKind::Io, "cannot list the directory of rules")
            .detail(path.display())
            .caused_by(cause)
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let kind = file.extension().and_then(|extension| extension.to_str());
        if kind.is_some_and(|kind| kinds.contains(&kind)) {
            files.push(file);
        }
    }
    files.sort();
    let none = format!("{}: no *.{}", path.display(), kinds.join(" or *."));
    let what = match files.len() {
        0 => {
            return Err(Error::new(ErrorKind::Usage, "nothing to read in the directory of rules")
                .detail(none));
        }
        count if count > limits::RULE_FILES => "too many files in the directory of rules",
        _ => return Ok(files),
    };
    Err(Error::new(ErrorKind::Usage, what).detail(path.display()))
}

fn text(path: &Path) -> Result<String> {
    let failed = |cause: std::io::Error| {
        let kind = match cause.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::Usage,
            _ => ErrorKind::Io,
        };
        Error::new(kind, "cannot read the rule file").detail(path.display()).caused_by(cause)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(limits::RULE_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > limits::RULE_FILE_BYTES) {
        let what = "the rule file is larger than 8 MiB: split it";
        return Err(Error::new(ErrorKind::Usage, what).detail(path.display()));
    }
    String::from_utf8(bytes).map_err(|cause| {
        Error::new(ErrorKind::Usage, "the rule file is not UTF-8 text")
            .detail(path.display())
            .caused_by(cause)
    })
}
