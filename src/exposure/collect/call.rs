//! A call: how it is written for its service, what its answer and its refusals look like.
//!
//! Three protocols serve all that is asked: query with XML answers, JSON 1.1, and REST with JSON.

use super::name::spelled;
use super::wire::{Answer, Request};
use super::xml;
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// What is sent beside the name of the call: members of the query, or of the JSON.
pub(super) type Parameters = Map<String, Value>;

/// How a service is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// EC2's own query protocol.
    Ec2,
    /// The query protocol.
    Query,
    /// JSON 1.1, with the prefix of its targets.
    Json(&'static str),
    /// REST with JSON.
    Rest,
}

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    /// Its name in addresses and signatures.
    pub name: &'static str,
    /// Its prefix in IAM actions.
    pub iam: &'static str,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The version of its query interface.
    pub version: &'static str,
    /// The member that asks for the next page, and the one that names it.
    pub pages: (&'static str, &'static str),
    /// Whether it has one endpoint for all regions.
    pub global: bool,
    /// Calls at once, over all regions and accounts.
    pub at_once: u32,
    /// Milliseconds between two calls of one region.
    pub spacing_ms: u64,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    /// Its service.
    pub service: &'static Service,
    /// Its name, such as `DescribeImages`.
    pub action: &'static str,
    /// Its path, for REST: `{name}` is filled in from the parameters.
    pub path: &'static str,
    /// The member of the answer that is wanted, in the CLI's spelling; empty for all of it.
    pub takes: &'static str,
    /// Members that this call of EC2 names otherwise than the others.
    pub renames: &'static [(&'static str, &'static str)],
}

/// A failure, as far as it decides what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too fast: ask again later.
    Throttled(String),
    /// The service failed: ask again, but not often.
    Broken(String),
    /// The credentials are not, or no more, accepted: nothing else will be answered either.
    Credentials(String),
    /// It says no.
    Denied(String),
}

impl Call {
    /// The permission it takes.
    pub(super) fn permission(&self) -> String {
        format!("{}:{}", self.service.iam, self.action)
    }

    /// The request with these parameters, to `region`.
    pub(super) fn request(
        &self,
        region: &str,
        endpoint: Option<&str>,
        parameters: &Parameters,
    ) -> Request {
        let service = self.service;
        let place = place(service, region);
        let base = match endpoint {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("https://{}", place.host),
        };
        let mut request = Request {
            service: service.name,
            region: place.region,
            method: "POST",
            url: format!("{base}/"),
            // Owners see this name in CloudTrail.
            headers: vec![(
                "user-agent",
                concat!("amisweep/", env!("CARGO_PKG_VERSION")).to_owned(),
            )],
            body: String::new(),
        };
        match service.protocol {
            Protocol::Ec2 | Protocol::Query => {
                let form = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
                request.headers.push(("content-type", form));
                request.body = self.form(parameters);
            }
            Protocol::Json(prefix) => {
                request.headers.push(("content-type", "application/x-amz-json-1.1".to_owned()));
                request.headers.push(("x-amz-target", format!("{prefix}.{}", self.action)));
                request.body = Value::Object(parameters.clone()).to_string();
            }
            Protocol::Rest => self.rest(&base, parameters, &mut request),
        }
        request
    }

    fn form(&self, parameters: &Parameters) -> String {
        let mut body = format!("Action={}&Version={}", self.action, self.service.version);
        for (name, value) in parameters {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = write!(body, "&{}={}", escaped(name), escaped(&value));
        }
        body
    }

