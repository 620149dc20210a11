//! The remedy as a policy that keeps it: what nobody may do any more, in a service control policy
//! or in one of IAM.

use serde_json::{Value, json};

/// The statements that deny, for an organisation (SCP) or as a policy of IAM: the two have the same
/// grammar here, because both only deny.
pub fn guardrails(gate_role: Option<&str>) -> Value {
    let mut statements = vec![
        json!({
            "Sid": "DenyUnencryptedVolumes",
            "Effect": "Deny",
            "Action": ["ec2:CreateVolume", "ec2:RunInstances"],
            "Resource": "arn:*:ec2:*:*:volume/*",
            "Condition": {"Bool": {"ec2:Encrypted": "false"}},
        }),
        json!({
            "Sid": "DenyPublicSnapshots",
            "Effect": "Deny",
            "Action": "ec2:ModifySnapshotAttribute",
            "Resource": "*",
            "Condition": {"StringEquals": {"ec2:Add/group": "all"}},
        }),
        json!({
            "Sid": "KeepTheSettings",
            "Effect": "Deny",
            "Action": [
                "ec2:DisableAllowedImagesSettings",
                "ec2:DisableEbsEncryptionByDefault",
                "ec2:DisableImageBlockPublicAccess",
                "ec2:DisableSnapshotBlockPublicAccess",
            ],
            "Resource": "*",
        }),
    ];
    let mut watermark = json!({
        "Sid": "WatermarksByTheGateOnly",
        "Effect": "Deny",
        "Action": "ec2:AttachImageWatermark",
        "Resource": "*",
    });
    if let Some(role) = gate_role {
        watermark["Condition"] = json!({"ArnNotLike": {"aws:PrincipalArn": role}});
    }
    statements.push(watermark);
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// What stands beside the policy, because JSON takes no comments.
pub const NOTES: [&str; 4] = [
    "a policy that denies takes effect at once: attach it to one account or role first",
    "images are kept from becoming public by block public access, which these statements only keep \
     on: turn it on first (--emit cli)",
    "CopyImage, CopySnapshot and CreateImage are not held to encryption by a condition here; \
     encryption by default is what encrypts them",
    "the limits of an SCP are 5,120 characters, and that it does not reach the management account",
];
