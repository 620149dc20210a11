//! `amisweep exposure` and `amisweep owner`: when others could read an image, and what its owner's
//! account says of the keys in it. Both judge facts; neither asks AWS.

use super::EXIT_INCOMPLETE;
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::facts::{self, Event, Facts};
use crate::exposure::owner::{self, Leaked, State};
use crate::exposure::window::{self, Exposure};
use crate::report::exposure as report;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Tell when others could read an image, who let them, and who made something of it.
///
/// From facts (`amisweep collect`) and log files of CloudTrail. Exit 10 when others can read it
/// now, 11 when something is not known.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The image.
    #[arg(value_name = "AMI")]
    image: String,

    #[command(flatten)]
    sources: Sources,
}

/// Tell what the owner's account says of the credentials that a scan found.
///
/// Whose they are, whether they work, what they open, and what they did while others could read
/// the image. The credentials themselves are never used. Exit 10 when one of them works, 11 when
/// something is not known.
#[derive(Debug, clap::Args)]
pub(super) struct OwnerArgs {
    /// A report of `amisweep scan -f json`.
    #[arg(long, value_name = "FILE", required = true)]
    report: Vec<PathBuf>,

    /// The image they were found in: calls count while others could read it.
    #[arg(long, value_name = "AMI")]
    image: Option<String>,

    #[command(flatten)]
    sources: Sources,
}

#[derive(Debug, clap::Args)]
struct Sources {
    /// Facts, as `amisweep collect` writes them; several files are judged as one.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    facts: Vec<PathBuf>,

    /// A directory of CloudTrail's log files.
    #[arg(long, value_name = "DIR")]
    trail: Option<PathBuf>,

    /// How it is told.
    #[arg(short, long, value_enum, default_value = "text")]
    format: Format,
}

/// Exit code when what is asked for is so.
const EXIT_FOUND: u8 = 10;

/// Run `amisweep exposure`.
pub(super) fn run(args: &Args) -> Result<u8> {
    let facts = facts::read(&args.sources.facts)?;
    let (exposure, failed) = exposed(&facts, &args.image, &args.sources)?;
    tell(&args.sources, &exposure, |to| report::windows(&exposure, to))?;
    let open = exposure.windows.iter().any(|window| window.state == window::State::Open);
    let gaps = failed || !exposure.unknown.is_empty();
    Ok(if open {
        EXIT_FOUND
    } else if gaps {
        EXIT_INCOMPLETE
    } else {
        0
    })
}

fn exposed(facts: &Facts, image: &str, sources: &Sources) -> Result<(Exposure, bool)> {
    let missing =
        || Error::new(ErrorKind::NotFound, "the facts do not hold this image").detail(image);
    let (_, region, found) = window::find(facts, image).ok_or_else(missing)?;
    let names = window::names(found, region);
    let (events, failed) = trail(sources, |event| window::concerns(event, &names))?;
    let mut exposure = window::judge(facts, image, &events).ok_or_else(missing)?;
    let incomplete = !failed.is_empty();
    exposure.unknown.extend(failed);
    Ok((exposure, incomplete))
}

/// The events of --trail that are wanted, and what could not be read.
fn trail(sources: &Sources, wanted: impl Fn(&Event) -> bool) -> Result<(Vec<Event>, Vec<String>)> {
    let Some(folder) = &sources.trail else { return Ok((Vec::new(), Vec::new())) };
    let logs = window::logs(folder, wanted)?;
    if logs.files == 0 {
        let what = "no log files of CloudTrail lie there";
        return Err(Error::new(ErrorKind::NotFound, what).detail(folder.display()));
    }
    Ok((logs.events, logs.failed))
}

/// Run `amisweep owner`.
pub(super) fn run_owner(args: &OwnerArgs) -> Result<u8> {
    let leaked = Leaked::read(&args.report)?;
    let facts = facts::read(&args.sources.facts)?;
    let keys = leaked.access_keys();
    let of_keys = |event: &Event| event.access_key_id().is_some_and(|id| keys.contains(id));
    let (events, mut failed) = trail(&args.sources, of_keys)?;
    let windows = match &args.image {
        Some(image) => {
            let (exposure, _) = exposed(&facts, image, &args.sources)?;
            failed.extend(exposure.unknown);
            Some(exposure.windows)
        }
        None => None,
    };
    let known = owner::judge(&facts, &leaked, windows.as_deref(), &events);
    for gap in &failed {
        super::say(gap);
    }
    tell(&args.sources, &known, |to| report::owners(&known, to))?;
    let active = known.iter().any(|it| it.state == State::Active);
    let gaps = !failed.is_empty() || known.iter().any(|it| !it.unknown.is_empty());
    Ok(if active {
        EXIT_FOUND
    } else if gaps {
        EXIT_INCOMPLETE
    } else {
        0
    })
}

fn tell(
    sources: &Sources,
    value: &impl Serialize,
    text: impl Fn(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match sources.format {
        Format::Text => text(&mut stdout),
        Format::Json => report::json(value, &mut stdout),
    }
}
