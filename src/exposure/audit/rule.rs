//! The catalogue: every finding an audit can make, with why it matters and what to do.
//!
//! The references are to the controls of AWS Security Hub, to the CIS Foundations Benchmark by its
//! own numbers, and to the requirements that
//! [Prowler](https://github.com/prowler-cloud/prowler) maps the same check to.

use crate::finding::Severity;
use crate::finding::Severity::{Critical, High, Info, Low, Medium};

/// One entry.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its stable id.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The finding in one phrase.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do; `{resource}` and `{region}` are filled in.
    pub remedy: &'static str,
    /// Requirements that ask for the opposite.
    pub compliance: &'static [&'static str],
}

macro_rules! rules {
    ($($name:ident $id:literal $severity:ident, $title:literal, $why:literal, $remedy:literal,
       [$($reference:literal),*];)*) => {
        $(pub(super) static $name: Rule = Rule {
            id: $id,
            severity: $severity,
            title: $title,
            why: $why,
            remedy: $remedy,
            compliance: &[$($reference),*],
        };)*
        /// Every rule, by theme.
        pub static RULES: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    AMI_ENC_001 "AMI-ENC-001" High, "image is not encrypted",
        "whoever can launch it or make a volume from it reads every byte, and so can whoever holds a copy",
        "aws ec2 copy-image --region {region} --source-region {region} --source-image-id {resource} --encrypted --kms-key-id <your key> --name <new name>",
        ["PCI DSS 4.0 3.5.1.x", "HIPAA 164.312(a)(2)(iv)", "ISO 27001:2022 A.8.24", "SOC 2 CC7.5"];
    AMI_ENC_002 "AMI-ENC-002" High, "image is encrypted in part",
        "the devices that are not encrypted are as open as an unencrypted image",
        "aws ec2 copy-image --region {region} --source-region {region} --source-image-id {resource} --encrypted --kms-key-id <your key> --name <new name>",
        ["PCI DSS 4.0 3.5.1.x", "HIPAA 164.312(a)(2)(iv)", "ISO 27001:2022 A.8.24", "SOC 2 CC7.5"];
    AMI_ENC_003 "AMI-ENC-003" Low, "image is encrypted under the key AWS manages",
        "the policy of aws/ebs cannot be changed: such an image can never be shared, and access to it never be narrowed",
        "aws ec2 copy-image --region {region} --source-region {region} --source-image-id {resource} --encrypted --kms-key-id <your key> --name <new name>",
        [];
    AMI_COPY_001 "AMI-COPY-001" Medium, "copy of the image is encrypted otherwise",
        "an encrypted image whose copy in another region or account is not encrypted is not protected",
        "encrypt the copy, then deregister the one that is not; names and ids are in the evidence",
        ["ISO 27001:2022 A.8.24"];
    AMI_STATE_001 "AMI-STATE-001" Medium, "image or snapshot failed after it was accepted",
        "the key of a copy is checked after the call returned: a copy that looked well may never exist",
        "read the reason in the evidence, correct the key's policy, and copy again", [];
    SNAP_ENC_001 "SNAP-ENC-001" Medium, "snapshot outside of any image is not encrypted",
        "a volume made from it holds the same bytes in the clear",
        "aws ec2 copy-snapshot --region {region} --source-region {region} --source-snapshot-id {resource} --encrypted --kms-key-id <your key>",
        ["PCI DSS 4.0 3.5.1.x", "HIPAA 164.312(a)(2)(iv)", "ISO 27001:2022 A.8.24", "SOC 2 CC7.5"];
    VOL_ENC_001 "VOL-ENC-001" Medium, "attached volume is not encrypted",
        "it inherited the state of the image it was launched from",
        "snapshot it, copy the snapshot with --encrypted, and replace the volume", ["AWS FSBP EC2.3", "GDPR Article 32"];
    ACCT_ENC_001 "ACCT-ENC-001" Medium, "encryption by default is off",
        "every launch and copy that does not ask for encryption makes unencrypted volumes and snapshots",
        "aws ec2 enable-ebs-encryption-by-default --region {region}",
        ["AWS FSBP EC2.7", "CIS AWS Foundations 3.0.0 2.2.1"];
    ACCT_ENC_002 "ACCT-ENC-002" Low, "default key is the one AWS manages",
        "what is encrypted by default cannot be shared with another account",
        "aws ec2 modify-ebs-default-kms-key-id --region {region} --kms-key-id <your key>", [];
    AMI_PUB_001 "AMI-PUB-001" Critical, "image is public",
        "everybody with an AWS account can launch it and read its disks",
        "aws ec2 modify-image-attribute --region {region} --image-id {resource} --launch-permission 'Remove=[{Group=all}]'",
        ["SOC 2 CC6.6", "ISO 27001:2022 A.8.1"];
    AMI_PUB_002 "AMI-PUB-002" High, "image was public",
        "whoever launched or copied it while it was keeps what they took: treat its secrets as known",
        "rotate what the image holds, and see who used it: amisweep exposure", [];
    SNAP_PUB_001 "SNAP-PUB-001" Critical, "snapshot is public",
        "everybody with an AWS account can make a volume from it",
        "aws ec2 modify-snapshot-attribute --region {region} --snapshot-id {resource} --attribute createVolumePermission --operation-type remove --group-names all",
        ["AWS FSBP EC2.1", "NIST 800-53r5 AC-3", "NIST 800-53r5 AC-6", "NIST 800-53r5 AC-4(21)",
         "HIPAA 164.308(a)(3)(i)", "HIPAA 164.312(a)(1)"];
    SNAP_PUB_002 "SNAP-PUB-002" Medium, "snapshot becomes public when a setting changes",
        "its permission still says everybody; only block public access of the account holds it back",
        "aws ec2 modify-snapshot-attribute --region {region} --snapshot-id {resource} --attribute createVolumePermission --operation-type remove --group-names all",
        ["AWS FSBP EC2.1"];
    ACCT_BPA_001 "ACCT-BPA-001" Medium, "images may be made public",
        "one call, or one line in a build, publishes an image",
        "aws ec2 enable-image-block-public-access --region {region} --image-block-public-access-state block-new-sharing", [];
    ACCT_BPA_002 "ACCT-BPA-002" Medium, "snapshots may be made public, or public ones stay so",
        "only block-all-sharing takes back what is shared already",
        "aws ec2 enable-snapshot-block-public-access --region {region} --state block-all-sharing", [];
    BUILD_PUB_001 "BUILD-PUB-001" High, "build publishes its images",
        "every image it makes from now on is public",
        "take the group `all` out of the build's launch permission", ["SOC 2 CC6.6"];
    AMI_SHARE_001 "AMI-SHARE-001" High, "image is shared with an account that is not trusted",
        "that account can launch it and read its disks, and keeps what it copied when the share ends",
        "aws ec2 modify-image-attribute --region {region} --image-id {resource} --launch-permission 'Remove=[{UserId=<the account>}]'", [];
    AMI_SHARE_002 "AMI-SHARE-002" High, "image is shared with an organization that is not trusted",
        "every account of it, and every one that joins, can launch it",
        "aws ec2 modify-image-attribute --region {region} --image-id {resource} --launch-permission 'Remove=[{OrganizationArn=<the organization>}]'", [];
    AMI_SHARE_003 "AMI-SHARE-003" Low, "image is shared with a whole organization",
        "sandboxes and accounts that join later can launch it too",
        "share with the organizational units that need it", [];
    AMI_SHARE_010 "AMI-SHARE-010" Low, "image is shared and never used",
        "a share that nobody uses is only a risk",
        "aws ec2 modify-image-attribute --region {region} --image-id {resource} --launch-permission 'Remove=[{UserId=<the account>}]'", [];
    SNAP_SHARE_001 "SNAP-SHARE-001" High, "snapshot is shared with an account that is not trusted",
        "that account can make a volume from it, copy it and read it, without the image",
        "aws ec2 modify-snapshot-attribute --region {region} --snapshot-id {resource} --attribute createVolumePermission --operation-type remove --user-ids <the account>", [];
    META_SEC_001 "META-SEC-001" High, "text of the control plane holds a secret",
        "names, descriptions, tags and user data are read with a describe permission, and by whoever an image is shared with",
        "rotate it, and keep it in a secret store that the instance asks at run time", [];
    SHARE_REV_001 "SHARE-REV-001" Low, "shares were not reviewed",
        "temporary shares are forgotten; a date says when somebody last looked",
        "review the shares, then: aws ec2 create-tags --region {region} --resources {resource} --tags Key=ShareReviewed,Value=<today>", [];
    SHARE_KMS_001 "SHARE-KMS-001" Medium, "share is broken: the target cannot use the key",
        "the launch fails after it was accepted, or works only by a grant nobody wrote down",
        "amisweep preshare {resource} --to <the account>", [];
    SHARE_KMS_002 "SHARE-KMS-002" Medium, "share is broken: the key is managed by AWS",
        "the policy of aws/ebs cannot be changed, so no other account can use this image",
        "aws ec2 copy-image --region {region} --source-region {region} --source-image-id {resource} --encrypted --kms-key-id <your key> --name <new name>", [];
    SHARE_KMS_003 "SHARE-KMS-003" High, "another account administers the key",
        "it can change the key's policy or schedule its deletion, and every image under it is lost",
        "take the administrative actions out of the statement for that account", [];
    SHARE_KMS_004 "SHARE-KMS-004" Medium, "another account may create any grant on the key",
        "without the condition kms:GrantIsForAWSResource it can hand the key on to whom it likes",
        "add \"Condition\": {\"Bool\": {\"kms:GrantIsForAWSResource\": \"true\"}} to the statement with kms:CreateGrant", [];
    SHARE_KMS_005 "SHARE-KMS-005" Low, "grant for an account that no image is shared with",
        "what was granted for a share outlives it",
        "aws kms revoke-grant --region {region} --key-id {resource} --grant-id <the grant>", [];
    KEY_ROT_001 "KEY-ROT-001" Low, "key does not rotate",
        "rotation narrows what one key opens; it never encrypts existing snapshots again",
        "aws kms enable-key-rotation --region {region} --key-id {resource}",
        ["CIS AWS Foundations 3.0.0 3.6", "GDPR Article 25"];
    KEY_PUB_001 "KEY-PUB-001" Critical, "key may be used by everybody",
        "its policy allows any principal without a condition: encryption under it protects nothing",
        "narrow the principal of the statement", [];
    ACCT_ALLOW_001 "ACCT-ALLOW-001" Low, "Allowed AMIs is off",
        "any image that anybody publishes can be launched here",
        "aws ec2 enable-allowed-images-settings --region {region} --allowed-images-settings-state audit-mode", [];
    ACCT_ALLOW_002 "ACCT-ALLOW-002" Low, "Allowed AMIs only audits",
        "images that do not meet the criteria are marked, and launch all the same",
        "amisweep whatif allowed-amis, then: aws ec2 enable-allowed-images-settings --region {region} --allowed-images-settings-state enabled", [];
    ACCT_ALLOW_003 "ACCT-ALLOW-003" Low, "Allowed AMIs differs between regions",
        "what one region refuses launches in another",
        "apply one set of criteria in every region, or a declarative policy of the organization", [];
    ACCT_ALLOW_004 "ACCT-ALLOW-004" High, "Allowed AMIs allows an account nobody knows",
        "whoever owns it decides what launches here; a digit mistyped is enough",
        "check the owner, and add the account to the trusted list or take it out of the criteria", [];
    ACCT_ALLOW_005 "ACCT-ALLOW-005" Low, "Allowed AMIs allows every image of AWS or the Marketplace",
        "the Marketplace is open to any seller, and names can be narrowed",
        "add image names or product codes to the criterion", [];
    AMI_APPR_001 "AMI-APPR-001" Medium, "own image in use was never approved",
        "Allowed AMIs never restricts images of one's own account: nothing else checks them",
        "amisweep scan {resource}; when it passes, attach the watermark of your approval", [];
    AMI_APPR_002 "AMI-APPR-002" Medium, "instance runs an image that is not allowed",
        "it was launched before the criteria, or while they only audited",
        "launch it again from an allowed image", [];
    AMI_WM_001 "AMI-WM-001" Medium, "watermark was inherited, its content was never looked at",
        "a watermark follows every image made from the marked one: what was added since is not covered",
        "amisweep scan {resource}; when it passes, attach the watermark of your approval", [];
    AMI_WM_002 "AMI-WM-002" Medium, "anybody in the account may attach a watermark",
        "a mark that every user can set proves nothing",
        "amisweep remediate --emit scp", [];
    AMI_NAME_001 "AMI-NAME-001" High, "image in use has a vendor's name and another owner",
        "images are found by name: whoever publishes a newer one with the same name is launched",
        "launch from the vendor's own account, and pin the owner where the name is searched", [];
    AMI_REF_001 "AMI-REF-001" Medium, "something launches an image that an encrypted one replaced",
        "the encrypted copy protects nothing while launches still take the original",
        "point it to the newer image named in the evidence", [];
    REF_EXT_001 "REF-EXT-001" Medium, "something launches a public image of somebody else",
        "its owner can change what it is found by, or delete it, and launches fail",
        "copy it into an account of your own, and launch the copy", [];
    REF_EXT_002 "REF-EXT-002" Medium, "something launches an image that is deprecated, disabled or gone",
        "the next launch fails, or starts what its maker no longer mends",
        "point it to a current image", [];
    ASG_LC_001 "ASG-LC-001" Low, "group still uses a launch configuration",
        "launch configurations take no new features and are closed to new accounts",
        "create a launch template from it, and update the group", [];
    LT_IMDS_001 "LT-IMDS-001" Medium, "launch does not require IMDSv2",
        "a request forged through the workload reads the role's credentials",
        "set MetadataOptions HttpTokens=required in a new version", ["AWS FSBP EC2.170", "CIS AWS Foundations 3.0.0 5.6"];
    LT_ENC_001 "LT-ENC-001" Medium, "launch makes volumes that are not encrypted",
        "new volumes of the template are not encrypted where the region does not encrypt by default",
        "set Encrypted=true on every device in a new version", ["AWS FSBP EC2.181"];
    SPOT_ENC_001 "SPOT-ENC-001" Medium, "spot fleet makes volumes that are not encrypted",
        "its volumes are not encrypted where the region does not encrypt by default",
        "set Encrypted=true on every device of its launch specifications", ["AWS FSBP EC2.173"];
    AMI_IMDS_001 "AMI-IMDS-001" Low, "image does not ask for IMDSv2",
        "instances launched from it answer IMDSv1 unless the launch says otherwise",
        "aws ec2 modify-image-attribute --region {region} --image-id {resource} --imds-support v2.0", [];
    AMI_LIFE_001 "AMI-LIFE-001" Medium, "unencrypted original is kept beside its encrypted copy",
        "the copy protects nothing while the original lies there",
        "move what refers to it, then: aws ec2 deregister-image --region {region} --image-id {resource}, and delete its snapshots", [];
    AMI_LIFE_002 "AMI-LIFE-002" Low, "image is old",
        "what it holds was never patched since",
        "rebuild it, move what refers to it, and deregister it", [];
    AMI_LIFE_003 "AMI-LIFE-003" Info, "image has no date of deprecation",
        "nothing tells those who search for images that a newer one exists",
        "aws ec2 enable-image-deprecation --region {region} --image-id {resource} --deprecate-at <date>", [];
    AMI_LIFE_004 "AMI-LIFE-004" Low, "image is used by nothing",
        "it costs storage, and what it leaks it leaks for nothing",
        "deregister it, and delete its snapshots", [];
    SNAP_LIFE_001 "SNAP-LIFE-001" Low, "snapshot of an image that is gone",
        "deregistering an image leaves its snapshots, which cost storage and can be read",
        "aws ec2 delete-snapshot --region {region} --snapshot-id {resource}", [];
    DLM_SHARE_001 "DLM-SHARE-001" High, "lifecycle policy shares snapshots with an account that is not trusted",
        "whatever is taken back from the snapshots there are, the next one is shared again",
        "take the account out of its share rules: aws dlm update-lifecycle-policy --region {region} --policy-id {resource} --policy-details <the details>", [];
    DLM_COPY_001 "DLM-COPY-001" Medium, "lifecycle policy copies snapshots without encryption",
        "where the region does not encrypt by default, copies of unencrypted snapshots stay in the clear",
        "set Encrypted in its copy rules: aws dlm update-lifecycle-policy --region {region} --policy-id {resource} --policy-details <the details>", [];
    RBIN_001 "RBIN-001" Info, "deleted, and can be restored",
        "it still exists: an exposure if it leaks, and evidence if it did",
        "keep it as evidence, or let it run out", [];
    COPY_S3_001 "COPY-S3-001" Low, "copy of the disk lies in S3",
        "the bucket's policy decides who reads it, not the permissions of the image",
        "check who may read the bucket, and delete the object when it is not needed", [];
    AMI_TAG_001 "AMI-TAG-001" Low, "image has no owner or no data class",
        "nobody can be asked, and nobody knows what may not leave",
        "aws ec2 create-tags --region {region} --resources {resource} --tags Key=Owner,Value=<team> Key=DataClassification,Value=<class>", [];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_remedies_are_filled_in_from_known_names() {
        let ids: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), RULES.len());
        for rule in RULES {
            let left = rule.remedy.replace("{resource}", "").replace("{region}", "");
            let plain = left
                .replace("{Group=all}", "")
                .replace("{UserId=", "{")
                .replace("{OrganizationArn=", "{");
            let json = rule.id == "SHARE-KMS-004";
            assert!(
                json || !plain
                    .replace("{<the account>}", "")
                    .replace("{<the organization>}", "")
                    .contains('{'),
                "{}",
                rule.id
            );
        }
    }
}
