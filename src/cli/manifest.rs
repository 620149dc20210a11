//! `amisweep manifest`: list every file of an image with its digest, to compare others with.

use super::scan::{self, Opened};
use crate::error::Result;
use crate::provenance::manifest::{File, Head, SCHEMA};
use crate::report::output::{self, Pending, failed};
use crate::report::safe;
use crate::sweep::manifest;
use clap::Parser;
use serde_json::ser::CompactFormatter;
use std::io::Write;
use std::path::PathBuf;

/// List every live file of an image with its size, mode, owner and SHA-256.
///
/// `amisweep scan --baseline FILE` compares another image with the list. Exit codes: 0 complete, 1
/// run-time error, 2 usage, 11 incomplete.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to list: ami-…, snap-…, a raw disk image or block device, or a directory.
    #[arg(value_name = "TARGET")]
    target: PathBuf,

    /// Write the list to a file only you can read, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// No progress bar and no remarks on standard error.
    #[arg(short, long)]
    quiet: bool,

    /// Worker threads; one for each processor by default.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,

    #[cfg(feature = "aws")]
    #[command(flatten)]
    aws: super::aws::Flags,
}

/// The options of a scan, as they are when none is given.
#[derive(Parser)]
#[command(name = "amisweep manifest", no_binary_name = true)]
struct Scan {
    #[command(flatten)]
    args: scan::Args,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let mut scan = Scan::parse_from(["-"]).args;
    scan.target.clone_from(&args.target);
    scan.quiet = args.quiet;
    scan.jobs = args.jobs;
    #[cfg(feature = "aws")]
    {
        scan.aws = args.aws.clone();
    }
    let opened = match scan::open_target(&scan)? {
        Ok(opened) => opened,
        Err(code) => return Ok(code),
    };
    let source = scan.source(&opened);
    let file = args.output.as_deref().map(|path| Pending::open(path, source)).transpose()?;
    let Opened { name, target, troubles, left_out, .. } = opened;
    let (files, mut coverage) = scan.swept(|options| Ok(manifest(target, options)))?;
    for trouble in &troubles {
        coverage.error(trouble);
    }
    if !args.quiet {
        let lost = coverage.errors().iter().filter(|trouble| trouble.incomplete);
        for trouble in lost.take(8) {
            let at = trouble.at.as_ref().map_or_else(String::new, |at| format!("{at}: "));
            super::say(&format!("{at}{}", trouble.what));
        }
        left_out.remarks().into_iter().for_each(|remark| super::say(&remark));
    }
    let complete = coverage.complete();
    let head =
        Head { schema: SCHEMA.to_owned(), target: name, files: files.len() as u64, complete };
    match file {
        Some(file) => write(&head, &files, &mut file.begin()?)?,
        None => write(&head, &files, &mut std::io::stdout().lock())?,
    }
    Ok(if complete { 0 } else { super::EXIT_INCOMPLETE })
}

fn write(head: &Head, files: &[File], out: &mut dyn Write) -> Result<()> {
    let mut out = std::io::BufWriter::new(out);
    safe::to_json(head, CompactFormatter, &mut out)?;
    out.write_all(b"\n").map_err(failed)?;
    for file in files {
        safe::to_json(file, CompactFormatter, &mut out)?;
        out.write_all(b"\n").map_err(failed)?;
    }
    out.flush().map_err(output::failed)
}
