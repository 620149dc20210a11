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

    #[cfg(feature = "aws")]
    #[command(flatten)]
    trial: trial::Flags,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let facts = args.from.read()?;
    let found = disk::find(&facts, &args.image)?;
    let target = Target::parse(&args.to, &facts)?;
    let options = Options { autoscaling: !args.no_autoscaling };
    #[cfg_attr(not(feature = "aws"), expect(unused_mut, reason = "nothing else is asked"))]
    let mut result = check(&facts, found, &target, options);
    #[cfg(feature = "aws")]
    if let Some(tried) = trial::run(&args.trial, &found, &target)? {
        result.tried(&tried);
    }
    match args.format.as_str() {
        "json" => args.output.json(&result.json())?,
        _ => args.output.text(&result.text())?,
    }
    Ok(code(result.fails(), result.open()))
}

/// A launch that is tried from the target.
#[cfg(feature = "aws")]
mod trial {
    use crate::cli::session::{self, load};
    use crate::error::{Error, ErrorKind, Result};
    use crate::exposure::collect::{Aws, Caller, Client, Line, Pace, trial};
    use crate::exposure::disk::Found;
    use crate::exposure::preshare::{Target, Trial, stands_for};
    use aws_config::profile::ProfileFileCredentialsProvider;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use std::collections::BTreeSet;

    #[derive(Debug, clap::Args)]
    pub(super) struct Flags {
        /// Try a launch from the target with `DryRun`, which launches nothing: the profile of the
        /// AWS configuration files that has credentials of the target.
        #[arg(long, value_name = "NAME")]
        target_profile: Option<String>,

        /// Another endpoint for that.
        #[arg(long, value_name = "URL", requires = "target_profile")]
        endpoint_url: Option<String>,
    }

    pub(super) fn run(args: &Flags, found: &Found<'_>, target: &Target) -> Result<Option<Trial>> {
        let Some(profile) = &args.target_profile else { return Ok(None) };
        let aws = Aws::new()?;
        let region = &found.region.region;
        let flags = session::Flags {
            profile: Some(profile.clone()),
            region: Some(region.clone()),
            endpoint_url: args.endpoint_url.clone(),
        };
        let config = aws.block_on(load(&flags))?;
        // Keys in the environment stand before a profile, and are the owner's more often than not.
        let provider = ProfileFileCredentialsProvider::builder().profile_name(profile).build();
        let provider = SharedCredentialsProvider::new(provider);
        let config = config.into_builder().credentials_provider(provider).build();
        let leaked = BTreeSet::new();
        let caller = Caller::new(&aws, &config, &leaked)?;
        let line = Line::new(&aws, config.endpoint_url().map(str::to_owned), Pace::default());
        let client = Client { line: &line, who: &caller, region: region.clone() };
        let account = trial::account_of(&client).map_err(|refused| {
            Error::new(ErrorKind::Denied, "AWS does not say whose the profile is")
                .detail(refused.error)
        })?;
        stands_for(target, &account, &found.account.account)?;
        let image = found.image;
        let answer = trial::launch(&client, &image.image_id, image.architecture.as_deref());
        Ok(Some(Trial { account, answer }))
    }
}
