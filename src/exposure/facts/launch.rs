//! What launches instances: templates, configurations, groups, fleets and spot requests.

use super::{BlockDevice, Tag, Time};
use serde_json::Value;

shape! { "PascalCase";
    /// One version of a launch template.
    LaunchTemplateVersion {
        launch_template_id: String,
        launch_template_name: Option<String>,
        version_number: Option<u64>,
        version_description: Option<String>,
        default_version: Option<bool>,
        create_time: Option<Time>,
        created_by: Option<String>,
        launch_template_data: LaunchTemplateData,
    }

    /// What a template launches.
    LaunchTemplateData {
        /// An image, or `resolve:ssm:` and a parameter.
        image_id: Option<String>,
        key_name: Option<String>,
        instance_type: Option<String>,
        block_device_mappings: Vec<BlockDevice>,
        metadata_options: Option<MetadataOptions>,
        /// Base64, as it is printed.
        user_data: Option<String>,
    }

    /// How an instance reaches its metadata.
    MetadataOptions {
        /// `required` is IMDSv2.
        http_tokens: Option<String>,
        http_endpoint: Option<String>,
        http_put_response_hop_limit: Option<u64>,
    }

    /// Which version of which template.
    LaunchTemplateSpecification {
        launch_template_id: Option<String>,
        launch_template_name: Option<String>,
        /// A number, `$Latest`, `$Default`, or nothing for the latter.
        version: Option<String>,
    }

    /// A launch configuration.
    LaunchConfiguration {
        launch_configuration_name: String,
        #[serde(rename = "LaunchConfigurationARN")]
        launch_configuration_arn: Option<String>,
        image_id: Option<String>,
        key_name: Option<String>,
        instance_type: Option<String>,
        block_device_mappings: Vec<BlockDevice>,
        metadata_options: Option<MetadataOptions>,
        /// Base64, as it is printed.
        user_data: Option<String>,
        created_time: Option<Time>,
    }

    /// An Auto Scaling group.
    AutoScalingGroup {
        auto_scaling_group_name: String,
        #[serde(rename = "AutoScalingGroupARN")]
        auto_scaling_group_arn: Option<String>,
        launch_configuration_name: Option<String>,
        launch_template: Option<LaunchTemplateSpecification>,
        mixed_instances_policy: Option<MixedInstancesPolicy>,
        min_size: Option<u64>,
        max_size: Option<u64>,
        desired_capacity: Option<u64>,
        #[serde(rename = "ServiceLinkedRoleARN")]
        service_linked_role_arn: Option<String>,
        tags: Vec<Tag>,
    }

    /// Several templates of one group.
    MixedInstancesPolicy {
        launch_template: Option<MixedLaunchTemplate>,
    }

    /// The templates themselves.
    MixedLaunchTemplate {
        launch_template_specification: Option<LaunchTemplateSpecification>,
        overrides: Vec<LaunchTemplateOverride>,
    }

    /// What differs for some of the instances.
    LaunchTemplateOverride {
        image_id: Option<String>,
        instance_type: Option<String>,
        launch_template_specification: Option<LaunchTemplateSpecification>,
    }

    /// A fleet of EC2.
    Fleet {
        fleet_id: String,
        fleet_state: Option<String>,
        #[serde(rename = "Type")]
        kind: Option<String>,
        launch_template_configs: Vec<LaunchTemplateConfig>,
        tags: Vec<Tag>,
    }

    /// A template of a fleet.
    LaunchTemplateConfig {
        launch_template_specification: Option<LaunchTemplateSpecification>,
        overrides: Vec<LaunchTemplateOverride>,
    }

    /// A spot fleet.
    SpotFleetRequest {
        spot_fleet_request_id: String,
        spot_fleet_request_state: Option<String>,
        create_time: Option<Time>,
        spot_fleet_request_config: SpotFleetRequestConfig,
        tags: Vec<Tag>,
    }

    /// What a spot fleet launches.
    SpotFleetRequestConfig {
        launch_specifications: Vec<LaunchSpecification>,
        launch_template_configs: Vec<LaunchTemplateConfig>,
    }

    /// What a spot request launches.
    LaunchSpecification {
        image_id: Option<String>,
        key_name: Option<String>,
        block_device_mappings: Vec<BlockDevice>,
        user_data: Option<UserData>,
    }

    /// A spot request.
    SpotInstanceRequest {
        spot_instance_request_id: String,
        state: Option<String>,
        instance_id: Option<String>,
        create_time: Option<Time>,
        launch_specification: Option<LaunchSpecification>,
        tags: Vec<Tag>,
    }
}

/// User data: base64 text, or an object that holds it, as some calls print it.
pub type UserData = Value;
