//! Images and snapshots, as `describe-images` and `describe-snapshots` print them.

use super::{Asked, Time};
use serde_json::Value;

shape! { "PascalCase";
    /// A tag.
    Tag {
        key: String,
        value: String,
    }

    /// An image.
    Image {
        image_id: String,
        name: Option<String>,
        description: Option<String>,
        image_location: Option<String>,
        owner_id: Option<String>,
        image_owner_alias: Option<String>,
        state: Option<String>,
        state_reason: Option<StateReason>,
        public: Option<bool>,
        creation_date: Option<Time>,
        deprecation_time: Option<Time>,
        last_launched_time: Option<Time>,
        deregistration_protection: Option<String>,
        architecture: Option<String>,
        platform: Option<String>,
        platform_details: Option<String>,
        boot_mode: Option<String>,
        imds_support: Option<String>,
        tpm_support: Option<String>,
        image_allowed: Option<bool>,
        image_type: Option<String>,
        root_device_type: Option<String>,
        root_device_name: Option<String>,
        block_device_mappings: Vec<BlockDevice>,
        product_codes: Vec<ProductCode>,
        source_instance_id: Option<String>,
        source_image_id: Option<String>,
        source_image_region: Option<String>,
        public_ssm_parameter_name: Option<String>,
        tags: Vec<Tag>,
        image_watermarks: Vec<Watermark>,
        /// What Amazon Inspector found, as it stands.
        scan_results: Option<Value>,
        /// `describe-image-attribute --attribute launchPermission`.
        launch_permissions: Asked<Vec<LaunchPermission>>,
        /// `ImageAncestryEntries` of `get-image-ancestry`.
        ancestry: Asked<Vec<ImageAncestryEntry>>,
    }

    /// Why an image or instance is in its state.
    StateReason {
        code: Option<String>,
        message: Option<String>,
    }

    /// A product of the AWS Marketplace.
    ProductCode {
        #[serde(alias = "ProductCode")]
        product_code_id: String,
        product_code_type: Option<String>,
    }

    /// A device of an image, a template or a launch.
    BlockDevice {
        device_name: String,
        virtual_name: Option<String>,
        no_device: Option<Value>,
        ebs: Option<Ebs>,
    }

    /// The EBS side of a device.
    Ebs {
        snapshot_id: Option<String>,
        volume_size: Option<u64>,
        volume_type: Option<String>,
        encrypted: Option<bool>,
        kms_key_id: Option<String>,
        delete_on_termination: Option<bool>,
    }

    /// Who may launch an image: one of the four.
    LaunchPermission {
        group: Option<String>,
        user_id: Option<String>,
        organization_arn: Option<String>,
        organizational_unit_arn: Option<String>,
    }

    /// The output of `describe-image-attribute`.
    ImageAttribute {
        image_id: String,
        launch_permissions: Asked<Vec<LaunchPermission>>,
    }

    /// A mark that an image carries, and every image made from it.
    Watermark {
        /// The account that attached it and its name, `account:name`.
        watermark_key: Option<String>,
        watermark_name: Option<String>,
        /// The image it was attached to.
        source_image_id: Option<String>,
        source_image_region: Option<String>,
        source_image_creation_time: Option<Time>,
        watermark_creation_time: Option<Time>,
    }

    /// A step from an image back to the one it was made from.
    ImageAncestryEntry {
        image_id: String,
        creation_date: Option<Time>,
        image_owner_alias: Option<String>,
        source_image_id: Option<String>,
        source_image_region: Option<String>,
    }

    /// A snapshot.
    Snapshot {
        snapshot_id: String,
        owner_id: Option<String>,
        owner_alias: Option<String>,
        volume_id: Option<String>,
        volume_size: Option<u64>,
        full_snapshot_size_in_bytes: Option<u64>,
        encrypted: Option<bool>,
        kms_key_id: Option<String>,
        data_encryption_key_id: Option<String>,
        description: Option<String>,
        start_time: Option<Time>,
        state: Option<String>,
        state_message: Option<String>,
        storage_tier: Option<String>,
        outpost_arn: Option<String>,
        tags: Vec<Tag>,
        /// `describe-snapshot-attribute --attribute createVolumePermission`.
        create_volume_permissions: Asked<Vec<CreateVolumePermission>>,
    }

    /// Who may make volumes from a snapshot: one of the two.
    CreateVolumePermission {
        group: Option<String>,
        user_id: Option<String>,
    }

    /// The output of `describe-snapshot-attribute`.
    SnapshotAttribute {
        snapshot_id: String,
        create_volume_permissions: Asked<Vec<CreateVolumePermission>>,
    }
}
