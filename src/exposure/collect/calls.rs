//! The calls: everything that is asked, one line each, and all of it read-only.
//!
//! What needs nothing but a region stands in [`REGIONAL`]; the others are asked about what those
//! answered.

use super::call::{Call, Protocol, Service};

const fn service(name: &'static str, protocol: Protocol, version: &'static str) -> Service {
    let pages = match protocol {
        Protocol::Rest => ("nextToken", "nextToken"),
        _ => ("NextToken", "NextToken"),
    };
    let (global, at_once, spacing_ms) = (false, 8, 0);
    Service { name, iam: name, protocol, version, pages, global, at_once, spacing_ms }
}

pub(super) static EC2: Service = service("ec2", Protocol::Ec2, "2016-11-15");
static AUTOSCALING: Service =
    Service { at_once: 4, ..service("autoscaling", Protocol::Query, "2011-01-01") };
static IAM: Service = Service {
    global: true,
    at_once: 4,
    pages: ("Marker", "Marker"),
    ..service("iam", Protocol::Query, "2010-05-08")
};
static STS: Service = service("sts", Protocol::Query, "2011-06-15");
static RDS: Service = Service {
    at_once: 4,
    pages: ("Marker", "Marker"),
    ..service("rds", Protocol::Query, "2014-10-31")
};
static BEANSTALK: Service =
    Service { at_once: 2, ..service("elasticbeanstalk", Protocol::Query, "2010-12-01") };
static KMS: Service = Service {
    pages: ("Marker", "NextMarker"),
    ..service("kms", Protocol::Json("TrentService"), "")
};
static SSM: Service = Service { at_once: 4, ..service("ssm", Protocol::Json("AmazonSSM"), "") };
static ORGANIZATIONS: Service = Service {
    global: true,
    at_once: 1,
    ..service("organizations", Protocol::Json("AWSOrganizationsV20161128"), "")
};
// CloudTrail answers two lookups a second for an account and region.
static CLOUDTRAIL: Service = Service {
    spacing_ms: 500,
    ..service(
        "cloudtrail",
        Protocol::Json("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"),
        "",
    )
};
static BATCH: Service = Service { at_once: 4, ..service("batch", Protocol::Rest, "") };
static DLM: Service = Service { at_once: 4, ..service("dlm", Protocol::Rest, "") };
static EKS: Service = Service { at_once: 4, ..service("eks", Protocol::Rest, "") };
static BUILDER: Service = Service { at_once: 4, ..service("imagebuilder", Protocol::Rest, "") };

const fn call(service: &'static Service, action: &'static str, takes: &'static str) -> Call {
    Call { service, action, path: "", takes, renames: &[] }
}

const fn rest(
    service: &'static Service,
    action: &'static str,
    path: &'static str,
    takes: &'static str,
) -> Call {
    Call { service, action, path, takes, renames: &[] }
}

/// A call that a region alone leads to, and the member of the facts its answer becomes.
pub(super) struct Row {
    pub(super) into: &'static str,
    pub(super) call: Call,
    /// The parameters, as JSON.
    pub(super) with: &'static str,
    pub(super) kind: Kind,
}

/// What an answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A list, over pages.
    List,
    /// One answer.
    One,
}

const fn list(into: &'static str, call: Call, with: &'static str) -> Row {
    Row { into, call, with, kind: Kind::List }
}

const fn one(into: &'static str, call: Call) -> Row {
    Row { into, call, with: "{}", kind: Kind::One }
}

/// The wire calls a list otherwise than the CLI.
const fn named(
    action: &'static str,
    takes: &'static str,
    renames: &'static [(&'static str, &'static str)],
) -> Call {
    Call { service: &EC2, action, path: "", takes, renames }
}

const PAGE: &str = r#"{"MaxResults": 1000}"#;

/// Renames of images.
const OF_IMAGES: &[(&str, &str)] =
    &[("imagesSet", "Images"), ("isPublic", "Public"), ("type", "ProductCodeType")];

