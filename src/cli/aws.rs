//! AWS targets of `amisweep scan`: flags, what the scan costs before it begins, and opening.

use super::scan::{self, Args, Opened, looks_like_aws};
use super::session::{Flags as SessionFlags, Listed, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::dir::LeftOut;
use crate::image::ebs::{Estimate, Options};
use crate::limits::{BLOCK_BYTES, CACHE_BLOCKS_MIN};
use crate::report::text::size;
use crate::sweep::Target;
use std::io::Write as _;

/// How AWS is asked.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "AWS")]
pub(super) struct Flags {
    /// The profile of the AWS configuration files.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// The region, over what the profile or the environment says.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// Another endpoint for every service: the emulator, a private one.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,

    /// Block requests a second, at most; AWS allows an account and a snapshot 1,000.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_rps: Option<u32>,

    /// Print blocks, dollars and seconds, and stop before the first block is read; exit 11 when
    /// not every disk of the AMI could be listed.
    #[arg(long)]
    estimate: bool,

    /// Refuse to begin when the calls to AWS cost more than this many dollars, or when a disk of
    /// the AMI cannot be listed, so that nobody knows what they cost.
    #[arg(long, value_name = "DOLLARS", value_parser = parse_dollars)]
    max_cost: Option<f64>,
}

fn parse_dollars(text: &str) -> Result<f64, String> {
    match text.trim_start_matches('$').parse::<f64>() {
        Ok(dollars) if dollars.is_finite() && dollars >= 0.0 => Ok(dollars),
        _ => Err("not an amount of dollars".to_owned()),
    }
}

/// What became of a target that may be one of AWS's.
pub(super) enum Asked {
    /// It is none.
    Elsewhere,
    /// Only the estimate was wanted, and it was given: of every disk, or not.
    Estimated { whole: bool },
    /// It is listed and ready to be swept.
    Opened(Opened),
}

/// List the target's snapshots, tell what reading them costs, and open them.
pub(super) fn open(args: &Args) -> Result<Asked> {
    if !looks_like_aws(&args.target) {
        return elsewhere(args);
    }
    let flags = SessionFlags {
        profile: args.aws.profile.clone(),
        region: args.aws.region.clone(),
        endpoint_url: args.aws.endpoint_url.clone(),
    };
    let session = Session::new(&flags, options(args))?;
    through(args, &session)
}

/// The same over a session that stands already.
pub(super) fn through(args: &Args, session: &Session) -> Result<Asked> {
    let name = args.target.to_string_lossy().into_owned();
    let listed = session.list(&name)?;
    if !args.quiet {
        for (id, error) in &listed.failed {
            super::say(&format!("{id} is left out, the report will be incomplete: {error}"));
        }
    }
    let estimate = listed.estimate();
    let whole = listed.failed.is_empty();
    if args.aws.estimate {
        let mut stdout = std::io::stdout();
        let told = format!("{}{}", disks(&listed), told(&estimate));
        let printed = writeln!(stdout, "{told}").and_then(|()| stdout.flush());
        printed.map_err(crate::report::output::failed)?;
        return Ok(Asked::Estimated { whole });
    }
    if args.aws.max_cost.is_some() && !whole {
        let what = "what the scan costs is not known, --max-cost cannot be kept; nothing was read";
        let detail = format!("{}the others could not be listed", disks(&listed));
        return Err(Error::new(ErrorKind::Usage, what).detail(detail));
    }
    if let Some(limit) = args.aws.max_cost.filter(|limit| estimate.dollars > *limit) {
        let what = "the scan costs more than --max-cost allows; nothing was read";
        return Err(Error::new(ErrorKind::Usage, what)
            .detail(format_args!("{}, limit ${limit}", told(&estimate))));
    }
    let needed = memory_needed(listed.snapshots.len(), scan::jobs(args));
    if args.memory.is_some_and(|memory| memory < needed) {
        let what = "--memory is too small for so many disks and threads; nothing was read";
        let disks = listed.snapshots.len();
        let detail = format!(
            "{disks} disks, {} threads; give --memory {}M or more",
            scan::jobs(args),
            needed >> 20
        );
        return Err(Error::new(ErrorKind::Usage, what).detail(detail));
    }
    if !args.quiet {
        super::say(&format!("{name} in {}: {}", session.region(), told(&estimate)));
    }
    Ok(Asked::Opened(opened(name, listed.with_room(needed))))
}

/// Memory for blocks when nothing is said: the whole of a scan then stays below 256 MiB.
const MEMORY_BYTES: u64 = 80 << 20;

/// What the caches of `disks` disks take at least: all of them hold blocks from planning on, and
/// each thread has one in flight, besides as many that came.
fn memory_needed(disks: usize, jobs: usize) -> u64 {
    let blocks = disks.saturating_mul(CACHE_BLOCKS_MIN.max(jobs.saturating_mul(2)));
    u64::try_from(blocks).unwrap_or(u64::MAX).saturating_mul(BLOCK_BYTES)
}

/// How snapshots are read, as the flags have it.
pub(super) fn options(args: &Args) -> Options {
    let mut options =
        Options { cache_bytes: args.memory.unwrap_or(MEMORY_BYTES), ..Options::default() };
    if let Some(rate) = args.aws.max_rps {
        options.requests_per_second = rate;
    }
    options
}

fn elsewhere(args: &Args) -> Result<Asked> {
    if args.aws.estimate {
        let what = "a local target costs nothing; --estimate is for ami-… and snap-…";
        return Err(Error::new(ErrorKind::Usage, what).detail(args.target.display()));
    }
    Ok(Asked::Elsewhere)
}

fn opened(name: String, mut listed: Listed) -> Opened {
    let kind = if listed.image.is_some() { "ami" } else { "snapshot" };
    let failed = std::mem::take(&mut listed.failed);
    // All that there is to say is many lines long, and was said.
    let troubles = failed.into_iter().map(|(id, error)| {
        let detail = format!("{id} was left out; `amisweep scan {id}` says what to do");
        Error::new(error.kind(), error.what()).detail(detail)
    });
    let troubles = troubles.collect();
    let images = listed.open();
    let names = images.iter().map(|image| image.name.to_string()).collect();
    let target = Target::Images(images);
    Opened { name, kind, images: names, target, troubles, left_out: LeftOut::default() }
}

/// Of how many of an AMI's disks more is told, unless it is all.
fn disks(listed: &Listed) -> String {
    match (listed.snapshots.len(), listed.failed.len()) {
        (_, 0) => String::new(),
        (listed, failed) => format!("{listed} of {} disks: ", listed + failed),
    }
}

fn told(estimate: &Estimate) -> String {
    format!(
        "{} blocks ({}) to read, about ${:.4} for {} calls, {:.0} s or more at the allowed rate",
        estimate.blocks,
        size(estimate.bytes()),
        estimate.dollars,
        estimate.blocks + estimate.list_calls,
        estimate.seconds_at_quota.ceil(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More disks than fit took more memory than was allowed.
    #[test]
    fn every_disk_needs_memory_of_its_own() {
        assert_eq!(memory_needed(1, 2), 8 << 20);
        assert_eq!(memory_needed(1, 64), 64 << 20);
        assert_eq!(memory_needed(10, 8), MEMORY_BYTES, "the default is enough for these");
    }

    #[test]
    fn dollars_are_amounts() {
        assert_eq!(parse_dollars("$0.25"), Ok(0.25));
        for bad in ["", "-1", "NaN", "inf", "much"] {
            assert!(parse_dollars(bad).is_err(), "{bad}");
        }
    }
}
