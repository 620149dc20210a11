//! `amisweep audit`: who can read the images of accounts, and what is wrong with them, from a file
//! of facts.

use crate::detect::{Engine, Scratch, Window};
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::audit::{
    Audit, AuditOptions, IacFinding, Past, TextSecret, Trusted, Unknown, audit, read_iac, texts,
};
use crate::exposure::facts::{self, Facts};
use crate::finding::{Severity, preview};
use crate::limits::{HISTORY_FILES, IAC_FILE_BYTES, IAC_FILES};
use crate::policy::Verdict;
use crate::report::Style;
use crate::report::audit::{AUDIT_FORMATS, AuditReport};
use crate::report::output::{self, Pending};
use clap::builder::PossibleValuesParser;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Judge who can read the images of accounts, under which key, and what launches them.
///
/// Facts come from `amisweep collect`, or from outputs of the AWS CLI put together as
/// docs/facts.md says. Nothing is asked of AWS.
///
/// Exit codes: 0 pass and complete, 1 run-time error, 2 usage, 10 findings at or above --fail-on,
/// 11 something is unknown, 12 both.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files of facts, judged as one.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    facts: Vec<PathBuf>,

    /// Whom you trust and what you ask of images, as TOML (docs/audit.md).
    #[arg(long, value_name = "FILE")]
    trusted: Option<PathBuf>,

    /// A directory of earlier facts, for figures over time.
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,

    /// A directory of Terraform, CloudFormation and Packer files that name images.
    #[arg(long, value_name = "DIR")]
    iac: Option<PathBuf>,

    /// What a GiB of snapshots costs in a month, to price what is kept for nothing.
    #[arg(long, value_name = "PRICE", value_parser = parse_price)]
    price_per_gib_month: Option<f64>,

    /// The report's format.
    #[arg(short, long, default_value = AUDIT_FORMATS[0].name, value_parser = format_names())]
    format: String,

    /// Write the report to a file only you can read, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Fail on findings of this severity and above.
    #[arg(long, default_value = Severity::High.name(), value_parser = severity_names())]
    fail_on: String,

    #[command(flatten)]
    rules: super::rules::Flags,
}

fn format_names() -> PossibleValuesParser {
    PossibleValuesParser::new(AUDIT_FORMATS.iter().map(|format| format.name))
}

fn severity_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Severity::ALL.map(Severity::name))
}

fn parse_price(text: &str) -> Result<f64, String> {
    let price: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if price.is_finite() && price >= 0.0 { Ok(price) } else { Err("not a price".to_owned()) }
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let engine = args.rules.engine(true)?;
    let source = args.facts.first().map(PathBuf::as_path);
    let file = args.output.as_deref().map(|path| Pending::open(path, source)).transpose()?;
    let facts = facts::read(&args.facts)?;
    let mut troubles = Vec::new();
    let mut options = AuditOptions {
        trusted: args.trusted.as_deref().map(trusted).transpose()?.unwrap_or_default(),
        price_per_gib_month: args.price_per_gib_month,
        ..AuditOptions::default()
    };
    if let Some(dir) = &args.iac {
        options.iac = read_code(dir, &mut troubles)?;
    }
    if let Some(dir) = &args.history {
        options.history = read_history(dir, &options)?;
    }
    let mut done = audit(&facts, &options);
    done.add_text_secrets(sweep(&facts, &engine));
    done.unknown.append(&mut troubles);
    let fail_on = Severity::from_name(&args.fail_on).unwrap_or(Severity::High);
    let report = AuditReport { verdict: verdict(&done, fail_on), audit: done };
    write(args, &report, file)?;
    Ok(report.verdict.exit_code())
}

/// What an audit means for an exit code.
fn verdict(audit: &Audit, fail_on: Severity) -> Verdict {
    let failing = audit.findings.iter().filter(|finding| finding.severity >= fail_on).count();
    Verdict { fail_on, failing, complete: audit.unknown.is_empty() }
}

fn trusted(path: &Path) -> Result<Trusted> {
    let text = std::fs::read_to_string(path).map_err(|cause| refused(path, cause))?;
    Trusted::parse(&text).map_err(|error| error.named(&path.to_string_lossy()))
}

fn refused(path: &Path, cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot read").detail(path.display()).caused_by(cause)
}

