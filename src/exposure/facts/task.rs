//! What else exists of an image: the recycle bin, copies in S3, locks, tiers, and who uses it.

use super::{Tag, Time};
use serde_json::Value;

shape! { "PascalCase";
    /// A deleted image that can be restored.
    RecycledImage {
        image_id: String,
        name: Option<String>,
        description: Option<String>,
        recycle_bin_enter_time: Option<Time>,
        recycle_bin_exit_time: Option<Time>,
    }

    /// A deleted snapshot that can be restored.
    RecycledSnapshot {
        snapshot_id: String,
        volume_id: Option<String>,
        description: Option<String>,
        recycle_bin_enter_time: Option<Time>,
        recycle_bin_exit_time: Option<Time>,
    }

    /// A snapshot that cannot be deleted.
    LockedSnapshot {
        snapshot_id: String,
        owner_id: Option<String>,
        lock_state: Option<String>,
        lock_duration: Option<u64>,
        lock_created_on: Option<Time>,
        lock_expires_on: Option<Time>,
    }

    /// Where a snapshot is kept.
    SnapshotTierStatus {
        snapshot_id: String,
        volume_id: Option<String>,
        owner_id: Option<String>,
        status: Option<String>,
        storage_tier: Option<String>,
        archival_complete_time: Option<Time>,
        restore_expiry_time: Option<Time>,
    }

    /// An export of an image to S3.
    ExportImageTask {
        export_image_task_id: String,
        image_id: Option<String>,
        description: Option<String>,
        status: Option<String>,
        s3_export_location: Option<ExportTaskS3Location>,
        tags: Vec<Tag>,
    }

    /// Where an export lies.
    ExportTaskS3Location {
        s3_bucket: Option<String>,
        s3_prefix: Option<String>,
    }

    /// An import of a disk.
    ImportImageTask {
        import_task_id: String,
        image_id: Option<String>,
        description: Option<String>,
        status: Option<String>,
        encrypted: Option<bool>,
        kms_key_id: Option<String>,
        snapshot_details: Vec<ImportSnapshotDetail>,
        tags: Vec<Tag>,
    }

    /// One disk of an import.
    ImportSnapshotDetail {
        snapshot_id: Option<String>,
        device_name: Option<String>,
        url: Option<String>,
        user_bucket: Option<Value>,
    }

    /// A copy of an image in S3.
    StoreImageTask {
        ami_id: String,
        bucket: Option<String>,
        #[serde(rename = "S3objectKey")]
        s3_object_key: Option<String>,
        store_task_state: Option<String>,
        task_start_time: Option<Time>,
    }

    /// Snapshots that Windows images keep ready.
    FastLaunchImage {
        image_id: String,
        owner_id: Option<String>,
        state: Option<String>,
        resource_type: Option<String>,
    }

    /// Who uses an image, in this account.
    ImageReference {
        image_id: String,
        /// `ec2:Instance`, `ec2:LaunchTemplate`, `ssm:Parameter` …
        resource_type: Option<String>,
        arn: Option<String>,
    }

    /// How many resources of another account use an image.
    ImageUsageEntry {
        image_id: String,
        account_id: Option<String>,
        resource_type: Option<String>,
        usage_count: Option<u64>,
        report_id: Option<String>,
        report_creation_time: Option<Time>,
    }
}
