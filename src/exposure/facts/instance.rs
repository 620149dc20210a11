//! Instances, their volumes and key pairs.

use super::{MetadataOptions, StateReason, Tag, Time};

shape! { "PascalCase";
    /// What `describe-instances` groups instances in.
    Reservation {
        owner_id: Option<String>,
        instances: Vec<Instance>,
    }

    /// An instance.
    Instance {
        instance_id: String,
        image_id: Option<String>,
        instance_type: Option<String>,
        key_name: Option<String>,
        launch_time: Option<Time>,
        state: InstanceState,
        state_reason: Option<StateReason>,
        metadata_options: Option<MetadataOptions>,
        block_device_mappings: Vec<InstanceVolume>,
        /// `describe-instance-attribute --attribute userData`, base64 as it is printed.
        user_data: Option<String>,
        tags: Vec<Tag>,
    }

    /// `running`, `stopped` …
    InstanceState {
        name: Option<String>,
    }

    /// A device of an instance.
    InstanceVolume {
        device_name: String,
        ebs: Option<InstanceEbs>,
    }

    /// The volume of a device.
    InstanceEbs {
        volume_id: Option<String>,
        delete_on_termination: Option<bool>,
    }

    /// What EC2 keeps of the image of an instance, even when that is gone.
    InstanceImage {
        instance_id: String,
        instance_type: Option<String>,
        launch_time: Option<Time>,
        state: InstanceState,
        owner_id: Option<String>,
        tags: Vec<Tag>,
        image_metadata: ImageMetadata,
    }

    /// The image of an instance.
    ImageMetadata {
        image_id: Option<String>,
        name: Option<String>,
        owner_id: Option<String>,
        image_owner_alias: Option<String>,
        state: Option<String>,
        creation_date: Option<Time>,
        deprecation_time: Option<Time>,
        image_allowed: Option<bool>,
        is_public: Option<bool>,
    }

    /// A volume.
    Volume {
        volume_id: String,
        snapshot_id: Option<String>,
        size: Option<u64>,
        encrypted: Option<bool>,
        kms_key_id: Option<String>,
        state: Option<String>,
        create_time: Option<Time>,
        attachments: Vec<VolumeAttachment>,
        tags: Vec<Tag>,
    }

    /// Where a volume is attached.
    VolumeAttachment {
        instance_id: Option<String>,
        device: Option<String>,
        state: Option<String>,
    }

    /// A key pair for SSH.
    KeyPair {
        key_pair_id: Option<String>,
        key_name: String,
        key_fingerprint: Option<String>,
        key_type: Option<String>,
        public_key: Option<String>,
        create_time: Option<Time>,
        tags: Vec<Tag>,
    }
}
