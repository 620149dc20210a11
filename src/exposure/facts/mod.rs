//! Facts: what AWS says about accounts and their images, in the spelling of the AWS CLI.
//!
//! One file holds everything that is judged, so that it can come from
//! `amisweep collect`, from somebody else, or from outputs of the CLI put together by hand. Every
//! part is [`Asked`]: known, never asked for, or refused with the permission that was missing,
//! because a judgement on what is not known must say so and never "ok".
//!
//! The names and meanings are AWS's own: the
//! [API reference of EC2](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/) describes them.

/// Structs in the spelling of one AWS service: every member may be absent, what is not named here
/// is ignored, and what is absent is not written either.
macro_rules! shape {
    ($rule:literal; $($(#[$about:meta])* $name:ident {
        $($(#[$note:meta])* $field:ident: $of:ty,)*
    })*) => {$(
        $(#[$about])*
        #[allow(missing_docs, reason = "the members are AWS's own, and so is their meaning")]
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = $rule, default)]
        pub struct $name {
            $(
                $(#[$note])*
                #[serde(skip_serializing_if = "crate::exposure::facts::is_default")]
                pub $field: $of,
            )*
        }
    )*};
}

mod asked;
mod document;
mod event;
mod iam;
mod image;
mod instance;
mod key;
mod launch;
mod load;
mod organization;
mod service;
mod setting;
mod task;
mod time;

pub use self::asked::{Asked, Needs, Refused};
pub use self::document::Document;
pub use self::event::{Event, Trail};
pub use self::iam::{
    AccessKey, AccessKeyLastUsed, AttachedPolicy, CredentialReport, Group, Iam, InlinePolicy,
    InstanceProfile, ManagedPolicy, PermissionsBoundary, PolicyVersion, Role, User,
};
pub use self::image::{
    BlockDevice, CreateVolumePermission, Ebs, Image, ImageAncestryEntry, ImageAttribute,
    LaunchPermission, ProductCode, Snapshot, SnapshotAttribute, StateReason, Tag, Watermark,
};
pub use self::instance::{
    ImageMetadata, Instance, InstanceEbs, InstanceImage, InstanceState, InstanceVolume, KeyPair,
    Reservation, Volume, VolumeAttachment,
};
pub use self::key::{Alias, Grant, GrantConstraints, Key, KeyMetadata, Rotation};
pub use self::launch::{
    AutoScalingGroup, Fleet, LaunchConfiguration, LaunchSpecification, LaunchTemplateConfig,
    LaunchTemplateData, LaunchTemplateOverride, LaunchTemplateSpecification, LaunchTemplateVersion,
    MetadataOptions, MixedInstancesPolicy, MixedLaunchTemplate, SpotFleetRequest,
    SpotFleetRequestConfig, SpotInstanceRequest, UserData,
};
pub use self::load::{SCHEMA, read};
pub use self::organization::{
    Organization, OrganizationAccount, OrganizationPolicy, OrganizationalUnit, PolicyTarget,
};
pub use self::service::{
    AmiDistribution, BeanstalkSettings, BuilderDevice, BuilderEbs, BuilderLaunchPermission,
    ComputeEnvironment, ComputeResources, ContainerRecipe, DbEndpoint, DbInstance, Distribution,
    DistributionConfiguration, Ec2Configuration, EksCluster, ImageRecipe, InstanceConfiguration,
    LifecycleAction, LifecycleActionCopy, LifecycleCopy, LifecycleDetails, LifecycleEncryption,
    LifecyclePolicy, LifecycleSchedule, LifecycleShare, Nodegroup, NodegroupTemplate,
    OptionSetting, ServiceTemplate, SsmParameter,
};
pub use self::setting::{
    AllowedImagesSettings, CreationDateCondition, DeprecationTimeCondition, ImageBlockPublicAccess,
    ImageCriterion, ImageWatermarkCriterion, ScanResultCondition, SnapshotBlockPublicAccess,
};
pub use self::task::{
    ExportImageTask, ExportTaskS3Location, FastLaunchImage, ImageReference, ImageUsageEntry,
    ImportImageTask, ImportSnapshotDetail, LockedSnapshot, RecycledImage, RecycledSnapshot,
    SnapshotTierStatus, StoreImageTask,
};
pub use self::time::Time;

use serde::{Deserialize, Serialize};

/// Whether a member need not be written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Everything that is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// `amisweep.facts/1`.
    pub schema: String,
    /// When it was collected; ages are counted from here.
    #[serde(skip_serializing_if = "is_default")]
    pub collected_at: Option<Time>,
    /// The accounts, by id once the file is [read](read()).
    pub accounts: Vec<Account>,
    /// What was refused, for calls whose answer has no place of its own.
    #[serde(skip_serializing_if = "is_default")]
    pub missing: Vec<Missing>,
}

/// A call that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Missing {
    /// The permission, such as `ec2:DescribeImages`.
    pub action: String,
    /// What AWS said.
    #[serde(skip_serializing_if = "is_default")]
    pub error: String,
    /// The account it was asked in.
    #[serde(skip_serializing_if = "is_default")]
    pub account: String,
    /// The region it was asked in.
    #[serde(skip_serializing_if = "is_default")]
    pub region: String,
    /// What it was asked about.
    #[serde(skip_serializing_if = "is_default")]
    pub resource: String,
}

