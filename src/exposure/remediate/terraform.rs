//! The remedy as Terraform: the settings of one account, region by region, and encrypted copies.

use super::cli::providers;
use super::{Options, exposed};
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::facts::{Account, Facts, Region};
use crate::exposure::shell::{comment, image_name, is_region};
use std::fmt::Write as _;

/// The resources for one account. Terraform does not take shares back that it did not make: that is
/// left to the script.
///
/// # Errors
/// When the facts have several accounts and none is chosen.
pub fn terraform(facts: &Facts, options: &Options) -> Result<String> {
    let asked = |one: &&Account| options.account.as_ref().is_none_or(|id| *id == one.account);
    let mut accounts = facts.accounts.iter().filter(asked);
    let (Some(account), None) = (accounts.next(), accounts.next()) else {
        let what = "Terraform runs in one account: name one of those in the facts with --account";
        return Err(Error::new(ErrorKind::Usage, what));
    };
    let mut out = format!(
        "# Printed by amisweep remediate, for account {}. Nothing has been applied.\n\
         # The argument `region` takes version 6 of the AWS provider.\n\
         # Shares that exist are not taken back by this: use --emit cli.\n\n\
         terraform {{\n  required_providers {{\n    aws = {{\n      source  = \"hashicorp/aws\"\n      \
         version = \">= 6.0\"\n    }}\n  }}\n}}\n\n\
         provider \"aws\" {{\n  allowed_account_ids = [\"{}\"]\n}}\n",
        account.account, account.account
    );
    let regions: Vec<&Region> = account.regions.iter().filter(|r| is_region(&r.region)).collect();
    let copies = regions.iter().any(|region| {
        options.key_of(&region.region).is_none()
            && exposed(facts, account, region, options).iter().any(super::Exposed::plain)
    });
    if copies {
        out.push_str(
            "\nvariable \"kms_key\" {\n  type        = map(string)\n  \
             description = \"ARN of a customer-managed key, by region\"\n}\n",
        );
    }
    for region in regions {
        settings(&mut out, account, region);
        for one in exposed(facts, account, region, options).iter().filter(|one| one.plain()) {
            let image = one.found.image;
            copy(&mut out, region, &image.image_id, image.name.as_deref(), options);
        }
    }
    Ok(out)
}

fn settings(out: &mut String, account: &Account, region: &Region) {
    let name = &region.region;
    let tag = name.replace('-', "_");
    let here = format!("  region = {}\n", text(name));
    let _ = write!(
        out,
        "\nresource \"aws_ec2_image_block_public_access\" \"{tag}\" {{\n{here}  \
         state  = \"block-new-sharing\"\n}}\n\
         \n# Every public snapshot of the region becomes private.\n\
         resource \"aws_ebs_snapshot_block_public_access\" \"{tag}\" {{\n{here}  \
         state  = \"block-all-sharing\"\n}}\n\
         \nresource \"aws_ebs_encryption_by_default\" \"{tag}\" {{\n  region  = {}\n  enabled = true\n}}\n",
        text(name)
    );
    let settings = region.allowed_images_settings.get("ec2:GetAllowedImagesSettings");
    let off = settings.is_ok_and(|now| now.state.as_deref() == Some("disabled"));
    let Some(providers) = providers(account, region).filter(|_| off) else { return };
    let list: Vec<String> = providers.iter().map(|one| text(one)).collect();
    let _ = write!(
        out,
        "\n# Every provider in use today: strike those you do not trust.\n\
         resource \"aws_ec2_allowed_images_settings\" \"{tag}\" {{\n{here}  \
         state  = \"audit-mode\"\n  image_criterion {{\n    image_providers = [{}]\n  }}\n}}\n",
        list.join(", ")
    );
}

fn copy(out: &mut String, region: &Region, id: &str, named: Option<&str>, options: &Options) {
    let shown = named.unwrap_or(id);
    let key = match options.key_of(&region.region) {
        Some(key) => text(key),
        None => format!("var.kms_key[{}]", text(&region.region)),
    };
    let _ = write!(
        out,
        "\n# The encrypted copy of {}.\n\
         resource \"aws_ami_copy\" \"{}\" {{\n  region            = {}\n  name              = {}\n  \
         source_ami_id     = {}\n  source_ami_region = {}\n  encrypted         = true\n  \
         kms_key_id        = {key}\n}}\n",
        comment(shown),
        id.replace('-', "_"),
        text(&region.region),
        text(&image_name(shown, "-encrypted")),
        text(id),
        text(&region.region),
    );
}

/// A quoted string of HCL, in which nothing is interpolated.
fn text(value: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // A sign that is doubled begins nothing.
            '$' | '%' if rest.peek() == Some(&'{') => out.extend([c, c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_interpolated() {
        for (value, expected) in [
            ("a", "\"a\""),
            ("${x}", "\"$${x}\""),
            ("%{x}", "\"%%{x}\""),
            ("$5 50%", "\"$5 50%\""),
            ("\"\\\n", "\"\\\"\\\\\\u000a\""),
        ] {
            assert_eq!(super::text(value), expected, "{value}");
        }
    }
}
