//! `amisweep acquire`: how to get at an image of somebody else, printed and never run.

use super::answer::To;
use crate::error::Result;
use crate::exposure::acquire::{Options, script};

/// Print how to get at the disk of an image that you may launch and not read: an isolated launch,
/// a stop, snapshots, a scan, and the clean-up. Nothing is run.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The image, `ami-…`.
    #[arg(value_name = "AMI")]
    image: String,

    /// Its region.
    #[arg(long, value_name = "REGION")]
    region: String,

    /// The type of instance; the smallest of the image's architecture by default.
    #[arg(long, value_name = "TYPE")]
    instance_type: Option<String>,

    /// What to print.
    #[arg(long, value_name = "KIND", default_value = "cli", value_parser = ["cli"])]
    emit: String,

    #[command(flatten)]
    output: To,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let options = Options {
        image: &args.image,
        region: &args.region,
        instance_type: args.instance_type.as_deref(),
    };
    debug_assert_eq!(args.emit, "cli", "the one kind there is");
    args.output.text(&script(&options)?)?;
    Ok(0)
}