/// The calls that a region alone leads to.
pub(super) static REGIONAL: &[Row] = &[
    list(
        "Images",
        named("DescribeImages", "Images", OF_IMAGES),
        r#"{"Owner.1": "self", "IncludeDeprecated": true, "IncludeDisabled": true, "MaxResults": 1000}"#,
    ),
    list(
        "Snapshots",
        named(
            "DescribeSnapshots",
            "Snapshots",
            &[("snapshotSet", "Snapshots"), ("status", "State"), ("statusMessage", "StateMessage")],
        ),
        r#"{"Owner.1": "self", "MaxResults": 1000}"#,
    ),
    one("ImageBlockPublicAccess", call(&EC2, "GetImageBlockPublicAccessState", "")),
    one("SnapshotBlockPublicAccess", call(&EC2, "GetSnapshotBlockPublicAccessState", "")),
    one(
        "AllowedImagesSettings",
        named("GetAllowedImagesSettings", "", &[("imageCriterionSet", "ImageCriteria")]),
    ),
    one(
        "EbsEncryptionByDefault",
        call(&EC2, "GetEbsEncryptionByDefault", "EbsEncryptionByDefault"),
    ),
    one("EbsDefaultKmsKeyId", call(&EC2, "GetEbsDefaultKmsKeyId", "KmsKeyId")),
    list(
        "Instances",
        named("DescribeInstances", "Reservations", &[("reservationSet", "Reservations")]),
        PAGE,
    ),
    list(
        "InstanceImageMetadata",
        named(
            "DescribeInstanceImageMetadata",
            "InstanceImageMetadata",
            &[("instanceImageMetadataSet", "InstanceImageMetadata")],
        ),
        PAGE,
    ),
    list(
        "Volumes",
        named("DescribeVolumes", "Volumes", &[("volumeSet", "Volumes"), ("status", "State")]),
        PAGE,
    ),
    list(
        "KeyPairs",
        named("DescribeKeyPairs", "KeyPairs", &[("keySet", "KeyPairs")]),
        r#"{"IncludePublicKey": true}"#,
    ),
    list(
        "Fleets",
        named("DescribeFleets", "Fleets", &[("fleetSet", "Fleets")]),
        r#"{"MaxResults": 100}"#,
    ),
    list(
        "SpotFleetRequestConfigs",
        named(
            "DescribeSpotFleetRequests",
            "SpotFleetRequestConfigs",
            &[("spotFleetRequestConfigSet", "SpotFleetRequestConfigs")],
        ),
        PAGE,
    ),
    list(
        "SpotInstanceRequests",
        named(
            "DescribeSpotInstanceRequests",
            "SpotInstanceRequests",
            &[("spotInstanceRequestSet", "SpotInstanceRequests")],
        ),
        PAGE,
    ),
    list(
        "RecycleBinImages",
        named("ListImagesInRecycleBin", "Images", &[("imageSet", "Images")]),
        "{}",
    ),
    list(
        "RecycleBinSnapshots",
        named("ListSnapshotsInRecycleBin", "Snapshots", &[("snapshotSet", "Snapshots")]),
        "{}",
    ),
    list(
        "LockedSnapshots",
        named("DescribeLockedSnapshots", "Snapshots", &[("snapshotSet", "Snapshots")]),
        "{}",
    ),
    list(
        "SnapshotTierStatuses",
        named(
            "DescribeSnapshotTierStatus",
            "SnapshotTierStatuses",
            &[("snapshotTierStatusSet", "SnapshotTierStatuses")],
        ),
        "{}",
    ),
    list(
        "StoreImageTaskResults",
        named(
            "DescribeStoreImageTasks",
            "StoreImageTaskResults",
            &[("storeImageTaskResultSet", "StoreImageTaskResults")],
        ),
        "{}",
    ),
    list(
        "ExportImageTasks",
        named(
            "DescribeExportImageTasks",
            "ExportImageTasks",
            &[("exportImageTaskSet", "ExportImageTasks")],
        ),
        "{}",
    ),
    list(
        "ImportImageTasks",
        named(
            "DescribeImportImageTasks",
            "ImportImageTasks",
            &[("importImageTaskSet", "ImportImageTasks")],
        ),
        "{}",
    ),
    list(
        "FastLaunchImages",
        named(
            "DescribeFastLaunchImages",
            "FastLaunchImages",
            &[("fastLaunchImageSet", "FastLaunchImages")],
        ),
        "{}",
    ),
    list(
        "ImageUsageReportEntries",
        named(
            "DescribeImageUsageReportEntries",
            "ImageUsageReportEntries",
            &[("imageUsageReportEntrySet", "ImageUsageReportEntries")],
        ),
        "{}",
    ),
    list(
        "AutoScalingGroups",
        call(&AUTOSCALING, "DescribeAutoScalingGroups", "AutoScalingGroups"),
        r#"{"MaxRecords": 100}"#,
    ),
    list(
        "LaunchConfigurations",
        call(&AUTOSCALING, "DescribeLaunchConfigurations", "LaunchConfigurations"),
        r#"{"MaxRecords": 100}"#,
    ),
    list("Aliases", call(&KMS, "ListAliases", "Aliases"), "{}"),
    list("DBInstances", call(&RDS, "DescribeDBInstances", "DBInstances"), "{}"),
    list(
        "ComputeEnvironments",
        rest(
            &BATCH,
            "DescribeComputeEnvironments",
            "POST /v1/describecomputeenvironments",
            "computeEnvironments",
        ),
        "{}",
    ),
];

