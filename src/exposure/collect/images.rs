//! An AMI and its snapshots, as EC2 describes them.

use crate::error::{Error, ErrorKind, Result};
use crate::exposure::{ImageFacts, Mapping, SnapshotFacts, Standing};
use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{
    BlockDeviceMapping, CreateVolumePermission, DeviceType, Image, PermissionGroup, Snapshot,
    SnapshotAttributeName,
};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::time::Duration;

/// How often a describing call is made before its facts count as unknown.
const ATTEMPTS: u32 = 4;

/// How long one such call may take, its repetitions included.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// EC2, as far as it describes.
pub struct Ec2 {
    client: Client,
}

impl Ec2 {
    /// Over the credentials, region and endpoint of `config`.
    pub fn new(config: &SdkConfig) -> Ec2 {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_millis(3100))
            .read_timeout(Duration::from_secs(12))
            .operation_timeout(CALL_TIMEOUT)
            .build();
        let config = aws_sdk_ec2::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            .build();
        Ec2 { client: Client::from_conf(config) }
    }

    /// What an AMI is made of.
    pub async fn image(&self, ami: &str) -> Result<ImageFacts> {
        let request = self.client.describe_images().image_ids(ami).include_disabled(true);
        let answer = request.send().await.map_err(|error| refused(ami, &error))?;
        let image = answer.images().first().ok_or_else(|| unknown(ami))?;
        Ok(image_facts(ami, image))
    }

    /// What is known of each of these snapshots. One that cannot be described is unknown, not an
    /// error: its blocks may be readable all the same.
    pub async fn snapshots(&self, ids: &[String]) -> Vec<SnapshotFacts> {
        let request = self.client.describe_snapshots().set_snapshot_ids(Some(ids.to_vec()));
        if let Ok(answer) = request.send().await {
            return ids.iter().map(|id| snapshot_facts(id, answer.snapshots())).collect();
        }
        // One that is not visible fails the call for all.
        let mut facts = Vec::with_capacity(ids.len());
        for id in ids {
            let answer = match ids.len() {
                1 => None,
                _ => self.client.describe_snapshots().snapshot_ids(id).send().await.ok(),
            };
            facts.push(snapshot_facts(id, answer.as_ref().map_or(&[], |a| a.snapshots())));
        }
        facts
    }

    /// Whose an AMI and a snapshot are; asked only once something was refused.
    pub async fn standing(&self, ami: Option<&str>, snapshot: &str) -> Standing {
        let image_mine = match ami {
            Some(ami) => {
                let request = self.client.describe_images().image_ids(ami).owners("self");
                request.send().await.ok().map(|answer| !answer.images().is_empty())
            }
            None => None,
        };
        let described =
            |answer: &[Snapshot]| answer.iter().any(|found| found.snapshot_id() == Some(snapshot));
        let own = self.client.describe_snapshots().snapshot_ids(snapshot).owner_ids("self");
        let snapshot_mine = own.send().await.ok().map(|a| described(a.snapshots()));
        let snapshot_public = if snapshot_mine == Some(true) {
            self.own_is_public(snapshot).await
        } else {
            let all = self.client.describe_snapshots().snapshot_ids(snapshot);
            let all = all.restorable_by_user_ids("all").send().await;
            all.ok().map(|a| described(a.snapshots()))
        };
        Standing { image_mine, snapshot_mine, snapshot_public }
    }

    /// Whether a snapshot of ours is public; its owner alone may ask so.
    async fn own_is_public(&self, snapshot: &str) -> Option<bool> {
        let permission = SnapshotAttributeName::CreateVolumePermission;
        let request = self.client.describe_snapshot_attribute().snapshot_id(snapshot);
        let answer = request.attribute(permission).send().await.ok()?;
        let everybody = |p: &CreateVolumePermission| p.group() == Some(&PermissionGroup::All);
        Some(answer.create_volume_permissions().iter().any(everybody))
    }
}

fn image_facts(ami: &str, image: &Image) -> ImageFacts {
    ImageFacts {
        id: ami.to_owned(),
        name: image.name().map(str::to_owned),
        owner: image.owner_id().map(str::to_owned),
        public: image.public(),
        state: image.state().map(|state| state.as_str().to_owned()),
        instance_store: image.root_device_type() == Some(&DeviceType::InstanceStore),
        root_device: image.root_device_name().map(str::to_owned),
        product_codes: image
            .product_codes()
            .iter()
            .filter_map(|code| code.product_code_id().map(str::to_owned))
            .collect(),
        mappings: image.block_device_mappings().iter().filter_map(mapping).collect(),
    }
}

