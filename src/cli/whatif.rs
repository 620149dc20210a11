//! `amisweep whatif`: what a launch, a copy or Allowed-AMIs criteria would do.

use super::answer::{From, To, code};
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::disk;
use crate::exposure::whatif::{self, Act, Plan, Prediction, Source, allowed};
use crate::limits;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Tell what a launch, a copy or Allowed-AMIs criteria would do, without doing it.
///
/// Exit codes: 0 nothing fails, 1 run-time error, 2 usage, 10 something fails or is blocked, 11
/// something is not known or left undefined by the documents, 12 both.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Whether the disks of an instance would be encrypted, and under which key.
    Launch(Call),
    /// Whether the snapshots of a copy would be encrypted, and under which key.
    Copy {
        #[command(flatten)]
        call: Call,
        /// The region of the copy; the image's own by default.
        #[arg(long, value_name = "REGION")]
        to_region: Option<String>,
    },
    /// Which running instances and which launches of the last 90 days criteria would have blocked.
    AllowedAmis {
        /// The criteria, as `aws ec2 get-allowed-images-settings` prints them.
        #[arg(long, value_name = "FILE")]
        criteria: PathBuf,
        #[command(flatten)]
        from: From,
        #[arg(short, long, default_value = "text", value_parser = ["text", "json"])]
        format: String,
        #[command(flatten)]
        to: To,
    },
}

/// A launch or a copy.
#[derive(Debug, clap::Args)]
struct Call {
    /// The image, from the facts.
    #[arg(long, value_name = "AMI", requires = "files", group = "subject")]
    image: Option<String>,

    /// Facts as `amisweep collect` writes them. May be given again.
    #[arg(long = "facts", id = "files", value_name = "FILE", requires = "image")]
    facts: Vec<PathBuf>,

    /// Instead of an image: a snapshot that is encrypted, or is not.
    #[arg(long, value_name = "true|false", group = "subject")]
    snapshot_encrypted: Option<bool>,

    /// The snapshot is shared with whoever acts, or public, and not their own.
    #[arg(long, requires = "snapshot_encrypted")]
    snapshot_shared: bool,

    /// Instead of both: every case there is, as CSV.
    #[arg(long, group = "subject", conflicts_with_all = ["encrypted", "kms_key", "by_default", "acting"])]
    table: bool,

    /// The parameter `Encrypted`.
    #[arg(long, value_name = "true|false")]
    encrypted: Option<bool>,

    /// The parameter `KmsKeyId`.
    #[arg(long, value_name = "KEY")]
    kms_key: Option<String>,

    /// Encryption by default, where the result would be; as the facts say by default.
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    by_default: Option<String>,

    /// Who acts: an account or the ARN of a user or role; by default the account whose facts name
    /// the image, its owner if that is among them.
    #[arg(long = "as", id = "acting", value_name = "ACCOUNT|ARN", requires = "image")]
    acting: Option<String>,

    #[arg(short, long, default_value = "text", value_parser = ["text", "json"])]
    format: String,

    #[command(flatten)]
    to: To,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    match &args.command {
        Command::Launch(call) => call.run(Act::Launch, None),
        Command::Copy { call, to_region } => call.run(Act::Copy, to_region.as_deref()),
        Command::AllowedAmis { criteria, from, format, to } => {
            let criteria = allowed::criteria(&bytes(criteria)?)?;
            let judged = allowed::judge(&from.read()?, &criteria);
            match format.as_str() {
                "json" => to.json(&judged.json())?,
                _ => to.text(&judged.text())?,
            }
            Ok(code(judged.blocks(), judged.open()))
        }
    }
}

impl Call {
    fn run(&self, act: Act, to_region: Option<&str>) -> Result<u8> {
        if self.table {
            self.to.text(&whatif::table(act))?;
            return Ok(0);
        }
        let prediction = self.predict(act, to_region)?;
        match self.format.as_str() {
            "json" => self.to.json(&prediction.json())?,
            _ => self.to.text(&prediction.text())?,
        }
        Ok(code(prediction.fails(), prediction.open()))
    }

    fn predict(&self, act: Act, to_region: Option<&str>) -> Result<Prediction> {
        let plan = Plan {
            encrypted: self.encrypted,
            key: self.kms_key.clone(),
            by_default: self.by_default.as_deref().map(|on| on == "on"),
            to_region: to_region.map(str::to_owned),
            acting: self.acting.clone(),
        };
        match (&self.image, self.snapshot_encrypted) {
            (Some(image), _) => {
                let facts = crate::exposure::facts::read(&self.facts)?;
                let found = disk::find(&facts, image)?;
                whatif::predict(&facts, &found, act, &plan)
            }
            (None, Some(encrypted)) => {
                let source = Source { encrypted, own: !self.snapshot_shared };
                Ok(whatif::bare(source, act, &plan))
            }
            (None, None) => Err(Error::new(
                ErrorKind::Usage,
                "give --facts and --image, --snapshot-encrypted, or --table",
            )),
        }
    }
}

/// The bytes of the file of criteria.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |cause| {
        Error::new(ErrorKind::Io, "cannot read the criteria")
            .detail(path.display())
            .caused_by(cause)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(limits::CRITERIA_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > limits::CRITERIA_BYTES) {
        let what = "more than AWS takes as criteria";
        return Err(Error::new(ErrorKind::Usage, what).detail(path.display()));
    }
    Ok(bytes)
}
