//! The remedy as a script of AWS CLI commands, in an order in which nothing is lost: save who has
//! it, take it from them, block new sharing, encrypt, and only then disable.

use super::references::{Reference, References};
use super::{Exposed, Options, Shares, exposed, loose};
use crate::exposure::facts::{Account, Facts, ImageCriterion, Needs, Region, Snapshot};
use crate::exposure::shell::{command, comment, image_name, is_region, is_resource, word};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What stands at the head: it stops at the first failure, and never writes over a saved list.
const HEAD: &str = "#!/usr/bin/env bash
# Printed by amisweep remediate. Nothing in it has been run: read it first.
# It stops at the first command that fails, and does not write over what it saved before.
set -euo pipefail -o noclobber
export AWS_PAGER=

# Whether the credentials are of this account.
account() {
  [ \"$(aws sts get-caller-identity --query Account --output text)\" = \"$1\" ]
}
";

/// The script for every exposed image.
pub fn script(facts: &Facts, options: &Options) -> String {
    let references = References::of(facts);
    let mut out = String::from(HEAD);
    let mut nothing = true;
    for account in &facts.accounts {
        if options.account.as_ref().is_some_and(|only| *only != account.account) {
            continue;
        }
        let mut body = String::new();
        for region in &account.regions {
            Part { facts, account, region, options, references: &references }.write(&mut body);
        }
        if !body.is_empty() {
            nothing = false;
            let id = &account.account;
            let _ = write!(out, "\nif account {id}; then\n{body}\nelse\n");
            let _ = writeln!(out, "  echo 'left out: these credentials are not of {id}' >&2\nfi");
        }
    }
    if nothing {
        out.push_str("\n# Nothing to do: the facts show no exposed image and no open setting.\n");
    }
    out
}

/// One region of one account.
struct Part<'a> {
    facts: &'a Facts,
    account: &'a Account,
    region: &'a Region,
    options: &'a Options,
    references: &'a References,
}