fn mapping(mapping: &BlockDeviceMapping) -> Option<Mapping> {
    let ebs = mapping.ebs()?;
    Some(Mapping {
        device: mapping.device_name().unwrap_or_default().to_owned(),
        snapshot: ebs.snapshot_id().filter(|id| !id.is_empty()).map(str::to_owned),
        size_gib: ebs.volume_size().and_then(|size| u64::try_from(size).ok()),
        encrypted: ebs.encrypted(),
        kms_key: ebs.kms_key_id().map(str::to_owned),
    })
}

fn snapshot_facts(id: &str, described: &[Snapshot]) -> SnapshotFacts {
    let id = id.to_owned();
    let Some(found) = described.iter().find(|found| found.snapshot_id() == Some(&id)) else {
        return SnapshotFacts { id, ..SnapshotFacts::default() };
    };
    SnapshotFacts {
        id,
        owner: found.owner_id().map(str::to_owned),
        state: found.state().map(|state| state.as_str().to_owned()),
        tier: found.storage_tier().map(|tier| tier.as_str().to_owned()),
        outpost: found.outpost_arn().filter(|arn| !arn.is_empty()).map(str::to_owned),
        encrypted: found.encrypted(),
        kms_key: found.kms_key_id().map(str::to_owned),
    }
}

fn unknown(ami: &str) -> Error {
    Error::new(ErrorKind::NotFound, "there is no such AMI here").detail(ami).caused_by(
        "AMIs belong to one region, and one that is not shared with you looks the same; \
         try --region",
    )
}

fn refused<E>(ami: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = error.code().unwrap_or_default();
    let (kind, what, next) = match code {
        "InvalidAMIID.NotFound" | "InvalidAMIID.Unavailable" => return unknown(ami),
        "InvalidAMIID.Malformed" => (ErrorKind::Usage, "this is no AMI id", ""),
        "UnauthorizedOperation" => (
            ErrorKind::Denied,
            "the caller may not describe AMIs",
            "; allow ec2:DescribeImages, or name the snapshots (snap-…) instead",
        ),
        "AuthFailure" | "RequestExpired" | "ExpiredToken" | "InvalidClientTokenId" => (
            ErrorKind::Denied,
            "AWS does not accept these credentials",
            "; sign in again, and check the clock",
        ),
        _ => (ErrorKind::Io, "EC2 could not be asked about the AMI", ""),
    };
    let said = match code {
        "" => DisplayErrorContext(error).to_string(),
        code => format!("{code}: {}", error.message().unwrap_or_default()),
    };
    Error::new(kind, what).detail(ami).caused_by(format!("{said}{next}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{EbsBlockDevice, ProductCode, SnapshotState, StorageTier};

    #[test]
    fn keeps_every_ebs_disk_in_order() {
        let disk = |device: &str, snapshot: Option<&str>| {
            let ebs = EbsBlockDevice::builder()
                .set_snapshot_id(snapshot.map(str::to_owned))
                .volume_size(8)
                .encrypted(true)
                .build();
            BlockDeviceMapping::builder().device_name(device).ebs(ebs).build()
        };
        let ephemeral = BlockDeviceMapping::builder()
            .device_name("/dev/sdb")
            .virtual_name("ephemeral0")
            .build();
        let image = Image::builder()
            .owner_id("1")
            .public(true)
            .product_codes(ProductCode::builder().product_code_id("p").build())
            .block_device_mappings(disk("/dev/sdf", Some("snap-2")))
            .block_device_mappings(ephemeral)
            .block_device_mappings(disk("/dev/xvda", Some("snap-1")))
            .block_device_mappings(disk("/dev/sdg", None))
            .build();
        let facts = image_facts("ami-1", &image);
        let disks: Vec<_> =
            facts.mappings.iter().map(|m| (m.device.as_str(), m.snapshot.as_deref())).collect();
        let expected =
            [("/dev/sdf", Some("snap-2")), ("/dev/xvda", Some("snap-1")), ("/dev/sdg", None)];
        assert_eq!(disks, expected);
        assert_eq!((facts.public, facts.product_codes.len()), (Some(true), 1));
        assert_eq!(
            (facts.mappings[0].size_gib, facts.mappings[0].encrypted),
            (Some(8), Some(true))
        );
    }

    #[test]
    fn an_undescribed_snapshot_is_unknown() {
        let known = Snapshot::builder()
            .snapshot_id("snap-1")
            .state(SnapshotState::Completed)
            .storage_tier(StorageTier::Archive)
            .build();
        let facts = snapshot_facts("snap-1", std::slice::from_ref(&known));
        assert_eq!(facts.state.as_deref(), Some("completed"));
        assert_eq!(facts.tier.as_deref(), Some("archive"));
        let facts = snapshot_facts("snap-2", &[known]);
        assert_eq!(facts, SnapshotFacts { id: "snap-2".to_owned(), ..SnapshotFacts::default() });
    }
}
