//! `amisweep remediate`: what would end an exposure, printed and never run.

use super::answer::{From, To};
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::remediate::{NOTES, Options, checked, guardrails, script, terraform};

/// Print what would end the exposure of images: commands, a policy, or Terraform. Nothing is run.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    from: From,

    /// Only this image; every exposed one by default. May be given again.
    #[arg(long = "image", value_name = "AMI")]
    images: Vec<String>,

    /// Only this account.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,

    /// What to print.
    #[arg(long, value_name = "KIND", value_parser = ["cli", "scp", "iam", "terraform"])]
    emit: String,

    /// Leave what is shared with this account, organisation or unit; those of the facts and of
    /// their organisation are left in any case. May be given again.
    #[arg(long = "keep", value_name = "ID")]
    keep: Vec<String>,

    /// The customer-managed key of encrypted copies.
    #[arg(long, value_name = "KEY")]
    kms_key: Option<String>,

    /// The one role that may attach watermarks; nobody may without it.
    #[arg(long, value_name = "ARN")]
    gate_role: Option<String>,

    #[command(flatten)]
    output: To,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let facts = args.from.read()?;
    let options = Options {
        images: args.images.clone(),
        account: args.account.clone(),
        keep: args.keep.clone(),
        key: args.kms_key.clone(),
        gate_role: args.gate_role.clone(),
    };
    if let Some(id) = options.account.as_deref().filter(|id| facts.account(id).is_none()) {
        return Err(Error::new(ErrorKind::NotFound, "the facts name no such account").detail(id));
    }
    checked(&facts, &options)?;
    match args.emit.as_str() {
        "cli" => args.output.text(&script(&facts, &options))?,
        "terraform" => args.output.text(&terraform(&facts, &options)?)?,
        _ => {
            args.output.json(&guardrails(options.gate_role.as_deref()))?;
            for note in NOTES {
                super::say(&format!("note: {note}"));
            }
        }
    }
    Ok(0)
}