/// Look for secrets in names, descriptions, tags and user data.
fn sweep(facts: &Facts, engine: &Engine) -> Vec<TextSecret> {
    let mut found = Vec::new();
    let mut scratch = Scratch::default();
    for text in texts(facts) {
        let window = Window { bytes: &text.text, owned: 0..text.text.len(), path: None };
        let mut matches = Vec::new();
        engine.search(&window, &mut scratch, &mut matches);
        matches.retain(|matched| matched.harmless.is_none());
        // Of several rules that know a secret, the one that is surest tells of it.
        matches.sort_by(|a, b| (a.subject.bytes(), b.grade).cmp(&(b.subject.bytes(), a.grade)));
        matches.dedup_by(|next, kept| next.subject.bytes() == kept.subject.bytes());
        matches.sort_by_key(|matched| matched.span);
        found.extend(matches.iter().map(|matched| TextSecret {
            account: text.account.clone(),
            region: text.region.clone(),
            resource: text.resource.clone(),
            severity: matched.severity,
            evidence: format!(
                "{}: {} {}",
                text.field,
                matched.rule.title,
                preview(&matched.subject)
            ),
            text: String::from_utf8_lossy(&text.text).into_owned(),
        }));
    }
    found
}

/// What the files below `dir` say, by paths relative to it, and what could not be read.
fn read_code(dir: &Path, troubles: &mut Vec<Unknown>) -> Result<Vec<IacFinding>> {
    let mut found = Vec::new();
    for path in code_files(dir, troubles)? {
        let shown = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
        match read_bounded(&path) {
            Ok(bytes) => found.extend(read_iac(&shown, &String::from_utf8_lossy(&bytes))),
            Err(why) => troubles.push(unread(&shown, why)),
        }
    }
    Ok(found)
}

fn unread(shown: &str, why: impl std::fmt::Display) -> Unknown {
    Unknown {
        account: String::new(),
        region: String::new(),
        action: format!("reading {shown}"),
        error: Some(why.to_string()),
        rules: ["AMI-REF-001", "BUILD-PUB-001", "REF-EXT-001", "REF-EXT-002"].into(),
        count: 1,
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|cause| refused(path, cause))?;
    file.take(IAC_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|cause| refused(path, cause))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > IAC_FILE_BYTES {
        return Err(Error::new(ErrorKind::Limit, "longer than any file of code"));
    }
    Ok(bytes)
}

/// The files of infrastructure as code below `dir`, sorted. Links are not followed.
fn code_files(dir: &Path, troubles: &mut Vec<Unknown>) -> Result<Vec<PathBuf>> {
    const ENDINGS: [&str; 8] = ["tf", "tfvars", "hcl", "json", "yaml", "yml", "template", "tofu"];
    let mut files = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(path) = pending.pop() {
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(cause) if path == dir => return Err(refused(dir, cause)),
            Err(cause) => {
                troubles.push(unread(&path.to_string_lossy(), cause));
                continue;
            }
        };
        for entry in entries.flatten() {
            let (path, kind) = (entry.path(), entry.file_type());
            let name = entry.file_name();
            let hidden = matches!(name.to_str(), Some(".git" | ".terraform" | "node_modules"));
            if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) && !hidden {
                pending.push(path);
            } else if kind.is_ok_and(|kind| kind.is_file())
                && path
                    .extension()
                    .and_then(|it| it.to_str())
                    .is_some_and(|it| ENDINGS.contains(&it))
            {
                files.push(path);
            }
        }
        if files.len() > IAC_FILES {
            let what = "more files of code than are read; give a directory further down";
            return Err(Error::new(ErrorKind::Limit, what).detail(dir.display()));
        }
    }
    files.sort();
    Ok(files)
}

/// Judge every file of facts in `dir` by the same options.
fn read_history(dir: &Path, options: &AuditOptions) -> Result<Vec<Past>> {
    let entries = std::fs::read_dir(dir).map_err(|cause| refused(dir, cause))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
    paths.sort();
    if paths.len() > HISTORY_FILES {
        let what = "more files of earlier facts than are judged; move old ones away";
        return Err(Error::new(ErrorKind::Limit, what).detail(paths.len()));
    }
    let plain = AuditOptions { trusted: options.trusted.clone(), ..AuditOptions::default() };
    let mut history = Vec::new();
    for path in paths {
        let past = Past::of(&audit(&facts::read(&[&path])?, &plain));
        history.push(past.ok_or_else(|| {
            let what = "earlier facts must say when they were collected, in `collected_at`";
            Error::new(ErrorKind::Usage, what).detail(path.display())
        })?);
    }
    Ok(history)
}

fn write(args: &Args, report: &AuditReport, file: Option<Pending>) -> Result<()> {
    let named = AUDIT_FORMATS.iter().find(|format| format.name == args.format);
    let format = named.unwrap_or(&AUDIT_FORMATS[0]);
    let style = Style { reveal: false, colour: false };
    if let Some(file) = file {
        let mut file = file.begin()?;
        (format.write)(report, style, &mut file)?;
        return file.flush().map_err(output::failed);
    }
    let mut stdout = std::io::stdout().lock();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    (format.write)(report, Style { colour, ..style }, &mut stdout)?;
    stdout.flush().map_err(output::failed)
}
