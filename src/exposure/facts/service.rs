//! What other services say of images and of what leaked credentials open: SSM, RDS and Elastic
//! Beanstalk, and Image Builder, Batch and EKS, which spell their names in camel case.

use super::Time;
use std::collections::BTreeMap;

shape! { "PascalCase";
    /// A parameter of Systems Manager.
    SsmParameter {
        name: String,
        #[serde(rename = "Type")]
        kind: Option<String>,
        value: Option<String>,
        version: Option<u64>,
        /// `aws:ec2:image` for one that holds an image.
        data_type: Option<String>,
        #[serde(rename = "ARN")]
        arn: Option<String>,
        last_modified_date: Option<Time>,
    }

    /// A database.
    DbInstance {
        #[serde(rename = "DBInstanceIdentifier")]
        identifier: String,
        #[serde(rename = "DBInstanceArn")]
        arn: Option<String>,
        #[serde(rename = "DBInstanceStatus")]
        status: Option<String>,
        #[serde(rename = "DBName")]
        name: Option<String>,
        engine: Option<String>,
        master_username: Option<String>,
        endpoint: Option<DbEndpoint>,
        publicly_accessible: Option<bool>,
        #[serde(rename = "IAMDatabaseAuthenticationEnabled")]
        iam_authentication: Option<bool>,
    }

    /// Where a database listens.
    DbEndpoint {
        address: Option<String>,
        port: Option<u64>,
    }

    /// The settings of an environment of Elastic Beanstalk.
    BeanstalkSettings {
        application_name: Option<String>,
        environment_name: Option<String>,
        template_name: Option<String>,
        option_settings: Vec<OptionSetting>,
    }

    /// One setting; the image is `ImageId` of `aws:autoscaling:launchconfiguration`.
    OptionSetting {
        namespace: Option<String>,
        option_name: Option<String>,
        value: Option<String>,
    }

    /// A policy of Data Lifecycle Manager, which makes snapshots and images by itself.
    LifecyclePolicy {
        policy_id: String,
        description: Option<String>,
        /// `ENABLED`, `DISABLED` or `ERROR`.
        state: Option<String>,
        policy_details: Option<LifecycleDetails>,
    }

    /// What a policy does.
    LifecycleDetails {
        policy_type: Option<String>,
        schedules: Vec<LifecycleSchedule>,
        /// What a policy does with snapshots that others share.
        actions: Vec<LifecycleAction>,
    }

    /// When it does that, and what becomes of what is made.
    LifecycleSchedule {
        name: Option<String>,
        share_rules: Vec<LifecycleShare>,
        cross_region_copy_rules: Vec<LifecycleCopy>,
    }

    /// With whom its snapshots are shared.
    LifecycleShare {
        target_accounts: Vec<String>,
    }

    /// Where its snapshots are copied to.
    LifecycleCopy {
        target: Option<String>,
        target_region: Option<String>,
        encrypted: Option<bool>,
        cmk_arn: Option<String>,
    }

    /// What is done with one.
    LifecycleAction {
        name: Option<String>,
        cross_region_copy: Vec<LifecycleActionCopy>,
    }

    /// Where it is copied to.
    LifecycleActionCopy {
        target: Option<String>,
        encryption_configuration: Option<LifecycleEncryption>,
    }

    /// Whether that copy is encrypted.
    LifecycleEncryption {
        encrypted: Option<bool>,
        cmk_arn: Option<String>,
    }
}

shape! { "camelCase";
    /// A recipe of Image Builder for images.
    ImageRecipe {
        arn: String,
        name: Option<String>,
        version: Option<String>,
        /// An image, an ARN of Image Builder, or `ssm:` and a parameter.
        parent_image: Option<String>,
        block_device_mappings: Vec<BuilderDevice>,
        additional_instance_configuration: Option<InstanceConfiguration>,
        tags: BTreeMap<String, String>,
    }

    /// A recipe of Image Builder for containers.
    ContainerRecipe {
        arn: String,
        name: Option<String>,
        version: Option<String>,
        instance_configuration: Option<InstanceConfiguration>,
    }

    /// The instance that builds.
    InstanceConfiguration {
        image: Option<String>,
        block_device_mappings: Vec<BuilderDevice>,
        user_data_override: Option<String>,
    }

    /// A device of a recipe.
    BuilderDevice {
        device_name: Option<String>,
        ebs: Option<BuilderEbs>,
    }

    /// The EBS side of it.
    BuilderEbs {
        encrypted: Option<bool>,
        kms_key_id: Option<String>,
        snapshot_id: Option<String>,
        volume_size: Option<u64>,
    }

    /// Where Image Builder brings its images.
    DistributionConfiguration {
        arn: String,
        name: Option<String>,
        distributions: Vec<Distribution>,
    }

    /// One region of it.
    Distribution {
        region: Option<String>,
        ami_distribution_configuration: Option<AmiDistribution>,
    }

    /// What becomes of the image there.
    AmiDistribution {
        name: Option<String>,
        kms_key_id: Option<String>,
        target_account_ids: Vec<String>,
        launch_permission: Option<BuilderLaunchPermission>,
    }

    /// Who may launch it there.
    BuilderLaunchPermission {
        user_ids: Vec<String>,
        user_groups: Vec<String>,
        organization_arns: Vec<String>,
        organizational_unit_arns: Vec<String>,
    }

    /// A compute environment of Batch.
    ComputeEnvironment {
        compute_environment_name: String,
        compute_environment_arn: Option<String>,
        state: Option<String>,
        compute_resources: Option<ComputeResources>,
    }

    /// What it launches.
    ComputeResources {
        image_id: Option<String>,
        ec2_configuration: Vec<Ec2Configuration>,
        launch_template: Option<ServiceTemplate>,
    }

    /// Which image for which kind of instance.
    Ec2Configuration {
        image_type: Option<String>,
        image_id_override: Option<String>,
    }

    /// A launch template, in the spelling of Batch.
    ServiceTemplate {
        launch_template_id: Option<String>,
        launch_template_name: Option<String>,
        version: Option<String>,
    }

    /// A cluster of EKS.
    EksCluster {
        name: String,
        arn: Option<String>,
        endpoint: Option<String>,
        status: Option<String>,
        version: Option<String>,
    }

    /// A node group of EKS.
    Nodegroup {
        nodegroup_name: String,
        nodegroup_arn: Option<String>,
        cluster_name: Option<String>,
        status: Option<String>,
        /// `CUSTOM` when the template names the image.
        ami_type: Option<String>,
        /// The image itself with `CUSTOM`, otherwise a version.
        release_version: Option<String>,
        launch_template: Option<NodegroupTemplate>,
    }

    /// A launch template, in the spelling of EKS.
    NodegroupTemplate {
        id: Option<String>,
        name: Option<String>,
        version: Option<String>,
    }
}
