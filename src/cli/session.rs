//! A session: whose AWS account is asked, and how targets in it are opened.

use crate::error::{Error, ErrorKind, Result};
use crate::exposure::collect::Ec2;
use crate::exposure::{ImageFacts, SnapshotFacts, Subject, explain};
use crate::image::Image;
use crate::image::ebs::{Ebs, Estimate, Options, Runtime, Snapshot, is_snapshot_id};
use crate::run::ImageNo;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_ebs::config::ProvideCredentials;
use std::sync::Arc;

/// What the command line says about AWS.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The profile of the AWS configuration files.
    pub profile: Option<String>,
    /// The region, over what the profile or the environment says.
    pub region: Option<String>,
    /// Another endpoint for every service: the emulator, a private one.
    pub endpoint_url: Option<String>,
}

/// An account and region that can be asked.
pub struct Session {
    runtime: Arc<Runtime>,
    region: String,
    ec2: Ec2,
    ebs: Ebs,
    cache_bytes: u64,
}

/// A target whose snapshots are listed, and no block of them fetched.
pub struct Listed {
    /// What EC2 says about the AMI; none for a target that is a snapshot.
    pub image: Option<ImageFacts>,
    /// What EC2 says about each snapshot, listed or not, as far as it may be asked.
    pub facts: Vec<SnapshotFacts>,
    /// The snapshots, in the order of the AMI's disks.
    pub snapshots: Vec<Snapshot>,
    /// The snapshots of the AMI that could not be listed, and why: at least one other could.
    pub failed: Vec<(String, Error)>,
    cache_bytes: u64,
}

impl Session {
    /// Find region and credentials, and check that they are there.
    pub fn new(flags: &Flags, options: Options) -> Result<Session> {
        let runtime = Arc::new(Runtime::new()?);
        let config = runtime.block_on(load(flags))?;
        Ok(Session::over(runtime, &config, options))
    }

    /// Over a `config` that is loaded already, on `runtime`.
    pub fn over(runtime: Arc<Runtime>, config: &SdkConfig, options: Options) -> Session {
        Session {
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            ec2: Ec2::new(config),
            cache_bytes: options.cache_bytes,
            ebs: Ebs::new(Arc::clone(&runtime), config, options),
            runtime,
        }
    }

    /// The region that is asked.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// List the snapshots of an AMI (`ami-…`), or one snapshot (`snap-…`). Of an AMI's disks those
    /// that cannot be listed do not stop the others.
    pub fn list(&self, target: &str) -> Result<Listed> {
        let image = if target.starts_with("ami-") {
            Some(self.runtime.block_on(self.ec2.image(target))?)
        } else if is_snapshot_id(target) {
            None
        } else {
            let what = "neither an AMI (ami-…) nor a snapshot (snap-…)";
            return Err(Error::new(ErrorKind::Usage, what).detail(target));
        };
        let ids = match &image {
            Some(image) => snapshots_of(image),
            None => vec![target.to_owned()],
        };
        if ids.is_empty() {
            let cause = Error::unsupported("none of its disks is made from a snapshot");
            return Err(self.explained(image.as_ref(), &SnapshotFacts::default(), &cause));
        }
        if usize::from(u16::MAX) < ids.len() {
            return Err(Error::new(ErrorKind::Limit, "the AMI has too many disks").detail(target));
        }
        let facts = self.runtime.block_on(async { Ok(self.ec2.snapshots(&ids).await) })?;
        let mut snapshots = Vec::with_capacity(ids.len());
        let mut failed = Vec::new();
        for (id, facts) in ids.iter().zip(&facts) {
            match self.ebs.list(id) {
                Ok(snapshot) => snapshots.push(snapshot),
                Err(error) => {
                    failed.push((id.clone(), self.explained(image.as_ref(), facts, &error)));
                }
            }
        }
        if snapshots.is_empty() && !failed.is_empty() {
            return Err(failed.swap_remove(0).1);
        }
        Ok(Listed { image, facts, snapshots, failed, cache_bytes: self.cache_bytes })
    }

    /// Open every disk of an AMI, or one snapshot; all of them or none.
    pub fn open(&self, target: &str) -> Result<Vec<Image>> {
        let mut listed = self.list(target)?;
        match listed.failed.pop() {
            Some((_, error)) => Err(error),
            None => Ok(listed.open()),
        }
    }

    /// What reading the target once takes.
    pub fn estimate(&self, target: &str) -> Result<Estimate> {
        self.list(target).map(|listed| listed.estimate())
    }

    fn explained(
        &self,
        image: Option<&ImageFacts>,
        snapshot: &SnapshotFacts,
        error: &Error,
    ) -> Error {
        let ami = image.map(|image| image.id.as_str());
        let standing = async {
            match snapshot.id.as_str() {
                "" => Ok(crate::exposure::Standing::default()),
                id => Ok(self.ec2.standing(ami, id).await),
            }
        };
        let standing = self.runtime.block_on(standing).unwrap_or_default();
        let subject = Subject { image, snapshot, standing, region: &self.region };
        let named = if snapshot.id.is_empty() { ami.unwrap_or_default() } else { &snapshot.id };
        explain(&subject, error).into_error(named, error)
    }
}

impl Listed {
    /// What reading all of it once takes.
    pub fn estimate(&self) -> Estimate {
        self.snapshots.iter().fold(Estimate::default(), |sum, s| sum.plus(s.estimate()))
    }

    /// The same with `bytes` of memory for blocks at least.
    #[must_use]
    pub fn with_room(mut self, bytes: u64) -> Listed {
        self.cache_bytes = self.cache_bytes.max(bytes);
        self
    }

    /// The images, numbered in the order of the AMI's disks; they share the memory for blocks.
    pub fn open(self) -> Vec<Image> {
        let count = u64::try_from(self.snapshots.len()).unwrap_or(u64::MAX).max(1);
        let each = self.cache_bytes / count;
        (0..).zip(self.snapshots).map(|(number, s)| s.open(ImageNo(number), each)).collect()
    }
}

/// The snapshots behind an AMI, each once: two disks made from one hold the same bytes.
fn snapshots_of(image: &ImageFacts) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for id in image.mappings.iter().filter_map(|mapping| mapping.snapshot.as_ref()) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids
}

/// The configuration of the user, with region and credentials that are there.
pub(super) async fn load(flags: &Flags) -> Result<SdkConfig> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    // Owners of a snapshot see this name in CloudTrail.
    if let Ok(name) = AppName::new(concat!("amisweep-", env!("CARGO_PKG_VERSION"))) {
        loader = loader.app_name(name);
    }
    if let Some(profile) = &flags.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &flags.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &flags.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(Error::new(ErrorKind::Usage, "no AWS region is known")
            .detail("give --region, set AWS_REGION, or a region in the profile"));
    }
    let none = || {
        Error::new(ErrorKind::Usage, "no AWS credentials were found").detail(
            "give --profile, run `aws configure` or `aws sso login`, or set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY",
        )
    };
    let provider = config.credentials_provider().ok_or_else(none)?;
    provider.provide_credentials().await.map_err(|cause| none().caused_by(cause))?;
    Ok(config)
}
