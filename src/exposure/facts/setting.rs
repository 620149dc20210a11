//! Settings of an account in a region: block public access and Allowed AMIs.

shape! { "PascalCase";
    /// The output of `get-image-block-public-access-state`.
    ImageBlockPublicAccess {
        /// `block-new-sharing` or `unblocked`.
        image_block_public_access_state: Option<String>,
        /// `account` or `declarative-policy`.
        managed_by: Option<String>,
    }

    /// The output of `get-snapshot-block-public-access-state`.
    SnapshotBlockPublicAccess {
        /// `block-all-sharing`, `block-new-sharing` or `unblocked`.
        state: Option<String>,
        managed_by: Option<String>,
    }

    /// The output of `get-allowed-images-settings`.
    AllowedImagesSettings {
        /// `enabled`, `audit-mode` or `disabled`.
        state: Option<String>,
        image_criteria: Vec<ImageCriterion>,
        managed_by: Option<String>,
    }

    /// One criterion: an image is allowed when it meets every member of any of them.
    ImageCriterion {
        /// Account ids, or `amazon`, `aws-marketplace`, `aws-backup-vault`, `none`.
        image_providers: Vec<String>,
        marketplace_product_codes: Vec<String>,
        image_names: Vec<String>,
        deprecation_time_condition: Option<DeprecationTimeCondition>,
        creation_date_condition: Option<CreationDateCondition>,
        image_watermarks: Vec<ImageWatermarkCriterion>,
        scan_result_condition: Option<ScanResultCondition>,
    }

    /// How long ago an image may be deprecated.
    DeprecationTimeCondition {
        maximum_days_since_deprecated: Option<u64>,
    }

    /// How old an image may be.
    CreationDateCondition {
        maximum_days_since_created: Option<u64>,
    }

    /// The mark an image must carry.
    ImageWatermarkCriterion {
        /// `account:name`, with wildcards.
        watermark_key: Option<String>,
        source_image_region: Option<String>,
        maximum_days_since_watermark_created: Option<u64>,
        maximum_days_since_source_image_created: Option<u64>,
    }

    /// What Amazon Inspector must say, as it stands.
    ScanResultCondition {
        #[serde(flatten)]
        members: std::collections::BTreeMap<String, serde_json::Value>,
    }
}