shape! { "PascalCase";
    /// One account.
    Account {
        /// Its id, twelve digits (`aws sts get-caller-identity`).
        account: String,
        /// Who collected the facts.
        arn: Option<String>,
        /// `aws account get-account-information` or a name of your own.
        account_name: Option<String>,
        regions: Vec<Region>,
        iam: Iam,
        /// The organization, as far as this account may read it.
        organization: Asked<Organization>,
    }

    /// One region of an account. A member is the list that the CLI prints under the same name.
    Region {
        region: String,
        /// The account's own images, and others' as far as something refers to them.
        images: Asked<Vec<Image>>,
        /// `describe-image-attribute`, one output after another; moved into `Images` when read.
        image_attributes: Vec<ImageAttribute>,
        /// The account's own snapshots, and others' as far as something refers to them.
        snapshots: Asked<Vec<Snapshot>>,
        /// `describe-snapshot-attribute`; moved into `Snapshots` when read.
        snapshot_attributes: Vec<SnapshotAttribute>,
        /// The output of `get-image-block-public-access-state`.
        image_block_public_access: Asked<ImageBlockPublicAccess>,
        /// The output of `get-snapshot-block-public-access-state`.
        snapshot_block_public_access: Asked<SnapshotBlockPublicAccess>,
        /// The output of `get-allowed-images-settings`.
        allowed_images_settings: Asked<AllowedImagesSettings>,
        ebs_encryption_by_default: Asked<bool>,
        /// `KmsKeyId` of `get-ebs-default-kms-key-id`.
        ebs_default_kms_key_id: Asked<String>,
        /// One per key: the outputs of `describe-key`, `get-key-policy`, `list-grants` and
        /// `get-key-rotation-status` together.
        keys: Asked<Vec<Key>>,
        aliases: Asked<Vec<Alias>>,
        instances: Asked<Vec<Instance>>,
        /// What `describe-instances` prints; moved into `Instances` when read.
        reservations: Vec<Reservation>,
        instance_image_metadata: Asked<Vec<InstanceImage>>,
        volumes: Asked<Vec<Volume>>,
        key_pairs: Asked<Vec<KeyPair>>,
        launch_template_versions: Asked<Vec<LaunchTemplateVersion>>,
        auto_scaling_groups: Asked<Vec<AutoScalingGroup>>,
        launch_configurations: Asked<Vec<LaunchConfiguration>>,
        fleets: Asked<Vec<Fleet>>,
        spot_fleet_request_configs: Asked<Vec<SpotFleetRequest>>,
        spot_instance_requests: Asked<Vec<SpotInstanceRequest>>,
        /// Parameters of data type `aws:ec2:image`, and others that hold the id of an image.
        parameters: Asked<Vec<SsmParameter>>,
        image_references: Asked<Vec<ImageReference>>,
        image_usage_report_entries: Asked<Vec<ImageUsageEntry>>,
        image_recipes: Asked<Vec<ImageRecipe>>,
        container_recipes: Asked<Vec<ContainerRecipe>>,
        distribution_configurations: Asked<Vec<DistributionConfiguration>>,
        /// Batch.
        compute_environments: Asked<Vec<ComputeEnvironment>>,
        /// EKS.
        clusters: Asked<Vec<EksCluster>>,
        /// EKS.
        nodegroups: Asked<Vec<Nodegroup>>,
        /// Data Lifecycle Manager: `Policy` of `get-lifecycle-policy`, one after another.
        lifecycle_policies: Asked<Vec<LifecyclePolicy>>,
        /// Elastic Beanstalk.
        configuration_settings: Asked<Vec<BeanstalkSettings>>,
        #[serde(rename = "DBInstances")]
        db_instances: Asked<Vec<DbInstance>>,
        /// `Images` of `list-images-in-recycle-bin`.
        recycle_bin_images: Asked<Vec<RecycledImage>>,
        /// `Snapshots` of `list-snapshots-in-recycle-bin`.
        recycle_bin_snapshots: Asked<Vec<RecycledSnapshot>>,
        /// `Snapshots` of `describe-locked-snapshots`.
        locked_snapshots: Asked<Vec<LockedSnapshot>>,
        snapshot_tier_statuses: Asked<Vec<SnapshotTierStatus>>,
        export_image_tasks: Asked<Vec<ExportImageTask>>,
        import_image_tasks: Asked<Vec<ImportImageTask>>,
        store_image_task_results: Asked<Vec<StoreImageTask>>,
        fast_launch_images: Asked<Vec<FastLaunchImage>>,
        /// CloudTrail: what `lookup-events` prints, or the `Records` of a log file.
        events: Asked<Vec<Event>>,
        /// Where the events begin; nothing is known of what was before.
        events_since: Option<Time>,
        /// `describe-trails` with the event selectors of each.
        trails: Asked<Vec<Trail>>,
    }
}

impl Facts {
    /// The account of that id.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.account == id)
    }

    /// Every region with its account.
    pub fn regions(&self) -> impl Iterator<Item = (&Account, &Region)> {
        let of = |account| move |region| (account, region);
        self.accounts.iter().flat_map(move |account| account.regions.iter().map(of(account)))
    }

    /// The first of an image's or snapshot's owner's accounts that knows the organization.
    pub fn organization(&self) -> Option<&Organization> {
        self.accounts.iter().find_map(|account| account.organization.known())
    }
}