impl Part<'_> {
    fn write(&self, out: &mut String) {
        let name = &self.region.region;
        if !is_region(name) {
            let _ = writeln!(out, "# left out: {} is not the name of a region", comment(name));
            return;
        }
        let exposed = exposed(self.facts, self.account, self.region, self.options);
        let loose = loose(self.facts, self.account, self.region, self.options, &exposed);
        let sections = [
            ("1. Save who has them now", self.save(&exposed, &loose)),
            ("2. Take them back", self.take_back(&exposed, &loose)),
            ("3. Block public access", self.block()),
            ("4. Make encrypted copies, and move what refers to them", self.encrypt(&exposed)),
            ("5. Disable, where nothing refers to it", self.disable(&exposed)),
            ("6. Allow the providers in use only, first in audit mode", self.allow()),
        ];
        for (title, lines) in sections {
            if lines.is_empty() {
                continue;
            }
            let _ = writeln!(out, "\n  # {name}: {title}");
            for line in lines {
                let _ = writeln!(out, "  {line}");
            }
        }
    }

    fn ec2(&self, words: &[&str]) -> String {
        let mut all = vec!["aws", "ec2", "--region", self.region.region.as_str()];
        all.extend(words);
        command(&all)
    }

    fn save(&self, exposed: &[Exposed<'_>], loose: &[(&Snapshot, Shares)]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut seen = BTreeSet::new();
        for one in exposed {
            let id = one.found.image.image_id.as_str();
            let words =
                ["describe-image-attribute", "--image-id", id, "--attribute", "launchPermission"];
            lines.push(format!("{} > {id}.launch-permission.json", self.ec2(&words)));
            for id in one.disks.iter().filter_map(|(disk, _)| disk.snapshot_id) {
                if !is_resource(id, "snap-") {
                    lines.push(format!("# left out: {} is not the id of a snapshot", comment(id)));
                } else if seen.insert(id) {
                    lines.push(self.save_snapshot(id));
                }
            }
        }
        lines.extend(loose.iter().map(|(one, _)| self.save_snapshot(&one.snapshot_id)));
        if !lines.is_empty() {
            let words = ["lock-snapshot", "--lock-mode", "governance", "--lock-duration", "30"];
            lines.push("# to keep a snapshot as evidence, locked against deletion:".to_owned());
            lines.push(format!("# {} --snapshot-id SNAPSHOT", self.ec2(&words)));
        }
        lines
    }

    fn save_snapshot(&self, id: &str) -> String {
        let words = [
            "describe-snapshot-attribute",
            "--snapshot-id",
            id,
            "--attribute",
            "createVolumePermission",
        ];
        format!("{} > {id}.create-volume-permission.json", self.ec2(&words))
    }

    fn take_back(&self, exposed: &[Exposed<'_>], loose: &[(&Snapshot, Shares)]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut seen = BTreeSet::new();
        for one in exposed {
            let id = one.found.image.image_id.as_str();
            remarks(&mut lines, &one.shares);
            if !one.shares.is_empty() {
                let remove = format!("Remove=[{}]", items(&one.shares).join(","));
                let flag = "--launch-permission";
                lines.push(self.ec2(&["modify-image-attribute", "--image-id", id, flag, &remove]));
            }
            for (disk, shares) in &one.disks {
                let Some(id) = disk.snapshot_id.filter(|id| is_resource(id, "snap-")) else {
                    continue;
                };
                if seen.insert(id) {
                    remarks(&mut lines, shares);
                    lines.extend(self.take_snapshot_back(id, shares));
                }
            }
        }
        for (one, shares) in loose {
            remarks(&mut lines, shares);
            lines.extend(self.take_snapshot_back(&one.snapshot_id, shares));
        }
        lines
    }

    fn take_snapshot_back(&self, id: &str, shares: &Shares) -> Vec<String> {
        let base = [
            "modify-snapshot-attribute",
            "--snapshot-id",
            id,
            "--attribute",
            "createVolumePermission",
            "--operation-type",
            "remove",
        ];
        let mut lines = Vec::new();
        if shares.all {
            lines.push(self.ec2(&[&base[..], &["--group-names", "all"]].concat()));
        }
        if !shares.accounts.is_empty() {
            let mut words = [&base[..], &["--user-ids"]].concat();
            words.extend(shares.accounts.iter().map(String::as_str));
            lines.push(self.ec2(&words));
        }
        lines
    }

    fn block(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let action = "ec2:GetImageBlockPublicAccessState";
        match self.region.image_block_public_access.get(action) {
            Ok(now)
                if now.image_block_public_access_state.as_deref() == Some("block-new-sharing") => {}
            Ok(now) if now.managed_by.as_deref() == Some("declarative-policy") => {
                lines.push("# images: set by a declarative policy, to be changed there".to_owned());
            }
            asked => {
                doubt(&mut lines, asked.err());
                lines.push(self.ec2(&[
                    "enable-image-block-public-access",
                    "--image-block-public-access-state",
                    "block-new-sharing",
                ]));
            }
        }
        let action = "ec2:GetSnapshotBlockPublicAccessState";
        match self.region.snapshot_block_public_access.get(action) {
            Ok(now) if now.state.as_deref() == Some("block-all-sharing") => {}
            Ok(now) if now.managed_by.as_deref() == Some("declarative-policy") => {
                let text = "# snapshots: set by a declarative policy, to be changed there";
                lines.push(text.to_owned());
            }
            asked => {
                doubt(&mut lines, asked.err());
                lines.push("# every public snapshot of the region becomes private".to_owned());
                let words = ["enable-snapshot-block-public-access", "--state", "block-all-sharing"];
                lines.push(self.ec2(&words));
            }
        }
        match self.region.ebs_encryption_by_default.get("ec2:GetEbsEncryptionByDefault") {
            Ok(true) => {}
            asked => {
                doubt(&mut lines, asked.err());
                lines.push(self.ec2(&["enable-ebs-encryption-by-default"]));
            }
        }
        lines
    }

    fn encrypt(&self, exposed: &[Exposed<'_>]) -> Vec<String> {
        let mut lines = Vec::new();
        for one in exposed.iter().filter(|one| one.plain()) {
            let image = one.found.image;
            let id = image.image_id.as_str();
            let name = image_name(image.name.as_deref().unwrap_or(id), "-encrypted");
            let variable = format!("KMS_KEY_{}", self.region.region.replace('-', "_"));
            if lines.is_empty() {
                lines.push(match self.options.key_of(&self.region.region) {
                    Some(key) => format!("{variable}={}", word(key)),
                    None => format!(
                        ": \"${{{variable}:?set it to a customer-managed key of this region}}\""
                    ),
                });
            }
            let region = self.region.region.as_str();
            let copy = self.ec2(&[
                "copy-image",
                "--source-region",
                region,
                "--source-image-id",
                id,
                "--name",
                &name,
                "--copy-image-tags",
                "--encrypted",
            ]);
            lines.push(format!(
                "COPY=$({copy} --kms-key-id \"${variable}\" --query ImageId --output text)"
            ));
            let wait = self.ec2(&["wait", "image-available", "--image-ids"]);
            lines.push(format!("{wait} \"$COPY\""));
            lines.push(format!("echo \"encrypted copy of {id}: $COPY\""));
            let references: Vec<_> = self.references.to(id).collect();
            if !references.is_empty() {
                lines.push(format!("# move these from {id} to the copy:"));
                lines.extend(references.iter().map(|one| format!("#   {}", told(one))));
            }
            self.open(&mut lines);
        }
        lines
    }

    fn disable(&self, exposed: &[Exposed<'_>]) -> Vec<String> {
        let mut lines = Vec::new();
        let (account, region) = (&self.account.account, &self.region.region);
        let open = self.references.missing(account, region).next().is_some();
        for one in exposed {
            let id = one.found.image.image_id.as_str();
            let references: Vec<&Reference> = self.references.to(id).collect();
            if one.found.image.state.as_deref() == Some("disabled") {
                continue;
            }
            if !references.is_empty() {
                let count = references.len();
                lines.push(format!("# {id} is not to be disabled: {count} refer to it:"));
                lines.extend(references.iter().map(|one| format!("#   {}", told(one))));
            } else if open {
                lines.push(format!(
                    "# {id} is not to be disabled: unknown whether anything refers to it:"
                ));
                self.open(&mut lines);
            } else {
                lines.push(format!(
                    "# the facts show nothing that refers to {id}. Disabled, nobody launches it, \
                     you included,"
                ));
                lines.push(
                    "# and its launch permissions are erased: enable-image does not bring them \
                     back. To do it:"
                        .to_owned(),
                );
                lines.push(format!("# {}", self.ec2(&["disable-image", "--image-id", id])));
            }
        }
        lines
    }

    /// What of the references could not be looked at.
    fn open(&self, lines: &mut Vec<String>) {
        let (account, region) = (&self.account.account, &self.region.region);
        let missing: Vec<&str> = self.references.missing(account, region).collect();
        if !missing.is_empty() {
            lines.push(format!("#   references unknown: needs {}", comment(&missing.join(", "))));
        }
    }

    fn allow(&self) -> Vec<String> {
        let settings = self.region.allowed_images_settings.get("ec2:GetAllowedImagesSettings");
        let off = settings.is_ok_and(|now| now.state.as_deref() == Some("disabled"));
        let Some(providers) = providers(self.account, self.region).filter(|_| off) else {
            return Vec::new();
        };
        let criterion = ImageCriterion { image_providers: providers, ..ImageCriterion::default() };
        let criteria = serde_json::to_string(&[criterion]).unwrap_or_default();
        vec![
            "# every provider in use today: strike those you do not trust; check with".to_owned(),
            "# amisweep whatif allowed-amis --criteria FILE --facts FILE".to_owned(),
            self.ec2(&[
                "replace-image-criteria-in-allowed-images-settings",
                "--image-criteria",
                &criteria,
            ]),
            self.ec2(&[
                "enable-allowed-images-settings",
                "--allowed-images-settings-state",
                "audit-mode",
            ]),
        ]
    }
}

/// The providers whose images run in a region, other than the account itself; `none` when it runs
/// its own only, and nothing when that is not known.
pub(super) fn providers(account: &Account, region: &Region) -> Option<Vec<String>> {
    let known = region.instance_image_metadata.known()?;
    let mut all = BTreeSet::new();
    for one in known {
        let image = &one.image_metadata;
        let owner = image.owner_id.as_deref().filter(|id| crate::exposure::kms::is_account(id));
        if owner == Some(account.account.as_str()) {
            continue;
        }
        let alias = image.image_owner_alias.as_deref();
        let known =
            |alias: &&str| matches!(*alias, "amazon" | "aws-marketplace" | "aws-backup-vault");
        all.extend(alias.filter(known).or(owner).map(str::to_owned));
    }
    if all.is_empty() {
        all.insert("none".to_owned());
    }
    Some(all.into_iter().collect())
}

fn items(shares: &Shares) -> Vec<String> {
    let all = shares.all.then(|| "{Group=all}".to_owned());
    let accounts = shares.accounts.iter().map(|id| format!("{{UserId={id}}}"));
    let organizations = shares.organizations.iter().map(|arn| format!("{{OrganizationArn={arn}}}"));
    let units = shares.units.iter().map(|arn| format!("{{OrganizationalUnitArn={arn}}}"));
    all.into_iter().chain(accounts).chain(organizations).chain(units).collect()
}

fn remarks(lines: &mut Vec<String>, shares: &Shares) {
    lines.extend(shares.remarks.iter().map(|remark| format!("# {}", comment(remark))));
}

/// Why a setting is made that may stand already.
fn doubt(lines: &mut Vec<String>, needs: Option<Needs>) {
    lines.extend(needs.map(|needs| format!("# as it stands: {}", comment(&needs.to_string()))));
}

fn told(reference: &Reference) -> String {
    let Reference { account, region, kind, name, note } = reference;
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    comment(&format!("{kind} {name} in {account} {region}{note}"))
}
