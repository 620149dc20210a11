//! An answer from facts: where the facts come from, and how it is told.

use crate::error::Result;
use crate::exposure::facts::{self, Facts};
use crate::report::output::{self, Pending, failed};
use crate::report::safe::to_json;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;

/// Exit code when something fails.
const EXIT_FAILS: u8 = 10;

/// Exit code when something fails and something is not known.
const EXIT_BOTH: u8 = 12;

/// The facts to judge.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct From {
    /// Facts as `amisweep collect` writes them or put together from outputs of the AWS CLI. May be
    /// given again.
    #[arg(long = "facts", value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
}

impl From {
    pub(super) fn read(&self) -> Result<Facts> {
        facts::read(&self.files)
    }
}

/// Where the answer goes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct To {
    /// Write it to a file only you can read, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl To {
    /// Write text.
    pub(super) fn text(&self, text: &str) -> Result<()> {
        self.write(|out| out.write_all(text.as_bytes()).map_err(failed))
    }

    /// Write JSON.
    pub(super) fn json(&self, value: &Value) -> Result<()> {
        self.write(|out| {
            to_json(value, serde_json::ser::PrettyFormatter::new(), out)?;
            out.write_all(b"\n").map_err(failed)
        })
    }

    fn write(&self, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        if let Some(path) = &self.output {
            let mut file = Pending::open(path, None)?.begin()?;
            write(&mut file)?;
            return file.flush().map_err(output::failed);
        }
        let mut out = std::io::stdout().lock();
        write(&mut out)?;
        out.flush().map_err(failed)
    }
}

/// The exit code of an answer.
pub(super) fn code(fails: bool, open: bool) -> u8 {
    match (fails, open) {
        (false, false) => 0,
        (true, false) => EXIT_FAILS,
        (false, true) => super::EXIT_INCOMPLETE,
        (true, true) => EXIT_BOTH,
    }
}
