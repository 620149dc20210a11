//! Exposure: who can read an image, and what stands in the way of reading it here.
//!
//! [`facts`] are gathered by `collect`, the one place that asks AWS; what follows from them is
//! decided without it, in builds that have no SDK too.

pub mod acquire;
pub mod audit;
#[cfg(feature = "aws")]
pub mod collect;
pub mod disk;
pub mod facts;
pub mod kms;
pub mod owner;
pub mod preshare;
mod reference;
mod refusal;
pub mod remediate;
pub mod shell;
pub mod whatif;
pub mod window;

pub use self::refusal::{Case, Explanation, Subject, explain};

/// What EC2 says about an AMI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// The account that owns it.
    pub owner: Option<String>,
    /// Whether anybody may launch it.
    pub public: Option<bool>,
    /// `available`, `pending`, `disabled` …
    pub state: Option<String>,
    /// Whether its root is an instance-store volume.
    pub instance_store: bool,
    /// The device of its root disk.
    pub root_device: Option<String>,
    /// Product codes of the AWS Marketplace.
    pub product_codes: Vec<String>,
    /// Its EBS disks, in the order of the AMI. Devices without one (instance store) are left out.
    pub mappings: Vec<Mapping>,
}

/// One EBS disk of an AMI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The device name.
    pub device: String,
    /// The snapshot it is made from; none for a disk that starts empty.
    pub snapshot: Option<String>,
    /// Its size.
    pub size_gib: Option<u64>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// The key it is encrypted under.
    pub kms_key: Option<String>,
}

/// What EC2 says about a snapshot; of one we may not describe, only the id is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// Its id.
    pub id: String,
    /// The account that owns it.
    pub owner: Option<String>,
    /// `completed`, `pending`, `error` …
    pub state: Option<String>,
    /// `standard` or `archive`.
    pub tier: Option<String>,
    /// The Outpost it lies on.
    pub outpost: Option<String>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// The key it is encrypted under.
    pub kms_key: Option<String>,
}

/// Whose image and snapshot these are, as far as EC2 tells us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether the AMI is ours.
    pub image_mine: Option<bool>,
    /// Whether the snapshot is ours.
    pub snapshot_mine: Option<bool>,
    /// Whether everybody may make volumes from the snapshot.
    pub snapshot_public: Option<bool>,
}
