//! A target: the account, organisation or unit an image is to be shared with.

use crate::error::{Error, ErrorKind, Result};
use crate::exposure::facts::{Facts, Organization};
use crate::exposure::kms::{self, Asker, Org};
use serde_json::{Value, json};

/// With whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An account.
    Account(String),
    /// A whole organisation.
    Organization {
        /// Its id, `o-…`.
        id: String,
        /// Its ARN, when the facts know it.
        arn: Option<String>,
    },
    /// A unit of an organisation, with the units in it.
    Unit {
        /// Its id, `ou-…`.
        id: String,
        /// Its ARN, when the facts know it.
        arn: Option<String>,
        /// The organisation and the path to it, `o-…/r-…/ou-…/`, when the facts know them.
        path: Option<(String, String)>,
    },
}

impl Target {
    /// Read `111122223333`, `o-…`, `ou-…`, or the ARN of an organisation or a unit.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str, facts: &Facts) -> Result<Target> {
        let id = text.rsplit('/').next().unwrap_or(text);
        let arn = text.starts_with("arn:").then(|| text.to_owned());
        if kms::is_account(text) {
            return Ok(Target::Account(text.to_owned()));
        }
        let known = || facts.accounts.iter().filter_map(|one| one.organization.known());
        if is_id(id, "o-", &[10..=32]) {
            let of = known().find(|org| org.id == id).and_then(|org| org.arn.clone());
            return Ok(Target::Organization { id: id.to_owned(), arn: arn.or(of) });
        }
        if is_id(id, "ou-", &[4..=32, 8..=32]) {
            let unit = known().find_map(|org| unit(org, id));
            let (path, of) = unit.unwrap_or_default();
            return Ok(Target::Unit { id: id.to_owned(), arn: arn.or(of), path });
        }
        let what = "not an account of twelve digits, an organisation (o-…) or a unit (ou-…)";
        Err(Error::new(ErrorKind::Usage, what).detail(text))
    }

    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Target::Account(id) | Target::Organization { id, .. } | Target::Unit { id, .. } => id,
        }
    }

    /// Everybody who must be let in: a key that lets in each of them lets in the target. A unit is
    /// asked for as itself and as a unit within, because it is shared with both.
    pub(super) fn askers<'a>(
        &'a self,
        facts: &'a Facts,
        paths: &'a [Vec<&'a str>],
    ) -> Vec<Asker<'a>> {
        match self {
            Target::Account(id) => {
                let own = paths.first().map(Vec::as_slice).unwrap_or_default();
                let org = crate::exposure::disk::org(facts, id, own);
                vec![Asker { account: Some(id), org, ..Asker::default() }]
            }
            Target::Organization { id, .. } => {
                let org = Org::Of { id, paths: None };
                vec![Asker { org, ..Asker::default() }]
            }
            Target::Unit { path: Some((id, _)), .. } => {
                let of = |paths: &'a Vec<&'a str>| {
                    let org = Org::Of { id, paths: Some(paths) };
                    Asker { org, ..Asker::default() }
                };
                paths.iter().map(of).collect()
            }
            Target::Unit { path: None, .. } => vec![Asker::default()],
        }
    }

    /// The paths that [`Target::askers`] stand for.
    pub(super) fn paths(&self, facts: &Facts) -> Vec<Vec<String>> {
        match self {
            Target::Account(id) => {
                let path = crate::exposure::disk::path(facts, id);
                path.map(|path| vec![path.to_owned()]).into_iter().collect()
            }
            Target::Organization { .. } | Target::Unit { path: None, .. } => Vec::new(),
            Target::Unit { path: Some((_, path)), .. } => {
                vec![vec![path.clone()], vec![format!("{path}ou-0000-00000000/")]]
            }
        }
    }

    /// The `Principal` of a statement that lets it in, and the conditions that go with it.
    pub(super) fn principal(&self, partition: &str) -> (Value, Value) {
        match self {
            Target::Account(id) => {
                (json!({"AWS": format!("arn:{partition}:iam::{id}:root")}), json!({}))
            }
            Target::Organization { id, .. } => {
                (json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": id}}))
            }
            Target::Unit { path: Some((id, path)), .. } => {
                let paths = json!({"aws:PrincipalOrgPaths": [format!("{path}*")]});
                let condition = json!({
                    "StringEquals": {"aws:PrincipalOrgID": id},
                    "ForAnyValue:StringLike": paths,
                });
                (json!("*"), condition)
            }
            Target::Unit { id, path: None, .. } => {
                let paths = json!({"aws:PrincipalOrgPaths": [format!("o-ORG/r-ROOT/*{id}/*")]});
                let condition = json!({
                    "StringEquals": {"aws:PrincipalOrgID": "o-ORG"},
                    "ForAnyValue:StringLike": paths,
                });
                (json!("*"), condition)
            }
        }
    }
}

fn unit(org: &Organization, id: &str) -> Option<(Option<(String, String)>, Option<String>)> {
    let unit = org.organizational_units.listed().iter().find(|unit| unit.id == id)?;
    let path = unit.path.clone().filter(|path| path.ends_with('/'));
    Some((path.map(|path| (org.id.clone(), path)), unit.arn.clone()))
}

/// Whether `text` is `prefix` and parts of small letters and digits, one for each length.
pub(super) fn is_id(text: &str, prefix: &str, lengths: &[std::ops::RangeInclusive<usize>]) -> bool {
    let Some(rest) = text.strip_prefix(prefix) else { return false };
    let parts: Vec<&str> = rest.split('-').collect();
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    parts.len() == lengths.len()
        && parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| length.contains(&part.len()) && part.bytes().all(plain))
}
