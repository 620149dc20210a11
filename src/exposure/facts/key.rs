//! Keys of KMS, with their policies and grants.

use super::{Asked, Document, Time};
use std::collections::BTreeMap;

shape! { "PascalCase";
    /// One key: the outputs of four calls under their own names.
    Key {
        /// The key as it was asked for, in case `describe-key` is refused: an id or an ARN.
        key_id: Option<String>,
        key_metadata: Asked<KeyMetadata>,
        policy: Asked<Document>,
        grants: Asked<Vec<Grant>>,
        /// The output of `get-key-rotation-status`.
        rotation: Asked<Rotation>,
    }

    /// What `describe-key` says.
    KeyMetadata {
        key_id: String,
        arn: Option<String>,
        #[serde(rename = "AWSAccountId")]
        aws_account_id: Option<String>,
        description: Option<String>,
        enabled: Option<bool>,
        /// `AWS` or `CUSTOMER`.
        key_manager: Option<String>,
        key_spec: Option<String>,
        key_state: Option<String>,
        key_usage: Option<String>,
        origin: Option<String>,
        multi_region: Option<bool>,
        creation_date: Option<Time>,
        deletion_date: Option<Time>,
    }

    /// A grant on a key.
    Grant {
        grant_id: Option<String>,
        key_id: Option<String>,
        name: Option<String>,
        grantee_principal: Option<String>,
        retiring_principal: Option<String>,
        issuing_account: Option<String>,
        operations: Vec<String>,
        constraints: Option<GrantConstraints>,
        creation_date: Option<Time>,
    }

    /// What a grant's encryption context must be.
    GrantConstraints {
        encryption_context_subset: BTreeMap<String, String>,
        encryption_context_equals: BTreeMap<String, String>,
    }

    /// How a key rotates.
    Rotation {
        key_rotation_enabled: Option<bool>,
        rotation_period_in_days: Option<u64>,
        next_rotation_date: Option<Time>,
    }

    /// An alias of a key.
    Alias {
        alias_name: String,
        alias_arn: Option<String>,
        target_key_id: Option<String>,
    }
}

impl Key {
    /// Whether `name` (an id, an ARN of the key, or either as it was asked for) is this key.
    pub fn is(&self, name: &str) -> bool {
        let id = tail(name);
        let metadata = self.key_metadata.known();
        let own = metadata.map(|data| data.key_id.as_str()).or(self.key_id.as_deref());
        let arn = metadata.and_then(|data| data.arn.as_deref()).or(self.key_id.as_deref());
        // Two ARNs are compared whole: replicas of a multi-region key share the id.
        let whole = arn.is_some_and(|arn| arn.contains(':')) && name.contains(':');
        if whole { arn == Some(name) } else { own.is_some_and(|own| tail(own) == id) }
    }
}

/// The id at the end of a key's ARN.
fn tail(name: &str) -> &str {
    name.rsplit_once("key/").map_or(name, |(_, id)| id)
}