pub(super) static DESCRIBE_REGIONS: Call = call(&EC2, "DescribeRegions", "Regions");
pub(super) static DESCRIBE_IMAGES: Call = named("DescribeImages", "Images", OF_IMAGES);
pub(super) static TEMPLATES: Call = call(&EC2, "DescribeLaunchTemplates", "LaunchTemplates");
pub(super) static TEMPLATE_VERSIONS: Call = named(
    "DescribeLaunchTemplateVersions",
    "LaunchTemplateVersions",
    &[("launchTemplateVersionSet", "LaunchTemplateVersions")],
);
pub(super) static IMAGE_ATTRIBUTE: Call = call(&EC2, "DescribeImageAttribute", "LaunchPermissions");
pub(super) static SNAPSHOT_ATTRIBUTE: Call =
    call(&EC2, "DescribeSnapshotAttribute", "CreateVolumePermissions");
pub(super) static ANCESTRY: Call = named(
    "GetImageAncestry",
    "ImageAncestryEntries",
    &[("imageAncestryEntrySet", "ImageAncestryEntries")],
);
pub(super) static REFERENCES: Call = named(
    "DescribeImageReferences",
    "ImageReferences",
    &[("imageReferenceSet", "ImageReferences")],
);
pub(super) static USER_DATA: Call = call(&EC2, "DescribeInstanceAttribute", "UserData");

pub(super) static DESCRIBE_KEY: Call = call(&KMS, "DescribeKey", "KeyMetadata");
pub(super) static KEY_POLICY: Call = call(&KMS, "GetKeyPolicy", "Policy");
pub(super) static GRANTS: Call = call(&KMS, "ListGrants", "Grants");
pub(super) static ROTATION: Call = call(&KMS, "GetKeyRotationStatus", "");

pub(super) static DESCRIBE_PARAMETERS: Call = call(&SSM, "DescribeParameters", "Parameters");
pub(super) static GET_PARAMETERS: Call = call(&SSM, "GetParameters", "Parameters");

pub(super) static LIST_IMAGE_RECIPES: Call =
    rest(&BUILDER, "ListImageRecipes", "POST /ListImageRecipes", "imageRecipeSummaryList");
pub(super) static GET_IMAGE_RECIPE: Call =
    rest(&BUILDER, "GetImageRecipe", "GET /GetImageRecipe", "imageRecipe");
pub(super) static LIST_CONTAINER_RECIPES: Call = rest(
    &BUILDER,
    "ListContainerRecipes",
    "POST /ListContainerRecipes",
    "containerRecipeSummaryList",
);
pub(super) static GET_CONTAINER_RECIPE: Call =
    rest(&BUILDER, "GetContainerRecipe", "GET /GetContainerRecipe", "containerRecipe");
pub(super) static LIST_LIFECYCLES: Call =
    rest(&DLM, "GetLifecyclePolicies", "GET /policies", "Policies");
pub(super) static GET_LIFECYCLE: Call =
    rest(&DLM, "GetLifecyclePolicy", "GET /policies/{policyId}", "Policy");
pub(super) static LIST_DISTRIBUTIONS: Call = rest(
    &BUILDER,
    "ListDistributionConfigurations",
    "POST /ListDistributionConfigurations",
    "distributionConfigurationSummaryList",
);
pub(super) static GET_DISTRIBUTION: Call = rest(
    &BUILDER,
    "GetDistributionConfiguration",
    "GET /GetDistributionConfiguration",
    "distributionConfiguration",
);

pub(super) static LIST_CLUSTERS: Call = rest(&EKS, "ListClusters", "GET /clusters", "clusters");
pub(super) static DESCRIBE_CLUSTER: Call =
    rest(&EKS, "DescribeCluster", "GET /clusters/{name}", "cluster");
pub(super) static LIST_NODEGROUPS: Call =
    rest(&EKS, "ListNodegroups", "GET /clusters/{name}/node-groups", "nodegroups");
pub(super) static DESCRIBE_NODEGROUP: Call = rest(
    &EKS,
    "DescribeNodegroup",
    "GET /clusters/{name}/node-groups/{nodegroupName}",
    "nodegroup",
);

pub(super) static ENVIRONMENTS: Call = call(&BEANSTALK, "DescribeEnvironments", "Environments");
pub(super) static BEANSTALK_SETTINGS: Call =
    call(&BEANSTALK, "DescribeConfigurationSettings", "ConfigurationSettings");

