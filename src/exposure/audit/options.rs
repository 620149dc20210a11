//! What an organization trusts and asks of its images: the file of `--trusted`.

use super::history::Past;
use super::iac::IacFinding;
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::facts::{Tag, Time};
use serde::Deserialize;
use std::collections::BTreeSet;

/// How an audit judges.
#[derive(Clone, Debug, Default)]
pub struct AuditOptions {
    /// Who is trusted, and what is asked of an image.
    pub trusted: Trusted,
    /// The moment ages are counted from; when the facts were collected by default.
    pub now: Option<Time>,
    /// What a GiB of snapshots costs in a month.
    pub price_per_gib_month: Option<f64>,
    /// Images that files of infrastructure as code name.
    pub iac: Vec<IacFinding>,
    /// Audits of earlier facts, oldest first.
    pub history: Vec<Past>,
}

/// Who is trusted, and what is asked of an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trusted {
    /// Accounts images may be shared with and may come from.
    pub accounts: BTreeSet<String>,
    /// Organizations images may be shared with, `o-…`.
    pub organizations: BTreeSet<String>,
    /// Organizational units images may be shared with, `ou-…`.
    pub units: BTreeSet<String>,
    /// Accounts images may come from.
    pub providers: BTreeSet<String>,
    /// Watermarks that approve an image, `account:name`.
    pub watermarks: BTreeSet<String>,
    /// Images that are approved, by id.
    pub approved_images: BTreeSet<String>,
    /// Tags that approve an image, `Key=Value`.
    pub approved_tags: BTreeSet<String>,
    /// Tags of images that came from the golden pipeline, `Key` or `Key=Value`.
    pub golden_tags: BTreeSet<String>,
    /// Tags of which one must name the owner.
    pub owner_tags: BTreeSet<String>,
    /// Tags of which one must name the data class.
    pub class_tags: BTreeSet<String>,
    /// The tag that holds the date of the last review of an image's shares.
    pub review_tag: String,
    /// Days after which shares are to be reviewed again.
    pub review_days: i64,
    /// Days after which an image is old.
    pub max_age_days: i64,
    /// Days without a launch after which an image nothing refers to is unused.
    pub unused_days: i64,
}

impl Default for Trusted {
    fn default() -> Trusted {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Trusted {
            accounts: BTreeSet::new(),
            organizations: BTreeSet::new(),
            units: BTreeSet::new(),
            providers: BTreeSet::new(),
            watermarks: BTreeSet::new(),
            approved_images: BTreeSet::new(),
            approved_tags: BTreeSet::new(),
            // What EC2 Image Builder puts on its images.
            golden_tags: set(&["Ec2ImageBuilderArn", "CreatedBy=EC2 Image Builder"]),
            owner_tags: set(&["Owner", "owner", "Team", "team"]),
            class_tags: set(&[
                "DataClassification",
                "DataClass",
                "data-classification",
                "data-class",
            ]),
            review_tag: "ShareReviewed".to_owned(),
            review_days: 90,
            max_age_days: 90,
            unused_days: 90,
        }
    }
}

impl Trusted {
    /// Read the file.
    pub fn parse(text: &str) -> Result<Trusted> {
        let trusted: Trusted = toml::from_str(text).map_err(|cause| {
            Error::new(ErrorKind::Usage, "the trusted list is not understood").caused_by(cause)
        })?;
        let all = trusted.accounts.iter().chain(&trusted.providers);
        let wrong =
            all.into_iter().find(|id| id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()));
        match wrong {
            Some(id) => {
                let what = "an account of the trusted list has no twelve digits";
                Err(Error::new(ErrorKind::Usage, what).detail(id))
            }
            None => Ok(trusted),
        }
    }

    /// Whether images can be approved at all.
    pub(super) fn approves(&self) -> bool {
        let lists = [&self.watermarks, &self.approved_images, &self.approved_tags];
        lists.iter().any(|list| !list.is_empty())
    }
}

/// Whether one of `tags` is one of `names`, which are keys or `Key=Value`.
pub(super) fn tagged(tags: &[Tag], names: &BTreeSet<String>) -> bool {
    tags.iter().any(|tag| {
        names.contains(&tag.key) || names.contains(&format!("{}={}", tag.key, tag.value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_list_is_checked() {
        let text = "accounts = [\"222233334444\"]\nmax_age_days = 30\n";
        let trusted = Trusted::parse(text).unwrap();
        assert_eq!((trusted.max_age_days, trusted.review_days), (30, 90));
        for wrong in ["acounts = []", "accounts = [\"2222\"]", "max_age_days = \"x\""] {
            assert!(Trusted::parse(wrong).is_err(), "{wrong}");
        }
    }
}
