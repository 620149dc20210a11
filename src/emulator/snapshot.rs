//! A snapshot or an AMI as the emulator serves it.

use crate::bytes::ReadAt;
use crate::error::{Error, Result};
use crate::image::raw;
use crate::limits::BLOCK_BYTES;
use crate::run::{ImageNo, Run, RunSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use super::clock::Bucket;

/// The account that calls, and that owns whatever names no other owner.
pub const ACCOUNT: &str = "123456789012";

pub(super) const GIB: u64 = 1024 * 1024 * 1024;

/// A snapshot: the bytes of a disk and what AWS says about them.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the API")]
pub struct Snapshot {
    /// Its id, `snap-` and hex digits.
    pub id: String,
    /// Its bytes.
    pub bytes: Arc<dyn ReadAt>,
    /// Where bytes may differ from zero; nothing else is looked at.
    pub written: RunSet,
    /// The account that owns it.
    pub owner: String,
    /// Whether another owner shared it with the caller.
    pub shared: bool,
    /// Whether it is public, which the EBS direct APIs do not serve.
    pub public: bool,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The ARN of its KMS key; a made-up one when it is encrypted and has none here.
    pub kms_key: Option<String>,
    /// Whether the caller may not use the key.
    pub kms_denied: bool,
    /// Whether it is still being made.
    pub pending: bool,
    /// Whether it lies in the archive tier.
    pub archived: bool,
    /// The Outpost it lives on.
    pub outpost: Option<String>,
    /// What its owner wrote about it.
    pub description: String,
    /// The snapshot it is a later state of; two with a common ancestor can be compared.
    pub parent: Option<String>,
    /// Whether `VolumeSize` is told in bytes, as one AWS example has it, instead of GiB.
    pub size_in_bytes: bool,
    /// Blocks that are listed although they are all zero, as blocks once written are.
    pub listed_zeros: Vec<u64>,
}

impl Snapshot {
    /// The disk image or block device at `path` as a snapshot of the caller.
    pub fn from_file(id: &str, path: &Path) -> Result<Snapshot> {
        let image = raw::open(path, ImageNo(0), id.into())?;
        Ok(Snapshot { written: image.written, ..Snapshot::from_bytes(id, image.bytes) })
    }

    /// Any bytes as a snapshot of the caller.
    pub fn from_bytes(id: &str, bytes: Arc<dyn ReadAt>) -> Snapshot {
        let written = RunSet::from_runs(vec![Run::new(0, bytes.len())]);
        Snapshot {
            id: id.to_owned(),
            bytes,
            written,
            owner: ACCOUNT.to_owned(),
            shared: false,
            public: false,
            encrypted: false,
            kms_key: None,
            kms_denied: false,
            pending: false,
            archived: false,
            outpost: None,
            description: String::new(),
            parent: None,
            size_in_bytes: false,
            listed_zeros: Vec::new(),
        }
    }

    /// The size of the volume in GiB, rounded up as EBS does.
    pub fn volume_gib(&self) -> u64 {
        self.bytes.len().div_ceil(GIB).max(1)
    }

    /// The ARN of its key, when it is encrypted.
    pub(super) fn key(&self) -> Option<String> {
        let made_up = || format!("arn:aws:kms:us-east-1:{}:key/{MADE_UP_KEY}", self.owner);
        self.encrypted.then(|| self.kms_key.clone().unwrap_or_else(made_up))
    }
}

const MADE_UP_KEY: &str = "00000000-0000-4000-8000-000000000001";

/// One disk of an AMI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The device name, such as `/dev/xvda`.
    pub device: String,
    /// The snapshot behind it; none for an instance-store volume.
    pub snapshot: Option<String>,
}

/// An AMI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ami {
    /// Its id, `ami-` and hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub owner: String,
    /// Whether anybody may launch it.
    pub public: bool,
    /// Its state: `available`, `pending`, `disabled`, `failed` …
    pub state: String,
    /// Product codes of the AWS Marketplace.
    pub product_codes: Vec<String>,
    /// Its disks.
    pub mappings: Vec<Mapping>,
    /// The device of the root disk.
    pub root_device: String,
    /// Whether its root is an instance-store volume, with no snapshot behind it.
    pub instance_store: bool,
}

impl Ami {
    /// An available AMI of the caller over these snapshots, the first of them the root disk.
    pub fn new(id: &str, snapshots: &[&str]) -> Ami {
        let letters = 'a'..='z';
        let mappings = letters.zip(snapshots).map(|(letter, snapshot)| Mapping {
            device: format!("/dev/xvd{letter}"),
            snapshot: Some((*snapshot).to_owned()),
        });
        Ami {
            id: id.to_owned(),
            name: id.to_owned(),
            owner: ACCOUNT.to_owned(),
            public: false,
            state: "available".to_owned(),
            product_codes: Vec::new(),
            mappings: mappings.collect(),
            root_device: "/dev/xvda".to_owned(),
            instance_store: false,
        }
    }
}

/// A snapshot while it is served.
pub(super) struct Disk {
    pub(super) facts: Snapshot,
    pub(super) generation: AtomicU64,
    pub(super) bucket: Option<Bucket>,
    listed: OnceLock<Vec<u64>>,
}

impl Disk {
    pub(super) fn new(facts: Snapshot, bucket: Option<Bucket>) -> Disk {
        Disk { facts, generation: AtomicU64::new(0), bucket, listed: OnceLock::new() }
    }

    /// The blocks a listing names, ascending. One that cannot be read is named, so that the client
    /// learns of it.
    pub(super) fn listed(&self) -> &[u64] {
        self.listed.get_or_init(|| {
            let mut indexes = Vec::new();
            for run in self.facts.written.runs() {
                let blocks = run.start / BLOCK_BYTES..run.end().div_ceil(BLOCK_BYTES);
                let data = |index: &u64| !self.block(*index).is_ok_and(|block| is_zero(&block));
                indexes.extend(blocks.filter(data));
            }
            let count = self.facts.bytes.len().div_ceil(BLOCK_BYTES);
            indexes.extend(self.facts.listed_zeros.iter().filter(|index| **index < count));
            indexes.sort_unstable();
            indexes.dedup();
            indexes
        })
    }

    pub(super) fn is_listed(&self, index: u64) -> bool {
        self.listed().binary_search(&index).is_ok()
    }

    /// The bytes of a block; the last one is filled up with zeros.
    pub(super) fn block(&self, index: u64) -> Result<Vec<u8>> {
        let block = Run::new(index.saturating_mul(BLOCK_BYTES), BLOCK_BYTES);
        let inside = block.intersect(Run::new(0, self.facts.bytes.len()));
        let size = |bytes: u64| {
            usize::try_from(bytes).map_err(|_| Error::unsupported("blocks exceed this machine"))
        };
        let mut bytes = vec![0; size(BLOCK_BYTES)?];
        if let Some(head) = bytes.get_mut(..size(inside.len)?) {
            self.facts.bytes.read_at(block.start, head)?;
        }
        Ok(bytes)
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}
