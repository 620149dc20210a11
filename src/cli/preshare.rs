//! `amisweep preshare`: whether an image is fit to be shared.

use super::answer::{From, To, code};
use crate::error::Result;
use crate::exposure::disk;
use crate::exposure::preshare::{Options, Target, check};

/// Check whether an image and its key are fit to be shared, and print what to change.
///
/// Exit codes: 0 every check passes, 1 run-time error, 2 usage, 10 a check fails, 11 a check could
/// not be made, 12 both.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The image, `ami-…`.
    #[arg(value_name = "AMI")]
    image: String,

    /// With whom: an account of twelve digits, an organisation (o-…) or a unit (ou-…).
    #[arg(long, value_name = "ACCOUNT|ORG|OU")]
    to: String,

    #[command(flatten)]
    from: From,

    /// Auto Scaling in the target will not launch it, so that its role needs no grant.
    #[arg(long)]
    no_autoscaling: bool,

    #[arg(short, long, default_value = "text", value_parser = ["text", "json"])]
    format: String,

    #[command(flatten)]
    output: To,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let facts = args.from.read()?;
    let found = disk::find(&facts, &args.image)?;
    let target = Target::parse(&args.to, &facts)?;
    let options = Options { autoscaling: !args.no_autoscaling };
    let result = check(&facts, found, &target, options);
    match args.format.as_str() {
        "json" => args.output.json(&result.json())?,
        _ => args.output.text(&result.text())?,
    }
    Ok(code(result.fails(), result.open()))
}