    fn rest(&self, base: &str, parameters: &Parameters, request: &mut Request) {
        let (method, path) = self.path.split_once(' ').unwrap_or(("POST", self.path));
        let mut path = path.to_owned();
        let mut rest = Map::new();
        for (name, value) in parameters {
            let hole = format!("{{{name}}}");
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if path.contains(&hole) {
                path = path.replace(&hole, &escaped(&text));
            } else {
                rest.insert(name.clone(), value.clone());
            }
        }
        request.url = format!("{base}{path}");
        if method == "GET" {
            request.method = "GET";
            for (place, (name, value)) in rest.iter().enumerate() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let before = if place == 0 { '?' } else { '&' };
                let _ = write!(request.url, "{before}{}={}", escaped(name), escaped(&value));
            }
        } else {
            request.headers.push(("content-type", "application/json".to_owned()));
            request.body = Value::Object(rest).to_string();
        }
    }

    /// What an answer says, in the CLI's spelling.
    pub(super) fn read(&self, answer: &Answer) -> Result<Value, Refusal> {
        if !(200..300).contains(&answer.status) {
            return Err(refusal(answer));
        }
        self.understood(answer).map_err(|error| Refusal::Broken(error.message()))
    }

    fn understood(&self, answer: &Answer) -> Result<Value> {
        let text = str::from_utf8(&answer.body)
            .map_err(|_| Error::corrupt("an answer of AWS is no text"))?;
        let ec2 = match self.service.protocol {
            Protocol::Json(_) | Protocol::Rest => {
                return serde_json::from_str(text).map_err(|cause| {
                    Error::corrupt("an answer of AWS is no JSON").caused_by(cause)
                });
            }
            Protocol::Ec2 => true,
            Protocol::Query => false,
        };
        let (root, mut value) = xml::read(text)?;
        if root != format!("{}Response", self.action) {
            return Err(Error::corrupt("an answer of AWS is to another call").detail(root));
        }
        if !ec2 {
            let result = format!("{}Result", self.action);
            value = value.get_mut(&result).map(Value::take).unwrap_or_default();
        }
        Ok(spelled(value, ec2, self.renames))
    }
}

/// Where a service is asked, and for which region that is signed.
struct Place {
    host: String,
    region: String,
}

fn place(service: &Service, region: &str) -> Place {
    let (suffix, home) = match region {
        _ if region.starts_with("cn-") => ("amazonaws.com.cn", "cn-north-1"),
        _ if region.starts_with("us-gov-") => ("amazonaws.com", "us-gov-west-1"),
        _ => ("amazonaws.com", "us-east-1"),
    };
    let name = service.name;
    if !service.global {
        return Place { host: format!("{name}.{region}.{suffix}"), region: region.to_owned() };
    }
    let host = match (name, home) {
        ("iam", "us-east-1") => format!("iam.{suffix}"),
        ("iam", "us-gov-west-1") => format!("iam.us-gov.{suffix}"),
        ("organizations", "cn-north-1") => format!("organizations.cn-northwest-1.{suffix}"),
        _ => format!("{name}.{home}.{suffix}"),
    };
    let signed = if host.contains("northwest") { "cn-northwest-1" } else { home };
    Place { host, region: signed.to_owned() }
}

/// `text` in URL encoding: all but unreserved bytes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Codes of credentials that are not accepted. (`AuthFailure` is not among them: EC2 says so of an
/// image of somebody else too.)
const CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// What a failure says.
fn refusal(answer: &Answer) -> Refusal {
    let (code, message) = told(answer);
    let said = match (code.is_empty(), message.is_empty()) {
        (true, true) => format!("HTTP {}", answer.status),
        (true, false) => format!("HTTP {}: {message}", answer.status),
        (false, true) => code.clone(),
        (false, false) => format!("{code}: {message}"),
    };
    let throttled = ["Throttl", "RequestLimitExceeded", "TooManyRequests", "SlowDown"];
    if throttled.iter().any(|part| code.contains(part)) || answer.status == 429 {
        return Refusal::Throttled(said);
    }
    if CREDENTIALS.contains(&code.as_str()) {
        return Refusal::Credentials(said);
    }
    if answer.status >= 500 { Refusal::Broken(said) } else { Refusal::Denied(said) }
}

