//! A trial: the one call here that does not read. `DryRun` stands in it, so that AWS checks the
//! request and launches nothing.

use super::call::{Call, Parameters};
use super::calls;
use super::client::Client;
use super::gather::parameters;
use crate::exposure::facts::Refused;
use serde_json::json;

static RUN_INSTANCES: Call =
    Call { service: &calls::EC2, action: "RunInstances", path: "", takes: "", renames: &[] };

/// The account that `client` asks as.
///
/// # Errors
/// When AWS does not say.
pub fn account_of(client: &Client<'_>) -> Result<String, Refused> {
    let caller = client.one(&calls::CALLER, &Parameters::new())?;
    let id = caller.get("Account").and_then(serde_json::Value::as_str);
    Ok(id.unwrap_or_default().to_owned())
}

/// What AWS answers when a launch of `image` is tried: the code of an error, and its message.
pub fn launch(client: &Client<'_>, image: &str, architecture: Option<&str>) -> String {
    // The default type is of the first generation, which many regions do not have.
    let kind = match architecture {
        Some("arm64") => "t4g.micro",
        Some("i386") => "t2.micro",
        _ => "t3.micro",
    };
    let with = parameters(json!({"DryRun": true, "ImageId": image, "InstanceType": kind,
        "MinCount": 1, "MaxCount": 1}));
    match client.one(&RUN_INSTANCES, &with) {
        Err(refused) => refused.error,
        Ok(_) => "the answer is that of no trial".to_owned(),
    }
}
