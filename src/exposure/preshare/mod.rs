//! A check before sharing: whether an image and its key are fit to be shared with a target, and
//! what to change where they are not.
//!
//! Everything is judged on facts; a launch that was [tried](Trial) from the target is one more
//! check.

mod image;
mod key;
mod target;
mod text;
mod trial;

pub use self::target::Target;
pub use self::trial::{Trial, stands_for};

use super::disk::{Disk, Found};
use super::facts::Facts;
use serde_json::Value;

/// What was checked, and what to do next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preshare {
    /// The image.
    pub image: String,
    /// Its name.
    pub name: Option<String>,
    /// Its region.
    pub region: String,
    /// With whom.
    pub target: String,
    /// The checks, in the order they are to be put right.
    pub checks: Vec<Check>,
    /// The commands that share it, once every check passes.
    pub share: Vec<String>,
    /// What the target must do on its side, which no facts of the owner can tell.
    pub theirs: Vec<Fix>,
}

/// One check.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Its stable id.
    pub id: &'static str,
    /// How it ended.
    pub status: Status,
    /// The image, snapshot or key it is about.
    pub subject: String,
    /// What was seen.
    pub what: String,
    /// What puts it right.
    pub fixes: Vec<Fix>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is so.
    Pass,
    /// It is not.
    Fail,
    /// It is not known.
    Unknown,
}

/// What puts something right.
#[derive(Clone, Debug, PartialEq)]
pub enum Fix {
    /// A command to run.
    Command(String),
    /// A statement to add to a policy, and which.
    Statement(&'static str, Value),
    /// What to do, in words.
    Advice(String),
}

/// What to look at.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether Auto Scaling in the target is to launch the image.
    pub autoscaling: bool,
}

impl Preshare {
    /// Whether a check failed.
    pub fn fails(&self) -> bool {
        self.checks.iter().any(|check| check.status == Status::Fail)
    }

    /// Whether a check could not be made.
    pub fn open(&self) -> bool {
        self.checks.iter().any(|check| check.status == Status::Unknown)
    }
}

/// What every check looks at.
struct Scene<'a> {
    facts: &'a Facts,
    found: Found<'a>,
    disks: Vec<Disk<'a>>,
    target: &'a Target,
    options: Options,
}

/// Check whether `found` is fit to be shared with `target`.
pub fn check(facts: &Facts, found: Found<'_>, target: &Target, options: Options) -> Preshare {
    let scene = Scene { facts, found, disks: found.disks(), target, options };
    let owner = image::owner(&scene);
    // Who is not the owner shares nothing, and need not know how.
    let ours = owner.status != Status::Fail;
    let mut checks = vec![owner];
    if ours {
        checks.extend(image::checks(&scene));
        checks.extend(key::checks(&scene));
    }
    Preshare {
        image: found.image.image_id.clone(),
        name: found.image.name.clone(),
        region: found.region.region.clone(),
        target: target.id().to_owned(),
        checks,
        share: if ours { image::share(&scene) } else { Vec::new() },
        theirs: if ours { key::theirs(&scene) } else { Vec::new() },
    }
}

impl Check {
    fn new(id: &'static str, status: Status, subject: &str, what: impl Into<String>) -> Check {
        Check { id, status, subject: subject.to_owned(), what: what.into(), fixes: Vec::new() }
    }

    fn fix(mut self, fix: Fix) -> Check {
        self.fixes.push(fix);
        self
    }
}