/// Code and message of an error, in whichever form.
fn told(answer: &Answer) -> (String, String) {
    let text = String::from_utf8_lossy(&answer.body);
    let string =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Ok(value) = serde_json::from_str::<Value>(&text) {
        let code = answer.error_type.clone().or_else(|| string(&value, "__type"));
        let code = code.or_else(|| string(&value, "code")).unwrap_or_default();
        // `com.amazonaws.kms#NotFoundException`, or `NotFoundException:http://…`.
        let code = code.rsplit('#').next().unwrap_or_default();
        let code = code.split(':').next().unwrap_or_default().to_owned();
        let message = string(&value, "message").or_else(|| string(&value, "Message"));
        return (code, message.unwrap_or_default());
    }
    let Ok((_, root)) = xml::read(&text) else {
        return (answer.error_type.clone().unwrap_or_default(), String::new());
    };
    let errors = root.get("Errors").unwrap_or(&root);
    let error = errors.get("Error").unwrap_or(errors);
    let part = |name| string(error, name).unwrap_or_default();
    (part("Code"), part("Message"))
}

#[cfg(test)]
mod tests {
    use super::super::calls;
    use super::*;
    use serde_json::json;

    fn request(call: &Call, region: &str, with: Value) -> (String, String) {
        let Value::Object(with) = with else { panic!("an object") };
        let request = call.request(region, None, &with);
        (format!("{} {} {}", request.method, request.url, request.region), request.body)
    }

    #[test]
    fn every_protocol_is_written() {
        let (line, body) =
            request(&calls::IMAGE_ATTRIBUTE, "eu-west-1", json!({"ImageId": "ami 1"}));
        assert_eq!(line, "POST https://ec2.eu-west-1.amazonaws.com/ eu-west-1");
        assert_eq!(body, "Action=DescribeImageAttribute&Version=2016-11-15&ImageId=ami%201");
        let (line, _) = request(&calls::AUTHORIZATION, "eu-west-1", json!({}));
        assert_eq!(line, "POST https://iam.amazonaws.com/ us-east-1");
        let (line, _) = request(&calls::AUTHORIZATION, "cn-north-1", json!({}));
        assert_eq!(line, "POST https://iam.cn-north-1.amazonaws.com.cn/ cn-north-1");
        let (line, body) = request(&calls::GRANTS, "eu-west-1", json!({"KeyId": "k"}));
        assert_eq!(line, "POST https://kms.eu-west-1.amazonaws.com/ eu-west-1");
        assert_eq!(body, r#"{"KeyId":"k"}"#);
        let of = json!({"name": "a/b", "nodegroupName": "c"});
        let (line, body) = request(&calls::DESCRIBE_NODEGROUP, "eu-west-1", of);
        let path = "https://eks.eu-west-1.amazonaws.com/clusters/a%2Fb/node-groups/c";
        assert_eq!((line, body.as_str()), (format!("GET {path} eu-west-1"), ""));
        let of = json!({"imageRecipeArn": "arn:1"});
        let (line, _) = request(&calls::GET_IMAGE_RECIPE, "eu-west-1", of);
        assert!(line.contains("/GetImageRecipe?imageRecipeArn=arn%3A1 "), "{line}");
    }

    #[test]
    fn every_refusal_is_understood() {
        let of =
            |status, body: &str| refusal(&Answer { status, error_type: None, body: body.into() });
        let ec2 = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message>\
                   </Error></Errors></Response>";
        assert_eq!(of(403, ec2), Refusal::Denied("UnauthorizedOperation: no".to_owned()));
        let query = "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>";
        assert_eq!(of(400, query), Refusal::Throttled("Throttling".to_owned()));
        let json = r#"{"__type":"com.amazonaws.kms#AccessDeniedException","message":"no"}"#;
        assert_eq!(of(400, json), Refusal::Denied("AccessDeniedException: no".to_owned()));
        let stale = r#"{"__type":"ExpiredTokenException"}"#;
        assert_eq!(of(400, stale), Refusal::Credentials("ExpiredTokenException".to_owned()));
        let page = "<!doctype html>\n<html lang=en>\n<title>500</title>";
        assert_eq!(of(500, page), Refusal::Broken("HTTP 500".to_owned()));
        assert_eq!(of(503, ""), Refusal::Broken("HTTP 503".to_owned()));
    }
}
