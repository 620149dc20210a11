//! A candidate: an image as Allowed-AMIs criteria see it.

use super::Verdict;
use crate::exposure::facts::{Image, ImageCriterion, ImageMetadata, Time, Watermark};
use crate::exposure::kms::{Truth, pattern};

/// What is known of an image that was launched.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen<'a> {
    pub(super) image: Option<&'a Image>,
    pub(super) metadata: Option<&'a ImageMetadata>,
}

/// An image as the criteria see it; what is not known is none.
pub(super) struct Candidate<'a> {
    known: bool,
    own: bool,
    pub(super) name: Option<&'a str>,
    pub(super) owner: Option<&'a str>,
    alias: Option<&'a str>,
    created: Option<Time>,
    deprecated: Option<Time>,
    products: Option<Vec<&'a str>>,
    watermarks: Option<&'a [Watermark]>,
}

impl<'a> Candidate<'a> {
    pub(super) fn of(seen: Seen<'a>, account: &str) -> Candidate<'a> {
        let Seen { image, metadata } = seen;
        let text =
            |one: Option<&'a String>, other: Option<&'a String>| one.or(other).map(String::as_str);
        let owner = text(
            image.and_then(|one| one.owner_id.as_ref()),
            metadata.and_then(|one| one.owner_id.as_ref()),
        );
        Candidate {
            known: image.is_some() || metadata.is_some(),
            own: owner == Some(account),
            name: text(
                image.and_then(|one| one.name.as_ref()),
                metadata.and_then(|one| one.name.as_ref()),
            ),
            owner,
            alias: text(
                image.and_then(|one| one.image_owner_alias.as_ref()),
                metadata.and_then(|one| one.image_owner_alias.as_ref()),
            ),
            created: image
                .and_then(|one| one.creation_date)
                .or(metadata.and_then(|one| one.creation_date)),
            deprecated: image
                .and_then(|one| one.deprecation_time)
                .or(metadata.and_then(|one| one.deprecation_time)),
            products: image.map(|one| {
                one.product_codes.iter().map(|code| code.product_code_id.as_str()).collect()
            }),
            watermarks: image.map(|one| one.image_watermarks.as_slice()),
        }
    }

    /// Whether the criteria stop it at that time, and why.
    pub(super) fn verdict(
        &self,
        criteria: &[ImageCriterion],
        at: Option<Time>,
    ) -> (Verdict, String) {
        if !self.known {
            let why = "unknown: needs ec2:DescribeInstanceImageMetadata or ec2:DescribeImages";
            return (Verdict::Unknown, why.to_owned());
        }
        if self.own {
            return (Verdict::Allowed, "an image of its own account is never stopped".to_owned());
        }
        let mut open = None;
        let mut failed = Vec::new();
        for (criterion, number) in criteria.iter().zip(1..) {
            let parts = self.parts(criterion, at);
            match parts.iter().find(|(_, truth)| *truth == Truth::No) {
                Some((what, _)) => failed.push(format!("criterion {number}: {what}")),
                None => match parts.iter().find(|(_, truth)| *truth == Truth::Unknown) {
                    None => return (Verdict::Allowed, format!("criterion {number} allows it")),
                    Some((what, _)) => {
                        open.get_or_insert(format!("criterion {number}: {what} not known"));
                    }
                },
            }
        }
        match open {
            Some(why) => (Verdict::Unknown, why),
            None => (Verdict::Blocked, failed.join("; ")),
        }
    }

    /// Each member of a criterion that is set, with whether the image meets it.
    fn parts(&self, criterion: &ImageCriterion, at: Option<Time>) -> Vec<(String, Truth)> {
        let mut parts = Vec::new();
        let any = |list: &[String], is: &dyn Fn(&String) -> bool| Truth::from(list.iter().any(is));
        if !criterion.image_providers.is_empty() {
            let truth = match self.owner {
                Some(_) => any(&criterion.image_providers, &|one| self.is_of(one)),
                None => Truth::Unknown,
            };
            let owner = self.alias.or(self.owner).unwrap_or_default();
            parts.push((format!("provider {owner}").trim_end().to_owned(), truth));
        }
        if !criterion.image_names.is_empty() {
            let matches = |name| any(&criterion.image_names, &|one| pattern::matches(one, name));
            parts.push(("name".to_owned(), self.name.map_or(Truth::Unknown, matches)));
        }
        if !criterion.marketplace_product_codes.is_empty() {
            let codes = &criterion.marketplace_product_codes;
            let truth = match &self.products {
                Some(own) => any(codes, &|one| own.contains(&one.as_str())),
                None => Truth::Unknown,
            };
            parts.push(("product code".to_owned(), truth));
        }
        let limit = criterion.creation_date_condition.as_ref();
        if let Some(days) = limit.and_then(|limit| limit.maximum_days_since_created) {
            parts.push((format!("at most {days} days old"), within(self.created, at, days)));
        }
        let limit = criterion.deprecation_time_condition.as_ref();
        if let Some(days) = limit.and_then(|limit| limit.maximum_days_since_deprecated) {
            let truth = match self.deprecated {
                None => Truth::Yes,
                some => within(some, at, days),
            };
            parts.push((format!("deprecated for at most {days} days"), truth));
        }
        if !criterion.image_watermarks.is_empty() {
            let truth = self.watermarks.map_or(Truth::Unknown, |own| marked(own, criterion, at));
            parts.push(("watermark".to_owned(), truth));
        }
        if criterion.scan_result_condition.is_some() {
            // What Inspector found is not judged here.
            parts.push(("result of Amazon Inspector".to_owned(), Truth::Unknown));
        }
        parts
    }

    fn is_of(&self, provider: &str) -> bool {
        match provider {
            "amazon" | "aws-marketplace" | "aws-backup-vault" => self.alias == Some(provider),
            "none" => false,
            account => self.owner == Some(account),
        }
    }
}

/// Whether `from` is at most `days` before `at`. A day that has begun counts in full.
fn within(from: Option<Time>, at: Option<Time>, days: u64) -> Truth {
    match (from, at) {
        (Some(from), Some(at)) => {
            let days = i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(86_400);
            Truth::from(at.0.saturating_sub(from.0) <= days)
        }
        _ => Truth::Unknown,
    }
}

/// Whether one watermark meets every member of one filter.
fn marked(own: &[Watermark], criterion: &ImageCriterion, at: Option<Time>) -> Truth {
    let like = |pattern: Option<&String>, text: Option<&String>| match (pattern, text) {
        (None, _) => Truth::Yes,
        (Some(pattern), Some(text)) => Truth::from(pattern::matches(pattern, text)),
        (Some(_), None) => Truth::Unknown,
    };
    let fresh = |days: Option<u64>, from| days.map_or(Truth::Yes, |days| within(from, at, days));
    Truth::any(own.iter().flat_map(|mark| {
        criterion.image_watermarks.iter().map(move |filter| {
            Truth::all([
                like(filter.watermark_key.as_ref(), mark.watermark_key.as_ref()),
                like(filter.source_image_region.as_ref(), mark.source_image_region.as_ref()),
                fresh(filter.maximum_days_since_watermark_created, mark.watermark_creation_time),
                fresh(
                    filter.maximum_days_since_source_image_created,
                    mark.source_image_creation_time,
                ),
            ])
        })
    }))
}
