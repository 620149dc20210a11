//! The command line: one file per command. Nothing imports it.

mod acquire;
mod answer;
mod audit;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
mod collect;
#[cfg(feature = "aws")]
mod demo;
#[cfg(feature = "aws")]
pub mod emulator;
mod exposure;
mod init;
mod key;
mod manifest;
mod preshare;
mod progress;
mod remediate;
mod rules;
mod scan;
#[cfg(feature = "aws")]
pub mod session;
mod signatures;
mod whatif;

use crate::error::{Error, ErrorKind};
use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// Exit code of a run-time error.
const EXIT_ERROR: u8 = 1;

/// Exit code of wrong usage.
const EXIT_USAGE: u8 = 2;

/// Exit code when something could not be read or listed.
const EXIT_INCOMPLETE: u8 = 11;

/// Reads the disk inside an Amazon Machine Image and tells what an attacker would get from it.
///
/// Nothing is mounted, nothing is written, nothing leaves this machine but calls to AWS about a
/// target there and for the credentials they take. Secrets are redacted unless you say otherwise,
/// and never tried.
#[derive(Debug, Parser)]
#[command(name = "amisweep", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Scan(scan::Args),
    Audit(audit::Args),
    Exposure(exposure::Args),
    Owner(exposure::OwnerArgs),
    Manifest(manifest::Args),
    Init(init::Args),
    Signatures(signatures::Args),
    Whatif(whatif::Args),
    Preshare(preshare::Args),
    Remediate(remediate::Args),
    Acquire(acquire::Args),
    #[cfg(feature = "aws")]
    Collect(Box<collect::Args>),
    #[cfg(feature = "aws")]
    Demo(demo::Args),
    #[cfg(feature = "aws")]
    Emulator(emulator::Args),
}

/// Run the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap knows which stream each belongs on.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Command::Scan(args) => scan::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Exposure(args) => exposure::run(&args),
        Command::Owner(args) => exposure::run_owner(&args),
        Command::Manifest(args) => manifest::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Signatures(args) => signatures::run(&args),
        Command::Whatif(args) => whatif::run(&args),
        Command::Preshare(args) => preshare::run(&args),
        Command::Remediate(args) => remediate::run(&args),
        Command::Acquire(args) => acquire::run(&args),
        #[cfg(feature = "aws")]
        Command::Collect(args) => collect::run(&args),
        #[cfg(feature = "aws")]
        Command::Demo(args) => demo::run(&args),
        #[cfg(feature = "aws")]
        Command::Emulator(args) => emulator::run(&args).map(|()| 0),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    let broken_pipe = std::error::Error::source(error)
        .and_then(|cause| cause.downcast_ref::<std::io::Error>())
        .is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe);
    if !broken_pipe {
        say(&format!("amisweep: {error}"));
    }
    ExitCode::from(if error.kind() == ErrorKind::Usage { EXIT_USAGE } else { EXIT_ERROR })
}

/// A line on standard error. Nobody may be listening, which is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", crate::report::safe::Lines(line));
}