pub(super) static LOOKUP_EVENTS: Call = call(&CLOUDTRAIL, "LookupEvents", "Events");
pub(super) static DESCRIBE_TRAILS: Call = call(&CLOUDTRAIL, "DescribeTrails", "trailList");
pub(super) static EVENT_SELECTORS: Call = call(&CLOUDTRAIL, "GetEventSelectors", "");
pub(super) static TRAIL_STATUS: Call = call(&CLOUDTRAIL, "GetTrailStatus", "IsLogging");

pub(super) static CALLER: Call = call(&STS, "GetCallerIdentity", "");
pub(super) static ASSUME_ROLE: Call = call(&STS, "AssumeRole", "Credentials");

pub(super) static AUTHORIZATION: Call = call(&IAM, "GetAccountAuthorizationDetails", "");
pub(super) static GENERATE_REPORT: Call = call(&IAM, "GenerateCredentialReport", "State");
pub(super) static GET_REPORT: Call = call(&IAM, "GetCredentialReport", "Content");
pub(super) static ACCESS_KEYS: Call = call(&IAM, "ListAccessKeys", "AccessKeyMetadata");
pub(super) static KEY_LAST_USED: Call = call(&IAM, "GetAccessKeyLastUsed", "");

pub(super) static DESCRIBE_ORGANIZATION: Call =
    call(&ORGANIZATIONS, "DescribeOrganization", "Organization");
pub(super) static LIST_ACCOUNTS: Call = call(&ORGANIZATIONS, "ListAccounts", "Accounts");
pub(super) static LIST_ROOTS: Call = call(&ORGANIZATIONS, "ListRoots", "Roots");
pub(super) static UNITS_OF: Call =
    call(&ORGANIZATIONS, "ListOrganizationalUnitsForParent", "OrganizationalUnits");
pub(super) static ACCOUNTS_OF: Call = call(&ORGANIZATIONS, "ListAccountsForParent", "Accounts");
pub(super) static LIST_POLICIES: Call = call(&ORGANIZATIONS, "ListPolicies", "Policies");
pub(super) static DESCRIBE_POLICY: Call = call(&ORGANIZATIONS, "DescribePolicy", "Policy");
pub(super) static POLICY_TARGETS: Call = call(&ORGANIZATIONS, "ListTargetsForPolicy", "Targets");

/// Every other call, for the policy that allows them.
static OTHERS: &[&Call] = &[
    &DESCRIBE_REGIONS,
    &TEMPLATES,
    &TEMPLATE_VERSIONS,
    &IMAGE_ATTRIBUTE,
    &SNAPSHOT_ATTRIBUTE,
    &ANCESTRY,
    &REFERENCES,
    &USER_DATA,
    &DESCRIBE_KEY,
    &KEY_POLICY,
    &GRANTS,
    &ROTATION,
    &DESCRIBE_PARAMETERS,
    &GET_PARAMETERS,
    &LIST_IMAGE_RECIPES,
    &GET_IMAGE_RECIPE,
    &LIST_CONTAINER_RECIPES,
    &GET_CONTAINER_RECIPE,
    &LIST_DISTRIBUTIONS,
    &GET_DISTRIBUTION,
    &LIST_LIFECYCLES,
    &GET_LIFECYCLE,
    &LIST_CLUSTERS,
    &DESCRIBE_CLUSTER,
    &LIST_NODEGROUPS,
    &DESCRIBE_NODEGROUP,
    &ENVIRONMENTS,
    &BEANSTALK_SETTINGS,
    &LOOKUP_EVENTS,
    &DESCRIBE_TRAILS,
    &EVENT_SELECTORS,
    &TRAIL_STATUS,
    &CALLER,
    &ASSUME_ROLE,
    &AUTHORIZATION,
    &GENERATE_REPORT,
    &GET_REPORT,
    &ACCESS_KEYS,
    &KEY_LAST_USED,
    &DESCRIBE_ORGANIZATION,
    &LIST_ACCOUNTS,
    &LIST_ROOTS,
    &UNITS_OF,
    &ACCOUNTS_OF,
    &LIST_POLICIES,
    &DESCRIBE_POLICY,
    &POLICY_TARGETS,
];

/// The permissions that everything asked takes together, sorted.
pub fn permissions() -> Vec<String> {
    let regional = REGIONAL.iter().map(|row| row.call.permission());
    let mut all: Vec<String> =
        regional.chain(OTHERS.iter().map(|call| call.permission())).collect();
    all.sort();
    all.dedup();
    all
}
