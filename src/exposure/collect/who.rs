//! Who asks: the caller, or a role in each of many accounts that the caller may assume.
//!
//! Credentials come from the user's own configuration. A key that a scan found is a subject of
//! questions and never signs one.

use super::calls;
use super::client::{Client, Line, Who, fatal};
use super::gather::parameters;
use super::wire::Aws;
use crate::error::{Error, ErrorKind, Result};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The caller of the user's own configuration.
pub struct Caller<'a> {
    aws: &'a Aws,
    provider: SharedCredentialsProvider,
    leaked: &'a BTreeSet<String>,
    kept: Mutex<Option<Credentials>>,
}

impl<'a> Caller<'a> {
    /// Over the credentials of `config`, unless they are one of `leaked`.
    pub fn new(
        aws: &'a Aws,
        config: &SdkConfig,
        leaked: &'a BTreeSet<String>,
    ) -> Result<Caller<'a>> {
        let provider = config
            .credentials_provider()
            .ok_or_else(|| Error::new(ErrorKind::Usage, "no AWS credentials were found"))?;
        Ok(Caller { aws, provider, leaked, kept: Mutex::default() })
    }
}

impl Who for Caller<'_> {
    fn credentials(&self, fresh: bool) -> Result<Credentials> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credentials) = kept.as_ref().filter(|_| !fresh) {
            return Ok(credentials.clone());
        }
        let found = self.aws.block_on(self.provider.provide_credentials()).map_err(|cause| {
            Error::new(ErrorKind::Denied, "no AWS credentials were found").caused_by(cause)
        })?;
        refuse_leaked(&found, self.leaked)?;
        *kept = Some(found.clone());
        Ok(found)
    }
}

/// Credentials that a scan found must not be used, not even by whom they belong to: from then on
/// nobody could tell the owner's calls from an intruder's.
pub fn refuse_leaked(credentials: &Credentials, leaked: &BTreeSet<String>) -> Result<()> {
    if !leaked.contains(credentials.access_key_id()) {
        return Ok(());
    }
    let what = "these are the credentials that the scan found; they are never used";
    Err(Error::new(ErrorKind::Usage, what)
        .detail(credentials.access_key_id())
        .caused_by("give a --profile with a key or role of its own"))
}

/// A role that another caller assumes.
pub struct Role<'a> {
    /// Its ARN.
    pub arn: String,
    /// What its trust policy may ask for.
    pub external_id: Option<String>,
    client: Client<'a>,
    kept: Mutex<Option<Credentials>>,
}

impl<'a> Role<'a> {
    /// The role of `arn`, assumed by `caller` in `region`.
    pub fn new(
        arn: String,
        external_id: Option<String>,
        line: &'a Line<'a>,
        caller: &'a dyn Who,
        region: &str,
    ) -> Role<'a> {
        let client = Client { line, who: caller, region: region.to_owned() };
        Role { arn, external_id, client, kept: Mutex::default() }
    }
}

impl Who for Role<'_> {
    fn credentials(&self, fresh: bool) -> Result<Credentials> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credentials) = kept.as_ref().filter(|_| !fresh) {
            return Ok(credentials.clone());
        }
        let mut with =
            parameters(json!({"RoleArn": self.arn, "RoleSessionName": "amisweep-collect"}));
        if let Some(id) = &self.external_id {
            with.insert("ExternalId".to_owned(), json!(id));
        }
        let answer = self
            .client
            .one(&calls::ASSUME_ROLE, &with)
            .map_err(|refused| fatal("the role cannot be assumed", &refused).named(&self.arn))?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let found = Credentials::new(
            text("AccessKeyId"),
            text("SecretAccessKey"),
            Some(text("SessionToken").to_owned()),
            None,
            "role",
        );
        *kept = Some(found.clone());
        Ok(found)
    }
}
